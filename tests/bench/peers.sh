#!/bin/sh
# Installs what `make bench` needs from crates.io and npm into the directory DIR, and says what of the rest is missing.
# Usage: peers.sh DIR
set -eu

PATH=$1/bin:$PATH
# Debian's hyperfine lacks --input.
hyperfine --help 2>&1 | grep -q -e --input || {
  "${CARGO:-cargo}" install --quiet --locked --root "$1" --target-dir "$1/build" hyperfine --version 1.20.0
  rm -rf "$1/build"
}

# What the program of Auth0's article requires.
[ -d "$1/node_modules/request" ] || ! command -v npm >/dev/null || npm install --prefix "$1" --no-audit --no-fund \
  --ignore-scripts --loglevel=error opn@6.0.0 request@2.88.2 dotenv@18.0.10 >/dev/null

# Each program and where it comes from: a package of Debian, or the project whose own instructions install it. The
# results of RESULTS.md name the versions and commits that they were measured with.
while read -r program place; do
  command -v "$program" >/dev/null || echo "missing: $program ($place)"
done <<'LIST'
hyperfine crates.io
curl Debian: curl
jq Debian: jq
node Debian: nodejs
openssl Debian: openssl
oidc-token Debian: oidc-agent-cli
parallel Debian: parallel
python3 Debian: python3
strace Debian: strace
taskset Debian: util-linux
/usr/bin/time Debian: time
valgrind Debian: valgrind
git-credential-oauth Go: github.com/hickford/git-credential-oauth
kubelogin Go: github.com/int128/kubelogin
oauth2c Go: github.com/cloudentity/oauth2c
oidc-cli Go: github.com/jentz/oidc-cli
step Go: github.com/smallstep/cli
LIST
