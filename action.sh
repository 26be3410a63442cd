#!/bin/sh
# Installs a release of pkce-tools for the later steps of a job on GitHub Actions. action.yml sets VERSION, REPOSITORY and
# GH_TOKEN, and the runner sets the other variables.
set -eu

fail() {
  echo "::error::pkce-tools: $1" >&2
  exit 1
}

case $RUNNER_OS-$RUNNER_ARCH in
  Linux-X64) system=x86_64-linux ;;
  Linux-ARM64) system=aarch64-linux ;;
  macOS-ARM64) system=aarch64-macos ;;
  *) fail "$RUNNER_OS on $RUNNER_ARCH is not supported" ;;
esac
version=${VERSION:-$(sed -n 's/^version = "\(.*\)"$/\1/p' "$(dirname "$0")/Cargo.toml")}
case $version in
  [!0-9]* | *[!0-9A-Za-z.-]*) fail 'the input version is not a version number, such as 0.2.0' ;;
esac
# The action of a checkout (uses: ./) has no repository of its own.
repository=${REPOSITORY:-$GITHUB_REPOSITORY}
name=pkce-tools-$version-$system
archive=$name.tar.gz

directory=$(mktemp -d "$RUNNER_TEMP/pkce-tools.XXXXXX")
trap 'rm -rf "$directory"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cd "$directory"

for file in SHA256SUMS "$archive"; do
  # The runner chooses the scheme, and no redirect leads to plain http. Why a download fails, curl says itself.
  code=$(curl --fail --silent --show-error --location --proto-redir =https --retry 3 --connect-timeout 30 \
    --speed-limit 1 --speed-time 60 --output "$file" --write-out '%{http_code}' \
    "$GITHUB_SERVER_URL/$repository/releases/download/v$version/$file") || {
    [ "$code" != 404 ] || fail "release v$version of $repository has no file $file"
    fail "$file of release v$version cannot be downloaded"
  }
done

sha256() {
  if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi
}
expected=$(awk -v name="$archive" '$2 == name { print $1 }' SHA256SUMS)
[ -n "$expected" ] || fail "SHA256SUMS has no line for $archive"
actual=$(sha256 <"$archive" | cut -d ' ' -f 1)
[ "$actual" = "$expected" ] || fail "the checksum of $archive is not the one in SHA256SUMS"

# The checksum comes from the release, like the archive: only the attestation proves which workflow built it, from which
# tag. Older versions of gh lack the command.
if gh attestation verify --help >/dev/null 2>&1; then
  workflow=$GITHUB_SERVER_URL/$repository/.github/workflows/release.yml@refs/tags/v$version
  gh attestation verify "$archive" --repo "$repository" --cert-identity "$workflow" ||
    fail "the attestation of $archive is not valid"
else
  echo '::warning::pkce-tools: only the checksum is verified: the attestation requires gh 2.49 or later' >&2
fi

tar -xzof "$archive"
# For root, tar keeps the modes of the archive. BusyBox's keeps set-user-ID with --no-same-permissions too.
chmod -R u=rwX,go=rX,a-st "$name"
"$name/bin/pkce-gen" --version || fail "the programs in $archive do not run on this system"
rm "$archive" SHA256SUMS
trap - EXIT
echo "$directory/$name/bin" >>"$GITHUB_PATH"
echo "version=$version" >>"$GITHUB_OUTPUT"
