//! pkce-url: the authorization request, parameter by parameter.
#![cfg(test)]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::thread;

use common::{Output, changed, command, done, failure, finish, peak_memory, run, start};
use serde_json::{Value, json};

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn document() -> Value {
    json!({
        "authorization_endpoint": "https://id.example/authorize",
        "client_id": "cli",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "code_verifier": VERIFIER,
        "nonce": "n1",
        "state": "s1",
    })
}

fn with(changes: Value) -> Value {
    changed(document(), &changes)
}

fn url(output: &Output) -> String {
    assert_eq!(output.status, 0, "{output:?}");
    output.json()["authorization_url"].as_str().unwrap().to_owned()
}

fn pairs(url: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(url.split_once('?').unwrap().1.as_bytes()).into_owned().collect()
}

fn value(url: &str, name: &str) -> Option<String> {
    pairs(url).into_iter().find(|(other, _)| other == name).map(|(_, value)| value)
}

#[test]
fn writes_the_request_in_the_order_of_the_specifications() {
    let args = [
        "--scope",
        "openid read",
        "--redirect-uri",
        "http://127.0.0.1:8080/cb",
        "--resource",
        "https://api.example/",
        "--resource",
        "urn:two",
        "--prompt",
        "consent",
        "--login-hint",
        "a b@c",
        "--max-age",
        "60",
        "--acr-values",
        "x y",
        "--param",
        "connection=google oauth",
        "--param",
        "audience=https://a?b=c&d",
    ];
    let output = run("pkce-url", &args, &document().to_string());
    let expected = format!(
        "https://id.example/authorize?response_type=code&client_id=cli\
         &redirect_uri=http%3A%2F%2F127.0.0.1%3A8080%2Fcb&scope=openid%20read&state=s1&nonce=n1\
         &code_challenge={CHALLENGE}&code_challenge_method=S256\
         &resource=https%3A%2F%2Fapi.example%2F&resource=urn%3Atwo&max_age=60&acr_values=x%20y\
         &prompt=consent&login_hint=a%20b%40c\
         &connection=google%20oauth&audience=https%3A%2F%2Fa%3Fb%3Dc%26d"
    );
    assert_eq!((url(&output), output.stderr.as_str()), (expected.clone(), ""));
    let whole = with(json!({
        "scope": "openid read", "redirect_uri": "http://127.0.0.1:8080/cb", "max_age": 60, "acr_values": "x y",
        "resource": ["https://api.example/", "urn:two"], "authorization_url": expected,
    }));
    assert_eq!(output.json(), whole);
}

#[test]
fn never_shows_the_verifier() {
    let output = run("pkce-url", &["--scope", "openid"], &document().to_string());
    assert!(!url(&output).contains(VERIFIER));
    assert_eq!(value(&url(&output), "redirect_uri").as_deref(), Some("http://127.0.0.1:0/callback"));
}

#[test]
fn sends_the_nonce_with_openid_and_otherwise_removes_it() {
    for (scope, sent) in [("openid", true), ("read openid write", true), ("openids", false), ("read", false)] {
        let output = run("pkce-url", &["--scope", scope], &document().to_string());
        assert_eq!(value(&url(&output), "nonce").is_some(), sent, "{scope}");
        assert_eq!(output.json().get("nonce").is_some(), sent, "{scope}");
    }
    let without = run("pkce-url", &[], &document().to_string());
    assert!(value(&url(&without), "scope").is_none() && without.json().get("nonce").is_none());
    let empty = run("pkce-url", &["--scope", ""], &document().to_string());
    assert!(value(&url(&empty), "scope").is_none());
    let mut written = document();
    written.as_object_mut().unwrap().remove("nonce");
    let without = run("pkce-url", &["--scope", "openid"], &written.to_string());
    assert_eq!((without.status, value(&url(&without), "nonce")), (0, None), "a document without a nonce");
}

#[test]
fn keeps_the_query_of_the_endpoint() {
    for (endpoint, start) in [
        ("https://id.example/a?p=1", "https://id.example/a?p=1&response_type=code&"),
        ("https://id.example/a?", "https://id.example/a?response_type=code&"),
        ("https://id.example/a?p=1&", "https://id.example/a?p=1&response_type=code&"),
        ("https://id.example", "https://id.example?response_type=code&"),
        ("https://id.example//a", "https://id.example//a?response_type=code&"),
    ] {
        let output = run("pkce-url", &["--authorization-endpoint", endpoint], &document().to_string());
        assert!(url(&output).starts_with(start), "{endpoint}: {output:?}");
    }
}

#[test]
fn takes_the_client_and_the_scope_from_flag_document_and_environment_in_this_order() {
    let asked = |args: &[&str], document: &Value| {
        let mut tool = command("pkce-url");
        tool.args(args).env("PKCE_CLIENT_ID", "env").env("PKCE_SCOPE", "env");
        let output = finish(&mut tool, document.to_string().as_bytes());
        (
            value(&url(&output), "client_id").unwrap(),
            value(&url(&output), "scope").unwrap(),
            output.json()["scope"].clone(),
        )
    };
    let own = with(json!({ "scope": "doc" }));
    let neither = with(json!({ "client_id": null }));
    assert_eq!(asked(&["--client-id", "flag", "--scope", "flag"], &own), ("flag".into(), "flag".into(), json!("flag")));
    assert_eq!(asked(&[], &own), ("cli".into(), "doc".into(), json!("doc")));
    assert_eq!(asked(&[], &neither), ("env".into(), "env".into(), json!("env")));
}

