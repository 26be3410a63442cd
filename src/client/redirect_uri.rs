//! The redirect URI: RFC 6749 section 3.1.2, RFC 8252 section 7.

use crate::document::Document;
use crate::error::Error;
use crate::wire::form;
use crate::wire::url::{PLAIN_HTTP, Url};

/// Where the server sends the person back to: https, http on this machine, or an application's own scheme.
#[derive(Clone)]
pub struct RedirectUri {
    text: String,
    /// None for an application's own scheme.
    url: Option<Url>,
}

impl RedirectUri {
    /// The redirect URI of the document.
    pub fn from_document(document: &Document) -> Result<RedirectUri, Error> {
        RedirectUri::parse(&document.need("redirect_uri")?, document)
    }

    /// The redirect URI in this text of the document.
    pub fn parse(text: &str, document: &Document) -> Result<RedirectUri, Error> {
        if is_private_use(text) {
            return Ok(RedirectUri { text: text.to_owned(), url: None });
        }
        // What helps with a server's endpoint does not help here: the browser comes back to this machine alone.
        let url = Url::parse(text).map_err(|wrong| wrong.of_member(document, "redirect_uri").without_hint())?;
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

    /// The text as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The URL to listen at, where the redirect leads to this machine.
    pub fn loopback(&self) -> Option<&Url> {
        self.url.as_ref().filter(|url| url.is_loopback())
    }

    /// Whether any free port of this machine will do: port 0.
    pub fn has_port_0(&self) -> bool {
        self.loopback().is_some_and(|url| url.port() == Some(0))
    }

    /// The same on this port, which was found for its port 0.
    pub fn with_port(&self, port: u16) -> String {
        self.with_authority_end(&format!(":{port}"))
    }

    /// The same as it is registered: on this machine the port does not count (RFC 8252 section 7.3), so a port 0 is left
    /// out.
    pub fn registered(&self) -> String {
        if self.has_port_0() { self.with_authority_end("") } else { self.text.clone() }
    }

    fn with_authority_end(&self, end: &str) -> String {
        match &self.url {
            Some(url) => format!("{}{end}{}", url.without_port(), url.after_origin()),
            None => self.text.clone(),
        }
    }
}

/// Sets the redirect URI where the document has none: this machine, any free port.
pub fn set_default(document: &mut Document) {
    if !document.has("redirect_uri") {
        document.set("redirect_uri", "http://127.0.0.1:0/callback");
    }
}

/// Whether the URI has a scheme of an application's own, in reverse domain order (RFC 8252 section 7.1).
fn is_private_use(uri: &str) -> bool {
    let (scheme, rest) = uri.split_once(':').unwrap_or_default();
    let named = scheme.contains('.')
        && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|octet| octet == b'.' || octet == b'-' || octet.is_ascii_alphanumeric());
    named && rest.starts_with('/') && !uri.contains('#') && uri.bytes().all(|octet| octet.is_ascii_graphic())
}

/// What a redirect adds to the URI's query, once (RFC 6749 section 4.1.2, RFC 9207).
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
        ] {
            assert_eq!(parse(given).registered(), expected);
        }
    }
}
