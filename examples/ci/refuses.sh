#!/bin/sh
# Checks that a server enforces PKCE (RFC 7636, 4.6) and accepts a code only once (RFC 6749, 4.1.2): three logins of a
# public client, each with one thing wrong. If the server issues tokens that it must refuse, they are revoked and the
# exit status is 1. If a check cannot be made, the exit status is that of the step that failed.
#
#   BROWSER='sh browser.sh' sh refuses.sh idp.json [PKCE_URL_OPTION...]
#
# idp.json is the output of pkce-discover. PKCE_CLIENT_ID and PKCE_SCOPE are the client and the scope, as for pkce-url.
set -eu
umask 077

if [ $# -eq 0 ]; then
  echo 'usage: refuses.sh IDP_FILE [PKCE_URL_OPTION...]' >&2
  exit 2
fi
idp=$1
shift
here=$(dirname "$0")
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
trap 'exit 1' HUP INT TERM

# Like the tools, never use a proxy for this machine. In a list, curl takes no * for all hosts.
if [ "${no_proxy:-${NO_PROXY:-}}" != '*' ]; then
  no_proxy="127.0.0.1,127.0.0.0/8,::1,localhost,${no_proxy:-${NO_PROXY:-}}"
  export no_proxy
fi

# Logs in up to the authorization code. Values only pass through files and pipes, so that set -x does not print them.
login() {
  pkce-gen "$idp" | pkce-url "$@" | pkce-callback --timeout 60 >"$directory/code"
  mask "$directory/code"
}

mask() {
  if [ "${GITHUB_ACTIONS:-}" = true ] || [ "${TF_BUILD:-}" = True ]; then sh "$here/mask.sh" <"$1" >/dev/null; fi
}

revoke() {
  mask "$1"
  pkce-revoke <"$1" >/dev/null 2>&1 || echo 'refuses: note: the tokens could not be revoked' >&2
}

# Runs an exchange that must be refused.
exchange() {
  status=0
  pkce-exchange >"$directory/tokens" 2>"$directory/message" || status=$?
}

# The message of the step that failed. Like the tools, it puts a space into the text of a server where a CI runner would
# take it for a command.
message() {
  LC_ALL=C sed 's/[[:cntrl:]]/?/g; s/##/# #/g; s/##/# #/g; /::[[:alpha:]].*::/s/:\(:[[:alpha:]]\)/: \1/g' \
    "$directory/message"
}

# Whether the server refused the request of the step with this status: the rule of ../check-provider.sh. A response that
# is lost, a server that failed, and a proxy that requires a password (407) are not a refusal.
is_refusal() {
  case "$1 $(message | sed -n 1p)" in
    *' the server responded with 407'* | *' the server responded with 408'* | *' the server responded with 425'* | \
      *' server_error'* | *' temporarily_unavailable'* | *' slow_down'*)
      false
      ;;
    *' the server responded with 4'*' without an OAuth error'*) ;;
    *'may be spent') false ;;
    1\ * | 5\ *) ;;
    *) false ;;
  esac
}

accepted=0
judge() {
  if [ "$status" -eq 0 ]; then
    echo "refuses: the server accepted $1" >&2
    accepted=1
    revoke "$directory/tokens"
  elif is_refusal "$status"; then
    echo "refused: $1"
  else
    message >&2
    echo "refuses: $1: could not be checked" >&2
    # Status 1 means that a request was accepted, and 5 that another login is needed; here it is to try again.
    case $status in 1 | 5) exit 3 ;; *) exit "$status" ;; esac
  fi
}

login "$@"
jq -c '.code_verifier = "another-verifier-than-the-one-of-the-challenge"' "$directory/code" >"$directory/wrong"
exchange <"$directory/wrong"
judge 'a wrong verifier'

# pkce-exchange always sends a verifier, so use curl.
login "$@"
status=0
jq -r '{grant_type: "authorization_code", client_id, code, redirect_uri} | to_entries
  | map("\(.key)=\(.value | @uri)") | join("&")' "$directory/code" |
  (
    # Limit the size of the response to 1 MiB, in blocks of 512 bytes.
    trap '' XFSZ
    ulimit -f 2048
    exec curl --silent --show-error --globoff --proto '=http,https' --max-time 30 \
      --header 'Accept: application/json' --data @- --output "$directory/response" \
      --write-out '%{http_code}' --url "$(jq -r .token_endpoint "$directory/code")" \
      >"$directory/response_status" 2>"$directory/message"
  ) || status=3
if [ "$status" -eq 0 ]; then
  echo 'refuses: token endpoint: the response has neither tokens nor a refusal of the code' >"$directory/message"
  # A status 4xx is a refusal, whatever its body, unless the client must wait, the server failed, or a proxy requires a
  # password. invalid_client is none here: curl does not authenticate, so a client with a secret would be refused with
  # the right verifier too.
  status=$(
    jq -n --rawfile text "$directory/response" --rawfile http "$directory/response_status" '
      ($text | fromjson? // {} | objects // {}) as $response
      | if $response | has("access_token") then 0
        elif $response.error | IN("server_error", "temporarily_unavailable", "slow_down") then 3
        elif $http | IN("407", "408", "425", "429") or startswith("5") then 3
        elif ($http | startswith("4")) and $response.error != "invalid_client" then 1
        else 4 end' 2>/dev/null
  ) || status=4
  # Nothing else in the response may say where the tokens are sent to be revoked.
  jq -cs '.[0] + (.[1] | with_entries(select(.key | IN("access_token", "refresh_token", "token_type"))))' \
    "$directory/code" "$directory/response" >"$directory/tokens" 2>/dev/null || :
fi
judge 'a missing verifier'

login "$@"
pkce-exchange <"$directory/code" >"$directory/first"
mask "$directory/first"
exchange <"$directory/code"
judge 'a code that was used before'
revoke "$directory/first"

exit "$accepted"
