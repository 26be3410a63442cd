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
# Some servers accept a replaced refresh token for some seconds, or replace none so soon. An old one is therefore tried
# only after PKCE_GRACE seconds (default: 5), and one that was not replaced is used again after that time. If the server
# lists several client authentication methods, PKCE_AUTH_METHOD is the one that the client is registered with.
#
# The exit status is 0 if no check failed, 1 if one failed, and otherwise 3 if one could not be made. It is 2 if ISSUER,
# an option or a variable is not valid, if a step rejects the client's secret or method, or if no client is registered.
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

# Dex and Kanidm allow 3 seconds.
grace=${PKCE_GRACE:-5}
case $grace in
  *[!0-9]*)
    echo 'check-provider: PKCE_GRACE: must be a whole number of seconds' >&2
    exit 2
    ;;
esac
case ${PKCE_AUTH_METHOD:-none} in
  none | client_secret_basic | client_secret_post) ;;
  *)
    echo 'check-provider: PKCE_AUTH_METHOD: must be none, client_secret_basic or client_secret_post' >&2
    exit 2
    ;;
esac

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
trap 'exit 1' HUP INT TERM
: >"$directory/message"

# Like the tools, never use a proxy for this machine. In a list, curl takes no * for all hosts.
if [ "${no_proxy:-${NO_PROXY:-}}" != '*' ]; then
  no_proxy="127.0.0.1,127.0.0.0/8,::1,localhost,${no_proxy:-${NO_PROXY:-}}"
  export no_proxy
fi

as_registered='set PKCE_AUTH_METHOD and PKCE_CLIENT_SECRET_FILE as the client is registered'

# Defaults.
export PKCE_SCOPE="${PKCE_SCOPE:-openid offline_access}"
case " $* " in *' --prompt'*) ;; *) set -- --prompt consent "$@" ;; esac

# Records the result of a check: name, result, detail.
result() {
  printf '%s %s %s\n' "$1" "$2" "${3:-}" >>"$directory/results"
}

# The message of the step that failed, without the name of the tool. Like the tools, it puts a space into the text of a
# server where a CI runner would take it for a command.
message() {
  LC_ALL=C sed -n '1!d; s/[[:cntrl:]]/?/g; s/##/# #/g; s/##/# #/g; /::[[:alpha:]].*::/s/:\(:[[:alpha:]]\)/: \1/g
    s/^[a-z-]*: //p' "$directory/message"
}

# Exits if the options, the environment or the client cannot be used. What pkce-url and pkce-callback say was printed.
# This script does not have the options that a hint of the tools may name.
must_be_usable() {
  [ "$1" -eq 2 ] || return 0
  cat "$directory/message" >&2
  ! grep -Eq '^hint: .*--(auth-method|client-secret-file)' "$directory/message" ||
    echo "check-provider: $as_registered" >&2
  exit 2
}

# Whether the server refused the request of the step with this status. A user who cancels, a server that fails, a proxy
# that requires a password (407) and a response that is lost are not a refusal: they would turn a check that was never
# made into a pass.
is_refusal() {
  case "$1 $(message)" in
    *' authorization endpoint: '*)
      message | grep -Eq '^authorization endpoint: (an error page|invalid_|unauthorized_client|unsupported_)'
      ;;
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

# Records the result of a request that the server must refuse.
refused() {
  if [ "$2" -eq 0 ]; then
    result "$1" fail "$3"
  elif is_refusal "$2"; then
    result "$1" pass "$(message)"
  else
    result "$1" not_checked "$(message)"
  fi
}

# Records the result of a step that must succeed, with a hint. A user who cancels is no fault of the server, nor is a
# proxy that requires a password.
succeeded() {
  case "$2 $(message)" in
    0\ *) result "$1" pass ;;
    ?' authorization endpoint: access_denied'* | ?' authorization endpoint: the error above' | \
      *' the server responded with 407'* | 3\ * | '5 '*'the server responded with 5'* | '5 '*' no response within '* | \
      '5 '*' the server closed the connection'*)
      result "$1" not_checked "$(message)${3:-}"
      ;;
    *) result "$1" fail "$(message)${3:-}" ;;
  esac
}

