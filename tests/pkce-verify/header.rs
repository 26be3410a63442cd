//! Header: algorithm, type, and keys that the token itself names.

use serde_json::{Value, json};

use crate::common::{failure, vectors};
use crate::signer::Signer;
use crate::{
    Offline, accepted, accepts, claims, document, online, own, refused, refuses, rotating, unnamed, verify, with,
};

/// What is said of an ES256 token where the server lists these algorithms.
fn unlisted(algorithms: &str) -> String {
    let hint = "id_token_signing_alg_values_supported lists them; the default is RS256 alone";
    format!("header: alg: ES256 instead of {algorithms}\nhint: {hint}")
}

#[test]
fn takes_no_algorithm_but_those_the_server_lists() {
    let name = "id_token_signing_alg_values_supported";
    for (list, algorithms) in [
        (json!(["RS256"]), "RS256"),
        (json!(["RS256", "ES384", "none"]), "RS256, ES384, none"),
        (json!([]), "nothing"),
        (json!("PS256"), "PS256"),
        (Value::Null, "RS256"),
    ] {
        refuses(&[], &json!({ name: list }), &[(json!({}), &unlisted(algorithms))]);
    }
    for list in [json!(["RS256", "ES256"]), json!("ES256")] {
        accepts(&[], &json!({ name: list }), &[json!({})]);
    }
    let signer = Signer::new("k1");
    let offline = Offline::new(&signer.jwks());
    let document = with(document(&signer.sign(&claims())), json!({ name: [1] }));
    let expected = failure("pkce-verify", 2, &format!("{name}: must be an array of strings"));
    assert_eq!(offline.run(&[], &document), expected);
}

#[test]
fn takes_rs256_where_the_server_lists_nothing() {
    let vectors = vectors("idtoken.json");
    let case = &vectors["cases"][0];
    assert_eq!(case["id"], "ok-rs256");
    let offline = Offline::new(&vectors["jwks"]["multi_alg"]);
    let document = json!({
        "issuer": "https://op.example.com", "client_id": "cli-1", "nonce": "n-0S6_WzA2Mj",
        "id_token": case["id_token"], "access_token": case["expect"]["access_token"],
    });
    let output = offline.run(&[], &document);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
}

#[test]
fn takes_no_other_kind_of_token_for_an_id_token() {
    let signer = Signer::new("k1");
    let offline = Offline::new(&signer.jwks());
    let token = |typ: &Value| signer.sign_with(&json!({ "alg": "ES256", "kid": "k1", "typ": typ }), &claims());
    for typ in
        ["JWT", "jwt", "JOSE", "jose", "application/jwt", "application/JWT", "APPLICATION/Jwt", "application/jose"]
    {
        let document = document(&token(&json!(typ)));
        accepted(&offline.run(&[], &document), &document, &claims());
    }
    for typ in [
        "at+jwt",
        "application/at+jwt",
        "logout+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "",
        "text/jwt",
        "applicationjwt",
        "application/",
        "application/application/jwt",
        "x/application/jwt",
        "JWT ",
    ] {
        let wrong = refused("header: typ: not the type of an ID token");
        assert_eq!(offline.run(&[], &document(&token(&json!(typ)))), wrong, "{typ}");
    }
    assert_eq!(offline.run(&[], &document(&token(&json!(1)))), refused("header: typ: must be a string"));
}

#[test]
fn takes_no_key_from_the_token_itself() {
    let (signer, forger) = (Signer::new("k1"), Signer::new("k1"));
    let evil = rotating(vec![forger.jwks()]);
    let server = rotating(vec![signer.jwks()]);
    let header = json!({
        "alg": "ES256", "kid": "k1", "jku": evil.url("/jku"), "x5u": evil.url("/x5u"), "jwk": forger.jwk(),
        "x5c": ["AAAA"],
    });
    let document = online(&server, &forger.sign_with(&header, &own(&server)));
    assert_eq!(verify(&[], &document.to_string()), refused("signature: does not verify with the server's key"));
    let document = online(&server, &signer.sign_with(&header, &own(&server)));
    accepted(&verify(&[], &document.to_string()), &document, &own(&server));
    let header = with(header, json!({ "kid": "k2" }));
    let document = online(&server, &forger.sign_with(&header, &own(&server)));
    assert_eq!(verify(&[], &document.to_string()), refused(&unnamed("k2 instead of k1")));
    assert_eq!(evil.requests().len(), 0);
}
