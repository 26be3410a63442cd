//! pkce-register: what the request says of the client, and what is taken from the response.
#![cfg(test)]

mod common;

use common::{Output, Request, Server, command, failure, finish, json_response, new_directory, response, run};
use serde_json::{Value, json};

/// A document of a server that registers at this URL.
fn document(server: &Server) -> Value {
    json!({ "issuer": server.url(""), "registration_endpoint": server.url("/register"), "token_endpoint": server.url("/t") })
}

fn with(mut object: Value, changes: &Value) -> Value {
    object.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    object
}

/// Registers at a server with the same response to every request.
fn with_response(octets: Vec<u8>, args: &[&str]) -> (Output, Vec<Request>, Value) {
    let server = Server::start(move |_| octets.clone());
    let document = document(&server);
    let output = run("pkce-register", &[&["--timeout", "20"], args].concat(), &document.to_string());
    (output, server.requests(), document)
}

fn created(body: &Value) -> Vec<u8> {
    response(201, "application/json", &body.to_string())
}

fn body(seen: &Request) -> Value {
    serde_json::from_str(&seen.body).unwrap()
}

#[test]
fn registers_a_public_native_client() {
    let (output, seen, document) = with_response(created(&json!({ "client_id": "c-1" })), &[]);
    let expected = json!({ "client_id": "c-1", "redirect_uri": "http://127.0.0.1:0/callback" });
    assert_eq!((output.status, output.stderr.as_str(), output.json()), (0, "", with(document, &expected)));
    assert_eq!((seen.len(), seen[0].method.as_str(), seen[0].target.as_str()), (1, "POST", "/register"));
    assert_eq!((seen[0].header("Content-Type"), seen[0].header("Authorization")), (Some("application/json"), None));
    let asked = json!({
        "redirect_uris": ["http://127.0.0.1/callback"], "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"], "token_endpoint_auth_method": "none", "application_type": "native",
    });
    assert_eq!(body(&seen[0]), asked);
    let args = ["--client-name", "deploy \"ü\"", "--redirect-uri", "http://localhost:0/cb", "--scope", "openid read"];
    let (output, seen, document) = with_response(json_response(&json!({ "client_id": "c-2" })), &args);
    let expected = json!({ "client_id": "c-2", "redirect_uri": "http://localhost:0/cb", "scope": "openid read" });
    assert_eq!((output.status, output.json()), (0, with(document, &expected)), "200 is a success too");
    let named = json!({
        "client_name": "deploy \"ü\"", "redirect_uris": ["http://localhost/cb"], "scope": "openid read",
    });
    assert_eq!(body(&seen[0]), with(asked, &named));
}

#[test]
fn registers_a_redirect_uri_with_port_0_without_its_port() {
    for (given, registered) in [
        ("http://127.0.0.1:00/cb", "http://127.0.0.1/cb"),
        ("http://[0:0:0:0:0:0:0:1]:0/cb", "http://[0:0:0:0:0:0:0:1]/cb"),
    ] {
        let args = ["--redirect-uri", given];
        let (output, requests, _) = with_response(json_response(&json!({ "client_id": "c-1" })), &args);
        assert_eq!((output.status, &output.json()["redirect_uri"]), (0, &json!(given)), "{output:?}");
        assert_eq!(body(&requests[0])["redirect_uris"], json!([registered]));
    }
}

#[test]
fn registers_what_the_document_says_and_the_options_first() {
    let server = Server::start(|_| created(&json!({ "client_id": "c-1" })));
    let own = with(document(&server), &json!({ "redirect_uri": "http://127.0.0.1:8080/own", "scope": "a" }));
    assert_eq!(run("pkce-register", &[], &own.to_string()).json(), with(own.clone(), &json!({ "client_id": "c-1" })));
    let args = ["--redirect-uri", "com.example.app:/cb", "--scope", "b"];
    let output = run("pkce-register", &args, &own.to_string());
    let expected = json!({ "client_id": "c-1", "redirect_uri": "com.example.app:/cb", "scope": "b" });
    assert_eq!(output.json(), with(own, &expected));
    let asked: Vec<Value> = server.requests().iter().map(body).collect();
    assert_eq!((&asked[0]["redirect_uris"], &asked[0]["scope"]), (&json!(["http://127.0.0.1:8080/own"]), &json!("a")));
    assert_eq!((&asked[1]["redirect_uris"], &asked[1]["scope"]), (&json!(["com.example.app:/cb"]), &json!("b")));
}

