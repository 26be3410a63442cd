#!/usr/bin/env bash
# Tries the packages of `make dist` in the directory DIST as a user would: each is installed in an empty root directory, used
# for a login, and removed. Then it builds them once more elsewhere, and compares. With a TEXT, only the cases that match it
# are run. It must be root, for chroot and a network of its own.
set -u
umask 022

needs() {
  command -v "$1" >/dev/null && return
  echo "dist: $1 is missing: install the package $2" >&2
  exit 1
}

[ "$(id -u)" -eq 0 ] || {
  echo 'dist: must be root: it changes its root directory and its network' >&2
  exit 1
}
needs busybox busybox
needs debootstrap debootstrap
needs ip iproute2
needs jq jq
needs lintian lintian
needs python3 python3
needs rpm rpm
needs skopeo skopeo
needs umoci umoci
needs unshare util-linux

dist=$(cd "$1" && pwd) || exit
only=${2:-}
cd "$(dirname "$0")/../.." || exit
source=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
machine=$(uname -m)
archive=$dist/pkce-tools-$version-$machine-linux.tar.gz
deb=$(echo "$dist/pkce-tools_$version"-1_*.deb)
rpm=$dist/pkce-tools-$version-1.$machine.rpm
image=$dist/pkce-tools-$version-$machine-oci.tar
sbom=$dist/pkce-tools-$version.cdx.json
programs=$(basename -s .rs src/bin/*.rs)
tools=$programs$'\n'$(basename -a src/sh/*)

passed=0
failed=0

# Runs one case with an empty directory, $case; its name is the sentence.
check() {
  local sentence="${*//_/ }"
  [[ "$sentence" = *"$only"* ]] || return
  case=$work/$((passed + failed))
  mkdir "$case"
  if ("$@") >"$case.log" 2>&1 </dev/null; then
    passed=$((passed + 1))
    echo "ok - $sentence"
  else
    failed=$((failed + 1))
    echo "not ok - $sentence"
    tail -n 40 "$case.log" | sed 's/^/  /'
  fi
  rm -rf "$case"
}

fail() {
  echo "$1"
  exit 1
}

# What it is, what it is said to be, and what it should be.
is() {
  [ "$2" = "$3" ] || fail "$1: $2 (and not $3)"
}

# A root directory with BusyBox, the libraries that this one is linked with, and nothing else: no /dev but null, no /proc.
make_root() {
  local file
  mkdir -p "$1"/{bin,dev,etc,home,tmp}
  for file in $(command -v busybox) $(ldd "$(command -v busybox)" | grep -o '/[^ ]*'); do
    cp --parents -L "$file" "$1" || exit
  done
  chroot "$1" "$(command -v busybox)" --install -s /bin || exit
  mknod -m 666 "$1/dev/null" c 1 3
}

# Runs a command in a network of its own: this machine, with a name server.
networked() {
  rm -f "$case/ready"
  # shellcheck disable=SC2016 # for this sh
  unshare --net sh -c 'ready=$1 server=$2
    shift 2
    ip link set lo up
    python3 "$server" known.example.com >"$ready" &
    until [ -s "$ready" ]; do sleep 0.1; done
    "$@"
    status=$?
    kill $!
    exit $status' - "$case/ready" "$source/tests/dist/name_server.py" "$@"
}

# Runs a script in a root directory, by its sh.
in_root() {
  networked chroot "$1" /bin/env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/home sh -c "$2"
}

