//! The document: one JSON object (RFC 8259) of member names and raw JSON text, validated once.

mod changes;
pub mod members;
mod object;
pub mod text;

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;

use memchr::memchr;
use serde::de::Deserialize;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::message;

use object::{check, is_simple, object, subject};
use text::{Text, is_literal};

pub use text::escape;

/// The state of one login, or a server's response. It holds secrets, so it has neither `Debug` nor `Display`, and is
/// wiped when dropped.
#[derive(Default)]
pub struct Document {
    /// What was read, then what was set: the octets of all members, and of some that were replaced or removed.
    text: Text,
    /// Sorted by name.
    members: Vec<Place>,
    origin: Origin,
}

/// Where a member is in the document's text; of each part the start and the end.
#[derive(Clone, Copy)]
struct Place {
    /// The first octets of the name, as a number of the same order: where they differ, the names need not be compared.
    prefix: u64,
    /// The name, without escapes.
    name: (usize, usize),
    /// `"name":json`, as it is printed.
    printed: (usize, usize),
    /// The start of the JSON text in it.
    json: usize,
}

impl Place {
    fn name<'a>(&self, text: &'a str) -> &'a str {
        part(text, self.name)
    }

    fn printed<'a>(&self, text: &'a str) -> &'a str {
        part(text, self.printed)
    }

    fn json<'a>(&self, text: &'a str) -> &'a str {
        part(text, (self.json, self.printed.1))
    }
}

/// Where a document comes from, which decides the status of a missing or malformed member.
#[derive(Clone, Default)]
enum Origin {
    /// The user: status 2.
    #[default]
    User,
    /// An object in this member of the user's document: status 2.
    Member(String),
    /// A server's response: status 4, with this subject in messages.
    Response(String),
    /// A token in this member of the user's document: status 4, with this subject in messages.
    Token { member: &'static str, subject: &'static str },
}

impl Document {
    /// The user's document in this file; a fault is status 2, and its message begins with `subject`.
    pub fn from_file(file: &str, subject: &str) -> Result<Document, Error> {
        let mut octets = Zeroizing::new(Vec::new());
        File::open(file)
            .and_then(|file| file.take(MAX_SIZE as u64 + 1).read_to_end(&mut octets))
            .map_err(|error| Error::usage(format!("{subject}: {}", message::reason(&error))))?;
        let wrong = |wrong: &str| Error::usage(format!("{subject}: {wrong}"));
        if octets.iter().all(|octet| WHITE_SPACE.contains(octet)) {
            return Err(wrong("empty").hint("write the file again, such as with pkce-discover ISSUER >FILE"));
        }
        Document::parse(&octets).map_err(|reason| wrong(&reason))
    }

    /// The JSON object in a server's response. A fault, now or when a member is read, is status 4, and its message
    /// begins with `subject`.
    pub fn parse_response(subject: &str, octets: &[u8]) -> Result<Document, Error> {
        let parsed = Document::parse(octets).map_err(|wrong| Error::untrusted(format!("{subject}: {wrong}")))?;
        Ok(Document { origin: Origin::Response(subject.to_owned()), ..parsed })
    }

    /// A response without members, to be filled from a format other than JSON.
    pub fn empty_response(subject: &str) -> Document {
        Document { origin: Origin::Response(subject.to_owned()), ..Document::default() }
    }

    /// Marks the object as part of a token in `member` of the user's document: a fault is status 4, and its message
    /// begins with `subject`.
    pub fn in_token(self, member: &'static str, subject: &'static str) -> Document {
        Document { origin: Origin::Token { member, subject }, ..self }
    }

    /// The user's document in these octets, or why they are invalid (never a value).
    pub fn parse(octets: &[u8]) -> Result<Document, String> {
        Document::default().replaced_by(octets)
    }

