//! The browser: how it is started, and what happens where it is not.

use std::net::TcpListener;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::{self, Output, command, failure, finish, free_port, kill, new_directory, write_program};
use crate::{Login, OTHER_LOGIN, V4, document, launcher, may_be_unknown_at};

#[test]
fn opens_the_browser_with_the_url_as_one_word_and_nothing_else_of_ours() {
    let directory = new_directory();
    let seen = directory.path().join("seen");
    // The script drives the login itself: it tells what it was given, then calls back.
    let script = format!(
        "{{ echo \"$# $1 $2\"; ls -l /proc/$$/fd; tr '\\0' '\\n' </proc/$$/environ; cut -d ' ' -f 5 /proc/$$/stat; echo $$; }} >{0}.new\n\
         port=$(printf %s \"$2\" | sed 's/.*127.0.0.1%3A\\([0-9]*\\)%2F.*/\\1/')\n\
         mv {0}.new {0}\n\
         pkce-idp --visit \"http://127.0.0.1:$port/callback?code=abc&state=st-123\"",
        seen.display()
    );
    let browser = format!("no-such-program:{} --new-tab %s", launcher(&directory, &script));
    let mut document = document(V4);
    document["code_verifier"] = json!("v3r1f13r-".repeat(6));
    let output = finish(
        command("pkce-callback").args(["--timeout", "20"]).env("BROWSER", browser),
        document.to_string().as_bytes(),
    );
    assert_eq!((output.status, &output.json()["code"]), (0, &json!("abc")), "{output:?}");
    let seen = std::fs::read_to_string(seen).unwrap();
    let url = output.json()["authorization_url"].as_str().unwrap().to_owned();
    assert!(seen.starts_with(&format!("2 --new-tab {url}\n")), "{seen}");
    for descriptor in ["0 -> /dev/null", "2 -> /dev/null"] {
        assert!(seen.contains(descriptor), "{seen}");
    }
    let groups: Vec<&str> = seen.lines().rev().take(2).map(str::trim).collect();
    assert_eq!(groups[0], groups[1], "not the leader of its own group: {seen}");
    assert!(!seen.contains("v3r1f13r"), "{seen}");
}

#[test]
fn hides_the_descriptor_of_the_client_secret_from_the_browser_and_no_other() {
    let directory = new_directory();
    let seen = directory.path().join("seen");
    std::fs::write(directory.path().join("secret"), "s3cret\n").unwrap();
    let script = format!(
        "for n in 5 6; do cat <&$n; done >{} 2>/dev/null\n\
         port=$(printf %s \"$1\" | sed 's/.*127.0.0.1%3A\\([0-9]*\\)%2F.*/\\1/')\n\
         pkce-idp --visit \"http://127.0.0.1:$port/callback?code=abc&state=st-123\"",
        seen.display()
    );
    let line = "exec 5<secret 6< <(echo other); PKCE_CLIENT_SECRET_FILE=/dev/fd/5 pkce-callback -r code";
    let mut shell = command("bash");
    shell.args(["-c", line]).env("BROWSER", launcher(&directory, &script)).current_dir(directory.path());
    let output = finish(&mut shell, document(V4).to_string().as_bytes());
    assert_eq!((output.status, output.stdout.as_str()), (0, "abc\n"), "{output:?}");
    assert_eq!(std::fs::read_to_string(seen).unwrap(), "other\n");
}

#[test]
fn never_waits_for_the_launcher() {
    let directory = new_directory();
    let pid = directory.path().join("pid");
    let browser = launcher(&directory, &format!("echo $$ >{}; exec sleep 60", pid.display()));
    let login = Login::of(command("pkce-callback").env("BROWSER", &browser), &document(V4));
    login.get("code=abc&state=st-123");
    assert_eq!(login.end().status, 0);
    let pid = loop {
        if let Some(pid) = std::fs::read_to_string(&pid).ok().and_then(|pid| pid.trim().parse().ok()) {
            break pid;
        }
        thread::sleep(Duration::from_millis(5));
    };
    kill(pid, "TERM");
}

