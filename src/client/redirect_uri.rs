//! The redirect URI: RFC 6749 section 3.1.2, RFC 8252 section 7.

use std::ops::RangeInclusive;

use crate::client::pkce;
use crate::document::Document;
use crate::error::Error;
use crate::wire::form;
use crate::wire::url::{PLAIN_HTTP, Url};

/// A redirect URI: https, http on this machine, or a private-use URI scheme.
pub struct RedirectUri {
    text: String,
    /// `None` for a private-use URI scheme.
    url: Option<Url>,
}

impl RedirectUri {
    /// The redirect URI of the document.
    pub fn from_document(document: &Document) -> Result<RedirectUri, Error> {
        RedirectUri::parse(&document.need("redirect_uri")?, document)
    }

    /// Whether it is this document's too.
    pub fn is_also_of(&self, document: &Document) -> bool {
        document.slice("redirect_uri").ok().flatten().as_deref() == Some(self.as_str())
    }

    /// The redirect URI in this text of the document.
    pub fn parse(text: &str, document: &Document) -> Result<RedirectUri, Error> {
        if is_private_use(text) {
            return Ok(RedirectUri { text: text.to_owned(), url: None });
        }
        if text.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-._/".contains(&octet)) {
            let error = document.wrong("redirect_uri", "not a URL");
            return Err(error.hint("the one of a program on this machine is such as http://127.0.0.1:0/callback"));
        }
        let url = Url::parse(text).map_err(|wrong| {
            let is_about_host = wrong.is_about_host();
            let error = wrong.for_member(document, "redirect_uri");
            // The hint about test hosts does not apply: a plain http redirect must lead to this machine.
            if is_about_host { error } else { error.without_hint() }
        })?;
        let names = form::pairs(url.query().unwrap_or_default()).filter_map(|(name, _)| form::decode(name));
        if names.into_iter().any(|name| RESPONSE_PARAMETERS.contains(&name.as_str())) {
            return Err(document.wrong(
                "redirect_uri",
                "its query must not contain a parameter of the response (code, state, iss, error)",
            ));
        }
        if !url.is_https() && !url.is_loopback() {
            return Err(document.wrong("redirect_uri", PLAIN_HTTP).as_untrusted());
        }
        Ok(RedirectUri { text: text.to_owned(), url: Some(url) })
    }

    /// The text, unchanged.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The URL; `None` for a private-use URI scheme.
    pub fn url(&self) -> Option<&Url> {
        self.url.as_ref()
    }

    /// The URL, if the redirect leads to this machine.
    pub fn loopback(&self) -> Option<&Url> {
        self.url.as_ref().filter(|url| url.is_loopback())
    }

    /// Whether it has port 0: any free port of this machine.
    pub fn has_port_0(&self) -> bool {
        self.loopback().is_some_and(|url| url.port() == Some(0))
    }

    /// Whether a listener on this machine can receive the redirect.
    fn is_received_here(&self) -> bool {
        self.loopback().is_some_and(|url| !url.is_https())
    }

    /// Whether it leads to any port of this machine (RFC 8252 section 7.3).
    fn has_any_port(&self) -> bool {
        self.loopback().is_some_and(|url| !url.is_https() && url.port().is_none())
    }

    /// The URI with this port in place of its own.
    pub fn with_port(&self, port: u16) -> String {
        self.with_port_suffix(&format!(":{port}"))
    }

    /// The URI to register: a server must allow any port for a loopback URI (RFC 8252 section 7.3), so port 0 is
    /// omitted.
    pub fn without_port_0(&self) -> String {
        if self.has_port_0() { self.with_port_suffix("") } else { self.text.clone() }
    }

    fn with_port_suffix(&self, end: &str) -> String {
        match &self.url {
            Some(url) => format!("{}{end}{}", url.without_port(), url.after_origin()),
            None => self.text.clone(),
        }
    }
}

/// Sets the redirect URI if the document has none: a registered one, or this machine with any free port.
pub fn set_default(document: &mut Document) -> Result<(), Error> {
    if document.has("redirect_uri") {
        return Ok(());
    }
    let uris = registered(document)?;
    // Some servers compare the port, so one with a port comes first.
    let with_port = uris.iter().filter(|uri| uri.is_received_here()).find(|uri| !uri.has_any_port());
    let uri = match with_port.or(uris.iter().find(|uri| uri.is_received_here())).or(uris.first()) {
        Some(uri) if uri.has_any_port() => uri.with_port(0),
        Some(uri) => uri.text.clone(),
        None => DEFAULT.to_owned(),
    };
    document.set("redirect_uri", &uri);
    Ok(())
}

