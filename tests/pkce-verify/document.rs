//! The documents in and out, one after the other, and the options.

use serde_json::json;

use crate::common::{Output, failure, run};
use crate::signer::Signer;
use crate::{HEADER, NOW, Offline, after, claims, document, lines, refused, verify, with};

#[test]
fn refuses_a_response_without_the_requested_id_token() {
    let missing = refused("missing, although openid was requested");
    for about in [
        json!({ "nonce": null }),
        json!({ "nonce": null, "scope": "email openid profile" }),
        json!({ "scope": null }),
        json!({ "scope": "email" }),
        json!({}),
    ] {
        let document = with(with(document(""), json!({ "id_token": null })), about);
        assert_eq!(verify(&[], &document.to_string()), missing, "{document}");
    }
    let hint = "hint: only a login with openid in its scope has an ID token: pkce-url --scope openid";
    let unasked = failure("pkce-verify", 2, &format!("id_token: missing\n{hint}"));
    for about in [
        json!({ "nonce": null, "scope": null }),
        json!({ "nonce": null, "scope": "email" }),
        json!({ "nonce": null, "scope": "openid2 xopenid OPENID" }),
    ] {
        let document = with(with(document(""), json!({ "id_token": null })), about);
        assert_eq!(verify(&[], &document.to_string()), unasked, "{document}");
    }
    let before = with(document(""), json!({ "id_token": null, "access_token": null }));
    let unexchanged = failure("pkce-verify", 2, "id_token: missing\nhint: pkce-exchange adds it");
    assert_eq!(verify(&[], &before.to_string()), unexchanged);
}

#[test]
fn needs_a_document_that_can_be_used() {
    let signer = Signer::new("k1");
    let offline = Offline::new(&signer.jwks());
    let token = signer.sign(&claims());
    let cases = [
        (json!({ "issuer": null }), "issuer: missing\nhint: pkce-discover adds it"),
        (json!({ "issuer": 1 }), "issuer: must be a string"),
        (json!({ "client_id": null }), "client_id: missing\nhint: pkce-url adds it"),
        (json!({ "client_id": "" }), "client_id: must be one or more visible ASCII characters"),
        (json!({ "client_id": ["cli"] }), "client_id: must be a string"),
        (json!({ "nonce": 1 }), "nonce: must be a string"),
        (json!({ "access_token": 1 }), "access_token: must be a string"),
        (json!({ "acr_values": ["gold"] }), "acr_values: must be a string"),
        (json!({ "id_token": 1 }), "id_token: must be a string"),
        (json!({ "id_token": { "jwt": token } }), "id_token: must be a string"),
        (json!({ "id_token_claims": [] }), "id_token_claims: not a JSON object"),
        (json!({ "id_token_claims": "{}" }), "id_token_claims: not a JSON object"),
    ];
    for (changes, message) in cases {
        let output = offline.run(&[], &with(document(&token), changes.clone()));
        assert_eq!(output, failure("pkce-verify", 2, message), "{changes}");
    }
    let output = verify(&[], &document(&token).to_string());
    assert_eq!(
        output,
        failure("pkce-verify", 2, "jwks_uri: missing\nhint: pkce-discover adds it if the server names one")
    );
}

#[test]
fn takes_no_options_that_make_no_sense() {
    let hint = "hint: see 'pkce-verify --help'";
    for (args, wrong) in [
        (["--leeway", "-1"], "--leeway: must be a whole number from 0 to 86400"),
        (["--leeway", "86401"], "--leeway: must be a whole number from 0 to 86400"),
        (["--now", "tomorrow"], "--now: must be a whole number from 0 to 9223372036854775807"),
        (["--timeout", "0"], "--timeout: must be a whole number from 1 to 4294967295"),
    ] {
        let argument = [args.join("=")];
        let output = run("pkce-verify", &[&argument[0]], "");
        assert_eq!(output, failure("pkce-verify", 2, &format!("{wrong}\n{hint}")));
    }
}

#[test]
fn ends_a_stream_at_the_first_token_that_fails() {
    let signer = Signer::new("k1");
    let offline = Offline::new(&signer.jwks());
    let good = document(&signer.sign(&claims()));
    let bad = document(&signer.sign(&with(claims(), json!({ "aud": "other" }))));
    let run = |input: &str| verify(&["--jwks", &offline.file()], input);
    let output = run(&lines(&[good.clone(), good.clone(), bad, good.clone()]));
    assert_eq!(after(2, &output), refused("aud: other instead of cli"));
    const RAW: &str = "hint: a document is a JSON object: leave out -r or --raw in the step before";
    let output = run(&format!("{good}{good}\n\n [1]\n{good}"));
    assert_eq!(after(2, &output), failure("pkce-verify", 2, &format!("standard input: not a JSON object\n{RAW}")));
    let output = run(&format!("{good}\n{}", good.to_string().get(..40).unwrap()));
    let wrong = "standard input: not a JSON object: unexpected end";
    assert_eq!(after(1, &output), failure("pkce-verify", 2, wrong));
    let empty = failure("pkce-verify", 2, "standard input: empty (did the step before fail?)");
    assert_eq!(run(""), empty);
}

#[test]
fn passes_on_the_failure_of_a_step_before() {
    let signer = Signer::new("k1");
    let offline = Offline::new(&signer.jwks());
    let line = "!5 login_required pkce-exchange\n";
    let expected = Output { status: 5, stdout: line.to_owned(), stderr: String::new() };
    assert_eq!(verify(&[], line), expected);
    let input = format!("{}\n{line}", document(&signer.sign(&claims())));
    let output = verify(&["--jwks", &offline.file()], &input);
    assert_eq!(after(1, &output), expected);
}

#[test]
fn prints_the_claims_alone_where_asked() {
    let signer = Signer::new("k1");
    let offline = Offline::new(&signer.jwks());
    let input = document(&signer.sign(&claims()));
    let output = offline.run(&["-r", "id_token_claims"], &input);
    assert_eq!((output.status, output.json(), output.stderr.as_str()), (0, claims(), ""));
    assert_eq!(output.stdout.lines().count(), 1);
    let document = with(input, json!({ "client_id": "other" }));
    let output = offline.run(&["-r", "id_token_claims"], &document);
    assert_eq!(output, Output { stdout: String::new(), ..refused("aud: cli instead of other") });
}

#[test]
fn prints_the_claims_unchanged() {
    let signer = Signer::new("k1");
    let offline = Offline::new(&signer.jwks());
    let (iat, exp) = (NOW - 5, NOW + 600);
    let claims = format!(
        r#"{{"a":1.000000000000000000001,"aud":"cli","b":1e400,"c":"\u001b[31m\u009b\u0000","d":-0,"exp":{exp}.50,"iat":{iat},"iss":"https://op.example","nonce":"n-1","sub":"alice"}}"#
    );
    let input = document(&signer.sign_text(HEADER, &claims));
    let output = offline.run(&[], &input);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
    assert!(output.stdout.contains(&format!("\"id_token_claims\":{claims},")), "{}", output.stdout);
    let output = offline.run(&["-r", "id_token_claims"], &input);
    assert_eq!(output, Output { status: 0, stdout: format!("{claims}\n"), stderr: String::new() });
    // A character that only a terminal obeys is escaped where it was not.
    let open = claims.replace(r"\u009b", "\u{9b}").replace(",\"aud\"", " ,\n\t\"aud\"");
    let output = offline.run(&["-r", "id_token_claims"], &document(&signer.sign_text(HEADER, &open)));
    assert_eq!(output, Output { status: 0, stdout: format!("{claims}\n"), stderr: String::new() });
}
