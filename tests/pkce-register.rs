//! pkce-register: what the request says of the client, and what is taken from the response.
#![cfg(test)]

mod common;

use common::{Output, Request, Server, command, failure, finish, json_response, lacks, new_directory, response, run};
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

/// The two redirect URIs that a request without one of its own registers: the second has a port that is random.
fn registered(seen: &Request) -> Vec<String> {
    let uris: Vec<String> = serde_json::from_value(body(seen)["redirect_uris"].clone()).unwrap();
    let [any_port, with_port] = uris.as_slice() else { panic!("{uris:?}") };
    assert_eq!(any_port, "http://127.0.0.1/callback");
    let port = with_port.strip_prefix("http://127.0.0.1:").and_then(|rest| rest.strip_suffix("/callback")).unwrap();
    assert!((20000..=32767).contains(&port.parse().unwrap()), "{uris:?}");
    uris
}

#[test]
fn registers_a_public_native_client() {
    let (output, seen, document) = with_response(created(&json!({ "client_id": "c-1" })), &[]);
    let uris = registered(&seen[0]);
    let expected = json!({ "client_id": "c-1", "redirect_uris": uris, "token_endpoint_auth_method": "none" });
    assert_eq!((output.status, output.stderr.as_str(), output.json()), (0, "", with(document, &expected)));
    assert_eq!((seen.len(), seen[0].method.as_str(), seen[0].target.as_str()), (1, "POST", "/register"));
    assert_eq!((seen[0].header("Content-Type"), seen[0].header("Authorization")), (Some("application/json"), None));
    let asked = json!({
        "redirect_uris": uris, "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"], "token_endpoint_auth_method": "none", "application_type": "native",
    });
    assert_eq!(body(&seen[0]), asked);
    let args = ["--client-name", "deploy \"ü\"", "--redirect-uri", "http://localhost:0/cb", "--scope", "openid read"];
    let (output, seen, document) = with_response(json_response(&json!({ "client_id": "c-2" })), &args);
    let expected = json!({
        "client_id": "c-2", "redirect_uri": "http://localhost:0/cb", "redirect_uris": ["http://localhost/cb"],
        "scope": "openid read", "token_endpoint_auth_method": "none",
    });
    assert_eq!((output.status, output.json()), (0, with(document, &expected)), "200 is a success too");
    let named = json!({
        "client_name": "deploy \"ü\"", "redirect_uris": ["http://localhost/cb"], "scope": "openid read",
    });
    assert_eq!(body(&seen[0]), with(asked, &named));
}

#[test]
fn registers_for_the_device_grant_too() {
    const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
    let grant_types = ["authorization_code", "refresh_token", DEVICE_CODE];
    for (registered, note) in [
        (&grant_types[..], String::new()),
        (&grant_types[..2], format!("pkce-register: note: the server did not register grant_types {DEVICE_CODE}\n")),
    ] {
        let response = created(&json!({ "client_id": "c", "grant_types": registered }));
        let (output, seen, _) = with_response(response, &["--device"]);
        assert_eq!((output.status, output.stderr), (0, note));
        assert_eq!(body(&seen[0])["grant_types"], json!(grant_types));
    }
}

#[test]
fn registers_another_port_each_time() {
    let ports: std::collections::HashSet<String> = (0..5)
        .map(|_| registered(&with_response(created(&json!({ "client_id": "c" })), &[]).1[0]).pop().unwrap())
        .collect();
    assert!(ports.len() > 1, "{ports:?}");
}

#[test]
fn stores_the_redirect_uris_that_the_server_has_registered() {
    let other = "pkce-register: note: the server registered none of the requested redirect URIs\n";
    for (uris, note) in [
        (json!(["http://127.0.0.1/callback"]), ""),
        (json!(["http://127.0.0.1:5/x", "http://127.0.0.1/callback"]), ""),
        (json!("http://127.0.0.1/callback"), ""),
        (json!(["http://127.0.0.1/other"]), other),
        (json!([]), other),
    ] {
        let (output, ..) = with_response(created(&json!({ "client_id": "c", "redirect_uris": uris })), &[]);
        let stored = if uris.is_array() { uris } else { json!([uris]) };
        assert_eq!((output.status, &output.json()["redirect_uris"], output.stderr.as_str()), (0, &stored, note));
    }
}

