//! Logins at pkce-idp.

use std::os::unix::process::CommandExt;
use std::process::Command;

use serde_json::{Value, json};

use super::common::{Output, finish, json_response, run, start, without_ports};
use super::home::{Home, success};
use super::provider::Provider;
use super::terminal::Terminal;
use super::{SHELLS, common, login_in, said};

/// What the person is asked for, without its query.
const URL: &str = "pkce-callback: to sign in, open this URL in a browser:";

/// How often somebody was to sign in, and the other lines on standard error.
fn sign_ins(output: &Output) -> (usize, Vec<&str>) {
    let others = output.stderr.lines().filter(|line| *line != URL && !line.starts_with("http://127.0.0.1:"));
    (output.stderr.lines().filter(|line| *line == URL).count(), others.collect())
}

fn stored(home: &Home, file: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(home.path(file)).unwrap()).unwrap()
}

/// The token of this name has expired.
fn expire(home: &Home) {
    let mut document = stored(home, "work.json");
    document["expires_at"] = json!(5);
    assert_eq!(home.store(&document.to_string()).status, 0);
}

#[test]
fn logs_in_once_in_each_shell_and_again_where_that_is_needed() {
    let provider = Provider::start(&[]);
    for shell in SHELLS {
        let home = Home::new();
        let with = |args: &[&str]| finish(provider.browser(&mut login_in(shell, &home, args)), b"");
        let settings = ["--issuer", &provider.issuer, "--client-id", &provider.client_id];
        let first = with(&[&["work"][..], &settings].concat());
        assert_eq!(
            (first.status, first.stdout.as_str(), sign_ins(&first)),
            (0, "", (1, vec![])),
            "{shell:?}: {first:?}"
        );
        assert!(first.stderr.contains("&scope=openid%20offline_access&") && first.stderr.contains("&prompt=consent"));
        assert_eq!(
            (home.files(), home.mode("work.login")),
            (["work.json", "work.lock", "work.login"].map(str::to_owned).to_vec(), 0o600)
        );
        let told = format!("{{\"issuer\":\"{}\",\"client_id\":\"{}\"}}\n", provider.issuer, provider.client_id);
        assert_eq!(std::fs::read_to_string(home.path("work.login")).unwrap(), told);
        assert_eq!(stored(&home, "work.json")["id_token_claims"]["sub"], "alice");
        // With a good token there is no request, whether it is told again or not.
        for args in [&["work"][..], &[&settings[..], &["--", "work"]].concat()] {
            let output = finish(login_in(shell, &home, args).env("PKCE_TRACE", "1"), b"");
            assert_eq!(output, success(), "{shell:?}");
        }
        // A refresh needs nobody.
        expire(&home);
        let refreshed = finish(login_in(shell, &home, &["work"]).env("PKCE_TRACE", "1"), b"");
        let trace = without_ports(&refreshed.stderr);
        assert_eq!((refreshed.status, trace.lines().count()), (0, 1), "{trace}");
        assert!(trace.starts_with("pkce-token: trace: POST http://127.0.0.1:PORT/token: 200"), "{trace}");
        // The server ends the session.
        let load = finish(home.command("pkce-load").arg("work"), b"").stdout;
        assert_eq!(run("pkce-revoke", &[], &load).status, 0);
        expire(&home);
        let again = with(&["work"]);
        assert_eq!((again.status, sign_ins(&again)), (0, (1, vec![])), "{shell:?}: {again:?}");
        assert_eq!(finish(home.script(shell, "pkce-logout").arg("work"), b""), success());
        assert_eq!(home.files(), ["work.lock", "work.login"]);
        let after = with(&["work"]);
        assert_eq!((after.status, sign_ins(&after)), (0, (1, vec![])), "{shell:?}: {after:?}");
        // Another scope requires another login.
        let other = with(&["--scope=openid", "work"]);
        assert_eq!((other.status, sign_ins(&other)), (0, (1, vec![])), "{shell:?}: {other:?}");
        assert!(!other.stderr.contains("prompt="), "{other:?}");
        assert_eq!(stored(&home, "work.login")["scope"], "openid");
        assert_eq!(finish(&mut login_in(shell, &home, &["work"]), b""), success());
    }
}

