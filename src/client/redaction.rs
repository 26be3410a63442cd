//! Secrets in a server's words: some servers repeat what they were sent, and encode it first.

use zeroize::Zeroizing;

use crate::document::Document;
use crate::message;
use crate::wire::{form, page};

/// A server's text with `[...]` in place of each of the document's secrets.
pub fn without_secrets(text: &str, document: &Document) -> String {
    redacted(text, &secrets_of(document))
}

/// The values in the document that no message may repeat.
pub fn secrets_of(document: &Document) -> Vec<Zeroizing<String>> {
    SECRET_MEMBERS.iter().filter_map(|name| document.text(name).ok().flatten().map(Zeroizing::new)).collect()
}

/// Whether this is the name of a member whose value no message may repeat.
pub fn is_secret_member(name: &str) -> bool {
    SECRET_MEMBERS.contains(&name)
}

/// The text with `[...]` in place of each secret: as it is, form-encoded (RFC 6749 appendix B), or escaped as in a JSON
/// string (RFC 8259 section 7) or in HTML, each character in whatever way, even repeatedly. A secret that is more than
/// letters of one case, which could be words, is also found in upper or lower case, and with white space or characters that
/// are not printed in between.
pub fn redacted(text: &str, secrets: &[impl AsRef<str>]) -> String {
    Redactor::new(secrets).redacted(text)
}

/// Secrets, decoded once to be found in any number of texts.
pub struct Redactor(Vec<Sought>);

impl Redactor {
    /// A redactor of these secrets.
    pub fn new(secrets: &[impl AsRef<str>]) -> Redactor {
        let secrets = secrets.iter().map(AsRef::as_ref).filter(|secret| secret.len() >= MIN_REDACTED);
        Redactor(secrets.map(Sought::new).collect())
    }

    /// The text, as [`redacted`] returns it.
    pub fn redacted(&self, text: &str) -> String {
        let plain = Plain::new(text);
        let mut found: Vec<(usize, usize)> =
            self.0.iter().flat_map(|secret| secret.places(text, &plain).collect::<Vec<_>>()).collect();
        found.sort_unstable();
        let mut safe = String::with_capacity(text.len());
        let mut end = 0;
        for (start, until) in found {
            if start >= end {
                safe.push_str(text.get(end..start).unwrap_or_default());
                safe.push_str("[...]");
            }
            end = end.max(until);
        }
        safe.push_str(text.get(end..).unwrap_or_default());
        safe
    }
}

/// A secret, in the forms in which it is searched.
struct Sought {
    /// As it is: an escape that only seems to be one may end or begin where the secret does. Also encoded, if too little is
    /// left of it without its own escapes.
    given: Vec<Zeroizing<String>>,
    exact: Needle,
    /// `None` for a secret that could be words.
    loose: Option<Needle>,
}

impl Sought {
    fn new(secret: &str) -> Sought {
        let plain = Plain::new(secret);
        let exact = Needle::new(&plain.exact);
        let loose = (!could_be_words(secret)).then(|| Needle::new(&plain.loose));
        let mut given = vec![Zeroizing::new(secret.to_owned())];
        if exact.text.len() < MIN_DECODED {
            given.push(Zeroizing::new(form::encode(secret)));
            let quoted = Zeroizing::new(serde_json::Value::from(secret).to_string());
            given.push(Zeroizing::new(quoted.trim_matches('"').to_owned()));
        }
        Sought { given, exact, loose }
    }

    /// Where it stands in the text, which is also given decoded.
    fn places(&self, text: &str, plain: &Plain) -> impl Iterator<Item = (usize, usize)> {
        // To prepare the search for a long secret takes a time that grows with its length.
        let given = self.given.iter().filter(|secret| secret.len() <= text.len());
        let whole = given.flat_map(|secret| text.match_indices(secret.as_str()));
        let whole = whole.map(|(start, secret)| (start, start + secret.len()));
        whole
            .chain(plain.exact.places(&self.exact))
            .chain(self.loose.iter().flat_map(|loose| plain.loose.places(loose)))
    }
}

/// Whether it has only letters of one case.
fn could_be_words(secret: &str) -> bool {
    let has = |case: fn(char) -> bool| secret.chars().any(case);
    secret.chars().all(char::is_alphabetic) && !(has(char::is_uppercase) && has(char::is_lowercase))
}

