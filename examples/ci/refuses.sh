#!/bin/sh
# Checks that a server enforces PKCE (RFC 7636, 4.6) and takes a code once (RFC 6749, 4.1.2), by three logins of a
# public client, each with one thing wrong. Where the server accepts what it must refuse, that is revoked, and this ends
# with 1; where a check cannot be made, with the status of the step that failed.
#
#   BROWSER='sh browser.sh' sh refuses.sh idp.json [PKCE_URL_OPTION...]
#
# idp.json is what pkce-discover printed. Client and scope are PKCE_CLIENT_ID and PKCE_SCOPE, as for pkce-url.
set -eu
umask 077

if [ $# -eq 0 ]; then
  echo 'usage: refuses.sh IDP_FILE [PKCE_URL_OPTION...]' >&2
  exit 2
fi
idp=$1
shift
here=$(dirname "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM

# A login up to its code. Values go through files and pipes alone, so that no trace has them.
login() {
  pkce-gen "$idp" | pkce-url "$@" | pkce-callback --timeout 60 >"$folder/code"
  mask "$folder/code"
}

mask() {
  if [ "${GITHUB_ACTIONS:-}" = true ] || [ "${TF_BUILD:-}" = True ]; then sh "$here/mask.sh" <"$1" >/dev/null; fi
}

revoke() {
  mask "$1"
  pkce-revoke <"$1" >/dev/null 2>&1 || echo 'refuses: note: what the server gave could not be revoked' >&2
}

# Runs the exchange that must be refused: 1 and 5 are a refusal.
exchange() {
  status=0
  pkce-exchange >"$folder/tokens" 2>"$folder/said" || status=$?
}

accepted=0
judge() {
  # An answer that was lost, or a server that failed, has refused nothing.
  if [ "$status" -eq 5 ] && grep 'may be spent$' "$folder/said" | grep -qv ' the server answered 4'; then status=3; fi
  case $status in
    1 | 5) echo "refused: $1" ;;
    0)
      echo "refuses: the server accepted $1" >&2
      accepted=1
      revoke "$folder/tokens"
      ;;
    *)
      cat "$folder/said" >&2
      echo "refuses: $1: could not be checked" >&2
      exit "$status"
      ;;
  esac
}

login "$@"
jq -c '.code_verifier = "another-verifier-than-the-one-of-the-challenge"' "$folder/code" >"$folder/wrong"
exchange <"$folder/wrong"
judge 'a wrong verifier'

# pkce-exchange always sends a verifier. Only an answer about the grant says something about PKCE.
login "$@"
status=0
jq -r '{grant_type: "authorization_code", client_id, code, redirect_uri} | to_entries
  | map("\(.key)=\(.value | @uri)") | join("&")' "$folder/code" |
  (
    # No answer is to fill the disk: 1 MiB, in blocks of 512 octets.
    trap '' XFSZ
    ulimit -f 2048
    exec curl --silent --show-error --max-time 30 --header 'Accept: application/json' --data @- \
      --output "$folder/answer" "$(jq -r .token_endpoint "$folder/code")" 2>"$folder/said"
  ) || status=3
if [ "$status" -eq 0 ]; then
  echo 'refuses: token endpoint: neither tokens nor invalid_grant or invalid_request' >"$folder/said"
  status=$(
    jq 'if has("access_token") then 0 elif .error | IN("invalid_grant", "invalid_request") then 1 else 4 end' \
      "$folder/answer" 2>/dev/null
  ) || status=4
  # Of an empty answer some versions of jq say nothing, and end well.
  status=${status:-4}
  jq -cs add "$folder/code" "$folder/answer" >"$folder/tokens" 2>/dev/null || :
fi
judge 'a missing verifier'

login "$@"
pkce-exchange <"$folder/code" >"$folder/first"
mask "$folder/first"
exchange <"$folder/code"
judge 'a code that was used before'
revoke "$folder/first"

exit "$accepted"
