# shellcheck shell=bash disable=SC2154 # run.sh sets these variables
# git by its credential helper, with the version of this system, and with one that sends bearer tokens (2.46 and later).

# A later Debian's git; where it can't be had, the reason is in a file.
newer_git=$tests/newer-git

# It does no longer when its directory was moved, or was never made in full.
a_newer_git_runs() {
  "$newer_git/root/usr/bin/git" --version >/dev/null 2>&1
}

make_a_newer_git() {
  ! a_newer_git_runs || return
  command -v apt-get >/dev/null || {
    echo 'apt-get is missing, and it is made from Debian packages' >"$work/newer-git"
    return
  }
  timeout 120 sh ./newer-git.sh trixie "$newer_git" >"$work/newer-git" 2>&1
}
make_a_newer_git

with_a_newer_git() {
  a_newer_git_runs || left_out "git 2.46 or later: $(tail -n 1 "$work/newer-git")"
  export PATH="$newer_git/root/usr/bin:$PATH" GIT_EXEC_PATH="$newer_git/root/usr/lib/git-core"
  export GIT_TEMPLATE_DIR="$newer_git/root/usr/share/git-core/templates"
}

git_version() {
  git --version | cut -d ' ' -f 3
}

# How this git sends the token.
scheme() {
  if printf '%s\n' 2.46 "$(git_version)" | sort --version-sort --check=silent; then echo Bearer; else echo Basic; fi
}

# A server at git.example.com with a private repository; git here finds it by this name, and never prompts.
git_server() {
  local name=$1
  git init --quiet --bare "$case/repositories/app.git"
  serve "$name=git_server" --repositories "$case/repositories" --tls "$certificate" "$key"
  git config --global http.sslCAInfo "$certificate"
  git config --global --add http.curloptResolve "$name.example.com:$port:127.0.0.1"
  url=https://$name.example.com:$port
  export GIT_TERMINAL_PROMPT=0
}

