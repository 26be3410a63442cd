//! The loopback listener (RFC 8252 section 7.3): many connections, none of which can block another.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::page::Page;
use super::peer::Peers;
use super::redirect::{Expected, Ignored, Outcome};
use crate::error::Error;
use crate::login::loopback;
use crate::message;
use crate::process::poll;
use crate::wire::request::{Head, Request, SIZE};
use crate::wire::url::Url;

/// The listening sockets and connections of one login.
pub struct Listener {
    sockets: Vec<TcpListener>,
    connections: Vec<Connection>,
    target: Target,
    port: u16,
    /// Whose redirect is accepted; `None` for any user's.
    peers: Option<Peers>,
    ignored: Option<Ignored>,
    /// Whether a TLS handshake was received.
    spoke_tls: bool,
    forwarded_to: Option<SocketAddr>,
}

/// What the request of a redirect must name.
struct Target {
    /// The values of its `Host` header, one of which is required.
    hosts: Vec<String>,
    path: String,
}

impl Listener {
    /// Listens at the redirect URI, or instead at the address to which it is forwarded; port 0 of the redirect URI is any
    /// free port, the same for IPv4 and IPv6. Where its port is in use and `may_change`, it is any free port too, with a
    /// note. The redirect of another user of this machine is accepted only for `any_user`.
    pub fn bind(
        redirect: &Url,
        forwarded_to: Option<SocketAddr>,
        may_change: bool,
        any_user: bool,
    ) -> Result<Listener, Error> {
        // Before a socket takes the last descriptor: without the tables, any user would be accepted.
        let peers = (!any_user).then(Peers::new);
        let sockets = match forwarded_to {
            Some(address) => bind_at(address)?,
            None => bind_here(redirect, may_change)?,
        };
        let port = loopback::port(&sockets).unwrap_or_default();
        let path = if redirect.path().is_empty() { "/" } else { redirect.path() };
        let target = Target { hosts: hosts(redirect, forwarded_to, port), path: path.to_owned() };
        Ok(Listener {
            sockets,
            connections: Vec::new(),
            target,
            port,
            peers,
            ignored: None,
            spoke_tls: false,
            forwarded_to,
        })
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Why the last redirect was ignored, if one was.
    pub fn ignored(&self) -> Option<&Ignored> {
        self.ignored.as_ref()
    }

    /// Whether a browser spoke https.
    pub fn spoke_tls(&self) -> bool {
        self.spoke_tls
    }

    /// The address to which the redirect URI is forwarded, if it is.
    pub fn forwarded_to(&self) -> Option<SocketAddr> {
        self.forwarded_to
    }

    /// What the user should know about the first connection that was ignored for its user, if one was.
    pub fn note(&self) -> Option<&'static str> {
        self.peers.as_ref().and_then(Peers::note)
    }

