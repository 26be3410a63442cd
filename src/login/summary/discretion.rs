//! What may be shown of a document: text without its secrets, which neither a terminal nor a CI runner obeys.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::client::parameter;
use crate::client::redaction::{MIN_REDACTED, Redactor, is_secret_member};
use crate::document::Document;
use crate::message;
use crate::wire::form;
use crate::wire::url::host_and_port;

/// Makes the public values of one document safe to show.
pub struct Discretion {
    /// `None` if it would take too long to look for each secret: then every value is hidden.
    redactor: Option<Redactor>,
    /// Sorted.
    short: Vec<Zeroizing<String>>,
}

impl Discretion {
    /// For values of this document, which may repeat any secret in it.
    pub fn for_document(document: &Document) -> Discretion {
        let mut secrets = Vec::new();
        for name in document.names() {
            let json = document.json(name).unwrap_or_default();
            collect(json, is_secret(name, Place::Top) && !is_public_session(name, json), &mut secrets);
        }
        let (long, short): (Vec<_>, Vec<_>) =
            unique(secrets).into_iter().partition(|secret| secret.len() >= MIN_REDACTED);
        let forms = unique(long.iter().flat_map(|secret| forms(secret)).collect());
        let work = forms.len().saturating_mul(document.line().len());
        Discretion { redactor: (work <= MAX_WORK).then(|| Redactor::new(&forms)), short }
    }

    /// The value with `[...]` in place of each secret, in whatever encoding, and of each JSON Web Token; its URLs without
    /// user, query and fragment; a space in place of white space.
    pub fn text(&self, value: &str) -> String {
        let Some(redactor) = &self.redactor else { return REDACTED.to_owned() };
        let redacted = message::without_spaced_userinfo(&redactor.redacted(value));
        let words: Vec<String> = redacted.split_whitespace().map(|word| self.word(word)).collect();
        let text = message::without_tokens(&words.join(" "));
        // What a terminal does not get may have been what kept two halves of a secret apart.
        let shown = message::harmless(&text);
        if redactor.redacted(&shown) == shown { text } else { REDACTED.to_owned() }
    }

    fn word(&self, word: &str) -> String {
        // A short secret may be part of ordinary words, but not all of one.
        let is_short = self.short.binary_search_by(|secret| secret.as_str().cmp(word)).is_ok();
        if is_short { REDACTED.to_owned() } else { url(word) }
    }
}

fn unique(mut secrets: Vec<Zeroizing<String>>) -> Vec<Zeroizing<String>> {
    secrets.sort_unstable_by(|a, b| a.as_str().cmp(b));
    secrets.dedup();
    secrets
}

/// Collects the texts in a JSON value that are secrets: all of them, or those in members with the name of a secret.
fn collect(json: &str, all: bool, secrets: &mut Vec<Zeroizing<String>>) {
    match json.as_bytes().first() {
        Some(b'{') => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(json).unwrap_or_default();
            let place = if members.contains_key("kty") { Place::Jwk } else { Place::Nested };
            for (name, value) in &members {
                let is_secret = is_secret(name, place) && !is_public_session(name, value.get());
                let is_public = place == Place::Jwk && PUBLIC_KEY_PARTS.contains(&name.as_str());
                collect(value.get(), (all || is_secret) && !is_public, secrets);
            }
        }
        Some(b'[') => {
            let values: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
            values.iter().for_each(|value| collect(value.get(), all, secrets));
        }
        Some(b'"') => {
            let text: Zeroizing<String> = Zeroizing::new(serde_json::from_str(json).unwrap_or_default());
            collect_within(&text, all, secrets);
            if all && !text.is_empty() {
                // Only the last word of `Bearer TOKEN` is the secret.
                let words = text.split_whitespace().filter(|word| word.len() >= MIN_REDACTED);
                secrets.extend(words.map(|word| Zeroizing::new(word.to_owned())));
                secrets.push(text);
            }
        }
        Some(b't' | b'f' | b'n') | None => {}
        Some(_) if all => secrets.push(Zeroizing::new(json.to_owned())),
        Some(_) => {}
    }
}

