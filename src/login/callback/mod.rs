//! The redirect to the client: RFC 6749 section 4.1.2, RFC 9207, RFC 8252 section 7.3.

mod browser;
mod listener;
mod page;
mod peer;
pub mod redirect;
mod response_file;
mod terminal;
mod wait;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::client::endpoint::Endpoint;
use crate::client::redirect_uri::{self, RedirectUri};
use crate::document::Document;
use crate::error::Error;
use crate::message;
use crate::process::{Deadline, reader};
use crate::wire::form;
use crate::wire::url::Url;

use redirect::Expected;
use response_file::ResponseFile;
use terminal::Terminal;

/// How the redirect is received.
pub struct Options {
    /// How long to wait.
    pub timeout: Duration,
    /// The file to read it from, written by a script.
    pub response_file: Option<PathBuf>,
    /// Whether to read it from the terminal only.
    pub paste: bool,
    /// Whether to open no browser.
    pub no_browser: bool,
    /// Whether to accept a pasted code without its state.
    pub allow_bare_code: bool,
    /// Whether to accept the redirect of any user of this machine.
    pub any_user: bool,
}

/// What receives the redirect, as far as it can be known before the document is.
pub struct Receiver {
    options: Options,
    response: Option<ResponseFile>,
    terminal: Option<Terminal>,
    /// When the browser may be opened: the steps after this one have had time to check what they need, and to end.
    opens: Instant,
}

impl Receiver {
    /// Opens the response file, or the terminal for `--paste`; neither is read yet.
    pub fn new(options: Options) -> Result<Receiver, Error> {
        let opens = Instant::now() + HEAD_START;
        let response = options.response_file.as_deref().map(ResponseFile::open).transpose()?;
        let none = || Error::usage("--paste: no terminal").hint("use --response-file to read the address from a file");
        let terminal = options.paste.then(|| Terminal::open().ok_or_else(none)).transpose()?;
        Ok(Receiver { options, response, terminal, opens })
    }

    /// Receives the code for the document's authorization request, and adds it.
    pub fn receive(self, mut document: Document) -> Result<Document, Error> {
        let Receiver { options, response, terminal, opens } = self;
        document.check_room()?;
        let request = authorization_url(&document)?;
        let redirect_uri = RedirectUri::from_document(&document)?;
        let listens = response.is_none() && terminal.is_none();
        if !listens && redirect_uri.has_port_0() {
            let error = document.wrong("redirect_uri", "port 0 cannot be used without a listener");
            return Err(error.hint("name a port: pkce-url --redirect-uri http://127.0.0.1:8080/callback"));
        }
        let opens_browser = response.is_none() && !options.no_browser;
        let mut expected =
            Expected::from_document(&document, redirect_uri.as_str().to_owned(), options.allow_bare_code)?;
        let mut wait = wait::Wait::new(Deadline::after(options.timeout), response, terminal)?;
        if listens {
            let paste = "use --paste to paste the address that the browser was redirected to";
            let Some(url) = redirect_uri.loopback() else {
                let error = document.wrong("redirect_uri", "not on this machine, so pkce-callback cannot listen there");
                return Err(error.hint(paste));
            };
            if url.is_https() {
                let error = document.wrong("redirect_uri", "https, so pkce-callback cannot listen there");
                return Err(error.hint(paste));
            }
            let with_port = |port| with_redirect_uri(request.as_str(), &redirect_uri, port);
            let may_change = redirect_uri::may_change_port(&redirect_uri, &document)? && with_port(0).is_some();
            let port = wait.listen(url, may_change, options.any_user)?;
            if url.port().unwrap_or(80) != port {
                let Some((bound, opened)) = with_port(port) else {
                    let wrong = "does not contain the document's redirect_uri with port 0";
                    let error = document.wrong("authorization_url", wrong);
                    let hint =
                        "a pushed request requires a port: pkce-url --redirect-uri http://127.0.0.1:8080/callback";
                    return Err(error.hint(hint));
                };
                document.set("redirect_uri", &bound);
                document.set("authorization_url", &opened);
                expected.redirect_uri = bound;
            }
        }
        reader::wait_until(opens)?;
        let opened = document.need("authorization_url")?;
        wait.take_terminal();
        message::say(&format!("{}: to sign in, open this URL in a browser:\n{opened}", message::name()));
        if opens_browser {
            wait.open(&opened)?;
        }
        let (code, iss) = wait.until_redirect(&expected)?;
        document.set("code", &code);
        document.set_given("iss", iss.as_deref());
        Ok(document)
    }
}

/// The URL to open: https or local, and pushed if the server requires that (RFC 9126 section 5).
fn authorization_url(document: &Document) -> Result<Url, Error> {
    let endpoint = Endpoint::from_document(document, "authorization_url")?;
    let url = endpoint.url();
    let pushed = form::pairs(url.query().unwrap_or_default()).any(|(name, _)| name == "request_uri");
    if document.flag("require_pushed_authorization_requests")? && !pushed {
        let error = document.wrong("authorization_url", "the server accepts pushed requests only");
        return Err(error.hint("put pkce-push between pkce-url and pkce-callback"));
    }
    Ok(url.clone())
}

/// The redirect URI with this port, and the authorization URL with that; `None` if that does not have the redirect URI.
fn with_redirect_uri(url: &str, redirect_uri: &RedirectUri, port: u16) -> Option<(String, String)> {
    let (old, new) = (redirect_uri.as_str(), redirect_uri.with_port(port));
    let (endpoint, query) = url.split_once('?')?;
    let mut found = false;
    let pairs: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some(("redirect_uri", value)) if form::decode(value).as_deref() == Some(old) => {
                found = true;
                format!("redirect_uri={}", form::encode(&new))
            }
            _ => pair.to_owned(),
        })
        .collect();
    found.then(|| (new, format!("{endpoint}?{}", pairs.join("&"))))
}

/// The time from the start of this tool to the browser: with less, the steps after it are late on a busy machine
/// (`tests/bench/broken-end.sh`).
const HEAD_START: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_the_port_it_found_into_the_url() {
        let (old, new) = ("http://[::1]:0/a:0", "http://[::1]:4711/a:0");
        let redirect_uri = RedirectUri::parse(old, &Document::default()).ok().unwrap();
        let url = format!("https://a.b/c?x=1&redirect_uri={}&y", form::encode(old));
        let expected = format!("https://a.b/c?x=1&redirect_uri={}&y", form::encode(new));
        assert_eq!(with_redirect_uri(&url, &redirect_uri, 4711), Some((new.to_owned(), expected)));
        assert!(with_redirect_uri("https://a.b/c", &redirect_uri, 4711).is_none());
        assert!(with_redirect_uri("https://a.b/c?redirect_uri=x", &redirect_uri, 4711).is_none());
    }
}
