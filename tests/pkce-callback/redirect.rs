//! The redirect: what is taken from it, and what is refused.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use serde_json::{Value, json};

use crate::common::{self, changed, command, talk};
use crate::{Login, TLS_HELLO, V4, document, request};

#[test]
fn passes_on_the_code_and_the_port_it_found() {
    let login = Login::start(&document(V4), &[]);
    let port = login.port;
    let page = login.get("code=abc&state=st-123&iss=https%3A%2F%2Fop.example.com");
    assert!(page.contains("reached the terminal"), "{page}");
    let output = login.end();
    let mut expected = document(&format!("http://127.0.0.1:{port}/callback"));
    expected["code"] = json!("abc");
    expected["iss"] = json!("https://op.example.com");
    // The rest of the URL is unchanged: only the redirect URI is replaced.
    expected["authorization_url"] = output.json()["authorization_url"].clone();
    assert_eq!((output.status, output.json()), (0, expected));
    let url = output.json()["authorization_url"].as_str().unwrap().to_owned();
    assert!(url.ends_with(&format!("redirect_uri=http%3A%2F%2F127.0.0.1%3A{port}%2Fcallback")), "{url}");
    assert_eq!(output.stderr, format!("pkce-callback: to sign in, open this URL in a browser:\n{url}\n"));
}

#[test]
fn keeps_what_the_server_added_to_the_redirect_in_one_member() {
    let again = json!({
        "redirect_parameters": { "old": "1" }, "iss": "https://op.example.com", "client_secret": "s3cr3t/s3cr3t",
    });
    for (added, expected, note) in [
        ("", Value::Null, ""),
        (
            "realmId=12%2034&accounts-server=https%3A%2F%2Fa.example&session_state=&token_endpoint=https://evil.example",
            json!({
                "realmId": "12 34", "accounts-server": "https://a.example", "session_state": "",
                "token_endpoint": "https://evil.example",
            }),
            "",
        ),
        ("iss=https://op.example.com&error=&error_description=x&error_uri=y&=z", Value::Null, ""),
        ("a=1&b=2&a=3&c=%zz", json!({ "b": "2" }), "redirect: a, c: duplicate or malformed; left out"),
        (
            "someone%40example.com=%zz&s3cr3t/s3cr3t=%zz&%23%23[x]=&%23%23[x]=",
            Value::Null,
            "redirect: # #[x], [...], [...]: duplicate or malformed; left out",
        ),
        ("a=1&a=1&a=1", Value::Null, "redirect: a: duplicate or malformed; left out"),
        ("a=%1b[2J%C2%9B", json!({ "a": "\u{1b}[2J\u{9b}" }), ""),
    ] {
        let login = Login::start(&common::changed(document(V4), &again), &[]);
        let said = login.said.clone();
        login.get(&format!("code=abc&state=st-123&{added}"));
        let output = login.end();
        let note = if note.is_empty() { String::new() } else { format!("pkce-callback: note: {note}\n") };
        assert_eq!((output.status, &output.stderr), (0, &(said + &note)), "{added}");
        assert_eq!(output.json()["redirect_parameters"], expected, "{added}");
        assert!(!output.stdout.contains('\u{1b}') && output.json()["token_endpoint"].is_null(), "{output:?}");
    }
}

#[test]
fn leaves_out_what_makes_the_document_too_large_after_a_person_has_signed_in() {
    let directory = common::new_directory();
    let file = directory.path().join("file");
    let mut large = document("http://127.0.0.1:7/callback");
    large["other"] = json!("x".repeat((1024 - 64 - 8) * 1024));
    std::fs::write(&file, format!("?code=abc&state=st-123&a={}\n", "x".repeat(16 * 1024))).unwrap();
    let output = common::run("pkce-callback", &["--response-file", file.to_str().unwrap()], &large.to_string());
    let url = large["authorization_url"].as_str().unwrap();
    let stderr = format!(
        "pkce-callback: to sign in, open this URL in a browser:\n{url}\npkce-callback: note: the document would be too \
         large, so the other parameters of the redirect are left out\n"
    );
    assert_eq!((output.status, &output.stderr), (0, &stderr));
    assert_eq!((&output.json()["code"], &output.json()["redirect_parameters"]), (&json!("abc"), &Value::Null));
}

