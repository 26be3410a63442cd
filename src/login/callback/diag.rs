//! The kernel's answer to a question about one TCP socket (Linux, sock_diag(7)), where the table of them all takes it
//! milliseconds.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::net::{RecvFlags, SendFlags, recv, send};

/// One end of a connection, as the kernel describes it.
#[derive(Debug, PartialEq)]
pub struct End {
    /// Of Linux's tcp_states.h.
    pub state: u8,
    pub uid: u32,
    /// Whether a process holds it. The user of one that is closed is root in many kernels.
    pub has_owner: bool,
}

/// A socket to the kernel.
pub struct Diag {
    socket: OwnedFd,
    sequence: u32,
}

impl Diag {
    /// `None` where the system has no such socket, or does not allow it.
    pub fn open() -> Option<Diag> {
        Some(Diag { socket: socket()?, sequence: 0 })
    }

    /// The end with these addresses, which map no IPv4; `None` if the kernel does not tell. It never tells of one that
    /// is bound to a device, which any process may do to hide.
    pub fn end(&mut self, own: SocketAddr, other: SocketAddr) -> Option<End> {
        self.sequence = self.sequence.wrapping_add(1);
        send(&self.socket, &question(self.sequence, own, other), SendFlags::empty()).ok()?;
        // Sent is answered: nothing is waited for.
        let mut buffer = [0; ANSWER_SIZE];
        let (length, _) = recv(&self.socket, &mut buffer, RecvFlags::empty()).ok()?;
        parsed(buffer.get(..length)?, self.sequence, own, other)
    }
}

/// Connected, so that messages of other processes do not arrive.
#[cfg(target_os = "linux")]
fn socket() -> Option<OwnedFd> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, netlink, socket_with};
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(netlink::SOCK_DIAG)).ok()?;
    connect(&socket, &netlink::SocketAddrNetlink::new(0, 0)).ok()?;
    Some(socket)
}

#[cfg(not(target_os = "linux"))]
fn socket() -> Option<OwnedFd> {
    None
}

/// A `nlmsghdr` with an `inet_diag_req_v2`.
fn question(sequence: u32, own: SocketAddr, other: SocketAddr) -> Vec<u8> {
    let family = if own.is_ipv4() { AF_INET } else { AF_INET6 };
    let body = [&[family, IPPROTO_TCP, 0, 0][..], &[0xff; 4], &ends(own, other, octets), &[0; 4], &[0xff; 8]].concat();
    let length = u32::try_from(HEADER_SIZE + body.len()).unwrap_or_default();
    let (length, kind, flags) = (length.to_ne_bytes(), SOCK_DIAG_BY_FAMILY.to_ne_bytes(), NLM_F_REQUEST.to_ne_bytes());
    [&length[..], &kind, &flags, &sequence.to_ne_bytes(), &[0; 4], &body].concat()
}

/// The end that the answer, a `nlmsghdr` with an `inet_diag_msg`, describes; `None` if it answers another question. Where
/// there is no such end, it is the socket that listens.
fn parsed(answer: &[u8], sequence: u32, own: SocketAddr, other: SocketAddr) -> Option<End> {
    let (header, body) = answer.split_at_checked(HEADER_SIZE)?;
    let kind = header.get(4..)?.first_chunk().copied().map(u16::from_ne_bytes);
    let described = body.get(4..40)?;
    // A socket for both IPv4 and IPv6 maps IPv4.
    let is_it = [octets, octets_v6].iter().any(|octets| described == ends(own, other, *octets));
    let answers = kind == Some(SOCK_DIAG_BY_FAMILY) && word(header, 8) == Some(sequence) && is_it;
    let end = End { state: *body.get(1)?, uid: word(body, 64)?, has_owner: word(body, 68)? != 0 };
    answers.then_some(end)
}

fn word(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

/// The first members of `inet_diag_sockid`: ports and addresses.
fn ends(own: SocketAddr, other: SocketAddr, octets: fn(IpAddr) -> [u8; 16]) -> Vec<u8> {
    let ports = [own, other].map(|end| end.port().to_be_bytes()).concat();
    [ports, [own, other].map(|end| octets(end.ip())).concat()].concat()
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96).to_be_bytes(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

fn octets_v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// Of Linux's netlink.h, sock_diag.h and socket.h.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;

/// The size of `nlmsghdr`, and with it that of `inet_diag_msg`; what follows is not needed.
const HEADER_SIZE: usize = 16;
const ANSWER_SIZE: usize = HEADER_SIZE + 72;

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "127.0.0.1:5000";
    const OTHER: &str = "127.0.0.1:8080";

    fn answer(kind: u16, sequence: u32, ends: &[u8]) -> Vec<u8> {
        let header =
            [&88u32.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 2], &sequence.to_ne_bytes(), &[9; 4]].concat();
        let rest = [&[1; 24][..], &1000u32.to_ne_bytes(), &77u32.to_ne_bytes()].concat();
        [&header[..], &[AF_INET, 1, 0, 0], ends, &rest].concat()
    }

    fn parse(answer: &[u8]) -> Option<End> {
        parsed(answer, 3, OWN.parse().unwrap(), OTHER.parse().unwrap())
    }

    #[test]
    fn believes_the_answer_to_its_own_question_only() {
        let [own, other] = [OWN, OTHER].map(|end| end.parse().unwrap());
        let end = || Some(End { state: 1, uid: 1000, has_owner: true });
        let exact = answer(20, 3, &ends(own, other, octets));
        assert_eq!(exact.len(), ANSWER_SIZE);
        assert_eq!(parse(&exact), end());
        assert_eq!(parse(&answer(20, 3, &ends(own, other, octets_v6))), end());
        // Another sequence, another kind (an error), the end of the other, the listener.
        assert_eq!(parse(&answer(20, 2, &ends(own, other, octets))), None);
        assert_eq!(parse(&answer(2, 3, &ends(own, other, octets))), None);
        assert_eq!(parse(&answer(20, 3, &ends(other, own, octets))), None);
        assert_eq!(parse(&answer(20, 3, &ends(own, "0.0.0.0:0".parse().unwrap(), octets))), None);
        for length in 0..ANSWER_SIZE {
            assert_eq!(parse(&exact[..length]), None, "{length}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernel_tells_of_each_end_of_a_connection_and_of_no_other() {
        use std::net::{TcpListener, TcpStream};
        // Where it is not allowed, the tables are read.
        let Some(mut diag) = Diag::open() else { return };
        let uid = rustix::process::getuid().as_raw();
        for (at, host) in [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "::1"), ("[::]:0", "127.0.0.1")] {
            let Ok(listener) = TcpListener::bind(at) else { continue };
            let port = listener.local_addr().unwrap().port();
            let stream = TcpStream::connect((host, port)).unwrap();
            let accepted = listener.accept().unwrap();
            let [own, other] = [stream.local_addr(), stream.peer_addr()].map(Result::unwrap);
            let open = || Some(End { state: 1, uid, has_owner: true });
            assert_eq!((diag.end(own, other), diag.end(other, own)), (open(), open()), "{at}");
            assert_eq!(diag.end(SocketAddr::new(own.ip(), 1), other), None, "{at}");
            assert_eq!(diag.end(other, SocketAddr::new(own.ip(), 1)), None, "{at}");
            drop(stream);
            let closed = diag.end(own, other).map(|end| end.has_owner);
            assert_eq!(closed, Some(false), "{at}");
            drop(accepted);
        }
    }
}
