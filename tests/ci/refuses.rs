//! refuses.sh: a provider must refuse a code that was used before, a wrong verifier, and a missing one.

use std::collections::HashMap;
use std::fs;
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::common::{
    Output, Server, browser, changed, command, finish, json_response, lacks, new_directory, response, write_program,
};
use crate::{SHELLS, ci, said};

/// A provider that enforces PKCE and takes a code once, but for one fault.
fn provider(fault: &'static str) -> Server {
    provider_with(fault, json!({}))
}

/// The same, whose token responses have more members.
fn provider_with(fault: &'static str, more: Value) -> Server {
    let challenges = Mutex::new(HashMap::<String, (String, bool)>::new());
    Server::start(move |seen| {
        let query = seen.target.split('?').nth(1).unwrap_or_default();
        let text = if seen.method == "POST" { &seen.body } else { query };
        let pairs: HashMap<String, String> = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        let mut challenges = challenges.lock().unwrap();
        match seen.target.split('?').next().unwrap() {
            "/authorize" => {
                let code = format!("c0de-{}", challenges.len());
                challenges.insert(code.clone(), (pairs["code_challenge"].clone(), false));
                let back = format!("{}?code={code}&state={}", pairs["redirect_uri"], pairs["state"]);
                format!("HTTP/1.1 302 Found\r\nLocation: {back}\r\nContent-Length: 0\r\n\r\n").into_bytes()
            }
            "/token" | "/token{1,2}[3-4]" => {
                let (challenge, used) = challenges.get_mut(&pairs["code"]).unwrap();
                let sent = pairs.get("code_verifier").map(|text| URL_SAFE_NO_PAD.encode(Sha256::digest(text)));
                let verified = match &sent {
                    None if fault == "confidential" => {
                        return response(401, "application/json", "{\"error\":\"invalid_client\"}");
                    }
                    None if fault == "silent" => return response(401, "", ""),
                    None if fault == "talkative" => {
                        return response(400, "application/json", "{\"error\":\"Invalid code verifier\"}");
                    }
                    None if fault == "busy" => return response(429, "", ""),
                    None if fault == "proxy" => return response(407, "text/html", "<p>Proxy authentication required"),
                    None if fault == "failing" => return response(503, "", ""),
                    None if fault == "slow" => return response(400, "application/json", "{\"error\":\"slow_down\"}"),
                    None if fault == "moved" => {
                        return b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n".to_vec();
                    }
                    None if fault == "html" => return response(200, "text/html", "<p>Sign in first"),
                    Some(_) if fault == "broken" => return response(500, "", ""),
                    Some(_) if fault == "late" => return response(408, "", ""),
                    Some(_) if fault == "early" => return response(425, "", ""),
                    Some(_) if fault == "proxied" => return response(407, "", ""),
                    Some(_) if fault == "confused" => {
                        return response(400, "application/json", "{\"error\":\"server_error\"}");
                    }
                    None => fault == "missing",
                    Some(sent) => sent == challenge || fault == "wrong",
                };
                match verified && (!*used || fault == "replay") {
                    true => {
                        *used = true;
                        let token = format!("t0ken-of-{}", pairs["code"]);
                        json_response(&changed(json!({ "access_token": token, "token_type": "Bearer" }), &more))
                    }
                    false => response(400, "application/json", "{\"error\":\"invalid_grant\"}"),
                }
            }
            _ => response(200, "text/plain", ""),
        }
    })
}

/// Runs refuses.sh against a server; the codes come by redirects alone.
fn refuses(shell: &str, server: &Server) -> Output {
    refuses_at(shell, server, &server.url("/token"))
}

/// The same with another token endpoint.
fn refuses_at(shell: &str, server: &Server, token_endpoint: &str) -> Output {
    refuses_with(&[shell], server, token_endpoint, &[])
}

