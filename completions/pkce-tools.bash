# Completion of the pkce tools' options in bash. Other words complete to the names of stored logins, the faults after
# --fault, or file names.
# The options are read from the tool's own --help, so that they are always correct.

_pkce_tools_options() {
  local IFS=$' \t\n' line word
  "$1" --help </dev/null 2>/dev/null | while read -r line; do
    [[ $line == -* ]] || continue
    for word in ${line%%  *}; do
      [[ $word == -* ]] && printf '%s\n' "${word%,}"
    done
  done
}

_pkce_tools() {
  local IFS=$'\n' begun=${COMP_WORDS[COMP_CWORD]} at typed
  COMPREPLY=()
  # The words after -- belong to another command.
  for ((at = 1; at < COMP_CWORD; at++)); do
    [[ ${COMP_WORDS[at]} == -- ]] && return
  done
  if [[ $begun == -* ]]; then
    COMPREPLY=($(compgen -W "$(_pkce_tools_options "$1")" -- "$begun"))
  elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == --fault ]]; then
    COMPREPLY=($(compgen -W "$("$1" --list-faults 2>/dev/null | cut -d ' ' -f 1)" -- "$begun"))
  elif [[ ${1##*/} =~ ^pkce-(load|revoke|store|token)$ ]]; then
    # Bash splits a name at @, and replaces only $2, the part from there on.
    typed=${COMP_LINE:0:COMP_POINT}
    typed=${typed##*[[:blank:]]}
    COMPREPLY=($(compgen -W "$(pkce-load 2>/dev/null)" -- "$typed"))
    COMPREPLY=("${COMPREPLY[@]#"${typed%"$2"}"}")
  fi
}

# bash-completion loads this file by the name of one tool; this registers all tools on the PATH.
complete -o default -F _pkce_tools "${BASH_SOURCE[0]##*/}" $(compgen -c pkce-)
