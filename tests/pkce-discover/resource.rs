//! From a protected resource to its authorization server, and to what it requires of a token.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::common::{
    Output, Request, Server, changed, command, failure, finish, free_port, json_response, new_directory, response, run,
};
use crate::tls::HttpsProxy;
use crate::{issuer_of, metadata, targets};

/// The resource's own challenge.
fn challenge(lines: &[&str]) -> Vec<u8> {
    let lines: String = lines.iter().map(|line| format!("WWW-Authenticate: {line}\r\n")).collect();
    format!("HTTP/1.1 401 X\r\n{lines}Content-Length: 0\r\nConnection: close\r\n\r\n").into_bytes()
}

/// A server with this resource `/a/mcp`, at `place` its metadata with these changes, and everywhere the metadata of the
/// authorization server `/as`.
fn server(resource: Vec<u8>, place: &'static str, changes: Value) -> Server {
    Server::start(move |seen| {
        let host = issuer_of(seen);
        let own = json!({ "resource": format!("{host}/a/mcp"), "authorization_servers": [format!("{host}/as")] });
        let resource = String::from_utf8_lossy(&resource).replace("ORIGIN", &host).into_bytes();
        match seen.target.as_str() {
            "/a/mcp" => resource,
            "/.well-known/oauth-authorization-server/as" => json_response(&metadata(&format!("{host}/as"))),
            target if target == place => {
                let changed = changed(own, &changes).to_string().replace("ORIGIN", &host);
                response(200, "application/json", &changed)
            }
            _ => response(404, "", ""),
        }
    })
}

fn discover(server: &Server, args: &[&str]) -> Output {
    run("pkce-discover", &[&["--resource", &server.url("/a/mcp")], args].concat(), "")
}

const BY_PATH: &str = "/.well-known/oauth-protected-resource/a/mcp";
const ROOT: &str = "/.well-known/oauth-protected-resource";
const SERVER: &str = "/.well-known/oauth-authorization-server/as";

#[test]
fn is_found_by_its_challenge_then_by_its_path_then_at_the_root() {
    let named = "Bearer resource_metadata=\"ORIGIN/prm\"";
    let many = "Basic realm=\"x, y\", Bearer error=\"invalid_token\", resource_metadata=\"ORIGIN/prm\"";
    let other = json!({});
    for (resource, place, asked) in [
        (challenge(&[named]), "/prm", vec!["/prm"]),
        (challenge(&[many]), "/prm", vec!["/prm"]),
        (challenge(&["Negotiate", "Bearer", "DPoP resource_metadata=\"ORIGIN/prm\""]), "/prm", vec!["/prm"]),
        (challenge(&[named]), BY_PATH, vec!["/prm", BY_PATH]),
        (challenge(&[named]), ROOT, vec!["/prm", BY_PATH, ROOT]),
        (challenge(&["Bearer resource_metadata=\"ORIGIN/.well-known/oauth-protected-resource\""]), ROOT, vec![ROOT]),
        (challenge(&["Bearer"]), ROOT, vec![BY_PATH, ROOT]),
        (challenge(&[]), BY_PATH, vec![BY_PATH]),
        (response(405, "", ""), BY_PATH, vec![BY_PATH]),
        (response(200, "", "public"), ROOT, vec![BY_PATH, ROOT]),
        (response(503, "", ""), BY_PATH, vec![BY_PATH]),
        (response(302, "", ""), BY_PATH, vec![BY_PATH]),
    ] {
        let server = server(resource, place, other.clone());
        let output = discover(&server, &[]);
        let mut expected = metadata(&server.url("/as"));
        expected["resource"] = json!(server.url("/a/mcp"));
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{asked:?}: {output:?}");
        assert_eq!(output.json(), expected);
        assert_eq!(targets(&server), [&["/a/mcp"], asked.as_slice(), &[SERVER]].concat());
        let requests = server.requests();
        assert_eq!(requests[0].header("Accept"), Some("application/json, text/event-stream"));
        assert!(requests.iter().all(|seen| seen.method == "GET" && seen.header("Authorization").is_none()));
    }
}

