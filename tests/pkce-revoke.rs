//! pkce-revoke: the requests, what leaves the document, and what stays where the server says no.
#![cfg(test)]

mod common;
#[path = "common/home.rs"]
mod home;

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use common::{Output, Request, Server, command, done, failure, finish, kill, response, run, start};
use home::{Home, success};
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
        (
            302,
            "{\"error\":\"invalid_request\"}",
            4,
            "revocation endpoint: redirect (302) not followed: invalid_request",
        ),
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
        let failed = failure("pkce-revoke", ends, message);
        assert_eq!((&output, sent.len()), (&failed, 1));
        // The same for an access token alone.
        let server = Server::start(move |_| response(status, "application/json", body));
        let output = run("pkce-revoke", &[], &without(&server, &["refresh_token"]).to_string());
        assert_eq!((output, server.requests().len()), (failed, 1));
    }
}

/// Revokes at a server that revokes the refresh token and responds to the access token with this.
fn with_response_to_the_access_token(octets: Vec<u8>) -> (Output, Vec<String>) {
    with_response(move |token| if token.starts_with('r') { response(200, "", "") } else { octets.clone() })
}

const HALF: &str = "the refresh token is revoked, the access token may not be";

#[test]
fn notes_that_the_server_refuses_the_access_token_once_the_refresh_token_is_revoked() {
    for (status, body, said) in [
        (400, "{\"error\":\"invalid_request\"}", "invalid_request"),
        (400, "{\"error\":\"invalid_grant\",\"error_description\":\"gone\"}", "invalid_grant: gone"),
        (401, "{\"error\":\"invalid_client\"}", "invalid_client"),
        (401, "", "the server responded with 401"),
        (404, "<html>", "the server responded with 404 without an OAuth error"),
    ] {
        let (output, sent) = with_response_to_the_access_token(response(status, "application/json", body));
        let note = format!("pkce-revoke: note: revocation endpoint: {said}; {HALF}\n");
        assert_eq!((output.status, output.stderr.as_str(), sent.len()), (0, note.as_str(), 2));
        // What is not revoked stays.
        let document = output.json();
        assert_eq!((document.get("refresh_token"), &document["access_token"]), (None, &json!("acc3ss-acc3ss")));
        assert_eq!((&document["token_type"], &document["expires_at"]), (&json!("Bearer"), &json!(5)));
    }
}

#[test]
fn says_which_token_is_revoked_where_the_other_could_not_be() {
    for (octets, status, message) in [
        (response(503, "", ""), 3, "the server responded with 503"),
        (response(429, "", ""), 3, "the server responded with 429"),
        (
            response(500, "application/json", "{\"error\":\"server_error\"}"),
            3,
            "the server responded with 500: server_error",
        ),
        (response(302, "", ""), 4, "redirect (302) not followed"),
    ] {
        let (output, sent) = with_response_to_the_access_token(octets);
        let message = format!("revocation endpoint: {message}; {HALF}");
        assert_eq!(output, failure("pkce-revoke", status, &message));
        assert_eq!(sent, ["r3fresh-r3fresh", "acc3ss-acc3ss"]);
    }
    let (output, sent) = with_response_to_the_access_token(Vec::new());
    assert_eq!((output.status, output.stdout.as_str(), sent.len()), (3, "!3 unavailable pkce-revoke\n", 2));
    assert!(output.stderr.ends_with(&format!("; {HALF}\n")), "{output:?}");
}

#[test]
fn revokes_no_token_of_a_document_that_cannot_be_used_to_its_end() {
    let server = Server::start(|_| response(200, "", ""));
    let mut broken = document(&server);
    broken["access_token"] = json!("a\nb");
    let message = "access_token: must be one or more visible ASCII characters";
    assert_eq!(run("pkce-revoke", &[], &broken.to_string()), failure("pkce-revoke", 2, message));
    assert_eq!(server.requests().len(), 0);
}

/// Stores the document as `work`.
fn store(home: &Home, document: &Value) {
    assert_eq!(home.store(&with_token_endpoint(document)), success());
}