# Revokes the issued tokens, prints the results and exits. Checks without a result could not be made.
finish() {
  for given in "$directory"/given-*; do
    [ ! -e "$given" ] || pkce-revoke <"$given" >/dev/null 2>&1 || :
  done
  for check in S256_advertised login iss_sent id_token replay_refused plain_refused missing_challenge_refused \
    wrong_verifier_refused missing_verifier_refused rotation reuse_refused reuse_ends_the_grant revocation; do
    grep -q "^$check " "$directory/results" || result "$check" not_checked "${1:-}"
  done
  jq -Rnr --arg issuer "$issuer" --arg format "$format" '
    def count($result): map(select(.result == $result)) | length;
    def padded($width): (. + " " * $width)[:$width];
    # Some servers explain an error in 300 characters. The hint at the end is kept.
    def cut: (capture("(?<hint>; (set PKCE_|use ISSUER |use your ).*)$").hint // "") as $hint |
      .[:length - ($hint | length)] | (if length > 100 then .[:97] + "..." else . end) + $hint;
    [inputs / " " | { check: .[0], result: .[1], detail: .[2:] | join(" ") }] |
    if $format == "json" then
      { issuer: $issuer, passed: count("pass"), failed: count("fail"), not_offered: count("not_offered"),
        not_checked: count("not_checked"), checks: . }
    else
      .[] | (.result | gsub("_"; " ") | padded(13)) + (.check | gsub("_"; " ") | padded(27)) + (.detail | cut)
        | sub(" +$"; "")
    end' "$directory/results"
  ! grep -q '^[^ ]* fail ' "$directory/results" || exit 1
  ! grep -q '^[^ ]* not_checked ' "$directory/results" || exit 3
  exit 0
}

# Creates the request of a new login in the file request: changed by a jq filter, and pushed if the server requires
# that.
request() {
  filter=$1
  shift
  : >"$directory/message"
  pkce-gen "$directory/client.json" | pkce-url "$@" >"$directory/correct" || return
  case $filter,$must_push in
    .,false) mv "$directory/correct" "$directory/request" ;;
    .,true) pkce-push <"$directory/correct" >"$directory/request" 2>"$directory/message" ;;
    *,false) jq -c "$filter" "$directory/correct" >"$directory/request" ;;
    *)
      # pkce-push rejects a request without a challenge.
      jq -c "$filter" "$directory/correct" >"$directory/made" || return
      post pushed_authorization_request_endpoint '.authorization_url | split("?")[1]' <"$directory/made" || return
      has_member request_uri || return
      jq -c --slurpfile response "$directory/response" '.authorization_url =
        "\(.authorization_endpoint)?client_id=\(.client_id | @uri)&request_uri=\($response[0].request_uri | @uri)"' \
        "$directory/made" >"$directory/request"
      ;;
  esac
}

# Posts a form, made from the document by a jq filter, to an endpoint. Codes and secrets are passed on standard input.
post() {
  jq -r --arg endpoint "$1" --rawfile file "${PKCE_CLIENT_SECRET_FILE:-/dev/null}" '
    (.client_secret // ($file | rtrimstr("\n") | rtrimstr("\r"))) as $secret
    | (.token_endpoint_auth_methods_supported // ["client_secret_basic"]) as $listed
    | (.token_endpoint_auth_method // if $secret == "" then "none"
        elif $listed | index("client_secret_basic") then "client_secret_basic"
        elif $listed | index("client_secret_post") then "client_secret_post"
        else "none" end) as $method
    | "url = \(.[$endpoint] | @json)", "data-raw = \('"$2"' | @json)",
      if $method == "client_secret_post" then "data-raw = \("client_secret=" + ($secret | @uri) | @json)"
      elif $method == "client_secret_basic" then "user = \("\(.client_id | @uri):\($secret | @uri)" | @json)"
      else empty end' |
    (
      # Limit the size of the response to 1 MiB, in blocks of 512 bytes.
      trap '' XFSZ
      ulimit -f 2048
      exec curl --config - --silent --show-error --globoff --proto '=http,https' --max-time 30 \
        --header 'Accept: application/json' --output "$directory/response" --write-out '%{http_code}' \
        >"$directory/response_status" 2>"$directory/message"
    ) || return 3
}

# Whether the response has this member. Without it, a status 4xx is a refusal, whatever its body: some servers send a
# sentence, and some nothing. A client that must wait (408, 425, 429), or that a proxy refused (407), was not refused.
has_member() {
  if [ -s "$directory/response" ] && jq -e --arg member "$1" 'has($member)' "$directory/response" >/dev/null 2>&1; then
    return 0
  fi
  response_status=$(cat "$directory/response_status")
  echo "curl: the response ($response_status) has no $1" >"$directory/message"
  case $response_status in
    407 | 408 | 425 | 429) return 3 ;;
    4??) ;;
    *) return 4 ;;
  esac
  jq -r '.error | strings | select(length > 0) | "curl: \(.[:200] | gsub("[^ -~]"; "?"))"' "$directory/response" \
    >"$directory/named" 2>/dev/null || :
  [ ! -s "$directory/named" ] || mv "$directory/named" "$directory/message"
  return 1
}

