#!/bin/sh
# Calls an API with the access token that is kept under a name; the token is in no program's arguments. Where the API
# refuses it (401) before its time is over, once more with a new one.
#
#   sh call-api.sh NAME URL [CURL_OPTION...]
set -eu

if [ $# -lt 2 ]; then
  echo "usage: call-api.sh NAME URL [CURL_OPTION...]" >&2
  exit 2
fi
name=$1 url=$2
shift 2

answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# curl reads the header from its standard input; what it prints here is the answer's status.
call() {
  refresh=$1
  shift
  pkce-token "$name" $refresh -- curl --silent --show-error --fail-with-body -H @- \
    --output "$answer" --write-out '%{http_code}' "$@" "$url"
}

status=0
code=$(call '' "$@") || status=$?
if [ "$code" = 401 ]; then
  status=0
  code=$(call --refresh "$@") || status=$?
fi
cat "$answer"
exit "$status"
