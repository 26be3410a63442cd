# shellcheck shell=sh
# Encrypts stored logins with age. The key is sealed in the TPM of this machine.
# Source this file in sh, bash, zsh or fish.
#
# Needs: age, tpm2-tools, a TPM 2.0, and membership in the group that owns /dev/tpmrm0 (mostly tss).
# To make the key, once (0x81008000 is a handle for your own use; any that is free will do):
#   tpm2_createprimary -T device:/dev/tpmrm0 -Q -C o -c primary.ctx
#   age-keygen | grep SECRET | tpm2_create -T device:/dev/tpmrm0 -Q -C primary.ctx -i - -c key.ctx
#   tpm2_evictcontrol -T device:/dev/tpmrm0 -Q -C o -c key.ctx 0x81008000
#   rm primary.ctx key.ctx
# Without -T, tpm2-tools use TCP where there is no TPM, and any local user can listen there.
# Protects against: a stolen disk, a backup, a copy on another machine. Whoever may use the TPM can read the key.
# Without a session (cron, SSH): it works.
# If it fails: status 3, or 5 if new tokens are lost; "PKCE_OPEN: the command failed", and before it the message
#   of tpm2_unseal. If the TPM was cleared or replaced, the key is gone: sign in again.
# Tried with tpm2-tools 5.4 and swtpm, a TPM in software; not tried with a TPM in hardware.
export PKCE_SEAL='{ tpm2_unseal -T device:/dev/tpmrm0 -c 0x81008000 | age -e -i - /dev/fd/3; } 3<&0'
export PKCE_OPEN='{ tpm2_unseal -T device:/dev/tpmrm0 -c 0x81008000 | age -d -i - /dev/fd/3; } 3<&0'
