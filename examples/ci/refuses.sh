#!/bin/sh
# Checks that a server enforces PKCE (RFC 7636, 4.6) and accepts a code only once (RFC 6749, 4.1.2): three logins of a
# public client, the first one correct, so that a refusal proves something. Then its code is sent again, and the others
# have a wrong verifier and none. If the server issues tokens that it must refuse, they are revoked and the exit status
# is 1.
#
# If a check cannot be made, it is 2 if the options, the file or the environment are not valid, 3 if trying again may
# help, and 4 if not, as if the server refuses the correct login.
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

# Logs in up to the authorization code, for a check. Values only pass through files and pipes, so that set -x does not
# print them.
login() {
  check=$1 status=0
  shift
  : >"$directory/message"
  pkce-gen "$idp" | pkce-url "$@" | pkce-callback --timeout 60 >"$directory/code" || status=$?
  [ "$status" -eq 0 ] || give_up
  mask "$directory/code"
}

mask() {
  if [ "${GITHUB_ACTIONS:-}" = true ] || [ "${TF_BUILD:-}" = True ]; then sh "$here/mask.sh" <"$1" >/dev/null; fi
}

revoke() {
  mask "$1"
  pkce-revoke <"$1" >/dev/null 2>&1 || echo 'refuses: note: the tokens could not be revoked' >&2
}

# Exchanges a code for tokens, in this file.
exchange() {
  status=0
  pkce-exchange >"$directory/$1" 2>"$directory/message" || status=$?
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

# Exits where a check cannot be made. Here, status 1 would mean that a request was accepted, and 5 helps nobody.
give_up() {
  message >&2
  echo "refuses: $check: could not be checked" >&2
  ! is_refusal "$status" || exit 4
  case $status in 1 | 5) exit 3 ;; *) exit "$status" ;; esac
}

accepted=0
judge() {
  if [ "$status" -eq 0 ]; then
    echo "refuses: the server accepted $check" >&2
    accepted=1
    revoke "$directory/tokens"
  elif is_refusal "$status"; then
    echo "refused: $check"
  else
    give_up
  fi
}

# A server that refuses everything, such as an unknown client, would seem to be strict.
login 'a code that was used before' "$@"
exchange first <"$directory/code"
[ "$status" -eq 0 ] || give_up
exchange tokens <"$directory/code"
revoke "$directory/first"
judge

login 'a wrong verifier' "$@"
jq -c '.code_verifier = "another-verifier-than-the-one-of-the-challenge"' "$directory/code" >"$directory/wrong"
exchange tokens <"$directory/wrong"
judge

# pkce-exchange always sends a verifier, so use curl.
login 'a missing verifier' "$@"
: >"$directory/response"
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
  # A status 4xx is a refusal, whatever its body, unless the client must wait, the server failed, or a proxy requires a
  # password. invalid_client is none here: curl does not authenticate, so a client with a secret would be refused with
  # the right verifier too.
  jq -nr --rawfile text "$directory/response" --rawfile http "$directory/response_status" '
    ($text | fromjson? // {} | objects // {}) as $response
    | if $response | has("access_token") then 0, ""
      elif $response.error | IN("server_error", "temporarily_unavailable", "slow_down") then 3, $response.error
      elif $http | IN("407", "408", "425", "429") or startswith("5") then 3, "the server responded with \($http)"
      elif $response.error == "invalid_client" then 4, $response.error
      elif $http | startswith("4") then 1, ""
      elif $http | startswith("2") then 4, "the response has neither tokens nor a refusal of the code"
      else 4, "the server responded with \($http)" end' >"$directory/judged"
  status=$(sed -n 1p "$directory/judged")
  sed -n '2s/^/refuses: token endpoint: /p' "$directory/judged" >"$directory/message"
  # Nothing else in the response may say where the tokens are sent to be revoked.
  jq -cs '.[0] + (.[1] | with_entries(select(.key | IN("access_token", "refresh_token", "token_type"))))' \
    "$directory/code" "$directory/response" >"$directory/tokens" 2>/dev/null || :
fi
judge

exit "$accepted"
