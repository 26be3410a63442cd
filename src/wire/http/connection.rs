//! RFC 8305: a connection to the first address of a host that responds; one that does not costs 250 ms.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    ConnectProxyConnector, ConnectionDetails, Connector, Either, NextTimeout, RustlsConnector, SocksConnector,
    TcpConnector, Transport,
};
use ureq::{Error, Proxy, ProxyProtocol, Timeout};

use super::lookup;

/// The connectors of ureq, its own for TCP behind ours.
pub fn connector() -> impl Connector {
    ().chain(SocksConnector::default())
        .chain(ConnectProxyConnector::default())
        .chain(Staggered)
        .chain(RustlsConnector::default())
}

/// The addresses of a host, by family in turn.
#[derive(Debug, Default)]
pub struct Addresses;

impl Resolver for Addresses {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let started = Instant::now();
        let found = alternating(&looked_up(uri, timeout)?);
        let is_socks = |proxy: &Proxy| {
            proxy.uri() == uri && !matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https)
        };
        let mut addresses = self.empty();
        // ureq's connector for SOCKS tries one address after the other, so the one that responds comes first.
        if found.len() > 1 && config.proxy().is_some_and(is_socks) {
            let left = timeout.after.saturating_sub(started.elapsed());
            let connect = move |address| Ok(TcpStream::connect_timeout(&address, left).map(|_| address)?);
            addresses.push(first(&found, left, timeout.reason, connect)?);
        } else {
            found.into_iter().for_each(|address| addresses.push(address));
        }
        Ok(addresses)
    }
}

/// The addresses of a host. A name is looked up in a thread, so that the wait ends in time; ureq would panic where no
/// thread can be created.
fn looked_up(uri: &Uri, timeout: NextTimeout) -> Result<Vec<SocketAddr>, Error> {
    let parts = uri.scheme().zip(uri.authority());
    let place = parts.and_then(|(scheme, authority)| DefaultResolver::host_and_port(scheme, authority));
    let place = place.ok_or(Error::HostNotFound)?;
    if let Ok(address) = place.parse() {
        return Ok(vec![address]);
    }
    let (sender, found) = mpsc::channel();
    // Early enough that what is started for it is ended before this process is.
    let end = Instant::now() + timeout.after.mul_f32(0.9);
    let thread = thread::Builder::new().spawn(move || drop(sender.send(lookup::addresses(&place, end))));
    thread.map_err(|error| io::Error::new(error.kind(), format!("threads: {error}")))?;
    let found = match found.recv_timeout(*timeout.after) {
        Ok(Err(error)) if error.kind() == ErrorKind::TimedOut => return Err(Error::Timeout(timeout.reason)),
        found => found.map_err(|_| Error::Timeout(timeout.reason))??,
    };
    let found: Vec<SocketAddr> = found.into_iter().take(MAX_ADDRESSES).collect();
    if found.is_empty() { Err(Error::HostNotFound) } else { Ok(found) }
}

/// Connects to the addresses one after the other, without waiting for the end of an attempt.
#[derive(Debug)]
struct Staggered;

impl<In: Transport> Connector<In> for Staggered {
    type Out = Either<In, <TcpConnector as Connector>::Out>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        // A proxy's.
        if let Some(transport) = chained {
            return Ok(Some(Either::A(transport)));
        }
        let (uri, config) = (details.uri.clone(), details.config.clone());
        let (now, timeout, request_level) = (details.now, details.timeout, details.request_level);
        let current_time = Arc::clone(&details.current_time);
        let run_connector = Arc::clone(&details.run_connector);
        let register_shutdown = Arc::clone(&details.register_shutdown);
        let connect = move |address| {
            let mut addrs = Addresses.empty();
            addrs.push(address);
            let details = ConnectionDetails {
                uri: &uri,
                addrs,
                config: &config,
                request_level,
                resolver: &Addresses,
                now,
                timeout,
                current_time: Arc::clone(&current_time),
                run_connector: Arc::clone(&run_connector),
                register_shutdown: Arc::clone(&register_shutdown),
            };
            TcpConnector::default().connect(&details, None::<()>)?.ok_or(Error::ConnectionFailed)
        };
        first(&details.addrs, *timeout.after, timeout.reason, connect).map(|transport| Some(Either::B(transport)))
    }
}

/// The result of the first attempt that succeeds. Each address is tried once the one before has failed, or has not
/// responded for a while; if all fail, the error is the one that says most.
fn first<T: Send + 'static>(
    addresses: &[SocketAddr],
    time: Duration,
    reason: Timeout,
    attempt: impl Fn(SocketAddr) -> Result<T, Error> + Send + Sync + 'static,
) -> Result<T, Error> {
    if let [address] = addresses {
        return attempt(*address);
    }
    let end = Instant::now() + time;
    let attempt = Arc::new(attempt);
    let (sender, results) = mpsc::channel();
    let (mut waiting, mut running, mut failures) = (addresses.iter(), 0, Vec::new());
    loop {
        if let Some(address) = waiting.next().copied() {
            let (attempt, sender) = (Arc::clone(&attempt), sender.clone());
            // One that nobody waits for any more is closed, at the latest with the process.
            thread::Builder::new().spawn(move || drop(sender.send(attempt(address))))?;
            running += 1;
        }
        let left = end.saturating_duration_since(Instant::now());
        let pause = if waiting.len() == 0 { left } else { left.min(DELAY) };
        match results.recv_timeout(pause) {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(failure)) => {
                failures.push(failure);
                running -= 1;
            }
            Err(_) if end <= Instant::now() => failures.push(Error::Timeout(reason)),
            Err(_) => continue,
        }
        if end <= Instant::now() || running == 0 && waiting.len() == 0 {
            return Err(failures.into_iter().min_by_key(rank).unwrap_or(Error::ConnectionFailed));
        }
    }
}

