#!/bin/sh
# Calls a tool of an MCP server and prints its result, or lists the server's tools. Signs in if the server requires it,
# stores the login, and extends it when a tool requires another scope. Requires curl and jq.
#
#   sh mcp-call.sh URL [TOOL [ARGUMENTS]]
#
# ARGUMENTS is a JSON object. A client is registered once for each authorization server, and stored as well; one that
# the server has forgotten, or that was registered for another scope, is registered again. If the server has no
# registration, set PKCE_CLIENT_ID, and PKCE_ISSUER to the only authorization server to use it with (required with
# PKCE_CLIENT_SECRET_FILE); the URL of a client ID metadata document in PKCE_CLIENT_ID is used where the
# server supports these. MCP_VERSION=2025-11-25 begins with a session at once. The exit status is 1 if the tool reports
# an error.
set -eu
umask 077

if [ $# -lt 1 ] || [ $# -gt 3 ]; then
  echo "usage: mcp-call.sh URL [TOOL [ARGUMENTS]]" >&2
  exit 2
fi
for needed in curl jq; do
  command -v "$needed" >/dev/null || {
    echo "mcp-call: $needed: not found" >&2
    exit 2
  }
done
url=$1 tool=${2:-} arguments=${3:-'{}'}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 131' QUIT
trap 'exit 141' PIPE
trap 'exit 143' TERM

fail() {
  printf 'mcp-call: %s\n' "$1" >&2
  exit "${2:-1}"
}

jq -en --arg url "$url" '
  "https://[a-z0-9._:\\[\\]-]+" as $remote | "http://(127\\.0\\.0\\.1|\\[::1\\]|localhost)(:[0-9]+)?" as $local |
  $url | test("\\A(\($remote)|\($local))([/?][!-~]*)?\\z"; "i")' >/dev/null ||
  fail "URL: must begin with https://HOST, or with http:// and a loopback host" 2

# It becomes a header.
jq -en --arg tool "$tool" '$tool | test("\\A[ -~]*\\z")' >/dev/null || fail "TOOL: must be printable ASCII" 2

# The MCP server names the authorization server, so a client secret must not go to any that is named.
case ${PKCE_CLIENT_ID:-} in
  '' | https://*) unset PKCE_CLIENT_SECRET_FILE PKCE_ISSUER ;;
  *)
    [ -z "${PKCE_CLIENT_SECRET_FILE:-}" ] || [ -n "${PKCE_ISSUER:-}" ] ||
      fail "PKCE_ISSUER: missing (required with PKCE_CLIENT_SECRET_FILE)" 2
    ;;
esac

# The name of what is stored for a URL: its host, and a checksum of the whole.
name() {
  host=$(printf %s "$2" | sed 's,^[a-zA-Z]*://,,; s,[/?].*,,' | tr -c 'A-Za-z0-9.-' _ | cut -c 1-40)
  printf '%s.%s.%s\n' "$1" "$host" "$(printf %s "$2" | cksum | cut -d ' ' -f 1)"
}

# Whether this is stored. Many URLs have the same checksum, so the one that it was stored for is compared.
is_stored() {
  pkce-load | grep -Fqx "$1" || return 1
  [ "$(pkce-load --raw "$2" "$1")" = "$3" ] ||
    fail "$1: stored with another $2; to remove it: pkce-store --remove $1" 4
}

login=$(name mcp "$url")

# Sends the message in $work/message once; prints the HTTP status.
post() {
  set -- --silent --show-error --globoff --proto '=https,http' --max-time 60 --dump-header "$work/head" \
    --output "$work/body" --write-out '%{http_code}' --header 'Content-Type: application/json' \
    --header 'Accept: application/json, text/event-stream' --header "MCP-Protocol-Version: $version" "$@" \
    --data-binary "@$work/message" --url "$url"
  : >"$work/body"
  # No response of more than 16 MiB.
  trap '' XFSZ
  ulimit -f 32768 2>/dev/null || :
  status=115
  if is_stored "$login" mcp_url "$url"; then
    [ -z "${PKCE_CLIENT_SECRET_FILE:-}" ] || [ "$(pkce-load --raw issuer "$login")" = "$PKCE_ISSUER" ] ||
      unset PKCE_CLIENT_SECRET_FILE
    status=0
    pkce-token "$login" -- curl --header @- "$@" || status=$?
    # The stored login has expired.
    [ "$status" -ne 115 ] || pkce-store --remove "$login"
  fi
  [ "$status" -ne 115 ] || {
    status=0
    curl "$@" || status=$?
  }
  case $status in
    0) ;;
    11? | 180) exit $((status - 110)) ;;
    23) fail "the response is too large" ;;
    # The server has left an event stream open.
    28) [ -n "$(response)" ] || exit 3 ;;
    *) exit 3 ;;
  esac
}

# Sends the message until the server accepts its token; the response is in $work/body.
request() {
  tries=0
  while :; do
    code=$(post "$@") || exit
    case $code in
      401) ;;
      403) grep -qi 'insufficient_scope' "$work/head" || fail "the server responded with 403" ;;
      *) return ;;
    esac
    tries=$((tries + 1))
    [ "$tries" -lt 3 ] || fail "the server does not accept the token"
    sign_in
  done
}

