//! Each fault of pkce-idp, met by the pipeline: status and message as they stand in vectors/faults.tsv.
#![cfg(test)]

mod common;

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::{Output, command, failure, finish, free_port, new_directory, root, run, start, talk};
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

const DEVICE: &str = "pkce-discover $time | pkce-gen - |
    pkce-device --no-qr --scope 'openid offline_access' $time | pkce-verify $time";

/// What is said with each URL that a browser is to open.
const URLS: [&str; 2] = ["to sign in, open this URL", "or open this link"];

/// Where a server is waited for in vain, or asked again until the time is over.
const WAITS: [&str; 25] = [
    "-slow",
    "-hang",
    "authorize-html",
    "device-interval-hour",
    "poll-pending",
    "poll-pending-428",
    "poll-pending-200",
    "poll-slow_down",
    "poll-slow_down-interval",
    "poll-lost",
    "poll-cut",
    "poll-html",
    "poll-html-403",
    "poll-429",
    "poll-500",
    "poll-503",
    "jwks-lost",
    "jwks-cut",
    "jwks-cut-chunk",
    "jwks-400",
    "jwks-401",
    "jwks-404",
    "jwks-429",
    "jwks-500",
    "jwks-503",
];

/// How the pipeline that meets these faults ends.
fn met(faults: &[&str], pipeline: &str) -> Output {
    let waits = faults.iter().any(|fault| WAITS.iter().any(|name| fault.ends_with(name)));
    let time = if waits { "--timeout 2" } else { "" };
    let port = if pipeline.contains("$port") { free_port().to_string() } else { String::new() };
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
        "device" | "poll" => DEVICE,
        _ if fault == "metadata-no-registration" => REGISTRATION,
        _ if fault == "metadata-no-device" => DEVICE,
        _ => LIFE,
    }
}

/// Whether a line of standard error is a failure's message.
fn is_message(line: &&str) -> bool {
    line.starts_with("pkce-") && !line.contains(": note: ") && !is_shown(line)
}

/// Whether a line of standard error is what the user is shown: an address or a code.
fn is_shown(line: &str) -> bool {
    URLS.iter().any(|words| line.contains(words)) || line.starts_with("http") || line.starts_with("    ")
}

/// Name, status, and what is said: what stands in a line of the table.
fn line(fault: &str, output: &Output) -> String {
    let said = output.stderr.lines().filter(|line| !is_shown(line)).map(common::without_ports);
    let said = said.map(|line| match line.split_once("JWKS: ") {
        Some((before, kids)) if line.contains(": kid: ") => {
            // The name of a key is random, unless a fault sets it.
            let kid = kids.split(" instead of ").next().filter(|kid| kid.contains('/')).unwrap_or("OTHER");
            format!("{before}JWKS: {kid} instead of KID")
        }
        _ => line,
    });
    let said = said.map(|line| match line.split_once("the server's key ") {
        Some((before, rest)) => {
            let kid = rest.split([' ', ':']).next().unwrap();
            format!("{before}the server's key KID{}", rest.strip_prefix(kid).unwrap())
        }
        None => line,
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
        // Most of them wait for processes to start, and some for a server that never responds.
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some((fault, _)) = listed.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let output = met(&[fault], pipeline(fault));
                    assert_eq!(output.stdout.lines().count(), 1, "{fault}: {output:?}");
                    match output.status {
                        0 => drop(output.json()),
                        status => {
                            let (tool, _) = output.stderr.lines().rfind(is_message).unwrap().split_once(": ").unwrap();
                            assert_eq!(output.stdout, failure(tool, status, "").stdout, "{fault}");
                        }
                    }
                    lines.lock().unwrap().insert(fault.clone(), (output.status, line(fault, &output)));
                }
            });
        }
    });
    let lines = lines.into_inner().unwrap();
    let other = |(fault, status): &&(String, i32)| lines[fault].0 != *status;
    let others: Vec<&(String, i32)> = listed.iter().filter(other).collect();
    assert!(others.is_empty(), "another status than the one that is listed: {others:?}");
    let text: String = lines.values().map(|(_, line)| format!("{line}\n")).collect();
    let (is, should): (Vec<&str>, Vec<&str>) = (text.lines().collect(), table.lines().collect());
    let new: Vec<&&str> = is.iter().filter(|line| !should.contains(line)).collect();
    let gone: Vec<&&str> = should.iter().filter(|line| !is.contains(line)).collect();
    assert!(new.is_empty() && gone.is_empty(), "now:\n{new:#?}\nin the table:\n{gone:#?}");
}

