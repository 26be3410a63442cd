//! pkce-logout: revokes what can be revoked, and removes the login in any case but one.
#![cfg(test)]

mod common;
#[path = "common/home.rs"]
mod home;

use std::fs;

use common::{Output, Server, finish, response, run};
use home::{Home, SHELLS, said, success};
use serde_json::{Value, json};

fn document(server: &Server) -> Value {
    json!({
        "issuer": server.url(""), "client_id": "cli", "token_endpoint": server.url("/token"),
        "revocation_endpoint": server.url("/revoke"), "access_token": "acc3ss-acc3ss", "token_type": "Bearer",
        "refresh_token": "r3fresh-r3fresh",
    })
}

/// A home with this login, and with what pkce-login remembers.
fn with(document: &Value) -> Home {
    let home = Home::new();
    assert_eq!(home.store(&document.to_string()), success());
    fs::write(home.path("work.login"), "{\"issuer\":\"https://id.example\"}").unwrap();
    home
}

fn logout(shell: &[&str], home: &Home, args: &[&str], errors: &str) -> Output {
    finish(home.script(shell, "pkce-logout").args(args).env("PKCE_ERRORS", errors), b"")
}

const OUT: [&str; 2] = ["work.lock", "work.login"];

#[test]
fn revokes_and_removes_the_login_and_leaves_what_it_was_told() {
    for shell in SHELLS {
        let server = Server::start(|_| response(200, "", ""));
        let home = with(&document(&server));
        assert_eq!(logout(shell, &home, &["work"], ""), success(), "{shell:?}");
        assert_eq!((home.files(), server.requests().len()), (OUT.map(str::to_owned).to_vec(), 2));
        let nothing = "pkce-store: work: nothing is stored under this name\n\
                       hint: pkce-load lists the names; pkce-login NAME adds one";
        assert_eq!(logout(shell, &home, &["--", "work"], ""), said(5, nothing), "{shell:?}");
    }
}

#[test]
fn removes_the_login_all_the_same_where_the_server_cannot_revoke_it() {
    for shell in SHELLS {
        let server = Server::start(|_| response(500, "", ""));
        let mut document = document(&server);
        document.as_object_mut().unwrap().remove("revocation_endpoint");
        let note =
            "pkce-logout: note: work: removed, although the server cannot revoke its tokens; they may stay valid";
        for (errors, expected) in [("", said(0, note)), ("json", success())] {
            let home = with(&document);
            assert_eq!(logout(shell, &home, &["work"], errors), expected, "{shell:?}");
            assert_eq!((home.files(), server.requests().len()), (OUT.map(str::to_owned).to_vec(), 0));
        }
    }
}

#[test]
fn removes_the_login_all_the_same_where_the_server_refuses_to_revoke_it() {
    for (status, body, refusal) in [
        (401, "{\"error\":\"invalid_client\"}", "revocation endpoint: invalid_client"),
        (400, "{\"error\":\"invalid_grant\"}", "revocation endpoint: invalid_grant"),
        (
            400,
            "{\"error\":\"invalid_grant\",\"error_description\":\"pkce-revoke: work: nothing is stored under this name\"}",
            "revocation endpoint: invalid_grant: pkce-revoke: work: nothing is stored under this name",
        ),
        (403, "", "revocation endpoint: the server responded with 403 without an OAuth error"),
    ] {
        for shell in SHELLS {
            let server = Server::start(move |_| response(status, "application/json", body));
            let home = with(&document(&server));
            let output = logout(shell, &home, &["work"], "");
            let lines: Vec<&str> = output.stderr.lines().filter(|line| !line.starts_with("hint: ")).collect();
            let note = "pkce-logout: note: work: removed, although the server refused to revoke its tokens; they may stay \
                        valid";
            assert_eq!(
                (output.status, lines),
                (0, vec![format!("pkce-revoke: {refusal}").as_str(), note]),
                "{shell:?}"
            );
            assert_eq!((home.files(), server.requests().len()), (OUT.map(str::to_owned).to_vec(), 1));
            let home = with(&document(&server));
            assert_eq!(logout(shell, &home, &["work"], "json"), success(), "{shell:?}");
        }
    }
}

