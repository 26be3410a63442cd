//! The proxy for a request: by its scheme, never for this machine or the hosts in `NO_PROXY`.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::net::IpAddr;

use ureq::{Proxy, ProxyProtocol};

use super::lookup::LOOKUP;
use super::tls;
use crate::error::Error;
use crate::process::environment;
use crate::wire::url::{self, Url};

/// A proxy, and the variable that names it.
pub struct Choice {
    variable: &'static str,
    /// The proxy.
    pub proxy: Proxy,
}

impl Choice {
    /// Whether the connection to the proxy itself uses TLS.
    pub fn is_https(&self) -> bool {
        self.proxy.protocol() == ProxyProtocol::Https
    }

    /// Adds to the failure of a request that it went through this proxy, unless there is a better hint.
    pub fn explain(&self, error: Error) -> Error {
        // A proxy that only passes TLS on is no matter of the names in a certificate.
        if error.hint_text().is_some() || error.mismatched().is_some() {
            return error;
        }
        let (proxy, variable) = (self.authority(), self.variable);
        error.hint(format!("check the proxy {proxy} in {variable}, or list the host in NO_PROXY"))
    }

    /// Makes it the proxy's failure, if the connection to the proxy is what failed, or the proxy refused.
    pub fn blame(&self, failed: &ureq::Error, error: Error) -> Error {
        match failed {
            ureq::Error::ConnectProxyFailed(reason) if reason.contains(" 407/") => {
                let other = if self.proxy.username().is_some() { "another" } else { "a" };
                Error::unavailable(format!("the proxy requires {other} user name and password (407)")).hint(format!(
                    "set {} to {}://USER:PASSWORD@{}",
                    self.variable,
                    if self.is_https() { "https" } else { "http" },
                    self.authority()
                ))
            }
            ureq::Error::ConnectProxyFailed(reason) => {
                let status = reason.rsplit_once('/').map(|(_, status)| format!(" ({status})")).unwrap_or_default();
                Error::unavailable(format!("the proxy did not connect{status}"))
            }
            // Where this machine looks up the server itself, that may be what failed.
            ureq::Error::HostNotFound if self.proxy.resolve_target() => error,
            ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => error.within("the proxy"),
            ureq::Error::Io(io) if io.kind() == ErrorKind::ConnectionRefused => error.within("the proxy"),
            ureq::Error::Io(io) if !self.proxy.resolve_target() && is_lookup(io) => error.within("the proxy"),
            // The proxy's own certificate may be the one that is wrong.
            _ if self.is_https() && tls::cause(failed).is_some() => {
                let is_trust = error.hint_text() == Some(tls::TRUST);
                let error = error.within(&format!("the server or the proxy {}", self.authority()));
                if is_trust { error } else { error.without_hint() }
            }
            _ => error,
        }
    }

    /// Host and port, without user name and password.
    fn authority(&self) -> String {
        format!("{}:{}", self.proxy.host(), self.proxy.port())
    }
}

/// Whether the name of a host was not found.
fn is_lookup(error: &io::Error) -> bool {
    error.to_string().starts_with(LOOKUP)
}

/// The proxy for this URL, if any.
pub fn choice(url: &Url) -> Result<Option<Choice>, Error> {
    if url.is_loopback() || is_excepted(url)? { Ok(None) } else { of_scheme(url.is_https()) }
}

/// Fails if a proxy variable that applies to some URL cannot be used: status 2.
pub fn check() -> Result<(), Error> {
    of_scheme(true)?;
    of_scheme(false)?;
    exceptions().map(|_| ())
}

/// The proxy for https or http, if any.
fn of_scheme(is_https: bool) -> Result<Option<Choice>, Error> {
    let names: &[&'static str] = if is_https {
        &["HTTPS_PROXY", "https_proxy"]
    } else if environment::os_variable("REQUEST_METHOD").is_some() {
        // In a CGI program, HTTP_PROXY is the client's `Proxy` header; the lower-case name can't be forged that way.
        &["http_proxy"]
    } else {
        &["HTTP_PROXY", "http_proxy"]
    };
    let Some((variable, value)) = first(names).or_else(|| first(&["ALL_PROXY", "all_proxy"])) else {
        return Ok(None);
    };
    let invalid = || {
        let error = Error::usage(format!("{variable}: not a proxy URL such as http://proxy:3128"));
        error.hint(HINT)
    };
    let proxy = value.to_str().and_then(parse).ok_or_else(invalid)?;
    match credentials_fault(&proxy) {
        Some(wrong) => Err(Error::usage(format!("{variable}: {wrong}"))),
        None => Ok(Some(Choice { variable, proxy })),
    }
}

