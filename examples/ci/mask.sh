#!/bin/sh
# Has the log of a CI job mask each secret of a document, and hands the document on as it is:
#
#   ... | pkce-callback | sh mask.sh | pkce-exchange | sh mask.sh | pkce-verify | ...
#
# The runners of GitHub Actions and Azure Pipelines take commands from standard error as well as from standard output;
# they keep such a line out of the log, and put *** for its value from then on. So standard error must be the job's own.
# Anywhere else these lines would be the leak, and there it refuses to run.
{ set +x; } 2>/dev/null
set -eu

# A failure line goes to a pipe, as the tools' own does, and nowhere else.
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
  fail 'environment: neither GITHUB_ACTIONS nor TF_BUILD is set; elsewhere the masks would show the secrets'
fi
command -v jq >/dev/null || fail 'jq: not found'

# The dot keeps the newlines at the end. printf is the shell's own, so that no argument list has the document.
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

# All that stands under a secret's name, at any depth. A value of several lines is masked as a whole and line by line,
# since the log is looked through by lines. jq's own message could quote the document.
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

# First the masks, since what comes after may print a secret at once; and on a line of their own, whatever stands there.
[ -z "$masks" ] || printf '\n%s\n' "$masks" >&2
printf %s "$document"
