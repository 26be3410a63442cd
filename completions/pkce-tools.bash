# Completion of the pkce tools' options in bash; where no option is begun, the names that are kept, the kinds of fault
# after --fault, or a file's name.
# Options are read from the tool's own --help, so that they are always those that it takes.

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
  local IFS=$'\n' begun=${COMP_WORDS[COMP_CWORD]} at
  COMPREPLY=()
  # What follows -- belongs to another command.
  for ((at = 1; at < COMP_CWORD; at++)); do
    [[ ${COMP_WORDS[at]} == -- ]] && return
  done
  if [[ $begun == -* ]]; then
    COMPREPLY=($(compgen -W "$(_pkce_tools_options "$1")" -- "$begun"))
  elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == --fault ]]; then
    COMPREPLY=($(compgen -W "$("$1" --list-faults 2>/dev/null | cut -d ' ' -f 1)" -- "$begun"))
  elif [[ ${1##*/} =~ ^pkce-(load|store|token)$ ]]; then
    COMPREPLY=($(compgen -W "$(pkce-load 2>/dev/null)" -- "$begun"))
  fi
}

# bash-completion loads this file by a tool's name; the others on the PATH are made known in one go.
complete -o default -F _pkce_tools "${BASH_SOURCE[0]##*/}" $(compgen -c pkce-)
