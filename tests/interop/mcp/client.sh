#!/usr/bin/env bash
# The client that MCP's conformance suite tests: lists the tools of the MCP server at the URL, and calls one. The last
# line of its standard output is its status. The suite sets the variables MCP_CONFORMANCE_*.
set -u
home=$(mktemp -d)
export PKCE_HOME=$home/store MCP_VERSION=$MCP_CONFORMANCE_PROTOCOL_VERSION BROWSER='pkce-idp --visit'

case $MCP_CONFORMANCE_SCENARIO in
  auth/basic-cimd) export PKCE_CLIENT_ID=https://conformance-test.local/client-metadata.json ;;
  auth/pre-registration)
    jq -r .client_secret <<<"$MCP_CONFORMANCE_CONTEXT" >"$home/secret"
    export PKCE_CLIENT_SECRET_FILE=$home/secret
    PKCE_CLIENT_ID=$(jq -r .client_id <<<"$MCP_CONFORMANCE_CONTEXT")
    # A secret is only sent to a server that the user has named.
    PKCE_ISSUER=$(pkce-discover --resource "$1" --raw issuer)
    export PKCE_CLIENT_ID PKCE_ISSUER
    ;;
esac

sh ../../examples/mcp-call.sh "$1" && sh ../../examples/mcp-call.sh "$1" test-tool
status=$?
echo "status $status"
exit "$status"
