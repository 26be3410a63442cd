//! Parsers of option values, for clap's `value_parser`.

use std::net::SocketAddr;
use std::time::Duration;

/// Parses a `--timeout`: whole seconds, at least one.
pub fn seconds(text: &str) -> Result<Duration, String> {
    number(text, 1, u32::MAX.into()).map(Duration::from_secs)
}

/// Parses a whole number from `least` to `most`.
pub fn number(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("must be a whole number from {least} to {most}"))
}

/// Parses a port; 0 is any free one.
pub fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| format!("must be a whole number from 0 to {}", u16::MAX))
}

/// Parses an address to listen at: an IP address and a port, not 0.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse().ok().filter(|address: &SocketAddr| address.port() != 0);
    address.ok_or_else(|| "must be an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080".to_owned())
}

/// Parses text for users: one line, not empty.
pub fn line(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("must be one line of text".to_owned());
    }
    Ok(text.to_owned())
}