#[test]
fn happens_at_the_occasion_that_is_named_alone() {
    let exchanged = "pkce-exchange: token endpoint: the server responded with 503";
    let refreshed = "pkce-refresh: token endpoint: the server responded with 503; the refresh token may be spent; try again to find out";
    for (faults, status, said) in [
        (vec!["token-503@1"], 3, vec![exchanged]),
        (vec!["token-503@2"], 3, vec![refreshed]),
        (vec!["token-503@3"], 0, vec![]),
        (
            vec!["token-500@2"],
            3,
            vec![
                "pkce-refresh: token endpoint: the server responded with 500: oops; the refresh token may be spent; try again to find out",
            ],
        ),
        (
            vec!["token-lost@2"],
            3,
            vec![
                "pkce-refresh: token endpoint: 127.0.0.1:PORT: the server closed the connection; the refresh token may be spent; try again to find out",
            ],
        ),
        (
            vec!["refresh-refused@1"],
            5,
            vec!["pkce-refresh: token endpoint: invalid_grant: simulated by --fault", "hint: run the login again"],
        ),
        (vec!["refresh-refused@2"], 0, vec![]),
        (vec!["id_token-aud-other@2"], 4, vec!["pkce-verify: id_token: aud: other instead of pkce-tools"]),
        // What helps itself: the second specification, another try, another look at the keys.
        (vec!["metadata-404@1"], 0, vec![]),
        (vec!["jwks-503@1", "jwks-lost@2", "jwks-cut@3"], 0, vec![]),
        (vec!["jwks-none@1"], 0, vec![]),
        // Without a name for the key, each that fits is tried.
        (vec!["id_token-kid-missing", "jwks-two"], 0, vec![]),
        // Without a word of the metadata RS256 is right, and the signature fits that key as RFC 8017 has it.
        (
            vec!["metadata-no-alg", "jwks-exponent-1", "id_token-exponent-1"],
            4,
            vec![
                "pkce-verify: id_token: the server's key KID is not valid: e: must be an odd number from 3 to 2^33 - 1",
            ],
        ),
        // The first of two that is met is the one that counts.
        (vec!["token-expires-string", "token-type-lower", "token-extras", "redirect-extras", "no-iss"], 0, vec![]),
        (vec!["token-503@2", "revoke-503"], 3, vec![refreshed]),
        (vec!["redirect-iss-missing", "metadata-no-iss"], 0, vec![]),
    ] {
        let output = met(&faults, LIFE);
        let line = line(&faults.join(" "), &output);
        let expected = [faults.join(" "), status.to_string()].into_iter().chain(said.into_iter().map(str::to_owned));
        assert_eq!(line, expected.collect::<Vec<_>>().join("\t"));
    }
}

#[test]
fn is_no_end_of_the_wait_where_a_right_redirect_follows() {
    let directory = new_directory();
    let browser = directory.path().join("browser");
    std::fs::write(&browser, "pkce-idp --visit \"$1\"; exec pkce-idp --visit \"$1\"").unwrap();
    let login = format!("export BROWSER='sh {} %s'; {LIFE}", browser.display());
    let listed = listed();
    let ignored = listed.iter().filter(|(name, status)| name.starts_with("redirect-") && **status == 3);
    let ignored: Vec<&String> = ignored.map(|(name, _)| name).collect();
    assert!(ignored.len() >= 8, "{ignored:?}");
    for fault in ignored {
        let output = met(&[&format!("{fault}@1")], &login);
        assert_eq!(line(fault, &output), format!("{fault}\t0"));
    }
}

