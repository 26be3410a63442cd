#!/bin/sh
# Packs what `make dist` has installed in TREE for TARGET, into the directory DIST. The bytes depend on the sources and the
# programs that pack, not on the place, the time or the user: SOURCE_DATE_EPOCH is the time of all files.
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
  needs cargo-deb 'it with: cargo install --locked cargo-deb'
  needs cargo-generate-rpm 'it with: cargo install --locked cargo-generate-rpm'
  needs /usr/share/ca-certificates/mozilla 'the package ca-certificates, on Debian or Ubuntu'
fi
[ -z "$missing" ] || exit 1

# The date of the commit, or of the release where there is no repository.
[ -n "${SOURCE_DATE_EPOCH:-}" ] || SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null) ||
  SOURCE_DATE_EPOCH=$(date -d "$(sed -n 's/^## .* (\(.*\))$/\1/p' CHANGELOG.md | head -n 1)" +%s)
export SOURCE_DATE_EPOCH

# Only GNU tar knows these options, and only it reads this variable: on macOS, with bsdtar, the archive has the time and
# the user of its files.
export TAR_OPTIONS="--sort=name --format=ustar --mtime=@$SOURCE_DATE_EPOCH --owner=0 --group=0 --numeric-owner"
PATH=$(dirname "$(command -v gtar || command -v tar)"):$PATH

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$dist"
mkdir -p "$dist"

# What a user of any package gets: the installed files, the documents, and the licenses.
docs=$tree/usr/share/doc/pkce-tools
sh packaging/third-party.sh "$target" "${CARGO_HOME:-$HOME/.cargo}/registry/src" >"$work/THIRD-PARTY"
install -m 644 README.md CHANGELOG.md SECURITY.md LICENSE-APACHE LICENSE-MIT "$work/THIRD-PARTY" "$docs"

archive() {
  top=$name-$machine-$system
  cp -R "$tree/usr" "$work/$top"
  tar -C "$work" -cf - "$top" | gzip -9n >"$dist/$top.tar.gz"
}

deb() {
  date=$(date -R -d "@$SOURCE_DATE_EPOCH")
  maintainer=$(sed -n 's/^maintainer = "\(.*\)"/\1/p' Cargo.toml)
  printf '%s\n' "pkce-tools ($version-1) unstable; urgency=medium" '' "  * Release $version: see changelog.gz." '' \
    " -- $maintainer  $date" | gzip -9n >"$tree/changelog.Debian.gz"
  $cargo deb --quiet --locked --no-build --no-strip --target "$target" --output "$dist/"
}

# The list of files is made here: it has their modes, and the directories that go with the package.
rpm() {
  {
    echo 'assets = ['
    (cd "$tree" && find usr ! -type d) | sort | while read -r file; do
      mode=644
      [ ! -x "$tree/$file" ] || mode=755
      doc=false
      case $file in usr/share/doc/* | usr/share/man/*) doc=true ;; esac
      echo "{ source = \"$tree/$file\", dest = \"/$file\", mode = \"$mode\", doc = $doc },"
    done
    (cd "$tree" && find usr/share/doc/pkce-tools -type d) | sort | while read -r directory; do
      echo "{ dest = \"/$directory\", dir = true, mode = \"755\" },"
    done
    echo ']'
  } >"$work/files.toml"
  # Files older than that keep their time.
  find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
  $cargo generate-rpm --target "$target" --metadata-overwrite "$work/files.toml" --output "$dist/$name-1.$machine.rpm"
}

# The certificates are those of the package, without what this machine trusts besides.
image() {
  mkdir -p "$work/image/usr/bin" "$work/image/usr/share/doc/pkce-tools" "$work/image/etc/ssl/certs"
  for program in src/bin/*.rs; do
    cp "$tree/usr/bin/$(basename "$program" .rs)" "$work/image/usr/bin"
  done
  cp "$docs"/LICENSE-* "$docs/THIRD-PARTY" "$work/image/usr/share/doc/pkce-tools"
  cat /usr/share/ca-certificates/mozilla/*.crt >"$work/image/etc/ssl/certs/ca-certificates.crt"
  sh packaging/image.sh "$work/image" "$dist/$name-$machine-oci.tar" "$version" "$machine"
}

# The tool writes beside Cargo.toml, and names the directory.
sbom() {
  $cargo cyclonedx --quiet --format json --spec-version 1.5 --target "$target" --override-filename "$name.cdx"
  sed "s,file://$PWD,file://,g" "$name.cdx.json" >"$dist/$name.cdx.json"
  rm "$name.cdx.json"
}

archive
sbom
if [ "$system" = linux ]; then
  deb
  rpm
  image
fi
(cd "$dist" && sha256sum -- * >"$work/sums" && mv "$work/sums" SHA256SUMS)
ls -l "$dist"
