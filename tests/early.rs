//! Nothing late: what can be known before the user is asked is known before standard input is read, and a tool whose
//! reader is gone asks and spends nothing.
#![cfg(test)]

mod common;
#[path = "common/home.rs"]
mod home;

use std::fs;
use std::fs::Permissions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use common::{
    Output, Server, command, done, failure, finish, lacks, make_fifo, response, run, start, unfed, write_program,
};
use home::Home;
use serde_json::{Value, json};

/// What fails without a document, and what it says: the end of a pipeline, which follows pkce-callback.
fn fails_early(home: &Home, end: &str, status: i32, message: &str) {
    let script = format!("set -o pipefail; pkce-callback | {end}");
    let output = unfed(home.command("bash").args(["-c", &script]));
    assert_eq!((output.status, output.stderr), (status, message.to_owned()), "{end}");
}

#[test]
fn a_stored_login_that_is_no_json_is_told_before_the_browser() {
    let home = Home::new();
    assert_eq!(home.store(home::DOCUMENT).status, 0);
    fs::write(home.path("work.json"), "{").unwrap();
    let file = home.path("work.json");
    let message = format!(
        "pkce-store: {}: not a JSON object: unexpected end\n\
         hint: the file is damaged, or encrypted: then set PKCE_OPEN; pkce-store --remove work removes it\n",
        file.display()
    );
    fails_early(&home, "pkce-exchange | pkce-verify | pkce-store work", 4, &message);
}

#[test]
fn a_store_that_others_can_access_is_told_before_the_browser() {
    let home = Home::new();
    assert_eq!(home.store(home::DOCUMENT).status, 0);
    fs::set_permissions(home.directory(), Permissions::from_mode(0o777)).unwrap();
    let directory = home.directory();
    let message = format!(
        "pkce-store: {0}: accessible to other users\nhint: check its content, then run: chmod 700 {0}\n",
        directory.display()
    );
    fails_early(&home, "pkce-exchange | pkce-verify | pkce-store work", 4, &message);
}

#[test]
fn a_home_that_is_not_set_is_told_before_the_browser() {
    let end = "pkce-exchange | pkce-verify | env -u PKCE_HOME -u HOME -u XDG_STATE_HOME pkce-store work";
    let message = "pkce-store: HOME: not set\nhint: set PKCE_HOME to the directory for stored logins\n";
    fails_early(&Home::new(), end, 2, message);
}

#[test]
fn a_secret_file_that_is_missing_is_told_before_the_browser() {
    let missing = "no such file or directory";
    let message = format!("pkce-exchange: --client-secret-file: {missing}\n");
    fails_early(&Home::new(), "pkce-exchange --client-secret-file /no/file | pkce-verify", 2, &message);
    let message = format!("pkce-exchange: PKCE_CLIENT_SECRET_FILE: {missing}\n");
    let end = "PKCE_CLIENT_SECRET_FILE=/no/file pkce-exchange | pkce-verify | pkce-store work";
    fails_early(&Home::new(), end, 2, &message);
}

#[test]
fn a_file_of_keys_that_is_missing_is_told_before_the_browser() {
    let message = "pkce-verify: --jwks: no such file or directory\n";
    fails_early(&Home::new(), "pkce-exchange | pkce-verify --jwks /no/file | pkce-store work", 2, message);
}

