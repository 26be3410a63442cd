# shellcheck shell=bash disable=SC2034,SC2154 # run.sh sets these variables, and reads those
# Whose login it is, and what it asks for: secrets, registration, pushed requests, resources.

logs_in_with() {
  with_a_secret
  used "$1" "pkce-gen -" "--client-secret-file $case/secret --auth-method $1"
}

chooses_client_secret_basic_where_the_metadata_lists_it() {
  with_a_secret
  export PKCE_CLIENT_SECRET_FILE=$case/secret
  used client_secret_basic 'pkce-gen -' ''
}

chooses_client_secret_post_where_the_metadata_lists_no_basic() {
  with_a_secret
  issuer=${issuers[posted]}
  export PKCE_CLIENT_SECRET_FILE=$case/secret
  used client_secret_post 'pkce-gen -' ''
}

takes_the_method_from_the_document() {
  with_a_secret
  export PKCE_CLIENT_SECRET_FILE=$case/secret
  echo '{"token_endpoint_auth_method":"client_secret_post"}' >"$case/client.json"
  used client_secret_post "pkce-gen - $case/client.json" ''
}

takes_the_secret_from_the_document() {
  with_a_secret
  jq -Rc '{client_secret: .}' "$case/secret" >"$case/client.json"
  used client_secret_basic "pkce-gen - $case/client.json" ''
}

takes_the_secret_from_a_process_substitution() {
  with_a_secret
  used client_secret_basic 'pkce-gen -' '--client-secret-file <(printf %s "$1")'
}

with_a_secret() {
  with_curl
  printf '%s\n' "$odd" >"$case/secret"
}

# Logs in as the client of this method, with a document from this step, and shows its secret with these flags to
# whatever it calls.
used() {
  export PKCE_CLIENT_ID="$1 $odd"
  typed "pkce-discover \"\$0\" | $2 | pkce-url --scope 'openid offline_access' --prompt consent |
    pkce-callback --timeout 40 | pkce-exchange $3 | pkce-verify | pkce-refresh $3 | pkce-verify | pkce-revoke $3" "$odd"
  granted_to "$1 $odd"
  is 'who it is' "$(jq -r .id_token_claims.sub "$case/out")" alice
  is 'what is left' "$(jq -c '[has("access_token", "refresh_token")]' "$case/out")" '[false,false]'
  ! grep -qF -e "$odd" "$case/err" || fail 'the secret is on standard error'
  [ -e "$case/client.json" ] || is 'a secret in the document' "$(jq 'has("client_secret")' "$case/out")" false
}

tells_that_the_secret_is_wrong_with() {
  with_a_secret
  export PKCE_CLIENT_ID="$1 $odd"
  authorize
  is 'the status of the login' "$status" 0
  mv "$case/out" "$case/document"
  local secret=another-secret
  exchange_with_a_secret "$1"
  is 'the status' "$status" 1
  is 'standard output' "$(cat "$case/out")" '!1 refused pkce-exchange'
  # The method that was not used.
  local other=client_secret_post
  [ "$1" = client_secret_basic ] || other=client_secret_basic
  is 'standard error' "$(cat "$case/err")" "pkce-exchange: token endpoint: invalid_client: client authentication failed
hint: if the secret is right, try --auth-method $other; a client that is registered as public must send none: \
--auth-method none"
  # The code is still good.
  secret=$odd
  exchange_with_a_secret "$1"
  is 'the status with the right one' "$status" 0
}

exchange_with_a_secret() {
  typed 'pkce-exchange --auth-method "$1" --client-secret-file <(printf %s "$2") <"$3"' "$1" "$secret" "$case/document"
}

registers_a_client_and_logs_in_with_it() {
  with_curl
  unset PKCE_CLIENT_ID
  local registered='pkce-discover "$0" |
    pkce-register --client-name deploy --scope "openid offline_access" --access-token-file <(printf %s "$1")'
  typed "$registered | pkce-gen - | pkce-url --prompt consent | pkce-callback --timeout 40 | pkce-exchange |
    pkce-verify" initial-token
  is 'the status' "$status" 0
  is 'who it is' "$(jq -r .id_token_claims.sub "$case/out")" alice
  is 'whose it is' "$(jq '.client_id == .id_token_claims.aud and .client_id != "cli"' "$case/out")" true
  is 'a secret' "$(jq 'has("client_secret")' "$case/out")" false
  typed "$registered" another-token
  is 'the status with another token' "$status" 1
  says 'pkce-register: registration endpoint: invalid_token'
}

