#!/bin/sh
# Takes pictures of the page that the browser shows after the login: callback.sh DIRECTORY writes callback-light.png and
# callback-dark.png. Needs the tools and chromium on the PATH; the server is pkce-idp.
set -eu

case $1 in
  --take) # by the scheme that Chromium calls $2, as the picture $3
    work=$(mktemp -d)
    mkfifo "$work/end"
    BROWSER="sh $0 --visit $2 $work %s"
    export BROWSER
    pkce-discover | pkce-gen - | pkce-url --scope openid | pkce-callback > /dev/null
    cat "$work/end"
    mv "$work/page.png" "$3"
    rm -r "$work"
    ;;
  --visit) # as the browser: the page of the login at $4, with the scheme $2, in the directory $3
    chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=480,300 \
      --force-device-scale-factor=2 --user-data-dir="$3/profile" --blink-settings="preferredColorScheme=$2" \
      --screenshot="$3/page.png" "$4"
    : > "$3/end"
    ;;
  *)
    pkce-idp --auto-approve -- sh "$0" --take 0 "$1/callback-dark.png"
    pkce-idp --auto-approve -- sh "$0" --take 1 "$1/callback-light.png"
    ;;
esac
