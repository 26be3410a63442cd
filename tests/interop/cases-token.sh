# shellcheck shell=bash disable=SC2154 # run.sh sets these variables
# A token's life: from its code, through refreshes, to its revocation.

exchanges_a_code_once() {
  with_curl
  authorize
  is 'the status' "$status" 0
  keeps_secrets "$case/out"
  mv "$case/out" "$case/document"
  exchanged
  is 'the status of the first' "$status" 0
  exchanged
  says invalid_grant
  is 'the status of the second' "$status" 5
  is 'standard output of the second' "$(cat "$case/out")" '!5 login_required pkce-exchange'
  keeps_secrets "$case/document"
}

ends_the_tokens_of_a_code_that_is_sent_again() {
  with_curl
  authorize
  is 'the status' "$status" 0
  mv "$case/out" "$case/document"
  exchanged
  is 'the status of the first' "$status" 0
  mv "$case/out" "$case/first"
  is 'the API before' "$(response_of_the_API "$case/first")" 200
  exchanged
  is 'the status of the second' "$status" 5
  is 'the API after' "$(response_of_the_API "$case/first")" 401
  mv "$case/first" "$case/document"
  forgotten
}

# The document's refresh token is good no more.
forgotten() {
  refreshed
  is 'the status of a refresh' "$status" 5
  is 'standard output of a refresh' "$(cat "$case/out")" '!5 login_required pkce-refresh'
  says 'pkce-refresh: token endpoint: invalid_grant'
}

gets_nothing_for_a_wrong_verifier() {
  with_curl
  authorize
  is 'the status' "$status" 0
  jq -c '.code_verifier = "A" * 43' "$case/out" >"$case/document"
  exchanged
  says invalid_grant
  is 'the status' "$status" 5
  is 'standard output' "$(cat "$case/out")" '!5 login_required pkce-exchange'
}

gets_nothing_for_a_code_that_has_expired() {
  with_curl
  export PKCE_CLIENT_ID=hasty
  authorize
  is 'the status' "$status" 0
  mv "$case/out" "$case/document"
  sleep 2
  exchanged
  is 'the status of the exchange' "$status" 5
  is 'standard output' "$(cat "$case/out")" '!5 login_required pkce-exchange'
  is 'standard error' "$(cat "$case/err")" 'pkce-exchange: token endpoint: invalid_grant: grant request is invalid
hint: run the login again'
}

store() {
  with_curl
  export PKCE_HOME=$case/store
  typed "$request | pkce-callback --timeout 40 | pkce-exchange | pkce-verify | pkce-store work"
  is 'the status of the login' "$status" 0
}

expire() {
  sed -i 's/"expires_at":[0-9]*/"expires_at":5/' "$PKCE_HOME/work.json"
}

refreshes_once_for_a_hundred_at_once() {
  store
  expire
  export PKCE_TRACE=1
  for _ in $(seq 100); do
    pkce-token work -r access_token >>"$case/tokens" 2>>"$case/trace" &
  done
  wait
  is 'the tokens' "$(wc -l <"$case/tokens")" 100
  is 'different ones' "$(sort -u "$case/tokens" | wc -l)" 1
  is 'the requests' "$(grep -c 'trace: POST .*/token: 200' "$case/trace")" 1
  is 'other lines' "$(grep -vc trace: "$case/trace")" 0
  # The family lives: the API takes the token, and the next refresh is not refused.
  is 'who it is' "$(pkce-token work -- curl --silent --fail-with-body -H @- "$issuer/me" | jq -r .sub)" alice
  pkce-token work --refresh >"$case/out" || fail 'the family is revoked'
}

keeps_a_token_all_its_life() {
  store
  pkce-load work >"$case/first"
  local turn
  for turn in 1 2 3; do
    expire
    pkce-token work -- curl --silent --fail-with-body -H @- "$issuer/me" >"$case/me" || fail "refresh $turn"
    is "who it is ($turn)" "$(jq -r .sub "$case/me")" alice
    pkce-load work | jq -r .refresh_token >>"$case/refresh_tokens"
  done
  is 'the refresh tokens' "$(sort -u "$case/refresh_tokens" | wc -l)" 3
  pkce-load work >"$case/document"
  # The ID token of the last refresh, against the claims of the login.
  pkce-verify <"$case/document" >"$case/out" 2>"$case/err" || fail 'the refreshed ID token'
  pkce-revoke <"$case/document" 2>"$case/err" | pkce-store work || fail 'the revocation'
  is 'what is left' "$(pkce-load work | jq -c '[has("access_token", "refresh_token")]')" '[false,false]'
  status=0
  pkce-token work -- touch "$case/started" 2>"$case/err" || status=$?
  is 'the status' "$status" 115
  [ ! -e "$case/started" ] || fail 'the command was started'
  # The server has forgotten both.
  status=0
  pkce-refresh <"$case/document" >"$case/out" 2>"$case/err" || status=$?
  is 'the status of a refresh' "$status" 5
  says 'pkce-refresh: token endpoint: invalid_grant'
  is 'the API' "$(response_of_the_API "$case/document")" 401
}

