//! The listener: its pages, its connections, its port.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::{
    self, Output, changed, command, done, failure, finish, free_port, listen, new_directory, run, talk,
};
use crate::{Login, OTHER_LOGIN, TLS_HELLO, V4, document, launcher, may_be_unknown, may_be_unknown_at, request};

/// Whether this machine has the second stack.
fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

#[test]
fn serves_pages_that_let_nothing_out() {
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
        // A system may lack the glyph of any other character.
        assert!(body.is_ascii() && !body.contains("&#"), "{page}");
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
        assert!(page.starts_with("HTTP/1.1 400") && page.contains("still waiting"), "{page}");
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
    // A request that has begun keeps its place, while others come and go and while all places are taken.
    let login = Login::start(&document(V4), &[]);
    let text = request("127.0.0.1", login.port, "code=abc&state=st-123");
    let (first, rest) = text.split_at(20);
    let mut slow = TcpStream::connect(("127.0.0.1", login.port)).unwrap();
    slow.write_all(first.as_bytes()).unwrap();
    for _ in 0..3 {
        assert!(login.get("code=forged&state=guess").starts_with("HTTP/1.1 400"));
    }
    let silent: Vec<TcpStream> = (0..400).map(|_| TcpStream::connect(("127.0.0.1", login.port)).unwrap()).collect();
    assert!(login.get("code=forged&state=guess").starts_with("HTTP/1.1 400"));
    slow.write_all(rest.as_bytes()).unwrap();
    let mut page = String::new();
    slow.read_to_string(&mut page).unwrap();
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert_eq!(login.end().status, 0);
    drop(silent);
}

#[test]
fn reads_a_request_that_comes_octet_by_octet_and_one_with_a_large_head() {
    let login = Login::start(&document(V4), &[]);
    let cookies = "c".repeat(40_000);
    let text = request("127.0.0.1", login.port, "code=other&state=no");
    let large = text.replace("\r\n\r\n", &format!("\r\nCookie: {cookies}\r\n\r\n"));
    assert!(talk(login.port, large.as_bytes()).contains("Not this login"));
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
    let mut open = TcpStream::connect(("127.0.0.1", port)).unwrap();
    open.write_all(request("127.0.0.1", port, "code=one&state=st-123").as_bytes()).unwrap();
    let mut page = String::new();
    open.read_to_string(&mut page).unwrap();
    assert!(page.contains("Connection: close"));
    assert_eq!(first.end().json()["code"], "one");
    let second = Login::start(&document, &[]);
    second.get("code=two&state=st-123");
    assert_eq!(second.end().json()["code"], "two");
}