    /// The descriptors to poll.
    pub fn interests(&self) -> impl Iterator<Item = PollFd<'_>> {
        let sockets = self.sockets.iter().map(|socket| PollFd::new(socket, PollFlags::IN));
        sockets.chain(self.connections.iter().map(|connection| {
            let flags = if connection.unsent.is_empty() { PollFlags::IN } else { PollFlags::OUT };
            PollFd::new(&connection.stream, flags)
        }))
    }

    /// When the next connection times out.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.connections.iter().map(|connection| connection.deadline).min()
    }

    /// Serves all connections without blocking; returns the redirect that ends the wait, with its connection. Fails if
    /// no connection can be accepted any more.
    pub fn serve(&mut self, expected: &Expected) -> Result<Option<(Outcome, Reply)>, Error> {
        let accepted = self.accept();
        accepted.map_err(|error| Error::unavailable(format!("port {}: {}", self.port, message::reason(&error))))?;
        if let Some(peers) = &mut self.peers {
            peers.forget();
        }
        let now = Instant::now();
        let mut at = 0;
        while let Some(connection) = self.connections.get_mut(at) {
            let alive = match connection.proceed(&self.target, expected, self.peers.as_mut()) {
                Progress::Ended(outcome) => {
                    let connection = self.connections.swap_remove(at);
                    return Ok(Some((outcome, Reply(connection))));
                }
                Progress::Ignored(ignored) => {
                    if self.ignored.as_ref().is_none_or(|before| ignored.outweighs(before)) {
                        self.ignored = Some(ignored);
                    }
                    true
                }
                Progress::SpokeTls => {
                    self.spoke_tls = true;
                    true
                }
                Progress::Open => connection.deadline > now,
                Progress::Closed => false,
            };
            if alive {
                at += 1;
            } else {
                self.connections.swap_remove(at);
            }
        }
        Ok(None)
    }

    fn accept(&mut self) -> io::Result<()> {
        let mut at = 0;
        // Limited, so that each connection is read at least once before it may be dropped for another.
        for _ in 0..MAX_CONNECTIONS / 8 {
            let Some(socket) = self.sockets.get(at) else { break };
            match socket.accept() {
                Ok((stream, _)) => {
                    if self.connections.len() >= MAX_CONNECTIONS {
                        self.drop_oldest();
                    }
                    if stream.set_nonblocking(true).is_ok() {
                        self.connections.push(Connection::new(stream));
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => at += 1,
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
                // The system looks for a descriptor first, even if nobody connects.
                Err(_) if !poll::is_readable(socket, Some(Instant::now())) => at += 1,
                // Out of descriptors, and no connection whose end would make room: to wait on would be a busy loop.
                Err(error) if self.connections.is_empty() => return Err(error),
                Err(_) => {
                    self.drop_oldest();
                    at += 1;
                }
            }
        }
        Ok(())
    }

    /// Drops the oldest connection that has sent nothing, or else the oldest of all.
    fn drop_oldest(&mut self) {
        let oldest = self.connections.iter().enumerate();
        let oldest = oldest.min_by_key(|(_, connection)| (!connection.octets.is_empty(), connection.deadline));
        if let Some(at) = oldest.map(|(at, _)| at) {
            self.connections.swap_remove(at);
        }
    }
}

/// The connection that waits for the final page.
pub struct Reply(Connection);

impl Reply {
    /// Sends the page, and gives the browser a moment to read it before the connection is closed.
    pub fn send(mut self, page: &Page) {
        let stream = &mut self.0.stream;
        let _ = stream.set_nonblocking(false);
        let _ = stream.set_write_timeout(Some(LINGER));
        let _ = stream.set_read_timeout(Some(LINGER));
        if stream.write_all(&page.response()).is_ok() && stream.shutdown(Shutdown::Write).is_ok() {
            // Closing with unread octets would reset the connection, and the page could be lost.
            let _ = stream.read(&mut [0; 1024]);
        }
    }
}

struct Connection {
    stream: TcpStream,
    octets: Vec<u8>,
    unsent: Vec<u8>,
    responded: bool,
    deadline: Instant,
}

enum Progress {
    Open,
    Closed,
    Ignored(Ignored),
    SpokeTls,
    Ended(Outcome),
}

impl Connection {
    fn new(stream: TcpStream) -> Connection {
        Connection {
            stream,
            octets: Vec::new(),
            unsent: Vec::new(),
            responded: false,
            deadline: Instant::now() + CONNECTION_TIMEOUT,
        }
    }

    /// Reads and writes what is possible without blocking.
    fn proceed(&mut self, target: &Target, expected: &Expected, peers: Option<&mut Peers>) -> Progress {
        if self.responded {
            return self.write();
        }
        match self.read() {
            Ok(true) => {}
            Ok(false) => return Progress::Open,
            Err(_) => return Progress::Closed,
        }
        match Head::parse(&self.octets) {
            Head::Partial => Progress::Open,
            Head::Bad(status) => {
                let speaks_tls = self.octets.first() == Some(&TLS_HANDSHAKE);
                self.respond(&Page::bad(status));
                if speaks_tls { Progress::SpokeTls } else { self.write() }
            }
            Head::Whole(request, length) => {
                let outcome = expected.outcome(&request.query);
                if let Some(status) = refused(&request, length == self.octets.len(), target) {
                    self.respond(&Page::bad(status));
                    // A form has its state in the body, which is not read.
                    let is_ours = !matches!(outcome, Outcome::Ignored(_));
                    let is_form = status == 405 && request.method == "POST" && request.has("Content-Type");
                    let ignored = Ignored { is_ours, ..misdirected(status) };
                    return if is_ours || is_form { Progress::Ignored(ignored) } else { self.write() };
                }
                match self.checked(outcome, peers) {
                    Outcome::Ignored(ignored) => {
                        self.respond(&Page::ignored(&ignored));
                        Progress::Ignored(ignored)
                    }
                    ended => Progress::Ended(ended),
                }
            }
        }
    }

    /// The outcome, ignored if the connection is another user's. Only what would end the wait is looked up, since that
    /// may take time in proportion to all connections of the machine.
    fn checked(&self, outcome: Outcome, peers: Option<&mut Peers>) -> Outcome {
        let counts = !matches!(outcome, Outcome::Ignored(_));
        let refusal = peers.filter(|_| counts).and_then(|peers| peers.refusal(&self.stream));
        refusal.map_or(outcome, Outcome::Ignored)
    }

    fn respond(&mut self, page: &Page) {
        self.unsent = page.response();
        self.responded = true;
    }

    /// Reads once; returns whether there is new data.
    fn read(&mut self) -> io::Result<bool> {
        let mut buffer = [0; SIZE];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                self.octets.extend_from_slice(buffer.get(..count).unwrap_or_default());
                Ok(true)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes the unsent rest, then waits for the peer to close, so that a reset discards none of it.
    fn write(&mut self) -> Progress {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Progress::Open,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Progress::Closed,
            }
        }
        let _ = self.stream.shutdown(Shutdown::Write);
        match self.read() {
            Ok(_) => {
                self.octets.clear();
                Progress::Open
            }
            Err(_) => Progress::Closed,
        }
    }
}

