//! HTML responses: one self-contained page each, with headers that prevent leaks of a code (RFC 9700 section 4.2.4).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::wire::request::phrase;

/// A page: a status, a title, and its content as HTML.
pub struct Html<'a> {
    /// The status of the response.
    pub status: u16,
    /// `good`, `bad` or `plain`: the colour of the mark.
    pub mood: &'a str,
    /// One of the marks below.
    pub mark: &'a str,
    /// The title, as HTML.
    pub title: &'a str,
    /// The content below the title, as HTML.
    pub content: &'a str,
    /// Additional header lines, each with CR LF.
    pub headers: &'a str,
}

impl Html<'_> {
    /// The whole HTTP response, head and body.
    pub fn response(&self) -> Vec<u8> {
        let Html { status, mood, mark, title, content, headers } = self;
        let body = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n\
             <style>{STYLE}</style>\n<main class=\"{mood}\">\n\
             <svg class=\"mark\" viewBox=\"0 0 24 24\" aria-hidden=\"true\"><path d=\"{mark}\"/></svg>\n\
             <h1>{title}</h1>\n{content}\n</main>\n\
             <script>{SCRIPT}</script>\n</html>\n"
        );
        format!(
            "HTTP/1.1 {status} {}\r\n\
             Content-Type: text/html; charset=utf-8\r\n\
             Content-Length: {}\r\n\
             Connection: close\r\n\
             Cache-Control: no-store\r\n\
             Referrer-Policy: no-referrer\r\n\
             X-Content-Type-Options: nosniff\r\n\
             X-Frame-Options: DENY\r\n\
             Cross-Origin-Opener-Policy: same-origin\r\n\
             Content-Security-Policy: default-src 'none'; style-src '{}'; script-src '{}'; img-src data:; \
             base-uri 'none'; frame-ancestors 'none'\r\n{headers}\r\n{body}",
            phrase(*status),
            body.len(),
            digest(STYLE),
            digest(SCRIPT),
        )
        .into_bytes()
    }
}

/// The text of HTML without tags, with its character references decoded.
pub fn unescaped(html: &str) -> String {
    let mut parts = html.split('<');
    let first = parts.next().unwrap_or_default().to_owned();
    let text = parts.fold(first, |text, part| text + part.split_once('>').map_or(part, |(_, after)| after));
    let mut parts = text.split('&');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(';').and_then(|(name, after)| Some((character(name)?, after))) {
            Some((character, after)) => {
                decoded.push(character);
                decoded.push_str(after);
            }
            None => {
                decoded.push('&');
                decoded.push_str(part);
            }
        }
    }
    decoded
}

/// The character of a reference such as `amp`, `#39` or `#x27`, without `&` and `;`: those of [`escaped`], any number, and
/// the names of characters that codes and addresses have.
pub fn character(reference: &str) -> Option<char> {
    match reference {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "sol" => Some('/'),
        "plus" => Some('+'),
        "equals" => Some('='),
        "commat" => Some('@'),
        _ => {
            let number = reference.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

/// Text escaped for HTML, attributes included.
pub fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
    html
}

/// The Content-Security-Policy hash of the page's style or script, the only ones allowed.
fn digest(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

/// A mark, as a path of 24 by 24 units, since a system may lack the glyph: it went well.
pub const CHECK: &str = "M5 13l4.5 4.5L19 7.5";
/// It did not happen.
pub const CROSS: &str = "M7 7l10 10M17 7L7 17";
/// Something is wrong.
pub const EXCLAMATION: &str = "M12 4.5v9.5M12 19v.01";
/// A question, or something that is not known.
pub const QUESTION: &str = "M8.5 8.5a3.5 3.5 0 1 1 5.3 3c-1.2.7-1.8 1.4-1.8 2.8M12 19v.01";
/// Who it is.
pub const PERSON: &str = "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20.5c.8-4 3.8-5.5 7.5-5.5s6.7 1.5 7.5 5.5";
/// Another device.
pub const SCREEN: &str = "M3.5 5h17v11.5h-17zM12 16.5V20M8.5 20h7";

/// Removes the code from the address bar and the history (RFC 9700 section 4.3.1).
const SCRIPT: &str = "history.replaceState(null,'',location.pathname)";

const STYLE: &str = "
:root{--page:#f4f5f7;--card:#fff;--text:#1c2430;--soft:#566172;--line:#dfe3e9;--good:#12805c;--bad:#b3261e;
--key:#2558c7;--on-key:#fff}
@media(prefers-color-scheme:dark){
:root{--page:#12161c;--card:#1b212a;--text:#e8ecf2;--soft:#a3afbf;--line:#2d3643;--good:#4cc79a;--bad:#f2847c;
--key:#8db0ff;--on-key:#10203f}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--page);
color:var(--text);font:1rem/1.6 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}
main{width:100%;max-width:27rem;padding:2.5rem 2.25rem;background:var(--card);border:1px solid var(--line);
border-radius:1rem;text-align:center}
.mark{display:block;width:3.5rem;height:3.5rem;margin:0 auto 1.25rem;padding:.75rem;border:2px solid;border-radius:50%;
color:var(--key);fill:none;stroke:currentColor;stroke-width:2.25;stroke-linecap:round;stroke-linejoin:round}
.good .mark{color:var(--good)}
.bad .mark{color:var(--bad)}
h1{margin:0 0 .5rem;font-size:1.375rem;line-height:1.3}
p{margin:0 0 1rem;color:var(--soft);overflow-wrap:anywhere}
b{color:var(--text)}
ul{margin:0 0 1rem;padding-left:1.25rem;text-align:left;color:var(--soft);overflow-wrap:anywhere}
main>:last-child{margin-bottom:0}
label{display:block;margin-bottom:.25rem;text-align:left;color:var(--soft)}
input{width:100%;margin-bottom:1rem;padding:.6rem .75rem;border:1px solid var(--line);border-radius:.5rem;
background:var(--page);color:var(--text);font:inherit}
button{padding:.6rem 1.25rem;border:1px solid var(--key);border-radius:.5rem;background:var(--key);
color:var(--on-key);font:inherit;cursor:pointer}
button+button{margin-left:.25rem}
button.quiet{background:none;color:var(--key)}
:focus-visible{outline:2px solid var(--key);outline-offset:2px}
";
