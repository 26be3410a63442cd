//! pkce-callback, as a browser, an attacker, a script and a person at a terminal meet it.
#![cfg(test)]

mod common;
#[path = "common/terminal.rs"]
mod terminal;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{Output, command, done, failure, finish, free_port, kill, listen, make_fifo, new_directory, run, talk};
use serde_json::{Value, json};
use tempfile::TempDir;
use terminal::Terminal;

/// A document whose redirect goes to this host, and whose state is `st-123`.
fn document(redirect_uri: &str) -> Value {
    let encoded: String = form_urlencoded::byte_serialize(redirect_uri.as_bytes()).collect();
    json!({
        "issuer": "https://op.example.com",
        "state": "st-123",
        "redirect_uri": redirect_uri,
        "authorization_url": format!("https://op.example.com/a?state=st-123&redirect_uri={encoded}"),
    })
}

const V4: &str = "http://127.0.0.1:0/callback";

/// A pkce-callback that listens.
struct Login {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    said: String,
    port: u16,
}

impl Login {
    fn start(document: &Value, args: &[&str]) -> Login {
        Login::of(command("pkce-callback").arg("--no-browser").args(args), document)
    }

    fn of(command: &mut Command, document: &Value) -> Login {
        let mut child = common::start(command);
        child.stdin.take().unwrap().write_all(document.to_string().as_bytes()).unwrap();
        let mut login =
            Login { stderr: BufReader::new(child.stderr.take().unwrap()), child, said: String::new(), port: 0 };
        while !login.said.lines().any(|line| line.starts_with("http")) {
            assert!(login.stderr.read_line(&mut login.said).unwrap() > 0, "{}", login.said);
        }
        let url = login.said.lines().find(|line| line.starts_with("http")).unwrap();
        let (_, query) = url.split_once('?').unwrap();
        let redirect_uri = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "redirect_uri").unwrap().1;
        let authority = redirect_uri.split('/').nth(2).unwrap();
        login.port = authority.rsplit_once(':').unwrap().1.parse().unwrap();
        login
    }

    fn get(&self, query: &str) -> String {
        talk(self.port, request("127.0.0.1", self.port, query).as_bytes())
    }

    fn end(mut self) -> Output {
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).unwrap();
        let output = done(self.child);
        Output { stderr: self.said + &rest, ..output }
    }
}

fn request(host: &str, port: u16, query: &str) -> String {
    format!("GET /callback?{query} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n")
}

/// Whether this machine has the second stack.
fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

#[test]
fn hands_on_the_code_and_the_port_it_found() {
    let login = Login::start(&document(V4), &[]);
    let port = login.port;
    let page = login.get("code=abc&state=st-123&iss=https%3A%2F%2Fop.example.com");
    assert!(page.contains("reached the terminal"), "{page}");
    let output = login.end();
    let mut expected = document(&format!("http://127.0.0.1:{port}/callback"));
    expected["code"] = json!("abc");
    expected["iss"] = json!("https://op.example.com");
    // The rest of the URL is as it was: only the redirect URI is written anew.
    expected["authorization_url"] = output.json()["authorization_url"].clone();
    assert_eq!((output.status, output.json()), (0, expected));
    let url = output.json()["authorization_url"].as_str().unwrap().to_owned();
    assert!(url.ends_with(&format!("redirect_uri=http%3A%2F%2F127.0.0.1%3A{port}%2Fcallback")), "{url}");
    assert_eq!(output.stderr, format!("pkce-callback: to log in, open this URL in a browser:\n{url}\n"));
}

#[test]
fn meets_every_request_of_the_vectors_as_decided() {
    // What the vectors leave open is decided: none of these delivers, and none ends the login.
    let ignored = ["jarm", "http10", "obs-fold", "prefetch", "body-smuggle", "ok-localhost-host"];
    let vectors = common::vectors("callback.json");
    let cases = vectors["cases"].as_array().unwrap();
    assert!(cases.len() > 30);
    for case in cases {
        let id = case["id"].as_str().unwrap();
        let login = Login::start(&document(V4), &[]);
        let mut octets = case["request"].as_str().unwrap().replace("PORT", &login.port.to_string()).into_bytes();
        if id == "tls-hello" {
            octets = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec();
        }
        let page = talk(login.port, &octets);
        let result = if ignored.contains(&id) { "ignore" } else { case["result"].as_str().unwrap() };
        if result == "ignore" {
            assert!(page.starts_with("HTTP/1.1 4"), "{id}: {page}");
            assert!(login.get("code=abc&state=st-123").starts_with("HTTP/1.1 200"), "{id}");
        }
        let output = login.end();
        match result {
            "done" => {
                let code = if id == "ok-code-pct" {
                    "4/0AX+z="
                } else if id == "ok-code-slash-raw" {
                    "4/0AX?y"
                } else {
                    "abc"
                };
                assert_eq!((output.status, &output.json()["code"]), (0, &json!(code)), "{id}");
                assert!(page.starts_with("HTTP/1.1 200"), "{id}: {page}");
            }
            "ignore" => assert_eq!((output.status, &output.json()["code"]), (0, &json!("abc")), "{id}"),
            "reject" => {
                assert_eq!((output.status, output.stdout.as_str()), (4, "!4 untrusted pkce-callback\n"), "{id}");
                assert!(page.starts_with("HTTP/1.1 400"), "{id}: {page}");
            }
            "oauth_error" => {
                assert_eq!((output.status, output.stdout.as_str()), (1, "!1 refused pkce-callback\n"), "{id}");
                assert!(
                    output.stderr.contains("access_denied") && !output.stderr.contains('\u{1b}'),
                    "{id}: {output:?}"
                );
                assert!(page.contains("access_denied"), "{id}: {page}");
            }
            other => panic!("{id}: {other}"),
        }
    }
}

