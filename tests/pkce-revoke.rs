//! pkce-revoke: the requests, what leaves the document, and what stays where the server says no.
#![cfg(test)]

mod common;

use common::{Output, Request, Server, command, failure, finish, response, run};
use serde_json::{Value, json};

fn document(server: &Server) -> Value {
    json!({
        "issuer": server.url(""),
        "revocation_endpoint": server.url("/revoke"),
        "client_id": "cli",
        "access_token": "acc3ss-acc3ss",
        "token_type": "Bearer",
        "expires_in": 60,
        "expires_at": 5,
        "refresh_token": "r3fresh-r3fresh",
        "scope": "openid",
        "id_token_claims": { "sub": "alice" },
    })
}

fn without(server: &Server, names: &[&str]) -> Value {
    let mut document = document(server);
    names.iter().for_each(|name| drop(document.as_object_mut().unwrap().remove(*name)));
    document
}

/// Revokes at a server that responds to each token with what `response` returns for it.
fn with_response(response: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> (Output, Vec<String>) {
    let server = Server::start(move |seen| response(&token(seen)));
    let output = run("pkce-revoke", &[], &document(&server).to_string());
    (output, server.requests().iter().map(token).collect())
}

fn token(seen: &Request) -> String {
    seen.form().into_iter().find(|(name, _)| name == "token").unwrap().1
}

const TOKENS: [&str; 5] = ["refresh_token", "access_token", "token_type", "expires_in", "expires_at"];

#[test]
fn revokes_the_refresh_token_first_and_removes_both() {
    for octets in [
        response(200, "", ""),
        response(204, "", ""),
        response(200, "text/html", "<h1>gone</h1>"),
        response(200, "application/json", "{\"a\":1,\"a\":2}"),
    ] {
        let server = Server::start(move |_| octets.clone());
        let output = run("pkce-revoke", &[], &document(&server).to_string());
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
        assert_eq!(output.json(), without(&server, &TOKENS));
        let sent: Vec<_> = server.requests().iter().map(Request::form).collect();
        let form = |token: &str, hint: &str| {
            [("token", token), ("token_type_hint", hint), ("client_id", "cli")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        };
        assert_eq!(sent, [form("r3fresh-r3fresh", "refresh_token"), form("acc3ss-acc3ss", "access_token")]);
        assert!(server.requests().iter().all(|seen| seen.method == "POST" && seen.target == "/revoke"));
    }
}

#[test]
fn revokes_what_there_is() {
    let server = Server::start(|_| response(200, "", ""));
    for (left, sent) in [("access_token", 1), ("refresh_token", 1)] {
        let before = server.requests().len();
        let other = if left == "access_token" { "refresh_token" } else { "access_token" };
        let output = run("pkce-revoke", &[], &without(&server, &[other]).to_string());
        assert_eq!((output.status, output.json().get(left)), (0, None), "{output:?}");
        assert_eq!(server.requests().len() - before, sent);
    }
    let before = server.requests().len();
    let output = run("pkce-revoke", &[], &without(&server, &TOKENS).to_string());
    let message = "access_token: missing\nhint: pkce-exchange adds it";
    assert_eq!((output, server.requests().len()), (failure("pkce-revoke", 2, message), before));
}

#[test]
fn leaves_the_document_unchanged_where_the_server_does_not_revoke() {
    for (status, body, ends, message) in [
        (503, "", 3, "revocation endpoint: the server responded with 503"),
        (429, "", 3, "revocation endpoint: the server responded with 429"),
        (500, "", 3, "revocation endpoint: the server responded with 500"),
        (302, "", 4, "revocation endpoint: redirect (302) not followed"),
        (400, "{\"error\":\"unsupported_token_type\"}", 1, "revocation endpoint: unsupported_token_type"),
        (400, "{\"error\":\"invalid_request\"}", 1, "revocation endpoint: invalid_request"),
        (404, "", 1, "revocation endpoint: the server responded with 404 without an OAuth error"),
        (200, "{\"error\":\"server_error\"}", 0, ""),
    ] {
        let (output, sent) = with_response(move |_| response(status, "application/json", body));
        if ends == 0 {
            // A body of a success is nobody's business (RFC 7009 section 2.2).
            assert_eq!((output.status, sent.len()), (0, 2), "{output:?}");
            continue;
        }
        assert_eq!((output, sent.len()), (failure("pkce-revoke", ends, message), 1));
    }
    let (output, sent) = with_response(|token| response(if token.starts_with('r') { 200 } else { 503 }, "", ""));
    assert_eq!(output, failure("pkce-revoke", 3, "revocation endpoint: the server responded with 503"));
    assert_eq!(sent, ["r3fresh-r3fresh", "acc3ss-acc3ss"]);
}

#[test]
fn tolerates_servers_that_do_not_know_a_token_or_revoke_one_kind_only() {
    let gone = "{\"error\":\"invalid_token\"}";
    let (output, sent) = with_response(move |_| response(400, "application/json", gone));
    assert_eq!((output.status, output.stderr.as_str(), sent.len()), (0, "", 2), "{output:?}");
    let (output, sent) = with_response(|token| match token.starts_with('r') {
        true => response(200, "", ""),
        false => response(400, "application/json", "{\"error\":\"unsupported_token_type\"}"),
    });
    let note = "pkce-revoke: note: the server does not revoke access tokens; this one expires by itself\n";
    assert_eq!((output.status, output.stderr.as_str(), sent.len()), (0, note, 2));
    assert_eq!((output.json().get("refresh_token"), &output.json()["access_token"]), (None, &json!("acc3ss-acc3ss")));
}

#[test]
fn takes_the_secret_of_both_requests_from_a_pipe() {
    let server = Server::start(|_| response(200, "", ""));
    for script in [
        "pkce-revoke --client-secret-file <(printf %s s3cret)",
        "PKCE_CLIENT_SECRET_FILE=/dev/fd/3 pkce-revoke 3< <(printf %s s3cret)",
    ] {
        let before = server.requests().len();
        let output = finish(command("bash").args(["-c", script]), document(&server).to_string().as_bytes());
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{script}: {output:?}");
        assert_eq!(output.json(), without(&server, &TOKENS));
        let sent = server.requests().split_off(before);
        assert_eq!(sent.len(), 2);
        assert!(sent.iter().all(|seen| seen.header("Authorization") == Some("Basic Y2xpOnMzY3JldA==")), "{sent:?}");
    }
}

#[test]
fn sends_no_token_where_it_must_not() {
    let server = Server::start(|_| response(200, "", ""));
    let mut plain = document(&server);
    plain["revocation_endpoint"] = json!("http://id.example/revoke");
    let message = "revocation_endpoint: plain http is only allowed to this machine; use https\nhint: for a test network, list its hosts in PKCE_HTTP_HOSTS, such as keycloak:8080";
    assert_eq!(run("pkce-revoke", &[], &plain.to_string()), failure("pkce-revoke", 4, message));
    let message = "revocation_endpoint: missing\nhint: pkce-discover adds it if the server names one";
    let document = without(&server, &["revocation_endpoint"]).to_string();
    assert_eq!(run("pkce-revoke", &[], &document), failure("pkce-revoke", 2, message));
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn repeats_no_token_in_a_message() {
    let (output, _) = with_response(|token| {
        let body = json!({ "error": "invalid_request", "error_description": format!("what is {token}?\u{7}") });
        response(400, "application/json", &body.to_string())
    });
    assert_eq!(output, failure("pkce-revoke", 1, "revocation endpoint: invalid_request: what is [...]??"));
}

#[test]
fn revokes_in_the_trap_of_a_script_and_leaves_its_status() {
    for shell in ["sh", "bash"] {
        let script = "set -eu
            document=$(pkce-discover | pkce-gen - | pkce-url --scope 'openid offline_access' --prompt consent |
              pkce-callback | pkce-exchange)
            trap 'printf %s \"$document\" | pkce-revoke >/dev/null' EXIT
            printf %s \"$document\" >\"$1\"
            exit 7";
        let directory = common::new_directory();
        let file = directory.path().join("document").display().to_string();
        let around = format!(
            "{shell} -c \"$1\" script '{file}'; echo $?
            pkce-refresh <'{file}' 2>&1 >/dev/null; echo $?"
        );
        let mut idp = command("pkce-idp");
        let output = finish(idp.args(["--auto-approve", "--", "bash", "-c", &around, "-", script]), b"");
        let said = "pkce-refresh: token endpoint: invalid_grant: the grant is revoked";
        assert_eq!(output.stdout, format!("7\n{said}\n5\n"), "{output:?}");
    }
}