/// Whether it may have another port: port 0 is any, and so is each one if the client has registered the same without a
/// port.
pub fn may_change_port(redirect_uri: &RedirectUri, document: &Document) -> Result<bool, Error> {
    let without = redirect_uri.with_port_suffix("");
    let is_registered = registered(document)?.iter().any(|uri| uri.has_any_port() && uri.text == without);
    Ok(is_registered || redirect_uri.has_port_0())
}

/// Whether a listener on this machine can receive the redirect to one of these.
pub fn can_be_received(uris: &[String]) -> bool {
    let document = Document::default();
    uris.iter().filter_map(|uri| RedirectUri::parse(uri, &document).ok()).any(|uri| uri.is_received_here())
}

/// The redirect URIs that the document's client has registered.
fn registered(document: &Document) -> Result<Vec<RedirectUri>, Error> {
    let uris = document.texts("redirect_uris")?.unwrap_or_default();
    Ok(uris.iter().filter_map(|uri| RedirectUri::parse(uri, document).ok()).collect())
}

/// The redirect URIs to register where none is given: one with any port, and one with a port for servers that compare
/// it.
pub fn to_register() -> Result<[String; 2], Error> {
    let port = PORTS.start() + pkce::random_number()? % (PORTS.end() - PORTS.start() + 1);
    Ok([format!("{ANY_PORT}{PATH}"), format!("{ANY_PORT}:{port}{PATH}")])
}

/// Whether the URI has a private-use scheme, in reverse domain name order (RFC 8252 section 7.1).
fn is_private_use(uri: &str) -> bool {
    let (scheme, rest) = uri.split_once(':').unwrap_or_default();
    let named = scheme.contains('.')
        && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|octet| octet == b'.' || octet == b'-' || octet.is_ascii_alphanumeric());
    named && rest.starts_with('/') && !uri.contains('#') && uri.bytes().all(|octet| octet.is_ascii_graphic())
}

const ANY_PORT: &str = "http://127.0.0.1";

const PATH: &str = "/callback";

const DEFAULT: &str = "http://127.0.0.1:0/callback";

/// The ports to register: above those of well-known services, below those that systems give to other programs.
const PORTS: RangeInclusive<u16> = 20000..=32767;

/// The parameters that a redirect adds to the URI's query (RFC 6749 section 4.1.2, RFC 9207).
const RESPONSE_PARAMETERS: [&str; 4] = ["code", "state", "iss", "error"];

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> RedirectUri {
        RedirectUri::parse(text, &Document::default()).unwrap()
    }

    #[test]
    fn puts_the_port_where_port_0_stands_and_nowhere_else() {
        for (given, expected) in [
            ("http://127.0.0.1:0/callback", "http://127.0.0.1:4711/callback"),
            ("http://127.0.0.1:00", "http://127.0.0.1:4711"),
            ("http://[::1]:0/a:0", "http://[::1]:4711/a:0"),
            ("http://[0:0:0:0:0:0:0:1]:0/cb", "http://[0:0:0:0:0:0:0:1]:4711/cb"),
            ("http://localhost:0?a=:0", "http://localhost:4711?a=:0"),
            ("http://LOCALHOST:0/cb", "http://LOCALHOST:4711/cb"),
        ] {
            assert!(parse(given).has_port_0(), "{given}");
            assert_eq!(parse(given).with_port(4711), expected);
        }
    }

    #[test]
    fn leaves_the_port_out_where_any_will_do() {
        for (given, expected) in [
            ("http://127.0.0.1:0/callback", "http://127.0.0.1/callback"),
            ("http://127.0.0.1:00/callback", "http://127.0.0.1/callback"),
            ("http://[::1]:0/a:0", "http://[::1]/a:0"),
            ("http://[0:0:0:0:0:0:0:1]:0/cb", "http://[0:0:0:0:0:0:0:1]/cb"),
            ("http://localhost:0", "http://localhost"),
            ("http://127.0.0.1:8080/callback", "http://127.0.0.1:8080/callback"),
            ("http://127.0.0.1/callback", "http://127.0.0.1/callback"),
            ("com.example.app:/callback", "com.example.app:/callback"),
            ("com.my-example:/callback", "com.my-example:/callback"),
        ] {
            assert_eq!(parse(given).without_port_0(), expected);
        }
    }
}
