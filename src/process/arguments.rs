//! Parsers of option values, for clap's `value_parser`.

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

/// Parses text for users: one line, not empty.
pub fn line(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("must be one line of text".to_owned());
    }
    Ok(text.to_owned())
}