#[test]
fn is_requested_without_reading_a_body_that_may_never_end() {
    let server = Server::speaking(|seen, stream| {
        let host = issuer_of(seen);
        match seen.target.as_str() {
            "/mcp" => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
                while stream.write_all(b": still here\n\n").is_ok() {
                    std::thread::sleep(std::time::Duration::from_millis(50));
                }
            }
            "/.well-known/oauth-protected-resource/mcp" => {
                let own = json!({ "resource": format!("{host}/mcp"), "authorization_servers": [host] });
                let _ = stream.write_all(&json_response(&own));
            }
            _ => drop(stream.write_all(&json_response(&metadata(&host)))),
        }
    });
    let output = run("pkce-discover", &["--timeout", "10", "--resource", &server.url("/mcp"), "-r", "issuer"], "");
    assert_eq!((output.status, output.stdout, output.stderr), (0, format!("{}\n", server.url("")), String::new()));
    let silent = Server::speaking(|_, stream| drop(std::io::Read::read(stream, &mut [0])));
    let output = run("pkce-discover", &["--timeout", "1", "--resource", &silent.url("/mcp")], "");
    let expected = failure("pkce-discover", 3, &format!("127.0.0.1:{}: no response within 1 s", silent.port));
    let note = "pkce-discover: note: the resource has not responded; looking for its metadata\n";
    assert_eq!(output, Output { stderr: note.to_owned() + &expected.stderr, ..expected });
}

#[test]
fn is_found_although_it_responds_only_once_it_has_something_to_stream() {
    let server = Server::speaking(|seen, stream| {
        let host = issuer_of(seen);
        match seen.target.as_str() {
            "/mcp" => drop(std::io::Read::read(stream, &mut [0])),
            "/.well-known/oauth-protected-resource/mcp" => {
                let own = json!({ "resource": format!("{host}/mcp"), "authorization_servers": [host] });
                let _ = stream.write_all(&json_response(&own));
            }
            _ => drop(stream.write_all(&json_response(&metadata(&host)))),
        }
    });
    let output = run("pkce-discover", &["--timeout", "4", "--resource", &server.url("/mcp"), "-r", "issuer"], "");
    let note = "pkce-discover: note: the resource has not responded; looking for its metadata\n";
    assert_eq!((output.status, output.stdout, output.stderr.as_str()), (0, format!("{}\n", server.url("")), note));
}

#[test]
fn has_a_malformed_challenge_noted_and_is_found_all_the_same() {
    let is_malformed = "WWW-Authenticate: malformed; ignored";
    for (lines, note) in [
        (&["Bearer realm=\"a\" resource_metadata=\"ORIGIN/prm\""][..], is_malformed),
        (&["Bearer resource_metadata=ORIGIN/prm"], is_malformed),
        (
            &["Bearer resource_metadata=\"/prm\""],
            "WWW-Authenticate: resource_metadata: not an absolute URL with a host; left out",
        ),
        (
            &["Bearer resource_metadata=\"http://id.example/prm\""],
            "WWW-Authenticate: resource_metadata: plain http is only allowed to this machine; use https; left out",
        ),
        (&["Bearer scope=\"a  b\""], "WWW-Authenticate: scope: must be names separated by single spaces; left out"),
        (&["Bearer max_age=\"soon\""], "WWW-Authenticate: max_age: must be a whole number of seconds; left out"),
    ] {
        let server = server(challenge(lines), BY_PATH, json!({}));
        let output = discover(&server, &["-r", "resource"]);
        let note = format!("pkce-discover: note: {note}\n");
        assert_eq!((output.status, output.stdout, output.stderr), (0, server.url("/a/mcp\n"), note));
    }
}

#[test]
fn may_be_a_part_of_the_one_that_the_metadata_is_of() {
    for (named, is_noted) in
        [("/a/mcp", false), ("/a/mcp/", false), ("/a", true), ("/a/", true), ("/", true), ("", true)]
    {
        let server = server(challenge(&[]), BY_PATH, json!({ "resource": format!("ORIGIN{named}") }));
        let output = discover(&server, &[]);
        let named = server.url(named);
        let note = format!("pkce-discover: note: the token is for {named}, which the resource is part of\n");
        assert_eq!((output.status, output.stderr.as_str()), (0, if is_noted { &note } else { "" }));
        assert_eq!(output.json()["resource"], json!(named));
    }
    for named in ["/a/mcp2", "/a/mc", "/a/mcp/b", "/b", "/A", "/a?b", "/a/mcp?b", ":1/a", "evil.example/a"] {
        let server = server(challenge(&[]), BY_PATH, json!({ "resource": format!("ORIGIN{named}") }));
        let (named, asked) = (server.url(named), server.url("/a/mcp"));
        let message = format!("resource metadata: resource: {named} instead of {asked}");
        assert_eq!(discover(&server, &[]), failure("pkce-discover", 4, &message));
        assert_eq!(targets(&server), ["/a/mcp", BY_PATH, ROOT]);
    }
    for named in ["https://other.example/a/mcp", "urn:a", "", "https://127.0.0.1/a/mcp"] {
        let server = server(challenge(&[]), BY_PATH, json!({ "resource": named }));
        let came = if named.is_empty() { "nothing" } else { named };
        let message = format!("resource metadata: resource: {came} instead of {}", server.url("/a/mcp"));
        assert_eq!(discover(&server, &[]), failure("pkce-discover", 4, &message));
    }
}