    /// Like `parse`, in the buffers of a document that is not needed any more.
    pub fn replaced_by(mut self, octets: &[u8]) -> Result<Document, String> {
        if octets.len() > MAX_SIZE {
            return Err(too_large());
        }
        let text = std::str::from_utf8(octets).map_err(|_| "not UTF-8".to_owned())?;
        self.clear();
        self.text.push(text);
        for (name, value) in object(text)? {
            let json = value.get();
            let is_simple = is_simple(json);
            if !is_simple {
                check(value, 2).map_err(|wrong| format!("{}: {wrong}", subject(&name)))?;
            }
            let member = match &name {
                Cow::Borrowed(name) if is_simple => place(text, name, json),
                _ => None,
            };
            let member = member.unwrap_or_else(|| self.append(&name, |text| text.push_compact(json)));
            self.members.push(member);
        }
        Ok(self)
    }

    /// The document as one line of JSON with a newline.
    pub fn line(&self) -> Zeroizing<String> {
        let mut line = Text::default();
        self.write_line(&mut line);
        line.into()
    }

    /// Appends the document's line to the text.
    pub fn write_line(&self, line: &mut Text) {
        line.reserve(self.size());
        self.write(line);
        line.push("\n");
    }

    fn write(&self, text: &mut Text) {
        text.push("{");
        for (count, member) in self.members.iter().enumerate() {
            let comma = if count > 0 { "," } else { "" };
            text.push_all([comma, member.printed(&self.text)]);
        }
        text.push("}");
    }

    /// The length of the document's line in octets.
    pub fn size(&self) -> usize {
        let members: usize = self.members.iter().map(|member| member.printed.1 - member.printed.0 + 1).sum();
        members.max(1) + 2
    }

    /// The document as one line; one that would be refused when it is read is status 2, or 4 if it is a server's.
    pub fn checked_line(&self) -> Result<Zeroizing<String>, Error> {
        self.check_size()?;
        Ok(self.line())
    }

    /// Fails for a document that would be refused when it is read: status 2, or 4 if it is a server's.
    pub fn check_size(&self) -> Result<(), Error> {
        if self.size() <= MAX_SIZE {
            return Ok(());
        }
        Err(match &self.origin {
            Origin::Response(subject) => Error::untrusted(format!("{subject}: {}", too_large())),
            _ => Error::usage(format!("document: {}", too_large())),
        })
    }

    /// Fails, with status 2, if what a step adds might make the document too large: checked before anything is sent.
    pub fn check_room(&self) -> Result<(), Error> {
        if self.size() + GROWTH <= MAX_SIZE {
            return Ok(());
        }
        let limit = (MAX_SIZE - GROWTH) / 1024;
        Err(Error::usage(format!("document: larger than {limit} KiB, which leaves no room for the response")))
    }

