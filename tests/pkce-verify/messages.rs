//! Messages: of the token's values only those that are public, for a person and for a program.

use serde_json::{Value, json};

use crate::common::{Server, command, finish, response};
use crate::signer::Signer;
use crate::{HEADER, NOW, Offline, claims, document, merged, online, own, refused, with};

/// Tokens that fail in each of the ways there are, all of whose values have `MARK` in them, and what is said of each.
fn marked(signer: &Signer) -> Vec<(String, &'static str)> {
    let forger = Signer::new("k1");
    let header = |changes: Value| with(json!({ "alg": "ES256", "kid": "k1", "own": "MARK" }), changes);
    let claim = |changes: Value| {
        let token = signer.sign_with(&header(json!({})), &with(claims(), merged(&json!({ "own": "MARK" }), &changes)));
        token.to_string()
    };
    let head = |changes: Value| signer.sign_with(&header(changes), &with(claims(), json!({ "own": "MARK" })));
    vec![
        ("MARK".to_owned(), "not three parts separated by dots"),
        ("MARK.MARK.MARK.MARK.MARK".to_owned(), "encrypted, which is not supported"),
        ("MARK!.MARK.MARK".to_owned(), "header: not base64url"),
        (head(json!({ "alg": "MARK+" })), "header: alg: not supported"),
        (head(json!({ "alg": "MARK-MARK-MARK-MARK-M" })), "header: alg: not supported"),
        (head(json!({ "alg": ["MARK"] })), "header: alg: must be a string"),
        (head(json!({ "alg": null })), "header: alg: missing"),
        (
            head(json!({ "alg": "HS256" })),
            "header: alg: HS256 is not accepted, since whoever can verify it can also sign",
        ),
        (head(json!({ "alg": "none" })), "header: alg: unsigned tokens are not accepted"),
        (head(json!({ "typ": "MARK" })), "header: typ: not the type of an ID token"),
        (head(json!({ "typ": ["MARK"] })), "header: typ: must be a string"),
        (head(json!({ "crit": ["MARK"] })), "header: crit: not supported"),
        (head(json!({ "b64": "MARK" })), "header: b64: not supported"),
        (head(json!({ "kid": ["MARK"] })), "header: kid: must be a string"),
        (forger.sign(&json!({ "own": "MARK" })), "signature: does not verify with the key of --jwks"),
        (signer.sign_text(HEADER, "MARK"), "claims: not JSON at line 1, column 1"),
        (signer.sign_text(HEADER, r#"{"sub":"MARK","sub":"MARK"}"#), "claims: sub: duplicate"),
        (claim(json!({ "iss": ["MARK"] })), "iss: must be a string"),
        (claim(json!({ "sub": "MARK".repeat(100) })), "sub: must have 1 to 255 characters"),
        (claim(json!({ "aud": ["MARK", 1] })), "aud: must be an array of strings"),
        (claim(json!({ "exp": "MARK" })), "exp: must be a number of seconds"),
        (claim(json!({ "exp": null })), "exp: missing"),
        (claim(json!({ "exp": 1 })), "exp: expired"),
        (claim(json!({ "nonce": "MARK" })), "nonce: not the one that was sent"),
        (claim(json!({ "at_hash": "MARK" })), "at_hash: does not match the access token"),
    ]
}

#[test]
fn tells_no_value_of_the_token_that_is_not_public() {
    let signer = Signer::new("k1");
    let offline = Offline::new(&signer.jwks());
    for (token, message) in marked(&signer) {
        let output = offline.run(&[], &document(&token));
        let first = format!("pkce-verify: id_token: {message}\n");
        assert_eq!((output.status, output.stdout.as_str()), (4, "!4 untrusted pkce-verify\n"), "{message}");
        assert!(output.stderr.starts_with(&first), "{message}: {output:?}");
        assert!(!output.stderr.contains("MARK"), "{output:?}");
    }
}

#[test]
fn tells_programs_that_the_id_token_is_at_fault() {
    let signer = Signer::new("k1");
    let offline = Offline::new(&signer.jwks());
    for (token, message) in marked(&signer) {
        let mut tool = command("pkce-verify");
        tool.args(["--jwks", &offline.file(), "--now", &NOW.to_string()]).env("PKCE_ERRORS", "json");
        let output = finish(&mut tool, document(&token).to_string().as_bytes());
        let expected = json!({
            "tool": "pkce-verify", "status": 4, "kind": "untrusted", "member": "id_token",
            "message": format!("id_token: {message}"),
        });
        let told: Value = serde_json::from_str(&output.stderr).unwrap();
        assert_eq!((output.status, told, output.stderr.lines().count()), (4, expected, 1));
    }
}

#[test]
fn tells_programs_which_public_value_came_and_which_was_expected() {
    let signer = Signer::new("k1");
    let offline = Offline::new(&signer.jwks());
    let head = |changes: Value| signer.sign_with(&with(json!({ "alg": "ES256", "kid": "k1" }), changes), &claims());
    let claim = |changes: Value| signer.sign(&with(claims(), changes));
    let unknown = "kid: no such signing key in --jwks";
    for (token, subject, received, expected) in [
        (head(json!({ "alg": "RS256" })), "header: alg", "RS256", "ES256"),
        (head(json!({ "kid": "k2" })), unknown, "k2", "k1"),
        (claim(json!({ "iss": "https://other.example" })), "iss", "https://other.example", "https://op.example"),
        (claim(json!({ "aud": ["other", "api"] })), "aud", "other, api", "cli"),
        (claim(json!({ "aud": ["cli", "api"] })), "aud", "cli, api", "cli"),
        (claim(json!({ "aud": "alice@example.com" })), "aud", "[...]", "cli"),
        (claim(json!({ "azp": "other" })), "azp", "other", "cli"),
        (claim(json!({ "azp": "other\u{1b}[31m" })), "azp", "other?[31m", "cli"),
    ] {
        let mut tool = command("pkce-verify");
        tool.args(["--jwks", &offline.file(), "--now", &NOW.to_string()]).env("PKCE_ERRORS", "json");
        let output = finish(&mut tool, document(&token).to_string().as_bytes());
        let line = json!({
            "tool": "pkce-verify", "status": 4, "kind": "untrusted", "member": "id_token",
            "message": format!("id_token: {subject}: {received} instead of {expected}"),
            "expected": expected, "received": received,
        });
        let told: Value = serde_json::from_str(&output.stderr).unwrap();
        assert_eq!((output.status, told, output.stderr.lines().count()), (4, line, 1));
    }
}

#[test]
fn says_where_the_algorithm_of_an_id_token_is_set() {
    let signer = Signer::new("k1");
    let offline = Offline::new(&signer.jwks());
    let hint = "hint: in the client's settings at the server, set its ID tokens to be signed with RS256 or ES256";
    for (alg, wrong) in [
        ("ES512", "ES512 is not supported"),
        ("RS1", "RS1 is not supported"),
        ("HS256", "HS256 is not accepted, since whoever can verify it can also sign"),
        ("HS512", "HS512 is not accepted, since whoever can verify it can also sign"),
        ("None", "unsigned tokens are not accepted"),
    ] {
        let token = signer.sign_with(&json!({ "alg": alg, "kid": "k1" }), &claims());
        assert_eq!(offline.run(&[], &document(&token)), refused(&format!("header: alg: {wrong}\n{hint}")));
    }
}

#[test]
fn tells_programs_the_status_of_the_response() {
    let signer = Signer::new("k1");
    let server = Server::start(|_| response(404, "", ""));
    let mut tool = command("pkce-verify");
    let input = online(&server, &signer.sign(&own(&server))).to_string();
    let output = finish(tool.args(["--timeout", "1"]).env("PKCE_ERRORS", "json"), input.as_bytes());
    let expected = json!({
        "tool": "pkce-verify", "status": 5, "kind": "login_required", "http_status": 404,
        "message": "JWKS: not found (404); the tokens are lost unless a file has them",
    });
    let told: Value = serde_json::from_str(&output.stderr).unwrap();
    assert_eq!((output.status, told), (5, expected));
}
