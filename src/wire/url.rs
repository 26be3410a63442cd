//! RFC 3986 URLs for requests and redirects: https, and http only to this machine or a configured test host.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::Uri;

use crate::document::Document;
use crate::error::Error;
use crate::process::environment;

/// An absolute http or https URL without userinfo and fragment, validated once.
#[derive(Clone)]
pub struct Url {
    text: String,
    uri: Uri,
    port: Option<u16>,
}

/// Why a text is not an allowed URL; its origin decides the kind of error.
pub struct InvalidUrl {
    wrong: &'static str,
    hint: Option<String>,
    is_plain_http: bool,
}

impl InvalidUrl {
    /// A text that is not allowed for this reason.
    pub fn new(wrong: &'static str) -> InvalidUrl {
        InvalidUrl { wrong, hint: None, is_plain_http: false }
    }

    /// Adds a hint: what to do about it.
    pub fn hint(self, hint: String) -> InvalidUrl {
        InvalidUrl { hint: Some(hint), ..self }
    }

    /// The error about an option's or argument's value: status 2, or 4 for plain http.
    pub fn for_argument(self, subject: &str) -> Error {
        let error = Error::usage(format!("{subject}: {}", self.wrong));
        self.with_details(if subject.starts_with('-') { error } else { error.about(subject) })
    }

    /// The error about a member: in the user's document as for an argument, in a response status 4.
    pub fn for_member(self, document: &Document, name: &str) -> Error {
        let error = document.wrong(name, self.wrong);
        // A hint for the user's own value does not apply to a server's.
        if document.is_response() { error } else { self.with_details(error) }
    }

    fn with_details(self, error: Error) -> Error {
        let error = if self.is_plain_http { error.as_untrusted() } else { error };
        match self.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl Url {
    /// The URL in this text.
    pub fn parse(text: &str) -> Result<Url, InvalidUrl> {
        if !text.bytes().all(|octet| octet.is_ascii_graphic()) {
            return Err(InvalidUrl::new("not a URL: contains a space, a control character or a non-ASCII character"));
        }
        if text.contains('#') {
            return Err(InvalidUrl::new("must not have a fragment (#)"));
        }
        let uri: Uri = text.parse().map_err(|_| InvalidUrl::new("not a URL"))?;
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains(['@', '\\']) {
            return Err(InvalidUrl::new("must not have a user name or password"));
        }
        let Some((_, port)) = host_and_port(authority).filter(|(host, _)| *host == uri.host().unwrap_or_default())
        else {
            return Err(InvalidUrl::new("not an absolute URL with a host"));
        };
        let url = Url { text: text.to_owned(), uri, port };
        match url.uri.scheme_str() {
            Some("https") => Ok(url),
            Some("http") if url.is_local() => Ok(url),
            Some("http") => {
                let hint = "for a test network, list its hosts in PKCE_HTTP_HOSTS, such as keycloak:8080";
                Err(InvalidUrl { wrong: PLAIN_HTTP, hint: Some(hint.to_owned()), is_plain_http: true })
            }
            _ => Err(InvalidUrl::new("must begin with https://")),
        }
    }

    /// The text, unchanged.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text before the query, which a trace may show.
    pub fn without_query(&self) -> &str {
        self.text.split_once('?').map_or(&self.text, |(before, _)| before)
    }

    /// Scheme, host and port, unchanged: everything before the path.
    pub fn origin(&self) -> &str {
        let after_scheme = self.text.find("://").map_or(0, |scheme| scheme + 3);
        let length = self
            .text
            .get(after_scheme..)
            .and_then(|rest| rest.find(['/', '?']))
            .map_or(self.text.len(), |path| after_scheme + path);
        self.text.get(..length).unwrap_or_default()
    }

    /// Scheme and host, unchanged: everything before the port.
    pub fn without_port(&self) -> &str {
        let origin = self.origin();
        match self.port {
            Some(_) => origin.rsplit_once(':').map_or(origin, |(before, _)| before),
            None => origin,
        }
    }

    /// The path, unchanged; empty if missing.
    pub fn path(&self) -> &str {
        self.without_query().get(self.origin().len()..).unwrap_or_default()
    }

    /// Path and query, unchanged: everything after the origin.
    pub fn after_origin(&self) -> &str {
        self.text.get(self.origin().len()..).unwrap_or_default()
    }

    /// The query without its `?`.
    pub fn query(&self) -> Option<&str> {
        self.text.split_once('?').map(|(_, query)| query)
    }

    /// The host; an IPv6 address is in brackets.
    pub fn host(&self) -> &str {
        self.uri.host().unwrap_or_default()
    }

    /// The port, if given.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether the scheme is https.
    pub fn is_https(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    /// Whether the host is this machine: 127.0.0.0/8, `[::1]` or exactly `localhost` (RFC 8252 section 7.3 and 8.3).
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        let v4 = host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback());
        host == "localhost" || v4 || v6(host).is_some_and(|address| address.is_loopback())
    }

    /// Whether the host is this machine, or a test host in `PKCE_HTTP_HOSTS`.
    pub fn is_local(&self) -> bool {
        let named = environment::variable("PKCE_HTTP_HOSTS").unwrap_or_default();
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        let mut names = named.split([',', ' ']).filter(|name| !name.is_empty());
        self.is_loopback() || names.any(|name| name == authority || name == self.host())
    }
}

/// The host and the port of an authority: a host and an optional `:digits`, and nothing else (RFC 3986 section 3.2).
/// The port is at most 65535.
pub fn host_and_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let end = match authority.find(']') {
        Some(bracket) => bracket + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at_checked(end)?;
    let port = match rest.strip_prefix(':') {
        Some(digits) if digits.bytes().all(|octet| octet.is_ascii_digit()) => Some(digits.parse().ok()?),
        Some(_) => return None,
        None if rest.is_empty() => None,
        None => return None,
    };
    is_host(host).then_some((host, port))
}

/// Whether all parsers read the host alike: no octal, hexadecimal or shortened IPv4 address, no stray bracket.
fn is_host(host: &str) -> bool {
    if host.starts_with('[') {
        return v6(host).is_some();
    }
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let number = last.starts_with("0x") || last.bytes().all(|octet| octet.is_ascii_digit());
    let name = host.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-._".contains(&octet));
    name && !host.is_empty() && (!number || host.parse::<Ipv4Addr>().is_ok())
}

fn v6(host: &str) -> Option<Ipv6Addr> {
    host.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// The message for plain http.
pub const PLAIN_HTTP: &str = "plain http is only allowed to this machine; use https";

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors leave `policy` open: these two are allowed, the look-alikes are not.
    const ALLOWED: [&str; 2] = ["http://localhost:8080/cb", "http://127.0.0.2:8080/cb"];

    #[test]
    fn tells_loopback_from_what_only_looks_like_it() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/url_safety.json")).unwrap();
        let list = |name: &str| vectors[name].as_array().unwrap().clone();
        for (list, decided) in [(list("secure"), Some(true)), (list("policy"), None), (list("insecure"), Some(false))] {
            for text in list {
                let text = text.as_str().unwrap();
                let allowed = decided.unwrap_or_else(|| ALLOWED.contains(&text));
                assert_eq!(Url::parse(text).is_ok(), allowed, "{text}");
            }
        }
    }

