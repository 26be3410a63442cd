//! The user at the other end of a connection, by the kernel's answer about it, or the table of TCP connections (Linux,
//! proc(5)). RFC 8252 section 8.3.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::diag::{Diag, End};
use super::redirect::Ignored;
use crate::process::{environment, poll, user};

/// The users that may deliver the redirect.
pub struct Peers {
    users: Vec<u32>,
    diag: Option<Diag>,
    /// Kept open, so that others cannot make them unreadable: their connections can take our last descriptor.
    tables: Vec<Table>,
    note: Option<&'static str>,
}

/// Who is at the other end of a connection.
enum Peer {
    /// One of the users, or it cannot be known, as on other systems.
    Accepted,
    Another,
    /// Its end is closed, so it belongs to nobody.
    Closed,
    /// Our own end is no longer established, or was reset.
    Lost,
    /// Not in our tables, but still there: forwarded from a container or another host.
    Elsewhere,
}

impl Peers {
    /// This process's user and root. Root trusts the user of sudo, too, and in a user namespace all users outside of
    /// it are one.
    pub fn new() -> Peers {
        let (real, effective) = (rustix::process::getuid(), rustix::process::geteuid());
        let sudo = environment::variable("SUDO_UID").filter(|_| effective.is_root());
        let sudo = sudo.and_then(|uid| uid.parse().ok());
        let users = [real.as_raw(), effective.as_raw(), 0].into_iter().chain(sudo).chain(user::overflow()).collect();
        let tables = tables().unwrap_or_default();
        // Where they cannot be read, neither can the overflow user, whom the kernel would tell of.
        let diag = Diag::open().filter(|_| !tables.is_empty());
        Peers { users, diag, tables, note: None }
    }

    /// Why the redirect on this connection is ignored, if it is. A browser keeps the connection until the response.
    pub fn refusal(&mut self, stream: &TcpStream) -> Option<Ignored> {
        let mut peer = self.peer(stream);
        if matches!(peer, Peer::Elsewhere) {
            // Or it was reset just now: its end leaves the table before the reset arrives at ours.
            poll::any(&mut [PollFd::new(stream, PollFlags::empty())], Some(Instant::now() + RESET_TIME));
            self.forget();
            peer = self.peer(stream);
        }
        let (ignored, note) = match peer {
            Peer::Accepted | Peer::Elsewhere => return None,
            Peer::Another => (ANOTHER, Some(ANOTHER_NOTE)),
            Peer::Closed => (CLOSED, Some(CLOSED_NOTE)),
            Peer::Lost => (CLOSED, None),
        };
        self.note = self.note.or(note);
        Some(ignored)
    }

    /// Forgets the tables: what was accepted since they were read is not in them.
    pub fn forget(&mut self) {
        self.tables.iter_mut().for_each(|table| table.text = None);
    }

    /// What the user should know about the first connection that was refused.
    pub fn note(&self) -> Option<&'static str> {
        self.note
    }

    fn peer(&mut self, stream: &TcpStream) -> Peer {
        let (Ok(ours), Ok(theirs)) = (stream.local_addr(), stream.peer_addr()) else { return Peer::Lost };
        // At a socket for both IPv4 and IPv6, the other end may be in either table.
        let [ours, theirs] = [ours, theirs].map(|end| SocketAddr::new(end.ip().to_canonical(), end.port()));
        // Fast, but not complete: another user could hide from it.
        let mut their_end = self.diag.as_mut().and_then(|diag| diag.end(theirs, ours));
        let (mut our_end, mut can_tell) = (None, their_end.is_some());
        for table in &mut self.tables {
            // Tables can be long: no more of them than is needed is read.
            if their_end.is_some() {
                break;
            }
            let Some(text) = table.text() else { return Peer::Accepted };
            their_end = entry(text, theirs, ours);
            our_end = our_end.or_else(|| entry(text, ours, theirs));
            can_tell |= their_end.is_some() || our_end.is_some() || lists_listener(text, ours.port());
        }
        if !can_tell {
            return Peer::Accepted;
        }
        // If it was reset meanwhile, another connection may already have its addresses.
        if stream.peer_addr().is_err() {
            return Peer::Lost;
        }
        match (their_end, our_end) {
            (Some(end), _) if !end.has_owner || !OPEN.contains(&end.state) => Peer::Closed,
            (Some(end), _) if self.users.contains(&end.uid) => Peer::Accepted,
            (Some(_), _) => Peer::Another,
            (None, Some(end)) if end.state == ESTABLISHED => Peer::Elsewhere,
            (None, _) => Peer::Lost,
        }
    }
}

/// A table of TCP connections.
struct Table {
    file: File,
    text: Option<String>,
}

impl Table {
    /// The table, read once until it is forgotten, so that many connections do not delay the login; `None` if it cannot be
    /// read.
    fn text(&mut self) -> Option<&str> {
        if self.text.is_none() {
            let mut text = String::new();
            self.file.rewind().and_then(|()| self.file.read_to_string(&mut text)).ok()?;
            self.text = Some(text);
        }
        self.text.as_deref()
    }
}

