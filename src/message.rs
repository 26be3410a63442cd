//! Messages on standard error: single lines, which neither a terminal nor a CI runner obeys, and what they may repeat.

use std::io;
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::standard_error;

/// Sets the name of the running tool, once, for all messages.
pub fn set_name(name: &str) {
    let _ = NAME.set(name.to_owned());
}

/// The name of the running tool.
pub fn name() -> &'static str {
    NAME.get().map_or("pkce-tools", String::as_str)
}

/// Suppresses all further notes, for a program that takes what is on standard error for a part of the response.
pub fn suppress_notes() {
    let _ = NOTES_ARE_SUPPRESSED.set(());
}

/// Writes a note, which is not a failure; nothing if messages are JSON.
pub fn note(text: &str) {
    if !is_json() && NOTES_ARE_SUPPRESSED.get().is_none() {
        say(&format!("{}: note: {}", name(), printable(text)));
    }
}

/// Writes one line about a request, if `PKCE_TRACE=1` is set; the text contains no secret.
pub fn trace(text: &str) {
    if std::env::var("PKCE_TRACE").is_ok_and(|on| on == "1") {
        say(&format!("{}: trace: {}", name(), printable(text)));
    }
}

/// Writes lines to standard error, each of them [`harmless`]; a failure to write is ignored.
pub fn say(lines: &str) {
    let lines: Vec<String> = lines.split('\n').map(harmless).collect();
    standard_error::write(&format!("{}\n", lines.join("\n")));
}

/// Whether messages are lines of JSON, for programs (`PKCE_ERRORS=json`).
pub fn is_json() -> bool {
    std::env::var("PKCE_ERRORS").is_ok_and(|form| form == "json")
}

/// Text sanitized for a terminal: letters with their marks, digits, ASCII punctuation and that of names, else `?`; at most
/// 1,000 characters.
pub fn printable(text: &str) -> String {
    sanitized(text).take(1000).collect()
}

/// Words of a server, cut to what a message may repeat of them: 200 characters.
pub fn shortened(text: &str) -> String {
    text.chars().take(MAX_SHORTENED).collect()
}

/// The text on one line.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text with `...` in place of the user name and password of each URL, which may be a secret.
pub fn without_userinfo(text: &str) -> String {
    without_user_before(text, |_| true)
}

/// As [`without_userinfo`], of URLs whose password may have a space.
pub fn without_spaced_userinfo(text: &str) -> String {
    without_user_before(text, |part| !may_have_spaced_password(part))
}

/// Whether this text, which follows two slashes, begins with a user name and a password that may go on after white space:
/// with a first word that is no host with a port.
pub fn may_have_spaced_password(text: &str) -> bool {
    let word = text.split(|c: char| c.is_whitespace() || USER_ENDS.contains(c)).next().unwrap_or_default();
    let after_host = if word.starts_with('[') { word.split_once(']').map_or(word, |(_, after)| after) } else { word };
    let port = after_host.split_once(':').map(|(_, port)| port);
    port.is_some_and(|port| port.is_empty() || !port.bytes().all(|octet| octet.is_ascii_digit()))
}

fn without_user_before(text: &str, ends_with_word: impl Fn(&str) -> bool) -> String {
    let mut parts = text.split("//");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let ends_with_word = ends_with_word(part);
        let is_end = |c: char| USER_ENDS.contains(c) || (ends_with_word && c.is_whitespace());
        let end = part.find(is_end).unwrap_or(part.len());
        let user = part.get(..end).and_then(|authority| authority.rfind('@'));
        whole.push_str(if user.is_some() { "//...@" } else { "//" });
        whole.push_str(part.get(user.map_or(0, |at| at + 1)..).unwrap_or_default());
    }
    whole
}

/// A public value or the words of a server, cut to 200 characters, and [`discreet`].
pub fn public(text: &str) -> String {
    shortened(&discreet(text))
}