/// A decoded secret.
struct Needle {
    text: Zeroizing<String>,
    /// How many octets it had before it was decoded.
    span: usize,
}

impl Needle {
    fn new(decoded: &Decoded) -> Needle {
        let ends = decoded.sources.first().zip(decoded.sources.last());
        Needle { text: decoded.text.clone(), span: ends.map_or(0, |((start, _), (_, end))| end - start) }
    }
}

/// A text with all escapes decoded. A space and a plus sign are the same in a form. A backslash only escapes in JSON, or
/// stands for itself after another one, so there is none.
struct Plain {
    /// With a space for each plus sign.
    exact: Decoded,
    /// Letters, digits and ASCII punctuation without plus signs, in lower case.
    loose: Decoded,
}

impl Plain {
    fn new(text: &str) -> Plain {
        let mut octets = Zeroizing::new(Vec::with_capacity(text.len()));
        let mut sources = Vec::with_capacity(text.len());
        for (start, octet) in text.bytes().enumerate() {
            octets.push(octet);
            sources.push((start, start + 1));
            // What was decoded may be part of another escape: `%252B`.
            while let Some((before, decoded)) = last_escape(&octets) {
                let begin = sources.get(before).map_or(start, |(begin, _)| *begin);
                octets.truncate(before);
                octets.extend(decoded);
                sources.truncate(before);
                sources.resize(octets.len(), (begin, start + 1));
            }
        }
        let [mut exact, mut loose] = [(); 2].map(|()| Decoded::with_capacity(octets.len()));
        let mut at = 0;
        for chunk in octets.utf8_chunks() {
            for character in chunk.valid().chars() {
                let until = at + character.len_utf8();
                let source = sources.get(at).zip(sources.get(until - 1)).map(|((start, _), (_, end))| (*start, *end));
                at = until;
                if character != '\\' {
                    exact.push(if character == '+' { ' ' } else { character }, source.unwrap_or_default());
                }
                if message::is_plain(character) && !"+\\".contains(character) {
                    loose.push(character.to_ascii_lowercase(), source.unwrap_or_default());
                }
            }
            if let Some(source) = sources.get(at).filter(|_| !chunk.invalid().is_empty()) {
                exact.push(char::REPLACEMENT_CHARACTER, *source);
            }
            at += chunk.invalid().len();
        }
        Plain { exact, loose }
    }
}

/// A decoded text.
struct Decoded {
    text: Zeroizing<String>,
    /// For each octet of `text`, where the character or the escape that it comes from starts and ends.
    sources: Vec<(usize, usize)>,
}

impl Decoded {
    fn with_capacity(capacity: usize) -> Decoded {
        Decoded { text: Zeroizing::new(String::with_capacity(capacity)), sources: Vec::with_capacity(capacity) }
    }

    fn push(&mut self, character: char, source: (usize, usize)) {
        self.text.push(character);
        self.sources.resize(self.text.len(), source);
    }

    /// Where the secret stands, in the text as it was given. What is left of a secret may be short enough to be part of
    /// ordinary words: then as much must have been decoded or skipped as in the secret itself.
    fn places(&self, secret: &Needle) -> impl Iterator<Item = (usize, usize)> {
        let length = secret.text.len();
        let is_sought = length >= MIN_DECODED && length <= self.text.len();
        let found = is_sought.then(|| self.text.match_indices(secret.text.as_str())).into_iter().flatten();
        let places =
            found.filter_map(move |(at, _)| Some((self.sources.get(at)?.0, self.sources.get(at + length - 1)?.1)));
        places.filter(move |(start, end)| length >= MIN_REDACTED || end - start >= secret.span)
    }
}

/// How many octets are before an escape at the end, and what it stands for: `%2B`, `&#43;`, `\u002b`, or the two units of
/// a character beyond U+FFFF, `\ud83d\ude00`.
fn last_escape(octets: &[u8]) -> Option<(usize, Vec<u8>)> {
    if let [before @ .., b'%', high, low] = octets {
        let octet = number(&[*high, *low])?;
        return Some((before.len(), vec![u8::try_from(octet).ok()?]));
    }
    if octets.last() == Some(&b';') {
        let from = octets.len().saturating_sub(MAX_REFERENCE);
        let start = from + octets.get(from..)?.iter().rposition(|octet| *octet == b'&')?;
        let name = std::str::from_utf8(octets.get(start + 1..octets.len() - 1)?).ok()?;
        return Some((start, page::character(name)?.to_string().into_bytes()));
    }
    let (before, unit) = last_unit(octets)?;
    if let Ok(character) = String::from_utf16(&[unit]) {
        return Some((before.len(), character.into_bytes()));
    }
    // Further backslashes, of an escape that was escaped again.
    let end = before.iter().rposition(|octet| *octet != b'\\')? + 1;
    let (before, first) = last_unit(before.get(..end)?)?;
    Some((before.len(), String::from_utf16(&[first, unit]).ok()?.into_bytes()))
}

