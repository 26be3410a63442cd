//! The examples for CI, each run as a runner would.
#![cfg(test)]

mod common;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Child, Stdio};
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::{Output, Server, answer, bin, command, finish, json_answer, lacks, new_directory, root, tools};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const SHELLS: [&str; 2] = ["dash", "bash"];

/// A document with secrets at several depths, in an order and with white space that no tool would write.
const DOCUMENT: &str = "{\"code\": \"c0de-1\",\"own\":1.10, \"authed_user\":{\"access_token\":\"xoxp-2\"},\
    \"client_secret\":\"a%b\\nsecond line\",\"token_type\":\"Bearer\",\"country_code\":\"DE\",\
    \"refresh_tokens\":[\"r-3\"],\"id_token\":\"\\u00e9]\",\"access_token\":\"\",\"token_endpoint\":\"https://x/t\"}\n\n";

fn ci(name: &str) -> String {
    root().join("examples/ci").join(name).display().to_string()
}

/// Runs mask.sh in a shell, with these words before it and this in the environment.
fn mask(shell: &[&str], environment: (&str, &str), stdin: &str) -> Output {
    let mut masked = command(shell[0]);
    masked.args(&shell[1..]).arg(ci("mask.sh")).env(environment.0, environment.1);
    finish(&mut masked, stdin.as_bytes())
}

const GITHUB: (&str, &str) = ("GITHUB_ACTIONS", "true");
const AZURE: (&str, &str) = ("TF_BUILD", "True");

#[test]
fn has_a_test_for_each_example() {
    let own = fs::read_to_string(root().join("tests/ci.rs")).unwrap();
    for file in fs::read_dir(root().join("examples/ci")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(own.contains(&format!("ci(\"{name}\")")), "{name}");
    }
}

#[test]
fn runs_in_a_plain_shell() {
    if lacks(&["dash"]) {
        return;
    }
    for shell in SHELLS {
        for name in ["mask.sh", "browser.sh", "refuses.sh"] {
            let output = finish(command(shell).arg("-n").arg(ci(name)), b"");
            assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{shell} {name}");
        }
    }
}

#[test]
fn masks_each_secret_and_hands_the_document_on_as_it_is() {
    if lacks(&["dash", "jq"]) {
        return;
    }
    let values = ["c0de-1", "xoxp-2", "a%b", "a%b\nsecond line", "second line", "r-3", "\u{e9}]"];
    for shell in SHELLS {
        for (runner, prefix, percent) in [(GITHUB, "::add-mask::", "%25"), (AZURE, "##vso[task.setsecret]", "%AZP25")] {
            let output = mask(&[shell], runner, DOCUMENT);
            let line = |value: &&str| format!("{prefix}{}\n", value.replace('%', percent).replace('\n', "%0A"));
            // The first line is empty: a mask that stands behind another step's unfinished line is none.
            let masks: String = std::iter::once("\n".to_owned()).chain(values.iter().map(line)).collect();
            let expected = Output { status: 0, stdout: DOCUMENT.to_owned(), stderr: masks };
            assert_eq!(output, expected, "{shell}");
        }
        // A document without a secret has no masks; a stream of documents has those of each, and of doubled names both.
        assert_eq!(mask(&[shell], GITHUB, "{}\n"), Output { status: 0, stdout: "{}\n".into(), stderr: String::new() });
        let stream = "{\"code\":\"one\"}\n{\"code\":\"two\",\"code\":\"three\"}\n";
        let masks = "\n::add-mask::one\n::add-mask::two\n::add-mask::three\n";
        let expected = Output { status: 0, stdout: stream.to_owned(), stderr: masks.to_owned() };
        assert_eq!(mask(&[shell], GITHUB, stream), expected);
    }
}

#[test]
fn prints_the_masks_before_the_document() {
    if lacks(&["dash", "jq"]) {
        return;
    }
    for shell in SHELLS {
        let script = format!("exec {shell} '{}' 2>&1", ci("mask.sh"));
        let output = finish(command("sh").args(["-c", &script]).env("GITHUB_ACTIONS", "true"), DOCUMENT.as_bytes());
        assert!(output.stdout.starts_with("\n::add-mask::") && output.stdout.ends_with(DOCUMENT), "{output:?}");
    }
}