#[test]
fn an_option_that_no_document_can_mend_is_told_before_standard_input_is_read() {
    let scope = "scope: must be names separated by single spaces, without \" and \\";
    let fragment = "must not have a fragment (#)";
    let resource = "resource: must be an absolute URI without a fragment";
    for (tool, args, message) in [
        ("pkce-url", ["--scope", "a  b"], scope.to_owned()),
        ("pkce-url", ["--redirect-uri", "http://127.0.0.1/#a"], format!("redirect_uri: {fragment}")),
        ("pkce-url", ["--authorization-endpoint", "https://a#b"], format!("authorization_endpoint: {fragment}")),
        ("pkce-url", ["--resource", "api"], resource.to_owned()),
        ("pkce-url", ["--client-id", "é"], "client_id: must be one or more visible ASCII characters".to_owned()),
        ("pkce-register", ["--scope", "a  b"], scope.to_owned()),
        ("pkce-register", ["--redirect-uri", "http://127.0.0.1/#a"], format!("redirect_uri: {fragment}")),
        (
            "pkce-register",
            ["--access-token-file", "/no/file"],
            "--access-token-file: no such file or directory".to_owned(),
        ),
        ("pkce-exchange", ["--token-endpoint", "https://a#b"], format!("token_endpoint: {fragment}")),
        ("pkce-refresh", ["--scope", "a  b"], scope.to_owned()),
        ("pkce-refresh", ["--resource", "api"], resource.to_owned()),
        ("pkce-refresh", ["--client-secret-file", "/"], "--client-secret-file: is a directory".to_owned()),
        ("pkce-push", ["--client-secret-file", "/dev/null/a"], "--client-secret-file: not a directory".to_owned()),
        ("pkce-revoke", ["--client-secret-file", "/no"], "--client-secret-file: no such file or directory".to_owned()),
        ("pkce-callback", ["--response-file", "/no"], "--response-file: no such file or directory".to_owned()),
    ] {
        assert_eq!(unfed(command(tool).args(args)), failure(tool, 2, &message), "{tool} {args:?}");
    }
    let message = "--paste: no terminal\nhint: use --response-file to read the address from a file";
    // setsid: without a controlling terminal, wherever the tests run.
    let paste = unfed(command("setsid").args(["--wait", "pkce-callback", "--paste"]));
    assert_eq!(paste, failure("pkce-callback", 2, message));
}

/// The tools that wait for a document to print another one.
fn filters() -> impl Iterator<Item = &'static [&'static str]> {
    let filters: [&[&str]; 11] = [
        &["pkce-gen", "-"],
        &["pkce-register"],
        &["pkce-url"],
        &["pkce-push"],
        &["pkce-callback"],
        &["pkce-exchange"],
        &["pkce-device"],
        &["pkce-verify"],
        &["pkce-refresh"],
        &["pkce-revoke"],
        &["pkce-show"],
    ];
    filters.into_iter()
}

#[test]
fn a_tool_that_waits_for_its_input_ends_silently_once_its_reader_is_gone() {
    for tool in filters() {
        let pipe = || io::pipe().map(|(reader, writer)| (OwnedFd::from(reader), OwnedFd::from(writer))).unwrap();
        let socket = || UnixStream::pair().map(|(one, other)| (OwnedFd::from(one), OwnedFd::from(other))).unwrap();
        for (reader, writer) in [pipe(), socket()] {
            let mut waiting = command(tool[0]);
            let waiting = waiting.args(&tool[1..]).stdin(Stdio::piped()).stdout(writer).stderr(Stdio::piped());
            let mut child = waiting.spawn().unwrap();
            // The command has kept its copy of the descriptor.
            waiting.stdout(Stdio::null());
            let _stdin = child.stdin.take();
            drop(reader);
            let output = done(child);
            assert_eq!((output.status, output.stderr.as_str()), (3, ""), "{tool:?}");
        }
    }
}

#[test]
fn a_browser_is_not_opened_for_a_reader_that_is_gone() {
    let home = Home::new();
    let browser = home.root.path().join("browser");
    write_program(&browser, "#!/bin/sh\ntouch \"$0.opened\"\n");
    let document = json!({
        "issuer": "https://id.example", "authorization_url": "https://id.example/a?redirect_uri=http%3A%2F%2F127.0.0.1%3A0",
        "redirect_uri": "http://127.0.0.1:0", "state": "s",
    });
    let script = "pkce-callback | true; echo ${PIPESTATUS[0]}";
    let output =
        finish(home.command("bash").args(["-c", script]).env("BROWSER", &browser), document.to_string().as_bytes());
    assert_eq!(output, Output { status: 0, stdout: "3\n".to_owned(), stderr: String::new() });
    assert!(!home.root.path().join("browser.opened").exists());
}