/// The same by a shell with options, with these variables.
fn refuses_with(shell: &[&str], server: &Server, token_endpoint: &str, variables: &[(&str, &str)]) -> Output {
    let directory = new_directory();
    let idp = json!({
        "issuer": server.url(""), "authorization_endpoint": server.url("/authorize"),
        "token_endpoint": token_endpoint, "revocation_endpoint": server.url("/revoke"),
    });
    fs::write(directory.path().join("idp.json"), idp.to_string()).unwrap();
    let mut run = command(shell[0]);
    run.args(&shell[1..])
        .arg(ci("refuses.sh"))
        .arg(directory.path().join("idp.json"))
        .args(["--prompt", "consent"])
        .env("TMPDIR", directory.path())
        .envs(variables.iter().copied());
    run.env("PKCE_CLIENT_ID", "cli").env("BROWSER", browser());
    let output = finish(&mut run, b"");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "only idp.json is left");
    output
}

#[test]
fn fails_where_the_provider_accepts_what_it_must_refuse() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    let checks =
        [("replay", "a code that was used before"), ("wrong", "a wrong verifier"), ("missing", "a missing verifier")];
    for shell in SHELLS {
        for fault in ["none", "wrong", "missing", "replay"] {
            let server = provider(fault);
            let output = refuses(shell, &server);
            let refused =
                checks.iter().filter(|(kind, _)| *kind != fault).map(|(_, text)| format!("refused: {text}\n"));
            assert_eq!(output.stdout, refused.collect::<String>(), "{shell} {fault}");
            let accepted = checks.iter().filter(|(kind, _)| *kind == fault);
            let accepted: Vec<String> =
                accepted.map(|(_, text)| format!("refuses: the server accepted {text}")).collect();
            assert_eq!(
                (output.status, said(&output)),
                (i32::from(fault != "none"), accepted.iter().map(String::as_str).collect())
            );
            // What was issued is revoked: the one token of the correct login, and each that should not have been issued.
            let seen = server.requests();
            let revoked = seen.iter().filter(|seen| seen.target == "/revoke" && seen.body.contains("t0ken-of-c0de-"));
            assert_eq!(revoked.count(), 1 + usize::from(fault != "none"), "{shell} {fault}");
        }
    }
}

#[test]
fn takes_a_refusal_in_any_words_or_none_for_one() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    for odd in ["silent", "talkative"] {
        let output = refuses("dash", &provider(odd));
        let refused = "refused: a code that was used before\nrefused: a wrong verifier\nrefused: a missing verifier\n";
        assert_eq!((output.status, output.stdout.as_str(), said(&output)), (0, refused, vec![]), "{odd}");
    }
}

#[test]
fn revokes_tokens_nowhere_that_a_response_names() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    let elsewhere = Server::start(|_| response(200, "", ""));
    let more = json!({
        "revocation_endpoint": elsewhere.url("/steered"), "token_endpoint": elsewhere.url("/steered"),
        "client_id": "other", "client_secret": "s3cret-of-nobody",
    });
    for fault in ["missing", "wrong", "replay"] {
        let server = provider_with(fault, more.clone());
        let output = refuses("dash", &server);
        assert_eq!(output.status, 1, "{output:?}");
        assert_eq!(elsewhere.requests().len(), 0, "{fault}");
        let seen = server.requests();
        let revoked: Vec<_> = seen.iter().filter(|seen| seen.target == "/revoke").collect();
        assert_eq!(revoked.len(), 2, "{fault}: {revoked:?}");
        assert!(revoked.iter().all(|seen| seen.body.contains("client_id=cli")), "{revoked:?}");
    }
}

#[test]
fn takes_the_token_endpoint_as_it_is() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    let server = provider("none");
    let output = refuses_at("dash", &server, &server.url("/token{1,2}[3-4]"));
    assert_eq!((output.status, said(&output)), (0, vec![]), "{output:?}");
    let seen = server.requests();
    let posted = seen.iter().filter(|seen| seen.method == "POST" && seen.target != "/revoke");
    let targets: Vec<&str> = posted.map(|seen| seen.target.as_str()).collect();
    assert_eq!(targets, ["/token{1,2}[3-4]"; 4]);
    // No option of curl: pkce-exchange comes first.
    let output = refuses_at("dash", &server, "-o/dev/null");
    assert_eq!((output.status, output.stdout.as_str()), (2, ""), "{output:?}");
}

