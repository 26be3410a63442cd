//! What is added to the document and removed from it, and what is never said.

use std::fs::{self, File};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::common::{Output, changed, command, failure, finish, json_response, new_directory, response};
use crate::{DEVICE_CODE, Fake, VERIFIER, at_once, error, pending, tokens};

#[test]
fn adds_the_tokens_as_an_exchange_does_and_removes_what_is_spent() {
    let response = json!({
        "access_token": "AT", "token_type": "bearer", "expires_in": "60", "refresh_token": "RT", "id_token": "IT",
        "scope": "openid", "own": 2, "another": 3, "token_endpoint": "https://evil.example/",
    });
    let fake = Fake::start(json!({}), vec![json_response(&response)]);
    let document = changed(fake.document(), &json!({ "redirect_uri": "http://127.0.0.1/", "authorization_url": "u" }));
    let output = finish(command("pkce-device").arg("--scope=openid b"), document.to_string().as_bytes());
    assert_eq!(output.stderr, format!("{}pkce-device: note: the granted scope lacks b\n", fake.shown()));
    let mut after = output.json();
    assert!(after["expires_at"].take().is_u64());
    let expected = json!({
        "device_authorization_endpoint": fake.server.url("/device_authorization"),
        "token_endpoint": fake.server.url("/token"),
        "client_id": "cli", "own": 1.10, "another": 3, "token_answer_members": ["another"],
        "access_token": "AT", "token_type": "bearer", "expires_in": 60, "expires_at": null,
        "refresh_token": "RT", "id_token": "IT", "scope": "openid",
    });
    assert_eq!(after, expected);
}

#[test]
fn a_token_response_that_cannot_be_used_is_4() {
    let cases = vec![
        (json_response(&json!({})), "access_token: missing"),
        (json_response(&json!({ "access_token": "é" })), "access_token: must be one or more visible ASCII characters"),
        (
            json_response(&json!({ "access_token": "AT", "token_type": "DPoP" })),
            "token_type: not Bearer, the only supported type",
        ),
        (response(200, "application/json", "{\"a\":1,\"a\":2}"), "a: duplicate"),
        (response(200, "application/json", "no"), "not JSON at line 1, column 2"),
        (response(204, "", ""), "the server responded with 204"),
    ];
    at_once(cases, |(tokens, wrong)| {
        let fake = Fake::start(json!({}), vec![tokens]);
        let output = fake.log_in(&[]);
        assert_eq!(output, fake.failure(4, &format!("token endpoint: {wrong}; the device code may be spent")));
    });
}

#[test]
fn never_says_or_traces_a_code_or_the_verifier() {
    let description = format!("no {DEVICE_CODE} with {VERIFIER}");
    let body = json!({ "error": "invalid_grant", "error_description": description }).to_string();
    let fake = Fake::start(json!({}), vec![pending(), response(400, "application/json", &body)]);
    let output = fake.run(command("pkce-device").env("PKCE_TRACE", "1"));
    let failed = fake.failure(5, "token endpoint: invalid_grant: no [...] with [...]");
    let is_trace = |line: &&str| line.starts_with("pkce-device: trace: ");
    let traced: Vec<&str> = output.stderr.lines().filter(is_trace).collect();
    let others: String = output.stderr.lines().filter(|line| !is_trace(line)).map(|line| format!("{line}\n")).collect();
    assert_eq!((output.status, output.stdout, others), (failed.status, failed.stdout, failed.stderr));
    assert_eq!(traced.len(), 3);
    assert!(traced[0].contains(&format!("POST {}: 200, ", fake.server.url("/device_authorization"))), "{traced:?}");
    assert!(traced[1].contains(&format!("POST {}: 400, ", fake.server.url("/token"))), "{traced:?}");
}

#[test]
fn is_json_for_a_program() {
    let fake = Fake::start(json!({}), vec![error("access_denied")]);
    let output = fake.run(command("pkce-device").env("PKCE_ERRORS", "json"));
    let said: Value = serde_json::from_str(output.stderr.strip_prefix(&fake.shown()).unwrap()).unwrap();
    let expected = json!({
        "tool": "pkce-device", "status": 1, "kind": "refused", "message": "token endpoint: access_denied",
        "error": "access_denied", "http_status": 400,
    });
    assert_eq!(said, expected);
    let fake = Fake::start(json!({ "user_code": "\u{1b}[2J" }), Vec::new());
    let output = fake.run(command("pkce-device").env("PKCE_ERRORS", "json"));
    let expected = json!({
        "tool": "pkce-device", "status": 4, "kind": "untrusted", "member": "user_code",
        "message": "device authorization endpoint: user_code: must be printable characters, 64 at most, without double spaces",
    });
    assert_eq!(serde_json::from_str::<Value>(&output.stderr).unwrap(), expected);
}

#[test]
fn says_that_the_tokens_are_lost_where_the_output_is_full() {
    let fake = Fake::start(json!({}), vec![tokens()]);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let directory = new_directory();
    let input = directory.path().join("document.json");
    fs::write(&input, fake.document().to_string()).unwrap();
    let mut tool = command("pkce-device");
    tool.stdin(File::open(&input).unwrap()).stdout(full).stderr(Stdio::piped());
    let output = tool.spawn().unwrap().wait_with_output().unwrap();
    let lost = "standard output: no space left on device; the tokens issued by the server are lost";
    let Output { stderr, .. } = failure("pkce-device", 5, lost);
    assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("{}{stderr}", fake.shown()));
    assert_eq!(output.status.code(), Some(5));
}
