#!/bin/sh
# Sees to it that somebody is logged in: does nothing where a valid token is kept (or one can be had by a refresh), logs
# in where that is over, and stops on anything else. What comes after it in a script can count on pkce-token.
#
#   PKCE_ISSUER=https://id.example.com PKCE_CLIENT_ID=cli sh login-once.sh [NAME]
#
# PKCE_SCOPE is what to ask for (openid offline_access).
set -eu

name=${1:-work}
export PKCE_SCOPE="${PKCE_SCOPE:-openid offline_access}"

status=0
said=$(pkce-token "$name" 2>&1 >/dev/null) || status=$?
case $status in
  0) exit 0 ;;
  5) ;; # nothing is kept, or it is of no more use: only a login helps
  *)
    # A server that cannot be reached, a file that cannot be opened: a login over it would lose what is kept.
    printf '%s\n' "$said" >&2
    exit "$status"
    ;;
esac

# The kept document knows server and client; the first time they have to be found.
begin() {
  if pkce-load | grep -Fqx "$name"; then pkce-load "$name"; else pkce-discover; fi
}

begin | pkce-gen - | pkce-url --prompt consent | pkce-callback | pkce-exchange | pkce-verify | pkce-store "$name"
