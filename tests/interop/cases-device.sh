# shellcheck shell=bash disable=SC2154 # run.sh sets these variables
# pkce-device: what its terminal shows, and logins on the pages of oidc-provider.
needs pkce-device 'run make interop, which builds it'

# Logs in to pkce-idp in a terminal of this size, and takes pictures of it while the user is waited for.
shown_in_a_terminal_of() {
  typed './venv/bin/python -B ./terminal.py "$1" "waiting for the approval" "$2/screen" pkce-idp --auto-approve -- bash -c "
    pkce-discover | pkce-gen - | pkce-device --scope openid | pkce-verify >\"\$1/document\"" bash "$2"' "$1" "$case"
  cat "$case/screen.txt"
  is 'the status' "$status" 0
  is 'who signed in' "$(jq -r .id_token_claims.sub "$case/document")" alice
  timeout 30 node ./picture.mjs "$case/screen.html" "$case/device-$1" || fail 'no picture was taken'
  [ -z "$pictures" ] || cp "$case/device-$1-dark.png" "$pictures"
  is 'what is left at the end' "$(cat "$case/out")" "$(grep -v ' left)$' "$case/screen.txt")"
  # Whatever is too long for a line goes on in the next.
  link=$(tr -d '\n' <"$case/out" | sed 's/.*in *it: *//')
  is 'the lines with the URL' "$(grep -c -x "    ${link%\?*}" "$case/screen.txt")" 1
  is 'the lines with the code' "$(grep -c -x "    ${link#*=}" "$case/screen.txt")" 1
}

# A phone sees no more than such a picture.
read_by_zbarimg() {
  zbarimg --nodbus --quiet --raw "$1"
}

shows_the_code_and_a_QR_code_in_a_terminal_of() {
  shown_in_a_terminal_of "$1"
  is 'the QR code in a dark terminal' "$(read_by_zbarimg "$case/device-$1-dark.png")" "$link"
  is 'the QR code in a light terminal' "$(read_by_zbarimg "$case/device-$1-light.png")" "$link"
}

shows_the_code_alone_in_a_terminal_of() {
  shown_in_a_terminal_of "$1"
  is 'the QR code' "$(read_by_zbarimg "$case/device-$1-dark.png")" ''
  is 'the lines with blocks' "$(grep -c '[█▀▄]' "$case/screen.txt")" 0
}

check shows_the_code_and_a_QR_code_in_a_terminal_of 200x50
check shows_the_code_and_a_QR_code_in_a_terminal_of 80x24
check shows_the_code_and_a_QR_code_in_a_terminal_of 40x30
check shows_the_code_alone_in_a_terminal_of 40x24

# Logs in as the client $1, with the person at another device.
login_on_another_device() {
  typed 'pkce-discover "$0" | pkce-gen - |
    pkce-device --client-id "$1" --scope "openid offline_access" 2> >(exec bash ./on-another-device.sh) | pkce-verify' "$1"
}

logs_in_on_another_device() {
  login_on_another_device device
  granted device 'no nonce'
  cp "$case/out" "$case/document"
  refreshed
  is 'the status of the refresh' "$status" 0
  is 'whether the refresh token changed' "$(jq -rs 'map(.refresh_token) | unique | length' "$case/document" "$case/out")" 2
}

shows_where_to_sign_in_and_nothing_else() {
  login_on_another_device device
  is 'standard error' "$(sed 's/[A-Z]*-[A-Z]*$/CODE/' "$case/err")" "\
pkce-device: to sign in, open this URL on any device and enter the code:
    $issuer/device
    CODE
pkce-device: or open this link, which has the code in it:
    $issuer/device?user_code=CODE"
}

ends_with_status_1_where_the_person_on_another_device_says_no_at_the() {
  export VISIT="deny at the $1"
  login_on_another_device device
  is 'the status' "$status" 1
  is 'standard output' "$(cat "$case/out")" '!1 refused pkce-device'
  says 'pkce-device: token endpoint: access_denied: End-User aborted interaction'
}

ends_with_status_3_where_the_code_has_expired() {
  export VISIT=never
  login_on_another_device hasty-device
  is 'the status' "$status" 3
  is 'standard output' "$(cat "$case/out")" '!3 unavailable pkce-device'
  says 'pkce-device: user code: not approved within 1 s, its lifetime'
}

ends_with_status_1_where_the_client_may_not_use_the_device_grant() {
  login_on_another_device cli
  is 'the status' "$status" 1
  is 'standard error' "$(cat "$case/err")" 'pkce-device: device authorization endpoint: invalid_request:'\
' urn:ietf:params:oauth:grant-type:device_code is not allowed for this client'
}

check logs_in_on_another_device
check shows_where_to_sign_in_and_nothing_else
check ends_with_status_1_where_the_person_on_another_device_says_no_at_the code
check ends_with_status_1_where_the_person_on_another_device_says_no_at_the login
check ends_with_status_1_where_the_person_on_another_device_says_no_at_the consent
check ends_with_status_3_where_the_code_has_expired
check ends_with_status_1_where_the_client_may_not_use_the_device_grant