#[test]
fn registers_a_client_and_remembers_it() {
    let provider = Provider::start(&[]);
    let home = Home::new();
    let resource = format!("{}/mcp", provider.issuer);
    for (name, whose) in [("work", ["--issuer", &provider.issuer]), ("mcp", ["--resource", &resource])] {
        let with = |args: &[&str]| {
            let mut command = home.command("pkce-login");
            // Neither the client of the environment nor its secret is this server's.
            command.arg(name).args(args).env("PKCE_CLIENT_ID", "other").env("PKCE_CLIENT_SECRET_FILE", "/dev/null");
            finish(provider.browser(&mut command), b"")
        };
        let remove = || assert_eq!(finish(home.command("pkce-store").args(["--remove", name]), b""), success());
        let first = with(&[&whose[..], &["--register"]].concat());
        assert_eq!((first.status, sign_ins(&first)), (0, (1, vec![])), "{first:?}");
        let told = stored(&home, &format!("{name}.login"));
        let document = stored(&home, &format!("{name}.json"));
        let mut expected = json!({
            "issuer": provider.issuer, "client_id": document["client_id"], "redirect_uris": document["redirect_uris"],
            "token_endpoint_auth_method": "none",
        });
        if name == "mcp" {
            expected["resource"] = json!(resource);
            assert_eq!(document["resource"], json!(resource));
        }
        assert_eq!(told, expected);
        if name == "work" {
            // It is refreshed without the secret, which pkce-idp would refuse.
            expire(&home);
            assert_eq!(with(&[]), success());
        }
        remove();
        let second = with(&[]);
        assert_eq!((second.status, sign_ins(&second)), (0, (1, vec![])), "{second:?}");
        assert_eq!(stored(&home, &format!("{name}.login")), told);
        assert_eq!(stored(&home, &format!("{name}.json"))["client_id"], told["client_id"]);
        remove();
        let anew = with(&["--register"]);
        assert_eq!((anew.status, sign_ins(&anew)), (0, (1, vec![])), "{anew:?}");
        assert_ne!(stored(&home, &format!("{name}.login"))["client_id"], told["client_id"]);
        // Where no login is needed, none is registered.
        let told = stored(&home, &format!("{name}.login"));
        assert_eq!((with(&["--register"]), stored(&home, &format!("{name}.login"))), (success(), told));
    }
}

#[test]
fn knows_a_login_that_a_pipeline_stored() {
    let provider = Provider::start(&[]);
    let home = Home::new();
    let mut first = home.command("pkce-login");
    first.args(["work", "--issuer", &provider.issuer, "--client-id", &provider.client_id, "--scope", "openid"]);
    assert_eq!(finish(provider.browser(&mut first), b"").status, 0);
    let forget = || std::fs::remove_file(home.path("work.login")).unwrap();
    let told = json!({ "issuer": provider.issuer, "client_id": provider.client_id, "scope": "openid" });
    for args in [&["work"][..], &["work", "--issuer", &provider.issuer, "--client-id", &provider.client_id]] {
        forget();
        let output = finish(home.command("pkce-login").args(args).env("PKCE_TRACE", "1"), b"");
        assert_eq!((output, stored(&home, "work.login")), (success(), told.clone()));
    }
    forget();
    expire(&home);
    let again = finish(provider.browser(home.command("pkce-login").arg("work")), b"");
    assert_eq!((again.status, sign_ins(&again)), (0, (1, vec![])), "{again:?}");
    assert_eq!(stored(&home, "work.login"), told);
    let mut document = stored(&home, "work.json");
    // A valid token whose issuer is not known.
    document.as_object_mut().unwrap().remove("issuer");
    assert_eq!(home.store(&document.to_string()).status, 0);
    forget();
    assert_eq!(finish(home.command("pkce-login").arg("work"), b""), success());
    assert_eq!(home.files(), ["work.json", "work.lock"]);
    // At a resource, where it begins again, unless an issuer is named.
    let resource = format!("{}/mcp", provider.issuer);
    document["issuer"] = json!(provider.issuer);
    document["resource"] = json!(resource);
    for (more, resource) in [(&[][..], json!(resource)), (&["--issuer", &provider.issuer], Value::Null)] {
        document["expires_at"] = json!(5);
        assert_eq!(home.store(&document.to_string()).status, 0);
        let mut command = home.command("pkce-login");
        let output = finish(provider.browser(command.arg("work").args(more)), b"");
        assert_eq!((output.status, sign_ins(&output).0), (0, 1), "{output:?}");
        assert_eq!(stored(&home, "work.json").get("resource").unwrap_or(&Value::Null), &resource);
        forget();
    }
}

