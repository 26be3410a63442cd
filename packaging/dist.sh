#!/bin/sh
# Packs what `make dist` has installed in TREE for TARGET, into the directory DIST. The bytes depend on the sources and
# on the versions of the programs that build and pack, not on the directory, the time or the user: SOURCE_DATE_EPOCH is
# the time of all files.
set -eu
tree=$1 target=$2 dist=$3
umask 022
export LC_ALL=C TZ=UTC
cargo=${CARGO:-cargo}

case $target in
*-linux-*) system=linux ;;
*-darwin) system=macos ;;
*) system=${target#*-} ;;
esac
machine=${target%%-*}
# The name that both Debian and OCI images use.
case $machine in
x86_64) architecture=amd64 ;;
aarch64) architecture=arm64 ;;
*)
  echo "make dist: $machine is not supported: the packages are for x86_64 and aarch64" >&2
  exit 1
  ;;
esac
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
name=pkce-tools-$version

needs() {
  command -v "$1" >/dev/null || [ -e "$1" ] || {
    echo "make dist: $1 is missing: install $2" >&2
    missing=yes
  }
}

missing=
needs cargo-cyclonedx 'it with: cargo install --locked cargo-cyclonedx'
if [ "$system" = linux ]; then
  needs dpkg-deb 'the package dpkg, on Debian or Ubuntu'
  needs rpmbuild 'the package rpm'
  needs /usr/share/ca-certificates/mozilla 'the package ca-certificates, on Debian or Ubuntu'
fi
[ -z "$missing" ] || exit 1

# The date of the commit, or of the release where there is no repository; a repository around this directory is another's.
[ -n "${SOURCE_DATE_EPOCH:-}" ] || SOURCE_DATE_EPOCH=$([ -e .git ] && git log -1 --format=%ct 2>/dev/null) ||
  SOURCE_DATE_EPOCH=$(date -d "$(sed -n 's/^## .* (\(.*\))$/\1/p' CHANGELOG.md | head -n 1)" +%s)
export SOURCE_DATE_EPOCH

# Only GNU tar knows these options, and only it reads this variable: on macOS, with bsdtar, the archive has the time and
# the user of its files.
export TAR_OPTIONS="--sort=name --format=ustar --mtime=@$SOURCE_DATE_EPOCH --owner=0 --group=0 --numeric-owner"
PATH=$(dirname "$(command -v gtar || command -v tar)"):$PATH

work=$(mktemp -d)
trap 'rm -rf "$work" "$name.cdx.json"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
rm -rf "$dist"
mkdir -p "$dist"

# In each package: the installed files, the documents, and the licenses.
docs=$tree/usr/share/doc/pkce-tools
sh packaging/third-party.sh "$target" "${CARGO_HOME:-$HOME/.cargo}/registry/src" >"$work/THIRD-PARTY"
install -m 644 README.md CHANGELOG.md SECURITY.md LICENSE-APACHE LICENSE-MIT "$work/THIRD-PARTY" "$docs"

archive() {
  top=$name-$machine-$system
  cp -R "$tree/usr" "$work/$top"
  tar -C "$work" -cf - "$top" | gzip -9n >"$dist/$top.tar.gz"
}

# What the policy of Debian has elsewhere, or compressed.
deb() {
  root=$work/deb
  documents=$root/usr/share/doc/pkce-tools
  mkdir -p "$root/DEBIAN"
  cp -R "$tree/usr" "$root"
  mv "$root/usr/share/zsh/site-functions" "$root/usr/share/zsh/vendor-completions"
  rm "$documents"/LICENSE-*
  install -m 644 packaging/copyright "$documents"
  install -D -m 644 packaging/lintian-overrides "$root/usr/share/lintian/overrides/pkce-tools"
  mv "$documents/CHANGELOG.md" "$documents/changelog"
  printf '%s\n' "pkce-tools ($version-1) unstable; urgency=medium" '' "  * Release $version: see changelog.gz." '' \
    " -- $(sed -n 's/^Maintainer: //p' packaging/control)  $(date -R -d "@$SOURCE_DATE_EPOCH")" \
    >"$documents/changelog.Debian"
  gzip -9n "$documents/changelog" "$documents/changelog.Debian"
  find "$root/usr/share/man" -type f -exec gzip -9n {} +
  (cd "$root" && find usr -type f | sort | xargs md5sum >DEBIAN/md5sums)
  {
    echo "Version: $version-1"
    echo "Architecture: $architecture"
    echo "Installed-Size: $(find "$root/usr" -type f -printf '%s\n' | awk '{ sum += int($1 / 1024) + 1 } END { print sum }')"
    cat packaging/control
  } >"$root/DEBIAN/control"
  # With several threads, the bytes depend on their number.
  DPKG_DEB_THREADS_MAX=1 dpkg-deb --root-owner-group -Zxz --build "$root" "$dist"
}

rpm() {
  rpmbuild --quiet -bb --target "$machine-linux" --define "version $version" --define "tree $tree" \
    --define "_topdir $work/rpm" --define "_rpmdir $dist" \
    --define '_rpmfilename %{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm' \
    --define '_buildhost localhost' --define 'use_source_date_epoch_as_buildtime 1' \
    --define 'clamp_mtime_to_source_date_epoch 1' packaging/pkce-tools.spec
}

# The certificates are those of the package ca-certificates, without those that this machine trusts in addition.
image() {
  mkdir -p "$work/image/usr/bin" "$work/image/usr/share/doc/pkce-tools" "$work/image/etc/ssl/certs"
  for program in src/bin/*.rs; do
    cp "$tree/usr/bin/$(basename "$program" .rs)" "$work/image/usr/bin"
  done
  cp "$docs"/LICENSE-* "$docs/THIRD-PARTY" "$work/image/usr/share/doc/pkce-tools"
  cat /usr/share/ca-certificates/mozilla/*.crt >"$work/image/etc/ssl/certs/ca-certificates.crt"
  sh packaging/image.sh "$work/image" "$dist/$name-$machine-oci.tar" "$version" "$architecture"
}

# cargo-cyclonedx writes only beside Cargo.toml, and puts the URL of that directory into the file, followed by the name of the
# package unless the directory has it. In a URL, # and " are encoded. The trap removes the file.
sbom() {
  $cargo cyclonedx --quiet --format json --spec-version 1.5 --target "$target" --override-filename "$name.cdx"
  sed 's|file:///[^"#]*#\(pkce-tools@\)*|file://#pkce-tools@|g' "$name.cdx.json" >"$dist/$name.cdx.json"
}

archive
sbom
if [ "$system" = linux ]; then
  deb
  rpm
  image
fi
sha256=sha256sum
command -v sha256sum >/dev/null || sha256='shasum -a 256'
(cd "$dist" && $sha256 -- * >"$work/sums" && mv "$work/sums" SHA256SUMS)
ls -l "$dist"