#[test]
fn may_have_a_query() {
    let server = Server::start(|seen| {
        let host = issuer_of(seen);
        let named = |resource: &str| {
            json_response(&json!({ "resource": format!("{host}{resource}"), "authorization_servers": [host] }))
        };
        match seen.target.as_str() {
            "/.well-known/oauth-protected-resource/mcp?project=1" => named("/mcp?project=1"),
            "/.well-known/oauth-protected-resource/mcp?project=2" => named("/mcp"),
            "/.well-known/oauth-protected-resource/mcp?project=3" => named("/mcp?project=1"),
            "/.well-known/oauth-authorization-server" => json_response(&metadata(&host)),
            _ => response(404, "", ""),
        }
    });
    let discover = |resource: &str| run("pkce-discover", &["--resource", &server.url(resource), "-r", "resource"], "");
    assert_eq!(discover("/mcp?project=1").stdout, server.url("/mcp?project=1\n"));
    assert_eq!(discover("/mcp?project=2").stdout, server.url("/mcp\n"));
    let (named, asked) = (server.url("/mcp?project=1"), server.url("/mcp?project=3"));
    let message = format!("resource metadata: resource: {named} instead of {asked}");
    assert_eq!(discover("/mcp?project=3"), Output { stdout: String::new(), ..failure("pkce-discover", 4, &message) });
}

#[test]
fn goes_on_to_the_next_place_from_whatever_is_not_its_metadata() {
    let page = || response(200, "text/html", "<html>");
    for (first, status, wrong) in [
        (response(404, "", ""), 1, "not found (404)"),
        (response(401, "", ""), 1, "the server responded with 401"),
        (response(503, "", ""), 3, "the server responded with 503"),
        (page(), 4, "HTML, not JSON (proxy or captive portal?)"),
        (json_response(&json!({})), 4, "resource: missing"),
        (json_response(&json!({ "resource": ["a"] })), 4, "resource: must be a string"),
        (response(302, "", ""), 4, "redirect (302) not followed"),
    ] {
        for has_root in [true, false] {
            let first = first.clone();
            let server = Server::start(move |seen| {
                let host = issuer_of(seen);
                match seen.target.as_str() {
                    BY_PATH => first.clone(),
                    ROOT if has_root => {
                        json_response(&json!({ "resource": host, "authorization_servers": [format!("{host}/as")] }))
                    }
                    SERVER => json_response(&metadata(&format!("{host}/as"))),
                    _ => response(404, "", ""),
                }
            });
            let output = discover(&server, &[]);
            if has_root {
                assert_eq!((output.status, &output.json()["resource"]), (0, &json!(server.url(""))));
            } else {
                let hint = format!(
                    "\nhint: if you know its authorization server: pkce-discover --resource {} --issuer ISSUER",
                    server.url("/a/mcp")
                );
                let hint = if status == 4 || status == 1 { hint.as_str() } else { "" };
                assert_eq!(output, failure("pkce-discover", status, &format!("resource metadata: {wrong}{hint}")));
            }
        }
    }
}