#[test]
fn loses_no_client_to_what_says_nothing_in_the_response() {
    for said in [
        json!({ "client_secret": null, "token_endpoint_auth_method": null, "redirect_uris": null }),
        json!({ "client_secret": null, "token_endpoint_auth_method": "none", "grant_types": null }),
        json!({ "grant_types": 5, "response_types": {} }),
    ] {
        let (output, ..) = with_response(created(&with(json!({ "client_id": "c" }), &said)), &[]);
        let registered = output.json();
        assert_eq!((output.status, &registered["client_id"], output.stderr.as_str()), (0, &json!("c"), ""), "{said}");
        assert!(registered.get("client_secret").is_none() && registered["redirect_uris"].is_array(), "{output:?}");
    }
}

#[test]
fn repeats_no_secret_of_the_client_s_metadata() {
    let directory = new_directory();
    let file = directory.path().join("metadata.json");
    std::fs::write(&file, r#"{"software_statement":"eyJ.s3cr3t.x","client_secret":"0wn s3cr3t"}"#).unwrap();
    let said = json!({ "error": "invalid_software_statement", "error_description": "bad eyJ.s3cr3t.x and 0wn+s3cr3t" });
    let server = Server::start(move |_| response(400, "application/json", &said.to_string()));
    let output = run("pkce-register", &["--metadata", file.to_str().unwrap()], &document(&server).to_string());
    let message = "registration endpoint: invalid_software_statement: bad [...] and [...]";
    assert_eq!(output, failure("pkce-register", 1, message));
}

#[test]
fn requests_a_way_to_authenticate_that_the_server_lists() {
    for (listed, args, method) in [
        (json!(null), &[][..], "none"),
        (json!(["none", "client_secret_basic"]), &[], "none"),
        (json!(["client_secret_post", "none"]), &[], "none"),
        (json!(["client_secret_basic"]), &[], "client_secret_basic"),
        (json!(["client_secret_post", "client_secret_basic"]), &[], "client_secret_post"),
        (json!(["client_secret_basic", "client_secret_post"]), &[], "client_secret_basic"),
        (json!(["private_key_jwt", "client_secret_post"]), &[], "client_secret_post"),
        (json!(["private_key_jwt"]), &[], "none"),
        (json!([]), &[], "none"),
        (json!(["client_secret_basic"]), &["--auth-method", "none"], "none"),
        (json!(["none"]), &["--auth-method", "client_secret_post"], "client_secret_post"),
    ] {
        let issued = json!({ "client_id": "c", "client_secret": "s", "token_endpoint_auth_method": method });
        let server = Server::start(move |_| created(&issued));
        let mut document = with(document(&server), &json!({ "token_endpoint_auth_methods_supported": listed }));
        document.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let output = run("pkce-register", args, &document.to_string());
        assert_eq!((output.status, &body(&server.requests()[0])["token_endpoint_auth_method"]), (0, &json!(method)));
        let secret = if method == "none" { Value::Null } else { json!("s") };
        assert_eq!(output.json()["client_secret"], secret, "{listed}");
    }
}

#[test]
fn adds_the_metadata_of_a_file_and_lets_it_replace_nothing() {
    let directory = new_directory();
    let file = directory.path().join("metadata.json");
    let register = |metadata: &str, args: &[&str]| {
        std::fs::write(&file, metadata).unwrap();
        with_response(created(&json!({ "client_id": "c" })), &[&["--metadata", file.to_str().unwrap()], args].concat())
    };
    let more = json!({
        "contacts": ["a@id.example"], "logo_uri": "https://a.b/c.png", "software_statement": "e30.e30.", "client_name": "x",
        "redirect_uris": ["https://evil.example"], "grant_types": ["password"], "response_types": ["token"],
        "token_endpoint_auth_method": "client_secret_jwt", "application_type": "web", "scope": "a",
    });
    let (output, seen, _) = register(&more.to_string(), &[]);
    let sent = body(&seen[0]);
    let expected = json!({
        "redirect_uris": registered(&seen[0]), "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"], "token_endpoint_auth_method": "none", "application_type": "native",
    });
    assert_eq!((output.status, &sent), (0, &with(more.clone(), &expected)));
    let (_, seen, _) = register(&more.to_string(), &["--client-name", "y", "--scope", "b"]);
    assert_eq!((&body(&seen[0])["client_name"], &body(&seen[0])["scope"]), (&json!("y"), &json!("b")));
    for (metadata, wrong) in [
        ("", "not a JSON object: unexpected end".to_owned()),
        ("[]", "not a JSON object".to_owned()),
        ("{\"a\":1,\"a\":2}", "a: duplicate".to_owned()),
        (&format!("{{\"a\":\"{}\"}}", "a".repeat(64 * 1024)), "larger than 64 KiB".to_owned()),
    ] {
        let (output, seen, _) = register(metadata, &[]);
        assert_eq!((output, seen.len()), (failure("pkce-register", 2, &format!("--metadata: {wrong}")), 0));
    }
}