#[test]
fn leaves_the_login_where_the_server_cannot_be_reached_or_fails() {
    for shell in SHELLS {
        let server = Server::start(|_| response(503, "", ""));
        let home = with(&document(&server));
        let expected = "pkce-revoke: revocation endpoint: the server responded with 503\n\
                        hint: to remove the login without revoking it: pkce-store --remove work";
        assert_eq!(logout(shell, &home, &["work"], ""), said(3, expected), "{shell:?}");
        assert_eq!(home.files(), ["work.json", "work.lock", "work.login"]);
        let json = logout(shell, &home, &["work"], "json");
        let line: Value = serde_json::from_str(&json.stderr).unwrap();
        assert_eq!((json.status, &line["tool"], &line["status"]), (3, &json!("pkce-revoke"), &json!(3)));
    }
}

#[test]
fn authenticates_a_client_with_a_secret() {
    for shell in SHELLS {
        let server = Server::start(|_| response(200, "", ""));
        let mut document = document(&server);
        document["token_endpoint_auth_method"] = json!("client_secret_post");
        let home = with(&document);
        let missing = "pkce-revoke: client_secret: missing, but the client's authentication method requires it\n\
                       hint: name its file with --client-secret-file or PKCE_CLIENT_SECRET_FILE, or a command that \
                       prints it with --client-secret-command";
        assert_eq!(logout(shell, &home, &["work"], ""), said(2, missing), "{shell:?}");
        let file = home.root.path().join("ä secret");
        fs::write(&file, "s3cret\n").unwrap();
        let file = file.display().to_string();
        for args in [&["--client-secret-file", &file, "work"][..], &["work", "--client-secret-command=echo s3cret"]] {
            assert_eq!(home.store(&document.to_string()), success());
            let seen = server.requests().len();
            assert_eq!(logout(shell, &home, args, ""), success(), "{shell:?}");
            let bodies: Vec<String> = server.requests().iter().skip(seen).map(|request| request.body.clone()).collect();
            assert!(
                bodies.len() == 2 && bodies.iter().all(|body| body.ends_with("&client_secret=s3cret")),
                "{bodies:?}"
            );
            assert_eq!(home.files(), OUT);
        }
    }
}

#[test]
fn leaves_a_login_whose_document_cannot_be_used() {
    let server = Server::start(|_| response(200, "", ""));
    let mut document = document(&server);
    document["revocation_endpoint"] = json!(7);
    let home = with(&document);
    let output = logout(&["dash"], &home, &["work"], "");
    assert_eq!(output, said(2, "pkce-revoke: revocation_endpoint: must be a string"));
    assert_eq!(home.files(), ["work.json", "work.lock", "work.login"]);
}

#[test]
fn says_what_is_wrong_with_its_arguments() {
    for shell in SHELLS {
        let home = Home::new();
        for (args, wrong) in [
            (&[][..], "NAME: missing"),
            (&["a", "b"], "arguments: too many"),
            (&["a", "--", "b"], "arguments: too many"),
            (&["--token=s3cr3t"], "--token: no such option"),
            (&["--\u{1b}[31m", "a"], "--?[31m: no such option"),
            (&["--a\nb", "a"], "--a?b: no such option"),
            (&["-r", "a"], "-r: no such option"),
            (&["a", "--client-secret-file"], "--client-secret-file: requires a value"),
            (&["--client-secret-command", "--", "a"], "--client-secret-command: requires a value"),
            (
                &["a", "--client-secret-file=b", "--client-secret-command", "c"],
                "--client-secret-command: repeated, or conflicts with another argument",
            ),
        ] {
            let expected = said(2, &format!("pkce-logout: {wrong}\nhint: see 'pkce-logout --help'"));
            assert_eq!(logout(shell, &home, args, ""), expected, "{shell:?}");
            let json = logout(shell, &home, args, "json");
            let line: Value = serde_json::from_str(&json.stderr).unwrap();
            let expected = json!({ "tool": "pkce-logout", "status": 2, "kind": "usage", "message": wrong });
            assert_eq!((json.status, line), (2, expected), "{shell:?}");
        }
        for name in ["$(touch canary)", "`touch canary`", "a b", "-x", "--remove", "../work", "*", "", "a\nb"] {
            let output = logout(shell, &home, &["--", name], "");
            let wrong =
                "NAME: must be a letter or digit, then up to 63 letters, digits, dots, hyphens, underscores, @ or +";
            assert_eq!(output, said(2, &format!("pkce-revoke: {wrong}\nhint: see 'pkce-revoke --help'")), "{shell:?}");
        }
        assert!(!fs::exists("canary").unwrap());
    }
    assert_eq!(run("pkce-logout", &["work", "-h"], ""), run("pkce-logout", &["--help"], ""));
}
