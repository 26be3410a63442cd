# shellcheck shell=sh
# Encrypts stored logins with age. systemd decrypts the key for one service, whatever its user.
#
# Needs: age, systemd 250 or later.
# To make the key, once, as root:
#   age-keygen | systemd-creds encrypt --name=pkce-tools - /etc/pkce-tools.cred
# In the unit (with the path of this file):
#   LoadCredentialEncrypted=pkce-tools:/etc/pkce-tools.cred
#   ExecStart=/bin/sh -c '. /etc/age-systemd.sh; exec pkce-token work -- report'
# Protects against: a backup without /var/lib/systemd, another user; with a TPM also against a stolen disk. Root, and
#   while the service runs its user, can read the key.
# Outside the service: CREDENTIALS_DIRECTORY is not set, and the commands fail. Sign in inside it too:
#   systemd-run --pty --uid=USER -p LoadCredentialEncrypted=pkce-tools:/etc/pkce-tools.cred sh
# If it fails: status 3, or 5 if new tokens are lost; "PKCE_OPEN: the command failed", and before it the message of
#   age. If the unit does not start (status=243/CREDENTIALS), this machine cannot decrypt the key.
# Tried with systemd-creds 252 on Debian 12, its output in CREDENTIALS_DIRECTORY; not tried in a running unit.
export PKCE_SEAL='cd "${CREDENTIALS_DIRECTORY:?}" && age -e -i pkce-tools'
export PKCE_OPEN='cd "${CREDENTIALS_DIRECTORY:?}" && age -d -i pkce-tools'