#[test]
fn refuses_documents_and_options_it_cannot_make_a_request_of() {
    let member = |name: &str, value: Value| with(json!({ name: value }));
    let challenge = "must be 43 characters of base64url, the SHA-256 of the verifier";
    let scope = "must be names separated by single spaces, without \" and \\";
    let added = "already in the request";
    let help = "\nhint: see 'pkce-url --help'";
    let cases: Vec<(Value, Vec<&str>, String)> = vec![
        (
            member("client_id", Value::Null),
            vec![],
            "client_id: missing\nhint: set it with --client-id or PKCE_CLIENT_ID".into(),
        ),
        (member("state", Value::Null), vec![], "state: missing\nhint: pkce-gen adds it".into()),
        (member("code_challenge", Value::Null), vec![], "code_challenge: missing\nhint: pkce-gen adds it".into()),
        (
            member("authorization_endpoint", Value::Null),
            vec![],
            "authorization_endpoint: missing\nhint: pkce-discover adds it; to make pkce-gen read it from a pipe: \
             pkce-gen -"
                .into(),
        ),
        (member("client_id", json!(5)), vec![], "client_id: must be a string".into()),
        (member("client_id", json!("")), vec![], "client_id: must be one or more visible ASCII characters".into()),
        (member("client_id", json!("a\nb")), vec![], "client_id: must be one or more visible ASCII characters".into()),
        (member("code_challenge", json!("short")), vec![], format!("code_challenge: {challenge}")),
        (member("code_challenge", json!("=".repeat(43))), vec![], format!("code_challenge: {challenge}")),
        (
            member("code_challenge", json!("A".repeat(43))),
            vec![],
            "code_challenge: does not match the document's code_verifier".into(),
        ),
        (member("code_challenge_method", json!("plain")), vec![], "code_challenge_method: must be S256".into()),
        (
            member("code_challenge_methods_supported", json!(["plain"])),
            vec![],
            "code_challenge_methods_supported: the server does not support S256".into(),
        ),
        (member("max_age", json!("x")), vec![], "max_age: must be a whole number of seconds".into()),
        (member("resource", json!(5)), vec![], "resource: must be a string or an array of strings".into()),
        (document(), vec!["--resource", "https://a#f"], "resource: must be an absolute URI without a fragment".into()),
        (document(), vec!["--resource", "a/b"], "resource: must be an absolute URI without a fragment".into()),
        (document(), vec!["--scope", "a  b"], format!("scope: {scope}")),
        (document(), vec!["--scope", "a\"b"], format!("scope: {scope}")),
        (document(), vec!["--scope", "a\\b"], format!("scope: {scope}")),
        (document(), vec!["--scope", "é"], format!("scope: {scope}")),
        (document(), vec!["--scope", "a\nb"], format!("scope: {scope}")),
        (document(), vec!["--param", "state=x"], format!("--param: state: {added}")),
        (
            document(),
            vec!["--param", "client_id=x"],
            format!("--param: client_id: {added}\nhint: set it with --client-id"),
        ),
        (document(), vec!["--param", "request_uri=x"], "--param: request_uri: reserved".into()),
        (document(), vec!["--param", "a=1", "--param", "a=2"], format!("--param: a: {added}")),
        (
            document(),
            vec!["--prompt", "none", "--param", "prompt=login"],
            format!("--param: prompt: {added}\nhint: set it with --prompt"),
        ),
        (document(), vec!["--param", "a="], "--param: a: must not be empty".into()),
        (document(), vec!["--param", "response_mode=fragment"], "--param: response_mode: must be query".into()),
        (document(), vec!["--param", "a"], format!("--param: must be KEY=VALUE{help}")),
        (document(), vec!["--param", "a=\u{1b}"], format!("--param: a: must not have control characters{help}")),
        (document(), vec!["--max-age", "-1"], format!("-1: no such option{help}")),
        (
            document(),
            vec!["idp.json"],
            "arguments: too many\nhint: the document is read from standard input: pkce-url < FILE; quote a value that contains spaces".into(),
        ),
        (
            document(),
            vec!["--redirect-uri", "foo"],
            "redirect_uri: not a URL\n\
             hint: the one of a program on this machine is such as http://127.0.0.1:0/callback"
                .into(),
        ),
        (
            document(),
            vec!["--client-secret", "s3cr3t"],
            "--client-secret: no such option\n\
             hint: other programs can read arguments; use pkce-exchange --client-secret-file FILE"
                .into(),
        ),
        (
            document(),
            vec!["--authorization-endpoint", "https://id.example:80808/a"],
            "authorization_endpoint: the port must be at most 65535".into(),
        ),
        (
            document(),
            vec!["--authorization-endpoint", "https://a/b#c"],
            "authorization_endpoint: must not have a fragment (#)".into(),
        ),
        (document(), vec!["--authorization-endpoint", "https://a/b?state=1"], format!("state: {added}")),
    ];
    for (document, args, wrong) in cases {
        assert_eq!(run("pkce-url", &args, &document.to_string()), failure("pkce-url", 2, &wrong), "{args:?}");
    }
}

