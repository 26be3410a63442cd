//! The pages that the browser shows: self-contained, safe, and plain about what they know.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::request::phrase;
use crate::{Error, Kind};

/// A page for one end of a login, or for a request that is none.
pub struct Page {
    status: u16,
    mood: &'static str,
    mark: &'static str,
    title: &'static str,
    text: String,
}

impl Page {
    /// The redirect came and is right; that the login succeeded is not known yet.
    pub fn arrived() -> Page {
        let text = "The sign-in has reached the terminal, which goes on from here. You can close this page.";
        Page::new(200, "good", "&#10003;", "Back to the terminal", text)
    }

    /// The redirect came and ends the login.
    pub fn failed(error: &Error) -> Page {
        match (error.kind, error.report.error.as_deref()) {
            (Kind::Untrusted, _) => {
                let text = "What came back is not the answer that this sign-in must get, so it was not used. \
                            The terminal says what is wrong. If it happens again, tell whoever runs the server.";
                Page::new(400, "bad", "!", "This sign-in was stopped", text)
            }
            (_, Some("access_denied")) => {
                let text = "Access was denied, so nothing was signed in. \
                            You can close this page; the terminal knows (access_denied).";
                Page::new(200, "bad", "&#215;", "You are not signed in", text)
            }
            _ => {
                let text = "The server did not sign you in. The terminal says why. You can close this page.";
                Page::new(200, "bad", "&#215;", "You are not signed in", text)
            }
        }
    }

    /// A redirect of another login, or of none.
    pub fn ignored(why: &str) -> Page {
        let text = format!(
            "This page does not belong to the sign-in that the terminal waits for: {why}. \
             Nothing was changed; the terminal goes on waiting. Use the address that it printed last."
        );
        Page::new(400, "bad", "?", "Not this sign-in", &text)
    }

    /// A request that cannot be a redirect.
    pub fn bad(status: u16) -> Page {
        let text = format!("Nothing is here but the end of a sign-in, and this is not it ({status}).");
        Page::new(status, "bad", "?", "Nothing here", &text)
    }

    fn new(status: u16, mood: &'static str, mark: &'static str, title: &'static str, text: &str) -> Page {
        Page { status, mood, mark, title, text: text.to_owned() }
    }

    /// The whole answer, head and body. None of its text comes from the request.
    pub fn response(&self) -> Vec<u8> {
        let Page { status, mood, mark, title, text } = self;
        let body = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n\
             <style>{STYLE}</style>\n\
             <main class=\"{mood}\"><p class=\"mark\" aria-hidden=\"true\">{mark}</p><h1>{title}</h1><p>{text}</p></main>\n\
             <script>{SCRIPT}</script>\n</html>\n"
        );
        let allow = if *status == 405 { "Allow: GET\r\n" } else { "" };
        format!(
            "HTTP/1.1 {status} {}\r\n\
             Content-Type: text/html; charset=utf-8\r\n\
             Content-Length: {}\r\n\
             Connection: close\r\n\
             {allow}Cache-Control: no-store\r\n\
             Referrer-Policy: no-referrer\r\n\
             X-Content-Type-Options: nosniff\r\n\
             X-Frame-Options: DENY\r\n\
             Cross-Origin-Opener-Policy: same-origin\r\n\
             Content-Security-Policy: default-src 'none'; style-src '{}'; script-src '{}'; img-src data:; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\r\n{body}",
            phrase(*status),
            body.len(),
            digest(STYLE),
            digest(SCRIPT),
        )
        .into_bytes()
    }
}

/// The one style and the one script that the page may run, named by their digest.
fn digest(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

/// Takes the code out of the address bar and the history (RFC 9700 section 4.3.1).
const SCRIPT: &str = "history.replaceState(null,'',location.pathname)";

const STYLE: &str = "
:root{--page:#f4f5f7;--card:#fff;--text:#1c2430;--soft:#566172;--line:#dfe3e9;--good:#12805c;--bad:#b3261e}
@media(prefers-color-scheme:dark){
:root{--page:#12161c;--card:#1b212a;--text:#e8ecf2;--soft:#a3afbf;--line:#2d3643;--good:#4cc79a;--bad:#f2847c}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--page);
color:var(--text);font:1rem/1.6 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}
main{max-width:27rem;padding:2.5rem 2.25rem;background:var(--card);border:1px solid var(--line);
border-radius:1rem;text-align:center}
.mark{width:3.5rem;height:3.5rem;margin:0 auto 1.25rem;border-radius:50%;border:2px solid;
font-size:1.75rem;line-height:3.25rem}
.good .mark{color:var(--good)}
.bad .mark{color:var(--bad)}
h1{margin:0 0 .5rem;font-size:1.375rem;line-height:1.3}
main>p:last-child{margin:0;color:var(--soft)}
";
