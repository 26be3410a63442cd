# shellcheck shell=bash disable=SC2154 # run.sh sets these variables
# Who logged in, when and how: ID tokens as the server signs them.

# A login as this client, with these flags of pkce-url, in the file document.
verified() {
  with_curl
  export PKCE_CLIENT_ID=$1
  login "${@:2}"
  granted_to "$1"
  mv "$case/out" "$case/document"
}

# What pkce-verify says of the document, after it went through this jq filter.
verify() {
  typed 'jq -c "$1" "$2" | pkce-verify "${@:3}"' "$1" "$case/document" "${@:2}"
}

doubts() {
  is "the status ($1)" "$status" 4
  is "standard output ($1)" "$(cat "$case/out")" '!4 untrusted pkce-verify'
  says "pkce-verify: id_token: $1"
}

believes_ID_tokens_signed_with() {
  verified "cli-$1"
  verify .
  is 'the status' "$status" 0
  is 'the claims' "$(jq -c '[.id_token_claims | .iss, .sub, .aud]' "$case/out")" "[\"$issuer\",\"alice\",\"cli-$1\"]"
  is 'what signed' "$(jq -r '.id_token | split(".")[0] | @base64d | fromjson | .alg' "$case/out")" "$1"
  is 'the claims and the payload' "$(jq '
    .id_token_claims == (.id_token | split(".")[1] | gsub("-"; "+") | gsub("_"; "/") | . + "==="[:-length % 4 + 4] |
      @base64d | fromjson)' "$case/out")" true
}

names_an_algorithm_that_it_does_not_know() {
  verified cli-ES512
  verify .
  doubts 'header: alg: ES512'
}

believes_tokens_of_before_and_after_the_keys_change() {
  verified cli
  coproc stream { PKCE_TRACE=1 exec pkce-verify 2>"$case/trace"; }
  local to=${stream[1]} from=${stream[0]} line
  jq -c . "$case/document" >&"$to"
  read -r -t 20 -u "$from" line || fail 'no response to the first'
  is 'the first' "$(jq -r .id_token_claims.sub <<<"$line")" alice
  curl --silent --fail --max-time 10 --request POST "$issuer/rotate"
  mv "$case/document" "$case/before"
  verified cli
  jq -c . "$case/before" "$case/document" >&"$to"
  for _ in 1 2; do
    read -r -t 20 -u "$from" line || fail 'no response after the change'
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
    doubts "${check//ISSUER/$issuer}"
    ! jq -r '.id_token, .access_token, .nonce | strings' "$case/document" | grep -qF -f - "$case/err" ||
      fail 'a value is on standard error'
  done <<'CASES'
signature: does not verify with the server's key|.id_token |= (split(".") | .[2] |= ((if .[0:1] == "A" then "B" else "A" end) + .[1:]) | join("."))
aud: cli instead of other|.client_id = "other"
nonce: not the one that was sent|.nonce |= (.[1:] + .[0:1])
nonce: present, but none was sent|del(.nonce)
iss: ISSUER instead of ISSUER/|.issuer += "/"
CASES
  verify . --now $(($(date +%s) + 2 * 3600))
  doubts 'exp: expired'
}

proves_when_the_person_logged_in() {
  verified cli --max-age 600
  verify .
  is 'the status' "$status" 0
  is 'whether it is known' "$(jq '.id_token_claims.auth_time | . <= now and . > now - 90' "$case/out")" true
  verify . --now $(($(date +%s) + 700))
  doubts 'auth_time: longer ago than max_age'
  verified cli
  verify '.max_age = 600'
  doubts 'auth_time: missing, but required by max_age'
}

proves_how_the_person_logged_in() {
  verified cli --acr-values 'passkey password'
  verify .
  is 'the status' "$status" 0
  is 'how' "$(jq -r .id_token_claims.acr "$case/out")" password
  verify '.acr_values = "passkey"'
  doubts 'acr: not one of acr_values'
  verified cli
  verify '.acr_values = "password"'
  doubts 'acr: missing, but requested with acr_values'
}

for alg in RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 EdDSA Ed25519; do
  check believes_ID_tokens_signed_with "$alg"
done
check names_an_algorithm_that_it_does_not_know
check believes_tokens_of_before_and_after_the_keys_change
check names_the_check_that_fails_and_no_value
check proves_when_the_person_logged_in
check proves_how_the_person_logged_in
