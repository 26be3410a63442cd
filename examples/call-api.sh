#!/bin/sh
# Calls an API with the access token of a stored login, without the token in any program's arguments. If the API
# responds with 401, it calls once more with a new token. The exit status is curl's; if curl could not be started, it is
# that of pkce-token: 115 means that the user must sign in again.
#
#   sh call-api.sh NAME URL [CURL_OPTION...]
set -eu

if [ $# -lt 2 ]; then
  echo "usage: call-api.sh NAME URL [CURL_OPTION...]" >&2
  exit 2
fi
name=$1 url=$2
shift 2

response=$(mktemp)
trap 'rm -f "$response"' EXIT

# curl reads the header from standard input, and prints the HTTP status.
call() {
  refresh=$1
  shift
  pkce-token "$name" ${refresh:+"$refresh"} -- curl --silent --show-error --fail-with-body -H @- \
    --output "$response" --write-out '%{http_code}' "$@" "$url"
}

status=0
code=$(call '' "$@") || status=$?
if [ "$code" = 401 ]; then
  status=0
  code=$(call --refresh "$@") || status=$?
fi
cat "$response"
exit "$status"
