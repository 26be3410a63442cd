#!/usr/bin/env bash
# What a person does with the standard error of pkce-device, which is our standard input: reads it, and visits the page on
# another device. VISIT is as in visit.sh; with VISIT=never the person goes away.
set -euo pipefail

address='' code=''
while IFS= read -r line; do
  printf '%s\n' "$line" >&2
  case $line in
    '    http'*) address=${address:-${line#    }} ;;
    '    '*) code=${line#    } ;;
    *) continue ;;
  esac
  if [ -n "$code" ] && [ "${VISIT:-}" != never ]; then
    timeout 30 bash ./visit.sh "$address" "$code" || :
    break
  fi
done
cat >&2
