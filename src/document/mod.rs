//! The document: one JSON object (RFC 8259) of member names and raw JSON text, validated once.

pub mod members;
mod object;
pub mod text;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;

use memchr::memchr;
use serde::de::Deserialize;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::message;

use members::{Member, TOKEN_ANSWER_MEMBERS};
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

    /// Sets the member to this text.
    pub fn set(&mut self, name: &str, text: &str) {
        self.put(name, |json| json.push_quoted(text));
    }

    /// Sets the member to this text, with escapes for all that a terminal or a CI runner could take for a command.
    pub fn set_escaped(&mut self, name: &str, text: &str) {
        let escaped = |c: char| match c {
            ' ' | '!'..='~' if c != '#' && c != ':' => c.to_string(),
            _ => escape(c),
        };
        let mut quoted = Text::default();
        quoted.push_quoted(text);
        self.put(name, |json| quoted.chars().for_each(|character| json.push(&escaped(character))));
    }

    /// Sets the member if there is a text, else leaves it unchanged.
    pub fn set_given(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.set(name, text);
        }
    }

    /// Sets the member to the only text, or to an array of several; without a text it stays unchanged.
    pub fn set_texts(&mut self, name: &str, texts: &[String]) {
        match texts {
            [] => {}
            [text] => self.set(name, text),
            texts => self.set_list(name, texts),
        }
    }

    /// Sets the member to an array of any number of texts.
    pub fn set_list(&mut self, name: &str, texts: &[impl AsRef<str>]) {
        self.put_list(name, texts, |text, json| json.push_quoted(text.as_ref()));
    }

    /// Sets the member to a whole number.
    pub fn set_number(&mut self, name: &str, number: u64) {
        self.put(name, |json| json.push(&number.to_string()));
    }

    /// Sets the member to `true` or `false`.
    pub fn set_flag(&mut self, name: &str, flag: bool) {
        self.put(name, |json| json.push(if flag { "true" } else { "false" }));
    }

    /// Sets the member to an array of whole numbers.
    pub fn set_numbers(&mut self, name: &str, numbers: &[u64]) {
        self.put_list(name, numbers, |number, json| json.push(&number.to_string()));
    }

    /// Sets the member to an object. One that would be nested too deep there is an error about the object.
    pub fn set_object(&mut self, name: &str, object: &Document) -> Result<(), Error> {
        for member in &object.members {
            let json = member.json(&object.text);
            if !is_simple(json) {
                let value = serde_json::from_str(json).map_err(|_| "not JSON".to_owned());
                let checked = value.and_then(|value| check(value, 3));
                checked.map_err(|wrong| object.wrong(member.name(&object.text), &wrong))?;
            }
        }
        self.put(name, |json| object.write(json));
        Ok(())
    }

    /// Sets the member to an array of objects.
    pub fn set_objects(&mut self, name: &str, objects: &[Document]) {
        self.put_list(name, objects, Document::write);
    }

    /// Removes the members of these names.
    pub fn remove(&mut self, names: &[&str]) {
        for name in names {
            if let Ok(place) = self.find(name) {
                self.members.remove(place);
            }
        }
    }

    /// Removes the members of an earlier login: code, tokens, claims, and others of its token response.
    pub fn forget_login(&mut self) -> Result<(), Error> {
        let added: BTreeSet<String> = self.texts(TOKEN_ANSWER_MEMBERS)?.unwrap_or_default().into_iter().collect();
        // A revocation removes the access token, but not the scope granted with it.
        if ["access_token", "id_token", "id_token_claims"].into_iter().any(|name| self.has(name)) {
            // The scope of an earlier login is the granted one, not the one to request now.
            self.remove(&["scope"]);
        }
        self.remove(&members::names(|member: &Member| member.is_of_login));
        // A document may be written by hand: a list in it must not remove members that control a login.
        self.retain(|name, _| members::named(name).is_some() || !added.contains(name));
        Ok(())
    }

    /// Retains the members with matching name and JSON text, and removes all others.
    pub fn retain(&mut self, fits: impl Fn(&str, &str) -> bool) {
        self.members.retain(|member| fits(member.name(&self.text), member.json(&self.text)));
    }

    /// The document without null values, which some servers send for missing members.
    pub fn without_nulls(mut self) -> Document {
        self.retain(|_, json| json != "null");
        self
    }

    /// Adds all members of `later`, which override existing ones.
    pub fn merge(&mut self, later: &Document) {
        self.put_all(later, &later.members);
    }

    /// Adds the members of `other` that are missing.
    pub fn add_missing(&mut self, other: &Document) {
        let is_missing = |member: &&Place| !self.has(member.name(&other.text));
        let missing: Vec<&Place> = other.members.iter().filter(is_missing).collect();
        self.put_all(other, missing);
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

    /// Sets the member to the JSON text that `write` appends, which is on one line.
    fn put(&mut self, name: &str, write: impl FnOnce(&mut Text)) {
        let new = self.append(name, write);
        match self.find(name) {
            Ok(place) => drop(self.members.splice(place..=place, [new])),
            Err(place) => self.members.insert(place, new),
        }
    }

    /// Sets these members of another document, however many, in one go.
    fn put_all<'a>(&mut self, other: &Document, members: impl IntoIterator<Item = &'a Place>) {
        for member in members {
            let new = self.append(member.name(&other.text), |json| json.push(member.json(&other.text)));
            self.members.push(new);
        }
        let text = &self.text;
        self.members.sort_by(|a, b| a.prefix.cmp(&b.prefix).then_with(|| a.name(text).cmp(b.name(text))));
        // The order is stable: of two with one name, the new one comes later.
        self.members.dedup_by(|later, member| {
            let is_same = later.name(text) == member.name(text);
            if is_same {
                *member = *later;
            }
            is_same
        });
    }

    fn put_list<T>(&mut self, name: &str, values: &[T], write: impl Fn(&T, &mut Text)) {
        self.put(name, |json| {
            json.push("[");
            for (count, value) in values.iter().enumerate() {
                if count > 0 {
                    json.push(",");
                }
                write(value, json);
            }
            json.push("]");
        });
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
    fn merges_two_documents_so_that_the_later_one_wins() {
        let members = |from: usize, to: usize, value: &str| {
            let members: Vec<String> = (from..to).map(|n| format!("\"m{n:03}\":{value}")).collect();
            Document::parse(format!("{{{}}}", members.join(",")).as_bytes()).unwrap()
        };
        for count in [2, FEW, 200] {
            let (early, late) = (members(0, count, "1"), members(count / 2, count + 1, "2"));
            let (mut merged, mut filled) = (early.clone(), early.clone());
            merged.merge(&late);
            filled.add_missing(&late);
            assert!(merged.names().eq((0..=count).map(|n| format!("m{n:03}"))));
            assert!(filled.names().eq(merged.names()));
            for n in 0..=count {
                let name = format!("m{n:03}");
                assert_eq!(merged.json(&name), Some(if n < count / 2 { "1" } else { "2" }), "{name} of {count}");
                assert_eq!(filled.json(&name), Some(if n < count { "1" } else { "2" }), "{name} of {count}");
            }
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
    fn escapes_what_a_runner_would_obey_so_that_it_is_the_same_text() {
        for (text, expected) in [
            ("a b~!", "a b~!"),
            ("##[x]", "\\u0023\\u0023[x]"),
            ("::a::", "\\u003a\\u003aa\\u003a\\u003a"),
            ("\"\\#", "\\\"\\\\\\u0023"),
            ("\\u0023", "\\\\u0023"),
            ("é\u{9b}\u{7f}\n\u{200b}", "\\u00e9\\u009b\\u007f\\n\\u200b"),
            ("\u{1f511}", "\\ud83d\\udd11"),
            ("\u{1b}", "\\u001b"),
            ("", ""),
        ] {
            let mut document = Document::default();
            document.set_escaped("a", text);
            assert_eq!(document.json("a"), Some(format!("\"{expected}\"").as_str()));
            assert_eq!(document.text("a").ok().flatten().as_deref(), Some(text));
        }
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
