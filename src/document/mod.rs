//! The document: one JSON object (RFC 8259) of member names and raw JSON text, validated once.

pub mod members;

use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::Read;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::message;

use members::{Member, TOKEN_ANSWER_MEMBERS};

/// The state of one login, or a server's response. It holds secrets, so it has neither `Debug` nor `Display`, and is
/// wiped when dropped.
#[derive(Clone, Default)]
pub struct Document {
    members: BTreeMap<String, Zeroizing<String>>,
    origin: Origin,
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
        if octets.len() > MAX_SIZE {
            return Err(too_large());
        }
        let text = std::str::from_utf8(octets).map_err(|_| "not UTF-8".to_owned())?;
        let mut document = Document::default();
        for (name, value) in object(text)? {
            check(value, 2).map_err(|wrong| format!("{}: {wrong}", subject(&name)))?;
            document.put(&name, value.get());
        }
        Ok(document)
    }

    /// The document as one line of JSON with a newline.
    pub fn line(&self) -> Zeroizing<String> {
        let members = self.members.iter();
        let size: usize = members.clone().map(|(name, json)| name.len() + json.len() + 4).sum();
        let mut line = Zeroizing::new(String::with_capacity(size + 64));
        line.push('{');
        for (place, (name, json)) in members.enumerate() {
            if place > 0 {
                line.push(',');
            }
            line.push_str(&quoted(name));
            line.push(':');
            line.push_str(json);
        }
        line.push_str("}\n");
        line
    }

    /// The document as one line; one that would be refused when it is read is status 2, or 4 if it is a server's.
    pub fn checked_line(&self) -> Result<Zeroizing<String>, Error> {
        let line = self.line();
        if line.len() <= MAX_SIZE {
            return Ok(line);
        }
        Err(match &self.origin {
            Origin::Response(subject) => Error::untrusted(format!("{subject}: {}", too_large())),
            _ => Error::usage(format!("document: {}", too_large())),
        })
    }

    /// Fails, with status 2, if what a step adds might make the document too large: checked before anything is sent.
    pub fn check_room(&self) -> Result<(), Error> {
        if self.line().len() + GROWTH <= MAX_SIZE {
            return Ok(());
        }
        let limit = (MAX_SIZE - GROWTH) / 1024;
        Err(Error::usage(format!("document: larger than {limit} KiB, which leaves no room for the response")))
    }

    /// Whether the document has a member of this name.
    pub fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// The names of all members, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// The member's JSON text.
    pub fn json(&self, name: &str) -> Option<&str> {
        self.members.get(name).map(|json| json.as_str())
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
        self.read(name, "must be a string")
    }

    /// The member, a required string.
    pub fn need(&self, name: &str) -> Result<String, Error> {
        self.text(name)?.ok_or_else(|| self.missing(name))
    }

    /// The member, one or more visible ASCII characters or spaces (VSCHAR of RFC 6749 appendix A).
    pub fn visible(&self, name: &str) -> Result<Option<Zeroizing<String>>, Error> {
        let Some(text) = self.text(name)?.map(Zeroizing::new) else { return Ok(None) };
        if text.is_empty() || !is_visible(&text) {
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
        self.put(name, &Zeroizing::new(quoted(text)));
    }

    /// Sets the member to this text, with escapes for all that a terminal or a CI runner could take for a command.
    pub fn set_escaped(&mut self, name: &str, text: &str) {
        let escaped = |c: char| match c {
            ' ' | '!'..='~' if c != '#' && c != ':' => c.to_string(),
            _ => escape(c),
        };
        let json: String = quoted(text).chars().map(escaped).collect();
        self.put(name, &json);
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
        let list: Vec<String> = texts.iter().map(|text| quoted(text.as_ref())).collect();
        self.put(name, &format!("[{}]", list.join(",")));
    }

    /// Sets the member to a whole number.
    pub fn set_number(&mut self, name: &str, number: u64) {
        self.put(name, &number.to_string());
    }

    /// Sets the member to `true` or `false`.
    pub fn set_flag(&mut self, name: &str, flag: bool) {
        self.put(name, if flag { "true" } else { "false" });
    }

    /// Sets the member to an array of whole numbers.
    pub fn set_numbers(&mut self, name: &str, numbers: &[u64]) {
        let list: Vec<String> = numbers.iter().map(u64::to_string).collect();
        self.put(name, &format!("[{}]", list.join(",")));
    }

    /// Sets the member to an object. One that would be nested too deep there is an error about the object.
    pub fn set_object(&mut self, name: &str, object: &Document) -> Result<(), Error> {
        for (inner, json) in &object.members {
            let value = serde_json::from_str(json).map_err(|_| "not JSON".to_owned());
            value.and_then(|value| check(value, 3)).map_err(|wrong| object.wrong(inner, &wrong))?;
        }
        self.put(name, &object.line());
        Ok(())
    }

    /// Sets the member to an array of objects.
    pub fn set_objects(&mut self, name: &str, objects: &[Document]) {
        let list: Vec<String> = objects.iter().map(|object| object.line().to_string()).collect();
        self.put(name, &format!("[{}]", list.join(",")));
    }

    /// Removes the members of these names.
    pub fn remove(&mut self, names: &[&str]) {
        for name in names {
            self.members.remove(*name);
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
        self.members.retain(|name, json| fits(name, json));
    }

    /// The document without null values, which some servers send for missing members.
    pub fn without_nulls(mut self) -> Document {
        self.retain(|_, json| json != "null");
        self
    }

    /// Adds all members of `later`, which override existing ones.
    pub fn merge(&mut self, later: Document) {
        self.members.extend(later.members);
    }

    /// Adds the members of `other` that are missing.
    pub fn add_missing(&mut self, other: Document) {
        for (name, json) in other.members {
            self.members.entry(name).or_insert(json);
        }
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

    fn missing(&self, name: &str) -> Error {
        match self.origin {
            Origin::User => Error::missing(name),
            _ => self.wrong(name, "missing"),
        }
    }

    fn put(&mut self, name: &str, json: &str) {
        self.members.insert(name.to_owned(), Zeroizing::new(compact(json)));
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

/// The character as an escape in a JSON string.
pub fn escape(character: char) -> String {
    character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

/// Whether the text has only visible ASCII characters and spaces: VSCHAR of RFC 6749 appendix A.
pub fn is_visible(text: &str) -> bool {
    text.bytes().all(|octet| matches!(octet, 0x20..=0x7e))
}

/// The members of one object; a duplicate name is an error.
fn object(text: &str) -> Result<BTreeMap<String, &RawValue>, String> {
    let members: Members = serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => "not a JSON object".to_owned(),
        serde_json::error::Category::Eof => "not a JSON object: unexpected end".to_owned(),
        _ => format!("not JSON at line {}, column {}", error.line(), error.column()),
    })?;
    match members.duplicate {
        Some(name) => Err(format!("{}: duplicate", subject(&name))),
        None => Ok(members.unique),
    }
}

/// The name of a member in a message: of what may be a secret, where a name belongs, nothing.
fn subject(name: &str) -> &str {
    let is_plain =
        name.len() <= MAX_PLAIN_NAME && name.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'_');
    if is_plain || name.len() <= MAX_NAME { name } else { "a member" }
}

/// Checks a value recursively: no duplicate name, no invalid Unicode, no nesting beyond the limit.
fn check(value: &RawValue, depth: usize) -> Result<(), String> {
    let json = value.get();
    let nested: Vec<&RawValue> = match json.as_bytes().first() {
        Some(b'{') => object(json)?.into_values().collect(),
        Some(b'[') => serde_json::from_str(json).map_err(|_| "not JSON".to_owned())?,
        Some(b'"') => {
            let text: Result<Cow<str>, _> = serde_json::from_str(json);
            return text.map(drop).map_err(|_| "invalid Unicode in a string".to_owned());
        }
        _ => return Ok(()),
    };
    if depth > MAX_DEPTH {
        return Err(format!("nested deeper than {MAX_DEPTH}"));
    }
    nested.into_iter().try_for_each(|inner| check(inner, depth + 1))
}

/// The JSON on one line; control characters that JSON allows and a terminal obeys are escaped.
fn compact(json: &str) -> String {
    let mut line = String::with_capacity(json.len());
    let mut in_string = false;
    let mut escaped = false;
    for character in json.chars() {
        match character {
            '\u{7f}'..='\u{9f}' => line.push_str(&format!("\\u{:04x}", u32::from(character))),
            ' ' | '\t' | '\r' | '\n' if !in_string => continue,
            _ => line.push(character),
        }
        if character == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = in_string && character == '\\' && !escaped;
    }
    line
}

/// The text as a JSON string on one line, a name or a value.
fn quoted(text: &str) -> String {
    compact(&serde_json::Value::from(text).to_string())
}

/// One object's members, and a duplicate name, if any.
#[derive(Default)]
struct Members<'de> {
    unique: BTreeMap<String, &'de RawValue>,
    duplicate: Option<String>,
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Members::default();
        while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
            match members.unique.entry(name) {
                Entry::Vacant(place) => drop(place.insert(value)),
                Entry::Occupied(taken) => members.duplicate = Some(taken.key().clone()),
            }
        }
        Ok(members)
    }
}

/// Maximum size of a document in octets: far above any token set, small enough to hold in memory.
pub const MAX_SIZE: usize = 1024 * 1024;

/// Octets that a step may add to a document: far above any token set.
const GROWTH: usize = 64 * 1024;

/// Maximum length in octets of a name in a message, and of one that is words in lower case, which tokens are not.
const MAX_NAME: usize = 16;
const MAX_PLAIN_NAME: usize = 64;

/// Maximum nesting depth; serde_json's own limit is 128.
const MAX_DEPTH: usize = 64;

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
