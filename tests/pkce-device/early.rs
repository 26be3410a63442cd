//! Nothing late: what can be known before the user is shown a code is known before anything is sent.

use std::io::{Read, Write};

use serde_json::json;

use crate::common::{Output, changed, command, done, failure, finish, kill, start, unfed};
use crate::{CHALLENGE, Fake, pending, until};

#[test]
fn refuses_options_before_standard_input_is_read() {
    let scope = "scope: must be names separated by single spaces, without \" and \\";
    let secret = "a secret must not be an argument, which other programs can read";
    for (args, message) in [
        (&["--scope", "a  b"][..], scope.to_owned()),
        (&["--resource", "api"], "resource: must be an absolute URI without a fragment".to_owned()),
        (&["--client-id", "é"], "client_id: must be one or more visible ASCII characters".to_owned()),
        (&["--param", "device_code=a"], format!("--param: device_code: {secret}")),
        (&["--param", "code_verifier=a"], format!("--param: code_verifier: {secret}")),
        (
            &["--param", "client_secret=a"],
            format!("--param: client_secret: {secret}\nhint: pass a client secret with --client-secret-file FILE"),
        ),
        (&["--param", "grant_type=a"], "--param: grant_type: reserved".to_owned()),
        (&["--param", "resource=a"], "--param: resource: reserved".to_owned()),
        (&["--param", "scope=a"], "--param: scope: reserved\nhint: set it with --scope".to_owned()),
        (&["--param", "code_challenge=a"], "--param: code_challenge: reserved".to_owned()),
        (&["--param", "code_challenge_method=plain"], "--param: code_challenge_method: reserved".to_owned()),
        (&["--param", "a=b", "--param", "a=c"], "--param: a: duplicate".to_owned()),
        (&["--param", "a="], "--param: a: must not be empty".to_owned()),
        (
            &["--qr", "--no-qr"],
            "--qr: repeated, or conflicts with another argument\nhint: see 'pkce-device --help'".to_owned(),
        ),
        (&["--client-secret-file", "/no"], "--client-secret-file: no such file or directory".to_owned()),
    ] {
        assert_eq!(unfed(command("pkce-device").args(args)), failure("pkce-device", 2, &message), "{args:?}");
    }
}

#[test]
fn refuses_a_document_before_anything_is_sent() {
    let discover = "hint: pkce-discover adds it";
    let gen_adds = "hint: pkce-gen adds it";
    let fake = Fake::start(json!({}), Vec::new());
    let https = "plain http is only allowed to this machine; use https\n\
                 hint: for a test network, list its hosts in PKCE_HTTP_HOSTS, such as keycloak:8080";
    for (changes, status, message) in [
        (
            json!({ "device_authorization_endpoint": null }),
            2,
            "device_authorization_endpoint: missing\n\
             hint: the server's metadata names none: sign in with a browser on this machine instead (pkce-login \
             --no-device), or add the endpoint \
             to the document if the server has one"
                .to_owned(),
        ),
        (
            json!({ "device_authorization_endpoint": null, "token_endpoint": null }),
            2,
            "device_authorization_endpoint: missing\n\
             hint: pkce-discover adds it; to make pkce-gen read it from a pipe: pkce-gen -"
                .to_owned(),
        ),
        (
            json!({ "device_authorization_endpoint": "http://a.example/" }),
            4,
            format!("device_authorization_endpoint: {https}"),
        ),
        (json!({ "token_endpoint": null }), 2, format!("token_endpoint: missing\n{discover}")),
        (json!({ "token_endpoint": "http://a.example/" }), 4, format!("token_endpoint: {https}")),
        (
            json!({ "client_id": null }),
            2,
            "client_id: missing\nhint: set it with --client-id or PKCE_CLIENT_ID".to_owned(),
        ),
        (json!({ "code_verifier": null }), 2, format!("code_verifier: missing\n{gen_adds}")),
        (json!({ "code_challenge": null }), 2, format!("code_challenge: missing\n{gen_adds}")),
        (
            json!({ "code_challenge": CHALLENGE.replace('E', "F") }),
            2,
            "code_challenge: does not match the document's code_verifier".to_owned(),
        ),
        (json!({ "code_challenge_method": "plain" }), 2, "code_challenge_method: must be S256".to_owned()),
        (
            json!({ "scope": "a  b" }),
            2,
            "scope: must be names separated by single spaces, without \" and \\".to_owned(),
        ),
        (json!({ "resource": "api" }), 2, "resource: must be an absolute URI without a fragment".to_owned()),
        (
            json!({ "token_endpoint_auth_method": "client_secret_basic" }),
            2,
            "client_secret: missing, but the client's authentication method requires it\n\
             hint: name its file with --client-secret-file or PKCE_CLIENT_SECRET_FILE, or a command that prints it \
             with --client-secret-command"
                .to_owned(),
        ),
        (
            json!({ "own": "a".repeat(1024 * 1000) }),
            2,
            "document: larger than 960 KiB, which leaves no room for the response".to_owned(),
        ),
    ] {
        let document = changed(fake.document(), &changes).to_string();
        let output = finish(&mut command("pkce-device"), document.as_bytes());
        assert_eq!(output, failure("pkce-device", status, &message));
    }
    let output = fake.log_in(&["--param=client_id=other"]);
    assert_eq!(output, failure("pkce-device", 2, "--param: client_id: not the document's client_id"));
    assert!(fake.requests().is_empty());
}

#[test]
fn sends_nothing_where_its_reader_is_gone() {
    let fake = Fake::start(json!({}), Vec::new());
    let script = "pkce-device --client-secret-command 'echo asked >&2' | pkce-verify --jwks /no/file; echo $?";
    let output = finish(command("bash").args(["-c", script]), fake.document().to_string().as_bytes());
    let message = "pkce-verify: --jwks: no such file or directory\n";
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("!2 usage pkce-verify\n2\n", message));
    assert!(fake.requests().is_empty());
}

#[test]
fn ends_silently_once_its_reader_is_gone() {
    let fake = Fake::start(json!({}), vec![pending(); 100]);
    let mut tool = start(&mut command("pkce-device"));
    tool.stdin.take().unwrap().write_all(fake.document().to_string().as_bytes()).unwrap();
    until(|| fake.requests().len() > 1);
    drop(tool.stdout.take());
    let Output { status, stderr, .. } = done(tool);
    assert_eq!((status, stderr), (3, fake.shown()));
}

#[test]
fn ends_as_its_signal_while_it_waits() {
    let fake = Fake::start(json!({}), vec![pending(); 100]);
    let mut tool = start(&mut command("pkce-device"));
    tool.stdin.take().unwrap().write_all(fake.document().to_string().as_bytes()).unwrap();
    let mut stderr = tool.stderr.take().unwrap();
    until(|| fake.requests().len() > 1);
    kill(tool.id(), "TERM");
    assert_eq!(done(tool), Output { status: 143, stdout: String::new(), stderr: String::new() });
    let mut shown = String::new();
    stderr.read_to_string(&mut shown).unwrap();
    assert_eq!(shown, fake.shown());
}