#[test]
fn tells_safe_urls_from_others_as_the_vectors_do() {
    // The vectors leave some open; of these http to the whole of 127.0.0.0/8 and to localhost is allowed.
    let allowed = ["http://localhost:8080/cb", "http://127.0.0.2:8080/cb"];
    // A URL that is one, but for its plain http or the spelling of its host, is not trusted; anything else is no URL to use.
    let untrusted = [
        "http://provider.test/cb",
        "http://localhost.provider.test/cb",
        "http://127.0.0.1.provider.test/cb",
        "http://0.0.0.0:8080/cb",
        "http://[::]/cb",
        "http://[::ffff:93.184.216.34]:8080/cb",
        "http://[::ffff:127.0.0.1]:8080/cb",
        "http://localhost./cb",
        "http://attacker.test?@localhost",
        "http://2130706433/cb",
        "http://0x7f.1/cb",
        "http://127.1/cb",
    ];
    let vectors = common::vectors("url_safety.json");
    for (list, decided) in [("secure", Some(true)), ("policy", None), ("insecure", Some(false))] {
        for text in vectors[list].as_array().unwrap() {
            let text = text.as_str().unwrap();
            let safe = decided.unwrap_or_else(|| allowed.contains(&text));
            for (option, member) in
                [("redirect-uri", "redirect_uri"), ("authorization-endpoint", "authorization_endpoint")]
            {
                let output = run("pkce-url", &[&format!("--{option}={text}")], &document().to_string());
                let mut by_document = document();
                by_document[member] = json!(text);
                let same = run("pkce-url", &[], &by_document.to_string());
                assert_eq!(same, output, "{member} {text}");
                if safe {
                    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{option} {text}: {output:?}");
                    assert_eq!(output.json()[member], text);
                    continue;
                }
                let status = if untrusted.contains(&text) { 4 } else { 2 };
                assert_eq!(output.status, status, "{option} {text}: {output:?}");
                assert_eq!(output.stdout, failure("pkce-url", status, "").stdout, "{option} {text}");
                assert!(output.stderr.starts_with(&format!("pkce-url: {member}: ")), "{option} {text}: {output:?}");
            }
        }
    }
}

#[test]
fn takes_a_redirect_uri_of_an_applications_own_scheme() {
    let own = "com.example.app:/callback";
    let output = run("pkce-url", &["--redirect-uri", own], &document().to_string());
    assert_eq!(value(&url(&output), "redirect_uri").as_deref(), Some(own));
    assert_eq!(run("pkce-url", &["--redirect-uri", "app:/callback"], &document().to_string()).status, 2);
}

#[test]
fn encodes_as_the_vectors_do() {
    for case in common::vectors("form.json")["encode"].as_array().unwrap() {
        let text = case["in"].as_str().unwrap();
        if text.is_empty() || text.chars().any(char::is_control) {
            continue;
        }
        let output = run("pkce-url", &[&format!("--login-hint={text}")], &document().to_string());
        let url = url(&output);
        let (_, encoded) = url.split_once("&login_hint=").unwrap();
        let allowed = case["out_any"].as_array().unwrap();
        assert!(allowed.iter().any(|out| out == encoded), "{encoded}");
        assert_eq!(value(&url, "login_hint").as_deref(), Some(text));
    }
    let odd = "a&b#c+d%e f'g\"h`$(i)";
    let output = run("pkce-url", &["--client-id", odd], &document().to_string());
    assert_eq!(value(&url(&output), "client_id").as_deref(), Some(odd));
}

#[test]
fn refuses_control_characters_in_a_parameter() {
    let help = "hint: see 'pkce-url --help'";
    // A NUL of the vectors cannot be an argument at all.
    let vectors = common::vectors("form.json");
    let vectors =
        vectors["encode"].as_array().unwrap().iter().map(|case| case["in"].as_str().unwrap().replace('\0', ""));
    let texts: Vec<String> = vectors.filter(|text| text.chars().any(char::is_control)).collect();
    assert!(!texts.is_empty());
    for text in texts.iter().map(String::as_str).chain(["\n", "a\u{1b}[31m", "\u{7f}", "\u{9b}"]) {
        let output = run("pkce-url", &[&format!("--param=a={text}")], &document().to_string());
        let message = format!("--param: a: must not have control characters\n{help}");
        assert_eq!(output, failure("pkce-url", 2, &message), "{text:?}");
        for (option, name) in [("login-hint", "login_hint"), ("prompt", "prompt")] {
            let output = run("pkce-url", &[&format!("--{option}={text}")], &document().to_string());
            assert_eq!(
                output,
                failure("pkce-url", 2, &format!("{name}: must not have control characters")),
                "{text:?}"
            );
        }
    }
}