/// The text with `[...]` in place of each mail address, percent-encoded or not, and of each JSON Web Token; its URLs without
/// a user.
pub fn discreet(text: &str) -> String {
    let escapes = ["&#64;", "&#x40;", "&commat;", "\\u0040"];
    let text = escapes.iter().fold(without_userinfo(text), |text, escape| text.replace(escape, "@"));
    masked(&text, |word, part| is_address(word) || has_json_web_token(part))
}

/// The text with `[...]` in place of each JSON Web Token.
pub fn without_tokens(text: &str) -> String {
    masked(text, |_, part| has_json_web_token(part))
}

/// The text with `[...]` in place of each word that is `private`, which gets the word, and the same with the punctuation
/// at its end.
fn masked(text: &str, private: impl Fn(&str, &str) -> bool) -> String {
    let parts = text.split_inclusive(|c: char| c.is_whitespace() || ",;:/?&=<>\"'()".contains(c));
    let parts = parts.map(|part| {
        let word = part.trim_end_matches(|c: char| !c.is_alphanumeric() && !"]%@_-".contains(c));
        let end = part.strip_prefix(word).unwrap_or_default();
        if private(word, part) { format!("[...]{end}") } else { part.to_owned() }
    });
    parts.collect()
}

fn is_address(word: &str) -> bool {
    let plain = word.replace("%2540", "@").replace("%40", "@");
    plain.rsplit_once('@').is_some_and(|(user, host)| {
        !["", "..."].contains(&user) && host.starts_with(|first: char| first.is_alphanumeric() || first == '[')
    })
}

/// Whether it has a JSON Web Token: its first part is an object in base64url, and the last may be empty.
fn has_json_web_token(word: &str) -> bool {
    let from = |at: usize| word.get(at..).unwrap_or_default();
    let place = |start: &&str| word.match_indices(*start).map(|(at, _)| at).find(|at| begins_object(from(*at)));
    let token = OBJECTS.iter().filter_map(place).min().map_or("", from);
    token.replace("%2E", ".").replace("%2e", ".").matches('.').count() >= 2
}

/// Whether it begins with an object in base64url: a brace, white space, and the quotation mark of a name.
fn begins_object(text: &str) -> bool {
    let mut octets = text.as_bytes().chunks(4).map_while(|group| URL_SAFE_NO_PAD.decode(group).ok()).flatten();
    octets.next() == Some(b'{') && octets.find(|octet| !octet.is_ascii_whitespace()) == Some(b'"')
}