const SET_BROWSER: &str = "hint: set BROWSER to a program that drives the login, or use pkce-callback --no-browser";
const RUN_BROWSER: &str = "hint: the server may not know the client_id or the redirect URI; to see why, use pkce-callback --no-browser, and run the program in BROWSER with the new URL";

#[test]
fn says_at_once_that_no_browser_leads_back_where_there_is_no_terminal() {
    let unopened =
        format!("BROWSER: no-such-program: no such file or directory, and there is no terminal\n{SET_BROWSER}");
    let ended = format!("BROWSER: false ended with status 1, and there is no terminal\n{RUN_BROWSER}");
    let both = format!(
        "BROWSER: false ended with status 1; no-such-program: no such file or directory, and there is no \
         terminal\n{RUN_BROWSER}"
    );
    let directory = new_directory();
    let killed = launcher(&directory, "kill -9 $$");
    let killed_message = format!("BROWSER: browser was ended by a signal, and there is no terminal\n{RUN_BROWSER}");
    let not_executable = directory.path().join("text");
    std::fs::write(&not_executable, "").unwrap();
    let denied =
        format!("BROWSER: {}: permission denied, and there is no terminal\n{SET_BROWSER}", not_executable.display());
    for (browser, message) in [
        ("no-such-program", &unopened),
        ("false", &ended),
        ("false:no-such-program %s", &both),
        (&killed, &killed_message),
        (not_executable.to_str().unwrap(), &denied),
    ] {
        let output = finish(command("pkce-callback").env("BROWSER", browser), document(V4).to_string().as_bytes());
        let expected = failure("pkce-callback", 3, message);
        assert_eq!((output.status, &output.stdout), (3, &expected.stdout), "{browser}");
        assert!(output.stderr.ends_with(&expected.stderr), "{browser}: {}", output.stderr);
    }
}

#[test]
fn starts_a_program_whose_path_or_arguments_have_spaces() {
    let directory = new_directory();
    let apart = directory.path().join("my browser");
    std::fs::create_dir(&apart).unwrap();
    let script = "#!/bin/sh\n[ $# = 1 ] || [ \"$1\" = 'a  b:c' ] || exit 1\nfor url; do :; done\n\
                  port=$(printf %s \"$url\" | sed 's/.*127.0.0.1%3A\\([0-9]*\\)%2F.*/\\1/')\n\
                  pkce-idp --visit \"http://127.0.0.1:$port/callback?code=abc&state=st-123\"\n";
    let program = apart.join("it's a browser");
    write_program(&program, script);
    let program = program.to_str().unwrap();
    for browser in [
        program.to_owned(),
        format!("no-such-program:{program}"),
        format!("{program} %s"),
        format!("no-such-program %s:{program}  %s"),
        format!("/nowhere/o'brien %s:/nowhere/o'reilly:{program}"),
        format!("\"{program}\" 'a  b:c' %s"),
        format!("\"{program}\" \"a  b:c\""),
    ] {
        let output = finish(command("pkce-callback").env("BROWSER", &browser), document(V4).to_string().as_bytes());
        assert_eq!(output.status, 0, "{browser}: {output:?}");
    }
}

#[test]
fn says_that_the_browser_has_ended_well_where_no_redirect_came() {
    let document = common::changed(document("http://127.0.0.1:0/callback"), &json!({ "client_id": "cli" }));
    let mut tool = command("pkce-callback");
    let login = Login::of(tool.args(["--timeout", "2"]).env("BROWSER", "true"), &document);
    let (said, port) = (login.said.clone(), login.port);
    let message = format!(
        "no redirect within 2 s; the program in BROWSER ended with status 0\n\
         hint: {}",
        may_be_unknown_at(port).replace("client_id", "client_id cli")
    );
    let expected = failure("pkce-callback", 3, &message);
    assert_eq!(login.end(), Output { stderr: said + &expected.stderr, ..expected });
}

