#!/bin/sh
# Makes sure that there is a stored login with a valid token: refreshes the token if needed, logs in if that is not
# possible, and stops on any other failure. After it has succeeded, a script can use pkce-token.
#
#   PKCE_ISSUER=https://id.example.com PKCE_CLIENT_ID=cli sh login-once.sh [NAME]
#
# PKCE_SCOPE is the scope to request (default: openid offline_access). If the client has a redirect URI other than
# http://127.0.0.1/callback, add --redirect-uri to the pkce-url below.
set -eu

name=${1:-work}
export PKCE_SCOPE="${PKCE_SCOPE:-openid offline_access}"

status=0
message=$(pkce-token "$name" 2>&1 >/dev/null) || status=$?
case $status in
  0) exit 0 ;;
  5) ;; # no stored login, or it has expired: log in
  *)
    # A server that cannot be reached, or a file that cannot be opened: a new login would replace the stored one.
    printf '%s\n' "$message" >&2
    exit "$status"
    ;;
esac

# A stored document contains the server and the client; for the first login, fetch the server's metadata.
begin() {
  if pkce-load | grep -Fqx "$name"; then pkce-load "$name"; else pkce-discover; fi
}

begin | pkce-gen - | pkce-url --prompt consent | pkce-callback | pkce-exchange | pkce-verify | pkce-store "$name"
