#!/bin/sh
# Checks how strict an authorization server is with PKCE, authorization codes and refresh tokens. To do this, it logs in
# five times, and up to twice more if the server does not refuse an invalid request at once. Prints a table with the
# results pass, fail, not offered and not checked, or one JSON object.
#
#   PKCE_CLIENT_ID=cli sh check-provider.sh [--json] ISSUER [PKCE_URL_OPTION...]
#
# The client must be registered with the redirect URI http://127.0.0.1/callback on any port; otherwise pass a registered
# one, such as --redirect-uri http://127.0.0.1:8080/callback. If PKCE_CLIENT_ID is not set, a client is registered, if
# the server supports that. PKCE_CLIENT_SECRET_FILE names a file with the client secret. PKCE_SCOPE is the scope to
# request (default: openid offline_access). BROWSER can be a script that signs in with a test account, such as
# ci/browser.sh. All issued tokens are revoked at the end.
#
# The exit status is 0 if no check failed, 1 if one failed, and 3 if one could not be made.
set -eu
umask 077

format=table
if [ "${1:-}" = --json ]; then
  format=json
  shift
fi
case ${1:--} in
  -*)
    echo 'usage: check-provider.sh [--json] ISSUER [PKCE_URL_OPTION...]' >&2
    exit 2
    ;;
esac
issuer=$1
shift

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
: >"$folder/said"

# Defaults.
export PKCE_SCOPE="${PKCE_SCOPE:-openid offline_access}"
case " $* " in *' --prompt'*) ;; *) set -- --prompt consent "$@" ;; esac

# Records the result of a check: name, result, detail.
result() {
  jq -nc --arg check "$1" --arg result "$2" --arg detail "${3:-}" '$ARGS.named' >>"$folder/results"
}

# The message of the step that failed, without the name of the tool.
said() {
  sed -n '1s/^[a-z-]*: //p' "$folder/said"
}

# Whether the server refused the request of the step with this status. A user who cancels, a server that fails and a
# response that is lost are not a refusal: they would turn a check that was never made into a pass.
is_refusal() {
  case "$1 $(said)" in
    *' authorization endpoint: '*)
      said | grep -Eq '^authorization endpoint: (an error page|invalid_|unauthorized_client|unsupported_)'
      ;;
    *' the server responded with 4'*' without an OAuth error'*) ;;
    *'may be spent') false ;;
    1\ * | 5\ *) ;;
    *) false ;;
  esac
}

# Records the result of a request that the server must refuse.
refused() {
  if [ "$2" -eq 0 ]; then
    result "$1" fail "$3"
  elif is_refusal "$2"; then
    result "$1" pass "$(said)"
  else
    result "$1" not_checked "$(said)"
  fi
}

# Records the result of a step that must succeed.
succeeded() {
  case "$2 $(said)" in
    0\ *) result "$1" pass ;;
    3\ * | '5 '*'the server responded with 5'* | '5 '*' no response within '* | '5 '*' the server closed the connection'*)
      result "$1" not_checked "$(said)"
      ;;
    *) result "$1" fail "$(said)" ;;
  esac
}

# Revokes the issued tokens, prints the results and exits. Checks without a result could not be made.
finish() {
  for given in "$folder"/given-*; do
    [ ! -e "$given" ] || pkce-revoke <"$given" >/dev/null 2>&1 || :
  done
  for check in S256_advertised login iss_sent id_token replay_refused plain_refused missing_challenge_refused \
    wrong_verifier_refused missing_verifier_refused rotation reuse_refused reuse_ends_the_grant revocation; do
    grep -q "\"check\":\"$check\"" "$folder/results" || result "$check" not_checked "${1:-}"
  done
  jq -rs --arg issuer "$issuer" --arg format "$format" '
    def count($result): map(select(.result == $result)) | length;
    def padded($width): (. + " " * $width)[:$width];
    if $format == "json" then
      { issuer: $issuer, passed: count("pass"), failed: count("fail"), not_offered: count("not_offered"),
        not_checked: count("not_checked"), checks: . }
    else
      .[] | (.result | gsub("_"; " ") | padded(13)) + (.check | gsub("_"; " ") | padded(27)) + .detail | sub(" +$"; "")
    end' "$folder/results"
  ! jq -se 'any(.result == "fail")' "$folder/results" >/dev/null || exit 1
  ! jq -se 'any(.result == "not_checked")' "$folder/results" >/dev/null || exit 3
  exit 0
}

