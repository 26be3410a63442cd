//! pkce-exchange: the one request, and every answer that a server may give to it.
#![cfg(test)]

mod common;
#[path = "common/tls.rs"]
mod tls;

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use common::{
    Output, Seen, Server, answer, changed, command, done, failure, finish, free_port, json_answer, new_directory, run,
    start,
};
use serde_json::{Value, json};
use tls::Everywhere;

const HELP: &str = "hint: 'pkce-exchange --help' lists what it takes";

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

fn document(server: &Server) -> Value {
    json!({
        "token_endpoint": server.url("/token"),
        "client_id": "cli",
        "code": "c0de-c0de",
        "code_verifier": VERIFIER,
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
        "redirect_uri": "http://127.0.0.1:4711/callback",
        "state": "s",
        "nonce": "n",
        "authorization_url": "https://a/b",
        "own": 1.10,
    })
}

fn with(server: &Server, changes: Value) -> Value {
    changed(document(server), &changes)
}

fn tokens() -> Value {
    json!({ "access_token": "AT", "token_type": "Bearer" })
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Exchanges at a server that answers with these octets.
fn answered(octets: Vec<u8>) -> (Output, Vec<Seen>) {
    let server = Server::start(move |_| octets.clone());
    let output = run("pkce-exchange", &[], &document(&server).to_string());
    (output, server.seen())
}

#[test]
fn sends_the_code_with_its_verifier_in_one_form() {
    let server = Server::start(|_| json_answer(&tokens()));
    let document = with(&server, json!({ "resource": ["https://api.example/", "urn:two"], "code": "4/0A+z= &%" }));
    let output = run("pkce-exchange", &[], &document.to_string());
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    let seen = &seen[0];
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/token"));
    assert_eq!(seen.header("Content-Type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(seen.header("Accept"), Some("application/json"));
    assert_eq!(seen.header("User-Agent"), Some(concat!("pkce-tools/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(seen.header("Content-Length"), Some(seen.body.len().to_string().as_str()));
    let mut names: Vec<String> = seen.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort();
    assert_eq!(names, ["accept", "content-length", "content-type", "host", "user-agent"]);
    let expected = [
        pair("grant_type", "authorization_code"),
        pair("code", "4/0A+z= &%"),
        pair("redirect_uri", "http://127.0.0.1:4711/callback"),
        pair("code_verifier", VERIFIER),
        pair("resource", "https://api.example/"),
        pair("resource", "urn:two"),
        pair("client_id", "cli"),
    ];
    assert_eq!(seen.form(), expected);
}

#[test]
fn takes_away_what_is_spent_and_keeps_the_rest() {
    let server = Server::start(|_| {
        json_answer(&json!({
            "access_token": "AT", "token_type": "bearer", "expires_in": 3600, "refresh_token": "RT", "scope": "a",
            "id_token": "x.y.z", "session_state": "kept",
        }))
    });
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let output = run("pkce-exchange", &[], &with(&server, json!({ "scope": "a", "iss": "https://a" })).to_string());
    let after = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let got = output.json();
    let expires_at = got["expires_at"].as_u64().unwrap();
    assert!((before + 3600..=after + 3600).contains(&expires_at));
    let expected = json!({
        "token_endpoint": server.url("/token"), "client_id": "cli", "nonce": "n", "own": 1.10, "scope": "a",
        "access_token": "AT", "token_type": "bearer", "expires_in": 3600, "expires_at": expires_at,
        "refresh_token": "RT", "id_token": "x.y.z", "session_state": "kept", "token_answer_members": ["session_state"],
    });
    assert_eq!((output.status, got, output.stderr.as_str()), (0, expected, ""));
    assert!(output.stdout.contains("\"own\":1.1"), "{}", output.stdout);
}

#[test]
fn lets_no_answer_steer_a_later_step() {
    let evil = json!({
        "access_token": "AT", "token_type": "Bearer", "token_endpoint": "https://evil", "issuer": "https://evil",
        "jwks_uri": "https://evil", "client_id": "evil", "client_secret": "evil", "nonce": "evil", "state": "evil",
        "code": "evil", "redirect_uri": "evil", "resource": "evil", "id_token_claims": {}, "expires_at": 1,
        "authorization_url": "evil", "own": "evil", "other": "added", "revocation_endpoint": "https://evil",
        "max_age": 1, "iss": "evil", "token_answer_members": ["own"], "code_verifier": "evil",
        "authorization_endpoint": "https://evil", "registration_endpoint": "https://evil",
        "pushed_authorization_request_endpoint": "https://evil", "userinfo_endpoint": "https://evil",
        "end_session_endpoint": "https://evil", "code_challenge_methods_supported": ["plain"],
        "id_token_signing_alg_values_supported": ["none"], "token_endpoint_auth_methods_supported": ["none"],
        "authorization_response_iss_parameter_supported": false, "require_pushed_authorization_requests": true,
        "code_challenge": "evil", "code_challenge_method": "plain", "token_endpoint_auth_method": "none",
        "acr_values": "evil",
    });
    let server = Server::start(move |_| json_answer(&evil));
    let output = run("pkce-exchange", &[], &document(&server).to_string());
    let expected = json!({
        "token_endpoint": server.url("/token"), "client_id": "cli", "nonce": "n", "own": 1.10, "other": "added",
        "access_token": "AT", "token_type": "Bearer", "token_answer_members": ["other"],
    });
    assert_eq!((output.status, output.json()), (0, expected.clone()));
    let mut own = json!({
        "issuer": server.url(""), "jwks_uri": server.url("/jwks"), "revocation_endpoint": server.url("/revoke"),
        "id_token_claims": { "sub": "alice" }, "max_age": 60, "acr_values": "a", "resource": "urn:a", "other": 1,
        "id_token_signing_alg_values_supported": ["ES256"], "token_endpoint_auth_method": "none",
    });
    let output = run("pkce-exchange", &[], &with(&server, own.clone()).to_string());
    own.as_object_mut().unwrap().append(&mut { expected }.as_object_mut().unwrap().clone());
    own["other"] = json!(1);
    own.as_object_mut().unwrap().remove("token_answer_members");
    assert_eq!((output.status, output.json()), (0, own));
}

#[test]
fn replaces_the_tokens_of_an_old_login_as_one_set() {
    let server =
        Server::start(|_| json_answer(&json!({ "access_token": "AT", "token_type": "Bearer", "refresh_token": null })));
    let old = json!({
        "access_token": "old", "token_type": "old", "expires_in": 1, "expires_at": 1, "id_token": "old",
        "refresh_token": "kept", "scope": "kept",
    });
    let got = run("pkce-exchange", &[], &with(&server, old).to_string()).json();
    for (name, value) in [
        ("access_token", json!("AT")),
        ("token_type", json!("Bearer")),
        ("expires_in", Value::Null),
        ("expires_at", Value::Null),
        ("id_token", Value::Null),
        ("refresh_token", json!("kept")),
        ("scope", json!("kept")),
    ] {
        assert_eq!(got[name], value, "{name}");
    }
}

#[test]
fn takes_every_answer_of_the_vectors_as_decided() {
    // What the vectors leave open is decided: 0 seconds is expired already, what is no lifetime is refused, Slack's
    // nested token is none, a missing ID token is for the verifier to see, and no byte order mark is taken.
    let decided = [
        ("exp-false", 4),
        ("exp-zzz", 4),
        ("exp-huge", 4),
        ("exp-zero", 0),
        ("json-bom", 4),
        ("ok-slack-user", 4),
        ("idtoken-missing", 0),
        ("err-400", 5),
        ("err-403-auth0", 5),
        ("err-nested", 5),
        ("err-empty", 5),
    ];
    let vectors = common::vectors("token_responses.json");
    let cases = vectors["cases"].as_array().unwrap();
    assert!(cases.len() > 30);
    for case in cases {
        let id = case["id"].as_str().unwrap();
        let text = |name: &str| case[name].as_str().unwrap_or_default().to_owned();
        let mut octets = answer(case["status"].as_u64().unwrap() as u16, &text("content_type"), &text("body"));
        if case.get("location").is_some() {
            let end = octets.windows(2).position(|pair| pair == b"\r\n").unwrap() + 2;
            octets.splice(end..end, format!("Location: {}\r\n", text("location")).into_bytes());
        }
        let (output, seen) = answered(octets);
        let status = decided.iter().find(|(other, _)| *other == id).map_or_else(
            || match case["result"].as_str().unwrap() {
                "ok" | "ok-lenient" => 0,
                "oauth_error" => 1,
                "reject" => 4,
                other => panic!("{id}: {other} is not decided"),
            },
            |(_, status)| *status,
        );
        assert_eq!((output.status, seen.len()), (status, 1), "{id}: {output:?}");
        if status == 0 {
            assert_eq!(output.json()["access_token"], "AT", "{id}");
        } else {
            assert_eq!(output.stdout, failure("pkce-exchange", status, "").stdout, "{id}");
            let lines = output.stderr.lines().count();
            assert!(lines == 1 || (lines == 2 && output.stderr.contains("\nhint: ")), "{id}: {output:?}");
            assert!(!output.stderr.contains("AT\"") && !output.stderr.contains("EVIL"), "{id}: {output:?}");
        }
    }
}

#[test]
fn says_what_the_server_says_in_printable_words_and_without_our_secrets() {
    let description = format!("bad\r\n\u{1b}[31mcode c0de-c0de and {VERIFIER}\u{9b}");
    let body = json!({ "error": "invalid_grant", "error_description": description, "error_uri": "https://a/e" });
    let (output, _) = answered(answer(400, "application/json", &body.to_string()));
    let message = "token endpoint: invalid_grant: bad  ?[31mcode [...] and [...]?";
    assert_eq!(output, failure("pkce-exchange", 5, message));

    let server = Server::start(move |_| answer(403, "application/json", &body.to_string()));
    let mut tool = command("pkce-exchange");
    let output = finish(tool.env("PKCE_ERRORS", "json"), document(&server).to_string().as_bytes());
    let said: Value = serde_json::from_str(&output.stderr).unwrap();
    let expected = json!({
        "tool": "pkce-exchange", "status": 5, "kind": "login_required", "message": message, "error": "invalid_grant",
        "error_description": "bad  ?[31mcode [...] and [...]?", "error_uri": "https://a/e", "http_status": 403,
    });
    assert_eq!(said, expected);
}

#[test]
fn tells_what_a_public_client_needs_where_it_is_refused() {
    let hint = "\nhint: a client without a secret must be registered with token_endpoint_auth_method none; \
                one with a secret needs --client-secret-file";
    let (output, _) = answered(answer(401, "application/json", "{\"error\":\"invalid_client\"}"));
    assert_eq!(output, failure("pkce-exchange", 1, &format!("token endpoint: invalid_client{hint}")));
    let (output, _) = answered(answer(400, "application/json", "{\"error\":\"invalid_client\"}"));
    assert_eq!(output, failure("pkce-exchange", 1, &format!("token endpoint: invalid_client{hint}")));
    let (output, _) = answered(answer(401, "", ""));
    assert_eq!(output, failure("pkce-exchange", 1, &format!("token endpoint: the server answered 401{hint}")));
    let (output, _) = answered(answer(403, "application/json", "{\"error\":\"unauthorized_client\"}"));
    assert_eq!(output, failure("pkce-exchange", 1, "token endpoint: unauthorized_client"));
}

#[test]
fn takes_an_empty_description_for_none() {
    let body = json!({ "error": "invalid_grant", "error_description": "", "error_uri": "" });
    let server = Server::start(move |_| answer(400, "application/json", &body.to_string()));
    let output = run("pkce-exchange", &[], &document(&server).to_string());
    assert_eq!(output, failure("pkce-exchange", 5, "token endpoint: invalid_grant"));
    let mut tool = command("pkce-exchange");
    let output = finish(tool.env("PKCE_ERRORS", "json"), document(&server).to_string().as_bytes());
    let said: Value = serde_json::from_str(&output.stderr).unwrap();
    assert_eq!((said.get("error_description"), said.get("error_uri")), (None, None), "{said}");
}

#[test]
fn says_what_a_server_wants_that_no_tool_here_can_do() {
    let hint = "\nhint: the server wants DPoP (RFC 9449), which no tool here can do";
    for code in ["use_dpop_nonce", "invalid_dpop_proof"] {
        let (output, _) = answered(answer(400, "application/json", &json!({ "error": code }).to_string()));
        assert_eq!(output, failure("pkce-exchange", 1, &format!("token endpoint: {code}{hint}")));
    }
}

#[test]
fn sends_a_code_once_whatever_happens_to_it() {
    let spent = "; the code may be spent";
    for (octets, status, message) in [
        (Vec::new(), 5, format!("token endpoint: 127.0.0.1: peer disconnected{spent}")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_vec(), 5, String::new()),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}".to_vec(), 4, String::new()),
        (b"no HTTP at all\r\n\r\n".to_vec(), 4, format!("token endpoint: 127.0.0.1: the answer is not HTTP{spent}")),
        (answer(500, "text/html", "<h1>sorry"), 5, format!("token endpoint: the server answered 500{spent}")),
        (answer(502, "", ""), 5, format!("token endpoint: the server answered 502{spent}")),
        (answer(400, "", ""), 5, format!("token endpoint: the server answered 400 without an OAuth error{spent}")),
        (answer(503, "", ""), 3, "token endpoint: the server answered 503".to_owned()),
        (answer(429, "", ""), 3, "token endpoint: the server answered 429".to_owned()),
        (answer(204, "", ""), 4, format!("token endpoint: the server answered 204{spent}")),
        (
            answer(200, "text/html", "<html>"),
            4,
            format!("token endpoint: a page and no JSON (of a proxy, or of a network's own login?){spent}"),
        ),
        (
            answer(200, "application/json", &format!("{{\"a\":\"{}\"}}", "a".repeat(2 * 1024 * 1024))),
            4,
            format!("token endpoint: 127.0.0.1: the answer is larger than 1 MiB{spent}"),
        ),
    ] {
        let (output, seen) = answered(octets);
        assert_eq!((output.status, seen.len()), (status, 1), "{message}: {output:?}");
        if !message.is_empty() {
            assert_eq!(output, failure("pkce-exchange", status, &message));
        }
    }
}

#[test]
fn gives_up_after_its_time() {
    let server = Server::speaking(|_, stream| {
        for octet in b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n".iter().cycle().take(200) {
            if stream.write_all(&[*octet]).is_err() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    });
    let output = run("pkce-exchange", &["--timeout", "1"], &document(&server).to_string());
    let message = "token endpoint: 127.0.0.1: no answer within 1 s; the code may be spent";
    assert_eq!((output, server.seen().len()), (failure("pkce-exchange", 5, message), 1));
}

#[test]
fn spends_nothing_where_nobody_answers_or_nobody_reads() {
    let free = free_port();
    let server = Server::start(|_| json_answer(&tokens()));
    let refused = with(&server, json!({ "token_endpoint": format!("http://127.0.0.1:{free}/token") }));
    let output = run("pkce-exchange", &[], &refused.to_string());
    assert_eq!(output, failure("pkce-exchange", 3, "token endpoint: 127.0.0.1: connection refused"));

    let mut child = start(&mut command("pkce-exchange"));
    drop(child.stdout.take());
    child.stdin.take().unwrap().write_all(document(&server).to_string().as_bytes()).unwrap();
    let output = done(child);
    assert_eq!((output.status, output.stderr.as_str(), server.seen().len()), (3, "", 0));
    let script = format!("printf '%s' '{}' | pkce-exchange >&-", document(&server));
    let output = finish(command("sh").args(["-c", &script]), b"");
    assert_eq!((output.status, server.seen().len()), (3, 0), "{output:?}");
}

#[test]
fn says_what_is_lost_where_the_tokens_cannot_be_printed() {
    let server = Server::start(|_| json_answer(&tokens()));
    let lost = "; the tokens that the server gave cannot be had again";
    let script = format!("printf '%s' '{}' | pkce-exchange >/dev/full", document(&server));
    let output = finish(command("sh").args(["-c", &script]), b"");
    let message = format!("pkce-exchange: standard output: no space left on device{lost}\n");
    assert_eq!((output.status, output.stderr), (5, message));
    let output = run("pkce-exchange", &["-r", "id_token"], &document(&server).to_string());
    let message = format!("pkce-exchange: id_token: missing{lost}\n");
    assert_eq!((output.status, output.stdout.as_str(), output.stderr), (2, "", message));
}

#[test]
fn refuses_documents_whose_code_it_must_not_send() {
    let server = Server::start(|_| json_answer(&tokens()));
    let verifier = "code_verifier: must be 43 to 128 characters of A-Z, a-z, 0-9, '-', '.', '_', '~'";
    for (changes, status, wrong) in [
        (json!({ "code": null }), 2, "code: missing\nhint: pkce-callback adds it"),
        (json!({ "code": "" }), 2, "code: must be visible ASCII characters, one at least"),
        (json!({ "code": "a\nb" }), 2, "code: must be visible ASCII characters, one at least"),
        (json!({ "code": 5 }), 2, "code: must be a string"),
        (json!({ "code_verifier": null }), 2, "code_verifier: missing\nhint: pkce-gen adds it"),
        (json!({ "code_verifier": "short" }), 2, verifier),
        (json!({ "redirect_uri": null }), 2, "redirect_uri: missing\nhint: pkce-url adds it"),
        (json!({ "client_id": null }), 2, "client_id: missing\nhint: pkce-url adds it"),
        (json!({ "token_endpoint": null }), 2, "token_endpoint: missing\nhint: pkce-discover adds it"),
        (
            json!({ "token_endpoint": "https://u:p@id.example/" }),
            2,
            "token_endpoint: must not have a user name or password",
        ),
        (
            json!({ "token_endpoint": "http://id.example/token" }),
            4,
            "token_endpoint: plain http is allowed to this machine alone; use https\n\
             hint: PKCE_HTTP_HOSTS names hosts of a test network, as in keycloak:8080",
        ),
        (
            json!({ "issuer": "https://id.example" }),
            4,
            "token_endpoint: a server elsewhere must not name one on this machine",
        ),
        (json!({ "issuer": "https://a", "iss": "https://b" }), 4, "iss: not the document's issuer"),
        (
            json!({ "token_endpoint_auth_method": "private_key_jwt" }),
            2,
            "token_endpoint_auth_method: not one that is known here",
        ),
        (
            json!({ "token_endpoint_auth_method": "client_secret_post" }),
            2,
            "client_secret: missing, and the client's method needs it\n\
             hint: --client-secret-file names the file that holds it",
        ),
    ] {
        let output = run("pkce-exchange", &[], &with(&server, changes.clone()).to_string());
        assert_eq!(output, failure("pkce-exchange", status, wrong), "{changes}");
    }
    assert_eq!(server.seen().len(), 0);
}

#[test]
fn writes_basic_credentials_as_the_vectors_do() {
    let directory = new_directory();
    let file = directory.path().join("secret");
    for case in common::vectors("form.json")["basic_auth"].as_array().unwrap() {
        let secret = case["secret"].as_str().unwrap();
        let server = Server::start(|_| json_answer(&tokens()));
        std::fs::write(&file, format!("{secret}\n")).unwrap();
        let document = with(&server, json!({ "client_id": case["id"] }));
        let output = run("pkce-exchange", &["--client-secret-file", file.to_str().unwrap()], &document.to_string());
        let seen = server.seen();
        let header = seen[0].header("Authorization").unwrap();
        let allowed = case["header_any"].as_array().cloned().unwrap_or(vec![case["header"].clone()]);
        assert!(allowed.iter().any(|allowed| allowed == header), "{header}");
        assert!(seen[0].form().iter().all(|(name, _)| name != "client_secret" && name != "client_id"));
        assert!(!output.stdout.contains(secret), "{output:?}");
    }
}

#[test]
fn encodes_as_the_vectors_do() {
    for case in common::vectors("form.json")["encode"].as_array().unwrap() {
        let server = Server::start(|_| json_answer(&tokens()));
        let output = run("pkce-exchange", &[], &with(&server, json!({ "redirect_uri": case["in"] })).to_string());
        assert_eq!(output.status, 0, "{output:?}");
        let body = &server.seen()[0].body;
        let encoded = body.split_once("&redirect_uri=").unwrap().1.split('&').next().unwrap();
        assert!(case["out_any"].as_array().unwrap().iter().any(|out| out == encoded), "{encoded}");
    }
}

#[test]
fn sends_a_secret_one_way_alone() {
    let directory = new_directory();
    let path = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (file, other) = (path("file", "from-file\r\n"), path("env", "from-env"));
    let listed = json!(["client_secret_post", "none"]);
    // The secret, and how it must come: `Basic` with the header, `post` in the body, or not at all.
    for (args, changes, env, expected) in [
        (vec![], json!({ "client_secret": "doc" }), "", "Basic Y2xpOmRvYw=="),
        (vec![], json!({ "client_secret": "doc", "token_endpoint_auth_methods_supported": listed }), "", "doc"),
        (vec![], json!({ "client_secret": "doc", "token_endpoint_auth_method": "client_secret_post" }), "", "doc"),
        (vec!["--auth-method", "client_secret_post"], json!({ "client_secret": "doc" }), "", "doc"),
        (vec!["--auth-method", "none"], json!({ "client_secret": "doc" }), "", ""),
        (
            vec!["--client-secret-file", &file, "--auth-method", "client_secret_post"],
            json!({ "client_secret": "doc" }),
            "",
            "from-file",
        ),
        (vec!["--auth-method", "client_secret_post"], json!({}), other.as_str(), "from-env"),
        (vec!["--auth-method", "client_secret_post"], json!({ "client_secret": "doc" }), other.as_str(), "doc"),
        (
            vec!["--client-secret-file", &file],
            json!({ "token_endpoint_auth_method": "none" }),
            "",
            "Basic Y2xpOmZyb20tZmlsZQ==",
        ),
        (vec![], json!({}), "", ""),
    ] {
        let server = Server::start(|_| json_answer(&tokens()));
        let mut tool = command("pkce-exchange");
        tool.args(&args).env("PKCE_CLIENT_SECRET_FILE", env);
        let output = finish(&mut tool, with(&server, changes.clone()).to_string().as_bytes());
        assert_eq!(output.status, 0, "{args:?} {changes}: {output:?}");
        let seen = server.seen();
        let form = seen[0].form();
        let posted = form.iter().find(|(name, _)| name == "client_secret").map(|(_, value)| value.as_str());
        let named = form.iter().any(|(name, _)| name == "client_id");
        let header = seen[0].header("Authorization");
        let basic = expected.starts_with("Basic");
        assert_eq!(header, Some(expected).filter(|_| basic), "{args:?} {changes}");
        assert_eq!(posted, Some(expected).filter(|text| !basic && !text.is_empty()), "{args:?} {changes}");
        assert_eq!(named, !basic, "{args:?} {changes}");
        assert_eq!(output.json().get("client_secret"), changes.get("client_secret"), "kept only where it was");
    }
}

#[test]
fn takes_a_secret_from_a_pipe_of_bash() {
    let server = Server::start(|_| json_answer(&tokens()));
    let script = "secret=s3cret; pkce-exchange --client-secret-file <(printf %s \"$secret\")";
    let output = finish(command("bash").args(["-c", script]), document(&server).to_string().as_bytes());
    assert_eq!((output.status, server.seen()[0].header("Authorization")), (0, Some("Basic Y2xpOnMzY3JldA==")));
    let output = run("pkce-exchange", &["--client-secret-file", "/no/such/file"], &document(&server).to_string());
    assert_eq!(output, failure("pkce-exchange", 2, "--client-secret-file: no such file or directory"));
}

#[test]
fn writes_the_request_as_json_where_that_is_asked_for() {
    let server = Server::start(|_| json_answer(&tokens()));
    let output =
        run("pkce-exchange", &["--format", "json"], &with(&server, json!({ "resource": ["a:1", "b:2"] })).to_string());
    assert_eq!(output.status, 0, "{output:?}");
    let seen = &server.seen()[0];
    assert_eq!(seen.header("Content-Type"), Some("application/json"));
    let expected = json!({
        "grant_type": "authorization_code", "code": "c0de-c0de", "code_verifier": VERIFIER, "client_id": "cli",
        "redirect_uri": "http://127.0.0.1:4711/callback", "resource": ["a:1", "b:2"],
    });
    assert_eq!(serde_json::from_str::<Value>(&seen.body).unwrap(), expected);
}

#[test]
fn bears_the_odd_ways_of_real_servers() {
    let body = "{\"access_token\":\"AT\",\"token_type\":\"bearer\",\"scope\":[\"a\",\"b\"],\"expires_in\":\"60\"}";
    let plain = "access_token=AT&token_type=bearer&scope=a%2Cb&expires_in=60";
    for (octets, scope) in [
        (format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n{body}"), "a b"),
        (format!("HTTP/1.1 200\r\nContent-Length: {}\r\n\r\n{body}", body.len()), "a b"),
        (format!("HTTP/1.0 200 OK\r\n\r\n{body}"), "a b"),
        (format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nSet-Cookie: a=b\r\n\r\n{body}"), "a b"),
        (format!("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{body}"), "a b"),
        (
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len()),
            "a b",
        ),
        (
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\r\n\r\n{plain}"),
            "a,b",
        ),
        (format!("HTTP/1.1 200 OK\r\ncontent-type: APPLICATION/x-www-form-urlencoded\r\n\r\n{plain}"), "a,b"),
    ] {
        let (output, _) = answered(octets.clone().into_bytes());
        assert_eq!(output.status, 0, "{octets}: {output:?}");
        let got = output.json();
        assert_eq!((&got["scope"], &got["expires_in"]), (&json!(scope), &json!(60)), "{octets}");
    }
    let (output, _) = answered(answer(200, "text/plain", plain));
    let message = "token endpoint: not JSON at line 1, column 1; the code may be spent";
    assert_eq!(output, failure("pkce-exchange", 4, message));
    let challenges = "WWW-Authenticate: Basic realm=a\r\nWWW-Authenticate: Bearer\r\n";
    let refused = format!("HTTP/1.1 401\r\n{challenges}\r\n{{\"error\":\"unauthorized_client\"}}");
    let (output, seen) = answered(refused.into_bytes());
    assert_eq!((output.status, seen.len()), (1, 1), "{output:?}");
    assert!(output.stderr.starts_with("pkce-exchange: token endpoint: unauthorized_client\nhint: "), "{output:?}");
    let (output, _) = answered(answer(200, "application/json", "{\"ok\":false,\"error\":\"invalid_code\"}"));
    assert_eq!(output, failure("pkce-exchange", 1, "token endpoint: invalid_code"));
    let (output, _) = answered(answer(
        200,
        "application/x-www-form-urlencoded",
        "error=bad_verification_code&error_description=It+is+old",
    ));
    assert_eq!(output, failure("pkce-exchange", 1, "token endpoint: bad_verification_code: It is old"));
}

#[test]
fn notes_that_another_scope_was_granted() {
    let note = "pkce-exchange: note: the server granted another scope than the one asked for\n";
    for granted in ["b a", "b,a"] {
        let server = Server::start(move |_| {
            json_answer(&json!({ "access_token": "AT", "token_type": "Bearer", "scope": granted }))
        });
        for (asked, said) in [("a b", ""), ("a b c", note)] {
            let output = run("pkce-exchange", &[], &with(&server, json!({ "scope": asked })).to_string());
            assert_eq!((output.status, output.stderr.as_str(), &output.json()["scope"]), (0, said, &json!(granted)));
        }
    }
}

#[test]
fn keeps_the_scope_that_was_asked_for_where_the_answer_names_none() {
    for scope in [json!(""), json!([]), json!(null)] {
        let server = Server::start(move |_| {
            json_answer(&json!({ "access_token": "AT", "token_type": "Bearer", "scope": scope.clone() }))
        });
        let output = run("pkce-exchange", &[], &with(&server, json!({ "scope": "a b" })).to_string());
        assert_eq!((output.status, output.stderr.as_str(), &output.json()["scope"]), (0, "", &json!("a b")));
    }
}

#[test]
fn traces_the_request_without_its_secrets() {
    let server = Server::start(|_| json_answer(&tokens()));
    let mut tool = command("pkce-exchange");
    let endpoint = format!("{}?tenant=s3cret", server.url("/token"));
    let document = with(&server, json!({ "token_endpoint": endpoint }));
    let output = finish(tool.env("PKCE_TRACE", "1"), document.to_string().as_bytes());
    let start = format!("pkce-exchange: trace: POST {}: 200, 43 bytes, ", server.url("/token"));
    assert!(output.stderr.starts_with(&start) && output.stderr.ends_with(" ms\n"), "{output:?}");
    assert!(!output.stderr.contains("s3cret") && output.stderr.lines().count() == 1, "{output:?}");
}

#[test]
fn sends_the_code_over_tls_to_a_server_it_trusts_and_to_no_other() {
    let everywhere = Everywhere::start(|_, _| json_answer(&tokens()));
    let exchange = |url: &str, trusted: bool| {
        let server = Server::start(|_| Vec::new());
        let document = with(&server, json!({ "token_endpoint": url, "issuer": "https://id.example" }));
        let mut tool = command("pkce-exchange");
        if trusted {
            everywhere.serve(&mut tool)
        } else {
            everywhere.proxy(&mut tool)
        }
        let output = finish(&mut tool, document.to_string().as_bytes());
        (output, everywhere.asked())
    };
    let (output, asked) = exchange("https://id.example/token?a=b", true);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    assert_eq!(
        (&output.json()["access_token"], asked),
        (&json!("AT"), vec!["https://id.example/token?a=b".to_owned()])
    );
    for (url, trusted, wrong) in [
        ("https://id.example/token", false, "id.example: TLS: invalid peer certificate: "),
        (
            "https://expired.example/token",
            true,
            "expired.example: TLS: invalid peer certificate: certificate expired: ",
        ),
        (
            "https://wrong.example/token",
            true,
            "wrong.example: TLS: invalid peer certificate: certificate not valid for ",
        ),
    ] {
        let (output, asked) = exchange(url, trusted);
        assert_eq!((output.status, output.stdout.as_str(), asked.len()), (4, "!4 untrusted pkce-exchange\n", 0));
        let (line, hint) = output.stderr.split_once('\n').unwrap();
        assert!(line.starts_with(&format!("pkce-exchange: token endpoint: {wrong}")), "{output:?}");
        assert!(!line.contains("spent"), "{output:?}");
        assert_eq!(hint, "hint: SSL_CERT_FILE names a file with the certificates to trust\n");
    }
}

#[test]
fn spends_nothing_where_the_proxy_does_not_connect() {
    let proxy = Server::start(|_| answer(403, "", ""));
    let document = with(&proxy, json!({ "token_endpoint": "https://id.example/token" }));
    let mut tool = command("pkce-exchange");
    let output = finish(tool.env("HTTPS_PROXY", proxy.url("")), document.to_string().as_bytes());
    let message = "token endpoint: id.example: the proxy does not connect to it";
    assert_eq!(output, failure("pkce-exchange", 3, message));
    let seen = proxy.seen();
    assert_eq!((seen.len(), seen[0].method.as_str(), seen[0].target.as_str()), (1, "CONNECT", "id.example:443"));
    let mut tool = command("pkce-exchange");
    let output = finish(tool.env("HTTPS_PROXY", "not a proxy"), document.to_string().as_bytes());
    let message = "token endpoint: id.example: HTTPS_PROXY: not a proxy's URL, as in http://proxy:3128";
    assert_eq!(output, failure("pkce-exchange", 2, message));
}

#[test]
fn reaches_this_machine_without_a_proxy() {
    let server = Server::start(|_| json_answer(&tokens()));
    let proxy = Server::start(|_| answer(403, "", ""));
    let mut tool = command("pkce-exchange");
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        tool.env(name, proxy.url(""));
    }
    let output = finish(&mut tool, document(&server).to_string().as_bytes());
    assert_eq!((output.status, server.seen().len(), proxy.seen().len()), (0, 1, 0), "{output:?}");
}

#[test]
fn takes_http_to_a_named_test_host_only_where_the_issuer_is_one_too() {
    let proxy = Server::speaking(|seen, stream| {
        if (seen.method.as_str(), seen.target.as_str()) == ("CONNECT", "idp.test:8080") {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            assert_eq!(common::read_request(stream).unwrap().target, "/token");
            stream.write_all(&json_answer(&tokens())).unwrap();
        }
    });
    for (hosts, issuer, status) in [
        ("idp.test:8080", json!("http://idp.test:8080/r"), 0),
        ("idp.test", json!("http://idp.test:8080/r"), 0),
        ("idp.test:8080", Value::Null, 0),
        ("idp.test:8080", json!("https://id.example"), 4),
        ("idp.test:80", json!("http://idp.test:8080/r"), 4),
        ("", json!("http://idp.test:8080/r"), 4),
    ] {
        let before = proxy.seen().len();
        let document = with(&proxy, json!({ "token_endpoint": "http://idp.test:8080/token", "issuer": issuer }));
        let mut tool = command("pkce-exchange");
        tool.env("HTTP_PROXY", proxy.url("")).env("PKCE_HTTP_HOSTS", hosts);
        let output = finish(&mut tool, document.to_string().as_bytes());
        let requests = proxy.seen().len() - before;
        assert_eq!((output.status, requests), (status, usize::from(status == 0)), "{hosts} {issuer}: {output:?}");
    }
}

#[test]
fn follows_no_redirect_to_another_server() {
    let other = Server::start(|_| json_answer(&tokens()));
    for status in [301, 302, 303, 307, 308] {
        let location = other.url("/token");
        let octets = format!("HTTP/1.1 {status} X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        let (output, seen) = answered(octets.into_bytes());
        let message = format!("token endpoint: a redirect ({status}), which is not followed");
        assert_eq!((output, seen.len()), (failure("pkce-exchange", 4, &message), 1));
    }
    assert_eq!(other.seen().len(), 0);
}

#[test]
fn takes_the_token_endpoint_from_the_flag_first() {
    let (server, other) = (Server::start(|_| json_answer(&tokens())), Server::start(|_| json_answer(&tokens())));
    let output = run("pkce-exchange", &["--token-endpoint", &server.url("/t")], &document(&other).to_string());
    assert_eq!((output.status, &output.json()["token_endpoint"]), (0, &json!(server.url("/t"))), "{output:?}");
    assert_eq!((server.seen()[0].target.as_str(), other.seen().len()), ("/t", 0));
}

#[test]
fn prints_the_token_alone_where_that_is_asked_for() {
    let server = Server::start(|_| json_answer(&tokens()));
    for flag in ["-r", "--raw"] {
        let output = run("pkce-exchange", &[flag, "access_token"], &document(&server).to_string());
        assert_eq!((output.status, output.stdout.as_str(), output.stderr.as_str()), (0, "AT\n", ""));
    }
    let free = free_port();
    let refused = with(&server, json!({ "token_endpoint": format!("http://127.0.0.1:{free}/") }));
    let output = run("pkce-exchange", &["-r", "access_token"], &refused.to_string());
    assert_eq!((output.status, output.stdout.as_str()), (3, ""), "no failure line among bare text");
}

#[test]
fn refuses_options_it_cannot_use() {
    let range = "must be a whole number from 1 to 4294967295";
    for (args, wrong) in [
        (vec!["--format", "xml"], "--format: must be one of form, json".to_owned()),
        (
            vec!["--auth-method", "basic"],
            "--auth-method: must be one of none, client_secret_basic, client_secret_post".to_owned(),
        ),
        (vec!["--timeout", "0"], format!("--timeout: {range}")),
        (vec!["--timeout", "1.5"], format!("--timeout: {range}")),
        (vec!["--timeout="], format!("--timeout: {range}")),
        (vec!["--client-secret", "s3cret"], "--client-secret: no such option".to_owned()),
        (vec!["extra"], "arguments: too many".to_owned()),
    ] {
        let output = run("pkce-exchange", &args, "");
        let hint = if args[0] == "--client-secret" { "hint: did you mean --client-secret-file?" } else { HELP };
        assert_eq!(output, failure("pkce-exchange", 2, &format!("{wrong}\n{hint}")), "{args:?}");
    }
}

#[test]
fn refuses_files_that_hold_no_secret() {
    let directory = new_directory();
    let server = Server::start(|_| json_answer(&tokens()));
    let line = "must hold one line of text";
    for (text, wrong) in [
        (b"".as_slice(), line),
        (b"\n", line),
        (b"\r\n", line),
        (b"one\ntwo\n", line),
        (b"a\0b", line),
        (b"\x1b[31m", line),
        (b"\xff", "stream did not contain valid utf-8"),
    ] {
        let file = directory.path().join("secret");
        std::fs::write(&file, text).unwrap();
        let output =
            run("pkce-exchange", &["--client-secret-file", file.to_str().unwrap()], &document(&server).to_string());
        assert_eq!(output, failure("pkce-exchange", 2, &format!("--client-secret-file: {wrong}")), "{text:?}");
        let mut tool = command("pkce-exchange");
        let output = finish(tool.env("PKCE_CLIENT_SECRET_FILE", &file), document(&server).to_string().as_bytes());
        assert_eq!(output, failure("pkce-exchange", 2, &format!("PKCE_CLIENT_SECRET_FILE: {wrong}")), "{text:?}");
    }
    let output = run("pkce-exchange", &["--client-secret-file", "/"], &document(&server).to_string());
    assert_eq!(output, failure("pkce-exchange", 2, "--client-secret-file: is a directory"));
    assert_eq!(server.seen().len(), 0);
}

#[test]
fn sends_no_part_of_a_file_that_is_too_long_for_a_secret() {
    let directory = new_directory();
    let file = directory.path().join("secret");
    let server = Server::start(|_| json_answer(&tokens()));
    std::fs::write(&file, "a".repeat(64 * 1024 + 1)).unwrap();
    let output =
        run("pkce-exchange", &["--client-secret-file", file.to_str().unwrap()], &document(&server).to_string());
    assert_eq!((output.status, server.seen().len()), (2, 0), "{}", output.stderr);
}

#[test]
fn refuses_credentials_of_the_document_that_are_none() {
    let server = Server::start(|_| json_answer(&tokens()));
    for (name, text) in [
        ("client_id", ""),
        ("client_id", "a\nb"),
        ("client_id", "\u{e9}"),
        ("client_secret", ""),
        ("client_secret", "a\nb"),
        ("client_secret", "\u{1b}[31m"),
    ] {
        let output = run("pkce-exchange", &[], &with(&server, json!({ name: text })).to_string());
        assert_eq!((output.status, server.seen().len()), (2, 0), "{name} {text:?}: {output:?}");
        assert!(output.stderr.starts_with(&format!("pkce-exchange: {name}: must ")), "{output:?}");
    }
}

#[test]
fn takes_no_answer_with_an_error_in_it_for_a_success() {
    for (error, status, message) in [
        (json!("x"), 1, "token endpoint: x"),
        (json!("invalid_grant"), 5, "token endpoint: invalid_grant"),
        (json!("interaction_required"), 5, "token endpoint: interaction_required"),
        (json!("consent_required"), 5, "token endpoint: consent_required"),
        (json!("login_required"), 5, "token endpoint: login_required"),
    ] {
        let body = json!({ "access_token": "AT", "token_type": "Bearer", "error": error });
        for code in [200, 201, 400, 403] {
            let (output, _) = answered(answer(code, "application/json", &body.to_string()));
            assert_eq!(output, failure("pkce-exchange", status, message), "{code} {error}");
        }
    }
}

#[test]
fn takes_no_answer_with_an_error_of_another_type_for_a_success() {
    for error in [json!({ "code": 400, "message": "x" }), json!(["x"]), json!(5), json!(true)] {
        let body = json!({ "access_token": "AT", "token_type": "Bearer", "error": error });
        let (output, _) = answered(json_answer(&body));
        assert!([1, 4].contains(&output.status), "{error}: {output:?}");
        assert_eq!(output.stdout, failure("pkce-exchange", output.status, "").stdout, "{error}");
    }
}

#[test]
fn names_an_error_even_where_the_server_does_not() {
    let (output, _) = answered(answer(400, "application/json", "{\"error\":\"\"}"));
    let message = output.stderr.lines().next().unwrap().strip_prefix("pkce-exchange: token endpoint: ").unwrap();
    assert!(!message.is_empty(), "{output:?}");
}

#[test]
fn takes_server_errors_for_what_they_are_whatever_the_body_says() {
    let spent = "; the code may be spent";
    for (status, body, expected, message) in [
        (503, "{\"error\":\"temporarily_unavailable\"}", 3, "token endpoint: the server answered 503".to_owned()),
        (429, "{\"error\":\"slow_down\"}", 3, "token endpoint: the server answered 429".to_owned()),
        (500, "{\"error\":\"server_error\"}", 5, format!("token endpoint: the server answered 500{spent}")),
        (500, "{\"access_token\":\"AT\"}", 5, format!("token endpoint: the server answered 500{spent}")),
        (404, "<h1>none", 5, format!("token endpoint: the server answered 404 without an OAuth error{spent}")),
        (
            206,
            "{\"access_token\":\"AT\"}",
            4,
            "token endpoint: the server answered 206; the code may be spent".to_owned(),
        ),
    ] {
        let (output, seen) = answered(answer(status, "application/json", body));
        assert_eq!((output, seen.len()), (failure("pkce-exchange", expected, &message), 1));
    }
}

#[test]
fn cuts_the_fraction_of_a_lifetime_and_refuses_what_is_none() {
    for (lifetime, seconds) in [("3600.9", 3600), ("3.6e3", 3600), ("\"60\"", 60), ("0", 0)] {
        let body = format!("{{\"access_token\":\"AT\",\"token_type\":\"Bearer\",\"expires_in\":{lifetime}}}");
        let (output, _) = answered(answer(200, "application/json", &body));
        let got = output.json();
        assert_eq!((output.status, &got["expires_in"]), (0, &json!(seconds)), "{lifetime}");
        assert!(got["expires_at"].is_u64(), "{lifetime}");
    }
    for lifetime in ["-1", "9223372036854775808", "1e400", "\"\"", "\"-1\"", "\"1.5\"", "false", "{}", "[1]"] {
        let body = format!("{{\"access_token\":\"AT\",\"token_type\":\"Bearer\",\"expires_in\":{lifetime}}}");
        let (output, _) = answered(answer(200, "application/json", &body));
        let message = "token endpoint: expires_in: must be a number of seconds; the code may be spent";
        assert_eq!(output, failure("pkce-exchange", 4, message), "{lifetime}");
    }
}

#[test]
fn takes_no_token_that_could_not_be_sent_on() {
    let visible = "must be visible ASCII characters, one at least";
    for name in ["access_token", "refresh_token", "id_token"] {
        for text in ["", "a\r\nX: y", "\u{1b}[31m", "\u{e9}"] {
            let mut body = tokens();
            body[name] = json!(text);
            let (output, _) = answered(json_answer(&body));
            let message = format!("token endpoint: {name}: {visible}; the code may be spent");
            assert_eq!(output, failure("pkce-exchange", 4, &message), "{text:?}");
        }
        let mut body = tokens();
        body[name] = json!({});
        let (output, _) = answered(json_answer(&body));
        assert_eq!(
            output,
            failure("pkce-exchange", 4, &format!("token endpoint: {name}: must be a string; the code may be spent"))
        );
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(65), "]".repeat(65));
    let (output, _) = answered(answer(200, "application/json", &deep));
    assert_eq!(output, failure("pkce-exchange", 4, "token endpoint: a: nested deeper than 64; the code may be spent"));
}

#[test]
fn bears_codes_and_tokens_of_any_length() {
    let token = "t".repeat(64 * 1024);
    let code = "c".repeat(6000);
    let body = json!({ "access_token": token, "token_type": "Bearer" });
    let server = Server::start(move |_| json_answer(&body));
    let output = run("pkce-exchange", &[], &with(&server, json!({ "code": code })).to_string());
    assert_eq!((output.status, output.json()["access_token"] == token.as_str()), (0, true));
    assert!(server.seen()[0].form().contains(&pair("code", &code)));
}