# Logs in up to the authorization code, in the file code. The user sees the output of pkce-callback. Its error is also
# recorded, unless standard error is a terminal, where the redirect can be pasted.
code() {
  login=$((${login:-0} + 1))
  echo "check-provider: login $login: $1" >&2
  ended=0
  if [ -t 2 ]; then
    echo 'pkce-callback: authorization endpoint: the error above' >"$directory/message"
    pkce-callback --timeout 120 <"$directory/request" >"$directory/code" || ended=$?
  else
    {
      pkce-callback --timeout 120 <"$directory/request" >"$directory/code" || ended=$?
      echo "$ended" >"$directory/ended"
    } 2>&1 | tee "$directory/heard" >&2
    ended=$(cat "$directory/ended")
    grep '^pkce-callback: authorization endpoint: ' "$directory/heard" >"$directory/message" || :
  fi
  case $ended in
    2) : >"$directory/message" ;;
    3) echo 'pkce-callback: no redirect came' >"$directory/message" ;;
    4) echo 'pkce-callback: the redirect failed a check' >"$directory/message" ;;
  esac
  return "$ended"
}

# Does the same for a check, which cannot be made without a code.
code_for() {
  check=$1
  shift
  { request . "$@" && code "$check"; } && return
  result "$check" not_checked "$(message)"
  return 1
}

# Exchanges the code in the first file for tokens in the second.
exchange() {
  pkce-exchange <"$directory/$1" >"$directory/$2" 2>"$directory/message" && keep "$2"
}

# Keeps a copy of the tokens, to revoke them at the end.
keep() {
  kept=$((${kept:-0} + 1))
  cp "$directory/$1" "$directory/given-$kept"
}

# Refreshes the tokens in the first file, into the second.
refresh() {
  status=0
  pkce-refresh <"$directory/$1" >"$directory/$2" 2>"$directory/message" || status=$?
  [ "$status" -ne 0 ] || keep "$2"
}

# Whether the refresh tokens in both files are the same.
same_refresh_token() {
  jq -es '.[0].refresh_token == .[1].refresh_token' "$directory/$1" "$directory/$2" >/dev/null
}

# Whether the client has a secret.
has_secret() {
  [ -n "${PKCE_CLIENT_SECRET_FILE:-}" ] || jq -e 'has("client_secret")' "$directory/client.json" >/dev/null
}

# Exchanges the code without a verifier, which pkce-exchange always sends.
exchange_without_verifier() {
  post token_endpoint '{ grant_type: "authorization_code", client_id, code, redirect_uri }
    | to_entries | map("\(.key)=\(.value | @uri)") | join("&")' <"$directory/code" || return
  has_member access_token || return
  # Nothing else in the response may say where the tokens are sent to be revoked.
  jq -cs '.[0] + (.[1] | with_entries(select(.key | IN("access_token", "refresh_token", "token_type"))))' \
    "$directory/code" "$directory/response" >"$directory/tokens"
  keep tokens
}

# The status of the userinfo endpoint for the access token of the last login.
userinfo() {
  jq -e 'has("userinfo_endpoint")' "$directory/last" >/dev/null || return 0
  jq -r '"url = \(.userinfo_endpoint | @json)", "header = \("Authorization: Bearer " + .access_token | @json)"' \
    "$directory/last" |
    curl --config - --silent --globoff --proto '=http,https' --max-time 30 --output /dev/null \
      --write-out '%{http_code}' || :
}

