#!/bin/sh
# Logs in to an MCP server, or any API that says who protects it (RFC 9728), with nothing known but its URL, and prints
# the document with the tokens. The client is registered once, and kept for the next login.
#
#   sh mcp-login.sh https://mcp.example.com/mcp [CLIENT_FILE] > tokens.json
set -eu
umask 077

if [ $# -lt 1 ]; then
  echo "usage: mcp-login.sh URL [CLIENT_FILE]" >&2
  exit 2
fi
# One client a server: the URL names its file.
client=${2:-$(printf %s "$1" | tr -c 'A-Za-z0-9.-' _).client.json}

# This login's client is the registered one, whatever is set for others.
unset PKCE_CLIENT_ID

if [ ! -s "$client" ]; then
  pkce-discover --resource "$1" | pkce-register --client-name "${0##*/} on $(uname -n)" >"$client.new"
  mv "$client.new" "$client"
fi

pkce-gen "$client" | pkce-url | pkce-callback | pkce-exchange
