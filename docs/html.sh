#!/bin/sh
# Writes the man pages as HTML into the directory $1, with an index and a style sheet, ready to host.
set -eu
sources=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
html=$(cd "$1" && pwd)
cp "$sources/pages.css" "$html"

# mandoc links to the pages that it finds in the working directory, and to Debian's copy of all others.
cd "$sources/../man"
for page in *.[17]; do
  mandoc -T html -O 'style=pages.css,toc,man=%N.%S.html;https://manpages.debian.org/%N.%S' "$page" |
    sed 's,^<html>,<html lang="en">,; s,class="head-vol">[^<]*,class="head-vol"><a href="index.html">all pages</a>,' \
      >"$html/$page.html"
done

# The pages of a section as items of a list, each with its one-sentence purpose.
list() {
  for page in *."$1"; do
    printf '<dt><a href="%s.html">%s(%s)</a></dt>\n' "$page" "${page%.*}" "$1"
    sed -n 's/&/\&amp;/g; s/</\&lt;/g; s,^\.Nd \(.*\),<dd>\1</dd>,p' "$page"
  done
}

release=$(sed -n 's/^\.Os //p' pkce-tools.7)
cat >"$html/index.html" <<END
<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8"/>
  <meta name="viewport" content="width=device-width, initial-scale=1.0"/>
  <link rel="stylesheet" href="pages.css"/>
  <title>$release</title>
</head>
<body>
<div class="manual-text">
<h1>$release</h1>
<p>The manual of pkce-tools: small programs that log in with OAuth 2.0 and PKCE from a shell pipeline.</p>
<h2 id="guides">Guides</h2>
<dl class="index">
$(list 7)
</dl>
<h2 id="tools">Tools</h2>
<dl class="index">
$(list 1)
</dl>
</div>
</body>
</html>
END
