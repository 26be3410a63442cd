//! Each fault of pkce-idp, met by the pipeline: status and message as they stand in vectors/faults.tsv.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    missing_docs
)]

mod common;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use common::{Output, command, finish, root, run};
use serde_json::{Value, json};

/// The life of a token, from the issuer's URL to the revocation.
const LIFE: &str = "pkce-discover $time | pkce-gen - |
    pkce-url --scope 'openid offline_access' --prompt consent --max-age 600 --acr-values 1 |
    pkce-callback $time | pkce-exchange $time | pkce-verify $time | pkce-refresh $time | pkce-verify $time |
    pkce-revoke $time";

const RESOURCE: &str = "pkce-discover --resource \"$PKCE_ISSUER/mcp\" $time";

const REGISTRATION: &str = "pkce-discover $time | pkce-register $time";

const PUSH: &str = "pkce-discover $time | pkce-gen - |
    pkce-url --scope openid --redirect-uri \"http://127.0.0.1:$port/callback\" |
    pkce-push $time | pkce-callback $time | pkce-exchange $time | pkce-verify $time";

/// A server that is waited for in vain, or asked again until the time is over.
const WAITS: [&str; 10] =
    ["slow", "hang", "jwks-lost", "jwks-cut", "jwks-cut-chunk", "jwks-429", "jwks-500", "jwks-503", "x", "x"];

/// How the pipeline that meets these faults ends.
fn met(faults: &[&str], pipeline: &str) -> Output {
    let waits = faults.iter().any(|fault| WAITS.iter().any(|name| fault.ends_with(name)));
    let time = if waits { "--timeout 1" } else { "" };
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let script = format!("time='{time}'; port={port}; {pipeline}");
    let mut idp = command("pkce-idp");
    idp.arg("--auto-approve").args(faults.iter().flat_map(|fault| ["--fault", fault]));
    finish(idp.args(["--", "bash", "-c", &script]), b"")
}

/// What a fault is met with.
fn pipeline(fault: &str) -> &'static str {
    match fault.split('-').next().unwrap() {
        "resource" => RESOURCE,
        "register" => REGISTRATION,
        "push" => PUSH,
        _ if fault == "metadata-no-registration" => REGISTRATION,
        _ => LIFE,
    }
}

/// Name, status, and what is said: what stands in a line of the table.
fn line(fault: &str, output: &Output) -> String {
    let noise = |line: &&str| line.contains("to log in, open this URL") || line.starts_with("http");
    let said = output.stderr.lines().filter(|line| !noise(line)).map(|line| {
        let port = |digit: char| digit.is_ascii_digit();
        match line.split_once("127.0.0.1:").filter(|(_, rest)| rest.starts_with(port)) {
            Some((before, rest)) => format!("{before}127.0.0.1:PORT{}", rest.trim_start_matches(port)),
            None => line.to_owned(),
        }
    });
    [fault.to_owned(), output.status.to_string()].into_iter().chain(said).collect::<Vec<_>>().join("\t")
}

/// The names that are listed, with the status of each.
fn listed() -> BTreeMap<String, i32> {
    let output = run("pkce-idp", &["--list-faults"], "");
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
    let words = output.stdout.lines().map(|line| line.split_whitespace());
    words.map(|mut words| (words.next().unwrap().to_owned(), words.next().unwrap().parse().unwrap())).collect()
}

#[test]
fn is_met_as_the_table_says() {
    let table = std::fs::read_to_string(root().join("tests/vectors/faults.tsv")).unwrap();
    let listed: Vec<(String, i32)> = listed().into_iter().collect();
    let (next, lines) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        // Most of them wait for processes to start, and some for a server that never answers.
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some((fault, _)) = listed.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let output = met(&[fault], pipeline(fault));
                    lines.lock().unwrap().insert(fault.clone(), (output.status, line(fault, &output)));
                }
            });
        }
    });
    let lines = lines.into_inner().unwrap();
    let other = |(fault, status): &&(String, i32)| lines[fault].0 != *status;
    assert_eq!(listed.iter().find(other), None, "another status than the one that is listed");
    let text: String = lines.values().map(|(_, line)| format!("{line}\n")).collect();
    let (is, should): (Vec<&str>, Vec<&str>) = (text.lines().collect(), table.lines().collect());
    let new: Vec<&&str> = is.iter().filter(|line| !should.contains(line)).collect();
    let gone: Vec<&&str> = should.iter().filter(|line| !is.contains(line)).collect();
    assert!(new.is_empty() && gone.is_empty(), "now:\n{new:#?}\nin the table:\n{gone:#?}");
}
