# shellcheck shell=bash disable=SC2034,SC2154 # run.sh sets these variables, and reads those
# MCP servers: the example servers of both official SDKs, and MCP's conformance suite.

with_the_MCP_server_of() {
  with_the_browser_of_CI
  export MCP=${issuers[$1]} PKCE_HOME=$case/store
  unset PKCE_CLIENT_ID
}

# The request that begins a session.
initialize='pkce-token mcp -- curl --silent --fail-with-body -H @- -H "Content-Type: application/json" \
  -H "Accept: application/json, text/event-stream" -d "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",
    \"params\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},
      \"clientInfo\":{\"name\":\"deploy\",\"version\":\"1\"}}}" "$MCP"'

runs_the_login_of_the_README_with_the_MCP_server_of() {
  with_the_MCP_server_of "$1"
  local login
  login=$(sed -n 's,https://mcp.example.com/mcp,"$MCP",p' ../../README.md)
  typed "$login && $initialize"
  is 'the status' "$status" 0
  is 'the revision in the response' "$(sed -n 's/^data: *{/{/p' "$case/out" | jq -r .result.protocolVersion)" 2025-11-25
  is 'what else is said' "$(messages)" ''
  pkce-load mcp >"$case/document"
  is 'whom the token is for' "$(jq -r .resource "$case/document")" "$MCP"
  keeps_secrets "$case/document"
}

# What is on standard error beside the URL to open.
messages() {
  grep -v -e '^pkce-callback: to sign in, open this URL' -e '^http' "$case/err"
}

calls_a_tool_of_the_MCP_server_of() {
  with_the_MCP_server_of "$1"
  typed 'sh ../../examples/mcp-call.sh "$MCP" && sh ../../examples/mcp-call.sh "$MCP" "$@"' "${@:2:2}"
  is 'the status' "$status" 0
  is 'the result' "$(sed -n '/^{/,$p' "$case/out" | jq -r '.content[0].text')" "$4"
  is 'whether the tool is listed' "$(grep -cx "$2" "$case/out")" 1
  is 'what else is said' "$(messages)" ''
  is 'the logins' "$(grep -c '^http' "$case/err")" 1
}

check runs_the_login_of_the_README_with_the_MCP_server_of typescript
check runs_the_login_of_the_README_with_the_MCP_server_of python
check calls_a_tool_of_the_MCP_server_of typescript greet '{"name":"alice"}' 'Hello, alice!'
check calls_a_tool_of_the_MCP_server_of python add '{"a":2,"b":3}' 5

conformance=("${node22[0]}" ./mcp/node_modules/@modelcontextprotocol/conformance/dist/index.js)

# The scenarios of the suite for a side at a revision, without extensions.
scenarios() {
  "${conformance[@]}" list "--$1" --spec-version "$2" | sed -n 's/^  - \([^ ]*\) \[.*/\1/p'
}

# Plays the scenarios about authorization, some at once; the number says whether one has gone.
passes_the_authorization_scenarios_of_MCP() {
  unset PKCE_CLIENT_ID
  export TMPDIR=$case
  local limit=150
  scenarios client "$1" | grep '^auth/' >"$case/scenarios"
  is 'the scenarios' "$(wc -l <"$case/scenarios")" "$2"
  typed 'xargs -P 4 -I {} bash ./mcp/scenario.sh "$1" {} "${@:3}" <"$2"' "$1" "$case/scenarios" "${conformance[@]}"
  is 'what failed' "$(cat "$case/out")" ''
  is 'the status' "$status" 0
}

# The suite prints the URL to open, and then that it listens for the redirect.
finds_pkce_idp_to_be_an_authorization_server_for_MCP() {
  is 'the scenarios' "$(scenarios authorization 2026-07-28 | wc -l)" 2
  typed 'pkce-idp --auto-approve -- bash -o pipefail -c "$@"' '
    "${@:3}" authorization --url "$PKCE_ISSUER" --client-id "$PKCE_CLIENT_ID" --resource "$PKCE_ISSUER/mcp" \
      --port "$1" --output-dir "$2" |
      while read -r line; do
        echo "$line"
        case $line in
          "$PKCE_ISSUER"/authorize*) url=$line ;;
          "Callback server started"*) pkce-idp --visit "$url" ;;
        esac
      done' bash "$(port)" "$case/results" "${conformance[@]}"
  is 'the status' "$status" 0
  is 'the checks' "$(jq -rs 'flatten | map("\(.id): \(.status)") | sort[]' "$case"/results/*/checks.json)" \
    'authorization-code-grant: SUCCESS
authorization-server-metadata-cimd: SUCCESS
authorization-server-metadata: SUCCESS'
}

check passes_the_authorization_scenarios_of_MCP 2026-07-28 25
check passes_the_authorization_scenarios_of_MCP 2025-11-25 14
check finds_pkce_idp_to_be_an_authorization_server_for_MCP