#[test]
fn names_servers_of_which_the_first_with_good_metadata_is_used() {
    let server = |servers: Value| server(challenge(&[]), BY_PATH, json!({ "authorization_servers": servers }));
    for servers in [
        json!(["ORIGIN/as"]),
        json!(["ORIGIN/as", "ORIGIN/other"]),
        json!(["ORIGIN/other", "ORIGIN/as"]),
        json!(["ftp://id.example", "https://id.example?a", "", "ORIGIN/as/.well-known/x", "ORIGIN/as"]),
        json!("ORIGIN/as"),
    ] {
        let server = server(servers);
        let output = discover(&server, &["-r", "issuer"]);
        assert_eq!((output.status, output.stdout, output.stderr), (0, server.url("/as\n"), String::new()));
    }
    // The others are not at the server that cannot be reached.
    let port = free_port();
    let (unreachable, refused) = (format!("http://127.0.0.1:{port}"), format!("127.0.0.1:{port}: connection refused"));
    let output = discover(&server(json!([unreachable, "ORIGIN/as"])), &["--all"]);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    let of_servers = "resource metadata: authorization_servers";
    for (servers, status, wrong) in [
        (json!([]), 4, format!("{of_servers}: missing")),
        (json!(null), 4, format!("{of_servers}: missing")),
        (json!([5]), 4, format!("{of_servers}: must be an array of strings")),
        (json!(5), 4, format!("{of_servers}: must be a string or an array of strings")),
        (json!(["ftp://id.example"]), 4, format!("{of_servers}: must begin with https://")),
        (json!(["id.example"]), 4, format!("{of_servers}: must begin with https://")),
        (json!(["https://id.example?t"]), 4, format!("{of_servers}: must not have a query (?)")),
        (
            json!(["https://id.example/.well-known/openid-configuration"]),
            4,
            format!("{of_servers}: the URL of a metadata document, not of the server or resource"),
        ),
        (json!(["ORIGIN/other"]), 1, "metadata: not found (404)".to_owned()),
        (json!(["ORIGIN/other", "ORIGIN/third"]), 1, "metadata: not found (404)".to_owned()),
        (json!([unreachable]), 3, refused.clone()),
        (json!([unreachable, "ORIGIN/other"]), 3, refused.clone()),
        (json!(["ORIGIN/other", unreachable]), 3, refused),
    ] {
        let server = server(servers);
        let is_none = wrong.ends_with("missing") || wrong.ends_with("strings");
        let hint = "\nhint: if you know its authorization server: pkce-discover --resource ";
        let hint = if is_none { format!("{hint}{} --issuer ISSUER", server.url("/a/mcp")) } else { String::new() };
        assert_eq!(discover(&server, &[]), failure("pkce-discover", status, &(wrong + &hint)));
    }
}

#[test]
fn has_the_server_that_an_option_names_if_that_is_one_of_its_own() {
    let servers = json!({ "authorization_servers": ["ORIGIN/first", "ORIGIN/as"] });
    let server = server(challenge(&[]), BY_PATH, servers);
    let output = discover(&server, &["--issuer", &server.url("/as"), "-r", "issuer"]);
    assert_eq!((output.status, output.stdout, output.stderr), (0, server.url("/as\n"), String::new()));
    assert!(!targets(&server).iter().any(|target| target.contains("first")));
    let output = discover(&server, &["--issuer", "https://id.example"]);
    let listed = format!("{}, {}", server.url("/first"), server.url("/as"));
    assert_eq!(
        output,
        failure(
            "pkce-discover",
            2,
            &format!("--issuer: not one of the resource's authorization servers\nhint: it names {listed}")
        )
    );
}

#[test]
fn has_options_of_its_own_which_are_checked_before_any_request() {
    let (local, remote) = ("http://127.0.0.1:9/mcp", "https://mcp.example/mcp");
    let help = "\nhint: see 'pkce-discover --help'";
    for (args, status, wrong) in [
        (&["--challenge", "f"][..], 2, format!("--resource: missing{help}")),
        (&["--scope", "a"], 2, format!("--resource: missing{help}")),
        (&["--issuer", "https://a.example"], 2, format!("--resource: missing{help}")),
        (
            &["https://id.example", "--issuer", "https://a.example"],
            2,
            format!("ISSUER: repeated, or conflicts with another argument{help}"),
        ),
        (
            &["--resource", local, "--issuer", "id.example"],
            2,
            "--issuer: must begin with https://\nhint: try https://id.example".to_owned(),
        ),
        (
            &["--resource", local, "--issuer", "https://id.example?a"],
            2,
            "--issuer: must not have a query (?)".to_owned(),
        ),
        (
            &["--resource", remote, "--issuer", "https://localhost"],
            4,
            "--issuer: on this machine, but the resource is not".to_owned(),
        ),
        (
            &["--resource", local, "--scope", "a  b"],
            2,
            "scope: must be names separated by single spaces, without \" and \\".to_owned(),
        ),
        (&["--resource", local, "--challenge", "/"], 2, "--challenge: is a directory".to_owned()),
    ] {
        assert_eq!(run("pkce-discover", args, ""), failure("pkce-discover", status, &wrong), "{args:?}");
    }
}

