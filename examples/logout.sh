#!/bin/sh
# Revokes the tokens of a stored login and removes it. If the server cannot be reached or cannot revoke the tokens, the
# login stays stored, and the exit status is that of pkce-revoke. To remove the stored login without revoking its
# tokens, run: pkce-store --remove NAME
#
#   sh logout.sh [NAME]
set -eu

name=${1:-work}

if ! pkce-load | grep -Fqx "$name"; then
  echo "logout: $name: no stored login of this name" >&2
  exit 0
fi
pkce-revoke "$name"