# What a login at pkce-idp by the pipeline, and one by pkce-login, print.
logs_in() {
  local out
  out=$(in_root "$1" 'pkce-idp --auto-approve -- sh -c "
    pkce-discover | pkce-gen - | pkce-url --scope openid | pkce-callback | pkce-exchange | pkce-verify -r id_token_claims &&
      pkce-login work --client-id pkce-tools && pkce-token work && pkce-logout work"') || fail "the login failed: $out"
  is 'the user' "$(head -n 1 <<<"$out" | jq -r .sub)" alice
  [ "$(wc -l <<<"$out")" -eq 2 ] || fail "no token: $out"
}

# Each tool starts, and has the version.
starts() {
  local versions
  versions=$(for tool in $tools; do echo "$tool $version"; done)
  is 'the versions' "$(in_root "$1" "for tool in $(paste -sd ' ' <<<"$tools"); do \$tool --version; done")" "$versions"
}

third_party() {
  tar -xzOf "$archive" "$(basename "$archive" .tar.gz)/share/doc/pkce-tools/THIRD-PARTY"
}

# What the C library of the programs says about an unknown name, and without a name server; the GNU C Library leaves both to
# getent where that is installed.
if third_party | grep '^musl: ' >/dev/null; then
  unknown='name does not resolve'
  unreachable='try again'
  getent_unknown=$unknown
  getent_unreachable=$unreachable
else
  unknown='name or service not known'
  unreachable='temporary failure in name resolution'
  getent_unknown='no address found (unknown name, or no name server)'
  getent_unreachable=$getent_unknown
fi

# A name that is in /etc/hosts, and one that the name server has: port 9 is closed. An unknown name, and a network without
# a name server, end with status 3 and a message.
looks_up_names() {
  local unknown=$2 unreachable=$3
  echo 'nameserver 127.0.0.1' >"$1/etc/resolv.conf"
  echo '127.0.0.1 listed.example.com' >"$1/etc/hosts"
  reports "$1" listed.example.com 'connection refused'
  reports "$1" known.example.com 'connection refused'
  reports "$1" unknown.example.com "$unknown"
  echo 'nameserver 127.0.0.2' >"$1/etc/resolv.conf"
  reports "$1" known.example.com "$unreachable"
}

reports() {
  is "$2" "$(in_root "$1" "PKCE_HTTP_HOSTS=$2:9 pkce-discover http://$2:9 2>&1 >/dev/null; echo \$?")" \
    "pkce-discover: $2:9: $3"$'\n3'
}

# The files in a root directory, and the directories of the package, to compare. What the package systems keep about a
# package that is gone is theirs, and so are the directories that packages share.
paths() {
  (cd "$1" && find . \( ! -type d -o -name '*pkce*' \) ! -path './var/*' | sort)
}

has_the_right_sums() {
  cd "$dist" && sha256sum --check SHA256SUMS && is 'the sums' "$(wc -l <SHA256SUMS)" "$(($(find . -type f | wc -l) - 1))"
}
check has_the_right_sums

runs_from_the_archive_in_a_root_with_BusyBox_only() {
  make_root "$case/root"
  tar -xzf "$archive" -C "$case"
  mkdir -p "$case/root/usr/local"
  cp -r "$case"/pkce-tools-*/* "$case/root/usr/local"
  starts "$case/root"
  looks_up_names "$case/root" "$unknown" "$unreachable"
  logs_in "$case/root"
}
check runs_from_the_archive_in_a_root_with_BusyBox_only

# Its C library is newer than the one that the programs are linked with, and it has modules for names. What debootstrap
# unpacks is enough; that nothing is configured saves minutes.
runs_from_the_archive_in_another_distribution() {
  local package root=$case/root
  debootstrap --foreign --variant=minbase --include=libnss-mdns,libnss-resolve trixie "$root" || exit
  for package in "$root"/var/cache/apt/archives/libnss-*.deb; do
    dpkg-deb -x "$package" "$root"
  done
  echo 'hosts: mdns4_minimal resolve files dns' >"$root/etc/nsswitch.conf"
  mkdir -p "$root/usr/local"
  tar -xzf "$archive" -C "$root/usr/local" --strip-components 1
  starts "$root"
  looks_up_names "$root" "$getent_unknown" "$getent_unreachable"
  logs_in "$root"
}
check runs_from_the_archive_in_another_distribution

# It comes from no mirror, so lintian checks it by itself; each override has its reason beside it.
satisfies_lintian() {
  is 'what lintian says' "$(lintian --pedantic --display-info --allow-root "$deb" 2>&1)" ''
}
check satisfies_lintian

installs_and_removes_the_deb() {
  local root=$case/root
  make_root "$root"
  mkdir -p "$root/var/lib/dpkg/"{info,updates}
  touch "$root/var/lib/dpkg/status"
  paths "$root" >"$case/before"
  dpkg --root="$root" --install "$deb" || exit
  is 'what is not where it belongs' "$(dpkg --root="$root" --verify pkce-tools)" ''
  starts "$root"
  logs_in "$root"
  rm -r "${root:?}/home"
  dpkg --root="$root" --purge pkce-tools || exit
  paths "$root" | diff "$case/before" -
}
check installs_and_removes_the_deb

installs_and_removes_the_rpm() {
  local root=$case/root
  make_root "$root"
  paths "$root" >"$case/before"
  is 'what it requires' "$(rpm -qp --requires "$rpm" | grep -v '^rpmlib(')" /bin/sh
  # Nothing in an empty root provides /bin/sh by name.
  rpm --root "$root" --dbpath /var/lib/rpm --install --nodeps "$rpm" || exit
  is 'what is not where it belongs' "$(rpm --root "$root" --dbpath /var/lib/rpm --verify --nodeps pkce-tools)" ''
  starts "$root"
  logs_in "$root"
  rm -r "${root:?}/home"
  rpm --root "$root" --dbpath /var/lib/rpm --erase pkce-tools || exit
  paths "$root" | diff "$case/before" -
}
check installs_and_removes_the_rpm

# As a container runs it: with its user, its environment, and its own network.
runs_from_the_image() {
  local root=$case/bundle/rootfs
  is 'the image' "$(skopeo inspect "oci-archive:$image:$version" | jq -r '.Labels["org.opencontainers.image.version"]')" \
    "$version"
  skopeo copy "oci-archive:$image:$version" "oci:$case/layout:$version" || exit
  umoci unpack --image "$case/layout:$version" "$case/bundle" || exit
  is 'the user' "$(jq -c '.process.user | [.uid, .gid]' "$case/bundle/config.json")" '[65532,65532]'
  is 'the directories' "$(cd "$root" && find . -type d | sort | paste -sd ' ')" \
    '. ./etc ./etc/ssl ./etc/ssl/certs ./pkce ./usr ./usr/bin ./usr/share ./usr/share/doc ./usr/share/doc/pkce-tools'
  for program in $programs; do
    is "$program --version" "$(in_image "$program" --version)" "$program $version"
  done
  echo 'nameserver 127.0.0.1' >"$root/etc/resolv.conf"
  is 'a name' "$(in_image pkce-discover https://known.example.com:9 2>&1 >/dev/null)" \
    'pkce-discover: known.example.com:9: connection refused'
  is 'an unknown name' "$(in_image pkce-discover https://unknown.example.com 2>&1 >/dev/null)" \
    "pkce-discover: unknown.example.com: $unknown"
  is 'a server' "$(in_image pkce-idp -- pkce-discover -r token_endpoint | sed 's/:[0-9][0-9]*/:PORT/')" \
    http://127.0.0.1:PORT/token
  echo '{"access_token":"secret","token_endpoint":"https://id.example.com/token"}' | in_image pkce-store work
  is 'the token' "$(in_image pkce-load work -r access_token)" secret
  is 'its file' "$(cd "$root/pkce" && find . -name '*.json' -printf '%p %m %U')" './work.json 600 65532'
}

# Runs a program as a container does: with its user and its environment.
in_image() {
  local environment
  readarray -t environment < <(jq -r '.process.env[]' "$case/bundle/config.json")
  networked env -i "${environment[@]}" "$(command -v chroot)" --userspec=65532:65532 "$case/bundle/rootfs" "$@"
}
check runs_from_the_image

names_the_crates_in_the_SBOM() {
  third_party >"$case/third-party"
  is 'its crate' "$(jq -r '.metadata.component | .name + " " + .version' "$sbom")" "pkce-tools $version"
  jq -r '.components[] | .name + " " + .version' "$sbom" | sort >"$case/components"
  awk -v RS= 'NR == 2' "$case/third-party" | cut -d ' ' -f 1,2 | sort | comm -23 - "$case/components" >"$case/missing"
  is 'what is missing' "$(cat "$case/missing")" ''
}
check names_the_crates_in_the_SBOM

has_no_path_of_this_machine_in_a_program_or_the_SBOM() {
  tar -xzf "$archive" -C "$case"
  is 'what has one' "$(grep -lrF -e "$HOME" -e "$source" -e "${CARGO_HOME:-$HOME/.cargo}" -e "$dist" \
    "$case"/*/bin "$sbom")" ''
  # A URL has the path in another form.
  is 'the URLs with a path' "$(grep -o 'file:///[^"]*' "$sbom")" ''
}
check has_no_path_of_this_machine_in_a_program_or_the_SBOM

# Another directory, home, place for cargo's files, time, time zone, mask and user; the crates are unpacked anew.
has_the_same_bytes_when_it_is_built_elsewhere() {
  local cargo=${CARGO_HOME:-$HOME/.cargo} elsewhere=$case/elsewhere
  mkdir -p "$elsewhere"/{source,home,cargo/registry}
  ln -s "$cargo"/registry/{cache,index} "$elsewhere/cargo/registry"
  umask 077
  git ls-files -z | tar -c --null --files-from - | tar -x --no-same-permissions -C "$elsewhere/source"
  unshare --user --map-user=1000 --map-group=1000 env -i -C "$elsewhere/source" PATH="$PATH" HOME="$elsewhere/home" \
    RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}" CARGO_HOME="$elsewhere/cargo" CARGO_TARGET_DIR="$elsewhere/build" \
    CARGO_NET_OFFLINE=true TZ=Pacific/Kiritimati SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" make dist || exit
  diff -r "$dist" "$elsewhere/build/dist"
}
if [ "${ONCE:-}" ]; then
  echo 'left out, since ONCE is set: has the same bytes when it is built elsewhere'
else
  check has_the_same_bytes_when_it_is_built_elsewhere
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
