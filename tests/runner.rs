//! Text from outside commands no CI runner: GitHub Actions, Azure Pipelines and others read the lines of a job's log.
#![cfg(test)]

mod common;

use std::io::Write;
use std::net::TcpStream;

use common::{Output, Server, command, failure, finish, json_response, response, run, talk};
use serde_json::{Value, json};

/// What a server may say, and what a log shows of it.
const SAID: [(&str, &str); 12] = [
    ("##[error]a", "# #[error]a"),
    ("a ##[group]b", "a # #[group]b"),
    ("a###[debug]b", "a# # #[debug]b"),
    ("no ##vso[task.setvariable variable=x]y ::warning::z", "no # #vso[task.setvariable variable=x]y : :warning::z"),
    ("##teamcity[message text='a']", "# #teamcity[message text='a']"),
    ("::warning file=a,line=1::b", ": :warning file=a,line=1::b"),
    ("a\n::set-output name=a::b", "a : :set-output name=a::b"),
    ("::add-mask::a", ": :add-mask::a"),
    ("::stop-commands::a", ": :stop-commands::a"),
    ("section_start:1:a\r\u{1b}[0Kb", "section_start:1:a ?[0Kb"),
    ("#\u{ad}#vso[a]b", "#?#vso[a]b"),
    ("C:\\a, ::1, fe80::1%eth0 and a::b", "C:\\a, ::1, fe80::1%eth0 and a::b"),
];

