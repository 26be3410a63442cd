//! RFC 3986 URLs that may be called or redirected to: https, and http only to this machine or a named test host.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::Uri;

use crate::{Error, Kind, tool};

/// An absolute http or https URL without userinfo and fragment, checked once.
#[derive(Clone)]
pub struct Url {
    text: String,
    uri: Uri,
}

impl Url {
    /// The URL in this text. `subject` (a member or a flag) begins the message of what is wrong with it.
    pub fn parse(subject: &str, text: &str) -> Result<Url, Error> {
        let wrong = |wrong: &str| {
            let mut error = Error::usage(format!("{subject}: {wrong}"));
            error.report.member = Some(subject.to_owned()).filter(|name| !name.starts_with('-'));
            error
        };
        if !text.bytes().all(|octet| octet.is_ascii_graphic()) {
            return Err(wrong("not a URL: it has a space, a control character or a letter outside ASCII"));
        }
        if text.contains('#') {
            return Err(wrong("must not have a fragment (#)"));
        }
        let uri: Uri = text.parse().map_err(|_| wrong("not a URL"))?;
        let authority = uri.authority().map_or(String::new(), ToString::to_string);
        if authority.contains(['@', '\\']) {
            return Err(wrong("must not have a user name or password"));
        }
        let url = Url { text: text.to_owned(), uri };
        if url.host().is_empty() || !is_host(url.host()) || !is_port(&authority) {
            return Err(wrong("not an absolute URL with a host"));
        }
        match url.uri.scheme_str() {
            Some("https") => Ok(url),
            Some("http") if url.is_local() => Ok(url),
            Some("http") => {
                let mut error = wrong(PLAIN);
                error.kind = Kind::Untrusted;
                Err(error.hint("PKCE_HTTP_HOSTS names hosts of a test network, as in keycloak:8080"))
            }
            _ => Err(wrong("must begin with https://")),
        }
    }

    /// The text as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text up to its query: what a trace may show.
    pub fn without_query(&self) -> &str {
        self.text.split_once('?').map_or(&self.text, |(before, _)| before)
    }

    /// Scheme, host and port, as they were given: everything before the path.
    pub fn origin(&self) -> &str {
        let after_scheme = self.text.find("://").map_or(0, |scheme| scheme + 3);
        let length = self
            .text
            .get(after_scheme..)
            .and_then(|rest| rest.find(['/', '?']))
            .map_or(self.text.len(), |path| after_scheme + path);
        self.text.get(..length).unwrap_or_default()
    }

    /// The path as it was given; empty where there is none.
    pub fn path(&self) -> &str {
        self.without_query().get(self.origin().len()..).unwrap_or_default()
    }

    /// The query without its `?`.
    pub fn query(&self) -> Option<&str> {
        self.text.split_once('?').map(|(_, query)| query)
    }

    /// The host; an IPv6 address has its brackets.
    pub fn host(&self) -> &str {
        self.uri.host().unwrap_or_default()
    }

    /// The port, where one is named.
    pub fn port(&self) -> Option<u16> {
        self.uri.port_u16()
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

    /// Whether the host is this machine, or a test host that `PKCE_HTTP_HOSTS` names.
    pub fn is_local(&self) -> bool {
        let named = tool::environment("PKCE_HTTP_HOSTS").unwrap_or_default();
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        let mut names = named.split([',', ' ']).filter(|name| !name.is_empty());
        self.is_loopback() || names.any(|name| name == authority || name == self.host())
    }
}

/// A host that reads the same to everybody: no octal, hexadecimal or shortened IPv4 address, no stray bracket.
fn is_host(host: &str) -> bool {
    if host.starts_with('[') {
        return v6(host).is_some();
    }
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let number = last.starts_with("0x") || last.bytes().all(|octet| octet.is_ascii_digit());
    let name = host.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-._".contains(&octet));
    name && (!number || host.parse::<Ipv4Addr>().is_ok())
}

/// Whether what follows the host is nothing, or a port that a request can go to or a listener can be given.
fn is_port(authority: &str) -> bool {
    let after_host = authority.rsplit(']').next().unwrap_or(authority);
    after_host
        .rsplit_once(':')
        .is_none_or(|(_, port)| port.bytes().all(|octet| octet.is_ascii_digit()) && port.parse::<u16>().is_ok())
}

fn v6(host: &str) -> Option<Ipv6Addr> {
    host.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// What is wrong with plain http.
pub const PLAIN: &str = "plain http is allowed to this machine alone; use https";

#[cfg(test)]
mod tests {
    use super::*;

    /// What the vectors leave open (`policy`), decided: these two are allowed, the look-alikes are not.
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
                assert_eq!(Url::parse("url", text).is_ok(), allowed, "{text}");
            }
        }
    }

    #[test]
    fn parts_a_url_where_it_was_given() {
        let parts = |text: &str| {
            let url = Url::parse("url", text).ok().unwrap();
            let query = url.query().map(str::to_owned);
            (url.origin().to_owned(), url.path().to_owned(), query)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(parts("https://a.b"), ("https://a.b".into(), "".into(), None));
        assert_eq!(parts("https://a.b?x/y"), ("https://a.b".into(), "".into(), some("x/y")));
        assert_eq!(parts("https://a.b:1/c//d?e?f"), ("https://a.b:1".into(), "/c//d".into(), some("e?f")));
    }
}