#[test]
fn without_metadata_has_the_server_of_its_own_origin() {
    for slash in ["", "/"] {
        let server = Server::start(move |seen| match seen.target.as_str() {
            "/.well-known/oauth-authorization-server" => {
                json_response(&metadata(&format!("{}{slash}", issuer_of(seen))))
            }
            "/a/mcp" => response(401, "", ""),
            _ => response(404, "", ""),
        });
        let output = discover(&server, &[]);
        let issuer = server.url(slash);
        let note = format!(
            "pkce-discover: note: the resource has no usable metadata; using the authorization server {issuer}\n"
        );
        let expected = changed(metadata(&issuer), &json!({ "resource": server.url("/a/mcp") }));
        assert_eq!((output.status, output.json(), output.stderr), (0, expected, note));
    }
    let none = Server::start(|_| response(404, "", ""));
    let command = format!("pkce-discover --resource {} --issuer ISSUER", none.url("/a/mcp"));
    let message = format!("resource metadata: not found (404)\nhint: if you know its authorization server: {command}");
    assert_eq!(discover(&none, &[]), failure("pkce-discover", 1, &message));
    // One that names another issuer is used only if the user says so.
    let other = Server::start(|seen| match seen.target.as_str() {
        "/.well-known/oauth-authorization-server" | "/.well-known/oauth-authorization-server/as" => {
            json_response(&metadata(&format!("{}/as", issuer_of(seen))))
        }
        "/a/mcp" => response(401, "", ""),
        _ => response(404, "", ""),
    });
    let (issuer, resource) = (other.url("/as"), other.url("/a/mcp"));
    let hint = format!("hint: if you trust that issuer: pkce-discover --resource {resource} --issuer {issuer}");
    let message = format!("metadata: issuer: {issuer} instead of {}\n{hint}", other.url(""));
    assert_eq!(discover(&other, &[]), failure("pkce-discover", 4, &message));
    let output = discover(&other, &["--issuer", &issuer]);
    let note =
        format!("pkce-discover: note: the resource has no usable metadata; using the authorization server {issuer}\n");
    let expected = changed(metadata(&issuer), &json!({ "resource": resource }));
    assert_eq!((output.status, output.json(), output.stderr), (0, expected, note));
}

#[test]
fn says_which_scope_to_request() {
    let listed = json!({ "scopes_supported": ["a", "b"] });
    let step_up = "Bearer error=\"insufficient_scope\", scope=\"c a\"";
    for (challenged, supported, args, scope) in [
        ("Bearer scope=\"c d\"", &listed, &[][..], json!("c d")),
        ("Bearer", &listed, &[], json!("a b")),
        ("Bearer scope=\"\"", &listed, &[], json!("a b")),
        ("Bearer", &json!({}), &[], Value::Null),
        ("Bearer", &json!({ "scopes_supported": [] }), &[], Value::Null),
        ("Bearer scope=\"c d\"", &listed, &["--scope", "x y"], json!("x y")),
        ("Bearer", &listed, &["--scope", "x"], json!("x")),
        (step_up, &listed, &[], json!("c a")),
        (step_up, &listed, &["--scope", "a x"], json!("a x c")),
    ] {
        let server = server(challenge(&[challenged]), BY_PATH, supported.clone());
        let output = discover(&server, args);
        assert_eq!((output.status, &output.json()["scope"], output.stderr.as_str()), (0, &scope, ""), "{challenged}");
    }
    for (scopes, wrong) in [
        (json!([5]), "must be an array of strings"),
        (json!(["a b c\u{7}"]), "must be names of scopes"),
        (json!(["a", ""]), "must be names of scopes"),
        (json!(5), "must be a string or an array of strings"),
    ] {
        let server = server(challenge(&[]), BY_PATH, json!({ "scopes_supported": scopes }));
        let output = discover(&server, &["-r", "resource"]);
        let note = format!("pkce-discover: note: resource metadata: scopes_supported: {wrong}; left out\n");
        assert_eq!((output.status, output.stdout, output.stderr), (0, server.url("/a/mcp\n"), note));
    }
}

