//! What is sent.

use std::fs;

use serde_json::json;

use crate::common::{command, new_directory, run};
use crate::{CHALLENGE, DEVICE_CODE, Fake, GRANT_TYPE, VERIFIER, pair, pending, tokens};

#[test]
fn sends_what_the_document_and_the_options_say() {
    let fake = Fake::start(json!({}), vec![pending(), tokens()]);
    let args = [
        "--client-id=my cli",
        "--scope=openid offline_access",
        "--resource=https://a.example/",
        "--resource=urn:b",
        "--param=audience=c d",
        "--param=acr_values=2",
    ];
    let output = fake.log_in(&args);
    assert_eq!((output.status, output.stderr), (0, fake.shown()));
    let requests = fake.requests();
    let targets: Vec<_> = requests.iter().map(|request| (request.method.as_str(), request.target.as_str())).collect();
    assert_eq!(targets, [("POST", "/device_authorization"), ("POST", "/token"), ("POST", "/token")]);
    for request in &requests {
        assert_eq!(request.header("Content-Type"), Some("application/x-www-form-urlencoded"));
        assert_eq!(request.header("Accept"), Some("application/json"));
        assert_eq!(request.header("Authorization"), None);
    }
    let resources = [pair("resource", "https://a.example/"), pair("resource", "urn:b")];
    let first = [
        pair("scope", "openid offline_access"),
        resources[0].clone(),
        resources[1].clone(),
        pair("code_challenge", CHALLENGE),
        pair("code_challenge_method", "S256"),
        pair("audience", "c d"),
        pair("acr_values", "2"),
        pair("client_id", "my cli"),
    ];
    assert_eq!(requests[0].form(), first);
    let poll = [
        pair("grant_type", GRANT_TYPE),
        pair("device_code", DEVICE_CODE),
        pair("code_verifier", VERIFIER),
        resources[0].clone(),
        resources[1].clone(),
        pair("client_id", "my cli"),
    ];
    assert_eq!((requests[1].form(), requests[2].form()), (poll.to_vec(), poll.to_vec()));
}

#[test]
fn sends_what_the_resource_requires_of_the_login_unless_an_option_does() {
    for (args, acr_values) in [(&[][..], "1 2"), (&["--param=acr_values=3"], "3")] {
        let fake = Fake::start(json!({}), vec![tokens()]);
        let mut document = fake.document();
        document["acr_values"] = json!("1 2");
        document["max_age"] = json!(60);
        assert_eq!(run("pkce-device", args, &document.to_string()).status, 0);
        let form = fake.requests()[0].form();
        let sent: Vec<_> = form.iter().filter(|(name, _)| ["acr_values", "max_age"].contains(&name.as_str())).collect();
        assert_eq!(sent, [&pair("max_age", "60"), &pair("acr_values", acr_values)]);
    }
}

#[test]
fn takes_the_client_and_the_scope_from_the_environment_where_nothing_else_names_them() {
    let fake = Fake::start(json!({}), vec![tokens()]);
    let mut tool = command("pkce-device");
    tool.env("PKCE_CLIENT_ID", "not this one").env("PKCE_SCOPE", "a b");
    let output = fake.run(&mut tool);
    assert_eq!((output.status, &output.json()["scope"]), (0, &json!("a b")));
    let form = fake.requests()[0].form();
    assert!(form.contains(&pair("scope", "a b")) && form.contains(&pair("client_id", "cli")), "{form:?}");
}

#[test]
fn authenticates_both_requests_with_a_secret_that_is_read_once_before_the_code_is_shown() {
    let directory = new_directory();
    let runs = directory.path().join("runs");
    let secret = format!("printf x >>{} && echo the secret is read >&2 && echo s3cr3t-s3cr3t", runs.display());
    for (method, recorded) in [(None, None), (Some("client_secret_post"), Some("client_secret_post"))] {
        let fake = Fake::start(json!({}), vec![pending(), tokens()]);
        let mut args = vec!["--client-secret-command", &secret];
        args.extend(method.into_iter().flat_map(|method| ["--auth-method", method]));
        let output = fake.log_in(&args);
        assert_eq!((output.status, output.stderr.clone()), (0, format!("the secret is read\n{}", fake.shown())));
        let request = &output.json()["token_request"];
        assert_eq!(*request, recorded.map_or(json!(null), |method| json!({ "auth_method": method })));
        for request in fake.requests() {
            let in_body = request.form().contains(&pair("client_secret", "s3cr3t-s3cr3t"));
            let basic = request.header("Authorization");
            let expected = method.is_none().then_some("Basic Y2xpOnMzY3IzdC1zM2NyM3Q=");
            assert_eq!((in_body, basic), (method.is_some(), expected));
            assert_eq!(request.form().contains(&pair("client_id", "cli")), method.is_some());
        }
    }
    assert_eq!(fs::read_to_string(runs).unwrap(), "xx");
}

#[test]
fn sends_and_remembers_a_client_id_beside_basic_on_request() {
    let fake = Fake::start(json!({}), vec![tokens()]);
    let output = fake.log_in(&["--client-secret-command=echo s3cr3t-s3cr3t", "--param=client_id=cli"]);
    assert_eq!(output.json()["token_request"], json!({ "parameters": { "client_id": "cli" } }));
    for request in fake.requests() {
        assert!(request.header("Authorization").is_some());
        assert_eq!(request.form().iter().filter(|pair| pair.0 == "client_id").count(), 1, "{request:?}");
    }
}
