#!/usr/bin/env bash
# Logs in with each program of docs/comparison.md at a pkce-idp that does one thing wrong, and prints the rows of its
# table "What each program did"; ends with status 1 if the page has another row. A program that is missing is named and
# left out. With arguments, only the programs that they name. Needs python3, and jq for kubelogin.
set -u
umask 077

PROGRAMS=(pkce-tools oauth2c step oidc-agent kubelogin git-credential-oauth pizauth)
CASES=(login device access_denied state iss issuer id_token token callers)

# The faults of the server in a case.
faults() {
  case $1 in
  device) echo no-pkce ;; # most programs send no challenge with a device authorization request
  access_denied) echo redirect-error-access_denied ;;
  state) echo redirect-state-other ;;
  iss) echo redirect-iss-other ;;
  issuer) echo metadata-issuer-other ;;
  id_token) echo id_token-forged ;;
  token) echo token-503 ;;
  callers) echo token-expires-zero@1 redirect-error-access_denied@2 ;; # so that it refreshes, and cannot log in again
  esac
}

HERE=$(cd "$(dirname "$0")" && pwd)
page=$HERE/../../docs/comparison.md
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The browser of all programs signs in by itself.
mkdir "$work/bin"
printf '#!/bin/sh\npkce-idp --visit "$1" >/dev/null 2>&1 &\n' >"$work/bin/xdg-open"
chmod +x "$work/bin/xdg-open"
export HERE PATH="$work/bin:$PATH" BROWSER=xdg-open
for name in $(compgen -e); do
  case $name in PATH | HERE | BROWSER | LANG | TERM) ;; *) unset "$name" ;; esac
done

# What a program did in a case: the status, or `token` if it is 0 and a token was printed.
cell() {
  local each status faults=()
  for each in $(faults "$2"); do faults+=(--fault "$each"); done
  HOME=$(mktemp -d "$work/XXXXXX")
  PORT=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
  export HOME PORT
  cd "$HOME" || exit
  pkce-idp --auto-approve --redirect-uri "http://localhost:$PORT" "${faults[@]}" -- \
    timeout 100 bash "$HERE/case.sh" "$1" "$2" >out 2>err </dev/null
  status=$?
  case $status in
  0) if [ "$2" = callers ]; then cat out; elif [ -s out ]; then echo token; else echo nothing; fi ;;
  99) echo '–' ;;
  124) echo waits ;;
  *) if [ -s out ]; then echo "$status, but output"; else echo $status; fi ;;
  esac
}

different=0
for program in "${PROGRAMS[@]}"; do
  [ $# -eq 0 ] || [[ " $* " = *" $program "* ]] || continue
  [ "$program" = pkce-tools ] || command -v "$program" >/dev/null || {
    echo "missing: $program" >&2
    continue
  }
  row="| $program |"
  for each in "${CASES[@]}"; do row+=" $(cell "$program" "$each") |"; done
  echo "$row"
  grep -qxF -- "$row" "$page" || {
    different=1
    echo "docs/comparison.md has another row for $program" >&2
  }
done
exit $different