    /// Whether the document has a member of this name.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_ok()
    }

    /// The names of all members, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|member| member.name(&self.text))
    }

    /// The member's JSON text.
    pub fn json(&self, name: &str) -> Option<&str> {
        let member = self.members.get(self.find(name).ok()?)?;
        Some(member.json(&self.text))
    }

    /// Whether it comes from a server, in a response or a token.
    pub fn is_response(&self) -> bool {
        matches!(self.origin, Origin::Response(_) | Origin::Token { .. })
    }

    /// The error about this member or its absence: status 2 in the user's document, 4 in a response or a token.
    pub fn wrong(&self, name: &str, wrong: &str) -> Error {
        self.error(name, &format!("{name}: {wrong}"))
    }

    /// The error about this member, which has another value than the expected one; both are public.
    pub fn mismatch(&self, name: &str, expected: &str, received: &str) -> Error {
        self.error(name, name).mismatch(expected, received)
    }

    fn error(&self, name: &str, message: &str) -> Error {
        match &self.origin {
            Origin::User => Error::usage(message).about(name),
            Origin::Member(member) => Error::usage(format!("{member}: {message}")).about(member),
            Origin::Response(subject) => Error::untrusted(format!("{subject}: {message}")).about(name),
            Origin::Token { member, subject } => Error::untrusted(format!("{subject}: {message}")).about(member),
        }
    }

    /// The member, a string.
    pub fn text(&self, name: &str) -> Result<Option<String>, Error> {
        Ok(self.slice(name)?.map(Cow::into_owned))
    }

    /// The member, a string; it is copied only if it has escapes.
    pub fn slice(&self, name: &str) -> Result<Option<Cow<'_, str>>, Error> {
        let Some(json) = self.json(name) else { return Ok(None) };
        match json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(text) if memchr(b'\\', text.as_bytes()).is_none() => Ok(Some(Cow::Borrowed(text))),
            _ => Ok(self.read(name, "must be a string")?.map(Cow::Owned)),
        }
    }

    /// The member, a required string.
    pub fn need(&self, name: &str) -> Result<String, Error> {
        self.text(name)?.ok_or_else(|| self.missing(name))
    }

    /// Like `need`; the member is copied only if it has escapes.
    pub fn need_slice(&self, name: &str) -> Result<Cow<'_, str>, Error> {
        self.slice(name)?.ok_or_else(|| self.missing(name))
    }

    /// The member, one or more visible ASCII characters or spaces (VSCHAR of RFC 6749 appendix A).
    pub fn visible(&self, name: &str) -> Result<Option<Zeroizing<String>>, Error> {
        Ok(self.visible_slice(name)?.map(|text| Zeroizing::new(text.into_owned())))
    }

    /// Like `visible`; the member is copied only if it has escapes.
    pub fn visible_slice(&self, name: &str) -> Result<Option<Cow<'_, str>>, Error> {
        let Some(text) = self.slice(name)? else { return Ok(None) };
        if text.is_empty() || !is_visible(&text) {
            // One with escapes is a copy, which must be wiped too.
            drop(Zeroizing::new(text.into_owned()));
            return Err(self.wrong(name, NOT_VISIBLE));
        }
        Ok(Some(text))
    }

    /// The member, required: one or more visible ASCII characters or spaces.
    pub fn need_visible(&self, name: &str) -> Result<Zeroizing<String>, Error> {
        self.visible(name)?.ok_or_else(|| self.missing(name))
    }

    /// The member, a list of strings; a single string is a list of one.
    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>, Error> {
        match self.json(name) {
            None => Ok(None),
            Some(json) if json.starts_with('[') => self.read(name, "must be an array of strings"),
            _ => Ok(self.read(name, "must be a string or an array of strings")?.map(|text| vec![text])),
        }
    }

    /// The member, `true` or `false`; false if missing.
    pub fn flag(&self, name: &str) -> Result<bool, Error> {
        Ok(self.read(name, "must be true or false")?.unwrap_or(false))
    }

    /// The member, a whole number of seconds.
    pub fn seconds(&self, name: &str) -> Result<Option<u64>, Error> {
        self.read(name, "must be a whole number of seconds")
    }

    /// The member, an array of whole numbers.
    pub fn numbers(&self, name: &str) -> Result<Option<Vec<u64>>, Error> {
        self.read(name, "must be an array of whole numbers")
    }

    /// The member, an object; its faults are reported as the member's.
    pub fn object(&self, name: &str) -> Result<Option<Document>, Error> {
        let Some(json) = self.json(name) else { return Ok(None) };
        let object = Document::parse(json.as_bytes()).map_err(|wrong| self.wrong(name, &wrong))?;
        let origin = match &self.origin {
            Origin::User => Origin::Member(name.to_owned()),
            outer => outer.clone(),
        };
        Ok(Some(Document { origin, ..object }))
    }

    fn read<T: for<'de> Deserialize<'de>>(&self, name: &str, wrong: &str) -> Result<Option<T>, Error> {
        let Some(json) = self.json(name) else {
            return Ok(None);
        };
        match serde_json::from_str(json) {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(self.wrong(name, wrong)),
        }
    }

    /// The error about a required member that is missing.
    pub fn missing(&self, name: &str) -> Error {
        match self.origin {
            Origin::User => Error::missing(name),
            _ => self.wrong(name, "missing"),
        }
    }

    /// Appends a member to the text.
    fn append(&mut self, name: &str, write: impl FnOnce(&mut Text)) -> Place {
        let text = &mut self.text;
        let is_literal = is_literal(name);
        if !is_literal {
            text.push(name);
        }
        let start = text.len();
        if is_literal {
            text.push_all(["\"", name, "\":"]);
        } else {
            text.push_quoted(name);
            text.push(":");
        }
        let name_start = if is_literal { start + 1 } else { start - name.len() };
        let json = text.len();
        write(text);
        let name_end = name_start + name.len();
        Place { prefix: prefix(name), name: (name_start, name_end), printed: (start, text.len()), json }
    }

    /// The place of the member in the list, or where it would be.
    fn find(&self, name: &str) -> Result<usize, usize> {
        let prefix = prefix(name);
        let order = |member: &Place| member.prefix.cmp(&prefix).then_with(|| member.name(&self.text).cmp(name));
        if self.members.len() > FEW {
            return self.members.binary_search_by(order);
        }
        let place = self.members.iter().take_while(|member| order(member).is_lt()).count();
        let is_there = self.members.get(place).is_some_and(|member| order(member).is_eq());
        if is_there { Ok(place) } else { Err(place) }
    }

    fn clear(&mut self) {
        self.text.clear();
        self.members.clear();
        self.origin = Origin::User;
    }
}