# Creates the request of a new login in the file request: changed by a jq filter, and pushed if the server requires
# that.
request() {
  filter=$1
  shift
  pkce-gen "$folder/client.json" | pkce-url "$@" | jq -c "$filter" >"$folder/made" || return
  if ! jq -e '.require_pushed_authorization_requests == true' "$folder/made" >/dev/null; then
    mv "$folder/made" "$folder/request"
  elif [ "$filter" = . ]; then
    pkce-push <"$folder/made" >"$folder/request" 2>"$folder/said"
  else
    # pkce-push rejects a request without a challenge.
    post pushed_authorization_request_endpoint '.authorization_url | split("?")[1]' <"$folder/made" || return
    answered request_uri || return
    jq -c --slurpfile answer "$folder/answer" '.authorization_url =
      "\(.authorization_endpoint)?client_id=\(.client_id | @uri)&request_uri=\($answer[0].request_uri | @uri)"' \
      "$folder/made" >"$folder/request"
  fi
}

# Posts a form, made from the document by a jq filter, to an endpoint. Codes and secrets are passed on standard input.
post() {
  jq -r --arg endpoint "$1" --rawfile file "${PKCE_CLIENT_SECRET_FILE:-/dev/null}" '
    (.client_secret // ($file | rtrimstr("\n") | rtrimstr("\r"))) as $secret
    | (.token_endpoint_auth_method // if $secret == "" then "none"
        elif .token_endpoint_auth_methods_supported | . == null or index("client_secret_basic")
        then "client_secret_basic" else "client_secret_post" end) as $method
    | "url = \(.[$endpoint] | @json)", "data = \('"$2"' | @json)",
      if $method == "client_secret_post" then "data = \("client_secret=" + ($secret | @uri) | @json)"
      elif $method == "client_secret_basic" then "user = \("\(.client_id | @uri):\($secret | @uri)" | @json)"
      else empty end' |
    (
      # Limit the size of the response to 1 MiB, in blocks of 512 bytes.
      trap '' XFSZ
      ulimit -f 2048
      exec curl --config - --silent --show-error --max-time 30 --header 'Accept: application/json' \
        --output "$folder/answer" 2>"$folder/said"
    ) || return 3
}

# Whether the response has this member; an OAuth error is a refusal.
answered() {
  echo 'curl: the response is neither a success nor invalid_grant or invalid_request' >"$folder/said"
  # Some versions of jq print nothing for an empty response, and succeed.
  [ -s "$folder/answer" ] || return 4
  ! jq -e --arg member "$1" 'has($member)' "$folder/answer" >/dev/null 2>&1 || return 0
  jq -e '.error | IN("invalid_grant", "invalid_request")' "$folder/answer" >/dev/null 2>&1 || return 4
  jq -r '"curl: \(.error)"' "$folder/answer" >"$folder/said"
  return 1
}

# Logs in up to the authorization code, in the file code. The user sees the output of pkce-callback. Its error is also
# recorded, unless standard error is a terminal, where the redirect can be pasted.
code() {
  login=$((${login:-0} + 1))
  echo "check-provider: login $login: $1" >&2
  ended=0
  if [ -t 2 ]; then
    echo 'pkce-callback: authorization endpoint: the error above' >"$folder/said"
    pkce-callback --timeout 120 <"$folder/request" >"$folder/code" || ended=$?
  else
    {
      pkce-callback --timeout 120 <"$folder/request" >"$folder/code" || ended=$?
      echo "$ended" >"$folder/ended"
    } 2>&1 | tee "$folder/heard" >&2
    ended=$(cat "$folder/ended")
    grep '^pkce-callback: authorization endpoint: ' "$folder/heard" >"$folder/said" || :
  fi
  case $ended in
    3) echo 'pkce-callback: no redirect came' >"$folder/said" ;;
    4) echo 'pkce-callback: the redirect failed a check' >"$folder/said" ;;
  esac
  return "$ended"
}

# Does the same for a check, which cannot be made without a code.
code_for() {
  check=$1
  shift
  { request . "$@" && code "$check"; } && return
  result "$check" not_checked "$(said)"
  return 1
}

# Exchanges the code in the first file for tokens in the second.
exchange() {
  pkce-exchange <"$folder/$1" >"$folder/$2" 2>"$folder/said" && keep "$2"
}