fn with_token_endpoint(document: &Value) -> String {
    let mut document = document.clone();
    document["token_endpoint"] = json!("https://id.example/token");
    document.to_string()
}

fn revoke(home: &Home, args: &[&str]) -> Output {
    finish(home.command("pkce-revoke").args(args), b"")
}

/// A failure of a tool that prints no document.
fn said(status: i32, message: &str) -> Output {
    Output { stdout: String::new(), ..failure("pkce-revoke", status, message) }
}

#[test]
fn revokes_and_removes_a_stored_login() {
    let server = Server::start(|_| response(200, "", ""));
    let home = Home::new();
    assert_eq!(revoke(&home, &["work"]), said(5, "work: nothing is stored under this name"));
    store(&home, &document(&server));
    assert_eq!(revoke(&home, &["other"]), said(5, "other: nothing is stored under this name"));
    assert_eq!(server.requests().len(), 0);
    assert_eq!(revoke(&home, &["work"]), success());
    let sent: Vec<String> = server.requests().iter().map(token).collect();
    assert_eq!(sent, ["r3fresh-r3fresh", "acc3ss-acc3ss"]);
    assert_eq!(home.files(), ["other.lock", "work.lock"]);
    assert_eq!(revoke(&home, &["work"]), said(5, "work: nothing is stored under this name"));
    // What is in a pipe stays there.
    store(&home, &document(&server));
    let output = home.bash("pkce-revoke work && cat");
    assert_eq!(output, Output { status: 0, stdout: home::DOCUMENT.to_owned(), stderr: String::new() });
}

#[test]
fn removes_a_stored_login_without_tokens() {
    let server = Server::start(|_| response(200, "", ""));
    let home = Home::new();
    store(&home, &without(&server, &[&TOKENS[..], &["revocation_endpoint"]].concat()));
    assert_eq!(revoke(&home, &["work"]), success());
    assert_eq!((home.files(), server.requests().len()), (vec!["work.lock".to_owned()], 0));
}

#[test]
fn removes_a_stored_login_whose_access_token_the_server_refuses() {
    let home = Home::new();
    let server = Server::start(|seen| response(if token(seen).starts_with('r') { 200 } else { 404 }, "", ""));
    store(&home, &document(&server));
    let wrong = "revocation endpoint: the server responded with 404 without an OAuth error";
    let expected = Output { stderr: format!("pkce-revoke: note: {wrong}; {HALF}\n"), ..success() };
    assert_eq!(revoke(&home, &["work"]), expected);
    assert_eq!(home.files(), ["work.lock"]);
}

/// What to do about a stored login that the server cannot revoke.
const REMOVE: &str = "\nhint: to remove the login without revoking it: pkce-store --remove work";

#[test]
fn leaves_a_stored_login_that_the_server_does_not_revoke() {
    /// What the tool says of a login that is stored before and after.
    fn left(document: &Value) -> Output {
        let home = Home::new();
        store(&home, document);
        let before = fs::read(home.path("work.json")).unwrap();
        let output = revoke(&home, &["work"]);
        assert_eq!(
            (home.files(), fs::read(home.path("work.json")).unwrap()),
            (["work.json", "work.lock"].map(str::to_owned).to_vec(), before)
        );
        output
    }
    for (octets, status, message) in [
        (response(503, "", ""), 3, format!("revocation endpoint: the server responded with 503{REMOVE}")),
        (response(302, "", ""), 4, "revocation endpoint: redirect (302) not followed".to_owned()),
        (
            response(400, "application/json", "{\"error\":\"unsupported_token_type\"}"),
            1,
            "revocation endpoint: unsupported_token_type".to_owned(),
        ),
    ] {
        let server = Server::start(move |_| octets.clone());
        assert_eq!((left(&document(&server)), server.requests().len()), (said(status, &message), 1));
    }
    let server = Server::start(|seen| response(if token(seen).starts_with('r') { 200 } else { 503 }, "", ""));
    let message = format!("revocation endpoint: the server responded with 503; {HALF}{REMOVE}");
    assert_eq!(left(&document(&server)), said(3, &message));
    let message = format!("revocation_endpoint: missing{REMOVE}");
    assert_eq!(left(&without(&server, &["revocation_endpoint"])), said(2, &message));
    let mut unreachable = document(&server);
    unreachable["revocation_endpoint"] = json!("http://127.0.0.1:1/revoke");
    assert_eq!(left(&unreachable), said(3, &format!("revocation endpoint: 127.0.0.1:1: connection refused{REMOVE}")));
}

