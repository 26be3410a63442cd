#!/usr/bin/env bash
# mutants.sh DIRECTORY [NAME...]: changes the checks of id_token, login and client in one place at a time, and looks
# whether the tests of the tools notice (cargo-mutants). Each NAME is a group of the table below. MUTANTS_JOBS (2) groups
# run at a time. The results are in DIRECTORY/NAME/mutants.out; what no test noticed is printed.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p "$1"
directory=$(cd "$1" && pwd)
shift

# The groups: name, files, and the tests that are to notice; `lib` is the unit tests.
table='
id_token        src/id_token/*.rs                       pkce-verify
authentication  src/client/authentication.rs            lib pkce-exchange
endpoint        src/client/endpoint.rs                  pkce-exchange pkce-discover hosts
metadata        src/client/metadata.rs                  pkce-discover
oauth_error     src/client/oauth_error.rs               pkce-exchange pkce-refresh pkce-callback
parameters      src/client/{options,parameter,pkce,redirect_uri,resource,scope}.rs  lib pkce-gen pkce-url pkce-exchange
post            src/client/{post,redaction}.rs          lib pkce-exchange pkce-refresh pkce-revoke
secret_file     src/client/secret_file.rs               pkce-exchange
authorize       src/login/authorize.rs                  pkce-url
push            src/login/push.rs                       pkce-push
registration    src/login/registration.rs               pkce-register
revocation      src/login/revocation.rs                 pkce-revoke
token           src/login/token.rs                      lib pkce-exchange pkce-refresh
redirect        src/login/callback/{mod,redirect,response_file}.rs  lib pkce-callback
peer            src/login/callback/peer.rs              lib pkce-callback
listener        src/login/callback/listener.rs          pkce-callback
wait            src/login/callback/{browser,page,terminal,wait}.rs  pkce-callback
'

# The tools that these tests run: no others are linked for each change.
used() {
  local test
  for test; do find "tests/$test" "tests/$test.rs" 2>/dev/null; done | xargs grep -oh 'pkce-[a-z]*' 2>/dev/null
  echo pkce-gen
}

group() {
  local name=$1 files=$2 tree=$directory/$1/tree test arguments=()
  shift 2
  rm -rf "${directory:?}/$name"
  mkdir -p "$tree"
  git ls-files -z | xargs -0 cp --parents -t "$tree"
  find src/bin -name '*.rs' -exec basename {} .rs \; | while read -r tool; do
    used "$@" | grep -qx "$tool" || rm "$tree/src/bin/$tool.rs"
  done
  for test; do
    if [ "$test" = lib ]; then arguments+=(--cargo-arg=--lib); else arguments+=(--cargo-arg="--test=$test"); fi
  done
  # Without debug information, which takes time to link. Many tests wait, so more of them run at a time.
  export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0 RUST_TEST_THREADS=4
  export CARGO_TARGET_DIR=$directory/build-${slot:?}
  cargo mutants --dir "$tree" --in-place -f "$files" --output "$directory/$name" --timeout 60 --build-timeout 600 \
    --no-shuffle --cargo-arg=--locked "${arguments[@]}" >"$directory/$name/log" 2>&1
}
export -f group used
export directory
names=" $* "
while read -r name rest; do
  [[ -n $name && ($# -eq 0 || $names == *" $name "*) ]] && printf '%s %s\0' "$name" "$rest"
done <<<"$table" | xargs -0 -P "${MUTANTS_JOBS:-2}" --process-slot-var=slot -I{} bash +B -fc 'group {}' || true
cat "$directory"/*/mutants.out/missed.txt
count() { cat "$directory"/*/mutants.out/"$1".txt | wc -l; }
echo "caught: $(count caught), timed out: $(count timeout), missed: $(count missed), not compiling: $(count unviable)"
