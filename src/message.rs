//! Messages on standard error: single lines, without terminal control characters.

use std::io::{self, Write};
use std::sync::OnceLock;

/// Sets the name of the running tool, once, for all messages.
pub fn set_name(name: &str) {
    let _ = NAME.set(name.to_owned());
}

/// The name of the running tool.
pub fn name() -> &'static str {
    NAME.get().map_or("pkce-tools", String::as_str)
}

/// Writes a note, which is not a failure; nothing if messages are JSON.
pub fn note(text: &str) {
    if !is_json() {
        say(&format!("{}: note: {}", name(), printable(text)));
    }
}

/// Writes lines to standard error; a failure to write is ignored.
pub fn say(lines: &str) {
    let _ = io::stderr().write_all(format!("{lines}\n").as_bytes());
}

/// Whether messages are lines of JSON, for programs (`PKCE_ERRORS=json`).
pub fn is_json() -> bool {
    std::env::var("PKCE_ERRORS").is_ok_and(|form| form == "json")
}

/// Text sanitized for a terminal: letters, digits and ASCII punctuation, else `?`; at most 1,000 characters.
pub fn printable(text: &str) -> String {
    let harmless = |character: char| character == ' ' || character.is_ascii_graphic() || character.is_alphanumeric();
    text.chars()
        .map(|character| if character.is_whitespace() { ' ' } else { character })
        .map(|character| if harmless(character) { character } else { '?' })
        .take(1000)
        .collect()
}

/// The operating system's error text in lower case, without its number.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string().to_lowercase();
    match text.split_once(" (os error") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}

static NAME: OnceLock<String> = OnceLock::new();
