//! pkce-idp: as strict as a real server, and as easy to run.
#![cfg(test)]

mod common;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::{
    Output, Server, changed, command, done, failure, finish, free_port, has, json_response, kill, new_directory,
    response, run, talk,
};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const REDIRECT: &str = "http://127.0.0.1:7/callback";
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Changes these parameters; an empty one is left out.
fn change<'a>(pairs: &mut Vec<(&'a str, &'a str)>, changes: &[(&'a str, &'a str)]) {
    for (name, value) in changes {
        pairs.retain(|(other, _)| other != name);
        if !value.is_empty() {
            pairs.push((name, value));
        }
    }
}

/// A server that runs until this is dropped.
struct Idp {
    child: Child,
    port: u16,
    document: Value,
}

impl Idp {
    fn start(args: &[&str]) -> Idp {
        // With one arena, glibc's memory grows only by what is remembered.
        let mut child = common::start(command("pkce-idp").args(args).env("MALLOC_ARENA_MAX", "1"));
        let mut text = String::new();
        // Its standard output ends at once, while it goes on.
        child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        let endpoint = document["token_endpoint"].as_str().unwrap();
        let port = endpoint.split(':').nth(2).unwrap().split('/').next().unwrap().parse().unwrap();
        Idp { child, port, document }
    }

    fn get(&self, target: &str, headers: &str) -> String {
        talk(self.port, format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{headers}\r\n", self.port).as_bytes())
    }

    fn post(&self, target: &str, headers: &str, pairs: &[(&str, &str)]) -> String {
        let body = form(pairs);
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n{headers}\r\n",
            self.port,
            body.len()
        );
        talk(self.port, (head + &body).as_bytes())
    }