#[test]
fn is_no_end_of_the_polls_where_a_right_response_follows() {
    let note = |failure: &str| vec![format!("pkce-device: note: token endpoint: {failure}; polling goes on")];
    let closed = "127.0.0.1:PORT: the server closed the connection";
    // The response that brought the tokens is lost, and the code is spent.
    let lost = [
        note(closed),
        vec![
            "pkce-device: token endpoint: invalid_grant: the device code was already used; its tokens are revoked"
                .to_owned(),
        ],
        vec!["hint: run the login again".to_owned()],
    ]
    .concat();
    let cases = [
        (vec!["poll-pending@1"], 0, vec![]),
        (vec!["poll-pending-428@1"], 0, vec![]),
        (vec!["poll-pending-200@1"], 0, vec![]),
        (vec!["poll-slow_down@1"], 0, vec![]),
        (vec!["poll-slow_down-interval@1"], 0, vec![]),
        (vec!["poll-html@1"], 0, note("HTML, not JSON (proxy or captive portal?)")),
        (vec!["poll-html-403@1"], 0, note("the server responded with 403 without an OAuth error: Blocked")),
        (vec!["poll-429@1"], 0, note("the server responded with 429")),
        (vec!["poll-500@1"], 0, note("the server responded with 500: oops")),
        (vec!["poll-503@1", "poll-503@2"], 0, note("the server responded with 503")),
        (vec!["poll-lost@1"], 5, lost.clone()),
        (vec!["poll-cut@1"], 5, lost),
        // A poll is a request to the token endpoint too.
        (vec!["token-503@1", "poll-pending@2", "token-missing@4"], 0, note("the server responded with 503")),
        (vec!["poll-access_denied@2"], 0, vec![]),
    ];
    thread::scope(|scope| {
        for (faults, status, said) in &cases {
            scope.spawn(move || {
                let output = met(faults, DEVICE);
                let names = faults.join(" ");
                let words = [names.clone(), status.to_string()].into_iter().chain(said.iter().cloned());
                assert_eq!(line(&names, &output), words.collect::<Vec<_>>().join("\t"));
            });
        }
    });
}

#[test]
fn leaves_in_the_document_what_a_good_client_makes_of_it() {
    let login =
        "pkce-discover | pkce-gen - | pkce-url --scope 'openid offline_access' --prompt consent | pkce-callback |
        pkce-exchange | pkce-verify";
    let document = |fault: &str| {
        let output = met(&[fault], login);
        assert_eq!(output.status, 0, "{fault}: {output:?}");
        output.json()
    };
    let (issuer, token_endpoint) = (|document: &Value| document["issuer"].clone(), "token_endpoint");
    for fault in ["token-steers", "metadata-login", "token-extras", "token-form", "redirect-extras"] {
        let document = document(fault);
        let endpoint = format!("{}/token", issuer(&document).as_str().unwrap());
        assert_eq!(document[token_endpoint], endpoint, "{fault}");
        assert_eq!(
            (&document["client_id"], &document["id_token_claims"]["sub"]),
            (&json!("pkce-tools"), &json!("alice"))
        );
        let left = document["expires_at"].as_u64().unwrap() - document["id_token_claims"]["iat"].as_u64().unwrap();
        assert!((3590..3700).contains(&left), "{fault}: {left}");
        assert_eq!(document.get("session_state").is_some(), fault == "token-extras");
    }
    for (fault, expires_in) in [
        ("token-expires-string", json!(3600)),
        ("token-expires-float", json!(3600)),
        ("token-expires-zero", json!(0)),
        ("token-expires-absent", Value::Null),
        ("token-expires-null", Value::Null),
    ] {
        let document = document(fault);
        assert_eq!(document["expires_in"], expires_in, "{fault}");
        assert_eq!(document["expires_at"].is_null(), expires_in.is_null(), "{fault}");
    }
    for (fault, scope) in [
        ("token-scope-narrower", "openid"),
        ("token-scope-array", "openid offline_access"),
        ("token-scope-absent", "openid offline_access"),
    ] {
        assert_eq!(document(fault)["scope"], scope, "{fault}");
    }
    assert_eq!(document("token-type-lower")["token_type"], "bearer");
    assert_eq!(document("token-long")["access_token"].as_str().unwrap().len(), 64_000);
    assert_eq!(document("id_token-claims-escapes")["id_token_claims"]["name"], "\u{1b}[31mred\u{1b}]0;owned\u{7}");
}