#[test]
fn hands_what_the_server_added_to_the_script_and_to_no_later_login() {
    let home = common::new_directory();
    let login = Login::start(&document(V4), &[]);
    login.get("code=abc&state=st-123&realmId=1234");
    let after = login.end().stdout;
    let server = common::Server::start(|_| {
        common::json_response(&json!({
            "access_token": "at", "token_type": "Bearer", "redirect_parameters": { "realmId": "evil" },
        }))
    });
    let changes = json!({
        "issuer": server.url(""), "token_endpoint": server.url("/token"), "client_id": "cli",
        "code_verifier": "v".repeat(43),
    });
    let document = common::changed(serde_json::from_str(&after).unwrap(), &changes).to_string();
    let script = "pkce-exchange | pkce-store w && pkce-load w && pkce-load w | pkce-gen -";
    let mut shell = command("bash");
    let output =
        common::finish(shell.args(["-c", script]).env("PKCE_HOME", home.path().join("pkce")), document.as_bytes());
    let documents: Vec<Value> = output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(documents[0]["redirect_parameters"], json!({ "realmId": "1234" }), "{output:?}");
    assert_eq!(documents[1]["redirect_parameters"], Value::Null, "{output:?}");
}

#[test]
fn meets_every_request_of_the_vectors_as_decided() {
    // What the vectors leave open is decided: none of these delivers, and none ends the login.
    let ignored = ["jarm", "http10", "obs-fold", "prefetch", "body-smuggle", "ok-localhost-host"];
    let vectors = common::vectors("callback.json");
    let cases = vectors["cases"].as_array().unwrap();
    assert!(cases.len() > 30);
    for case in cases {
        let id = case["id"].as_str().unwrap();
        let login = Login::start(&document(V4), &[]);
        let mut octets = case["request"].as_str().unwrap().replace("PORT", &login.port.to_string()).into_bytes();
        if id == "tls-hello" {
            octets = TLS_HELLO.to_vec();
        }
        let page = talk(login.port, &octets);
        let result = if ignored.contains(&id) { "ignore" } else { case["result"].as_str().unwrap() };
        if result == "ignore" {
            assert!(page.starts_with("HTTP/1.1 4"), "{id}: {page}");
            assert!(login.get("code=abc&state=st-123").starts_with("HTTP/1.1 200"), "{id}");
        }
        let output = login.end();
        match result {
            "done" => {
                let code = if id == "ok-code-pct" {
                    "4/0AX+z="
                } else if id == "ok-code-slash-raw" {
                    "4/0AX?y"
                } else {
                    "abc"
                };
                assert_eq!((output.status, &output.json()["code"]), (0, &json!(code)), "{id}");
                assert!(page.starts_with("HTTP/1.1 200"), "{id}: {page}");
            }
            "ignore" => assert_eq!((output.status, &output.json()["code"]), (0, &json!("abc")), "{id}"),
            "reject" => {
                assert_eq!((output.status, output.stdout.as_str()), (4, "!4 untrusted pkce-callback\n"), "{id}");
                assert!(page.starts_with("HTTP/1.1 400"), "{id}: {page}");
            }
            "oauth_error" => {
                assert_eq!((output.status, output.stdout.as_str()), (1, "!1 refused pkce-callback\n"), "{id}");
                assert!(
                    output.stderr.contains("access_denied") && !output.stderr.contains('\u{1b}'),
                    "{id}: {output:?}"
                );
                assert!(page.contains("access_denied"), "{id}: {page}");
            }
            other => panic!("{id}: {other}"),
        }
    }
}

#[test]
fn says_what_the_server_said_and_nothing_a_terminal_obeys() {
    let login = Login::start(&document(V4), &[]);
    let page = login.get("error=access_denied&state=st-123&error_description=%1B%5D0%3Bpwn%07%0A%3Cb%3Eno");
    assert!(!page.contains("pwn") && !page.contains("<b>no"), "{page}");
    let said = login.said.clone();
    let output = login.end();
    let message = "pkce-callback: authorization endpoint: access_denied: ?]0;pwn? <b>no\n";
    assert_eq!(output.stderr, said + message);
}

#[test]
fn repeats_no_secret_that_the_server_repeats() {
    let secrets = [
        ("state", "st-123/st-123"),
        ("nonce", "nonce/nonce"),
        ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        ("client_secret", "s3cr3t/s3cr3t"),
        ("refresh_token", "r3fresh/r3fresh"),
    ];
    let mut long = document(V4);
    for (member, secret) in secrets {
        long[member] = json!(secret);
    }
    for (member, secret) in secrets {
        let login = Login::start(&long, &[]);
        let again = secret.replace('/', "%252F");
        let texts = format!("error_description=not+{secret}+or+{again}&error_uri=https://id.example/{secret}");
        let page = login.get(&format!("error=access_denied&state=st-123/st-123&{texts}"));
        assert!(page.contains("access_denied") && !page.contains(secret), "{member}: {page}");
        let message = "authorization endpoint: access_denied: not [...] or [...]";
        login.fails(1, message);
    }
}

