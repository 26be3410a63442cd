#!/usr/bin/env bash
# In the browser's place, by curl: signs in as alice and consents. VISIT='deny at the login', or at the consent, cancels
# there. With REDIRECT=FILE the redirect's URL is written to that file, and nothing is called there. LOG=FILE says what
# went wrong. With a second argument, which is the code of a device, the URL is the page to enter it.
set -euo pipefail
exec 2>>"${LOG:-/dev/null}"

directory=$(mktemp -d)
: >"$RUNNING/$PPID"
trap 'rm -rf "$directory" "$RUNNING/$PPID"' EXIT

# Where the page at a URL redirects to; else it is in the file page. URL and form go by standard input, since the last
# URL holds the code.
hop() {
  { printf 'url = "%s"\n' "$1"; [ $# -lt 2 ] || printf 'data = "%s"\n' "$2"; } |
    curl --config - --silent --show-error --fail --globoff --noproxy '*' --max-time 10 \
      --cookie "$directory/jar" --cookie-jar "$directory/jar" --output "$directory/page" --write-out '%{redirect_url}'
}

# The page to enter the code, and then the one to confirm it.
enter() {
  local form
  hop "$1" >/dev/null
  form="xsrf=$(hidden xsrf)&user_code=$2"
  hop "$1" "$form" >/dev/null
  grep -qF "<code>$2</code>" "$directory/page"
  if [ "${VISIT:-}" = 'deny at the code' ]; then
    hop "$1" "$form&confirm=yes&abort=yes"
  else
    hop "$1" "$form&confirm=yes"
  fi
}

# A hidden field of the page.
hidden() {
  sed -n "s/.*name=\"$1\" value=\"\([^\"]*\)\".*/\1/p" "$directory/page"
}

if [ $# -eq 2 ]; then login=$(enter "$1" "$2"); else login=$(hop "$1"); fi
if [ "${VISIT:-}" = 'deny at the code' ]; then
  exit
elif [ "${VISIT:-}" = 'deny at the login' ]; then
  resume=$(hop "$login/abort")
else
  resume=$(hop "$login" 'prompt=login&login=alice&password=x')
  consent=$(hop "$resume")
  if [ "${VISIT:-}" = 'deny at the consent' ]; then
    resume=$(hop "$consent/abort")
  else
    resume=$(hop "$consent" prompt=consent)
  fi
fi
redirect=$(hop "$resume")
if [ $# -eq 2 ]; then
  grep -qF 'Sign-in Success' "$directory/page"
elif [ -n "${REDIRECT:-}" ]; then
  printf '%s\n' "$redirect" >"$REDIRECT"
else
  hop "$redirect" >/dev/null
fi
