//! pkce-discover: where metadata is looked for, and when it is believed.
#![cfg(test)]

mod common;
#[path = "common/tls.rs"]
mod tls;

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

/// Fetches from a server with the same response to every request.
fn with_response(octets: Vec<u8>) -> (Output, Vec<String>) {
    let server = Server::start(move |_| octets.clone());
    let output = run("pkce-discover", &["--timeout", "5", &server.url("")], "");
    (output, server.requests().into_iter().map(|seen| seen.target).collect())
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
fn goes_on_to_rfc_8414_after_a_404_alone() {
    let server = Server::start(|seen| match seen.target.as_str() {
        "/.well-known/oauth-authorization-server/t" => json_response(&metadata(&format!("{}/t", issuer_of(seen)))),
        _ => response(404, "text/html", "<h1>none"),
    });
    assert_eq!(run("pkce-discover", &[&server.url("/t")], "").json(), metadata(&server.url("/t")));
    let targets: Vec<String> = server.requests().into_iter().map(|seen| seen.target).collect();
    assert_eq!(targets, ["/t/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/t"]);
    let large = format!("{{\"issuer\":\"{}\"}}", "a".repeat(2 * 1024 * 1024));
    for (octets, status, message, requests) in [
        (response(404, "", ""), 1, "metadata: not found (404)", 2),
        (response(500, "", ""), 3, "metadata: the server responded with 500", 1),
        (response(503, "", ""), 3, "metadata: the server responded with 503", 1),
        (response(429, "", ""), 3, "metadata: the server responded with 429", 1),
        (response(403, "", ""), 1, "metadata: the server responded with 403", 1),
        (response(204, "", ""), 4, "metadata: the server responded with 204", 1),
        (response(200, "text/html", "<html>"), 4, "metadata: HTML, not JSON (proxy or captive portal?)", 1),
        (response(200, "application/json", "[]"), 4, "metadata: not a JSON object", 1),
        (response(200, "application/json", "{"), 4, "metadata: not a JSON object: unexpected end", 1),
        (response(200, "application/json", "{\"a\":{\"b\":1,\"b\":2}}"), 4, "metadata: a: b: duplicate", 1),
        (response(200, "application/json", "{}"), 4, "metadata: issuer: missing", 1),
        (response(200, "application/json", "{\"issuer\":[\"a\"]}"), 4, "metadata: issuer: must be a string", 1),
        (response(200, "application/json", &large), 4, "metadata: the response is larger than 1 MiB", 1),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n".to_vec(),
            4,
            "metadata: redirect (302) not followed",
            1,
        ),
    ] {
        let (output, targets) = with_response(octets);
        assert_eq!((output, targets.len()), (failure("pkce-discover", status, message), requests));
    }
}