/// The proxy in `[scheme://][user[:password]@]host[:port][/]`; the scheme is http if missing.
fn parse(text: &str) -> Option<Proxy> {
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let (_, rest) = text.split_once("://")?;
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    // A path, query or fragment may be the rest of a password, and what is before it no host.
    if authority.contains(['/', '?', '#']) {
        return None;
    }
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (_, port) = url::host_and_port(host).filter(|(host, _)| !url::is_other_spelling(host))?;
    if port == Some(0) { None } else { Proxy::new(&text).ok() }
}

/// Why the user name and password cannot be sent to a SOCKS proxy (RFC 1929), if they cannot.
fn credentials_fault(proxy: &Proxy) -> Option<&'static str> {
    let user = proxy.username()?;
    let fits = |text: &str| (1..=255).contains(&text.len());
    let fit = fits(user) && fits(proxy.password().unwrap_or_default());
    match proxy.protocol() {
        ProxyProtocol::Socks4 | ProxyProtocol::Socks4A => Some("SOCKS4 with a user name is not supported"),
        ProxyProtocol::Socks5 | ProxyProtocol::Socks5h if !fit => {
            Some("the user name and the password for SOCKS5 must have 1 to 255 octets each")
        }
        _ => None,
    }
}

fn is_excepted(url: &Url) -> Result<bool, Error> {
    let list = exceptions()?;
    let port = url.port().unwrap_or(if url.is_https() { 443 } else { 80 });
    let mut entries = list.split([',', ' ']).filter(|entry| !entry.is_empty());
    Ok(entries.any(|entry| excepts(entry, url.host(), port)))
}

/// What is reached without a proxy, as a list.
fn exceptions() -> Result<String, Error> {
    let Some((variable, list)) = first(&["NO_PROXY", "no_proxy"]) else { return Ok(String::new()) };
    list.into_string().map_err(|_| Error::usage(format!("{variable}: not UTF-8")))
}

/// The first of these variables that is set, and its value.
fn first(names: &[&'static str]) -> Option<(&'static str, OsString)> {
    names.iter().find_map(|name| Some((*name, environment::os_variable(name)?)))
}

/// Whether a `NO_PROXY` entry matches this host: `*`, a domain with subdomains, an address, a network, `host:port`.
fn excepts(entry: &str, host: &str, port: u16) -> bool {
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    if let (Some((network, bits)), Ok(address)) = (entry.split_once('/'), host.parse()) {
        return in_network(network, bits, address);
    }
    let bare = entry.trim_matches(['[', ']']);
    if let (Ok(entry), Ok(address)) = (bare.parse::<IpAddr>(), host.parse::<IpAddr>()) {
        return entry == address;
    }
    let (name, only) = match entry.rsplit_once(':') {
        Some((name, only)) => (name.trim_matches(['[', ']']), only.parse().ok()),
        None => (entry, Some(port)),
    };
    let name = name.trim_start_matches("*.").trim_start_matches('.').to_ascii_lowercase();
    let below = host.strip_suffix(&name).is_some_and(|above| above.ends_with('.'));
    only == Some(port) && (name == "*" || name == host || below)
}

fn in_network(network: &str, bits: &str, address: IpAddr) -> bool {
    let wide = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let (Ok(network), Ok(bits)) = (network.trim_matches(['[', ']']).parse(), bits.parse::<u32>()) else {
        return false;
    };
    let ((network, size), (address, other)) = (wide(network), wide(address));
    let differ = network ^ address;
    size == other && bits <= size && differ.leading_zeros() >= bits
}

const HINT: &str =
    "supported are http, https, socks4, socks4a, socks5 and socks5h; percent-encode a user name and password";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excepts_what_no_proxy_names_in_all_its_forms() {
        for (entry, host, expected) in [
            ("*", "a.example", true),
            ("example.com", "example.com", true),
            ("example.com", "id.Example.com", true),
            (".example.com", "id.example.com", true),
            ("*.example.com", "id.example.com", true),
            ("example.com", "badexample.com", false),
            ("example.com:443", "example.com", true),
            ("example.com:8443", "example.com", false),
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("0.0.0.0/0", "11.1.2.3", true),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3:443", "10.1.2.3", true),
            ("2001:db8::/32", "[2001:db8::1]", true),
            ("2001:db9::/32", "[2001:db8::1]", false),
            ("[2001:db8::1]", "[2001:db8::1]", true),
            ("[2001:db8::1]:443", "[2001:db8::1]", true),
            ("10.0.0.0/99", "10.1.2.3", false),
        ] {
            assert_eq!(excepts(entry, host, 443), expected, "{entry} {host}");
        }
    }
}