/// A document that needs a server which does not respond well, with tokens in it.
fn with_tokens(server: &Server) -> Value {
    let claims = "e30";
    json!({
        "issuer": server.url(""), "client_id": "cli", "jwks_uri": server.url("/jwks"), "token_endpoint": server.url("/token"),
        "id_token_signing_alg_values_supported": ["ES256"], "access_token": "a-token", "token_type": "Bearer", "id_token": format!("eyJhbGciOiJFUzI1NiJ9.{claims}.{}", "A".repeat(86)),
    })
}

#[test]
fn keys_that_cannot_be_fetched_lose_the_tokens_of_a_pipe_and_not_those_of_a_file() {
    let server = Server::start(|_| response(503, "text/plain", ""));
    let home = Home::new();
    let document = with_tokens(&server).to_string();
    let wrong = "JWKS: the server responded with 503";
    let piped = run("pkce-verify", &["--timeout", "1"], &document);
    assert_eq!(piped, failure("pkce-verify", 5, &format!("{wrong}; the tokens are lost unless a file has them")));
    let file = home.root.path().join("document");
    fs::write(&file, &document).unwrap();
    let mut verify = command("pkce-verify");
    let from_file = verify.args(["--timeout", "1"]).stdin(fs::File::open(&file).unwrap()).output().unwrap();
    assert_eq!(from_file.status.code(), Some(3));
    assert_eq!(String::from_utf8(from_file.stderr).unwrap(), format!("pkce-verify: {wrong}\n"));
}

#[test]
fn keys_that_the_server_refuses_lose_the_tokens_of_a_pipe_too() {
    for (status, body, wrong, is_temporary) in [
        (403, "", "the server responded with 403", true),
        (404, "", "not found (404)", true),
        (302, "", "redirect (302) not followed", false),
        (200, "<html>", "HTML, not JSON (proxy or captive portal?)", false),
    ] {
        let server = Server::start(move |_| response(status, "text/html", body));
        let output = run("pkce-verify", &["--timeout", "1"], &with_tokens(&server).to_string());
        let message = format!("JWKS: {wrong}; the tokens are lost unless a file has them");
        assert_eq!(output, failure("pkce-verify", if is_temporary { 5 } else { 4 }, &message));
        assert_eq!(server.requests().len() > 1, is_temporary, "{status}");
    }
}

#[test]
fn keys_behind_a_proxy_are_asked_for_until_the_timeout_too() {
    let proxy = Server::start(|_| response(502, "", ""));
    let mut document = with_tokens(&proxy);
    document["jwks_uri"] = json!("https://id.example/jwks");
    document["issuer"] = json!("https://id.example");
    let mut verify = command("pkce-verify");
    verify.args(["--timeout", "1"]).env("HTTPS_PROXY", proxy.url(""));
    let output = finish(&mut verify, document.to_string().as_bytes());
    let message = format!(
        "id.example: the proxy did not connect (502); the tokens are lost unless a file has them\n\
         hint: check the proxy 127.0.0.1:{} in HTTPS_PROXY, or list the host in NO_PROXY",
        proxy.port
    );
    assert_eq!(output, failure("pkce-verify", 5, &message));
    assert!(proxy.requests().len() > 1);
}

/// The beginning of a document after a refresh without an ID token: the claims of the login are there.
const VERIFIED: &str =
    r#"{"client_id":"c","id_token_claims":{"iss":"https://id.example","sub":"u","aud":"c"},"access_token""#;

#[test]
fn a_member_that_is_missing_from_a_verified_document_is_told_with_the_loss() {
    let document = home::DOCUMENT.replace("{\"access_token\"", VERIFIED);
    let output = run("pkce-verify", &["-r", "no-member"], &document);
    let message = "pkce-verify: no-member: missing; the tokens are lost unless a file has them\n";
    assert_eq!(output, Output { status: 2, stdout: String::new(), stderr: message.to_owned() });
}

#[test]
fn a_file_of_no_keys_and_one_of_no_secret_are_told_before_standard_input_is_read() {
    let home = Home::new();
    let file = home.root.path().join("keys");
    fs::write(&file, "{\"keys\":[]}").unwrap();
    let keys = unfed(command("pkce-verify").arg("--jwks").arg(&file));
    assert_eq!(keys, failure("pkce-verify", 2, "--jwks: keys: empty"));
    fs::write(&file, "a\tb").unwrap();
    let secret = unfed(command("pkce-exchange").arg("--client-secret-file").arg(&file));
    let wrong = "--client-secret-file: the first line must not have control characters";
    assert_eq!(secret, failure("pkce-exchange", 2, wrong));
}