#[test]
fn takes_an_empty_description_for_none() {
    let login = Login::start(&document(V4), &[]);
    login.get("error=login_required&state=st-123&error_description=&error_uri=");
    let output = login.end();
    assert_eq!(output.status, 5);
    let message = "\npkce-callback: authorization endpoint: login_required\nhint: run the login again\n";
    assert!(output.stderr.ends_with(message), "{output:?}");
}

#[test]
fn tells_a_program_the_same_in_one_line() {
    let login = Login::of(command("pkce-callback").arg("--no-browser").env("PKCE_ERRORS", "json"), &document(V4));
    login.get("error=login_required&state=st-123&error_uri=https://op.example.com/e");
    let output = login.end();
    let line: Value = serde_json::from_str(output.stderr.lines().last().unwrap()).unwrap();
    let expected = json!({
        "tool": "pkce-callback", "status": 5, "kind": "login_required", "error": "login_required",
        "message": "authorization endpoint: login_required", "error_uri": "https://op.example.com/e",
    });
    assert_eq!((output.status, line), (5, expected));
}

#[test]
fn checks_whose_redirect_it_is() {
    let mut strict = document(V4);
    strict["authorization_response_iss_parameter_supported"] = json!(true);
    let mut without = document(V4);
    without.as_object_mut().unwrap().remove("issuer");
    for (document, query, status, message) in [
        (&strict, "code=a&state=st-123", 4, "redirect: iss: missing, although the server's metadata promises it"),
        (
            &strict,
            "error=x&state=st-123",
            4,
            "redirect: iss: missing, although the server's metadata promises it; the error in it is x",
        ),
        (
            &strict,
            "error=x&state=st-123&iss=https://evil.example",
            4,
            "redirect: iss: https://evil.example instead of https://op.example.com",
        ),
        (&strict, "code=a&state=st-123&iss=https%3A%2F%2Fop.example.com", 0, ""),
        (&without, "code=a&state=st-123&iss=https://evil.example", 0, ""),
        (
            &strict,
            "code=&state=st-123&iss=https%3A%2F%2Fop.example.com",
            4,
            "redirect: code: must be one or more visible ASCII characters",
        ),
        (&strict, "state=st-123&iss=https%3A%2F%2Fop.example.com", 4, "redirect: code: missing"),
        (&strict, "error=&state=st-123&iss=https%3A%2F%2Fop.example.com", 4, "redirect: code: missing"),
        (
            &strict,
            "code=a&code=a&state=st-123&iss=https%3A%2F%2Fop.example.com",
            4,
            "redirect: code: duplicate or malformed",
        ),
        (
            &strict,
            "code=a&id_token=x&state=st-123&iss=https%3A%2F%2Fop.example.com",
            4,
            "redirect: contains tokens, which only the token endpoint may issue",
        ),
    ] {
        let login = Login::start(document, &[]);
        login.get(query);
        let output = login.end();
        assert_eq!(output.status, status, "{query}: {output:?}");
        if status != 0 {
            assert_eq!(output.stderr.lines().last(), Some(format!("pkce-callback: {message}").as_str()), "{query}");
        }
        let noted =
            output.stderr.contains("note: the document has no issuer, so the redirect's issuer cannot be checked");
        assert_eq!(noted, document["issuer"].is_null(), "{query}");
    }
}

#[test]
fn decodes_as_the_vectors_do() {
    let mut without = document(V4);
    without.as_object_mut().unwrap().remove("issuer");
    for case in common::vectors("form.json")["decode"].as_array().unwrap() {
        let login = Login::start(&without, &[]);
        login.get(&format!("code=abc&state=st-123&iss={}", case["in"].as_str().unwrap()));
        let output = login.end();
        match case["out"].as_str() {
            Some(text) => assert_eq!((output.status, &output.json()["iss"]), (0, &json!(text)), "{case}"),
            None => assert_eq!((output.status, output.stdout.as_str()), (4, "!4 untrusted pkce-callback\n"), "{case}"),
        }
    }
}