ends_the_grant_where_an_old_token_is_sent_again() {
  store
  pkce-load work >"$case/before"
  pkce-token work --refresh >"$case/out" || fail 'the refresh'
  status=0
  pkce-refresh <"$case/before" >"$case/out" 2>"$case/err" || status=$?
  is 'the status' "$status" 5
  says 'pkce-refresh: token endpoint: invalid_grant'
  status=0
  pkce-token work --refresh >"$case/out" 2>"$case/err" || status=$?
  is 'the status of the other' "$status" 5
}

refreshes_with_the_same_refresh_token_where_the_server() {
  export PKCE_CLIENT_ID=$1
  store
  pkce-load work >"$case/document"
  local turn
  for turn in 1 2 3; do
    expire
    pkce-token work -- curl --silent --fail-with-body -H @- "$issuer/me" >"$case/me" || fail "refresh $turn"
    is "who it is ($turn)" "$(jq -r .sub "$case/me")" alice
    pkce-load work | jq -r .access_token >>"$case/access_tokens"
    is "the refresh token ($turn)" "$(pkce-load work | jq .refresh_token)" "$(jq .refresh_token "$case/document")"
  done
  is 'the access tokens' "$(sort -u "$case/access_tokens" | wc -l)" 3
  # A document of before is as good as it was, and the stored login is unharmed.
  refreshed
  is 'the status of a refresh' "$status" 0
  is 'its refresh token' "$(jq .refresh_token "$case/out")" "$(jq .refresh_token "$case/document")"
  pkce-token work --refresh >"$case/out" || fail 'the next refresh'
}

revokes_no_more_than_a_document_has() {
  local name
  for name in access_token refresh_token; do
    with_curl
    login
    granted
    jq -c "del(.access_token, .refresh_token) + {$name}" "$case/out" >"$case/part"
    mv "$case/out" "$case/document"
    typed 'pkce-revoke <"$1"' "$case/part"
    is "the status ($name)" "$status" 0
    is "what is left ($name)" "$(jq -c '[has("access_token", "refresh_token")]' "$case/out")" '[false,false]'
    # The server ends the whole grant with either.
    is "the API ($name)" "$(response_of_the_API "$case/document")" 401
    forgotten
  done
}

says_that_an_access_token_ends_by_itself_where_the_server_revokes_none() {
  with_curl
  asked_for 'openid offline_access read' https://api.example.com/
  is 'the status' "$status" 0
  mv "$case/out" "$case/document"
  typed 'pkce-revoke <"$1"' "$case/document"
  is 'the status of both' "$status" 0
  is 'what is left' "$(jq -c '[has("access_token", "refresh_token")]' "$case/out")" '[true,false]'
  is 'standard error' "$(cat "$case/err")" \
    'pkce-revoke: note: the server does not revoke access tokens; this one expires by itself'
  forgotten
  typed 'jq -c "del(.refresh_token)" "$1" | pkce-revoke' "$case/document"
  is 'the status of the access token alone' "$status" 1
  is 'standard output' "$(cat "$case/out")" '!1 refused pkce-revoke'
  says 'pkce-revoke: revocation endpoint: unsupported_token_type: '
}

seals_the_stored_login_with_age() {
  age-keygen -o "$case/key" 2>/dev/null
  PKCE_SEAL="age -r $(age-keygen -y "$case/key")"
  export PKCE_SEAL PKCE_OPEN="age -d -i $case/key"
  store
  expire_sealed
  is 'who it is' "$(pkce-token work -- curl --silent --fail-with-body -H @- "$issuer/me" | jq -r .sub)" alice
  is 'what is readable' "$(grep -ac 'access_token\|refresh_token\|eyJ' "$PKCE_HOME/work.json")" 0
}

expire_sealed() {
  pkce-load work | jq -c '.expires_at = 5' | pkce-store work || fail 'expiring it'
}

check exchanges_a_code_once
check ends_the_tokens_of_a_code_that_is_sent_again
check gets_nothing_for_a_wrong_verifier
check gets_nothing_for_a_code_that_has_expired
check refreshes_once_for_a_hundred_at_once
check keeps_a_token_all_its_life
check ends_the_grant_where_an_old_token_is_sent_again
check refreshes_with_the_same_refresh_token_where_the_server keeps it
check refreshes_with_the_same_refresh_token_where_the_server omits it
check revokes_no_more_than_a_document_has
check says_that_an_access_token_ends_by_itself_where_the_server_revokes_none
check seals_the_stored_login_with_age
