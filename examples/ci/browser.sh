#!/bin/sh
# In the browser's place, with nobody there: logs a test account in on a server's ordinary HTML pages, by curl and awk.
#
#   TEST_ACCOUNT_FILE=account BROWSER='sh browser.sh' pkce-callback
#
# The account's file has two lines: name and password. On each page the first form that is to be posted is filled in,
# text and email fields with the name, password fields with the password, the others as they are, and its first button
# that does not say cancel, deny or the like is pressed, until the redirect URI is reached. A page that needs JavaScript
# or a second factor is beyond it. pkce-callback shows nothing of what a browser says: with LOG=FILE it is written
# there.
{ set +x; } 2>/dev/null
set -eu
umask 077
# No page is to fill the disk: 4 MiB, in blocks of 512 octets.
trap '' XFSZ
ulimit -f 8192
[ -z "${LOG:-}" ] || exec 2>>"$LOG"

fail() {
  echo "browser: $1" >&2
  exit 1
}
[ $# -eq 1 ] || fail 'usage: browser.sh URL'
[ -s "${TEST_ACCOUNT_FILE:-}" ] || fail 'TEST_ACCOUNT_FILE: no file with the name and the password of the test account'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM

# This machine is never reached through a proxy.
no_proxy="127.0.0.1,::1,localhost,${no_proxy:-${NO_PROXY:-}}"
export no_proxy

# curl gets all by standard input, so that no argument list has a code, a name or a password.
goal=$(
  printf '%s\n' "$1" | sed -n 's/.*[?&]redirect_uri=\([^&]*\).*/\1/p' |
    sed 's/%3A/:/g; s/%2F/\//g; s/%5B/[/g; s/%5D/]/g'
)
request=$(printf '# the start\nurl = "%s"\n' "$(printf '%s\n' "$1" | sed 's/["\\]/\\&/g')")
newline='
'
for page in 1 2 3 4 5 6 7 8 9 10; do
  : >"$folder/page"
  address=$(
    printf '%s\n' "$request" |
      curl --config - --silent --show-error --globoff --proto '=http,https' --location --max-redirs 20 --max-time 30 \
        --cookie "$folder/jar" --cookie-jar "$folder/jar" --output "$folder/page" --write-out '%{url_effective}'
  )
  case $address in "$goal"*[?\&]code=* | "$goal"*[?\&]error=*) exit 0 ;; esac
  last=${request%%"$newline"*}
  request=$(
    printf '%s\n' "$address" |
      LC_ALL=C awk -f "$(dirname "$0")/form.awk" "$TEST_ACCOUNT_FILE" - RS='<' "$folder/page"
  ) || fail "page $page: no form that it can fill in"
  [ "${request%%"$newline"*}" != "$last" ] || fail "page $page: the same form came back; are name and password right?"
done
fail 'more than 10 pages'
