//! The hosts that a stored login is for.

use crate::error::Error;
use crate::wire::url::{Url, host_and_port};

/// A host, and its port if that is not the scheme's.
#[derive(Clone)]
pub struct Host {
    text: String,
    name: String,
    port: Option<u16>,
}

impl Host {
    /// Parses `HOST` or `HOST:PORT`; an IPv6 address is in brackets.
    pub fn parse(text: &str) -> Result<Host, String> {
        match host_and_port(text) {
            Some((name, port)) => Ok(Host { text: text.to_owned(), name: name.to_owned(), port }),
            None => Err(
                "must be a host in ASCII without a scheme, such as git.example.com, git.example.com:8443 or [::1]:8080"
                    .to_owned(),
            ),
        }
    }

    /// The text, unchanged.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host without its port.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a port is given.
    pub fn has_port(&self) -> bool {
        self.port.is_some()
    }

    /// Whether the server is this one.
    fn is(&self, server: &Server) -> bool {
        let default = if server.is_encrypted { 443 } else { 80 };
        self.name.eq_ignore_ascii_case(&server.host) && self.port.unwrap_or(default) == server.port.unwrap_or(default)
    }
}

/// The server that requires a token.
pub struct Server {
    is_encrypted: bool,
    is_loopback: bool,
    authority: String,
    host: String,
    port: Option<u16>,
}

impl Server {
    /// The server of this scheme, host and port; `None` for a scheme that is not that of an HTTP API.
    pub fn new(scheme: &str, authority: &str, malformed: impl Fn() -> Error) -> Result<Option<Server>, Error> {
        let is_encrypted = match scheme {
            "https" | "grpcs" => true,
            "http" | "grpc" => false,
            _ => return Ok(None),
        };
        // Names that are not in ASCII and addresses with a zone never match.
        if !authority.is_ascii() || authority.contains('%') {
            return Ok(None);
        }
        let authority = authority.strip_suffix(':').unwrap_or(authority);
        let (host, port) = host_and_port(authority).ok_or_else(malformed)?;
        let is_loopback = Url::parse(&format!("https://{authority}")).is_ok_and(|url| url.is_loopback());
        Ok(Some(Server { is_encrypted, is_loopback, authority: authority.to_owned(), host: host.to_owned(), port }))
    }

    /// The server of this URL, or of this host if there is no scheme; `None` also for a URL with a user name.
    pub fn from_url(url: &str, malformed: impl Fn() -> Error) -> Result<Option<Server>, Error> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Ok(None);
        }
        Server::new(&scheme.to_ascii_lowercase(), authority, malformed)
    }

    /// Host and port, unchanged.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether it is another machine, over plain http.
    pub fn is_plain(&self) -> bool {
        !self.is_encrypted && !self.is_loopback
    }

    /// Whether a token may be sent there: to one of the hosts, and not over plain http to another machine.
    pub fn is_one_of(&self, hosts: &[Host]) -> bool {
        !self.is_plain() && hosts.iter().any(|host| host.is(self))
    }

    /// The host of its name, whatever the port.
    pub fn named_by<'a>(&self, hosts: &'a [Host]) -> Option<&'a Host> {
        hosts.iter().find(|host| host.name.eq_ignore_ascii_case(&self.host))
    }
}
