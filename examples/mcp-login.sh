#!/bin/sh
# Logs in to an MCP server or another API whose metadata names its authorization server (RFC 9728), given only its URL,
# and prints the document with the tokens. A client is registered once for each authorization server, and stored for
# later logins; one that the server has forgotten, or that was registered for another scope, is registered again.
# Requires jq. PKCE_CLIENT_ID is not used; a server without registration needs mcp-call.sh or a pipeline.
#
#   (umask 077; sh mcp-login.sh https://mcp.example.com/mcp > tokens.json)
set -eu
umask 077

if [ $# -ne 1 ]; then
  echo "usage: mcp-login.sh URL" >&2
  exit 2
fi
command -v jq >/dev/null || {
  echo "mcp-login: jq: not found" >&2
  exit 2
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 131' QUIT
trap 'exit 141' PIPE
trap 'exit 143' TERM

# Use the registered client, not the one in the environment, whose secret is for another server.
unset PKCE_CLIENT_ID PKCE_CLIENT_SECRET_FILE

pkce-discover --resource "$1" >"$work/server"
issuer=$(jq -r .issuer "$work/server")
client=client.$(printf %s "$issuer" | sed 's,^[a-z]*://,,' | tr -c 'A-Za-z0-9.-' _ | cut -c 1-40)
client=$client.$(printf %s "$issuer" | cksum | cut -d ' ' -f 1)

# Whether a client is stored that was registered for the scope of this login. Many issuers have the same checksum.
is_registered() {
  pkce-load | grep -Fqx "$client" || return 1
  [ "$(pkce-load --raw issuer "$client")" = "$issuer" ] || {
    echo "mcp-login: $client: stored with another issuer; to remove it: pkce-store --remove $client" >&2
    exit 4
  }
  pkce-load "$client" | jq -e --slurpfile server "$work/server" '
    ($server[0].scope // "" | split(" ")) - (.scope // "" | split(" ")) == []' >"$work/registered"
}

log_in() {
  is_registered ||
    pkce-register --client-name "${0##*/} on $(uname -n)" <"$work/server" | pkce-store "$client" || exit
  pkce-load "$client" | jq -c '{ client_id, client_secret, token_endpoint_auth_method, redirect_uris } |
    with_entries(select(.value))' >"$work/client"
  status=0
  pkce-gen "$work/client" "$work/server" | pkce-url | pkce-callback | pkce-exchange >"$work/login" 2>"$work/said" ||
    status=$?
  cat "$work/said" >&2
  return "$status"
}

log_in || {
  grep -q invalid_client "$work/said" || exit "$status"
  pkce-store --remove "$client"
  log_in
}
cat "$work/login"
