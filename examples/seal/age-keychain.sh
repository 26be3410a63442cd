# shellcheck shell=sh
# Encrypts stored logins with age. The key is in the login keychain of macOS.
# Source this file in sh, bash, zsh or fish.
#
# Needs: age (brew install age).
# To make the key, once (the key is not an argument: security reads the command from standard input):
#   age-keygen | sed -n 's/^AGE/add-generic-password -s pkce-tools -a pkce-tools -w &/p' | security -i
# Protects against: a stolen disk, a backup, another user. While the keychain is unlocked, your programs can read the
#   key with security.
# Without a desktop session (cron, SSH): the keychain is locked, and the commands fail. To unlock it for this session:
#   security unlock-keychain
# If it fails: status 3, or 5 if new tokens are lost; "PKCE_OPEN: the command failed", and before it the message of
#   security.
# Not tried: there was no macOS to try it on.
export PKCE_SEAL='{ security find-generic-password -s pkce-tools -w | age -e -i - /dev/fd/3; } 3<&0'
export PKCE_OPEN='{ security find-generic-password -s pkce-tools -w | age -d -i - /dev/fd/3; } 3<&0'