#[test]
fn refuses_to_mask_where_no_runner_reads_along() {
    if lacks(&["dash"]) {
        return;
    }
    let message = "mask: environment: neither GITHUB_ACTIONS nor TF_BUILD is set; elsewhere the masks would reveal the \
                   secrets\n";
    let directory = new_directory();
    for shell in SHELLS {
        for elsewhere in [("CI", "true"), ("GITLAB_CI", "true"), ("GITHUB_ACTIONS", ""), ("TF_BUILD", "")] {
            let output = mask(&[shell], elsewhere, DOCUMENT);
            let expected = Output { status: 2, stdout: "!2 usage mask\n".to_owned(), stderr: message.to_owned() };
            assert_eq!(output, expected, "{shell} {elsewhere:?}");
        }
        // The failure line is for a next step, and not for a file.
        let script = format!("{shell} '{}' > '{}/out'", ci("mask.sh"), directory.path().display());
        assert_eq!(finish(command("sh").args(["-c", &script]), DOCUMENT.as_bytes()).status, 2);
        assert_eq!(fs::read_to_string(directory.path().join("out")).unwrap(), "");
    }
}

#[test]
fn hands_a_failure_on_without_a_word() {
    if lacks(&["dash", "jq"]) {
        return;
    }
    for shell in SHELLS {
        for (status, kind) in
            [(1, "refused"), (2, "usage"), (3, "unavailable"), (4, "untrusted"), (5, "login_required")]
        {
            let line = format!("!{status} {kind} pkce-exchange\n");
            let expected = Output { status, stdout: line.clone(), stderr: String::new() };
            assert_eq!(mask(&[shell], GITHUB, &line), expected, "{shell}");
        }
    }
}

#[test]
fn refuses_what_is_no_document_and_quotes_nothing_of_it() {
    if lacks(&["dash", "jq"]) {
        return;
    }
    let object = "mask: standard input: not a JSON object\n";
    let empty = "mask: standard input: empty (did the step before fail?)\n";
    for shell in SHELLS {
        for (stdin, message) in [
            ("", empty),
            (" \n", empty),
            ("s3cret", object),
            ("\"s3cret\"", object),
            ("[{\"code\":\"s3cret\"}]", object),
            ("{\"access_token\":s3cret}", object),
            ("{\"access_token\":\"s3cret", object),
            ("{\"access_token\":\"s3cret\"} s3cret", object),
            ("!4 refused pkce-exchange\n", object),
            ("!s3cret", object),
        ] {
            let expected = Output { status: 2, stdout: "!2 usage mask\n".to_owned(), stderr: message.to_owned() };
            assert_eq!(mask(&[shell], GITHUB, stdin), expected, "{shell} {stdin:?}");
        }
    }
}

/// A directory that comes first on the PATH, in which these programs write their arguments to a file and then do as ever.
fn watched(directory: &TempDir, programs: &[&str]) -> String {
    let shims = directory.path().join("shims");
    fs::create_dir_all(&shims).unwrap();
    let path = command("sh").get_envs().find(|(name, _)| *name == "PATH").unwrap().1.unwrap().to_owned();
    let path = path.into_string().unwrap();
    for program in programs {
        let log = directory.path().join("arguments").display().to_string();
        let script = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$0 $*\" >> '{log}'\nPATH='{path}'\nexport PATH\nexec {program} \"$@\"\n"
        );
        executable(&shims.join(program), &script);
    }
    format!("{}:{path}", shims.display())
}