/// Collects the secrets that are parts of a text: of JSON, of the query of a URL, and the password in a URL.
fn collect_within(text: &str, all: bool, secrets: &mut Vec<Zeroizing<String>>) {
    if text.trim_start().starts_with(['{', '[']) {
        let document = Document::parse(Zeroizing::new(format!("{{\"json\":{text}}}")).as_bytes()).unwrap_or_default();
        collect(document.json("json").unwrap_or_default(), all, secrets);
    }
    let pairs = text.split(|c: char| "?#&;".contains(c) || c.is_whitespace()).filter_map(|pair| pair.split_once('='));
    let values = pairs.filter(|(name, _)| is_secret(name, Place::Query)).map(|(_, value)| value);
    let authorities = text.split("//").skip(1).filter_map(|rest| {
        // Some programs read what follows a third slash as the authority.
        let rest = rest.trim_start_matches('/');
        let is_spaced = message::may_have_spaced_password(rest);
        rest.split(|c: char| "/?#".contains(c) || (!is_spaced && c.is_whitespace())).next()
    });
    let users = authorities.filter_map(|authority| authority.rsplit_once('@'));
    let passwords = users.filter_map(|(user, _)| Some(user.split_once(':')?.1));
    let found = values.chain(passwords).filter(|secret| !secret.is_empty());
    secrets.extend(found.map(|secret| Zeroizing::new(secret.to_owned())));
}

/// Where a name stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// In the document itself.
    Top,
    /// In an object in the document.
    Nested,
    /// In a JSON Web Key.
    Jwk,
    /// In the query of a URL.
    Query,
}

/// Whether a member or parameter of this name is a secret: one of the table, or what servers and programs name like one, or
/// several.
fn is_secret(name: &str, place: Place) -> bool {
    let plain = parameter::plain(name);
    let plain = plain.trim_end_matches(|end: char| end == 's' || end.is_ascii_digit());
    if ENDS_OF_PUBLIC_NAMES.iter().any(|end| plain.ends_with(end)) {
        return false;
    }
    // Elsewhere, they are also names for a country's states, an error or an organization.
    if OF_A_REQUEST.contains(&plain) {
        return [Place::Top, Place::Query].contains(&place);
    }
    let is_key_part = place == Place::Jwk && KEY_PARTS.contains(&name);
    let is_named = CODES.contains(&plain) || SECRET_ENDS.iter().any(|end| plain.ends_with(end));
    is_key_part || is_named || is_secret_member(name) || parameter::is_secret(name) || parameter::is_secret(plain)
}

/// Whether it is a session with more in it than its identifier.
fn is_public_session(name: &str, json: &str) -> bool {
    parameter::plain(name).trim_end_matches('s').ends_with("session")
        && ["{", "[{"].iter().any(|start| json.starts_with(start))
}

/// The secret, the long parts between its dots (a JSON Web Token is as good as its last two), and each in hexadecimal, in
/// base64, and in base64 after it was form-encoded, as in the header of client_secret_basic.
fn forms(secret: &str) -> Vec<Zeroizing<String>> {
    let parts = secret.split('.').filter(|part| part.len() >= MIN_PART && part.len() < secret.len());
    let mut forms = Vec::new();
    for text in [secret].into_iter().chain(parts) {
        forms.push(Zeroizing::new(text.to_owned()));
        forms.push(Zeroizing::new(text.bytes().map(|octet| format!("{octet:02x}")).collect()));
        forms.extend(base64_forms(text));
        forms.extend(base64_forms(&Zeroizing::new(form::encode(text))));
    }
    forms
}