#[test]
fn refuses_metadata_whose_endpoints_no_step_may_use() {
    for (name, value, wrong) in [
        ("token_endpoint", json!("http://id.example/token"), "plain http is only allowed to this machine; use https"),
        ("authorization_endpoint", json!("javascript:alert(1)"), "not an absolute URL with a host"),
        ("jwks_uri", json!("https://id.example/#x"), "must not have a fragment (#)"),
        ("token_endpoint", json!(5), "must be a string"),
        ("code_challenge_methods_supported", json!(5), "must be a string"),
    ] {
        let changed = value.clone();
        let server = Server::start(move |seen| {
            let mut metadata = metadata(&issuer_of(seen));
            metadata[name] = changed.clone();
            json_response(&metadata)
        });
        let output = run("pkce-discover", &[&server.url("")], "");
        assert_eq!(output, failure("pkce-discover", 4, &format!("metadata: {name}: {wrong}")), "{value}");
    }
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
    assert_eq!(output, failure("pkce-discover", 3, "127.0.0.1: no response within 1 s"));
    let free = free_port();
    let output = run("pkce-discover", &[&format!("http://127.0.0.1:{free}")], "");
    assert_eq!(output, failure("pkce-discover", 3, "127.0.0.1: connection refused"));
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
fn starts_from_a_protected_resource() {
    let server = Server::start(|seen| {
        let host = issuer_of(seen);
        match seen.target.as_str() {
            "/.well-known/oauth-protected-resource/mcp" => json_response(
                &json!({ "resource": format!("{host}/mcp"), "authorization_servers": [format!("{host}/as")] }),
            ),
            "/.well-known/oauth-protected-resource/other" => json_response(
                &json!({ "resource": format!("{host}/mcp"), "authorization_servers": [format!("{host}/as")] }),
            ),
            "/.well-known/oauth-protected-resource/none" => {
                json_response(&json!({ "resource": format!("{host}/none") }))
            }
            "/.well-known/oauth-authorization-server/as" => json_response(&metadata(&format!("{host}/as"))),
            _ => response(404, "", ""),
        }
    });
    let mut expected = metadata(&server.url("/as"));
    expected["resource"] = json!(server.url("/mcp"));
    let output = run("pkce-discover", &["--resource", &server.url("/mcp")], "");
    assert_eq!((output.status, output.json()), (0, expected));
    for (path, status, message) in [
        ("/other", 4, "resource metadata: resource: not the requested resource"),
        ("/none", 4, "resource metadata: authorization_servers: missing"),
        ("/unknown", 1, "resource metadata: not found (404)"),
    ] {
        let output = run("pkce-discover", &["--resource", &server.url(path)], "");
        assert_eq!(output, failure("pkce-discover", status, message), "{path}");
    }
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
        assert_eq!(json!(proxy.requested()), json!([case["oidc"], case["rfc8414"]]), "{asked}");
        assert_eq!(discover(&["--resource", asked], json!(false)).status, 1, "{asked}");
        let resource = proxy.requested();
        assert!(case["rfc9728"].is_null() || json!(resource) == json!([case["rfc9728"]]), "{asked}: {resource:?}");
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
fn lets_no_resource_elsewhere_name_a_server_on_this_machine() {
    let proxy = HttpsProxy::start(|_, seen| {
        let resource = format!("https://{}", seen.header("Host").unwrap());
        json_response(&json!({ "resource": resource, "authorization_servers": ["http://127.0.0.1:9/"] }))
    });
    let mut tool = command("pkce-discover");
    proxy.trusted_by(tool.args(["--resource", "https://mcp.example"]));
    let message = "resource metadata: authorization_servers: a remote server must not point to this machine";
    assert_eq!(finish(&mut tool, b""), failure("pkce-discover", 4, message));
}

#[test]
fn sends_nothing_to_a_server_it_does_not_trust() {
    let proxy = HttpsProxy::start(|_, _| json_response(&json!({})));
    let mut tool = command("pkce-discover");
    proxy.untrusted_by(tool.arg("https://op.example.com"));
    let output = finish(&mut tool, b"");
    assert_eq!((output.status, proxy.requested().len()), (4, 0), "{output:?}");
    assert!(output.stderr.starts_with("pkce-discover: op.example.com: TLS: invalid peer certificate: "), "{output:?}");
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
fn shows_the_right_command_where_only_a_final_slash_differs() {
    let server = Server::start(|seen| {
        let host = issuer_of(seen);
        match seen.target.starts_with("/with/") {
            true => json_response(&metadata(&format!("{host}/with/"))),
            false => json_response(&metadata(&format!("{host}/without"))),
        }
    });
    let wrong = "metadata: issuer: not the requested issuer";
    for (asked, named) in [("/with", "/with/"), ("/without/", "/without")] {
        let hint = format!("hint: only the trailing slash differs; use: pkce-discover {}", server.url(named));
        let output = run("pkce-discover", &[&server.url(asked)], "");
        assert_eq!(output, failure("pkce-discover", 4, &format!("{wrong}\n{hint}")));
        assert_eq!(run("pkce-discover", &[&server.url(named)], "").status, 0);
    }
    assert_eq!(run("pkce-discover", &[&server.url("/other")], ""), failure("pkce-discover", 4, wrong));
}

#[test]
fn requires_one_tenant_where_the_issuer_is_a_pattern_for_many() {
    let server = Server::start(|seen| json_response(&metadata(&format!("{}/{{tenantid}}/v2.0", issuer_of(seen)))));
    let message = "metadata: issuer: not the requested issuer\n\
                   hint: the metadata names a template for all tenants; use your tenant's own issuer";
    for asked in ["/common/v2.0", "/organizations/v2.0"] {
        assert_eq!(run("pkce-discover", &[&server.url(asked)], ""), failure("pkce-discover", 4, message));
    }
}

#[test]
fn follows_no_redirect_to_another_server() {
    let other = Server::start(|seen| json_response(&metadata(&issuer_of(seen))));
    for status in [301, 302, 303, 307, 308] {
        let location = other.url("/.well-known/openid-configuration");
        let octets = format!("HTTP/1.1 {status} X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        let (output, targets) = with_response(octets.into_bytes());
        let message = format!("metadata: redirect ({status}) not followed");
        assert_eq!((output, targets.len()), (failure("pkce-discover", 4, &message), 1));
    }
    assert_eq!(other.requests().len(), 0);
}

#[test]
fn says_what_is_not_a_response_at_all() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(65), "]".repeat(65));
    for (octets, status, message) in [
        (Vec::new(), 3, "127.0.0.1: the server closed the connection"),
        (b"no HTTP at all\r\n\r\n".to_vec(), 4, "127.0.0.1: the response is not valid HTTP"),
        (response(200, "application/json", ""), 4, "metadata: not a JSON object: unexpected end"),
        (response(200, "application/json", "{\"issuer\":1,\"issuer\":1}"), 4, "metadata: issuer: duplicate"),
        (response(200, "application/json", &deep), 4, "metadata: a: nested deeper than 64"),
        (response(200, "application/json", "{}{}"), 4, "metadata: not JSON at line 1, column 3"),
    ] {
        let (output, targets) = with_response(octets);
        assert_eq!((output, targets.len()), (failure("pkce-discover", status, message), 1));
    }
}

#[test]
fn reads_json_whatever_the_server_calls_it() {
    let server = Server::start(|seen| response(200, "text/html", &metadata(&issuer_of(seen)).to_string()));
    let output = run("pkce-discover", &[&server.url("")], "");
    assert_eq!((output.status, output.json()), (0, metadata(&server.url(""))));
}

#[test]
fn ends_its_second_request_in_the_time_of_the_first() {
    let slow = Server::speaking(|seen, stream| {
        if seen.target.contains("openid-configuration") {
            std::thread::sleep(std::time::Duration::from_millis(300));
            let _ = stream.write_all(&response(404, "", ""));
            return;
        }
        for octet in b"HTTP/1.1 200 OK\r\nX-Long: ".iter().chain(std::iter::repeat_n(&b'a', 400)) {
            if stream.write_all(&[*octet]).is_err() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    });
    let output = run("pkce-discover", &["--timeout", "1", &slow.url("")], "");
    assert_eq!(output, failure("pkce-discover", 3, "127.0.0.1: no response within 1 s"));
    assert_eq!(slow.requests().len(), 2);
}

#[test]
fn traces_each_request() {
    let server = Server::start(|seen| match seen.target.as_str() {
        "/.well-known/oauth-authorization-server" => json_response(&metadata(&issuer_of(seen))),
        _ => response(404, "", "none"),
    });
    let mut tool = command("pkce-discover");
    let output = finish(tool.env("PKCE_TRACE", "1").arg(server.url("")), b"");
    let length = metadata(&server.url("")).to_string().len();
    let lines: Vec<&str> = output.stderr.lines().collect();
    assert_eq!((output.status, lines.len()), (0, 2), "{output:?}");
    for (line, name, got) in [
        (lines[0], "openid-configuration", "404, 4 bytes".to_owned()),
        (lines[1], "oauth-authorization-server", format!("200, {length} bytes")),
    ] {
        let start = format!("pkce-discover: trace: GET {}/.well-known/{name}: {got}, ", server.url(""));
        assert!(line.starts_with(&start) && line.ends_with(" ms"), "{line}");
    }
}

#[test]
fn writes_one_line_for_a_program_where_it_fails() {
    let server = Server::start(|_| response(503, "", ""));
    let mut tool = command("pkce-discover");
    let output = finish(tool.env("PKCE_ERRORS", "json").arg(server.url("")), b"");
    let expected = json!({
        "tool": "pkce-discover", "status": 3, "kind": "unavailable", "http_status": 503,
        "message": "metadata: the server responded with 503",
    });
    let said: Value = serde_json::from_str(&output.stderr).unwrap();
    assert_eq!((output.status, output.stderr.lines().count(), said), (3, 1, expected));
}

#[test]
fn accepts_metadata_of_a_resource_only_as_specified() {
    let responses: Arc<Mutex<Vec<u8>>> = Arc::default();
    let given = Arc::clone(&responses);
    let server = Server::start(move |seen| match seen.target.as_str() {
        "/.well-known/oauth-protected-resource" => given.lock().unwrap().clone(),
        "/first/.well-known/openid-configuration" => json_response(&metadata(&format!("{}/first", issuer_of(seen)))),
        _ => response(500, "", ""),
    });
    let resource = server.url("");
    let discover = |octets: Vec<u8>, args: &[&str]| {
        *responses.lock().unwrap() = octets;
        run("pkce-discover", &[&["--resource", &resource], args].concat(), "")
    };
    // The first of the servers is the one; ours are not the resource's to set, and --all is of the server's metadata.
    let two = json!({
        "resource": resource, "authorization_servers": [format!("{resource}/first"), format!("{resource}/second")],
        "client_id": "evil", "token_endpoint": "https://evil", "scopes_supported": ["everything"],
    });
    let mut expected = metadata(&format!("{resource}/first"));
    expected["resource"] = json!(resource);
    for args in [&[] as &[&str], &["--all"]] {
        let output = discover(json_response(&two), args);
        assert_eq!((output.status, output.json(), output.stderr.as_str()), (0, expected.clone(), ""), "{args:?}");
    }
    let servers = |servers: Value| json_response(&json!({ "resource": resource, "authorization_servers": servers }));
    let redirect = b"HTTP/1.1 302 X\r\nLocation: /\r\nContent-Length: 0\r\n\r\n".to_vec();
    for (octets, status, message) in [
        (json_response(&json!({})), 4, "resource metadata: resource: missing"),
        (json_response(&json!({ "resource": [resource] })), 4, "resource metadata: resource: must be a string"),
        (
            json_response(&json!({ "resource": format!("{resource}/") })),
            4,
            "resource metadata: resource: not the requested resource",
        ),
        (servers(json!([])), 4, "resource metadata: authorization_servers: missing"),
        (servers(json!([5])), 4, "resource metadata: authorization_servers: must be an array of strings"),
        (servers(json!(5)), 4, "resource metadata: authorization_servers: must be a string"),
        (servers(json!(["ftp://id.example"])), 4, "resource metadata: authorization_servers: must begin with https://"),
        (
            servers(json!(["https://id.example?tenant=1"])),
            4,
            "resource metadata: authorization_servers: must not have a query (?)",
        ),
        (
            servers(json!(["https://id.example/.well-known/openid-configuration"])),
            4,
            "resource metadata: authorization_servers: the URL of a metadata document, not of the server or resource",
        ),
        (response(200, "text/html", "<html>"), 4, "resource metadata: HTML, not JSON (proxy or captive portal?)"),
        (response(500, "", ""), 3, "resource metadata: the server responded with 500"),
        (response(401, "", ""), 1, "resource metadata: the server responded with 401"),
        (redirect, 4, "resource metadata: redirect (302) not followed"),
    ] {
        let before = server.requests().len();
        let output = discover(octets, &[]);
        assert_eq!((output, server.requests().len() - before), (failure("pkce-discover", status, message), 1));
    }
}

#[test]
fn fetches_no_metadata_of_a_resource_that_is_not_a_plain_url() {
    let proxy = HttpsProxy::start(|_, _| response(404, "", ""));
    let plain = "plain http is only allowed to this machine; use https\n\
                 hint: for a test network, list its hosts in PKCE_HTTP_HOSTS, such as keycloak:8080";
    for (resource, status, wrong) in [
        ("http://api.example/mcp", 4, plain),
        ("https://api.example/mcp#f", 2, "must not have a fragment (#)"),
        ("https://alice:pw@api.example/mcp", 2, "must not have a user name or password"),
        ("urn:api", 2, "not an absolute URL with a host"),
        ("", 2, "not a URL"),
        ("https://api.example/a b", 2, "not a URL: contains a space, a control character or a non-ASCII character"),
    ] {
        let mut tool = command("pkce-discover");
        proxy.trusted_by(tool.arg(format!("--resource={resource}")));
        let output = finish(&mut tool, b"");
        assert_eq!(output, failure("pkce-discover", status, &format!("resource: {wrong}")), "{resource}");
    }
    assert_eq!(proxy.requested(), [""; 0]);
}

#[test]
fn goes_from_a_resource_to_its_server_over_tls() {
    let proxy = HttpsProxy::start(|url, _| match url {
        "https://api.example/.well-known/oauth-protected-resource/mcp" => json_response(
            &json!({ "resource": "https://api.example/mcp", "authorization_servers": ["https://id.example/t"] }),
        ),
        "https://id.example/.well-known/oauth-authorization-server/t" => {
            json_response(&metadata("https://id.example/t"))
        }
        _ => response(404, "", ""),
    });
    let mut tool = command("pkce-discover");
    proxy.trusted_by(tool.args(["--resource", "https://api.example/mcp"]));
    let output = finish(&mut tool, b"");
    let mut expected = metadata("https://id.example/t");
    expected["resource"] = json!("https://api.example/mcp");
    assert_eq!((output.status, output.json(), output.stderr.as_str()), (0, expected, ""));
    let asked = [
        "https://api.example/.well-known/oauth-protected-resource/mcp",
        "https://id.example/t/.well-known/openid-configuration",
        "https://id.example/.well-known/oauth-authorization-server/t",
    ];
    assert_eq!(proxy.requested(), asked);
}

#[test]
fn lets_no_server_elsewhere_name_endpoints_on_this_machine() {
    let endpoints = [
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "revocation_endpoint",
        "registration_endpoint",
        "pushed_authorization_request_endpoint",
        "userinfo_endpoint",
        "end_session_endpoint",
    ];
    let changed: Arc<Mutex<(String, String)>> = Arc::default();
    let change = Arc::clone(&changed);
    let proxy = HttpsProxy::start(move |_, _| {
        let mut metadata = metadata("https://id.example");
        let (name, url) = change.lock().unwrap().clone();
        metadata[&name] = json!(url);
        json_response(&metadata)
    });
    for name in endpoints {
        for url in [
            "http://127.0.0.1:9/x",
            "https://127.0.0.1/x",
            "http://[::1]:9/x",
            "http://localhost:9/x",
            "https://LOCALHOST:18445/x",
            "https://id.localhost/x",
        ] {
            *changed.lock().unwrap() = (name.to_owned(), url.to_owned());
            let mut tool = command("pkce-discover");
            proxy.trusted_by(tool.arg("https://id.example"));
            let message = format!("metadata: {name}: a remote server must not point to this machine");
            assert_eq!(finish(&mut tool, b""), failure("pkce-discover", 4, &message), "{url}");
        }
    }
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
    for (host, wrong) in [("expired.example", "certificate expired: "), ("wrong.example", "certificate not valid for ")]
    {
        let mut tool = command("pkce-discover");
        proxy.trusted_by(tool.arg(format!("https://{host}")));
        let output = finish(&mut tool, b"");
        assert_eq!(
            (output.status, output.stdout.as_str(), proxy.requested().len()),
            (4, "!4 untrusted pkce-discover\n", 0)
        );
        let start = format!("pkce-discover: {host}: TLS: invalid peer certificate: {wrong}");
        let (line, hint) = output.stderr.split_once('\n').unwrap();
        assert!(line.starts_with(&start), "{output:?}");
        assert_eq!(hint, "hint: set SSL_CERT_FILE to a file with the certificates to trust\n");
    }
}
