#!/usr/bin/env bash
# Runs one case with one program, inside of pkce-idp, which sets the issuer and the client. Usage: case.sh PROGRAM CASE
set -u
# What is left in the background ends too; oidc-agent's web server is no job of this shell.
trap 'kill -KILL $(jobs -p) $(pgrep -f "$PWD/socket") 2>/dev/null' EXIT

# with_PROGRAM CASE runs the case, prints what the program prints once it has the token, and returns its status, or 99
# if the program has no such case.
with_pkce-tools() {
  local scope='openid offline_access'
  if [ "$1" = device ]; then
    pkce-discover | pkce-gen - | pkce-device --scope "$scope" | pkce-verify -r access_token
  elif [ "$1" = callers ]; then
    pkce-discover | pkce-gen - | pkce-url --scope "$scope" --prompt consent | pkce-callback | pkce-exchange |
      pkce-verify | pkce-store work && ten_times pkce-token work -r access_token
  else
    pkce-discover | pkce-gen - | pkce-url --scope "$scope" | pkce-callback --timeout 5 | pkce-exchange |
      pkce-verify -r access_token
  fi
}

with_oauth2c() {
  local options=(--client-id "$PKCE_CLIENT_ID" --auth-method none --scopes openid --silent --no-prompt)
  [ "$1" != callers ] || return 99
  if [ "$1" = device ]; then
    options+=(--grant-type urn:ietf:params:oauth:grant-type:device_code --no-browser)
  else
    options+=(--grant-type authorization_code --response-types code --response-mode query --pkce
      --redirect-url "http://127.0.0.1:$PORT/callback")
  fi
  oauth2c "$PKCE_ISSUER" "${options[@]}"
}

# step fetches metadata over https only, so the endpoints are named.
with_step() {
  local options=(--token-endpoint "$PKCE_ISSUER/token" --client-id "$PKCE_CLIENT_ID" --scope openid --bare)
  case $1 in
  issuer | callers) return 99 ;;
  device) options+=(--console-flow device --device-authorization-endpoint "$PKCE_ISSUER/device_authorization") ;;
  *)
    options+=(--authorization-endpoint "$PKCE_ISSUER/authorize" --listen "127.0.0.1:$PORT"
      --listen-url "http://127.0.0.1:$PORT/callback")
    ;;
  esac
  step oauth "${options[@]}"
}

# Its requests have what pkce-idp, which is strict, refuses, and most servers do not: a proxy removes it.
with_oidc-agent() {
  local flow=code
  [ "$1" != device ] || flow=device
  export http_proxy OIDC_SOCK=$PWD/socket OIDC_ENCRYPTION_PW=work
  python3 -B "$HERE/oidc_agent.py" >port &
  until [ -s port ]; do sleep 0.1; done
  http_proxy=http://127.0.0.1:$(cat port)
  mkdir .oidc-agent
  oidc-agent -d -a "$OIDC_SOCK" >/dev/null &
  until [ -S "$OIDC_SOCK" ]; do sleep 0.1; done
  oidc-gen --manual --flow="$flow" --issuer="$PKCE_ISSUER" --client-id="$PKCE_CLIENT_ID" --client-secret= --pw-env \
    --scope='openid offline_access' --redirect-uri="http://localhost:$PORT" --confirm-yes --prompt=none work \
    </dev/null >/dev/null || return
  if [ "$1" = callers ]; then ten_times oidc-token work; else oidc-token work; fi
}

with_kubelogin() {
  local file options=(--oidc-issuer-url="$PKCE_ISSUER" --oidc-client-id="$PKCE_CLIENT_ID"
    --oidc-extra-scope=offline_access --oidc-auth-request-extra-params=prompt=consent --token-cache-dir=cache)
  if [ "$1" = device ]; then
    options+=(--grant-type=device-code)
  else
    options+=(--listen-address="127.0.0.1:$PORT" --browser-command=xdg-open)
  fi
  [ "$1" = callers ] || {
    kubelogin get-token "${options[@]}"
    return
  }
  kubelogin get-token "${options[@]}" >/dev/null || return
  # It decides by the time of the ID token, whose claims are therefore replaced by those of an expired one.
  file=$(find cache -type f ! -name '*.lock')
  jq -c '.id_token |= (split(".") | .[1] = ({exp: 1} | tojson | @base64 | gsub("="; "")) | join("."))' "$file" \
    >expired && cp expired "$file" && ten_times kubelogin get-token "${options[@]}"
}

with_git-credential-oauth() {
  local options=() name value
  case $1 in
  issuer | id_token | callers) return 99 ;;
  device) options+=(-device) ;;
  esac
  while read -r name value; do
    git config --global "credential.$PKCE_ISSUER.oauth$name" "$value"
  done <<END
ClientId $PKCE_CLIENT_ID
Scopes openid
AuthURL /authorize
TokenURL /token
DeviceAuthURL /device_authorization
RedirectURL http://127.0.0.1:$PORT/callback
END
  printf 'protocol=http\nhost=%s\n\n' "${PKCE_ISSUER#http://}" | git-credential-oauth "${options[@]}" get
}

# `pizauth show` fails, with a URL in its message, until the user has signed in at that URL.
with_pizauth() {
  local message=
  case $1 in device | issuer | id_token) return 99 ;; esac
  cat >pizauth.conf <<END
account "work" {
  auth_uri = "$PKCE_ISSUER/authorize";
  token_uri = "$PKCE_ISSUER/token";
  client_id = "$PKCE_CLIENT_ID";
  redirect_uri = "http://127.0.0.1/callback";
  scopes = ["openid", "offline_access"];
  auth_uri_fields = { "prompt": "consent" };
}
END
  export XDG_RUNTIME_DIR=$PWD
  pizauth server -d -c pizauth.conf &
  until [ "${message#*http}" != "$message" ]; do
    sleep 0.1
    message=$(pizauth show work 2>&1)
  done
  xdg-open "http${message#*http}"
  for _ in {1..20}; do
    sleep 0.25
    pizauth show -u work >shown && break
  done
  if [ "$1" = callers ] && [ -s shown ]; then ten_times pizauth show -u work; else pizauth show -u work; fi
}

# Runs a command ten times at once; prints how many different outputs there were, and how many failed.
ten_times() {
  local pids=() failed=0 each
  for each in {0..9}; do
    "$@" >"call.$each" &
    pids+=($!)
  done
  for each in "${pids[@]}"; do wait "$each" || ((failed++)); done
  echo "$(sort -u call.? | wc -l) token, $failed failed"
}

"with_$1" "$2"