/// The secret within any text in base64: it may begin at each octet of a group of three, and shares its first and its last
/// character with its neighbors.
fn base64_forms(secret: &str) -> impl Iterator<Item = Zeroizing<String>> {
    (0..3).flat_map(move |before| {
        let octets = Zeroizing::new([&vec![0; before], secret.as_bytes()].concat());
        let (start, end) = ((before * 8).div_ceil(6), octets.len() * 8 / 6);
        [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD].map(|alphabet| {
            let encoded = Zeroizing::new(alphabet.encode(&*octets));
            Zeroizing::new(encoded.get(start..end).unwrap_or_default().to_owned())
        })
    })
}

/// A word without what a URL may hold beside its address: user, query and fragment. Any other word is unchanged.
fn url(word: &str) -> String {
    if !word.contains(['/', ':', '\\']) {
        return word.to_owned();
    }
    let word = message::without_userinfo(word);
    let lower = word.to_ascii_lowercase();
    let query = url_start(&lower).and_then(|from| {
        let rest = lower.get(from..)?;
        Some(from + QUERY_STARTS.iter().filter_map(|start| rest.find(start)).min()?)
    });
    let end = query.unwrap_or(word.len());
    let (address, rest) = word.split_at_checked(end).unwrap_or_default();
    let rest = if rest.is_empty() { "" } else { "?..." };
    let (before, after) = address.split_once("//").map_or((address, None), |(before, after)| (before, Some(after)));
    // No URL of RFC 3986, but some programs read a user and a password in it.
    let before = match (before.split_once(':'), before.rfind('@')) {
        (Some((scheme, _)), Some(at)) if is_web(scheme) && at > scheme.len() => {
            format!("{scheme}:...{}", before.get(at..).unwrap_or_default())
        }
        _ => before.to_owned(),
    };
    // The part of a password after a slash, which ends the authority, would look like a path.
    let Some(after) = after else { return format!("{before}{rest}") };
    let authority = after.split('/').next().unwrap_or_default();
    let host = authority.strip_prefix("...@").unwrap_or(authority);
    if (host.is_empty() && !after.contains('@')) || is_host(host) {
        format!("{before}//{after}{rest}")
    } else {
        format!("{before}//...")
    }
}

/// Whether it is a host with an optional port: also one in which a secret was replaced, one with letters beyond ASCII, and
/// one that is a template for several.
fn is_host(text: &str) -> bool {
    let as_letter = |c: char| if "*{}".contains(c) || (!c.is_ascii() && c.is_alphanumeric()) { 'x' } else { c };
    let plain: String = text.replace(REDACTED, "x").chars().map(as_letter).collect();
    host_and_port(&plain).is_some()
}

/// Where the start of a URL ends in the word, in lower case, after which there may be a query: two slashes, a web scheme, or
/// a dot in the first segment. A scope or a name may have the characters of a query too.
fn url_start(word: &str) -> Option<usize> {
    let first = word.split('/').next().unwrap_or_default();
    let scheme = first.split_once(':').filter(|(scheme, _)| WEB_SCHEMES.contains(scheme));
    let slashes = word.find("//").map(|at| at + 2);
    [slashes, first.find('.'), scheme.map(|(scheme, _)| scheme.len())].into_iter().flatten().min()
}

/// Whether what ends here ends in a scheme whose URLs have a host.
fn is_web(text: &str) -> bool {
    let scheme = text.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    WEB_SCHEMES.iter().any(|web| scheme.eq_ignore_ascii_case(web))
}

/// What begins the query or the fragment of a URL, or what some programs read as that; a percent sign that is encoded may
/// be part of it.
const QUERY_STARTS: [&str; 9] = ["?", "#", ";", "&", "%3f", "%23", "%3b", "%26", "%25"];

/// Schemes of URLs in which some programs read a user and a password even without slashes.
const WEB_SCHEMES: [&str; 5] = ["ftp", "http", "https", "ws", "wss"];