/// Exchanges a code at a server that refuses with this description.
fn exchanged(description: &str, errors: &str) -> Output {
    let body = json!({ "error": "invalid_grant", "error_description": description, "error_uri": description });
    let server = Server::start(move |_| response(400, "application/json", &body.to_string()));
    let document = json!({
        "token_endpoint": server.url("/token"), "client_id": "cli", "code": "c0de", "redirect_uri": "https://a/b",
        "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    });
    finish(command("pkce-exchange").env("PKCE_ERRORS", errors), document.to_string().as_bytes())
}

#[test]
fn does_not_obey_a_message() {
    for (said, shown) in SAID {
        let message = format!("token endpoint: invalid_grant: {shown}");
        assert_eq!(exchanged(said, ""), failure("pkce-exchange", 5, &message), "{said:?}");
    }
}

#[test]
fn does_not_obey_a_message_in_json() {
    for (said, shown) in SAID {
        let output = exchanged(said, "json");
        let line: Value = serde_json::from_str(&output.stderr).unwrap();
        let expected = json!({
            "tool": "pkce-exchange", "status": 5, "kind": "login_required", "error": "invalid_grant",
            "message": format!("token endpoint: invalid_grant: {shown}"), "error_description": shown,
            "error_uri": shown, "http_status": 400,
        });
        assert_eq!((output.stderr.lines().count(), line), (1, expected), "{said:?}");
        assert!(!output.stderr.contains("##") && !output.stderr.contains("::warning"), "{output:?}");
    }
}

#[test]
fn does_not_obey_a_message_about_a_redirect() {
    let port = common::free_port();
    let document = json!({
        "state": "s", "redirect_uri": format!("http://127.0.0.1:{port}/callback"),
        "authorization_url": "https://id.example/a", "issuer": "https://id.example",
    });
    let mut child = common::start(command("pkce-callback").args(["--no-browser", "--timeout", "20"]));
    child.stdin.take().unwrap().write_all(document.to_string().as_bytes()).unwrap();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(child.try_wait().unwrap().is_none());
    }
    let query = "error=access_denied&state=s&error_description=%23%23[error]a%0A::warning::b";
    talk(port, format!("GET /callback?{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n").as_bytes());
    let message = "authorization endpoint: access_denied: # #[error]a : :warning::b";
    let output = common::done(child);
    let url = "https://id.example/a";
    let said = format!("pkce-callback: to sign in, open this URL in a browser:\n{url}\n");
    let expected = failure("pkce-callback", 1, message);
    assert_eq!(output, Output { stderr: said + &expected.stderr, ..expected });
}

#[test]
fn does_not_obey_a_hint_or_a_trace() {
    let server = Server::start(|request| {
        let issuer = format!("http://{}/::warning::a", request.header("Host").unwrap());
        json_response(&json!({ "issuer": issuer }))
    });
    let issuer = server.url("/::warning::a/");
    let output = finish(command("pkce-discover").arg(&issuer).env("PKCE_TRACE", "1"), b"");
    let shown = server.url("/: :warning::a");
    // Where another :: follows in the line, the one before it is a command too.
    let outcome = format!("metadata: issuer: {} instead of {shown}/", server.url("/: :warning: :a"));
    let lines: Vec<&str> = output.stderr.lines().collect();
    let [traced @ .., message, hint] = lines.as_slice() else { panic!("{output:?}") };
    let places = [
        format!("{shown}/.well-known/openid-configuration"),
        server.url("/.well-known/oauth-authorization-server/: :warning::a"),
        server.url("/.well-known/openid-configuration/: :warning::a"),
    ];
    assert_eq!(traced.len(), 2 * places.len(), "{output:?}");
    for (lines, place) in traced.chunks(2).zip(places) {
        assert!(lines[0].starts_with(&format!("pkce-discover: trace: GET {place}: 200, ")), "{output:?}");
        assert_eq!(lines[1], format!("pkce-discover: trace: {place}: {outcome}"));
    }
    assert_eq!((output.status, *message), (4, format!("pkce-discover: {outcome}").as_str()));
    assert_eq!(*hint, format!("hint: only the trailing slash differs; use: pkce-discover {shown}"));
}

#[test]
fn gets_the_claims_of_an_error_whole_and_obeys_none_of_them() {
    let claims = format!(
        "{{\"id_token\":{{\"##[x]\":\"::a::b\",\"é\":\"\u{1f511}\u{9b}\u{2028}\",\"::warning::x\":\"{}\\n\\\\\"}}}}",
        "a".repeat(1500)
    );
    let body = json!({ "error": "interaction_required", "claims": claims });
    let server = Server::start(move |_| response(400, "application/json", &body.to_string()));
    let document = json!({
        "token_endpoint": server.url("/token"), "client_id": "cli", "code": "c0de", "redirect_uri": "https://a/b",
        "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    });
    let output = finish(command("pkce-exchange").env("PKCE_ERRORS", "json"), document.to_string().as_bytes());
    let line: Value = serde_json::from_str(&output.stderr).unwrap();
    let expected = json!({
        "tool": "pkce-exchange", "status": 5, "kind": "login_required", "http_status": 400,
        "message": "token endpoint: interaction_required", "error": "interaction_required", "claims": claims,
    });
    assert_eq!((output.stderr.lines().count(), line), (1, expected));
    assert!(output.stderr.trim_end().chars().all(|c| (' '..='~').contains(&c)), "{output:?}");
    assert!(!output.stderr.contains("##") && !output.stderr.contains("::"), "{output:?}");
}

#[test]
fn does_not_obey_a_note() {
    let server = Server::start(|request| {
        if request.body.contains("refresh_token") {
            return response(200, "", "");
        }
        let body = json!({ "error": "invalid_request", "error_description": "::error::a ##[b]c" });
        response(400, "application/json", &body.to_string())
    });
    let document = json!({
        "revocation_endpoint": server.url("/revoke"), "client_id": "cli", "refresh_token": "r", "access_token": "a",
    });
    let output = run("pkce-revoke", &[], &document.to_string());
    let note = "pkce-revoke: note: revocation endpoint: invalid_request: : :error::a # #[b]c; \
                the refresh token is revoked, the access token may not be\n";
    assert_eq!((output.status, output.stderr.as_str()), (0, note));
}

#[test]
fn does_not_obey_the_name_of_a_member_a_file_an_option_or_a_command() {
    let output = run("pkce-gen", &["-"], "{\"##[error]a\":1,\"##[error]a\":2}");
    assert_eq!(output, failure("pkce-gen", 2, "standard input: # #[error]a: duplicate"));
    let output = run("pkce-gen", &["/nowhere/::warning::a"], "");
    assert_eq!(output, failure("pkce-gen", 2, "/nowhere/: :warning::a: no such file or directory"));
    let output = run("pkce-gen", &["--::warning::a"], "");
    assert_eq!(output, failure("pkce-gen", 2, "--: :warning::a: no such option\nhint: see 'pkce-gen --help'"));
    let output = run("pkce-idp", &["--", "::warning::a"], "");
    let message = "pkce-idp: : :warning::a: no such file or directory\n";
    assert_eq!((output.status, output.stdout.as_str(), output.stderr.as_str()), (127, "", message));
}

#[test]
fn does_not_obey_the_local_server_or_its_visits() {
    let server = Server::start(|request| match request.target.as_str() {
        "/" => b"HTTP/1.1 302 X\r\nLocation: /::warning::a##[error]b\r\nContent-Length: 0\r\n\r\n".to_vec(),
        _ => response(404, "text/html", "##[error]a"),
    });
    let output = finish(command("pkce-idp").args(["--visit", &server.url("/")]).env("PKCE_TRACE", "1"), b"");
    let lines: Vec<&str> = output.stderr.lines().collect();
    let trace = format!("pkce-idp: trace: GET {}: 404, 10 bytes, ", server.url("/: :warning::a"));
    assert!(lines.len() == 3 && lines[1].starts_with(&trace), "{output:?}");
    assert_eq!((output.status, lines[2]), (1, "pkce-idp: --visit: the server responded with 404: # #[error]a"));

    let output = run("pkce-idp", &["--fault", "##[error]a"], "");
    let message = "--fault: unknown kind; --list-faults prints all kinds\nhint: see 'pkce-idp --help'";
    assert_eq!(output, failure("pkce-idp", 2, message));
    let listed = run("pkce-idp", &["--list-faults"], "");
    assert!(listed.status == 0 && !listed.stdout.contains("##") && !listed.stdout.contains("::"), "{listed:?}");
}

#[test]
fn gets_a_document_as_it_is() {
    let member = "##vso[task.setvariable variable=x]y ::warning::z";
    let output = run("pkce-gen", &["-"], &json!({ "own": member }).to_string());
    assert_eq!((output.status, output.json()["own"].as_str()), (0, Some(member)));
    assert_eq!(run("pkce-gen", &["-", "-r", "own"], &output.stdout).stdout, format!("{member}\n"));
}
