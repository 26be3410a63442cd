//! Text that is wiped when dropped, however it has grown, and the strings and values of JSON (RFC 8259) in it.

use std::ops::Deref;

use zeroize::Zeroizing;

/// Text that may hold secrets: where it outgrows its buffer, the old one is wiped too.
#[derive(Default)]
pub struct Text(Zeroizing<String>);

impl Text {
    /// Appends this text.
    #[inline]
    pub fn push(&mut self, more: &str) {
        self.push_all([more]);
    }

    /// Appends these texts.
    #[inline]
    pub fn push_all<const N: usize>(&mut self, more: [&str; N]) {
        self.reserve(more.iter().map(|text| text.len()).sum());
        more.into_iter().for_each(|text| self.0.push_str(text));
    }

    /// Makes room for so many octets.
    #[inline]
    pub fn reserve(&mut self, more: usize) {
        if more > self.0.capacity() - self.0.len() {
            self.grow(more);
        }
    }

    fn grow(&mut self, more: usize) {
        let needed = self.len().saturating_add(more);
        let mut larger = Zeroizing::new(String::with_capacity(needed.max(self.0.capacity() * 2)));
        larger.push_str(&self.0);
        self.0 = larger;
    }

    /// Removes all text, and keeps the buffer: what it held is wiped when the text is dropped, if not overwritten before.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Appends the text as a JSON string on one line, a name or a value.
    pub fn push_quoted(&mut self, text: &str) {
        if is_literal(text) {
            return self.push_all(["\"", text, "\""]);
        }
        self.push("\"");
        text.chars().for_each(|character| self.push_in_string(character));
        self.push("\"");
    }

    fn push_in_string(&mut self, character: char) {
        match character {
            '"' => self.push("\\\""),
            '\\' => self.push("\\\\"),
            '\u{8}' => self.push("\\b"),
            '\t' => self.push("\\t"),
            '\n' => self.push("\\n"),
            '\u{c}' => self.push("\\f"),
            '\r' => self.push("\\r"),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => self.push(&escape(character)),
            _ => self.push(character.encode_utf8(&mut [0; 4])),
        }
    }

    /// Appends valid JSON on one line; control characters that JSON allows and a terminal obeys are escaped.
    pub fn push_compact(&mut self, json: &str) {
        self.reserve(json.len());
        let mut in_string = false;
        let mut escaped = false;
        let mut unchanged = 0;
        for (place, character) in json.char_indices() {
            let is_control = matches!(character, '\u{7f}'..='\u{9f}');
            if is_control || !in_string && matches!(character, ' ' | '\t' | '\r' | '\n') {
                self.push(json.get(unchanged..place).unwrap_or_default());
                unchanged = place + character.len_utf8();
                if is_control {
                    self.push(&escape(character));
                }
            }
            if character == '"' && !escaped {
                in_string = !in_string;
            }
            escaped = in_string && character == '\\' && !escaped;
        }
        self.push(json.get(unchanged..).unwrap_or_default());
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<Text> for Zeroizing<String> {
    fn from(text: Text) -> Zeroizing<String> {
        text.0
    }
}

/// The character as an escape in a JSON string.
pub fn escape(character: char) -> String {
    character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

/// Whether the text is a JSON string on one line as it stands, once it is between quotes. A character that only may be a
/// control character of two octets counts as one.
pub fn is_literal(text: &str) -> bool {
    every(text, |octet| octet >= b' ' && !matches!(octet, b'"' | b'\\' | 0x7f | 0xc2))
}

/// Whether every octet fits. All are looked at, with no branch for each: random text would have the processor guess wrong.
pub fn every(text: &str, fits: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(true, |all, octet| all & fits(octet))
}
