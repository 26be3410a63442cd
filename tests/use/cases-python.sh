# shellcheck shell=bash disable=SC2154 # run.sh sets these variables
# Programs and libraries in Python, and package managers. What several cases share is in cases-apis.sh.

# What an example says in its comment that belongs into a configuration file.
configuration() {
  sed -n 's/^#   //p' "$examples/$1"
}

prepare_pip() {
  export PATH="$HOME/bin:$PATH" PIP_DISABLE_PIP_VERSION_CHECK=1
  serve packages
  example pip.sh bin/keyring "s,https://pypi.example.com,http://127.0.0.1:$port,"
  chmod +x bin/keyring
  mkdir -p .config/pip
  configuration pip.sh | sed "s,https://oauth2@pypi.example.com,http://oauth2@127.0.0.1:$port," >.config/pip/pip.conf
}

pip_installs_from_a_private_index() {
  prepare_pip
  runs pip install --target installed hello
  cat "$case/err"
  ended 0
  [ -e installed/hello.py ] || fail 'the package is not installed'
  saw packages 'GET /simple/hello/ Basic good'
  saw packages 'GET /files/hello-1.0-py3-none-any.whl Basic good'
  # As pip called it before 26.2.
  is 'the password' "$(keyring get "http://127.0.0.1:$port/simple/" oauth2)" "$(pkce-token work -r access_token)"
  did pip "$(pip --version | cut -d ' ' -f 2)" 'installed a package from a private index'
}
check pip_installs_from_a_private_index

pip_sends_no_token_to_another_index() {
  prepare_pip
  runs pip install --target installed hello
  ended 0
  serve other=packages
  runs pip install --no-input --target other --index-url "http://oauth2@127.0.0.1:$port/simple/" hello
  ended 1
  saw other 'GET /simple/hello/ Basic none'
  was_sent_no_token other
}
check pip_sends_no_token_to_another_index

pip_fails_when_the_login_is_lost() {
  prepare_pip
  lose_the_login
  runs pip install --no-input --target installed hello
  ended 1
  grep -F 401 "$case/err" || fail 'another message'
  ! grep -q good "$case/packages.requests" || fail 'the index saw a token'
  runs keyring get "http://127.0.0.1:$port/simple/" oauth2
  says_that_the_login_is_lost
  ended 5
}
check pip_fails_when_the_login_is_lost

prepare_pnpm() {
  local pnpm=("$tests"/pnpm/node_modules/@pnpm/exe.linux-*)
  export PATH="${pnpm[0]}:$PATH"
  command -v pnpm >/dev/null || left_out 'pnpm is missing: npm ci failed'
  serve packages
  example pnpm.sh bin/npm-token
  chmod +x bin/npm-token
  configuration pnpm.sh |
    sed -e "s,https://npm.example.com/,http://127.0.0.1:$port/npm/," -e "s,//npm.example.com/,//127.0.0.1:$port/npm/," \
      -e "s,/usr/local/bin,$HOME/bin," >.npmrc
  new_project project
}

new_project() {
  mkdir "$HOME/$1"
  cd "$HOME/$1" || exit
  echo '{"private":true}' >package.json
}

pnpm_installs_from_a_private_registry() {
  prepare_pnpm
  runs pnpm add hello
  cat "$case/err"
  ended 0
  [ -e node_modules/hello/package.json ] || fail 'the package is not installed'
  saw packages 'GET /npm/hello Bearer good'
  saw packages 'GET /npm/hello.tgz Bearer good'
  did pnpm "$(pnpm --version)" 'installed a package from a private registry'
}
check pnpm_installs_from_a_private_registry

pnpm_sends_no_token_to_another_registry() {
  prepare_pnpm
  runs pnpm add hello
  ended 0
  serve other=packages
  new_project other
  echo "registry=http://127.0.0.1:$port/npm/" >.npmrc
  runs pnpm add hello
  ended 1
  saw other 'GET /npm/hello - none'
  was_sent_no_token other
}
check pnpm_sends_no_token_to_another_registry

pnpm_fails_when_the_login_is_lost() {
  prepare_pnpm
  lose_the_login
  runs pnpm add hello
  ended 1
  grep -F 401 "$case/err" || fail 'another message'
  ! grep -q good "$case/packages.requests" || fail 'the registry saw a token'
}
check pnpm_fails_when_the_login_is_lost

prepare_google() {
  "$python" -c 'import google.auth' 2>/dev/null || left_out 'google-auth is missing'
  serve sts
  example google.json google.json "s,https://sts.googleapis.com,http://127.0.0.1:$port,"
  export GOOGLE_APPLICATION_CREDENTIALS=$HOME/google.json GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1
}

calls_google() {
  runs "$python" -c 'import sys, google.auth, google.auth.transport.requests
credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
session = google.auth.transport.requests.AuthorizedSession(credentials)
print(session.get(f"http://127.0.0.1:{sys.argv[1]}/me").json()["sub"])' "$port"
}

