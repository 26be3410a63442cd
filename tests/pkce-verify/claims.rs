//! Claims: issuer, audience, subject, times, nonce, hash of the access token, age and class of the login.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::common::{failure, run};
use crate::signer::Signer;
use crate::{
    EARLY, EXPIRED, HEADER, ISSUED, LOGIN, NOW, Offline, accepted, accepts, claims, document, refused, refuses, with,
};

#[test]
fn adds_the_claims_and_removes_nothing() {
    accepts(&[], &json!({}), &[json!({}), json!({ "email": "a@example", "groups": ["x", { "y": 1 }] })]);
    accepts(&[], &json!({ "own": [1, { "a": "b" }], "refresh_token": "rt-1" }), &[json!({})]);
}

#[test]
fn refuses_a_token_of_another_issuer() {
    let long = format!("https://{}", "o".repeat(300));
    let cut = format!("iss: {} instead of https://op.example", long.get(..200).unwrap());
    let cases = [
        (json!({ "iss": "https://other.example" }), "iss: https://other.example instead of https://op.example"),
        (json!({ "iss": "https://op.example/" }), "iss: https://op.example/ instead of https://op.example"),
        (json!({ "iss": "https://OP.example" }), "iss: https://OP.example instead of https://op.example"),
        (json!({ "iss": "" }), "iss: nothing instead of https://op.example"),
        (json!({ "iss": "https://a@b.example" }), "iss: https://...@b.example instead of https://op.example"),
        (json!({ "iss": long }), cut.as_str()),
        (json!({ "iss": null }), "iss: missing"),
        (json!({ "iss": 1 }), "iss: must be a string"),
        (json!({ "iss": ["https://op.example"] }), "iss: must be a string"),
    ];
    refuses(&[], &json!({}), &cases);
}

#[test]
fn refuses_a_token_for_another_client() {
    let cases = [
        (json!({ "aud": "other" }), "aud: other instead of cli"),
        (json!({ "aud": "CLI" }), "aud: CLI instead of cli"),
        (json!({ "aud": ["other", "third"] }), "aud: other, third instead of cli"),
        (json!({ "aud": [] }), "aud: nothing instead of cli"),
        (json!({ "aud": ["alice@example.com", "b"] }), "aud: [...], b instead of cli"),
        (json!({ "aud": ["access-token-1"] }), "aud: [...] instead of cli"),
        (json!({ "aud": null }), "aud: missing"),
        (json!({ "aud": 7 }), "aud: must be a string or an array of strings"),
        (json!({ "aud": ["cli", 7] }), "aud: must be an array of strings"),
        (json!({ "aud": { "cli": true } }), "aud: must be a string or an array of strings"),
    ];
    refuses(&[], &json!({ "access_token": "access-token-1" }), &cases);
    // Whoever else is trusted, the token must be for this client too.
    let other = [(json!({ "aud": "other" }), "aud: other instead of cli")];
    refuses(&["--trust-audience", "other"], &json!({}), &other);
}

/// What is said of a token for these audiences.
fn others(audiences: &str) -> String {
    let other = audiences.split(", ").find(|audience| *audience != "cli").unwrap();
    format!("aud: {audiences} instead of cli\nhint: if it may have the token too: --trust-audience {other}")
}

#[test]
fn lets_only_trusted_audiences_stand_beside_the_client() {
    let two = json!({ "aud": ["cli", "api"], "azp": "cli" });
    let three = json!({ "aud": ["third", "cli", "api"] });
    let (of_two, of_three) = (others("cli, api"), others("third, cli, api"));
    refuses(&[], &json!({}), &[(two.clone(), &of_two), (three.clone(), &of_three)]);
    refuses(&["--trust-audience", "other"], &json!({}), &[(two.clone(), &of_two)]);
    refuses(&["--trust-audience", "api"], &json!({}), &[(three.clone(), &of_three)]);
    accepts(&["--trust-audience", "api"], &json!({}), &[two.clone(), json!({ "aud": ["cli"] }), json!({})]);
    accepts(&["--trust-audience", "api", "--trust-audience", "third"], &json!({}), &[two, three]);
}

#[test]
fn refuses_a_token_that_another_client_asked_for() {
    let cases = [
        (json!({ "azp": "other" }), "azp: other instead of cli"),
        (json!({ "azp": "" }), "azp: nothing instead of cli"),
        (json!({ "azp": ["cli"] }), "azp: must be a string"),
    ];
    refuses(&[], &json!({}), &cases);
    accepts(&[], &json!({}), &[json!({ "azp": "cli" })]);
}

#[test]
fn takes_a_subject_of_1_to_255_characters() {
    let wrong = "sub: must have 1 to 255 characters";
    let cases = [
        (json!({ "sub": "" }), wrong),
        (json!({ "sub": "s".repeat(256) }), wrong),
        (json!({ "sub": "é".repeat(256) }), wrong),
        (json!({ "sub": null }), "sub: missing"),
        (json!({ "sub": 17 }), "sub: must be a string"),
    ];
    refuses(&[], &json!({}), &cases);
    accepts(
        &[],
        &json!({}),
        &[json!({ "sub": "s" }), json!({ "sub": "s".repeat(255) }), json!({ "sub": "é".repeat(255) })],
    );
}