#[test]
fn notes_what_was_not_registered() {
    for (registered, note) in [
        (json!({ "grant_types": ["authorization_code", "refresh_token", "x"], "response_types": ["code"] }), ""),
        (json!({ "grant_types": ["authorization_code"] }), "grant_types refresh_token"),
        (json!({ "grant_types": [] }), "grant_types authorization_code, refresh_token"),
        (json!({ "response_types": ["token"] }), "response_types code"),
    ] {
        let (output, ..) = with_response(created(&with(registered, &json!({ "client_id": "c" }))), &[]);
        let note = if note.is_empty() {
            String::new()
        } else {
            format!("pkce-register: note: the server did not register {note}\n")
        };
        assert_eq!((output.status, output.stderr), (0, note));
    }
}

#[test]
fn names_the_option_for_an_initial_access_token_where_the_server_may_require_one() {
    let hint = "hint: the server may require an initial access token: use --access-token-file";
    let error = |code: &str| json!({ "error": code }).to_string();
    for (octets, wrong) in [
        (response(401, "", ""), "the server responded with 401"),
        (response(403, "text/html", "<html>"), "the server responded with 403 without an OAuth error"),
        (response(403, "application/json", &error("insufficient_scope")), "insufficient_scope"),
        (response(400, "application/json", &error("insufficient_scope")), "insufficient_scope"),
        (response(400, "application/json", &error("invalid_token")), "invalid_token"),
    ] {
        let (output, ..) = with_response(octets, &[]);
        assert_eq!(output, failure("pkce-register", 1, &format!("registration endpoint: {wrong}\n{hint}")));
    }
}

#[test]
fn says_that_leaving_out_the_scope_may_help_where_the_server_refuses_it() {
    let directory = new_directory();
    let token = directory.path().join("token");
    std::fs::write(&token, "initial\n").unwrap();
    let token = format!("--access-token-file={}", token.display());
    let get_token = "the server may require an initial access token: use --access-token-file";
    let leave_out = "leave out the scope: pkce-register without --scope";
    let (host, scope) = ("Host not trusted.", "Not permitted to use specified clientScope");
    for (description, args, hint) in [
        (scope, &["--scope=a"][..], format!("\nhint: {get_token}; or {leave_out}")),
        (scope, &["--scope=a", &token], format!("\nhint: {leave_out}")),
        (scope, &[], format!("\nhint: {get_token}")),
        (host, &["--scope=a"], format!("\nhint: {get_token}")),
        (host, &["--scope=a", &token], String::new()),
    ] {
        let body = json!({ "error": "insufficient_scope", "error_description": description }).to_string();
        let (output, ..) = with_response(response(403, "application/json", &body), args);
        let message = format!("registration endpoint: insufficient_scope: {description}{hint}");
        assert_eq!(output, failure("pkce-register", 1, &message), "{args:?}");
    }
}

