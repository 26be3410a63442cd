# Fills in the first form with method POST on a page, and prints the request as a curl config file. The first line is a
# comment that identifies the form: its URL and its fields.
#
#   awk -f form.awk ACCOUNT ADDRESS RS='<' PAGE
#
# ACCOUNT has two lines, name and password; ADDRESS has the URL of the page.

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
  if (type ~ /^(|text|email)$/) has["value"] = known[1, 1]
  if (type == "password") has["value"] = known[1, 2]
  if (has["name"] == "") next
  fields = fields " " encoded(has["name"])
  data = data (data == "" ? "" : "&") encoded(has["name"]) "=" encoded(has["value"])
}
END {
  if (!form) exit 1
  url = absolute(action, known[2, 1])
  # A line break would start another curl option; browsers remove it too.
  gsub(/[\001-\037\177]/, "", url)
  path = url
  sub(/[?#].*/, "", path)
  gsub(/["\\]/, "\\\\&", url)
  print "# " path fields "\nurl = \"" url "\"\ndata = \"" data "\""
}

function attributes(text,   name, value) {
  for (split("", has); match(text, /^[ \t\r\n\/]*[^ \t\r\n\/>=]+/); has[name] = decoded(value)) {
    name = tolower(substr(text, 1, RLENGTH)); text = substr(text, RLENGTH + 1); value = ""
    sub(/^[ \t\r\n\/]+/, "", name)
    if (!match(text, /^[ \t\r\n]*=[ \t\r\n]*("[^"]*"|\047[^\047]*\047|[^ \t\r\n>"\047][^ \t\r\n>]*)?/)) continue
    value = substr(text, 1, RLENGTH); text = substr(text, RLENGTH + 1)
    sub(/^[ \t\r\n]*=[ \t\r\n]*/, "", value)
    if (value ~ /^["\047]/) value = substr(value, 2, length(value) - 2)
  }
}

function decoded(text,   out, name) {
  for (; match(text, /&#?[A-Za-z0-9]+;/); text = substr(text, RSTART + RLENGTH)) {
    name = tolower(substr(text, RSTART + 1, RLENGTH - 2))
    out = out substr(text, 1, RSTART - 1) (name in entity ? entity[name] : substr(text, RSTART, RLENGTH))
  }
  return out text
}

function encoded(text,   out, c) {
  for (; text != ""; text = substr(text, 2)) {
    c = substr(text, 1, 1)
    out = out (c ~ /[A-Za-z0-9._~-]/ ? c : sprintf("%%%02X", octet[c]))
  }
  return out
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