#[test]
fn lets_clocks_be_apart_by_the_leeway_and_no_more() {
    let cases = [
        (json!({ "exp": NOW - 60 }), EXPIRED),
        (json!({ "exp": 0 }), EXPIRED),
        (json!({ "exp": -1 }), EXPIRED),
        (json!({ "iat": NOW + 61 }), ISSUED),
        (json!({ "nbf": NOW + 61 }), EARLY),
        (json!({ "auth_time": NOW + 61 }), LOGIN),
    ];
    refuses(&[], &json!({}), &cases);
    refuses(&["--leeway", "60"], &json!({}), &cases);
    let edges = [
        json!({ "exp": NOW - 59 }),
        json!({ "exp": NOW as f64 - 59.5 }),
        json!({ "iat": NOW + 60 }),
        json!({ "iat": NOW - 7 * 86_400 }),
        json!({ "nbf": NOW + 60 }),
        json!({ "nbf": 0 }),
        json!({ "auth_time": NOW + 60 }),
    ];
    accepts(&[], &json!({}), &edges);
    accepts(&["--leeway", "86400"], &json!({}), &[json!({ "exp": NOW - 86_399 }), json!({ "iat": NOW + 86_400 })]);
}

#[test]
fn lets_clocks_differ_by_nothing_without_a_leeway() {
    let cases = [
        (json!({ "exp": NOW }), EXPIRED),
        (json!({ "iat": NOW + 1 }), ISSUED),
        (json!({ "nbf": NOW + 1 }), EARLY),
        (json!({ "auth_time": NOW + 1 }), LOGIN),
    ];
    refuses(&["--leeway", "0"], &json!({}), &cases);
    let edges = [json!({ "exp": NOW + 1 }), json!({ "iat": NOW, "nbf": NOW, "auth_time": NOW })];
    accepts(&["--leeway", "0"], &json!({}), &edges);
}

#[test]
fn needs_times_that_are_numbers() {
    let mut cases = vec![(json!({ "exp": null }), "exp: missing"), (json!({ "iat": null }), "iat: missing")];
    let wrong = [
        ("exp", "exp: must be a number of seconds"),
        ("iat", "iat: must be a number of seconds"),
        ("nbf", "nbf: must be a number of seconds"),
        ("auth_time", "auth_time: must be a number of seconds"),
    ];
    for (name, message) in wrong {
        for value in [json!("1800000000"), json!(true), json!([NOW]), json!(1e300), json!(1_u64 << 63), json!(u64::MAX)]
        {
            cases.push((json!({ name: value }), message));
        }
    }
    refuses(&[], &json!({}), &cases);
}

#[test]
fn checks_against_the_clock_where_no_time_is_given() {
    let signer = Signer::new("k1");
    let offline = Offline::new(&signer.jwks());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    for (exp, expected) in [(now + 600, None), (now - 120, Some(EXPIRED))] {
        let claims = with(claims(), json!({ "iat": now - 300, "exp": exp }));
        let document = document(&signer.sign(&claims));
        let output = run("pkce-verify", &["--jwks", &offline.file()], &document.to_string());
        match expected {
            None => accepted(&output, &document, &claims),
            Some(message) => assert_eq!(output, refused(message)),
        }
    }
}

#[test]
fn requires_the_nonce_that_was_sent_or_none() {
    let other = "nonce: not the one that was sent";
    let cases = [
        (json!({ "nonce": "n-2" }), other),
        (json!({ "nonce": "N-1" }), other),
        (json!({ "nonce": "" }), other),
        (json!({ "nonce": null }), "nonce: missing"),
        (json!({ "nonce": 1 }), "nonce: must be a string"),
    ];
    refuses(&[], &json!({}), &cases);
    refuses(&[], &json!({ "nonce": null }), &[(json!({}), "nonce: present, but none was sent")]);
    accepts(&[], &json!({ "nonce": null }), &[json!({ "nonce": null })]);
}

#[test]
fn holds_the_access_token_against_its_hash() {
    let hash = |token: &str| URL_SAFE_NO_PAD.encode(&digest(&SHA256, token.as_bytes()).as_ref()[..16]);
    let wrong = "at_hash: does not match the access token";
    let cases = [
        (json!({ "at_hash": hash("at-2") }), wrong),
        (json!({ "at_hash": format!("{}==", hash("at-1")) }), wrong),
        (json!({ "at_hash": "" }), wrong),
        (json!({ "at_hash": 1 }), "at_hash: must be a string"),
    ];
    refuses(&[], &json!({}), &cases);
    accepts(&[], &json!({}), &[json!({ "at_hash": hash("at-1") })]);
    accepts(&[], &json!({ "access_token": null }), &[json!({ "at_hash": hash("at-2") })]);
}

