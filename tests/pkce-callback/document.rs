//! The document in and out, and a redirect from a file.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::common::{command, failure, finish, make_fifo, new_directory, run};
use crate::{Login, OTHER_LOGIN, V4, document, may_be_unknown};

#[test]
fn takes_the_redirect_from_a_file_a_fifo_and_a_descriptor() {
    let directory = new_directory();
    let document = document("http://127.0.0.1:7/callback").to_string();
    let url = "http://127.0.0.1:7/callback?code=abc&state=st-123";
    let file = directory.path().join("file");
    std::fs::write(&file, format!("{url}\n")).unwrap();
    let output = run("pkce-callback", &["--response-file", file.to_str().unwrap()], &document);
    assert_eq!((output.status, &output.json()["code"]), (0, &json!("abc")));

    let fifo = directory.path().join("fifo");
    make_fifo(&fifo);
    let script = format!("(sleep 0.3; echo '{url}' >{0}) & pkce-callback --response-file {0}; wait", fifo.display());
    let output = finish(command("bash").args(["-c", &script]), document.as_bytes());
    assert_eq!((output.status, &output.json()["code"]), (0, &json!("abc")));

    // A writer that stops in the middle of the line.
    let (start, end) = url.split_at(30);
    let script = format!(
        "(printf %s '{start}'; sleep 0.3; echo '{end}') >{0} & pkce-callback --response-file {0}; wait",
        fifo.display()
    );
    let output = finish(command("bash").args(["-c", &script]), document.as_bytes());
    assert_eq!((output.status, &output.json()["code"]), (0, &json!("abc")));

    // As large as it may be.
    std::fs::write(&file, format!("{url}\n{}", "x".repeat(1024 * 1024 - url.len() - 1))).unwrap();
    let output = run("pkce-callback", &["--response-file", file.to_str().unwrap()], &document);
    assert_eq!((output.status, &output.json()["code"]), (0, &json!("abc")));

    let script = format!("pkce-callback --response-file /dev/fd/3 3< <(sleep 0.2; echo '{url}')");
    let output = finish(command("bash").args(["-c", &script]), document.as_bytes());
    assert_eq!((output.status, &output.json()["code"]), (0, &json!("abc")));
}

#[test]
fn finds_the_address_in_a_response_file() {
    let directory = new_directory();
    let document = document("http://127.0.0.1:7/callback").to_string();
    let file = directory.path().join("file");
    let fifo = directory.path().join("fifo");
    make_fifo(&fifo);
    let address = "http://127.0.0.1:7/callback?code=abc&state=st-123";
    for text in [
        "http://127.0.0.1:7/callback?co\nde=abc&state=st-123\n".to_owned(),
        "http://127.0.0.1:7/callback?co\r\n  de=abc&state=st-\r\n123".to_owned(),
        format!("\n{address}\n"),
        format!("\r\n \n{address}"),
        format!("Done\n{address}\n"),
        format!("{address}\nDone\n"),
        "Done\n?code=abc&state=st-123\nDone\n".to_owned(),
    ] {
        std::fs::write(&file, &text).unwrap();
        let output = run("pkce-callback", &["--response-file", file.to_str().unwrap()], &document);
        assert_eq!((output.status, &output.json()["code"]), (0, &json!("abc")), "{text:?}");
    }
    // A writer that keeps it open: the first line that is not empty counts.
    for text in [format!("\\n \\n{address}\\n"), format!("{address}\\nDone\\n"), format!("\\n{address}")] {
        let (lines, last) = text.split_at(text.len() - address.len() / 2);
        let script = format!(
            "exec 9<>{0}; (printf '{lines}'; sleep 0.3; printf '{last}\\n') >&9 & pkce-callback --response-file {0}; wait",
            fifo.display()
        );
        let output = finish(command("bash").args(["-c", &script]), document.as_bytes());
        assert_eq!((output.status, &output.json()["code"]), (0, &json!("abc")), "{text:?}");
    }
}

#[test]
fn says_that_nothing_was_written_to_the_response_file() {
    let directory = new_directory();
    let redirect_uri = "http://127.0.0.1:7/callback";
    let fifo = directory.path().join("fifo");
    make_fifo(&fifo);
    let args = ["--response-file", fifo.to_str().unwrap(), "--timeout", "1"];
    let document = document(redirect_uri);
    let output = run("pkce-callback", &args, &document.to_string());
    let mut expected = failure(
        "pkce-callback",
        3,
        &format!(
            "no redirect within 1 s\nhint: check that the address is written to the file of --response-file; {}",
            may_be_unknown(redirect_uri)
        ),
    );
    let url = document["authorization_url"].as_str().unwrap();
    expected.stderr.insert_str(0, &format!("pkce-callback: to sign in, open this URL in a browser:\n{url}\n"));
    assert_eq!(output, expected);
}