logs_in_with_a_pushed_request_as() {
  with_curl
  export PKCE_CLIENT_ID=$1
  [ "$1" != confidential ] || {
    printf '%s\n' "$odd" >"$case/secret"
    export PKCE_CLIENT_SECRET_FILE=$case/secret
  }
  pushed
}

# A login with a pushed request; a redirect URI in it must name its port.
pushed() {
  typed "$request | pkce-push | pkce-callback --timeout 40 | pkce-exchange | pkce-verify" \
    --redirect-uri "http://127.0.0.1:$(port)/callback"
  granted_to "$PKCE_CLIENT_ID"
  is 'who it is' "$(jq -r .id_token_claims.sub "$case/out")" alice
  is 'the lifetime' "$(jq .expires_in "$case/out")" 3600
  grep -q "client_id=$PKCE_CLIENT_ID&request_uri=urn" "$case/err" || fail 'the URL was not the short one'
}

is_refused_where_the_request_was_not_pushed() {
  with_nobody
  export PKCE_CLIENT_ID=pushes
  authorize
  refused
  says 'pkce-callback: authorization endpoint: invalid_request: '
}

names_the_missing_step_where_every_request_must_be_pushed() {
  export BROWSER="touch $case/opened"
  issuer=${issuers[pushed]}
  authorize
  is 'the status' "$status" 2
  is 'standard output' "$(cat "$case/out")" '!2 usage pkce-callback'
  is 'standard error' "$(cat "$case/err")" \
    'pkce-callback: authorization_url: the server accepts pushed requests only
hint: put pkce-push between pkce-url and pkce-callback'
  [ ! -e "$case/opened" ] || fail 'the browser was opened'
}

logs_in_where_every_request_must_be_pushed() {
  with_curl
  issuer=${issuers[pushed]}
  pushed
}

asks_for_a_token_for_an_API() {
  with_curl
  asked_for read https://api.example.com/
  is 'the status' "$status" 0
  is 'whom the access token is for' "$(audience)" https://api.example.com/
}

tells_that_a_resource_is_refused() {
  with_nobody
  asked_for read https://elsewhere.example.com/
  refused
  says 'pkce-callback: authorization endpoint: invalid_target: '
}

picks_one_of_two_resources_at_a_refresh() {
  with_curl
  asked_for 'openid offline_access read' https://api.example.com/ --resource https://files.example.com/
  is 'the status' "$status" 0
  is 'whom the access token is for' "$(audience)" https://api.example.com/
  mv "$case/out" "$case/document"
  refreshed --resource https://files.example.com/
  is 'the status of the refresh' "$status" 0
  is 'whom the next one is for' "$(audience)" https://files.example.com/
  is 'the resources of the grant' "$(jq -c .resource "$case/out")" \
    '["https://api.example.com/","https://files.example.com/"]'
  mv "$case/out" "$case/document"
  refreshed --resource https://elsewhere.example.com/
  is 'the status for another' "$status" 2
  is 'standard error' "$(cat "$case/err")" "pkce-refresh: --resource: not one of the document's \
resources: https://elsewhere.example.com/ instead of https://api.example.com/, https://files.example.com/"
  jq -c '.resource = "https://elsewhere.example.com/"' "$case/document" >"$case/other"
  mv "$case/other" "$case/document"
  refreshed
  is 'the status of what the server refuses' "$status" 1
  is 'standard output' "$(cat "$case/out")" '!1 refused pkce-refresh'
  says 'pkce-refresh: token endpoint: invalid_target: '
}

audience() {
  jq -r '.access_token | split(".")[1] | gsub("-"; "+") | gsub("_"; "/") | . + "==="[:-length % 4 + 4] |
    @base64d | fromjson | .aud' "$case/out"
}

for method in client_secret_basic client_secret_post; do
  check logs_in_with "$method"
  check tells_that_the_secret_is_wrong_with "$method"
done
check chooses_client_secret_basic_where_the_metadata_lists_it
check chooses_client_secret_post_where_the_metadata_lists_no_basic
check takes_the_method_from_the_document
check takes_the_secret_from_the_document
check takes_the_secret_from_a_process_substitution
check registers_a_client_and_logs_in_with_it
check logs_in_with_a_pushed_request_as pushes
check logs_in_with_a_pushed_request_as confidential
check is_refused_where_the_request_was_not_pushed
check names_the_missing_step_where_every_request_must_be_pushed
check logs_in_where_every_request_must_be_pushed
check asks_for_a_token_for_an_API
check tells_that_a_resource_is_refused
check picks_one_of_two_resources_at_a_refresh
