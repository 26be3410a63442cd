//! The request: the code with its verifier, how the client shows who it is, and what is never sent.

use serde_json::{Value, json};

use crate::common::{self, Server, changed, command, failure, finish, json_response, new_directory, run};
use crate::{VERIFIER, document, pair, tokens, with};

const HELP: &str = "hint: see 'pkce-exchange --help'";

#[test]
fn sends_the_code_with_its_verifier_in_one_form() {
    let server = Server::start(|_| json_response(&tokens()));
    let document = with(&server, json!({ "resource": ["https://api.example/", "urn:two"], "code": "4/0A+z= &%" }));
    let output = run("pkce-exchange", &[], &document.to_string());
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    let seen = server.requests();
    assert_eq!(seen.len(), 1);
    let seen = &seen[0];
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/token"));
    assert_eq!(seen.header("Content-Type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(seen.header("Accept"), Some("application/json"));
    assert_eq!(seen.header("Accept-Encoding"), Some("identity"));
    assert_eq!(seen.header("User-Agent"), Some(concat!("pkce-tools/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(seen.header("Content-Length"), Some(seen.body.len().to_string().as_str()));
    let mut names: Vec<String> = seen.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort();
    assert_eq!(names, ["accept", "accept-encoding", "content-length", "content-type", "host", "user-agent"]);
    let expected = [
        pair("grant_type", "authorization_code"),
        pair("code", "4/0A+z= &%"),
        pair("redirect_uri", "http://127.0.0.1:4711/callback"),
        pair("code_verifier", VERIFIER),
        pair("resource", "https://api.example/"),
        pair("resource", "urn:two"),
        pair("client_id", "cli"),
    ];
    assert_eq!(seen.form(), expected);
}

#[test]
fn refuses_documents_whose_code_it_must_not_send() {
    let server = Server::start(|_| json_response(&tokens()));
    let verifier = "code_verifier: must be 43 to 128 characters of A-Z, a-z, 0-9, '-', '.', '_', '~'";
    for (changes, status, wrong) in [
        (json!({ "code": null }), 2, "code: missing\nhint: pkce-callback adds it"),
        (json!({ "code": "" }), 2, "code: must be one or more visible ASCII characters"),
        (json!({ "code": "a\nb" }), 2, "code: must be one or more visible ASCII characters"),
        (json!({ "code": 5 }), 2, "code: must be a string"),
        (json!({ "code_verifier": null }), 2, "code_verifier: missing\nhint: pkce-gen adds it"),
        (json!({ "code_verifier": "short" }), 2, verifier),
        (json!({ "redirect_uri": null }), 2, "redirect_uri: missing\nhint: pkce-url adds it"),
        (json!({ "client_id": null }), 2, "client_id: missing\nhint: pkce-url adds it"),
        (json!({ "token_endpoint": null }), 2, "token_endpoint: missing\nhint: pkce-discover adds it"),
        (
            json!({ "token_endpoint": "https://u:p@id.example/" }),
            2,
            "token_endpoint: must not have a user name or password",
        ),
        (
            json!({ "token_endpoint": "http://id.example/token" }),
            4,
            "token_endpoint: plain http is only allowed to this machine; use https\n\
             hint: for a test network, list its hosts in PKCE_HTTP_HOSTS, such as keycloak:8080",
        ),
        (
            json!({ "issuer": "https://id.example" }),
            4,
            "token_endpoint: a remote server must not point to this machine",
        ),
        (json!({ "issuer": "https://a", "iss": "https://b" }), 4, "iss: https://b instead of https://a"),
        (json!({ "token_endpoint_auth_method": "private_key_jwt" }), 2, "token_endpoint_auth_method: not supported"),
        (
            json!({ "token_endpoint_auth_method": "client_secret_post" }),
            2,
            "client_secret: missing, but the client's authentication method requires it\n\
             hint: name its file with --client-secret-file or PKCE_CLIENT_SECRET_FILE, or a command that prints it \
             with --client-secret-command",
        ),
    ] {
        let output = run("pkce-exchange", &[], &with(&server, changes.clone()).to_string());
        assert_eq!(output, failure("pkce-exchange", status, wrong), "{changes}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn writes_basic_credentials_as_the_vectors_do() {
    let directory = new_directory();
    let file = directory.path().join("secret");
    for case in common::vectors("form.json")["basic_auth"].as_array().unwrap() {
        let secret = case["secret"].as_str().unwrap();
        let server = Server::start(|_| json_response(&tokens()));
        std::fs::write(&file, format!("{secret}\n")).unwrap();
        let document = with(&server, json!({ "client_id": case["id"] }));
        let output = run("pkce-exchange", &["--client-secret-file", file.to_str().unwrap()], &document.to_string());
        let seen = server.requests();
        let header = seen[0].header("Authorization").unwrap();
        let allowed = case["header_any"].as_array().cloned().unwrap_or(vec![case["header"].clone()]);
        assert!(allowed.iter().any(|allowed| allowed == header), "{header}");
        assert!(seen[0].form().iter().all(|(name, _)| name != "client_secret" && name != "client_id"));
        assert!(!output.stdout.contains(secret), "{output:?}");
    }
}

#[test]
fn encodes_as_the_vectors_do() {
    for case in common::vectors("form.json")["encode"].as_array().unwrap() {
        let server = Server::start(|_| json_response(&tokens()));
        let output = run("pkce-exchange", &[], &with(&server, json!({ "redirect_uri": case["in"] })).to_string());
        assert_eq!(output.status, 0, "{output:?}");
        let body = &server.requests()[0].body;
        let encoded = body.split_once("&redirect_uri=").unwrap().1.split('&').next().unwrap();
        assert!(case["out_any"].as_array().unwrap().iter().any(|out| out == encoded), "{encoded}");
    }
}

#[test]
fn sends_a_secret_one_way_alone() {
    let directory = new_directory();
    let path = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (file, other) = (path("file", "from-file\r\n"), path("env", "from-env"));
    let listed = json!(["client_secret_post", "none"]);
    let unlisted = json!(["private_key_jwt"]);
    // The secret, and how it must come: `Basic` with the header, `post` in the body, or not at all.
    for (args, changes, env, expected) in [
        (vec![], json!({ "client_secret": "doc" }), "", "Basic Y2xpOmRvYw=="),
        (vec![], json!({ "client_secret": "doc", "token_endpoint_auth_methods_supported": listed }), "", "doc"),
        (
            vec![],
            json!({ "client_secret": "doc", "token_endpoint_auth_methods_supported": ["a", "client_secret_basic"] }),
            "",
            "Basic Y2xpOmRvYw==",
        ),
        (
            vec![],
            json!({
                "client_secret": "doc",
                "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            }),
            "",
            "Basic Y2xpOmRvYw==",
        ),
        (vec![], json!({ "client_secret": "doc", "token_endpoint_auth_method": "client_secret_post" }), "", "doc"),
        // What the caller or the document says wins over what the server lists.
        (
            vec!["--auth-method", "client_secret_post"],
            json!({ "client_secret": "doc", "token_endpoint_auth_methods_supported": unlisted }),
            "",
            "doc",
        ),
        (
            vec!["--auth-method", "none"],
            json!({ "client_secret": "doc", "token_endpoint_auth_methods_supported": unlisted }),
            "",
            "",
        ),
        (
            vec![],
            json!({
                "client_secret": "doc", "token_endpoint_auth_method": "client_secret_basic",
                "token_endpoint_auth_methods_supported": unlisted,
            }),
            "",
            "Basic Y2xpOmRvYw==",
        ),
        (
            vec![],
            json!({
                "client_secret": "doc", "token_endpoint_auth_method": "none",
                "token_endpoint_auth_methods_supported": unlisted,
            }),
            "",
            "",
        ),
        (vec!["--auth-method", "client_secret_post"], json!({ "client_secret": "doc" }), "", "doc"),
        (vec!["--auth-method", "none"], json!({ "client_secret": "doc" }), "", ""),
        (
            vec!["--client-secret-file", &file, "--auth-method", "client_secret_post"],
            json!({ "client_secret": "doc" }),
            "",
            "from-file",
        ),
        (vec!["--auth-method", "client_secret_post"], json!({}), other.as_str(), "from-env"),
        (vec!["--auth-method", "client_secret_post"], json!({ "client_secret": "doc" }), other.as_str(), "doc"),
        (
            vec!["--client-secret-file", &file],
            json!({ "token_endpoint_auth_method": "none" }),
            "",
            "Basic Y2xpOmZyb20tZmlsZQ==",
        ),
        (vec![], json!({}), "", ""),
    ] {
        let server = Server::start(|_| json_response(&tokens()));
        let mut tool = command("pkce-exchange");
        tool.args(&args).env("PKCE_CLIENT_SECRET_FILE", env);
        let output = finish(&mut tool, with(&server, changes.clone()).to_string().as_bytes());
        assert_eq!(output.status, 0, "{args:?} {changes}: {output:?}");
        let seen = server.requests();
        let form = seen[0].form();
        let posted = form.iter().find(|(name, _)| name == "client_secret").map(|(_, value)| value.as_str());
        let named = form.iter().any(|(name, _)| name == "client_id");
        let header = seen[0].header("Authorization");
        let basic = expected.starts_with("Basic");
        assert_eq!(header, Some(expected).filter(|_| basic), "{args:?} {changes}");
        assert_eq!(posted, Some(expected).filter(|text| !basic && !text.is_empty()), "{args:?} {changes}");
        assert_eq!(named, !basic, "{args:?} {changes}");
        assert_eq!(output.json().get("client_secret"), changes.get("client_secret"), "kept only where it was");
    }
}

#[test]
fn sends_no_secret_to_a_server_that_lists_no_way_to_send_it() {
    let directory = new_directory();
    let file = directory.path().join("secret");
    std::fs::write(&file, "s3cret").unwrap();
    let hint = "hint: choose how to send it with --auth-method, or send no secret with --auth-method none";
    let long = "m".repeat(300);
    for (listed, lists) in [
        (json!(["private_key_jwt"]), "only private_key_jwt".to_owned()),
        (json!(["private_key_jwt", "tls_client_auth"]), "only private_key_jwt, tls_client_auth".to_owned()),
        (json!(["none"]), "only none".to_owned()),
        (json!(["client_secret_jwt", "CLIENT_SECRET_BASIC"]), "only client_secret_jwt, CLIENT_SECRET_BASIC".to_owned()),
        (json!("private_key_jwt"), "only private_key_jwt".to_owned()),
        (json!(["a\n\u{1b}[31m"]), "only a ?[31m".to_owned()),
        (json!([long]), format!("only {}", "m".repeat(200))),
        (json!([]), "no method".to_owned()),
    ] {
        let server = Server::start(|_| json_response(&tokens()));
        let document = with(&server, json!({ "token_endpoint_auth_methods_supported": listed }));
        let wrong =
            format!("token_endpoint_auth_methods_supported: lists {lists}, so the client secret is not sent\n{hint}");
        let refused = failure("pkce-exchange", 2, &wrong);
        let output = run("pkce-exchange", &["--client-secret-file", file.to_str().unwrap()], &document.to_string());
        assert_eq!(output, refused);
        let mut tool = command("pkce-exchange");
        let output = finish(tool.env("PKCE_CLIENT_SECRET_FILE", &file), document.to_string().as_bytes());
        assert_eq!(output, refused);
        let held = changed(document.clone(), &json!({ "client_secret": "s3cret" }));
        assert_eq!(run("pkce-exchange", &[], &held.to_string()), refused);
        assert_eq!(server.requests().len(), 0);
        // Without a secret there is nothing to hold back.
        assert_eq!((run("pkce-exchange", &[], &document.to_string()).status, server.requests().len()), (0, 1));
    }
    let server = Server::start(|_| json_response(&tokens()));
    let document = with(&server, json!({ "client_secret": "doc", "token_endpoint_auth_methods_supported": [1] }));
    let wrong = "token_endpoint_auth_methods_supported: must be an array of strings";
    assert_eq!(run("pkce-exchange", &[], &document.to_string()), failure("pkce-exchange", 2, wrong));
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn takes_a_secret_from_a_pipe_of_bash() {
    let server = Server::start(|_| json_response(&tokens()));
    let script = "secret=s3cret; pkce-exchange --client-secret-file <(printf %s \"$secret\")";
    let output = finish(command("bash").args(["-c", script]), document(&server).to_string().as_bytes());
    assert_eq!((output.status, server.requests()[0].header("Authorization")), (0, Some("Basic Y2xpOnMzY3JldA==")));
    let output = run("pkce-exchange", &["--client-secret-file", "/no/such/file"], &document(&server).to_string());
    assert_eq!(output, failure("pkce-exchange", 2, "--client-secret-file: no such file or directory"));
}

#[test]
fn writes_the_request_as_json_where_that_is_asked_for() {
    let server = Server::start(|_| json_response(&tokens()));
    let output =
        run("pkce-exchange", &["--format", "json"], &with(&server, json!({ "resource": ["a:1", "b:2"] })).to_string());
    assert_eq!(output.status, 0, "{output:?}");
    let seen = &server.requests()[0];
    assert_eq!(seen.header("Content-Type"), Some("application/json"));
    let expected = json!({
        "grant_type": "authorization_code", "code": "c0de-c0de", "code_verifier": VERIFIER, "client_id": "cli",
        "redirect_uri": "http://127.0.0.1:4711/callback", "resource": ["a:1", "b:2"],
    });
    assert_eq!(serde_json::from_str::<Value>(&seen.body).unwrap(), expected);
}

#[test]
fn traces_the_request_without_its_secrets() {
    let server = Server::start(|_| json_response(&tokens()));
    let mut tool = command("pkce-exchange");
    let endpoint = format!("{}?tenant=s3cret", server.url("/token"));
    let document = with(&server, json!({ "token_endpoint": endpoint }));
    let output = finish(tool.env("PKCE_TRACE", "1"), document.to_string().as_bytes());
    let start = format!("pkce-exchange: trace: POST {}: 200, 43 bytes, ", server.url("/token"));
    assert!(output.stderr.starts_with(&start) && output.stderr.ends_with(" ms\n"), "{output:?}");
    assert!(!output.stderr.contains("s3cret") && output.stderr.lines().count() == 1, "{output:?}");
}

#[test]
fn takes_the_token_endpoint_from_the_flag_first() {
    let (server, other) = (Server::start(|_| json_response(&tokens())), Server::start(|_| json_response(&tokens())));
    let output = run("pkce-exchange", &["--token-endpoint", &server.url("/t")], &document(&other).to_string());
    assert_eq!((output.status, &output.json()["token_endpoint"]), (0, &json!(server.url("/t"))), "{output:?}");
    assert_eq!((server.requests()[0].target.as_str(), other.requests().len()), ("/t", 0));
}

#[test]
fn refuses_options_it_cannot_use() {
    let range = "must be a whole number from 1 to 4294967295";
    for (args, wrong) in [
        (vec!["--format", "xml"], "--format: must be one of form, json".to_owned()),
        (
            vec!["--auth-method", "basic"],
            "--auth-method: must be one of none, client_secret_basic, client_secret_post".to_owned(),
        ),
        (vec!["--timeout", "0"], format!("--timeout: {range}")),
        (vec!["--timeout", "1.5"], format!("--timeout: {range}")),
        (vec!["--timeout="], format!("--timeout: {range}")),
        (vec!["--client-secret", "s3cret"], "--client-secret: no such option".to_owned()),
        (vec!["extra"], "arguments: too many".to_owned()),
    ] {
        let output = run("pkce-exchange", &args, "");
        let hint = match args[0] {
            "--client-secret" => "hint: did you mean --client-secret-file?",
            "extra" => {
                "hint: the document is read from standard input: pkce-exchange < FILE; quote a value that contains spaces"
            }
            _ => HELP,
        };
        assert_eq!(output, failure("pkce-exchange", 2, &format!("{wrong}\n{hint}")), "{args:?}");
    }
}

#[test]
fn refuses_files_that_hold_no_secret() {
    let directory = new_directory();
    let server = Server::start(|_| json_response(&tokens()));
    const UTF_16: &str = "UTF-16, not UTF-8\nhint: convert it: iconv -f UTF-16 -t UTF-8 FILE > NEW";
    let line = "the first line must not have control characters";
    for (text, wrong) in [
        (b"a\0b".as_slice(), line),
        (b"\x1b[31m", line),
        (b"a\rb\n", line),
        (b"\xff", "not UTF-8"),
        (b"\xff\xfes\0", UTF_16),
    ] {
        let file = directory.path().join("secret");
        std::fs::write(&file, text).unwrap();
        let output =
            run("pkce-exchange", &["--client-secret-file", file.to_str().unwrap()], &document(&server).to_string());
        assert_eq!(output, failure("pkce-exchange", 2, &format!("--client-secret-file: {wrong}")), "{text:?}");
        let mut tool = command("pkce-exchange");
        let output = finish(tool.env("PKCE_CLIENT_SECRET_FILE", &file), document(&server).to_string().as_bytes());
        assert_eq!(output, failure("pkce-exchange", 2, &format!("PKCE_CLIENT_SECRET_FILE: {wrong}")), "{text:?}");
    }
    let output = run("pkce-exchange", &["--client-secret-file", "/"], &document(&server).to_string());
    assert_eq!(output, failure("pkce-exchange", 2, "--client-secret-file: is a directory"));
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn sends_no_part_of_a_file_that_is_too_long_for_a_secret() {
    let directory = new_directory();
    let file = directory.path().join("secret");
    let server = Server::start(|_| json_response(&tokens()));
    let args = ["--client-secret-file", file.to_str().unwrap()];
    for text in ["a".repeat(64 * 1024 + 1), format!("a\n{}", "b".repeat(64 * 1024))] {
        std::fs::write(&file, text).unwrap();
        let output = run("pkce-exchange", &args, &document(&server).to_string());
        let message = "--client-secret-file: larger than 64 KiB";
        assert_eq!((output, server.requests().len()), (failure("pkce-exchange", 2, message), 0));
    }
    let longest = "a".repeat(64 * 1024 - 1);
    std::fs::write(&file, format!("{longest}\n")).unwrap();
    let output = run(
        "pkce-exchange",
        &[&args[..], &["--auth-method", "client_secret_post"]].concat(),
        &document(&server).to_string(),
    );
    assert_eq!(output.status, 0, "{}", output.stderr);
    assert!(server.requests()[0].form().contains(&("client_secret".to_owned(), longest.clone())));
    let output = run(
        "pkce-exchange",
        &[&args[..], &["--auth-method", "client_secret_basic"]].concat(),
        &document(&server).to_string(),
    );
    assert_eq!(output.status, 0, "{}", output.stderr);
    assert!(server.requests()[1].header("Authorization").is_some_and(|value| value.len() > longest.len()));
}

#[test]
fn refuses_credentials_of_the_document_that_are_none() {
    let server = Server::start(|_| json_response(&tokens()));
    for (name, text) in [
        ("client_id", ""),
        ("client_id", "a\nb"),
        ("client_id", "\u{e9}"),
        ("client_secret", ""),
        ("client_secret", "a\nb"),
        ("client_secret", "\u{1b}[31m"),
    ] {
        let output = run("pkce-exchange", &[], &with(&server, json!({ name: text })).to_string());
        assert_eq!((output.status, server.requests().len()), (2, 0), "{name} {text:?}: {output:?}");
        assert!(output.stderr.starts_with(&format!("pkce-exchange: {name}: must ")), "{output:?}");
    }
}
