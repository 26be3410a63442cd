//! browser.sh: a test account signs in on the pages of a provider.

use std::collections::HashMap;
use std::fs;
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{Output, Server, command, finish, json_response, lacks, new_directory, response, write_program};
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

/// A provider with pages as Keycloak's: a login form that comes back with another address where the password is wrong. As
/// Spring Authorization Server, it has pages for a browser alone.
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
        if seen.target.starts_with("/realm/") && !seen.header("Accept").unwrap().starts_with("text/html,") {
            return response(401, "", "");
        }
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
    let hint = "hint: the server may not know the client_id or the redirect URI; to see why, use pkce-callback --no-browser, and run the program in BROWSER with the new URL";
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
            let failed = format!("pkce-callback: BROWSER: {shell} ended with status 1, and there is no terminal");
            assert_eq!((output.status, said(&output)), (3, vec![failed.as_str(), hint, message]), "{output:?}");
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

/// Opens a URL with browser.sh, as `someone` with this password, with these variables.
fn open(shell: &str, url: &str, variables: &[(&str, &str)]) -> Output {
    let directory = new_directory();
    let account = directory.path().join("account");
    fs::write(&account, format!("someone\n{PASSWORD}\n")).unwrap();
    let mut run = command(shell);
    run.arg(ci("browser.sh")).arg(url).env("TEST_ACCOUNT_FILE", account).env("TMPDIR", directory.path());
    let output = finish(run.envs(variables.iter().copied()), b"");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "only the account is left");
    output
}

const PASSWORD: &str = "p4ssw0rd";

/// Whether the server got the password.
fn got_password(server: &Server) -> bool {
    server.requests().iter().any(|seen| seen.target.contains(PASSWORD) || seen.body.contains(PASSWORD))
}

fn password_form(action: &str) -> Vec<u8> {
    let form = format!("<form method=post action='{action}'><input name=u><input name=p type=password></form>");
    response(200, "text/html", &form)
}

fn redirect(status: u16, to: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} X\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

/// Another server, which shows a form for whatever it is asked.
fn elsewhere() -> Server {
    Server::start(|_| password_form("/login"))
}

#[test]
fn sends_the_password_to_one_origin_alone() {
    if lacks(&["curl", "dash"]) {
        return;
    }
    let start = |server: &Server| server.url("/start?redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcallback");
    for shell in SHELLS {
        let other = elsewhere();
        let at = other.url("/login");
        let cure = "; set TEST_ACCOUNT_ORIGIN to its origin";
        // A form that is sent elsewhere, and one that is elsewhere already: only there another origin would do.
        let third = Server::start(|_| password_form("https://id.example/login"));
        let unspecified = at.replace("127.0.0.1", "0.0.0.0");
        for (first, is, cure) in [
            (password_form(&at), "sent to OTHER, not to", ""),
            (redirect(302, &at), "at OTHER, not at", cure),
            (redirect(307, &at), "at OTHER, not at", cure),
            (redirect(302, &unspecified), "at UNSPECIFIED, not at", ""),
            (redirect(302, &third.url("/")), "at THIRD, not at", ""),
            (password_form("javascript:login()"), "sent to no server, not to", ""),
            (password_form("https://::error::\u{e9}\u{9b}/"), "sent to https://: :error::????, not to", ""),
        ] {
            let server = Server::start(move |_| first.clone());
            let output = open(shell, &start(&server), &[]);
            let is = is.replace("OTHER", &other.url("")).replace("THIRD", &third.url(""));
            let is = is.replace("UNSPECIFIED", unspecified.trim_end_matches("/login"));
            let message = format!("browser: page 1: the form is {is} {}{cure}\n", server.url(""));
            assert_eq!((output.status, output.stderr), (1, message));
            assert!(!got_password(&server) && !got_password(&other));
        }
        // A redirect after the form was sent: to a second form, or one that would send the first again.
        for (status, message) in [
            (302, "page 2: the form is at OTHER, not at SERVER"),
            (303, "page 2: the form is at OTHER, not at SERVER"),
            (307, "page 1: the server redirects the form (307)"),
            (308, "page 1: the server redirects the form (308)"),
        ] {
            let to = at.clone();
            let server = Server::start(move |seen| match seen.method.as_str() {
                "POST" => redirect(status, &to),
                _ => password_form("/login"),
            });
            let output = open(shell, &start(&server), &[]);
            let message = message.replace("SERVER", &server.url("")).replace("OTHER", &other.url(""));
            let message = format!("browser: {message}\n");
            assert_eq!((output.status, output.stderr), (1, message));
            assert!(got_password(&server) && !got_password(&other));
        }
    }
}