#[test]
fn says_what_the_server_said_and_nothing_a_terminal_obeys() {
    let login = Login::start(&document(V4), &[]);
    let page = login.get("error=access_denied&state=st-123&error_description=%1B%5D0%3Bpwn%07%0A%3Cb%3Eno");
    assert!(!page.contains("pwn") && !page.contains("<b>no"), "{page}");
    let said = login.said.clone();
    let output = login.end();
    let message = "pkce-callback: authorization endpoint: access_denied: ?]0;pwn? <b>no\n";
    assert_eq!(output.stderr, said + message);
}

#[test]
fn takes_an_empty_description_for_none() {
    let login = Login::start(&document(V4), &[]);
    login.get("error=login_required&state=st-123&error_description=&error_uri=");
    let output = login.end();
    assert_eq!(output.status, 5);
    assert!(output.stderr.ends_with("\npkce-callback: authorization endpoint: login_required\n"), "{output:?}");
}

#[test]
fn tells_a_program_the_same_in_one_line() {
    let login = Login::of(command("pkce-callback").arg("--no-browser").env("PKCE_ERRORS", "json"), &document(V4));
    login.get("error=login_required&state=st-123&error_uri=https://op.example.com/e");
    let output = login.end();
    let line: Value = serde_json::from_str(output.stderr.lines().last().unwrap()).unwrap();
    let expected = json!({
        "tool": "pkce-callback", "status": 5, "kind": "login_required", "error": "login_required",
        "message": "authorization endpoint: login_required", "error_uri": "https://op.example.com/e",
    });
    assert_eq!((output.status, line), (5, expected));
}

#[test]
fn checks_whose_redirect_it_is() {
    let mut strict = document(V4);
    strict["authorization_response_iss_parameter_supported"] = json!(true);
    let mut without = document(V4);
    without.as_object_mut().unwrap().remove("issuer");
    for (document, query, status, message) in [
        (&strict, "code=a&state=st-123", 4, "redirect: iss: missing, and the server says that it sends it"),
        (&strict, "error=x&state=st-123", 4, "redirect: iss: missing, and the server says that it sends it"),
        (&strict, "error=x&state=st-123&iss=https://evil.example", 4, "redirect: iss: not the issuer that was asked"),
        (&strict, "code=a&state=st-123&iss=https%3A%2F%2Fop.example.com", 0, ""),
        (&without, "code=a&state=st-123&iss=https://evil.example", 0, ""),
        (
            &strict,
            "code=&state=st-123&iss=https%3A%2F%2Fop.example.com",
            4,
            "redirect: code: must be visible ASCII characters, one at least",
        ),
        (
            &strict,
            "code=a&code=a&state=st-123&iss=https%3A%2F%2Fop.example.com",
            4,
            "redirect: code: there twice, or not readable",
        ),
        (
            &strict,
            "code=a&id_token=x&state=st-123&iss=https%3A%2F%2Fop.example.com",
            4,
            "redirect: there are tokens in it, which only the token endpoint may give",
        ),
    ] {
        let login = Login::start(document, &[]);
        login.get(query);
        let output = login.end();
        assert_eq!(output.status, status, "{query}: {output:?}");
        if status != 0 {
            assert_eq!(output.stderr.lines().last(), Some(format!("pkce-callback: {message}").as_str()), "{query}");
        }
        let noted = output.stderr.contains("note: the document has no issuer, so it cannot be checked");
        assert_eq!(noted, document["issuer"].is_null(), "{query}");
    }
}

