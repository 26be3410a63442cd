#!/bin/sh
# Logs in to an MCP server or another API whose metadata names its authorization server (RFC 9728), given only its URL,
# and prints the document with the tokens. The client is registered once and saved for later logins.
#
#   (umask 077; sh mcp-login.sh https://mcp.example.com/mcp [CLIENT_FILE] > tokens.json)
set -eu
umask 077

if [ $# -lt 1 ]; then
  echo "usage: mcp-login.sh URL [CLIENT_FILE]" >&2
  exit 2
fi
# One client per server: the name of its file is made from the URL.
client=${2:-$(printf %s "$1" | tr -c 'A-Za-z0-9.-' _).client.json}

# Use the registered client, not the one in the environment.
unset PKCE_CLIENT_ID

if [ ! -s "$client" ]; then
  pkce-discover --resource "$1" | pkce-register --client-name "${0##*/} on $(uname -n)" >"$client.new"
  mv "$client.new" "$client"
fi

pkce-gen "$client" | pkce-url | pkce-callback | pkce-exchange