#[test]
fn says_over_ssh_how_a_browser_elsewhere_can_deliver_the_redirect() {
    let fixed = format!("http://[::1]:{}/callback", free_port());
    for (redirect_uri, browser, host) in [
        (V4, None, "127.0.0.1"),
        ("http://localhost:0/callback", None, "localhost"),
        ("http://[::1]:0/callback", None, "[::1]"),
        (fixed.as_str(), None, "[::1]"),
        (V4, Some("true"), ""),
    ] {
        if redirect_uri.contains("::1") && TcpListener::bind("[::1]:0").is_err() {
            continue;
        }
        let mut tool = command("setsid");
        tool.args(["--wait", "pkce-callback", "--no-browser", "--timeout", "1"])
            .envs(browser.map(|it| ("BROWSER", it)));
        let login = Login::of(tool.env("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22"), &document(redirect_uri));
        let port = login.port;
        let output = login.end();
        let note = format!(
            "pkce-callback: note: over SSH, a browser on your own machine needs the port: ssh -L {port}:{host}:{port} HOST"
        );
        let notes: Vec<&str> = output.stderr.lines().filter(|line| line.contains("note: over SSH")).collect();
        let expected = if host.is_empty() { vec![] } else { vec![note.as_str()] };
        assert_eq!(notes, expected, "{output:?}");
    }
}

#[test]
fn names_no_port_over_ssh_that_is_closed_already_since_no_browser_can_be_opened() {
    let document = document(&format!("http://127.0.0.1:{}/callback", free_port()));
    let mut tool = command("pkce-callback");
    tool.env("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22").env("PATH", new_directory().path());
    let message = format!("no browser could be opened, and there is no terminal\n{SET_BROWSER}");
    let Output { status, stdout, stderr } = failure("pkce-callback", 3, &message);
    let url = document["authorization_url"].as_str().unwrap();
    let stderr = format!("pkce-callback: to sign in, open this URL in a browser:\n{url}\n{stderr}");
    assert_eq!(finish(&mut tool, document.to_string().as_bytes()), Output { status, stdout, stderr });
}

/// The document of a server that has chosen its authorization endpoint to run a command in a shell.
fn hostile(written: &Path) -> Value {
    let mut document = document(V4);
    let url = document["authorization_url"].as_str().unwrap().replace("state=", &hostile_query(written));
    document["authorization_url"] = json!(url);
    document
}

fn hostile_query(written: &Path) -> String {
    let command = format!("touch${{IFS}}{}", written.display());
    format!("a='$({command})'`{command}`;{command};%22&state=")
}

#[test]
fn starts_no_shell_with_the_url_in_its_code() {
    let directory = new_directory();
    let written = directory.path().join("written");
    for (browser, program) in [
        ("sh -c 'firefox %s'", "sh"),
        ("sh -c \"firefox '%s'\"", "sh"),
        ("bash -c 'exec firefox \"%s\"'", "bash"),
        ("sh -c true;%s", "sh"),
        ("env sh -c \"%s %s\"", "env"),
        ("python3 -c import\\ webbrowser;webbrowser.open('%s')", "python3"),
        ("xterm -e='lynx %s'", "xterm"),
    ] {
        for document in [document(V4), hostile(&written)] {
            let output = finish(
                command("pkce-callback").args(["--timeout", "20"]).env("BROWSER", browser),
                document.to_string().as_bytes(),
            );
            let message = format!(
                "BROWSER: {program}: %s must be a word of its own, as in: sh -c 'firefox \"$1\"' sh %s, and there is no \
                 terminal\n{SET_BROWSER}"
            );
            let expected = failure("pkce-callback", 3, &message);
            assert_eq!((output.status, &output.stdout), (3, &expected.stdout), "{browser}");
            assert!(output.stderr.ends_with(&expected.stderr), "{browser}: {}", output.stderr);
            assert!(!written.exists(), "{browser}");
        }
    }
    // The next entry is tried.
    let next = format!("sh -c 'firefox %s':{}", launcher(&directory, DRIVE));
    let output = finish(command("pkce-callback").env("BROWSER", next), document(V4).to_string().as_bytes());
    assert_eq!(output.status, 0, "{output:?}");
}

