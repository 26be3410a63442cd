//! The redirect to the client: RFC 6749 section 4.1.2, RFC 9207, RFC 8252 section 7.3.

mod browser;
mod diag;
mod listener;
mod page;
mod peer;
pub mod redirect;
mod response_file;
mod terminal;
mod wait;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::client::endpoint::Endpoint;
use crate::client::redaction::without_secrets;
use crate::client::redirect_uri::{self, RedirectUri};
use crate::document::Document;
use crate::error::Error;
use crate::login::authorize::with_redirect_uri;
use crate::message;
use crate::process::reader::HeadStart;
use crate::process::terminal::say_with_address;
use crate::process::{Deadline, environment};
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
    /// Whether to accept a code without its state, if it is pasted or in the response file.
    pub allow_bare_code: bool,
    /// Whether to accept the redirect of any user of this machine.
    pub any_user: bool,
    /// Where to listen, if the redirect URI is forwarded.
    pub listen: Option<SocketAddr>,
}

/// What receives the redirect, as far as it can be known before the document is.
pub struct Receiver {
    options: Options,
    response: Option<ResponseFile>,
    terminal: Option<Terminal>,
    head_start: HeadStart,
}

impl Receiver {
    /// Opens the response file, or the terminal for `--paste`; neither is read yet.
    pub fn new(options: Options) -> Result<Receiver, Error> {
        let head_start = HeadStart::begin();
        let response = options.response_file.as_deref().map(ResponseFile::open).transpose()?;
        let none = || Error::usage("--paste: no terminal").hint("use --response-file to read the address from a file");
        let terminal = options.paste.then(|| Terminal::open().ok_or_else(none)).transpose()?;
        Ok(Receiver { options, response, terminal, head_start })
    }

    /// Receives the code for the document's authorization request, and adds it.
    pub fn receive(self, mut document: Document) -> Result<Document, Error> {
        let Receiver { options, response, terminal, head_start } = self;
        document.check_room()?;
        let request = authorization_url(&document)?;
        let redirect_uri = RedirectUri::from_document(&document)?;
        let listens = response.is_none() && terminal.is_none();
        let port_0 = if listens { "with --listen" } else { "without a listener" };
        if (!listens || options.listen.is_some()) && redirect_uri.has_port_0() {
            let error = document.wrong("redirect_uri", &format!("port 0 cannot be used {port_0}"));
            return Err(error.hint("name a port: pkce-url --redirect-uri http://127.0.0.1:8080/callback"));
        }
        let opens_browser = response.is_none() && !options.no_browser;
        let mut expected =
            Expected::from_document(&document, redirect_uri.as_str().to_owned(), options.allow_bare_code)?;
        let mut wait = wait::Wait::new(Deadline::after(options.timeout), response, terminal)?;
        let mut port = None;
        if listens && let Some(address) = options.listen {
            let no_host = || document.wrong("redirect_uri", "has no host, so it cannot be forwarded");
            wait.listen(redirect_uri.url().ok_or_else(no_host)?, Some(address), false, options.any_user)?;
        } else if listens {
            let wrong = |wrong: &str| document.wrong("redirect_uri", wrong).hint(PASTE);
            let not_here = || wrong("not on this machine, so pkce-callback cannot listen there");
            let url = redirect_uri.loopback().ok_or_else(not_here)?;
            if url.is_https() {
                return Err(wrong("https, so pkce-callback cannot listen there"));
            }
            let with_port = |port| with_redirect_uri(request.as_str(), &redirect_uri, port);
            let may_change = redirect_uri::may_change_port(&redirect_uri, &document)? && with_port(0).is_some();
            let bound_port = wait.listen(url, None, may_change, options.any_user)?;
            if url.port().unwrap_or(80) != bound_port {
                let Some((bound, opened)) = with_port(bound_port) else {
                    let wrong = "does not contain the document's redirect_uri with port 0";
                    let error = document.wrong("authorization_url", wrong);
                    return Err(error.hint("pkce-push chooses a port before it pushes the request"));
                };
                document.set("redirect_uri", &bound);
                document.set("authorization_url", &opened);
                expected.redirect_uri = bound;
                expected.is_port_free = true;
            }
            port = Some(bound_port);
        }
        head_start.wait()?;
        let opened = document.need("authorization_url")?;
        wait.take_terminal();
        let sentence = format!("{}: to sign in, open this URL in a browser:", message::name());
        say_with_address(&sentence, "", &opened);
        if opens_browser {
            wait.open(&opened)?;
        }
        if let Some(port) = port {
            let is_fixed = !expected.is_port_free;
            note_ssh(redirect_uri.url().map_or("", Url::host), port, is_fixed, wait.has_terminal());
        }
        let response = wait.until_redirect(&expected)?;
        document.set("code", &response.code);
        document.set_given("iss", response.iss.as_deref());
        Ok(with_parameters(document, response.others))
    }
}

/// Notes, over SSH, how a browser on another machine can deliver the redirect. A program in `BROWSER` runs on this one, or
/// forwards the port.
fn note_ssh(host: &str, port: u16, is_fixed: bool, can_paste: bool) {
    if environment::variable("SSH_CONNECTION").is_none() || environment::variable("BROWSER").is_some() {
        return;
    }
    message::note(&if can_paste {
        let unless = if is_fixed { format!(", unless port {port} is forwarded (ssh -L)") } else { String::new() };
        format!("over SSH, a browser on your own machine cannot load the last page: paste its address here{unless}")
    } else {
        format!("over SSH, a browser on your own machine needs the port: ssh -L {port}:{host}:{port} HOST")
    });
}

/// The document with the other parameters of the redirect as one object, which controls no later step. The code cannot be
/// requested again, so what cannot be added is left out, with a note.
fn with_parameters(mut document: Document, others: BTreeMap<String, Option<String>>) -> Document {
    document.remove(&[PARAMETERS]);
    let mut object = Document::default();
    let mut left_out = Vec::new();
    for (name, value) in others {
        match value {
            Some(value) => object.set(&name, &value),
            None => left_out.push(name),
        }
    }
    if !left_out.is_empty() {
        let names = message::public(&without_secrets(&left_out.join(", "), &document));
        message::note(&format!("redirect: {names}: duplicate or malformed; left out"));
    }
    if object.names().next().is_none() {
        return document;
    }
    let mut with_object = document.clone();
    if with_object.set_object(PARAMETERS, &object).is_ok() && with_object.check_room().is_ok() {
        return with_object;
    }
    message::note("the document would be too large, so the other parameters of the redirect are left out");
    document
}

/// The URL to open: https or local, and pushed if the server requires that (RFC 9126 section 5).
fn authorization_url(document: &Document) -> Result<Url, Error> {
    let endpoint = Endpoint::from_document(document, "authorization_url")?;
    let url = endpoint.url();
    if document.flag("require_pushed_authorization_requests")? && !redirect::is_pushed(url.as_str()) {
        let error = document.wrong("authorization_url", "the server accepts pushed requests only");
        return Err(error.hint("put pkce-push between pkce-url and pkce-callback"));
    }
    Ok(url.clone())
}

/// What to do about a redirect URI where pkce-callback cannot listen.
const PASTE: &str = "use --paste to paste the address that the browser was redirected to, or --listen where it is forwarded \
                     to this machine";

/// The member for the redirect's other parameters.
const PARAMETERS: &str = "redirect_parameters";
