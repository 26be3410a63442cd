//! The pipeline as it is typed: in each shell, with each step failing in turn, and with an eye on its secrets.
#![cfg(test)]

mod common;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::{Output, command, finish, free_port, has, lacks, new_directory, root};
use serde_json::Value;
use tempfile::TempDir;

/// The steps, each as it is typed.
const STEPS: [&str; 6] = [
    "pkce-discover",
    "pkce-gen -",
    "pkce-url --scope 'openid offline_access' --prompt consent",
    "pkce-callback",
    "pkce-exchange",
    "pkce-verify",
];

/// The shells of this machine; bash and dash are everywhere that the tests run.
fn shells() -> Vec<&'static str> {
    let shells: Vec<_> = ["bash", "dash", "zsh"].into_iter().filter(|shell| has(shell)).collect();
    assert!(shells.contains(&"bash") || shells.contains(&"dash"));
    shells
}

/// Runs a script in a shell inside pkce-idp.
fn inside(shell: &str, script: &str) -> Output {
    finish(command("pkce-idp").args(["--auto-approve", "--", shell, "-c", script]), b"")
}

fn messages(stderr: &str) -> Vec<&str> {
    let noise = |line: &&str| line.contains("to sign in, open this URL") || line.starts_with("http");
    stderr.lines().filter(|line| !noise(line)).collect()
}

#[test]
fn logs_in_from_each_shell() {
    for shell in shells() {
        let output = inside(shell, &STEPS.join(" | "));
        let document = output.json();
        assert_eq!(output.status, 0, "{output:?}");
        for name in ["access_token", "refresh_token", "id_token_claims", "expires_at", "issuer", "nonce"] {
            assert!(document.get(name).is_some(), "{shell}: {name}");
        }
        for name in ["code", "code_verifier", "code_challenge", "state", "iss", "authorization_url", "redirect_uri"] {
            assert!(document.get(name).is_none(), "{shell}: {name}");
        }
        assert_eq!(messages(&output.stderr), Vec::<&str>::new());
    }
}

#[test]
fn ends_with_the_status_of_the_step_that_failed_and_one_message() {
    let denied = "env BROWSER=true pkce-callback --timeout 1";
    let failing: [(usize, &str, i32, &str); 6] = [
        (0, "pkce-discover http://127.0.0.1:1", 3, "pkce-discover: 127.0.0.1:1: connection refused"),
        (1, "pkce-gen - --bytes 7", 2, "pkce-gen: --bytes: must be a whole number from 32 to 96"),
        (
            2,
            "pkce-url --scope 'a\"b'",
            2,
            "pkce-url: scope: must be names separated by single spaces, without \" and \\",
        ),
        (3, denied, 3, "pkce-callback: no redirect within 1 s; the program in BROWSER ended with status 0"),
        (
            4,
            "pkce-exchange --token-endpoint http://id.example/token",
            4,
            "pkce-exchange: token_endpoint: plain http is only allowed to this machine; use https",
        ),
        (5, "pkce-verify --now 9999999999", 4, "pkce-verify: id_token: exp: expired"),
    ];
    for shell in shells() {
        for (at, step, status, message) in failing {
            let mut steps = STEPS;
            steps[at] = step;
            let options: &[&str] = if shell == "dash" { &[""] } else { &["", "set -o pipefail; "] };
            for option in options {
                let output = inside(shell, &format!("{option}{}; echo \"status=$?\"", steps.join(" | ")));
                let said = messages(&output.stderr);
                let said: Vec<&&str> = said.iter().filter(|line| !line.starts_with("hint: ")).collect();
                assert_eq!(said, [&message], "{shell} {option}{step}");
                let line = output.stdout.lines().last().unwrap();
                assert_eq!(line, format!("status={status}"), "{shell} {option}{step}: {output:?}");
            }
            // What is no tool of ours fails too, and a member that is asked for is empty, not half of something.
            let jq = inside(shell, &format!("{} | jq -r .access_token", steps.join(" | ")));
            assert!(jq.status != 0 && jq.stdout.is_empty(), "{shell} {step}: {jq:?}");
            let raw = format!("token=$({} -r access_token); echo \"$? ($token)\"", steps.join(" | "));
            assert_eq!(inside(shell, &raw).stdout, format!("{status} ()\n"), "{shell} {step}");
        }
    }
}