#[test]
fn judges_an_address_by_its_state_and_not_by_its_host() {
    let directory = new_directory();
    let document = document("http://127.0.0.1:7/callback").to_string();
    let file = directory.path().join("file");
    for address in [
        "https://127.0.0.1:7/callback",
        "http://localhost:7/callback",
        "http://127.0.0.1:8/callback/",
        "https://x-7.forwarded.example/elsewhere",
    ] {
        std::fs::write(&file, format!("{address}?code=abc&state=st-123\n")).unwrap();
        let output = run("pkce-callback", &["--response-file", file.to_str().unwrap()], &document);
        assert_eq!((output.status, &output.json()["code"]), (0, &json!("abc")), "{address}");
    }
}

#[test]
fn refuses_a_response_file_that_does_not_hold_this_redirect() {
    let directory = new_directory();
    let document = document("http://127.0.0.1:7/callback").to_string();
    let file = directory.path().join("file");
    let other = format!("redirect: its state does not match\nhint: {OTHER_LOGIN}");
    let to_open = "redirect: it is the URL to open, not the address that the browser was redirected to";
    for (text, status, message) in [
        ("", 2, "--response-file: empty"),
        ("\n \r\n", 4, "redirect: it has no code"),
        ("http://127.0.0.1:7/callback?code=abc&state=other", 4, &other),
        ("http://127.0.0.1:7/callback?code=abc", 4, "redirect: it has no state"),
        ("https://id.example/authorize?client_id=cli&state=st-123", 4, to_open),
        ("https://id.example/login?state=st-123", 4, "redirect: it has no code"),
        ("http://127.0.0.1:7/callback?error=access_denied&state=st-123", 1, "authorization endpoint: access_denied"),
    ] {
        std::fs::write(&file, text).unwrap();
        let output = run("pkce-callback", &["--response-file", file.to_str().unwrap()], &document);
        let expected = failure("pkce-callback", status, message);
        assert_eq!((output.status, &output.stdout), (status, &expected.stdout), "{text}");
        assert!(output.stderr.ends_with(&expected.stderr), "{text}: {}", output.stderr);
    }
    let prompt = "pkce-callback: to sign in, open this URL in a browser:\n\
                  https://op.example.com/a?state=st-123&redirect_uri=http%3A%2F%2F127.0.0.1%3A7%2Fcallback\n";
    let large = format!("http://127.0.0.1:7/callback?code=abc&state=st-123\n{}", "x".repeat(1024 * 1024));
    std::fs::write(&file, large).unwrap();
    for (file, wrong) in [(file.to_str().unwrap(), "larger than 1 MiB"), ("/proc/self/mem", "input/output error")] {
        if std::path::Path::new(file).exists() {
            let output = run("pkce-callback", &["--response-file", file], &document);
            let mut expected = failure("pkce-callback", 2, &format!("--response-file: {wrong}"));
            expected.stderr.insert_str(0, prompt);
            assert_eq!(output, expected);
        }
    }
    let no_file = run("pkce-callback", &["--response-file", directory.path().to_str().unwrap()], &document);
    assert_eq!(no_file, failure("pkce-callback", 2, "--response-file: is a directory"));
    let missing = run("pkce-callback", &["--response-file", "/no/such/file"], &document);
    assert_eq!(missing, failure("pkce-callback", 2, "--response-file: no such file or directory"));
}

