#!/usr/bin/env bash
# A pipeline whose end cannot work, RUNS times (1000): how often it opened the browser, and how long one run took. Then a
# login in the same pipeline with a store that works: how long it takes. BUSY=N keeps N processes busy meanwhile.
set -uo pipefail
RUNS=${RUNS:-1000} BUSY=${BUSY:-0}

work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$work"' EXIT
export PKCE_HOME=$work/store
mkfifo "$work/idp"
pkce-idp --auto-approve >"$work/idp" &
read -r document <"$work/idp"
printf '%s\n' "$document" >"$work/idp.json"
printf '#!/bin/sh\necho >>%s\nexec pkce-idp --visit "$1"\n' "$work/opened" >"$work/browser"
chmod +x "$work/browser"
export BROWSER=$work/browser
for ((busy = 0; busy < BUSY; busy++)); do while :; do :; done & done

login() {
  pkce-gen "$work/idp.json" | pkce-url --scope openid | pkce-callback | pkce-exchange | pkce-verify | pkce-store work
}
median() { sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] / 1000 }'; }
# Times in microseconds of RUNS runs that end with this status.
runs() {
  for ((run = 0; run < RUNS; run++)); do
    start=${EPOCHREALTIME/./}
    login 2>>"$work/said"
    [ $? = "$1" ] || echo "another status than $1" >&2
    echo $((${EPOCHREALTIME/./} - start))
  done
}

(umask 077 && mkdir "$PKCE_HOME" && printf '{' >"$PKCE_HOME/work.json")
: >"$work/opened"
broken=$(runs 4 | median)
opened=$(wc -l <"$work/opened")
rm "$PKCE_HOME/work.json"
printf '%s runs, %s busy processes: browser opened %s times; a run took %s ms, a login %s ms (medians)\n' \
  "$RUNS" "$BUSY" "$opened" "$broken" "$(RUNS=$((RUNS / 10)) runs 0 | median)"