#[test]
fn logs_in_to_a_resource_whose_server_has_never_seen_the_client() {
    for (scope, more) in [("", ""), (" --scope openid", " | pkce-verify")] {
        let login = format!(
            "unset PKCE_CLIENT_ID; export PKCE_TRACE=1
            pkce-discover --resource \"$PKCE_ISSUER/mcp\" | pkce-register --client-name deploy{scope} | pkce-gen - |
              pkce-url | pkce-callback | pkce-exchange{more}"
        );
        let output = inside("bash", &login);
        assert_eq!(output.status, 0, "{output:?}");
        let document = output.json();
        let issuer = document["issuer"].as_str().unwrap();
        assert_eq!(document["resource"], format!("{issuer}/mcp"));
        assert_ne!(document["client_id"], "pkce-tools");
        assert_eq!(document.get("id_token_claims").is_some(), !more.is_empty());
        let traced: Vec<&str> = output.stderr.lines().filter(|line| line.contains(": trace: ")).collect();
        assert_eq!(traced.len(), if more.is_empty() { 5 } else { 6 }, "{output:?}");
    }
    if lacks(&["curl"]) {
        return;
    }
    let called = "unset PKCE_CLIENT_ID
        pkce-discover --resource \"$PKCE_ISSUER/mcp\" | pkce-register | pkce-gen - | pkce-url | pkce-callback |
          pkce-exchange -r access_token | sed 's/^/Authorization: Bearer /' |
          curl --silent --show-error --fail -H @- \"$PKCE_ISSUER/mcp\"";
    let output = inside("bash", called);
    assert_eq!((output.status, output.json()["sub"].as_str()), (0, Some("alice")), "{output:?}");
}

#[test]
fn logs_in_with_a_pushed_request() {
    let port = free_port();
    let login = format!(
        "pkce-discover | pkce-gen - | pkce-url --scope openid --redirect-uri http://127.0.0.1:{port}/callback |
          pkce-push | pkce-callback | pkce-exchange | pkce-verify"
    );
    let output = inside("bash", &login);
    assert_eq!((output.status, output.json()["id_token_claims"]["sub"].as_str()), (0, Some("alice")), "{output:?}");
    let opened = output.stderr.lines().find(|line| line.starts_with("http://")).unwrap();
    assert!(opened.contains("request_uri=urn") && !opened.contains("code_challenge"), "{opened}");
    assert_eq!(output.json()["expires_in"], 3600);
}

#[test]
fn fails_where_a_step_is_killed() {
    for shell in shells() {
        for at in 0..STEPS.len() {
            let mut steps = STEPS.map(str::to_owned);
            // As the kernel would for want of memory: without a word.
            steps[at] = "sh -c 'kill -9 $$'".to_owned();
            let output = inside(shell, &format!("{}; echo \"status=$?\"", steps.join(" | ")));
            let (status, said) = match STEPS.get(at + 1) {
                None => (137, String::new()),
                Some(next) => {
                    let next = next.split(' ').next().unwrap();
                    (2, format!("{next}: standard input: empty (did the step before fail?)"))
                }
            };
            assert_eq!(output.stdout.lines().last().unwrap(), format!("status={status}"), "{shell} {at}: {output:?}");
            let ours: Vec<&str> =
                messages(&output.stderr).into_iter().filter(|line| line.starts_with("pkce-")).collect();
            assert_eq!(ours, Vec::from_iter(Some(said.as_str()).filter(|said| !said.is_empty())), "{shell} {at}");
        }
    }
}

#[test]
fn ends_when_the_step_that_waits_for_a_person_is_killed() {
    for signal in ["KILL", "TERM", "INT"] {
        let mut steps = STEPS.map(str::to_owned);
        steps[3] = format!("timeout -s {signal} 1 pkce-callback --no-browser");
        let output = inside("bash", &format!("{}; echo \"status=$?\"", steps.join(" | ")));
        let said = messages(&output.stderr);
        assert_eq!(said, ["pkce-exchange: standard input: empty (did the step before fail?)"], "{signal}");
        assert!(output.stdout.ends_with("status=2\n"), "{output:?}");
    }
}

#[test]
fn has_the_status_of_the_other_program_that_it_ends_in() {
    for (shell, option, last, status) in [
        ("sh", "", "cat >/dev/null", 0),
        ("bash", "", "cat >/dev/null", 0),
        ("bash", "set -o pipefail;", "cat >/dev/null", 2),
        ("bash", "set -o pipefail;", "sh -c 'cat >/dev/null; exit 9'", 9),
        ("bash", "", "pkce-url", 2),
    ] {
        let script = format!("{option} pkce-url </dev/null | {last}");
        let output = finish(command(shell).args(["-c", &script]), b"");
        let said = "pkce-url: standard input: empty (did the step before fail?)\n";
        assert_eq!((output.status, output.stderr.as_str()), (status, said), "{shell}: {script}");
    }
}

