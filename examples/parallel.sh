#!/bin/sh
# Calls many URLs at once with the token that is kept under a name. Each job asks for the token itself; where it has to
# be refreshed, one of them does it, and the others wait for that one.
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

# The status of the first that failed is this script's.
status=0
for job in $jobs; do
  ended=0
  wait "$job" || ended=$?
  [ "$status" -ne 0 ] || status=$ended
done
exit "$status"