#[test]
fn says_where_a_check_cannot_be_made() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    let neither = "the response has neither tokens nor a refusal of the code";
    for (odd, status, why) in [
        ("confidential", 4, "invalid_client"),
        ("html", 4, neither),
        ("moved", 4, "the server responded with 302"),
        ("busy", 3, "the server responded with 429"),
        ("proxy", 3, "the server responded with 407"),
        ("failing", 3, "the server responded with 503"),
        ("slow", 3, "slow_down"),
    ] {
        let output = refuses("dash", &provider(odd));
        let message =
            [format!("refuses: token endpoint: {why}"), "refuses: a missing verifier: could not be checked".to_owned()];
        assert_eq!((output.status, said(&output).join("\n")), (status, message.join("\n")), "{odd}: {output:?}");
        assert_eq!(output.stdout, "refused: a code that was used before\nrefused: a wrong verifier\n", "{odd}");
    }
    // A server that fails, or that lets the client wait, has refused nothing.
    for (odd, message) in [
        ("broken", "the server responded with 500; the code may be spent"),
        ("late", "the server responded with 408 without an OAuth error; the code may be spent"),
        ("early", "the server responded with 425 without an OAuth error; the code may be spent"),
        ("proxied", "the server responded with 407 without an OAuth error; the code may be spent"),
        ("confused", "server_error"),
    ] {
        let output = refuses("bash", &provider(odd));
        let message = format!("pkce-exchange: token endpoint: {message}");
        let hint = if message.ends_with("may be spent") { vec!["hint: run the login again"] } else { Vec::new() };
        let said_last = "refuses: a code that was used before: could not be checked";
        assert_eq!(
            (output.status, said(&output), output.stdout.as_str()),
            (3, [vec![&*message], hint, vec![said_last]].concat(), ""),
            "{odd}"
        );
    }
    // Nobody listens there: what a server that is down looks like.
    let mut nowhere = provider("none");
    nowhere.port = 1;
    let output = refuses("bash", &nowhere);
    assert_eq!((output.status, output.stdout.as_str()), (3, ""), "{output:?}");
    let usage = finish(command("sh").arg(ci("refuses.sh")), b"");
    assert_eq!((usage.status, usage.stderr.as_str()), (2, "usage: refuses.sh IDP_FILE [PKCE_URL_OPTION...]\n"));
}

#[test]
fn takes_no_refusal_for_one_of_a_server_that_refuses_a_correct_login_too() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    let (used, wrong, missing) = ("a code that was used before", "a wrong verifier", "a missing verifier");
    let spent = "; the code may be spent";
    let again = "hint: run the login again";
    let hint = "hint: if the client has no secret, register it with token_endpoint_auth_method none; otherwise use \
                --client-secret-file or PKCE_CLIENT_SECRET_FILE";
    // The first token request is the correct one, the second has its code, the third a wrong verifier, the fourth none.
    for (fault, status, refused, why, check) in [
        (
            "token-401",
            4,
            &[][..],
            "pkce-exchange: token endpoint: the server responded with 401\n\
             hint: if the client has a secret, this step needs it too: --client-secret-file, --client-secret-command or PKCE_CLIENT_SECRET_FILE"
                .to_owned(),
            used,
        ),
        (
            "token-error-invalid_client",
            4,
            &[],
            format!("pkce-exchange: token endpoint: invalid_client: simulated by --fault\n{hint}"),
            used,
        ),
        (
            "token-error-invalid_grant@1",
            4,
            &[],
            format!("pkce-exchange: token endpoint: invalid_grant: simulated by --fault\n{again}"),
            used,
        ),
        ("token-503@1", 3, &[], "pkce-exchange: token endpoint: the server responded with 503".to_owned(), used),
        (
            "token-500@2",
            3,
            &[],
            format!("pkce-exchange: token endpoint: the server responded with 500: oops{spent}\n{again}"),
            used,
        ),
        ("token-503@3", 3, &[used], "pkce-exchange: token endpoint: the server responded with 503".to_owned(), wrong),
        (
            "token-503@4",
            3,
            &[used, wrong],
            "refuses: token endpoint: the server responded with 503".to_owned(),
            missing,
        ),
        (
            "redirect-error-access_denied",
            4,
            &[],
            "pkce-callback: authorization endpoint: access_denied: simulated by --fault".to_owned(),
            used,
        ),
        (
            "redirect-error-login_required@2",
            4,
            &[used],
            format!("pkce-callback: authorization endpoint: login_required: simulated by --fault\n{again}"),
            wrong,
        ),
    ] {
        let directory = new_directory();
        let line = format!(
            "pkce-discover > '{0}/idp.json' && dash '{1}' '{0}/idp.json'; echo status=$?",
            directory.path().display(),
            ci("refuses.sh")
        );
        let mut idp = command("pkce-idp");
        idp.args(["--auto-approve", "--fault", fault, "--", "sh", "-c", &line]);
        let output = finish(&mut idp, b"");
        let lines: String = refused.iter().map(|check| format!("refused: {check}\n")).collect();
        assert_eq!(output.stdout, format!("{lines}status={status}\n"), "{fault}: {output:?}");
        assert_eq!(said(&output).join("\n"), format!("{why}\nrefuses: {check}: could not be checked"), "{fault}");
    }
}

