#!/usr/bin/env bash
# Logs in with the tools on PATH to a server that others wrote, with curl and with Chromium in $BROWSER's place.
# With SCREENSHOT=DIRECTORY, pictures of the callback's pages are left there.
set -u
umask 077

needs() {
  command -v "$1" >/dev/null && return
  echo "interop: $1 is missing: $2" >&2
  exit 1
}

needs node 'install the package nodejs'
needs npm 'install the package npm'
needs chromium 'install the package chromium'
needs curl 'install the package curl'
needs jq 'install the package jq'
needs age 'install the package age'
needs dash 'install the package dash'
needs zsh 'install the package zsh'
for tool in discover register gen url push callback exchange verify refresh revoke store load token; do
  needs "pkce-$tool" 'run make interop, which builds it'
done
node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || needs 'node 20' 'install a later nodejs'

pictures=${SCREENSHOT:+$(mkdir -p "$SCREENSHOT" && cd "$SCREENSHOT" && pwd)}
cd "$(dirname "$0")" || exit
if ! cmp -s package-lock.json node_modules/.of-lock.json; then
  timeout 120 npm ci --silent --no-audit --no-fund --ignore-scripts || needs node_modules 'npm ci failed'
  cp package-lock.json node_modules/.of-lock.json
fi

# Whatever the caller has set, for a login of their own or for npm, is no part of the tests.
for name in "${!PKCE_@}"; do unset "$name"; done
unset BROWSER SCREENSHOT VISIT ANSWER LOG RESULT NO_COLOR SSL_CERT_FILE SSL_CERT_DIR \
  HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy

# Whose client it is, where a case does not say.
export PKCE_CLIENT_ID=cli

work=$(mktemp -d)
mkdir "$work/running"
export HOME=$work TMPDIR=$work RUNNING=$work/running

# Whatever runs under timeout(1) leaves a file there, named by timeout's process, so that an early end ends it too.
finish() {
  trap '' INT TERM
  for process in "$RUNNING"/*; do
    [ ! -e "$process" ] || kill "${process##*/}" 2>/dev/null
  done
  [ -z "${server_PID:-}" ] || kill "$server_PID" 2>/dev/null
  wait
  for _ in $(seq 50); do
    [ -n "$(ls -A "$RUNNING")" ] || break
    sleep 0.1
  done
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

coproc server { exec node ./server.mjs 2>"$work/server"; }
read -r -t 60 -u "${server[0]}" issuer || {
  echo 'interop: the server did not start:' >&2
  cat "$work/server" >&2
  exit 1
}

passed=0
failed=0

# Runs one case in a folder of its own, within a minute and a half; its name and its arguments are the sentence.
check() {
  local sentence="${*//_/ }"
  case=$work/$((passed + failed))
  mkdir "$case"
  export LOG=$case/browser
  ("$@") >"$case/log" 2>&1 </dev/null &
  if wait $!; then
    passed=$((passed + 1))
    echo "ok - $sentence"
  else
    failed=$((failed + 1))
    echo "not ok - $sentence"
    tail -n 40 "$case/log" "$case/err" "$case/browser" 2>/dev/null | sed 's/^/  /'
  fi
}

fail() {
  echo "$1"
  exit 1
}

# What it is, what it is said to be, and what it should be.
is() {
  [ "$2" = "$3" ] || fail "$1: $2 (and not $3)"
}

says() {
  grep -qF -e "$1" "$case/err" || fail "standard error does not say: $1"
}

# Runs a line in a shell, with the issuer as $0; its standard output is a pipe, and ends in the file out.
typed() {
  # shellcheck disable=SC2016
  local before=': >"$RUNNING/$PPID"' after='ended=$?; rm -f "$RUNNING/$PPID"; exit "$ended"'
  timeout 60 "${shell:-bash}" -c "$before; $1; $after" "$issuer" "${@:2}" 2>"$case/err" | cat >"$case/out"
  status=${PIPESTATUS[0]}
}

# shellcheck disable=SC2016
request='pkce-discover "$0" | pkce-gen - |
  pkce-url --scope "openid offline_access" --prompt consent "$@"'

authorize() {
  typed "$request | pkce-callback --timeout 40" "$@"
}

login() {
  typed "$request | pkce-callback --timeout 40 | pkce-exchange" "$@"
}

with_curl() {
  export BROWSER='timeout 30 bash ./visit.sh'
}