impl Clone for Document {
    fn clone(&self) -> Document {
        let mut copy = Document::default();
        copy.clone_from(self);
        copy
    }

    fn clone_from(&mut self, other: &Document) {
        self.text.clear();
        self.text.push(&other.text);
        self.members.clone_from(&other.members);
        self.origin.clone_from(&other.origin);
    }
}

/// The message for an input without a document.
pub const EMPTY: &str = "empty (did the step before fail?)";

/// White space between JSON values (RFC 8259 section 2).
pub const WHITE_SPACE: [u8; 4] = *b" \t\r\n";

/// The message for octets over the limit.
pub fn too_large() -> String {
    "larger than 1 MiB".to_owned()
}

/// Whether the text has only visible ASCII characters and spaces: VSCHAR of RFC 6749 appendix A.
pub fn is_visible(text: &str) -> bool {
    text.bytes().all(|octet| matches!(octet, 0x20..=0x7e))
}

/// The first octets of a name as a number: a name that comes later has the same or a larger one.
fn prefix(name: &str) -> u64 {
    let short = || {
        let mut octets = [0; 8];
        octets.iter_mut().zip(name.bytes()).for_each(|(first, octet)| *first = octet);
        octets
    };
    u64::from_be_bytes(name.as_bytes().first_chunk().copied().unwrap_or_else(short))
}

/// The part of a text between these places.
fn part(text: &str, (start, end): (usize, usize)) -> &str {
    text.get(start..end).unwrap_or_default()
}

/// Where a document's text has this name and value, if they are printed as they are there, with nothing but the colon
/// between them.
fn place(text: &str, name: &str, json: &str) -> Option<Place> {
    let start = |part: &str| part.as_ptr().addr() - text.as_ptr().addr();
    let (name_start, json_start) = (start(name), start(json));
    let name_end = name_start + name.len();
    let is_so = json_start == name_end + 2 && is_literal(name);
    is_so.then_some(Place {
        prefix: prefix(name),
        name: (name_start, name_end),
        printed: (name_start - 1, json_start + json.len()),
        json: json_start,
    })
}

/// Maximum size of a document in octets: far above any token set, small enough to hold in memory.
pub const MAX_SIZE: usize = 1024 * 1024;

/// Octets that a step may add to a document: far above any token set.
const GROWTH: usize = 64 * 1024;

/// The number of members up to which one is found faster by looking at each.
const FEW: usize = 32;

/// The message for a text that is empty or has other characters.
pub const NOT_VISIBLE: &str = "must be one or more visible ASCII characters";

#[cfg(test)]
mod tests {
    use super::*;

    fn line(json: &str) -> String {
        match Document::parse(json.as_bytes()) {
            Ok(document) => document.line().to_string(),
            Err(wrong) => wrong,
        }
    }

    #[test]
    fn keeps_the_digits_of_members_it_does_not_know() {
        let json = r#"{"a":1.000000000000000000001,"b":1e400,"c":123456789012345678901234567890,"d":-0}"#;
        assert_eq!(line(json), format!("{json}\n"));
    }

