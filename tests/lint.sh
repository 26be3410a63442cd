#!/bin/sh
# Checks the shell scripts below the working directory: all of them with shellcheck, and those that begin with #!/bin/sh
# with checkbashisms too. A script is a file whose first line says so, or whose name ends in .sh or .bash; the blocks of a
# Markdown page that begin with ```sh are checked as one script.
set -eu

# The files whose name or first line matches; without what is installed or built, which is not ours. Cargo marks what it
# builds with a file CACHEDIR.TAG.
files() {
  LC_ALL=C find . -type d \( -name .git -o -name node_modules -o -name venv -o -name newer-git \
    -o -exec test -e '{}/CACHEDIR.TAG' \; \) -prune -o -type f -exec awk -v name="$1" -v first="$2" '
    FNR == 1 && ((name != "" && FILENAME ~ name) || (first != "" && $0 ~ first)) { print FILENAME }' {} +
}

# The lines around the blocks are left empty, so that the line numbers are those of the page.
has_good_blocks() {
  awk '/^```/ { inside = $0 == "```sh"; $0 = "" } !inside { $0 = "" } 1' "$1" | shellcheck --shell=bash -
}

# ulimit -f is in POSIX, among its X/Open System Interfaces; checkbashisms does not know it.
is_plain_shell() {
  sed 's/ulimit -f /: /' "$1" | checkbashisms --force - 2>&1
}

# Checks each file of standard input, and names it in the findings.
each() (
  status=0
  while read -r file; do
    found=$("$1" "$file") || {
      printf '%s\n' "$found" | sed "s,^In - ,In $file ,; s,(stdin),$file,"
      status=1
    }
  done
  exit "$status"
)

status=0
files '[.](ba)?sh$' '^#!.*[/ ](ba|da)?sh( |$)' | xargs shellcheck || status=1
files '[.]md$' '' | each has_good_blocks || status=1
files '' '^#! */(usr/)?bin/(env +)?sh( |$)' | each is_plain_shell || status=1
[ "$status" -eq 0 ]