fn executable(file: &std::path::Path, script: &str) {
    fs::write(file, script).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

fn arguments(directory: &TempDir) -> String {
    fs::read_to_string(directory.path().join("arguments")).unwrap()
}

#[test]
fn shows_no_secret_in_a_trace_or_an_argument_list() {
    if lacks(&["dash", "jq"]) {
        return;
    }
    for shell in SHELLS {
        let directory = new_directory();
        let mut masked = command(shell);
        masked.arg("-x").arg(ci("mask.sh")).env("GITHUB_ACTIONS", "true");
        masked.env("PATH", watched(&directory, &["jq", "cat", "grep"]));
        let output = finish(&mut masked, DOCUMENT.as_bytes());
        let plain = mask(&[shell], GITHUB, DOCUMENT);
        assert_eq!(output, plain, "the trace ends before it begins");
        let seen = arguments(&directory);
        assert!(seen.contains("/jq -nr --stream"), "{seen}");
        for secret in ["c0de-1", "xoxp-2", "a%b", "second line", "r-3"] {
            assert!(!seen.contains(secret), "{seen}");
        }
    }
}

/// Runs a login against pkce-idp, or what `PKCE_ISSUER` is, with browser.sh as the browser; prints what LOG has.
fn browse(shell: &str, directory: &TempDir, server: Option<&Server>, account: &str, watch: &[&str]) -> Output {
    fs::write(directory.path().join("account"), account).unwrap();
    let login = format!(
        "pkce-discover | pkce-gen - | pkce-url --scope openid --prompt consent | pkce-callback --timeout 20 |
           tee '{0}/code' | pkce-exchange; status=$?; cat '{0}/log' >&2; exit $status",
        directory.path().display()
    );
    let mut run = command(if server.is_some() { "sh" } else { "pkce-idp" });
    match server {
        Some(server) => run.args(["-c", &login]).env("PKCE_ISSUER", server.url("")).env("PKCE_CLIENT_ID", "cli"),
        None => run.args(["--", "sh", "-c", &login]),
    };
    run.env("PATH", watched(directory, watch)).env("BROWSER", format!("{shell} {}", ci("browser.sh")));
    run.env("TEST_ACCOUNT_FILE", directory.path().join("account")).env("LOG", directory.path().join("log"));
    finish(&mut run, b"")
}

fn said(output: &Output) -> Vec<&str> {
    output.stderr.lines().filter(|line| !line.starts_with("http") && !line.contains("to log in, open")).collect()
}

#[test]
fn logs_a_test_account_in_on_the_pages_of_pkce_idp() {
    if lacks(&["curl", "dash"]) {
        return;
    }
    for shell in SHELLS {
        let directory = new_directory();
        let name = "someone+\"else\"&co %41";
        let output =
            browse(shell, &directory, None, &format!("{name}\r\nunused p4ssword\r\n"), &["curl", "awk", "sed"]);
        assert_eq!((output.status, said(&output)), (0, vec![]), "{output:?}");
        let token = output.json()["id_token"].as_str().unwrap().to_owned();
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&claims).unwrap()["sub"], name);
        let code: Value = serde_json::from_str(&fs::read_to_string(directory.path().join("code")).unwrap()).unwrap();
        let seen = arguments(&directory);
        assert!(seen.contains("/curl --config -") && seen.contains("/form.awk"), "{seen}");
        for secret in [code["code"].as_str().unwrap(), code["state"].as_str().unwrap(), "someone", "p4ssword"] {
            assert!(!seen.contains(secret), "{seen}");
        }
    }
}

/// A provider with pages as Keycloak's: a login form that comes back with another address where the password is wrong.
fn keycloak() -> Server {
    let redirect = Mutex::new(String::new());
    Server::start(move |seen| {
        let host = format!("http://{}", seen.header("Host").unwrap());
        let form = "<!-- <form method=\"post\" action=\"/no\"> --><script>'<form method=\"post\" action=\"/no\">'</script>
            <form action='/search'><input name=q></form>
            <form id=\"kc-form-login\" onsubmit=\"login.disabled = true; return true;\" method=\"POST\"
              action=\"authenticate?session_code=CODE&amp;execution=1\">
            <input tabindex=\"1\" name=\"username\" value=\"\"  type=\"text\" autofocus/>
            <input name='password' type='password' /> <button type=\"button\" name=\"show\">x</button>
            <button name=\"answer\">Cancel</button><input type=submit value=\"Deny it\" name=\"no\">
            <input type=\"checkbox\" name=\"rememberMe\"> <input type=checkbox name=kept checked>
            <input type=\"hidden\" name=\"credentialId\" value=\"a&#x3D;&#039;&lt;\"/><input disabled name=\"off\" value=\"1\">
            <input name=\"login\" type=\"submit\" value=\"Sign In\"/><input name=\"other\" type=\"submit\"/>
            </form>";
        let page = |code: &str| {
            let body = form.replace("CODE", code);
            let length = body.len();
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nSet-Cookie: AUTH_SESSION_ID=s; Path=/\r\n\
                 Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            )
            .into_bytes()
        };
        let to = |location: &str| {
            format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .into_bytes()
        };
        match (seen.method.as_str(), seen.target.split('?').next().unwrap()) {
            ("GET", "/.well-known/openid-configuration") => json_answer(&json!({
                "issuer": host, "authorization_endpoint": format!("{host}/realm/auth"),
                "token_endpoint": format!("{host}/token"), "code_challenge_methods_supported": ["S256"],
            })),
            ("GET", "/realm/auth") => {
                *redirect.lock().unwrap() = seen.target.split('?').nth(1).unwrap().to_owned();
                to("login/page")
            }
            ("GET", "/realm/login/page") => page("first"),
            ("POST", "/realm/login/authenticate") => {
                assert_eq!(seen.header("Cookie"), Some("AUTH_SESSION_ID=s"));
                assert!(seen.target.ends_with("&execution=1"), "{seen:?}");
                let rest = "&kept=on&credentialId=a%3D%27%3C&login=Sign%20In";
                match seen.body == format!("username=someone&password=p4ss%20w%26rd{rest}") {
                    true => to("../done"),
                    false => page("second"),
                }
            }
            ("GET", "/realm/done") => {
                let query = redirect.lock().unwrap().clone();
                let pairs: HashMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
                to(&format!("{}?state={}&code=c0de", pairs["redirect_uri"], pairs["state"]))
            }
            ("POST", "/token") => json_answer(&json!({ "access_token": "t", "token_type": "Bearer" })),
            _ => answer(404, "text/html", ""),
        }
    })
}

