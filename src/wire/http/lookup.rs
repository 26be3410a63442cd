//! The addresses of a name.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
#[cfg(any(test, all(target_env = "gnu", target_feature = "crt-static")))]
use std::process::{Command, Stdio};

/// The addresses of `NAME:PORT`, as this system looks them up.
pub fn addresses(place: &str) -> io::Result<Vec<SocketAddr>> {
    #[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
    if let Some(found) = by_getent(place) {
        return found;
    }
    Ok(place.to_socket_addrs()?.collect())
}

/// The addresses that getent(1) finds; `None` if it cannot be run. A program that is linked with the static GNU library
/// uses it, since the modules of nsswitch.conf(5) would need the dynamic one, and of the same version.
#[cfg(any(test, all(target_env = "gnu", target_feature = "crt-static")))]
fn by_getent(place: &str) -> Option<io::Result<Vec<SocketAddr>>> {
    let (name, port) = place.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let getent =
        Command::new("getent").args(["ahosts", "--", name]).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let output = getent.ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    // One line for each kind of socket; an address with a scope is none for ours.
    let streams = text.lines().filter(|line| line.contains("STREAM"));
    let found = streams.filter_map(|line| Some(SocketAddr::new(line.split(' ').next()?.parse().ok()?, port)));
    let found: Vec<SocketAddr> = found.collect();
    match output.status.code() {
        Some(0) => Some(Ok(found)),
        Some(NOT_FOUND) => Some(Err(io::Error::other(format!("{LOOKUP}name or service not known")))),
        _ => None,
    }
}

/// How the standard library begins the resolver's own reason.
pub const LOOKUP: &str = "failed to lookup address information: ";

/// The status of getent for a name that is not there.
#[cfg(any(test, all(target_env = "gnu", target_feature = "crt-static")))]
const NOT_FOUND: i32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_getent_as_the_standard_library_looks_up() {
        // Not every system has it.
        let Some(found) = by_getent("localhost:80") else { return };
        assert_eq!(found.unwrap(), addresses("localhost:80").unwrap());
        let unknown = by_getent("nowhere.invalid:80").unwrap().unwrap_err().to_string();
        assert!(unknown.starts_with(LOOKUP), "{unknown}");
    }
}
