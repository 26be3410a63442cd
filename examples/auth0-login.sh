#!/bin/sh
# Logs a person in at Auth0, and prints the document with the tokens.
#
# At Auth0: an application of type Native, whose Token Endpoint Authentication Method is None, with the callback URL
# below among its Allowed Callback URLs. Here, in the environment or in a file .env of lines NAME=VALUE:
#
#   AUTH0_URL           https://YOUR_TENANT.auth0.com
#   AUTH0_CLIENT_ID     the application's Client ID
#   AUTH0_CALLBACK_URL  where the browser is sent back to (http://localhost:3000); on this machine it is listened
#                       for, and a web page elsewhere (callback.html is one) shows what to paste here
#   AUTH0_CONNECTION    the connection to log in with (Username-Password-Authentication); empty lets the person choose
#
# A failing step hands its status on, so the status of the pipeline is this script's, without pipefail.
set -eu

# The value in .env, which is read and never run; quotes around it are taken off.
from_file() {
  [ -r .env ] || return 0
  sed -n "s/^[[:space:]]*\(export[[:space:]]\{1,\}\)\{0,1\}$1=//p" .env | tail -n 1 |
    sed -e 's/[[:space:]]*$//' -e "s/^'\(.*\)'\$/\1/" -e 's/^"\(.*\)"$/\1/'
}

url=${AUTH0_URL-$(from_file AUTH0_URL)}
client_id=${AUTH0_CLIENT_ID-$(from_file AUTH0_CLIENT_ID)}
callback_url=${AUTH0_CALLBACK_URL-$(from_file AUTH0_CALLBACK_URL)}
connection=${AUTH0_CONNECTION-$(from_file AUTH0_CONNECTION)}
if [ -z "${AUTH0_CONNECTION+set}" ] && ! { [ -r .env ] && grep -q 'AUTH0_CONNECTION=' .env; }; then
  connection=Username-Password-Authentication
fi
callback_url=${callback_url:-http://localhost:3000}

for needed in "AUTH0_URL=$url" "AUTH0_CLIENT_ID=$client_id"; do
  if [ -z "${needed#*=}" ]; then
    echo "auth0-login: ${needed%%=*}: missing; set it, or write it into .env" >&2
    exit 2
  fi
done

# Auth0's issuer ends in a slash, and an issuer is compared to the letter.
issuer=${url%/}/

# The callback page shows the whole address, whose state is checked, and the code alone, whose state cannot be.
case $callback_url in
  http://localhost* | http://127.* | "http://[::1]"*) set -- ;;
  *) set -- --paste --allow-bare-code ;;
esac

pkce-discover "$issuer" |
  pkce-gen - |
  pkce-url --client-id "$client_id" --redirect-uri "$callback_url" --scope 'openid profile' \
    ${connection:+--param "connection=$connection"} |
  pkce-callback "$@" |
  pkce-exchange --format json |
  pkce-verify
