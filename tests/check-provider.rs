//! examples/check-provider.sh, against a strict server and against servers that are lax about one thing each.
#![cfg(test)]

mod common;
#[path = "common/terminal.rs"]
mod terminal;

use std::collections::{HashMap, HashSet};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::{
    Output, Request, Server, changed, command, finish, json_response, lacks, new_directory, response, root, run,
    without_ports, write_program,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use terminal::Terminal;

/// The checks, in their order.
const CHECKS: [&str; 14] = [
    "discovery",
    "S256 advertised",
    "login",
    "iss sent",
    "id token",
    "replay refused",
    "plain refused",
    "missing challenge refused",
    "wrong verifier refused",
    "missing verifier refused",
    "rotation",
    "reuse refused",
    "reuse ends the grant",
    "revocation",
];

/// What is said before each login.
const LOGIN: &str = "check-provider: login ";
const PASTE: &str = "pkce-callback: note: waiting for the browser; or paste the address that it was redirected to\n";
const OPEN: &str = "pkce-callback: to sign in, open this URL in a browser:\n";

/// The text without the URLs to open, which are new each time.
fn without_urls(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("http"));
    lines.map(|line| format!("{line}\n")).collect()
}

fn script() -> String {
    root().join("examples/check-provider.sh").display().to_string()
}

/// Checks a pkce-idp with these faults, by this shell with its options; `before` is done first.
fn checked(shell: &str, faults: &[&str], before: &str) -> Output {
    checked_with(shell, faults, before, "")
}

/// The same with an option of pkce-url.
fn checked_with(shell: &str, faults: &[&str], before: &str, option: &str) -> Output {
    let line = format!("{before} {shell} '{}' \"$PKCE_ISSUER\" {option}", script());
    let mut idp = command("pkce-idp");
    // pkce-idp accepts a replaced refresh token at no time, so nothing has to wait.
    idp.arg("--auto-approve").args(faults.iter().flat_map(|fault| ["--fault", fault])).env("PKCE_GRACE", "0");
    finish(idp.args(["--", "sh", "-c", &line]), b"")
}

/// A long detail as it is in the table.
fn cut(detail: &str) -> String {
    detail.chars().take(97).collect::<String>() + "..."
}

/// The detail of a check in the JSON object.
fn detail(output: &Output, name: &str) -> String {
    let report = output.json();
    let check = report["checks"].as_array().unwrap().iter().find(|check| check["check"] == name).unwrap();
    check["detail"].as_str().unwrap().to_owned()
}

/// The table below a login that failed.
fn after_a_failed_login() -> String {
    CHECKS[3..].iter().map(|check| format!("not checked  {check:<26} the login failed\n")).collect()
}

/// The lines of the table that are no pass, the space between result and check made one.
fn others(output: &Output) -> Vec<String> {
    let lines = output.stdout.lines().map(|line| line.split_at(13));
    let lines = lines.map(|(result, check)| (result.trim_end(), check.trim_end()));
    let cut = |check: &str| check.chars().take(27).collect::<String>().trim_end().to_owned();
    let checks: HashSet<String> = lines.clone().map(|(_, check)| cut(check)).collect();
    assert_eq!(checks, CHECKS.map(str::to_owned).into(), "{output:?}");
    let others = lines.filter(|(result, _)| *result != "pass");
    others
        .map(|(result, check)| format!("{result}: {}", check.split_whitespace().collect::<Vec<_>>().join(" ")))
        .map(|line| without_ports(&line))
        .collect()
}

#[test]
fn finds_nothing_wrong_with_a_strict_server() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    for shell in ["dash", "bash"] {
        let output = checked(shell, &[], "");
        assert_eq!((output.status, others(&output)), (0, vec![]), "{output:?}");
        let table = "pass         discovery\npass         S256 advertised\npass         login\npass         iss sent\n\
                     pass         id token\n";
        assert!(output.stdout.starts_with(table), "{}", output.stdout);
        let line = "\npass         wrong verifier refused     token endpoint: invalid_grant: \
                    code_verifier does not match code_challenge\n";
        assert!(output.stdout.contains(line), "{}", output.stdout);
        assert_eq!(output.stderr.matches("to sign in, open this URL").count(), 5);
    }
}