#[test]
fn logs_a_test_account_in_on_pages_as_keycloaks() {
    if lacks(&["curl", "dash"]) {
        return;
    }
    for shell in SHELLS {
        let directory = new_directory();
        let output = browse(shell, &directory, Some(&keycloak()), "someone\np4ss w&rd\n", &[]);
        assert_eq!((output.status, said(&output)), (0, vec![]), "{output:?}");
        assert_eq!(output.json()["access_token"], "t");
    }
}

#[test]
fn takes_no_option_of_curl_from_a_page() {
    if lacks(&["curl", "dash"]) {
        return;
    }
    for shell in SHELLS {
        let directory = new_directory();
        let written = directory.path().join("written").display().to_string();
        let page = format!(
            "<form method=post action='/x&#10;output=&quot;{written}&quot;'>
            <input name='a&#10;output=&quot;{written}&quot;' value='\"&#10;output=&quot;{written}&quot;'></form>"
        );
        let server = Server::start(move |seen| {
            let host = format!("http://{}", seen.header("Host").unwrap());
            match seen.target.starts_with("/.well-known/") {
                true => json_answer(&json!({
                    "issuer": host, "authorization_endpoint": format!("{host}/a\"b"),
                    "token_endpoint": format!("{host}/t"), "code_challenge_methods_supported": ["S256"],
                })),
                false => answer(200, "text/html", &page),
            }
        });
        let output = browse(shell, &directory, Some(&server), "someone\np4ss w&rd\n", &[]);
        assert_eq!(output.status, 3, "{output:?}");
        assert!(!fs::exists(&written).unwrap());
        let posted: Vec<_> = server.seen().into_iter().filter(|seen| seen.method == "POST").collect();
        assert!(!posted.is_empty() && posted.iter().all(|seen| seen.target.starts_with("/xoutput")), "{posted:?}");
        assert!(
            server.seen().iter().any(|seen| seen.target.starts_with("/a%22b?") || seen.target.starts_with("/a\"b?"))
        );
    }
}

#[test]
fn says_why_it_cannot_log_in() {
    if lacks(&["curl", "dash"]) {
        return;
    }
    let no_browser = "pkce-callback: the program of BROWSER ended in failure, and there is no terminal";
    let hint = "hint: run it by hand with the URL above; it may say why";
    let wrong = "browser: page 2: the same form came back (wrong name or password?)";
    let no_form = Server::start(|seen| {
        let host = format!("http://{}", seen.header("Host").unwrap());
        match seen.target.starts_with("/.well-known/") {
            true => json_answer(&json!({
                "issuer": host, "authorization_endpoint": format!("{host}/a"), "token_endpoint": format!("{host}/t"),
                "code_challenge_methods_supported": ["S256"],
            })),
            false => answer(200, "text/html", "<form action=\"/search\"><input name=\"q\"></form>"),
        }
    });
    let account = "browser: TEST_ACCOUNT_FILE: must be a file with the name and password of an account";
    let none = "browser: page 1: no supported form found";
    for shell in SHELLS {
        for (server, given, message) in [
            (&keycloak(), "someone\nwrong\n", wrong),
            (&keycloak(), "somebody\np4ss w&rd", wrong),
            (&no_form, "someone\np4ss w&rd\n", none),
            (&no_form, "", account),
        ] {
            let directory = new_directory();
            let output = browse(shell, &directory, Some(server), given, &[]);
            assert_eq!((output.status, said(&output)), (3, vec![no_browser, hint, message]), "{output:?}");
        }
    }
}

