//! The redirect to the client: RFC 6749 section 4.1.2, RFC 9207, RFC 8252 section 7.3.

mod browser;
mod listener;
mod page;
mod redirect;
mod response_file;
mod terminal;
mod wait;

use std::path::PathBuf;
use std::time::Duration;

use crate::client::endpoint::Endpoint;
use crate::client::redirect_uri::RedirectUri;
use crate::document::Document;
use crate::error::Error;
use crate::message;
use crate::process::Deadline;
use crate::wire::form;
use crate::wire::url::Url;

use redirect::Expected;

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
}

/// Receives the code for the document's authorization request, and adds it.
pub fn receive(mut document: Document, options: &Options) -> Result<Document, Error> {
    let request = authorization_url(&document)?;
    let redirect_uri = RedirectUri::from_document(&document)?;
    let listens = !options.paste && options.response_file.is_none();
    if !listens && redirect_uri.has_port_0() {
        let error = document.wrong("redirect_uri", "port 0 cannot be used without a listener");
        return Err(error.hint("name a port: pkce-url --redirect-uri http://127.0.0.1:8080/callback"));
    }
    let mut expected = Expected::from_document(&document, redirect_uri.as_str().to_owned(), options.allow_bare_code)?;
    let mut wait = wait::Wait::new(Deadline::after(options.timeout))?;
    if let Some(file) = &options.response_file {
        wait.read(file)?;
    } else if options.paste {
        wait.require_terminal()?;
    } else {
        let Some(url) = redirect_uri.loopback() else {
            let error = document.wrong("redirect_uri", "not on this machine, so pkce-callback cannot listen there");
            return Err(error.hint("use --paste to paste the address that the browser was redirected to"));
        };
        let port = wait.listen(url)?;
        if redirect_uri.has_port_0() {
            let bound = redirect_uri.with_port(port);
            let opened = with_redirect_uri(&document, request.as_str(), redirect_uri.as_str(), &bound)?;
            document.set("redirect_uri", &bound);
            document.set("authorization_url", &opened);
            expected.redirect_uri = bound;
        }
        wait.accept_paste();
    }
    let opened = document.need("authorization_url")?;
    message::say(&format!("{}: to sign in, open this URL in a browser:\n{opened}", message::name()));
    if options.response_file.is_none() && !options.no_browser {
        wait.open(&opened)?;
    }
    let (code, iss) = wait.until_redirect(&expected)?;
    document.set("code", &code);
    document.set_given("iss", iss.as_deref());
    Ok(document)
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

/// The authorization URL with the redirect URI `new` in place of `old`.
fn with_redirect_uri(document: &Document, url: &str, old: &str, new: &str) -> Result<String, Error> {
    let (endpoint, query) = url.split_once('?').unwrap_or((url, ""));
    let mut found = false;
    let pairs: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some(("redirect_uri", value)) if form::decode(value).as_deref() == Some(old) => {
                found = true;
                format!("redirect_uri={}", form::encode(new))
            }
            _ => pair.to_owned(),
        })
        .collect();
    if !found {
        let error = document.wrong("authorization_url", "does not contain the document's redirect_uri with port 0");
        let hint = "a pushed request requires a port: pkce-url --redirect-uri http://127.0.0.1:8080/callback";
        return Err(error.hint(hint));
    }
    Ok(format!("{endpoint}?{}", pairs.join("&")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_the_port_it_found_into_the_url() {
        let document = Document::default();
        let (old, new) = ("http://[::1]:0/a:0", "http://[::1]:4711/a:0");
        let url = format!("https://a.b/c?x=1&redirect_uri={}&y", form::encode(old));
        let expected = format!("https://a.b/c?x=1&redirect_uri={}&y", form::encode(new));
        assert_eq!(with_redirect_uri(&document, &url, old, new).ok(), Some(expected));
        assert!(with_redirect_uri(&document, "https://a.b/c", old, new).is_err());
    }
}