#[test]
fn finds_what_a_server_is_lax_about() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    let none = "no refresh token was issued";
    let same = "the refresh token is not replaced";
    let after = "after 0 s (PKCE_GRACE)";
    let without = |status| format!("not checked: missing verifier refused the response ({status}) has no access_token");
    let mut lax: HashSet<String> = run("pkce-idp", &["--list-faults"], "")
        .stdout
        .lines()
        .filter(|line| line.contains("check-provider.sh"))
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .collect();
    assert!(lax.len() >= 10, "{lax:?}");
    let cases = [
        (
            vec!["no-pkce"],
            1,
            vec![
                "fail: plain refused tokens were issued".to_owned(),
                "fail: missing challenge refused tokens were issued".to_owned(),
                "fail: wrong verifier refused tokens were issued".to_owned(),
                "fail: missing verifier refused tokens were issued".to_owned(),
            ],
        ),
        (vec!["plain"], 1, vec!["fail: plain refused tokens were issued".to_owned()]),
        (vec!["no-challenge"], 1, vec!["fail: missing challenge refused tokens were issued".to_owned()]),
        (vec!["any-verifier"], 1, vec!["fail: wrong verifier refused tokens were issued".to_owned()]),
        (vec!["no-verifier"], 1, vec!["fail: missing verifier refused tokens were issued".to_owned()]),
        (vec!["replay"], 1, vec!["fail: replay refused the code was accepted twice".to_owned()]),
        (vec!["no-iss"], 0, vec!["not offered: iss sent".to_owned()]),
        (
            vec!["no-refresh"],
            0,
            ["rotation", "reuse refused", "reuse ends the grant"]
                .map(|check| format!("not offered: {check} {none}"))
                .into(),
        ),
        (
            vec!["no-rotation"],
            1,
            vec![
                format!("fail: rotation {same} {after}"),
                format!("not offered: reuse refused {same}"),
                format!("not offered: reuse ends the grant {same}"),
            ],
        ),
        (
            vec!["reuse"],
            1,
            vec![
                format!("fail: reuse refused the old refresh token was accepted {after}"),
                "fail: reuse ends the grant the new refresh token is still valid".to_owned(),
            ],
        ),
        (vec!["no-revocation"], 1, vec!["fail: revocation the refresh token is still valid".to_owned()]),
        (
            vec!["metadata-no-pkce"],
            1,
            vec!["fail: S256 advertised code_challenge_methods_supported does not list it".to_owned()],
        ),
        (
            vec!["redirect-iss-missing"],
            1,
            vec!["fail: iss sent missing, although the metadata says that it is sent".to_owned()],
        ),
        (vec!["id_token-aud-other"], 1, vec!["fail: id token id_token: aud: other instead of pkce-tools".to_owned()]),
        (vec!["metadata-no-revocation"], 0, vec!["not offered: revocation".to_owned()]),
        (
            vec!["revoke-503"],
            3,
            vec!["not checked: revocation revocation endpoint: the server responded with 503".to_owned()],
        ),
        (
            vec!["refresh-refused@1"],
            1,
            vec![
                "fail: rotation token endpoint: invalid_grant: simulated by --fault".to_owned(),
                "not checked: reuse refused the refresh failed".to_owned(),
                "not checked: reuse ends the grant the refresh failed".to_owned(),
                "not checked: revocation the refresh failed".to_owned(),
            ],
        ),
        (vec!["metadata-pushed"], 0, vec![]),
        // What settles nothing is no refusal. The second token request is the code sent again, the third the wrong
        // verifier, the fourth the missing one; the fifth redirect brings the code for the wrong verifier.
        (
            vec!["token-500@2"],
            3,
            vec!["not checked: replay refused token endpoint: the server responded with 500: oops; the code may be spent".to_owned()],
        ),
        (
            vec!["token-lost@3"],
            3,
            vec![
                "not checked: wrong verifier refused token endpoint: 127.0.0.1:PORT: the server closed the connection; the code may be spent"
                    .to_owned(),
            ],
        ),
        (vec!["token-empty@4"], 3, vec![without(200)]),
        (vec!["token-html@4"], 3, vec![without(200)]),
        (vec!["token-429@4"], 3, vec![without(429)]),
        (vec!["token-500@4"], 3, vec![without(500)]),
        (
            vec!["revoke-401"],
            0,
            vec!["not offered: revocation not allowed without a client secret (revocation endpoint: the server responded with 401)".to_owned()],
        ),
        (
            vec!["redirect-error-access_denied@5"],
            3,
            vec!["not checked: wrong verifier refused authorization endpoint: access_denied: simulated by --fault".to_owned()],
        ),
        (vec!["authorize-500@5"], 3, vec!["not checked: wrong verifier refused no redirect came".to_owned()]),
        (
            vec!["no-challenge", "redirect-error-access_denied@5"],
            3,
            vec![
                "not checked: missing challenge refused authorization endpoint: access_denied: simulated by --fault".to_owned(),
            ],
        ),
        // A refusal in other words is one.
        (vec!["token-400@2"], 0, vec![]),
        (vec!["token-400@4"], 0, vec![]),
        (vec!["token-401@4"], 0, vec![]),
        (vec!["token-404@4"], 0, vec![]),
        (vec!["token-error-invalid_client@4"], 0, vec![]),
        (vec!["no-challenge", "redirect-error-invalid_request@5"], 0, vec![]),
        (
            vec!["metadata-pushed", "no-challenge"],
            1,
            vec!["fail: missing challenge refused tokens were issued".to_owned()],
        ),
    ];
    thread::scope(|scope| {
        for (faults, status, found) in &cases {
            scope.spawn(move || {
                let output = checked("dash", faults, "");
                assert_eq!((output.status, &others(&output)), (*status, found), "{faults:?}: {output:?}");
            });
        }
    });
    for (faults, ..) in cases {
        lax.remove(faults[0]);
    }
    assert!(lax.is_empty(), "not looked for: {lax:?}");
}

#[test]
fn takes_nothing_for_a_refusal_that_it_cannot_read_at_a_terminal() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    let script = format!("dash '{}' \"$PKCE_ISSUER\"; echo \"status=$?\"", script());
    let faults = ["--fault", "no-challenge", "--fault", "redirect-error-access_denied@5"];
    let terminal = Terminal::start("pkce-idp", root(), |idp| {
        idp.arg("--auto-approve").args(faults).args(["--", "sh", "-c", &script]).env("PKCE_GRACE", "0")
    });
    let (_, seen) = terminal.end();
    let seen = seen.replace('\r', "");
    assert!(seen.contains("pkce-callback: authorization endpoint: access_denied: simulated by --fault\n"), "{seen}");
    let line = "\nnot checked  missing challenge refused  authorization endpoint: the error above\n";
    assert!(seen.contains(line) && seen.contains("status=3"), "{seen}");
    assert_eq!(seen.matches("\npass ").count() + usize::from(seen.starts_with("pass ")), 13, "{seen}");
}

#[test]
fn names_the_scope_at_a_terminal_where_the_login_fails() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    let reason = "authorization endpoint: the error above; set PKCE_SCOPE if it is invalid_scope";
    let rest = after_a_failed_login();
    // Which of the errors it is, only the user can read.
    let hint = "hint: the requested scope was openid offline_access; request another with pkce-url --scope, or \
                allow it for the client\n";
    for (error, hint) in [("invalid_scope", hint), ("access_denied", "")] {
        let terminal = Terminal::start("pkce-idp", root(), |idp| {
            let fault = format!("redirect-error-{error}");
            let script = format!("dash '{}' \"$PKCE_ISSUER\"", script());
            idp.args(["--auto-approve", "--fault", &fault, "--", "sh", "-c", &script])
        });
        let (status, seen) = terminal.end();
        let expected = format!(
            "{LOGIN}1: a correct request\n{OPEN}{PASTE}\
             pkce-callback: authorization endpoint: {error}: simulated by --fault\n{hint}\
             pass         discovery\npass         S256 advertised\n\
             not checked  login                      {reason}\n{rest}"
        );
        assert_eq!((status, without_urls(&seen)), (Some(3), expected));
    }
}

