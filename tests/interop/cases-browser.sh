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

check logs_in_in_Chromium_with http://127.0.0.1:0/callback
check logs_in_in_Chromium_with http://localhost:0/callback
check shows_a_denial_in_Chromium
check shows_in_Chromium_that_a_login_was_stopped
check shows_in_Chromium_that_a_redirect_belongs_to_another_login_and_goes_on
