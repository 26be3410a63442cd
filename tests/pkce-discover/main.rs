//! pkce-discover: where metadata is looked for, and when it is believed.
#![cfg(test)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/tls.rs"]
mod tls;

mod places;
mod redirects;
mod resource;

use std::io::Write;
use std::sync::{Arc, Mutex};

use common::{Output, Request, Server, command, failure, finish, free_port, json_response, listen, response, run};
use serde_json::{Value, json};
use tls::HttpsProxy;

fn metadata(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "code_challenge_methods_supported": ["S256"],
    })
}

fn issuer_of(seen: &Request) -> String {
    format!("http://{}", seen.header("Host").unwrap())
}

fn targets(server: &Server) -> Vec<String> {
    server.requests().into_iter().map(|seen| seen.target).collect()
}

fn redirect(status: u16, location: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} X\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        .into_bytes()
}

/// Fetches from a server with the same response to every request.
fn with_response(octets: Vec<u8>) -> (Output, Vec<String>) {
    let server = Server::start(move |_| octets.clone());
    let output = run("pkce-discover", &["--timeout", "5", &server.url("")], "");
    (output, targets(&server))
}

#[test]
fn prints_what_the_tools_use_and_nothing_that_a_login_sets() {
    let server = Server::start(|seen| {
        let mut metadata = metadata(&issuer_of(seen));
        let others = json!({
            "claims_supported": ["sub"], "revocation_endpoint": "https://other.example/revoke", "client_id": "evil",
            "access_token": "evil", "code_verifier": "evil", "resource": "evil", "id_token_claims": {}, "scope": "evil",
            "userinfo_endpoint": null, "require_pushed_authorization_requests": false, "state": "evil",
            "code_challenge": "evil", "code_challenge_method": "plain", "nonce": "evil", "client_secret": "evil",
            "token_endpoint_auth_method": "none", "redirect_uri": "evil", "max_age": 1, "acr_values": "evil",
            "authorization_url": "evil", "code": "evil", "iss": "evil", "token_type": "evil", "expires_in": 1,
            "expires_at": 1, "refresh_token": "evil", "id_token": "evil",
        });
        metadata.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
        json_response(&metadata)
    });
    let issuer = server.url("");
    let mut expected = metadata(&issuer);
    expected["revocation_endpoint"] = json!("https://other.example/revoke");
    expected["require_pushed_authorization_requests"] = json!(false);
    let output = run("pkce-discover", &[&issuer], "not read");
    assert_eq!((output.status, output.json(), output.stderr.as_str()), (0, expected.clone(), ""));
    expected["claims_supported"] = json!(["sub"]);
    assert_eq!(run("pkce-discover", &[&issuer, "--all"], "").json(), expected);
    let mut by_environment = command("pkce-discover");
    assert_eq!(finish(by_environment.env("PKCE_ISSUER", &issuer).arg("--all"), b"").json(), expected);
    let mut by_both = command("pkce-discover");
    let output = finish(by_both.env("PKCE_ISSUER", "http://127.0.0.1:1").args([&issuer, "--all"]), b"");
    assert_eq!((output.status, output.json()), (0, expected));
    let output = run("pkce-discover", &[&issuer, "-r", "token_endpoint"], "");
    assert_eq!((output.status, output.stdout, output.stderr), (0, format!("{issuer}/token\n"), String::new()));
    // What the user names and the server lacks is no fault of the server.
    let output = run("pkce-discover", &[&issuer, "-r", "no_such_member"], "");
    assert_eq!((output.status, output.stderr.as_str()), (2, "pkce-discover: no_such_member: missing\n"));
    let seen = &server.requests()[0];
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/.well-known/openid-configuration"));
    assert_eq!((seen.header("Accept"), seen.header("Cookie")), (Some("application/json"), None));
}

#[test]
fn notes_what_the_metadata_says_of_pkce() {
    for (methods, note) in [
        (json!(["plain", "S256"]), ""),
        (
            json!(["plain"]),
            "pkce-discover: note: according to its metadata, the server does not support PKCE with S256\n",
        ),
        (Value::Null, "pkce-discover: note: the server's metadata does not mention PKCE\n"),
    ] {
        let server = Server::start(move |seen| {
            let mut metadata = metadata(&issuer_of(seen));
            metadata["code_challenge_methods_supported"] = methods.clone();
            json_response(&metadata)
        });
        let output = run("pkce-discover", &[&server.url("")], "");
        assert_eq!((output.status, output.stderr.as_str()), (0, note));
    }
}