#[test]
fn adds_a_secret_only_where_the_server_requires_it() {
    let insists = |more: Value| with(json!({ "client_id": "c-1", "client_secret": "s3cr3t" }), &more);
    for (response, added) in [
        (insists(json!({ "token_endpoint_auth_method": "none" })), json!({})),
        (insists(json!({})), json!({ "client_secret": "s3cr3t" })),
        (insists(json!({ "token_endpoint_auth_method": "client_secret_post", "client_secret_expires_at": 0 })), {
            json!({ "client_secret": "s3cr3t", "token_endpoint_auth_method": "client_secret_post" })
        }),
        (insists(json!({ "token_endpoint_auth_method": "client_secret_basic" })), {
            json!({ "client_secret": "s3cr3t", "token_endpoint_auth_method": "client_secret_basic" })
        }),
    ] {
        let server = Server::start(move |_| created(&response));
        // What an earlier registration has left is no part of the new client.
        let old =
            json!({ "client_id": "old", "client_secret": "old", "token_endpoint_auth_method": "client_secret_post" });
        let document = document(&server);
        let output = run("pkce-register", &[], &with(document.clone(), &old).to_string());
        let expected = json!({ "client_id": "c-1", "redirect_uri": "http://127.0.0.1:0/callback" });
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
        assert_eq!(output.json(), with(with(document, &expected), &added));
    }
    let expires = insists(json!({ "client_secret_expires_at": 1_900_000_000 }));
    let note = "pkce-register: note: the client secret will expire; register a new client when it does\n";
    let (output, ..) = with_response(created(&expires), &[]);
    assert_eq!((output.status, output.stderr.as_str()), (0, note));
    for (method, status, wrong) in [
        ("private_key_jwt", 1, "the server requires a client authentication method that is not supported"),
        ("client_secret_basic", 4, "client_secret: missing"),
    ] {
        let response = json!({ "client_id": "c-1", "token_endpoint_auth_method": method });
        let (output, ..) = with_response(created(&response), &[]);
        assert_eq!(output, failure("pkce-register", status, &format!("registration endpoint: {wrong}")));
    }
}

#[test]
fn takes_nothing_else_from_the_response() {
    let response = json!({
        "client_id": "c-1", "client_id_issued_at": 1, "registration_access_token": "rat", "scope": "evil",
        "registration_client_uri": "https://evil.example", "token_endpoint": "https://evil.example", "issuer": "evil",
        "redirect_uri": "evil", "access_token": "evil", "jwks_uri": "https://evil.example", "client_name": "evil",
        "redirect_uris": ["http://127.0.0.1/callback"],
    });
    let (output, _, document) = with_response(created(&response), &[]);
    let expected = json!({ "client_id": "c-1", "redirect_uri": "http://127.0.0.1:0/callback" });
    assert_eq!((output.status, output.stderr.as_str(), output.json()), (0, "", with(document, &expected)));
    let other = json!({ "client_id": "c-1", "redirect_uris": ["http://127.0.0.1/other"] });
    let note = "pkce-register: note: the server registered a redirect URI other than the requested one\n";
    let (output, ..) = with_response(created(&other), &[]);
    assert_eq!((output.status, output.stderr.as_str()), (0, note));
}

#[test]
fn shows_the_token_that_the_server_gave_for_registering() {
    let directory = new_directory();
    let file = |name: &str, content: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let token = file("token", "initial-t0ken\n");
    let (output, seen, _) = with_response(created(&json!({ "client_id": "c-1" })), &["--access-token-file", &token]);
    assert_eq!((output.status, seen[0].header("Authorization")), (0, Some("Bearer initial-t0ken")));
    assert!(!output.stdout.contains("t0ken"));
    let refusal = json!({ "error": "invalid_token", "error_description": "initial-t0ken has expired" });
    let (output, ..) =
        with_response(response(401, "application/json", &refusal.to_string()), &["--access-token-file", &token]);
    let message = "registration endpoint: invalid_token: [...] has expired";
    assert_eq!(output, failure("pkce-register", 1, message));
    let refusal = json!({ "error": "invalid_token", "error_description": "initial%2Dt0ken and initial\\u002dt0ken" });
    let (output, ..) =
        with_response(response(401, "application/json", &refusal.to_string()), &["--access-token-file", &token]);
    let message = "registration endpoint: invalid_token: [...] and [...]";
    assert_eq!(output, failure("pkce-register", 1, message));
    for (path, wrong) in [
        (file("empty", ""), "must contain one line of text"),
        (file("two", "a\nb\n"), "must contain one line of text"),
        (file("letters", "tökén\n"), "must contain visible ASCII characters only"),
        (directory.path().join("missing").to_str().unwrap().to_owned(), "no such file or directory"),
    ] {
        let (output, seen, _) = with_response(created(&json!({ "client_id": "c" })), &["--access-token-file", &path]);
        assert_eq!(output, failure("pkce-register", 2, &format!("--access-token-file: {wrong}")));
        assert!(seen.is_empty());
    }
}