#[test]
fn says_what_may_work_where_the_server_names_no_registration_endpoint() {
    let missing = "registration_endpoint: missing\nhint: ";
    let documents =
        "no registration is needed: publish a client ID metadata document, and pass its URL to pkce-url --client-id";
    for (document, hint) in [
        (json!({}), "pkce-discover adds it if the server names one"),
        (json!({ "client_id_metadata_document_supported": true, "issuer": "https://id.example" }), documents),
        (
            json!({ "client_id_metadata_document_supported": false, "issuer": "https://id.example/t" }),
            "if you have a client ID: pkce-url --client-id ID, without pkce-register; some servers name the endpoint in \
             other metadata only: pkce-discover https://id.example/t --metadata-url \
             https://id.example/.well-known/oauth-authorization-server/t",
        ),
        (
            json!({ "issuer": "https://id.example", "resource": "https://api.example/a?b&c" }),
            "register a client at the server yourself, and pass its ID to pkce-url --client-id",
        ),
        (
            json!({ "issuer": "https://id.example/$(id)" }),
            "if you have a client ID: pkce-url --client-id ID, without pkce-register; some servers name the endpoint in \
             other metadata only: pkce-discover 'https://id.example/$(id)' --metadata-url \
             'https://id.example/.well-known/oauth-authorization-server/$(id)'",
        ),
    ] {
        let output = run("pkce-register", &[], &document.to_string());
        assert_eq!(output, failure("pkce-register", 2, &format!("{missing}{hint}")));
    }
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
    let expected = json!({
        "client_id": "c-1", "redirect_uris": ["http://127.0.0.1:8080/own"], "token_endpoint_auth_method": "none",
    });
    assert_eq!(run("pkce-register", &[], &own.to_string()).json(), with(own.clone(), &expected));
    let args = ["--redirect-uri", "com.example.app:/cb", "--scope", "b"];
    let output = run("pkce-register", &args, &own.to_string());
    let expected = json!({
        "client_id": "c-1", "redirect_uri": "com.example.app:/cb", "redirect_uris": ["com.example.app:/cb"], "scope": "b",
        "token_endpoint_auth_method": "none",
    });
    assert_eq!(output.json(), with(own, &expected));
    let asked: Vec<Value> = server.requests().iter().map(body).collect();
    assert_eq!((&asked[0]["redirect_uris"], &asked[0]["scope"]), (&json!(["http://127.0.0.1:8080/own"]), &json!("a")));
    assert_eq!((&asked[1]["redirect_uris"], &asked[1]["scope"]), (&json!(["com.example.app:/cb"]), &json!("b")));
}

#[test]
fn registers_the_scope_of_an_option_else_of_the_document_else_of_the_environment() {
    let server = Server::start(|_| created(&json!({ "client_id": "c-1" })));
    let own = with(document(&server), &json!({ "scope": "document" }));
    for (args, document, scope) in [
        (&["--scope", "option"][..], &own, "option"),
        (&[], &own, "document"),
        (&[], &document(&server), "environment"),
    ] {
        let mut tool = command("pkce-register");
        let output = finish(tool.args(args).env("PKCE_SCOPE", "environment"), document.to_string().as_bytes());
        assert_eq!((output.status, output.json()["scope"].as_str(), output.stderr.as_str()), (0, Some(scope), ""));
        assert_eq!(body(server.requests().last().unwrap())["scope"], scope);
    }
    let mut tool = command("pkce-register");
    let output = finish(tool.env("PKCE_SCOPE", "a  b"), document(&server).to_string().as_bytes());
    let wrong = "scope: must be names separated by single spaces, without \" and \\";
    assert_eq!(output, failure("pkce-register", 2, wrong));
}

