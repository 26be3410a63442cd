//! What pkce-login itself says.

use serde_json::{Value, json};

use super::common::{self, Server, finish, json_response, run};
use super::home::Home;
use super::{SHELLS, login, login_in, said};

const HINT: &str = "hint: see 'pkce-login --help'";

#[test]
fn says_what_is_wrong_with_its_arguments() {
    for shell in SHELLS {
        for (args, wrong) in [
            (&[][..], "NAME: missing"),
            (&["--device"], "NAME: missing"),
            (&["a", "b"], "arguments: too many"),
            (&["a", "--", "b"], "arguments: too many"),
            (&["--", "a", "b"], "arguments: too many"),
            (&["a", "--issuer"], "--issuer: requires a value"),
            (&["a", "--issuer", "--device"], "--issuer: requires a value"),
            (&["a", "--client-id", "-x"], "--client-id: requires a value"),
            (&["a", "--device=yes"], "--device: invalid"),
            (&["a", "--no-device=yes"], "--no-device: invalid"),
            (&["a", "--device", "--no-device"], "--no-device: repeated, or conflicts with another argument"),
            (&["a", "--register="], "--register: invalid"),
            (&["a", "--wait", "5"], "--wait: no such option"),
            (&["a", "--timeout", "5s"], "--timeout: must be a number of seconds"),
            (&["a", "--timeout", "0"], "--timeout: must be a number of seconds"),
            (&["a", "--timeout", "4294967296"], "--timeout: must be a number of seconds"),
            (&["a", "--timeout="], "--timeout: must be a number of seconds"),
            (&["a", "--b\nc"], "--b?c: no such option"),
            (&["a", "--issuer=b", "--issuer", "b"], "--issuer: repeated, or conflicts with another argument"),
            (&["a", "--scope=b", "--scope=c"], "--scope: repeated, or conflicts with another argument"),
            (&["a", "--register", "--register"], "--register: repeated, or conflicts with another argument"),
            (&["a", "--secret=s3cr3t"], "--secret: no such option"),
            (&["a", "--\u{1b}[31m"], "--?[31m: no such option"),
            (&["a", "-ps3cr3t"], "-p: no such option"),
            (&["a", "--client-secret-file"], "--client-secret-file: requires a value"),
            (&["a", "--device", "--prompt=b"], "--prompt: repeated, or conflicts with another argument"),
            (&["a", "--login-hint=b", "--device"], "--device: repeated, or conflicts with another argument"),
            (
                &["a", "--client-secret-file=b", "--register"],
                "--register: repeated, or conflicts with another argument",
            ),
            (
                &["a", "--client-secret-file=b", "--client-secret-command=c"],
                "--client-secret-command: repeated, or conflicts with another argument",
            ),
            (
                &["a", "--client-id=b", "--access-token-file=c"],
                "--access-token-file: repeated, or conflicts with another argument",
            ),
            (&["a", "--client-id=b", "--register"], "--register: repeated, or conflicts with another argument"),
        ] {
            let home = Home::new();
            let output = finish(&mut login_in(shell, &home, args), b"");
            assert_eq!(output, said(2, &format!("pkce-login: {wrong}\n{HINT}")), "{shell:?} {args:?}");
            let mut command = login_in(shell, &home, args);
            let output = finish(command.env("PKCE_ERRORS", "json"), b"");
            let (line, rest) = output.stderr.split_once('\n').unwrap();
            let expected = json!({ "tool": "pkce-login", "status": 2, "kind": "usage", "message": wrong });
            assert_eq!((output.status, serde_json::from_str::<Value>(line).unwrap(), rest), (2, expected, ""));
        }
    }
}

#[test]
fn says_that_it_knows_no_server() {
    let expected = "pkce-login: issuer: missing\n\
                    hint: set it with --issuer, or an API's or MCP server's URL with --resource";
    assert_eq!(login(&Home::new(), &["work"]), said(2, expected));
    assert_eq!(login(&Home::new(), &["work", "--client-id", "cli"]), said(2, expected));
}

#[test]
fn says_how_to_get_a_client() {
    for (member, hint) in [
        (Value::Null, "set it with --client-id; the server has no registration endpoint"),
        (
            json!("client_id_metadata_document_supported"),
            "set it with --client-id; the server accepts the URL of a client ID metadata document",
        ),
        (json!("registration_endpoint"), "set it with --client-id, or register a client with --register"),
    ] {
        let server = Server::start(move |request| {
            let origin = format!("http://{}", request.header("Host").unwrap());
            let mut metadata = json!({
                "issuer": origin, "token_endpoint": format!("{origin}/token"),
                "authorization_endpoint": format!("{origin}/authorize"), "code_challenge_methods_supported": ["S256"],
            });
            match member.as_str() {
                Some(name @ "registration_endpoint") => metadata[name] = json!(format!("{origin}/register")),
                Some(name) => metadata[name] = json!(true),
                None => {}
            }
            json_response(&metadata)
        });
        let output = login(&Home::new(), &["work", "--issuer", &server.url("")]);
        assert_eq!(output, said(2, &format!("pkce-login: client_id: missing\nhint: {hint}")));
    }
}

#[test]
fn prints_its_help_and_its_version_wherever_they_stand() {
    let help = run("pkce-login", &["--help"], "");
    for args in [&["-h"][..], &["work", "-h"], &["--device", "--help", "--unknown"]] {
        assert_eq!(run("pkce-login", args, ""), help);
    }
    assert_eq!(run("pkce-login", &["work", "--version"], ""), run("pkce-login", &["-V"], ""));
}

#[test]
fn ends_as_it_would_where_no_message_can_be_written() {
    for shell in SHELLS {
        let home = Home::new();
        for (args, status) in [(&["a b"][..], 2), (&["work"], 2), (&["work", "--help"], 0)] {
            let line =
                format!("exec {} '{}' \"$@\" 2>/dev/full", shell.join(" "), common::tool("pkce-login").display());
            let output = finish(home.command("bash").args(["-c", &line, "bash"]).args(args), b"");
            assert_eq!((output.status, output.stderr.as_str()), (status, ""), "{shell:?} {args:?}");
        }
    }
}
