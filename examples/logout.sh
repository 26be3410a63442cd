#!/bin/sh
# Ends what login-once.sh began: the server takes the tokens back, then the kept document goes. Where the server cannot
# be reached, or cannot revoke, the document stays, and this ends with the status of pkce-revoke; the document alone is
# removed by: pkce-store --remove NAME
#
#   sh logout.sh [NAME]
set -eu

name=${1:-work}

if ! pkce-load | grep -Fqx "$name"; then
  echo "logout: $name: nothing is kept under this name" >&2
  exit 0
fi
# After a revocation by hand there may be no token left.
if pkce-load "$name" | grep -Eq '"(access|refresh)_token":'; then
  pkce-load "$name" | pkce-revoke >/dev/null
fi
pkce-store --remove "$name"
