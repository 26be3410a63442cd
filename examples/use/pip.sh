#!/bin/sh
# Gives pip (23.1 or later) the access token of the stored login `work`, as the password for one index, and for no other
# URL. Save it as `keyring`, executable, in a directory of PATH, and in ~/.config/pip/pip.conf write:
#
#   [global]
#   keyring-provider = subprocess
#   index-url = https://oauth2@pypi.example.com/simple/
#
# Replace the URL in both places: but for oauth2@, it must be spelled the same, down to the last slash.
set -eu

index=https://pypi.example.com/simple/

token() {
  pkce-token work -r access_token
}

case $* in
  "get $index oauth2") token ;;
  # From pip 26.2 on.
  "--mode=creds --output=json get $index oauth2")
    token=$(token)
    printf '{"username":"oauth2","password":"%s"}\n' "$token"
    ;;
  *) exit 1 ;;
esac
