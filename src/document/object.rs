//! One JSON object (RFC 8259) in a text: its members, and what makes it invalid.

use std::borrow::Cow;
use std::fmt;

use memchr::memchr3;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of one object, sorted by name; a duplicate name is an error.
pub fn object(text: &str) -> Result<Vec<(Cow<'_, str>, &RawValue)>, String> {
    let Members(mut members) = serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => "not a JSON object".to_owned(),
        serde_json::error::Category::Eof => "not a JSON object: unexpected end".to_owned(),
        _ => format!("not JSON at line {}, column {}", error.line(), error.column()),
    })?;
    if members.is_sorted_by(|(name, _), (next, _)| name < next) {
        return Ok(members);
    }
    members.sort_by(|(name, _), (next, _)| name.cmp(next));
    let duplicates = members.windows(2).filter_map(|pair| match pair {
        [(name, _), (next, value)] if name == next => Some((value.get().as_ptr(), name)),
        _ => None,
    });
    // The last one in the text.
    match duplicates.max() {
        Some((_, name)) => Err(format!("{}: duplicate", subject(name))),
        None => Ok(members),
    }
}

/// The name of a member in a message: of what may be a secret, where a name belongs, nothing.
pub fn subject(name: &str) -> &str {
    let is_plain =
        name.len() <= MAX_PLAIN_NAME && name.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'_');
    if is_plain || name.len() <= MAX_NAME { name } else { "a member" }
}

/// Whether a valid value has nothing to check, and is printed as it is: no escape, no control character, no white space
/// outside strings, no array or object within.
pub fn is_simple(json: &str) -> bool {
    match json.as_bytes() {
        [b'"', string @ ..] => memchr3(b'\\', 0x7f, 0xc2, string).is_none(),
        [b'[', list @ ..] => !list.iter().any(|octet| matches!(octet, 0..=b' ' | b'\\' | b'[' | b'{' | 0x7f | 0xc2)),
        [b'{', ..] => false,
        _ => true,
    }
}

/// Checks a value recursively: no duplicate name, no invalid Unicode, no nesting beyond the limit.
pub fn check(value: &RawValue, depth: usize) -> Result<(), String> {
    let json = value.get();
    let nested: Vec<&RawValue> = match json.as_bytes().first() {
        Some(b'{') => object(json)?.into_iter().map(|(_, value)| value).collect(),
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

/// One object's members, in their order.
struct Members<'de>(Vec<(Cow<'de, str>, &'de RawValue)>);

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
        let mut members = Vec::with_capacity(TYPICAL);
        while let Some((Name(name), value)) = map.next_entry()? {
            members.push((name, value));
        }
        Ok(Members(members))
    }
}

/// A member's name, which is copied only if it has escapes.
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Borrowed(name)))
    }

    fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Owned(name.to_owned())))
    }
}

/// Members for which there is room at first.
const TYPICAL: usize = 16;

/// Maximum length in octets of a name in a message, and of one that is words in lower case, which tokens are not.
const MAX_NAME: usize = 16;
const MAX_PLAIN_NAME: usize = 64;

/// Maximum nesting depth; serde_json's own limit is 128.
const MAX_DEPTH: usize = 64;
