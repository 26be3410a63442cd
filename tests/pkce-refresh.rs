//! pkce-refresh: the one request, what its response replaces, and what is said of a token that may be spent.
#![cfg(test)]

mod common;

use common::{Output, Request, Server, changed, command, failure, finish, json_response, response, run};
use serde_json::{Value, json};

const TOKEN: &str = "r3fresh-r3fresh";

fn document(server: &Server) -> Value {
    json!({
        "issuer": server.url(""),
        "token_endpoint": server.url("/token"),
        "client_id": "cli",
        "access_token": "old",
        "token_type": "Bearer",
        "expires_in": 60,
        "expires_at": 5,
        "refresh_token": TOKEN,
        "scope": "openid offline_access",
        "id_token": "old",
        "id_token_claims": { "sub": "alice" },
        "nonce": "n",
        "own": 1.10,
    })
}

fn with(server: &Server, changes: Value) -> Value {
    changed(document(server), &changes)
}

fn tokens() -> Value {
    json!({ "access_token": "new", "token_type": "bearer" })
}

fn pairs(names: &[(&str, &str)]) -> Vec<(String, String)> {
    names.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Refreshes at a server that responds with these octets.
fn with_response(octets: Vec<u8>) -> (Output, Vec<Request>) {
    let server = Server::start(move |_| octets.clone());
    let output = run("pkce-refresh", &[], &document(&server).to_string());
    (output, server.requests())
}

#[test]
fn sends_the_refresh_token_once_in_a_form() {
    let server = Server::start(|_| json_response(&tokens()));
    let output = run("pkce-refresh", &[], &document(&server).to_string());
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    let [seen] = &server.requests()[..] else { panic!("{:?}", server.requests()) };
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/token"));
    assert_eq!(seen.header("Content-Type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(seen.header("Authorization"), None);
    let grant = [("grant_type", "refresh_token"), ("refresh_token", TOKEN), ("client_id", "cli")];
    assert_eq!(seen.form(), pairs(&grant));
}

#[test]
fn replaces_the_tokens_as_one_set_and_keeps_what_the_response_lacks_of_the_rest() {
    let server = Server::start(|_| json_response(&tokens()));
    let output = run("pkce-refresh", &[], &document(&server).to_string());
    let mut expected = with(&server, json!({ "expires_in": null, "expires_at": null, "id_token": null }));
    expected["access_token"] = json!("new");
    expected["token_type"] = json!("bearer");
    assert_eq!(output.json(), expected);
    assert!(output.stdout.contains("\"own\":1.1"), "{output:?}");
    // Everything at once: a rotated token, a scope, a lifetime, an ID token, what is new, and what must not enter.
    let server = Server::start(|_| {
        json_response(&json!({
            "access_token": "new", "token_type": "Bearer", "expires_in": "60", "refresh_token": "next",
            "scope": "openid", "id_token": "a.b.c", "session": 7, "own": 2,
            "token_endpoint": "https://evil.example/", "client_id": "evil", "id_token_claims": {}, "expires_at": 9,
            "code_verifier": "evil", "nonce": "evil",
        }))
    });
    let output = run("pkce-refresh", &[], &document(&server).to_string());
    let note = "pkce-refresh: note: the granted scope lacks offline_access\n";
    assert_eq!((output.status, output.stderr.as_str()), (0, note));
    let mut got = output.json();
    let until = got["expires_at"].take().as_u64().unwrap();
    assert!(until > 1_700_000_000);
    let mut expected = with(
        &server,
        json!({
            "access_token": "new", "refresh_token": "next", "scope": "openid", "id_token": "a.b.c", "session": 7,
            "expires_in": 60, "expires_at": 5, "token_answer_members": ["session"],
        }),
    );
    expected["expires_at"] = Value::Null;
    assert_eq!(got, expected);
}

#[test]
fn keeps_the_refresh_token_where_the_response_has_none() {
    for response in [json!({}), json!({ "refresh_token": null })] {
        let mut tokens = tokens();
        tokens.as_object_mut().unwrap().extend(response.as_object().unwrap().clone());
        let (output, _) = with_response(json_response(&tokens));
        assert_eq!((output.status, &output.json()["refresh_token"]), (0, &json!(TOKEN)));
    }
}

#[test]
fn requests_a_narrower_scope_on_request() {
    let server = Server::start(|_| json_response(&tokens()));
    let output = run("pkce-refresh", &["--scope", "openid"], &document(&server).to_string());
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
    // A response without a scope grants the requested one (RFC 6749 section 5.1).
    assert_eq!(output.json()["scope"], "openid");
    assert!(server.requests()[0].form().contains(&("scope".to_owned(), "openid".to_owned())));
    let output = run("pkce-refresh", &["--scope", "openid admin"], &document(&server).to_string());
    let note = "pkce-refresh: note: the requested scope has more than that of the last token\n";
    assert_eq!((output.status, output.stderr.as_str()), (0, note));
    let server = Server::start(|_| {
        let mut tokens = tokens();
        tokens["scope"] = json!("openid");
        json_response(&tokens)
    });
    let output = run("pkce-refresh", &["--scope", "openid"], &document(&server).to_string());
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
    let output = run("pkce-refresh", &["--scope", "a\"b"], &document(&server).to_string());
    assert_eq!(output.status, 2);
}

#[test]
fn requests_the_resources_of_the_document_or_one_of_them() {
    let (one, two) = ("https://api.example/", "urn:two");
    let server = Server::start(|_| json_response(&tokens()));
    let both = with(&server, json!({ "resource": [one, two] })).to_string();
    let sent = |args: &[&str], document: &str| {
        let output = run("pkce-refresh", args, document);
        assert_eq!(output.status, 0, "{output:?}");
        let form = server.requests().last().unwrap().form();
        form.into_iter().filter(|(name, _)| name == "resource").map(|(_, value)| value).collect::<Vec<_>>()
    };
    assert_eq!(sent(&[], &both), [one, two]);
    assert_eq!(sent(&["--resource", two], &both), [two]);
    assert_eq!(sent(&["--resource", one], &document(&server).to_string()), [one]);
    let output = run("pkce-refresh", &["--resource", "urn:three"], &both);
    let message = "--resource: not one of the document's resources: urn:three instead of https://api.example/, urn:two";
    assert_eq!(output, failure("pkce-refresh", 2, message));
}

/// What is said of a token that may be spent, where another attempt shows whether it is.
const UNKNOWN: &str = "; the refresh token may be spent; try again to find out";

#[test]
fn takes_only_the_refusal_of_the_token_for_the_end_of_the_login() {
    let described = |code: &str, description: &str| json!({ "error": code, "error_description": description });
    let long = "a".repeat(200);
    for (http_status, body, message) in [
        (400, json!({ "error": "invalid_grant" }), "invalid_grant"),
        (403, json!({ "error": "invalid_grant" }), "invalid_grant"),
        // GitHub and Slack respond with 200; Pocket ID with a sentence; Dex with a code that says nothing.
        (200, json!({ "error": "bad_refresh_token" }), "bad_refresh_token"),
        (200, json!({ "ok": false, "error": "token_expired" }), "token_expired"),
        (200, json!({ "ok": false }), "unnamed error"),
        (400, json!({ "error": "Refresh token is invalid or expired" }), "Refresh token is invalid or expired"),
        (400, described("invalid_request", "Refresh token expired."), "invalid_request: Refresh token expired."),
        (400, described("invalid_request", "RefreshToken expired"), "invalid_request: RefreshToken expired"),
        (400, described("invalid_request", "the refresh-token is used"), "invalid_request: the refresh-token is used"),
        (401, described("invalid_request", "bad refresh_token"), "invalid_request: bad refresh_token"),
        (
            400,
            described("invalid_request", &format!("{long}The refresh token is expired.")),
            &format!("invalid_request: {long}"),
        ),
        (400, described("invalid_request", "The REFRESH-TOKEN is old"), "invalid_request: The REFRESH-TOKEN is old"),
        (400, json!({ "error": "access_denied" }), "access_denied"),
        (404, json!({ "error": "unknown_session" }), "unknown_session"),
        (302, json!({ "error": "login_required" }), "login_required"),
    ] {
        let (output, seen) = with_response(response(http_status, "application/json", &body.to_string()));
        let message = format!("token endpoint: {message}");
        assert_eq!((output, seen.len()), (failure("pkce-refresh", 5, &message), 1));
    }
    // GitHub's own format.
    let form = "error=bad_refresh_token&error_description=expired";
    let (output, _) = with_response(response(200, "application/x-www-form-urlencoded", form));
    assert_eq!(output, failure("pkce-refresh", 5, "token endpoint: bad_refresh_token: expired"));
    for http_status in [400, 401] {
        for (body, words) in [
            ("", ""),
            ("<html>", ""),
            ("{\"code\":400,\"msg\":\"no\"}", ": no"),
            ("{\"error\":{\"code\":400}}", ": 400"),
        ] {
            let (output, _) = with_response(response(http_status, "application/json", body));
            let hint = if http_status == 401 { NO_SECRET } else { "" };
            let wrong = format!("the server responded with {http_status} without an OAuth error{words}{hint}");
            assert_eq!(output, failure("pkce-refresh", 5, &format!("token endpoint: {wrong}")), "{body}");
        }
    }
}

/// What a public client is told that the server does not know.
const PUBLIC_CLIENT: &str = "\nhint: if the client has no secret, register it with token_endpoint_auth_method none; \
                             otherwise use --client-secret-file or PKCE_CLIENT_SECRET_FILE";

/// What may cure a 401 without an OAuth error.
const NO_SECRET: &str = "\nhint: if the client has a secret, this step needs it too: --client-secret-file, \
                         --client-secret-command or PKCE_CLIENT_SECRET_FILE; otherwise run the login again";

#[test]
fn keeps_the_login_where_the_server_refuses_the_client_or_its_request() {
    let dpop = "\nhint: the server requires DPoP (RFC 9449), which is not supported";
    for (code, hint) in [
        ("invalid_client", PUBLIC_CLIENT),
        ("unauthorized_client", ""),
        ("unsupported_grant_type", ""),
        ("invalid_scope", SCOPE),
        ("invalid_target", ""),
        ("invalid_request", ""),
        ("use_dpop_nonce", dpop),
        ("invalid_dpop_proof", dpop),
    ] {
        for status in [200, 400, 403] {
            let (output, _) =
                with_response(response(status, "application/json", &json!({ "error": code }).to_string()));
            assert_eq!(output, failure("pkce-refresh", 1, &format!("token endpoint: {code}{hint}")), "{status}");
        }
    }
    let description = "The request is missing the parameter 'scope'.";
    let body = json!({ "error": "invalid_request", "error_description": description });
    let (output, _) = with_response(response(400, "application/json", &body.to_string()));
    assert_eq!(output, failure("pkce-refresh", 1, &format!("token endpoint: invalid_request: {description}{SCOPE}")));
    // A grant that has ended is not mended by a scope.
    let description =
        "AADSTS70000: one or more scopes requested are unauthorized or expired. The user must first sign in.";
    let body = json!({ "error": "invalid_grant", "error_description": description });
    let (output, _) = with_response(response(400, "application/json", &body.to_string()));
    assert_eq!(output, failure("pkce-refresh", 5, &format!("token endpoint: invalid_grant: {description}")));
    let server = Server::start(|_| response(400, "application/json", "{\"error\":\"invalid_scope\"}"));
    for (supported, hint) in [
        (
            json!(["openid"]),
            "the requested scope was openid api; api is not in scopes_supported: request another with --scope",
        ),
        (
            json!(["api", "openid"]),
            "the requested scope was openid api; request another with --scope, or allow it for the client",
        ),
        (json!(null), "the requested scope was openid api; request another with --scope, or allow it for the client"),
    ] {
        let input = with(&server, json!({ "scopes_supported": supported, "scope": "openid api" }));
        let output = run("pkce-refresh", &["--scope", "openid api"], &input.to_string());
        let message = format!("token endpoint: invalid_scope\nhint: {hint}");
        assert_eq!(output, failure("pkce-refresh", 1, &message));
    }
}

/// What is said where the server may require the scope.
const SCOPE: &str = "\nhint: the server may require the scope at a refresh too: --scope 'openid offline_access'";

#[test]
fn can_be_tried_again_where_nothing_says_that_the_token_is_refused() {
    for code in ["temporarily_unavailable", "server_error", "slow_down"] {
        for status in [200, 400] {
            let (output, _) =
                with_response(response(status, "application/json", &json!({ "error": code }).to_string()));
            assert_eq!(output, failure("pkce-refresh", 3, &format!("token endpoint: {code}")), "{status}");
        }
    }
    let refused = "{\"error\":\"invalid_grant\"}";
    for (status, body, wrong) in [
        (429, "", "the server responded with 429"),
        (429, refused, "the server responded with 429: invalid_grant"),
        (500, "{}", "the server responded with 500"),
        (500, refused, "the server responded with 500: invalid_grant"),
        (502, "<html>", "the server responded with 502"),
        (503, "", "the server responded with 503"),
        (503, "{\"access_token\":\"a\",\"token_type\":\"Bearer\"}", "the server responded with 503"),
        (403, "<html>blocked</html>", "the server responded with 403 without an OAuth error"),
        (404, "{}", "the server responded with 404 without an OAuth error"),
        (204, "", "the server responded with 204 without an OAuth error"),
        (302, "", "redirect (302) not followed"),
        (307, "<html>", "redirect (307) not followed"),
    ] {
        let (output, seen) = with_response(response(status, "application/json", body));
        let message = format!("token endpoint: {wrong}{UNKNOWN}");
        assert_eq!((output, seen.len()), (failure("pkce-refresh", 3, &message), 1));
    }
    for octets in [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}".to_vec(), Vec::new()] {
        let server = Server::start(move |_| octets.clone());
        let output = run("pkce-refresh", &[], &document(&server).to_string());
        let closed = format!("token endpoint: 127.0.0.1:{}: the server closed the connection{UNKNOWN}", server.port);
        assert_eq!((output, server.requests().len()), (failure("pkce-refresh", 3, &closed), 1));
    }
    let silent = Server::speaking(|_, stream| drop(std::io::Read::read(stream, &mut [0; 9])));
    let output = run("pkce-refresh", &["--timeout", "1"], &document(&silent).to_string());
    let message = format!("token endpoint: 127.0.0.1:{}: no response within 1 s{UNKNOWN}", silent.port);
    assert_eq!(output, failure("pkce-refresh", 3, &message));
    // Nobody listens: nothing was sent.
    let closed = with(&silent, json!({ "token_endpoint": "http://127.0.0.1:1/token" })).to_string();
    let message = "token endpoint: 127.0.0.1:1: connection refused";
    assert_eq!(run("pkce-refresh", &[], &closed), failure("pkce-refresh", 3, message));
}

#[test]
fn trusts_no_success_without_usable_tokens() {
    let large = "a".repeat(2 * 1024 * 1024);
    for (body, wrong) in [
        ("<html>", "HTML, not JSON (proxy or captive portal?)"),
        ("{}", "access_token: missing"),
        ("{\"access_token\":\"a\",\"token_type\":\"mac\"}", "token_type: not Bearer, the only supported type"),
        ("{\"a\":1,\"a\":2}", "a: duplicate"),
        (large.as_str(), "the response is larger than 1 MiB"),
    ] {
        let (output, seen) = with_response(response(200, "application/json", body));
        let message = format!("token endpoint: {wrong}; the refresh token may be spent");
        assert_eq!((output, seen.len()), (failure("pkce-refresh", 4, &message), 1));
    }
    let (output, _) = with_response(response(200, "application/json", "{\"error\":5,\"access_token\":\"a\"}"));
    assert_eq!(
        output,
        failure("pkce-refresh", 4, "token endpoint: error: must be a string: 5; the refresh token may be spent")
    );
}

#[test]
fn takes_tokens_beside_an_error_that_names_none() {
    let form = "application/x-www-form-urlencoded";
    let json = "application/json";
    for (media_type, body) in [
        (json, "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"refresh_token\":\"next\",\"error\":\"\"}"),
        (json, "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"refresh_token\":\"next\",\"error\":false}"),
        (json, "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"refresh_token\":\"next\",\"error\":{}}"),
        (form, "access_token=a&token_type=bearer&refresh_token=next&error="),
    ] {
        let (output, _) = with_response(response(200, media_type, body));
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{body}");
        let got = output.json();
        assert_eq!(
            (&got["access_token"], &got["refresh_token"], got.get("error")),
            (&json!("a"), &json!("next"), None)
        );
    }
}

#[test]
fn makes_room_for_the_next_response_before_it_is_sent_for() {
    let server = Server::start(|_| json_response(&tokens()));
    let added = json!({ "own": "o".repeat(1000 * 1024), "token_answer_members": ["own"] });
    let output = run("pkce-refresh", &[], &with(&server, added).to_string());
    let note = "the document would be too large, so the other members of token responses are left out";
    assert_eq!((output.status, output.stderr.as_str()), (0, format!("pkce-refresh: note: {note}\n").as_str()));
    assert_eq!(output.json().get("own"), None);
}

#[test]
fn keeps_the_refresh_token_where_the_new_one_is_empty_or_malformed() {
    for (token, note) in [
        (json!(""), ""),
        (
            json!("a\nb"),
            "pkce-refresh: note: token endpoint: refresh_token: must be one or more visible ASCII characters; left out\n",
        ),
        (json!(5), "pkce-refresh: note: token endpoint: refresh_token: must be a string; left out\n"),
    ] {
        let (output, _) = with_response(json_response(&changed(tokens(), &json!({ "refresh_token": token }))));
        assert_eq!((output.status, output.stderr.as_str()), (0, note));
        assert_eq!((&output.json()["refresh_token"], &output.json()["access_token"]), (&json!(TOKEN), &json!("new")));
    }
}

#[test]
fn leaves_out_a_malformed_lifetime_and_takes_a_missing_type_for_bearer() {
    let (output, _) = with_response(json_response(&json!({ "access_token": "new", "expires_in": "soon" })));
    let notes = "pkce-refresh: note: token endpoint: token_type: missing; taken to be Bearer\n\
                 pkce-refresh: note: token endpoint: expires_in: must be a number of seconds, up to a hundred years; \
                 left out\n";
    assert_eq!((output.status, output.stderr.as_str()), (0, notes));
    let got = output.json();
    assert_eq!((&got["token_type"], got.get("expires_in"), got.get("expires_at")), (&json!("Bearer"), None, None));
}

#[test]
fn renews_what_an_earlier_response_added_and_nothing_else() {
    let new = json!({
        "access_token": "new", "token_type": "bearer", "instance_url": "https://new.example", "limits": { "a": 2 },
        "own": "evil", "later": 2, "nonce": "evil", "issuer": "https://evil.example", "token_answer_members": ["own"],
    });
    let server = Server::start(move |_| json_response(&new));
    // A list that was written by hand names members that control a login, and one that is not there.
    let listed = json!(["instance_url", "limits", "workspace", "nonce", "issuer", "gone"]);
    let before = json!({
        "instance_url": "https://old.example", "limits": { "a": 1, "b": 1 }, "workspace": "w1",
        "token_answer_members": listed, "expires_in": null, "expires_at": null, "id_token": null,
    });
    let output = run("pkce-refresh", &[], &with(&server, before.clone()).to_string());
    let after = json!({
        "access_token": "new", "token_type": "bearer", "instance_url": "https://new.example", "limits": { "a": 2 },
        "later": 2, "token_answer_members": ["gone", "instance_url", "later", "limits", "workspace"],
    });
    let expected = changed(with(&server, before), &after);
    assert_eq!((output.status, output.stderr.as_str(), output.json()), (0, "", expected));
}

#[test]
fn lists_each_member_that_responses_added_once() {
    let server = Server::start(|_| json_response(&changed(tokens(), &json!({ "added": 1 }))));
    let mut document = with(&server, json!({ "token_answer_members": ["added"] }));
    for _ in 0..2 {
        let output = run("pkce-refresh", &[], &document.to_string());
        document = output.json();
        assert_eq!((&document["added"], &document["token_answer_members"]), (&json!(1), &json!(["added"])));
    }
}

#[test]
fn neither_sends_a_token_nor_loses_one_for_the_size_of_the_document() {
    let server = Server::start(|_| {
        json_response(&changed(tokens(), &json!({ "refresh_token": "next", "added": "a".repeat(600 * 1024) })))
    });
    let of_size = |size: usize| {
        let without = with(&server, json!({ "own": "" })).to_string().len() + 1;
        with(&server, json!({ "own": "o".repeat(size - without) })).to_string()
    };
    let output = run("pkce-refresh", &[], &of_size(960 * 1024 + 1));
    let message = "document: larger than 960 KiB, which leaves no room for the response";
    assert_eq!((output, server.requests().len()), (failure("pkce-refresh", 2, message), 0));
    let output = run("pkce-refresh", &[], &of_size(500 * 1024));
    let note = "the document would be too large, so the other members of token responses are left out";
    assert_eq!((output.status, output.stderr.as_str()), (0, format!("pkce-refresh: note: {note}\n").as_str()));
    let got = output.json();
    assert_eq!((&got["refresh_token"], got.get("added")), (&json!("next"), None));
    let server =
        Server::start(|_| json_response(&json!({ "access_token": "t".repeat(1 << 19), "token_type": "Bearer" })));
    let large = with(&server, json!({ "own": "o".repeat(600 * 1024) })).to_string();
    let message = "document: larger than 1 MiB with the new tokens; the tokens issued by the server are lost";
    assert_eq!(run("pkce-refresh", &[], &large), failure("pkce-refresh", 5, message));
}

#[test]
fn keeps_the_token_out_of_messages_and_says_what_is_lost() {
    let body = json!({ "error": "invalid_grant", "error_description": format!("no {TOKEN}\u{1b}[2J") });
    let (output, _) = with_response(response(400, "application/json", &body.to_string()));
    assert_eq!(output, failure("pkce-refresh", 5, "token endpoint: invalid_grant: no [...]?[2J"));
    for said in ["1//0a-b%2Bc%2fd", "1\\/\\/0a-b\\u002bc\\/d", "1%2F%2F0a-b%2Bc%2Fd"] {
        let body = json!({ "error": "invalid_grant", "error_description": format!("refresh_token={said}&") });
        let server = Server::start(move |_| response(400, "application/json", &body.to_string()));
        let output = run("pkce-refresh", &[], &with(&server, json!({ "refresh_token": "1//0a-b+c/d" })).to_string());
        let message = "token endpoint: invalid_grant: refresh_token=[...]&";
        assert_eq!(output, failure("pkce-refresh", 5, message), "{said}");
    }
    let server = Server::start(|_| json_response(&tokens()));
    let script = |to: &str| {
        let mut shell = command("bash");
        finish(shell.args(["-c", &format!("pkce-refresh {to}")]), document(&server).to_string().as_bytes())
    };
    let output = script(">/dev/full");
    let lost = "no space left on device; the tokens issued by the server are lost";
    assert_eq!(
        (output.status, output.stderr),
        (5, format!("pkce-refresh: standard output: {lost}\nhint: run the login again\n"))
    );
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn refuses_documents_whose_token_it_must_not_send() {
    let server = Server::start(|_| json_response(&tokens()));
    let hint = "\nhint: servers issue one if the scope includes offline_access; most require --prompt consent as well";
    for (changes, status, message) in [
        (json!({ "refresh_token": null }), 2, format!("refresh_token: missing{hint}")),
        (json!({ "refresh_token": 5 }), 2, "refresh_token: must be a string".to_owned()),
        (
            json!({ "refresh_token": "a\nb" }),
            2,
            "refresh_token: must be one or more visible ASCII characters".to_owned(),
        ),
        (json!({ "token_endpoint": null }), 2, "token_endpoint: missing\nhint: pkce-discover adds it".to_owned()),
        (json!({ "client_id": null }), 2, "client_id: missing\nhint: pkce-url adds it".to_owned()),
        (
            json!({ "token_endpoint": "http://id.example/token" }),
            4,
            "token_endpoint: plain http is only allowed to this machine; use https\nhint: for a test network, list its hosts in PKCE_HTTP_HOSTS, such as keycloak:8080".to_owned(),
        ),
    ] {
        let output = run("pkce-refresh", &[], &with(&server, changes).to_string());
        assert_eq!(output, failure("pkce-refresh", status, &message));
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn shows_who_the_client_is_as_the_exchange_does() {
    let server = Server::start(|_| json_response(&tokens()));
    let document = with(&server, json!({ "client_secret": "s3cr3t-s3cr3t" })).to_string();
    let output = run("pkce-refresh", &[], &document);
    assert_eq!((output.status, &output.json()["client_secret"]), (0, &json!("s3cr3t-s3cr3t")));
    let seen = server.requests();
    assert_eq!(seen[0].header("Authorization"), Some("Basic Y2xpOnMzY3IzdC1zM2NyM3Q="));
    assert!(!seen[0].body.contains("s3cr3t-s3cr3t") && !seen[0].body.contains("client_id"));
}

#[test]
fn sends_the_request_as_the_exchange_was_told() {
    let server = Server::start(|_| json_response(&tokens()));
    let told = json!({
        "client_secret": "s3cret",
        "token_request": {
            "format": "json", "auth_method": "client_secret_post",
            "parameters": { "client_id": "cli", "action": "requesttoken", "scope": "openid" },
        },
    });
    let output = run("pkce-refresh", &[], &with(&server, told.clone()).to_string());
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    let [seen] = &server.requests()[..] else { panic!("{:?}", server.requests()) };
    assert_eq!((seen.header("Content-Type"), seen.header("Authorization")), (Some("application/json"), None));
    let expected = json!({
        "grant_type": "refresh_token", "refresh_token": TOKEN, "client_id": "cli", "client_secret": "s3cret",
        "action": "requesttoken", "scope": "openid",
    });
    assert_eq!(serde_json::from_str::<Value>(&seen.body).unwrap(), expected);
    assert_eq!(output.json()["token_request"], told["token_request"]);
}

#[test]
fn remembers_what_it_was_told_itself_and_worked() {
    let server = Server::start(|seen| match seen.body.contains("wrong") {
        false => json_response(&tokens()),
        true => response(400, "application/json", "{\"error\":\"invalid_scope\"}"),
    });
    let told = json!({ "client_secret": "s3cret", "token_request": { "parameters": { "a": "b", "scope": "openid" } } });
    let before = with(&server, told);
    let args = ["--scope", "offline_access", "--param", "c=d", "--auth-method", "client_secret_post"];
    let output = run("pkce-refresh", &args, &before.to_string());
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    let sent = [
        ("grant_type", "refresh_token"),
        ("refresh_token", TOKEN),
        ("a", "b"),
        ("c", "d"),
        ("scope", "offline_access"),
        ("client_id", "cli"),
        ("client_secret", "s3cret"),
    ];
    assert_eq!(server.requests()[0].form(), pairs(&sent));
    let after = output.json();
    let parameters = json!({ "a": "b", "c": "d", "scope": "offline_access" });
    assert_eq!(after["token_request"], json!({ "auth_method": "client_secret_post", "parameters": parameters }));
    // The next one needs no options.
    assert_eq!(run("pkce-refresh", &[], &after.to_string()).status, 0);
    assert_eq!(server.requests()[1].form(), pairs(&sent));
    // Nor is anything printed that did not work.
    let output = run("pkce-refresh", &["--scope", "wrong"], &before.to_string());
    assert_eq!((output.status, output.stdout.as_str()), (1, "!1 refused pkce-refresh\n"));
}

#[test]
fn sends_nothing_as_a_malformed_token_request_says() {
    let server = Server::start(|_| json_response(&tokens()));
    let reserved = "reserved";
    for (told, wrong) in [
        (json!("json"), "not a JSON object"),
        (json!([]), "not a JSON object"),
        (json!({ "format": "xml" }), "format: must be form or json"),
        (json!({ "format": 1 }), "format: must be a string"),
        (json!({ "auth_method": "private_key_jwt" }), "auth_method: not supported"),
        (json!({ "auth_method": [] }), "auth_method: must be a string"),
        (json!({ "parameters": "a=b" }), "parameters: not a JSON object"),
        (json!({ "parameters": { "a": 1 } }), "a: must be a string"),
        (json!({ "parameters": { "a": null } }), "a: must be a string"),
        (json!({ "parameters": { "a": "" } }), "a: must not be empty"),
        (json!({ "parameters": { "a": "b\nc" } }), "a: must not have control characters"),
        (json!({ "parameters": { "": "b" } }), ": a name must be visible ASCII characters"),
        (json!({ "parameters": { "\u{e9}": "b" } }), "\u{e9}: a name must be visible ASCII characters"),
        (json!({ "parameters": { "client_secret": "s3cret" } }), "client_secret: a secret must not be a parameter"),
        (json!({ "parameters": { "grant_type": "password" } }), &format!("grant_type: {reserved}")),
        (json!({ "parameters": { "resource": "https://a" } }), &format!("resource: {reserved}")),
        (json!({ "parameters": { "client_id": "0ther" } }), "client_id: not the document's client_id"),
        (json!({ "parameters": { "scope": "" } }), "scope: must not be empty"),
        (
            json!({ "parameters": { "scope": "a\"b" } }),
            "scope: must be names separated by single spaces, without \" and \\",
        ),
    ] {
        let output = run("pkce-refresh", &[], &with(&server, json!({ "token_request": told })).to_string());
        assert_eq!(output, failure("pkce-refresh", 2, &format!("token_request: {wrong}")), "{told}");
    }
    // What another version recorded stays.
    let told = json!({ "format": "json", "later": [1] });
    let output = run("pkce-refresh", &["--scope", "a"], &with(&server, json!({ "token_request": told })).to_string());
    let kept = json!({ "format": "json", "later": [1], "parameters": { "scope": "a" } });
    assert_eq!((output.status, &output.json()["token_request"]), (0, &kept));
    let server = Server::start(|_| json_response(&tokens()));
    let output = run("pkce-refresh", &["--param", "client_id=0ther"], &document(&server).to_string());
    assert_eq!(output, failure("pkce-refresh", 2, "--param: client_id: not the document's client_id"));
    let twice = run("pkce-refresh", &["--scope", "a", "--param", "scope=b"], "");
    assert_eq!(twice, failure("pkce-refresh", 2, "--param: scope: duplicate\nhint: set it with --scope"));
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn sends_no_secret_to_a_server_that_lists_no_way_to_send_it() {
    let server = Server::start(|_| json_response(&tokens()));
    let unlisted = json!({ "client_secret": "s3cret", "token_endpoint_auth_methods_supported": ["private_key_jwt"] });
    let wrong = "token_endpoint_auth_methods_supported: lists only private_key_jwt, \
                 so the client secret is not sent\n\
                 hint: choose how to send it with --auth-method, or send no secret with --auth-method none";
    let output = run("pkce-refresh", &[], &with(&server, unlisted).to_string());
    assert_eq!((output, server.requests().len()), (failure("pkce-refresh", 2, wrong), 0));
}

/// Inside pkce-idp.
fn inside(script: &str) -> Output {
    finish(command("pkce-idp").args(["--auto-approve", "--", "bash", "-c", script]), b"")
}

const LOGIN: &str = "pkce-discover | pkce-gen - | pkce-url --scope 'openid offline_access' --prompt consent |
    pkce-callback | pkce-exchange | pkce-verify";

#[test]
fn is_checked_by_pkce_verify_against_the_login() {
    let output = inside(&format!(
        "document=$({LOGIN}) || exit
        for turn in 1 2 3; do document=$(printf %s \"$document\" | pkce-refresh | pkce-verify) || exit; done
        printf %s \"$document\""
    ));
    assert_eq!((output.status, output.json()["id_token_claims"]["sub"].as_str()), (0, Some("alice")), "{output:?}");
    // The claims of another login's.
    let output = inside(&format!(
        "{LOGIN} | sed 's/\"sub\":\"alice\"/\"sub\":\"mallory\"/' | pkce-refresh | pkce-verify 2>&1 >/dev/null"
    ));
    assert_eq!((output.status, output.stdout.as_str()), (4, "pkce-verify: id_token: sub: changed since the login\n"));
}

#[test]
fn ends_the_whole_grant_where_an_old_token_is_sent_again() {
    let output = inside(&format!(
        "document=$({LOGIN}) || exit
        printf %s \"$document\" | pkce-refresh > >(cat >/dev/null) || exit 9
        printf %s \"$document\" | pkce-refresh"
    ));
    assert_eq!((output.status, output.stdout.as_str()), (5, "!5 login_required pkce-refresh\n"), "{output:?}");
    assert!(output.stderr.contains("pkce-refresh: token endpoint: invalid_grant: "), "{output:?}");
}