#[test]
fn takes_no_number_of_seconds_and_no_method_that_there_is_not() {
    if lacks(&["dash"]) {
        return;
    }
    let server = peer(Peer::Keycloak(0), String::new(), json!({}));
    let grace = "check-provider: PKCE_GRACE: must be a whole number of seconds\n";
    let method = "check-provider: PKCE_AUTH_METHOD: must be none, client_secret_basic or client_secret_post\n";
    for (variable, value, message) in [
        ("PKCE_GRACE", "five", grace),
        ("PKCE_GRACE", "5s", grace),
        ("PKCE_GRACE", "1.5", grace),
        ("PKCE_GRACE", "-1", grace),
        ("PKCE_GRACE", " 5", grace),
        ("PKCE_GRACE", "1\n2", grace),
        ("PKCE_GRACE", "$(date)", grace),
        ("PKCE_AUTH_METHOD", "post", method),
        ("PKCE_AUTH_METHOD", "private_key_jwt", method),
        ("PKCE_AUTH_METHOD", "none\n", method),
    ] {
        let output = finish(checking(&server).env(variable, value), b"");
        let expected = Output { status: 2, stdout: String::new(), stderr: message.to_owned() };
        assert_eq!(output, expected, "{variable}={value}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn says_what_could_not_be_checked_where_nothing_can() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    let without = |checks: &[&str], why: &str| -> Vec<String> {
        let left = CHECKS.iter().filter(|check| !checks.contains(check));
        left.map(|check| format!("not checked: {check} {why}")).collect()
    };
    let (metadata, login) = ("no metadata was found", "the login failed");
    let before = ["discovery", "S256 advertised", "login"];
    for (fault, status, first, rest) in [
        (
            "metadata-issuer-other",
            1,
            "fail: discovery metadata: issuer: https://other.example instead of http://127.0.0.1:PORT",
            without(&before[..1], metadata),
        ),
        (
            "metadata-issuer-template",
            1,
            "fail: discovery metadata: issuer: http://127.0.0.1:PORT/{tenantid} instead of http://127.0.0.1:PORT; \
             use your tenant's own issuer",
            without(&before[..1], metadata),
        ),
        (
            "metadata-plain-endpoint",
            1,
            "fail: discovery metadata: token_endpoint: plain http is only allowed to this machine; use https; \
             set PKCE_HTTP_HOSTS for a test network",
            without(&before[..1], metadata),
        ),
        ("metadata-404", 1, "fail: discovery metadata: not found (404)", without(&before[..1], metadata)),
        (
            "metadata-503",
            3,
            "not checked: discovery metadata: the server responded with 503",
            without(&before[..1], metadata),
        ),
        (
            "redirect-error-access_denied",
            3,
            "not checked: login authorization endpoint: access_denied: simulated by --fault",
            without(&before, login),
        ),
        (
            "redirect-error-invalid_scope",
            1,
            "fail: login authorization endpoint: invalid_scope: simulated by --fault; \
             set PKCE_SCOPE to scopes that the server grants to this client",
            without(&before, login),
        ),
        (
            "token-error-invalid_scope",
            1,
            "fail: login token endpoint: invalid_scope: simulated by --fault; \
             set PKCE_SCOPE to scopes that the server grants to this client",
            without(&before, login),
        ),
        (
            "token-error-invalid_client",
            1,
            "fail: login token endpoint: invalid_client: simulated by --fault; \
             set PKCE_AUTH_METHOD and PKCE_CLIENT_SECRET_FILE as the client is registered",
            without(&before, login),
        ),
        ("redirect-state-other@1", 3, "not checked: login no redirect came", without(&before, login)),
        ("redirect-code-twice@1", 1, "fail: login the redirect failed a check", without(&before, login)),
        ("token-503@1", 3, "not checked: login token endpoint: the server responded with 503", without(&before, login)),
        (
            "token-type-mac@1",
            1,
            "fail: login token endpoint: token_type: not Bearer, the only supported type; the code may be spent",
            without(&before, login),
        ),
    ] {
        let output = checked("bash", &[fault], "");
        let expected: Vec<String> = std::iter::once(first.to_owned()).chain(rest).collect();
        assert_eq!((output.status, others(&output)), (status, expected), "{fault}: {output:?}");
    }
}

#[test]
fn says_how_to_write_the_issuer_where_only_its_final_slash_differs() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    for (path, issuer, named, requested, cure) in
        [("", "$PKCE_ISSUER/", "", "/", "without the"), ("/", "${PKCE_ISSUER%/}", "/", "", "with a")]
    {
        let mut idp = command("pkce-idp");
        let line = format!("dash '{}' \"{issuer}\"; echo \"status=$?\"", script());
        idp.args(["--auto-approve", "--issuer-path", path, "--", "sh", "-c", &line]);
        let output = finish(&mut idp, b"");
        let rest: String =
            CHECKS[1..].iter().map(|check| format!("not checked  {check:<26} no metadata was found\n")).collect();
        let expected = format!(
            "fail         discovery                  metadata: issuer: http://127.0.0.1:PORT{named} instead of \
             http://127.0.0.1:PORT{requested}; use ISSUER {cure} final slash\n{rest}status=1\n"
        );
        let shown = Output { stdout: without_ports(&output.stdout), ..output };
        assert_eq!(shown, Output { status: 0, stdout: expected, stderr: String::new() }, "{issuer}");
    }
}

#[test]
fn prints_the_same_as_json() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    for (fault, status, [passed, failed, not_offered, not_checked]) in
        [("no-rotation", 1, [11, 1, 2, 0]), ("no-iss", 0, [13, 0, 1, 0]), ("metadata-503", 3, [0, 0, 0, 14])]
    {
        let line = format!("dash '{}' --json \"$PKCE_ISSUER\"", script());
        let mut idp = command("pkce-idp");
        idp.args(["--auto-approve", "--fault", fault, "--", "sh", "-c", &line]).env("PKCE_GRACE", "0");
        let output = finish(&mut idp, b"");
        assert_eq!(output.status, status, "{output:?}");
        let report = output.json();
        for (name, number) in
            [("passed", passed), ("failed", failed), ("not_offered", not_offered), ("not_checked", not_checked)]
        {
            assert_eq!(report[name], number, "{fault} {name}: {report}");
        }
        let checks: Vec<String> = report["checks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|check| check["check"].as_str().unwrap().replace('_', " "))
            .collect();
        let all: HashSet<&str> = checks.iter().map(String::as_str).collect();
        assert_eq!((checks.len(), all), (CHECKS.len(), CHECKS.into()), "{fault}");
        assert!(report["issuer"].as_str().unwrap().starts_with("http://127.0.0.1:"));
        for check in report["checks"].as_array().unwrap() {
            let words: HashSet<&str> = check.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(words, HashSet::from(["check", "result", "detail"]));
        }
    }
}

