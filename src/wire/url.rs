//! RFC 3986 URLs for requests and redirects: https, and http only to this machine or a configured test host.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

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
    reason: Reason,
}

#[derive(PartialEq)]
enum Reason {
    Malformed,
    PlainHttp,
    OtherSpelling,
}

impl InvalidUrl {
    /// A text that is not allowed for this reason.
    pub fn new(wrong: &'static str) -> InvalidUrl {
        InvalidUrl { wrong, hint: None, reason: Reason::Malformed }
    }

    /// A valid URL to which no request may be sent, for this reason.
    fn untrusted(reason: Reason, wrong: &'static str, hint: &str) -> InvalidUrl {
        InvalidUrl { wrong, hint: Some(hint.to_owned()), reason }
    }

    /// The reason, without a subject.
    pub fn reason(&self) -> &'static str {
        self.wrong
    }

    /// Whether the host is the reason: another spelling of an address.
    pub fn is_about_host(&self) -> bool {
        self.reason == Reason::OtherSpelling
    }

    /// Adds a hint: what to do about it.
    pub fn hint(self, hint: String) -> InvalidUrl {
        InvalidUrl { hint: Some(hint), ..self }
    }

    /// The error about an option's or argument's value: status 2, or 4 for plain http or another spelling of an address.
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
        let error = if self.reason == Reason::Malformed { error } else { error.as_untrusted() };
        error.hint_if_any(self.hint)
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
        let Some((host, port)) = host_and_port(authority).filter(|(host, _)| *host == uri.host().unwrap_or_default())
        else {
            let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| is_too_large(port));
            return Err(InvalidUrl::new(if has_port { INVALID_PORT } else { "not an absolute URL with a host" }));
        };
        if is_other_spelling(host) {
            let hint =
                "write an IPv4 address as four decimal numbers, and this machine as 127.0.0.1, [::1] or localhost";
            return Err(InvalidUrl::untrusted(Reason::OtherSpelling, OTHER_SPELLING, hint));
        }
        let url = Url { text: text.to_owned(), uri, port };
        match url.uri.scheme_str() {
            Some("https") => Ok(url),
            Some("http") if url.is_local() => Ok(url),
            Some("http") => {
                let how = if HTTP_HOSTS.contains("://") { " without http://" } else { "" };
                let hint = format!("for a test network, list its hosts in PKCE_HTTP_HOSTS{how}, such as keycloak:8080");
                Err(InvalidUrl::untrusted(Reason::PlainHttp, PLAIN_HTTP, &hint))
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

    /// Host and port, without a port that is not written out.
    pub fn authority(&self) -> String {
        self.port.map_or_else(|| self.host().to_owned(), |port| format!("{}:{port}", self.host()))
    }

    /// The port, or that of the scheme.
    fn effective_port(&self) -> u16 {
        self.port.unwrap_or(if self.is_https() { 443 } else { 80 })
    }

    /// Whether both have the same scheme, host and port (RFC 6454 section 5).
    pub fn is_same_origin(&self, other: &Url) -> bool {
        self.is_https() == other.is_https()
            && self.host().eq_ignore_ascii_case(other.host())
            && self.effective_port() == other.effective_port()
    }

    /// Whether the scheme is https.
    pub fn is_https(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    /// Whether the host is this machine: 127.0.0.0/8, `[::1]` or `localhost` in any letter case (RFC 8252 sections 7.3
    /// and 8.3).
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        let v4 = host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback());
        host.eq_ignore_ascii_case("localhost") || v4 || v6(host).is_some_and(|address| address.is_loopback())
    }

    /// Whether the host is this machine, or a test host in `PKCE_HTTP_HOSTS`.
    pub fn is_local(&self) -> bool {
        self.is_loopback() || self.is_test_host(self.host())
    }

    /// Whether the host may be this machine or a test host under another name: with a final dot, below `localhost`
    /// (RFC 6761 section 6.3), or by a name that systems give to `localhost`.
    pub fn may_be_local(&self) -> bool {
        let name = self.host().trim_end_matches('.').to_ascii_lowercase();
        let is_below = [".localhost", ".localhost.localdomain"].into_iter().any(|end| name.ends_with(end));
        self.is_local() || is_below || ALIASES.contains(&name.as_str()) || self.is_test_host(&name)
    }

    /// Whether `PKCE_HTTP_HOSTS` has this host: alone, or with this URL's port.
    fn is_test_host(&self, host: &str) -> bool {
        let port = self.effective_port();
        HTTP_HOSTS.split([',', ' ']).filter_map(host_and_port).any(|(name, only)| {
            let same = name.eq_ignore_ascii_case(host) || v6(name).is_some_and(|address| v6(host) == Some(address));
            same && only.is_none_or(|only| only == port)
        })
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

/// Whether the text is an absolute URI without a fragment (RFC 3986 section 4.3), as far as its characters show.
pub fn is_absolute_uri(text: &str) -> bool {
    let (scheme, rest) = text.split_once(':').unwrap_or_default();
    let absolute = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet));
    absolute && !rest.is_empty() && text.bytes().all(|octet| octet.is_ascii_graphic()) && !text.contains('#')
}

/// Whether it is an IPv6 address in brackets, or has the characters of a name or an IPv4 address.
fn is_host(host: &str) -> bool {
    if host.starts_with('[') {
        return v6(host).is_some();
    }
    let name = host.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-._".contains(&octet));
    name && !host.trim_end_matches('.').is_empty()
}