#[test]
fn sends_the_password_to_another_origin_that_is_named() {
    if lacks(&["curl", "dash"]) {
        return;
    }
    let callback = Server::start(|_| response(200, "text/html", ""));
    let back = callback.url("/callback");
    let to = format!("{back}?code=c");
    let login = Server::start(move |seen| match seen.method.as_str() {
        "POST" => redirect(303, &to),
        _ => password_form("/login"),
    });
    let at = login.url("/page");
    let server = Server::start(move |_| redirect(302, &at));
    let origin = login.url("/");
    let output = open("dash", &server.url(&format!("/start?redirect_uri={back}")), &[("TEST_ACCOUNT_ORIGIN", &origin)]);
    assert_eq!(output, Output { status: 0, stdout: String::new(), stderr: String::new() });
    assert!(got_password(&login) && !got_password(&server) && !got_password(&callback));
    assert_eq!(callback.requests().iter().map(|seen| seen.target.as_str()).collect::<Vec<_>>(), ["/callback?code=c"]);
    // The origin of the authorization URL is then another one.
    let own = Server::start(|_| password_form("/login"));
    let output = open("dash", &own.url("/start"), &[("TEST_ACCOUNT_ORIGIN", &origin)]);
    let message = format!(
        "browser: page 1: the form is at {}, not at {}; set TEST_ACCOUNT_ORIGIN to its origin\n",
        own.url(""),
        login.url("")
    );
    assert_eq!(output, Output { status: 1, stdout: String::new(), stderr: message });
    assert!(!got_password(&own));
}

#[test]
fn sends_no_password_without_https_but_to_this_machine() {
    if lacks(&["curl", "dash"]) {
        return;
    }
    let wrong = "must begin with https://, or with http:// if it is on this machine or in PKCE_HTTP_HOSTS";
    let message = &format!("browser: URL: {wrong}\n");
    for shell in SHELLS {
        for url in [
            "http://id.example/authorize",
            "http://127.0.0.1.evil.example/",
            "http://localhost.evil.example/",
            "http://127.0.0.1@evil.example/",
            "https://id.example@evil.example/",
            "https://id.example\\@evil.example/",
            "ftp://127.0.0.1/",
            "file:///etc/passwd",
            "https:id.example",
            "-o/dev/null",
            "",
        ] {
            let output = open(shell, url, &[]);
            assert_eq!((output.status, &output.stderr), (1, message), "{shell} {url}");
        }
        for origin in
            ["login.example.com", "127.0.0.1:8080", "http://login.example.com", "https:login.example.com", "/"]
        {
            let output = open(shell, "https://id.example/authorize", &[("TEST_ACCOUNT_ORIGIN", origin)]);
            let message = format!("browser: TEST_ACCOUNT_ORIGIN: {wrong}\n");
            assert_eq!(output, Output { status: 1, stdout: String::new(), stderr: message }, "{shell} {origin}");
        }
        // A test network, as for the tools: here, the name does not resolve.
        for (hosts, url, looked_up) in [
            ("id.invalid:81", "http://id.invalid:81/authorize", Some("id.invalid")),
            ("a,id.invalid", "http://id.invalid:81/authorize", Some("id.invalid")),
            ("a id.invalid", "http://id.invalid/authorize", Some("id.invalid")),
            ("ID.Invalid:81", "http://id.invalid:81/authorize", Some("id.invalid")),
            ("id.invalid:81", "http://ID.INVALID:81/authorize", Some("ID.INVALID")),
            ("id.invalid:80", "http://id.invalid/authorize", Some("id.invalid")),
            ("id.invalid:80", "http://id.invalid:80/authorize", Some("id.invalid")),
            ("id.invalid:80", "http://id.invalid:81/authorize", None),
            ("id.invalid:81", "http://id.invalid/authorize", None),
            ("[fd00::1]:80", "http://[fd00::1]:81/authorize", None),
            ("[fd00::1]", "http://[fd00::1]:81@id.invalid/", None),
            ("id.invalid", "http://id.invalid.example:81/", None),
            ("id.invalid", "http://id.invalid./", None),
            ("id.invalid", "http://id.invalid:81:81/", None),
            (", ,", "http://id.invalid/authorize", None),
        ] {
            let output = open(shell, url, &[("PKCE_HTTP_HOSTS", hosts)]);
            let expected = match looked_up {
                Some(name) => (6, format!("curl: (6) Could not resolve host: {name}\n")),
                None => (1, message.clone()),
            };
            assert_eq!((output.status, output.stderr), expected, "{shell} {hosts} {url}");
        }
    }
}