#[test]
fn finds_where_a_form_is_sent_to() {
    let directory = new_directory();
    let file = |name: &str, text: &str| {
        fs::write(directory.path().join(name), text).unwrap();
        directory.path().join(name).display().to_string()
    };
    let account = file("account", "someone\np4ss");
    for (at, action, expected) in [
        ("https://id.example", "login", "https://id.example/login"),
        ("https://id.example?a=b", "login", "https://id.example/login"),
        ("https://id.example/a/b?c=d/e", "login?x=1&amp;y=%2F", "https://id.example/a/login?x=1&y=%2F"),
        ("https://id.example/a/b?c=d/e", "../login", "https://id.example/a/../login"),
        ("https://id.example/a/b?c=d/e", "/login", "https://id.example/login"),
        ("https://id.example/a/b?c=d/e", "//other.example/login", "https://other.example/login"),
        ("https://id.example/a/b?c=d/e", "https://other.example/", "https://other.example/"),
        ("https://id.example/a/b?c=d/e", "?f=g", "https://id.example/a/b?f=g"),
        ("https://id.example/a/b?c=d/e#f", "", "https://id.example/a/b?c=d/e"),
        ("https://id.example/a/b", "a\"b\\c", "https://id.example/a/a\\\"b\\\\c"),
    ] {
        let action = action.replace('"', "&quot;");
        let page = file("page", &format!("<form action=\"{action}\" method=post><button>OK</button></form>"));
        let mut awk = command("awk");
        awk.args(["-f", &ci("form.awk"), &account, "-", "RS=<", &page]).env("LC_ALL", "C");
        let output = finish(&mut awk, format!("{at}\n").as_bytes());
        let line = output.stdout.lines().nth(1);
        assert_eq!(line, Some(format!("url = \"{expected}\"").as_str()), "{at} {action}: {output:?}");
        assert!(output.stdout.ends_with("\ndata = \"\"\n"), "{output:?}");
    }
}

/// The parts of a workflow that a runner runs: each with when it does, and its script.
struct Part {
    when: &'static str,
    script: String,
}

/// The lines that stand deeper than this, with as many spaces taken off as the first has.
fn block<'a>(lines: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>, than: usize) -> String {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let first = depth(lines.peek().unwrap());
    let mut text = String::new();
    while let Some(line) = lines.next_if(|line| line.is_empty() || depth(line) > than) {
        text.push_str(line.get(first..).unwrap_or_default());
        text.push('\n');
    }
    text
}

/// The steps of the GitHub workflow, and the environment of its job, where nothing is set for the repository.
fn github_parts() -> (Vec<Part>, Vec<(String, String)>) {
    let text = fs::read_to_string(ci("github-actions.yml")).unwrap();
    let mut lines = text.lines().peekable();
    let (mut parts, mut environment, mut when) = (Vec::new(), Vec::new(), "success");
    while let Some(line) = lines.next() {
        if line == "    env:" {
            for line in block(&mut lines, 4).lines().filter(|line| !line.starts_with('#')) {
                let (name, value) = line.split_once(": ").unwrap();
                let value = if value.starts_with("${{ vars.") { "" } else { value.trim_matches('"') };
                environment.push((name.to_owned(), value.to_owned()));
            }
        } else if line.starts_with("      - ") {
            when = "success";
        } else if let Some(condition) = line.strip_prefix("        if: ") {
            when = if condition == "always()" { "always" } else { "failure" };
        } else if line == "        run: |" {
            parts.push(Part { when, script: block(&mut lines, 8) });
        } else if let Some(script) = line.strip_prefix("        run: ") {
            parts.push(Part { when, script: format!("{script}\n") });
        }
    }
    assert!(parts.iter().all(|part| !part.script.contains("${{")), "a script takes values from the environment alone");
    (parts, environment)
}

/// The scripts of the GitLab job, before_script and script as one, and its variables, those of /tmp in this directory.
fn gitlab_parts(directory: &TempDir) -> (Vec<Part>, Vec<(String, String)>) {
    let text = fs::read_to_string(ci("gitlab-ci.yml")).unwrap();
    let mut lines = text.lines().peekable();
    let (mut script, mut after, mut variables) = (String::new(), String::new(), Vec::new());
    let work = directory.path().join("login").display().to_string();
    while let Some(line) = lines.next() {
        if line == "  variables:" {
            for line in block(&mut lines, 2).lines().filter(|line| !line.starts_with('#')) {
                let (name, value) = line.split_once(": ").unwrap();
                let value = value.trim_matches('"').replace("/tmp/login-$CI_JOB_ID", &work);
                variables.push((name.to_owned(), value));
            }
        }
        if !["  before_script:", "  script:", "  after_script:"].contains(&line) {
            continue;
        }
        let text = if line == "  after_script:" { &mut after } else { &mut script };
        let items = block(&mut lines, 2);
        let mut items = items.lines().filter(|line| !line.starts_with('#')).peekable();
        while let Some(item) = items.next() {
            match item.strip_prefix("- ").unwrap() {
                "|" => text.push_str(&block(&mut items, 0)),
                item => text.push_str(&format!("{item}\n")),
            }
        }
    }
    (vec![Part { when: "success", script }, Part { when: "always", script: after }], variables)
}

