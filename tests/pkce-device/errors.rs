//! What ends the wait for good.

use std::io::Write;
use std::thread;

use serde_json::json;

use crate::common::{changed, command, finish, listen, response};
use crate::{Fake, at_once, pending};

#[test]
fn ends_with_the_servers_error() {
    let allow = "\nhint: the server must support the device grant, and allow it for this client";
    let again = "\nhint: run the login again for a new code";
    let cases = vec![
        ("access_denied", 1, ""),
        ("authorization_declined", 1, ""),
        ("expired_token", 3, again),
        ("invalid_grant", 5, ""),
        ("bad_verification_code", 1, ""),
        ("unauthorized_client", 1, allow),
        ("unsupported_grant_type", 1, allow),
        ("invalid_request", 1, ""),
    ];
    at_once(cases, |(code, status, hint)| {
        for http in [200, 400] {
            let refused = response(http, "application/json", &json!({ "error": code }).to_string());
            let fake = Fake::start(json!({}), vec![refused]);
            assert_eq!(fake.log_in(&[]), fake.failure(status, &format!("token endpoint: {code}{hint}")));
        }
    });
}

#[test]
fn ends_at_a_response_that_no_later_one_can_mend() {
    let cases = vec![
        (response(400, "", ""), 1, "the server responded with 400 without an OAuth error"),
        (
            response(401, "", ""),
            1,
            "the server responded with 401\nhint: if the client has a secret, this step needs it too: --client-secret-file, --client-secret-command or PKCE_CLIENT_SECRET_FILE",
        ),
        (
            response(404, "text/plain", "no such page"),
            1,
            "the server responded with 404 without an OAuth error: no such page",
        ),
        (response(400, "text/html", "{\"error\":\"access_denied\"}"), 1, "access_denied"),
        (response(400, "application/json", "{\"error\":\"access_denied\",\"error\":\"a\"}"), 4, "error: duplicate"),
        (response(400, "application/json", "{\"error\":"), 4, "not a JSON object: unexpected end"),
        (response(400, "application/json", "[]"), 1, "the server responded with 400 without an OAuth error"),
        (response(302, "", ""), 4, "redirect (302) not followed"),
        (response(302, "text/html", "<title>Network login</title>"), 4, "redirect (302) not followed: Network login"),
        (
            b"SSH-2.0\r\n\r\n".to_vec(),
            4,
            "127.0.0.1:PORT: the response is not valid HTTP; the device code may be spent",
        ),
    ];
    at_once(cases, |(octets, status, wrong)| {
        let fake = Fake::start(json!({}), vec![pending(), octets]);
        let wrong = wrong.replace("PORT", &fake.server.port.to_string());
        assert_eq!(fake.log_in(&[]), fake.failure(status, &format!("token endpoint: {wrong}")));
    });
}

#[test]
fn ends_where_the_token_endpoint_is_no_tls_server() {
    let (listener, port) = listen();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 X\r\n\r\n");
    });
    let fake = Fake::start(json!({}), Vec::new());
    let endpoint = format!("https://127.0.0.1:{port}/token");
    let document = changed(fake.document(), &json!({ "token_endpoint": endpoint }));
    let output = finish(&mut command("pkce-device"), document.to_string().as_bytes());
    let wrong = format!("token endpoint: 127.0.0.1:{port}: TLS: the response is not TLS (plain http on this port?)");
    assert_eq!(output, fake.failure(4, &wrong));
}

#[test]
fn repeats_no_code_as_the_words_of_a_server() {
    let words = "no device dev1ce-c0de here";
    let fake = Fake::start(json!({}), vec![response(404, "text/plain", words)]);
    let wrong = "token endpoint: the server responded with 404 without an OAuth error: no device [...] here";
    assert_eq!(fake.log_in(&[]), fake.failure(1, wrong));
}