#[test]
fn prints_one_document_when_two_redirects_race() {
    let login = Login::start(&document(V4), &[]);
    let port = login.port;
    let race = |code: &'static str| {
        thread::spawn(move || {
            let text = request("127.0.0.1", port, &format!("code={code}&state=st-123"));
            let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
            stream.write_all(text.as_bytes()).ok()?;
            stream.read_to_end(&mut Vec::new()).ok()
        })
    };
    let (one, two) = (race("one"), race("two"));
    let _ = (one.join(), two.join());
    let output = login.end();
    assert_eq!((output.status, output.stdout.lines().count()), (0, 1));
}

#[test]
fn takes_no_redirect_that_a_page_loads_behind_a_persons_back() {
    let login = Login::start(&document(V4), &[]);
    let fetched = |header: &str| {
        let text = request("127.0.0.1", login.port, "code=abc&state=st-123");
        talk(login.port, text.replace("\r\n\r\n", &format!("\r\n{header}\r\n\r\n")).as_bytes())
    };
    assert!(fetched("Sec-Fetch-Mode: no-cors").starts_with("HTTP/1.1 403"));
    assert!(fetched("Sec-Fetch-Mode: cors").starts_with("HTTP/1.1 403"));
    assert!(fetched("Purpose: prefetch").starts_with("HTTP/1.1 425"));
    assert!(fetched("Sec-Fetch-Mode: navigate").starts_with("HTTP/1.1 200"));
    assert_eq!(login.end().status, 0);
}

#[test]
fn takes_a_redirect_uri_without_a_path() {
    let login = Login::start(&document("http://127.0.0.1:0"), &[]);
    let text = request("127.0.0.1", login.port, "code=abc&state=st-123").replace("/callback", "/");
    talk(login.port, text.as_bytes());
    assert_eq!(login.end().json()["code"], "abc");
}

#[test]
fn takes_consent_required_for_the_users_refusal_unless_the_server_could_not_ask() {
    for (query, status) in [
        ("", 1),
        ("&prompt=consent", 1),
        ("&prompt=login%20consent", 1),
        ("&prompt=none", 5),
        ("&prompt=none%20login", 5),
        ("&request_uri=urn:x", 5),
    ] {
        let mut document = document(V4);
        let url = format!("{}{query}", document["authorization_url"].as_str().unwrap());
        document["authorization_url"] = json!(url);
        for (error, status) in [("consent_required", status), ("login_required", 5), ("access_denied", 1)] {
            let login = Login::start(&document, &[]);
            login.get(&format!("error={error}&state=st-123"));
            login.fails(status, &format!("authorization endpoint: {error}"));
        }
    }
}

#[test]
fn says_what_may_cure_an_error_of_the_authorization_endpoint() {
    let par = "pushed_authorization_request_endpoint";
    let push = "the server may require a pushed request: put pkce-push between pkce-url and pkce-callback";
    let dpop = "the server requires DPoP (RFC 9449), which is not supported";
    let asked = "the requested scope was openid api";
    let lacking = format!("{asked}; api is not in scopes_supported: request another with pkce-url --scope");
    for (changes, query, message, hint) in [
        (json!({ par: "https://op.example.com/par" }), "error=invalid_request", "invalid_request", push),
        (json!({}), "error=invalid_request", "invalid_request", ""),
        (
            json!({ par: "https://op.example.com/par" }),
            "error=invalid_request&error_description=dpop_jkt+is+missing",
            "invalid_request: dpop_jkt is missing",
            dpop,
        ),
        (
            json!({ "scope": "openid api", "scopes_supported": ["openid"] }),
            "error=invalid_scope",
            "invalid_scope",
            &lacking,
        ),
        (
            json!({ "scope": "openid api" }),
            "error=invalid_scope&error_description=OAuth+2.0+Parameter:+scope",
            "invalid_scope: OAuth 2.0 Parameter: scope",
            &format!("{asked}; request another with pkce-url --scope, or allow it for the client"),
        ),
        (json!({ "scope": null }), "error=invalid_scope", "invalid_scope", ""),
    ] {
        let login = Login::start(&changed(document(V4), &changes), &[]);
        login.get(&format!("{query}&state=st-123"));
        let hint = if hint.is_empty() { String::new() } else { format!("\nhint: {hint}") };
        login.fails(1, &format!("authorization endpoint: {message}{hint}"));
    }
}

#[test]
fn shows_no_more_than_200_characters_of_the_servers_words() {
    let login = Login::start(&document(V4), &[]);
    login.get(&format!("error=access_denied&state=st-123&error_description={}", "a".repeat(300)));
    login.fails(1, &format!("authorization endpoint: access_denied: {}", "a".repeat(200)));
}