#[test]
fn has_the_challenge_of_a_file_instead_of_a_request() {
    let server = server(response(500, "", ""), "/prm", json!({ "scopes_supported": ["a"] }));
    let directory = new_directory();
    let file = directory.path().join("head");
    let with_file = |head: &str, args: &[&str]| {
        std::fs::write(&file, head.replace("ORIGIN", &server.url(""))).unwrap();
        discover(&server, &[&["--challenge", file.to_str().unwrap()], args].concat())
    };
    let head = "HTTP/1.1 302 X\r\nWWW-Authenticate: Bearer scope=\"no\"\r\n\r\nHTTP/2 401 \r\ncontent-length: 0\r\n\
                www-authenticate: Bearer resource_metadata=\"ORIGIN/prm\", scope=\"b\", max_age=\"600\"\r\n\
                www-authenticate: Basic realm=\"x\"\r\n\r\n";
    let output = with_file(head, &[]);
    let expected = changed(
        metadata(&server.url("/as")),
        &json!({
            "resource": server.url("/a/mcp"), "scope": "b", "max_age": 600,
        }),
    );
    assert_eq!((output.status, output.json(), output.stderr.as_str()), (0, expected, ""));
    assert_eq!(targets(&server), ["/prm", SERVER]);
    let args = ["--resource", &server.url("/a/mcp"), "--challenge", "-", "-r", "scope"];
    assert_eq!(run("pkce-discover", &args, &head.replace("ORIGIN", &server.url(""))).stdout, "b\n");
    let authentication = "HTTP/1.1 401 X\nWWW-Authenticate: Bearer error=\"insufficient_user_authentication\", \
                          acr_values=\"urn:a urn:b\", max_age=0, resource_metadata=\"ORIGIN/prm\"\n";
    let stronger = with_file(authentication, &[]).json();
    assert_eq!(
        (&stronger["acr_values"], &stronger["max_age"], &stronger["scope"]),
        (&json!("urn:a urn:b"), &json!(0), &json!("a"))
    );
    let lacking = "HTTP/1.1 403 X\r\nWWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"b c\", \
                   resource_metadata=\"ORIGIN/prm\"\r\n\r\n";
    assert_eq!(with_file(lacking, &["--scope", "a b", "-r", "scope"]).stdout, "a b c\n");
    let large = format!("HTTP/1.1 401 X\r\nX: {}\r\n\r\n", "a".repeat(64 * 1024));
    let is_no_head = "--challenge: not the head of a response";
    for (head, status, message) in
        [("", 2, is_no_head), (&large, 2, is_no_head), ("{\"error\":\"invalid_token\"}", 2, is_no_head)]
    {
        assert_eq!(with_file(head, &[]), failure("pkce-discover", status, message));
    }
    // As where the resource itself responds so.
    let output =
        with_file("HTTP/1.1 401 X\r\nWWW-Authenticate: Bearer realm=\"\r\n\r\n", &["--issuer", &server.url("/as")]);
    let notes = [
        "WWW-Authenticate: malformed; ignored".to_owned(),
        format!("the resource has no usable metadata; using the authorization server {}", server.url("/as")),
    ];
    let notes: String = notes.iter().map(|note| format!("pkce-discover: note: {note}\n")).collect();
    assert_eq!((output.status, output.stderr), (0, notes));
    let missing = discover(&server, &["--challenge", "/no/such/file"]);
    assert_eq!(missing, failure("pkce-discover", 2, "--challenge: no such file or directory"));
    assert_eq!(targets(&server).len(), 8 + 3);
}

#[test]
fn elsewhere_leads_to_nothing_on_this_machine() {
    let said: Arc<Mutex<(Vec<u8>, Value)>> = Arc::default();
    let given = Arc::clone(&said);
    let proxy = HttpsProxy::start(move |url, _: &Request| {
        let (challenge, servers) = given.lock().unwrap().clone();
        match url {
            "https://mcp.example/mcp" => challenge,
            "https://mcp.example/.well-known/oauth-protected-resource/mcp" => {
                json_response(&json!({ "resource": "https://mcp.example/mcp", "authorization_servers": servers }))
            }
            _ => response(404, "", ""),
        }
    });
    let discover = |challenge: Vec<u8>, servers: Value| {
        *said.lock().unwrap() = (challenge, servers);
        let mut tool = command("pkce-discover");
        proxy.trusted_by(tool.args(["--resource", "https://mcp.example/mcp"]));
        finish(&mut tool, b"")
    };
    let to_this_machine = "a remote server must not point to this machine";
    for place in ["http://127.0.0.1:9/", "https://LOCALHOST:9/", "http://[::1]:9/", "https://a.localhost/"] {
        let line = format!("Bearer resource_metadata=\"{place}\"");
        let message = format!("WWW-Authenticate: resource_metadata: {to_this_machine}");
        assert_eq!(discover(challenge(&[&line]), json!([])), failure("pkce-discover", 4, &message));
        let directory = new_directory();
        let file = directory.path().join("head");
        std::fs::write(&file, challenge(&[&line])).unwrap();
        let args = ["--resource", "https://mcp.example/mcp", "--challenge", file.to_str().unwrap()];
        assert_eq!(run("pkce-discover", &args, ""), failure("pkce-discover", 4, &message));
        let message = format!("resource metadata: authorization_servers: {to_this_machine}");
        assert_eq!(discover(response(401, "", ""), json!([place])), failure("pkce-discover", 4, &message));
    }
}

