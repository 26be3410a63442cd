//! RFC 6749 appendix B: `application/x-www-form-urlencoded` in UTF-8.

use zeroize::Zeroizing;

use crate::document::text::{Text, every};

/// The pairs as a body or a query; a space becomes `%20`, which every server decodes (some take `+` literally).
pub fn encoded<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Zeroizing<String> {
    let mut form = Text::default();
    push_encoded(&mut form, pairs);
    form.into()
}

/// Appends the pairs to a text.
pub fn push_encoded<'a>(text: &mut Text, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) {
    for (count, (name, value)) in pairs.into_iter().enumerate() {
        if count > 0 {
            text.push("&");
        }
        push_part(text, name);
        text.push("=");
        push_part(text, value);
    }
}

fn push_part(text: &mut Text, part: &str) {
    let is_plain = every(part, |octet| octet.is_ascii_alphanumeric() | matches!(octet, b'-' | b'_' | b'.'));
    if is_plain {
        text.push(part);
    } else {
        encoded_parts(part).for_each(|part| text.push(part));
    }
}

/// One name or value, encoded.
pub fn encode(text: &str) -> String {
    encoded_parts(text).collect()
}

fn encoded_parts(text: &str) -> impl Iterator<Item = &str> {
    form_urlencoded::byte_serialize(text.as_bytes()).map(|part| if part == "+" { "%20" } else { part })
}

/// The pairs of a query, not decoded; only `&` separates them.
pub fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// One name or value, decoded; `None` if an escape is invalid or the octets are not UTF-8.
pub fn decode(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'+' => b' ',
            b'%' => {
                let digit = |octet: Option<u8>| char::from(octet?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors() -> serde_json::Value {
        serde_json::from_str(include_str!("../../tests/vectors/form.json")).unwrap()
    }

    #[test]
    fn encodes_as_the_vectors_do() {
        for case in vectors()["encode"].as_array().unwrap() {
            let encoded = encode(case["in"].as_str().unwrap());
            let allowed = case["out_any"].as_array().unwrap();
            assert!(allowed.iter().any(|out| *out == encoded.as_str()), "{encoded}");
        }
    }

    #[test]
    fn decodes_as_the_vectors_do() {
        for case in vectors()["decode"].as_array().unwrap() {
            assert_eq!(decode(case["in"].as_str().unwrap()).as_deref(), case["out"].as_str());
        }
    }
}
