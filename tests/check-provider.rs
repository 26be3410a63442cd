//! examples/check-provider.sh, against a strict server and against servers that are lax about one thing each.
#![cfg(test)]

mod common;
#[path = "common/terminal.rs"]
mod terminal;

use std::collections::HashSet;
use std::thread;

use common::{Output, command, finish, lacks, new_directory, root, run, write_program};
use serde_json::Value;
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

fn script() -> String {
    root().join("examples/check-provider.sh").display().to_string()
}

/// Checks a pkce-idp with these faults, by this shell with its options; `before` is done first.
fn checked(shell: &str, faults: &[&str], before: &str) -> Output {
    let line = format!("{before} {shell} '{}' \"$PKCE_ISSUER\"", script());
    let mut idp = command("pkce-idp");
    idp.arg("--auto-approve").args(faults.iter().flat_map(|fault| ["--fault", fault]));
    finish(idp.args(["--", "sh", "-c", &line]), b"")
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
    let neither = "the response is neither a success nor invalid_grant or invalid_request";
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
                format!("fail: rotation {same}"),
                format!("not offered: reuse refused {same}"),
                format!("not offered: reuse ends the grant {same}"),
            ],
        ),
        (
            vec!["reuse"],
            1,
            vec![
                "fail: reuse refused the old refresh token was accepted again".to_owned(),
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
        (vec!["id_token-aud-other"], 1, vec!["fail: id token id_token: aud: does not include this client".to_owned()]),
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
            vec!["not checked: replay refused token endpoint: the server responded with 500; the code may be spent".to_owned()],
        ),
        (
            vec!["token-lost@3"],
            3,
            vec![
                "not checked: wrong verifier refused token endpoint: 127.0.0.1: the server closed the connection; the code may be spent"
                    .to_owned(),
            ],
        ),
        (vec!["token-empty@4"], 3, vec![format!("not checked: missing verifier refused {neither}")]),
        (vec!["token-html@4"], 3, vec![format!("not checked: missing verifier refused {neither}")]),
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
        idp.arg("--auto-approve").args(faults).args(["--", "sh", "-c", &script])
    });
    let (_, seen) = terminal.end();
    let seen = seen.replace('\r', "");
    assert!(seen.contains("pkce-callback: authorization endpoint: access_denied: simulated by --fault\n"), "{seen}");
    let line = "\nnot checked  missing challenge refused  authorization endpoint: the error above\n";
    assert!(seen.contains(line) && seen.contains("status=3"), "{seen}");
    assert_eq!(seen.matches("\npass ").count() + usize::from(seen.starts_with("pass ")), 13, "{seen}");
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
            "fail: discovery metadata: issuer: not the requested issuer",
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
            1,
            "fail: login authorization endpoint: access_denied: simulated by --fault",
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
fn prints_the_same_as_json() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    for (fault, status, [passed, failed, not_offered, not_checked]) in
        [("no-rotation", 1, [11, 1, 2, 0]), ("no-iss", 0, [13, 0, 1, 0]), ("metadata-503", 3, [0, 0, 0, 14])]
    {
        let line = format!("dash '{}' --json \"$PKCE_ISSUER\"", script());
        let mut idp = command("pkce-idp");
        let output = finish(idp.args(["--auto-approve", "--fault", fault, "--", "sh", "-c", &line]), b"");
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
            "hint: pkce-discover adds it if the server names one",
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
    for (issuer, message) in [
        ("id.example", "pkce-discover: issuer: must begin with https://\n"),
        ("https://id.example/?x", "pkce-discover: issuer: must not have a query (?)\n"),
    ] {
        let output = finish(command("dash").arg(script()).arg(issuer), b"");
        assert_eq!((output.status, output.stdout.as_str(), output.stderr.as_str()), (2, "", message));
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
