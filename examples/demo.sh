#!/bin/sh
# A complete, unattended login to pkce-idp on this machine, step by step. Needs only the tools on the PATH and a POSIX
# system.
set -eu

if [ "${1:-}" != --inside ]; then
  exec pkce-idp --auto-approve -- sh "$0" --inside
fi

bold='' dim='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$(printf '\033[1m') dim=$(printf '\033[2m') plain=$(printf '\033[0m')
fi

# Prints the members of a document, one per line: name, tab, value.
members() {
  awk '{
    depth = 0; text = ""; inside = 0
    for (at = 1; at <= length($0); at++) {
      c = substr($0, at, 1)
      if (inside) {
        if (c == "\\") { text = text c; at++; c = substr($0, at, 1) } else if (c == "\"") inside = 0
      } else if (c == "\"") inside = 1
      else if (c == "{" || c == "[") { if (depth++ == 0) continue }
      else if (c == "}" || c == "]") { if (--depth == 0) c = "," }
      if (c == "," && !inside && depth <= 1) {
        split_at = index(text, "\":")
        print substr(text, 2, split_at - 2) "\t" substr(text, split_at + 2)
        text = ""
        continue
      }
      text = text c
    }
  }'
}

# Prints the members that a step added or removed; of secrets, only the first characters.
compare() {
  { printf '%s\n' "$1" | members; printf '=\n'; printf '%s\n' "$2" | members; } |
    awk -F '\t' -v dim="$dim" -v plain="$plain" '
      $0 == "=" { later = 1; next }
      !later { if ($1 != "") { before[$1] = $2; order[++count] = $1 }; next }
      {
        after[$1] = 1
        if (before[$1] == $2) next
        if ($1 ~ /^(code|code_verifier|access_token|refresh_token|id_token)$/) value = substr($2, 1, 9) "...\" (secret)"
        else value = length($2) > 60 ? substr($2, 1, 57) "..." : $2
        print "   + " $1 " " value
      }
      END { for (at = 1; at <= count; at++) if (!(order[at] in after)) print dim "   - " order[at] plain }
    '
}

# Runs one step as in the pipeline, and shows what it did.
step() {
  printf '\n%s%s%s\n   %s\n' "$bold" "$2" "$plain" "$1"
  next=$(printf '%s\n' "$document" | eval "$2")
  compare "$document" "$next"
  document=$next
}

printf '%s\n' "A test server listens at $PKCE_ISSUER"
printf '%s\n' "Each step reads a document, extends it and passes it on: + is an added member, - a removed one."

document='{}'
step "Fetch the server's metadata" "pkce-discover"
step "Generate the secrets of this login" "pkce-gen -"
step "Add the authorization URL" "pkce-url --scope 'openid offline_access' --prompt consent"
step "Open the browser and receive the authorization code" "pkce-callback"
step "Exchange the code for tokens" "pkce-exchange"
step "Verify the ID token with the server's keys" "pkce-verify"

printf '\n%sWho signed in%s, according to the verified ID token\n' "$bold" "$plain"
printf '%s\n' "$document" | pkce-verify -r id_token_claims | members |
  while IFS=$(printf '\t') read -r name value; do printf '   %s %s\n' "$name" "$value"; done

printf '\n%sLogged in.%s The same login as one pipeline, once the tools are installed:\n\n' "$bold" "$plain"
cat <<'PIPELINE'
   pkce-idp --auto-approve -- sh -c '
     pkce-discover | pkce-gen - | pkce-url --scope "openid offline_access" --prompt consent |
       pkce-callback | pkce-exchange | pkce-verify | pkce-show >/dev/null'
PIPELINE