#[test]
fn ends_in_the_time_it_is_given() {
    let slow = Server::speaking(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n");
        while stream.write_all(b" ").is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    });
    let output = run("pkce-discover", &["--timeout", "1", &slow.url("")], "");
    assert_eq!(output, failure("pkce-discover", 3, &format!("127.0.0.1:{}: no response within 1 s", slow.port)));
    let free = free_port();
    let output = run("pkce-discover", &[&format!("http://127.0.0.1:{free}")], "");
    assert_eq!(output, failure("pkce-discover", 3, &format!("127.0.0.1:{free}: connection refused")));
    for (value, wrong) in
        [("0", "must be a whole number from 1 to 4294967295"), ("x", "must be a whole number from 1 to 4294967295")]
    {
        let hint = "hint: see 'pkce-discover --help'";
        let output = run("pkce-discover", &["--timeout", value, "https://a.example"], "");
        assert_eq!(output, failure("pkce-discover", 2, &format!("--timeout: {wrong}\n{hint}")));
    }
}

#[test]
fn needs_an_issuer() {
    let message = "issuer: missing\nhint: give it as an argument, or set PKCE_ISSUER";
    assert_eq!(run("pkce-discover", &[], ""), failure("pkce-discover", 2, message));
    let mut empty = command("pkce-discover");
    assert_eq!(finish(empty.env("PKCE_ISSUER", ""), b""), failure("pkce-discover", 2, message));
    let hint = "hint: see 'pkce-discover --help'";
    for (args, wrong) in [
        (
            vec!["https://a.example", "--resource", "https://b.example"],
            "ISSUER: repeated, or conflicts with another argument",
        ),
        (vec!["https://a.example", "https://b.example"], "arguments: too many"),
        (vec!["--resource"], "--resource: requires a value"),
    ] {
        assert_eq!(run("pkce-discover", &args, ""), failure("pkce-discover", 2, &format!("{wrong}\n{hint}")));
    }
}

#[test]
fn says_in_the_resolvers_words_that_a_host_is_not_found() {
    // The words are the system's, and differ where there is no network; who says them first is not of interest.
    let output = run("pkce-discover", &["https://no-such-host.invalid"], "");
    assert_eq!((output.status, output.stdout.as_str()), (3, "!3 unavailable pkce-discover\n"), "{output:?}");
    let reason = output.stderr.strip_prefix("pkce-discover: no-such-host.invalid: ").unwrap();
    assert!(!reason.contains("lookup") && reason.lines().count() == 1, "{output:?}");
}

#[test]
fn fetches_and_accepts_metadata_as_the_vectors_say() {
    let vectors = common::vectors("wellknown.json");
    let issuer: Arc<Mutex<Value>> = Arc::default();
    let named = Arc::clone(&issuer);
    let proxy = HttpsProxy::start(move |_, _| {
        let issuer = named.lock().unwrap();
        match *issuer {
            Value::Bool(_) => response(404, "", ""),
            // Null here is a member that is not there at all.
            Value::Null => json_response(&json!({})),
            ref issuer => json_response(&json!({ "issuer": issuer, "code_challenge_methods_supported": ["S256"] })),
        }
    });
    let discover = |args: &[&str], returned: Value| {
        *issuer.lock().unwrap() = returned;
        let mut tool = command("pkce-discover");
        proxy.trusted_by(tool.args(args));
        finish(&mut tool, b"")
    };
    for case in vectors["build"].as_array().unwrap() {
        let asked = case["issuer"].as_str().unwrap();
        assert_eq!(discover(&[asked], json!(false)).status, 1, "{asked}");
        let places = proxy.requested();
        assert_eq!(json!(places[..2]), json!([case["oidc"], case["rfc8414"]]), "{asked}");
        // The third is OpenID's where RFC 8414 has its own; without a path, that is the first.
        let third = case["rfc8414"].as_str().unwrap().replace("oauth-authorization-server", "openid-configuration");
        let third = Some(third).filter(|third| *third != places[0]);
        assert_eq!(places.get(2), third.as_ref(), "{asked}");
        assert_eq!(discover(&["--resource", asked], json!(false)).status, 1, "{asked}");
        let resource = proxy.requested();
        assert!(case["rfc9728"].is_null() || json!(resource[1]) == case["rfc9728"], "{asked}: {resource:?}");
    }
    for case in vectors["reject_issuer"].as_array().unwrap() {
        let asked = case["issuer"].as_str().unwrap();
        let output = discover(&["--", asked], json!(asked));
        let status = if asked == "http://op.example.com" { 4 } else { 2 };
        assert_eq!((output.status, proxy.requested().len()), (status, 0), "{asked}: {output:?}");
        assert!(!asked.contains("/.well-known/") || output.stderr.contains("hint: try https://op.example.com\n"));
    }
    for case in vectors["issuer_match"].as_array().unwrap() {
        let asked = case["requested"].as_str().unwrap();
        let output = discover(&[asked], case["returned"].clone());
        assert_eq!(output.status, if case["ok"] == true { 0 } else { 4 }, "{case}: {output:?}");
        let returned = case["returned"].as_str().unwrap_or_default();
        let only_slash = returned != asked && returned.trim_end_matches('/') == asked.trim_end_matches('/');
        let hint = format!("hint: only the trailing slash differs; use: pkce-discover {returned}\n");
        assert_eq!(output.stderr.contains(&hint), only_slash, "{case}: {output:?}");
        proxy.requested();
    }
}

