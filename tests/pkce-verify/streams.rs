//! Streams: what one token leaves behind makes no other pass.

use std::io::{BufRead, BufReader, Write};
use std::sync::{Mutex, mpsc};

use serde_json::{Value, json};

use crate::common::{Output, Server, command, done, failure, json_response, start};
use crate::signer::Signer;
use crate::{
    HEADER, NOW, Offline, after, claims, document, lines, online, own, refused, rotating, unnamed, verify, with,
};

const FORGED: &str = "signature: does not verify with the key of --jwks";

/// A run over these documents, with the keys of the file.
fn stream(offline: &Offline, documents: &[Value]) -> Output {
    verify(&["--jwks", &offline.file()], &lines(documents))
}

/// The token with another signature.
fn resigned(token: &str, signature: &str) -> String {
    format!("{}.{signature}", token.rsplit_once('.').unwrap().0)
}

#[test]
fn refuses_a_bad_token_after_a_good_one_with_the_same_header() {
    let (signer, forger) = (Signer::new("k1"), Signer::new("k1"));
    let offline = Offline::new(&signer.jwks());
    let token = signer.sign(&claims());
    let good = document(&token);
    let signature = token.rsplit_once('.').unwrap().1;
    let other = signer.sign(&with(claims(), json!({ "sub": "bob" })));
    let [header, payload, _] = token.split('.').collect::<Vec<_>>()[..] else { panic!("{token}") };
    for (bad, message) in [
        (forger.sign(&claims()), FORGED),
        (resigned(&other, signature), FORGED),
        // What is missing is still in memory.
        (resigned(&token, ""), FORGED),
        (resigned(&token, signature.get(..80).unwrap()), FORGED),
        (resigned(&token, &format!("{signature}AAAA")), FORGED),
        (resigned(&token, "*"), "signature: not base64url"),
        (format!("{header}.{}.{signature}", payload.get(..80).unwrap()), FORGED),
        (format!("{header}..{signature}"), FORGED),
        (format!("{header}.*.{signature}"), "payload: not base64url"),
        (format!("{header}.{payload}"), "not three parts separated by dots"),
        (format!("{header}.{payload}.{signature}.{signature}.{signature}"), "encrypted, which is not supported"),
        (signer.sign(&with(claims(), json!({ "nonce": null }))), "nonce: missing"),
        (signer.sign(&with(claims(), json!({ "sub": null }))), "sub: missing"),
        (signer.sign_text(HEADER, "{}"), "iss: missing"),
        (signer.sign_text(HEADER, ""), "claims: not a JSON object: unexpected end"),
    ] {
        let output = stream(&offline, &[good.clone(), good.clone(), document(&bad), good.clone()]);
        assert_eq!(after(2, &output), refused(message), "{bad}");
    }
}

#[test]
fn checks_each_header_that_differs_from_the_one_before() {
    let signer = Signer::new("k1");
    let offline = Offline::new(&signer.jwks());
    let good = document(&signer.sign(&claims()));
    for (changes, message) in [
        (json!({ "typ": "at+jwt" }), "header: typ: not the type of an ID token"),
        (json!({ "crit": ["exp"] }), "header: crit: not supported"),
        (json!({ "zip": "DEF" }), "header: zip: not supported"),
        (json!({ "alg": "none" }), "header: alg: unsigned tokens are not accepted"),
        (json!({ "kid": "k2" }), "kid: no such signing key in --jwks: k2 instead of k1"),
    ] {
        let header = with(json!({ "alg": "ES256", "kid": "k1" }), changes);
        let bad = document(&signer.sign_with(&header, &claims()));
        let output = stream(&offline, &[good.clone(), bad, good.clone()]);
        let output = Output { stderr: output.stderr.lines().next().unwrap().to_owned() + "\n", ..output };
        assert_eq!(after(1, &output), refused(message), "{header}");
    }
}