# Whether the server refuses the request before the user signs in: with an error page, or with a redirect that reports
# an error.
refused_at_once() {
  # Servers reject port 0, which pkce-callback replaces.
  jq -r '"url = \(.authorization_url | sub("%3A0%2F"; "%3A8080%2F") | @json)"' "$directory/request" |
    curl --config - --silent --globoff --proto '=http,https' --max-time 30 --header 'Accept: text/html, */*;q=0.5' \
      --output /dev/null --write-out '%{http_code} %{redirect_url}\n' >"$directory/response" || return
  if grep -Eq '^4(0[0-69]|2[0-46-8]) ' "$directory/response"; then
    sed 's/^\(...\).*/curl: authorization endpoint: an error page (\1)/' "$directory/response" >"$directory/message"
  else
    sed -n 's/^30. .*[?&]error=\([A-Za-z_]*\).*/curl: authorization endpoint: \1/p' "$directory/response" \
      >"$directory/message"
    [ -s "$directory/message" ] && is_refusal 1
  fi
}

# Checks a request without proper PKCE: name of the check, command that exchanges its code, filter for the request.
unprotected() {
  check=$1 exchange=$2 filter=$3
  shift 3
  status=0
  request "$filter" "$@" || status=$?
  if [ "$status" -eq 0 ] && $responds_to_curl && refused_at_once; then
    status=1
  elif [ "$status" -eq 0 ]; then
    { code "$check" && $exchange; } || status=$?
  fi
  refused "$check" "$status" 'tokens were issued'
}

status=0
pkce-discover "$issuer" >"$directory/idp.json" 2>"$directory/message" || status=$?
# What is wrong with ISSUER itself is no fault of the server, which was not asked.
case $(message) in 'issuer: '*) status=2 ;; esac
must_be_usable "$status"
case $issuer,$(cat "$directory/message") in
  */,*'hint: only the trailing slash differs'*) hint='; use ISSUER without the final slash' ;;
  *'hint: only the trailing slash differs'*) hint='; use ISSUER with a final slash' ;;
  *"; use your tenant's own issuer") hint="; use your tenant's own issuer" ;;
  # A server with https must not name such an endpoint.
  http:*': plain http is only allowed'*) hint='; set PKCE_HTTP_HOSTS for a test network' ;;
  *) hint= ;;
esac
succeeded discovery "$status" "$hint"
[ "$status" -eq 0 ] || finish 'no metadata was found'

if jq -e '.code_challenge_methods_supported // [] | index("S256")' "$directory/idp.json" >/dev/null; then
  result S256_advertised pass
else
  result S256_advertised fail 'code_challenge_methods_supported does not list it'
fi

must_push=$(jq '.require_pushed_authorization_requests == true' "$directory/idp.json")
if $must_push; then
  # A pushed request must specify its port.
  port=$(jq -n 'now * 1000000 % 20000 + 10000 | floor')
  case " $* " in *' --redirect-uri'*) ;; *) set -- --redirect-uri "http://127.0.0.1:$port/callback" "$@" ;; esac
fi

# Continue without iss, so that the other checks can be made.
jq -c --arg method "${PKCE_AUTH_METHOD:-}" 'del(.authorization_response_iss_parameter_supported)
  | if $method != "" then .token_endpoint_auth_method = $method else . end' \
  "$directory/idp.json" >"$directory/client.json"
if [ -z "${PKCE_CLIENT_ID:-}" ]; then
  if ! pkce-gen "$directory/client.json" | pkce-url --client-id none "$@" |
    pkce-register --client-name check-provider >"$directory/registered"; then
    echo 'check-provider: PKCE_CLIENT_ID: set it to the client_id of a client that the server knows' >&2
    exit 2
  fi
  mv "$directory/registered" "$directory/client.json"
fi

# A correct login. If it fails, the others will too.
status=0
{ request . "$@" && code 'a correct request' && exchange code tokens; } || status=$?
must_be_usable "$status"
case $(message) in
  *': invalid_scope'*) hint='; set PKCE_SCOPE to scopes that the server grants to this client' ;;
  *': invalid_client'*) hint="; $as_registered" ;;
  *': the error above') hint='; set PKCE_SCOPE if it is invalid_scope' ;;
  *) hint= ;;
esac
succeeded login "$status" "$hint"
[ "$status" -eq 0 ] || finish 'the login failed'

if jq -e 'has("iss")' "$directory/code" >/dev/null; then
  result iss_sent pass
elif jq -e '.authorization_response_iss_parameter_supported == true' "$directory/idp.json" >/dev/null; then
  result iss_sent fail 'missing, although the metadata says that it is sent'
else
  result iss_sent not_offered
fi