#[test]
fn listens_on_both_stacks_for_localhost() {
    let capitals = [("LOCALHOST", "127.0.0.1"), ("LocalHost", "::1")];
    for (host, address) in
        [("localhost", "127.0.0.1"), ("localhost", "::1"), ("[::1]", "::1")].into_iter().chain(capitals)
    {
        if address == "::1" && !has_ipv6() {
            continue;
        }
        let login = Login::start(&document(&format!("http://{host}:0/callback")), &[]);
        let mut stream = TcpStream::connect((address, login.port)).unwrap();
        // Browsers write the host in lower case.
        stream.write_all(request(&host.to_lowercase(), login.port, "code=abc&state=st-123").as_bytes()).unwrap();
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
fn leaves_out_a_family_of_addresses_that_the_machine_lacks() {
    let without_ipv6 = "ip link set lo up && echo 1 >/proc/sys/net/ipv6/conf/lo/disable_ipv6";
    let inside = |run: &str| {
        let mut unshare = command("unshare");
        unshare.args(["-Urn", "sh", "-c", &format!("{{ {without_ipv6}; }} 2>/dev/null && {run}")]);
        unshare
    };
    if !inside("true").output().is_ok_and(|output| output.status.success()) {
        return;
    }
    let directory = new_directory();
    let visit = "port=${1##*localhost%3A}; exec bash -c 'exec 3<>\"/dev/tcp/127.0.0.1/$0\"; \
                 printf \"GET /callback?code=abc&state=st-123 HTTP/1.1\\r\\nHost: localhost:$0\\r\\n\\r\\n\" >&3; \
                 cat <&3' \"${port%%\\%*}\"";
    let mut tool = inside("exec pkce-callback --timeout 20");
    tool.env("BROWSER", launcher(&directory, visit));
    let output = finish(&mut tool, document("http://localhost:0/callback").to_string().as_bytes());
    assert_eq!((output.status, &output.json()["code"]), (0, &json!("abc")), "{output:?}");
    let output = finish(&mut inside("exec pkce-callback"), document("http://[::1]:0/callback").to_string().as_bytes());
    let message = "[::1]:0: cannot assign requested address\n\
                   hint: this machine lacks the address; use 127.0.0.1 in the redirect URI";
    assert_eq!(output, failure("pkce-callback", 3, message));
}

#[test]
fn puts_the_port_it_found_where_port_0_stands() {
    for (given, host, before) in [
        ("http://127.0.0.1:00/callback", "127.0.0.1", "http://127.0.0.1:"),
        ("http://[0:0:0:0:0:0:0:1]:0/callback", "[0:0:0:0:0:0:0:1]", "http://[0:0:0:0:0:0:0:1]:"),
    ] {
        if host.starts_with('[') && !has_ipv6() {
            continue;
        }
        let login = Login::start(&document(given), &[]);
        let address = host.trim_matches(['[', ']']);
        let mut stream = TcpStream::connect((address, login.port)).unwrap();
        stream.write_all(request(host, login.port, "code=abc&state=st-123").as_bytes()).unwrap();
        let (redirect_uri, output) = (format!("{before}{}/callback", login.port), login.end());
        assert_eq!((output.status, &output.json()["code"]), (0, &json!("abc")), "{output:?}");
        assert_eq!(output.json()["redirect_uri"], redirect_uri);
        let encoded: String = form_urlencoded::byte_serialize(redirect_uri.as_bytes()).collect();
        let url = output.json()["authorization_url"].as_str().unwrap().to_owned();
        assert!(url.contains(&format!("redirect_uri={encoded}")), "{url}");
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
    let text = "<p>The response must arrive in the page's address (response_mode=query), not in a form (405). \
                Nothing was changed, and the terminal is still waiting.</p>";
    assert!(page.starts_with("HTTP/1.1 405 ") && page.contains("\r\nAllow: GET\r\n") && page.contains(text), "{page}");
    login.get("code=abc&state=st-123");
    let output = login.end();
    assert_eq!((output.status, &output.json()["code"]), (0, &json!("abc")));
}

#[test]
fn takes_no_redirect_from_a_request_that_is_more_than_a_head() {
    let login = Login::start(&document(V4), &[]);
    let head = format!("GET /callback?code=evil&state=st-123 HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", login.port);
    for more in [
        "Content-Length: 4\r\n\r\n",
        "Content-Length: 4\r\n\r\nbody",
        "Transfer-Encoding: chunked\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\n\r\n",
    ] {
        let page = talk(login.port, format!("{head}{more}").as_bytes());
        assert!(page.starts_with("HTTP/1.1 400 "), "{more}: {page}");
    }
    for (twice, status) in [
        ("Content-Length: 4\r\n", 400),
        ("Content-Length: 0\r\n", 400),
        ("Transfer-Encoding: chunked\r\n", 400),
        ("Sec-Fetch-Mode: cors\r\n", 403),
        ("Purpose: prefetch\r\n", 425),
        ("Sec-Purpose: prefetch\r\n", 425),
        ("Host: 127.0.0.1\r\n", 421),
    ] {
        let page = talk(login.port, format!("{head}{twice}{twice}\r\n").as_bytes());
        assert!(page.starts_with(&format!("HTTP/1.1 {status} ")), "{twice}: {page}");
    }
    assert!(talk(login.port, format!("{head}Purpose: Prefetch\r\n\r\n").as_bytes()).starts_with("HTTP/1.1 425 "));
    login.get("code=abc&state=st-123");
    let output = login.end();
    assert_eq!((output.status, &output.json()["code"]), (0, &json!("abc")));
}

/// The message for a port that is in use.
fn in_use(host: &str, port: u16) -> String {
    format!(
        "{host}:{port}: address already in use\n\
         hint: use port 0 in the redirect URI for any free port; if that port is forwarded to another \
         one here: pkce-callback --listen ADDRESS:PORT"
    )
}

#[test]
fn names_the_port_that_is_in_use() {
    let (_taken, port) = listen();
    for host in ["127.0.0.1", "localhost"] {
        let document = document(&format!("http://{host}:{port}/callback")).to_string();
        let message = in_use(host, port);
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
fn takes_a_free_port_where_the_one_is_in_use_and_any_is_registered() {
    let (_taken, port) = listen();
    for host in ["127.0.0.1", "localhost"] {
        let with_port = format!("http://{host}:{port}/callback");
        let any_port = format!("http://{host}/callback");
        let registered = |uris: &Value| changed(document(&with_port), &json!({ "redirect_uris": uris }));
        let login = Login::start(&registered(&json!([any_port, with_port])), &[]);
        let free = login.port;
        talk(free, request(host, free, "code=abc&state=st-123").as_bytes());
        let output = login.end();
        let bound = format!("http://{host}:{free}/callback");
        let note = format!("pkce-callback: note: {host}:{port}: address already in use; using port {free}\n");
        assert!(free != port && output.stderr.starts_with(&note), "{output:?}");
        assert_eq!((output.status, &output.json()["redirect_uri"]), (0, &json!(bound)));
        assert_eq!(output.json()["authorization_url"], document(&bound)["authorization_url"]);
        let message = in_use(host, port);
        for uris in [
            json!([with_port]),
            json!([]),
            json!(["http://127.0.0.1/other"]),
            json!([format!("{any_port}?a")]),
            json!([format!("https://{host}/callback")]),
        ] {
            let output = run("pkce-callback", &["--no-browser"], &registered(&uris).to_string());
            assert_eq!(output, failure("pkce-callback", 3, &message), "{uris}");
        }
        // The server has the redirect URI of a pushed request already.
        let pushed = changed(
            registered(&json!([any_port])),
            &json!({ "authorization_url": "https://op.example.com/a?client_id=c&request_uri=urn:a" }),
        );
        let output = run("pkce-callback", &["--no-browser"], &pushed.to_string());
        assert_eq!(output, failure("pkce-callback", 3, &message));
    }
}

#[test]
fn says_that_a_port_is_for_root_only() {
    let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default();
    if common::lacks_root() || common::lacks(&["setpriv"]) || first.trim().parse() != Ok(1024) {
        return;
    }
    let mut tool = command("setpriv");
    tool.args(["--reuid", "65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]);
    let output = finish(
        tool.args(["pkce-callback", "--no-browser"]),
        document("http://127.0.0.1/callback").to_string().as_bytes(),
    );
    let message = "127.0.0.1:80: permission denied\n\
                   hint: ports below 1024 are for root only; use port 0 in the redirect URI for any free port";
    assert_eq!(output, failure("pkce-callback", 3, message));
}

/// A login that listens where the redirect URI is forwarded to.
fn forwarded(redirect_uri: &str, at: &str) -> (Login, u16) {
    let port = free_port();
    let document = document(&redirect_uri.replace("PORT", &port.to_string()));
    let listen = at.replace("PORT", &port.to_string());
    (Login::start(&document, &["--listen", &listen]), port)
}

#[test]
fn listens_where_the_redirect_uri_is_forwarded_to() {
    for (redirect_uri, at, host) in [
        ("http://127.0.0.1:8080/callback", "0.0.0.0:PORT", "127.0.0.1:8080"),
        ("http://localhost:8080/callback", "127.0.0.1:PORT", "LOCALHOST:8080"),
        ("http://127.0.0.1/callback", "127.0.0.1:PORT", "127.0.0.1"),
        ("https://app.example/callback", "127.0.0.1:PORT", "app.example"),
        ("https://app.example:443/callback", "127.0.0.1:PORT", "app.example"),
        ("https://app.example/callback", "127.0.0.1:PORT", "app.example:443"),
        ("https://app.example/callback", "127.0.0.1:PORT", "127.0.0.1:PORT"),
    ] {
        let (login, port) = forwarded(redirect_uri, at);
        let host = host.replace("PORT", &port.to_string());
        let text = format!("GET /callback?code=abc&state=st-123 HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let page = talk(port, text.as_bytes());
        assert!(page.starts_with("HTTP/1.1 200 "), "{redirect_uri} {host}: {page}");
        let output = login.end();
        // The redirect URI stays as it is.
        assert_eq!((output.status, &output.json()["redirect_uri"]), (0, &json!(redirect_uri)), "{output:?}");
        assert_eq!(output.json()["authorization_url"], document(redirect_uri)["authorization_url"]);
    }
}

#[test]
fn accepts_no_other_host_where_the_redirect_uri_is_forwarded() {
    let (login, port) = forwarded("https://app.example/callback", "0.0.0.0:PORT");
    for host in ["evil.example", "app.example:8080", "127.0.0.1:PORT", "0.0.0.0:PORT", "localhost"] {
        let host = host.replace("PORT", &port.to_string());
        let text = format!("GET /callback?code=abc&state=st-123 HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert!(talk(port, text.as_bytes()).starts_with("HTTP/1.1 421 "), "{host}");
    }
    talk(port, b"GET /callback?code=abc&state=st-123 HTTP/1.1\r\nHost: app.example\r\n\r\n");
    assert_eq!(login.end().status, 0);
}

#[test]
fn refuses_an_address_at_which_it_cannot_listen() {
    let (_taken, port) = listen();
    let taken = format!("127.0.0.1:{port}");
    let hint = "hint: see 'pkce-callback --help'";
    let address = format!("--listen: must be an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080\n{hint}");
    let elsewhere = "http://127.0.0.1:8080/callback";
    for (redirect_uri, at, status, message) in [
        (elsewhere, "127.0.0.1:0", 2, address.clone()),
        (elsewhere, "127.0.0.1", 2, address.clone()),
        (elsewhere, "localhost:8080", 2, address.clone()),
        (elsewhere, "::1:8080x", 2, address),
        (
            V4,
            "127.0.0.1:8080",
            2,
            "redirect_uri: port 0 cannot be used with --listen\n\
             hint: name a port: pkce-url --redirect-uri http://127.0.0.1:8080/callback"
                .to_owned(),
        ),
        (
            "com.example.app:/callback",
            "127.0.0.1:8080",
            2,
            "redirect_uri: has no host, so it cannot be forwarded".to_owned(),
        ),
        (
            elsewhere,
            &taken,
            3,
            format!("{taken}: address already in use\nhint: name another address or port with --listen"),
        ),
        (
            elsewhere,
            "192.0.2.1:8080",
            3,
            "192.0.2.1:8080: cannot assign requested address\nhint: name another address or port with --listen"
                .to_owned(),
        ),
    ] {
        let args = ["--no-browser", "--listen", at];
        let output = run("pkce-callback", &args, &document(redirect_uri).to_string());
        assert_eq!(output, failure("pkce-callback", status, &message), "{redirect_uri} {at}");
    }
    for args in [["--listen", "127.0.0.1:8080", "--paste", ""], ["--listen", "127.0.0.1:8080", "--response-file", "f"]]
    {
        let args: Vec<&str> = args.into_iter().filter(|arg| !arg.is_empty()).collect();
        let output = run("pkce-callback", &args, &document(elsewhere).to_string());
        let message = format!("--listen: repeated, or conflicts with another argument\n{hint}");
        assert_eq!(output, failure("pkce-callback", 2, &message));
    }
}

#[test]
fn says_at_the_end_of_the_wait_what_was_wrong_with_the_redirect() {
    let head = |change: (&str, &str), port: u16| {
        let text = format!("GET /callback?code=abc&state=st-123 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
        text.replace(change.0, change.1).into_bytes()
    };
    let ignored = |why: &str| format!("a redirect was received and ignored: {why}");
    let cases = [
        (("127.0.0.1", "localhost"), ignored(OTHER_HOST), HOST),
        (("/callback", "/other"), ignored("its path is not that of the redirect URI"), REGISTERED),
        (("GET /callback?code=abc&state=st-123", "POST /callback"), String::new(), ""),
        (("GET /callback?code=abc&state=st-123", FORM), ignored(NOT_GET), QUERY),
        (("GET", "HEAD"), ignored(NOT_GET), QUERY),
        (("\r\n\r\n", "\r\nContent-Length: 4\r\n\r\nbody"), ignored("its request had a body"), ""),
        (("\r\n\r\n", "\r\nSec-Purpose: prefetch\r\n\r\n"), ignored("it was a prefetch"), ""),
        (("\r\n\r\n", "\r\nSec-Fetch-Mode: cors\r\n\r\n"), ignored("a page loaded it in the background"), ""),
        (("code=abc&state=st-123", "error=access_denied"), ignored("it has no state (error: access_denied)"), ""),
        (("code=abc&state=st-123", "error=a%1b[m"), ignored("it has no state"), ""),
        (("state=st-123", "state=other"), ignored("its state does not match"), OTHER_LOGIN),
        (
            ("GET", "\x16\x03\x01GET"),
            "a browser spoke https to the http redirect URI".to_owned(),
            "change https to http in the browser's address",
        ),
    ];
    let logins = cases.map(|(change, message, hint)| {
        let login = Login::of(
            command("setsid").args(["--wait", "pkce-callback", "--no-browser", "--timeout", "3"]),
            &document(V4),
        );
        let page = talk(login.port, &head(change, login.port));
        // A response to HEAD is the same, and the browser leaves its body out.
        assert!(page.starts_with("HTTP/1.1 4") && !page.contains("access_denied"), "{change:?}: {page}");
        (login, message, hint)
    });
    for (login, message, hint) in logins {
        let hint = if hint.is_empty() { may_be_unknown_at(login.port) } else { hint.to_owned() };
        let message = if message.is_empty() { message } else { format!("; {message}") };
        login.fails(3, &format!("no redirect within 3 s{message}\nhint: {hint}"));
    }
}

const OTHER_HOST: &str = "its Host header is not that of the redirect URI";
const NOT_GET: &str = "it was not a GET request (response_mode=form_post is not supported)";
const REGISTERED: &str = "request the redirect URI that the server redirects to: pkce-url --redirect-uri";
const HOST: &str = "request the redirect URI that the server redirects to: pkce-url --redirect-uri; a proxy must pass on the \
                    Host header";
const QUERY: &str = "request the response in the query: pkce-url --param response_mode=query";

/// The beginning of a request with which a browser sends a form.
const FORM: &str = "POST /callback HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nX:";

#[test]
fn says_at_the_end_of_the_wait_what_tells_most_of_this_login() {
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n");
    let without_state = get("/callback?error=invalid_client");
    let other_state = get("/callback?code=abc&state=other");
    let other_path = get("/other?code=abc&state=st-123");
    let other_host = get("/callback?code=abc&state=st-123").replace("127.0.0.1:PORT", "evil.example");
    let [head, options] = ["HEAD", "OPTIONS"].map(|method| get("/callback").replace("GET", method));
    let form = get("").replace("GET  HTTP/1.1", "POST /callback HTTP/1.1\r\nContent-Type: a/b");
    let error = "it has no state (error: invalid_client)";
    let state = "its state does not match";
    let path = "its path is not that of the redirect URI";
    let noise = [&head, &options, &get("/favicon.ico"), &get("/other?state=guess")].map(String::as_str).concat();
    let noise: Vec<&str> = noise.split_inclusive("\r\n\r\n").collect();
    let cases = [
        (vec![&without_state, &other_state], error, ""),
        (vec![&other_state, &without_state], error, ""),
        (vec![&without_state, &form], error, ""),
        (vec![&other_path, &without_state, &other_state, &form], path, REGISTERED),
        (vec![&without_state, &other_state, &other_path], path, REGISTERED),
        (vec![&other_host, &without_state], OTHER_HOST, HOST),
        (vec![&other_path, &other_host], OTHER_HOST, HOST),
        (vec![&other_state, &form], NOT_GET, QUERY),
        (vec![&other_state], state, OTHER_LOGIN),
    ];
    let logins = cases.map(|(requests, why, hint)| {
        let login = Login::start(&document(V4), &["--timeout", "3"]);
        for text in requests.into_iter().map(String::as_str).chain(noise.iter().copied()) {
            let page = talk(login.port, text.replace("PORT", &login.port.to_string()).as_bytes());
            assert!(page.starts_with("HTTP/1.1 4"), "{text}: {page}");
        }
        (login, why, hint)
    });
    for (login, why, hint) in logins {
        let hint = if hint.is_empty() { may_be_unknown_at(login.port) } else { hint.to_owned() };
        let message = format!("no redirect within 3 s; a redirect was received and ignored: {why}\nhint: {hint}");
        login.fails(3, &message);
    }
}

#[test]
fn says_where_the_redirect_uri_is_forwarded_to_where_nothing_comes() {
    let redirect_uri = "https://app.example/callback";
    for (octets, message, hint) in [
        (
            &b""[..],
            "",
            format!("check that the redirect URI is forwarded to ADDRESS; {}", may_be_unknown(redirect_uri)),
        ),
        (TLS_HELLO, "; https was received, but only http is understood", "let the proxy end TLS".to_owned()),
    ] {
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let login = Login::start(&document(redirect_uri), &["--listen", &address, "--timeout", "2"]);
        if !octets.is_empty() {
            talk(port, octets);
        }
        let message = format!("no redirect within 2 s{message}\nhint: {}", hint.replace("ADDRESS", &address));
        login.fails(3, &message);
    }
}

#[test]
fn does_not_take_a_request_for_another_page_for_a_redirect() {
    let login = Login::start(&document(V4), &["--timeout", "2"]);
    let (said, port) = (login.said.clone(), login.port);
    for target in ["/favicon.ico", "/?state=guess", "/callback/x?code=abc"] {
        let text = format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
        assert!(talk(port, text.as_bytes()).starts_with("HTTP/1.1 404 "));
    }
    let expected = failure("pkce-callback", 3, &format!("no redirect within 2 s\nhint: {}", may_be_unknown_at(port)));
    assert_eq!(login.end(), Output { stderr: said + &expected.stderr, ..expected });
}

#[test]
fn tolerates_connections_that_close_or_reset_before_a_request() {
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
fn receives_the_redirect_with_the_last_descriptor_and_says_where_there_is_none() {
    let mut ends = Vec::new();
    for descriptors in 6..=12 {
        let script = format!("ulimit -n {descriptors}; exec pkce-callback --no-browser");
        let mut child = common::start(command("bash").args(["-c", &script]));
        child.stdin.take().unwrap().write_all(document(V4).to_string().as_bytes()).unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("%3A") && stderr.read_line(&mut said).unwrap() > 0 {}
        if let Some((_, port)) = said.split_once("127.0.0.1%3A") {
            let port = port.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap();
            talk(port, request("127.0.0.1", port, "code=c0de&state=st-123").as_bytes());
        }
        stderr.read_to_string(&mut said).unwrap();
        let status = done(child).status;
        assert!(
            status == 0 || status == 3 && said.contains(": too many open files\n"),
            "{descriptors}: {status} {said}"
        );
        ends.push(status);
    }
    assert!(ends.is_sorted_by(|few, more| few >= more) && ends.contains(&0) && ends.contains(&3), "{ends:?}");
}
