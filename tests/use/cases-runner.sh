# shellcheck shell=bash disable=SC2154 # run.sh sets these variables
# What the other cases rely on: a token that can be seen is found.

finds_a_token_that_other_processes_can_read() {
  local token
  serve api
  token=$(pkce-token work -r access_token)
  leaks argv:curl environ:curl 'disk:copies/*'
  TOKEN=$token curl --silent --fail -H "Authorization: Bearer $token" --output /dev/null "http://127.0.0.1:$port/" ||
    fail 'the token is not good'
  mkdir copies
  echo "a:$token" >copies/plain
  for before in '' a ab; do
    printf '%s:%s' "$before" "$token" | base64 --wrap 0 >"copies/base64$before"
  done
  is 'where it was seen' "$(seen | paste -sd ' ')" \
    'argv:curl disk:copies/base64 disk:copies/base64a disk:copies/base64ab disk:copies/plain environ:curl'
}
check finds_a_token_that_other_processes_can_read

sees_that_a_token_was_revoked() {
  serve api
  revoke_the_token
  pkce-token work -- curl --silent --output /dev/null --write-out '%{http_code}' -H @- "http://127.0.0.1:$port/" \
    >"$case/out"
  is 'the status' "$(cat "$case/out")" 401
  saw api 'GET / Bearer bad'
}
check sees_that_a_token_was_revoked

has_a_case_for_each_example() {
  local file
  for file in "$examples"/*; do
    grep -qF " ${file##*/}" "$tests"/cases-*.sh || fail "no case uses ${file##*/}"
  done
}
check has_a_case_for_each_example
