//! The examples, each run as a user would.
#![cfg(test)]

mod common;
#[path = "common/terminal.rs"]
mod terminal;

use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{
    Output, Server, command, finish, free_port, json_response, lacks, new_directory, response, root, talk,
    write_program,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use terminal::Terminal;

fn example(name: &str) -> String {
    root().join("examples").join(name).display().to_string()
}

#[test]
fn has_a_test_for_each_example() {
    let own = std::fs::read_to_string(root().join("tests/examples.rs")).unwrap();
    // A large one, and those of a directory, have their tests under its name: tests/check-provider.rs, tests/ci/.
    let files = std::fs::read_dir(root().join("examples")).unwrap().map(Result::unwrap);
    for file in files.filter(|file| file.file_type().unwrap().is_file()) {
        let name = file.file_name().into_string().unwrap();
        let alone = root().join("tests").join(&name).with_extension("rs");
        assert!(own.contains(&format!("example(\"{name}\")")) || alone.is_file(), "{name}");
    }
}

#[test]
fn shows_a_newcomer_each_step_and_no_whole_secret() {
    for shell in ["sh", "bash"] {
        let output = finish(command(shell).arg(example("demo.sh")), b"");
        assert_eq!(output.status, 0, "{output:?}");
        let text = &output.stdout;
        for step in ["pkce-discover", "pkce-gen -", "pkce-url --scope", "pkce-callback", "pkce-exchange", "pkce-verify"]
        {
            assert!(text.contains(&format!("\n{step}")), "{step}: {text}");
        }
        for shown in [
            "+ access_token \"",
            "+ refresh_token \"",
            "- code_verifier\n",
            "+ id_token_claims {",
            "   iss \"http://127.0.0.1:",
            "   sub \"alice\"",
            "   nonce \"",
        ] {
            assert!(text.contains(shown), "{shown}: {text}");
        }
        let secret = |line: &&str| line.contains("(secret)") && line.len() > 45;
        assert_eq!(text.lines().find(secret), None);
        assert!(!text.contains('\u{1b}') && output.stderr.contains("to sign in, open this URL"), "{output:?}");
    }
    let directory = new_directory();
    write_program(&directory.path().join("pkce-exchange"), "#!/bin/sh\nexit 3\n");
    let path = format!("{}:{}", directory.path().display(), common::path());
    let broken = finish(command("sh").arg(example("demo.sh")).env("PATH", path), b"");
    assert_eq!(broken.status, 3, "{broken:?}");
}

#[test]
fn describes_a_client_that_a_server_accepts_without_registration() {
    let text = std::fs::read_to_string(example("client-metadata.json")).unwrap();
    let mut metadata: Value = serde_json::from_str(&text).unwrap();
    let url = metadata["client_id"].as_str().unwrap();
    assert!(url.starts_with("https://") && url.matches('/').count() > 2 && !url.contains(['?', '#', '@']), "{url}");
    // No secret can be agreed on with a server that has only this document.
    assert_eq!((&metadata["token_endpoint_auth_method"], metadata.get("client_secret")), (&json!("none"), None));
    assert!(metadata["redirect_uris"].as_array().unwrap().contains(&json!("http://127.0.0.1/callback")));
    // As if it were hosted, under the client_id that the server fetches it from.
    let hosted = Arc::new(OnceLock::<Value>::new());
    let response = Arc::clone(&hosted);
    let server = Server::start(move |_| json_response(response.get().unwrap()));
    metadata["client_id"] = json!(server.url("/client.json"));
    hosted.set(metadata.clone()).unwrap();
    let directory = new_directory();
    let file = directory.path().join("client.json");
    std::fs::write(&file, metadata.to_string()).unwrap();
    let id = server.url("/client.json");
    // By its URL, and as a document of the pipeline.
    for begin in
        [format!("pkce-gen - | pkce-url --client-id {id}"), format!("pkce-gen - '{}' | pkce-url", file.display())]
    {
        let script = format!(
            "unset PKCE_CLIENT_ID
            pkce-discover | {begin} --scope openid | pkce-callback | pkce-exchange | pkce-verify"
        );
        let output = with_home(&directory, &script);
        assert_eq!(output.status, 0, "{output:?}");
        assert_eq!(output.json()["id_token_claims"]["aud"], id);
    }
    assert_eq!(server.requests().len(), 2);
}

/// Runs a script of shell lines inside pkce-idp, the examples' directory the current one, PKCE_HOME a new directory.
fn with_home(directory: &TempDir, script: &str) -> Output {
    let script = format!("cd '{}'; {script}", root().join("examples").display());
    let mut idp = command("pkce-idp");
    idp.args(["--auto-approve", "--", "bash", "-c", &script]).env("PKCE_HOME", directory.path().join("store"));
    finish(&mut idp, b"")
}

fn quiet(output: &Output) -> Vec<&str> {
    let noise = |line: &&str| line.contains("to sign in, open this URL") || line.starts_with("http");
    output.stderr.lines().filter(|line| !noise(line)).collect()
}

#[test]
fn logs_in_once_calls_many_and_logs_out() {
    if lacks(&["curl", "dash"]) {
        return;
    }
    let tool = |name: &str| common::tool(name).display().to_string();
    let (once, out) = (tool("pkce-login"), tool("pkce-logout"));
    let (call, parallel) = (example("call-api.sh"), example("parallel.sh"));
    for shell in ["dash", "bash"] {
        let directory = new_directory();
        let output = with_home(
            &directory,
            &format!(
                "export PKCE_TRACE=1
                {shell} {once} work; echo once=$?
                {shell} {once} work; echo again=$?
                {shell} {call} work \"$PKCE_ISSUER/userinfo\"; echo; echo call=$?
                {shell} {call} work \"$PKCE_ISSUER/nothing\" >/dev/null; echo missing=$?
                sed -i 's/\"expires_at\":[0-9]*/\"expires_at\":5/' \"$PKCE_HOME/work.json\"
                {shell} {parallel} work \"$PKCE_ISSUER/userinfo\" \"$PKCE_ISSUER/userinfo\" \"$PKCE_ISSUER/userinfo\"
                echo; echo parallel=$?
                {shell} {parallel} work \"$PKCE_ISSUER/userinfo\" \"$PKCE_ISSUER/nothing\" >/dev/null; echo failing=$?
                {shell} {out} work; echo out=$?
                {shell} {out} work; echo gone=$?
                pkce-load; {shell} {call} work \"$PKCE_ISSUER/userinfo\"; echo after=$?
                {shell} {parallel} work \"$PKCE_ISSUER/userinfo\"; echo after=$?"
            ),
        );
        let person = "{\"preferred_username\":\"alice\",\"sub\":\"alice\"}";
        let expected = format!(
            "once=0\nagain=0\n{person}\ncall=0\nmissing=22\n{person}{person}{person}\nparallel=0\nfailing=22\n\
             out=0\ngone=5\nafter=115\nafter=115\n"
        );
        assert_eq!(output.stdout, expected, "{shell}: {output:?}");
        let traced = |what: &str| output.stderr.lines().filter(|line| line.contains(what)).count();
        // One login; one refresh for three jobs; both tokens revoked.
        assert_eq!((traced("pkce-exchange: trace: POST"), traced("pkce-token: trace: POST")), (1, 1), "{output:?}");
        assert_eq!((traced("pkce-revoke: trace: POST"), traced("/revoke: 200")), (2, 2), "{output:?}");
    }
}

#[test]
fn calls_again_with_a_new_token_where_the_api_refused_the_stored_one() {
    if lacks(&["curl", "dash"]) {
        return;
    }
    let directory = new_directory();
    let (call, crontab) = (example("call-api.sh"), std::fs::read_to_string(example("use/crontab")).unwrap());
    let cron = crontab.lines().find_map(|line| line.strip_prefix("#*/5 * * * * ")).unwrap();
    let output = with_home(
        &directory,
        &format!(
            "pkce-login work
            pkce-load work | pkce-revoke >/dev/null; echo revoked=$?
            pkce-token work -- curl -sSf -H @- \"$PKCE_ISSUER/userinfo\"; echo curl=$?
            sh {call} work \"$PKCE_ISSUER/userinfo\" >/dev/null; echo refused=$?
            cd '{}'; cp {call} .; URL=$PKCE_ISSUER/userinfo; logger() {{ echo \"$1\"; }}; {cron}
            pkce-login work
            sed -i 's/\"access_token\":\"[^\"]*/&x/' \"$PKCE_HOME/work.json\"
            sh {call} work \"$PKCE_ISSUER/userinfo\"; echo; echo call=$?",
            directory.path().display()
        ),
    );
    let expected = "revoked=0\ncurl=22\nrefused=115\nreport: sign in with pkce-login work\n\
                    {\"preferred_username\":\"alice\",\"sub\":\"alice\"}\ncall=0\n";
    assert_eq!(output.stdout, expected, "{output:?}");
    let said = quiet(&output);
    assert!(said.contains(&"pkce-token: token endpoint: invalid_grant: the grant is revoked"), "{said:?}");
}

/// Runs the login script in a directory, inside a pkce-idp whose issuer ends in a slash as Auth0's does.
fn auth0(shell: &str, directory: &TempDir, env: &str) -> Output {
    let script = format!(
        "cd '{}'; export AUTH0_URL=\"${{PKCE_ISSUER%/}}\" AUTH0_CLIENT_ID=$PKCE_CLIENT_ID; {env}; {shell} '{}'",
        directory.path().display(),
        example("auth0-login.sh")
    );
    let idp = ["--auto-approve", "--issuer-path", "/", "--", "sh", "-c", &script];
    finish(command("pkce-idp").args(idp), b"")
}

#[test]
fn logs_in_as_the_article_does_with_its_variables() {
    let directory = new_directory();
    for shell in ["sh", "bash"] {
        let url = format!("http://127.0.0.1:{}/callback", free_port());
        let output = auth0(shell, &directory, &format!("export AUTH0_CALLBACK_URL={url}"));
        assert_eq!(output.status, 0, "{output:?}");
        let document = output.json();
        assert!(document["issuer"].as_str().unwrap().ends_with('/'));
        for name in ["access_token", "id_token", "expires_at"] {
            assert!(document.get(name).is_some(), "{name}");
        }
        assert!(!output.stderr.contains(document["access_token"].as_str().unwrap()), "{output:?}");
        let request = output.stderr.lines().find(|line| line.starts_with("http")).unwrap();
        assert!(request.contains("&scope=openid%20profile&"), "{request}");
        assert!(request.ends_with("&connection=Username-Password-Authentication"), "{request}");
    }
}

#[test]
fn takes_its_variables_from_a_file_that_it_does_not_run() {
    let directory = new_directory();
    let url = format!("http://127.0.0.1:{}/callback", free_port());
    let text = format!(
        "# a comment\nAUTH0_CALLBACK_URL=\"{url}\"\nAUTH0_CONNECTION='google-oauth2'\r\nAUTH0_CLIENT_ID=$(touch run)\n\
         AUTH0_CLIENT_ID=pkce-tools\nexport AUTH0_URL=http://127.0.0.1:1\n"
    );
    std::fs::write(directory.path().join(".env"), text).unwrap();
    // The environment wins over the file.
    let output = auth0("sh", &directory, "unset AUTH0_CLIENT_ID");
    assert_eq!(output.status, 0, "{output:?}");
    let request = output.stderr.lines().find(|line| line.starts_with("http")).unwrap();
    assert!(request.ends_with("&connection=google-oauth2"), "{request}");
    assert!(!directory.path().join("run").exists());
    let output = auth0("sh", &directory, "unset AUTH0_CLIENT_ID; export AUTH0_CONNECTION=");
    let request = output.stderr.lines().find(|line| line.starts_with("http")).unwrap();
    assert!(!request.contains("connection"), "{request}");
    let output = auth0("sh", &directory, "unset AUTH0_URL");
    assert_eq!((output.status, output.stdout.as_str()), (3, "!3 unavailable pkce-discover\n"));
}

#[test]
fn says_which_variable_is_missing() {
    let directory = new_directory();
    let output = auth0("sh", &directory, "unset AUTH0_CLIENT_ID");
    let message = "auth0-login: AUTH0_CLIENT_ID: missing; set it, or write it into .env\n";
    assert_eq!((output.status, output.stdout.as_str(), output.stderr.as_str()), (2, "", message));
}

#[test]
fn prompts_for_what_the_web_page_shows() {
    for whole in [true, false] {
        let directory = new_directory();
        let callback = "https://app.example/callback";
        let script = format!(
            "export AUTH0_URL=\"$PKCE_ISSUER\" AUTH0_CLIENT_ID=$PKCE_CLIENT_ID BROWSER=true AUTH0_CALLBACK_URL={callback}; \
             sh '{}' >out; echo \"status=$?\"",
            example("auth0-login.sh")
        );
        let mut terminal = Terminal::start("pkce-idp", directory.path(), |idp| {
            let idp = idp.args(["--auto-approve", "--issuer-path", "/", "--redirect-uri", callback]);
            idp.args(["--", "sh", "-c", &script])
        });
        terminal.until("press Enter");
        let seen = terminal.printed();
        // The browser's part: the server sends it to the page, whose address the person copies.
        let url = seen.lines().find(|line| line.starts_with("http://127.0.0.1:")).unwrap().trim();
        let authority = url.split('/').nth(2).unwrap();
        let port = authority.split(':').nth(1).unwrap().parse().unwrap();
        let target = url.get(url.find("/authorize").unwrap()..).unwrap();
        let page = talk(port, format!("GET {target} HTTP/1.1\r\nHost: {authority}\r\n\r\n").as_bytes());
        let address = page.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap();
        assert!(address.starts_with("https://app.example/callback?code="), "{address}");
        let code = address.split("code=").nth(1).unwrap().split('&').next().unwrap();
        let paste = if whole { address } else { code };
        terminal.write(&format!("{paste}\r"));
        let (_, seen) = terminal.end();
        assert!(seen.contains("status=0"), "{seen}");
        assert_eq!(seen.contains("code accepted without its state"), !whole, "{seen}");
        assert!(!seen.contains(code), "the code was echoed: {seen}");
        let out: Value = serde_json::from_str(&std::fs::read_to_string(directory.path().join("out")).unwrap()).unwrap();
        assert!(out.get("id_token").is_some());
    }
}

#[test]
fn sends_auth0_the_request_of_the_article_and_tells_how_to_register() {
    let server = Server::start(|seen| {
        let host = format!("http://{}", seen.header("Host").unwrap());
        match seen.target.split('?').next().unwrap() {
            "/.well-known/openid-configuration" => json_response(&json!({
                "issuer": format!("{host}/"), "authorization_endpoint": format!("{host}/authorize"),
                "token_endpoint": format!("{host}/oauth/token"), "code_challenge_methods_supported": ["S256"],
            })),
            "/authorize" => {
                let query = seen.target.split('?').nth(1).unwrap();
                let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
                let value = |name: &str| pairs.iter().find(|(other, _)| other == name).unwrap().1.clone();
                let back = format!("{}?code=c0de&state={}", value("redirect_uri"), value("state"));
                format!("HTTP/1.1 302 Found\r\nLocation: {back}\r\nContent-Length: 0\r\n\r\n").into_bytes()
            }
            _ => response(
                401,
                "application/json",
                "{\"error\":\"invalid_client\",\"error_description\":\"Unauthorized\"}",
            ),
        }
    });
    let directory = new_directory();
    let callback = format!("http://127.0.0.1:{}/callback", free_port());
    let mut script = command("sh");
    script.arg(example("auth0-login.sh")).current_dir(directory.path());
    script.env("AUTH0_URL", server.url("")).env("AUTH0_CLIENT_ID", "cli").env("AUTH0_CALLBACK_URL", &callback);
    script.env("BROWSER", common::browser());
    let output = finish(&mut script, b"");
    assert_eq!((output.status, output.stdout.as_str()), (1, "!1 refused pkce-exchange\n"), "{output:?}");
    let said = "pkce-exchange: token endpoint: invalid_client: Unauthorized\n\
                hint: if the client has no secret, register it with token_endpoint_auth_method none";
    assert!(output.stderr.contains(said), "{output:?}");
    let seen = server.requests();
    let token = seen.iter().find(|seen| seen.target == "/oauth/token").unwrap();
    assert_eq!(token.header("Content-Type"), Some("application/json"));
    let request: Value = serde_json::from_str(&token.body).unwrap();
    let verifier = request["code_verifier"].as_str().unwrap();
    let expected = json!({
        "grant_type": "authorization_code", "code": "c0de", "code_verifier": verifier, "client_id": "cli",
        "redirect_uri": callback,
    });
    assert_eq!(request, expected);
}

#[test]
fn shows_the_code_on_a_page_that_lets_nothing_out() {
    let page = std::fs::read_to_string(example("callback.html")).unwrap();
    let between = |start: &str, end: &str| page.split_once(start).unwrap().1.split_once(end).unwrap().0;
    let policy = between("Content-Security-Policy\" content=\"", "\"");
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    for (name, text) in [("style", between("<style>", "</style>")), ("script", between("<script>", "</script>"))] {
        let digest = STANDARD.encode(Sha256::digest(text));
        assert!(policy.contains(&format!("{name}-src 'sha256-{digest}'")), "{name}: {digest}");
    }
    assert_eq!((page.matches("<style").count(), page.matches("<script").count()), (1, 1));
    for never in ["innerHTML", "http:", "https:", "src=", "@import", "url(", "fetch(", "onclick"] {
        assert!(!page.contains(never), "{never}");
    }
    assert!(page.contains("<meta name=\"referrer\" content=\"no-referrer\">"));
    assert!(page.contains("history.replaceState") && page.contains("prefers-color-scheme:dark"));
    // A system may lack the glyph of any other character.
    assert!(page.is_ascii());
}

#[test]
fn runs_in_a_plain_shell() {
    if lacks(&["dash"]) {
        return;
    }
    for name in ["demo.sh", "auth0-login.sh", "mcp-call.sh", "call-api.sh", "parallel.sh"] {
        let output = finish(command("dash").arg("-n").arg(example(name)), b"");
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{name}");
    }
}
