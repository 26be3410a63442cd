# shellcheck shell=sh
# Encrypts root's stored logins with systemd-creds: with the key of this machine, and with its TPM if it has one.
# Source this file in sh, bash, zsh or fish.
#
# Needs: systemd 250 or later, and root; for another user, see age-systemd.sh.
# The key is made at first use, in /var/lib/systemd/credential.secret.
#   To use only one of both: systemd-creds encrypt --with-key=host, or --with-key=tpm2
# Protects against: a backup without /var/lib/systemd; with a TPM also against a stolen disk. Root can read the logins.
# Without a session (cron, SSH): it works.
# If it fails: status 3, or 5 if new tokens are lost; "PKCE_OPEN: the command failed", and before it the message of
#   systemd-creds. With a TPM, this also happens after a change of Secure Boot (PCR 7): sign in again.
# A note of systemd-creds, that the key is not located on encrypted media, is none of these failures.
# Tried with systemd 252 on Debian 12: with the key of the machine, and with swtpm, a TPM in software; not tried with a
#   TPM in hardware.
export PKCE_SEAL='systemd-creds encrypt --name=pkce-tools - -'
export PKCE_OPEN='systemd-creds decrypt --name=pkce-tools - -'