#[test]
fn descriptors_that_do_not_block_are_waited_for() {
    // Python's: O_NONBLOCK belongs to the pipe, which the tool inherits.
    if lacks(&["python3"]) {
        return;
    }
    let home = Home::new();
    let late = "import os, sys, time\n\
        reader, writer = os.pipe(); os.set_blocking(reader, False); document = sys.stdin.buffer.read()\n\
        if os.fork() == 0: os.dup2(reader, 0); os.close(writer); os.execvp('pkce-store', ['pkce-store', 'work'])\n\
        time.sleep(0.1); os.write(writer, document); os.close(writer); sys.exit(os.wait()[1] >> 8)";
    let stored = finish(home.command("python3").args(["-c", late]), home::DOCUMENT.as_bytes());
    assert_eq!(stored, home::success());
    assert_eq!(home.load().stdout, home::DOCUMENT);
    let slow = "import os, sys, time\n\
        reader, writer = os.pipe(); os.set_blocking(writer, False)\n\
        if os.fork() == 0: os.dup2(writer, 1); os.close(reader); os.execvp('pkce-url', ['pkce-url', '-r', 'own'])\n\
        os.close(writer); time.sleep(0.1); size = 0\n\
        while octets := os.read(reader, 4096): size += len(octets)\n\
        print(size); sys.exit(os.wait()[1] >> 8)";
    let document = json!({
        "authorization_endpoint": "https://id.example/a", "client_id": "cli", "state": "s", "code_challenge": "c".repeat(43),
        "own": "o".repeat(500_000),
    });
    let printed = finish(command("python3").args(["-c", slow]), document.to_string().as_bytes());
    assert_eq!(printed, Output { status: 0, stdout: "500001\n".to_owned(), stderr: String::new() });
}

#[test]
fn a_verified_document_that_cannot_be_printed_loses_the_tokens_of_a_pipe() {
    let home = Home::new();
    let document = home::DOCUMENT;
    // Nothing to verify: no scope was asked for, and the claims of a login are there.
    let document = document.replace("{\"access_token\"", VERIFIED);
    let script = "pkce-verify >/dev/full";
    let output = finish(home.command("bash").args(["-c", script]), document.as_bytes());
    let message = "standard output: no space left on device; the tokens are lost unless a file has them";
    assert_eq!((output.status, output.stderr), (5, format!("pkce-verify: {message}\nhint: run the login again\n")));
}

#[test]
fn tokens_of_a_document_that_is_not_written_yet_are_lost_whatever_comes_after_it() {
    let with_tokens = home::DOCUMENT.replace("{\"access_token\"", VERIFIED);
    let lost = "standard output: no space left on device; the tokens are lost unless a file has them";
    let lost = format!("pkce-verify: {lost}\nhint: run the login again\n");
    for after in ["[]", "{\"client_id\":", &with_tokens, "!3 unavailable pkce-exchange\n", ""] {
        let input = format!("{with_tokens}{after}");
        let output = finish(command("bash").args(["-c", "pkce-verify >/dev/full"]), input.as_bytes());
        assert_eq!((output.status, output.stderr.as_str()), (5, lost.as_str()), "{after}");
        // Where it can be written, it is not lost, and what fails is what comes after it.
        let output = run("pkce-verify", &[], &input);
        assert!(output.stdout.starts_with("{\"access_token\":"), "{output:?}");
        assert!(!output.stderr.contains("lost"), "{output:?}");
    }
}