with_chromium() {
  export BROWSER='timeout 50 node ./browser.mjs' RESULT=$case/verdict
}

# The browser goes on for a moment after the redirect, to judge the page.
judged_well() {
  for _ in $(seq 150); do
    [ ! -e "$RESULT" ] || break
    sleep 0.1
  done
  is 'the verdict of the browser' "$(cat "$RESULT")" well
}

# The login's document has what it should, and its tokens are good for what they are.
granted() {
  is 'the status' "$status" 0
  # shellcheck disable=SC2016
  is 'the document' "$(jq -r --arg issuer "$issuer" '
    def claims: split(".")[1] | gsub("-"; "+") | gsub("_"; "/") | . + "==="[:-length % 4 + 4] | @base64d | fromjson;
    def expect(holds; $problem): if holds then empty else $problem end;
    (.id_token // "" | try claims catch {}) as $claims |
    expect(.access_token | type == "string"; "no access_token"),
    expect(.refresh_token | type == "string"; "no refresh_token"),
    expect(.token_type == "Bearer"; "another token_type"),
    expect(.expires_at > now; "expires_at is not to come"),
    expect(.scope == "openid offline_access"; "another scope"),
    expect(.issuer == $issuer; "another issuer"),
    (("code", "code_verifier", "iss", "state") as $spent | expect(has($spent) | not; "\($spent) is still there")),
    expect($claims.iss == $issuer; "ID token: another iss"),
    expect($claims.aud == "cli"; "ID token: another aud"),
    expect($claims.sub == "alice"; "ID token: another sub"),
    expect(.nonce != null and $claims.nonce == .nonce; "ID token: another nonce")' "$case/out" 2>&1)" ''
  local person
  person=$({ printf 'Authorization: Bearer '; jq -r .access_token "$case/out"; } |
    curl --silent --show-error --fail --max-time 10 --header @- "$(jq -r .userinfo_endpoint "$case/out")")
  is 'who the access token is for' "$(jq -r .sub <<<"$person")" alice
  keeps_secrets "$case/out"
}

# Nothing on standard error is a secret of this document.
keeps_secrets() {
  ! jq -r '.code, .code_verifier, .access_token, .refresh_token, .id_token | strings' "$1" |
    grep -qF -f - "$case/err" || fail 'a secret is on standard error'
}

refused() {
  is 'the status' "$status" 1
  is 'standard output' "$(cat "$case/out")" '!1 refused pkce-callback'
}

logs_in_by_curl_with() {
  with_curl
  login --redirect-uri "$1"
  granted
}

ends_with_status_1_where_consent_is_denied() {
  with_curl
  export VISIT=deny
  login
  refused
  says 'pkce-callback: authorization endpoint: access_denied: End-User aborted interaction'
  ! grep -q '^pkce-exchange' "$case/err" || fail 'the step after the failure speaks too'
}

tells_a_denial_as_JSON() {
  with_curl
  export VISIT=deny PKCE_ERRORS=json
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
  export VISIT=deny
  login
  refused
}

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

exchanged() {
  # shellcheck disable=SC2016
  typed 'pkce-exchange <"$1"' "$case/document"
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

logs_in_in_Chromium_with() {
  with_chromium
  [ "$1" != http://127.0.0.1:0/callback ] || export SCREENSHOT=$pictures
  login --redirect-uri "$1"
  judged_well
  granted
}

shows_a_denial_in_Chromium() {
  with_chromium
  export VISIT=deny SCREENSHOT=$pictures
  login
  judged_well
  refused
  says access_denied
}

takes_the_redirect_from_a_script_through_a_FIFO() {
  mkfifo "$case/answer"
  # shellcheck disable=SC2016
  typed "$request" --redirect-uri http://127.0.0.1:4711/callback
  is 'the status of the request' "$status" 0
  mv "$case/out" "$case/document"
  ANSWER=$case/answer timeout 30 bash ./visit.sh "$(jq -r .authorization_url "$case/document")" &
  # shellcheck disable=SC2016
  typed 'pkce-callback --timeout 40 --response-file "$2" <"$1" | pkce-exchange' "$case/document" "$case/answer"
  granted
}

tells_how_to_write_the_issuer() {
  # shellcheck disable=SC2016
  typed 'pkce-discover "$0/"'
  is 'the status' "$status" 4
  is 'standard output' "$(cat "$case/out")" '!4 untrusted pkce-discover'
  is 'the hint' "$(sed -n 's/^hint: //p' "$case/err")" "only a final / differs: pkce-discover $issuer"
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

verified() {
  with_curl
  export PKCE_CLIENT_ID=$1
  login
  granted_to "$1"
  mv "$case/out" "$case/document"
}

granted_to() {
  is 'the status' "$status" 0
  is 'the client' "$(jq -r .client_id "$case/out")" "$1"
}

# What pkce-verify says of the document, after it went through this jq filter.
verify() {
  # shellcheck disable=SC2016
  typed 'jq -c "$1" "$2" | pkce-verify "${@:3}"' "$1" "$case/document" "${@:2}"
}

believes_ID_tokens_signed_with() {
  verified "cli-$1"
  verify .
  is 'the status' "$status" 0
  is 'the claims' "$(jq -c '[.id_token_claims | .iss, .sub, .aud]' "$case/out")" "[\"$issuer\",\"alice\",\"cli-$1\"]"
  is 'what signed' "$(jq -r '.id_token | split(".")[0] | @base64d | fromjson | .alg' "$case/out")" "$1"
  # shellcheck disable=SC2016
  is 'the claims and the payload' "$(jq '
    .id_token_claims == (.id_token | split(".")[1] | gsub("-"; "+") | gsub("_"; "/") | . + "==="[:-length % 4 + 4] |
      @base64d | fromjson)' "$case/out")" true
}

believes_tokens_of_before_and_after_the_keys_change() {
  verified cli
  coproc stream { PKCE_TRACE=1 exec pkce-verify 2>"$case/trace"; }
  # shellcheck disable=SC2154
  local to=${stream[1]} from=${stream[0]} line
  jq -c . "$case/document" >&"$to"
  read -r -t 20 -u "$from" line || fail 'no answer to the first'
  is 'the first' "$(jq -r .id_token_claims.sub <<<"$line")" alice
  curl --silent --fail --max-time 10 --request POST "$issuer/rotate"
  mv "$case/document" "$case/before"
  verified cli
  jq -c . "$case/before" "$case/document" >&"$to"
  for _ in 1 2; do
    read -r -t 20 -u "$from" line || fail 'no answer after the change'
    is 'one after the change' "$(jq -r .id_token_claims.sub <<<"$line")" alice
  done
  is 'the keys of the two' "$(jq -rs 'map(.id_token | split(".")[0]) | unique | length' "$case/before" "$case/document")" 2
  is 'the requests for keys' "$(grep -c 'trace: GET .*/jwks: 200' "$case/trace")" 2
}

names_the_check_that_fails_and_no_value() {
  verified cli
  local filter check
  while IFS='|' read -r check filter; do
    verify "$filter" --timeout 5
    is "the status ($check)" "$status" 4
    is "standard output ($check)" "$(cat "$case/out")" '!4 untrusted pkce-verify'
    says "pkce-verify: id_token: $check"
    ! jq -r '.id_token, .access_token, .nonce | strings' "$case/document" | grep -qF -f - "$case/err" ||
      fail 'a value is on standard error'
  done <<'CASES'
signature: not made with the server's key|.id_token |= (split(".") | .[2] |= ((if .[0:1] == "A" then "B" else "A" end) + .[1:]) | join("."))
aud: not this client|.client_id = "other"
nonce: not the one that was sent|.nonce |= (.[1:] + .[0:1])
nonce: none was sent|del(.nonce)
iss: not the document's issuer|.issuer += "/"
CASES
  verify . --now $(($(date +%s) + 2 * 3600))
  is 'the status (exp)' "$status" 4
  says 'pkce-verify: id_token: exp: it has expired'
}

registers_a_client_and_logs_in_with_it() {
  with_curl
  unset PKCE_CLIENT_ID
  # shellcheck disable=SC2016
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
    printf '%s\n' 'a:b%c+d&e=f/~!*()' >"$case/secret"
    export PKCE_CLIENT_SECRET_FILE=$case/secret
  }
  typed "$request | pkce-push | pkce-callback --timeout 40 | pkce-exchange | pkce-verify" \
    --redirect-uri "http://127.0.0.1:$2/callback"
  is 'the status' "$status" 0
  is 'who it is' "$(jq -r .id_token_claims.sub "$case/out")" alice
  is 'the lifetime' "$(jq .expires_in "$case/out")" 3600
  grep -q "client_id=$1&request_uri=urn" "$case/err" || fail 'the URL was not the short one'
}

is_refused_where_the_request_was_not_pushed() {
  # The server answers at once, and asks nobody.
  export BROWSER='curl --silent --location --max-time 10 --output /dev/null'
  export PKCE_CLIENT_ID=pushes
  authorize
  refused
  says 'pkce-callback: authorization endpoint: invalid_request: '
}

asks_for_a_token_for_an_API() {
  with_curl
  typed 'pkce-discover "$0" | pkce-gen - | pkce-url --scope read --resource "$1" | pkce-callback --timeout 40 |
    pkce-exchange' https://api.example.com/
  is 'the status' "$status" 0
  is 'whom the access token is for' \
    "$(jq -r '.access_token | split(".")[1] | gsub("-"; "+") | gsub("_"; "/") | . + "==="[:-length % 4 + 4] |
      @base64d | fromjson | .aud' "$case/out")" https://api.example.com/
}

kept() {
  with_curl
  export PKCE_HOME=$case/kept
  # shellcheck disable=SC2016
  typed "$request | pkce-callback --timeout 40 | pkce-exchange | pkce-verify | pkce-store work"
  is 'the status of the login' "$status" 0
}

expire() {
  sed -i 's/"expires_at":[0-9]*/"expires_at":5/' "$PKCE_HOME/work.json"
}

refreshes_once_for_a_hundred_at_once() {
  kept
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
  kept
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
  is 'the status' "$status" 5
  [ ! -e "$case/started" ] || fail 'the command was started'
  # The server has forgotten both.
  status=0
  pkce-refresh <"$case/document" >"$case/out" 2>"$case/err" || status=$?
  is 'the status of a refresh' "$status" 5
  says 'pkce-refresh: token endpoint: invalid_grant'
  is 'the API' "$(jq -r '"Authorization: Bearer \(.access_token)"' "$case/document" |
    curl --silent -H @- --output /dev/null --write-out '%{http_code}' "$issuer/me")" 401
}

ends_the_grant_where_an_old_token_is_sent_again() {
  kept
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

seals_what_is_kept_with_age() {
  age-keygen -o "$case/key" 2>/dev/null
  PKCE_SEAL="age -r $(age-keygen -y "$case/key")"
  export PKCE_SEAL PKCE_OPEN="age -d -i $case/key"
  kept
  expire_sealed
  is 'who it is' "$(pkce-token work -- curl --silent --fail-with-body -H @- "$issuer/me" | jq -r .sub)" alice
  is 'what is readable' "$(grep -ac 'access_token\|refresh_token\|eyJ' "$PKCE_HOME/work.json")" 0
}

expire_sealed() {
  pkce-load work | jq -c '.expires_at = 5' | pkce-store work || fail 'expiring it'
}

check logs_in_by_curl_with http://127.0.0.1:0/callback
if grep -qs '^0\{31\}1 ' /proc/net/if_inet6; then
  check logs_in_by_curl_with 'http://[::1]:0/callback'
else
  echo 'skipped - logs in by curl with http://[::1]:0/callback: this machine has no ::1'
fi
check logs_in_by_curl_with http://localhost:0/callback
check ends_with_status_1_where_consent_is_denied
check tells_a_denial_as_JSON
for shell in bash dash zsh; do
  check logs_in_when_typed_into "$shell"
  check shows_a_denial_when_typed_into "$shell"
done
shell=bash
for alg in RS256 PS256 ES256 EdDSA Ed25519; do
  check believes_ID_tokens_signed_with "$alg"
done
check believes_tokens_of_before_and_after_the_keys_change
check names_the_check_that_fails_and_no_value
check registers_a_client_and_logs_in_with_it
check logs_in_with_a_pushed_request_as pushes 4712
check logs_in_with_a_pushed_request_as confidential 4713
check is_refused_where_the_request_was_not_pushed
check asks_for_a_token_for_an_API
check refreshes_once_for_a_hundred_at_once
check keeps_a_token_all_its_life
check ends_the_grant_where_an_old_token_is_sent_again
check seals_what_is_kept_with_age
check exchanges_a_code_once
check gets_nothing_for_a_wrong_verifier
check logs_in_in_Chromium_with http://127.0.0.1:0/callback
check logs_in_in_Chromium_with http://localhost:0/callback
check shows_a_denial_in_Chromium
check takes_the_redirect_from_a_script_through_a_FIFO
check tells_how_to_write_the_issuer
check traces_each_request_in_a_line_without_a_secret

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