/// What stands for the world of a runner: a build that only copies, and tools that leave what they print in a directory.
struct Runner {
    directory: TempDir,
    environment: Vec<(String, String)>,
}

/// What a job left: the status of the first part that failed, all that was printed, and all secrets that there were.
struct Job {
    status: i32,
    log: String,
    secrets: HashSet<String>,
}

impl Runner {
    fn new(environment: Vec<(String, String)>) -> Runner {
        let directory = new_directory();
        for made in ["built", "shims", "seen", "temp"] {
            fs::create_dir(directory.path().join(made)).unwrap();
        }
        let at = directory.path().display();
        for tool in tools() {
            let (real, built) = (bin().join(&tool), directory.path().join("built").join(&tool));
            match ["pkce-callback", "pkce-exchange", "pkce-refresh"].contains(&tool.as_str()) {
                false => symlink(real, built).unwrap(),
                true => executable(
                    &built,
                    &format!("#!/bin/bash\nset -o pipefail\n'{}' \"$@\" | tee -a '{at}/seen/{tool}'\n", real.display()),
                ),
            }
        }
        // cargo install … --root FOLDER
        let build = "#!/bin/bash\nmkdir -p \"${!#}/bin\"\ncp -P \"$BUILT\"/* \"${!#}/bin\"\n";
        executable(&directory.path().join("shims/cargo"), build);
        let mut environment = environment;
        environment.push(("BUILT".to_owned(), format!("{at}/built")));
        environment.push(("RUNNER_TEMP".to_owned(), format!("{at}/temp")));
        environment.push(("GITHUB_ENV".to_owned(), format!("{at}/env")));
        environment.push(("GITHUB_PATH".to_owned(), format!("{at}/path")));
        Runner { directory, environment }
    }

    fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Runs the parts as both runners do: in bash, to the first command that fails; here with a trace, too.
    fn run(&self, parts: &[Part]) -> Job {
        let (mut status, mut log) = (0, String::new());
        for (at, part) in parts.iter().enumerate() {
            let wanted = match part.when {
                "always" => true,
                "failure" => status != 0,
                _ => status == 0,
            };
            if !wanted {
                continue;
            }
            let file = self.directory.path().join(format!("part-{at}.sh"));
            fs::write(&file, &part.script).unwrap();
            let both = "exec bash --noprofile --norc -e -o pipefail -x \"$1\" 2>&1";
            let mut bash = command("bash");
            bash.args(["-c", both, "-"]).arg(&file).current_dir(root()).envs(self.environment.iter().cloned());
            let read = |name: &str| fs::read_to_string(self.directory.path().join(name)).unwrap_or_default();
            bash.envs(read("env").lines().map(|line| line.split_once('=').unwrap()));
            let added: String = read("path").lines().map(|line| format!("{line}:")).collect();
            let path = std::env::var("PATH").unwrap();
            bash.env("PATH", format!("{added}{}:{path}", self.directory.path().join("shims").display()));
            let output = finish(&mut bash, b"");
            log.push_str(&output.stdout);
            status = if status == 0 { output.status } else { status };
        }
        let mut secrets = HashSet::new();
        for file in fs::read_dir(self.directory.path().join("seen")).unwrap() {
            let text = fs::read_to_string(file.unwrap().path()).unwrap();
            for document in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
                for name in ["code", "code_verifier", "access_token", "refresh_token", "id_token"] {
                    secrets.extend(document[name].as_str().map(str::to_owned));
                }
            }
        }
        Job { status, log, secrets }
    }
}

/// pkce-idp with its pages, as somebody else's provider.
struct Provider {
    child: Child,
    issuer: String,
}