#[test]
fn keeps_a_refresh_token_as_the_server_means_it() {
    let logins =
        "pkce-discover | pkce-gen - | pkce-url --scope 'openid offline_access' --prompt consent | pkce-callback |
        pkce-exchange > before; pkce-refresh < before > after; pkce-refresh < after > last; echo $?
        cat before after last";
    let tokens = |fault: &str| {
        let directory = new_directory();
        let output = met(&[fault], &format!("cd '{}'; {logins}", directory.path().display()));
        let (status, documents) = output.stdout.split_once('\n').unwrap();
        let documents = documents.lines().map(|line| serde_json::from_str(line).unwrap_or_default());
        let token = |document: Value| document["refresh_token"].as_str().unwrap_or_default().to_owned();
        (status.to_owned(), documents.map(token).collect::<Vec<_>>())
    };
    let (status, all) = tokens("redirect-extras");
    assert!(status == "0" && all.len() == 3 && all[0] != all[1] && all[1] != all[2], "{status} {all:?}");
    let (status, all) = tokens("no-rotation");
    assert!(status == "0" && all[0] == all[1] && all[1] == all[2], "{status} {all:?}");
    // The server has replaced it without sending the new one: the old one has expired.
    let (status, all) = tokens("refresh-no-token");
    assert!(status == "5" && all.len() == 2 && all[0] == all[1], "{status} {all:?}");
}

#[test]
fn refuses_what_is_no_kind_of_fault() {
    let hint = "hint: see 'pkce-idp --help'";
    let refused = |args: &[&str], message: &str| {
        assert_eq!(run("pkce-idp", args, ""), failure("pkce-idp", 2, message), "{args:?}");
    };
    let unknown = format!("--fault: unknown kind; --list-faults prints all kinds\n{hint}");
    for name in ["token", "token-418", "TOKEN-503", "token-503 ", "@1"] {
        refused(&["--fault", name], &unknown);
    }
    for at in ["0", "-1", "x", ""] {
        let fault = format!("token-503@{at}");
        refused(&["--fault", &fault], &format!("--fault: the number after @ must be 1 or more\n{hint}"));
    }
    refused(&["--fault", "replay@1"], &format!("--fault: this kind applies to all requests; it takes no @N\n{hint}"));
    let alone = "--list-faults: repeated, or conflicts with another argument\nhint: see 'pkce-idp --help'";
    for others in [["--visit", "http://127.0.0.1:1/"], ["--fault", "replay"]] {
        let output = run("pkce-idp", &[&["--list-faults"], others.as_slice()].concat(), "");
        assert_eq!((output.status, output.stderr.as_str()), (2, format!("pkce-idp: {alone}\n").as_str()));
    }
}

#[test]
fn lists_each_kind_once_in_a_line_that_words_can_be_cut_from() {
    let output = run("pkce-idp", &["--list-faults"], "");
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(lines.len(), listed().len());
    for line in lines {
        let (name, rest) = line.split_once(' ').unwrap();
        let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-_".contains(&octet);
        assert!(name.bytes().all(plain), "{line}");
        let (status, rest) = rest.trim_start().split_once("  ").unwrap();
        assert!(["0", "1", "2", "3", "4", "5"].contains(&status), "{line}");
        let (does, advice) = rest.split_once(" -> ").unwrap();
        assert!(!does.is_empty() && !advice.is_empty(), "{line}");
    }
    let row = "3  responds with 503 -> stop; nothing is spent, so retry later";
    assert!(output.stdout.contains(&format!("\n{:<41} {row}\n", "token-503")));
}

/// The octets with which a server with this fault responds to a GET.
fn response_of(fault: &str, target: &str) -> String {
    response_to(fault, &format!("GET {target} HTTP/1.1\r\n"), "")
}

