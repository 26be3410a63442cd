#!/usr/bin/env bash
# Three ways to call an API with curl and the access token of the stored login `work`; copy the line that fits.

# The header on curl's standard input. curl does not start without a token.
pkce-token work -- curl --silent --show-error --fail-with-body --header @- https://api.example.com/me

# A line of curl's configuration; with imap:// and smtp:// URLs too.
pkce-token work --as curl | curl --silent --show-error --fail-with-body --config - https://api.example.com/me

# For a server that expects the token as a password (bash or zsh).
curl --silent --show-error --fail-with-body --netrc-file <(pkce-token work --as netrc --host api.example.com) \
  https://api.example.com/me