impl Provider {
    fn start() -> Provider {
        let mut child = command("pkce-idp").stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let document: Value = serde_json::from_reader(child.stdout.take().unwrap()).unwrap();
        Provider { child, issuer: document["issuer"].as_str().unwrap().to_owned() }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The log is checked as the runner shows it: without the lines of masks, which it takes for itself.
fn checked(job: &Job) -> (String, HashSet<String>) {
    let mask = |line: &&str| line.starts_with("::add-mask::");
    let shown: String = job.log.lines().filter(|line| !mask(line)).map(|line| format!("{line}\n")).collect();
    assert_eq!(job.status, 0, "{shown}");
    // The main login has three tokens, of the other three logins one reached tokens; each has a code and a verifier.
    assert_eq!(job.secrets.len(), 4 * 2 + 2 * 3, "{shown}");
    for secret in &job.secrets {
        assert!(secret.len() >= 40 && !shown.contains(secret.as_str()), "{secret} in {shown}");
    }
    for line in ["refused: a wrong verifier", "refused: a missing verifier", "refused: a code that was used before"] {
        assert!(shown.lines().any(|other| other == line), "{line}: {shown}");
    }
    assert!(shown.contains("+ pkce-exchange") && shown.lines().filter(|line| *line == "true").count() == 2, "{shown}");
    (shown, job.log.lines().filter_map(|line| line.strip_prefix("::add-mask::").map(str::to_owned)).collect())
}

#[test]
fn runs_the_github_workflow_to_its_end_and_shows_no_secret() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    let (parts, environment) = github_parts();
    assert_eq!(parts.len(), 9);
    let mut runner = Runner::new(environment.clone());
    runner.set("GITHUB_ACTIONS", "true");
    let job = runner.run(&parts);
    let (_, masked) = checked(&job);
    assert_eq!(masked, job.secrets);
    assert_eq!(fs::read_dir(runner.directory.path().join("temp")).unwrap().count(), 1, "the tools alone are left");

    let provider = Provider::start();
    let with = |sub: &str| {
        let mut runner = Runner::new(environment.clone());
        runner.set("GITHUB_ACTIONS", "true");
        runner.set("PKCE_ISSUER", &provider.issuer);
        runner.set("PKCE_CLIENT_ID", "pkce-tools");
        runner.set("TEST_ACCOUNT_SUB", sub);
        runner.set("TEST_ACCOUNT", "someone\na-p4ssword-that-nobody-prints");
        runner
    };
    let job = with("someone").run(&parts);
    let (shown, masked) = checked(&job);
    assert_eq!(masked, job.secrets);
    assert!(!shown.contains("a-p4ssword"), "{shown}");
    // Another account than the expected one ends the job, and what it got is taken back all the same.
    let runner = with("somebody else");
    let job = runner.run(&parts);
    assert!(job.status == 1 && !job.log.contains("refused: ") && job.log.contains("+ sh examples/logout.sh ci"));
    assert_eq!(fs::read_dir(runner.directory.path().join("temp")).unwrap().count(), 1);
}

#[test]
fn runs_the_gitlab_job_to_its_end_and_shows_no_secret() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    let directory = new_directory();
    let (parts, variables) = gitlab_parts(&directory);
    let work = variables.iter().find(|(name, _)| name == "WORK").unwrap().1.clone();
    let runner = Runner::new(variables.clone());
    let job = runner.run(&parts);
    let (_, masked) = checked(&job);
    assert!(masked.is_empty() && !fs::exists(&work).unwrap());

    let provider = Provider::start();
    let mut runner = Runner::new(variables);
    let account = runner.directory.path().join("account").display().to_string();
    fs::write(&account, "someone\na-p4ssword-that-nobody-prints").unwrap();
    for (name, value) in [
        ("PKCE_ISSUER", provider.issuer.as_str()),
        ("PKCE_CLIENT_ID", "pkce-tools"),
        ("TEST_ACCOUNT_SUB", "someone"),
        ("TEST_ACCOUNT_FILE", &account),
    ] {
        runner.set(name, value);
    }
    let (shown, _) = checked(&runner.run(&parts));
    assert!(!shown.contains("a-p4ssword") && !fs::exists(&work).unwrap(), "{shown}");
    // A provider that is gone is status 3, for which the job is tried again.
    drop(provider);
    let job = runner.run(&parts);
    assert!(job.status == 3 && !fs::exists(&work).unwrap(), "{}", job.log);
}

/// A provider that enforces PKCE and takes a code once, but for one fault.
fn provider(fault: &'static str) -> Server {
    let challenges = Mutex::new(HashMap::<String, (String, bool)>::new());
    Server::start(move |seen| {
        let query = seen.target.split('?').nth(1).unwrap_or_default();
        let text = if seen.method == "POST" { &seen.body } else { query };
        let pairs: HashMap<String, String> = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        let mut challenges = challenges.lock().unwrap();
        match seen.target.split('?').next().unwrap() {
            "/authorize" => {
                let code = format!("c0de-{}", challenges.len());
                challenges.insert(code.clone(), (pairs["code_challenge"].clone(), false));
                let back = format!("{}?code={code}&state={}", pairs["redirect_uri"], pairs["state"]);
                format!("HTTP/1.1 302 Found\r\nLocation: {back}\r\nContent-Length: 0\r\n\r\n").into_bytes()
            }
            "/token" => {
                let (challenge, used) = challenges.get_mut(&pairs["code"]).unwrap();
                let sent = pairs.get("code_verifier").map(|text| URL_SAFE_NO_PAD.encode(Sha256::digest(text)));
                let verified = match &sent {
                    None if fault == "confidential" => {
                        return answer(401, "application/json", "{\"error\":\"invalid_client\"}");
                    }
                    None if fault == "silent" => return answer(400, "", ""),
                    Some(_) if fault == "broken" => return answer(500, "", ""),
                    None => fault == "missing",
                    Some(sent) => sent == challenge || fault == "wrong",
                };
                match verified && (!*used || fault == "replay") {
                    true => {
                        *used = true;
                        json_answer(
                            &json!({ "access_token": format!("t0ken-of-{}", pairs["code"]), "token_type": "Bearer" }),
                        )
                    }
                    false => answer(400, "application/json", "{\"error\":\"invalid_grant\"}"),
                }
            }
            _ => answer(200, "text/plain", ""),
        }
    })
}