#[test]
fn registers_a_client_where_none_is_named() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    let output = checked("dash", &[], "unset PKCE_CLIENT_ID;");
    assert_eq!((output.status, others(&output)), (0, vec![]), "{output:?}");
    assert!(!output.stderr.contains("client_id=pkce-tools"), "{output:?}");
    let output = checked("dash", &["metadata-no-registration"], "unset PKCE_CLIENT_ID;");
    assert_eq!((output.status, output.stdout.as_str()), (2, ""), "{output:?}");
    let said: Vec<&str> = output.stderr.lines().collect();
    assert_eq!(
        said,
        [
            "pkce-register: registration_endpoint: missing",
            "hint: no registration is needed: publish a client ID metadata document, and pass its URL to pkce-url --client-id",
            "check-provider: PKCE_CLIENT_ID: set it to the client_id of a client that the server knows",
        ]
    );
}

#[test]
fn says_how_it_is_called() {
    if lacks(&["dash", "jq"]) {
        return;
    }
    let usage = "usage: check-provider.sh [--json] ISSUER [PKCE_URL_OPTION...]\n";
    for args in [&[][..], &["--json"], &["--help"], &["--json", "-x"]] {
        let output = finish(command("dash").arg(script()).args(args), b"");
        assert_eq!((output.status, output.stdout.as_str(), output.stderr.as_str()), (2, "", usage), "{args:?}");
    }
    // What pkce-discover says, and no blame for a server: an issuer in plain http or in another spelling is 4 there.
    for (issuer, message, hint) in [
        ("id.example", "must begin with https://", ""),
        ("https://", "not a URL", ""),
        ("https://id.example/?x", "must not have a query (?)", ""),
        (
            "https://id.example/.well-known/openid-configuration",
            "the URL of a metadata document, not of the server or resource",
            "hint: try https://id.example\n",
        ),
        (
            "http://id.example",
            "plain http is only allowed to this machine; use https",
            "hint: for a test network, list its hosts in PKCE_HTTP_HOSTS",
        ),
        ("https://0x7f.1", "the host must not be another spelling of an IP address or of localhost", "hint: "),
    ] {
        let said = run("pkce-discover", &[issuer], "").stderr;
        assert!(said.starts_with(&format!("pkce-discover: issuer: {message}\n{hint}")), "{said}");
        let output = finish(command("dash").arg(script()).arg(issuer), b"");
        assert_eq!(output, Output { status: 2, stdout: String::new(), stderr: said }, "{issuer}");
    }
}

#[test]
fn ends_with_the_message_where_the_client_or_an_option_cannot_be_used_and_names_its_own_variables() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    let directory = new_directory();
    let file = directory.path().join("secret").display().to_string();
    std::fs::write(&file, "s3cret\n").unwrap();
    // What a tool itself says about a server that lists no method to send the secret, as pkce-idp does.
    let says = |tool: &str| {
        let url = "http://127.0.0.1:1/";
        let document = json!({
            "issuer": url, "token_endpoint": url, "pushed_authorization_request_endpoint": url, "client_id": "cli",
            "code": "c0de", "code_verifier": "v".repeat(43), "redirect_uri": "http://127.0.0.1:7/callback",
            "authorization_endpoint": url, "authorization_url": format!("{url}?client_id=cli&code_challenge=c"),
            "token_endpoint_auth_methods_supported": ["none"],
        });
        let output = finish(command(tool).env("PKCE_CLIENT_SECRET_FILE", &file), document.to_string().as_bytes());
        assert!(output.status == 2 && output.stderr.contains("so the client secret is not sent"), "{output:?}");
        output.stderr
    };
    let own = "check-provider: set PKCE_AUTH_METHOD and PKCE_CLIENT_SECRET_FILE as the client is registered\n";
    let argument = finish(command("pkce-url").args(["--param", "code_verifier=v"]), b"{}").stderr;
    assert!(argument.starts_with("pkce-url: --param: code_verifier: a secret must not be an argument"), "{argument}");
    let secret = format!("PKCE_CLIENT_SECRET_FILE='{file}'");
    let login = format!("{LOGIN}1: a correct request\n");
    for (faults, before, option, expected) in [
        (&[][..], secret.as_str(), "", format!("{login}{OPEN}{}{own}", says("pkce-exchange"))),
        (&["metadata-pushed"], &secret, "", format!("{}{own}", says("pkce-push"))),
        (
            &[],
            "PKCE_AUTH_METHOD=client_secret_post",
            "",
            format!(
                "{login}{OPEN}pkce-exchange: client_secret: missing, but the client's authentication method requires \
                 it\nhint: name its file with --client-secret-file or PKCE_CLIENT_SECRET_FILE, or a command that prints it with \
                 --client-secret-command\n{own}"
            ),
        ),
        (&[], "", "--param code_verifier=v", argument),
        (
            &[],
            "",
            "--redirect-uri https://127.0.0.1/callback",
            format!(
                "{login}pkce-callback: redirect_uri: https, so pkce-callback cannot listen there\n\
                 hint: use --paste to paste the address that the browser was redirected to, or --listen where it is \
                 forwarded to this machine\n"
            ),
        ),
    ] {
        let output = checked_with("dash", faults, before, option);
        let said = without_urls(&output.stderr);
        assert_eq!((output.status, output.stdout.as_str(), said), (2, "", expected), "{faults:?} {option}");
    }
}

#[test]
fn shows_no_secret_with_a_trace_and_leaves_nothing_behind() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    let directory = new_directory();
    let at = directory.path().display();
    // What each step prints is saved, to look for it in what the script prints.
    let shims = directory.path().join("shims");
    std::fs::create_dir_all(&shims).unwrap();
    for tool in ["pkce-gen", "pkce-callback", "pkce-exchange", "pkce-refresh"] {
        let real = common::bin().join(tool);
        let shim = format!("#!/bin/bash\nset -o pipefail\n'{}' \"$@\" | tee -a '{at}/seen'\n", real.display());
        write_program(&shims.join(tool), &shim);
    }
    std::fs::create_dir(directory.path().join("temp")).unwrap();
    let before = format!("export PATH='{at}/shims':\"$PATH\" TMPDIR='{at}/temp';");
    for faults in [vec![], vec!["no-challenge", "no-verifier", "replay"]] {
        let output = checked("bash -x", &faults, &before);
        assert_eq!(output.status, i32::from(!faults.is_empty()), "{output:?}");
        assert!(output.stderr.contains("\n+ refused replay_refused"), "{output:?}");
        let seen = std::fs::read_to_string(directory.path().join("seen")).unwrap();
        let mut secrets = HashSet::new();
        for document in seen.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            for name in ["code", "code_verifier", "access_token", "refresh_token", "id_token"] {
                secrets.extend(document[name].as_str().map(str::to_owned));
            }
        }
        assert!(secrets.len() > 20, "{secrets:?}");
        for secret in secrets {
            assert!(!output.stdout.contains(&secret) && !output.stderr.contains(&secret), "{secret}: {output:?}");
        }
        assert_eq!(std::fs::read_dir(directory.path().join("temp")).unwrap().count(), 0);
    }
}