#[test]
fn lets_no_server_elsewhere_name_this_machine() {
    let here = "http://127.0.0.1:9/authorize";
    let elsewhere = with(json!({ "issuer": "https://id.example", "authorization_endpoint": here }));
    let wrong = "authorization_endpoint: a remote server must not point to this machine";
    assert_eq!(run("pkce-url", &[], &elsewhere.to_string()), failure("pkce-url", 4, wrong));
    let local = with(json!({ "issuer": "http://localhost:9", "authorization_endpoint": here }));
    assert_eq!(run("pkce-url", &[], &local.to_string()).status, 0);
    let network =
        with(json!({ "issuer": "http://keycloak:8080/r", "authorization_endpoint": "http://keycloak:8080/a" }));
    for (hosts, status) in [("keycloak:8080", 0), ("other, keycloak", 0), ("keycloak:80", 4), ("", 4)] {
        let mut tool = command("pkce-url");
        let output = finish(tool.env("PKCE_HTTP_HOSTS", hosts), network.to_string().as_bytes());
        assert_eq!(output.status, status, "{hosts}: {output:?}");
    }
}

#[test]
fn notes_a_url_that_some_servers_cut() {
    let note =
        "pkce-url: note: the URL is longer than 8,000 characters, which some servers truncate; pkce-push shortens it\n";
    let padded = |length| run("pkce-url", &["--param", &format!("a={}", "x".repeat(length))], &document().to_string());
    let room = 8000 + 1 - url(&padded(1)).len();
    for (length, note) in [(room, ""), (room + 1, note)] {
        let output = padded(length);
        assert_eq!((output.status, output.stderr.as_str()), (0, note), "{}", url(&output).len());
    }
}

#[test]
fn prints_each_document_of_a_stream_as_soon_as_it_is_done() {
    let mut child = start(command("pkce-url").args(["--scope", "read"]));
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for state in ["one", "two", "three"] {
        let pretty = serde_json::to_string_pretty(&with(json!({ "state": state }))).unwrap();
        stdin.write_all(pretty.as_bytes()).unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["state"], state);
    }
    drop(stdin);
    assert_eq!(done(child).status, 0);
}

#[test]
fn finds_the_end_of_a_document_wherever_its_octets_are_cut() {
    let mut child = start(&mut command("pkce-url"));
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let own = r#"} { \" \\"#;
    let first = with(json!({ "nonce": null })).to_string();
    let second = with(json!({ "own": own, "zz": { "a{": [{}, own] } })).to_string();
    // The second begins at once, or after white space.
    for cut in 1..second.len() {
        let between = ["", " ", "\n", " \r\n\t"][cut % 4];
        let (start, end) = second.as_bytes().split_at(cut);
        stdin.write_all(&[first.as_bytes(), between.as_bytes(), start].concat()).unwrap();
        let mut lines = [String::new(), String::new()];
        // The first is there once all that was written is read.
        stdout.read_line(&mut lines[0]).unwrap();
        stdin.write_all(end).unwrap();
        stdout.read_line(&mut lines[1]).unwrap();
        let second: Value = serde_json::from_str(&lines[1]).unwrap();
        assert!(!lines[0].contains("own") && second["own"] == own && second["zz"]["a{"][1] == own, "{cut}: {lines:?}");
    }
    drop(stdin);
    assert_eq!(done(child).status, 0);
}

#[test]
fn keeps_nothing_of_a_document_for_the_next() {
    let documents = [
        with(json!({ "own": "o".repeat(5000), "scope": "openid", "redirect_uri": "https://a.example/cb" })),
        with(json!({ "authorization_endpoint": "https://other.example/authorize?x=1" })),
        with(json!({ "issuer": "http://localhost", "authorization_endpoint": "http://localhost:1/authorize" })),
        document(),
    ];
    let alone: String = documents.iter().map(|document| run("pkce-url", &[], &document.to_string()).stdout).collect();
    let input: String = documents.iter().map(Value::to_string).collect();
    assert_eq!(run("pkce-url", &[], &input), Output { status: 0, stdout: alone, stderr: String::new() });
    // An endpoint of this machine is checked against each document's issuer.
    let local = json!({ "issuer": "https://id.example", "authorization_endpoint": "http://localhost:1/authorize" });
    let output = run("pkce-url", &[], &format!("{}{}", documents[2], with(local)));
    let message = "authorization_endpoint: a remote server must not point to this machine";
    let expected = failure("pkce-url", 4, message);
    assert_eq!((output.status, output.stderr.as_str()), (4, expected.stderr.as_str()));
    assert!(
        output.stdout.starts_with('{') && output.stdout.ends_with(&format!("}}\n{}", expected.stdout)),
        "{output:?}"
    );
}