/// The octets with which a server with this fault responds to a request whose head begins with these lines.
fn response_to(fault: &str, lines: &str, body: &str) -> String {
    let mut idp = start(command("pkce-idp").args(["--auto-approve", "--fault", fault]));
    let mut text = String::new();
    idp.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let port = document["issuer"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    let request = format!("{lines}Host: 127.0.0.1:{port}\r\n\r\n{body}");
    let response = talk(port.parse().unwrap(), request.as_bytes());
    idp.kill().unwrap();
    idp.wait().unwrap();
    response
}

#[test]
fn is_to_be_seen_where_a_good_client_takes_no_notice_of_it() {
    let jwks = |fault: &str| response_of(fault, "/jwks");
    let whole = jwks("jwks-404@2");
    assert!(whole.starts_with("HTTP/1.1 200 OK\r\n") && whole.contains("\r\nContent-Length: "), "{whole}");
    assert!(!jwks("jwks-no-length").contains("Content-Length"));
    assert!(jwks("jwks-chunked").ends_with("\r\n0\r\nX-Trailer: x\r\n\r\n"));
    assert!(jwks("jwks-no-reason").starts_with("HTTP/1.1 200 \r\ncontent-type: application/json\r\n"));
    assert!(jwks("jwks-early").starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n"));
    let as_html = jwks("jwks-as-html");
    assert!(as_html.contains("\r\nContent-Type: text/html; charset=utf-8\r\n") && as_html.contains("Set-Cookie: "));
    assert!(jwks("jwks-private").contains("\"d\":\"AAAA\""));
    assert!(!jwks("jwks-no-alg").contains("\"alg\"") && whole.contains("\"alg\""));
    assert_eq!(jwks("jwks-two").matches("\"kid\":").count(), 2);
    assert!(jwks("jwks-noise").contains("\"kty\":\"XYZ\""));
    let metadata = |fault: &str| response_of(fault, "/.well-known/openid-configuration");
    assert!(metadata("metadata-localhost").contains("\"token_endpoint\":\"http://localhost:"));
    assert!(metadata("metadata-slashes").contains("//token\""));
    assert!(metadata("metadata-null").contains("\"end_session_endpoint\":null"));
    assert!(metadata("metadata-login").contains("\"code_verifier\":\"from-the-server\""));
    assert!(!metadata("metadata-no-iss").contains("authorization_response_iss_parameter_supported"));
    assert!(metadata("no-iss").contains("\"authorization_response_iss_parameter_supported\":false"));
    let redirect = |fault: &str| {
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let request = format!("/authorize?response_type=code&client_id=pkce-tools&state=s&code_challenge={challenge}");
        let back = "&code_challenge_method=S256&redirect_uri=http://127.0.0.1:7/callback";
        let response = response_of(fault, &(request + back));
        response
            .lines()
            .find_map(|line| line.strip_prefix("Location: http://127.0.0.1:7/callback?"))
            .unwrap()
            .to_owned()
    };
    assert!(redirect("redirect-reordered").starts_with("iss=http"));
    assert!(redirect("redirect-extras").contains("&session_state=x%20y&scope=openid%20https"));
    assert!(redirect("redirect-empty").ends_with("&session_state=&="));
    assert!(!redirect("no-iss").contains("iss="));
    assert!(redirect("redirect-long-code").len() > 6000);
    let device = |fault: &str| {
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let body = format!("client_id=pkce-tools&code_challenge={challenge}&code_challenge_method=S256");
        let lines = format!(
            "POST /device_authorization HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n",
            body.len()
        );
        let response = response_to(fault, &lines, &body);
        serde_json::from_str::<Value>(response.split_once("\r\n\r\n").unwrap().1).unwrap()
    };
    let google = device("device-verification_url");
    assert!(google["verification_url"].is_string() && google.get("verification_uri").is_none(), "{google}");
    assert_eq!(device("device-no-link").get("verification_uri_complete"), None);
    assert!(
        device("device-plain-link")["verification_uri_complete"].as_str().unwrap().starts_with("http://id.example")
    );
    let (expires, interval) = ("expires_in", "interval");
    for (fault, name, value) in [
        ("device-expires-string", expires, json!("300")),
        ("device-expires-absent", expires, Value::Null),
        ("device-interval-absent", interval, Value::Null),
        ("device-interval-zero", interval, json!(0)),
        ("device-interval-string", interval, json!("1")),
        ("device-interval-words", interval, json!("a second")),
    ] {
        assert_eq!(device(fault)[name], value, "{fault}");
    }
}

#[test]
fn is_to_be_seen_in_an_id_token_that_is_good_all_the_same() {
    let login = "pkce-discover | pkce-gen - | pkce-url --scope openid | pkce-callback | pkce-exchange | pkce-verify";
    let token = |fault: &str| {
        let document = met(&[fault], login).json();
        let header = document["id_token"].as_str().unwrap().split('.').next().unwrap().to_owned();
        let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
        (header, document["id_token_claims"].clone())
    };
    assert_eq!(token("id_token-aud-array").1["aud"], json!(["pkce-tools"]));
    assert_eq!(token("id_token-azp-same").1["azp"], "pkce-tools");
    assert!(token("id_token-exp-float").1["exp"].to_string().ends_with(".5"));
    assert_eq!(token("id_token-at_hash-missing").1.get("at_hash"), None);
    assert_eq!(token("id_token-claims-strings").1["email_verified"], "true");
    assert_eq!(token("id_token-kid-missing").0, json!({ "alg": "ES256", "typ": "JWT" }));
    assert_eq!(token("id_token-typ-missing").0.get("typ"), None);
}