/// What is known of a server's behavior: each was asked the same questions with curl.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Peer {
    /// Replaces no refresh token in its first seconds, so many, and accepts a replaced one for as long.
    Dex(u64),
    /// Accepts a replaced refresh token for a second (really 3); later, it ends the session.
    Kanidm,
    /// Accepts a replaced refresh token so often, at any time, and then ends the session: Revoke Refresh Token, with its
    /// Refresh Token Max Reuse, and `usize::MAX` where it is off.
    Keycloak(usize),
    /// Has a client that is registered for client_secret_post, lists client_secret_basic too, and explains each error.
    Hydra,
    /// Responds to a missing verifier, and to a login without `Accept: text/html`, with 401 and nothing else, gives public
    /// clients no refresh token, and refuses their revocation.
    Spring,
    /// Sends a sentence as the error.
    PocketId,
    /// Replaces no refresh token, ever.
    Same,
    /// Issues no refresh token, and its userinfo endpoint responds with these statuses, one after the other; it has none
    /// where they are 0.
    Userinfo([u16; 2]),
    /// Accepts codes without verifier, with a response that names other endpoints.
    Steering,
    /// Refuses with commands of CI runners.
    Commanding,
}

/// A refresh token of such a server.
struct Refresh {
    session: usize,
    issued: Instant,
    replaced: Option<Instant>,
    uses: usize,
}

#[derive(Default)]
struct State {
    codes: HashMap<String, (String, bool)>,
    refresh_tokens: HashMap<String, Refresh>,
    ended: HashSet<usize>,
    number: usize,
    asked: usize,
}

/// A server that behaves so, with more metadata; `elsewhere` is what the responses of one name.
fn peer(peer: Peer, elsewhere: String, more: Value) -> Server {
    Server::start(responding(peer, elsewhere, more))
}

/// The responses of such a server.
fn responding(peer: Peer, elsewhere: String, more: Value) -> impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static {
    let state = Mutex::new(State::default());
    move |seen| {
        let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
        let text = if seen.method == "POST" { seen.body.as_str() } else { query };
        let pairs: HashMap<String, String> = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        let base = format!("http://{}", seen.header("Host").unwrap());
        let mut state = state.lock().unwrap();
        if peer == Peer::Hydra && seen.method == "POST" && pairs.get("client_secret").is_none_or(|own| own != "s3cret")
        {
            let error = json!({ "error": "invalid_client", "error_description": NO_CLIENT });
            return response(401, "application/json", &error.to_string());
        }
        match path {
            "/.well-known/openid-configuration" => {
                let mut metadata = json!({
                    "issuer": base, "authorization_endpoint": format!("{base}/authorize"),
                    "token_endpoint": format!("{base}/token"), "revocation_endpoint": format!("{base}/revoke"),
                    "code_challenge_methods_supported": ["S256"],
                });
                if matches!(peer, Peer::Userinfo([before, _]) if before > 0) {
                    metadata["userinfo_endpoint"] = json!(format!("{base}/userinfo"));
                }
                json_response(&changed(metadata, &more))
            }
            "/authorize" if peer == Peer::Spring && seen.header("Accept") == Some("*/*") => response(401, "", ""),
            "/authorize" => {
                let back = match pairs.get("code_challenge_method").map(String::as_str) {
                    Some("S256") => {
                        state.number += 1;
                        let code = format!("c0de-{}", state.number);
                        state.codes.insert(code.clone(), (pairs["code_challenge"].clone(), false));
                        format!("code={code}")
                    }
                    _ => "error=invalid_request".to_owned(),
                };
                let to = format!("{}?{back}&state={}", pairs["redirect_uri"], pairs["state"]);
                format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n").into_bytes()
            }
            "/token" if pairs["grant_type"] == "refresh_token" => refreshed(&mut state, peer, &pairs["refresh_token"]),
            "/token" => exchanged(&mut state, peer, &pairs, &elsewhere),
            "/revoke" if peer == Peer::Spring => response(401, "application/json", "{\"error\":\"invalid_client\"}"),
            "/revoke" => {
                let session = state.refresh_tokens.get(&pairs["token"]).map(|token| token.session);
                state.ended.extend(session);
                response(200, "", "")
            }
            "/userinfo" => {
                assert!(seen.header("Authorization").unwrap().starts_with("Bearer t0ken-"), "{seen:?}");
                state.asked += 1;
                let Peer::Userinfo(statuses) = peer else { panic!("{seen:?}") };
                response(statuses[state.asked - 1], "", "")
            }
            _ => response(404, "", ""),
        }
    }
}

fn refusal(peer: Peer) -> Vec<u8> {
    let error = match peer {
        Peer::PocketId => "Invalid authorization code",
        Peer::Commanding => COMMANDS,
        _ => "invalid_grant",
    };
    let mut body = json!({ "error": error });
    if peer == Peer::Hydra {
        body["error_description"] = json!(NO_GRANT);
    }
    response(400, "application/json", &body.to_string())
}

/// What Hydra says of a client that does not authenticate as it is registered.
const NO_CLIENT: &str = "Client authentication failed (e.g., unknown client, no client authentication included, or \
                         unsupported authentication method).";

/// What Hydra says of a code or a refresh token that it refuses.
const NO_GRANT: &str = "The provided authorization grant (e.g., authorization code, resource owner credentials) or \
                        refresh token is invalid, expired, revoked, or was issued to another client.";

/// What runners take for commands, and what a terminal obeys.
const COMMANDS: &str = "::error::a ##vso[task.setvariable variable=b]c ###[group]d ##teamcity[message text='e'] \
                        ::set-output name=f::g \u{1b}[0m\n::endgroup::";