#[test]
fn decodes_as_the_vectors_do() {
    let mut without = document(V4);
    without.as_object_mut().unwrap().remove("issuer");
    for case in common::vectors("form.json")["decode"].as_array().unwrap() {
        let login = Login::start(&without, &[]);
        login.get(&format!("code=abc&state=st-123&iss={}", case["in"].as_str().unwrap()));
        let output = login.end();
        match case["out"].as_str() {
            Some(text) => assert_eq!((output.status, &output.json()["iss"]), (0, &json!(text)), "{case}"),
            None => assert_eq!((output.status, output.stdout.as_str()), (4, "!4 untrusted pkce-callback\n"), "{case}"),
        }
    }
}

#[test]
fn answers_with_pages_that_let_nothing_out() {
    let login = Login::start(&document(V4), &[]);
    for query in ["code=secret-code&state=other", "code=secret-code&state=st-123"] {
        let page = login.get(query);
        for header in [
            "Referrer-Policy: no-referrer",
            "Cache-Control: no-store",
            "Content-Security-Policy: default-src 'none'",
            "X-Content-Type-Options: nosniff",
            "Connection: close",
            "X-Frame-Options: DENY",
        ] {
            assert!(page.contains(header), "{header}: {page}");
        }
        let (head, body) = page.split_once("\r\n\r\n").unwrap();
        assert!(!page.contains("secret-code") && !page.contains("st-123"), "{page}");
        assert!(!head.contains("Location") && !body.contains("http:") && !body.contains("https:"), "{page}");
        assert!(body.contains("prefers-color-scheme:dark") && body.contains("history.replaceState"), "{page}");
    }
    assert_eq!(login.end().status, 0);
}

#[test]
fn is_not_delayed_by_silent_slow_and_forged_connections() {
    let login = Login::start(&document(V4), &[]);
    let silent: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(("127.0.0.1", login.port)).unwrap()).collect();
    let mut slow = TcpStream::connect(("127.0.0.1", login.port)).unwrap();
    slow.write_all(b"GET /callback?code=abc&state=st-123 HTT").unwrap();
    let mut never_reads = TcpStream::connect(("127.0.0.1", login.port)).unwrap();
    never_reads.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    for number in 0..100 {
        let page = login.get(&format!("code=forged&state=guess-{number}"));
        assert!(page.starts_with("HTTP/1.1 400") && page.contains("goes on waiting"), "{page}");
    }
    let before = Instant::now();
    login.get("code=abc&state=st-123");
    let output = login.end();
    assert_eq!((output.status, &output.json()["code"]), (0, &json!("abc")));
    // A connection may take 10 s; none of them was waited for.
    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
    drop((silent, slow, never_reads));
}

#[test]
fn has_room_for_the_redirect_when_all_places_are_taken() {
    let login = Login::start(&document(V4), &[]);
    let silent: Vec<TcpStream> = (0..400).map(|_| TcpStream::connect(("127.0.0.1", login.port)).unwrap()).collect();
    assert!(login.get("code=abc&state=st-123").starts_with("HTTP/1.1 200"));
    assert_eq!(login.end().status, 0);
    drop(silent);
}

#[test]
fn reads_a_request_that_comes_octet_by_octet_and_one_with_a_large_head() {
    let login = Login::start(&document(V4), &[]);
    let cookies = "c".repeat(40_000);
    let text = request("127.0.0.1", login.port, "code=other&state=no");
    let large = text.replace("\r\n\r\n", &format!("\r\nCookie: {cookies}\r\n\r\n"));
    assert!(talk(login.port, large.as_bytes()).contains("Not this sign-in"));
    let mut stream = TcpStream::connect(("127.0.0.1", login.port)).unwrap();
    stream.set_nodelay(true).unwrap();
    for octet in request("127.0.0.1", login.port, "code=abc&state=st-123").bytes() {
        stream.write_all(&[octet]).unwrap();
    }
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    assert!(page.contains("reached the terminal"), "{page}");
    assert_eq!(login.end().status, 0);
}

