#!/usr/bin/env bash
# Plays one scenario of MCP's conformance suite at a revision of MCP, and checks what the suite does not: that the
# client ended as it should, and said why if that is a refusal. The rest of the arguments is the suite's command.
set -u
revision=$1 scenario=$2
shift 2

directory=$(mktemp -d)
"$@" client --command 'bash ./mcp/client.sh' --scenario "$scenario" --spec-version "$revision" --timeout 60000 \
  --output-dir "$directory" >"$directory/log" 2>&1
suite=$?
cd "$directory/$scenario"-* || exit

fail() {
  echo "$scenario: $1"
  cat "$directory/log" stdout.txt stderr.txt
  exit 1
}

# How the client has to end, and what it has to say beside the URLs to open.
status=0 message=
case $scenario in
  auth/metadata-var2) message='pkce-discover: note: the token is for ORIGIN, which the resource is part of' ;;
  auth/authorization-server-migration)
    message='pkce-store: note: the issuer differs from the one stored before'
    ;;
  auth/resource-mismatch)
    status=4 message='pkce-discover: resource metadata: resource: https://evil.example.com/mcp instead of ORIGIN/mcp'
    ;;
  auth/metadata-issuer-mismatch)
    status=4 message='pkce-discover: metadata: issuer: https://attacker.example.com instead of ORIGIN'
    ;;
  auth/iss-supported-missing)
    status=4 message="pkce-callback: redirect: iss: missing, although the server's metadata promises it"
    ;;
  auth/iss-wrong-issuer | auth/iss-unexpected | auth/iss-normalized)
    status=4 message='pkce-callback: redirect: iss: OTHER instead of ORIGIN'
    ;;
  auth/scope-retry-limit) status=1 message='mcp-call: the server does not accept the token' ;;
esac

[ "$suite" -eq 0 ] || fail "the suite ended with status $suite"
[ "$(tail -n 1 stdout.txt)" = "status $status" ] || fail "the client ended with another status than $status"
said=$(grep -v -e '^pkce-callback: to sign in, open this URL' -e '^http' stderr.txt |
  sed -e 's,http://localhost:[0-9]*,ORIGIN,g' -e 's,\(redirect: iss: \).* instead of .*,\1OTHER instead of ORIGIN,')
[ "$said" = "$message" ] || fail "the client said something else than: $message"
jq -e '[.[].status] | all(IN("SUCCESS", "INFO")) and any(. == "SUCCESS")' checks.json >/dev/null ||
  fail 'a check is neither passed nor for information'
# The server accepted a token for both requests.
[ "$status" -ne 0 ] ||
  jq -e 'map(select(.id == "valid-bearer-token")) | length >= 2' checks.json >/dev/null ||
  fail 'the client sent no token'
