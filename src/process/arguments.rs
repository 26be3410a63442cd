//! Readers for the values of options, as clap's `value_parser` takes them.

use std::time::Duration;

/// Reads a `--timeout`: whole seconds, at least one.
pub fn seconds(text: &str) -> Result<Duration, String> {
    number(text, 1, u32::MAX.into()).map(Duration::from_secs)
}

/// Reads a whole number from `least` to `most`.
pub fn number(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("must be a whole number from {least} to {most}"))
}

/// Reads text for people: one line, not empty.
pub fn line(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("must be one line of text".to_owned());
    }
    Ok(text.to_owned())
}
