//! pkce-push: the request goes to the server, and a reference to it to the browser.
#![cfg(test)]

mod common;

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{
    Output, Request, Server, command, failure, finish, free_port, json_response, new_directory, response, run, start,
    talk,
};
use serde_json::{Value, json};

const URN: &str = "urn:ietf:params:oauth:request_uri:a+b/c";

fn pushed() -> Vec<u8> {
    response(201, "application/json", &json!({ "request_uri": URN, "expires_in": 60, "scope": "evil" }).to_string())
}

/// A document with a request that can be pushed to this server, as pkce-gen and pkce-url make it.
fn document(server: &Server, endpoint: &str, args: &[&str]) -> Value {
    let metadata = json!({
        "issuer": server.url(""), "authorization_endpoint": server.url(endpoint),
        "pushed_authorization_request_endpoint": server.url("/par"),
    });
    let generated = run("pkce-gen", &["-"], &metadata.to_string());
    let mut named = vec!["--client-id", "cli", "--scope", "openid a:b"];
    if !args.contains(&"--redirect-uri") {
        named.extend(["--redirect-uri", "http://127.0.0.1:8080/callback"]);
    }
    let output = run("pkce-url", &[&named, args].concat(), &generated.stdout);
    assert_eq!(output.status, 0, "{output:?}");
    output.json()
}

