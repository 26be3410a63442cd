# shellcheck shell=bash disable=SC2034,SC2154 # run.sh sets these variables, and reads those
# The same in a real browser, which judges each page that pkce-callback can show.

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

logs_in_in_Chromium_with() {
  with_chromium
  [ "$1" != http://127.0.0.1:0/callback ] || export SCREENSHOT=$pictures
  login --redirect-uri "$1"
  judged_well
  granted
}

shows_a_denial_in_Chromium() {
  with_chromium
  export PAGE=denied SCREENSHOT=$pictures
  login
  judged_well
  refused
  says access_denied
}

shows_in_Chromium_that_a_login_was_stopped() {
  with_chromium
  export PAGE=stopped SCREENSHOT=$pictures
  issuer=${issuers[forgetful]}
  login
  judged_well
  stopped
}

shows_in_Chromium_that_a_redirect_belongs_to_another_login_and_goes_on() {
  with_chromium
  export PAGE=stray SCREENSHOT=$pictures
  login
  judged_well
  granted
}

# With a client that says what it is called.
shows_pages_that_need_no_mouse() {
  export BROWSER='timeout 80 node ./pages.mjs' RESULT=$case/verdict SCREENSHOT=$pictures limit=85
  typed 'pkce-idp -- sh -c "pkce-discover --resource \"\$PKCE_ISSUER/mcp\" |
    pkce-register --client-name \"a <b>client</b>\" | pkce-gen - |
    pkce-url --scope \"openid offline_access\" --prompt consent | pkce-callback | pkce-exchange | pkce-verify"'
  judged_well
  is 'the status' "$status" 0
  is 'who signed in' "$(jq -r .id_token_claims.sub "$case/out")" bob
}

check logs_in_in_Chromium_with http://127.0.0.1:0/callback
check logs_in_in_Chromium_with http://localhost:0/callback
check shows_a_denial_in_Chromium
check shows_in_Chromium_that_a_login_was_stopped
check shows_in_Chromium_that_a_redirect_belongs_to_another_login_and_goes_on
check shows_pages_that_need_no_mouse