#[test]
fn refuses_what_is_too_large_and_goes_on() {
    let login = Login::start(&document(V4), &[]);
    let line = format!("GET /callback?code={} HTTP/1.1\r\n", "a".repeat(1024 * 1024));
    assert!(talk(login.port, line.as_bytes()).starts_with("HTTP/1.1 414"));
    let head = format!("GET /callback HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(1000));
    assert!(talk(login.port, head.as_bytes()).starts_with("HTTP/1.1 431"));
    assert!(login.get("code=abc&state=st-123").starts_with("HTTP/1.1 200"));
    assert_eq!(login.end().status, 0);
}

#[test]
fn closes_the_connection_so_that_a_second_login_on_the_port_gets_its_own() {
    let port = free_port();
    let document = document(&format!("http://127.0.0.1:{port}/callback"));
    let first = Login::start(&document, &[]);
    let mut kept = TcpStream::connect(("127.0.0.1", port)).unwrap();
    kept.write_all(request("127.0.0.1", port, "code=one&state=st-123").as_bytes()).unwrap();
    let mut page = String::new();
    kept.read_to_string(&mut page).unwrap();
    assert!(page.contains("Connection: close"));
    assert_eq!(first.end().json()["code"], "one");
    let second = Login::start(&document, &[]);
    second.get("code=two&state=st-123");
    assert_eq!(second.end().json()["code"], "two");
}

#[test]
fn gives_one_answer_when_two_redirects_race() {
    let login = Login::start(&document(V4), &[]);
    let port = login.port;
    let race = |code: &'static str| {
        thread::spawn(move || {
            let text = request("127.0.0.1", port, &format!("code={code}&state=st-123"));
            TcpStream::connect(("127.0.0.1", port)).map(|mut stream| stream.write_all(text.as_bytes())).is_ok()
        })
    };
    let (one, two) = (race("one"), race("two"));
    let _ = (one.join(), two.join());
    let output = login.end();
    assert_eq!((output.status, output.stdout.lines().count()), (0, 1));
}

#[test]
fn listens_on_both_stacks_for_localhost() {
    for (host, address) in [("localhost", "127.0.0.1"), ("localhost", "::1"), ("[::1]", "::1")] {
        if address == "::1" && !has_ipv6() {
            continue;
        }
        let login = Login::start(&document(&format!("http://{host}:0/callback")), &[]);
        let mut stream = TcpStream::connect((address, login.port)).unwrap();
        stream.write_all(request(host, login.port, "code=abc&state=st-123").as_bytes()).unwrap();
        let output = login.end();
        assert_eq!((output.status, &output.json()["code"]), (0, &json!("abc")), "{host} {address}");
        let redirect_uri = output.json()["redirect_uri"].as_str().unwrap().to_owned();
        assert!(
            redirect_uri.starts_with(&format!("http://{host}:")) && !redirect_uri.contains(":0/"),
            "{redirect_uri}"
        );
    }
}

#[test]
fn listens_on_this_machine_alone() {
    let login = Login::start(&document(V4), &[]);
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{:04X} ", login.port);
    let listening: Vec<&str> = table.lines().filter(|line| line.contains(&port) && line.contains(" 0A ")).collect();
    assert!(listening.len() == 1 && listening[0].contains("0100007F:"), "{listening:?}");
    login.get("code=abc&state=st-123");
    assert_eq!(login.end().status, 0);
}