#[test]
fn refuses_documents_it_cannot_wait_for() {
    let with = |name: &str, value: Value| {
        let mut changed = document(V4);
        changed[name] = value;
        changed
    };
    let without = |name: &str| {
        let mut changed = document(V4);
        changed.as_object_mut().unwrap().remove(name);
        changed
    };
    let named = |redirect_uri: &str| with("redirect_uri", json!(redirect_uri));
    let port_zero = "redirect_uri: port 0 cannot be used without a listener\n\
                     hint: name a port: pkce-url --redirect-uri http://127.0.0.1:8080/callback";
    let cases: [(Value, &[&str], i32, &str); 10] = [
        (without("state"), &[], 2, "state: missing\nhint: pkce-gen adds it"),
        (with("state", json!(5)), &[], 2, "state: must be a string"),
        (with("state", json!("")), &[], 2, "state: must not be empty"),
        (without("authorization_url"), &[], 2, "authorization_url: missing\nhint: pkce-url adds it"),
        (without("redirect_uri"), &[], 2, "redirect_uri: missing\nhint: pkce-url adds it"),
        (
            with("authorization_url", json!("javascript:alert(1)")),
            &[],
            2,
            "authorization_url: not an absolute URL with a host",
        ),
        (
            named("https://app.example/cb"),
            &[],
            2,
            "redirect_uri: not on this machine, so pkce-callback cannot listen there\n\
             hint: use --paste to paste the address that the browser was redirected to, or --listen where it is \
                   forwarded to this machine",
        ),
        (
            with("require_pushed_authorization_requests", json!(true)),
            &[],
            2,
            "authorization_url: the server accepts pushed requests only\n\
             hint: put pkce-push between pkce-url and pkce-callback",
        ),
        (document(V4), &["--response-file", "/dev/null"], 2, port_zero),
        (
            named("https://app.example/cb"),
            &["--paste"],
            2,
            "--paste: no terminal\nhint: use --response-file to read the address from a file",
        ),
    ];
    for (document, args, status, message) in cases {
        let mut setsid = command("setsid");
        let output = finish(setsid.arg("-w").arg("pkce-callback").args(args), document.to_string().as_bytes());
        assert_eq!(output, failure("pkce-callback", status, message));
    }
    let plain = with("authorization_url", json!("http://op.example.com/a"));
    assert_eq!(run("pkce-callback", &["--no-browser"], &plain.to_string()).status, 4);
    let elsewhere = with("authorization_url", json!("http://127.0.0.1:1/a"));
    assert_eq!(
        run("pkce-callback", &["--no-browser"], &elsewhere.to_string()),
        failure("pkce-callback", 4, "authorization_url: a remote server must not point to this machine")
    );
    let no_port = failure(
        "pkce-callback",
        2,
        "authorization_url: does not contain the document's redirect_uri with port 0\n\
         hint: pkce-push chooses a port before it pushes the request",
    );
    for query in ["client_id=x&request_uri=urn:x", "state=st-123&redirect_uri=http%3A%2F%2F127.0.0.1%3A0%2Fother"] {
        let document = with("authorization_url", json!(format!("https://op.example.com/a?{query}")));
        assert_eq!(run("pkce-callback", &["--no-browser"], &document.to_string()), no_port, "{query}");
    }
}

#[test]
fn prints_one_member_alone_and_no_failure_line_beside_it() {
    let login = Login::start(&document(V4), &["-r", "code"]);
    login.get("code=abc&state=st-123");
    assert_eq!(login.end().stdout, "abc\n");
    let login = Login::start(&document(V4), &["--raw", "code"]);
    login.get("error=access_denied&state=st-123");
    let output = login.end();
    assert_eq!((output.status, output.stdout.as_str()), (1, ""));
}

#[test]
fn never_reads_a_redirect_from_standard_input() {
    let two = format!("{}\n{{\"code\":\"x\"}}", document(V4));
    let mut command = command("pkce-callback");
    let output = finish(command.stdin(Stdio::piped()), two.as_bytes());
    assert_eq!(output, failure("pkce-callback", 2, "standard input: more than one document"));
}

#[test]
fn does_not_listen_for_https_on_this_machine_but_reads_its_redirect_from_a_file() {
    let directory = new_directory();
    let file = directory.path().join("file");
    let message = "redirect_uri: https, so pkce-callback cannot listen there\n\
                   hint: use --paste to paste the address that the browser was redirected to, or --listen where it is \
                   forwarded to this machine";
    for redirect_uri in [
        "https://127.0.0.1/cb",
        "https://127.0.0.1:1/cb",
        "https://127.0.0.1:0/cb",
        "https://localhost:8443/cb",
        "https://[::1]/cb",
    ] {
        let document = document(redirect_uri).to_string();
        let output = run("pkce-callback", &["--no-browser"], &document);
        assert_eq!(output, failure("pkce-callback", 2, message), "{redirect_uri}");
        if !redirect_uri.contains(":0/") {
            std::fs::write(&file, format!("{redirect_uri}?code=abc&state=st-123\n")).unwrap();
            let output = run("pkce-callback", &["--response-file", file.to_str().unwrap()], &document);
            assert_eq!((output.status, &output.json()["code"]), (0, &json!("abc")), "{redirect_uri}");
        }
    }
}