#[test]
fn checks_the_algorithm_by_the_list_of_each_document() {
    let signer = Signer::new("k1");
    let offline = Offline::new(&signer.jwks());
    let good = document(&signer.sign(&claims()));
    let name = "id_token_signing_alg_values_supported";
    let hint = "hint: id_token_signing_alg_values_supported lists them; the default is RS256 alone";
    let wrong = |algorithms: &str| refused(&format!("header: alg: ES256 instead of {algorithms}\n{hint}"));
    for (list, expected) in [
        (json!(["RS256"]), wrong("RS256")),
        (json!(["RS256", "xES256"]), wrong("RS256, xES256")),
        (json!([]), wrong("nothing")),
        (Value::Null, wrong("RS256")),
        (json!(["ES256", 1]), failure("pkce-verify", 2, &format!("{name}: must be an array of strings"))),
    ] {
        let output = stream(&offline, &[good.clone(), good.clone(), with(good.clone(), json!({ name: list }))]);
        assert_eq!(after(2, &output), expected, "{list}");
    }
}

#[test]
fn checks_the_claims_by_each_document() {
    let signer = Signer::new("k1");
    let offline = Offline::new(&signer.jwks());
    let good = document(&signer.sign(&with(claims(), json!({ "at_hash": null }))));
    for (changes, message) in [
        (json!({ "issuer": "https://other.example" }), "iss: https://op.example instead of https://other.example"),
        (json!({ "client_id": "other" }), "aud: cli instead of other"),
        (json!({ "nonce": "n-2" }), "nonce: not the one that was sent"),
        (json!({ "max_age": 1 }), "auth_time: missing, but required by max_age"),
        (json!({ "acr_values": "gold" }), "acr: missing, but requested with acr_values"),
    ] {
        let output = stream(&offline, &[good.clone(), with(good.clone(), changes.clone()), good.clone()]);
        assert_eq!(after(1, &output), refused(message), "{changes}");
    }
}

#[test]
fn keeps_the_claims_of_each_token_apart() {
    let signer = Signer::new("k1");
    let offline = Offline::new(&signer.jwks());
    let all = [
        with(claims(), json!({ "name": "n".repeat(5000), "groups": ["a", { "b": null }] })),
        claims(),
        with(claims(), json!({ "email": "\u{9b}\u{1f511}\"", "aud": ["cli"], "azp": "cli" })),
        claims(),
    ];
    // A null is kept, and checked as if it were missing.
    let null = r#"{"acr":null,"aud":"cli","azp":null,"exp":1800000600,"iat":1799999995,"iss":"https://op.example","nbf":null,"nonce":"n-1","sub":"alice"}"#;
    let mut documents: Vec<Value> = all.iter().map(|claims| document(&signer.sign(claims))).collect();
    documents.push(document(&signer.sign_text(HEADER, null)));
    let output = stream(&offline, &documents);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    let printed: Vec<Value> = output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (last, others) = printed.split_last().unwrap();
    let expected = all.iter().zip(&documents).map(|(claims, document)| {
        let claims = claims.clone();
        let mut document = document.clone();
        document["id_token_claims"] = claims;
        document
    });
    assert_eq!(others, expected.collect::<Vec<_>>());
    assert_eq!(last["id_token_claims"].to_string(), null);
}

#[test]
fn tries_the_keys_of_two_issuers_in_turn_though_their_names_are_the_same() {
    let (one, two) = (Signer::new("k1"), Signer::new("k1"));
    let (first, second) = (rotating(vec![one.jwks()]), rotating(vec![two.jwks()]));
    let (of_first, of_second) = (online(&first, &one.sign(&own(&first))), online(&second, &two.sign(&own(&second))));
    let mut documents = vec![[of_first, of_second]; 3].concat();
    // The header of each is that of the one before, and the key of the other issuer has signed it.
    for forged in [online(&first, &two.sign(&own(&first))), online(&second, &one.sign(&own(&second)))] {
        documents.push(forged);
        let output = verify(&[], &lines(&documents));
        assert_eq!(after(6, &output), refused("signature: does not verify with the server's key"));
        documents.pop();
    }
    assert_eq!((first.requests().len(), second.requests().len()), (2, 2));
    // The token of one issuer, in the other's document, where it is even signed by the right key.
    documents.push(online(&first, &one.sign(&own(&second))));
    let iss = format!("iss: {} instead of {}", second.url(""), first.url(""));
    assert_eq!(after(6, &verify(&[], &lines(&documents))), refused(&iss));
}