#[test]
fn is_a_plain_url() {
    let proxy = HttpsProxy::start(|_, _| response(404, "", ""));
    let plain = "plain http is only allowed to this machine; use https\n\
                 hint: for a test network, list its hosts in PKCE_HTTP_HOSTS, such as keycloak:8080";
    for (resource, status, wrong) in [
        ("http://api.example/mcp", 4, plain),
        ("https://api.example/mcp#f", 2, "must not have a fragment (#)"),
        ("https://alice:pw@api.example/mcp", 2, "must not have a user name or password"),
        ("api.example/mcp", 2, "must begin with https://\nhint: try https://api.example/mcp"),
        ("urn:api", 2, "must begin with https://"),
        ("", 2, "must begin with https://"),
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
fn leads_to_its_server_over_tls() {
    let proxy = HttpsProxy::start(|url, _| match url {
        "https://api.example/.well-known/oauth-protected-resource/mcp" => json_response(
            &json!({ "resource": "https://api.example/mcp", "authorization_servers": ["https://id.example/t"] }),
        ),
        "https://id.example/t/.well-known/openid-configuration" => json_response(&metadata("https://id.example/t")),
        _ => response(404, "", ""),
    });
    let mut tool = command("pkce-discover");
    proxy.trusted_by(tool.args(["--resource", "https://api.example/mcp"]));
    let output = finish(&mut tool, b"");
    let expected = changed(metadata("https://id.example/t"), &json!({ "resource": "https://api.example/mcp" }));
    assert_eq!((output.status, output.json(), output.stderr.as_str()), (0, expected, ""));
    let asked = [
        "https://api.example/mcp",
        "https://api.example/.well-known/oauth-protected-resource/mcp",
        "https://id.example/.well-known/oauth-authorization-server/t",
        "https://id.example/.well-known/openid-configuration/t",
        "https://id.example/t/.well-known/openid-configuration",
    ];
    assert_eq!(proxy.requested(), asked);
}

#[test]
fn names_a_server_whose_metadata_differs_only_in_a_final_slash() {
    let server = Server::start(|seen| {
        let host = issuer_of(seen);
        match seen.target.as_str() {
            "/mcp" => response(401, "", ""),
            target if target.starts_with("/.well-known/oauth-protected-resource") => {
                json_response(&json!({ "resource": format!("{host}/mcp"), "authorization_servers": [host] }))
            }
            _ => json_response(&metadata(&format!("{host}/"))),
        }
    });
    let (resource, issuer) = (server.url("/mcp"), server.url("/"));
    let message = format!(
        "metadata: issuer: {issuer} instead of {}\n\
         hint: only the trailing slash differs; use: pkce-discover --resource {resource} --issuer {issuer}",
        server.url("")
    );
    let output = run("pkce-discover", &["--resource", &resource], "");
    assert_eq!(output, failure("pkce-discover", 4, &message));
    let output = run("pkce-discover", &["--resource", &resource, "--issuer", &issuer], "");
    let expected = changed(metadata(&issuer), &json!({ "resource": resource }));
    assert_eq!((output.status, output.json(), output.stderr.as_str()), (0, expected, ""));
}

#[test]
fn says_in_its_note_that_it_was_not_found() {
    let server = Server::start(|seen| match seen.target.as_str() {
        "/.well-known/oauth-authorization-server" => json_response(&metadata(&issuer_of(seen))),
        _ => response(404, "", ""),
    });
    let output = run("pkce-discover", &["--resource", &server.url("/mpc"), "-r", "resource"], "");
    let note = format!(
        "pkce-discover: note: the resource was not found (404); using the authorization server {}\n",
        server.url("")
    );
    assert_eq!((output.status, output.stdout, output.stderr), (0, server.url("/mpc\n"), note));
}

#[test]
fn has_its_url_and_what_a_server_says_quoted_in_a_command_to_paste() {
    let named: Arc<Mutex<String>> = Arc::default();
    let issuer = Arc::clone(&named);
    let server = Server::start(move |seen| match seen.target.as_str() {
        "/.well-known/oauth-authorization-server" => json_response(&metadata(&issuer.lock().unwrap())),
        _ => response(404, "", ""),
    });
    let (resource, quoted) = (server.url("/mcp?a=1&b=2"), format!("'{}'", server.url("/mcp?a=1&b=2")));
    let if_known = format!("if you know its authorization server: pkce-discover --resource {quoted} --issuer ISSUER");
    let if_trusted =
        |issuer: &str| format!("if you trust that issuer: pkce-discover --resource {quoted} --issuer {issuer}");
    for (issuer, hint) in [
        ("https://id.example/$(id)", if_trusted("'https://id.example/$(id)'")),
        ("https://id.example/';id;'", if_trusted(r"'https://id.example/'\'';id;'\'''")),
        ("https://id.example/t", if_trusted("https://id.example/t")),
        // What is no issuer is of no use as one.
        (";id", if_known.clone()),
        ("https://id.example/?a", if_known.clone()),
    ] {
        issuer.clone_into(&mut named.lock().unwrap());
        let message = format!("metadata: issuer: {issuer} instead of {}\nhint: {hint}", server.url(""));
        let output = run("pkce-discover", &["--resource", &resource], "");
        assert_eq!(output, failure("pkce-discover", 4, &message));
    }
}

#[test]
fn has_each_url_listed_with_its_outcome_for_a_program_and_in_a_trace() {
    let server = server(challenge(&[]), ROOT, json!({ "authorization_servers": ["https://a.example?b", "ORIGIN/x"] }));
    let url = server.url("/a/mcp");
    let mut tool = command("pkce-discover");
    let output = finish(tool.env("PKCE_ERRORS", "json").args(["--resource", &url]), b"");
    let said: Value = serde_json::from_str(&output.stderr).unwrap();
    let of_server = "resource metadata: authorization_servers: must not have a query (?)";
    let outcomes = [
        (server.url(BY_PATH), "resource metadata: not found (404)"),
        ("https://a.example?b".to_owned(), of_server),
        (server.url("/.well-known/oauth-authorization-server/x"), "metadata: not found (404)"),
        (server.url("/.well-known/openid-configuration/x"), "metadata: not found (404)"),
        (server.url("/x/.well-known/openid-configuration"), "metadata: not found (404)"),
    ];
    let attempts: Vec<Value> =
        outcomes.iter().map(|(place, outcome)| json!({ "url": place, "outcome": outcome })).collect();
    let expected = json!({
        "tool": "pkce-discover", "status": 4, "kind": "untrusted", "message": of_server,
        "member": "authorization_servers", "attempts": attempts,
    });
    assert_eq!((output.status, output.stdout.as_str(), said), (4, "!4 untrusted pkce-discover\n", expected));
    let mut tool = command("pkce-discover");
    let output = finish(tool.env("PKCE_TRACE", "1").args(["--resource", &url]), b"");
    let lines: Vec<&str> = output.stderr.lines().collect();
    let first = format!("pkce-discover: trace: GET {url}: 401, body not read, ");
    assert!(lines[0].starts_with(&first) && lines[0].ends_with(" ms"), "{output:?}");
    let said: Vec<&str> =
        lines[1..].iter().copied().filter(|line| !line.starts_with("pkce-discover: trace: GET ")).collect();
    let mut expected: Vec<String> =
        outcomes.iter().map(|(place, outcome)| format!("pkce-discover: trace: {place}: {outcome}")).collect();
    // A trace has no queries.
    expected[1] = expected[1].replace("?b", "");
    expected.push(format!("pkce-discover: {of_server}"));
    assert_eq!(said, expected);
}

#[test]
fn is_found_at_its_own_server_where_the_one_of_its_challenge_cannot_be_reached() {
    let port = free_port();
    let elsewhere = format!("Bearer resource_metadata=\"http://127.0.0.1:{port}/prm\"");
    let output = discover(&server(challenge(&[&elsewhere]), BY_PATH, json!({})), &["--all"]);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
    let output = discover(&server(challenge(&[&elsewhere]), "/other", json!({})), &[]);
    assert_eq!(output, failure("pkce-discover", 3, &format!("127.0.0.1:{port}: connection refused")));
}

#[test]
fn names_so_many_servers_that_the_first_eight_are_tried() {
    let servers: Vec<String> =
        (0..9).map(|number| format!("ORIGIN/{number}")).chain(["ORIGIN/as".to_owned()]).collect();
    let server = server(challenge(&[]), BY_PATH, json!({ "authorization_servers": servers }));
    let output = discover(&server, &[]);
    let note = "pkce-discover: note: only the first 8 authorization servers of the resource are tried\n";
    let expected = failure("pkce-discover", 1, "metadata: not found (404)");
    assert_eq!(output, Output { stderr: note.to_owned() + &expected.stderr, ..expected });
    assert_eq!(targets(&server).len(), 2 + 8 * 3);
}