/// The text as one word of a shell, for a command in a hint: a URL that a server names may be pasted with it.
pub fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/%+=,@[]".contains(c);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// The line sanitized for a terminal, with a space in each text that a CI runner would take for a command.
pub fn harmless(line: &str) -> String {
    let line: String = sanitized(line).collect();
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

/// Whether the character is a letter, a digit or ASCII punctuation, which no program changes or leaves out.
pub fn is_plain(character: char) -> bool {
    character != ' ' && plain(character) == character
}

/// The characters that a terminal prints and does nothing else with, and `?` for the others. Of marks, each letter keeps a
/// few: more would cover the lines above and below.
fn sanitized(text: &str) -> impl Iterator<Item = char> {
    text.chars().scan(MAX_MARKS, |marks, character| {
        let is_mark = MARKS.iter().any(|(first, last)| (*first..=*last).contains(&character));
        *marks = match () {
            () if is_mark => *marks + 1,
            () if character.is_alphabetic() => 0,
            () => MAX_MARKS,
        };
        let is_kept = PUNCTUATION.contains(&character) || (is_mark && *marks <= MAX_MARKS);
        Some(if is_kept { character } else { plain(character) })
    })
}

/// The character, if it is a letter, a digit, ASCII punctuation or a space.
fn plain(character: char) -> char {
    match character {
        ' ' | '!'..='~' => character,
        // Letters that are blank: fillers of Hangul.
        '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' => '?',
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

/// The beginnings of an object in base64url: `{"`, and a brace before a space, a tab or a line break.
const OBJECTS: [&str; 5] = ["eyJ", "eyA", "ewk", "ewo", "ew0"];

/// Punctuation in the names of people: quotation marks, dashes, a hyphen and a middle dot.
const PUNCTUATION: [char; 8] =
    ['\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}', '\u{2011}', '\u{2013}', '\u{2014}', '\u{b7}'];

/// Combining marks that are seen and are no letters: accents, the points of Hebrew and Arabic, and of scripts of India and
/// Thailand those signs that Unicode does not count as letters.
const MARKS: [(char, char); 18] = [
    ('\u{300}', '\u{34e}'),
    ('\u{350}', '\u{36f}'),
    ('\u{483}', '\u{487}'),
    ('\u{591}', '\u{5bd}'),
    ('\u{5bf}', '\u{5bf}'),
    ('\u{5c1}', '\u{5c2}'),
    ('\u{64b}', '\u{65f}'),
    ('\u{93c}', '\u{93c}'),
    ('\u{94d}', '\u{94d}'),
    ('\u{9bc}', '\u{9bc}'),
    ('\u{9cd}', '\u{9cd}'),
    ('\u{a4d}', '\u{a4d}'),
    ('\u{acd}', '\u{acd}'),
    ('\u{b4d}', '\u{b4d}'),
    ('\u{bcd}', '\u{bcd}'),
    ('\u{c4d}', '\u{c4d}'),
    ('\u{d4d}', '\u{d4d}'),
    ('\u{e47}', '\u{e4c}'),
];

/// Maximum number of marks of a letter: in Vietnamese, there are two.
const MAX_MARKS: usize = 2;

/// What ends the part of a URL that may have a user, beside white space.
const USER_ENDS: &str = "/?#\"<>";

/// Maximum length of a server's words in a message, in characters.
const MAX_SHORTENED: usize = 200;

static NOTES_ARE_SUPPRESSED: OnceLock<()> = OnceLock::new();

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
            ("a\u{3164}b\u{115f}\u{1160}\u{ffa0}c", "a?b???c"),
        ] {
            assert_eq!(harmless(line), expected);
            assert_eq!(harmless(expected), expected);
        }
    }

    #[test]
    fn shows_no_mail_address_in_any_spelling() {
        for (text, expected) in [
            ("bob@example.com", "[...]"),
            ("User 'bob@example.com', not found.", "User '[...]', not found."),
            ("bob@example.com.", "[...]."),
            ("<bob+tag@example.com>; (bob@localhost)", "<[...]>; ([...])"),
            ("mailto:bob@example.com?subject=x", "mailto:[...]?subject=x"),
            ("bob%40example.com", "[...]"),
            ("bob%2Btag%40example.com", "[...]"),
            ("https://id.example/users/bob@example.com/edit", "https://id.example/users/[...]/edit"),
            ("https://id.example/users/bob%40example.com", "https://id.example/users/[...]"),
            ("https://id.example/a?login_hint=bob%40example.com&b=c", "https://id.example/a?login_hint=[...]&b=c"),
            ("https://id.example/a?b=bob@example.com#x", "https://id.example/a?b=[...]"),
            ("a=bob@example.com&b=\"eve@example.com\"", "a=[...]&b=\"[...]\""),
            ("bob&#64;example.com", "[...]"),
            ("bob&#x40;example.com", "[...]"),
            ("bob\\u0040example.com", "[...]"),
            ("bob@@x", "[...]"),
            ("bob@[10.0.0.1]", "[...]"),
            ("@bob@example.com", "[...]"),
            ("böb@exämple.com", "[...]"),
            ("b.o-b_@example.com", "[...]"),
        ] {
            assert_eq!(discreet(text), expected, "{text}");
            assert_eq!(discreet(expected), expected, "{text}");
            assert_eq!(public(text), expected, "{text}");
        }
    }

    #[test]
    fn shows_no_user_of_any_url_and_no_token() {
        for (text, expected) in [
            ("https://me:s3cr3t@id.example/a", "https://...@id.example/a"),
            ("https://me@id.example", "https://...@id.example"),
            ("https://me:p@ss@id.example/", "https://...@id.example/"),
            (
                "https://id.example/?next=https://me:s3cr3t@id.example/a&to=ftp://you@b",
                "https://id.example/?next=https://...@id.example/a&to=ftp://...@b",
            ),
            ("see https://a.example,https://me:pw@b.example.", "see https://a.example,https://...@b.example."),
            ("//me:pw@b.example/a", "//...@b.example/a"),
            ("no eyJhbGciOiJub25lIn0.e30.x here", "no [...] here"),
            ("token=eyJhbGciOiJub25lIn0.e30.;", "token=[...].;"),
            ("\"eyJhbGciOiJSU0EifQ.a-_.b.c.d-_\".", "\"[...]\"."),
            ("[eyJhbGciOiJub25lIn0.e30.c2ln]", "[...]"),
            ("next=%2Fcb%3Fid_token%3DeyJhbGciOiJub25lIn0.e30.c2ln", "next=[...]"),
            ("eyAiYWxnIjoibm9uZSJ9%2Ee30%2Ec2ln", "[...]"),
            ("ewogICJhbGciOiJub25lIn0.e30.c2ln", "[...]"),
            ("ew0KCSAiYWxnIjoibm9uZSJ9.e30.", "[...]."),
            ("framework-ewkiYWxnIjoibm9uZSJ9.e30.c2ln", "[...]"),
        ] {
            assert_eq!(discreet(text), expected, "{text}");
            assert_eq!(discreet(expected), expected, "{text}");
        }
        let cut = format!("{} bob@example.com", "a".repeat(195));
        assert_eq!(public(&cut), format!("{} [...", "a".repeat(195)));
    }

    #[test]
    fn takes_white_space_for_a_part_of_a_password_alone() {
        for (text, expected) in [
            ("https://me:p w@id.example/ a", "https://...@id.example/ a"),
            ("https://me: w@id.example", "https://...@id.example"),
            ("https://me:1a 3w@id.example", "https://...@id.example"),
            ("https://[...]:p w@id.example", "https://...@id.example"),
            ("api://acme-api openid drive:anna@acme.com/read", "api://acme-api openid drive:anna@acme.com/read"),
            ("https://a.example:8443 anna@acme.com", "https://a.example:8443 anna@acme.com"),
            ("https://[::1] https://[::1]:80 anna@acme.com", "https://[::1] https://[::1]:80 anna@acme.com"),
            ("https://me@id.example anna@acme.com", "https://...@id.example anna@acme.com"),
        ] {
            assert_eq!(without_spaced_userinfo(text), expected);
        }
    }

    #[test]
    fn shows_what_only_looks_like_an_address_or_a_token() {
        for text in [
            "https://id.example/@me",
            "https://id.example/a?b=@me",
            "a@ b",
            "@ home",
            "@me",
            "a @ b",
            "1.2.3",
            "eyJ",
            "eyJhbGciOiJub25lIn0",
            "https://framework.eu.auth0.com",
            "https://homework.school.example.org/a",
            "monkeyAlpha.example.org",
            "https://id.example:8080/a?b=c&d=%20#e",
            "50%4",
            "50%40",
            "",
        ] {
            assert_eq!(discreet(text), text);
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
            "Anna O\u{2019}Brien \u{2018}a\u{2019} \u{201c}b\u{201d} c\u{2013}d\u{2014}e\u{2011}f l\u{b7}l",
            "Zoe\u{308} Tie\u{302}\u{301}n \u{930}\u{94d}\u{92f}\u{93e}",
        ] {
            assert_eq!(harmless(line), line);
            assert_eq!(printable(line), line);
        }
        for (line, expected) in [
            ("a\u{308}\u{308}\u{308}b", "a\u{308}\u{308}?b"),
            ("\u{308} \u{308}1\u{308}", "? ?1?"),
            ("a\u{34f}\u{ad}\u{200d}", "a???"),
            ("#\u{308}#[error]", "#?#[error]"),
        ] {
            assert_eq!(harmless(line), expected);
        }
    }
}