#[test]
fn shows_no_secret_to_other_programs_and_says_none() {
    let directory = new_directory();
    let at = directory.path().display();
    let steps: Vec<String> = STEPS.iter().enumerate().map(|(step, tool)| format!("{tool} | tee {at}/{step}")).collect();
    // The browser takes its time, so that the processes of the whole pipeline can be looked at.
    let script = format!(
        "export PKCE_TRACE=1 RUST_BACKTRACE=full; export BROWSER=\"sh {at}/slow %s\"; {} >/dev/null",
        steps.join(" | ")
    );
    std::fs::write(directory.path().join("slow"), "sleep 0.5; exec pkce-idp --visit \"$1\"").unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let watcher = {
        let ended = Arc::clone(&ended);
        thread::spawn(move || {
            let mut seen = HashSet::new();
            while !ended.load(Ordering::Relaxed) {
                for process in std::fs::read_dir("/proc").unwrap().flatten() {
                    for file in ["cmdline", "environ"] {
                        seen.insert(std::fs::read(process.path().join(file)).unwrap_or_default());
                    }
                }
                thread::sleep(Duration::from_millis(2));
            }
            seen
        })
    };
    let output = inside("bash", &script);
    ended.store(true, Ordering::Relaxed);
    let seen = watcher.join().unwrap();
    assert_eq!(output.status, 0, "{output:?}");
    let visited = |octets: &Vec<u8>| String::from_utf8_lossy(octets).contains("/slow\0http");
    assert!(seen.iter().any(visited), "the launcher was not seen");
    let step = |step: usize| -> Value {
        serde_json::from_str(&std::fs::read_to_string(directory.path().join(step.to_string())).unwrap()).unwrap()
    };
    let secrets = [(1, "code_verifier"), (3, "code"), (4, "access_token"), (4, "refresh_token"), (4, "id_token")];
    for (at, name) in secrets {
        let document = step(at);
        let secret = document[name].as_str().unwrap();
        assert!(secret.len() >= 43, "{name}");
        for octets in &seen {
            assert!(!String::from_utf8_lossy(octets).contains(secret), "{name}: {}", String::from_utf8_lossy(octets));
        }
        assert!(!output.stderr.contains(secret), "{name}: {}", output.stderr);
    }
    assert!(output.stderr.contains("pkce-exchange: trace: POST http://127.0.0.1:"), "{}", output.stderr);
}

/// Runs what stands in a document, one after the other in one directory, or in its own where it starts a pkce-idp; the
/// reader's provider is pkce-idp here, and all else that is typed stays unchanged.
fn runs_as_it_stands(typed: &[String]) {
    let directory = new_directory();
    let (own, others): (Vec<&String>, Vec<&String>) = typed.iter().partition(|block| block.contains("pkce-idp"));
    assert!(!others.is_empty(), "{typed:?}");
    let others = others.iter().map(|block| {
        let block = block.replace("pkce-discover https://id.example.com", "pkce-discover");
        match lacks(&["curl"]) {
            false => block.replace("https://api.example.com/me", "\"$PKCE_ISSUER/userinfo\""),
            true => block.replace("curl --fail-with-body -H @- https://api.example.com/me", "cat"),
        }
    });
    let home =
        |directory: &TempDir| format!("cd '{0}' || exit; export PKCE_HOME='{0}/store'", directory.path().display());
    let script = format!("{}; set -e; {}", home(&directory), others.collect::<Vec<_>>().join("\n"));
    let output = inside("bash", &script);
    assert_eq!(output.status, 0, "{script}\n{output:?}");
    for block in own {
        if block.contains("curl ") && lacks(&["curl"]) {
            continue;
        }
        let directory = new_directory();
        let script = format!("{}; set -o pipefail; {block}", home(&directory));
        let output = finish(command("bash").args(["-c", &script]), b"");
        assert_eq!(output.status, 0, "{block}\n{output:?}");
    }
}

#[test]
fn runs_the_pipelines_of_the_manual_as_they_stand() {
    runs_as_it_stands(&examples("man/pkce-tools.7"));
}