#[test]
fn a_store_that_cannot_be_written_loses_the_tokens_of_a_pipe_and_not_those_of_a_file() {
    let home = Home::new();
    let seal = "cat >/dev/null; exit 1";
    let wrong = "PKCE_SEAL: the command failed (exit status: 1)";
    let hint = "hint: correct the command in PKCE_SEAL first\n";
    let piped = finish(home.command("pkce-store").arg("work").env("PKCE_SEAL", seal), home::DOCUMENT.as_bytes());
    let message = format!("pkce-store: {wrong}; the tokens are lost unless a file has them\n{hint}");
    assert_eq!((piped.status, piped.stderr), (5, message));
    let file = home.root.path().join("document");
    fs::write(&file, home::DOCUMENT).unwrap();
    let mut store = home.command("pkce-store");
    let from_file = store.arg("work").env("PKCE_SEAL", seal).stdin(fs::File::open(&file).unwrap()).output().unwrap();
    assert_eq!(from_file.status.code(), Some(3));
    assert_eq!(String::from_utf8(from_file.stderr).unwrap(), format!("pkce-store: {wrong}\n{hint}"));
}

#[test]
fn a_document_that_cannot_be_stored_loses_the_tokens_of_a_pipe_whatever_is_wrong_with_it() {
    let document = home::DOCUMENT.replace("token_endpoint", "other_endpoint");
    let output = Home::new().store(&document);
    let message = "pkce-store: token_endpoint: missing; the tokens are lost unless a file has them\n\
                   hint: pkce-discover adds it\n";
    assert_eq!((output.status, output.stderr.as_str()), (2, message));
}

#[test]
fn a_standard_input_that_cannot_be_read_is_an_error() {
    for tool in ["pkce-url", "pkce-store work"] {
        // The write end of a pipe.
        let output = finish(Home::new().command("bash").args(["-c", &format!("({tool} <&1) | cat")]), b"");
        let name = tool.split(' ').next().unwrap();
        assert_eq!(output.stderr, format!("{name}: standard input: bad file descriptor\n"));
    }
}

#[test]
fn a_pipe_of_a_secret_or_of_keys_is_not_read_before_the_document_is_there() {
    let home = Home::new();
    let fifo = home.root.path().join("fifo");
    make_fifo(&fifo);
    let path = fifo.to_str().unwrap();
    for args in [["pkce-exchange", "--client-secret-file"], ["pkce-verify", "--jwks"]] {
        let mut child = start(command(args[0]).args([args[1], path]));
        let stdin = child.stdin.take();
        // The writer's open waits for a reader; what it writes then stays there.
        let mut writer = fs::File::options().write(true).open(&fifo).unwrap();
        io::Write::write_all(&mut writer, b"s3cret\n").unwrap();
        drop(stdin);
        let output = done(child);
        assert_eq!(output, failure(args[0], 2, "standard input: empty (did the step before fail?)"));
    }
}

#[test]
fn a_pipe_that_nothing_comes_from_ends_the_wait_at_the_timeout() {
    let home = Home::new();
    let fifo = home.root.path().join("fifo");
    make_fifo(&fifo);
    let path = fifo.to_str().unwrap();
    let server = Server::start(|_| response(503, "text/plain", ""));
    let wrong = |option: &str| format!("{option}: nothing came within 1 s");
    let keys = run("pkce-verify", &["--timeout", "1", "--jwks", path], &with_tokens(&server).to_string());
    let lost = "the tokens are lost unless a file has them";
    assert_eq!(keys, failure("pkce-verify", 5, &format!("{}; {lost}", wrong("--jwks"))));
    let code = json!({
        "issuer": server.url(""), "client_id": "cli", "token_endpoint": server.url("/token"), "code": "c0de",
        "code_verifier": "v".repeat(43), "redirect_uri": "http://127.0.0.1:1/callback",
    });
    let option = "--client-secret-file";
    let secret = run("pkce-exchange", &["--timeout", "1", option, path], &code.to_string());
    assert_eq!(secret, failure("pkce-exchange", 3, &wrong(option)));
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_file_of_limited_size_and_a_lack_of_descriptors_are_errors_with_a_message() {
    let home = Home::new();
    let limited = |script: &str| {
        let output = finish(home.command("bash").args(["-c", script]).current_dir(home.root.path()), b"");
        (output.status, output.stderr)
    };
    let wrong = "pkce-gen: standard output: file too large\n";
    assert_eq!(limited("ulimit -f 0; pkce-gen > file"), (3, wrong.to_owned()));
    let wrong = "pkce-url: standard input: too many open files\n";
    assert_eq!(limited("ulimit -n 4; exec pkce-url"), (3, wrong.to_owned()));
}