#[test]
fn says_why_there_is_no_client() {
    let error = |error: &str| json!({ "error": error, "error_description": "no\u{1b}[31m" }).to_string();
    let json = "application/json";
    for (octets, status, wrong) in [
        (response(400, json, &error("invalid_redirect_uri")), 1, "invalid_redirect_uri: no?[31m"),
        (response(403, json, &error("access_denied")), 1, "access_denied: no?[31m"),
        (response(401, "", ""), 1, "the server responded with 401"),
        (response(404, "text/html", "<h1>none"), 1, "the server responded with 404 without an OAuth error"),
        (response(429, "", ""), 3, "the server responded with 429"),
        (response(500, "", ""), 3, "the server responded with 500"),
        (response(503, "", ""), 3, "the server responded with 503"),
        (response(204, "", ""), 4, "the server responded with 204"),
        (response(302, "", ""), 4, "redirect (302) not followed"),
        (response(201, "text/html", "<html>"), 4, "HTML, not JSON (proxy or captive portal?)"),
        (created(&json!({})), 4, "client_id: missing"),
        (created(&json!({ "client_id": 5 })), 4, "client_id: must be a string"),
        (created(&json!({ "client_id": "" })), 4, "client_id: must be one or more visible ASCII characters"),
        (created(&json!({ "client_id": "a\nb" })), 4, "client_id: must be one or more visible ASCII characters"),
        (created(&json!({ "client_id": "c", "client_secret": 5 })), 4, "client_secret: must be a string"),
        (created(&json!({ "client_id": "c", "redirect_uris": 5 })), 4, "redirect_uris: must be a string"),
    ] {
        let (output, seen, _) = with_response(octets, &[]);
        assert_eq!(output, failure("pkce-register", status, &format!("registration endpoint: {wrong}")));
        assert_eq!(seen.len(), 1, "{wrong}");
    }
    let server = Server::start(move |_| response(400, json, &error("invalid_client_metadata")));
    let mut tool = command("pkce-register");
    let output = finish(tool.env("PKCE_ERRORS", "json"), document(&server).to_string().as_bytes());
    let told: Value = serde_json::from_str(&output.stderr).unwrap();
    let expected = json!({
        "tool": "pkce-register", "status": 1, "kind": "refused", "error": "invalid_client_metadata",
        "error_description": "no?[31m", "http_status": 400,
        "message": "registration endpoint: invalid_client_metadata: no?[31m",
    });
    assert_eq!(told, expected);
}

#[test]
fn registers_only_where_it_may() {
    let missing = "registration_endpoint: missing\nhint: pkce-discover adds it if the server names one";
    assert_eq!(run("pkce-register", &[], "{}"), failure("pkce-register", 2, missing));
    for (document, status, wrong) in [
        (
            json!({ "registration_endpoint": "http://id.example/register" }),
            4,
            "registration_endpoint: plain http is only allowed to this machine; use https\n\
             hint: for a test network, list its hosts in PKCE_HTTP_HOSTS, such as keycloak:8080",
        ),
        (
            json!({ "issuer": "https://id.example", "registration_endpoint": "http://127.0.0.1:1/register" }),
            4,
            "registration_endpoint: a remote server must not point to this machine",
        ),
        (
            json!({ "registration_endpoint": "http://127.0.0.1:1/register" }),
            3,
            "registration endpoint: 127.0.0.1: connection refused",
        ),
        (
            json!({ "registration_endpoint": "http://127.0.0.1:1/register", "redirect_uri": "http://id.example/cb" }),
            4,
            "redirect_uri: plain http is only allowed to this machine; use https",
        ),
        (
            json!({ "registration_endpoint": "http://127.0.0.1:1/register", "scope": "a  b" }),
            2,
            "scope: must be names separated by single spaces, without \" and \\",
        ),
    ] {
        assert_eq!(run("pkce-register", &[], &document.to_string()), failure("pkce-register", status, wrong));
    }
    let hint = "hint: see 'pkce-register --help'";
    let output = run("pkce-register", &["--client-name", "a\nb"], "{}");
    let message = format!("--client-name: must be one line of text\n{hint}");
    assert_eq!(output, failure("pkce-register", 2, &message));
}

#[test]
fn traces_its_request_and_prints_the_client_alone_where_asked() {
    let server = Server::start(|_| created(&json!({ "client_id": "c-1" })));
    let mut tool = command("pkce-register");
    let output =
        finish(tool.args(["-r", "client_id"]).env("PKCE_TRACE", "1"), document(&server).to_string().as_bytes());
    assert_eq!((output.status, output.stdout.as_str()), (0, "c-1\n"));
    assert!(
        output.stderr.starts_with(&format!("pkce-register: trace: POST {}: 201, 19 bytes, ", server.url("/register")))
    );
}
