#!/bin/sh
# Takes the place of the browser: signs in with a test account on a server's HTML pages, with curl and awk.
#
#   TEST_ACCOUNT_FILE=account BROWSER='sh browser.sh' pkce-callback
#
# The account file has two lines, name and password. On each page, the script fills in the first form with method POST:
# text and email fields with the name, password fields with the password; other fields keep their values. It presses the
# first button whose text does not mean cancel or deny, until it reaches the redirect URI. Pages that require JavaScript
# or a second factor are not supported. pkce-callback discards what a browser prints: set LOG=FILE to write it to a
# file.
{ set +x; } 2>/dev/null
set -eu
umask 077
# Limit the size of a page to 4 MiB, in blocks of 512 bytes.
trap '' XFSZ
ulimit -f 8192
[ -z "${LOG:-}" ] || exec 2>>"$LOG"

fail() {
  echo "browser: $1" >&2
  exit 1
}
[ $# -eq 1 ] || fail 'usage: browser.sh URL'
[ -s "${TEST_ACCOUNT_FILE:-}" ] || fail 'TEST_ACCOUNT_FILE: must be a file with the name and password of an account'
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
trap 'exit 1' HUP INT TERM

# Never use a proxy for this machine.
no_proxy="127.0.0.1,::1,localhost,${no_proxy:-${NO_PROXY:-}}"
export no_proxy

# curl reads everything from standard input, so that no argument list contains a code, a name or a password.
goal=$(
  printf '%s\n' "$1" | sed -n 's/.*[?&]redirect_uri=\([^&]*\).*/\1/p' |
    sed 's/%3A/:/g; s/%2F/\//g; s/%5B/[/g; s/%5D/]/g'
)
request=$(printf '# the start\nurl = "%s"\n' "$(printf '%s\n' "$1" | sed 's/["\\]/\\&/g')")
newline='
'
for page in 1 2 3 4 5 6 7 8 9 10; do
  : >"$directory/page"
  address=$(
    printf '%s\n' "$request" |
      curl --config - --silent --show-error --globoff --proto '=http,https' --location --max-redirs 20 --max-time 30 \
        --cookie "$directory/jar" --cookie-jar "$directory/jar" --output "$directory/page" \
        --write-out '%{url_effective}'
  )
  case $address in "$goal"*[?\&]code=* | "$goal"*[?\&]error=*) exit 0 ;; esac
  last=${request%%"$newline"*}
  request=$(
    printf '%s\n' "$address" |
      LC_ALL=C awk -f "$(dirname "$0")/form.awk" "$TEST_ACCOUNT_FILE" - RS='<' "$directory/page"
  ) || fail "page $page: no supported form found"
  [ "${request%%"$newline"*}" != "$last" ] || fail "page $page: the same form came back (wrong name or password?)"
done
fail 'more than 10 pages'
