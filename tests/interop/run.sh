#!/usr/bin/env bash
# Logs in with the tools on PATH to servers that others wrote, with curl and with Chromium in $BROWSER's place: what is
# the same for all cases, and then the cases of each file cases-*.sh. With an argument, only the cases that match it are
# run. With SCREENSHOT=DIRECTORY, pictures of the callback's pages and of the terminal are left there.
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
needs zbarimg 'install the package zbar-tools'
needs python3 'install the package python3'
needs curl 'install the package curl'
needs jq 'install the package jq'
needs age 'install the package age'
needs dash 'install the package dash'
needs zsh 'install the package zsh'
for tool in discover register gen url push callback exchange verify refresh revoke store load token idp; do
  needs "pkce-$tool" 'run make interop, which builds it'
done
node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || needs 'node 20' 'install a later nodejs'

only=${1:-}
# shellcheck disable=SC2034 # cases-browser.sh reads it
pictures=${SCREENSHOT:+$(mkdir -p "$SCREENSHOT" && cd "$SCREENSHOT" && pwd)}
cd "$(dirname "$0")" || exit
# Installs the packages of the lock file in a directory.
install_packages() {
  cmp -s "$1/package-lock.json" "$1/node_modules/.of-lock.json" && return
  timeout 120 npm ci --prefix "$1" --silent --no-audit --no-fund --ignore-scripts || needs node_modules 'npm ci failed'
  cp "$1/package-lock.json" "$1/node_modules/.of-lock.json"
}

install_requirements() {
  cmp -s requirements.txt venv/of-requirements.txt && return
  rm -rf venv
  { python3 -m venv venv &&
    timeout 120 venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt; } ||
    needs venv 'install the packages python3 and python3-venv; or pip install failed'
  cp requirements.txt venv/of-requirements.txt
}

install_packages . &
packages=$!
install_packages mcp &
mcp_packages=$!
install_requirements || exit
wait "$packages" && wait "$mcp_packages" || exit
# What comes with the MCP packages requires Node 22.
node22=(./mcp/node_modules/node-linux-*/bin/node)

# Whatever the caller has set, for a login of their own or for npm, is no part of the tests.
for name in "${!PKCE_@}"; do unset "$name"; done
unset BROWSER SCREENSHOT VISIT PAGE REDIRECT LOG RESULT NO_COLOR SSL_CERT_FILE SSL_CERT_DIR \
  HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy

# Whose client it is, where a case does not say.
export PKCE_CLIENT_ID=cli

# Hard to encode: the secret of whoever has one, and part of their name.
odd='a:b%c+d &e=f/~!*(\")'

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

# The issuers, and the URLs of the MCP servers.
declare -A issuers
coproc server {
  # What runs in the background would else have no standard input, by whose end it knows ours.
  exec 3<&0 2>"$work/server"
  ODD=$odd node ./server.mjs <&3 &
  "${node22[0]}" ./mcp/server.mjs <&3 &
  ./venv/bin/python -B ./mcp/server.py <&3 &
  exec ./venv/bin/python -B ./provider.py
}
for _ in {1..4}; do
  while read -r -t 60 -u "${server[0]:-}" name url && [ "$name" != ready ]; do issuers[$name]=$url; done
  [ "$name" = ready ] || {
    echo 'interop: the servers did not start:' >&2
    cat "$work/server" >&2
    exit 1
  }
done

# Its first start on a machine may take longer than a case waits.
timeout 120 chromium --headless --no-sandbox --disable-gpu --user-data-dir="$work/first" --dump-dom about:blank \
  >/dev/null 2>&1 || :

# Whose login it is, where a case does not say.
issuer=${issuers[plain]}

passed=0
failed=0

# Runs one case in a directory of its own, within a minute and a half; its name and its arguments are the sentence.
check() {
  local sentence="${*//_/ }"
  [[ "$sentence" = *"$only"* ]] || return
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

# Runs a line in a shell, with the issuer as $0, for a minute or $limit seconds at most; its standard output is a pipe,
# and ends in the file out.
typed() {
  local before=': >"$RUNNING/$PPID"' after='ended=$?; rm -f "$RUNNING/$PPID"; exit "$ended"'
  timeout "${limit:-60}" "${shell:-bash}" -c "$before; $1; $after" "$issuer" "${@:2}" 2>"$case/err" | cat >"$case/out"
  status=${PIPESTATUS[0]}
}

request='pkce-discover "$0" | pkce-gen - |
  pkce-url --scope "openid offline_access" --prompt consent "$@"'

authorize() {
  typed "$request | pkce-callback --timeout 40" "$@"
}

login() {
  typed "$request | pkce-callback --timeout 40 | pkce-exchange" "$@"
}

# A login with this scope for these resources.
asked_for() {
  typed 'pkce-discover "$0" | pkce-gen - | pkce-url --prompt consent --scope "$1" --resource "${@:2}" |
    pkce-callback --timeout 40 | pkce-exchange' "$@"
}

with_curl() {
  export BROWSER='timeout 30 bash ./visit.sh'
}

# On any server's HTML pages, as alice.
with_the_browser_of_CI() {
  printf '%s\n' alice x >"$case/account"
  export TEST_ACCOUNT_FILE=$case/account BROWSER='timeout 30 sh ../../examples/ci/browser.sh'
}

# Where the server responds at once, without a prompt.
with_nobody() {
  export BROWSER='curl --silent --location --max-time 10 --output /dev/null'
}

# One that is most likely free, for a redirect URI that must name it.
port() {
  echo $((10000 + RANDOM % 20000))
}

# The login's document has what it should, and its tokens are good for what they are: those of the client $1, with the
# nonce of the request or, where $2 says so, with no nonce.
granted() {
  local client=${1:-cli} nonce=${2:-a nonce}
  is 'the status' "$status" 0
  is 'the document' "$(jq -r --arg issuer "$issuer" --arg client "$client" --arg nonce "$nonce" '
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
    expect($claims.aud == $client; "ID token: another aud"),
    expect($claims.sub == "alice"; "ID token: another sub"),
    expect((.nonce != null) == ($nonce == "a nonce"); "not \($nonce)"),
    expect($claims.nonce == .nonce; "ID token: another nonce")' "$case/out" 2>&1)" ''
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

stopped() {
  is 'the status' "$status" 4
  is 'standard output' "$(cat "$case/out")" '!4 untrusted pkce-callback'
  says "pkce-callback: redirect: iss: missing, although the server's metadata promises it"
}

exchanged() {
  typed 'pkce-exchange <"$1"' "$case/document"
}

refreshed() {
  typed 'pkce-refresh "${@:2}" <"$1"' "$case/document" "$@"
}

# The status that the API gives for the access token of a document.
response_of_the_API() {
  jq -r '"Authorization: Bearer \(.access_token)"' "$1" |
    curl --silent --max-time 10 -H @- --output /dev/null --write-out '%{http_code}' "$issuer/me"
}

granted_to() {
  is 'the status' "$status" 0
  is 'the client' "$(jq -r .client_id "$case/out")" "$1"
}

for cases in ./cases-*.sh; do
  # shellcheck source=/dev/null
  . "$cases"
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