#[test]
fn sends_nothing_for_this_machine_through_a_proxy() {
    if lacks(&["curl", "dash"]) {
        return;
    }
    for shell in SHELLS {
        for variable in ["http_proxy", "ALL_PROXY"] {
            let proxy = elsewhere();
            // Nothing listens there.
            for host in ["127.0.0.1:1", "127.0.0.2:1", "[::1]:1", "localhost:1", "LOCALHOST:1"] {
                let output = open(shell, &format!("http://{host}/authorize"), &[(variable, &proxy.url(""))]);
                assert_eq!((output.status, proxy.requests().len()), (7, 0), "{shell} {host}: {output:?}");
            }
            // Another host is reached through it, unless it, or every host, is excepted.
            for (no_proxy, through) in [("", true), ("id.example", true), ("id.invalid", false), ("*", false)] {
                for exception in ["no_proxy", "NO_PROXY"] {
                    let before = proxy.requests().len();
                    let variables =
                        [(variable, &*proxy.url("")), (exception, no_proxy), ("PKCE_HTTP_HOSTS", "id.invalid:80")];
                    let output = open(shell, "http://id.invalid/authorize", &variables);
                    let is_through = proxy.requests().len() > before;
                    let status = if through { 1 } else { 6 };
                    assert_eq!((output.status, is_through), (status, through), "{exception}={no_proxy}: {output:?}");
                }
            }
        }
    }
}

#[test]
fn lets_no_text_of_a_server_command_a_ci_runner() {
    if lacks(&["curl", "dash"]) {
        return;
    }
    let directory = new_directory();
    // curl quotes the name in a certificate that is not the server's.
    let says = "curl: (60) SSL: certificate subject name '##vso[task.setvariable variable=a]b ###[group]c ::error::d' \
                does not match target host name 'id.example'\\n::warning::e\\033[0m fe80::1";
    let stub = format!("#!/bin/sh\ncat >/dev/null\nprintf '%b\\n' \"{says}\" >&2\nexit 60\n");
    write_program(&directory.path().join("curl"), &stub);
    let path = command("sh").get_envs().find(|(name, _)| *name == "PATH").unwrap().1.unwrap().to_owned();
    let path = format!("{}:{}", directory.path().display(), path.into_string().unwrap());
    let message = "curl: (60) SSL: certificate subject name '# #vso[task.setvariable variable=a]b # # #[group]c \
                   : :error: :d' does not match target host name 'id.example'\n: :warning: :e?[0m fe80::1\n";
    let log = directory.path().join("log").display().to_string();
    for shell in SHELLS {
        let output = open(shell, "https://id.example/authorize", &[("PATH", &path)]);
        assert_eq!(output, Output { status: 60, stdout: String::new(), stderr: message.to_owned() }, "{shell}");
        let output = open(shell, "https://id.example/authorize", &[("PATH", &path), ("LOG", &log)]);
        assert_eq!(output, Output { status: 60, stdout: String::new(), stderr: String::new() }, "{shell}");
        assert_eq!(fs::read_to_string(&log).unwrap(), message, "{shell}");
        fs::remove_file(&log).unwrap();
    }
}

