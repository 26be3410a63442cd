//! What is said on standard error, and how: one line, nothing that a terminal obeys.

use std::io::{self, Write};
use std::sync::OnceLock;

/// Names the running tool, once, for all messages.
pub fn set_name(name: &str) {
    let _ = NAME.set(name.to_owned());
}

/// The name of the running tool.
pub fn name() -> &'static str {
    NAME.get().map_or("pkce-tools", String::as_str)
}

/// Writes what should be known without being a failure; nothing where messages are JSON.
pub fn note(text: &str) {
    if !is_json() {
        say(&format!("{}: note: {}", name(), printable(text)));
    }
}

/// Writes lines to standard error; a closed one is no failure.
pub fn say(lines: &str) {
    let _ = io::stderr().write_all(format!("{lines}\n").as_bytes());
}

/// Whether messages are lines of JSON, for programs (`PKCE_ERRORS=json`).
pub fn is_json() -> bool {
    std::env::var("PKCE_ERRORS").is_ok_and(|form| form == "json")
}

/// Text from outside, reduced to what can do nothing to a terminal: letters, digits, ASCII marks; 1,000 of them.
pub fn printable(text: &str) -> String {
    let harmless = |character: char| character == ' ' || character.is_ascii_graphic() || character.is_alphanumeric();
    text.chars()
        .map(|character| if character.is_whitespace() { ' ' } else { character })
        .map(|character| if harmless(character) { character } else { '?' })
        .take(1000)
        .collect()
}

/// The operating system's reason, without its number.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string().to_lowercase();
    match text.split_once(" (os error") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}

static NAME: OnceLock<String> = OnceLock::new();
