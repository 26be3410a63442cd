# Completion of the pkce tools in bash: options, their values, the names of stored logins, else the names of files.
# Options and values are read from the tool's own --help, so that they are always correct.

# Runs a tool of the PATH, never an alias or a function of its name.
_pkce_tools_run() {
  type -P "$1" >/dev/null && command "$@" </dev/null 2>/dev/null
}

# The tool's usage on one line, then each of its options on one.
_pkce_tools_help() {
  _pkce_tools_run "$1" --help |
    command awk '/^(  |      )-/ { print "" } { $1 = $1; printf "%s ", $0 } END { print "" }'
}

# The names of the options in this help.
_pkce_tools_names() {
  local IFS=' ' words word
  while read -r -a words; do
    for word in "${words[@]}"; do
      [[ $word == -* ]] || break
      printf '%s\n' "${word%,}"
    done
  done
}

_pkce_tools() {
  local IFS=$'\n' tool=${1##*/} option=${COMP_WORDS[COMP_CWORD - 1]} typed begun usage options offered='' at word
  COMPREPLY=()
  # The words after -- belong to another command.
  for ((at = 1; at < COMP_CWORD; at++)); do
    [[ ${COMP_WORDS[at]} == -- ]] && return
  done
  # Bash splits a word at = and @, and replaces only $2, the part from there on.
  typed=${COMP_LINE:0:COMP_POINT}
  typed=${typed##*[[:blank:]]}
  [[ $typed == *"$2" ]] || return
  begun=$typed
  if [[ $typed == --*=* ]]; then
    option=${typed%%=*} begun=${typed#*=}
  fi
  options=$(_pkce_tools_help "$tool")
  usage=${options%%$'\n'*} options=${options#*$'\n'}
  if [[ $option == -* && $'\n'$options =~ $'\n'(-., )?"$option"(, --[^ ]+)?' <'[^$'\n']* ]]; then
    if [[ $option == --fault ]]; then
      offered=$(_pkce_tools_run "$tool" --list-faults | command cut -d ' ' -f 1)
    elif [[ ${BASH_REMATCH[0]} =~ ' values: '([^]]*) ]]; then
      offered=${BASH_REMATCH[1]//, /$'\n'}
    fi
  elif [[ $begun != "$typed" ]]; then
    # An option without a value: not even a file can follow =. Bash 3 has no compopt.
    compopt +o default 2>/dev/null
  elif [[ $begun == -* ]]; then
    offered=$(_pkce_tools_names <<<"$options")
  elif [[ $usage == *[\<\[]NAME[\]\>]* ]]; then
    offered=$(_pkce_tools_run pkce-load)
  fi
  while read -r word; do
    COMPREPLY+=("${word#"${typed%"$2"}"}")
  done < <(compgen -P "${typed%"$begun"}" -W "$offered" -- "$begun")
}

# bash-completion loads this file by the name of one tool; this registers all of them, and no other program.
complete -o default -F _pkce_tools pkce-callback pkce-device pkce-discover pkce-exchange pkce-gen pkce-idp pkce-load \
  pkce-login pkce-logout pkce-push pkce-refresh pkce-register pkce-revoke pkce-show pkce-store pkce-token pkce-url \
  pkce-verify
