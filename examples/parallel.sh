#!/bin/sh
# Calls many URLs at once with the token of a stored login. Each job runs pkce-token; if a refresh is needed, one of
# them does it, and the others wait for the new token.
#
#   sh parallel.sh NAME URL...
set -eu

if [ $# -lt 2 ]; then
  echo "usage: parallel.sh NAME URL..." >&2
  exit 2
fi
name=$1
shift

jobs=
for url in "$@"; do
  pkce-token "$name" -- curl --silent --show-error --fail-with-body -H @- "$url" &
  jobs="$jobs $!"
done

# Exit with the status of the first job that failed: curl's, or 115 if the user must sign in again.
status=0
for job in $jobs; do
  ended=0
  wait "$job" || ended=$?
  [ "$status" -ne 0 ] || status=$ended
done
exit "$status"
