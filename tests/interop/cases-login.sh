# shellcheck shell=bash disable=SC2154 # run.sh sets these variables
# From the issuer's name to a code: each redirect, each shell, and each way that a login can end without one.

logs_in_by_curl_with() {
  with_curl
  login --redirect-uri "$1"
  granted
}

ends_with_status_1_where_the_person_says_no_at_the() {
  with_curl
  export VISIT="deny at the $1"
  login
  refused
  says 'pkce-callback: authorization endpoint: access_denied: End-User aborted interaction'
  ! grep -q '^pkce-exchange' "$case/err" || fail 'the step after the failure speaks too'
}

tells_a_denial_as_JSON() {
  with_curl
  export VISIT='deny at the consent' PKCE_ERRORS=json
  login
  refused
  is 'the failure' "$(grep '^{' "$case/err" | jq -c '[.tool, .status, .kind, .error, .error_description]')" \
    '["pkce-callback",1,"refused","access_denied","End-User aborted interaction"]'
}

logs_in_when_typed_into() {
  with_curl
  shell=$1
  login
  granted
}

shows_a_denial_when_typed_into() {
  with_curl
  shell=$1
  export VISIT='deny at the consent'
  login
  refused
}

asks_for_a_login_where_nobody_is_logged_in_and_none_may_be_asked() {
  with_nobody
  typed 'pkce-discover "$0" | pkce-gen - | pkce-url --scope openid --prompt none | pkce-callback --timeout 40 |
    pkce-exchange'
  is 'the status' "$status" 5
  is 'standard output' "$(cat "$case/out")" '!5 login_required pkce-callback'
  says 'pkce-callback: authorization endpoint: login_required: End-User authentication is required'
}

logs_in_where_the_server_sends_no_iss() {
  with_curl
  issuer=${issuers[unnamed]}
  authorize
  is 'the status' "$status" 0
  is 'what there is of an iss' "$(jq -c '[has("iss", "authorization_response_iss_parameter_supported")]' "$case/out")" \
    '[false,false]'
  mv "$case/out" "$case/document"
  exchanged
  granted
}

stops_where_the_server_promises_an_iss_and_sends_none() {
  with_curl
  issuer=${issuers[forgetful]}
  login
  stopped
  export VISIT='deny at the consent'
  login
  stopped
}

takes_the_redirect_from_a_script_through_a_FIFO() {
  mkfifo "$case/redirect"
  typed "$request" --redirect-uri http://127.0.0.1:4711/callback
  is 'the status of the request' "$status" 0
  mv "$case/out" "$case/document"
  REDIRECT=$case/redirect timeout 30 bash ./visit.sh "$(jq -r .authorization_url "$case/document")" &
  typed 'pkce-callback --timeout 40 --response-file "$2" <"$1" | pkce-exchange' "$case/document" "$case/redirect"
  granted
}

tells_how_to_write_the_issuer() {
  typed 'pkce-discover "$0/"'
  is 'the status' "$status" 4
  is 'standard output' "$(cat "$case/out")" '!4 untrusted pkce-discover'
  is 'the hint' "$(sed -n 's/^hint: //p' "$case/err")" "only the trailing slash differs; use: pkce-discover $issuer"
}

traces_each_request_in_a_line_without_a_secret() {
  with_curl
  export PKCE_TRACE=1
  login
  granted
  is 'the trace' "$(sed -nE '/: trace:/s/[0-9]+ (bytes|ms)/N \1/gp' "$case/err")" \
    "pkce-discover: trace: GET $issuer/.well-known/openid-configuration: 200, N bytes, N ms
pkce-exchange: trace: POST $issuer/token: 200, N bytes, N ms"
}

check logs_in_by_curl_with http://127.0.0.1:0/callback
if grep -qs '^0\{31\}1 ' /proc/net/if_inet6; then
  check logs_in_by_curl_with 'http://[::1]:0/callback'
else
  echo 'skipped - logs in by curl with http://[::1]:0/callback: this machine has no ::1'
fi
check logs_in_by_curl_with http://localhost:0/callback
check ends_with_status_1_where_the_person_says_no_at_the login
check ends_with_status_1_where_the_person_says_no_at_the consent
check tells_a_denial_as_JSON
for shell in bash dash zsh; do
  check logs_in_when_typed_into "$shell"
  check shows_a_denial_when_typed_into "$shell"
done
shell=bash
check asks_for_a_login_where_nobody_is_logged_in_and_none_may_be_asked
check logs_in_where_the_server_sends_no_iss
check stops_where_the_server_promises_an_iss_and_sends_none
check takes_the_redirect_from_a_script_through_a_FIFO
check tells_how_to_write_the_issuer
check traces_each_request_in_a_line_without_a_secret
