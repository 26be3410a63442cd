//! The browser: how it is started, and what happens where it is not.

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::common::{command, failure, finish, kill, new_directory};
use crate::{Login, V4, document, launcher};

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
    let output = finish(command("pkce-callback").env("BROWSER", browser), document.to_string().as_bytes());
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

#[test]
fn says_at_once_that_no_browser_leads_back_where_there_is_no_terminal() {
    let unopened = "no browser could be opened, and there is no terminal\n\
                    hint: set BROWSER to a program that drives the login, or use --no-browser";
    let ended = "the BROWSER program failed, and there is no terminal\n\
                 hint: run it with the URL above to see why";
    for (browser, message) in [("no-such-program", unopened), ("false", ended), ("false:no-such-program %s", ended)] {
        let output = finish(command("pkce-callback").env("BROWSER", browser), document(V4).to_string().as_bytes());
        let expected = failure("pkce-callback", 3, message);
        assert_eq!((output.status, &output.stdout), (3, &expected.stdout), "{browser}");
        assert!(output.stderr.ends_with(&expected.stderr), "{browser}: {}", output.stderr);
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
    let message = format!(
        "the BROWSER program failed, and there is no terminal; {ignored}\nhint: run it with the URL above to see why"
    );
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
         hint: set BROWSER to a program that drives the login, or use --no-browser"
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