if jq -e 'has("id_token") or (.scope // "" | split(" ") | index("openid"))' "$directory/tokens" >/dev/null; then
  status=0
  pkce-verify <"$directory/tokens" >"$directory/verified" 2>"$directory/message" || status=$?
  succeeded id_token "$status"
else
  result id_token not_offered
fi

status=0
exchange code tokens || status=$?
refused replay_refused "$status" 'the code was accepted twice'

# A response to curl is only meaningful if curl can send a correct request, and a pushed request can be used only once.
responds_to_curl=true
{ request . "$@" && ! grep -q 'request_uri=' "$directory/request" && ! refused_at_once; } || responds_to_curl=false

unprotected plain_refused 'exchange code tokens' '
  .code_verifier as $verifier | .authorization_url |= (
    sub("code_challenge_method=S256"; "code_challenge_method=plain")
    | sub("code_challenge=[^&]*"; "code_challenge=" + $verifier))' "$@"
unprotected missing_challenge_refused exchange_without_verifier '
  .authorization_url |= gsub("&code_challenge(_method)?=[^&]*"; "")' "$@"

if code_for wrong_verifier_refused "$@"; then
  pkce-gen >"$directory/other"
  jq -cs '.[0] + (.[1] | { code_verifier })' "$directory/code" "$directory/other" >"$directory/wrong"
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
if ! jq -e 'has("refresh_token")' "$directory/first" >/dev/null; then
  for check in rotation reuse_refused reuse_ends_the_grant; do
    result "$check" not_offered 'no refresh token was issued'
  done
else
  # Many servers allow a client that lost a response to send the same token again for some seconds: they replace a new
  # token, or refuse an old one, only after that.
  refresh first second
  if [ "$status" -eq 0 ] && same_refresh_token first second; then
    sleep "$grace"
    refresh first second
  fi
  if [ "$status" -ne 0 ]; then
    succeeded rotation "$status"
    finish 'the refresh failed'
  fi
  if ! same_refresh_token first second; then
    result rotation pass
    # Wait before the first try, since some servers count the uses instead (Keycloak: refreshTokenMaxReuse).
    sleep "$grace"
    refresh first third
    refused reuse_refused "$status" "the old refresh token was accepted after $grace s (PKCE_GRACE)"
    if [ "$status" -ne 0 ] && ! is_refusal "$status"; then
      result reuse_ends_the_grant not_checked "$(message)"
    else
      # What was issued last must end with the grant.
      [ "$status" -ne 0 ] || cp "$directory/third" "$directory/second"
      refresh second third
      refused reuse_ends_the_grant "$status" 'the new refresh token is still valid'
    fi
  else
    # RFC 9700 section 4.14.2 requires rotation for clients that do not authenticate.
    if has_secret; then
      result rotation not_offered 'the client has a secret'
    else
      result rotation fail "the refresh token is not replaced after $grace s (PKCE_GRACE)"
    fi
    result reuse_refused not_offered 'the refresh token is not replaced'
    result reuse_ends_the_grant not_offered 'the refresh token is not replaced'
  fi
fi

if ! jq -e 'has("revocation_endpoint")' "$directory/idp.json" >/dev/null; then
  result revocation not_offered
  finish
fi
{ code_for revocation "$@" && exchange code last; } || finish 'the login failed'
before=
jq -e 'has("refresh_token")' "$directory/last" >/dev/null || before=$(userinfo)
status=0
pkce-revoke <"$directory/last" >"$directory/revoked" 2>"$directory/message" || status=$?
if [ "$status" -eq 1 ] && ! has_secret &&
  message | grep -Eq ': (invalid|unauthorized)_client|responded with 40[13]'; then
  # RFC 7009 section 2.1 requires authentication only of clients with credentials.
  result revocation not_offered "not allowed without a client secret ($(message))"
elif [ "$status" -ne 0 ]; then
  succeeded revocation "$status"
elif jq -e 'has("refresh_token")' "$directory/last" >/dev/null; then
  refresh last third
  refused revocation "$status" 'the refresh token is still valid'
else
  # An endpoint that accepted the token responds with 401 once it is revoked.
  case "$before $(userinfo)" in
    '200 401') result revocation pass 'userinfo endpoint: 401' ;;
    *' 200') result revocation fail 'the access token is still valid' ;;
    *)
      result revocation not_checked \
        'no refresh token, and no userinfo endpoint that accepts the access token until it is revoked'
      ;;
  esac
fi
finish
