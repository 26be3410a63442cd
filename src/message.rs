//! Messages on standard error: single lines, which neither a terminal nor a CI runner obeys.

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

/// Writes one line about a request, if `PKCE_TRACE=1` is set; the text contains no secret.
pub fn trace(text: &str) {
    if std::env::var("PKCE_TRACE").is_ok_and(|on| on == "1") {
        say(&format!("{}: trace: {}", name(), printable(text)));
    }
}

/// Writes lines to standard error, each of them [`harmless`]; a failure to write is ignored. Nothing else writes there.
pub fn say(lines: &str) {
    let lines: Vec<String> = lines.split('\n').map(harmless).collect();
    let _ = io::stderr().write_all(format!("{}\n", lines.join("\n")).as_bytes());
}

/// Whether messages are lines of JSON, for programs (`PKCE_ERRORS=json`).
pub fn is_json() -> bool {
    std::env::var("PKCE_ERRORS").is_ok_and(|form| form == "json")
}

/// Text sanitized for a terminal: letters, digits and ASCII punctuation, else `?`; at most 1,000 characters.
pub fn printable(text: &str) -> String {
    text.chars().map(sanitized).take(1000).collect()
}

/// Words of a server, cut to what a message may repeat of them: 200 characters.
pub fn shortened(text: &str) -> String {
    text.chars().take(MAX_SHORTENED).collect()
}

/// The URL with `...` in place of a user name and password, which may be a secret.
pub fn without_userinfo(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("//") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest.split_at_checked(end).and_then(|(authority, path)| Some((authority.rsplit_once('@')?.1, path))) {
        Some((host, path)) => format!("{scheme}//...@{host}{path}"),
        None => url.to_owned(),
    }
}

/// A public value or the words of a server, cut to 200 characters, with `[...]` in place of each mail address, and URLs
/// without a user.
pub fn public(text: &str) -> String {
    let is_address = |word: &str| {
        word.split_once('@').is_some_and(|(user, host)| {
            user.ends_with(|last: char| last != '/') && host.starts_with(|first: char| first.is_alphanumeric())
        })
    };
    let words = text.split_inclusive(is_separator);
    let words = words.map(|word| match word {
        url if url.contains("://") => without_userinfo(url),
        address if is_address(address) => format!("[...]{}", end_of(address)),
        word => word.to_owned(),
    });
    shortened(&words.collect::<String>())
}

/// What separates the word from the next.
fn end_of(word: &str) -> &str {
    word.strip_prefix(word.trim_end_matches(is_separator)).unwrap_or_default()
}

fn is_separator(character: char) -> bool {
    character.is_whitespace() || character == ','
}

/// The text as one word of a shell, for a command in a hint: a URL that a server names may be pasted with it.
pub fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/%+=,@[]".contains(c);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// The line sanitized for a terminal, with a space in each text that a CI runner would take for a command.
fn harmless(line: &str) -> String {
    let line: String = line.chars().map(sanitized).collect();
    let mut safe = String::with_capacity(line.len());
    for (place, character) in line.char_indices() {
        if is_command(line.get(place..).unwrap_or_default(), safe.chars().next_back()) {
            safe.push(' ');
        }
        safe.push(character);
    }
    safe
}

/// Whether a command begins with the character before `rest` and the first one of it. Runners look for `##[` (GitHub
/// Actions), `##vso[` (Azure Pipelines) and `##teamcity[` anywhere in a line, for `::NAME::` and `::NAME ...::` (GitHub
/// Actions) at its start. A single `::`, as in an IPv6 address, is none.
fn is_command(rest: &str, before: Option<char>) -> bool {
    match before {
        Some('#') => rest.starts_with('#'),
        Some(':') => rest.strip_prefix(':').is_some_and(is_named),
        _ => false,
    }
}

/// Whether the text after a `::` begins with a command's name, and the `::` after it comes too.
fn is_named(text: &str) -> bool {
    let after = text.trim_start_matches(|letter: char| letter.is_alphanumeric() || "-_".contains(letter));
    let is_closed = after.starts_with("::") || (after.starts_with(' ') && after.contains("::"));
    is_closed && text.starts_with(|first: char| first.is_alphabetic())
}

/// The character, if a terminal prints it and does nothing else.
fn sanitized(character: char) -> char {
    match character {
        ' ' | '!'..='~' => character,
        white if white.is_whitespace() => ' ',
        letter if letter.is_alphanumeric() => letter,
        _ => '?',
    }
}

/// The operating system's error text in lower case, without its number.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string().to_lowercase();
    match text.split_once(" (os error") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}

/// Maximum length of a server's words in a message, in characters.
const MAX_SHORTENED: usize = 200;

static NAME: OnceLock<String> = OnceLock::new();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_up_what_a_runner_takes_for_a_command() {
        for (line, expected) in [
            ("##[error]a", "# #[error]a"),
            ("a ##[group]b", "a # #[group]b"),
            ("###[x]", "# # #[x]"),
            ("##vso[task.setvariable variable=x]y", "# #vso[task.setvariable variable=x]y"),
            ("##teamcity[message text='x']", "# #teamcity[message text='x']"),
            ("::warning::a", ": :warning::a"),
            ("::warning file=a,line=1::b", ": :warning file=a,line=1::b"),
            ("a ::set-output name=a::b", "a : :set-output name=a::b"),
            ("::add-mask::a", ": :add-mask::a"),
            ("::stop-commands::token", ": :stop-commands::token"),
            ("::endgroup::", ": :endgroup::"),
            ("::a::b::c", ": :a: :b::c"),
            (":::warning::a", ":: :warning::a"),
            ("::ECHO::on", ": :ECHO::on"),
            // Not the control characters that the others need (GitLab, Travis CI, Jenkins).
            ("section_start:1:a\r\u{1b}[0Kb", "section_start:1:a ?[0Kb"),
            ("travis_fold:start:a\r", "travis_fold:start:a "),
            ("\u{1b}[8mha:AAAA", "?[8mha:AAAA"),
            // A character that a comparison of texts may skip does not join the two halves of a command.
            ("#\u{ad}#vso[a]", "#?#vso[a]"),
            (":\u{200b}:warning::a", ":?:warning::a"),
        ] {
            assert_eq!(harmless(line), expected);
            assert_eq!(harmless(expected), expected);
        }
    }

    #[test]
    fn leaves_what_a_person_reads_as_it_is() {
        for line in [
            "C:\\Users\\a: no such file",
            "::1",
            "http://[::1]:8080/a",
            "fe80::1%eth0 and fe80::2%eth0",
            "[2001:db8::1] and ::1",
            "[2001:db8::a], [2001:db8::b]:80: connection refused",
            "a::b",
            "Vec::new",
            "a: b: c",
            "issue #1, #2",
            "https://id.example/a?b=c&d=%20é",
        ] {
            assert_eq!(harmless(line), line);
        }
    }
}
