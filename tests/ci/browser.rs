//! browser.sh: a test account signs in on the pages of a provider.

use std::collections::HashMap;
use std::fs;
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{Output, Server, command, finish, json_response, lacks, new_directory, response};
use crate::{SHELLS, arguments, ci, said, watched};

/// Runs a login against pkce-idp, or what `PKCE_ISSUER` is, with browser.sh as the browser; prints what LOG has.
fn browse(shell: &str, directory: &TempDir, server: Option<&Server>, account: &str, watch: &[&str]) -> Output {
    fs::write(directory.path().join("account"), account).unwrap();
    let login = format!(
        "pkce-discover | pkce-gen - | pkce-url --scope openid --prompt consent | pkce-callback --timeout 20 |
           tee '{0}/code' | pkce-exchange; status=$?; cat '{0}/log' >&2; exit $status",
        directory.path().display()
    );
    let mut run = command(if server.is_some() { "sh" } else { "pkce-idp" });
    match server {
        Some(server) => run.args(["-c", &login]).env("PKCE_ISSUER", server.url("")).env("PKCE_CLIENT_ID", "cli"),
        None => run.args(["--", "sh", "-c", &login]),
    };
    run.env("PATH", watched(directory, watch)).env("BROWSER", format!("{shell} {}", ci("browser.sh")));
    run.env("TEST_ACCOUNT_FILE", directory.path().join("account")).env("LOG", directory.path().join("log"));
    finish(&mut run, b"")
}

#[test]
fn logs_a_test_account_in_on_the_pages_of_pkce_idp() {
    if lacks(&["curl", "dash"]) {
        return;
    }
    for shell in SHELLS {
        let directory = new_directory();
        let name = "someone+\"else\"&co %41";
        let output =
            browse(shell, &directory, None, &format!("{name}\r\nunused p4ssword\r\n"), &["curl", "awk", "sed"]);
        assert_eq!((output.status, said(&output)), (0, vec![]), "{output:?}");
        let token = output.json()["id_token"].as_str().unwrap().to_owned();
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&claims).unwrap()["sub"], name);
        let code: Value = serde_json::from_str(&fs::read_to_string(directory.path().join("code")).unwrap()).unwrap();
        let seen = arguments(&directory);
        assert!(seen.contains("/curl --config -") && seen.contains("/form.awk"), "{seen}");
        for secret in [code["code"].as_str().unwrap(), code["state"].as_str().unwrap(), "someone", "p4ssword"] {
            assert!(!seen.contains(secret), "{seen}");
        }
    }
}

/// A provider with pages as Keycloak's: a login form that comes back with another address where the password is wrong.
fn keycloak() -> Server {
    let redirect = Mutex::new(String::new());
    Server::start(move |seen| {
        let host = format!("http://{}", seen.header("Host").unwrap());
        let form = "<!-- <form method=\"post\" action=\"/no\"> --><script>'<form method=\"post\" action=\"/no\">'</script>
            <form action='/search'><input name=q></form>
            <form id=\"kc-form-login\" onsubmit=\"login.disabled = true; return true;\" method=\"POST\"
              action=\"authenticate?session_code=CODE&amp;execution=1\">
            <input tabindex=\"1\" name=\"username\" value=\"\"  type=\"text\" autofocus/>
            <input name='password' type='password' /> <button type=\"button\" name=\"show\">x</button>
            <button name=\"answer\">Cancel</button><input type=submit value=\"Deny it\" name=\"no\">
            <input type=\"checkbox\" name=\"rememberMe\"> <input type=checkbox name=kept checked>
            <input type=\"hidden\" name=\"credentialId\" value=\"a&#x3D;&#039;&lt;\"/><input disabled name=\"off\" value=\"1\">
            <input name=\"login\" type=\"submit\" value=\"Sign In\"/><input name=\"other\" type=\"submit\"/>
            </form>";
        let page = |code: &str| {
            let body = form.replace("CODE", code);
            let length = body.len();
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nSet-Cookie: AUTH_SESSION_ID=s; Path=/\r\n\
                 Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            )
            .into_bytes()
        };
        let to = |location: &str| {
            format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .into_bytes()
        };
        match (seen.method.as_str(), seen.target.split('?').next().unwrap()) {
            ("GET", "/.well-known/openid-configuration") => json_response(&json!({
                "issuer": host, "authorization_endpoint": format!("{host}/realm/auth"),
                "token_endpoint": format!("{host}/token"), "code_challenge_methods_supported": ["S256"],
            })),
            ("GET", "/realm/auth") => {
                *redirect.lock().unwrap() = seen.target.split('?').nth(1).unwrap().to_owned();
                to("login/page")
            }
            ("GET", "/realm/login/page") => page("first"),
            ("POST", "/realm/login/authenticate") => {
                assert_eq!(seen.header("Cookie"), Some("AUTH_SESSION_ID=s"));
                assert!(seen.target.ends_with("&execution=1"), "{seen:?}");
                let rest = "&kept=on&credentialId=a%3D%27%3C&login=Sign%20In";
                match seen.body == format!("username=someone&password=p4ss%20w%26rd{rest}") {
                    true => to("../done"),
                    false => page("second"),
                }
            }
            ("GET", "/realm/done") => {
                let query = redirect.lock().unwrap().clone();
                let pairs: HashMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
                to(&format!("{}?state={}&code=c0de", pairs["redirect_uri"], pairs["state"]))
            }
            ("POST", "/token") => json_response(&json!({ "access_token": "t", "token_type": "Bearer" })),
            _ => response(404, "text/html", ""),
        }
    })
}