    /// Asks for a code, with these parameters changed (an empty one is left out).
    fn authorize(&self, changes: &[(&str, &str)], headers: &str) -> String {
        let mut pairs = vec![
            ("response_type", "code"),
            ("client_id", "pkce-tools"),
            ("redirect_uri", REDIRECT),
            ("state", "st"),
            ("scope", "openid offline_access"),
            ("prompt", "consent"),
            ("nonce", "n1"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        change(&mut pairs, changes);
        self.get(&format!("/authorize?{}", form(&pairs)), headers)
    }

    fn code(&self) -> String {
        parameter(&self.authorize(&[], ""), "code").unwrap()
    }

    fn exchange(&self, code: &str, changes: &[(&str, &str)]) -> Value {
        let mut pairs = vec![
            ("grant_type", "authorization_code"),
            ("client_id", "pkce-tools"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        for (name, value) in changes {
            pairs.retain(|(other, _)| other != name);
            pairs.push((name, value));
        }
        body(&self.post("/token", "", &pairs))
    }

    fn refresh(&self, token: &str) -> Value {
        body(&self.post(
            "/token",
            "",
            &[("grant_type", "refresh_token"), ("client_id", "pkce-tools"), ("refresh_token", token)],
        ))
    }

    /// Asks for a device's codes, with these parameters changed (an empty one is left out).
    fn device(&self, changes: &[(&str, &str)]) -> String {
        let mut pairs = vec![
            ("client_id", "pkce-tools"),
            ("scope", "openid offline_access"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        change(&mut pairs, changes);
        self.post("/device_authorization", "", &pairs)
    }

    /// Polls with a device code, with these parameters changed.
    fn poll(&self, codes: &Value, changes: &[(&str, &str)]) -> Value {
        let mut pairs = vec![
            ("grant_type", DEVICE_CODE),
            ("client_id", "pkce-tools"),
            ("device_code", text(codes, "device_code")),
            ("code_verifier", VERIFIER),
        ];
        for (name, value) in changes {
            pairs.retain(|(other, _)| other != name);
            pairs.push((name, value));
        }
        body(&self.post("/token", "", &pairs))
    }

    /// Enters a device's code on the page for it.
    fn enter(&self, user_code: &str, headers: &str) -> String {
        self.post("/device", headers, &[("user_code", user_code)])
    }

    fn userinfo(&self, token: &str) -> String {
        self.get("/userinfo", &format!("Authorization: Bearer {token}\r\n"))
    }
}

impl Drop for Idp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn body(response: &str) -> Value {
    let (_, body) = response.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {response}"))
}

fn header<'a>(response: &'a str, name: &str) -> Option<&'a str> {
    response.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// A parameter of the redirect in this response.
fn parameter(response: &str, name: &str) -> Option<String> {
    let (_, query) = header(response, "Location")?.split_once('?')?;
    form_urlencoded::parse(query.as_bytes()).find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name}: {value}"))
}

#[test]
fn prints_one_document_and_closes_standard_output() {
    let idp = Idp::start(&[]);
    let base = format!("http://127.0.0.1:{}", idp.port);
    let mut expected = body(&idp.get("/.well-known/openid-configuration", ""));
    assert_eq!(expected["issuer"], json!(base));
    assert_eq!(expected, body(&idp.get("/.well-known/oauth-authorization-server", "")));
    expected["client_id"] = json!("pkce-tools");
    expected["redirect_uri"] = json!("http://127.0.0.1:0/callback");
    assert_eq!(idp.document, expected);
}

#[test]
fn issues_tokens_for_a_code_once_and_revokes_them_when_it_is_sent_again() {
    let idp = Idp::start(&["--auto-approve"]);
    let back = idp.authorize(&[], "");
    assert_eq!(parameter(&back, "state").as_deref(), Some("st"));
    assert_eq!(parameter(&back, "iss"), Some(text(&idp.document, "issuer").to_owned()));
    let code = parameter(&back, "code").unwrap();
    let tokens = idp.exchange(&code, &[]);
    assert_eq!((text(&tokens, "token_type"), &tokens["expires_in"]), ("Bearer", &json!(3600)));
    assert_eq!(text(&tokens, "scope"), "openid offline_access");
    let access_token = text(&tokens, "access_token");
    assert_eq!(body(&idp.userinfo(access_token))["sub"], "alice");
    assert_eq!(idp.exchange(&code, &[])["error"], "invalid_grant");
    assert!(idp.userinfo(access_token).starts_with("HTTP/1.1 401"));
    assert_eq!(idp.refresh(text(&tokens, "refresh_token"))["error"], "invalid_grant");
}

#[test]
fn issues_nothing_for_a_code_whose_request_does_not_match() {
    let idp = Idp::start(&["--auto-approve"]);
    for (changes, error) in [
        (("code_verifier", "a".repeat(43)), "invalid_grant"),
        (("code_verifier", CHALLENGE.to_owned()), "invalid_grant"),
        (("code_verifier", String::new()), "invalid_request"),
        (("redirect_uri", "http://127.0.0.1:8/callback".to_owned()), "invalid_grant"),
        (("redirect_uri", String::new()), "invalid_grant"),
        (("code", "other".to_owned()), "invalid_grant"),
        (("client_id", "other".to_owned()), "invalid_client"),
        (("client_secret", "x".to_owned()), "invalid_client"),
        (("grant_type", "password".to_owned()), "unsupported_grant_type"),
        (("resource", "https://api.example".to_owned()), "invalid_target"),
    ] {
        let code = idp.code();
        let (name, value) = &changes;
        assert_eq!(idp.exchange(&code, &[(name, value)])["error"], error, "{name}");
    }
    let twice = [("grant_type", "authorization_code"), ("client_id", "pkce-tools"), ("client_id", "pkce-tools")];
    assert_eq!(body(&idp.post("/token", "", &twice))["error"], "invalid_request");
    assert!(idp.post("/token", "Authorization: Basic eDp5\r\n", &[]).starts_with("HTTP/1.1 401"));
}

#[test]
fn sends_nobody_back_whom_it_does_not_know() {
    let idp = Idp::start(&["--auto-approve", "--redirect-uri", "https://app.example/callback"]);
    for (name, value) in [
        ("client_id", "other"),
        ("redirect_uri", "http://127.0.0.1:7/other"),
        ("redirect_uri", "http://127.0.0.1:7/callback/"),
        ("redirect_uri", "http://127.0.0.1:0/callback"),
        ("redirect_uri", "https://127.0.0.1:7/callback"),
        ("redirect_uri", "http://127.0.0.1:7@evil.example/callback"),
        ("redirect_uri", "https://evil.example/callback"),
        ("redirect_uri", "https://app.example:8443/callback"),
        ("redirect_uri", ""),
        ("request_uri", "urn:ietf:params:oauth:request_uri:x"),
    ] {
        let response = idp.authorize(&[(name, value)], "");
        assert!(response.starts_with("HTTP/1.1 400") && header(&response, "Location").is_none(), "{value}: {response}");
    }
    for known in ["http://[::1]:9/callback", "http://localhost:9/callback", "https://app.example/callback"] {
        let response = idp.authorize(&[("redirect_uri", known)], "");
        assert!(header(&response, "Location").unwrap().starts_with(&format!("{known}?code=")), "{response}");
    }
}

#[test]
fn refuses_requests_that_are_not_as_they_must_be() {
    let idp = Idp::start(&["--auto-approve"]);
    for (changes, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("response_type", ""), "invalid_request"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge", "short"), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("response_mode", "fragment"), "invalid_request"),
        (("scope", "a\"b"), "invalid_scope"),
        (("request", "x"), "request_not_supported"),
        (("prompt", "none login"), "invalid_request"),
        (("max_age", "x"), "invalid_request"),
    ] {
        let response = idp.authorize(&[changes], "");
        assert_eq!(parameter(&response, "error").as_deref(), Some(error), "{changes:?}: {response}");
        assert_eq!(parameter(&response, "state").as_deref(), Some("st"));
        assert_eq!(parameter(&response, "iss"), Some(text(&idp.document, "issuer").to_owned()));
    }
    let other_host = "GET /jwks HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    assert!(talk(idp.port, other_host.as_bytes()).starts_with("HTTP/1.1 421"));
    assert!(idp.get("/token", "").starts_with("HTTP/1.1 405"));
    assert!(idp.get("/other", "").starts_with("HTTP/1.1 404"));
}

#[test]
fn replaces_refresh_tokens_and_ends_the_grant_when_an_old_one_comes() {
    let idp = Idp::start(&["--auto-approve"]);
    let first = idp.exchange(&idp.code(), &[]);
    let second = idp.refresh(text(&first, "refresh_token"));
    let third = idp.refresh(text(&second, "refresh_token"));
    assert!(idp.userinfo(text(&third, "access_token")).starts_with("HTTP/1.1 200"));
    assert_eq!(idp.refresh(text(&first, "refresh_token"))["error"], "invalid_grant");
    assert_eq!(idp.refresh(text(&third, "refresh_token"))["error"], "invalid_grant");
    assert!(idp.userinfo(text(&third, "access_token")).starts_with("HTTP/1.1 401"));
}

#[test]
fn gives_no_refresh_token_without_consent_and_no_id_token_without_openid() {
    let idp = Idp::start(&["--auto-approve"]);
    let code = parameter(&idp.authorize(&[("prompt", "")], ""), "code").unwrap();
    let tokens = idp.exchange(&code, &[]);
    assert_eq!((text(&tokens, "scope"), tokens.get("refresh_token")), ("openid", None));
    let code = parameter(&idp.authorize(&[("scope", "offline_access")], ""), "code").unwrap();
    let tokens = idp.exchange(&code, &[]);
    assert_eq!((text(&tokens, "scope"), tokens.get("id_token")), ("offline_access", None));
}

#[test]
fn grants_no_scope_that_it_does_not_support() {
    let idp = Idp::start(&["--auto-approve"]);
    assert_eq!(idp.document["scopes_supported"], json!(["openid", "offline_access"]));
    for (requested, granted) in [
        ("profile openid admin", "openid"),
        ("offline_access OpenID openid", "openid offline_access"),
        ("openid openid", "openid"),
    ] {
        let code = parameter(&idp.authorize(&[("scope", requested)], ""), "code").unwrap();
        let tokens = idp.exchange(&code, &[]);
        assert_eq!(text(&tokens, "scope"), granted, "{requested}");
        assert_eq!(tokens.get("id_token").is_some(), granted.contains("openid"), "{requested}");
    }
    let none = idp.authorize(&[("scope", "read profile")], "");
    assert_eq!(parameter(&none, "error").as_deref(), Some("invalid_scope"));
    assert_eq!(parameter(&none, "error_description").as_deref(), Some("no requested scope is supported"));
    let asking = Idp::start(&[]);
    let login = asking.authorize(&[("scope", "openid admin")], "");
    let consent = asking.post("/login", "", &[("id", asked(&login)), ("name", "alice")]);
    assert!(consent.contains("(openid)</li>\n</ul>") && !consent.contains("admin"), "{consent}");
    // A refresh gets no more than was granted.
    let tokens = idp.exchange(&idp.code(), &[]);
    let refresh = |scope: &str| {
        let token = text(&tokens, "refresh_token");
        let pairs = [("grant_type", "refresh_token"), ("client_id", "pkce-tools"), ("refresh_token", token)];
        body(&idp.post("/token", "", &[&pairs[..], &[("scope", scope)]].concat()))
    };
    assert_eq!(refresh("openid admin")["error"], "invalid_scope");
    assert_eq!(refresh("openid")["scope"], "openid");
}

#[test]
fn responds_to_a_userinfo_request_by_post_too() {
    let idp = Idp::start(&["--auto-approve"]);
    let tokens = idp.exchange(&idp.code(), &[]);
    let token = text(&tokens, "access_token");
    let header_line = format!("Authorization: Bearer {token}\r\n");
    let claims = json!({ "sub": "alice", "preferred_username": "alice" });
    assert_eq!(body(&idp.get("/userinfo", &header_line)), claims);
    assert_eq!(body(&idp.post("/userinfo", &header_line, &[])), claims);
    assert_eq!(body(&idp.post("/userinfo", "", &[("access_token", token)])), claims);
    let twice = idp.post("/userinfo", &header_line, &[("access_token", token)]);
    assert!(twice.starts_with("HTTP/1.1 400"), "{twice}");
    let expected = json!({
        "error": "invalid_request", "error_description": "access_token must be in the header or in the body",
    });
    assert_eq!(body(&twice), expected);
    for (response, challenge) in [
        (idp.post("/userinfo", "", &[]), "Bearer"),
        (idp.post("/userinfo", "", &[("access_token", "x")]), "Bearer error=\"invalid_token\""),
        (idp.post("/userinfo", "Authorization: Bearer x\r\n", &[]), "Bearer error=\"invalid_token\""),
        (idp.get(&format!("/userinfo?access_token={token}"), ""), "Bearer"),
    ] {
        assert!(response.starts_with("HTTP/1.1 401"), "{response}");
        assert_eq!(header(&response, "WWW-Authenticate"), Some(challenge));
    }
}

#[test]
fn registers_no_redirect_uri_that_is_none_or_would_split_a_response() {
    let idp = Idp::start(&["--auto-approve"]);
    for uri in [
        "com.example.app:/callback\r\nSet-Cookie: a=b",
        "com.example.app:/callback\nX: y",
        "com.example.app:/callback\u{0}",
        "com.example.app:/call back",
        "com.example.app:/callb\u{e4}ck",
        "com.example.app:/callback#fragment",
        "https://app.example/callback\r\nX: y",
        "http://127.0.0.1/callback\r\nX: y",
        "foo",
        "/callback",
        "1.a:/callback",
        "com.example.app:",
        "http://127.0.0.1/a%zz",
        "com.example.app:/a%2",
    ] {
        let response = register(&idp, &json!({ "redirect_uris": [uri], "token_endpoint_auth_method": "none" }));
        assert!(response.starts_with("HTTP/1.1 400"), "{uri:?}: {response}");
        assert_eq!(body(&response)["error"], "invalid_redirect_uri", "{uri:?}");
        let wrong = "--redirect-uri: must be an absolute URI without a fragment";
        if !uri.contains('\0') {
            assert_eq!(run("pkce-idp", &["--redirect-uri", uri], ""), failure("pkce-idp", 2, wrong), "{uri:?}");
        }
        let refused = idp.authorize(&[("redirect_uri", uri)], "");
        assert!(refused.starts_with("HTTP/1.1 400") && !refused.contains("Set-Cookie"), "{uri:?}: {refused}");
    }
    // What the client sends otherwise is encoded where it comes back.
    let own = json!({ "redirect_uris": ["com.example.app:/callback"], "token_endpoint_auth_method": "none" });
    let client = body(&register(&idp, &own));
    let changes = [
        ("client_id", text(&client, "client_id")),
        ("redirect_uri", "com.example.app:/callback"),
        ("state", "a\r\nSet-Cookie: a=b"),
    ];
    let response = idp.authorize(&changes, "");
    assert!(header(&response, "Location").unwrap().starts_with("com.example.app:/callback?code="), "{response}");
    assert_eq!(header(&response, "Set-Cookie"), None);
    assert_eq!(parameter(&response, "state").as_deref(), Some("a\r\nSet-Cookie: a=b"));
}

/// How much memory the process uses, in KiB.
fn resident(idp: &Idp) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", idp.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Sends more requests than are remembered, then twice as many again: these must take no more memory. Gives the first
/// response and the last.
fn flood(idp: &Idp, mut request: impl FnMut() -> String) -> (String, String) {
    let first = request();
    (0..REMEMBERED).for_each(|_| drop(request()));
    let before = cfg!(target_os = "linux").then(|| resident(idp));
    let last = (0..2 * REMEMBERED).map(|_| request()).last().unwrap();
    if let Some(before) = before {
        let after = resident(idp);
        assert!(after < before + 4096, "{before} KiB, then {after} KiB");
    }
    (first, last)
}

/// How many things of a kind the server remembers.
const REMEMBERED: usize = 1000;

/// Almost as long as a request may be: thousands of these are more than the growth that is tolerated.
fn long() -> String {
    "s".repeat(7 * 1024)
}

#[test]
fn forgets_the_oldest_of_many_pushed_requests() {
    let idp = Idp::start(&["--auto-approve"]);
    let state = long();
    let pairs = [
        ("response_type", "code"),
        ("client_id", "pkce-tools"),
        ("redirect_uri", REDIRECT),
        ("state", &state),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let (first, last) = flood(&idp, || idp.post("/par", "", &pairs));
    let open = |pushed: &str| {
        let request_uri = text(&body(pushed), "request_uri").to_owned();
        idp.get(&format!("/authorize?{}", form(&[("client_id", "pkce-tools"), ("request_uri", &request_uri)])), "")
    };
    let forgotten = open(&first);
    assert!(forgotten.starts_with("HTTP/1.1 400"), "{forgotten}");
    assert!(forgotten.contains("The request_uri is unknown, expired or already used."), "{forgotten}");
    assert_eq!(parameter(&open(&last), "state"), Some(state.clone()));
}

#[test]
fn forgets_the_oldest_of_many_logins_in_progress() {
    let idp = Idp::start(&[]);
    let state = long();
    let (first, last) = flood(&idp, || idp.authorize(&[("state", &state)], ""));
    let login = |page: &str| idp.post("/login", "", &[("id", asked(page)), ("name", "alice")]);
    let forgotten = login(&first);
    assert!(forgotten.starts_with("HTTP/1.1 400"), "{forgotten}");
    assert!(forgotten.contains("This login is unknown or already completed."), "{forgotten}");
    assert!(login(&last).contains("Allow access?"));
}

#[test]
fn forgets_the_oldest_of_many_grants() {
    let idp = Idp::start(&["--auto-approve"]);
    let state = long();
    let tokens = idp.exchange(&idp.code(), &[]);
    let (first, last) = flood(&idp, || idp.authorize(&[("state", &state)], ""));
    let code = |response: &str| parameter(response, "code").unwrap();
    assert_eq!(idp.exchange(&code(&first), &[])["error_description"], "unknown code");
    assert!(idp.userinfo(text(&tokens, "access_token")).starts_with("HTTP/1.1 401"));
    assert_eq!(idp.refresh(text(&tokens, "refresh_token"))["error"], "invalid_grant");
    assert!(idp.exchange(&code(&last), &[]).get("access_token").is_some());
}

#[test]
fn forgets_the_oldest_of_many_tokens() {
    let idp = Idp::start(&["--auto-approve"]);
    let first = idp.exchange(&idp.code(), &[]);
    let mut tokens = first.clone();
    flood(&idp, || {
        tokens = idp.refresh(text(&tokens, "refresh_token"));
        String::new()
    });
    assert!(idp.userinfo(text(&first, "access_token")).starts_with("HTTP/1.1 401"));
    assert_eq!(idp.refresh(text(&first, "refresh_token"))["error_description"], "unknown refresh token");
    assert!(idp.userinfo(text(&tokens, "access_token")).starts_with("HTTP/1.1 200"));
    assert!(idp.refresh(text(&tokens, "refresh_token")).get("access_token").is_some());
}

#[test]
fn keeps_a_refresh_token_that_it_does_not_rotate() {
    let idp = Idp::start(&["--auto-approve", "--fault", "no-rotation"]);
    let tokens = idp.exchange(&idp.code(), &[]);
    for _ in 0..REMEMBERED + 1 {
        assert!(idp.refresh(text(&tokens, "refresh_token")).get("access_token").is_some());
    }
}

#[test]
fn forgets_the_oldest_of_many_sessions() {
    let idp = Idp::start(&[]);
    let sign_in = || {
        let login = idp.authorize(&[], "");
        idp.post("/login", "", &[("id", asked(&login)), ("name", "alice")])
    };
    let (first, last) = flood(&idp, sign_in);
    let again = |response: &str| {
        let cookie = header(response, "Set-Cookie").unwrap().split(';').next().unwrap();
        idp.authorize(&[], &format!("Cookie: {cookie}\r\n"))
    };
    assert!(again(&first).contains("<h1>Sign in</h1>"));
    assert!(again(&last).contains("Allow access?"));
}

#[test]
fn registers_no_more_clients_than_it_has_room_for() {
    let idp = Idp::start(&["--auto-approve"]);
    let metadata = json!({ "redirect_uris": ["http://127.0.0.1/own"], "token_endpoint_auth_method": "none" });
    let mut first = None;
    // pkce-tools is one of them.
    for _ in 1..REMEMBERED {
        let response = register(&idp, &metadata);
        assert!(response.starts_with("HTTP/1.1 201"), "{response}");
        first.get_or_insert(response);
    }
    let response = register(&idp, &metadata);
    assert!(response.starts_with("HTTP/1.1 403"), "{response}");
    let expected = json!({
        "error": "access_denied", "error_description": "1,000 clients are registered; restart the server to remove them",
    });
    assert_eq!(body(&response), expected);
    let client = body(&first.unwrap());
    let changes = [("client_id", text(&client, "client_id")), ("redirect_uri", "http://127.0.0.1:7/own")];
    assert!(parameter(&idp.authorize(&changes, ""), "code").is_some());
    let server = documents(&[]);
    assert!(parameter(&idp.authorize(&[("client_id", &server.url("/client"))], ""), "code").is_some());
    let refused = run("pkce-register", &[], &idp.document.to_string());
    let message = "registration endpoint: access_denied: 1,000 clients are registered; restart the server to remove \
                   them\nhint: the server may require an initial access token: use --access-token-file";
    assert_eq!(refused, failure("pkce-register", 1, message));
}

#[test]
fn refuses_a_request_that_would_take_too_much_memory() {
    let idp = Idp::start(&["--auto-approve"]);
    let large = "s".repeat(8 * 1024);
    let response = idp.authorize(&[("state", &large)], "");
    assert_eq!(parameter(&response, "error").as_deref(), Some("invalid_request"));
    assert_eq!(parameter(&response, "error_description").as_deref(), Some("the request is larger than 8 KiB"));
    let many: Vec<(String, &str)> = (0..101).map(|n| (format!("p{n}"), "x")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let expected = json!({ "error": "invalid_request", "error_description": "more than 100 parameters" });
    assert_eq!(body(&idp.post("/par", "", &many)), expected);
    assert_eq!(body(&idp.post("/token", "", &many)), expected);
    let uris: Vec<String> = (0..200).map(|n| format!("http://127.0.0.1/{}{n}", "x".repeat(40))).collect();
    let response = register(&idp, &json!({ "redirect_uris": uris, "token_endpoint_auth_method": "none" }));
    let expected = json!({
        "error": "invalid_redirect_uri", "error_description": "redirect_uris is larger than 8 KiB",
    });
    assert_eq!(body(&response), expected);
    let head = "POST /token HTTP/1.1\r\nContent-Length: 131073\r\n\r\n";
    assert!(talk(idp.port, head.as_bytes()).starts_with("HTTP/1.1 413"));
}

#[test]
fn ends_a_request_that_comes_one_octet_at_a_time() {
    let idp = Idp::start(&[]);
    let head = format!("POST /token HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Length: 1000\r\n\r\n", idp.port);
    thread::scope(|scope| {
        for begun in [head.as_str(), "GET /"] {
            let port = idp.port;
            scope.spawn(move || {
                let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
                stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
                stream.write_all(begun.as_bytes()).unwrap();
                // No pause is longer than a fifth of a second, so a server that bounds only the pauses would receive
                // these octets, which are less than the whole request.
                let ended = (0..300).any(|_| {
                    let sent = stream.write_all(b"x").is_ok();
                    let waiting =
                        |error: &std::io::Error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                    !sent || !stream.read(&mut [0; 64]).is_err_and(|error| waiting(&error))
                });
                assert!(ended, "{begun}");
            });
        }
    });
}

#[test]
fn serves_a_login_while_hundreds_of_connections_send_nothing() {
    let idp = Idp::start(&["--auto-approve"]);
    let silent: Vec<TcpStream> = (0..400).map(|_| TcpStream::connect(("127.0.0.1", idp.port)).unwrap()).collect();
    let unfinished = silent.iter().step_by(2);
    unfinished.for_each(|mut stream| drop(stream.write_all(b"POST /token HTTP/1.1\r\nContent-Length: 9\r\n\r\n")));
    assert!(idp.exchange(&idp.code(), &[]).get("access_token").is_some());
    if cfg!(target_os = "linux") {
        let threads = std::fs::read_dir(format!("/proc/{}/task", idp.child.id())).unwrap().count();
        assert!(threads <= 130, "{threads}");
    }
    drop(silent);
}

#[test]
fn responds_on_each_of_hundreds_of_connections_whose_requests_are_late() {
    let idp = Idp::start(&[]);
    let mut connections: Vec<TcpStream> =
        (0..400).map(|_| TcpStream::connect(("127.0.0.1", idp.port)).unwrap()).collect();
    let request = format!("GET /jwks HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", idp.port);
    for connection in &mut connections {
        connection.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        connection.write_all(request.as_bytes()).unwrap();
    }
    for connection in &mut connections {
        let mut response = String::new();
        connection.read_to_string(&mut response).unwrap();
        // On a machine that stopped this test for a second, some are turned away.
        assert!(response.starts_with("HTTP/1.1 200 ") || response.starts_with("HTTP/1.1 503 "), "{response}");
    }
}

#[test]
fn turns_connections_away_that_send_nothing_for_long_with_a_response() {
    let idp = Idp::start(&[]);
    let mut silent: Vec<TcpStream> = (0..129).map(|_| TcpStream::connect(("127.0.0.1", idp.port)).unwrap()).collect();
    let mut response = String::new();
    silent[0].read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{response}");
    assert!(response.contains("The server has too many connections. Try again."), "{response}");
}

#[test]
fn serves_others_while_it_misbehaves_on_many_connections() {
    let idp = Idp::start(&["--auto-approve", "--fault", "jwks-hang", "--fault", "revoke-endless"]);
    let request = |line: &str| format!("{line} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", idp.port);
    let waiting: Vec<TcpStream> = (0..200)
        .map(|n| {
            let mut stream = TcpStream::connect(("127.0.0.1", idp.port)).unwrap();
            let line = if n % 2 == 0 { "GET /jwks" } else { "POST /revoke" };
            stream.write_all(request(line).as_bytes()).unwrap();
            stream
        })
        .collect();
    assert!(idp.exchange(&idp.code(), &[]).get("access_token").is_some());
    drop(waiting);
}

#[test]
fn revokes_what_it_is_asked_to() {
    let idp = Idp::start(&["--auto-approve"]);
    let tokens = idp.exchange(&idp.code(), &[]);
    let revoke = |token| idp.post("/revoke", "", &[("client_id", "pkce-tools"), ("token", token)]);
    assert!(revoke("unknown").starts_with("HTTP/1.1 200"));
    assert!(revoke(text(&tokens, "access_token")).starts_with("HTTP/1.1 200"));
    assert!(idp.userinfo(text(&tokens, "access_token")).starts_with("HTTP/1.1 401"));
    let tokens = idp.refresh(text(&tokens, "refresh_token"));
    assert!(revoke(text(&tokens, "refresh_token")).starts_with("HTTP/1.1 200"));
    assert!(idp.userinfo(text(&tokens, "access_token")).starts_with("HTTP/1.1 401"));
    assert_eq!(idp.refresh(text(&tokens, "refresh_token"))["error"], "invalid_grant");
}

#[test]
fn signs_id_tokens_with_the_key_it_shows() {
    let idp = Idp::start(&["--auto-approve"]);
    let tokens = idp.exchange(&idp.code(), &[]);
    let id_token = text(&tokens, "id_token");
    let (signed, signature) = id_token.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let header: Value = serde_json::from_slice(&decode(header)).unwrap();
    let claims: Value = serde_json::from_slice(&decode(claims)).unwrap();
    let keys = body(&idp.get("/jwks", ""));
    let key = &keys["keys"][0];
    assert_eq!(header, json!({ "alg": "ES256", "kid": key["kid"], "typ": "JWT" }));
    let point = [vec![4], decode(text(key, "x")), decode(text(key, "y"))].concat();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    key.verify(signed.as_bytes(), &decode(signature)).unwrap();
    let digest = ring::digest::digest(&ring::digest::SHA256, text(&tokens, "access_token").as_bytes());
    let (iat, exp) = (claims["iat"].as_u64().unwrap(), claims["exp"].as_u64().unwrap());
    assert_eq!(exp - iat, 3600);
    let expected = json!({
        "iss": idp.document["issuer"], "sub": "alice", "aud": "pkce-tools", "nonce": "n1",
        "preferred_username": "alice", "iat": iat, "exp": exp, "auth_time": claims["auth_time"],
        "at_hash": URL_SAFE_NO_PAD.encode(&digest.as_ref()[..16]),
    });
    assert_eq!(claims, expected);
}

/// Logs in, and gives pkce-verify what it needs.
fn login_document(idp: &Idp) -> Value {
    let mut document = idp.document.clone();
    document["nonce"] = json!("n1");
    let tokens = idp.exchange(&idp.code(), &[]);
    document.as_object_mut().unwrap().extend(tokens.as_object().unwrap().clone());
    document
}

#[test]
fn signs_with_each_algorithm_as_pkce_verify_checks_it() {
    let has_openssl = has("openssl");
    for (alg, kty) in [("RS256", "RSA"), ("PS256", "RSA"), ("ES256", "EC"), ("ES384", "EC"), ("EdDSA", "OKP")] {
        if kty == "RSA" && !has_openssl {
            println!("left out, since openssl is not installed: {alg}");
            continue;
        }
        let idp = Idp::start(&["--auto-approve", "--alg", alg]);
        assert_eq!(idp.document["id_token_signing_alg_values_supported"], json!([alg]));
        let keys = body(&idp.get("/jwks", ""));
        let key = &keys["keys"][0];
        assert_eq!((text(key, "kty"), text(key, "alg"), keys["keys"].as_array().unwrap().len()), (kty, alg, 1));
        assert!(key.get("d").is_none());
        let document = login_document(&idp);
        let output = run("pkce-verify", &["-r", "id_token_claims"], &document.to_string());
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{alg}");
        assert_eq!((&output.json()["sub"], &output.json()["aud"]), (&json!("alice"), &json!("pkce-tools")), "{alg}");
    }
    let hint = "hint: see 'pkce-idp --help'";
    let message = format!("--alg: must be one of RS256, PS256, ES256, ES384, EdDSA\n{hint}");
    assert_eq!(run("pkce-idp", &["--alg", "none"], ""), failure("pkce-idp", 2, &message));
    let message = format!("--port: must be a whole number from 0 to 65535\n{hint}");
    assert_eq!(run("pkce-idp", &["--port", "65536"], ""), failure("pkce-idp", 2, &message));
}

#[test]
fn says_what_makes_its_rsa_keys_where_that_is_missing() {
    let directory = common::new_directory();
    let mut idp = command("pkce-idp");
    idp.args(["--alg", "RS256"]).env("PATH", directory.path());
    let message =
        "openssl: no such file or directory\nhint: RS256 and PS256 need openssl; ES256, ES384 and EdDSA do not";
    assert_eq!(finish(&mut idp, b""), failure("pkce-idp", 3, message));
}

#[test]
fn changes_its_key_and_shows_the_one_before() {
    let idp = Idp::start(&["--auto-approve", "--rotate-keys", "2"]);
    let names = || -> Vec<String> {
        let keys = body(&idp.get("/jwks", ""));
        keys["keys"].as_array().unwrap().iter().map(|key| text(key, "kid").to_owned()).collect()
    };
    let first = names();
    assert_eq!(first.len(), 1);
    let before = login_document(&idp);
    let rotated = loop {
        match names() {
            now if now == first => std::thread::sleep(std::time::Duration::from_millis(50)),
            now => break now,
        }
    };
    assert_eq!(rotated[1..], first);
    let after = login_document(&idp);
    let output = run("pkce-verify", &[], &format!("{before}{after}"));
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    // In time the old one is gone, and what it signed is not believed any more.
    while names().contains(&first[0]) {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let output = run("pkce-verify", &[], &before.to_string());
    // Which keys there are instead changes every two seconds.
    let message = format!("id_token: kid: no such signing key in the server's JWKS: {} instead of ", first[0]);
    assert!(output.stderr.starts_with(&format!("pkce-verify: {message}")), "{output:?}");
    assert_eq!((output.status, output.stdout.as_str()), (4, "!4 untrusted pkce-verify\n"));
}

fn register(idp: &Idp, metadata: &Value) -> String {
    let body = metadata.to_string();
    let head = format!(
        "POST /register HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        idp.port,
        body.len()
    );
    talk(idp.port, (head + &body).as_bytes())
}

#[test]
fn registers_public_native_clients_alone() {
    let idp = Idp::start(&["--auto-approve"]);
    let metadata = json!({
        "redirect_uris": ["http://127.0.0.1/own"], "token_endpoint_auth_method": "none", "client_name": "deploy",
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"], "scope": "openid",
    });
    let response = register(&idp, &metadata);
    assert!(response.starts_with("HTTP/1.1 201"), "{response}");
    let client = body(&response);
    for name in ["redirect_uris", "token_endpoint_auth_method", "client_name", "grant_types", "response_types", "scope"]
    {
        assert_eq!(client[name], metadata[name], "{name}");
    }
    let client_id = text(&client, "client_id");
    assert!(client.get("client_secret").is_none() && client["client_id_issued_at"].is_u64());
    // It is known from now on, with its own redirect URI and no other's.
    let own = [("client_id", client_id), ("redirect_uri", "http://127.0.0.1:7/own")];
    let code = parameter(&idp.authorize(&own, ""), "code").unwrap();
    assert!(idp.authorize(&[("client_id", client_id)], "").starts_with("HTTP/1.1 400"));
    assert_eq!(idp.exchange(&code, &[("redirect_uri", "http://127.0.0.1:7/own")])["error"], "invalid_grant");
    let code = parameter(&idp.authorize(&own, ""), "code").unwrap();
    let tokens = idp.exchange(&code, &own);
    assert_eq!(idp.refresh(text(&tokens, "refresh_token"))["error"], "invalid_grant");
    for (changes, error) in [
        (json!({ "redirect_uris": [] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": null }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": ["http://evil.example/cb"] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": ["http://127.0.0.1/cb", "javascript:alert(1)"] }), "invalid_redirect_uri"),
        (json!({ "token_endpoint_auth_method": "client_secret_basic" }), "invalid_client_metadata"),
        (json!({ "token_endpoint_auth_method": null }), "invalid_client_metadata"),
        (json!({ "grant_types": ["password"] }), "invalid_client_metadata"),
        (json!({ "grant_types": 5 }), "invalid_client_metadata"),
        (json!({ "response_types": ["token"] }), "invalid_client_metadata"),
    ] {
        let mut metadata = metadata.clone();
        metadata.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let response = register(&idp, &metadata);
        assert!(response.starts_with("HTTP/1.1 400"), "{changes}: {response}");
        assert_eq!(body(&response)["error"], error, "{changes}");
    }
    assert!(idp.post("/register", "", &[("redirect_uris", "x")]).starts_with("HTTP/1.1 400"));
    assert!(idp.get("/register", "").starts_with("HTTP/1.1 405"));
}

#[test]
fn takes_a_pushed_request_once_and_from_its_client_alone() {
    let idp = Idp::start(&["--auto-approve"]);
    let pairs = [
        ("response_type", "code"),
        ("client_id", "pkce-tools"),
        ("redirect_uri", REDIRECT),
        ("state", "pushed"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let push = |changes: &[(&str, &str)]| {
        let mut pairs = pairs.to_vec();
        for (name, value) in changes {
            pairs.retain(|(other, _)| other != name);
            pairs.push((name, value));
        }
        idp.post("/par", "", &pairs)
    };
    let response = push(&[]);
    assert!(response.starts_with("HTTP/1.1 201"), "{response}");
    assert_eq!(body(&response)["expires_in"], 60);
    let open = |client_id: &str, request_uri: &str| {
        idp.get(&format!("/authorize?{}", form(&[("client_id", client_id), ("request_uri", request_uri)])), "")
    };
    let pushed = body(&response);
    let request_uri = text(&pushed, "request_uri");
    let redirect = open("pkce-tools", request_uri);
    assert_eq!(parameter(&redirect, "state").as_deref(), Some("pushed"));
    let code = parameter(&redirect, "code").unwrap();
    assert!(idp.exchange(&code, &[]).get("access_token").is_some());
    assert!(open("pkce-tools", request_uri).starts_with("HTTP/1.1 400"), "a second use");
    let other = body(&register(
        &idp,
        &json!({
            "redirect_uris": ["http://127.0.0.1/callback"], "token_endpoint_auth_method": "none",
        }),
    ));
    let again = body(&push(&[]));
    assert!(open(text(&other, "client_id"), text(&again, "request_uri")).starts_with("HTTP/1.1 400"));
    for (change, status, error) in [
        (("redirect_uri", "http://evil.example/callback"), 400, "invalid_request"),
        (("code_challenge_method", "plain"), 400, "invalid_request"),
        (("request_uri", "urn:x"), 400, "invalid_request"),
        (("client_id", "other"), 401, "invalid_client"),
        (("client_secret", "x"), 401, "invalid_client"),
    ] {
        let response = push(&[change]);
        assert!(response.starts_with(&format!("HTTP/1.1 {status}")), "{change:?}: {response}");
        assert_eq!(body(&response)["error"], error, "{change:?}");
    }
}

/// A server of client ID metadata documents: /client is one, and the others are one with these changes, null for a
/// member that is missing.
fn documents(changes: &'static [(&'static str, &'static str)]) -> Server {
    Server::start(move |request| {
        let client_id = format!("http://{}{}", request.header("Host").unwrap(), request.target);
        let client =
            json!({ "client_id": client_id, "client_name": "a", "redirect_uris": ["http://127.0.0.1/callback"] });
        match (request.target.as_str(), changes.iter().find(|(path, _)| *path == request.target)) {
            ("/redirect", _) => b"HTTP/1.1 302 Found\r\nLocation: /client\r\nContent-Length: 0\r\n\r\n".to_vec(),
            ("/missing", _) => response(404, "application/json", &client.to_string()),
            ("/large", _) => json_response(&changed(client, &json!({ "a": "a".repeat(5 * 1024) }))),
            ("/text", _) => response(200, "text/html", "<p>client</p>"),
            (_, Some((_, change))) => json_response(&changed(client, &serde_json::from_str(change).unwrap())),
            _ => json_response(&client),
        }
    })
}

#[test]
fn lets_a_client_in_whose_id_is_the_url_of_its_metadata() {
    let (idp, server) = (Idp::start(&["--auto-approve"]), documents(&[]));
    assert_eq!(idp.document["client_id_metadata_document_supported"], true);
    let client_id = server.url("/client");
    let client: [(&str, &str); 1] = [("client_id", &client_id)];
    let code = parameter(&idp.authorize(&client, ""), "code").unwrap();
    let tokens = idp.exchange(&code, &client);
    assert!(idp.userinfo(text(&tokens, "access_token")).starts_with("HTTP/1.1 200"));
    let pushed = body(&idp.post(
        "/par",
        "",
        &[
            ("response_type", "code"),
            ("client_id", &server.url("/pushed")),
            ("redirect_uri", REDIRECT),
            ("state", "st"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ],
    ));
    assert_eq!(pushed["expires_in"], 60);
    let targets: Vec<String> = server.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(targets, ["/client", "/pushed"]);
}

#[test]
fn lets_no_client_in_whose_metadata_is_of_another_or_not_for_a_native_client() {
    let server = documents(&[
        ("/other", r#"{"client_id":"https://client.example/client"}"#),
        ("/unnamed", r#"{"client_id":null}"#),
        ("/number", r#"{"client_id":5}"#),
        ("/nowhere", r#"{"redirect_uris":null}"#),
        ("/none", r#"{"redirect_uris":[]}"#),
        ("/web", r#"{"redirect_uris":["https://client.example/callback","http://client.example/callback"]}"#),
        ("/secret", r#"{"token_endpoint_auth_method":"client_secret_basic"}"#),
        ("/elsewhere", r#"{"redirect_uris":["http://127.0.0.1/other"]}"#),
    ]);
    let closed = format!("http://127.0.0.1:{}/client", free_port());
    let idp = Idp::start(&["--auto-approve"]);
    let none = "The client_id is a URL where there is no client ID metadata document.";
    let (other, redirect_uris) = (
        "The client ID metadata document is of another client_id.",
        "The client ID metadata document has no redirect_uris of a native client.",
    );
    let url = |path: &str| server.url(path);
    for (client_id, expected, is_fetched) in [
        (url("/redirect"), none, true),
        (url("/missing"), none, true),
        (url("/text"), none, true),
        (url("/large"), none, true),
        (url("/other"), other, true),
        (url("/unnamed"), other, true),
        (url("/number"), other, true),
        (url("/nowhere"), redirect_uris, true),
        (url("/none"), redirect_uris, true),
        (url("/web"), redirect_uris, true),
        (url("/secret"), "The client ID metadata document has a token_endpoint_auth_method other than none.", true),
        (url("/elsewhere"), "The redirect_uri is not registered for this client.", true),
        (closed, none, false),
        (url(""), "The client_id is not registered.", false),
        (url("/"), "The client_id is not registered.", false),
        (url("/client?a=b"), "The client_id is not registered.", false),
        (url("/a/../client"), "The client_id is not registered.", false),
        (url("/client#a"), "The client_id is not registered.", false),
        (url("/client").replace("//", "//user@"), "The client_id is not registered.", false),
        ("http://client.example/client".to_owned(), "The client_id is not registered.", false),
    ] {
        let before = server.requests().len();
        let response = idp.authorize(&[("client_id", &client_id)], "");
        assert!(response.starts_with("HTTP/1.1 400") && response.contains(expected), "{client_id}: {response}");
        assert_eq!(server.requests().len() - before, usize::from(is_fetched), "{client_id}");
    }
    let refused = idp.post("/par", "", &[("client_id", &url("/other"))]);
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    assert_eq!(body(&refused), json!({ "error": "invalid_client", "error_description": other }));
}

#[test]
fn protects_a_resource_and_says_where_its_server_is() {
    for path in ["", "/", "/realms/x"] {
        let idp = Idp::start(&["--auto-approve", "--issuer-path", path]);
        let root = path.trim_end_matches('/');
        let at = |target: &str, headers: &str| idp.get(&format!("{root}{target}"), headers);
        let base = format!("http://127.0.0.1:{}", idp.port);
        let metadata = format!("/.well-known/oauth-protected-resource{root}/mcp");
        let expected = json!({
            "resource": format!("{base}{root}/mcp"), "authorization_servers": [format!("{base}{path}")],
            "bearer_methods_supported": ["header"],
        });
        assert_eq!(body(&idp.get(&metadata, "")), expected);
        let challenge = |response: &str| header(response, "WWW-Authenticate").unwrap().to_owned();
        let pointer = format!("resource_metadata=\"{base}{metadata}\"");
        assert_eq!(challenge(&at("/mcp", "")), format!("Bearer {pointer}"));
        let wrong = at("/mcp", "Authorization: Bearer x\r\n");
        assert_eq!(challenge(&wrong), format!("Bearer error=\"invalid_token\", {pointer}"));
    }
    let idp = Idp::start(&["--auto-approve"]);
    let resource = format!("http://127.0.0.1:{}/mcp", idp.port);
    let call = |tokens: &Value| idp.get("/mcp", &format!("Authorization: Bearer {}\r\n", text(tokens, "access_token")));
    assert!(call(&idp.exchange(&idp.code(), &[])).starts_with("HTTP/1.1 401"), "a token for nothing in particular");
    let code = parameter(&idp.authorize(&[("resource", &resource)], ""), "code").unwrap();
    let tokens = idp.exchange(&code, &[("resource", &resource)]);
    assert_eq!(body(&call(&tokens)), json!({ "sub": "alice", "preferred_username": "alice" }));
    let code = parameter(&idp.authorize(&[("resource", &resource)], ""), "code").unwrap();
    assert_eq!(idp.exchange(&code, &[("resource", "https://other.example")])["error"], "invalid_target");
}

/// The value of the hidden field that names the login.
fn asked(page: &str) -> &str {
    page.split_once("name=\"id\" value=\"").unwrap().1.split('"').next().unwrap()
}

#[test]
fn asks_a_person_for_a_name_and_for_consent() {
    let idp = Idp::start(&[]);
    let login = idp.authorize(&[], "");
    assert!(login.starts_with("HTTP/1.1 200") && login.contains("<h1>Sign in</h1>"), "{login}");
    let consent = idp.post("/login", "", &[("id", asked(&login)), ("name", "b<o>b & co")]);
    assert!(consent.contains("<b>b&lt;o&gt;b &amp; co</b>:"), "{consent}");
    let cookie = header(&consent, "Set-Cookie").unwrap();
    assert!(cookie.contains("HttpOnly; SameSite=Lax"), "{cookie}");
    let back = idp.post("/consent", "", &[("id", asked(&consent)), ("answer", "allow")]);
    assert!(back.starts_with("HTTP/1.1 303"), "{back}");
    let tokens = idp.exchange(&parameter(&back, "code").unwrap(), &[]);
    assert_eq!(body(&idp.userinfo(text(&tokens, "access_token")))["sub"], "b<o>b & co");

    // Whoever is logged in is asked for consent alone, and may say no.
    let cookie = format!("Cookie: other=1; {}\r\n", cookie.split(';').next().unwrap());
    let consent = idp.authorize(&[], &cookie);
    assert!(consent.contains("Allow access?"), "{consent}");
    let denied = idp.post("/consent", "", &[("id", asked(&consent)), ("answer", "deny")]);
    assert_eq!(parameter(&denied, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&denied, "state").as_deref(), Some("st"));
    assert!(idp.post("/consent", "", &[("id", asked(&consent)), ("answer", "allow")]).starts_with("HTTP/1.1 400"));
    assert!(idp.authorize(&[("prompt", "login")], &cookie).contains("<h1>Sign in</h1>"));
    assert_eq!(parameter(&idp.authorize(&[("prompt", "none")], ""), "error").as_deref(), Some("login_required"));
    assert_eq!(parameter(&idp.authorize(&[("prompt", "none")], &cookie), "error").as_deref(), Some("consent_required"));
}

#[test]
fn names_the_client_and_what_it_requests_on_the_consent_page() {
    let idp = Idp::start(&[]);
    let consent = |metadata: Value, changes: &[(&str, &str)]| {
        let all = json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none" });
        let client = body(&register(&idp, &changed(all, &metadata)));
        let client_id = text(&client, "client_id");
        let login = idp.authorize(&[&[("client_id", client_id)], changes].concat(), "");
        let page = idp.post("/login", "", &[("id", asked(&login)), ("name", "bob")]);
        words(&page).replace(client_id, "ID").replace("Allow access? | ", "").replace(" | Allow | Deny", "")
    };
    let by = "on this machine requests access as | bob | :";
    let openid = "your name, to sign you in (openid)";
    assert_eq!(consent(json!({}), &[("scope", "openid")]), format!("ID | {by} | {openid}"));
    assert_eq!(consent(json!({ "client_name": " " }), &[("scope", "")]), format!("ID | {by} | no scope"));
    assert_eq!(
        consent(json!({ "client_name": "<b> & \u{202e}co" }), &[("resource", "https://api.example.com/?a=1&b")]),
        format!(
            "&lt;b&gt; &amp; ?co | (client ID ID) {by} | {openid} | \
             access while you are away, until it is revoked (offline_access) | \
             access to https://api.example.com/?a=1&amp;b"
        )
    );
    let login = idp.authorize(&[], "");
    let reversed = idp.post("/login", "", &[("id", asked(&login)), ("name", "b\u{202e}o&b")]);
    assert!(reversed.contains("requests access as <b>b?o&amp;b</b>:"), "{reversed}");
    let long = consent(json!({ "client_name": "n".repeat(1000) }), &[]);
    assert!(long.starts_with(&format!("{} | (client ID ID) ", "n".repeat(200))), "{long}");
}

#[test]
fn shows_no_character_whose_glyph_a_system_may_lack() {
    let idp = Idp::start(&[]);
    let login = idp.authorize(&[], "");
    let id = asked(&login).to_owned();
    let consent = idp.post("/login", "", &[("id", &id), ("name", "bob")]);
    let mut pages = vec![login, consent, idp.get("/device", ""), idp.enter("BCDF-GHJK", ""), idp.get("/none", "")];
    for answer in ["allow", "deny"] {
        let codes = body(&idp.device(&[]));
        let login = idp.enter(text(&codes, "user_code"), "");
        let consent = idp.post("/login", "", &[("id", asked(&login)), ("name", "bob")]);
        pages.push(idp.post("/consent", "", &[("id", asked(&consent)), ("answer", answer)]));
        pages.push(consent);
    }
    let titles: Vec<String> = pages.iter().map(|page| words(page).split(" | ").next().unwrap().to_owned()).collect();
    assert_eq!(
        titles.join(", "),
        "Sign in, Allow access?, Sign in on a device, Sign in on a device, Request failed, Back to your device, \
         Allow access?, You are not signed in, Allow access?"
    );
    for page in pages {
        assert!(page.is_ascii() && !page.contains("&#"), "{page}");
    }
}

fn refusal(error: &str, description: &str) -> Value {
    json!({ "error": error, "error_description": description })
}

/// What a page says: its heading and what follows, without tags.
fn words(page: &str) -> String {
    let main = page.split_once("<h1>").unwrap_or_else(|| panic!("{page}")).1.split_once("</main>").unwrap().0;
    let texts = main.split('>').map(|part| part.split('<').next().unwrap().trim());
    texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" | ")
}

#[test]
fn gives_a_device_its_tokens_once_when_the_person_has_granted_them() {
    let idp = Idp::start(&[]);
    let base = format!("http://127.0.0.1:{}", idp.port);
    assert_eq!(text(&idp.document, "device_authorization_endpoint"), format!("{base}/device_authorization"));
    let grants = json!(["authorization_code", "refresh_token", DEVICE_CODE]);
    assert_eq!(idp.document["grant_types_supported"], grants);
    let response = idp.device(&[]);
    assert!(response.starts_with("HTTP/1.1 200") && response.contains("\r\nCache-Control: no-store\r\n"), "{response}");
    let codes = body(&response);
    let user_code = text(&codes, "user_code");
    let is_letter = |letter: char| "BCDFGHJKLMNPQRSTVWXZ".contains(letter);
    let (first, second) = user_code.split_once('-').unwrap();
    assert!(first.len() == 4 && second.len() == 4 && [first, second].concat().chars().all(is_letter), "{user_code}");
    assert_eq!(text(&codes, "device_code").len(), 43);
    let link = format!("{base}/device?user_code={user_code}");
    let expected = json!({
        "device_code": codes["device_code"], "user_code": user_code, "verification_uri": format!("{base}/device"),
        "verification_uri_complete": link, "expires_in": 300, "interval": 1,
    });
    assert_eq!(codes, expected);

    // The link saves the typing, and grants nothing.
    let empty = idp.get("/device", "");
    let form = "Sign in on a device | Enter the code that your terminal or device shows. | Code | Continue";
    assert!(empty.starts_with("HTTP/1.1 200") && empty.contains("name=\"user_code\" value=\"\""), "{empty}");
    let filled = idp.get(&format!("/device?user_code={user_code}"), "");
    assert!(filled.contains(&format!("name=\"user_code\" value=\"{user_code}\"")), "{filled}");
    assert_eq!((words(&empty), words(&filled)), (form.to_owned(), form.to_owned()));
    let entered = user_code.replace('-', " ").to_lowercase();
    let login = idp.enter(&entered, "");
    assert!(login.starts_with("HTTP/1.1 200") && login.contains("<h1>Sign in</h1>"), "{login}");
    let consent = idp.post("/login", "", &[("id", asked(&login)), ("name", "bob")]);
    let question = format!(
        "Allow access? | pkce-tools | on a device requests access as | bob | : | your name, to sign you in (openid) | \
         access while you are away, until it is revoked (offline_access) | Its code is | {user_code} | . Allow access only if you started this login, and your terminal or device shows the same code. \
         | Allow | Deny"
    );
    assert_eq!(words(&consent), question);
    let end = idp.post("/consent", "", &[("id", asked(&consent)), ("answer", "allow")]);
    assert!(end.starts_with("HTTP/1.1 200"), "{end}");
    let continues = "The login continues in your terminal or on your device. You can close this page.";
    assert_eq!(words(&end), format!("Back to your device | {continues}"));

    let tokens = idp.poll(&codes, &[]);
    let mut names: Vec<&String> = tokens.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["access_token", "expires_in", "id_token", "refresh_token", "scope", "token_type"]);
    assert_eq!(text(&tokens, "scope"), "openid offline_access");
    let claims = text(&tokens, "id_token").split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!((&claims["sub"], claims.get("nonce")), (&json!("bob"), None));
    assert!(idp.userinfo(text(&tokens, "access_token")).starts_with("HTTP/1.1 200"));
    let refreshed = idp.refresh(text(&tokens, "refresh_token"));
    assert_eq!(text(&refreshed, "scope"), "openid offline_access");

    // A second use revokes them.
    let used = refusal("invalid_grant", "the device code was already used; its tokens are revoked");
    assert_eq!(idp.poll(&codes, &[]), used);
    assert!(idp.userinfo(text(&tokens, "access_token")).starts_with("HTTP/1.1 401"));
    assert_eq!(idp.refresh(text(&refreshed, "refresh_token"))["error"], "invalid_grant");
    let unknown = refusal("invalid_grant", "unknown device code");
    assert_eq!(idp.poll(&codes, &[]), unknown);
    assert!(idp.enter(user_code, "").starts_with("HTTP/1.1 400"));
}

#[test]
fn refuses_a_poll_that_does_not_match_and_keeps_the_code() {
    let idp = Idp::start(&["--auto-approve"]);
    let own = json!({ "redirect_uris": ["http://127.0.0.1/own"], "token_endpoint_auth_method": "none" });
    let other = body(&register(&idp, &own));
    let codes = body(&idp.device(&[]));
    for (change, error, description) in [
        (("device_code", ""), "invalid_request", "device_code is missing"),
        (("device_code", "other"), "invalid_grant", "unknown device code"),
        (("client_id", text(&other, "client_id")), "invalid_grant", "the device code was issued to another client"),
        (("code_verifier", ""), "invalid_grant", "code_verifier is missing"),
        (("code_verifier", CHALLENGE), "invalid_grant", "code_verifier does not match code_challenge"),
        (("resource", "https://api.example"), "invalid_target", "resource was not granted"),
    ] {
        assert_eq!(idp.poll(&codes, &[change]), refusal(error, description), "{change:?}");
    }
    assert_eq!(idp.poll(&codes, &[("client_id", "other")])["error"], "invalid_client");
    assert!(idp.poll(&codes, &[]).get("access_token").is_some());
    let unsupported = "grant_type must be authorization_code, refresh_token or \
                       urn:ietf:params:oauth:grant-type:device_code";
    let password = idp.poll(&codes, &[("grant_type", "password")]);
    assert_eq!(password, refusal("unsupported_grant_type", unsupported));
}

#[test]
fn tells_a_device_to_wait_and_to_slow_down_and_that_access_was_denied() {
    let idp = Idp::start(&[]);
    let signed_in = idp.post("/login", "", &[("id", asked(&idp.authorize(&[], ""))), ("name", "alice")]);
    let cookie = header(&signed_in, "Set-Cookie").unwrap().split(';').next().unwrap();
    let cookie = format!("Cookie: {cookie}\r\n");
    let codes = body(&idp.device(&[]));
    assert_eq!(idp.poll(&codes, &[]), refusal("authorization_pending", "the user has not decided yet"));
    let polled = Instant::now();
    // Each code has an interval of its own.
    let impatient = body(&idp.device(&[]));
    let slow_down = refusal("slow_down", "the device polls too often; wait 5 seconds longer between polls");
    let polls: Vec<Value> = (0..10).map(|_| idp.poll(&impatient, &[])).collect();
    assert_eq!(polls[0]["error"], "authorization_pending");
    assert!(polls[1..].contains(&slow_down), "{polls:?}");

    // Whoever is signed in is asked for consent alone; the first decision is the one that counts.
    let consents = [0, 1].map(|_| idp.enter(text(&codes, "user_code"), &cookie));
    assert!(
        consents.iter().all(|consent| words(consent).contains(" | on a device requests access as | ")),
        "{consents:?}"
    );
    let [denied, allowed] = [("deny", &consents[0]), ("allow", &consents[1])]
        .map(|(answer, consent)| idp.post("/consent", "", &[("id", asked(consent)), ("answer", answer)]));
    assert!(denied.starts_with("HTTP/1.1 200"), "{denied}");
    assert_eq!(words(&denied), "You are not signed in | Access was denied. You can close this page.");
    assert!(allowed.starts_with("HTTP/1.1 400"), "{allowed}");
    assert_eq!(words(&allowed), "Request failed | This code is unknown, expired or already used.");
    thread::sleep(Duration::from_secs(1).saturating_sub(polled.elapsed()));
    assert_eq!(idp.poll(&codes, &[]), refusal("access_denied", "the user denied access"));

    // A device that did not slow down gets nothing until it does.
    let consent = idp.enter(text(&impatient, "user_code"), &cookie);
    idp.post("/consent", "", &[("id", asked(&consent)), ("answer", "allow")]);
    assert_eq!(idp.poll(&impatient, &[]), slow_down);
}

#[test]
fn refuses_a_device_whose_request_is_not_as_it_must_be() {
    let idp = Idp::start(&["--auto-approve"]);
    let missing = "code_challenge is missing (PKCE is required)";
    let client = "unknown client, or client authentication by a public client";
    let large = "x".repeat(8 * 1024);
    for (change, status, error, description) in [
        (("client_id", "other"), 401, "invalid_client", client),
        (("client_id", ""), 401, "invalid_client", client),
        (("client_secret", "x"), 401, "invalid_client", client),
        (("code_challenge", ""), 400, "invalid_request", missing),
        (("code_challenge", "short"), 400, "invalid_request", "code_challenge must be 43 characters of base64url"),
        (("code_challenge_method", "plain"), 400, "invalid_request", "code_challenge_method must be S256"),
        (("scope", "a\"b"), 400, "invalid_scope", "scope has an invalid character"),
        (("scope", "read profile"), 400, "invalid_scope", "no requested scope is supported"),
        (("resource", large.as_str()), 400, "invalid_request", "the request is larger than 8 KiB"),
    ] {
        let response = idp.device(&[change]);
        assert!(response.starts_with(&format!("HTTP/1.1 {status}")), "{change:?}: {response}");
        assert_eq!(body(&response), refusal(error, description), "{change:?}");
    }
    assert!(idp.get("/device_authorization", "").starts_with("HTTP/1.1 405"));
    let in_query = idp.post("/device_authorization?client_id=pkce-tools", "", &[("client_id", "pkce-tools")]);
    assert_eq!(body(&in_query), refusal("invalid_request", "parameters must be in the body, not in the query"));
    for (fault, change) in [
        ("no-pkce", ("code_challenge", "")),
        ("no-challenge", ("code_challenge", "")),
        ("plain", ("code_challenge_method", "plain")),
    ] {
        let lax = Idp::start(&["--auto-approve", "--fault", fault]);
        let codes = body(&lax.device(&[change]));
        let verifier = if fault == "plain" { CHALLENGE } else { VERIFIER };
        assert!(lax.poll(&codes, &[("code_verifier", verifier)]).get("access_token").is_some(), "{fault}");
    }
}

#[test]
fn approves_a_device_at_once_where_everything_is_approved() {
    let idp = Idp::start(&["--auto-approve"]);
    let sub = |changes: &[(&str, &str)]| {
        let codes = body(&idp.device(changes));
        let tokens = idp.poll(&codes, &[]);
        assert!(idp.enter(text(&codes, "user_code"), "").starts_with("HTTP/1.1 400"));
        body(&idp.userinfo(text(&tokens, "access_token")))["sub"].clone()
    };
    assert_eq!((sub(&[]), sub(&[("login_hint", "bob")])), (json!("alice"), json!("bob")));
    let resource = format!("http://127.0.0.1:{}/mcp", idp.port);
    let codes = body(&idp.device(&[("resource", &resource), ("scope", "")]));
    let tokens = idp.poll(&codes, &[("resource", &resource)]);
    assert_eq!((text(&tokens, "scope"), tokens.get("id_token"), tokens.get("refresh_token")), ("", None, None));
    let call = idp.get("/mcp", &format!("Authorization: Bearer {}\r\n", text(&tokens, "access_token")));
    assert!(call.starts_with("HTTP/1.1 200"), "{call}");
}

#[test]
fn says_that_a_code_is_wrong_and_lets_nobody_guess_for_long() {
    let idp = Idp::start(&[]);
    let codes = body(&idp.device(&[]));
    let user_code = text(&codes, "user_code");
    let said = |page: &str| {
        assert!(page.starts_with("HTTP/1.1 400"), "{page}");
        words(page)
    };
    let unknown = "Sign in on a device | This code is unknown, expired or already used. | Code | Continue";
    let wrong = idp.enter("<b>BCDF", "");
    assert_eq!(said(&wrong), unknown);
    assert!(wrong.contains("value=\"&lt;b&gt;BCDF\""), "{wrong}");
    let filled = idp.get("/device?user_code=BCDF%E2%80%AEa", "");
    assert!(filled.contains("value=\"BCDF?a\""), "{filled}");
    assert_eq!(said(&idp.post("/device", "", &[])), unknown);
    // The page with a code in its address says nothing about it.
    for _ in 0..100 {
        assert!(idp.get("/device?user_code=BCDF", "").starts_with("HTTP/1.1 200"));
    }
    for _ in 0..97 {
        assert_eq!(said(&idp.enter("BCDF-GHJK", "")), unknown);
    }
    assert!(idp.enter(user_code, "").contains("<h1>Sign in</h1>"));
    assert_eq!(said(&idp.enter("BCDF-GHJK", "")), unknown);
    let too_many = "Sign in on a device | Too many wrong codes were entered. Try again in 5 minutes. | Code | Continue";
    assert_eq!(said(&idp.enter("BCDF-GHJK", "")), too_many);
    assert_eq!(said(&idp.enter(user_code, "")), too_many);
    assert_eq!(idp.poll(&codes, &[])["error"], "authorization_pending");
}

#[test]
fn accepts_no_form_that_another_site_sends() {
    let idp = Idp::start(&[]);
    let codes = body(&idp.device(&[]));
    let (port, other) = (idp.port, free_port());
    let refused =
        "Request failed | Another site sent this form. Open the page on this server, and send the form from there.";
    let foreign = [
        "Sec-Fetch-Site: cross-site\r\n".to_owned(),
        "Sec-Fetch-Site: same-site\r\n".to_owned(),
        format!("Sec-Fetch-Site: cross-site\r\nOrigin: http://127.0.0.1:{port}\r\n"),
        "Origin: https://other.example\r\n".to_owned(),
        format!("Origin: https://127.0.0.1:{port}\r\n"),
        format!("Origin: http://127.0.0.1:{other}\r\n"),
        format!("Origin: http://localhost:{port}\r\n"),
        "Origin: null\r\n".to_owned(),
    ];
    let own = [
        "Sec-Fetch-Site: same-origin\r\n".to_owned(),
        "Sec-Fetch-Site: same-origin\r\nOrigin: null\r\n".to_owned(),
        "Sec-Fetch-Site: none\r\n".to_owned(),
        format!("Origin: http://127.0.0.1:{port}\r\n"),
        String::new(),
    ];
    // It does not count as a wrong code either, so that no site can lock the page.
    for _ in 0..20 {
        for headers in &foreign {
            let page = idp.enter("BCDF-GHJK", headers);
            assert!(page.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{headers}: {page}");
            assert_eq!(words(&page), refused, "{headers}");
        }
    }
    let login = idp.enter(text(&codes, "user_code"), "");
    let name = [("id", asked(&login)), ("name", "alice")];
    assert_eq!(words(&idp.post("/login", &foreign[0], &name)), refused);
    let consent = idp.post("/login", &own[0], &name);
    let denied = [("id", asked(&consent)), ("answer", "deny")];
    assert_eq!(words(&idp.post("/consent", &foreign[0], &denied)), refused);
    assert_eq!(idp.poll(&codes, &[])["error"], "authorization_pending");
    for headers in &own {
        let consent = idp.enter(text(&codes, "user_code"), headers);
        assert!(consent.contains("<h1>Sign in</h1>"), "{headers}: {consent}");
    }
    assert!(idp.post("/consent", &own[1], &denied).starts_with("HTTP/1.1 200"));
    // Another site may begin a login here, and a page may be open under this server's other name.
    let begun = idp.post("/authorize", &foreign[0], &[("client_id", "other")]);
    assert_eq!(words(&begun), "Request failed | The client_id is not registered.");
    for page in [idp.get("/device", ""), login, consent] {
        let action = page.split_once(" action=\"").unwrap().1.split('"').next().unwrap();
        assert!(["device", "login", "consent"].contains(&action), "{action}");
    }
    let form = "user_code=BCDF-GHJK";
    let named = format!(
        "POST /device HTTP/1.1\r\nHost: localhost:{port}\r\nOrigin: http://localhost:{port}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    assert!(words(&talk(port, named.as_bytes())).contains("This code is unknown, expired or already used."));
}

#[test]
fn forgets_the_oldest_of_many_device_codes() {
    let idp = Idp::start(&[]);
    let resource = long();
    let (first, last) = flood(&idp, || idp.device(&[("resource", &resource)]));
    let (first, last) = (body(&first), body(&last));
    assert_eq!(idp.poll(&first, &[]), refusal("invalid_grant", "unknown device code"));
    assert!(idp.enter(text(&first, "user_code"), "").starts_with("HTTP/1.1 400"));
    assert_eq!(idp.poll(&last, &[])["error"], "authorization_pending");
    assert!(idp.enter(text(&last, "user_code"), "").contains("<h1>Sign in</h1>"));
}

#[test]
fn knows_the_clients_of_a_device_as_it_knows_those_of_a_browser() {
    let server = documents(&[("/device", r#"{"grant_types":["urn:ietf:params:oauth:grant-type:device_code"]}"#)]);
    let idp = Idp::start(&["--auto-approve"]);
    let client_id = server.url("/device");
    let codes = body(&idp.device(&[("client_id", &client_id)]));
    assert!(idp.poll(&codes, &[("client_id", &client_id)]).get("access_token").is_some());
    let missing = idp.device(&[("client_id", &server.url("/missing"))]);
    assert!(missing.starts_with("HTTP/1.1 401"), "{missing}");
    let none = "The client_id is a URL where there is no client ID metadata document.";
    assert_eq!(body(&missing), refusal("invalid_client", none));
    let metadata = json!({
        "redirect_uris": ["http://127.0.0.1/own"], "token_endpoint_auth_method": "none", "grant_types": [DEVICE_CODE],
    });
    let client = body(&register(&idp, &metadata));
    assert_eq!(client["grant_types"], json!([DEVICE_CODE]));
    let own = [("client_id", text(&client, "client_id"))];
    assert!(idp.poll(&body(&idp.device(&own)), &own).get("access_token").is_some());
}

#[test]
fn gives_no_codes_to_a_device_whose_client_is_not_registered_for_them() {
    let server = documents(&[
        ("/browser", r#"{"grant_types":["authorization_code","refresh_token"]}"#),
        ("/number", r#"{"grant_types":5}"#),
    ]);
    let idp = Idp::start(&["--auto-approve"]);
    let registered = |changes: Value| {
        let metadata = json!({ "redirect_uris": ["http://127.0.0.1/callback"], "token_endpoint_auth_method": "none" });
        text(&body(&register(&idp, &changed(metadata, &changes))), "client_id").to_owned()
    };
    let unauthorized = refusal("unauthorized_client", "the client is not registered for the device grant");
    for client_id in [
        registered(json!({})),
        registered(json!({ "grant_types": ["authorization_code", "refresh_token"] })),
        registered(json!({ "grant_types": [] })),
        server.url("/client"),
        server.url("/browser"),
        server.url("/number"),
    ] {
        let client = [("client_id", client_id.as_str())];
        let response = idp.device(&client);
        assert!(response.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{client_id}: {response}");
        assert_eq!(body(&response), unauthorized, "{client_id}");
        // It may sign in with a browser.
        let code = parameter(&idp.authorize(&client, ""), "code").unwrap();
        assert!(idp.exchange(&code, &client).get("access_token").is_some(), "{client_id}");
    }
}

#[test]
fn lets_pkce_device_in_as_the_person_decides_on_its_page() {
    let idp = Idp::start(&[]);
    let decided = |answer: &str| {
        let begun = run("pkce-gen", &["-"], &idp.document.to_string()).stdout;
        let args = ["--no-qr", "--scope", "openid offline_access", "--resource", "https://api.example"];
        let mut child = common::start(command("pkce-device").args(args));
        child.stdin.take().unwrap().write_all(begun.as_bytes()).unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        // The last of the lines that it shows is the address with the code in it.
        let shown: Vec<String> = stderr.by_ref().lines().take(5).map(Result::unwrap).collect();
        let link = shown[4].trim().split_once("/device?user_code=").unwrap_or_else(|| panic!("{shown:?}"));
        assert_eq!(link, (text(&idp.document, "issuer"), shown[2].trim()));
        let login = idp.enter(link.1, "");
        let consent = idp.post("/login", "", &[("id", asked(&login)), ("name", "alice")]);
        idp.post("/consent", "", &[("id", asked(&consent)), ("answer", answer)]);
        let mut said = String::new();
        stderr.read_to_string(&mut said).unwrap();
        Output { stderr: said, ..done(child) }
    };
    let (allowed, denied) = thread::scope(|scope| {
        let [allowed, denied] = ["allow", "deny"].map(|answer| scope.spawn(move || decided(answer)));
        (allowed.join().unwrap(), denied.join().unwrap())
    });
    assert_eq!((allowed.status, allowed.stderr.as_str()), (0, ""));
    let verified = run("pkce-verify", &["-r", "id_token_claims"], &allowed.stdout);
    assert_eq!((verified.status, &verified.json()["sub"]), (0, &json!("alice")));
    let refreshed = run("pkce-refresh", &[], &allowed.stdout);
    assert_eq!((refreshed.status, &refreshed.json()["scope"]), (0, &json!("openid offline_access")));
    let message = "token endpoint: access_denied: the user denied access";
    assert_eq!(denied, failure("pkce-device", 1, message));
}

#[test]
fn takes_an_issuer_with_a_path() {
    let slash = Idp::start(&["--issuer-path", "/"]);
    assert_eq!(text(&slash.document, "issuer"), format!("http://127.0.0.1:{}/", slash.port));
    assert_eq!(text(&slash.document, "token_endpoint"), format!("http://127.0.0.1:{}/token", slash.port));
    let path = Idp::start(&["--issuer-path", "/realms/x"]);
    let issuer = format!("http://127.0.0.1:{}/realms/x", path.port);
    assert_eq!(text(&path.document, "issuer"), issuer);
    for target in ["/realms/x/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/realms/x"] {
        assert_eq!(body(&path.get(target, ""))["issuer"], json!(issuer), "{target}");
    }
    let wrong = failure("pkce-idp", 2, "--issuer-path: must be a path that begins with /");
    assert_eq!(run("pkce-idp", &["--issuer-path", "x"], ""), wrong);
    assert_eq!(run("pkce-idp", &["--issuer-path", "/x?y"], ""), wrong);
}

#[test]
fn runs_a_command_in_its_presence_and_ends_with_its_status() {
    let script = "echo \"$PKCE_CLIENT_ID $BROWSER\"; pkce-discover -r issuer; echo \"$PKCE_ISSUER\"; exit 7";
    let output = run("pkce-idp", &["--auto-approve", "--", "sh", "-c", script], "");
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!((output.status, lines.len()), (7, 3), "{output:?}");
    assert!(lines[0].starts_with("pkce-tools ") && lines[0].ends_with("pkce-idp --visit %s"), "{output:?}");
    assert_eq!(lines[1], lines[2]);
    assert_eq!(run("pkce-idp", &["--", "sh", "-c", "kill -9 $$"], "").status, 137);
    let without = run("pkce-idp", &["--", "sh", "-c", "echo ${BROWSER-none}"], "");
    assert_eq!(without.stdout, "none\n");
}

#[test]
fn gives_a_command_its_own_status_and_its_failures_others() {
    for status in [0, 1, 2, 3, 5, 70, 112, 113, 126, 127, 180, 255] {
        let output = run("pkce-idp", &["--", "sh", "-c", &format!("exit {status}")], "");
        assert_eq!(output, Output { status, stdout: String::new(), stderr: String::new() });
    }
    let directory = new_directory();
    let directory = directory.path().display().to_string();
    let idp = Idp::start(&[]);
    let port = idp.port.to_string();
    let hint = "hint: see 'pkce-idp --help'";
    for (args, status, message) in [
        (&["--", "/no/such/program"][..], 127, "/no/such/program: no such file or directory"),
        (&["--", &directory], 126, &format!("{directory}: permission denied")),
        (&["--port", &port, "--", "true"], 113, &format!("127.0.0.1:{port}: address already in use")),
        (&["--bad", "--", "true"], 112, &format!("--bad: no such option\n{hint}")),
        (&["--port", "x", "--", "true"], 112, &format!("--port: must be a whole number from 0 to 65535\n{hint}")),
    ] {
        // Nobody waits for a document, so there is no failure line.
        let expected = Output { stdout: String::new(), ..failure("pkce-idp", status, message) };
        assert_eq!(run("pkce-idp", args, ""), expected, "{args:?}");
    }
    let without = format!("--bad: no such option\n{hint}");
    assert_eq!(run("pkce-idp", &["--bad"], ""), failure("pkce-idp", 2, &without));
}

#[test]
fn passes_a_signal_on_to_its_command() {
    let script = "trap 'echo ended; exit 3' TERM; echo ready; while :; do sleep 0.1; done";
    let mut child = common::start(command("pkce-idp").args(["--", "sh", "-c", script]));
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    kill(child.id(), "TERM");
    stdout.read_line(&mut line).unwrap();
    assert_eq!((done(child).status, line.as_str()), (3, "ready\nended\n"));
}

#[test]
fn gives_its_command_the_descriptors_of_the_caller_and_the_default_action_of_a_broken_pipe() {
    let script = "trap '' PIPE; exec 5</dev/null; pkce-idp -- sh -c '
        for n in 3 4 5 6 7 8 9; do if (: <&$n) 2>/dev/null; then echo $n; fi; done; kill -PIPE $$; echo ignored'";
    let output = finish(command("bash").args(["-c", script]), b"");
    assert_eq!(output, Output { status: 141, stdout: "5\n".to_owned(), stderr: String::new() });
}

#[test]
fn gives_its_command_the_descriptor_of_the_client_secret_which_its_tools_hide() {
    let directory = new_directory();
    std::fs::write(directory.path().join("secret"), "s3cret\n").unwrap();
    let script = "exec 5<secret; export PKCE_CLIENT_SECRET_FILE=/dev/fd/5; pkce-idp -- sh -c '
        cat <&5
        PKCE_HOME=$PWD/store PKCE_SEAL=\"(cat <&5) 2>/dev/null >seen; cat\" pkce-store work && cat seen'";
    let mut shell = command("bash");
    shell.args(["-c", script]).current_dir(directory.path());
    let output = finish(&mut shell, b"{\"token_endpoint\":\"https://id.example/token\"}");
    assert_eq!(output, Output { status: 0, stdout: "s3cret\n".to_owned(), stderr: String::new() });
}

#[test]
fn says_which_port_is_taken() {
    let idp = Idp::start(&[]);
    let output = run("pkce-idp", &["--port", &idp.port.to_string()], "");
    assert_eq!(output, failure("pkce-idp", 3, &format!("127.0.0.1:{}: address already in use", idp.port)));
}

#[test]
fn follows_redirects_on_this_machine_alone() {
    let server = common::Server::start(|seen| match seen.target.as_str() {
        "/absolute" => {
            format!("HTTP/1.1 302 Found\r\nLocation: http://{}/end\r\n\r\n", seen.header("Host").unwrap()).into()
        }
        "/relative" => b"HTTP/1.1 303 See Other\r\nLocation: /absolute\r\n\r\n".to_vec(),
        "/away" => b"HTTP/1.1 302 Found\r\nLocation: https://id.example/\r\n\r\n".to_vec(),
        "/round" => b"HTTP/1.1 302 Found\r\nLocation: /round\r\n\r\n".to_vec(),
        "/end" => common::response(200, "text/html", "<p>done"),
        "/other" => common::response(403, "text/html", "<title>x</title>"),
        _ => common::response(500, "", ""),
    });
    for (path, status, message) in [
        ("/relative", 0, ""),
        ("/away", 4, "pkce-idp: --visit: leads to another machine\n"),
        ("/round", 4, "pkce-idp: --visit: too many redirects\n"),
        ("/wrong", 1, "pkce-idp: --visit: the server responded with 500\n"),
        ("/other", 1, "pkce-idp: --visit: the server responded with 403: x\n"),
    ] {
        let output = run("pkce-idp", &["--visit", &server.url(path)], "");
        assert_eq!((output.status, output.stderr.as_str()), (status, message), "{path}");
    }
    let output = run("pkce-idp", &["--visit", "https://id.example/"], "");
    assert_eq!((output.status, output.stderr.as_str()), (4, "pkce-idp: --visit: leads to another machine\n"));
}

#[test]
fn is_a_browser_where_it_is_named_without_the_url() {
    let script = "pkce-discover | pkce-gen - | pkce-url | BROWSER='pkce-idp --visit' pkce-callback -r code";
    let output = run("pkce-idp", &["--auto-approve", "--", "bash", "-o", "pipefail", "-c", script], "");
    assert_eq!((output.status, output.stdout.lines().count()), (0, 1), "{output:?}");
}

#[test]
fn says_why_the_page_that_it_visited_refused() {
    let idp = Idp::start(&["--auto-approve"]);
    let url = format!("http://127.0.0.1:{}/authorize?response_type=code&client_id=%3Cb%3E%1b&scope=x", idp.port);
    let output = run("pkce-idp", &["--visit", &url], "");
    let message = "--visit: the server responded with 400: Request failed: The client_id is not registered.";
    assert_eq!(output, failure("pkce-idp", 1, message));
}

#[test]
fn tolerates_what_is_not_a_request() {
    let idp = Idp::start(&[]);
    let silent: Vec<TcpStream> = (0..50).map(|_| TcpStream::connect(("127.0.0.1", idp.port)).unwrap()).collect();
    for octets in ["\u{16}\u{3}\u{1}", "GET /\r\n", "POST /token HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n"] {
        assert!(talk(idp.port, octets.as_bytes()).starts_with("HTTP/1.1 4"), "{octets:?}");
    }
    assert!(idp.get("/jwks", "").starts_with("HTTP/1.1 200"));
    drop(silent);
}

#[test]
fn takes_a_token_request_in_json_as_auth0_does() {
    let idp = Idp::start(&["--auto-approve"]);
    let request = json!({
        "grant_type": "authorization_code", "client_id": "pkce-tools", "code": idp.code(),
        "redirect_uri": REDIRECT, "code_verifier": VERIFIER,
    })
    .to_string();
    let head = format!(
        "POST /token HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        idp.port,
        request.len()
    );
    assert_eq!(body(&talk(idp.port, (head + &request).as_bytes()))["token_type"], "Bearer");
}

#[test]
fn can_be_started_in_the_background_by_a_shell() {
    let script = "document=$(pkce-idp & echo $! >&2); pkce-discover \"$(printf %s \"$document\" | \
                  sed 's/.*\"issuer\":\"\\([^\"]*\\)\".*/\\1/')\" -r issuer";
    let mut shell = command("sh");
    let mut child =
        shell.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.as_mut().unwrap();
    let mut issuer = String::new();
    child.stdout.take().unwrap().read_to_string(&mut issuer).unwrap();
    assert!(child.wait().unwrap().success());
    let mut pid = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut pid).unwrap();
    kill(pid.trim().parse().unwrap(), "TERM");
    assert!(issuer.starts_with("http://127.0.0.1:"), "{issuer}");
}

#[test]
fn reads_nothing_from_standard_input() {
    let output = finish(command("pkce-idp").args(["--", "cat"]), b"for the command\n");
    assert_eq!((output.status, output.stdout.as_str()), (0, "for the command\n"));
    let mut child = common::start(command("pkce-idp").args(["--", "sh", "-c", "exec <&-; exit 0"]));
    child.stdin.take().unwrap().flush().unwrap();
    assert_eq!(done(child).status, 0);
}