#[test]
fn says_that_a_form_is_not_taken_and_goes_on() {
    let login = Login::start(&document(V4), &[]);
    let body = "code=form&state=st-123";
    let head = format!("POST /callback HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", login.port);
    let page = talk(login.port, format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    let text = "<p>A sign-in must come back in a page's address (response_mode=query), and not in a form (405). \
                Nothing was changed; the terminal goes on waiting.</p>";
    assert!(page.starts_with("HTTP/1.1 405 ") && page.contains("\r\nAllow: GET\r\n") && page.contains(text), "{page}");
    login.get("code=abc&state=st-123");
    let output = login.end();
    assert_eq!((output.status, &output.json()["code"]), (0, &json!("abc")));
}

#[test]
fn takes_no_redirect_that_a_page_loads_behind_a_persons_back() {
    let login = Login::start(&document(V4), &[]);
    let fetched = |header: &str| {
        let text = request("127.0.0.1", login.port, "code=abc&state=st-123");
        talk(login.port, text.replace("\r\n\r\n", &format!("\r\n{header}\r\n\r\n")).as_bytes())
    };
    assert!(fetched("Sec-Fetch-Mode: no-cors").starts_with("HTTP/1.1 403"));
    assert!(fetched("Sec-Fetch-Mode: cors").starts_with("HTTP/1.1 403"));
    assert!(fetched("Purpose: prefetch").starts_with("HTTP/1.1 425"));
    assert!(fetched("Sec-Fetch-Mode: navigate").starts_with("HTTP/1.1 200"));
    assert_eq!(login.end().status, 0);
}

#[test]
fn takes_a_redirect_uri_without_a_path() {
    let login = Login::start(&document("http://127.0.0.1:0"), &[]);
    let text = request("127.0.0.1", login.port, "code=abc&state=st-123").replace("/callback", "/");
    talk(login.port, text.as_bytes());
    assert_eq!(login.end().json()["code"], "abc");
}

#[test]
fn names_the_port_that_is_in_use() {
    let (_taken, port) = listen();
    for host in ["127.0.0.1", "localhost"] {
        let document = document(&format!("http://{host}:{port}/callback")).to_string();
        let message =
            format!("{host}:{port}: address already in use\nhint: port 0 in the redirect URI takes any free port");
        assert_eq!(run("pkce-callback", &["--no-browser"], &document), failure("pkce-callback", 3, &message));
    }
    if !has_ipv6() {
        return;
    }
    let taken = TcpListener::bind("[::1]:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let document = document(&format!("http://localhost:{port}/callback")).to_string();
    assert_eq!(run("pkce-callback", &["--no-browser"], &document).status, 3);
}

#[test]
fn frees_the_port_at_once_when_it_is_ended_or_the_time_is_over() {
    let port = free_port();
    let document = document(&format!("http://127.0.0.1:{port}/callback"));
    for (signal, status) in [("INT", 130), ("TERM", 143), ("HUP", 129), ("QUIT", 131)] {
        let login = Login::start(&document, &[]);
        kill(login.child.id(), signal);
        let said = login.said.clone();
        assert_eq!(login.end(), Output { status, stdout: String::new(), stderr: said });
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    }
    let login = Login::start(&document, &["--timeout", "1"]);
    let said = login.said.clone();
    let message = "no redirect within 1 s\nhint: --timeout SECONDS waits longer";
    let expected = failure("pkce-callback", 3, message);
    assert_eq!(login.end(), Output { stderr: said + &expected.stderr, ..expected });
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn stays_deaf_to_a_signal_that_was_ignored_before() {
    let script = "trap '' HUP; exec pkce-callback --no-browser";
    let login = Login::of(command("bash").args(["-c", script]), &document(V4));
    kill(login.child.id(), "HUP");
    thread::sleep(Duration::from_millis(100));
    login.get("code=abc&state=st-123");
    assert_eq!(login.end().status, 0);
}

#[test]
fn does_not_wait_for_a_person_when_nobody_reads_the_code() {
    let mut login = Login::start(&document(V4), &[]);
    let said = login.said.clone();
    drop(login.child.stdout.take());
    // Whoever stopped reading has said why.
    assert_eq!(login.end(), Output { status: 3, stdout: String::new(), stderr: said });
}

/// A program for `$BROWSER` in a new directory.
fn launcher(directory: &TempDir, script: &str) -> String {
    let path = directory.path().join("browser");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[test]
fn opens_the_browser_with_the_url_as_one_word_and_nothing_else_of_ours() {
    let directory = new_directory();
    let seen = directory.path().join("seen");
    // The script drives the login itself: it tells what it was given, then calls back.
    let script = format!(
        "{{ echo \"$# $1 $2\"; ls -l /proc/$$/fd; tr '\\0' '\\n' </proc/$$/environ; cut -d ' ' -f 5 /proc/$$/stat; echo $$; }} >{0}.new\n\
         port=$(printf %s \"$2\" | sed 's/.*127.0.0.1%3A\\([0-9]*\\)%2F.*/\\1/')\n\
         mv {0}.new {0}\n\
         pkce-idp --visit \"http://127.0.0.1:$port/callback?code=abc&state=st-123\"",
        seen.display()
    );
    let browser = format!("no-such-program:{} --new-tab %s", launcher(&directory, &script));
    let mut document = document(V4);
    document["code_verifier"] = json!("v3r1f13r-".repeat(6));
    let output = finish(command("pkce-callback").env("BROWSER", browser), document.to_string().as_bytes());
    assert_eq!((output.status, &output.json()["code"]), (0, &json!("abc")), "{output:?}");
    let seen = std::fs::read_to_string(seen).unwrap();
    let url = output.json()["authorization_url"].as_str().unwrap().to_owned();
    assert!(seen.starts_with(&format!("2 --new-tab {url}\n")), "{seen}");
    for descriptor in ["0 -> /dev/null", "2 -> /dev/null"] {
        assert!(seen.contains(descriptor), "{seen}");
    }
    let groups: Vec<&str> = seen.lines().rev().take(2).map(str::trim).collect();
    assert_eq!(groups[0], groups[1], "not the leader of its own group: {seen}");
    assert!(!seen.contains("v3r1f13r"), "{seen}");
}

#[test]
fn never_waits_for_the_launcher() {
    let directory = new_directory();
    let pid = directory.path().join("pid");
    let browser = launcher(&directory, &format!("echo $$ >{}; exec sleep 60", pid.display()));
    let login = Login::of(command("pkce-callback").env("BROWSER", &browser), &document(V4));
    login.get("code=abc&state=st-123");
    assert_eq!(login.end().status, 0);
    let pid = loop {
        if let Some(pid) = std::fs::read_to_string(&pid).ok().and_then(|pid| pid.trim().parse().ok()) {
            break pid;
        }
        thread::sleep(Duration::from_millis(5));
    };
    kill(pid, "TERM");
}

#[test]
fn says_at_once_that_no_browser_leads_back_where_there_is_no_terminal() {
    let unopened = "no browser could be opened, and there is no terminal\n\
                    hint: set BROWSER to a program that drives the login, or use --no-browser";
    let ended = "the program of BROWSER ended in failure, and there is no terminal\n\
                 hint: run it by hand with the URL above; it may say why";
    for (browser, message) in [("no-such-program", unopened), ("false", ended), ("false:no-such-program %s", ended)] {
        let output = finish(command("pkce-callback").env("BROWSER", browser), document(V4).to_string().as_bytes());
        let expected = failure("pkce-callback", 3, message);
        assert_eq!((output.status, &output.stdout), (3, &expected.stdout), "{browser}");
        assert!(output.stderr.ends_with(&expected.stderr), "{browser}: {}", output.stderr);
    }
}

#[test]
fn takes_the_redirect_from_a_launcher_that_then_fails() {
    let directory = new_directory();
    let script = "port=$(printf %s \"$1\" | sed 's/.*127.0.0.1%3A\\([0-9]*\\)%2F.*/\\1/')\n\
                  pkce-idp --visit \"http://127.0.0.1:$port/callback?code=abc&state=st-123\"; exit 1";
    for _ in 0..5 {
        let browser = launcher(&directory, script);
        let output = finish(command("pkce-callback").env("BROWSER", browser), document(V4).to_string().as_bytes());
        assert_eq!(output.status, 0, "{output:?}");
    }
}

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

    let script = format!("pkce-callback --response-file /dev/fd/3 3< <(sleep 0.2; echo '{url}')");
    let output = finish(command("bash").args(["-c", &script]), document.as_bytes());
    assert_eq!((output.status, &output.json()["code"]), (0, &json!("abc")));
}

#[test]
fn refuses_a_response_file_that_does_not_hold_this_redirect() {
    let directory = new_directory();
    let document = document("http://127.0.0.1:7/callback").to_string();
    let file = directory.path().join("file");
    for (text, status, message) in [
        ("", 2, "--response-file: empty"),
        ("http://127.0.0.1:7/callback?code=abc&state=other", 4, "redirect: it has another state"),
        ("http://127.0.0.1:7/callback?code=abc", 4, "redirect: it has no state"),
        (
            "https://evil.example/?code=abc&state=st-123",
            4,
            "redirect: it is not the address that this login leads back to",
        ),
        ("http://127.0.0.1:7/callback?error=access_denied&state=st-123", 1, "authorization endpoint: access_denied"),
    ] {
        std::fs::write(&file, text).unwrap();
        let output = run("pkce-callback", &["--response-file", file.to_str().unwrap()], &document);
        let expected = failure("pkce-callback", status, message);
        assert_eq!((output.status, &output.stdout), (status, &expected.stdout), "{text}");
        assert!(output.stderr.ends_with(&expected.stderr), "{text}: {}", output.stderr);
    }
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
    let port_zero = "redirect_uri: port 0 is for a listener, and there is none here\n\
                     hint: name a port: pkce-url --redirect-uri http://127.0.0.1:8080/callback";
    let cases: [(Value, &[&str], i32, &str); 11] = [
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
            "redirect_uri: not on this machine, so nothing can listen there\n\
             hint: --paste asks for the address that the browser ends up at",
        ),
        (
            with("require_pushed_authorization_requests", json!(true)),
            &[],
            2,
            "authorization_url: the server takes only requests that were pushed to it\n\
             hint: put pkce-push between pkce-url and pkce-callback",
        ),
        (document(V4), &["--response-file", "x"], 2, port_zero),
        (document(V4), &["--paste"], 2, port_zero),
        (
            named("https://app.example/cb"),
            &["--paste"],
            2,
            "--paste: there is no terminal to paste at\nhint: --response-file takes it from a file",
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
        failure("pkce-callback", 4, "authorization_url: a server elsewhere must not name one on this machine")
    );
    let pushed = with("authorization_url", json!("https://op.example.com/a?client_id=x&request_uri=urn:x"));
    let output = run("pkce-callback", &["--no-browser"], &pushed.to_string());
    assert_eq!(output.status, 2);
    assert!(output.stderr.contains("a pushed request needs a port"), "{}", output.stderr);
}

/// The port that pkce-callback listens on, from the URL that it printed at the terminal.
fn port_of(terminal: &mut Terminal) -> u16 {
    terminal.until("%2Fcallback");
    let seen = terminal.seen();
    let (_, after) = seen.split_once("127.0.0.1%3A").unwrap();
    after.split('%').next().unwrap().parse().unwrap()
}

/// A directory with the document in it.
fn at_terminal(redirect_uri: &str) -> TempDir {
    let directory = new_directory();
    std::fs::write(directory.path().join("doc"), document(redirect_uri).to_string()).unwrap();
    directory
}

/// Runs the command, and says its status, whether the terminal is as it was, and what it left to read.
fn watched(run: &str) -> String {
    format!(
        "trap : INT; before=$(stty -g); {run}; echo \"status=$?\"; [ \"$before\" = \"$(stty -g)\" ] && echo settings=same; \
         read -r -t 0.3 rest; echo \"rest=[$rest]\""
    )
}

#[test]
fn takes_a_long_paste_at_the_terminal_while_it_listens() {
    let directory = at_terminal(V4);
    let mut terminal = Terminal::bash(&watched("pkce-callback --no-browser <doc >out"), directory.path());
    let port = port_of(&mut terminal);
    terminal.until("paste the address");
    let code = "c".repeat(8000);
    terminal.write(&format!("http://127.0.0.1:{port}/callback?code={code}&state=st-123\r"));
    let (_, seen) = terminal.end();
    assert!(seen.contains("status=0") && seen.contains("settings=same") && seen.contains("rest=[]"), "{seen}");
    assert!(!seen.contains("ccccc"), "the code was echoed: {seen}");
    let out: Value = serde_json::from_str(&std::fs::read_to_string(directory.path().join("out")).unwrap()).unwrap();
    assert_eq!(out["code"], json!(code));
}

#[test]
fn goes_on_after_a_paste_that_is_not_this_redirect() {
    let directory = at_terminal(V4);
    let mut terminal = Terminal::bash(&watched("pkce-callback --no-browser <doc >out"), directory.path());
    let port = port_of(&mut terminal);
    terminal.until("paste the address");
    terminal.write("ls -l\r");
    terminal.until("what was pasted is not used: it has no code");
    terminal.write(&format!("http://127.0.0.1:{port}/callback?code=x&state=other\n"));
    terminal.until("what was pasted is not used: it has another state");
    talk(port, request("127.0.0.1", port, "code=abc&state=st-123").as_bytes());
    let (_, seen) = terminal.end();
    assert!(seen.contains("status=0") && seen.contains("settings=same"), "{seen}");
}

#[test]
fn leaves_nothing_of_a_paste_to_the_shell_when_the_listener_wins() {
    let directory = at_terminal(V4);
    let mut terminal = Terminal::bash(&watched("pkce-callback --no-browser <doc >out"), directory.path());
    let port = port_of(&mut terminal);
    terminal.until("paste the address");
    let long = "p".repeat(6000);
    terminal.write(&format!("http://127.0.0.1:{port}/callback?code={long}"));
    talk(port, request("127.0.0.1", port, "code=abc&state=st-123").as_bytes());
    let (_, seen) = terminal.end();
    assert!(seen.contains("status=0") && seen.contains("settings=same") && seen.contains("rest=[]"), "{seen}");
    assert!(!seen.contains("pppp"), "{seen}");
}

#[test]
fn is_not_stopped_by_the_terminal_as_a_background_job() {
    let directory = at_terminal(V4);
    let script = "set -m; pkce-callback --no-browser <doc >out & wait %1; echo \"status=$?\"; \
                  read -r line; echo \"line=[$line]\"";
    let mut terminal = Terminal::bash(script, directory.path());
    let port = port_of(&mut terminal);
    terminal.until("paste the address");
    terminal.write("typed for the shell\r");
    thread::sleep(Duration::from_millis(200));
    talk(port, request("127.0.0.1", port, "code=abc&state=st-123").as_bytes());
    let (_, seen) = terminal.end();
    assert!(seen.contains("status=0") && seen.contains("line=[typed for the shell]"), "{seen}");
}

#[test]
fn gives_the_terminal_back_when_it_is_ended() {
    for (signal, status) in [("INT", 130), ("TERM", 143)] {
        let directory = at_terminal(V4);
        let script = watched("sh -c 'echo $$ >pid; exec pkce-callback --no-browser <doc >out'");
        let mut terminal = Terminal::bash(&script, directory.path());
        port_of(&mut terminal);
        terminal.until("paste the address");
        terminal.write("half a paste");
        thread::sleep(Duration::from_millis(200));
        let pid = std::fs::read_to_string(directory.path().join("pid")).unwrap();
        kill(pid.trim().parse().unwrap(), signal);
        let (_, seen) = terminal.end();
        let expected = format!("status={status}");
        assert!(seen.contains(&expected) && seen.contains("settings=same") && seen.contains("rest=[]"), "{seen}");
        assert_eq!(std::fs::read_to_string(directory.path().join("out")).unwrap(), "");
    }
}

#[test]
fn gives_the_terminal_back_while_it_is_stopped_and_takes_it_again() {
    let directory = at_terminal(V4);
    let script = "set -m; before=$(stty -g); pkce-callback --no-browser <doc >out; echo \"status=$?\"; \
                  [ \"$before\" = \"$(stty -g)\" ] && echo settings=same; fg >/dev/null; echo \"then=$?\"; \
                  [ \"$before\" = \"$(stty -g)\" ] && echo settings=still";
    let mut terminal = Terminal::bash(script, directory.path());
    let port = port_of(&mut terminal);
    terminal.until("paste the address");
    terminal.write("\u{1a}");
    terminal.until("status=147");
    terminal.until("settings=same");
    thread::sleep(Duration::from_millis(200));
    terminal.write(&format!("http://127.0.0.1:{port}/callback?code=abc&state=st-123\r"));
    let (_, seen) = terminal.end();
    assert!(seen.contains("then=0") && seen.contains("settings=still"), "{seen}");
}

#[test]
fn asks_at_the_terminal_where_the_redirect_leads_elsewhere() {
    let redirect_uri = "https://app.example/callback";
    for (args, paste, code) in [
        ("--paste", "https://app.example/callback?code=abc&state=st-123", "abc"),
        ("--paste", "abc#st-123", "abc"),
        ("--paste --allow-bare-code", "4/0AX-bare", "4/0AX-bare"),
    ] {
        let directory = at_terminal(redirect_uri);
        let browser = launcher(&directory, "echo \"$1\" >opened");
        let script = watched(&format!("BROWSER={browser} pkce-callback {args} <doc >out"));
        let mut terminal = Terminal::bash(&script, directory.path());
        terminal.until("paste the address that the browser ends up at, and press Enter");
        terminal.write(&format!("  {paste}\r"));
        let (_, seen) = terminal.end();
        assert!(seen.contains("status=0") && seen.contains("settings=same"), "{seen}");
        let out: Value = serde_json::from_str(&std::fs::read_to_string(directory.path().join("out")).unwrap()).unwrap();
        assert_eq!(out["code"], json!(code));
        let opened = std::fs::read_to_string(directory.path().join("opened")).unwrap();
        assert_eq!(json!(opened.trim()), out["authorization_url"]);
        assert_eq!(seen.contains("a bare code: its state and issuer could not be checked"), args.contains("bare"));
    }
}

#[test]
fn notes_at_a_terminal_that_no_browser_could_be_opened_and_goes_on() {
    for browser in ["no-such-program", "false"] {
        let directory = at_terminal(V4);
        let mut terminal =
            Terminal::bash(&watched(&format!("BROWSER={browser} pkce-callback <doc >out")), directory.path());
        let port = port_of(&mut terminal);
        terminal.until("note: no browser could be opened here");
        talk(port, request("127.0.0.1", port, "code=abc&state=st-123").as_bytes());
        let (_, seen) = terminal.end();
        assert!(seen.contains("status=0") && seen.contains("settings=same"), "{seen}");
    }
}

#[test]
fn shows_a_spinner_only_where_somebody_waits() {
    let directory = at_terminal(V4);
    let mut terminal =
        Terminal::bash("TERM=xterm pkce-callback --no-browser <doc >out; echo \"status=$?\"", directory.path());
    let port = port_of(&mut terminal);
    terminal.until("waiting for the browser");
    talk(port, request("127.0.0.1", port, "code=abc&state=st-123").as_bytes());
    let (_, seen) = terminal.end();
    assert!(seen.contains("status=0") && seen.contains("\u{1b}["), "{seen}");
    let mut terminal = Terminal::bash("TERM=xterm NO_COLOR=1 pkce-callback --no-browser <doc >out", directory.path());
    let port = port_of(&mut terminal);
    terminal.until("note: waiting for the browser");
    talk(port, request("127.0.0.1", port, "code=abc&state=st-123").as_bytes());
    let (_, seen) = terminal.end();
    assert!(!seen.contains('\u{1b}'), "{seen:?}");
}

#[test]
fn bears_connections_that_close_or_reset_before_they_speak() {
    let login = Login::start(&document(V4), &[]);
    for _ in 0..20 {
        drop(TcpStream::connect(("127.0.0.1", login.port)).unwrap());
        let mut half = TcpStream::connect(("127.0.0.1", login.port)).unwrap();
        half.write_all(b"GET /callback?code=abc&st").unwrap();
        half.shutdown(Shutdown::Write).unwrap();
    }
    login.get("code=abc&state=st-123");
    assert_eq!(login.end().status, 0);
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
fn never_takes_its_answer_from_standard_input() {
    let two = format!("{}\n{{\"code\":\"x\"}}", document(V4));
    let mut command = command("pkce-callback");
    let output = finish(command.stdin(Stdio::piped()), two.as_bytes());
    assert_eq!(output, failure("pkce-callback", 2, "standard input: more than one document"));
}
