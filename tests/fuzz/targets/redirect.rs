//! Any query or paste as an authorization response: a code is taken only beside the state and issuer of the login.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pkce_tools::Document;
use pkce_tools::login::callback::redirect::{Expected, Outcome};

const REDIRECT_URI: &str = "http://127.0.0.1:8080/cb";
const ISSUER: &str = "https://id.example";

fn expected(has_issuer: bool, promises_iss: bool, allow_bare_code: bool) -> Expected {
    let issuer = if has_issuer { format!("\"issuer\":\"{ISSUER}\",") } else { String::new() };
    let json = format!(
        "{{{issuer}\"authorization_response_iss_parameter_supported\":{promises_iss},\"state\":\"st\",\
         \"authorization_url\":\"https://id.example/authorize?state=st\"}}"
    );
    let document = Document::parse(json.as_bytes()).expect("a document");
    Expected::from_document(&document, REDIRECT_URI.to_owned(), allow_bare_code)
        .unwrap_or_else(|error| panic!("{}", error.message()))
}

/// The only value of this name, by a lenient parser.
fn only(query: &str, name: &str) -> Option<String> {
    let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(other, _)| other == name);
    let value = values.next()?.1.into_owned();
    values.next().is_none().then_some(value)
}

/// What a paste may have around the address.
fn is_around(character: char) -> bool {
    character.is_whitespace() || "\"'<>".contains(character)
}

fn check(query: &str, code: &str, iss: Option<&str>, has_issuer: bool, promises_iss: bool) {
    assert_eq!(only(query, "state").as_deref(), Some("st"));
    assert_eq!(only(query, "code").as_deref(), Some(code));
    assert!(!code.is_empty() && code.bytes().all(|octet| (0x20..=0x7e).contains(&octet)));
    assert_eq!(only(query, "iss").as_deref(), iss);
    assert!(iss.is_some() || !promises_iss);
    assert!(iss.is_none() || !has_issuer || iss == Some(ISSUER));
    let errors = form_urlencoded::parse(query.as_bytes()).filter(|(name, value)| name == "error" && value != "");
    assert_eq!(errors.count(), 0);
    assert!(["access_token", "id_token", "response"].iter().all(|name| only(query, name).is_none()));
}

fuzz_target!(|input: (u8, &str)| {
    let (choice, text) = input;
    let (has_issuer, promises_iss, allow_bare_code) = (choice & 1 != 0, choice & 2 != 0, choice & 4 != 0);
    let expected = expected(has_issuer, promises_iss, allow_bare_code);
    if let Outcome::Code(response) = expected.outcome(text) {
        check(text, &response.code, response.iss.as_deref(), has_issuer, promises_iss);
    }
    if let Outcome::Code(response) = expected.pasted(text) {
        assert!(response.code.bytes().all(|octet| (0x20..=0x7e).contains(&octet)));
        assert!(text.contains("st") || text.contains(['\r', '\n']) || allow_bare_code, "a code without its state");
        if let Some((_, query)) = text.split_once('?').filter(|_| !text.contains(['\r', '\n'])) {
            let query = query.trim_end_matches(is_around).split('#').next().unwrap_or_default();
            check(query, &response.code, response.iss.as_deref(), has_issuer, promises_iss);
        }
    }
});