#[test]
fn takes_no_login_at_another_server_for_what_it_was_told() {
    let (provider, other) = (Provider::start(&[]), Provider::start(&[]));
    for shell in SHELLS {
        let home = Home::new();
        let with = |args: &[&str]| finish(provider.browser(&mut login_in(shell, &home, args)), b"");
        let settings = ["work", "--issuer", &provider.issuer, "--client-id", &provider.client_id];
        assert_eq!(with(&settings).status, 0);
        // As a pipeline does that stores its login under the same name.
        let mut document = stored(&home, "work.json");
        document["issuer"] = json!(other.issuer);
        let note = "pkce-store: note: the issuer differs from the one stored before\n";
        assert_eq!(home.store(&document.to_string()), Output { stderr: note.to_owned(), ..success() });
        let again = with(&settings);
        assert_eq!((again.status, sign_ins(&again).0), (0, 1), "{shell:?}: {again:?}");
        assert_eq!(stored(&home, "work.json")["issuer"], json!(provider.issuer));
    }
}

#[test]
fn remembers_what_it_is_told_about_a_good_login() {
    let provider = Provider::start(&[]);
    for shell in SHELLS {
        let home = Home::new();
        let with = |args: &[&str]| finish(provider.browser(&mut login_in(shell, &home, args)), b"");
        assert_eq!(with(&["work", "--issuer", &provider.issuer, "--client-id", &provider.client_id]).status, 0);
        let told = stored(&home, "work.login");
        // What another login writes while it is refreshed.
        let other = home.path(".work.login.x.json.97d485b1");
        std::fs::write(&other, "").unwrap();
        assert_eq!(with(&["work", "--device"]), success(), "{shell:?}");
        assert!(other.exists(), "{shell:?}");
        let mut by_device = told.clone();
        by_device["grant_types"] = json!(["urn:ietf:params:oauth:grant-type:device_code"]);
        assert_eq!(stored(&home, "work.login"), by_device, "{shell:?}");
        assert_eq!(with(&["work", "--no-device"]), success(), "{shell:?}");
        assert_eq!(stored(&home, "work.login"), told, "{shell:?}");
        // What the server may refuse is tried first.
        let redirect = with(&["work", "--redirect-uri", "nonsense"]);
        assert_eq!((redirect.status, stored(&home, "work.login")), (2, told), "{shell:?}: {redirect:?}");
    }
}

#[test]
fn takes_the_client_in_the_environment_for_that_of_the_issuer_there() {
    let provider = Provider::start(&[]);
    let home = Home::new();
    let resource = format!("{}/mcp", provider.issuer);
    let mut command = home.command("pkce-login");
    command.args(["work", "--resource", &resource]).env("PKCE_ISSUER", "https://id.example");
    let output = finish(command.env("PKCE_CLIENT_ID", "mine").env("PKCE_CLIENT_SECRET_FILE", "/dev/null"), b"");
    let hint = "hint: set it with --client-id, or register a client with --register";
    assert_eq!(output, said(2, &format!("pkce-login: client_id: missing\n{hint}")));
}