/// A script that calls back at the URL that it is given.
const DRIVE: &str = "for url; do :; done\n\
                     port=$(printf %s \"$url\" | sed 's/.*127.0.0.1%3A\\([0-9]*\\)%2F.*/\\1/')\n\
                     pkce-idp --visit \"http://127.0.0.1:$port/callback?code=abc&state=st-123\"";

#[test]
fn gives_the_url_to_a_shell_as_an_argument() {
    let directory = new_directory();
    let [written, seen] = ["written", "seen"].map(|name| directory.path().join(name));
    let drive = launcher(&directory, DRIVE);
    let [written_text, seen_text] = [&written, &seen].map(|path| path.display().to_string());
    for browser in [
        format!("sh -c 'echo \"$2\" >{seen_text}; {drive} \"$2\"' sh --x=1 %s"),
        format!("sh -c 'touch \"$1\"; echo \"$2\" >\"$1\"; {drive} \"$2\"' sh {seen_text} %s"),
        format!("sh -c 'touch \"$1\"; echo \"$2\" >\"$1\"; {drive} \"$2\"' sh {seen_text}"),
    ] {
        let document = hostile(&written);
        let output = finish(command("pkce-callback").env("BROWSER", &browser), document.to_string().as_bytes());
        assert_eq!(output.status, 0, "{browser}: {output:?}");
        let url = output.json()["authorization_url"].as_str().unwrap().to_owned();
        assert!(url.contains(&written_text), "{url}");
        assert_eq!((std::fs::read_to_string(&seen).unwrap(), written.exists()), (format!("{url}\n"), false));
    }
}

#[test]
fn takes_the_redirect_from_a_launcher_that_then_fails() {
    let directory = new_directory();
    let script = "port=$(printf %s \"$1\" | sed 's/.*127.0.0.1%3A\\([0-9]*\\)%2F.*/\\1/')\n\
                  pkce-idp --visit \"http://127.0.0.1:$port/callback?code=abc&state=st-123\"; exit 1";
    for _ in 0..5 {
        let browser = launcher(&directory, script);
        let output = finish(command("pkce-callback").env("BROWSER", browser), document(V4).to_string().as_bytes());
        assert_eq!(output.status, 0, "{output:?}");
    }
}

#[test]
fn is_unavailable_where_the_launcher_fails_after_a_redirect_with_another_state() {
    let script = "port=$(printf %s \"$1\" | sed 's/.*127.0.0.1%3A\\([0-9]*\\)%2F.*/\\1/')\n\
                  pkce-idp --visit \"http://127.0.0.1:$port/callback?code=abc&state=other\"; exit 1";
    let directory = new_directory();
    let browser = launcher(&directory, script);
    let output = finish(command("pkce-callback").env("BROWSER", &browser), document(V4).to_string().as_bytes());
    let ignored = "a redirect was received and ignored: its state does not match";
    let message =
        format!("BROWSER: browser ended with status 1, and there is no terminal; {ignored}\nhint: {OTHER_LOGIN}");
    let expected = failure("pkce-callback", 3, &message);
    assert_eq!((output.status, &output.stdout), (3, &expected.stdout));
    assert!(output.stderr.ends_with(&expected.stderr), "{output:?}");
    // The system's opener does the same.
    std::fs::rename(browser, directory.path().join("xdg-open")).unwrap();
    let mut tool = command("pkce-callback");
    let path = format!("{}:{}", directory.path().display(), tool_path(&tool));
    let output = finish(tool.env("PATH", path), document(V4).to_string().as_bytes());
    let message = format!(
        "no browser could be opened, and there is no terminal; {ignored}\n\
         hint: {OTHER_LOGIN}"
    );
    let expected = failure("pkce-callback", 3, &message);
    assert_eq!((output.status, &output.stdout), (3, &expected.stdout));
    assert!(output.stderr.ends_with(&expected.stderr), "{output:?}");
}

/// The PATH of a command.
fn tool_path(tool: &std::process::Command) -> String {
    let path = tool.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, path)| path);
    path.unwrap().to_str().unwrap().to_owned()
}