#[test]
fn asks_for_no_secret_where_nothing_can_be_revoked() {
    let server = Server::start(|_| response(200, "", ""));
    let home = Home::new();
    let ran = home.path("ran");
    let command = format!("touch '{}'; echo s3cret", ran.display());
    for (document, parameter, message) in [
        (document(&server), "client_id=0ther", "--param: client_id: not the document's client_id".to_owned()),
        (without(&server, &["revocation_endpoint"]), "a=b", format!("revocation_endpoint: missing{REMOVE}")),
    ] {
        store(&home, &document);
        let output = revoke(&home, &["work", "--param", parameter, "--client-secret-command", &command]);
        assert_eq!((output, ran.exists()), (said(2, &message), false));
    }
    // There is nothing to revoke.
    store(&home, &without(&server, &TOKENS));
    assert_eq!((revoke(&home, &["work", "--client-secret-command", &command]), ran.exists()), (success(), false));
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn has_no_hint_about_the_client_where_a_revocation_is_refused_without_an_error() {
    let server = Server::start(|_| response(401, "", ""));
    let mut registered = document(&server);
    registered["redirect_uris"] = json!(["http://127.0.0.1/callback"]);
    for document in [document(&server), registered] {
        let output = run("pkce-revoke", &[], &document.to_string());
        assert_eq!(output, failure("pkce-revoke", 1, "revocation endpoint: the server responded with 401"));
    }
}

#[test]
fn says_that_the_tokens_of_a_login_that_cannot_be_removed_are_revoked() {
    let server = Server::start(|_| response(200, "", ""));
    let home = Home::new();
    store(&home, &document(&server));
    fs::create_dir(home.path("work.pending")).unwrap();
    let message = format!("{}: is a directory; the tokens are revoked", home.path("work.pending").display());
    assert_eq!((revoke(&home, &["work"]), server.requests().len()), (said(3, &message), 2));
}

#[test]
fn revokes_no_stored_login_that_is_a_mount_point() {
    let server = Server::start(|_| response(200, "", ""));
    let home = Home::new();
    store(&home, &document(&server));
    let script = "mount --bind \"$PKCE_HOME\"/work.json \"$PKCE_HOME\"/work.json || exit 99; exec pkce-revoke work";
    let output = finish(home.command("unshare").args(["-Urm", "bash", "-c", script]), b"");
    if output.status == 99 || output.stderr.starts_with("unshare:") {
        println!("left out, since this machine mounts nothing for us: the stored login that is a mount point");
        return;
    }
    let (path, directory) = (home.path("work.json").display().to_string(), home.directory().display().to_string());
    let hint = format!("\nhint: mount the directory {directory} instead");
    let message = format!("{path}: a mount point, which cannot be replaced{hint}");
    assert_eq!((output, server.requests().len()), (said(3, &message), 0));
}

#[test]
fn revokes_what_a_killed_process_has_written_whole() {
    let server = Server::start(|_| response(200, "", ""));
    let home = Home::new();
    store(&home, &document(&server));
    let mut newer = document(&server);
    newer["refresh_token"] = json!("n3wer-r3fresh");
    let left = home.path(".work.json.a1B2c3D4");
    fs::write(&left, newer.to_string()).unwrap();
    fs::set_permissions(&left, Permissions::from_mode(0o600)).unwrap();
    assert_eq!(revoke(&home, &["work"]), success());
    let sent: Vec<String> = server.requests().iter().map(token).collect();
    assert_eq!(
        (sent, home.files()),
        (vec!["n3wer-r3fresh".to_owned(), "acc3ss-acc3ss".to_owned()], vec!["work.lock".to_owned()])
    );
}

#[test]
fn waits_for_the_lock_of_a_stored_login() {
    let server = Server::start(|_| response(200, "", ""));
    let home = Home::new();
    store(&home, &document(&server));
    let lock = File::options().write(true).open(home.path("work.lock")).unwrap();
    lock.lock().unwrap();
    let message = format!("{}: locked by another process for 1 s", home.path("work.lock").display());
    assert_eq!(revoke(&home, &["work", "--timeout", "1"]), said(3, &message));
    assert_eq!((server.requests().len(), home.files()), (0, vec!["work.json".to_owned(), "work.lock".to_owned()]));
    drop(lock);
    assert_eq!(revoke(&home, &["work"]), success());
}

#[test]
fn removes_a_revoked_login_before_a_signal_ends_it() {
    for (name, number) in [("TERM", 143), ("INT", 130), ("USR1", 138)] {
        let (signaled, wait) = mpsc::channel();
        let wait = Mutex::new(wait);
        let server = Server::start(move |seen| {
            // The response to the first token comes after the signal.
            if token(seen).starts_with('r') {
                wait.lock().unwrap().recv().unwrap();
            }
            response(200, "", "")
        });
        let home = Home::new();
        store(&home, &document(&server));
        let child = start(home.command("pkce-revoke").arg("work"));
        while server.requests().is_empty() {
            thread::sleep(Duration::from_millis(5));
        }
        kill(child.id(), name);
        signaled.send(()).unwrap();
        assert_eq!(done(child), Output { status: number, ..success() }, "{name}");
        assert_eq!((server.requests().len(), home.files()), (2, vec!["work.lock".to_owned()]), "{name}");
    }
}

#[test]
fn opens_a_sealed_login_and_seals_nothing() {
    let server = Server::start(|_| response(200, "", ""));
    let home = Home::new();
    let mut store = home.command("pkce-store");
    store.arg("work").envs([("PKCE_SEAL", "base64"), ("PKCE_OPEN", "base64 -d")]);
    assert_eq!(finish(&mut store, with_token_endpoint(&document(&server)).as_bytes()), success());
    let output = finish(home.command("pkce-revoke").arg("work").env("PKCE_OPEN", "exit 1"), b"");
    assert_eq!((output.status, server.requests().len()), (3, 0), "{output:?}");
    let mut revoke = home.command("pkce-revoke");
    assert_eq!(finish(revoke.arg("work").env("PKCE_OPEN", "base64 -d"), b""), success());
    assert_eq!((server.requests().len(), home.files()), (2, vec!["work.lock".to_owned()]));
}

#[test]
fn refuses_a_name_that_is_none_or_that_goes_with_raw() {
    let hint = "hint: see 'pkce-revoke --help'";
    let name = run("pkce-revoke", &[".work"], "");
    assert_eq!((name.status, name.stdout.as_str()), (2, "!2 usage pkce-revoke\n"));
    assert!(name.stderr.starts_with("pkce-revoke: NAME: must be a letter or digit, then "), "{name:?}");
    for (args, subject) in [(["work", "-r", "scope"], "NAME"), (["-r", "scope", "work"], "--raw")] {
        let message = format!("{subject}: repeated, or conflicts with another argument\n{hint}");
        assert_eq!(run("pkce-revoke", &args, ""), said(2, &message));
    }
    let two = format!("arguments: too many\n{hint}");
    assert_eq!(run("pkce-revoke", &["work", "home"], ""), failure("pkce-revoke", 2, &two));
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
fn adds_its_own_parameters_to_both_requests_and_those_of_the_exchange_to_none() {
    let server = Server::start(|_| response(200, "", ""));
    let told = json!({
        "client_secret": "s3cret",
        "token_request": {
            "format": "json", "auth_method": "client_secret_post", "parameters": { "action": "requesttoken" },
        },
    });
    let document = common::changed(document(&server), &told).to_string();
    let output = run("pkce-revoke", &["--param", "action=revoke", "--param", "client_id=cli"], &document);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    assert_eq!(output.json()["token_request"], told["token_request"]);
    let form = |token: &str, hint: &str| {
        let sent = [
            ("token", token),
            ("token_type_hint", hint),
            ("action", "revoke"),
            ("client_id", "cli"),
            ("client_secret", "s3cret"),
        ];
        sent.map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let sent: Vec<_> = server.requests().iter().map(Request::form).collect();
    assert_eq!(sent, [form("r3fresh-r3fresh", "refresh_token"), form("acc3ss-acc3ss", "access_token")]);
    let before = server.requests().len();
    assert_eq!(run("pkce-revoke", &[], &document).status, 0);
    let names: Vec<String> = server.requests()[before].form().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["token", "token_type_hint", "client_id", "client_secret"]);
}

#[test]
fn refuses_parameters_that_would_replace_the_request() {
    let server = Server::start(|_| response(200, "", ""));
    let secret = "a secret must not be an argument, which other programs can read";
    for (param, wrong) in [
        ("token=s3cret", format!("token: {secret}")),
        ("token_type_hint=a", "token_type_hint: reserved".to_owned()),
        ("client_id=0ther", "client_id: not the document's client_id".to_owned()),
    ] {
        let output = run("pkce-revoke", &["--param", param], &document(&server).to_string());
        assert_eq!(output, failure("pkce-revoke", 2, &format!("--param: {wrong}")), "{param}");
    }
    let told = json!({ "token_request": { "auth_method": 1 } });
    let output = run("pkce-revoke", &[], &common::changed(document(&server), &told).to_string());
    assert_eq!(output, failure("pkce-revoke", 2, "token_request: auth_method: must be a string"));
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn runs_the_command_of_the_secret_once_for_both_requests() {
    let home = Home::new();
    let server = Server::start(|_| response(200, "", ""));
    for name in ["", "work"] {
        home.store(&common::changed(document(&server), &json!({ "token_endpoint": server.url("/token") })).to_string());
        let (before, runs) = (server.requests().len(), home.root.path().join("runs"));
        let mut tool = home.command("pkce-revoke");
        tool.args(["--client-secret-command", "echo run >> runs; echo s3cret"]).current_dir(home.root.path());
        if !name.is_empty() {
            tool.arg(name);
        }
        let output = finish(&mut tool, document(&server).to_string().as_bytes());
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
        let sent = server.requests().split_off(before);
        assert_eq!((sent.len(), fs::read_to_string(&runs).unwrap().as_str()), (2, "run\n"));
        assert!(sent.iter().all(|seen| seen.header("Authorization") == Some("Basic Y2xpOnMzY3JldA==")), "{sent:?}");
        fs::remove_file(runs).unwrap();
    }
}

#[test]
fn sends_no_secret_to_a_server_that_lists_no_way_to_send_it() {
    let server = Server::start(|_| response(200, "", ""));
    let unlisted = json!({ "client_secret": "s3cret", "token_endpoint_auth_methods_supported": ["private_key_jwt"] });
    let wrong = "token_endpoint_auth_methods_supported: lists only private_key_jwt, \
                 so the client secret is not sent\n\
                 hint: choose how to send it with --auth-method, or send no secret with --auth-method none";
    let output = run("pkce-revoke", &[], &common::changed(document(&server), &unlisted).to_string());
    assert_eq!((output, server.requests().len()), (failure("pkce-revoke", 2, wrong), 0));
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
    let (output, _) = with_response(|token| {
        let encoded = token.replace('-', "%2d");
        let body = json!({ "error": "invalid_request", "error_description": format!("token={encoded}&") });
        response(400, "application/json", &body.to_string())
    });
    assert_eq!(output, failure("pkce-revoke", 1, "revocation endpoint: invalid_request: token=[...]&"));
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
        let said = "pkce-refresh: token endpoint: invalid_grant: the grant is revoked\nhint: run the login again";
        assert_eq!(output.stdout, format!("7\n{said}\n5\n"), "{output:?}");
    }
}
