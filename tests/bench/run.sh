#!/usr/bin/env bash
# Size, start-up and memory of the tools beside what people use today, all in one run: in turn, so that a machine
# whose speed drifts is as slow for each. Medians of RUNS runs. A peer that is not installed is left out.
set -euo pipefail
RUNS=${RUNS:-51}

document=$(pkce-gen)
endpoint=https://id.example/authorize
names=(true pkce-gen pkce-url pkce-discover pkce-load pkce-token jq openssl curl node)
run() {
  case $1 in
    true) /bin/true ;;
    pkce-gen) pkce-gen ;;
    pkce-url) pkce-url --client-id cli --authorization-endpoint $endpoint <<<"$document" ;;
    pkce-discover) pkce-discover --version ;;
    pkce-load) pkce-load work ;;
    pkce-token) pkce-token work -r access_token ;;
    jq) jq -r .access_token "$PKCE_HOME/work.json" ;;
    openssl) openssl rand 32 ;;
    curl) curl --version ;;
    node) node -e 'crypto.randomBytes(32)' ;;
  esac
}
export -f run
export document endpoint

# A stored token that is valid for long: what pkce-token prints without a request, and jq without a look at its age.
PKCE_HOME=$(mktemp -d)
export PKCE_HOME
trap 'rm -rf "$PKCE_HOME"' EXIT
printf '{"token_endpoint":"%s","access_token":"%s","token_type":"Bearer","expires_at":4000000000}' \
  "$endpoint" "$(printf 'a%.0s' {1..800})" | pkce-store work

there=()
for name in "${names[@]}"; do type -P "$name" >/dev/null && there+=("$name"); done
declare -A times
for name in "${there[@]}"; do run "$name" >/dev/null; done
for ((round = 0; round < RUNS; round++)); do
  for name in "${there[@]}"; do
    start=${EPOCHREALTIME/./}
    run "$name" >/dev/null
    times[$name]+="$((${EPOCHREALTIME/./} - start)) "
  done
done

# Peak resident memory in KiB, as the kernel counts it.
memory() {
  [ -x /usr/bin/time ] || { echo -; return; }
  /usr/bin/time -f %M bash -c 'exec >/dev/null; case $0 in
    true) exec /bin/true ;; pkce-gen) exec pkce-gen ;; pkce-discover) exec pkce-discover --version ;;
    pkce-load) exec pkce-load work ;; pkce-token) exec pkce-token work -r access_token ;;
    jq) exec jq -r .access_token "$PKCE_HOME/work.json" ;;
    pkce-url) exec pkce-url --client-id cli --authorization-endpoint $endpoint <<<"$document" ;;
    openssl) exec openssl rand 32 ;; curl) exec curl --version ;; node) exec node -e "crypto.randomBytes(32)" ;;
  esac' "$1" 2>&1 >/dev/null | tail -n 1
}

printf '%-14s %12s %10s %12s\n' program bytes ms 'peak KiB'
for name in "${there[@]}"; do
  median=$(tr ' ' '\n' <<<"${times[$name]}" | grep . | sort -n | sed -n "$((RUNS / 2 + 1))p")
  size=$(stat -L -c %s "$(type -P "$name")")
  printf '%-14s %12d %7d.%02d %12s\n' "$name" "$size" $((median / 1000)) $((median % 1000 / 10)) "$(memory "$name")"
done

# ID tokens of a stream in a second, beside what ring alone reaches with the same signature, and the memory it takes.
work=$(mktemp -d)
trap 'rm -rf "$work" "$PKCE_HOME"' EXIT
"${CARGO:-cargo}" bench --quiet --locked --bench ring -- "$work" >"$work/rates"
printf '\n%-14s %12s %12s %12s %12s\n' algorithm 'ring /s' 'verify /s' 'KiB, 10,000' 'KiB, 100'
peak() {
  [ -x /usr/bin/time ] || { echo -; return; }
  head -n "$1" "$work/$2.documents" |
    /usr/bin/time -f %M pkce-verify --jwks "$work/$2.jwks" --now 1800000000 2>&1 >/dev/null | tail -n 1
}
while read -r algorithm rate; do
  start=${EPOCHREALTIME/./}
  pkce-verify --jwks "$work/$algorithm.jwks" --now 1800000000 <"$work/$algorithm.documents" >/dev/null
  took=$((${EPOCHREALTIME/./} - start))
  printf '%-14s %12d %12d %12s %12s\n' "$algorithm" "$rate" $((10000 * 1000000 / took)) \
    "$(peak 10000 "$algorithm")" "$(peak 100 "$algorithm")"
done <"$work/rates"

printf '\n'
for tool in pkce-verify pkce-register pkce-push pkce-callback pkce-exchange pkce-refresh pkce-revoke pkce-store pkce-idp; do
  printf '%-14s %12d\n' "$tool" "$(stat -c %s "$(type -P "$tool")")"
done