/// The same as it is printed.
const HARMLESS: &str = ": :error: :a # #vso[task.setvariable variable=b]c # # #[group]d # #teamcity[message text='e'] \
                        : :set-output name=f: :g ?[0m?: :endgroup::";

fn exchanged(state: &mut State, peer: Peer, pairs: &HashMap<String, String>, elsewhere: &str) -> Vec<u8> {
    let (challenge, used) = state.codes.get_mut(&pairs["code"]).unwrap();
    let verified = match pairs.get("code_verifier") {
        None if peer == Peer::Spring => return response(401, "", ""),
        None => peer == Peer::Steering,
        Some(verifier) => URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == *challenge,
    };
    if !verified || *used {
        return refusal(peer);
    }
    *used = true;
    state.number += 1;
    let session = state.number;
    let mut tokens = json!({ "access_token": format!("t0ken-{session}"), "token_type": "Bearer", "expires_in": 60 });
    if !matches!(peer, Peer::Spring | Peer::Userinfo(_)) {
        tokens["refresh_token"] = json!(issued(state, session));
    }
    if peer == Peer::Steering {
        tokens["revocation_endpoint"] = json!(elsewhere);
        tokens["token_endpoint"] = json!(elsewhere);
        tokens["client_secret"] = json!("s3cret-of-nobody");
    }
    json_response(&tokens)
}

fn issued(state: &mut State, session: usize) -> String {
    state.number += 1;
    let token = format!("r3fresh-{}", state.number);
    state.refresh_tokens.insert(token.clone(), Refresh { session, issued: Instant::now(), replaced: None, uses: 0 });
    token
}

fn refreshed(state: &mut State, peer: Peer, token: &str) -> Vec<u8> {
    let known = state.refresh_tokens.get_mut(token).unwrap();
    let session = known.session;
    let is_late = known.replaced.is_some_and(|replaced| match peer {
        Peer::Dex(grace) => replaced.elapsed() > Duration::from_secs(grace),
        Peer::Kanidm => replaced.elapsed() > Duration::from_secs(1),
        Peer::Keycloak(reuses) => known.uses > reuses,
        _ => true,
    });
    known.uses += 1;
    let stays = match peer {
        Peer::Dex(grace) => known.issued.elapsed() < Duration::from_secs(grace),
        _ => peer == Peer::Same,
    };
    if state.ended.contains(&session) || is_late {
        // Dex refuses the old token alone.
        state.ended.extend((is_late && !matches!(peer, Peer::Dex(_))).then_some(session));
        return refusal(peer);
    }
    let next = match () {
        () if stays => token.to_owned(),
        () => {
            known.replaced.get_or_insert(Instant::now());
            issued(state, session)
        }
    };
    json_response(&json!({ "access_token": "t0ken", "token_type": "Bearer", "refresh_token": next }))
}

/// The script, at such a server.
fn checking(server: &Server) -> Command {
    checking_by(&["dash"], &[], server)
}

/// The same by this shell, with options of both.
fn checking_by(shell: &[&str], options: &[&str], server: &Server) -> Command {
    let mut run = command(shell[0]);
    run.args(&shell[1..]).arg(script()).args(options).arg(server.url("")).envs(variables());
    run
}

/// The environment of the script: a client, a browser, and no wait for a grace period.
fn variables() -> [(&'static str, String); 4] {
    let browser = common::browser();
    [("PKCE_CLIENT_ID", "cli"), ("PKCE_SCOPE", "offline_access"), ("PKCE_GRACE", "0"), ("BROWSER", &browser)]
        .map(|(name, value)| (name, value.to_owned()))
}

#[test]
fn sends_a_client_secret_in_each_request_as_the_server_lists_it() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    let directory = new_directory();
    let file = directory.path().join("secret");
    std::fs::write(&file, "s3cret\n").unwrap();
    for (more, is_basic) in [
        (json!({}), true),
        (json!({ "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"] }), true),
        (json!({ "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_post"] }), false),
    ] {
        let server = peer(Peer::PocketId, String::new(), more);
        let output = finish(checking(&server).env("PKCE_CLIENT_SECRET_FILE", &file), b"");
        assert_eq!(output.status, 0, "{output:?}");
        let seen = server.requests();
        let posted: Vec<_> = seen.iter().filter(|seen| seen.method == "POST").collect();
        assert!(posted.iter().any(|seen| seen.body.contains("c0de") && !seen.body.contains("code_verifier")));
        for seen in posted {
            let basic = is_basic.then_some("Basic Y2xpOnMzY3JldA==");
            assert_eq!((seen.header("Authorization"), seen.body.contains("client_secret=s3cret")), (basic, !is_basic));
        }
    }
}

#[test]
fn judges_servers_that_refuse_in_their_own_way() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    let same = "the refresh token is not replaced";
    let none = "no refresh token was issued";
    let valid = "fail: reuse ends the grant the new refresh token is still valid".to_owned();
    let not_offered = ["not offered: iss sent", "not offered: id token"].map(str::to_owned);
    let not_replaced = |seconds: usize| {
        vec![
            format!("fail: rotation {same} after {seconds} s (PKCE_GRACE)"),
            format!("not offered: reuse refused {same}"),
            format!("not offered: reuse ends the grant {same}"),
        ]
    };
    let accepted = |seconds: usize| {
        let reuse = format!("fail: reuse refused the old refresh token was accepted after {seconds} s (PKCE_GRACE)");
        vec![reuse, valid.clone()]
    };
    let cases = [
        // With this PKCE_GRACE, or the default.
        (Peer::Dex(1), Some("2"), 1, vec![valid.clone()]),
        (Peer::Dex(600), Some("1"), 1, not_replaced(1)),
        (Peer::Dex(600), None, 1, not_replaced(5)),
        (Peer::Kanidm, Some("2"), 0, vec![]),
        (Peer::Kanidm, None, 0, vec![]),
        (Peer::Keycloak(0), Some("0"), 0, vec![]),
        (Peer::Keycloak(1), Some("0"), 1, accepted(0)),
        (Peer::Keycloak(1), Some(""), 1, accepted(5)),
        (Peer::Keycloak(usize::MAX), Some("1"), 1, accepted(1)),
        (
            Peer::Spring,
            Some("0"),
            0,
            vec![
                format!("not offered: rotation {none}"),
                format!("not offered: reuse refused {none}"),
                format!("not offered: reuse ends the grant {none}"),
                "not offered: revocation not allowed without a client secret (revocation endpoint: invalid_client)"
                    .to_owned(),
            ],
        ),
        (Peer::PocketId, Some("0"), 0, vec![]),
        (Peer::Same, Some("0"), 1, not_replaced(0)),
        (Peer::Steering, Some("0"), 1, vec!["fail: missing verifier refused tokens were issued".to_owned()]),
    ];
    thread::scope(|scope| {
        for (kind, grace, status, found) in cases {
            let not_offered = &not_offered;
            scope.spawn(move || {
                let elsewhere = Server::start(|_| response(200, "", ""));
                let server = peer(kind, elsewhere.url("/steered"), json!({}));
                let mut run = checking(&server);
                run.env_remove("PKCE_GRACE").envs(grace.map(|seconds| ("PKCE_GRACE", seconds)));
                let output = finish(&mut run, b"");
                let expected = [not_offered.to_vec(), found].concat();
                assert_eq!((output.status, others(&output)), (status, expected), "{kind:?}: {output:?}");
                assert_eq!(elsewhere.requests().len(), 0, "{kind:?}");
                // Each token that was issued is revoked, where it was issued.
                let seen = server.requests();
                let revoked = seen.iter().filter(|seen| seen.target == "/revoke").count();
                assert!(revoked > 0 && seen.iter().all(|seen| !seen.body.contains("s3cret")), "{kind:?}");
            });
        }
    });
}