#[test]
fn sends_nothing_to_a_server_it_does_not_trust() {
    let proxy = HttpsProxy::start(|_, _| json_response(&json!({})));
    let mut tool = command("pkce-discover");
    proxy.untrusted_by(tool.arg("https://op.example.com"));
    let output = finish(&mut tool, b"");
    assert_eq!(proxy.requested().len(), 0);
    let message = "op.example.com: TLS: the certificate is self-signed, or its issuer is not trusted\n\
                   hint: set SSL_CERT_FILE to a file with the certificates to trust";
    assert_eq!(output, failure("pkce-discover", 4, message));
    // What speaks no TLS gets no request either.
    let (listener, port) = listen();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    let output = run("pkce-discover", &[&format!("https://127.0.0.1:{port}")], "");
    assert_eq!(output.status, 4, "{output:?}");
}

#[test]
fn reads_json_whatever_the_server_calls_it() {
    let server = Server::start(|seen| response(200, "text/html", &metadata(&issuer_of(seen)).to_string()));
    let output = run("pkce-discover", &[&server.url("")], "");
    assert_eq!((output.status, output.json()), (0, metadata(&server.url(""))));
}

#[test]
fn takes_http_to_a_test_host_that_is_named() {
    let proxy = Server::speaking(|seen, stream| {
        if (seen.method.as_str(), seen.target.as_str()) == ("CONNECT", "idp.test:8080") {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            let _ = common::read_request(stream).unwrap();
            stream.write_all(&json_response(&metadata("http://idp.test:8080/r"))).unwrap();
        }
    });
    for (hosts, status) in [("idp.test:8080", 0), ("other idp.test", 0), ("idp.test:80", 4), ("", 4)] {
        let mut tool = command("pkce-discover");
        tool.env("HTTP_PROXY", proxy.url("")).env("PKCE_HTTP_HOSTS", hosts).arg("http://idp.test:8080/r");
        let output = finish(&mut tool, b"");
        assert_eq!(output.status, status, "{hosts}: {output:?}");
        assert!(status != 0 || output.json() == metadata("http://idp.test:8080/r"), "{output:?}");
    }
    assert_eq!(proxy.requests().len(), 2);
}

#[test]
fn trusts_no_certificate_that_has_expired_or_names_another_host() {
    let proxy = HttpsProxy::start(|_, _| json_response(&json!({})));
    let clock = "hint: if it should be valid, check this machine's clock";
    for (host, wrong) in [
        ("expired.example", format!("the certificate has expired\n{clock}")),
        ("wrong.example", "the certificate's names: another.example instead of wrong.example".to_owned()),
    ] {
        let mut tool = command("pkce-discover");
        proxy.trusted_by(tool.arg(format!("https://{host}")));
        let output = finish(&mut tool, b"");
        let expected = failure("pkce-discover", 4, &format!("{host}: TLS: {wrong}"));
        assert_eq!((output, proxy.requested().len()), (expected, 0));
    }
}
