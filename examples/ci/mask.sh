#!/bin/sh
# Makes the log of a CI job mask each secret of a document, and passes the document on unchanged:
#
#   ... | pkce-callback | sh mask.sh | pkce-exchange | sh mask.sh | pkce-verify | ...
#
# The runners of GitHub Actions and Azure Pipelines read commands from standard error as well as from standard output.
# They remove such a line from the log, and print *** instead of its value from then on. So standard error must be that
# of the job. Without such a runner, these lines would reveal the secrets, and the script refuses to run.
{ set +x; } 2>/dev/null
set -eu

# Like the tools, writes a failure line to a pipe only.
hand_on() {
  if [ -p /dev/stdout ] || [ -S /dev/stdout ]; then printf '%s\n' "$1"; fi
}

fail() {
  echo "mask: $1" >&2
  hand_on '!2 usage mask'
  exit 2
}

if [ "${GITHUB_ACTIONS:-}" = true ]; then
  command='::add-mask::' percent='%25'
elif [ "${TF_BUILD:-}" = True ]; then
  command='##vso[task.setsecret]' percent='%AZP25'
else
  fail 'environment: neither GITHUB_ACTIONS nor TF_BUILD is set; elsewhere the masks would reveal the secrets'
fi
command -v jq >/dev/null || fail 'jq: not found'

# The dot preserves trailing newlines. printf is a shell builtin, so no argument list contains the document.
document=$(cat; printf .)
document=${document%.}
case $document in
  !*)
    line=$(printf %s "$document")
    kinds='1 refused|2 usage|3 unavailable|4 untrusted|5 login_required|70 fault'
    if printf '%s\n' "$line" | grep -Eqx "!($kinds) [a-z-]+"; then
      hand_on "$line"
      line=${line#!}
      exit "${line%% *}"
    fi
    ;;
  *[![:space:]]*) ;;
  *) fail 'standard input: empty (did the step before fail?)' ;;
esac

# All values with the name of a secret, at any depth. A value of several lines is masked as a whole and line by line,
# because the log is searched line by line. Messages of jq are discarded, because they may quote the document.
masks=$(
  printf %s "$document" | jq -nr --stream --arg command "$command" --arg percent "$percent" '
    def secret: ascii_downcase | rtrimstr("s")
      | IN("code", "device_code") or any(endswith("token", "secret", "verifier", "password", "assertion"); .);
    def escaped: split("%") | join($percent) | split("\r") | join("%0D") | split("\n") | join("%0A");
    inputs | select(length == 2) | .[0] as $path | .[1]
      | if . == {} and $path == [] or ($path[0] | type) == "string" then . else error end
      | strings | select(any($path[]; strings | secret))
      | [., (split("\n")[] | split("\r")[])] | unique[] | select(. != "") | $command + escaped
  ' 2>/dev/null
) || fail 'standard input: not a JSON object'

# Print the masks first, because the next program may print a secret at once, and start them on a new line.
[ -z "$masks" ] || printf '\n%s\n' "$masks" >&2
printf %s "$document"