/// Whether the table lists the socket that listens on this port: that of an emulated kernel may be empty.
fn lists_listener(text: &str, port: u16) -> bool {
    let end = format!(":{port:04X}");
    text.lines().any(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        fields.next().is_some_and(|own| own.ends_with(&end)) && fields.nth(1) == Some(LISTENING)
    })
}

/// The entry of the end with these addresses.
fn entry(text: &str, own: SocketAddr, other: SocketAddr) -> Option<End> {
    let [plain, v6] = [octets, octets_v6].map(|octets| format!("{} {}", hex(own, octets), hex(other, octets)));
    let line = text.lines().find(|line| line.contains(&plain) || line.contains(&v6))?;
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    Some(End {
        state: u8::from_str_radix(fields.get(3)?, 16).ok()?,
        uid: fields.get(7)?.parse().ok()?,
        has_owner: *fields.get(9)? != "0",
    })
}

/// An address as the tables write it: words of 32 bits in the machine's own order.
fn hex(address: SocketAddr, octets: fn(IpAddr) -> Vec<u8>) -> String {
    let octets = octets(address.ip());
    let (words, _) = octets.as_chunks();
    let words: String = words.iter().map(|word| format!("{:08X}", u32::from_ne_bytes(*word))).collect();
    format!("{words}:{:04X}", address.port())
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// The address of a socket for both IPv4 and IPv6, which maps IPv4.
fn octets_v6(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets().to_vec(),
        v6 => octets(v6),
    }
}

/// The tables of IPv4 and, where the machine has it, IPv6.
fn tables() -> io::Result<Vec<Table>> {
    let opened = |path| File::open(path).map(|file| Table { file, text: None });
    let v4 = opened("/proc/net/tcp")?;
    match opened("/proc/net/tcp6") {
        Ok(v6) => Ok(vec![v4, v6]),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(vec![v4]),
        Err(error) => Err(error),
    }
}

const ANOTHER: Ignored = Ignored {
    why: "it came from another user of this machine",
    error: None,
    is_ours: true,
    hint: Some("use a browser that runs as this user, or pkce-callback --any-user"),
    page: Some(
        "Open the address in a browser of the user who runs pkce-callback, or start pkce-callback with --any-user.",
    ),
};
const ANOTHER_NOTE: &str = "ignored a connection of another user of this machine; --any-user accepts it";
const CLOSED: Ignored = Ignored {
    why: "its connection was closed before the response, so its user is not known",
    error: None,
    is_ours: true,
    hint: Some("use a browser that waits for the response, or pkce-callback --any-user"),
    page: Some("Open the address in a browser that waits for the response, or start pkce-callback with --any-user."),
};
const CLOSED_NOTE: &str =
    "ignored a connection that was closed before the response, since its user is not known; --any-user accepts it";

/// The states of Linux's tcp_states.h in which an end that has sent a request can be: established, or no more to send.
const OPEN: [u8; 3] = [ESTABLISHED, 4, 5];
const ESTABLISHED: u8 = 1;

/// The state of a socket that listens, as the tables write it.
const LISTENING: &str = "0A";

/// How long a reset may take to arrive on a busy machine.
const RESET_TIME: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_an_end_by_its_addresses_in_each_table() {
        let word = |octets: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(octets));
        let v4 = word([127, 0, 0, 1]);
        let mapped = format!("{0}{0}{1}{v4}", word([0; 4]), word([0, 0, 255, 255]));
        let v6 = format!("{0}{0}{0}{1}", word([0; 4]), word([0, 0, 0, 1]));
        let line = |host: &str, port: u16, uid: u32, inode: u32| {
            format!(
                "   1: {host}:{port:04X} {host}:1F90 01 00000000:00000000 00:00000000 00000000 {uid:5}        0 {inode} 1\n"
            )
        };
        let text = ["  sl  local_address rem_address   st\n".to_owned()]
            .into_iter()
            .chain([line(&v4, 5000, 1000, 77), line(&mapped, 5001, 1001, 78), line(&v6, 5002, 1002, 0)])
            .collect::<String>();
        let find = |own: &str, other: &str| {
            let end = entry(&text, own.parse().unwrap(), other.parse().unwrap());
            end.map(|end| (end.state, end.uid, end.has_owner))
        };
        assert_eq!(find("127.0.0.1:5000", "127.0.0.1:8080"), Some((1, 1000, true)));
        assert_eq!(find("127.0.0.1:5001", "127.0.0.1:8080"), Some((1, 1001, true)));
        assert_eq!(find("[::1]:5002", "[::1]:8080"), Some((1, 1002, false)));
        assert_eq!(find("127.0.0.1:8080", "127.0.0.1:5000"), None);
        assert_eq!(find("127.0.0.1:5002", "127.0.0.1:8080"), None);
    }
}