/// Whether the host is an address that not all programs read alike, or that leads to this machine without being a
/// loopback address: an octal, hexadecimal, decimal or shortened IPv4 address, one with a final dot or within IPv6, the
/// unspecified address, and `localhost.`.
pub fn is_other_spelling(host: &str) -> bool {
    if let Some(address) = v6(host) {
        // Both ::ffff:0:0/96 and ::/96, which has the unspecified address too.
        return address.to_ipv4().is_some() && !address.is_loopback();
    }
    let name = host.trim_end_matches('.');
    let last = name.rsplit('.').next().unwrap_or_default();
    // As browsers decide whether a host is an IPv4 address, before they parse it.
    let is_number =
        last.starts_with("0x") || last.starts_with("0X") || last.bytes().all(|octet| octet.is_ascii_digit());
    if is_number {
        return host.parse().map_or(true, |address: Ipv4Addr| address.octets().starts_with(&[0]));
    }
    name != host && name.eq_ignore_ascii_case("localhost")
}

/// Whether the text is a number, but no port.
fn is_too_large(port: &str) -> bool {
    !port.is_empty() && port.bytes().all(|octet| octet.is_ascii_digit()) && port.parse::<u16>().is_err()
}

fn v6(host: &str) -> Option<Ipv6Addr> {
    host.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// The test hosts: a stream has too many URLs to read the environment for each.
static HTTP_HOSTS: LazyLock<String> = LazyLock::new(|| environment::variable("PKCE_HTTP_HOSTS").unwrap_or_default());

/// The names of localhost in the `/etc/hosts` of Linux distributions, and in nss-myhostname(8).
const ALIASES: [&str; 9] = [
    "localhost.localdomain",
    "localhost4",
    "localhost4.localdomain4",
    "localhost6",
    "localhost6.localdomain6",
    "ip6-localhost",
    "ip6-loopback",
    "ipv6-localhost",
    "ipv6-loopback",
];

/// The message for a host that is one of them.
const OTHER_SPELLING: &str = "the host must not be another spelling of an IP address or of localhost";

/// The message for a port that does not exist.
const INVALID_PORT: &str = "the port must be at most 65535";

/// The message for plain http.
pub const PLAIN_HTTP: &str = "plain http is only allowed to this machine; use https";

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors leave `policy` open: these two are allowed, the look-alikes are not.
    const ALLOWED: [&str; 2] = ["http://localhost:8080/cb", "http://127.0.0.2:8080/cb"];

    #[test]
    fn takes_each_address_in_one_spelling_alone() {
        for host in [
            "0.0.0.0",
            "0.0.0.1",
            "[::]",
            "[0:0:0:0:0:0:0:0]",
            "[::ffff:127.0.0.1]",
            "[::FFFF:7F00:1]",
            "[0:0:0:0:0:ffff:7f00:1]",
            "[::ffff:93.184.216.34]",
            "[::127.0.0.1]",
            "0x7f000001",
            "0X7F000001",
            "0X7f.0.0.1",
            "0x7f.1",
            "127.0x1",
            "2130706433",
            "017700000001",
            "0177.0.0.1",
            "127.0.0.01",
            "127.1",
            "127.0.1",
            "0",
            "127.0.0.1.",
            "10.1.2.3.",
            "256.0.0.1",
            "1.2.3.4.5",
            "localhost.",
            "LocalHost.",
            "localhost..",
        ] {
            for scheme in ["http", "https", "HTTPS"] {
                for end in ["", ":8080", "/cb", ":18445/?a=b"] {
                    let url = format!("{scheme}://{host}{end}");
                    assert!(Url::parse(&url).is_err_and(|wrong| wrong.is_about_host()), "{url}");
                }
            }
        }
        let loopback =
            ["127.0.0.1", "127.255.255.255", "[::1]", "[0:0:0:0:0:0:0:1]", "localhost", "LOCALHOST", "LocalHost"];
        for host in loopback {
            assert!(Url::parse(&format!("http://{host}")).is_ok_and(|url| url.is_loopback()), "{host}");
        }
        for host in [
            "10.1.2.3",
            "255.255.255.255",
            "[2001:db8::1]",
            "[fe80::7f00:1]",
            "id.example",
            "id.example.",
            "x0x1",
            "localhost5",
        ] {
            assert!(Url::parse(&format!("https://{host}")).is_ok_and(|url| !url.may_be_local()), "{host}");
        }
        for host in ["a.localhost", "A.LOCALHOST", "a.b.localhost.", "a.localhost.localdomain", "LocalHost4."] {
            assert!(
                Url::parse(&format!("https://{host}")).is_ok_and(|url| !url.is_local() && url.may_be_local()),
                "{host}"
            );
            assert!(Url::parse(&format!("http://{host}")).is_err(), "{host}");
        }
    }

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
    fn tells_one_origin_from_another() {
        let same = |one: &str, other: &str| {
            let parse = |text: &str| Url::parse(text).ok().unwrap();
            parse(one).is_same_origin(&parse(other))
        };
        for (one, other) in [
            ("https://a.b", "https://A.B:443/c"),
            ("http://127.0.0.1", "http://127.0.0.1:80"),
            ("HTTPS://a.b:8443/", "https://a.b:8443"),
        ] {
            assert!(same(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("https://a.b", "https://a.b:80"),
            ("https://localhost", "http://localhost"),
            ("https://localhost:80", "http://localhost:80"),
            ("https://a.b", "https://www.a.b"),
            ("https://a.b", "https://a.b."),
            ("http://127.0.0.1", "http://localhost"),
        ] {
            assert!(!same(one, other), "{one} {other}");
        }
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