#[test]
fn ends_a_stream_with_the_first_document_that_fails() {
    let input = format!("{}\n{}\n{}\n", document(), with(json!({ "state": null })), document());
    let output = run("pkce-url", &[], &input);
    let expected = failure("pkce-url", 2, "state: missing\nhint: pkce-gen adds it");
    let (first, rest) = output.stdout.split_once('\n').unwrap();
    assert!(serde_json::from_str::<Value>(first).unwrap().get("authorization_url").is_some());
    assert_eq!((output.status, rest, &output.stderr), (2, expected.stdout.as_str(), &expected.stderr));
}

#[test]
fn loses_tokens_where_the_reader_leaves_in_the_middle_of_a_stream() {
    // More than a pipe holds, so that the tool waits for its reader in the middle of a document.
    let large = format!("a={}", "b".repeat(100_000));
    let stream = |document: Value| {
        let mut child = start(command("pkce-url").args(["--param", &large]));
        write!(child.stdin.take().unwrap(), "{document}\n{document}\n").unwrap();
        child.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
        let output = done(child);
        let lines = output.stderr.lines().filter(|line| !line.starts_with("pkce-url: note: "));
        (output.status, lines.map(str::to_owned).collect::<Vec<_>>())
    };
    let lost = "pkce-url: standard output: broken pipe; the tokens are lost unless a file has them";
    let lost = [lost, "hint: run the login again"].map(str::to_owned).to_vec();
    assert_eq!(stream(with(json!({ "refresh_token": "r3fresh" }))), (5, lost));
    assert_eq!(stream(document()), (3, vec![]));
}

