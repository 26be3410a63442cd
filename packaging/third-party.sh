#!/bin/sh
# Prints the licenses of what is linked into the programs for TARGET: those of each crate, and of the C library.
# CACHE is where cargo unpacks the crates.
set -eu
export LC_ALL=C
target=$1 cache=$2

texts=$(mktemp -d)
trap 'rm -r "$texts"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cat <<'END'
The programs of pkce-tools contain the standard library of Rust (MIT OR Apache-2.0, the Rust Project contributors), a C
library, and these crates. Where a license can be chosen, it is the first of the line. The texts of the licenses follow,
each once, with the crates that it belongs to; that of Apache-2.0 is in LICENSE-APACHE too.

END

# What is only needed for the build (procedural macros) is not in the programs.
${CARGO:-cargo} tree --locked --edges normal,no-proc-macro --target "$target" --prefix none --no-dedupe --format '{p} {l}' |
  grep -v '^pkce-tools ' | sort -u >"$texts/crates"
sed 's/ v/ /' "$texts/crates"

# Texts that differ in white space only are one.
while read -r name version _; do
  version=${version#v}
  find "$cache"/*/"$name-$version" -type f \( -iname '*licen[sc]e*' -o -name 'COPY*' -o -name 'NOTICE*' \) ! -name '*.rs' |
    sort >"$texts/files"
  while read -r file; do
    sum=$(tr -s '[:space:]' ' ' <"$file" | cksum | tr ' ' -)
    [ -e "$texts/$sum" ] || {
      cp "$file" "$texts/$sum"
      printf '%s\n' "$sum" >>"$texts/order"
    }
    grep -qsx "$name $version" "$texts/$sum.crates" || printf '%s\n' "$name $version" >>"$texts/$sum.crates"
  done <"$texts/files"
  cat "$texts"/*.crates | grep -qx "$name $version" || {
    echo "make dist: no license found in $cache for $name $version" >&2
    exit 1
  }
done <"$texts/crates"

heading() {
  printf '\n%s\n' '------------------------------------------------------------------------------'
  printf '%s\n\n' "$1" | fold -s -w 78 | sed 's/ $//'
}

while read -r sum; do
  heading "$(paste -s -d , "$texts/$sum.crates" | sed 's/,/, /g')"
  cat "$texts/$sum"
done <"$texts/order"

case $target in
*-linux-gnu)
  heading "the GNU C Library, linked statically: the sources of pkce-tools and make dist link it with another version"
  cat /usr/share/doc/libc6-dev/copyright
  heading "the GNU Lesser General Public License, version 2.1, of the GNU C Library"
  cat /usr/share/common-licenses/LGPL-2.1
  ;;
*-linux-musl)
  heading "musl: MIT; Copyright 2005-2025 Rich Felker, et al.; its terms are those of LICENSE-MIT"
  ;;
esac
