//! The parameters that a server requires beside those of the RFCs, and what of the request is remembered for the refresh.

use serde_json::{Value, json};

use crate::common::{Server, changed, failure, json_response, run};
use crate::{VERIFIER, document, pair, tokens, with};

const SECRET: &str = "a secret must not be an argument, which other programs can read";

/// What is sent with these arguments, and the member that remembers it.
fn exchanged(args: &[&str], changes: Value) -> (Vec<(String, String)>, Value) {
    let server = Server::start(|_| json_response(&tokens()));
    let output = run("pkce-exchange", args, &with(&server, changes).to_string());
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{args:?}: {output:?}");
    let form = server.requests()[0].form();
    (form, output.json().get("token_request").cloned().unwrap_or_default())
}

#[test]
fn adds_the_parameters_that_the_server_requires_and_remembers_them() {
    let args = ["--param", "client_key=cli", "--param", "action=request token", "--param", "x=a=b"];
    let (form, remembered) = exchanged(&args, json!({}));
    let expected = [
        pair("grant_type", "authorization_code"),
        pair("code", "c0de-c0de"),
        pair("redirect_uri", "http://127.0.0.1:4711/callback"),
        pair("code_verifier", VERIFIER),
        pair("action", "request token"),
        pair("client_key", "cli"),
        pair("x", "a=b"),
        pair("client_id", "cli"),
    ];
    assert_eq!(form, expected);
    let parameters = json!({ "client_key": "cli", "action": "request token", "x": "a=b" });
    assert_eq!(remembered, json!({ "parameters": parameters }));
}

#[test]
fn sends_the_client_id_beside_basic_where_that_is_asked_for_and_never_twice() {
    let named = |form: Vec<(String, String)>| form.into_iter().filter(|(name, _)| name == "client_id").count();
    let secret = json!({ "client_secret": "s3cret" });
    let (form, remembered) = exchanged(&["--param", "client_id=cli"], secret.clone());
    assert_eq!((named(form), remembered), (1, json!({ "parameters": { "client_id": "cli" } })));
    assert_eq!(named(exchanged(&[], secret.clone()).0), 0);
    assert_eq!(named(exchanged(&["--param", "client_id=cli"], json!({})).0), 1);
    let post = ["--param", "client_id=cli", "--auth-method", "client_secret_post"];
    assert_eq!(named(exchanged(&post, secret).0), 1);
    let server = Server::start(|_| json_response(&tokens()));
    let output = run("pkce-exchange", &["--param", "client_id=0ther"], &document(&server).to_string());
    let wrong = failure("pkce-exchange", 2, "--param: client_id: not the document's client_id");
    assert_eq!((output, server.requests().len()), (wrong, 0));
}

#[test]
fn remembers_nothing_that_is_the_default() {
    let post = json!({ "client_secret": "s3cret", "token_endpoint_auth_method": "client_secret_post" });
    for (args, changes, expected) in [
        (&[][..], json!({}), Value::Null),
        (&["--format", "form"], json!({}), Value::Null),
        (&["--format", "json"], json!({}), json!({ "format": "json" })),
        (&["--auth-method", "client_secret_post"], post.clone(), Value::Null),
        (&["--auth-method", "none"], post, json!({ "auth_method": "none" })),
        (
            &["--auth-method", "client_secret_post", "--format", "json", "--param", "a=b"],
            json!({ "client_secret": "s3cret" }),
            json!({ "auth_method": "client_secret_post", "format": "json", "parameters": { "a": "b" } }),
        ),
        // What an earlier login was told does not count.
        (&[], json!({ "token_request": { "format": "json", "auth_method": "client_secret_post" } }), Value::Null),
        (&["--param", "a=b"], json!({ "token_request": 1 }), json!({ "parameters": { "a": "b" } })),
    ] {
        let server = Server::start(|_| json_response(&tokens()));
        let output = run("pkce-exchange", args, &with(&server, changes.clone()).to_string());
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{args:?} {changes}");
        let got = output.json();
        assert_eq!(got.get("token_request").unwrap_or(&Value::Null), &expected, "{args:?} {changes}");
        let remembered = got.get("token_request").map(Value::to_string).unwrap_or_default();
        assert!(!remembered.contains("s3cret"), "{remembered}");
    }
}

#[test]
fn lets_no_response_say_how_the_next_request_is_sent() {
    let evil = json!({ "token_request": { "format": "json", "parameters": { "audience": "https://evil.example" } } });
    for (args, expected) in [(&[][..], None), (&["--param", "a=b"], Some(json!({ "parameters": { "a": "b" } })))] {
        let response = changed(tokens(), &evil);
        let server = Server::start(move |_| json_response(&response));
        let output = run("pkce-exchange", args, &document(&server).to_string());
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
        assert_eq!(output.json().get("token_request"), expected.as_ref());
        assert_eq!(output.json().get("token_answer_members"), None);
    }
}

#[test]
fn refuses_parameters_that_are_secrets_or_would_replace_the_request() {
    let file = "\nhint: pass a client secret with --client-secret-file FILE";
    let help = "\nhint: see 'pkce-exchange --help'";
    let reserved = "reserved";
    for (params, wrong) in [
        (vec!["client_secret=s3cret"], format!("client_secret: {SECRET}{file}")),
        (vec!["Client-Secret=s3cret"], format!("Client-Secret: {SECRET}{file}")),
        (vec!["a=b", "refresh_token=s3cret"], format!("refresh_token: {SECRET}")),
        (vec!["code=s3cret"], format!("code: {SECRET}")),
        (vec!["code_verifier=s3cret"], format!("code_verifier: {SECRET}")),
        (vec!["client_assertion=s3cret"], format!("client_assertion: {SECRET}")),
        (vec!["password=s3cret"], format!("password: {SECRET}")),
        (vec!["client_secret_1=s3cret"], format!("client_secret_1: {SECRET}{file}")),
        (vec!["api-key=s3cret"], format!("api-key: {SECRET}")),
        (vec!["user_passphrase=s3cret"], format!("user_passphrase: {SECRET}")),
        (vec!["secretId=s3cret"], format!("secretId: {SECRET}")),
        (vec!["pwd=s3cret"], format!("pwd: {SECRET}")),
        (vec!["totp=s3cret"], format!("totp: {SECRET}")),
        (vec!["authCode=s3cret"], format!("authCode: {SECRET}")),
        (vec!["Grant-Type[]=password"], format!("Grant-Type[]: {reserved}")),
        (vec!["ClientId=evil"], format!("ClientId: {reserved}")),
        (vec!["grant_type=password"], format!("grant_type: {reserved}")),
        (vec!["redirect_uri=https://a.example"], format!("redirect_uri: {reserved}")),
        (vec!["resource=https://a.example"], format!("resource: {reserved}")),
        (vec!["audience=a", "audience=b"], "audience: duplicate".to_owned()),
        (vec!["audience="], "audience: must not be empty".to_owned()),
        (vec!["scope=a  b"], "scope: must be names separated by single spaces, without \" and \\".to_owned()),
        (vec!["audience"], format!("must be KEY=VALUE{help}")),
        (vec!["=a"], format!("must be KEY=VALUE{help}")),
        (vec!["\u{e9}=a"], format!("KEY must be visible ASCII characters{help}")),
        (vec!["audience=a\nb"], format!("audience: must not have control characters{help}")),
    ] {
        let args: Vec<&str> = params.iter().flat_map(|param| ["--param", param]).collect();
        // Before a document is read.
        let output = run("pkce-exchange", &args, "");
        assert_eq!(output, failure("pkce-exchange", 2, &format!("--param: {wrong}")), "{params:?}");
    }
}