#[test]
fn takes_no_userinfo_endpoint_that_never_accepts_a_token_for_a_proof_of_revocation() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    let none = "no refresh token was issued";
    let rest =
        ["rotation", "reuse refused", "reuse ends the grant"].map(|check| format!("not offered: {check} {none}"));
    let unproven = "not checked: revocation no refresh token, and no userinfo endpoint that accepts the access token \
                    until it is revoked";
    let valid = "fail: revocation the access token is still valid";
    for (before, after, status, found) in [
        (200, 401, 0, None),
        (401, 401, 3, Some(unproven)),
        (503, 401, 3, Some(unproven)),
        (200, 503, 3, Some(unproven)),
        (200, 407, 3, Some(unproven)),
        (200, 200, 1, Some(valid)),
        (503, 200, 1, Some(valid)),
        (0, 0, 3, Some(unproven)),
    ] {
        let server = peer(Peer::Userinfo([before, after]), String::new(), json!({}));
        let output = finish(&mut checking(&server), b"");
        let expected: Vec<String> = ["not offered: iss sent", "not offered: id token"]
            .map(str::to_owned)
            .into_iter()
            .chain(rest.clone())
            .chain(found.map(str::to_owned))
            .collect();
        assert_eq!((output.status, others(&output)), (status, expected), "{before} {after}: {output:?}");
        let line = "\npass         revocation                 userinfo endpoint: 401\n";
        assert_eq!(output.stdout.ends_with(line), found.is_none(), "{output:?}");
        assert!(!output.stdout.contains("t0ken") && !output.stderr.contains("t0ken"), "{output:?}");
    }
}

#[test]
fn judges_a_server_at_a_terminal_as_elsewhere_where_it_refuses_a_browser_at_once() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    let server = peer(Peer::Spring, String::new(), json!({}));
    let terminal = Terminal::start("dash", root(), |shell| shell.arg(script()).arg(server.url("")).envs(variables()));
    let (status, seen) = terminal.end();
    let logins = ["a correct request", "wrong_verifier_refused", "missing_verifier_refused", "rotation", "revocation"];
    let logins = logins.iter().enumerate();
    let logins: String = logins.map(|(index, what)| format!("{LOGIN}{}: {what}\n{OPEN}{PASTE}", index + 1)).collect();
    let table = "pass         discovery\npass         S256 advertised\npass         login\nnot offered  iss sent\n\
                 not offered  id token\n\
                 pass         replay refused             token endpoint: invalid_grant\n\
                 pass         plain refused              authorization endpoint: invalid_request\n\
                 pass         missing challenge refused  authorization endpoint: invalid_request\n\
                 pass         wrong verifier refused     token endpoint: invalid_grant\n\
                 pass         missing verifier refused   the response (401) has no access_token\n\
                 not offered  rotation                   no refresh token was issued\n\
                 not offered  reuse refused              no refresh token was issued\n\
                 not offered  reuse ends the grant       no refresh token was issued\n\
                 not offered  revocation                 not allowed without a client secret \
                 (revocation endpoint: invalid_client)\n";
    assert_eq!((status, without_urls(&seen)), (Some(0), format!("{logins}{table}")));
}

#[test]
fn authenticates_in_each_request_as_it_is_told_and_cuts_long_errors_in_the_table() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    let directory = new_directory();
    let file = directory.path().join("secret");
    std::fs::write(&file, "s3cret\n").unwrap();
    let methods = json!({ "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"] });
    let hint = "; set PKCE_AUTH_METHOD and PKCE_CLIENT_SECRET_FILE as the client is registered";
    let run = |options: &[&str], method: &str| {
        let server = peer(Peer::Hydra, String::new(), methods.clone());
        let mut run = checking_by(&["dash"], options, &server);
        run.env("PKCE_CLIENT_SECRET_FILE", &file).env("PKCE_AUTH_METHOD", method);
        (finish(&mut run, b""), server.requests())
    };
    let why = format!("token endpoint: invalid_client: {NO_CLIENT}");
    let table = format!(
        "pass         discovery\npass         S256 advertised\nfail         login                      {}{hint}\n{}",
        cut(&why),
        after_a_failed_login()
    );
    for method in ["", "client_secret_basic"] {
        let (output, _) = run(&[], method);
        assert_eq!((output.status, output.stdout), (1, table.clone()));
        assert_eq!(without_urls(&output.stderr), format!("{LOGIN}1: a correct request\n{OPEN}"));
        let (output, _) = run(&["--json"], method);
        assert_eq!((output.status, detail(&output, "login")), (1, format!("{why}{hint}")));
    }

    let why = format!("token endpoint: invalid_grant: {NO_GRANT}");
    let cut = cut(&why);
    let table = format!(
        "pass         discovery\npass         S256 advertised\npass         login\nnot offered  iss sent\n\
         not offered  id token\n\
         pass         replay refused             {cut}\n\
         pass         plain refused              authorization endpoint: invalid_request\n\
         pass         missing challenge refused  authorization endpoint: invalid_request\n\
         pass         wrong verifier refused     {cut}\n\
         pass         missing verifier refused   invalid_grant\n\
         pass         rotation\n\
         pass         reuse refused              {cut}\n\
         pass         reuse ends the grant       {cut}\n\
         pass         revocation                 {cut}\n"
    );
    let (output, seen) = run(&[], "client_secret_post");
    assert_eq!((output.status, output.stdout), (0, table));
    let posted: Vec<_> = seen.iter().filter(|seen| seen.method == "POST").collect();
    // The script's own request too, which has no verifier.
    assert!(posted.iter().any(|seen| seen.body.contains("c0de") && !seen.body.contains("code_verifier")));
    for seen in posted {
        assert_eq!((seen.header("Authorization"), seen.body.contains("client_secret=s3cret")), (None, true));
    }
    let (output, _) = run(&["--json"], "client_secret_post");
    assert_eq!((output.status, detail(&output, "replay_refused")), (0, why));
}

