#!/usr/bin/env bash
# Hands the token of a stored login to the programs of examples/use, each with a server that checks it: what is the same
# for all cases, and then the cases of each file cases-*.sh. With an argument, only the cases that match it are run.
set -u
umask 077

needs() {
  command -v "$1" >/dev/null && return
  echo "use: $1 is missing: $2" >&2
  exit 1
}

needs python3 'install the package python3'

# Whoever starts this may ignore signals and have files open: the programs inherit neither.
if [ -z "${WITH_DEFAULT_SIGNALS:-}" ]; then
  export WITH_DEFAULT_SIGNALS=1
  exec python3 -I -c 'import os, signal, sys
for name in "HUP", "INT", "QUIT", "TERM", "PIPE", "XFSZ":
    signal.signal(signal.Signals["SIG" + name], signal.SIG_DFL)
os.closerange(3, 1 << 20)
os.execvp("bash", ["bash", *sys.argv[1:]])' "$0" "$@"
fi

only=${1:-}
cd "$(dirname "$0")" || exit
tests=$PWD
examples=$(cd ../../examples/use && pwd) || exit

needs curl 'install the package curl'
needs jq 'install the package jq'
needs openssl 'install the package openssl'
needs git 'install the package git'
for tool in ../../src/bin/*.rs ../../src/sh/*; do
  needs "$(basename "$tool" .rs)" 'run make use, which builds it'
done

# The cases are read into one shell.
twice=$(sed -n 's/^\([A-Za-z0-9_]*\)() .*/\1/p' ./run.sh ./cases-*.sh | sort | uniq -d | xargs)
[ -z "$twice" ] || {
  echo "use: defined twice: $twice" >&2
  exit 1
}

install_requirements() {
  cmp -s requirements.txt venv/of-requirements.txt && return
  rm -rf venv
  { python3 -m venv venv &&
    { [ ! -s requirements.txt ] ||
      timeout 300 venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt; }; } ||
    needs venv 'install the packages python3 and python3-venv; or pip install failed'
  cp requirements.txt venv/of-requirements.txt
}

# What npm has; where it has nothing, the cases for it are left out.
install_packages() {
  cmp -s "$1/package-lock.json" "$1/node_modules/.of-lock.json" && return
  timeout 120 npm ci --prefix "$1" --silent --no-audit --no-fund --ignore-scripts &&
    cp "$1/package-lock.json" "$1/node_modules/.of-lock.json"
}

install_packages pnpm &
packages=$!
install_requirements || exit
wait "$packages"
python=$tests/venv/bin/python

# Whatever the caller has set, for programs of their own, is no part of the tests; rustup has its toolchains at home.
export RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}"
for name in $(compgen -e); do
  case $name in
  PATH | PWD | HOME | SHELL | LANG | TERM | RUSTUP_HOME) ;;
  *) unset "$name" ;;
  esac
done
export PATH="$tests/venv/bin:$PATH" PYTHONDONTWRITEBYTECODE=1

work=$(mktemp -d)
export HOME=$work TMPDIR=$work