/// Runs refuses.sh against a server; the codes come by redirects alone.
fn refuses(shell: &str, server: &Server) -> Output {
    let directory = new_directory();
    let idp = json!({
        "issuer": server.url(""), "authorization_endpoint": server.url("/authorize"),
        "token_endpoint": server.url("/token"), "revocation_endpoint": server.url("/revoke"),
    });
    fs::write(directory.path().join("idp.json"), idp.to_string()).unwrap();
    let mut run = command(shell);
    run.arg(ci("refuses.sh"))
        .arg(directory.path().join("idp.json"))
        .args(["--prompt", "consent"])
        .env("TMPDIR", directory.path());
    run.env("PKCE_CLIENT_ID", "cli").env("BROWSER", format!("{} --visit %s", bin().join("pkce-idp").display()));
    let output = finish(&mut run, b"");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "only idp.json is left");
    output
}

#[test]
fn fails_where_the_provider_accepts_what_it_must_refuse() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    let checks =
        [("wrong", "a wrong verifier"), ("missing", "a missing verifier"), ("replay", "a code that was used before")];
    for shell in SHELLS {
        for fault in ["none", "wrong", "missing", "replay"] {
            let server = provider(fault);
            let output = refuses(shell, &server);
            let refused =
                checks.iter().filter(|(kind, _)| *kind != fault).map(|(_, text)| format!("refused: {text}\n"));
            assert_eq!(output.stdout, refused.collect::<String>(), "{shell} {fault}");
            let accepted = checks.iter().filter(|(kind, _)| *kind == fault);
            let accepted: Vec<String> =
                accepted.map(|(_, text)| format!("refuses: the server accepted {text}")).collect();
            assert_eq!(
                (output.status, said(&output)),
                (i32::from(fault != "none"), accepted.iter().map(String::as_str).collect())
            );
            // What was given is taken back: the one token of the last check, and each that should not have been.
            let seen = server.seen();
            let revoked = seen.iter().filter(|seen| seen.target == "/revoke" && seen.body.contains("t0ken-of-c0de-"));
            assert_eq!(revoked.count(), 1 + usize::from(fault != "none"), "{shell} {fault}");
        }
    }
}

#[test]
fn says_where_a_check_cannot_be_made() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    for odd in ["confidential", "silent"] {
        let output = refuses("dash", &provider(odd));
        let message = [
            "refuses: token endpoint: the response has neither tokens nor invalid_grant or invalid_request",
            "refuses: a missing verifier: could not be checked",
        ];
        assert_eq!((output.status, said(&output)), (4, message.to_vec()), "{output:?}");
    }
    // A server that fails has refused nothing.
    let output = refuses("bash", &provider("broken"));
    let message = [
        "pkce-exchange: token endpoint: the server answered 500; the code may be spent",
        "refuses: a wrong verifier: could not be checked",
    ];
    assert_eq!((output.status, said(&output), output.stdout.as_str()), (3, message.to_vec(), ""), "{output:?}");
    // Nobody listens there: what a server that is down looks like.
    let mut nowhere = provider("none");
    nowhere.port = 1;
    let output = refuses("bash", &nowhere);
    assert_eq!((output.status, output.stdout.as_str()), (3, ""), "{output:?}");
    let usage = finish(command("sh").arg(ci("refuses.sh")), b"");
    assert_eq!((usage.status, usage.stderr.as_str()), (2, "usage: refuses.sh IDP_FILE [PKCE_URL_OPTION...]\n"));
}

#[test]
fn explains_itself_and_leads_to_files_that_are_there() {
    let page = fs::read_to_string(ci("README.md")).unwrap();
    for name in ["mask.sh", "browser.sh", "form.awk", "refuses.sh", "github-actions.yml", "gitlab-ci.yml"] {
        assert!(page.contains(&format!("({name})")), "{name}");
        assert!(fs::exists(ci(name)).unwrap());
    }
}
