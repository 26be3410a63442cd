//! Sockets at a redirect URI on this machine: RFC 8252 section 7.3.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use crate::error::Error;
use crate::message;
use crate::wire::url::Url;

/// The addresses of the URL's host; `localhost` is both 127.0.0.1 and ::1.
pub fn addresses(url: &Url) -> Vec<IpAddr> {
    match url.host().trim_matches(['[', ']']).parse() {
        Ok(address) => vec![address],
        Err(_) => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
    }
}

/// Sockets at all addresses of the same port, with several attempts where that is any free one.
pub fn bind(addresses: &[IpAddr], requested_port: u16) -> io::Result<Vec<TcpListener>> {
    let mut tries = if requested_port == 0 { PORT_ATTEMPTS } else { 1 };
    loop {
        tries -= 1;
        match bind_all(addresses, requested_port) {
            Err(_) if tries > 0 => {}
            bound => return bound,
        }
    }
}

/// A free port for the URL; another program may take it before it is used.
pub fn free_port(url: &Url) -> Result<u16, Error> {
    let bound = bind(&addresses(url), 0).and_then(|sockets| port(&sockets));
    bound.map_err(|error| unusable(url, 0, &error))
}

/// The port of the sockets.
pub fn port(sockets: &[TcpListener]) -> io::Result<u16> {
    let socket = sockets.first().ok_or(ErrorKind::AddrNotAvailable)?;
    Ok(socket.local_addr()?.port())
}

/// The error where no socket can listen at this port of the URL, with what to do about the redirect URI.
pub fn unusable(url: &Url, port: u16, error: &io::Error) -> Error {
    let unusable = Error::unavailable(format!("{}:{port}: {}", url.host(), message::reason(error)));
    match error.kind() {
        ErrorKind::AddrInUse => unusable.hint(
            "use port 0 in the redirect URI for any free port; if that port is forwarded to another one here: pkce-callback --listen ADDRESS:PORT",
        ),
        ErrorKind::PermissionDenied if port < 1024 => {
            unusable.hint("ports below 1024 are for root only; use port 0 in the redirect URI for any free port")
        }
        _ if is_missing(error) => unusable.hint("this machine lacks the address; use 127.0.0.1 in the redirect URI"),
        _ => unusable,
    }
}

/// Sockets at all addresses of one port; an address family that this machine lacks is left out.
fn bind_all(addresses: &[IpAddr], requested_port: u16) -> io::Result<Vec<TcpListener>> {
    let mut sockets = Vec::new();
    let mut port = requested_port;
    let mut missing = None;
    for address in addresses {
        match TcpListener::bind(SocketAddr::new(*address, port)) {
            Ok(socket) => {
                socket.set_nonblocking(true)?;
                port = socket.local_addr()?.port();
                sockets.push(socket);
            }
            Err(error) if is_missing(&error) => missing = Some(error),
            Err(error) => return Err(error),
        }
    }
    match missing {
        Some(error) if sockets.is_empty() => Err(error),
        _ => Ok(sockets),
    }
}

/// Whether the machine lacks this address or address family.
fn is_missing(error: &io::Error) -> bool {
    let family = error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error());
    family || error.kind() == ErrorKind::AddrNotAvailable
}

/// How many ports to try until one is free for both IPv4 and IPv6.
const PORT_ATTEMPTS: usize = 32;
