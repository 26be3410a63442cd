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
#
# Forms are filled in and sent only at one origin, that of the authorization URL, or TEST_ACCOUNT_ORIGIN where the login
# pages are elsewhere, such as https://login.example.com. It must be https, on this machine, or in PKCE_HTTP_HOSTS.
{ set +x; } 2>/dev/null
set -eu
umask 077
# Limit the size of a page to 4 MiB, in blocks of 512 bytes.
trap '' XFSZ
ulimit -f 8192
[ -z "${LOG:-}" ] || exec 2>>"$LOG"

# Text from outside, which a CI runner or a terminal must not obey. A space breaks up what a runner would take for a
# command.
harmless() {
  LC_ALL=C sed 's/[^ -~]/?/g; s/##/# #/g; s/##/# #/g; /::[[:alpha:]].*::/s/:\(:[[:alpha:]]\)/: \1/g'
}

fail() {
  printf 'browser: %s\n' "$1" | harmless >&2
  exit 1
}
[ $# -eq 1 ] || fail 'usage: browser.sh URL'
[ -s "${TEST_ACCOUNT_FILE:-}" ] || fail 'TEST_ACCOUNT_FILE: must be a file with the name and password of an account'
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
trap 'exit 1' HUP INT TERM

# Like the tools, never use a proxy for this machine. In a list, curl takes no * for all hosts.
if [ "${no_proxy:-${NO_PROXY:-}}" != '*' ]; then
  no_proxy="127.0.0.1,127.0.0.0/8,::1,localhost,${no_proxy:-${NO_PROXY:-}}"
  export no_proxy
fi

# The scheme, host and port of the URL on standard input.
origin() {
  sed -n '1s,^\([A-Za-z]*://[^/?#]*\).*,\1,p' | LC_ALL=C tr '[:upper:]' '[:lower:]' |
    sed 's,^\(https://.*\):443$,\1,; s,^\(http://.*\):80$,\1,'
}

# Whether a password may be sent to this origin: with https, on this machine, or to PKCE_HTTP_HOSTS, which may name it
# with the port, 80 if missing, or without, which allows every port.
may_have_password() {
  port='(:[0-9]+)?'
  named=$(printf '%s\n' "$1" | sed '/:[0-9]*$/!s/$/:80/')
  printf '%s\n' "$1" |
    grep -Eqx "https://([a-z0-9._-]+|\[[0-9a-f:.]+\])$port|http://(127(\.[0-9]+){3}|localhost|\[::1\])$port" ||
    printf '%s\n' "${PKCE_HTTP_HOSTS:-}" | LC_ALL=C tr '[:upper:]' '[:lower:]' | sed 'y/, /\n\n/' |
    sed -n 's,..*,http://&,p' | grep -Fqx -e "$named" -e "${named%:*}"
}

# Where the password is sent, and nowhere else.
trusted=$(printf '%s\n' "${TEST_ACCOUNT_ORIGIN:-$1}" | origin)
if ! may_have_password "$trusted"; then
  subject=URL
  [ -z "${TEST_ACCOUNT_ORIGIN:-}" ] || subject=TEST_ACCOUNT_ORIGIN
  fail "$subject: must begin with https://, or with http:// if it is on this machine or in PKCE_HTTP_HOSTS"
fi

# Fetches what the curl config on standard input says. No argument list contains a code, a name or a password. curl may
# repeat text of a server.
fetch() {
  : >"$directory/page"
  fetched=0
  curl --config - --silent --show-error --globoff --proto '=http,https' --max-time 30 --output "$directory/page" \
    --header 'Accept: text/html, */*;q=0.5' \
    --cookie "$directory/jar" --cookie-jar "$directory/jar" "$@" 2>"$directory/message" || fetched=$?
  harmless <"$directory/message" >&2
  return "$fetched"
}

# Opens a URL, follows its redirects, and prints where they end.
open() {
  printf %s "$1" | tr -d '\001-\037\177' | sed 's/["\\]/\\&/g; s/.*/url = "&"/' |
    fetch --location --max-redirs 20 --write-out '%{url_effective}'
}

goal=$(
  printf '%s\n' "$1" | sed -n 's/.*[?&]redirect_uri=\([^&]*\).*/\1/p' |
    sed 's/%3A/:/g; s/%2F/\//g; s/%5B/[/g; s/%5D/]/g'
)
address=$(open "$1")
last=
for page in 1 2 3 4 5 6 7 8 9 10; do
  case $address in "$goal"*[?\&]code=* | "$goal"*[?\&]error=*) exit 0 ;; esac
  request=$(
    printf '%s\n' "$address" |
      LC_ALL=C awk -f "$(dirname "$0")/form.awk" "$TEST_ACCOUNT_FILE" - RS='<' "$directory/page"
  ) || fail "page $page: no supported form found"
  form=$(printf '%s\n' "$request" | sed -n 1p)
  [ "$form" != "$last" ] || fail "page $page: the same form came back (wrong name or password?)"
  last=$form
  action=$(printf '%s\n' "$request" | sed -n '2s/^url = "\(.*\)"$/\1/p' | sed 's/\\\(.\)/\1/g')
  at=$(printf '%s\n' "$address" | origin)
  to=$(printf '%s\n' "$action" | origin)
  if [ "$at" != "$trusted" ]; then
    # Another origin is no cure if it would be wrong for an earlier page, or for what the form is sent to.
    hint=
    if [ "$page" -eq 1 ] && [ "$to" = "$at" ] && may_have_password "$at"; then
      hint='; set TEST_ACCOUNT_ORIGIN to its origin'
    fi
    fail "page $page: the form is at $at, not at $trusted$hint"
  fi
  [ "$to" = "$trusted" ] || fail "page $page: the form is sent to ${to:-no server}, not to $trusted"
  # curl would send a form again where a redirect leads, so do not let it follow any.
  next=$(printf '%s\n' "$request" | fetch --write-out '%{http_code} %{redirect_url}')
  case $next in
    30[123]\ ?*) address=$(open "${next#* }") ;;
    30[78]\ *) fail "page $page: the server redirects the form (${next%% *})" ;;
    *) address=$action ;;
  esac
done
fail 'more than 10 pages'
