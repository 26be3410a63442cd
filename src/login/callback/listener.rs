//! The loopback listener (RFC 8252 section 7.3): many connections, none of which can block another.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::page::Page;
use super::peer::Peers;
use super::redirect::{Expected, Ignored, Outcome};
use crate::error::Error;
use crate::message;
use crate::process::poll;
use crate::wire::request::{Head, Request, SIZE};
use crate::wire::url::Url;

/// The listening sockets and connections of one login.
pub struct Listener {
    sockets: Vec<TcpListener>,
    connections: Vec<Connection>,
    /// The required `Host` header, `HOST:PORT`.
    authority: String,
    path: String,
    port: u16,
    /// Whose redirect is accepted; `None` for any user's, also where this system cannot tell.
    peers: Option<Peers>,
    ignored: Option<Ignored>,
}

impl Listener {
    /// Listens at the redirect URI; port 0 is any free port, the same for IPv4 and IPv6. Where its port is in use and
    /// `may_change`, it is any free port too, with a note. The redirect of another user of this machine is accepted only
    /// for `any_user`.
    pub fn bind(redirect: &Url, may_change: bool, any_user: bool) -> Result<Listener, Error> {
        let host = redirect.host();
        let addresses: Vec<IpAddr> = match host.trim_matches(['[', ']']).parse() {
            Ok(address) => vec![address],
            Err(_) => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        };
        // Before a socket takes the last descriptor: without the tables, any user would be accepted.
        let peers = (!any_user).then(Peers::new);
        let requested_port = redirect.port().unwrap_or(80);
        let bound = bind_any(&addresses, requested_port);
        let in_use = bound.as_ref().err().filter(|error| may_change && error.kind() == ErrorKind::AddrInUse);
        let in_use = in_use.map(message::reason);
        let bound = if in_use.is_some() { bind_any(&addresses, 0) } else { bound };
        let sockets = bound.map_err(|error| {
            let error = Error::unavailable(format!("{host}:{requested_port}: {}", message::reason(&error)));
            error.hint("use port 0 in the redirect URI for any free port")
        })?;
        let peers = peers.and_then(|mut peers| peers.know(&sockets).then_some(peers));
        let port =
            sockets.iter().find_map(|socket| socket.local_addr().ok()).map_or(requested_port, |address| address.port());
        if let Some(reason) = in_use {
            message::note(&format!("{host}:{requested_port}: {reason}; using port {port}"));
        }
        let has_usual_port = redirect.port().is_none() && port == requested_port;
        let authority = if has_usual_port { host.to_owned() } else { format!("{host}:{port}") };
        let path = if redirect.path().is_empty() { "/" } else { redirect.path() };
        let (path, connections) = (path.to_owned(), Vec::new());
        Ok(Listener { sockets, connections, authority, path, port, peers, ignored: None })
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Why the last redirect was ignored, if one was.
    pub fn ignored(&self) -> Option<Ignored> {
        self.ignored
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
        self.accept()
            .map_err(|error| Error::unavailable(format!("{}: {}", self.authority, message::reason(&error))))?;
        if let Some(peers) = &mut self.peers {
            peers.forget();
        }
        let now = Instant::now();
        let mut at = 0;
        while let Some(connection) = self.connections.get_mut(at) {
            let alive = match connection.proceed(&self.authority, &self.path, expected, self.peers.as_mut()) {
                Progress::Ended(outcome) => {
                    let connection = self.connections.swap_remove(at);
                    return Ok(Some((outcome, Reply(connection))));
                }
                Progress::Ignored(ignored) => {
                    self.ignored = Some(ignored);
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
    fn proceed(&mut self, authority: &str, path: &str, expected: &Expected, peers: Option<&mut Peers>) -> Progress {
        if !self.responded {
            let head = match self.read() {
                Ok(true) => Head::parse(&self.octets),
                Ok(false) => return Progress::Open,
                Err(_) => return Progress::Closed,
            };
            let page = match head {
                Head::Partial => return Progress::Open,
                Head::Bad(status) => Page::bad(status),
                Head::Whole(request, length) => {
                    match error_page(&request, length == self.octets.len(), authority, path) {
                        Some(page) => page,
                        None => match self.outcome(expected.outcome(&request.query), peers) {
                            Outcome::Ignored(ignored) => {
                                self.respond(&Page::ignored(ignored));
                                return Progress::Ignored(ignored);
                            }
                            ended => return Progress::Ended(ended),
                        },
                    }
                }
            };
            self.respond(&page);
        }
        self.write()
    }

    /// The outcome, ignored if the connection is another user's. Only what would end the wait is looked up, since that
    /// takes time in proportion to all connections of the machine.
    fn outcome(&self, outcome: Outcome, peers: Option<&mut Peers>) -> Outcome {
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

/// The error page for a request that cannot be the redirect of this login, whatever its query.
fn error_page(request: &Request, alone: bool, authority: &str, path: &str) -> Option<Page> {
    // A repeated header has no value, and is never the expected one.
    let is_only = |name, expected| !request.has(name) || request.header(name) == Some(expected);
    let navigates = is_only("Sec-Fetch-Mode", "navigate");
    let purpose = request.header("Purpose");
    let prefetches = request.has("Purpose") && purpose.is_none_or(|purpose| purpose.eq_ignore_ascii_case("prefetch"));
    let early = request.has("Sec-Purpose") || prefetches;
    let plain = alone && is_only("Content-Length", "0") && !request.has("Transfer-Encoding");
    match () {
        () if !request.header("Host").is_some_and(|host| host.eq_ignore_ascii_case(authority)) => Some(Page::bad(421)),
        () if request.path != path => Some(Page::bad(404)),
        () if request.method != "GET" => Some(Page::bad(405)),
        () if !plain => Some(Page::bad(400)),
        () if early => Some(Page::bad(425)),
        () if !navigates => Some(Page::bad(403)),
        () => None,
    }
}

/// Sockets at all addresses of the same port, with several attempts where that is any free one.
fn bind_any(addresses: &[IpAddr], requested_port: u16) -> io::Result<Vec<TcpListener>> {
    let mut tries = if requested_port == 0 { PORT_ATTEMPTS } else { 1 };
    loop {
        tries -= 1;
        match bind_all(addresses, requested_port) {
            Err(_) if tries > 0 => {}
            bound => return bound,
        }
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

/// How long a connection may take to send its request and read the response.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the final page may take to reach the browser.
const LINGER: Duration = Duration::from_millis(250);

/// Maximum number of open connections; browsers need a handful, and a process has about a thousand descriptors.
const MAX_CONNECTIONS: usize = 256;

/// How many ports to try until one is free for both IPv4 and IPv6.
const PORT_ATTEMPTS: usize = 32;