#[test]
fn logs_a_test_account_in_on_pages_as_keycloaks() {
    if lacks(&["curl", "dash"]) {
        return;
    }
    for shell in SHELLS {
        let directory = new_directory();
        let output = browse(shell, &directory, Some(&keycloak()), "someone\np4ss w&rd\n", &[]);
        assert_eq!((output.status, said(&output)), (0, vec![]), "{output:?}");
        assert_eq!(output.json()["access_token"], "t");
    }
}

#[test]
fn takes_no_option_of_curl_from_a_page() {
    if lacks(&["curl", "dash"]) {
        return;
    }
    for shell in SHELLS {
        let directory = new_directory();
        let written = directory.path().join("written").display().to_string();
        let page = format!(
            "<form method=post action='/x&#10;output=&quot;{written}&quot;'>
            <input name='a&#10;output=&quot;{written}&quot;' value='\"&#10;output=&quot;{written}&quot;'></form>"
        );
        let server = Server::start(move |seen| {
            let host = format!("http://{}", seen.header("Host").unwrap());
            match seen.target.starts_with("/.well-known/") {
                true => json_response(&json!({
                    "issuer": host, "authorization_endpoint": format!("{host}/a\"b"),
                    "token_endpoint": format!("{host}/t"), "code_challenge_methods_supported": ["S256"],
                })),
                false => response(200, "text/html", &page),
            }
        });
        let output = browse(shell, &directory, Some(&server), "someone\np4ss w&rd\n", &[]);
        assert_eq!(output.status, 3, "{output:?}");
        assert!(!fs::exists(&written).unwrap());
        let posted: Vec<_> = server.requests().into_iter().filter(|seen| seen.method == "POST").collect();
        assert!(!posted.is_empty() && posted.iter().all(|seen| seen.target.starts_with("/xoutput")), "{posted:?}");
        assert!(
            server
                .requests()
                .iter()
                .any(|seen| seen.target.starts_with("/a%22b?") || seen.target.starts_with("/a\"b?"))
        );
    }
}

#[test]
fn says_why_it_cannot_log_in() {
    if lacks(&["curl", "dash"]) {
        return;
    }
    let no_browser = "pkce-callback: the BROWSER program failed, and there is no terminal";
    let hint = "hint: run it with the URL above to see why";
    let wrong = "browser: page 2: the same form came back (wrong name or password?)";
    let no_form = Server::start(|seen| {
        let host = format!("http://{}", seen.header("Host").unwrap());
        match seen.target.starts_with("/.well-known/") {
            true => json_response(&json!({
                "issuer": host, "authorization_endpoint": format!("{host}/a"), "token_endpoint": format!("{host}/t"),
                "code_challenge_methods_supported": ["S256"],
            })),
            false => response(200, "text/html", "<form action=\"/search\"><input name=\"q\"></form>"),
        }
    });
    let account = "browser: TEST_ACCOUNT_FILE: must be a file with the name and password of an account";
    let none = "browser: page 1: no supported form found";
    for shell in SHELLS {
        for (server, given, message) in [
            (&keycloak(), "someone\nwrong\n", wrong),
            (&keycloak(), "somebody\np4ss w&rd", wrong),
            (&no_form, "someone\np4ss w&rd\n", none),
            (&no_form, "", account),
        ] {
            let directory = new_directory();
            let output = browse(shell, &directory, Some(server), given, &[]);
            assert_eq!((output.status, said(&output)), (3, vec![no_browser, hint, message]), "{output:?}");
        }
    }
}

#[test]
fn finds_where_a_form_is_sent_to() {
    let directory = new_directory();
    let file = |name: &str, text: &str| {
        fs::write(directory.path().join(name), text).unwrap();
        directory.path().join(name).display().to_string()
    };
    let account = file("account", "someone\np4ss");
    for (at, action, expected) in [
        ("https://id.example", "login", "https://id.example/login"),
        ("https://id.example?a=b", "login", "https://id.example/login"),
        ("https://id.example/a/b?c=d/e", "login?x=1&amp;y=%2F", "https://id.example/a/login?x=1&y=%2F"),
        ("https://id.example/a/b?c=d/e", "../login", "https://id.example/a/../login"),
        ("https://id.example/a/b?c=d/e", "/login", "https://id.example/login"),
        ("https://id.example/a/b?c=d/e", "//other.example/login", "https://other.example/login"),
        ("https://id.example/a/b?c=d/e", "https://other.example/", "https://other.example/"),
        ("https://id.example/a/b?c=d/e", "?f=g", "https://id.example/a/b?f=g"),
        ("https://id.example/a/b?c=d/e#f", "", "https://id.example/a/b?c=d/e"),
        ("https://id.example/a/b", "a\"b\\c", "https://id.example/a/a\\\"b\\\\c"),
    ] {
        let action = action.replace('"', "&quot;");
        let page = file("page", &format!("<form action=\"{action}\" method=post><button>OK</button></form>"));
        let mut awk = command("awk");
        awk.args(["-f", &ci("form.awk"), &account, "-", "RS=<", &page]).env("LC_ALL", "C");
        let output = finish(&mut awk, format!("{at}\n").as_bytes());
        let line = output.stdout.lines().nth(1);
        assert_eq!(line, Some(format!("url = \"{expected}\"").as_str()), "{at} {action}: {output:?}");
        assert!(output.stdout.ends_with("\ndata = \"\"\n"), "{output:?}");
    }
}