/// The private parts of a JSON Web Key (RFC 7518 section 6), and those that are public in any (RFC 7517 section 4).
const KEY_PARTS: [&str; 7] = ["d", "dp", "dq", "k", "p", "q", "qi"];
const PUBLIC_KEY_PARTS: [&str; 5] = ["alg", "crv", "kid", "kty", "use"];

/// Names that are secrets only in a request or its response, without a plural.
const OF_A_REQUEST: [&str; 3] = ["code", "nonce", "state"];

/// The names of other codes, and what ends the names of secrets, beside those of [`parameter::is_secret`], without a plural.
const CODES: [&str; 5] = ["accesscode", "backupcode", "invitecode", "recoverycode", "resetcode"];
const SECRET_ENDS: [&str; 12] =
    ["cookie", "csrf", "key", "mfa", "pw", "salt", "session", "sessionid", "sessionstate", "sid", "sig", "xsrf"];

/// What ends the names of public values about a secret, without a plural.
const ENDS_OF_PUBLIC_NAMES: [&str; 8] =
    ["endpoint", "expiresat", "expiresin", "issuer", "required", "supported", "uri", "url"];

const REDACTED: &str = "[...]";

/// Minimum length of a part of a secret that is a secret itself: the first words of a token may be a public name.
const MIN_PART: usize = 16;

