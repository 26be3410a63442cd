# Fills in the first form with method POST on a page, and prints the request as a curl config file. The first line is a
# comment that identifies the form: its URL and its fields.
#
#   awk -f form.awk ACCOUNT ADDRESS RS='<' PAGE
#
# ACCOUNT has two lines, name and password; ADDRESS has the URL of the page. The time that a page takes grows no faster
# than its size: nothing is done again for the rest of a text, or only so often.

BEGIN {
  for (n = 1; n < 256; n++) {
    c = sprintf("%c", n); octet[c] = n
    if (n < 128) entity["#" n] = entity[sprintf("#%03d", n)] = entity[sprintf("#x%x", n)] = c
  }
  entity["amp"] = "&"; entity["lt"] = "<"; entity["gt"] = ">"; entity["quot"] = "\""; entity["apos"] = "\047"
}

FNR == 1 { file++ }
file < 3 { sub(/\r$/, ""); known[file, FNR] = $0; next }

# A record is a tag and the text after it.
/^(!--|script)/ { skipped = /^!/ ? "-->" : "/script" }
skipped != "" { if (index($0, skipped)) skipped = ""; next }
!/^(\/?[Ff][Oo][Rr][Mm]|[Ii][Nn][Pp][Uu][Tt]|[Bb][Uu][Tt][Tt][Oo][Nn])/ { next }
{ match($0, /^\/?[A-Za-z]+/); tag = tolower(substr($0, 1, RLENGTH)); attributes(substr($0, RLENGTH + 1)) }
tag == "form" && !form && tolower(has["method"]) == "post" { form = open = 1; action = has["action"] }
tag == "/form" { open = 0 }
open && (tag == "input" || tag == "button") && !("disabled" in has) {
  type = tolower(has["type"])
  if (type == "" && tag == "button") type = "submit"
  if (type ~ /^(button|reset|image|file)$/) next
  # The text of a button follows its tag.
  if (type == "submit" && tolower(has["name"] " " has["value"] " " $0) ~ /cancel|deny|decline|reject|abort/) next
  if (type == "submit" && pressed++) next
  if (type ~ /^(checkbox|radio)$/ && !("checked" in has)) next
  if (type ~ /^(checkbox|radio)$/ && !("value" in has)) has["value"] = "on"
  if (type == "" || type ~ /^(text|email)$/) has["value"] = known[1, 1]
  if (type == "password") has["value"] = known[1, 2]
  if (has["name"] == "") next
  name[++fields] = has["name"]; value[fields] = has["value"]
}
END {
  # No server accepts a longer URL.
  if (!form || length(action) > 8000) exit 1
  url = absolute(action, known[2, 1])
  # A line break would start another curl option; browsers remove it too.
  gsub(/[\001-\037\177]/, "", url)
  path = url
  sub(/[?#].*/, "", path)
  gsub(/["\\]/, "\\\\&", url)
  printf "# %s", path
  for (n = 1; n <= fields; n++) { printf " "; encode(name[n]) }
  printf "\nurl = \"%s\"\ndata = \"", url
  for (n = 1; n <= fields; n++) { if (n > 1) printf "&"; encode(name[n]); printf "="; encode(value[n]) }
  print "\""
}

# The attributes of a tag; a tag of a form has no more than 100.
function attributes(text,   count, name, value) {
  for (split("", has); count++ < 100 && match(text, /^[ \t\r\n\/]*[^ \t\r\n\/>=]+/); has[name] = decoded(value)) {
    name = tolower(substr(text, 1, RLENGTH)); text = substr(text, RLENGTH + 1); value = ""
    sub(/^[ \t\r\n\/]+/, "", name)
    if (!match(text, /^[ \t\r\n]*=[ \t\r\n]*("[^"]*"|\047[^\047]*\047|[^ \t\r\n>"\047][^ \t\r\n>]*)?/)) continue
    value = substr(text, 1, RLENGTH); text = substr(text, RLENGTH + 1)
    sub(/^[ \t\r\n]*=[ \t\r\n]*/, "", value)
    if (value ~ /^["\047]/) value = substr(value, 2, length(value) - 2)
  }
}

function decoded(text,   parts, part, n, end, name) {
  parts = split(text, part, "&")
  for (n = 2; n <= parts; n++) {
    end = index(part[n], ";"); name = tolower(substr(part[n], 1, end ? end - 1 : 0))
    part[n] = name in entity ? entity[name] substr(part[n], end + 1) : "&" part[n]
  }
  return parts ? joined(part, 1, parts) : ""
}

# The parts from first to last, joined by halves, so that no long text is copied for each of them.
function joined(part, first, last,   middle) {
  if (first == last) return part[first]
  middle = int((first + last) / 2)
  return joined(part, first, middle) joined(part, middle + 1, last)
}

# Prints a text percent-encoded. It is cut into pieces first, since some versions of awk measure a text to find a
# character in it.
function encode(text,   at, piece, n, c) {
  for (at = 1; at <= length(text); at += 1000) {
    piece = substr(text, at, 1000)
    for (n = 1; n <= length(piece); n++) {
      c = substr(piece, n, 1)
      printf "%s", c ~ /[A-Za-z0-9._~-]/ ? c : sprintf("%%%02X", octet[c])
    }
  }
}

function absolute(to, from,   origin) {
  sub(/#.*/, "", from)
  match(from, /^[^:]*:\/\/[^\/?]*/)
  origin = substr(from, 1, RLENGTH)
  if (to == "" || to ~ /^[A-Za-z][A-Za-z0-9+.-]*:/) return to == "" ? from : to
  if (to ~ /^\//) return (to ~ /^\/\// ? substr(origin, 1, index(origin, ":")) : origin) to
  sub(/\?.*/, "", from)
  if (to !~ /^\?/ && from != origin) sub(/[^\/]*$/, "", from)
  return from (from == origin ? "/" : "") to
}
