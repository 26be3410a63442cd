# shellcheck shell=bash disable=SC2154 # run.sh sets these variables
# What the examples find out about a server: examples/check-provider.sh, and those of examples/ci.

# Checks a server with a client of it; the results that are no pass are what is expected, in their order.
finds() {
  issuer=${issuers[$1]}
  export PKCE_CLIENT_ID=$2 TMPDIR=$case
  typed 'sh ../../examples/check-provider.sh --json "$0"'
  is 'what is found' "$(jq -c '[.checks[] | select(.result != "pass") | "\(.check): \(.result)"]' "$case/out")" "$3"
  is 'the checks' "$(jq '.checks | length' "$case/out")" 14
  is 'the status' "$status" "$4"
}

finds_nothing_wrong_with() {
  with_curl
  finds "$1" cli '[]' 0
}

finds_nothing_wrong_with_a_client_of() {
  with_a_secret
  export PKCE_CLIENT_SECRET_FILE=$case/secret
  finds "$2" "$1 $odd" '[]' 0
  ! grep -qF -e "$odd" "$case/err" || fail 'the secret is on standard error'
}

finds_that_iss_is_not_offered() {
  with_curl
  finds unnamed cli '["iss_sent: not_offered"]' 0
}

finds_that_iss_is_promised_and_not_sent() {
  with_curl
  finds forgetful cli '["iss_sent: fail"]' 1
}

finds_that_refresh_tokens_stay_the_same() {
  with_curl
  finds plain "$1" '["rotation: fail","reuse_refused: not_offered","reuse_ends_the_grant: not_offered"]' 1
}

finds_that_PKCE_is_not_required() {
  with_curl
  finds lax cli '["missing_challenge_refused: fail"]' 1
}

says_that_it_needs_a_client_where_it_cannot_register_one() {
  with_curl
  issuer=${issuers[plain]}
  unset PKCE_CLIENT_ID
  typed 'sh ../../examples/check-provider.sh "$0"'
  # This server registers only those who show a token.
  is 'the status' "$status" 2
  says 'check-provider: PKCE_CLIENT_ID: set it to the client_id of a client that the server knows'
}

logs_in_with_the_browser_of_the_CI_example() {
  with_the_browser_of_CI
  login
  granted
}

logs_in_at_Django_and_keeps_the_token() {
  with_the_browser_of_CI
  issuer=${issuers[django]}
  export PKCE_HOME=$case/store
  typed "$request | pkce-callback --timeout 40 | pkce-exchange | pkce-verify | pkce-store work"
  is 'the status' "$status" 0
  is 'who it is' "$(pkce-load work | jq -r .id_token_claims.sub)" 1
  local turn
  for turn in 1 2; do
    pkce-load work | jq -r .refresh_token >>"$case/refresh_tokens"
    sed -i 's/"expires_at":[0-9]*/"expires_at":5/' "$PKCE_HOME/work.json"
    pkce-token work -- curl --silent --fail-with-body -H @- "$issuer/userinfo/" >"$case/me" || fail "refresh $turn"
    is "who the API says it is ($turn)" "$(jq -r .sub "$case/me")" 1
  done
  is 'the refresh tokens' "$(sort -u "$case/refresh_tokens" | wc -l)" 2
}

finds_what_Django_takes_by_default() {
  with_the_browser_of_CI
  finds django cli '["iss_sent: not_offered","plain_refused: fail","reuse_ends_the_grant: fail",'\
'"revocation: not_offered"]' 1
}

finds_that_what_the_CI_example_tries_is_refused() {
  with_the_browser_of_CI
  export PKCE_SCOPE=openid
  typed 'pkce-discover "$0" >"$1"/idp.json; sh ../../examples/ci/refuses.sh "$1"/idp.json --prompt consent' "$case"
  is 'the status' "$status" 0
  is 'what is refused' "$(cat "$case/out")" 'refused: a code that was used before
refused: a wrong verifier
refused: a missing verifier'
}

check finds_nothing_wrong_with plain
check finds_nothing_wrong_with pushed
check finds_nothing_wrong_with_a_client_of client_secret_basic plain
check finds_nothing_wrong_with_a_client_of client_secret_post posted
check finds_that_iss_is_not_offered
check finds_that_iss_is_promised_and_not_sent
check finds_that_refresh_tokens_stay_the_same keeps
check finds_that_refresh_tokens_stay_the_same omits
check finds_that_PKCE_is_not_required
check says_that_it_needs_a_client_where_it_cannot_register_one
check logs_in_with_the_browser_of_the_CI_example
check finds_that_what_the_CI_example_tries_is_refused
check logs_in_at_Django_and_keeps_the_token
check finds_what_Django_takes_by_default