#[test]
fn lets_no_text_of_a_server_command_a_ci_runner() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    // The tools take a line break for a space.
    let told = HARMLESS.replace("?: :endgroup", " : :endgroup");
    // In the table, a long error is cut.
    let (start, own) = (cut(&format!("token endpoint: {told}")), cut(HARMLESS));
    let table = format!(
        "pass         discovery\npass         S256 advertised\npass         login\nnot offered  iss sent\n\
         not offered  id token\npass         replay refused             {start}\n\
         pass         plain refused              authorization endpoint: invalid_request\n\
         pass         missing challenge refused  authorization endpoint: invalid_request\n\
         pass         wrong verifier refused     {start}\n\
         pass         missing verifier refused   {own}\npass         rotation\n\
         pass         reuse refused              {start}\n\
         pass         reuse ends the grant       {start}\n\
         pass         revocation                 {start}\n"
    );
    let server = peer(Peer::Commanding, String::new(), json!({}));
    let output = finish(&mut checking(&server), b"");
    assert_eq!((output.status, output.stdout.as_str()), (0, table.as_str()), "{output:?}");
    // A trace is read by the runner too.
    let output = finish(&mut checking_by(&["bash", "-x"], &["--json"], &server), b"");
    assert_eq!(output.status, 0, "{output:?}");
    assert_eq!(detail(&output, "missing_verifier_refused"), HARMLESS);
    assert_eq!(detail(&output, "wrong_verifier_refused"), format!("token endpoint: {told}"));
    for command in ["##vso[", "##[", "##teamcity[", "::error::", "::set-output name=f::", "::endgroup::"] {
        let commanding = |line: &&str| line.contains(command);
        assert_eq!(output.stdout.lines().chain(output.stderr.lines()).find(commanding), None);
    }
}

#[test]
fn sends_nothing_for_this_machine_through_a_proxy() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    let expected =
        ["not offered: iss sent", "not offered: id token", "fail: missing verifier refused tokens were issued"];
    for (variable, no_proxy) in [("http_proxy", None), ("ALL_PROXY", None), ("http_proxy", Some("id.example"))] {
        let proxy = Server::start(|_| response(400, "application/json", "{\"error\":\"invalid_grant\"}"));
        let elsewhere = Server::start(|_| response(200, "", ""));
        let server = peer(Peer::Steering, elsewhere.url("/steered"), json!({}));
        let mut run = checking(&server);
        run.env(variable, proxy.url("")).envs(no_proxy.map(|hosts| ("no_proxy", hosts)));
        let output = finish(&mut run, b"");
        assert_eq!((output.status, others(&output)), (1, expected.map(str::to_owned).into()), "{variable}: {output:?}");
        assert_eq!(proxy.requests().len(), 0, "{variable}");
    }
}

#[test]
fn takes_no_proxy_that_requires_a_password_for_a_refusal() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    let not_offered = ["not offered: iss sent", "not offered: id token"].map(str::to_owned);
    let without = "the server responded with 407 without an OAuth error";
    let spent = format!("token endpoint: {without}; the code may be spent");
    let rest =
        |from: usize, why: &str| CHECKS[from..].iter().map(|check| format!("not checked: {check} {why}")).collect();
    let one = |line: String| [not_offered.to_vec(), vec![line]].concat();
    // The proxy responds to the request of this number to this path.
    let cases: Vec<(&str, usize, i32, Vec<String>)> = vec![
        (
            "/.well-known/openid-configuration",
            1,
            3,
            [
                vec!["not checked: discovery metadata: the server responded with 407".to_owned()],
                rest(1, "no metadata was found"),
            ]
            .concat(),
        ),
        ("/token", 1, 3, [vec![format!("not checked: login {spent}")], rest(3, "the login failed")].concat()),
        ("/token", 2, 3, one(format!("not checked: replay refused {spent}"))),
        // The third request is the one with a plain challenge.
        ("/authorize", 3, 0, not_offered.to_vec()),
        ("/token", 3, 3, one(format!("not checked: wrong verifier refused {spent}"))),
        (
            "/token",
            4,
            3,
            one("not checked: missing verifier refused the response (407) has no access_token".to_owned()),
        ),
        // The fifth is the code for the rotation, the sixth the refresh, the seventh the old refresh token.
        (
            "/token",
            7,
            3,
            ["reuse refused", "reuse ends the grant"]
                .map(|check| format!("not checked: {check} token endpoint: {without}; the refresh token may be sp..."))
                .into_iter()
                .fold(not_offered.to_vec(), |lines, line| [lines, vec![line]].concat()),
        ),
        ("/revoke", 1, 3, one(format!("not checked: revocation revocation endpoint: {without}"))),
    ];
    thread::scope(|scope| {
        for (path, number, status, expected) in cases {
            scope.spawn(move || {
                let (known, count) = (responding(Peer::Keycloak(0), String::new(), json!({})), Mutex::new(0));
                let server = Server::start(move |seen| {
                    let is_here = seen.target.split('?').next() == Some(path);
                    let mut count = count.lock().unwrap();
                    *count += usize::from(is_here);
                    match is_here && *count == number {
                        true => response(407, "text/html", "<p>Proxy authentication required"),
                        false => known(seen),
                    }
                });
                let output = finish(&mut checking(&server), b"");
                assert_eq!((output.status, others(&output)), (status, expected), "{path} {number}: {output:?}");
                assert!(!output.stdout.contains("an error page (407)"), "{output:?}");
            });
        }
    });
}