# Keeps a copy of the tokens, to revoke them at the end.
keep() {
  kept=$((${kept:-0} + 1))
  cp "$folder/$1" "$folder/given-$kept"
}

# Exchanges the code without a verifier, which pkce-exchange always sends.
exchange_without_verifier() {
  post token_endpoint '{ grant_type: "authorization_code", client_id, code, redirect_uri }
    | to_entries | map("\(.key)=\(.value | @uri)") | join("&")' <"$folder/code" || return
  answered access_token || return
  jq -cs add "$folder/code" "$folder/answer" >"$folder/tokens"
  keep tokens
}

# Whether the server refuses the request before the user signs in: with an error page, or with a redirect that reports
# an error.
refused_at_once() {
  # Servers reject port 0, which pkce-callback replaces.
  jq -r '"url = \(.authorization_url | sub("%3A0%2F"; "%3A8080%2F") | @json)"' "$folder/request" |
    curl --config - --silent --globoff --max-time 30 --output /dev/null \
      --write-out '%{http_code} %{redirect_url}\n' >"$folder/answer" || return
  if grep -Eq '^4(0[0-9]|2[0-8]) ' "$folder/answer"; then
    sed 's/^\(...\).*/curl: authorization endpoint: an error page (\1)/' "$folder/answer" >"$folder/said"
  else
    sed -n 's/^30. .*[?&]error=\([A-Za-z_]*\).*/curl: authorization endpoint: \1/p' "$folder/answer" >"$folder/said"
    [ -s "$folder/said" ] && is_refusal 1
  fi
}

# Checks a request without proper PKCE: name of the check, command that exchanges its code, filter for the request.
unprotected() {
  check=$1 exchange=$2 filter=$3
  shift 3
  status=0
  request "$filter" "$@" || status=$?
  if [ "$status" -eq 0 ] && $answers_curl && refused_at_once; then
    status=1
  elif [ "$status" -eq 0 ]; then
    { code "$check" && $exchange; } || status=$?
  fi
  refused "$check" "$status" 'tokens were issued'
}

status=0
pkce-discover "$issuer" >"$folder/idp.json" 2>"$folder/said" || status=$?
if [ "$status" -eq 2 ]; then
  cat "$folder/said" >&2
  exit 2
fi
succeeded discovery "$status"
[ "$status" -eq 0 ] || finish 'no metadata was found'

if jq -e '.code_challenge_methods_supported // [] | index("S256")' "$folder/idp.json" >/dev/null; then
  result S256_advertised pass
else
  result S256_advertised fail 'code_challenge_methods_supported does not list it'
fi

# A pushed request must specify its port.
if jq -e '.require_pushed_authorization_requests == true' "$folder/idp.json" >/dev/null; then
  port=$(jq -n 'now * 1000000 % 20000 + 10000 | floor')
  case " $* " in *' --redirect-uri'*) ;; *) set -- --redirect-uri "http://127.0.0.1:$port/callback" "$@" ;; esac
fi

# Continue without iss, so that the other checks can be made.
jq -c 'del(.authorization_response_iss_parameter_supported)' "$folder/idp.json" >"$folder/client.json"
if [ -z "${PKCE_CLIENT_ID:-}" ]; then
  if ! pkce-gen "$folder/client.json" | pkce-url --client-id none "$@" |
    pkce-register --client-name check-provider >"$folder/registered"; then
    echo 'check-provider: PKCE_CLIENT_ID: set it to the client_id of a client that the server knows' >&2
    exit 2
  fi
  mv "$folder/registered" "$folder/client.json"
fi

# A correct login. If it fails, the others will too.
status=0
{ request . "$@" && code 'a correct request' && exchange code tokens; } || status=$?
[ "$status" -ne 2 ] || exit 2
succeeded login "$status"
[ "$status" -eq 0 ] || finish 'the login failed'

if jq -e 'has("iss")' "$folder/code" >/dev/null; then
  result iss_sent pass
elif jq -e '.authorization_response_iss_parameter_supported == true' "$folder/idp.json" >/dev/null; then
  result iss_sent fail 'missing, although the metadata says that it is sent'
else
  result iss_sent not_offered
fi

if jq -e 'has("id_token") or (.scope // "" | split(" ") | index("openid"))' "$folder/tokens" >/dev/null; then
  status=0
  pkce-verify <"$folder/tokens" >"$folder/verified" 2>"$folder/said" || status=$?
  succeeded id_token "$status"
else
  result id_token not_offered