#[test]
fn takes_the_server_the_client_and_the_scope_from_the_environment_and_remembers_them() {
    let provider = Provider::start(&[]);
    let home = Home::new();
    let mut command = home.command("pkce-login");
    command.arg("work").env("PKCE_ISSUER", &provider.issuer).env("PKCE_CLIENT_ID", &provider.client_id);
    let output = finish(provider.browser(&mut command).env("PKCE_SCOPE", "openid"), b"");
    assert_eq!((output.status, sign_ins(&output)), (0, (1, vec![])), "{output:?}");
    let expected = json!({ "issuer": provider.issuer, "client_id": provider.client_id, "scope": "openid" });
    assert_eq!(stored(&home, "work.login"), expected);
    // What is remembered comes first.
    let mut command = home.command("pkce-login");
    let other = command.arg("work").env("PKCE_ISSUER", "https://id.example").env("PKCE_SCOPE", "email");
    let other = finish(other, b"");
    let note = format!("PKCE_ISSUER is not used: work remembers {}; to use another one: --issuer URL", provider.issuer);
    assert_eq!(other, said(0, &format!("pkce-login: note: {note}")));
}

#[test]
fn pushes_the_request_where_the_server_requires_that() {
    let provider = Provider::start(&["metadata-pushed"]);
    let home = Home::new();
    let mut command = home.command("pkce-login");
    command.args(["work", "--issuer", &provider.issuer, "--client-id", &provider.client_id]);
    let output = finish(provider.browser(&mut command), b"");
    assert_eq!((output.status, sign_ins(&output)), (0, (1, vec![])), "{output:?}");
    assert!(output.stderr.contains("request_uri="), "{output:?}");
}

#[test]
fn signs_in_on_another_device() {
    let provider = Provider::start(&[]);
    for shell in SHELLS {
        let home = Home::new();
        let with = |args: &[&str]| finish(login_in(shell, &home, args).env("BROWSER", "false"), b"");
        let first = with(&["work", "--issuer", &provider.issuer, "--client-id", &provider.client_id, "--device"]);
        let asked = "pkce-device: to sign in, open this URL on any device and enter the code:";
        assert_eq!((first.status, first.stderr.lines().next()), (0, Some(asked)), "{shell:?}: {first:?}");
        assert_eq!(stored(&home, "work.json")["id_token_claims"]["sub"], "alice");
        assert_eq!(with(&["work"]), success());
        assert_eq!(finish(home.command("pkce-logout").arg("work"), b""), success());
        let second = with(&["work"]);
        assert_eq!((second.status, second.stderr.lines().next()), (0, Some(asked)), "{shell:?}: {second:?}");
    }
}

#[test]
fn asks_nobody_where_the_stored_login_may_be_good() {
    let provider = Provider::start(&[]);
    let home = Home::new();
    let mut command = home.command("pkce-login");
    command.args(["work", "--issuer", &provider.issuer, "--client-id", &provider.client_id]);
    assert_eq!(finish(provider.browser(&mut command), b"").status, 0);
    expire(&home);
    let issuer = provider.issuer.clone();
    drop(provider);
    let again = |args: &[&str]| {
        let output = finish(home.command("pkce-login").args(args), b"");
        Output { stderr: without_ports(&output.stderr), ..output }
    };
    let unreachable = "token endpoint: 127.0.0.1:PORT: connection refused";
    assert_eq!(again(&["work"]), said(3, &format!("pkce-token: {unreachable}")));
    assert_eq!(again(&["work", "--register"]), said(3, &format!("pkce-token: {unreachable}")));
    let json = finish(home.command("pkce-login").arg("work").env("PKCE_ERRORS", "json"), b"");
    let (line, rest) = json.stderr.split_once('\n').unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!((json.status, &line["tool"], &line["status"], rest), (3, &json!("pkce-token"), &json!(3), ""));
    // Nor where another login is asked for at that server.
    let other = again(&["work", "--scope", "openid"]);
    assert_eq!(other, said(3, "pkce-discover: 127.0.0.1:PORT: connection refused"), "{issuer}");
    let mode =
        |mode: &str| assert_eq!(finish(Command::new("chmod").arg(mode).arg(home.path("work.json")), b"").status, 0);
    mode("644");
    let path = home.path("work.json").display().to_string();
    let loose =
        format!("pkce-token: {path}: accessible to other users\nhint: check its content, then run: chmod 600 {path}");
    assert_eq!(again(&["work"]), said(4, &loose));
}