#[test]
fn passes_unknown_members_through_unchanged() {
    let own = r#","own":{"a":[1.10,2e400,"\u00e9 \"x\""]}}"#;
    let text = document().to_string().replacen('}', own, 1);
    let output = run("pkce-url", &[], &text);
    assert!(output.stdout.contains(r#""own":{"a":[1.10,2e400,"\u00e9 \"x\""]}"#), "{}", output.stdout);
}

#[test]
fn takes_no_address_without_a_scheme_for_an_applications_own() {
    // RFC 3986 3.1: a scheme begins with a letter.
    for text in ["127.0.0.1:8080/callback", "-a.b:/callback", ".:/callback", "1.example:/callback"] {
        let output = run("pkce-url", &[&format!("--redirect-uri={text}")], &document().to_string());
        assert_eq!((output.status, output.stdout.as_str()), (2, "!2 usage pkce-url\n"), "{text}");
        assert!(output.stderr.starts_with("pkce-url: redirect_uri: "), "{output:?}");
    }
    let output = run("pkce-url", &["--redirect-uri=com.example:/a#b"], &document().to_string());
    assert_eq!(output, failure("pkce-url", 2, "redirect_uri: must not have a fragment (#)"));
}

#[test]
fn redirects_over_plain_http_to_this_machine_alone() {
    let mut tool = command("pkce-url");
    tool.args(["--redirect-uri", "http://keycloak:8080/cb"]).env("PKCE_HTTP_HOSTS", "keycloak:8080");
    let output = finish(&mut tool, document().to_string().as_bytes());
    let wrong = "redirect_uri: plain http is only allowed to this machine; use https";
    assert_eq!(output, failure("pkce-url", 4, wrong));
}

#[test]
fn takes_a_host_and_a_port_for_an_authority_and_nothing_else() {
    for (name, url) in [
        ("redirect_uri", "http://[::1]attacker.example:0/cb"),
        ("redirect_uri", "http://127.0.0.1:0x1/cb"),
        ("redirect_uri", "https://app.example:/cb"),
        ("authorization_endpoint", "https://host:0FF[0::]:8080/"),
        ("authorization_endpoint", "https://[::1]id.example/"),
    ] {
        let output = run("pkce-url", &[], &with(json!({ name: url })).to_string());
        assert_eq!(output, failure("pkce-url", 2, &format!("{name}: not an absolute URL with a host")), "{url}");
    }
}

#[test]
fn takes_no_redirect_uri_whose_query_would_duplicate_a_parameter() {
    for (query, status) in [("tenant=1", 0), ("state=x", 2), ("%63ode=x", 2), ("a=b&iss=x", 2), ("error=x", 2)] {
        let text = format!("http://127.0.0.1:8080/cb?{query}");
        let output = run("pkce-url", &["--redirect-uri", &text], &document().to_string());
        let wrong = "redirect_uri: its query must not contain a parameter of the response (code, state, iss, error)";
        assert_eq!(output.status, status, "{query}: {output:?}");
        assert!(status == 0 || output == failure("pkce-url", 2, wrong), "{query}: {output:?}");
    }
}

#[test]
fn takes_no_endpoint_whose_query_changes_what_is_asked_for() {
    for name in [
        "response_type=token",
        "client_id=x",
        "redirect_uri=x",
        "state=x",
        "code_challenge=x",
        "code_challenge_method=plain",
        "%73tate=x",
    ] {
        let endpoint = format!("https://id.example/a?tenant=1&{name}");
        let output = run("pkce-url", &["--authorization-endpoint", &endpoint], &document().to_string());
        let name = name.split('=').next().unwrap().replace("%73", "s");
        assert_eq!(output, failure("pkce-url", 2, &format!("{name}: already in the request")));
    }
}

#[test]
fn takes_no_endpoint_whose_query_brings_the_code_elsewhere_than_in_the_query() {
    for mode in ["response_mode=fragment", "response_mode=form_post", "request_uri=urn:x", "request=x"] {
        let endpoint = format!("https://id.example/a?{mode}");
        let output = run("pkce-url", &["--authorization-endpoint", &endpoint], &document().to_string());
        assert_eq!(output.status, 2, "{mode}: {output:?}");
    }
}

#[test]
fn says_what_is_wrong_with_a_parameters_name() {
    let unnamed = run("pkce-url", &["--param", "=x"], &document().to_string());
    assert_eq!((unnamed.status, unnamed.stdout.as_str()), (2, "!2 usage pkce-url\n"));
    assert!(!unnamed.stderr.starts_with("pkce-url: :"), "{unnamed:?}");
    let foreign = run("pkce-url", &["--param", "\u{e9}=x"], &document().to_string());
    assert_eq!((foreign.status, foreign.stdout.as_str()), (2, "!2 usage pkce-url\n"));
    assert!(!foreign.stderr.contains("control characters"), "there is none: {foreign:?}");
}

#[test]
fn takes_no_secret_as_a_parameter() {
    let mut clients = 0;
    for name in [
        "access_token",
        "actor_token",
        "assertion",
        "claim_token",
        "client_assertion",
        "client_secret",
        "code",
        "code_verifier",
        "device_code",
        "device_secret",
        "id_token",
        "password",
        "pct",
        "pre-authorized_code",
        "refresh_token",
        "rpt",
        "subject_token",
        "ticket",
        "token",
        "tx_code",
        "vp_token",
        // Their names at some servers, and other spellings.
        "Client_Secret",
        "CLIENT_SECRET",
        "client_secret[]",
        "client_secret[0]",
        "client[secret]",
        "user[Password]",
        "client-secret",
        "client.secret",
        "client__secret_",
        "clientSecret",
        "refreshToken",
        "registration_access_token",
        "mfa_token",
        "session_token",
        "saml-assertion",
        "secret",
        "otp",
        "passwd",
        "Code",
        "code[]",
        "codeVerifier",
        "PreAuthorizedCode",
        "client_secret_2",
        "new_password_confirmation",
        "api-key",
        "user_passphrase",
        "private_key",
        "totp",
        "authCode",
        "pin",
        "jwt",
    ] {
        let output = run("pkce-url", &["--param", &format!("{name}=s3cret")], &document().to_string());
        let wrong = "a secret must not be an argument, which other programs can read";
        let is_client_s = name.to_lowercase().replace(|letter: char| !letter.is_alphabetic(), "") == "clientsecret";
        let hint = "\nhint: pass a client secret with pkce-exchange --client-secret-file FILE";
        let message = format!("--param: {name}: {wrong}{}", if is_client_s { hint } else { "" });
        assert_eq!(output, failure("pkce-url", 2, &message));
        clients += usize::from(is_client_s);
    }
    assert_eq!(clients, 11);
    for name in [
        "id_token_hint",
        "login_hint",
        "client_assertion_type",
        "token_access_type",
        "audience",
        "organization",
        "connection",
        "kc_idp_hint",
        "acr_values",
        "ui_locales",
        "tokens",
        "codes",
        "passwordless",
    ] {
        let output = run("pkce-url", &["--param", &format!("{name}=x")], &document().to_string());
        assert!(url(&output).ends_with(&format!("&{name}=x")), "{output:?}");
    }
}

#[test]
fn adds_any_other_parameter_but_none_that_is_reserved() {
    let output = run("pkce-url", &["--param", "response_mode=query", "--param", "b=\u{e9}&="], &document().to_string());
    assert!(url(&output).ends_with("&response_mode=query&b=%C3%A9%26%3D"), "{output:?}");
    for name in [
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "resource",
        "request",
        "request_uri",
    ] {
        let output = run("pkce-url", &["--param", &format!("{name}=x")], &document().to_string());
        let hint = match name {
            "client_id" | "redirect_uri" | "resource" | "scope" => {
                format!("\nhint: set it with --{}", name.replace('_', "-"))
            }
            _ => String::new(),
        };
        let is_reserved = ["request", "request_uri", "resource", "scope", "nonce"].contains(&name);
        let wrong = if is_reserved { "reserved" } else { "already in the request" };
        let message = format!("--param: {name}: {wrong}{hint}");
        assert_eq!(output, failure("pkce-url", 2, &message));
    }
    for (option, name) in [
        ("--max-age=5", "max_age"),
        ("--acr-values=a", "acr_values"),
        ("--login-hint=a", "login_hint"),
        ("--prompt=login", "prompt"),
    ] {
        let output = run("pkce-url", &[option, "--param", &format!("{name}=x")], &document().to_string());
        let hint = option.split('=').next().unwrap();
        let message = format!("--param: {name}: already in the request\nhint: set it with {hint}");
        assert_eq!(output, failure("pkce-url", 2, &message));
        // Not what --param has, but its own option, or the endpoint's.
        let endpoint = format!("--authorization-endpoint=https://id.example/a?{name}=x");
        let output = run("pkce-url", &[option, &endpoint], &document().to_string());
        assert_eq!((output.status, output.stderr.contains("--param")), (2, false), "{output:?}");
    }
    let output = run("pkce-url", &["--param", "a=1", "--param", "a=2"], &document().to_string());
    assert_eq!(output, failure("pkce-url", 2, "--param: a: already in the request"));
    // As the hint says.
    let output = run("pkce-url", &["--scope", "x"], &document().to_string());
    assert_eq!(value(&url(&output), "scope").as_deref(), Some("x"));
    for option in ["--prompt=", "--login-hint="] {
        let name = option.trim_matches(['-', '=']).replace('-', "_");
        let output = run("pkce-url", &[option], &document().to_string());
        assert_eq!(output, failure("pkce-url", 2, &format!("{name}: must not be empty")));
    }
}

#[test]
fn takes_a_flag_before_the_documents_own_member() {
    let own = with(json!({
        "redirect_uri": "https://a.example/cb", "resource": "urn:old", "max_age": 1, "acr_values": "old",
        "authorization_url": "old",
    }));
    let asked = |args: &[&str]| {
        let url = url(&run("pkce-url", args, &own.to_string()));
        ["redirect_uri", "resource", "max_age", "acr_values"].map(|name| value(&url, name).unwrap())
    };
    assert_eq!(asked(&[]), ["https://a.example/cb", "urn:old", "1", "old"]);
    let flags = ["--redirect-uri=http://[::1]:9/", "--resource=urn:new", "--max-age=0", "--acr-values=new"];
    assert_eq!(asked(&flags), ["http://[::1]:9/", "urn:new", "0", "new"]);
    let endpoint = run("pkce-url", &["--authorization-endpoint", "https://b.example"], &own.to_string());
    assert!(url(&endpoint).starts_with("https://b.example?"), "{endpoint:?}");
    let mut tool = command("pkce-url");
    tool.env("PKCE_CLIENT_ID", "").env("PKCE_SCOPE", "");
    let output = finish(&mut tool, with(json!({ "client_id": null })).to_string().as_bytes());
    assert_eq!(output, failure("pkce-url", 2, "client_id: missing\nhint: set it with --client-id or PKCE_CLIENT_ID"));
}

#[test]
fn refuses_a_maximal_age_that_is_no_number_of_seconds() {
    let help = "hint: see 'pkce-url --help'";
    for age in ["-1", "1.5", "4294967296", "x", ""] {
        let output = run("pkce-url", &[&format!("--max-age={age}")], &document().to_string());
        let message = format!("--max-age: must be a whole number from 0 to 4294967295\n{help}");
        assert_eq!(output, failure("pkce-url", 2, &message), "{age}");
    }
    for age in [json!(-1), json!(1.5), json!("60"), json!(true)] {
        let output = run("pkce-url", &[], &with(json!({ "max_age": age })).to_string());
        assert_eq!(output, failure("pkce-url", 2, "max_age: must be a whole number of seconds"), "{age}");
    }
}

#[test]
fn gives_the_same_for_the_same() {
    let once = run("pkce-url", &["--scope", "openid"], &document().to_string());
    assert_eq!(run("pkce-url", &["--scope", "openid"], &document().to_string()), once);
}

#[test]
fn prints_the_url_of_each_document_as_text() {
    let input = format!("{}{}", with(json!({ "state": "one" })), with(json!({ "state": "two" })));
    let output = run("pkce-url", &["-r", "authorization_url"], &input);
    let states: Vec<_> = output.stdout.lines().map(|line| value(line, "state").unwrap()).collect();
    assert_eq!((output.status, output.stderr.as_str(), states), (0, "", vec!["one".to_owned(), "two".to_owned()]));
    let output = run("pkce-url", &["-r", "none"], &document().to_string());
    let message = "pkce-url: none: missing\n".to_owned();
    assert_eq!((output.status, output.stdout.as_str(), output.stderr), (2, "", message));
}

/// The message for a line that does not begin as an object does.
const NO_OBJECT: &str = "pkce-url: standard input: not a JSON object\n\
                         hint: a document is a JSON object: leave out -r or --raw in the step before\n";

#[test]
fn ends_a_stream_with_what_is_no_document_and_with_a_failure_passed_on() {
    for (after, status, stdout, stderr) in [
        ("[]\n", 2, "!2 usage pkce-url\n", NO_OBJECT),
        ("{\"a\":", 2, "!2 usage pkce-url\n", "pkce-url: standard input: not a JSON object: unexpected end\n"),
        ("!3 unavailable pkce-gen\n", 3, "!3 unavailable pkce-gen\n", ""),
    ] {
        let output = run("pkce-url", &[], &format!("{}\n{after}", document()));
        let (first, rest) = output.stdout.split_once('\n').unwrap();
        assert!(first.contains("\"authorization_url\":"), "{output:?}");
        assert_eq!((output.status, rest, output.stderr.as_str()), (status, stdout, stderr));
    }
}

#[test]
fn keeps_its_memory_small_however_long_the_stream_is() {
    let document = with(json!({ "own": "x".repeat(40_000) }));
    let mut tool = command("bash");
    let script = "ulimit -v 65536; yes \"$DOCUMENT\" | head -n 2000 | pkce-url | wc -l; echo ${PIPESTATUS[2]}";
    let output = finish(tool.args(["-c", script]).env("DOCUMENT", document.to_string()), b"");
    assert_eq!((output.status, output.stdout.as_str(), output.stderr.as_str()), (0, "2000\n0\n", ""));
}

#[test]
fn needs_no_more_memory_for_a_hundred_thousand_documents_than_twice_that_for_ten() {
    let mut child = start(&mut command("pkce-url"));
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let line = format!("{}\n", with(json!({ "own": "o".repeat(100) })));
    let mut peak = |count| {
        thread::scope(|scope| {
            scope.spawn(|| (0..count).for_each(|_| stdin.write_all(line.as_bytes()).unwrap()));
            let read = (&mut stdout).lines().take(count).map(|line| assert!(line.unwrap().ends_with('}'))).count();
            assert_eq!(read, count);
        });
        peak_memory(child.id())
    };
    let (few, many) = (peak(10), peak(100_000));
    assert!(many <= 2 * few, "{few} KiB, then {many} KiB");
    drop(stdin);
    assert_eq!(done(child).status, 0);
}

#[test]
fn says_what_is_wrong_to_a_program_too() {
    let mut tool = command("pkce-url");
    let document = with(json!({ "code_challenge_method": "plain" }));
    let output = finish(tool.env("PKCE_ERRORS", "json"), document.to_string().as_bytes());
    let expected = json!({
        "tool": "pkce-url", "status": 2, "kind": "usage", "member": "code_challenge_method",
        "message": "code_challenge_method: must be S256",
    });
    let said: Value = serde_json::from_str(&output.stderr).unwrap();
    assert_eq!((output.status, output.stderr.lines().count(), said), (2, 1, expected));
}

#[test]
fn redirects_to_a_registered_uri_with_a_port_if_it_is_not_told_where() {
    let any_port = "http://127.0.0.1/callback";
    for (uris, expected) in [
        (json!([any_port, "http://127.0.0.1:23456/callback"]), "http://127.0.0.1:23456/callback"),
        (json!(["http://localhost:5/a", "http://127.0.0.1:6/b"]), "http://localhost:5/a"),
        (json!([any_port]), "http://127.0.0.1:0/callback"),
        (json!("http://[::1]/cb?a=b"), "http://[::1]:0/cb?a=b"),
        (json!(["https://id.example/cb", "http://localhost"]), "http://localhost:0"),
        (json!(["https://127.0.0.1/cb", "com.example.app:/cb"]), "https://127.0.0.1/cb"),
        (json!(["com.example.app:/cb"]), "com.example.app:/cb"),
        // What no tool could redirect to, such as the URI of a web client.
        (json!(["http://id.example/cb", "a b"]), "http://127.0.0.1:0/callback"),
        (json!([]), "http://127.0.0.1:0/callback"),
    ] {
        let output = run("pkce-url", &[], &with(json!({ "redirect_uris": uris })).to_string());
        assert_eq!(value(&url(&output), "redirect_uri").as_deref(), Some(expected), "{uris}");
        assert_eq!((&output.json()["redirect_uri"], &output.json()["redirect_uris"]), (&json!(expected), &uris));
    }
    let both = with(json!({ "redirect_uris": [any_port], "redirect_uri": "http://127.0.0.1:7/own" })).to_string();
    assert_eq!(run("pkce-url", &[], &both).json()["redirect_uri"], "http://127.0.0.1:7/own");
    let args = ["--redirect-uri", "http://127.0.0.1:8/option"];
    assert_eq!(run("pkce-url", &args, &both).json()["redirect_uri"], "http://127.0.0.1:8/option");
    let wrong = with(json!({ "redirect_uris": [5] })).to_string();
    assert_eq!(run("pkce-url", &[], &wrong), failure("pkce-url", 2, "redirect_uris: must be an array of strings"));
}

#[test]
fn names_no_resource_where_it_is_told_so() {
    let document = with(json!({ "resource": ["https://a.example", "urn:b"] })).to_string();
    let output = run("pkce-url", &["--no-resource"], &document);
    assert_eq!((value(&url(&output), "resource"), output.json().get("resource")), (None, None));
    let output = run("pkce-url", &["--no-resource", "--resource", "https://a.example"], &document);
    let hint = "hint: see 'pkce-url --help'";
    let message = format!("--no-resource: repeated, or conflicts with another argument\n{hint}");
    assert_eq!(output, failure("pkce-url", 2, &message));
}

#[test]
fn names_a_client_by_the_url_of_its_metadata_document() {
    let document = with(json!({})).to_string();
    let output = run("pkce-url", &["--client-id", "https://c.example/client.json"], &document);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
    assert_eq!(output.json()["client_id"], "https://c.example/client.json");
    assert!(url(&output).contains("client_id=https%3A%2F%2Fc.example%2Fclient.json&"), "{output:?}");
}