    #[test]
    fn parts_a_url_where_it_was_given() {
        let parts = |text: &str| {
            let url = Url::parse(text).ok().unwrap();
            let query = url.query().map(str::to_owned);
            (url.origin().to_owned(), url.path().to_owned(), query)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(parts("https://a.b"), ("https://a.b".into(), "".into(), None));
        assert_eq!(parts("https://a.b?x/y"), ("https://a.b".into(), "".into(), some("x/y")));
        assert_eq!(parts("https://a.b:1/c//d?e?f"), ("https://a.b:1".into(), "/c//d".into(), some("e?f")));
    }

    #[test]
    fn takes_a_host_and_an_optional_port_for_an_authority_and_nothing_else() {
        for (authority, expected) in [
            ("a.b", Some(("a.b", None))),
            ("a.b:8080", Some(("a.b", Some(8080)))),
            ("127.0.0.1:00", Some(("127.0.0.1", Some(0)))),
            ("[::1]:0", Some(("[::1]", Some(0)))),
            ("[0:0:0:0:0:0:0:1]", Some(("[0:0:0:0:0:0:0:1]", None))),
            ("a.b:", None),
            ("a.b:65536", None),
            ("a.b:+1", None),
            ("a.b:1:2", None),
            ("[::1]attacker.example:0", None),
            ("[::1]:0:1", None),
            ("host:0FF[0::]:8080", None),
            ("a[::1]", None),
            ("", None),
            (":80", None),
        ] {
            assert_eq!(host_and_port(authority), expected, "{authority}");
        }
        assert!(Url::parse("http://[::1]attacker.example:0/cb").is_err());
        assert!(Url::parse("https://host:0FF[0::]:8080/").is_err());
    }
}
