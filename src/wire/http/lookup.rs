//! The addresses of a name.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// The addresses of `NAME:PORT`, as this system looks them up.
pub fn addresses(place: &str) -> io::Result<Vec<SocketAddr>> {
    if cfg!(all(target_env = "gnu", target_feature = "crt-static"))
        && let Some(found) = by_getent(place)
    {
        return found;
    }
    Ok(place.to_socket_addrs()?.collect())
}

/// The addresses that getent(1) finds; `None` if it cannot be started. A program that is linked with the static GNU library
/// uses it, since the modules of nsswitch.conf(5) would need the dynamic one, and of the same version.
fn by_getent(place: &str) -> Option<io::Result<Vec<SocketAddr>>> {
    let (name, port) = place.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let mut getent = Command::new("getent");
    getent.args(["ahosts", "--", name]).stdin(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C must not end it while a refresh token is sent.
    let output = getent.process_group(0).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    // One line for each kind of socket; an address with a scope is none for ours.
    let streams = text.lines().filter(|line| line.contains("STREAM"));
    let found = streams.filter_map(|line| Some(SocketAddr::new(line.split(' ').next()?.parse().ok()?, port)));
    let found: Vec<SocketAddr> = found.collect();
    Some(match output.status.code() {
        Some(0) => Ok(found),
        Some(NOT_FOUND) => Err(io::Error::other(format!("{LOOKUP}no address found (unknown name, or no name server)"))),
        _ => Err(io::Error::other(format!("{LOOKUP}getent failed ({})", output.status))),
    })
}

/// How the standard library begins the resolver's own reason.
pub const LOOKUP: &str = "failed to lookup address information: ";

/// The status of getent if there is no address, whatever the reason.
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
        assert_eq!(unknown, format!("{LOOKUP}no address found (unknown name, or no name server)"));
    }
}