# Logs in as the response in $work/head requires.
sign_in() {
  set -- --resource "$url" --challenge "$work/head" ${PKCE_ISSUER:+"--issuer=$PKCE_ISSUER"}
  if [ "$code" = 403 ] && is_stored "$login" mcp_url "$url"; then
    granted=$(pkce-load "$login" | jq -r '[.scope // "" | strings | scan("[!#-\\[\\]-~]+")] | join(" ")')
    [ -z "$granted" ] || set -- "$@" "--scope=$granted"
  fi
  pkce-discover "$@" >"$work/server"
  # A refresh token, where the server has them for this scope.
  jq -c --arg url "$url" '.mcp_url = $url | if .scope and (.scopes_supported // [] | index("offline_access"))
    then .scope |= (split(" ") | [.[], (["offline_access"] - .)[]] | join(" ")) else . end' "$work/server" >"$work/request"
  issuer=$(jq -r .issuer "$work/server")
  client=$(name client "$issuer")
  log_in || {
    # The server may have forgotten a client that was registered.
    grep -q invalid_client "$work/said" && is_stored "$client" issuer "$issuer" || exit "$status"
    pkce-store --remove "$client"
    log_in || exit "$status"
  }
}

log_in() {
  choose_client
  check='cat'
  case " $(jq -r '.scope // empty' "$work/request") " in *' openid '*) check=pkce-verify ;; esac
  status=0
  pkce-gen "$work/client" "$work/request" | pkce-url | pkce-callback | pkce-exchange 2>"$work/said" | "$check" |
    pkce-store "$login" || status=$?
  cat "$work/said" >&2
  return "$status"
}

# The client to log in with: what is registered of it, in $work/client.
choose_client() {
  echo '{}' >"$work/client"
  case ${PKCE_CLIENT_ID:-} in
    https://*) [ "$(jq .client_id_metadata_document_supported "$work/server")" != true ] || return 0 ;;
    ?*) return 0 ;;
  esac
  is_registered ||
    pkce-register --client-name "mcp-call on $(uname -n)" <"$work/request" | pkce-store "$client" || exit
  pkce-load "$client" | jq -c '{ client_id, client_secret, token_endpoint_auth_method, redirect_uris } |
    with_entries(select(.value))' >"$work/client"
}

# Whether a client is stored that was registered for the scope of this request.
is_registered() {
  is_stored "$client" issuer "$issuer" && pkce-load "$client" | jq -e --slurpfile request "$work/request" '
    ($request[0].scope // "" | split(" ")) - (.scope // "" | split(" ")) == []' >"$work/registered"
}

# The message with this method and these parameters, as JSON.
message() {
  jq -nc --arg method "$1" --argjson params "$2" --arg version "$version" '
    { jsonrpc: "2.0", id: 1, method: $method, params: $params } |
    if $version < "2026" then . else .params._meta = {
      "io.modelcontextprotocol/protocolVersion": $version,
      "io.modelcontextprotocol/clientInfo": { name: "mcp-call", version: "1" },
      "io.modelcontextprotocol/clientCapabilities": {}
    } end' >"$work/message"
}

# The response to the message, of an event stream too; empty if there is none with a result or an error.
response() {
  if grep -qi '^content-type: *text/event-stream' "$work/head"; then
    sed -n 's/^data: \{0,1\}//p' "$work/body"
  else
    cat "$work/body"
  fi | jq -nc '
    first(inputs | objects | select(.id == 1 and (.error or (.result | type) == "object")))' 2>/dev/null || :
}

if [ -n "$tool" ]; then
  method=tools/call
  params=$(printf %s "$arguments" | jq -ces --arg name "$tool" '
    select(length == 1) | .[0] | objects | { name: $name, arguments: . }' 2>/dev/null) ||
    fail "ARGUMENTS: must be a JSON object" 2
else
  method=tools/list params='{}'
fi

# Without a session, as since 2026-07-28; with one for servers that do not know that.
version=${MCP_VERSION:-2026-07-28}
case $version in
  2026*)
    message "$method" "$params"
    request --header "Mcp-Method: $method" ${tool:+--header "Mcp-Name: $tool"}
    case $code in 4*) [ -n "$(response)" ] || version=2025-11-25 ;; esac
    ;;
esac
case $version in
  2026*) ;;
  *)
    message initialize \
      '{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"mcp-call","version":"1"}}'
    request
    set --
    session=$(grep -i '^mcp-session-id:' "$work/head" | head -n 1 | cut -d : -f 2- | LC_ALL=C tr -cd '!-~')
    [ -z "$session" ] || set -- --header "Mcp-Session-Id: $session"
    version=$(response | jq -r '.result.protocolVersion? | strings | match("\\A[!-~]{1,40}").string')
    [ -n "$version" ] || fail "no MCP server (the response to initialize has status $code)"
    echo '{"jsonrpc":"2.0","method":"notifications/initialized"}' >"$work/message"
    request "$@"
    message "$method" "$params"
    request "$@"
    ;;
esac

response >"$work/response"
[ -s "$work/response" ] || fail "the server responded with $code, and with no result"
# Text of the server's, which neither a terminal nor a CI runner must obey.
harmless='def harmless: .[:1000] | gsub("[^ -~]"; "?") | gsub("(?<one>[#:])(?=\\k<one>)"; .one + " ");'
! jq -e '(.error // false) != false' "$work/response" >/dev/null ||
  fail "$(jq -r "$harmless"' .error | (.message? | strings | select(length > 0)) // . | tostring | harmless' "$work/response")"
if [ -z "$tool" ]; then
  jq -r "$harmless [.result.tools[].name | harmless] | .[]" "$work/response" >"$work/names" 2>/dev/null ||
    fail "the result has no list of tools"
  cat "$work/names"
else
  jq --ascii-output .result "$work/response" | sed 's/##\([A-Za-z]*\[\)/#\\u0023\1/g'
  jq -e '.result.isError != true' "$work/response" >/dev/null
fi
