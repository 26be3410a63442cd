# shellcheck shell=sh
# Encrypts stored logins with age. The key is in the secret service of the desktop (GNOME Keyring, KWallet, KeePassXC).
# Source this file in sh, bash, zsh or fish.
#
# Needs: age, secret-tool (Debian: libsecret-tools).
# To make the key, once:
#   age-keygen | secret-tool store --label=pkce-tools application pkce-tools
# Protects against: a stolen disk, a backup, another user. While you are signed in to the desktop, your programs can
#   read the key.
# Without a desktop session (cron, SSH): the secret service is missing or locked, and the commands fail; programs in
#   cron reach that of a running session with DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/UID/bus.
# If it fails: status 3, or 5 if new tokens are lost; "PKCE_OPEN: the command failed", and before it the message of
#   secret-tool, or age's "no secret keys found" if the key is missing or the secret service is locked.
# Tried with GNOME Keyring 42 on Debian 12; not tried with KWallet and KeePassXC.
export PKCE_SEAL='{ secret-tool lookup application pkce-tools | age -e -i - /dev/fd/3; } 3<&0'
export PKCE_OPEN='{ secret-tool lookup application pkce-tools | age -d -i - /dev/fd/3; } 3<&0'
