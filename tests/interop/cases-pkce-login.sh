# shellcheck shell=bash disable=SC2154 # run.sh sets these variables
# pkce-login and pkce-logout: one command from nothing to a token, at each kind of server.

# What pkce-login is told the first time, and a person to sign in.
told=()

at_oidc_provider() {
  with_curl
  told=(--issuer "$issuer" --client-id cli)
}

on_another_device_at_oidc_provider() {
  export BROWSER=false
  told=(--issuer "$issuer" --client-id device --device)
}

at_pkce_idp() {
  local metadata
  mkfifo "$case/idp"
  timeout 80 pkce-idp --auto-approve >"$case/idp" 2>"$case/idp.err" </dev/null &
  : >"$RUNNING/$!"
  read -r metadata <"$case/idp"
  issuer=$(jq -r .issuer <<<"$metadata")
  export BROWSER='pkce-idp --visit %s'
  told=(--issuer "$issuer" --client-id pkce-tools)
}

on_another_device_at_pkce_idp() {
  at_pkce_idp
  # It approves by itself.
  export BROWSER=false VISIT=never
  told+=(--device)
}

at_the_MCP_server_in() {
  with_the_browser_of_CI
  told=(--resource "${issuers[$1]}" --register)
}

at_the_MCP_server_in_typescript() {
  at_the_MCP_server_in typescript
}

at_the_MCP_server_in_python() {
  at_the_MCP_server_in python
}

# Runs pkce-login; what is stored then is in the file $1.
logged_in() {
  export PKCE_HOME=$case/store
  typed 'PKCE_TRACE=1 pkce-login work "$@" 2> >(exec bash ./on-another-device.sh)' "${@:2}"
  is 'the status' "$status" 0
  is 'standard output' "$(cat "$case/out")" ''
  pkce-load work >"$1" || fail 'nothing is stored'
  keeps_secrets "$1"
}

# Each requests tokens of its own.
differ() {
  is 'the access tokens' "$(jq -rs 'map(.access_token) | unique | length' "$@")" $#
}

logs_in_with_one_command_and_then_makes_no_request() {
  "$1"
  logged_in "$case/first" "${told[@]}"
  is 'the resource' "$(jq -r '.resource // .issuer' "$case/first")" "${told[1]}"
  is 'who it is' "$(jq -r 'if .scope | test("openid") then .id_token_claims.sub else "alice" end' "$case/first")" alice
  export BROWSER=false VISIT=never
  logged_in "$case/second"
  is 'what is said the second time' "$(cat "$case/err")" ''
  cmp "$case/first" "$case/second" || fail 'another login is stored'
}

logs_in_again_after_a_logout() {
  "$1"
  logged_in "$case/first" "${told[@]}"
  typed 'pkce-logout work'
  is 'the status of the logout' "$status" 0
  is 'what is stored after it' "$(pkce-load)" ''
  logged_in "$case/second"
  differ "$case/first" "$case/second"
}

logs_in_again_after_the_server_has_ended_the_session() {
  "$1"
  logged_in "$case/first" "${told[@]}"
  pkce-revoke <"$case/first" >"$case/revoked" || fail 'the tokens were not revoked'
  sed -i 's/"expires_at":[0-9]*/"expires_at":5/' "$PKCE_HOME/work.json"
  logged_in "$case/second"
  differ "$case/first" "$case/second"
}

for place in at_pkce_idp on_another_device_at_pkce_idp at_oidc_provider on_another_device_at_oidc_provider; do
  check logs_in_with_one_command_and_then_makes_no_request "$place"
  check logs_in_again_after_a_logout "$place"
  check logs_in_again_after_the_server_has_ended_the_session "$place"
done
for place in at_the_MCP_server_in_typescript at_the_MCP_server_in_python; do
  check logs_in_with_one_command_and_then_makes_no_request "$place"
  check logs_in_again_after_a_logout "$place"
done
