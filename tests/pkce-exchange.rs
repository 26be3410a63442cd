//! pkce-exchange: the one request, and every answer that a server may give to it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    missing_docs
)]

mod common;

use std::io::Write;
use std::net::TcpListener;
use std::time::{SystemTime, UNIX_EPOCH};

use common::{Folder, Output, Seen, Server, answer, command, done, failure, finish, json_answer, run, start};
use serde_json::{Value, json};

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
    let mut document = document(server);
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            document.as_object_mut().unwrap().remove(name);
        } else {
            document[name] = value.clone();
        }
    }
    document
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
    for absent in ["Authorization", "Origin", "Cookie", "Transfer-Encoding", "Accept-Encoding", "Expect"] {
        assert_eq!(seen.header(absent), None, "{absent}");
    }
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
        "refresh_token": "RT", "id_token": "x.y.z", "session_state": "kept",
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
        "max_age": 1, "iss": "evil", "code_verifier": "evil",
    });
    let server = Server::start(move |_| json_answer(&evil));
    let output = run("pkce-exchange", &[], &document(&server).to_string());
    let expected = json!({
        "token_endpoint": server.url("/token"), "client_id": "cli", "nonce": "n", "own": 1.10, "other": "added",
        "access_token": "AT", "token_type": "Bearer",
    });
    assert_eq!((output.status, output.json()), (0, expected));
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
        (answer(204, "", ""), 4, "token endpoint: the server answered 204".to_owned()),
        (answer(200, "text/html", "<html>"), 4, "token endpoint: not JSON at line 1, column 1".to_owned()),
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
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
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
    let folder = Folder::new("basic");
    let file = folder.0.join("secret");
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
fn refuses_a_file_that_holds_no_secret() {
    let folder = Folder::new("no-secret");
    let file = folder.0.join("secret");
    let server = Server::start(|_| json_answer(&tokens()));
    for text in ["", "\n", "one\ntwo\n", "bell\u{7}"] {
        std::fs::write(&file, text).unwrap();
        let output =
            run("pkce-exchange", &["--client-secret-file", file.to_str().unwrap()], &document(&server).to_string());
        let wrong = "--client-secret-file: must hold one line of text";
        assert_eq!(output, failure("pkce-exchange", 2, wrong), "{text:?}");
    }
    assert_eq!(server.seen().len(), 0);
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
    let folder = Folder::new("secret");
    let path = |name: &str, text: &str| {
        let path = folder.0.join(name);
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
    let wrong = run("pkce-exchange", &["--format", "xml"], "");
    let hint = "hint: 'pkce-exchange --help' lists what it takes";
    assert_eq!(wrong, failure("pkce-exchange", 2, &format!("--format: must be one of form, json\n{hint}")));
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
        (
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\r\n\r\n{plain}"),
            "a,b",
        ),
    ] {
        let (output, _) = answered(octets.clone().into_bytes());
        assert_eq!(output.status, 0, "{octets}: {output:?}");
        let got = output.json();
        assert_eq!((&got["scope"], &got["expires_in"]), (&json!(scope), &json!(60)), "{octets}");
    }
    let (output, _) = answered(answer(200, "text/plain", plain));
    assert_eq!(output.status, 4);
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
    let server =
        Server::start(|_| json_answer(&json!({ "access_token": "AT", "token_type": "Bearer", "scope": "b a" })));
    let note = "pkce-exchange: note: the server granted another scope than the one asked for\n";
    for (asked, said) in [("a b", ""), ("a b c", note)] {
        let output = run("pkce-exchange", &[], &with(&server, json!({ "scope": asked })).to_string());
        assert_eq!((output.status, output.stderr.as_str(), &output.json()["scope"]), (0, said, &json!("b a")));
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