#[test]
fn goes_to_the_server_where_the_client_was_refused_and_another_one_is_to_be_registered() {
    let server = common::Server::start(|request| match request.target.as_str() {
        "/token" => common::response(401, "application/json", "{\"error\":\"invalid_client\"}"),
        _ => common::response(500, "", ""),
    });
    let home = Home::new();
    let document = json!({
        "issuer": server.url(""), "client_id": "cli", "token_endpoint": server.url("/token"), "access_token": "a",
        "token_type": "Bearer", "expires_at": 5, "refresh_token": "r3fresh-r3fresh",
    });
    assert_eq!(home.store(&document.to_string()), success());
    std::fs::write(home.path("work.login"), json!({ "issuer": server.url(""), "client_id": "cli" }).to_string())
        .unwrap();
    let refused = "pkce-token: token endpoint: invalid_client";
    let output = finish(home.command("pkce-login").arg("work"), b"");
    assert_eq!((output.status, output.stderr.lines().next()), (1, Some(refused)), "{output:?}");
    let output = finish(home.command("pkce-login").args(["work", "--register"]), b"");
    assert!(output.status == 3 && output.stderr.starts_with("pkce-discover: "), "{output:?}");
}

#[test]
fn registers_each_time_where_the_server_insists_on_a_secret() {
    let home = Home::new();
    let server = common::Server::start(|request| {
        let origin = format!("http://{}", request.header("Host").unwrap());
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let value = |name: &str| {
            let pairs = form_urlencoded::parse(query.as_bytes());
            pairs.into_owned().find(|(other, _)| other == name).unwrap().1
        };
        match path {
            "/.well-known/oauth-authorization-server" => json_response(&json!({
                "issuer": origin, "authorization_endpoint": format!("{origin}/authorize"),
                "token_endpoint": format!("{origin}/token"), "registration_endpoint": format!("{origin}/register"),
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
            })),
            "/register" => json_response(&json!({
                "client_id": "c1", "client_secret": "s3cret-s3cret", "token_endpoint_auth_method": "client_secret_post",
                "redirect_uris": ["http://127.0.0.1/callback"],
            })),
            "/authorize" => {
                let to = format!("{}?code=c0de-c0de&state={}", value("redirect_uri"), value("state"));
                format!("HTTP/1.1 302 X\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    .into_bytes()
            }
            "/token" if request.body.contains("client_secret=s3cret-s3cret") => {
                json_response(&json!({ "access_token": "acc3ss-acc3ss", "token_type": "Bearer" }))
            }
            _ => common::response(404, "", ""),
        }
    });
    let browser = common::browser();
    let with = |args: &[&str]| finish(home.command("pkce-login").arg("work").args(args).env("BROWSER", &browser), b"");
    let first = with(&["--issuer", &server.url(""), "--register"]);
    assert_eq!((first.status, sign_ins(&first)), (0, (1, vec![])), "{first:?}");
    assert_eq!(stored(&home, "work.json")["client_secret"], "s3cret-s3cret");
    let told = json!({ "issuer": server.url(""), "redirect_uris": ["http://127.0.0.1/callback"] });
    assert_eq!(stored(&home, "work.login"), told);
    assert_eq!(finish(home.command("pkce-store").args(["--remove", "work"]), b""), success());
    let second = with(&[]);
    assert_eq!((second.status, sign_ins(&second)), (0, (1, vec![])), "{second:?}");
    assert_eq!(server.requests().iter().filter(|request| request.target == "/register").count(), 2);
}

#[test]
fn says_at_a_terminal_how_to_use_the_login() {
    let provider = Provider::start(&[]);
    let home = Home::new();
    let line = "pkce-login: work: signed in; for example: pkce-token work -- curl -H @- URL\r\n";
    let (issuer, client) = (provider.issuer.clone(), provider.client_id.clone());
    let browser = common::browser();
    for (args, is_whole) in [(vec!["work", "--issuer", &issuer, "--client-id", &client], false), (vec!["work"], true)] {
        let store = home.directory();
        let terminal = Terminal::start("pkce-login", home.root.path(), |command| {
            command.args(args).env("PKCE_HOME", store).env("BROWSER", &browser)
        });
        let (status, printed) = terminal.end();
        assert_eq!((status, printed.ends_with(line), printed == line), (Some(0), true, is_whole), "{printed:?}");
    }
}

#[test]
fn leaves_no_process_where_a_signal_ends_it() {
    let provider = Provider::start(&[]);
    for shell in SHELLS {
        for signal in ["HUP", "INT", "TERM"] {
            // zsh ends with a status of its own by SIGHUP.
            let alone = finish(
                common::command(shell[0]).args(&shell[1..]).args(["-c", "kill -s \"$0\" $$; exit 0", signal]),
                b"",
            );
            let home = Home::new();
            let mut command =
                login_in(shell, &home, &["work", "--issuer", &provider.issuer, "--client-id", &provider.client_id]);
            // A browser that says that it was started, and in which nobody signs in.
            let opened = home.root.path().join("opened");
            common::make_fifo(&opened);
            let browser = home.root.path().join("browser");
            common::write_program(&browser, &format!("#!/bin/sh\necho opened >'{}'\n", opened.display()));
            // As a terminal and timeout(1) do, it goes to the script and its steps.
            let child = start(command.env("BROWSER", &browser).process_group(0));
            assert_eq!(std::fs::read_to_string(&opened).unwrap(), "opened\n");
            let group = ["-s", signal, "--", &format!("-{}", child.id())];
            assert_eq!(finish(common::command("kill").args(group), b""), success());
            // Standard error ends with the last process that has it.
            let output = common::done(child);
            assert_eq!((output.status, sign_ins(&output)), (alone.status, (1, vec![])), "{shell:?}: {output:?}");
            assert_eq!(home.files(), ["work.lock"]);
        }
    }
}

#[test]
fn ends_by_control_c_and_leaves_the_terminal_as_it_was() {
    let provider = Provider::start(&[]);
    for shell in SHELLS {
        let home = Home::new();
        let script = format!(
            "before=$(stty -g); {} '{}' work --issuer {} --client-id {}; echo \"status=$?\"
            [ \"$(stty -g)\" = \"$before\" ] && echo as it was",
            shell.join(" "),
            common::tool("pkce-login").display(),
            provider.issuer,
            provider.client_id
        );
        let store = home.directory();
        let mut terminal = Terminal::start("bash", home.root.path(), |bash| {
            // The shell around it goes on.
            bash.args(["-c", &format!("trap : INT; {script}")]).env("PKCE_HOME", store).env("BROWSER", "true")
        });
        terminal.until("&code_challenge_method=S256");
        terminal.until_taken_over();
        terminal.write("\u{3}");
        let (_, printed) = terminal.end();
        assert!(printed.contains("status=130") && printed.contains("as it was"), "{shell:?}: {printed}");
    }
}

#[test]
fn tries_the_commands_that_encrypt_before_somebody_signs_in() {
    let provider = Provider::start(&[]);
    let home = Home::new();
    let login = |seal: &str, open: &str| {
        let args = ["work", "--issuer", &provider.issuer, "--client-id", &provider.client_id];
        let mut command = login_in(SHELLS[0], &home, &args);
        finish(provider.browser(command.env("PKCE_SEAL", seal).env("PKCE_OPEN", open)), b"")
    };
    let failed =
        "pkce-store: PKCE_SEAL: the command failed (exit status: 1)\nhint: correct the command in PKCE_SEAL first\n";
    assert_eq!(login("exit 1", "cat"), Output { status: 3, stdout: String::new(), stderr: failed.to_owned() });
    let other = "pkce-store: PKCE_SEAL: its output cannot be opened: PKCE_OPEN: the command failed (exit status: 1)\n\
        hint: nothing was changed; PKCE_SEAL must encrypt for the key with which PKCE_OPEN decrypts\n";
    assert_eq!(login("cat", "exit 1"), Output { status: 3, stdout: String::new(), stderr: other.to_owned() });
    assert!(!home.directory().exists());
    let good = login("tr a-z b-za", "tr b-za a-z");
    assert_eq!((good.status, sign_ins(&good)), (0, (1, vec![])), "{good:?}");
}