/// The status for a request that cannot be the redirect of this login, whatever its query.
fn refused(request: &Request, alone: bool, target: &Target) -> Option<u16> {
    // A repeated header has no value, and is never the expected one.
    let is_only = |name, expected| !request.has(name) || request.header(name) == Some(expected);
    let navigates = is_only("Sec-Fetch-Mode", "navigate");
    let purpose = request.header("Purpose");
    let prefetches = request.has("Purpose") && purpose.is_none_or(|purpose| purpose.eq_ignore_ascii_case("prefetch"));
    let early = request.has("Sec-Purpose") || prefetches;
    let plain = alone && is_only("Content-Length", "0") && !request.has("Transfer-Encoding");
    let names = |host: &str| target.hosts.iter().any(|expected| expected.eq_ignore_ascii_case(host));
    match () {
        () if !request.header("Host").is_some_and(names) => Some(421),
        () if request.path != target.path => Some(404),
        () if request.method != "GET" => Some(405),
        () if !plain => Some(400),
        () if early => Some(425),
        () if !navigates => Some(403),
        () => None,
    }
}

/// Why a redirect that was refused with this status is ignored.
fn misdirected(status: u16) -> Ignored {
    let (why, hint) = match status {
        421 => ("its Host header is not that of the redirect URI", Some(HOST)),
        404 => ("its path is not that of the redirect URI", Some(REGISTERED)),
        405 => ("it was not a GET request (response_mode=form_post is not supported)", Some(QUERY)),
        425 => ("it was a prefetch", None),
        403 => ("a page loaded it in the background", None),
        _ => ("its request had a body", None),
    };
    Ignored { hint, ..Ignored::new(why) }
}

/// Sockets at the redirect URI, or at a free port where its own is in use and `may_change`.
fn bind_here(redirect: &Url, may_change: bool) -> Result<Vec<TcpListener>, Error> {
    let addresses = loopback::addresses(redirect);
    let port = redirect.port().unwrap_or(80);
    let bound = loopback::bind(&addresses, port);
    let in_use = bound.as_ref().err().filter(|error| may_change && error.kind() == ErrorKind::AddrInUse);
    let in_use = in_use.map(message::reason);
    let bound = if in_use.is_some() { loopback::bind(&addresses, 0) } else { bound };
    let sockets = bound.map_err(|error| loopback::unusable(redirect, port, &error))?;
    if let (Some(reason), Ok(free)) = (in_use, loopback::port(&sockets)) {
        message::note(&format!("{}:{port}: {reason}; using port {free}", redirect.host()));
    }
    Ok(sockets)
}