/// How little a failure says about the host: one that refused is there; one that cannot be reached may only lack a
/// route from here.
fn rank(failure: &Error) -> u8 {
    match failure {
        Error::Io(error) if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset) => 0,
        Error::Timeout(_) => 1,
        _ => 2,
    }
}

/// The addresses of both families in turn, that of the first one first (RFC 8305 section 4).
fn alternating(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let is_first = |address: &&SocketAddr| addresses.first().is_some_and(|first| first.is_ipv6() == address.is_ipv6());
    let (own, other): (Vec<&SocketAddr>, Vec<&SocketAddr>) = addresses.iter().partition(is_first);
    let (mut own, mut other) = (own.into_iter(), other.into_iter());
    let mut order = Vec::new();
    while order.len() < addresses.len() {
        order.extend(own.next().into_iter().chain(other.next()));
    }
    order
}

/// As many as ureq has room for.
const MAX_ADDRESSES: usize = 16;

/// The delay of the next attempt (RFC 8305 section 8).
const DELAY: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// The first result where these addresses do not respond and these fail so, and the order of the attempts.
    fn connected(
        time: Duration,
        silent: &'static [&str],
        failing: &'static [(&str, ErrorKind)],
        others: &[&str],
    ) -> (Result<SocketAddr, Error>, Vec<SocketAddr>) {
        let all: Vec<&str> = silent.iter().copied().chain(failing.iter().map(|(text, _)| *text)).collect();
        let all = addresses(&[&all, others].concat());
        let tried = Arc::new(Mutex::new(Vec::new()));
        let (hold, held) = mpsc::channel::<()>();
        let (seen, held) = (Arc::clone(&tried), Mutex::new(held));
        let result = first(&all, time, Timeout::Connect, move |address| {
            seen.lock().unwrap().push(address);
            if addresses(silent).contains(&address) {
                let _ = held.lock().unwrap().recv();
            }
            match failing.iter().find(|(text, _)| addresses(&[text]).contains(&address)) {
                Some((_, kind)) => Err(Error::Io(io::Error::from(*kind))),
                None => Ok(address),
            }
        });
        drop(hold);
        let tried = tried.lock().unwrap().clone();
        (result, tried)
    }

    #[test]
    fn does_not_wait_for_an_address_that_never_responds() {
        let (long, silent) = (Duration::from_secs(600), &["[2001:db8::1]:443"]);
        let (result, tried) = connected(long, silent, &[], &["192.0.2.1:443", "192.0.2.2:443"]);
        assert_eq!(result.unwrap(), addresses(&["192.0.2.1:443"])[0]);
        assert_eq!(tried, addresses(&["[2001:db8::1]:443", "192.0.2.1:443"]));
    }

    #[test]
    fn tells_the_failure_that_says_most() {
        let long = Duration::from_secs(600);
        let failing = &[
            ("[2001:db8::1]:443", ErrorKind::NetworkUnreachable),
            ("192.0.2.1:443", ErrorKind::ConnectionRefused),
            ("192.0.2.2:443", ErrorKind::TimedOut),
        ];
        let (result, tried) = connected(long, &[], failing, &[]);
        let kind = |result: Result<SocketAddr, Error>| match result {
            Err(Error::Io(error)) => Some(error.kind()),
            _ => None,
        };
        assert_eq!((kind(result), tried.len()), (Some(ErrorKind::ConnectionRefused), 3));
        let unreachable = &[("192.0.2.1:443", ErrorKind::NetworkUnreachable)];
        let (result, _) = connected(Duration::from_millis(600), &["[2001:db8::1]:443"], unreachable, &[]);
        assert!(matches!(result, Err(Error::Timeout(_))));
        let refused = &[("192.0.2.1:443", ErrorKind::ConnectionRefused)];
        let (result, _) = connected(Duration::from_millis(600), &["[2001:db8::1]:443"], refused, &[]);
        assert_eq!(kind(result), Some(ErrorKind::ConnectionRefused));
    }

    #[test]
    fn takes_the_families_in_turn() {
        let order = |texts: &[&str]| alternating(&addresses(texts));
        let six = ["[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1"];
        assert_eq!(
            order(&[six[0], six[1], six[2], "192.0.2.1:1"]),
            addresses(&[six[0], "192.0.2.1:1", six[1], six[2]])
        );
        assert_eq!(order(&["192.0.2.1:1", six[0], six[1]]), addresses(&["192.0.2.1:1", six[0], six[1]]));
        assert_eq!(order(&six), addresses(&six));
        assert_eq!(order(&[]), []);
    }
}