/// The octets before an escaped UTF-16 unit at the end, and the unit.
fn last_unit(octets: &[u8]) -> Option<(&[u8], u16)> {
    let [before @ .., b'\\', b'u', a, b, c, d] = octets else { return None };
    Some((before, number(&[*a, *b, *c, *d])?))
}

/// The number that these hexadecimal digits write.
fn number(digits: &[u8]) -> Option<u16> {
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    u16::from_str_radix(digits, 16).ok()
}

/// The members of the document that no message may repeat.
const SECRET_MEMBERS: [&str; 9] = [
    "code",
    "code_verifier",
    "client_secret",
    "device_code",
    "refresh_token",
    "access_token",
    "id_token",
    "state",
    "nonce",
];

/// Maximum length of a character reference of HTML that is decoded, in octets.
const MAX_REFERENCE: usize = 12;

/// Minimum length of a redacted secret: a shorter one could be part of ordinary words, and the gap would reveal it.
pub const MIN_REDACTED: usize = 8;

/// Minimum length of what is left of a secret that is searched decoded: less would be found in most texts.
const MIN_DECODED: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    /// The text in the ways in which programs write it.
    fn forms(text: &str) -> Vec<String> {
        let each = |form: &dyn Fn(u8) -> String| text.bytes().map(form).collect::<String>();
        let escaped =
            |octet: u8, form: String| if octet.is_ascii_alphanumeric() { char::from(octet).to_string() } else { form };
        let quoted = serde_json::Value::from(text).to_string();
        let quoted = quoted.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
        let units = |text: &str| text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
        // As programs write it that leave only ASCII.
        let ascii = quoted.chars().map(String::from).map(|one| if one.is_ascii() { one } else { units(&one) });
        let ascii: String = ascii.collect();
        let percent = each(&|octet| escaped(octet, format!("%{octet:02X}")));
        let html = |number: &dyn Fn(u32) -> String| -> String {
            let escaped =
                |c: char| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("&{};", number(c.into())) };
            text.chars().map(escaped).collect()
        };
        let (decimal, hexadecimal) = (html(&|code| format!("#{code}")), html(&|code| format!("#x{code:X}")));
        vec![
            text.to_owned(),
            decimal.replace('&', "&amp;"),
            decimal,
            hexadecimal,
            percent.clone(),
            each(&|octet| escaped(octet, format!("%{octet:02x}"))),
            percent.replace("%20", "+"),
            percent.replace('%', "%25"),
            percent.replace('%', "\\u0025"),
            each(&|octet| format!("%{octet:02x}")),
            crate::wire::form::encode(text),
            text.replace('/', "\\/"),
            quoted.to_owned(),
            quoted.replace('/', "\\/"),
            units(text),
            units(text).to_uppercase().replace('U', "u"),
            units(text).replace('\\', "%5C"),
            ascii.clone(),
            ascii.replace('\\', "\\\\"),
            // Only some of the characters.
            text.replace('+', "%2b").replace('é', "%C3%a9"),
            text.replace('=', "\\u003d"),
        ]
    }

    #[test]
    fn finds_a_secret_in_each_of_its_forms() {
        let specials = (' '..='~').map(|special| format!("s3cr3t{special}{special}x{special}y"));
        let others = [
            "s3cr3t+/=x",
            "s3cr3t+/+/==",
            "ab+cdefg",
            "a+b+c+d+e+f",
            "my pass 1",
            "p\u{a3}ssw0r\u{a3}",
            "x\u{a3}+\u{a3}\u{a3}+\u{a3}",
            "gr\u{e9}\u{e8}n s3cret",
            "s3cr3t\u{1f600}\u{10000}x\u{10ffff}y",
            "%41%42%43%",
            "\\\\\\\\\\\\\\\\",
            "trailing%",
            "\\u0041bcdefg",
        ];
        for secret in specials.chain(others.map(str::to_owned)) {
            for form in forms(&secret) {
                // What is short without its own escapes is redacted only as it is.
                if secret.starts_with(['%', '\\']) && form != secret {
                    continue;
                }
                for (text, expected) in [
                    (form.clone(), "[...]"),
                    (format!("got {form}."), "got [...]."),
                    (format!("client_secret={form}&a=b"), "client_secret=[...]&a=b"),
                    (format!("{form} {form}"), "[...] [...]"),
                ] {
                    assert_eq!(redacted(&text, &["other secret", &secret]), expected, "{secret} as {form}");
                }
            }
        }
    }

    #[test]
    fn finds_a_secret_in_other_letters_and_with_what_nobody_sees() {
        let secret = "s3cr\u{e9}t+/=value";
        for text in [
            "S3CR\u{e9}T+/=Value",
            "s3cr\u{e9} t+/=\n va lu\u{3164}e",
            "s3cr%C3%A9t%2B%2F\u{200b}=\u{1b}va%20lue%ff",
            "s\u{308}3cr\u{e9}t\u{2019}+/=\u{b7}va\u{2013}lue",
        ] {
            assert_eq!(redacted(&format!("a {text} b"), &[secret]).replace("%ff", ""), "a [...] b", "{text}");
        }
        assert_eq!(redacted("a value", &["\u{1f600}\u{1f600}"]), "a value");
    }

    #[test]
    fn leaves_words_that_only_resemble_a_secret() {
        for (secret, text, expected) in [
            ("clientsecret", "Client secret of CLIENTSECRET is invalid", "Client secret of CLIENTSECRET is invalid"),
            ("CLIENTSECRET", "clientsecret", "clientsecret"),
            ("clientsecret", "client_secret=clientsecret", "client_secret=[...]"),
            ("clientsecret", "%63lientsecret &#99;lientsecret \\u0063lientsecret", "[...] [...] [...]"),
            ("clientSecret", "Client secret", "[...]"),
            ("clientsecret1", "Client Secret 1", "[...]"),
            ("client-secret", "CLIENT -SECRET", "[...]"),
        ] {
            assert_eq!(redacted(text, &[secret]), expected, "{secret}");
        }
    }

    #[test]
    fn finds_a_secret_of_which_little_is_left() {
        for (secret, text, expected) in [
            ("%41%42%43", "a %2541%2542%2543 ABC b", "a [...] ABC b"),
            ("\\\\\\\\\\\\\\\\", "a %5C%5C%5C%5C%5C%5C%5C%5C b", "a [...] b"),
            ("a+b+c+d+", "abcd a%2Bb%2Bc%2Bd%2B a b c d.", "abcd [...] [...]."),
            ("i+n+v+a+", "invalid", "invalid"),
            ("a+b+c+d+e+f", "A%2bB%2bC%2bD%2bE%2bF abcdef", "[...] abcdef"),
        ] {
            assert_eq!(redacted(text, &[secret]), expected, "{secret}");
        }
    }

    #[test]
    fn leaves_no_part_of_a_secret_that_another_is_part_of() {
        let text = "no abcdefghijklmn";
        assert_eq!(redacted(text, &["abcdefgh", "abcdefghijkl"]), "no [...]mn");
        assert_eq!(redacted(text, &["abcdefghijkl", "abcdefgh"]), "no [...]mn");
        assert_eq!(redacted(text, &["fghijklm", "abcdefghijkl"]), "no [...]n");
    }

    #[test]
    fn leaves_other_words_as_they_are() {
        let text = "100% of C:\\users\\a + %zz \\uzzzz \\ud800 %";
        assert_eq!(redacted(text, &["s3cr3t+/=x", "s3cr3t+/+/==", "short", "\\\\\\\\\\\\\\\\"]), text);
        assert_eq!(redacted("", &["s3cr3t+/=x"]), "");
    }

    #[test]
    fn ends_soon_whatever_the_server_sends() {
        // What is decoded is never read again, however deep the escapes are nested.
        let text = format!("%{}41 ", "25".repeat(500_000));
        let secret = "a".repeat(500_000) + "b";
        assert_eq!(redacted(&text, &[&secret]), text);
        let repeated = "a".repeat(1_000_000);
        assert_eq!(redacted(&repeated, &[&secret]), repeated);
    }
}