google_auth_exchanges_the_ID_token() {
  prepare_google
  calls_google
  cat "$case/err"
  prints alice
  is 'what the server saw' "$(requests sts)" 'POST /v1/token subject_token good
GET /me - none'
  did google-auth "$(version_of_package google-auth)" 'exchanged the ID token and called an API'
}
check google_auth_exchanges_the_ID_token

# Its output has what is on standard error too.
google_auth_exchanges_the_ID_token_when_there_is_something_to_note() {
  prepare_google
  sed -i 's/--id-token/--id-token --min-ttl 100000/' google.json
  calls_google
  cat "$case/err"
  prints alice
  saw sts 'POST /v1/token subject_token good'
}
check google_auth_exchanges_the_ID_token_when_there_is_something_to_note

google_auth_says_what_pkce_token_says_when_the_login_is_lost() {
  prepare_google
  remove_the_login
  calls_google
  ended 1
  says_that_there_is_no_login
  grep -qF 'Executable exited with non-zero return code 5' "$case/err" || fail 'the status is missing'
  is 'what the server saw' "$(requests sts)" ''
}
check google_auth_says_what_pkce_token_says_when_the_login_is_lost

prepare_AWS() {
  "$python" -c 'import botocore' 2>/dev/null || left_out 'botocore is missing'
  serve sts
  example aws.sh bin/aws-credentials "s,https://sts.eu-central-1.amazonaws.com,http://127.0.0.1:$port,"
  chmod +x bin/aws-credentials
  export AWS_ENDPOINT_URL=http://127.0.0.1:$port AWS_EC2_METADATA_DISABLED=true
}

with_a_profile_of_AWS() {
  prepare_AWS
  mkdir .aws
  configuration aws.sh | sed -e '/^AWS_/,$d' -e "s,/usr/local/bin,$HOME/bin," >.aws/config
  export AWS_PROFILE=work
}

identity='import botocore.session
print(botocore.session.Session().create_client("sts").get_caller_identity()["Arn"])'

has_assumed_the_role() {
  says ''
  prints arn:aws:sts::123456789012:assumed-role/work/work
  is 'what the server saw' "$(requests sts)" 'POST / WebIdentityToken good
POST / - none'
  did botocore "$(version_of_package botocore)" "assumed a role with the ID token, $1"
}

botocore_takes_credentials_from_a_process() {
  with_a_profile_of_AWS
  runs "$python" -c "$identity"
  has_assumed_the_role 'by a process'
}
check botocore_takes_credentials_from_a_process

botocore_reads_the_ID_token_from_a_pipe() {
  prepare_AWS
  export AWS_DEFAULT_REGION=eu-central-1
  local command
  command=$(configuration aws.sh | sed -n '/^AWS_/,$p')
  runs bash -c "${command/COMMAND/'"$0" -c "$1"'}" "$python" "$identity"
  has_assumed_the_role 'by a pipe'
}
check botocore_reads_the_ID_token_from_a_pipe

botocore_says_what_the_service_says_when_it_refuses() {
  with_a_profile_of_AWS
  sed -i 's,role/work,role/other,' bin/aws-credentials
  runs "$python" -c "$identity"
  ended 1
  grep -qF '"Code": "AccessDenied", "Message": "Not authorized to perform sts:AssumeRoleWithWebIdentity"' "$case/err" ||
    fail "the response is missing: $(cat "$case/err")"
  is 'what the server saw' "$(requests sts)" 'POST / WebIdentityToken good'
  runs bin/aws-credentials
  ended 22
  prints ''
}
check botocore_says_what_the_service_says_when_it_refuses

botocore_says_what_pkce_token_says_when_the_login_is_lost() {
  with_a_profile_of_AWS
  remove_the_login
  runs "$python" -c "$identity"
  ended 1
  says_that_there_is_no_login
  is 'what the server saw' "$(requests sts)" ''
}
check botocore_says_what_pkce_token_says_when_the_login_is_lost

prepare_python() {
  serve api
  example python.py call.py "s,https://api.example.com,http://127.0.0.1:$port,"
}

python_calls_an_API() {
  prepare_python
  runs "$python" call.py
  says ''
  prints '{"sub": "alice", "path": "/me"}'
  is 'what the API saw' "$(requests api)" 'GET /me Bearer good'
  did Python "$("$python" --version | cut -d ' ' -f 2)" 'called an API'
}
check python_calls_an_API

python_ends_with_the_status_of_pkce_token_when_the_login_is_lost() {
  prepare_python
  lose_the_login
  runs "$python" call.py
  says_that_the_login_is_lost
  ended 5
  is 'what the API saw' "$(requests api)" ''
}
check python_ends_with_the_status_of_pkce_token_when_the_login_is_lost
