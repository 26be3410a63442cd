//! The addresses of a name.

use std::io::{self, ErrorKind, Read};
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The addresses of `NAME:PORT`, as this system looks them up, by this time if it can be ended.
pub fn addresses(place: &str, end: Instant) -> io::Result<Vec<SocketAddr>> {
    if cfg!(all(target_env = "gnu", target_feature = "crt-static"))
        && let Some(found) = by_getent(place, end)
    {
        return found;
    }
    Ok(place.to_socket_addrs()?.collect())
}

/// The addresses that getent(1) finds; `None` if it cannot be started. A program that is linked with the static GNU library
/// uses it, since the modules of nsswitch.conf(5) would need the dynamic one, and of the same version.
fn by_getent(place: &str, end: Instant) -> Option<io::Result<Vec<SocketAddr>>> {
    let (name, port) = place.rsplit_once(':')?;
    let port = port.parse().ok()?;
    // It would be an option; and getent of musl takes `--` for a name.
    if name.starts_with('-') {
        return None;
    }
    let mut getent = Command::new("getent");
    getent.args(["ahosts", name]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    // Ctrl-C must not end it while a refresh token is sent.
    let mut child = getent.process_group(0).spawn().ok()?;
    let stdout = child.stdout.take()?;
    let Some(status) = status(&mut child, end) else { return Some(Err(ErrorKind::TimedOut.into())) };
    let mut text = String::new();
    let _ = stdout.take(MAX_SIZE).read_to_string(&mut text);
    // One line for each kind of socket; an address with a scope is none for ours.
    let streams = text.lines().filter(|line| line.contains("STREAM"));
    let found = streams.filter_map(|line| Some(SocketAddr::new(line.split(' ').next()?.parse().ok()?, port)));
    let found: Vec<SocketAddr> = found.collect();
    Some(match status.code() {
        Some(0) => Ok(found),
        Some(NOT_FOUND) => Err(io::Error::other(format!("{LOOKUP}no address found (unknown name, or no name server)"))),
        _ => Err(io::Error::other(format!("{LOOKUP}getent failed ({status})"))),
    })
}

/// The status with which it ends; one that does not end in time is killed.
fn status(child: &mut Child, end: Instant) -> Option<ExitStatus> {
    while Instant::now() < end {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) => thread::sleep(PAUSE),
            Err(_) => break,
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// How the standard library begins the resolver's own reason.
pub const LOOKUP: &str = "failed to lookup address information: ";

/// The status of getent if there is no address, whatever the reason.
const NOT_FOUND: i32 = 2;

/// The pause between two looks whether it has ended.
const PAUSE: Duration = Duration::from_millis(1);

/// What a pipe holds: with more, it does not end.
const MAX_SIZE: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_getent_as_the_standard_library_looks_up() {
        // Not every system has it.
        let end = Instant::now() + Duration::from_secs(60);
        let Some(found) = by_getent("localhost:80", end) else { return };
        assert_eq!(found.unwrap(), addresses("localhost:80", end).unwrap());
        let unknown = by_getent("nowhere.invalid:80", end).unwrap().unwrap_err().to_string();
        assert_eq!(unknown, format!("{LOOKUP}no address found (unknown name, or no name server)"));
        assert!(by_getent("--help:80", end).is_none());
        let late = by_getent("localhost:80", Instant::now()).unwrap().unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut);
    }
}