#[test]
fn runs_the_examples_of_the_exchange_and_of_the_verification_one_after_the_other() {
    if lacks(&["jq"]) {
        return;
    }
    let (exchange, verify) = (examples("man/pkce-exchange.1"), examples("man/pkce-verify.1"));
    let directory = new_directory();
    let login = exchange.first().unwrap();
    // Its last line spends the code that the other page begins with.
    let (code, _) = login.trim_end().rsplit_once('\n').unwrap();
    let typed = [&exchange, [code.to_owned()].as_slice(), &verify].concat().join("\n");
    let script = format!("cd '{}'; set -e; pkce-discover > idp.json\n{typed}", directory.path().display());
    let output = inside("bash", &script);
    assert_eq!((output.status, output.stdout.as_str()), (0, "alice\n"), "{script}\n{output:?}");
}

#[test]
fn runs_the_examples_of_a_login_on_another_device_one_after_the_other() {
    let directory = new_directory();
    let at = directory.path().display();
    let typed = examples("man/pkce-device.1").join("\n").replace("--client-id cli", "--client-id pkce-tools");
    let script =
        format!("cd '{at}'; export PKCE_HOME='{at}/store'; set -e; pkce-discover > idp.json\n{typed}\n[ \"$token\" ]");
    let output = inside("bash", &script);
    assert_eq!((output.status, output.stdout.as_str()), (0, ""), "{script}\n{output:?}");
    assert!(directory.path().join("store/work.json").is_file());
}

#[test]
fn runs_the_examples_of_what_is_shown_one_after_the_other() {
    if lacks(&["jq"]) {
        return;
    }
    let directory = new_directory();
    let typed = examples("man/pkce-show.1").join("\n");
    let at = directory.path().display();
    let script = format!("cd '{at}'; export PKCE_HOME='{at}/store'; set -e; pkce-discover > idp.json\n{typed}");
    let output = inside("bash", &script);
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!((output.status, lines.len()), (0, 12), "{script}\n{output:?}");
    // The login, the table, and the name of what cannot be refreshed without a refresh token.
    assert!(lines[2].starts_with("account:           alice (preferred_username)"), "{lines:?}");
    assert!(lines[9].starts_with("NAME  ISSUER ") && lines[10].starts_with("work  http://127.0.0.1:"), "{lines:?}");
    assert_eq!(lines[11], "work");
}

#[test]
fn runs_the_examples_of_one_command_to_log_in_and_one_to_log_out() {
    if lacks(&["curl"]) {
        return;
    }
    let directory = new_directory();
    let typed = [examples("man/pkce-login.1"), examples("man/pkce-logout.1")].concat().join("\n");
    let typed = typed.replace("--issuer https://id.example.com --client-id cli", "");
    let typed = typed.replace("https://mcp.example.com/mcp", "\"$PKCE_ISSUER/mcp\"");
    let typed = typed.replace("https://api.example.com/me", "--silent \"$PKCE_ISSUER/userinfo\"");
    // The client is a public one.
    let typed = typed.replace("work --client-secret-command \"pass show oauth\"", "home");
    assert_eq!(typed.matches("pkce-log").count(), 6, "{typed}");
    let script = format!("export PKCE_HOME='{}/store'; set -e\n{typed}\npkce-load", directory.path().display());
    let output = inside("bash", &script);
    let expected = "{\"preferred_username\":\"alice\",\"sub\":\"alice\"}mcp\n";
    assert_eq!((output.status, output.stdout.as_str(), messages(&output.stderr)), (0, expected, vec![]), "{script}");
}

/// What is typed in the examples of a page.
fn examples(page: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(page)).unwrap();
    let (_, examples) = text.split_once(".Sh EXAMPLES\n").unwrap();
    let (examples, _) = examples.split_once(".Sh ").unwrap();
    let mut typed: Vec<String> = Vec::new();
    let mut inside = false;
    // In the source of a page, a backslash is \e, and a quotation mark may be \(dq.
    for line in examples.replace("\\e\n", "\\\n").replace("\\(dq", "\"").lines() {
        match line.strip_prefix(".Dl ") {
            Some(line) => typed.push(line.to_owned()),
            None if line.starts_with(".Bd ") => {
                inside = true;
                typed.push(String::new());
            }
            None if line == ".Ed" => inside = false,
            None if inside => typed.last_mut().unwrap().push_str(&format!("{line}\n")),
            None => {}
        }
    }
    typed
}
