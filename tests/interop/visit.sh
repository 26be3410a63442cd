#!/usr/bin/env bash
# In the browser's place, by curl: signs in as alice and consents. VISIT='deny at the login', or at the consent, cancels
# there. With REDIRECT=FILE the redirect's URL is written to that file, and nothing is called there. LOG=FILE says what
# went wrong.
set -euo pipefail
exec 2>>"${LOG:-/dev/null}"

directory=$(mktemp -d)
: >"$RUNNING/$PPID"
trap 'rm -rf "$directory" "$RUNNING/$PPID"' EXIT

# Where the page at a URL redirects to. URL and form go by standard input, since the last URL holds the code.
hop() {
  { printf 'url = "%s"\n' "$1"; [ $# -lt 2 ] || printf 'data = "%s"\n' "$2"; } |
    curl --config - --silent --show-error --fail --globoff --noproxy '*' --max-time 10 \
      --cookie "$directory/jar" --cookie-jar "$directory/jar" --output /dev/null --write-out '%{redirect_url}'
}

login=$(hop "$1")
if [ "${VISIT:-}" = 'deny at the login' ]; then
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
if [ -n "${REDIRECT:-}" ]; then
  printf '%s\n' "$redirect" >"$REDIRECT"
else
  hop "$redirect" >/dev/null
fi