#[test]
fn takes_a_url_as_it_is() {
    if lacks(&["curl", "dash"]) {
        return;
    }
    let server = Server::start(|_| password_form("/login{1,2}[3-4]"));
    let output = open("dash", &server.url("/start[1-2]{a,b}\n-o/dev/null"), &[]);
    let message = "browser: page 2: the same form came back (wrong name or password?)\n";
    assert_eq!(output, Output { status: 1, stdout: String::new(), stderr: message.to_owned() });
    let targets: Vec<String> = server.requests().into_iter().map(|seen| seen.target).collect();
    assert_eq!(targets.len(), 2, "{targets:?}");
    assert!(targets[0].starts_with("/start[1-2]{a,b}-o"), "{targets:?}");
    assert_eq!(targets[1], "/login{1,2}[3-4]");
}

#[test]
fn reads_a_page_in_a_time_that_grows_with_its_size_alone() {
    if lacks(&["dash"]) {
        return;
    }
    let directory = new_directory();
    let path = |name: &str| directory.path().join(name).display().to_string();
    fs::write(path("account"), "someone\np4ss").unwrap();
    let form = "<form method=post action=/x>";
    let size = 2 * 1024 * 1024;
    let many = |text: &str| text.repeat(size / text.len());
    for (name, page, fields) in [
        ("tags", format!("{form}{}", many("<")), Some(0)),
        ("tags of forms", many("<form "), None),
        ("unclosed quotes", format!("{form}{}", many("<input name=\"")), Some(0)),
        ("quotes", format!("{form}<input name=a {}", many("\"'")), Some(1)),
        ("attributes", format!("{form}<input name=a {}", many("b ")), Some(1)),
        ("quoted attributes", format!("{form}<input name=a {}", many("b=\"'\" c='\"' ")), Some(1)),
        ("empty attributes", format!("{form}<input name=a {}", many("b=' ")), Some(1)),
        ("entities", format!("{form}<input type=hidden name=a value='{}'>", many("&lt;")), Some(1)),
        ("ampersands", format!("{form}<input type=hidden name=a value='{}'>", many("&")), Some(1)),
        ("a long value", format!("{form}<input type=hidden name=a value='{}'>", many("x")), Some(1)),
        ("a long name", format!("{form}<input name='{}'>", many("x")), Some(1)),
        ("fields", format!("{form}{}", many("<input type=hidden name=a value=b>")), Some(size / 34)),
        ("text", format!("{form}<button name=a>{}", many("cance")), Some(1)),
        ("scripts", format!("{form}<script>{}", many("<!--")), Some(0)),
        ("an action", format!("<form method=post action='{}'>", many("../")), None),
    ] {
        fs::write(path("page"), page).unwrap();
        // Fifteen seconds of the processor: one is enough, and work that grows with the square of the size takes more.
        let script = "ulimit -t 15; exec awk -f \"$1\" \"$2\" - RS='<' \"$3\"";
        let mut awk = command("dash");
        awk.args(["-c", script, "dash", &ci("form.awk"), &path("account"), &path("page")]).env("LC_ALL", "C");
        let output = finish(&mut awk, b"https://id.example/a\n");
        match fields {
            None => assert_eq!((output.status, output.stdout.as_str()), (1, ""), "{name}"),
            Some(count) => {
                let data = output.stdout.lines().nth(2).unwrap_or_default();
                assert_eq!((output.status, data.matches('=').count()), (0, count + 1), "{name}");
            }
        }
    }
}