fi

status=0
exchange code tokens || status=$?
refused replay_refused "$status" 'the code was accepted twice'

# A response to curl is only meaningful if curl can send a correct request, and a pushed request can be used only once.
answers_curl=true
{ request . "$@" && ! grep -q 'request_uri=' "$folder/request" && ! refused_at_once; } || answers_curl=false

# shellcheck disable=SC2016
unprotected plain_refused 'exchange code tokens' '
  .code_verifier as $verifier | .authorization_url |= (
    sub("code_challenge_method=S256"; "code_challenge_method=plain")
    | sub("code_challenge=[^&]*"; "code_challenge=" + $verifier))' "$@"
unprotected missing_challenge_refused exchange_without_verifier '
  .authorization_url |= gsub("&code_challenge(_method)?=[^&]*"; "")' "$@"

if code_for wrong_verifier_refused "$@"; then
  pkce-gen >"$folder/other"
  jq -cs '.[0] + (.[1] | { code_verifier })' "$folder/code" "$folder/other" >"$folder/wrong"
  status=0
  exchange wrong tokens || status=$?
  refused wrong_verifier_refused "$status" 'tokens were issued'
fi

if code_for missing_verifier_refused "$@"; then
  status=0
  exchange_without_verifier || status=$?
  refused missing_verifier_refused "$status" 'tokens were issued'
fi

{ code_for rotation "$@" && exchange code first; } || finish 'the login failed'
if ! jq -e 'has("refresh_token")' "$folder/first" >/dev/null; then
  for check in rotation reuse_refused reuse_ends_the_grant; do
    result "$check" not_offered 'no refresh token was issued'
  done
else
  status=0
  pkce-refresh <"$folder/first" >"$folder/second" 2>"$folder/said" || status=$?
  if [ "$status" -ne 0 ]; then
    succeeded rotation "$status"
    finish 'the refresh failed'
  fi
  keep second
  if jq -es '.[0].refresh_token != .[1].refresh_token' "$folder/first" "$folder/second" >/dev/null; then
    result rotation pass
    status=0
    pkce-refresh <"$folder/first" >"$folder/third" 2>"$folder/said" || status=$?
    [ "$status" -ne 0 ] || keep third
    refused reuse_refused "$status" 'the old refresh token was accepted again'
    status=0
    pkce-refresh <"$folder/second" >"$folder/third" 2>"$folder/said" || status=$?
    [ "$status" -ne 0 ] || keep third
    refused reuse_ends_the_grant "$status" 'the new refresh token is still valid'
  else
    # RFC 9700 section 4.14.2 requires rotation for clients that do not authenticate.
    if [ -n "${PKCE_CLIENT_SECRET_FILE:-}" ] || jq -e 'has("client_secret")' "$folder/first" >/dev/null; then
      result rotation not_offered 'the client has a secret'
    else
      result rotation fail 'the refresh token is not replaced'
    fi
    result reuse_refused not_offered 'the refresh token is not replaced'
    result reuse_ends_the_grant not_offered 'the refresh token is not replaced'
  fi
fi

if ! jq -e 'has("revocation_endpoint")' "$folder/idp.json" >/dev/null; then
  result revocation not_offered
  finish
fi
{ code_for revocation "$@" && exchange code last; } || finish 'the login failed'
status=0
pkce-revoke <"$folder/last" >"$folder/revoked" 2>"$folder/said" || status=$?
if [ "$status" -ne 0 ]; then
  succeeded revocation "$status"
elif jq -e 'has("refresh_token")' "$folder/last" >/dev/null; then
  pkce-refresh <"$folder/last" >"$folder/third" 2>"$folder/said" || status=$?
  [ "$status" -ne 0 ] || keep third
  refused revocation "$status" 'the refresh token is still valid'
else
  # An endpoint that accepted the token responds with 401 once it is revoked.
  jq -r '"url = \(.userinfo_endpoint | @json)", "header = \("Authorization: Bearer " + .access_token | @json)"' \
    "$folder/last" |
    curl --config - --silent --max-time 30 --output /dev/null --write-out '%{http_code}' >"$folder/answer" || :
  case $(cat "$folder/answer") in
    401) result revocation pass 'userinfo endpoint: 401' ;;
    200) result revocation fail 'the access token is still valid' ;;
    *) result revocation not_checked 'no refresh token, and no response from a userinfo endpoint' ;;
  esac
fi
finish
