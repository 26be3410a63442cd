//! Tokens: what a successful response changes in the document.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::common::{self, Server, failure, free_port, json_response, response, run};
use crate::{document, pair, tokens, with, with_response};

#[test]
fn removes_what_is_spent_and_keeps_the_rest() {
    let server = Server::start(|_| {
        json_response(&json!({
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
fn lets_no_response_steer_a_later_step() {
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
    let server = Server::start(move |_| json_response(&evil));
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
    let server = Server::start(|_| {
        json_response(&json!({ "access_token": "AT", "token_type": "Bearer", "refresh_token": null }))
    });
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
fn takes_every_response_of_the_vectors_as_decided() {
    // What the vectors leave open is decided: 0 seconds is expired already, what is no lifetime is left out, Slack's
    // nested token is none, a missing ID token is for the verifier to see, and no byte order mark is taken.
    let decided = [
        ("exp-false", 0),
        ("exp-zzz", 0),
        ("exp-huge", 0),
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
        let mut octets = response(case["status"].as_u64().unwrap() as u16, &text("content_type"), &text("body"));
        if case.get("location").is_some() {
            let end = octets.windows(2).position(|pair| pair == b"\r\n").unwrap() + 2;
            octets.splice(end..end, format!("Location: {}\r\n", text("location")).into_bytes());
        }
        let (output, seen) = with_response(octets);
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
fn tolerates_the_deviations_of_real_servers() {
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
        let (output, _) = with_response(octets.clone().into_bytes());
        assert_eq!(output.status, 0, "{octets}: {output:?}");
        let got = output.json();
        assert_eq!((&got["scope"], &got["expires_in"]), (&json!(scope), &json!(60)), "{octets}");
    }
    let (output, _) = with_response(response(200, "text/plain", plain));
    let message = "token endpoint: not JSON at line 1, column 1; the code may be spent";
    assert_eq!(output, failure("pkce-exchange", 4, message));
    let challenges = "WWW-Authenticate: Basic realm=a\r\nWWW-Authenticate: Bearer\r\n";
    let refused = format!("HTTP/1.1 401\r\n{challenges}\r\n{{\"error\":\"unauthorized_client\"}}");
    let (output, seen) = with_response(refused.into_bytes());
    assert_eq!((output.status, seen.len()), (1, 1), "{output:?}");
    assert!(output.stderr.starts_with("pkce-exchange: token endpoint: unauthorized_client\nhint: "), "{output:?}");
    let (output, _) = with_response(response(200, "application/json", "{\"ok\":false,\"error\":\"invalid_code\"}"));
    assert_eq!(output, failure("pkce-exchange", 1, "token endpoint: invalid_code"));
    let (output, _) = with_response(response(
        200,
        "application/x-www-form-urlencoded",
        "error=bad_verification_code&error_description=It+is+old",
    ));
    assert_eq!(output, failure("pkce-exchange", 1, "token endpoint: bad_verification_code: It is old"));
}

#[test]
fn notes_which_requested_scope_was_not_granted() {
    let note = "pkce-exchange: note: the granted scope lacks c d\n";
    for granted in ["b a", "b,a", "b a email profile"] {
        let server = Server::start(move |_| {
            json_response(&json!({ "access_token": "AT", "token_type": "Bearer", "scope": granted }))
        });
        for (asked, said) in [("a b", ""), ("c a b d", note)] {
            let output = run("pkce-exchange", &[], &with(&server, json!({ "scope": asked })).to_string());
            assert_eq!((output.status, output.stderr.as_str(), &output.json()["scope"]), (0, said, &json!(granted)));
        }
    }
}

#[test]
fn keeps_the_requested_scope_where_the_response_names_none() {
    for scope in [json!(""), json!([]), json!(null)] {
        let server = Server::start(move |_| {
            json_response(&json!({ "access_token": "AT", "token_type": "Bearer", "scope": scope.clone() }))
        });
        let output = run("pkce-exchange", &[], &with(&server, json!({ "scope": "a b" })).to_string());
        assert_eq!((output.status, output.stderr.as_str(), &output.json()["scope"]), (0, "", &json!("a b")));
    }
}

#[test]
fn prints_the_token_alone_where_that_is_asked_for() {
    let server = Server::start(|_| json_response(&tokens()));
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
fn cuts_the_fraction_of_a_lifetime_and_leaves_out_what_is_none() {
    for (lifetime, seconds) in [("3600.9", 3600), ("3.6e3", 3600), ("\"60\"", 60), ("0", 0)] {
        let body = format!("{{\"access_token\":\"AT\",\"token_type\":\"Bearer\",\"expires_in\":{lifetime}}}");
        let (output, _) = with_response(response(200, "application/json", &body));
        let got = output.json();
        assert_eq!((output.status, &got["expires_in"]), (0, &json!(seconds)), "{lifetime}");
        assert!(got["expires_at"].is_u64(), "{lifetime}");
    }
    let lifetimes = ["-1", "\"0x10\"", "9223372036854775", "9223372036854775808", "\"soon\"", "1e400", "true", "false"];
    for lifetime in lifetimes.into_iter().chain(["{}", "[1]", "\"\"", "\"-1\"", "\"1.5\""]) {
        let body = format!("{{\"access_token\":\"AT\",\"token_type\":\"Bearer\",\"expires_in\":{lifetime}}}");
        left_out(&body, "expires_in: must be a number of seconds, up to a hundred years");
    }
}

/// Exchanges at a server that responds with this: the tokens come without what is malformed, which one note names.
fn left_out(body: &str, wrong: &str) {
    let body = body.to_owned();
    let server = Server::start(move |_| response(200, "application/json", &body));
    let output = run("pkce-exchange", &[], &with(&server, json!({ "scope": "asked" })).to_string());
    let expected = json!({
        "token_endpoint": server.url("/token"), "client_id": "cli", "nonce": "n", "own": 1.10, "scope": "asked",
        "access_token": "AT", "token_type": "Bearer",
    });
    let note = format!("pkce-exchange: note: token endpoint: {wrong}; left out\n");
    assert_eq!((output.status, output.json(), output.stderr.as_str()), (0, expected, note.as_str()));
}

#[test]
fn leaves_out_what_is_malformed_beside_the_access_token() {
    let visible = "must be one or more visible ASCII characters";
    for (name, value, wrong) in [
        ("refresh_token", json!("a\r\nX: y"), visible),
        ("refresh_token", json!("\u{1b}[31m"), visible),
        ("refresh_token", json!("\u{e9}"), visible),
        ("refresh_token", json!(5), "must be a string"),
        ("refresh_token", json!({}), "must be a string"),
        ("id_token", json!(""), visible),
        ("id_token", json!("a\nb"), visible),
        ("id_token", json!(1), "must be a string"),
        ("scope", json!("a\u{1b}[31m"), visible),
        ("scope", json!(["a", "b\n"]), visible),
        ("scope", json!(5), "must be a string or an array of strings"),
        ("scope", json!([5]), "must be an array of strings"),
    ] {
        let mut body = tokens();
        body[name] = value;
        left_out(&body.to_string(), &format!("{name}: {wrong}"));
    }
}

#[test]
fn takes_an_empty_refresh_token_for_none() {
    let mut body = tokens();
    body["refresh_token"] = json!("");
    let (output, _) = with_response(json_response(&body));
    assert_eq!((output.status, output.stderr.as_str(), output.json().get("refresh_token")), (0, "", None));
}

#[test]
fn takes_a_missing_token_type_for_bearer_and_no_other_for_it() {
    for body in [json!({ "access_token": "AT" }), json!({ "access_token": "AT", "token_type": null })] {
        let (output, _) = with_response(json_response(&body));
        let note = "pkce-exchange: note: token endpoint: token_type: missing; taken to be Bearer\n";
        assert_eq!((output.status, output.stderr.as_str()), (0, note));
        assert_eq!(output.json()["token_type"], "Bearer");
    }
    for (token_type, wrong) in
        [(json!(""), "must be one or more visible ASCII characters"), (json!(1), "must be a string")]
    {
        let (output, _) = with_response(json_response(&json!({ "access_token": "AT", "token_type": token_type })));
        let subject = "pkce-exchange: note: token endpoint: token_type";
        let notes = format!("{subject}: {wrong}; left out\n{subject}: missing; taken to be Bearer\n");
        assert_eq!((output.status, output.stderr.as_str()), (0, notes.as_str()));
        assert_eq!(output.json()["token_type"], "Bearer");
    }
    let (output, _) = with_response(json_response(&json!({ "access_token": "AT", "token_type": "mac" })));
    let message = "token endpoint: token_type: not Bearer, the only supported type; the code may be spent";
    assert_eq!(output, failure("pkce-exchange", 4, message));
}

#[test]
fn says_nothing_of_what_is_malformed_where_the_access_token_is_too() {
    let body = json!({ "access_token": 5, "expires_in": "soon", "refresh_token": 5 });
    let (output, _) = with_response(json_response(&body));
    let message = "token endpoint: access_token: must be a string; the code may be spent";
    assert_eq!(output, failure("pkce-exchange", 4, message));
}

#[test]
fn takes_no_token_that_could_not_be_sent_on() {
    let visible = "must be one or more visible ASCII characters";
    for (token, wrong) in [
        (json!(""), visible),
        (json!("a\r\nX: y"), visible),
        (json!("\u{1b}[31m"), visible),
        (json!("\u{e9}"), visible),
        (json!({}), "must be a string"),
    ] {
        let mut body = tokens();
        body["access_token"] = token;
        let (output, _) = with_response(json_response(&body));
        let message = format!("token endpoint: access_token: {wrong}; the code may be spent");
        assert_eq!(output, failure("pkce-exchange", 4, &message));
    }
}

#[test]
fn takes_no_response_that_is_not_a_valid_document() {
    let deep = format!("{{\"access_token\":\"AT\",\"a\":{}{}}}", "[".repeat(65), "]".repeat(65));
    let twice = "{\"access_token\":\"AT\",\"token_type\":\"Bearer\",\"expires_in\":1,\"expires_in\":2}";
    for (body, wrong) in [(deep.as_str(), "a: nested deeper than 64"), (twice, "expires_in: duplicate")] {
        let (output, _) = with_response(response(200, "application/json", body));
        let message = format!("token endpoint: {wrong}; the code may be spent");
        assert_eq!(output, failure("pkce-exchange", 4, &message));
    }
}

#[test]
fn accepts_codes_and_tokens_of_any_length() {
    let token = "t".repeat(64 * 1024);
    let code = "c".repeat(6000);
    let body = json!({ "access_token": token, "token_type": "Bearer" });
    let server = Server::start(move |_| json_response(&body));
    let output = run("pkce-exchange", &[], &with(&server, json!({ "code": code })).to_string());
    assert_eq!((output.status, output.json()["access_token"] == token.as_str()), (0, true));
    assert!(server.requests()[0].form().contains(&pair("code", &code)));
}

/// A document of so many octets, as pkce-tools writes it on one line.
fn of_size(server: &Server, size: usize) -> String {
    let without = with(server, json!({ "own": "" })).to_string().len() + 1;
    with(server, json!({ "own": "o".repeat(size - without) })).to_string()
}

#[test]
fn sends_nothing_where_the_document_has_no_room_for_the_tokens() {
    let server = Server::start(|_| json_response(&tokens()));
    let limit = 960 * 1024;
    let output = run("pkce-exchange", &[], &of_size(&server, limit + 1));
    let message = "document: larger than 960 KiB, which leaves no room for the response";
    assert_eq!((output, server.requests().len()), (failure("pkce-exchange", 2, message), 0));
    let output = run("pkce-exchange", &[], &of_size(&server, limit));
    assert_eq!((output.status, output.stderr.as_str(), server.requests().len()), (0, "", 1));
}

#[test]
fn leaves_out_what_a_response_adds_where_the_document_would_be_too_large_with_it() {
    let added = "a".repeat(600 * 1024);
    let server = Server::start(move |_| {
        json_response(&json!({ "access_token": "AT", "token_type": "Bearer", "refresh_token": "RT", "added": added }))
    });
    let output = run("pkce-exchange", &[], &of_size(&server, 500 * 1024));
    let note = "the document would be too large, so the other members of token responses are left out";
    assert_eq!((output.status, output.stderr.as_str()), (0, format!("pkce-exchange: note: {note}\n").as_str()));
    let got = output.json();
    assert_eq!((&got["access_token"], &got["refresh_token"]), (&json!("AT"), &json!("RT")));
    assert_eq!((got.get("added"), got.get("token_answer_members")), (None, None));
    assert_eq!(run("pkce-exchange", &[], &of_size(&server, 300 * 1024)).stderr, "");
}

#[test]
fn says_that_the_tokens_are_lost_where_the_document_would_be_too_large_with_them_alone() {
    let token = "t".repeat(600 * 1024);
    let server = Server::start(move |_| json_response(&json!({ "access_token": token, "token_type": "Bearer" })));
    let output = run("pkce-exchange", &[], &of_size(&server, 500 * 1024));
    let message = "document: larger than 1 MiB with the new tokens; the tokens issued by the server are lost";
    assert_eq!(output, failure("pkce-exchange", 5, message));
}