/// Maximum number of forms of secrets, times the octets in which each is looked for: about a second.
const MAX_WORK: usize = 1 << 27;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::authentication;

    #[test]
    fn cuts_urls_and_leaves_other_words() {
        for (word, expected) in [
            ("https://id.example/a", "https://id.example/a"),
            ("https://id.example:8443", "https://id.example:8443"),
            ("http://[::1]:8080/a", "http://[::1]:8080/a"),
            ("https://me:pw@id.example/a", "https://...@id.example/a"),
            ("https:///me:pw@id.example/a", "https://..."),
            ("https://me:p/w@id.example/a", "https://..."),
            ("https://me:p?w@id.example/a", "https://..."),
            ("https:me:pw@id.example", "https:...@id.example"),
            ("next=HTTPS:me:pw@id.example", "next=HTTPS:...@id.example"),
            ("https:key@id.example", "https:...@id.example"),
            ("https:/me:pw@id.example//a", "https:...@id.example//a"),
            ("https:\\\\me:pw@id.example", "https:...@id.example"),
            ("https://id.example/a?key=x", "https://id.example/a?..."),
            ("https://id.example#x", "https://id.example?..."),
            ("//id.example/a?key=x", "//id.example/a?..."),
            ("id.example/a?key=x", "id.example/a?..."),
            ("https://a/https://me:pw@b", "https://a/https://...@b"),
            ("api://5f2a/.default", "api://5f2a/.default"),
            ("https://id.example/a%3Fkey=x", "https://id.example/a?..."),
            ("https://id.example/a%253Fkey=x", "https://id.example/a?..."),
            ("https://id.example/a;key=x", "https://id.example/a?..."),
            ("https://id.example/a&key=x", "https://id.example/a?..."),
            ("urn:example:a", "urn:example:a"),
            ("acct:alice@example.com", "acct:alice@example.com"),
            ("urn:user:alice@example.com", "urn:user:alice@example.com"),
            ("repository:me@org/app:pull", "repository:me@org/app:pull"),
            ("ssh:me@id.example", "ssh:me@id.example"),
            ("users:read,chat:write", "users:read,chat:write"),
            ("bob@example.com", "bob@example.com"),
            ("https://[...].kinde.com/a", "https://[...].kinde.com/a"),
            ("https://[...]:8443/a", "https://[...]:8443/a"),
            ("https://m\u{fc}ller.example/a", "https://m\u{fc}ller.example/a"),
            ("https://*.example.com", "https://*.example.com"),
            ("https://{tenant}.example.com/a", "https://{tenant}.example.com/a"),
            ("https://me:[...]/w@id.example/a", "https://..."),
            ("https://me:{p}/w@id.example/a", "https://..."),
            ("what?", "what?"),
            (
                "patient/Observation.rs?category=http://terminology.hl7.org/x|y",
                "patient/Observation.rs?category=http://terminology.hl7.org/x|y",
            ),
            ("patient/a?next=http://b.example/c?d=e", "patient/a?next=http://b.example/c?..."),
            ("chat:write#general", "chat:write#general"),
            ("(R&D/IT)", "(R&D/IT)"),
            ("repo:o/r:ref:refs/heads/fix/#12", "repo:o/r:ref:refs/heads/fix/#12"),
            ("https:id?key=x", "https:id?..."),
            ("", ""),
        ] {
            assert_eq!(url(word), expected);
        }
    }

    #[test]
    fn finds_a_secret_in_base64_at_each_place() {
        let secret = "s3cr3t+/value";
        let document = Document::parse(format!("{{\"code\":\"{secret}\"}}").as_bytes()).ok().unwrap();
        let discretion = Discretion::for_document(&document);
        for before in ["", "a", "ab", "abc", "cli:"] {
            for after in ["", "a", "ab", "abc"] {
                for alphabet in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                    let text = discretion.text(&alphabet.encode(format!("{before}{secret}{after}")));
                    assert!(text.contains(REDACTED) && text.len() < 20, "{before} {after}: {text}");
                }
            }
        }
    }

    #[test]
    fn shows_no_part_of_a_json_web_token_and_no_short_secret_alone() {
        let json = r#"{"access_token":"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ",
            "state":"abc","own":{"apiKey":["k3y-k3y-k3y"],"a":{"refresh_token":1234567890123}}}"#;
        let discretion = Discretion::for_document(&Document::parse(json.as_bytes()).ok().unwrap());
        for (value, expected) in [
            ("a/eyJzdWIiOiJhbGljZSJ9", "a/[...]"),
            ("c2lnbmF0dXJlLXNpZ25hdHVyZQ", "[...]"),
            ("https://a.b/eyJhbGciOiJFUzI1NiJ9.e30.eHh4", "https://a.b/[...]"),
            ("abc abcd", "[...] abcd"),
            ("api://acme openid drive:anna@acme.com/read", "api://acme openid drive:anna@acme.com/read"),
            ("https://me:1a 3w@id.example/ a https://b.example", "https://...@id.example/ a https://b.example"),
            ("k3y-k3y-k3y 1234567890123", "[...] [...]"),
            ("a \t\n b\u{202e}c\u{1b}[31m ##[error] ", "a b\u{202e}c\u{1b}[31m ##[error]"),
            ("openid", "openid"),
        ] {
            assert_eq!(discretion.text(value), expected);
        }
    }

    #[test]
    fn finds_a_secret_as_programs_write_it() {
        let secret = "s3cr3t+/v@lue";
        let document = json!({ "client_id": "me:x", "client_secret": secret });
        let discretion = Discretion::for_document(&Document::parse(document.to_string().as_bytes()).ok().unwrap());
        let basic = authentication::basic("me:x", secret);
        let hex: String = secret.bytes().map(|octet| format!("{octet:02X}")).collect();
        for text in [basic.as_str(), &hex, &hex.to_lowercase(), "S3cr3t+/V@LUE", "s3c r3t\u{200b}+/v@\nlue"] {
            let text = discretion.text(text);
            assert!(text.contains(REDACTED) && text.len() < 24, "{text}");
        }
        // A character that is hidden may be one of the secret itself.
        let discretion = Discretion::for_document(&Document::parse(b"{\"state\":\"s3cr?t-s3cr?t\"}").ok().unwrap());
        assert_eq!(discretion.text("a s3cr\u{200b}t-s3cr\u{200b}t"), REDACTED);
    }

    #[test]
    fn knows_a_secret_by_the_name_that_others_give_it() {
        let secret = "0123456789";
        for name in [
            "tokens",
            "recovery_codes",
            "access_key",
            "accessKey",
            "signing-key",
            "hmacKey",
            "key",
            "keys",
            "session",
            "sessionId",
            "sid",
            "csrf",
            "XSRF",
            "cookies",
            "pw",
            "sig",
            "salt",
            "mfa",
            "api_keys",
            "secrets",
        ] {
            for own in [
                json!({ name: secret }),
                json!({ "own": [{ name: [secret] }] }),
                json!({ "own": json!({ name: secret }).to_string() }),
                json!({ "own": format!("https://id.example/a?b=c&{name}={secret}#d") }),
                json!({ name: format!("Bearer {secret}") }),
            ] {
                let discretion = Discretion::for_document(&Document::parse(own.to_string().as_bytes()).ok().unwrap());
                assert_eq!(discretion.text(&format!("a {secret}")), "a [...]", "{own}");
            }
        }
        for own in ["https://me:0123456789@id.example", "git+ssh://me:0123456789@a/b", "a https://me:0123456789@b c"] {
            let own = json!({ "own": own });
            let discretion = Discretion::for_document(&Document::parse(own.to_string().as_bytes()).ok().unwrap());
            assert_eq!(discretion.text(secret), REDACTED, "{own}");
        }
        for own in [
            json!({ "keys": [{ "kty": "oct", "k": secret }] }),
            json!({ "own": { "kty": "RSA", "d": secret } }),
            json!({ "own": format!("https://id.example/a?state={secret}&b=c") }),
            json!({ "states": [secret] }),
        ] {
            let discretion = Discretion::for_document(&Document::parse(own.to_string().as_bytes()).ok().unwrap());
            assert_eq!(discretion.text(secret), REDACTED, "{own}");
        }
        let own = json!({ "own": "api://acme openid drive:anna@acme.com/read", "code": "c0de-c0de" });
        assert_eq!(
            Discretion::for_document(&Document::parse(own.to_string().as_bytes()).ok().unwrap()).text("anna"),
            "anna"
        );
        let names = [
            "name",
            "issuer",
            "scopes_supported",
            "end_session_endpoint",
            "token_endpoint",
            "address",
            "pkce",
            "credential_issuer",
            "org_code",
            "employee_codes",
            "password_expires_at",
            "mfa_required",
            "secret_uri",
            "d",
            "k",
        ];
        let public: serde_json::Map<_, _> = names.map(|name| (name.to_owned(), json!(secret))).into_iter().collect();
        let document = Document::parse(json!(public).to_string().as_bytes()).ok().unwrap();
        assert_eq!(Discretion::for_document(&document).text(secret), secret);
    }

    #[test]
    fn hides_no_value_that_only_its_name_makes_a_secret() {
        let value = "public-value";
        for own in [
            json!({ "own": { "address": { "state": value }, "error": { "code": value }, "nonce": value } }),
            json!({ "session": { "user": value }, "sessions": [{ "user": value }] }),
            json!({ "jwks": { "keys": [{ "kty": value, "kid": value, "alg": value, "use": value, "crv": value }] } }),
            json!({ "own": { "k": value, "d": value, "p": value } }),
            json!({ "own": format!("https://id.example/a?p={value}&d={value}") }),
        ] {
            let discretion = Discretion::for_document(&Document::parse(own.to_string().as_bytes()).ok().unwrap());
            assert_eq!(discretion.text(value), value, "{own}");
        }
    }

    #[test]
    fn hides_everything_rather_than_search_for_too_much() {
        let secrets: Vec<String> = (0..20_000).map(|number| format!("s{number:07}")).collect();
        let document = json!({ "x": { "token": secrets } });
        let discretion = Discretion::for_document(&Document::parse(document.to_string().as_bytes()).ok().unwrap());
        assert_eq!(discretion.text("openid"), REDACTED);
    }
}
