//! Errors: what the server says, and a code that may be spent.

use std::io::Write;

use serde_json::{Value, json};

use crate::common::{Server, changed, command, done, failure, finish, free_port, json_response, response, run, start};
use crate::{VERIFIER, document, tokens, with, with_response};

#[test]
fn says_what_the_server_says_in_printable_words_and_without_our_secrets() {
    let description = format!("bad\r\n\u{1b}[31mcode c0de-c0de and {VERIFIER}\u{9b}");
    let body = json!({ "error": "invalid_grant", "error_description": description, "error_uri": "https://a/e" });
    let (output, _) = with_response(response(400, "application/json", &body.to_string()));
    let message = "token endpoint: invalid_grant: bad  ?[31mcode [...] and [...]?";
    assert_eq!(output, failure("pkce-exchange", 5, message));

    let server = Server::start(move |_| response(403, "application/json", &body.to_string()));
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
fn repeats_no_secret_as_the_name_of_a_member_or_beside_the_request() {
    let twice = format!("{{\"{VERIFIER}\":1,\"{VERIFIER}\":2}}");
    let (output, _) = with_response(response(200, "application/json", &twice));
    assert_eq!(output, failure("pkce-exchange", 4, "token endpoint: a member: duplicate; the code may be spent"));
    // A secret of the document that was not sent.
    let body = json!({ "error": "invalid_grant", "error_description": "not with old-access-token" });
    let server = Server::start(move |_| response(400, "application/json", &body.to_string()));
    let held = with(&server, json!({ "access_token": "old-access-token" }));
    let output = run("pkce-exchange", &[], &held.to_string());
    assert_eq!(output, failure("pkce-exchange", 5, "token endpoint: invalid_grant: not with [...]"));
}

#[test]
fn repeats_no_secret_in_another_form() {
    // `cli:s3cr3t%2B%2F%3D%22x%20y`, as the Basic header has it, and without its padding.
    let basic = "Y2xpOnMzY3IzdCUyQiUyRiUzRCUyMnglMjB5";
    for (said, shown) in [
        ("s3cr3t+/=\"x y", "[...]"),
        ("s3cr3t%2B%2F%3D%22x%20y", "[...]"),
        ("s3cr3t%2b%2f%3d%22x+y", "[...]"),
        ("client_secret=s3cr3t%2B/%3d%22x+y&a=b", "client_secret=[...]&a=b"),
        ("s3cr3t%252B%252F%253D%2522x%2520y", "[...]"),
        ("{\"client_secret\":\"s3cr3t+\\/=\\\"x y\"}", "{\"client_secret\":\"[...]\"}"),
        ("s3cr3t\\u002b\\u002F\\u003d\\u0022x\\u0020y", "[...]"),
        ("\\u0073\\u0033cr3t+/=\"x y", "[...]"),
        (basic, "[...]"),
        (&format!("Authorization: Basic {basic}."), "Authorization: Basic [...]."),
        // The same without form-encoding.
        ("Y2xpOnMzY3IzdCsvPSJ4IHk", "[...]"),
        ("s3cr3t", "s3cr3t"),
    ] {
        let body = json!({ "error": "invalid_request", "error_description": format!("got {said}") });
        let server = Server::start(move |_| response(400, "application/json", &body.to_string()));
        for method in ["client_secret_basic", "client_secret_post"] {
            let secret = json!({ "client_secret": "s3cr3t+/=\"x y", "token_endpoint_auth_method": method });
            let output = run("pkce-exchange", &[], &with(&server, secret).to_string());
            let message = format!("token endpoint: invalid_request: got {shown}");
            assert_eq!(output, failure("pkce-exchange", 1, &message), "{method}: {said}");
        }
    }
}

#[test]
fn repeats_no_body_with_a_short_secret_in_it() {
    for secret in ["ab+cdefg", "a+b+c+d+e+f", "my pass 1", "p\u{a3}ssw0r\u{a3}"] {
        let server = Server::start(move |request| {
            let body = &request.body;
            response(
                400,
                "application/json",
                &json!({ "error": "invalid_request", "error_description": body }).to_string(),
            )
        });
        let members = json!({ "client_secret": secret, "token_endpoint_auth_method": "client_secret_post" });
        let output = run("pkce-exchange", &[], &with(&server, members).to_string());
        assert!(output.stderr.contains("&client_secret=[...]\n"), "{secret}: {output:?}");
    }
}

#[test]
fn repeats_no_basic_header_without_its_padding() {
    for (secret, sent) in [("secret-12", "Y2xpOnNlY3JldC0xMg=="), ("secret-123", "Y2xpOnNlY3JldC0xMjM=")] {
        for said in [sent, sent.trim_end_matches('='), &sent.replace('=', "%3D")] {
            let body = json!({ "error": "invalid_request", "error_description": said });
            let server = Server::start(move |_| response(400, "application/json", &body.to_string()));
            let document = with(&server, json!({ "client_secret": secret }));
            let output = run("pkce-exchange", &[], &document.to_string());
            assert_eq!(server.requests()[0].header("Authorization"), Some(format!("Basic {sent}").as_str()));
            let padding = said.strip_prefix(sent.trim_end_matches('=')).unwrap();
            let message = format!("token endpoint: invalid_request: [...]{padding}");
            assert_eq!(output, failure("pkce-exchange", 1, &message));
        }
    }
}

#[test]
fn redacts_before_it_cuts_a_long_text() {
    // The secret would begin before the 200th character, and end after it.
    for place in [200 - 30, 200 - 5, 200 - 1] {
        let filled = "a".repeat(place);
        let shown: String = format!("{filled}[...]").chars().take(200).collect();
        let body = json!({ "error": "invalid_grant", "error_description": format!("{filled}{VERIFIER}") });
        let (output, _) = with_response(response(400, "application/json", &body.to_string()));
        assert_eq!(output, failure("pkce-exchange", 5, &format!("token endpoint: invalid_grant: {shown}")));
        let (output, _) = with_response(response(400, "text/plain", &format!("{filled}{VERIFIER}")));
        let message = format!("the server responded with 400 without an OAuth error: {shown}; the code may be spent");
        assert_eq!(output, failure("pkce-exchange", 5, &format!("token endpoint: {message}")));
    }
}

#[test]
fn tells_a_program_no_secret_either() {
    let twice = format!("{VERIFIER}=1&{VERIFIER}=2");
    let server = Server::start(move |_| response(200, "application/x-www-form-urlencoded", &twice));
    let mut tool = command("pkce-exchange");
    let output = finish(tool.env("PKCE_ERRORS", "json"), document(&server).to_string().as_bytes());
    let said: Value = serde_json::from_str(&output.stderr).unwrap();
    let expected = json!({
        "tool": "pkce-exchange", "status": 4, "kind": "untrusted", "http_status": 200, "member": "[...]",
        "message": "token endpoint: [...]: duplicate; the code may be spent",
    });
    assert_eq!(said, expected);
}

#[test]
fn tells_what_a_public_client_needs_where_it_is_refused() {
    let hint = "\nhint: if the client has no secret, register it with token_endpoint_auth_method none; \
                otherwise use --client-secret-file or PKCE_CLIENT_SECRET_FILE";
    let (output, _) = with_response(response(401, "application/json", "{\"error\":\"invalid_client\"}"));
    assert_eq!(output, failure("pkce-exchange", 1, &format!("token endpoint: invalid_client{hint}")));
    let (output, _) = with_response(response(400, "application/json", "{\"error\":\"invalid_client\"}"));
    assert_eq!(output, failure("pkce-exchange", 1, &format!("token endpoint: invalid_client{hint}")));
    let (output, _) = with_response(response(401, "", ""));
    let secret = "\nhint: if the client has a secret, this step needs it too: --client-secret-file, \
                  --client-secret-command or PKCE_CLIENT_SECRET_FILE";
    let message = format!("token endpoint: the server responded with 401{secret}");
    assert_eq!(output, failure("pkce-exchange", 1, &message));
    let (output, _) = with_response(response(401, "application/json", "{\"error\":\"invalid_grant\"}"));
    assert_eq!(output, failure("pkce-exchange", 5, "token endpoint: invalid_grant"));
    let (output, _) = with_response(response(401, "application/json", "{\"error\":\"unauthorized_client\"}"));
    assert_eq!(output, failure("pkce-exchange", 1, &format!("token endpoint: unauthorized_client{hint}")));
    let (output, _) = with_response(response(403, "application/json", "{\"error\":\"unauthorized_client\"}"));
    assert_eq!(output, failure("pkce-exchange", 1, &format!("token endpoint: unauthorized_client{hint}")));
}

#[test]
fn tells_a_public_client_which_method_the_server_requires_or_that_none_is_supported() {
    let none = "none of the server's client authentication methods is supported";
    let register = "if the client has no secret, register it with token_endpoint_auth_method none; \
                    otherwise use --client-secret-file or PKCE_CLIENT_SECRET_FILE";
    let secret = "the server requires a client secret: use --client-secret-file, --client-secret-command or PKCE_CLIENT_SECRET_FILE";
    for (listed, hint) in [
        (json!(["private_key_jwt"]), format!("{none}: private_key_jwt")),
        (json!(["private_key_jwt", "tls_client_auth"]), format!("{none}: private_key_jwt, tls_client_auth")),
        (json!(["m".repeat(300)]), format!("{none}: {}", "m".repeat(200))),
        (json!([]), none.to_owned()),
        (json!(["private_key_jwt", "none"]), register.to_owned()),
        (json!(["client_secret_basic", "none"]), register.to_owned()),
        (json!(["private_key_jwt", "client_secret_basic"]), secret.to_owned()),
        (json!(["client_secret_post"]), secret.to_owned()),
        (json!(["client_secret_basic", "client_secret_post"]), secret.to_owned()),
        (json!([1]), register.to_owned()),
    ] {
        for (status, code) in [(400, "invalid_client"), (401, "invalid_client"), (401, "unauthorized_client")] {
            let body = json!({ "error": code }).to_string();
            let server = Server::start(move |_| response(status, "application/json", &body));
            let document = with(&server, json!({ "token_endpoint_auth_methods_supported": listed }));
            let expected = format!("token endpoint: {code}\nhint: {hint}");
            let output = run("pkce-exchange", &[], &document.to_string());
            assert_eq!(output, failure("pkce-exchange", 1, &expected));
        }
    }
}

#[test]
fn takes_an_empty_description_for_none() {
    let body = json!({ "error": "invalid_grant", "error_description": "", "error_uri": "" });
    let server = Server::start(move |_| response(400, "application/json", &body.to_string()));
    let output = run("pkce-exchange", &[], &document(&server).to_string());
    assert_eq!(output, failure("pkce-exchange", 5, "token endpoint: invalid_grant"));
    let mut tool = command("pkce-exchange");
    let output = finish(tool.env("PKCE_ERRORS", "json"), document(&server).to_string().as_bytes());
    let said: Value = serde_json::from_str(&output.stderr).unwrap();
    assert_eq!((said.get("error_description"), said.get("error_uri")), (None, None), "{said}");
}

#[test]
fn says_what_a_server_requires_that_is_not_supported() {
    let hint = "\nhint: the server requires DPoP (RFC 9449), which is not supported";
    for code in ["use_dpop_nonce", "invalid_dpop_proof"] {
        let (output, _) = with_response(response(400, "application/json", &json!({ "error": code }).to_string()));
        assert_eq!(output, failure("pkce-exchange", 1, &format!("token endpoint: {code}{hint}")));
    }
}

#[test]
fn sends_a_code_once_whatever_happens_to_it() {
    let spent = "; the code may be spent";
    for (octets, status, message) in [
        (Vec::new(), 5, format!("token endpoint: 127.0.0.1:PORT: the server closed the connection{spent}")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_vec(), 5, String::new()),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}".to_vec(), 4, String::new()),
        (
            b"no HTTP at all\r\n\r\n".to_vec(),
            4,
            format!("token endpoint: 127.0.0.1:PORT: the response is not valid HTTP{spent}"),
        ),
        (response(500, "text/html", "<p>sorry"), 5, format!("token endpoint: the server responded with 500{spent}")),
        (response(502, "", ""), 5, format!("token endpoint: the server responded with 502{spent}")),
        (
            response(400, "", ""),
            5,
            format!("token endpoint: the server responded with 400 without an OAuth error{spent}"),
        ),
        (response(503, "", ""), 3, "token endpoint: the server responded with 503".to_owned()),
        (response(429, "", ""), 3, "token endpoint: the server responded with 429".to_owned()),
        (response(204, "", ""), 4, format!("token endpoint: the server responded with 204{spent}")),
        (
            response(200, "text/html", "<html>"),
            4,
            format!("token endpoint: HTML, not JSON (proxy or captive portal?){spent}"),
        ),
        (
            response(200, "application/json", &format!("{{\"a\":\"{}\"}}", "a".repeat(2 * 1024 * 1024))),
            4,
            format!("token endpoint: the response is larger than 1 MiB{spent}"),
        ),
    ] {
        let server = Server::start(move |_| octets.clone());
        let output = run("pkce-exchange", &[], &document(&server).to_string());
        assert_eq!((output.status, server.requests().len()), (status, 1), "{message}: {output:?}");
        if !message.is_empty() {
            let message = message.replace("PORT", &server.port.to_string());
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
    let message = format!("token endpoint: 127.0.0.1:{}: no response within 1 s; the code may be spent", server.port);
    assert_eq!((output, server.requests().len()), (failure("pkce-exchange", 5, &message), 1));
}

#[test]
fn spends_nothing_where_no_server_responds_or_nobody_reads() {
    let free = free_port();
    let server = Server::start(|_| json_response(&tokens()));
    let refused = with(&server, json!({ "token_endpoint": format!("http://127.0.0.1:{free}/token") }));
    let output = run("pkce-exchange", &[], &refused.to_string());
    assert_eq!(output, failure("pkce-exchange", 3, &format!("token endpoint: 127.0.0.1:{free}: connection refused")));

    let mut child = start(&mut command("pkce-exchange"));
    drop(child.stdout.take());
    child.stdin.take().unwrap().write_all(document(&server).to_string().as_bytes()).unwrap();
    let output = done(child);
    assert_eq!((output.status, output.stderr.as_str(), server.requests().len()), (3, "", 0));
}

#[test]
fn says_what_is_lost_where_the_tokens_cannot_be_printed() {
    let server = Server::start(|_| json_response(&tokens()));
    let lost = "; the tokens issued by the server are lost";
    let script = format!("printf '%s' '{}' | pkce-exchange >/dev/full", document(&server));
    let output = finish(command("sh").args(["-c", &script]), b"");
    let message = format!("pkce-exchange: standard output: no space left on device{lost}\nhint: run the login again\n");
    assert_eq!((output.status, output.stderr), (5, message));
    let output = run("pkce-exchange", &["-r", "id_token"], &document(&server).to_string());
    let message = format!("pkce-exchange: id_token: missing{lost}\n");
    assert_eq!((output.status, output.stdout.as_str(), output.stderr), (2, "", message));
}

#[test]
fn takes_no_response_with_an_error_in_it_for_a_success() {
    for (error, status, message) in [
        (json!("x"), 1, "token endpoint: x"),
        (json!("invalid_grant"), 5, "token endpoint: invalid_grant"),
        (json!("interaction_required"), 5, "token endpoint: interaction_required"),
        (json!("consent_required"), 5, "token endpoint: consent_required"),
        (json!("login_required"), 5, "token endpoint: login_required"),
    ] {
        let body = json!({ "access_token": "AT", "token_type": "Bearer", "error": error });
        for code in [200, 201, 400, 403] {
            let (output, _) = with_response(response(code, "application/json", &body.to_string()));
            assert_eq!(output, failure("pkce-exchange", status, message), "{code} {error}");
        }
    }
}

#[test]
fn takes_no_response_with_an_error_of_another_type_for_a_success() {
    for error in [json!({ "code": 400, "message": "x" }), json!(["x"]), json!(5), json!(true)] {
        let body = json!({ "access_token": "AT", "token_type": "Bearer", "error": error });
        let (output, _) = with_response(json_response(&body));
        assert!([1, 4].contains(&output.status), "{error}: {output:?}");
        assert_eq!(output.stdout, failure("pkce-exchange", output.status, "").stdout, "{error}");
    }
}

#[test]
fn names_an_error_even_where_the_server_does_not() {
    let (output, _) = with_response(response(400, "application/json", "{\"error\":\"\"}"));
    let message = output.stderr.lines().next().unwrap().strip_prefix("pkce-exchange: token endpoint: ").unwrap();
    assert!(!message.is_empty(), "{output:?}");
}

#[test]
fn takes_server_errors_for_what_they_are_whatever_the_body_says() {
    let spent = "; the code may be spent";
    for (status, body, expected, message) in [
        (
            503,
            "{\"error\":\"temporarily_unavailable\"}",
            3,
            "token endpoint: the server responded with 503: temporarily_unavailable".to_owned(),
        ),
        (429, "{\"error\":\"slow_down\"}", 3, "token endpoint: the server responded with 429: slow_down".to_owned()),
        (
            500,
            "{\"error\":\"server_error\",\"error_description\":\"Down.\"}",
            5,
            format!("token endpoint: the server responded with 500: Down.{spent}"),
        ),
        (500, "{\"access_token\":\"AT\"}", 5, format!("token endpoint: the server responded with 500{spent}")),
        (404, "<h1>none", 5, format!("token endpoint: the server responded with 404 without an OAuth error{spent}")),
        (
            206,
            "{\"access_token\":\"AT\"}",
            4,
            "token endpoint: the server responded with 206; the code may be spent".to_owned(),
        ),
    ] {
        let (output, seen) = with_response(response(status, "application/json", body));
        assert_eq!((output, seen.len()), (failure("pkce-exchange", expected, &message), 1));
    }
}

#[test]
fn says_what_to_do_where_the_server_has_forgotten_a_registered_client() {
    let hint = "hint: the server may not know the client any more: register another one (pkce-register, or pkce-login --register), then sign in";
    for (octets, wrong) in [
        (
            response(401, "application/json", r#"{"error":"invalid_client","error_description":"Client not found"}"#),
            "invalid_client: Client not found",
        ),
        (response(400, "application/json", r#"{"error":"invalid_client"}"#), "invalid_client"),
        (response(401, "", ""), "the server responded with 401"),
    ] {
        for secret in [json!({}), json!({ "client_secret": "s3cr3t" })] {
            let octets = octets.clone();
            let server = Server::start(move |_| octets.clone());
            let registered = changed(with(&server, json!({ "redirect_uris": ["http://127.0.0.1/callback"] })), &secret);
            let output = run("pkce-exchange", &[], &registered.to_string());
            assert_eq!(output, failure("pkce-exchange", 1, &format!("token endpoint: {wrong}\n{hint}")));
        }
    }
}

#[test]
fn shows_a_servers_own_words_whatever_their_shape() {
    let json = |body: Value| ("application/json", body.to_string());
    for ((media_type, body), words) in [
        (json(json!({ "detail": "No such code." })), ": No such code."),
        (json(json!({ "message": "Bad\r\nrequest", "code": 7 })), ": Bad request"),
        (json(json!({ "code": 400, "msg": "Invalid flow state" })), ": Invalid flow state"),
        (json(json!({ "type": "about:blank", "title": "Forbidden", "status": 403 })), ": Forbidden"),
        (json(json!({ "code": 1010 })), ": 1010"),
        (json(json!({ "error": { "code": 190, "message": "It has been used." } })), ": It has been used."),
        (json(json!({ "error": { "message": "code c0de-c0de \u{1b}[31m" } })), ": code [...] ?[31m"),
        (json(json!({ "reason": "x", "access_token": "AT" })), ": x"),
        (json(json!({ "detail": [{ "loc": ["body"], "msg": "field required" }] })), ": field required"),
        (json(json!([{ "message": "Session expired", "errorCode": "INVALID" }])), ": Session expired"),
        (("text/plain", "access_token=AT-1&token_type=bearer".to_owned()), ""),
        (("", "\u{feff}{\"access_token\":\"AT-1\"}".to_owned()), ""),
        (("text/plain", "no eyJhbGciOiJub25lIn0.e30.x here".to_owned()), ": no [...] here"),
        (json(json!(["x"])), ""),
        (("text/plain", "error code: 1010\n".to_owned()), ": error code: 1010"),
        (("", "Bad verifier".to_owned()), ": Bad verifier"),
        (("text/plain", "User 'alice@example.com',\nnot found".to_owned()), ": User '[...]', not found"),
        (("text/plain", "::error::x".to_owned()), ": : :error::x"),
        (("text/html", "<!doctype html><TITLE>\n403 Forbidden\n</TITLE>".to_owned()), ": 403 Forbidden"),
        (("text/html", "<p>sorry".to_owned()), ""),
        (("application/json", "{\"access_token\":\"AT\",\"message\":\"cut".to_owned()), ""),
    ] {
        let (output, _) = with_response(response(403, media_type, &body));
        let message = format!("the server responded with 403 without an OAuth error{words}; the code may be spent");
        assert_eq!(output, failure("pkce-exchange", 5, &format!("token endpoint: {message}")), "{body}");
    }
    // A success should be tokens, so only a page says something.
    for (body, wrong) in [
        ("<title>Sign in to the network</title>", "HTML, not JSON (proxy or captive portal?): Sign in to the network"),
        ("AT-1", "not JSON at line 1, column 1"),
        (r#"{"error":{"message":"Not yet."}}"#, "error: must be a string: Not yet."),
    ] {
        let (output, _) = with_response(response(200, "application/json", body));
        let message = format!("token endpoint: {wrong}; the code may be spent");
        assert_eq!(output, failure("pkce-exchange", 4, &message));
    }
}

#[test]
fn tells_a_program_what_entra_requires_of_the_next_request() {
    let claims = r#"{"access_token":{"capolids":{"essential":true,"values":["0-0"]}}}"#;
    let said = |body: Value| {
        let server = Server::start(move |_| response(400, "application/json", &body.to_string()));
        let mut tool = command("pkce-exchange");
        let output = finish(tool.env("PKCE_ERRORS", "json"), document(&server).to_string().as_bytes());
        serde_json::from_str::<Value>(&output.stderr).unwrap()
    };
    let body = json!({
        "error": "interaction_required", "error_description": "AADSTS50076: Use multi-factor authentication.",
        "error_codes": [50076], "suberror": "basic_action", "claims": claims,
    });
    let expected = json!({
        "tool": "pkce-exchange", "status": 5, "kind": "login_required", "http_status": 400,
        "message": "token endpoint: interaction_required: AADSTS50076: Use multi-factor authentication.",
        "error": "interaction_required", "error_description": "AADSTS50076: Use multi-factor authentication.",
        "error_codes": [50076], "suberror": "basic_action", "claims": claims,
    });
    assert_eq!(said(body), expected);
    let told = said(json!({ "error": "x", "error_codes": ["c0de-c0de"], "suberror": "c0de-c0de", "claims": 5 }));
    let expected = json!({
        "tool": "pkce-exchange", "status": 1, "kind": "refused", "http_status": 400, "message": "token endpoint: x",
        "error": "x", "suberror": "[...]",
    });
    assert_eq!(told, expected);
}

#[test]
fn says_how_else_a_secret_can_be_sent_that_the_server_does_not_accept() {
    let public = "a client that is registered as public must send none: --auth-method none";
    let (basic, post) = ("client_secret_basic", "client_secret_post");
    let other = |method| format!("if the secret is right, try --auth-method {method}; {public}");
    let check = format!("check the client secret; {public}");
    for (listed, method, hint) in [
        (json!([basic, post, "none"]), json!(null), other(post)),
        (json!([basic, post]), json!(post), other(basic)),
        (json!(null), json!(null), other(post)),
        (json!([post, "private_key_jwt"]), json!(null), check.clone()),
        (json!([basic]), json!(null), check),
    ] {
        for (status, body, wrong) in [
            (401, "{\"error\":\"invalid_client\"}", "invalid_client"),
            (400, "{\"error\":\"invalid_client\"}", "invalid_client"),
            (401, "", "the server responded with 401"),
        ] {
            let server = Server::start(move |_| response(status, "application/json", body));
            let changes = json!({
                "client_secret": "s3cr3t-s3cr3t", "token_endpoint_auth_methods_supported": listed,
                "token_endpoint_auth_method": method,
            });
            let output = run("pkce-exchange", &[], &with(&server, changes).to_string());
            let message = format!("token endpoint: {wrong}\nhint: {hint}");
            assert_eq!(output, failure("pkce-exchange", 1, &message));
        }
    }
}

#[test]
fn says_what_may_cure_a_request_that_the_server_refuses() {
    let secret = json!({ "client_secret": "s3cr3t-s3cr3t" });
    let described = |code: &str, text: &str| json!({ "error": code, "error_description": text });
    let entra = "AADSTS9002327: Tokens issued for the 'Single-Page Application' client-type may only be redeemed via \
                 cross-origin requests.";
    let mut single_page = described("invalid_request", entra);
    single_page["error_codes"] = json!([9_002_327]);
    let scopes = json!({ "scope": "openid api", "scopes_supported": ["openid"] });
    // Words that are decisive may come after those that are shown.
    let long = format!("{} DPoP", "a".repeat(200));
    for (changes, body, message) in [
        (
            secret.clone(),
            described("invalid_request", "Missing parameter: client_id"),
            "invalid_request: Missing parameter: client_id\n\
             hint: the server may require it beside HTTP Basic: --param client_id=cli"
                .to_owned(),
        ),
        (
            json!({}),
            single_page,
            format!(
                "invalid_request: {entra}\n\
                 hint: register the redirect URI for mobile and desktop applications, not for a single-page application"
            ),
        ),
        (
            scopes,
            json!({ "error": "invalid_scope" }),
            "invalid_scope\n\
             hint: the requested scope was openid api; api is not in scopes_supported: request another with pkce-url --scope"
                .to_owned(),
        ),
        (
            json!({}),
            described("invalid_request", &long),
            format!(
                "invalid_request: {}\nhint: the server requires DPoP (RFC 9449), which is not supported",
                "a".repeat(200)
            ),
        ),
    ] {
        let server = Server::start(move |_| response(400, "application/json", &body.to_string()));
        let output = run("pkce-exchange", &[], &with(&server, changes).to_string());
        assert_eq!(output, failure("pkce-exchange", 1, &format!("token endpoint: {message}")));
    }
    let server = Server::start(|_| response(401, "application/json", "{\"error\":\"invalid_client\"}"));
    let output = run("pkce-exchange", &["--client-secret-file", "/dev/null"], &document(&server).to_string());
    let message = "token endpoint: invalid_client\nhint: the client secret is empty: check its file or command";
    assert_eq!(output, failure("pkce-exchange", 1, message));
    // A secret that is sent may be wrong, whatever the server calls that (Keycloak).
    let server = Server::start(|_| response(401, "application/json", "{\"error\":\"unauthorized_client\"}"));
    let output = run("pkce-exchange", &[], &with(&server, secret).to_string());
    let message = "token endpoint: unauthorized_client\n\
                   hint: if the secret is right, try --auth-method client_secret_post; \
                   a client that is registered as public must send none: --auth-method none";
    assert_eq!(output, failure("pkce-exchange", 1, message));
}

#[test]
fn says_which_option_names_a_secret_that_the_server_misses() {
    let hint = "hint: the server requires a client secret: use --client-secret-file, --client-secret-command or PKCE_CLIENT_SECRET_FILE";
    for description in ["client_secret is missing.", "Missing parameter: 'client-secret'"] {
        let body = json!({ "error": "invalid_request", "error_description": description });
        let (output, _) = with_response(response(400, "application/json", &body.to_string()));
        let message = format!("token endpoint: invalid_request: {description}\n{hint}");
        assert_eq!(output, failure("pkce-exchange", 1, &message));
    }
}

#[test]
fn recognizes_a_server_that_requires_dpop_by_its_words() {
    let hint = "hint: the server requires DPoP (RFC 9449), which is not supported";
    let body = json!({ "error": "invalid_request", "error_description": "A DPoP proof is required" });
    let (output, _) = with_response(response(400, "application/json", &body.to_string()));
    let message = format!("token endpoint: invalid_request: A DPoP proof is required\n{hint}");
    assert_eq!(output, failure("pkce-exchange", 1, &message));
}
