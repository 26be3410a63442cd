#!/bin/sh
# Gives pnpm the access token of the stored login `work` for one registry. Save it, executable, as
# /usr/local/bin/npm-token (pnpm requires an absolute path and passes no arguments), and in ~/.npmrc write:
#
#   registry=https://npm.example.com/
#   //npm.example.com/:tokenHelper=/usr/local/bin/npm-token
#
# pnpm applies this to http:// too, if the .npmrc of a project names the registry so.
exec pkce-token work --as bearer
