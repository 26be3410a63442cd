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
needs dash 'install the package dash'
needs zsh 'install the package zsh'
for tool in discover gen url callback exchange; do
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
read -r -t 20 -u "${server[0]}" issuer || {
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
  pkce-url --client-id cli --scope "openid offline_access" --prompt consent "$@"'

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
