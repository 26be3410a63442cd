#!/bin/sh
# Logs in to Auth0 and prints the document with the tokens.
#
# At Auth0, create an application of type Native, set its Token Endpoint Authentication Method to None, and add the
# callback URL below to its Allowed Callback URLs. Set these variables in the environment, or in a file .env with lines
# NAME=VALUE:
#
#   AUTH0_URL           https://YOUR_TENANT.auth0.com
#   AUTH0_CLIENT_ID     the application's Client ID
#   AUTH0_CALLBACK_URL  the redirect URI (default: http://localhost:3000). If it is on this machine, the script listens
#                       there; otherwise it must be a web page, such as callback.html, that shows the URL to paste here
#   AUTH0_CONNECTION    the connection (default: Username-Password-Authentication); if empty, the user can choose
#
# The tools pass a failure down the pipeline, so this script exits with the status of the failed step without pipefail.
set -eu

# Prints a value from .env without surrounding quotes. The file is read, but never executed.
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

# Auth0's issuer ends in a slash, and the issuer must match exactly.
issuer=${url%/}/

# The callback page shows the whole URL, and the code alone, whose state cannot be checked.
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
