//! The client secret from a command or a file of several lines: when it is read, and what of it is the secret.

use std::fs;

use serde_json::json;

use crate::common::{Server, command, failure, finish, json_response, new_directory, run};
use crate::{document, tokens, with};

#[test]
fn takes_the_secret_from_the_first_line_that_a_command_prints() {
    let directory = new_directory();
    for (line, basic) in [
        ("echo s3cret", "Basic Y2xpOnMzY3JldA=="),
        ("printf 's3cret\\r\\nlogin: me\\n\\033[0m\\377'", "Basic Y2xpOnMzY3JldA=="),
        ("printf s3cret; exit 0", "Basic Y2xpOnMzY3JldA=="),
        ("echo", "Basic Y2xpOg=="),
        // With a byte order mark.
        ("printf '\\357\\273\\277s3cret'", "Basic Y2xpOnMzY3JldA=="),
        // It reads no document.
        ("cat; echo s3cret", "Basic Y2xpOnMzY3JldA=="),
        ("echo run >> runs; echo s3cret", "Basic Y2xpOnMzY3JldA=="),
    ] {
        let server = Server::start(|_| json_response(&tokens()));
        let mut tool = command("pkce-exchange");
        tool.args(["--client-secret-command", line]).current_dir(directory.path());
        // A secret of the document is not used beside it.
        let document = with(&server, json!({ "client_secret": "0ther", "token_endpoint_auth_method": "none" }));
        let output = finish(&mut tool, document.to_string().as_bytes());
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{line}: {output:?}");
        assert_eq!(server.requests()[0].header("Authorization"), Some(basic), "{line}");
        assert_eq!((&output.json()["client_secret"], output.json().get("token_request")), (&json!("0ther"), None));
    }
    assert_eq!(fs::read_to_string(directory.path().join("runs")).unwrap(), "run\n");
}

#[test]
fn runs_no_command_where_no_secret_is_needed() {
    let directory = new_directory();
    let server = Server::start(|_| json_response(&tokens()));
    let tool = |args: &[&str], stdin: &str| {
        let mut tool = command("pkce-exchange");
        tool.args(["--client-secret-command", "touch ran; echo s3cret"]).args(args).current_dir(directory.path());
        finish(&mut tool, stdin.as_bytes())
    };
    let empty = failure("pkce-exchange", 2, "standard input: empty (did the step before fail?)");
    assert_eq!(tool(&[], ""), empty);
    let missing = failure("pkce-exchange", 2, "code: missing\nhint: pkce-callback adds it");
    assert_eq!(tool(&[], &with(&server, json!({ "code": null })).to_string()), missing);
    let unlisted = json!({ "token_endpoint_auth_methods_supported": ["private_key_jwt"] });
    let wrong = "token_endpoint_auth_methods_supported: lists only private_key_jwt, \
                 so the client secret is not sent\n\
                 hint: choose how to send it with --auth-method, or send no secret with --auth-method none";
    assert_eq!(tool(&[], &with(&server, unlisted).to_string()), failure("pkce-exchange", 2, wrong));
    assert_eq!(tool(&["--auth-method", "none"], &document(&server).to_string()).status, 0);
    assert!(!directory.path().join("ran").exists());
}

#[test]
fn sends_nothing_where_the_command_fails() {
    let server = Server::start(|_| json_response(&tokens()));
    let option = "--client-secret-command";
    for (line, status, wrong) in [
        ("exit 7", 3, "the command failed (exit status: 7)"),
        ("echo s3cret; exit 1", 3, "the command failed (exit status: 1)"),
        ("kill -s TERM $$", 3, "the command failed (signal: 15 (SIGTERM))"),
        ("true", 3, "the command wrote nothing"),
        ("exec sleep 600", 3, "not finished within 1 s"),
        ("sleep 600 & echo s3cret", 3, "not finished within 1 s"),
        ("printf 'a\\tb'", 2, "the first line must not have control characters"),
        ("printf '\\377'", 2, "not UTF-8"),
        ("head -c 65537 /dev/zero | tr '\\0' a", 2, "larger than 64 KiB"),
    ] {
        let output = run("pkce-exchange", &[option, line, "--timeout", "1"], &document(&server).to_string());
        assert_eq!(output, failure("pkce-exchange", status, &format!("{option}: {wrong}")), "{line}");
    }
    let output = run("pkce-exchange", &[option, "no-such-program"], &document(&server).to_string());
    // The shell says what it lacks.
    let end = "pkce-exchange: --client-secret-command: the command failed (exit status: 127)\n";
    assert!(output.status == 3 && output.stderr.contains("no-such-program"), "{output:?}");
    assert!(output.stderr.ends_with(end) && output.stdout == "!3 unavailable pkce-exchange\n", "{output:?}");
    let both = [option, "echo a", "--client-secret-file", "/dev/null"];
    let wrong =
        "--client-secret-command: repeated, or conflicts with another argument\nhint: see 'pkce-exchange --help'";
    assert_eq!(run("pkce-exchange", &both, ""), failure("pkce-exchange", 2, wrong));
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn takes_the_first_line_of_a_file_even_if_it_is_empty() {
    let directory = new_directory();
    let file = directory.path().join("secret");
    for (text, basic) in [
        ("", "Basic Y2xpOg=="),
        ("\n", "Basic Y2xpOg=="),
        ("\r\n", "Basic Y2xpOg=="),
        ("\ns3cret\n", "Basic Y2xpOg=="),
        ("s3cret\nlogin: me\n", "Basic Y2xpOnMzY3JldA=="),
        ("s3cret\r\n\u{1b}[31m\0", "Basic Y2xpOnMzY3JldA=="),
    ] {
        fs::write(&file, text).unwrap();
        for env in [true, false] {
            let server = Server::start(|_| json_response(&tokens()));
            let mut tool = command("pkce-exchange");
            if env {
                tool.env("PKCE_CLIENT_SECRET_FILE", &file);
            } else {
                tool.arg("--client-secret-file").arg(&file);
            }
            let output = finish(&mut tool, document(&server).to_string().as_bytes());
            assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{text:?}: {output:?}");
            assert_eq!(server.requests()[0].header("Authorization"), Some(basic), "{text:?}");
        }
    }
}

#[test]
fn takes_no_secret_from_standard_input_but_from_a_file_of_that_name() {
    let directory = new_directory();
    fs::write(directory.path().join("-"), "s3cret\n").unwrap();
    let server = Server::start(|_| json_response(&tokens()));
    let tool = |arg: &str, env: &str| {
        let mut tool = command("pkce-exchange");
        tool.env("PKCE_CLIENT_SECRET_FILE", env).current_dir(directory.path());
        if !arg.is_empty() {
            tool.args(["--client-secret-file", arg]);
        }
        finish(&mut tool, document(&server).to_string().as_bytes())
    };
    let wrong = |subject: &str| {
        failure("pkce-exchange", 2, &format!("{subject}: must not be -, since standard input is for the document"))
    };
    assert_eq!(tool("-", ""), wrong("--client-secret-file"));
    assert_eq!(tool("", "-"), wrong("PKCE_CLIENT_SECRET_FILE"));
    assert_eq!(server.requests().len(), 0);
    assert_eq!(tool("./-", "").status, 0);
    assert_eq!(server.requests()[0].header("Authorization"), Some("Basic Y2xpOnMzY3JldA=="));
}