finish() {
  trap '' HUP INT TERM
  [ -z "${running:-}" ] || kill -- "-$limit" "-$running" 2>/dev/null
  [ -z "${idp:-}" ] || kill "$idp" 2>/dev/null
  wait
  # What the case has started may still be ending, and writing.
  for _ in {1..50}; do
    { [ -n "${running:-}" ] && kill -0 -- "-$running" 2>/dev/null; } || break
    sleep 0.1
  done
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# For the servers that are spoken to over TLS: 127.0.0.1, localhost, and any name below example.com.
certificate=$work/certificate.pem
key=$work/key.pem
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost \
  -addext 'subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:example.com,DNS:*.example.com' \
  -keyout "$key" -out "$certificate" 2>"$work/openssl" || {
  cat "$work/openssl" >&2
  exit 1
}

# Reads the first line that a server prints, from a FIFO.
first_line() {
  local line
  read -r -t 30 line <"$1" || return
  printf '%s\n' "$line"
}

mkfifo "$work/idp.first"
pkce-idp --auto-approve >"$work/idp.first" 2>"$work/idp" &
idp=$!
metadata=$(first_line "$work/idp.first") || {
  echo 'use: pkce-idp did not start:' >&2
  cat "$work/idp" >&2
  exit 1
}
issuer=$(jq -r .issuer <<<"$metadata")

passed=0
failed=0
left_out=0
table=()

# Runs one case, in a HOME, a TMPDIR and a process group of its own, with the stored login `work`, within a minute; its
# name and its arguments are the sentence. It must have shown the token in no other place than it says.
check() {
  local status sentence="${*//_/ }"
  [[ "$sentence" = *"$only"* ]] || return
  case=$work/$((passed + failed + left_out))
  mkdir "$case" "$case/home" "$case/tmp"
  set -m
  # shellcheck disable=SC2030 # HOME is meant for this case alone
  (
    export HOME=$case/home TMPDIR=$case/tmp
    cd "$HOME" && sign_in "$issuer" && "$@" && shows_the_token_only_where_it_says
  ) >"$case/log" 2>&1 </dev/null &
  running=$!
  (sleep 60 && echo 'not done within a minute' >>"$case/log" && kill -- "-$running") 2>/dev/null &
  limit=$!
  set +m
  wait "$running" 2>/dev/null
  status=$?
  kill -- "-$limit" "-$running" 2>/dev/null
  wait "$running" "$limit" 2>/dev/null
  running=
  if [ -e "$case/left-out" ]; then
    left_out=$((left_out + 1))
    echo "left out - $sentence: $(cat "$case/left-out")"
  elif [ "$status" -eq 0 ]; then
    passed=$((passed + 1))
    echo "ok - $sentence"
    [ ! -e "$case/row" ] || table+=("$(row)")
  else
    failed=$((failed + 1))
    echo "not ok - $sentence"
    tail -n 40 "$case/log" "$case"/*.err "$case"/*.requests 2>/dev/null | sed 's/^/  /'
  fi
}

fail() {
  echo "$1"
  exit 1
}

# Ends the case: what it needs is not on this machine.
left_out() {
  echo "$1" >"$case/left-out"
  exit 0
}

# What it is, what it is said to be, and what it should be.
is() {
  [ "$2" = "$3" ] || fail "$1: $2 (and not $3)"
}

# The stored login, by a real login at this issuer.
sign_in() {
  pkce-discover "$1" | pkce-gen - |
    pkce-url --client-id pkce-tools --scope 'openid offline_access' --prompt consent |
    BROWSER='pkce-idp --visit %s' pkce-callback --timeout 20 2>"$case/login.err" | pkce-exchange | pkce-verify |
    pkce-store work || fail 'the login failed'
  remember_the_tokens
}

# The tokens that are stored now are looked for on disk, when the case ends.
remember_the_tokens() {
  pkce-load work | jq -r '.access_token, .refresh_token, .id_token | strings' >>"$case/tokens"
}

# The stored access token is no longer valid: its time is over.
expire_the_token() {
  # shellcheck disable=SC2031 # only cases call this, with the HOME that check set
  local file=$HOME/.local/state/pkce/work.json
  jq -c '.expires_at = 1' "$file" >"$case/expired" && cat "$case/expired" >"$file"
  rm "$case/expired"
}

# The server no longer accepts the stored access token, and nobody here knows.
revoke_the_token() {
  pkce-load work | jq -r '"token=\(.access_token)&token_type_hint=access_token&client_id=\(.client_id)"' |
    curl --silent --show-error --fail --data @- "$issuer/revoke" || fail 'the access token was not revoked'
}

# Starts a server, NAME.py of this directory; its port is then in $port, and what it logs in $case/NAME.requests.
# A further server of the same kind has another name: serve other=api.
serve() {
  local name=${1%%=*} program=${1##*=}
  mkfifo "$case/$name.first"
  "$python" "$tests/$program.py" --issuer "$issuer" --log "$case/$name.requests" --tokens "$case/tokens" "${@:2}" \
    >"$case/$name.first" 2>"$case/$name.err" &
  # shellcheck disable=SC2034 # the cases read it
  port=$(first_line "$case/$name.first") || fail "the server $name did not start"
}

# The requests that a server logged, without the places where the token was seen.
requests() {
  grep -v -e '^argv:' -e '^environ:' "$case/$1.requests" 2>/dev/null
}

# The server has logged this line.
saw() {
  grep -qxF -e "$2" "$case/$1.requests" || fail "$1 has not logged: $2"
}

# The server was spoken to, but never sent a credential.
was_sent_no_token() {
  [ -n "$(requests "$1")" ] || fail "$1 has logged nothing"
  ! requests "$1" | grep -v ' none$' || fail "$1 was sent a credential"
}

# Copies an example to the place where its program reads it; further arguments are sed's, for hosts and ports.
example() {
  local name=$1 place=$2
  shift 2
  mkdir -p "$(dirname "$place")"
  sed "${@:-}" "$examples/$name" >"$place"
}

# The program, its version, and what it did: a row of the table.
did() {
  [[ "$2" = *[0-9]* ]] || fail "$1 has no version: $2"
  printf '%s\n' "$1" "$2" "$3" >"$case/row"
}

# Where the token can be seen, beside where nobody looks: argv:PROGRAM, environ:PROGRAM or disk:FILE, a pattern.
leaks() {
  printf '%s\n' "$@" >>"$case/leaks"
}

# Where the token was seen, one place a line; pkce's own store is no such place. It fails if the disk was not searched.
seen() {
  "$python" "$tests/api.py" --look "$case/tokens" "$case/home" "$case/tmp" >"$case/found" || return
  {
    grep -h -e '^argv:' -e '^environ:' "$case"/*.requests 2>/dev/null
    grep -v -e '^$' -e '^disk:\.local/state/pkce/' "$case/found"
  } | sort -u
}

shows_the_token_only_where_it_says() {
  local place pattern
  remember_the_tokens
  seen >"$case/seen" || fail 'the disk was not searched'
  touch "$case/leaks"
  while read -r place; do
    while read -r pattern; do
      # shellcheck disable=SC2053 # a line of the file is a pattern
      [[ "$place" != $pattern ]] || continue 2
    done <"$case/leaks"
    fail "the token was seen: $place"
  done <"$case/seen"
}

# The row of a case for the table.
row() {
  local fields requests places
  mapfile -t fields <"$case/row"
  requests=$(for log in "$case"/*.requests; do requests "$(basename "$log" .requests)"; done | wc -l)
  places=$(paste -sd ' ' "$case/seen")
  printf '| %s | %s | %s | %s | %s |' "${fields[@]}" "$requests" "${places:-nowhere}"
}

for cases in ./cases-*.sh; do
  [ -e "$cases" ] || continue
  # shellcheck source=/dev/null
  . "$cases"
done

if [ ${#table[@]} -gt 0 ]; then
  printf '%s\n' '' '| program | version | what it did | requests | where the token was seen |' \
    '| --- | --- | --- | --- | --- |' "${table[@]}" ''
fi
echo "$passed passed, $failed failed, $left_out left out"
[ "$failed" -eq 0 ]