/// A socket at the address to which the redirect URI is forwarded.
fn bind_at(address: SocketAddr) -> Result<Vec<TcpListener>, Error> {
    loopback::bind(&[address.ip()], address.port()).map_err(|error| {
        let error = Error::unavailable(format!("{address}: {}", message::reason(&error)));
        error.hint("name another address or port with --listen")
    })
}

/// The `Host` headers of a browser that follows the redirect to a port, and of a proxy that forwards it here. No other is
/// accepted, so that a page cannot reach the listener by a name of its own (DNS rebinding).
fn hosts(redirect: &Url, forwarded_to: Option<SocketAddr>, port: u16) -> Vec<String> {
    let host = redirect.host();
    let usual_port = if redirect.is_https() { 443 } else { 80 };
    let public_port = if forwarded_to.is_some() { redirect.port().unwrap_or(usual_port) } else { port };
    let with_port = format!("{host}:{public_port}");
    // Browsers omit the usual port.
    let without = (public_port == usual_port).then(|| host.to_owned());
    let forwarded = forwarded_to.filter(|address| !address.ip().is_unspecified()).map(|address| address.to_string());
    let bare = forwarded.as_deref().and_then(|address| address.strip_suffix(":80")).map(str::to_owned);
    [with_port].into_iter().chain(without).chain(bare).chain(forwarded).collect()
}

/// What to do about redirects to another address than the request names, and in another form.
const REGISTERED: &str = "request the redirect URI that the server redirects to: pkce-url --redirect-uri";
const HOST: &str = "request the redirect URI that the server redirects to: pkce-url --redirect-uri; a proxy must pass on the \
                    Host header";
const QUERY: &str = "request the response in the query: pkce-url --param response_mode=query";

/// How long a connection may take to send its request and read the response.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the final page may take to reach the browser.
const LINGER: Duration = Duration::from_millis(250);

/// Maximum number of open connections; browsers need a handful, and a process has about a thousand descriptors.
const MAX_CONNECTIONS: usize = 256;

/// The content type of a TLS handshake (RFC 8446 section 5.1), with which a browser that speaks https begins.
const TLS_HANDSHAKE: u8 = 22;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expects_the_host_that_a_browser_or_a_proxy_sends() {
        for (redirect, forwarded_to, port, expected) in [
            ("http://127.0.0.1:0/cb", None, 4711, vec!["127.0.0.1:4711"]),
            ("http://127.0.0.1/cb", None, 80, vec!["127.0.0.1:80", "127.0.0.1"]),
            ("http://127.0.0.1/cb", None, 4711, vec!["127.0.0.1:4711"]),
            ("http://[::1]/cb", None, 80, vec!["[::1]:80", "[::1]"]),
            (
                "https://app.example/cb",
                Some("127.0.0.1:8080"),
                8080,
                vec!["app.example:443", "app.example", "127.0.0.1:8080"],
            ),
            ("http://localhost:8080/cb", Some("127.0.0.1:80"), 80, vec!["localhost:8080", "127.0.0.1", "127.0.0.1:80"]),
            ("http://localhost:8080/cb", Some("[::1]:80"), 80, vec!["localhost:8080", "[::1]", "[::1]:80"]),
            ("http://localhost:8080/cb", Some("127.0.0.1:8080"), 8080, vec!["localhost:8080", "127.0.0.1:8080"]),
            ("http://localhost:8080/cb", Some("0.0.0.0:80"), 80, vec!["localhost:8080"]),
            ("http://localhost/cb", Some("[::]:80"), 80, vec!["localhost:80", "localhost"]),
        ] {
            let forwarded_to = forwarded_to.map(|address| address.parse().unwrap());
            assert_eq!(hosts(&Url::parse(redirect).ok().unwrap(), forwarded_to, port), expected, "{redirect}");
        }
    }
}