with_the_helper_of_the_example() {
  local server=${url#https://}
  example gitconfig "$HOME/example" "s/git\.example\.com/$server/"
  cat "$HOME/example" >>"$HOME/.gitconfig"
}

# The same helper, for every server that there is.
with_the_helper_for_every_server() {
  example gitconfig "$HOME/example" "s/git\.example\.com/${url#https://}/"
  git config --global credential.helper "$(git config --file "$HOME/example" --get "credential.$url.helper" pkce-token)"
}

works_with_a_private_repository() {
  git clone --quiet "$url/app.git" app 2>"$case/clone.err" || fail 'git clone failed'
  git -C app -c user.name=alice -c user.email=alice@example.com commit --quiet --allow-empty --message first
  git -C app push --quiet origin HEAD || fail 'git push failed'
  git ls-remote --quiet "$url/app.git" HEAD >"$case/remote" || fail 'git ls-remote failed'
  is 'the commit' "$(cut -f 1 "$case/remote")" "$(git -C app rev-parse HEAD)"
}

clones_and_pushes_with_git() {
  ${1:-} || exit
  git_server git
  with_the_helper_of_the_example
  works_with_a_private_repository
  saw git "GET /app.git/info/refs?service=git-upload-pack $(scheme) good"
  saw git "POST /app.git/git-receive-pack $(scheme) good"
  did git "$(git_version)" "cloned, pushed to and listed a private repository ($(scheme))"
}
check clones_and_pushes_with_git
check clones_and_pushes_with_git with_a_newer_git

sends_no_token_to_another_server_with_git() {
  ${1:-} || exit
  git_server git
  with_the_helper_for_every_server
  works_with_a_private_repository
  git_server other
  ! git clone --quiet "$url/app.git" other 2>"$case/other.err" || fail 'the other server needs no credential'
  saw other 'GET /app.git/info/refs?service=git-upload-pack - none'
  was_sent_no_token other
}
check sends_no_token_to_another_server_with_git
check sends_no_token_to_another_server_with_git with_a_newer_git

notes_that_the_port_is_missing_with_git() {
  ${1:-} || exit
  git_server git
  git config --global credential.helper '!pkce-token work --as git --host git.example.com'
  ! git clone --quiet "$url/app.git" app 2>"$case/clone.err" || fail 'another port was good enough'
  grep -qxF "pkce-token: note: --host names git.example.com, not ${url#https://}: no token is printed" \
    "$case/clone.err" ||
    fail "another message: $(cat "$case/clone.err")"
  was_sent_no_token git
}
check notes_that_the_port_is_missing_with_git
check notes_that_the_port_is_missing_with_git with_a_newer_git

sends_no_token_over_http_with_git() {
  ${1:-} || exit
  git_server git
  with_the_helper_for_every_server
  serve plain=git_server --repositories "$case/repositories"
  git config --global --add http.curloptResolve "git.example.com:$port:127.0.0.1"
  # It names both servers.
  git config --global credential.helper "$(git config --global credential.helper) --host git.example.com:$port"
  works_with_a_private_repository
  ! git clone --quiet "http://git.example.com:$port/app.git" plain 2>"$case/plain.err" || fail 'http was good enough'
  saw plain 'GET /app.git/info/refs?service=git-upload-pack - none'
  was_sent_no_token plain
}
check sends_no_token_over_http_with_git
check sends_no_token_over_http_with_git with_a_newer_git

refreshes_a_token_that_a_git_server_refused() {
  ${1:-} || exit
  local before
  git_server git
  with_the_helper_of_the_example
  revoke_the_token
  before=$(pkce-load work -r refresh_token)
  ! git clone --quiet "$url/app.git" app 2>"$case/clone.err" || fail 'a revoked token was good enough'
  saw git "GET /app.git/info/refs?service=git-upload-pack $(scheme) bad"
  is 'the refresh token, which stays' "$(pkce-load work -r refresh_token)" "$before"
  works_with_a_private_repository
  is 'the login' "$(pkce-load work -r client_id)" pkce-tools
}
check refreshes_a_token_that_a_git_server_refused
check refreshes_a_token_that_a_git_server_refused with_a_newer_git

# One that stores what it is given in a file.
with_a_helper_that_stores() {
  git config --global credential.helper store
}

keeps_the_token_from_other_helpers_of_git() {
  git_server git
  with_a_helper_that_stores
  with_the_helper_of_the_example
  works_with_a_private_repository
}
check keeps_the_token_from_other_helpers_of_git

without_the_empty_helper_of_the_example() {
  git config --global --add credential.helper "!pkce-token work --as git --host ${url#https://}"
}

shows_a_password_to_other_helpers_of_git_without_the_empty_one() {
  [ "$(scheme)" = Basic ] || left_out 'this git sends the token as a bearer'
  git_server git
  with_a_helper_that_stores
  without_the_empty_helper_of_the_example
  works_with_a_private_repository
  leaks disk:.git-credentials
  [ -e .git-credentials ] || fail 'no other helper stored it'
}
check shows_a_password_to_other_helpers_of_git_without_the_empty_one

# What is sent as a bearer is ephemeral.
shows_a_bearer_to_no_other_helper_of_git() {
  ${1:-} || exit
  git_server git
  with_a_helper_that_stores
  without_the_empty_helper_of_the_example
  works_with_a_private_repository
}
check shows_a_bearer_to_no_other_helper_of_git with_a_newer_git

keeps_the_token_when_another_one_is_erased() {
  printf '%s\n' protocol=https host=git.example.com username=oauth2 password=another |
    pkce-token work --as git --host git.example.com erase >"$case/out" || fail 'erase failed'
  is 'standard output' "$(cat "$case/out")" ''
  is 'the expiry' "$(pkce-load work | jq '.expires_at > now')" true
}
check keeps_the_token_when_another_one_is_erased

refreshes_once_for_a_hundred_at_a_time() {
  local process processes=() file=$HOME/.local/state/pkce/work.json
  serve forward
  jq -c --arg port "$port" '.expires_at = 1 | .token_endpoint |= sub(":[0-9]+/"; ":\($port)/")' "$file" >"$case/login"
  cat "$case/login" >"$file"
  rm "$case/login"
  mkdir "$case/tokens.d"
  for process in $(seq 100); do
    printf '%s\n' protocol=https host=git.example.com |
      pkce-token work --as git --host git.example.com get >"$case/tokens.d/$process" &
    processes+=($!)
  done
  for process in "${processes[@]}"; do
    wait "$process" || fail 'one of them failed'
  done
  is 'refresh requests' "$(requests forward)" 'POST /token - none'
  is 'different passwords' "$(grep -h '^password=' "$case/tokens.d"/* | sort | uniq -c | awk '{ print $1 }')" 100
}
check refreshes_once_for_a_hundred_at_a_time