fn pairs(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

fn query(document: &Value) -> Vec<(String, String)> {
    pairs(document["authorization_url"].as_str().unwrap().split_once('?').unwrap().1)
}

/// Pushes to a server with the same response to every request.
fn with_response(octets: Vec<u8>) -> (Output, Vec<Request>) {
    let server = Server::start(move |_| octets.clone());
    let output = run("pkce-push", &["--timeout", "20"], &document(&server, "/authorize", &[]).to_string());
    (output, server.requests())
}

/// What is said of an authorization URL that begins with one endpoint, where another is the document's.
fn elsewhere(came: &str, expected: &str) -> String {
    let wrong = "authorization_url: not a request to the document's authorization_endpoint";
    format!("{wrong}: {came} instead of {expected}")
}

#[test]
fn sends_the_request_and_keeps_a_reference_to_it() {
    let server = Server::start(|_| pushed());
    let more = ["--resource", "https://a.example", "--resource", "https://b.example?x=1&y", "--param", "audience=ü &="];
    let document = document(&server, "/authorize", &more);
    let output = run("pkce-push", &[], &document.to_string());
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    let seen = &server.requests()[0];
    assert_eq!((seen.method.as_str(), seen.target.as_str(), server.requests().len()), ("POST", "/par", 1));
    assert_eq!(seen.header("Content-Type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(seen.header("Authorization"), None);
    assert_eq!(seen.form(), query(&document));
    assert_eq!(seen.form().iter().filter(|(name, _)| name == "resource").count(), 2);
    let after = output.json();
    let short = format!("{}?", server.url("/authorize"));
    assert!(after["authorization_url"].as_str().unwrap().starts_with(&short), "{after}");
    let expected = [("client_id".to_owned(), "cli".to_owned()), ("request_uri".to_owned(), URN.to_owned())];
    assert_eq!(query(&after), expected);
    // All else is as it was; the reference's lifetime is not the token's.
    let rest = |mut document: Value| document.as_object_mut().unwrap().remove("authorization_url").map(|_| document);
    assert_eq!(rest(after), rest(document));
}

#[test]
fn leaves_the_query_that_the_endpoint_has_of_its_own() {
    for (endpoint, short) in [("/authorize?p=1", "/authorize?p=1&client_id"), ("/authorize?", "/authorize?client_id")] {
        let server = Server::start(|_| pushed());
        let document = document(&server, endpoint, &[]);
        let output = run("pkce-push", &[], &document.to_string());
        let url = output.json()["authorization_url"].as_str().unwrap().to_owned();
        assert!(url.starts_with(&server.url(short)) && url.contains("request_uri=urn"), "{url}");
        let sent = server.requests()[0].form();
        assert!(sent.iter().all(|(name, _)| name != "p") && sent[0] == ("response_type".into(), "code".into()));
    }
}

#[test]
fn shows_who_the_client_is_in_one_way_alone() {
    let directory = new_directory();
    let file = directory.path().join("secret");
    std::fs::write(&file, "s:3%\n").unwrap();
    let file = file.to_str().unwrap();
    let basic = format!("Basic {}", STANDARD.encode("cli:s%3A3%25"));
    for (args, authorization, secret) in [
        (vec!["--client-secret-file", file], Some(basic.as_str()), None),
        (vec!["--client-secret-file", file, "--auth-method", "client_secret_post"], None, Some("s:3%")),
        (vec!["--client-secret-file", file, "--auth-method", "none"], None, None),
    ] {
        let server = Server::start(|_| pushed());
        let output = run("pkce-push", &args, &document(&server, "/authorize", &[]).to_string());
        assert_eq!(output.status, 0, "{output:?}");
        let (seen, form) = (&server.requests()[0], server.requests()[0].form());
        let values = |name: &str| -> Vec<&str> {
            form.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect()
        };
        assert_eq!(seen.header("Authorization"), authorization);
        assert_eq!((values("client_id"), values("client_secret")), (vec!["cli"], Vec::from_iter(secret)));
        assert!(!output.stdout.contains("s:3%"));
    }
}

#[test]
fn sends_no_secret_to_a_server_that_lists_no_way_to_send_it() {
    let server = Server::start(|_| pushed());
    let unlisted = json!({ "client_secret": "s3cret", "token_endpoint_auth_methods_supported": ["private_key_jwt"] });
    let document = common::changed(document(&server, "/authorize", &[]), &unlisted);
    let wrong = "token_endpoint_auth_methods_supported: lists only private_key_jwt, \
                 so the client secret is not sent\n\
                 hint: choose how to send it with --auth-method, or send no secret with --auth-method none";
    assert_eq!(run("pkce-push", &[], &document.to_string()), failure("pkce-push", 2, wrong));
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn says_why_a_request_was_not_taken() {
    let endpoint = "pushed authorization request endpoint";
    let json = "application/json";
    let public = "hint: if the client has no secret, register it with token_endpoint_auth_method none; \
                  otherwise use --client-secret-file or PKCE_CLIENT_SECRET_FILE";
    let scope =
        "hint: the requested scope was openid a:b; request another with pkce-url --scope, or allow it for the client";
    for (octets, status, wrong) in [
        (response(400, json, "{\"error\":\"invalid_request\"}"), 1, "invalid_request".to_owned()),
        (response(400, json, "{\"error\":\"invalid_scope\"}"), 1, format!("invalid_scope\n{scope}")),
        (response(401, json, "{\"error\":\"invalid_client\"}"), 1, format!("invalid_client\n{public}")),
        (response(401, "", ""), 1, "the server responded with 401".into()),
        (response(405, "", ""), 1, "the server responded with 405 without an OAuth error".into()),
        (response(413, "", ""), 1, "the server responded with 413 without an OAuth error".into()),
        (response(429, "", ""), 3, "the server responded with 429".into()),
        (response(500, "", ""), 3, "the server responded with 500".into()),
        (response(503, "", ""), 3, "the server responded with 503".into()),
        (response(302, "", ""), 4, "redirect (302) not followed".into()),
        (response(201, "text/html", "<html>"), 4, "HTML, not JSON (proxy or captive portal?)".into()),
        (response(201, json, "{\"expires_in\":60}"), 4, "request_uri: missing".into()),
        (json_response(&json!({ "request_uri": 5 })), 4, "request_uri: must be a string".into()),
        (
            json_response(&json!({ "request_uri": "urn:x\n" })),
            4,
            "request_uri: must be one or more visible ASCII characters".into(),
        ),
    ] {
        let (output, seen) = with_response(octets);
        assert_eq!(output, failure("pkce-push", status, &format!("{endpoint}: {wrong}")));
        assert_eq!(seen.len(), 1, "{wrong}");
    }
    let (output, _) = with_response(json_response(&json!({ "request_uri": URN })));
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "200 is a success too");
}

#[test]
fn pushes_nothing_that_cannot_be_pushed() {
    let server = Server::start(|_| pushed());
    let document = document(&server, "/authorize", &[]);
    let changed = |changes: Value| {
        let mut document = document.clone();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => document.as_object_mut().unwrap().remove(name),
                value => document.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        document.to_string()
    };
    let url = document["authorization_url"].as_str().unwrap();
    let plain = "plain http is only allowed to this machine; use https\n\
                 hint: for a test network, list its hosts in PKCE_HTTP_HOSTS, such as keycloak:8080";
    for (changes, status, wrong) in [
        (json!({ "authorization_url": null }), 2, "authorization_url: missing\nhint: pkce-url adds it".to_owned()),
        (
            json!({ "pushed_authorization_request_endpoint": null }),
            2,
            "pushed_authorization_request_endpoint: missing\nhint: pkce-discover adds it if the server names one"
                .into(),
        ),
        (
            json!({ "pushed_authorization_request_endpoint": "http://id.example/par" }),
            4,
            format!("pushed_authorization_request_endpoint: {plain}"),
        ),
        (
            json!({ "authorization_endpoint": "https://id.example/authorize" }),
            2,
            elsewhere(&server.url("/authorize"), "https://id.example/authorize"),
        ),
        (
            json!({ "authorization_url": url.replace("/authorize?", "/authorized?") }),
            2,
            "authorization_url: not a request to the document's authorization_endpoint".into(),
        ),
        (
            json!({
                "authorization_endpoint": format!("{}?a=b", server.url("/authorize")),
                "authorization_url": url.replace("/authorize?", "/authorize?a=bc=d&"),
            }),
            2,
            "authorization_url: not a request to the document's authorization_endpoint".into(),
        ),
        (json!({ "client_id": "other" }), 2, "authorization_url: its client_id is not the document's".into()),
        (
            json!({ "authorization_url": url.replace("&code_challenge=", "&x=") }),
            2,
            "authorization_url: has no code_challenge".into(),
        ),
        (
            json!({ "authorization_url": url.replace("%3A8080%2Fcallback", "%3A0%2Fcallback%3Fstate%3D1") }),
            2,
            "redirect_uri: its query must not contain a parameter of the response (code, state, iss, error)".into(),
        ),
        (
            json!({ "authorization_url": url.replace("%3A8080", "%3A0") }),
            2,
            "authorization_url: its redirect_uri is not the document's".into(),
        ),
        (
            json!({ "authorization_url": format!("{}?client_id=cli&request_uri=x", server.url("/authorize")) }),
            2,
            "authorization_url: already pushed".into(),
        ),
    ] {
        assert_eq!(run("pkce-push", &[], &changed(changes)), failure("pkce-push", status, &wrong));
    }
    assert!(server.requests().is_empty());
    let nobody = changed(json!({ "pushed_authorization_request_endpoint": "http://127.0.0.1:1/par" }));
    let elsewhere = changed(json!({ "authorization_endpoint": "https://op.example/authorize" }));
    let told = finish(command("pkce-push").env("PKCE_ERRORS", "json"), elsewhere.as_bytes());
    let told: Value = serde_json::from_str(&told.stderr).unwrap();
    let both = (json!("https://op.example/authorize"), json!(server.url("/authorize")));
    assert_eq!((told["expected"].clone(), told["received"].clone()), both);
    let message = "pushed authorization request endpoint: 127.0.0.1:1: connection refused";
    assert_eq!(run("pkce-push", &[], &nobody), failure("pkce-push", 3, message));
}

/// pkce-callback takes the redirect of the document at this port.
fn is_called_back(document: &str, host: &str, port: u16) {
    let state = serde_json::from_str::<Value>(document).unwrap()["state"].as_str().unwrap().to_owned();
    let mut child = start(command("pkce-callback").args(["--no-browser", "--timeout", "20"]));
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), document.as_bytes()).unwrap();
    // It listens before it says so.
    child.stderr.as_mut().unwrap().read_exact(&mut [0; 20]).unwrap();
    let redirect = format!("/callback?code=c0de&state={state}");
    talk(port, format!("GET {redirect} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n").as_bytes());
    let output = common::done(child);
    assert_eq!((output.status, output.json()["code"].as_str()), (0, Some("c0de")), "{output:?}");
}

#[test]
fn puts_a_free_port_where_port_0_stands() {
    for host in ["127.0.0.1", "localhost"] {
        let server = Server::start(|_| pushed());
        let redirect_uri = format!("http://{host}:0/callback");
        let document = document(&server, "/authorize", &["--redirect-uri", &redirect_uri]);
        let output = run("pkce-push", &[], &document.to_string());
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
        let after = output.json();
        let bound = after["redirect_uri"].as_str().unwrap();
        let port = bound.strip_prefix(&format!("http://{host}:")).unwrap().strip_suffix("/callback").unwrap();
        let port: u16 = port.parse().unwrap();
        assert!(port > 0);
        let sent: Vec<_> = server.requests()[0].form().into_iter().filter(|(name, _)| name == "redirect_uri").collect();
        assert_eq!(sent, [("redirect_uri".to_owned(), bound.to_owned())]);
        // A URL in which it could not be replaced is not pushed.
        let mut encoded = document.clone();
        encoded["authorization_url"] =
            json!(document["authorization_url"].as_str().unwrap().replace("redirect_uri=", "redirect%5Furi="));
        let wrong = "authorization_url: does not contain the document's redirect_uri with port 0";
        assert_eq!(run("pkce-push", &[], &encoded.to_string()), failure("pkce-push", 2, wrong));
        assert_eq!(server.requests().len(), 1);
        // pkce-callback listens there.
        is_called_back(&output.stdout, host, port);
    }
}

#[test]
fn lets_pkce_callback_open_what_must_be_pushed() {
    let server = Server::start(|_| pushed());
    let port = free_port();
    let redirect_uri = format!("http://127.0.0.1:{port}/callback");
    let mut document = document(&server, "/authorize", &[]);
    let url = document["authorization_url"].as_str().unwrap().replace("%3A8080", &format!("%3A{port}"));
    document["authorization_url"] = json!(url);
    document["redirect_uri"] = json!(redirect_uri);
    document["require_pushed_authorization_requests"] = json!(true);
    let message = "authorization_url: the server accepts pushed requests only\n\
                   hint: put pkce-push between pkce-url and pkce-callback";
    let output = run("pkce-callback", &["--no-browser"], &document.to_string());
    assert_eq!(output, failure("pkce-callback", 2, message));
    let after = run("pkce-push", &[], &document.to_string());
    is_called_back(&after.stdout, "127.0.0.1", port);
}

#[test]
fn traces_its_request_without_what_is_in_it() {
    let server = Server::start(|_| pushed());
    let document = document(&server, "/authorize", &[]);
    let mut tool = command("pkce-push");
    let output = finish(tool.env("PKCE_TRACE", "1"), document.to_string().as_bytes());
    let trace = format!("pkce-push: trace: POST {}: 201, ", server.url("/par"));
    assert!(output.stderr.starts_with(&trace) && output.stderr.lines().count() == 1, "{output:?}");
    assert!(!output.stderr.contains(document["state"].as_str().unwrap()));
}

#[test]
fn repeats_no_state_or_nonce_that_the_server_repeats() {
    let server = Server::start(|request| {
        let said: Vec<String> = pairs(&request.body)
            .into_iter()
            .filter(|(name, _)| name == "state" || name == "nonce")
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let body = json!({ "error": "invalid_request", "error_description": said.join("&") });
        response(400, "application/json", &body.to_string())
    });
    let output = run("pkce-push", &[], &document(&server, "/authorize", &[]).to_string());
    let message = "pushed authorization request endpoint: invalid_request: state=[...]&nonce=[...]";
    assert_eq!(output, failure("pkce-push", 1, message));
}
