#!/usr/bin/env bash
# N (1000) logins by pipeline, all started at once, at one pkce-idp: prints N, the seconds until the last one ended, and how
# many failed; on standard error, what those said, with how often. Ends with status 1 if one failed.
set -uo pipefail
count=${1:-1000}
# It sets the issuer, the client and the browser.
[ -n "${PKCE_ISSUER-}" ] || exec pkce-idp --auto-approve -- bash "$0" "$count"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

login() {
  pkce-discover | pkce-gen - | pkce-url --scope openid | pkce-callback | pkce-exchange | pkce-verify -r access_token
}

pids=() failed=0
start=${EPOCHREALTIME/./}
for ((each = 0; each < count; each++)); do
  login >/dev/null 2>"$work/$each" &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || ((failed++)); done
took=$((${EPOCHREALTIME/./} - start))
printf '%s %d.%03d %s\n' "$count" $((took / 1000000)) $((took / 1000 % 1000)) "$failed"
sed -s '/: to sign in, open this URL in a browser:$/,+1d' "$work"/* | sort | uniq -c | sort -rn | head -n 20 >&2
[ "$failed" -eq 0 ]