    #[test]
    fn puts_nested_members_on_one_line() {
        let json = "{ \"a\" : [ 1,\n\t{ \"b c\" : \"d \\\" e\" } ]\r\n}";
        assert_eq!(line(json), "{\"a\":[1,{\"b c\":\"d \\\" e\"}]}\n");
    }

    #[test]
    fn finds_each_member_among_few_and_among_many() {
        for count in [1, FEW, FEW + 1, 200] {
            let kinds = ["", "a", "a\0", "a\0\0", "authorization_", "authorization", "\u{e9}", "\u{9b}", "\""];
            let names = (0..count).map(|n| format!("{}{}", kinds[n % kinds.len()], n / kinds.len()));
            let mut names: Vec<String> = names.collect();
            let mut document = Document::default();
            for (place, name) in names.iter().enumerate() {
                assert!(!document.has(name));
                document.set_number(name, 0);
                document.set_number(name, place as u64);
            }
            for document in [&document, &Document::parse(document.line().as_bytes()).unwrap()] {
                for (place, name) in names.iter().enumerate() {
                    assert_eq!(document.json(name), Some(place.to_string().as_str()), "{name:?} of {count}");
                }
            }
            let removed = names.swap_remove(count / 2);
            document.remove(&[&removed, "missing"]);
            names.sort();
            assert!(!document.has(&removed));
            assert_eq!(document.names().collect::<Vec<_>>(), names);
        }
    }

    #[test]
    fn escapes_what_a_terminal_would_obey() {
        assert_eq!(line("{\"a\":\"\u{9b}31m\u{7f}\"}"), "{\"a\":\"\\u009b31m\\u007f\"}\n");
        assert_eq!(line("{\"\u{9b}31m\u{7f}\":1}"), "{\"\\u009b31m\\u007f\":1}\n");
        assert_eq!(line("{\"\\u009b\":{\"\\u0085\":1}}"), "{\"\\u009b\":{\"\\u0085\":1}}\n");
        assert_eq!(line("{\"a\":[{\"\u{80}\u{9f}\":1}]}"), "{\"a\":[{\"\\u0080\\u009f\":1}]}\n");
    }

    #[test]
    fn refuses_a_duplicate_member_at_any_depth() {
        assert_eq!(line(r#"{"a":1,"a":1}"#), "a: duplicate");
        assert_eq!(line(r#"{"a":1,"\u0061":1}"#), "a: duplicate");
        assert_eq!(line(r#"{"x":[{"b":1,"b":2}]}"#), "x: b: duplicate");
    }

    #[test]
    fn names_no_member_that_may_be_a_secret() {
        for (name, expected) in [
            ("token_endpoint_auth_signing_alg_values_supported", "token_endpoint_auth_signing_alg_values_supported"),
            ("redirectUris2", "redirectUris2"),
            ("s3cr3t-s3cr3t-s3cr3t", "a member"),
            ("eyJhbGciOiJub25lIn0.e30.", "a member"),
            (&"a".repeat(65), "a member"),
        ] {
            assert_eq!(line(&format!("{{\"{name}\":1,\"{name}\":1}}")), format!("{expected}: duplicate"));
            assert_eq!(
                line(&format!("{{\"{name}\":\"\\ud800\"}}")),
                format!("{expected}: invalid Unicode in a string")
            );
        }
    }

    #[test]
    fn refuses_what_is_nested_too_deep() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        assert_eq!(line(&nested(64)), format!("{}\n", nested(64)));
        assert_eq!(line(&nested(65)), "a: nested deeper than 64");
        assert_eq!(line(&nested(100_000)), "a: nested deeper than 64");
    }

    #[test]
    fn refuses_what_is_not_unicode() {
        assert_eq!(line(r#"{"a":"\ud800"}"#), "a: invalid Unicode in a string");
        assert_eq!(Document::parse(b"{\"a\":\"\xff\"}").err(), Some("not UTF-8".to_owned()));
    }
}