#[test]
fn believes_no_key_that_the_server_has_replaced() {
    let (old, new, next) = (Signer::new("k1"), Signer::new("k1"), Signer::new("k2"));
    let server = rotating(vec![old.jwks(), json!({ "keys": [new.jwk(), next.jwk()] })]);
    let token = |signer: &Signer| online(&server, &signer.sign(&own(&server)));
    let documents = [&old, &old, &next, &new, &new, &old].map(token);
    let output = verify(&[], &lines(&documents));
    assert_eq!(after(5, &output), refused("signature: does not verify with the server's key"));
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn prints_what_is_verified_before_the_keys_of_the_next_are_there() {
    let signer = Signer::new("k1");
    let quick = rotating(vec![signer.jwks()]);
    let (answer, answered) = mpsc::channel();
    let (jwks, answered) = (signer.jwks(), Mutex::new(answered));
    let slow = Server::start(move |_| {
        answered.lock().unwrap().recv().unwrap();
        json_response(&jwks)
    });
    let documents = [&quick, &slow].map(|server| online(server, &signer.sign(&own(server))));
    let mut child = start(command("pkce-verify").args(["--now", &NOW.to_string()]));
    child.stdin.take().unwrap().write_all(lines(&documents).as_bytes()).unwrap();
    let mut printed = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut issuer = || serde_json::from_str::<Value>(&printed.next().unwrap().unwrap()).unwrap()["issuer"].clone();
    assert_eq!(issuer(), quick.url(""));
    answer.send(()).unwrap();
    assert_eq!(issuer(), slow.url(""));
    assert_eq!(done(child), Output { status: 0, stdout: String::new(), stderr: String::new() });
}

#[test]
fn passes_over_a_malformed_key_between_good_ones_until_a_token_names_it() {
    let [one, two, three] = ["k1", "k2", "k3"].map(Signer::new);
    let malformed = with(two.jwk(), json!({ "x": "AAAA" }));
    let offline = Offline::new(&json!({ "keys": [one.jwk(), malformed, three.jwk()] }));
    let [first, named, third] = [&one, &two, &three].map(|signer| document(&signer.sign(&claims())));
    let unnamed = document(&three.sign_with(&json!({ "alg": "ES256" }), &claims()));
    let documents = [first.clone(), third.clone(), unnamed, third, first.clone(), named, first];
    let wrong = "the key k2 of --jwks is not valid: x: must be 32 octets";
    assert_eq!(after(5, &stream(&offline, &documents)), refused(wrong));
}

#[test]
fn names_a_malformed_key_of_the_server_that_a_token_after_others_needs() {
    let (one, two) = (Signer::new("k1"), Signer::new("k2"));
    let malformed = with(two.jwk(), json!({ "y": "AAAA" }));
    let server = rotating(vec![json!({ "keys": [malformed, one.jwk()] })]);
    let [good, bad] = [&one, &two].map(|signer| online(&server, &signer.sign(&own(&server))));
    let output = verify(&[], &lines(&[good.clone(), good.clone(), bad, good]));
    assert_eq!(after(2, &output), refused("the server's key k2 is not valid: y: must be 32 octets"));
    assert_eq!(server.requests().len(), 1);
    let unknown = online(&server, &Signer::new("k3").sign(&own(&server)));
    assert_eq!(verify(&[], &unknown.to_string()), refused(&unnamed("k3 instead of k2, k1")));
}