#[test]
fn adds_a_secret_only_where_the_server_requires_it() {
    let insists = |more: Value| with(json!({ "client_id": "c-1", "client_secret": "s3cr3t" }), &more);
    for (response, added) in [
        (insists(json!({ "token_endpoint_auth_method": "none" })), json!({ "token_endpoint_auth_method": "none" })),
        (insists(json!({})), json!({ "client_secret": "s3cr3t" })),
        (insists(json!({ "token_endpoint_auth_method": "" })), json!({ "client_secret": "s3cr3t" })),
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
        let expected = json!({ "client_id": "c-1", "redirect_uris": registered(&server.requests()[0]) });
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
    let expected = json!({
        "client_id": "c-1", "redirect_uris": ["http://127.0.0.1/callback"], "token_endpoint_auth_method": "none",
    });
    assert_eq!((output.status, output.stderr.as_str(), output.json()), (0, "", with(document, &expected)));
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
        (response(400, json, &error("access_denied")), 1, "access_denied: no?[31m"),
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
        (
            created(&json!({ "client_id": "c", "redirect_uris": 5 })),
            4,
            "redirect_uris: must be a string or an array of strings",
        ),
        (created(&json!({ "client_id": "c", "redirect_uris": [5] })), 4, "redirect_uris: must be an array of strings"),
        (
            created(&json!({ "client_id": "c", "redirect_uris": ["https://id.example/cb", "com.example:/cb"] })),
            4,
            "redirect_uris: none of the requested ones, and none on this machine",
        ),
        (
            created(&json!({ "client_id": "c", "client_secret": "a\nb" })),
            4,
            "client_secret: must contain one line of text",
        ),
        (
            created(&json!({ "client_id": "c", "token_endpoint_auth_method": 5 })),
            4,
            "token_endpoint_auth_method: must be a string",
        ),
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
            "registration endpoint: 127.0.0.1:1: connection refused",
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
    let hint = "\nhint: see 'pkce-register --help'";
    for (args, wrong) in [
        (["--client-name", "a\nb"], format!("--client-name: must be one line of text{hint}")),
        (
            ["--auth-method", "private_key_jwt"],
            format!("--auth-method: must be one of none, client_secret_basic, client_secret_post{hint}"),
        ),
        (["--metadata", "/no/such/file"], "--metadata: no such file or directory".to_owned()),
        (["--metadata", "/"], "--metadata: is a directory".to_owned()),
        (["--scope", "a  b"], "scope: must be names separated by single spaces, without \" and \\".to_owned()),
    ] {
        assert_eq!(run("pkce-register", &args, "{}"), failure("pkce-register", 2, &wrong));
    }
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

#[test]
fn adds_redirect_uris_that_a_login_uses_and_that_exchange_and_store_preserve() {
    let home = new_directory();
    let script = "unset PKCE_CLIENT_ID
        pkce-discover | pkce-register --scope openid > client.json
        pkce-gen client.json | pkce-url | pkce-callback | pkce-exchange | pkce-store work
        for file in client.json store/work.json; do jq -c .redirect_uris \"$file\"; done
        pkce-load work | pkce-gen - | pkce-url -r redirect_uri
        pkce-load work | pkce-register -r redirect_uris";
    if lacks(&["jq"]) {
        return;
    }
    let mut idp = command("pkce-idp");
    idp.args(["--auto-approve", "--", "sh", "-c", script]).current_dir(home.path());
    let output = finish(idp.env("PKCE_HOME", home.path().join("store")), b"");
    let lines: Vec<&str> = output.stdout.lines().collect();
    let [registered, stored, used, again] = lines.as_slice() else { panic!("{output:?}") };
    let uris: Vec<String> = serde_json::from_str(registered).unwrap();
    assert_eq!((output.status, stored, used), (0, registered, &uris[1].as_str()));
    assert!(uris[0] == "http://127.0.0.1/callback" && again != registered, "{output:?}");
}

#[test]
fn lets_pkce_device_in_where_it_registered_for_it() {
    let idp = |device: &str| {
        let script = format!(
            "unset PKCE_CLIENT_ID
            pkce-discover | pkce-register {device} | pkce-gen - | pkce-device --no-qr --scope openid -r token_type"
        );
        finish(command("pkce-idp").args(["--auto-approve", "--", "sh", "-c", &script]), b"")
    };
    let output = idp("--device");
    assert_eq!((output.status, output.stdout.as_str()), (0, "Bearer\n"), "{output:?}");
    let message =
        "device authorization endpoint: unauthorized_client: the client is not registered for the device grant";
    let hint =
        "register another client for the device grant: pkce-register --device, or pkce-login --device --register";
    let stderr = format!("pkce-device: {message}\nhint: {hint}\n");
    assert_eq!(idp(""), Output { status: 1, stdout: String::new(), stderr });
}
