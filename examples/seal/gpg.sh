# shellcheck shell=sh
# Encrypts stored logins with your GnuPG key, on disk or on a smart card.
# Source this file in sh, bash, zsh or fish.
#
# Needs: gpg (GnuPG 2.2 or later).
# To make the key, if you have none (it prompts for a passphrase):
#   gpg --quick-generate-key pkce-tools
# Protects against: a stolen disk, a backup, another user; how well depends on the passphrase. While gpg-agent remembers
#   it, your programs can decrypt.
# In a terminal: set GPG_TTY="$(tty)", so that gpg-agent can prompt there.
# Without a session (cron, SSH): it works while gpg-agent remembers the passphrase, or if there is none. Otherwise the
#   command fails, at once if nobody can be prompted, and after --timeout (30 seconds) if nobody answers the prompt.
# If it fails: status 3, or 5 if new tokens are lost; "PKCE_OPEN: the command failed", and before it the message of
#   gpg, such as "No secret key".
# Tried with GnuPG 2.2 on Debian 12; not tried with a smart card.
export PKCE_SEAL='gpg --batch -q --default-recipient-self -e'
export PKCE_OPEN='gpg --batch -q -d'