#[test]
fn sends_nothing_for_this_machine_through_a_proxy() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    for (variable, no_proxy) in [("http_proxy", ""), ("ALL_PROXY", ""), ("http_proxy", "id.example")] {
        let proxy = Server::start(|_| response(400, "application/json", "{\"error\":\"invalid_grant\"}"));
        let server = provider("missing");
        let variables = [(variable, &*proxy.url("")), ("no_proxy", no_proxy)];
        let output = refuses_with(&["dash"], &server, &server.url("/token"), &variables);
        let refused = "refused: a code that was used before\nrefused: a wrong verifier\n";
        assert_eq!(
            (output.status, output.stdout.as_str(), said(&output)),
            (1, refused, vec!["refuses: the server accepted a missing verifier"]),
            "{variable}"
        );
        assert_eq!(proxy.requests().len(), 0, "{variable}");
    }
}

#[test]
fn lets_no_text_of_a_server_command_a_ci_runner() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    let directory = new_directory();
    // curl quotes the name in a certificate that is not the server's.
    let says = "curl: (60) SSL: certificate subject name '##vso[task.setvariable variable=a]b ###[group]c ::error::d' \
                does not match target host name 'id.example'\\n::warning::e\\033[0m";
    let stub = format!("#!/bin/sh\ncat >/dev/null\nprintf '%b\\n' \"{says}\" >&2\nexit 60\n");
    write_program(&directory.path().join("curl"), &stub);
    let path = command("sh").get_envs().find(|(name, _)| *name == "PATH").unwrap().1.unwrap().to_owned();
    let path = format!("{}:{}", directory.path().display(), path.into_string().unwrap());
    let server = provider("none");
    let output = refuses_with(&["dash"], &server, &server.url("/token"), &[("PATH", &path)]);
    let message = [
        "curl: (60) SSL: certificate subject name '# #vso[task.setvariable variable=a]b # # #[group]c : :error: :d' \
         does not match target host name 'id.example'",
        ": :warning: :e?[0m",
        "refuses: a missing verifier: could not be checked",
    ];
    assert_eq!(
        (output.status, output.stdout.as_str(), said(&output)),
        (3, "refused: a code that was used before\nrefused: a wrong verifier\n", message.to_vec())
    );
    // A trace is read by the runner too.
    let output = refuses_with(&["bash", "-x"], &server, &server.url("/token"), &[("PATH", &path)]);
    assert_eq!(output.status, 3, "{output:?}");
    for command in ["##vso[", "##[", "::error::", "::warning::"] {
        assert!(!output.stderr.contains(command), "{command}: {output:?}");
    }
}