#[test]
fn requires_a_login_no_older_than_max_age() {
    let about = json!({ "max_age": 300 });
    let cases = [
        (json!({}), "auth_time: missing, but required by max_age"),
        (json!({ "auth_time": NOW - 361 }), "auth_time: longer ago than max_age"),
        (json!({ "auth_time": NOW + 61 }), LOGIN),
    ];
    refuses(&[], &about, &cases);
    accepts(&[], &about, &[json!({ "auth_time": NOW - 360 }), json!({ "auth_time": NOW })]);
    let about = json!({ "max_age": 0 });
    refuses(&["--leeway", "0"], &about, &[(json!({ "auth_time": NOW - 1 }), "auth_time: longer ago than max_age")]);
    accepts(&["--leeway", "0"], &about, &[json!({ "auth_time": NOW })]);
    accepts(&[], &json!({}), &[json!({ "auth_time": 0 })]);
    let signer = Signer::new("k1");
    let offline = Offline::new(&signer.jwks());
    for wrong in [json!("300"), json!(-1), json!(1.5), json!([300])] {
        let document = with(document(&signer.sign(&claims())), json!({ "max_age": wrong }));
        let expected = failure("pkce-verify", 2, "max_age: must be a whole number of seconds");
        assert_eq!(offline.run(&[], &document), expected);
    }
}

#[test]
fn requires_one_of_the_requested_classes_of_login() {
    let about = json!({ "acr_values": "gold silver" });
    let cases = [
        (json!({}), "acr: missing, but requested with acr_values"),
        (json!({ "acr": "bronze" }), "acr: not one of acr_values"),
        (json!({ "acr": "gold silver" }), "acr: not one of acr_values"),
        (json!({ "acr": "" }), "acr: not one of acr_values"),
        (json!({ "acr": ["gold"] }), "acr: must be a string"),
    ];
    refuses(&[], &about, &cases);
    accepts(&[], &about, &[json!({ "acr": "gold" }), json!({ "acr": "silver" })]);
    // An empty name is no value, however many spaces there are.
    for values in ["gold  silver", " gold silver", "gold silver "] {
        refuses(&[], &json!({ "acr_values": values }), &[(json!({ "acr": "" }), "acr: not one of acr_values")]);
        accepts(&[], &json!({ "acr_values": values }), &[json!({ "acr": "gold" }), json!({ "acr": "silver" })]);
    }
    for values in ["", " ", "  "] {
        accepts(&[], &json!({ "acr_values": values }), &[json!({}), json!({ "acr": "bronze" }), json!({ "acr": "" })]);
    }
    accepts(&[], &json!({}), &[json!({ "acr": "bronze" })]);
}

#[test]
fn takes_a_claim_that_is_null_for_absent() {
    let signer = Signer::new("k1");
    let offline = Offline::new(&signer.jwks());
    let claims = |rest: &str| {
        let (iat, exp) = (NOW - 5, NOW + 600);
        format!(r#"{{"iss":"https://op.example","sub":"alice","aud":"cli","iat":{iat},"exp":{exp},{rest}}}"#)
    };
    let optional = r#""azp":null,"nbf":null,"nonce":null,"at_hash":null,"auth_time":null,"acr":null"#;
    let text = claims(optional);
    let before = with(document(&signer.sign_text(HEADER, &text)), json!({ "nonce": null }));
    let output = offline.run(&[], &before);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    let claims_after: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(output.json()["id_token_claims"], claims_after);
    let needed = [
        (json!({}), "nonce: missing"),
        (json!({ "nonce": null, "max_age": 60 }), "auth_time: missing, but required by max_age"),
        (json!({ "nonce": null, "acr_values": "gold" }), "acr: missing, but requested with acr_values"),
    ];
    for (changes, message) in needed {
        let document = with(document(&signer.sign_text(HEADER, &text)), changes);
        assert_eq!(offline.run(&[], &document), refused(message));
    }
    for name in ["iss", "sub", "aud", "iat", "exp"] {
        let mut claims = claims_after.clone();
        claims[name] = Value::Null;
        let document = with(document(&signer.sign(&claims)), json!({ "nonce": null }));
        assert_eq!(offline.run(&[], &document), refused(&format!("{name}: missing")));
    }
}

#[test]
fn refuses_claims_that_are_no_plain_object() {
    let signer = Signer::new("k1");
    let offline = Offline::new(&signer.jwks());
    let cases = [
        ("", "claims: not a JSON object: unexpected end"),
        ("[]", "claims: not a JSON object"),
        (r#"{"sub":"a","sub":"b"}"#, "claims: sub: duplicate"),
        (r#"{"x":{"y":1,"y":2}}"#, "claims: x: y: duplicate"),
        (r#"{"sub":"\ud800"}"#, "claims: sub: invalid Unicode in a string"),
        ("{} {}", "claims: not JSON at line 1, column 4"),
    ];
    for (claims, message) in cases {
        let document = document(&signer.sign_text(HEADER, claims));
        assert_eq!(offline.run(&[], &document), refused(message), "{claims}");
    }
}
