//! TLS and proxies, as every tool has them that calls somebody: whom it trusts, and whom it goes through.
#![cfg(test)]

mod common;
#[path = "common/tls.rs"]
mod tls;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use common::{Output, Server, command, failure, finish, json_response, listen, new_directory, read_request};
use rcgen::{CertificateParams, date_time_ymd};
use rustls::{ServerConnection, StreamOwned};
use serde_json::{Value, json};
use tls::{Authority, server_config};

/// A server on 127.0.0.1 that speaks TLS with a certificate of its own, and counts the requests that it reads.
struct Https {
    port: u16,
    requests: Arc<Mutex<usize>>,
}

impl Https {
    /// `change` makes the certificate what it should not be; without an authority it is signed by itself.
    fn start(authority: Option<&Authority>, change: impl Fn(&mut CertificateParams)) -> Https {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
        change(&mut params);
        let config = server_config(authority.map(|authority| &*authority.issuer), &params);
        let (listener, port) = listen();
        let requests = Arc::new(Mutex::new(0));
        let count = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut tls = StreamOwned::new(connection, stream.unwrap());
                let Some(seen) = read_request(&mut tls) else { continue };
                *count.lock().unwrap() += 1;
                let body = match seen.method.as_str() {
                    "POST" => json!({ "access_token": "at", "token_type": "Bearer" }),
                    _ => metadata(&format!("https://{}", seen.header("Host").unwrap())),
                };
                let _ = tls.write_all(&json_response(&body));
                tls.conn.send_close_notify();
                let _ = tls.flush();
            }
        });
        Https { port, requests }
    }

    fn requests(&self) -> usize {
        *self.requests.lock().unwrap()
    }
}

fn metadata(issuer: &str) -> Value {
    json!({
        "issuer": issuer, "authorization_endpoint": format!("{issuer}/a"), "token_endpoint": format!("{issuer}/t"),
        "code_challenge_methods_supported": ["S256"],
    })
}

/// Fetches metadata, and exchanges a code, at this origin.
fn both(origin: &str, trust: impl Fn(&mut Command)) -> (Output, Output) {
    let mut discover = command("pkce-discover");
    trust(discover.arg(origin));
    let document = json!({
        "token_endpoint": format!("{origin}/t"), "client_id": "cli", "code": "c0de-secret",
        "redirect_uri": "http://127.0.0.1/cb", "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    });
    let mut exchange = command("pkce-exchange");
    trust(&mut exchange);
    (finish(&mut discover, b""), finish(&mut exchange, document.to_string().as_bytes()))
}

#[test]
fn trusts_the_authorities_that_the_environment_names() {
    let authority = Authority::new("named");
    let server = Https::start(Some(&authority), |_| {});
    let (file, certs) = (authority.file(), authority.certs());
    let trusts: [&dyn Fn(&mut Command); 3] = [
        &|command| _ = command.env("SSL_CERT_FILE", &file),
        &|command| _ = command.env("SSL_CERT_DIR", &certs),
        &|command| _ = command.env("SSL_CERT_FILE", &file).env("SSL_CERT_DIR", &certs),
    ];
    for host in ["127.0.0.1", "localhost"] {
        for trust in trusts {
            let (discovered, exchanged) = both(&format!("https://{host}:{}", server.port), trust);
            assert_eq!((discovered.status, discovered.stderr.as_str()), (0, ""), "{discovered:?}");
            assert_eq!((exchanged.status, exchanged.stderr.as_str()), (0, ""), "{exchanged:?}");
        }
    }
    assert_eq!(server.requests(), 12);
}

#[test]
fn sends_nothing_to_a_server_that_cannot_show_who_it_is() {
    let authority = Authority::new("trusted");
    let stranger = Authority::new("stranger");
    let other_host = |params: &mut CertificateParams| {
        *params = CertificateParams::new(vec!["id.example".to_owned()]).unwrap();
    };
    let expired = |params: &mut CertificateParams| {
        (params.not_before, params.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1));
    };
    let not_yet = |params: &mut CertificateParams| {
        (params.not_before, params.not_after) = (date_time_ymd(2900, 1, 1), date_time_ymd(2901, 1, 1));
    };
    let cases: [(&str, Https, &str); 5] = [
        ("self-signed", Https::start(None, |_| {}), "UnknownIssuer"),
        ("another authority", Https::start(Some(&stranger), |_| {}), "UnknownIssuer"),
        ("another host", Https::start(Some(&authority), other_host), "certificate not valid for name"),
        ("expired", Https::start(Some(&authority), expired), "certificate expired"),
        ("not yet valid", Https::start(Some(&authority), not_yet), "certificate not valid yet"),
    ];
    for (name, server, wrong) in cases {
        for trust in [("SSL_CERT_FILE", authority.file()), ("SSL_CERT_DIR", authority.certs())] {
            let origin = format!("https://127.0.0.1:{}", server.port);
            let (discovered, exchanged) = both(&origin, |command| _ = command.env(trust.0, &trust.1));
            for (tool, before, output) in
                [("pkce-discover", "", discovered), ("pkce-exchange", "token endpoint: ", exchanged)]
            {
                assert_eq!((output.status, output.stdout), (4, format!("!4 untrusted {tool}\n")), "{name}");
                assert!(output.stderr.starts_with(&format!("{tool}: {before}127.0.0.1: TLS: ")), "{}", output.stderr);
                assert!(output.stderr.contains(wrong), "{name}: {}", output.stderr);
                assert_eq!(output.stderr.lines().count(), 2, "{}", output.stderr);
            }
        }
        assert_eq!(server.requests(), 0, "{name}");
    }
}

#[test]
fn speaks_no_plain_http_to_a_server_that_should_speak_tls() {
    let (listener, port) = listen();
    let origin = format!("https://127.0.0.1:{port}");
    let heard = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&heard);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut octets) = (stream.unwrap(), [0; 4096]);
            let count = stream.read(&mut octets).unwrap();
            all.lock().unwrap().extend_from_slice(&octets[..count]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let authority = Authority::new("plain");
    let (discovered, exchanged) = both(&origin, |command| _ = command.env("SSL_CERT_FILE", authority.file()));
    let wrong = "127.0.0.1: TLS: received corrupt message of type InvalidContentType\n\
                 hint: set SSL_CERT_FILE to a file with the certificates to trust";
    assert_eq!(discovered, failure("pkce-discover", 4, wrong));
    assert_eq!(exchanged, failure("pkce-exchange", 4, &format!("token endpoint: {wrong}")));
    let heard = String::from_utf8_lossy(&heard.lock().unwrap()).into_owned();
    assert!(!heard.is_empty() && !heard.contains("GET") && !heard.contains("POST") && !heard.contains("c0de"));
}

#[test]
fn says_where_there_are_no_certificates_to_check_with() {
    let directory = new_directory();
    std::fs::write(directory.path().join("empty"), "no certificate").unwrap();
    for path in ["missing", "empty"] {
        let (output, _) =
            both("https://127.0.0.1:1", |command| _ = command.env("SSL_CERT_FILE", directory.path().join(path)));
        let message = "127.0.0.1: no trusted certificates found\n\
                       hint: install ca-certificates, or set SSL_CERT_FILE";
        assert_eq!(output, failure("pkce-discover", 3, message), "{path}");
    }
}

/// A proxy that connects to no server, and records the servers requested.
struct Proxy {
    port: u16,
    requested: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start(response: &'static str) -> Proxy {
        let (listener, port) = listen();
        let requested = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&requested);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream: TcpStream = stream.unwrap();
                let Some(seen) = read_request(&mut stream) else { continue };
                all.lock().unwrap().push(format!("{} {}", seen.method, seen.target));
                let _ = stream.write_all(response.as_bytes());
            }
        });
        Proxy { port, requested }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn requested(&self) -> Vec<String> {
        std::mem::take(&mut self.requested.lock().unwrap())
    }
}

const REFUSES: &str = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";

/// Asks for this issuer's metadata with these variables set.
fn discover(issuer: &str, env: &[(&str, &str)]) -> Output {
    let mut tool = command("pkce-discover");
    finish(tool.arg(issuer).args(["--timeout", "20"]).envs(env.iter().copied()), b"")
}

#[test]
fn goes_through_the_proxy_of_the_scheme() {
    let (secure, plain) = (Proxy::start(REFUSES), Proxy::start(REFUSES));
    let (https, http) = (secure.url(), plain.url());
    let hosts = ("PKCE_HTTP_HOSTS", "keycloak.invalid:8080");
    for names in [["HTTPS_PROXY", "HTTP_PROXY"], ["https_proxy", "http_proxy"]] {
        let env = [(names[0], https.as_str()), (names[1], http.as_str()), hosts];
        assert_eq!(discover("https://id.invalid", &env).status, 3);
        assert_eq!((secure.requested(), plain.requested()), (vec!["CONNECT id.invalid:443".to_owned()], vec![]));
        discover("http://keycloak.invalid:8080", &env);
        assert_eq!(secure.requested(), Vec::<String>::new());
        assert_eq!(plain.requested().len(), 1, "{names:?}");
    }
    // Each scheme has its own; the one for all is for what has none.
    assert_eq!(discover("http://keycloak.invalid:8080", &[("HTTPS_PROXY", &https), hosts]).status, 3);
    assert_eq!(discover("https://id.invalid", &[("HTTP_PROXY", &http)]).status, 3);
    assert_eq!((secure.requested(), plain.requested()), (vec![], vec![]));
    for name in ["ALL_PROXY", "all_proxy"] {
        discover("https://id.invalid", &[(name, &https)]);
        discover("http://keycloak.invalid:8080", &[(name, &https), hosts]);
        assert_eq!(secure.requested().len(), 2);
    }
    // What a visitor sends to a CGI program is no setting (httpoxy).
    let visited = [("HTTP_PROXY", http.as_str()), ("REQUEST_METHOD", "GET"), hosts];
    assert_eq!(discover("http://keycloak.invalid:8080", &visited).status, 3);
    assert_eq!(plain.requested(), Vec::<String>::new());
}

#[test]
fn goes_past_the_proxy_to_what_no_proxy_names() {
    let proxy = Proxy::start(REFUSES);
    let url = proxy.url();
    for (entry, issuer, past) in [
        ("*", "https://id.invalid", true),
        ("id.invalid", "https://id.invalid", true),
        ("invalid", "https://id.invalid", true),
        (".invalid", "https://id.invalid", true),
        ("*.invalid", "https://id.invalid", true),
        ("other.invalid, id.invalid", "https://id.invalid", true),
        ("ID.INVALID", "https://id.invalid", true),
        ("id.invalid:443", "https://id.invalid", true),
        ("id.invalid:8443", "https://id.invalid", false),
        ("d.invalid", "https://id.invalid", false),
        ("240.0.0.1", "https://240.0.0.1", true),
        ("240.0.0.0/8", "https://240.0.0.1", true),
        ("240.0.1.0/24", "https://240.0.0.1", false),
        ("[100::1]", "https://[100::1]", true),
        ("100::/64", "https://[100::1]", true),
        ("100:1::/64", "https://[100::1]", false),
        ("", "https://id.invalid", false),
    ] {
        for name in ["NO_PROXY", "no_proxy"] {
            let mut tool = command("pkce-discover");
            tool.args([issuer, "--timeout", "1"]).env("HTTPS_PROXY", &url).env(name, entry);
            // Nobody is there, or somebody else (a network may respond for every address).
            assert!(matches!(finish(&mut tool, b"").status, 3 | 4), "{entry}");
            assert_eq!(proxy.requested().is_empty(), past, "{entry} {issuer}");
        }
    }
}

#[test]
fn never_goes_through_a_proxy_to_this_machine() {
    let proxy = Proxy::start(REFUSES);
    let url = proxy.url();
    let server = Server::start(|seen| json_response(&metadata(&format!("http://{}", seen.header("Host").unwrap()))));
    let env = [("HTTP_PROXY", url.as_str()), ("HTTPS_PROXY", &url), ("ALL_PROXY", &url)];
    for host in ["127.0.0.1", "localhost"] {
        let output = discover(&format!("http://{host}:{}", server.port), &env);
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    }
    assert_eq!(discover("https://127.0.0.1:1", &env).status, 3);
    assert_eq!((proxy.requested(), server.requests().len()), (vec![], 2));
}

#[test]
fn spends_nothing_where_a_proxy_refuses_and_says_no_word_of_its_password() {
    for response in [REFUSES, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"] {
        let proxy = Proxy::start(response);
        let url = format!("http://me:s3cr3t-pass@127.0.0.1:{}", proxy.port);
        let (discovered, exchanged) = both("https://id.invalid", |command| _ = command.env("HTTPS_PROXY", &url));
        let wrong = "id.invalid: the proxy did not connect";
        assert_eq!(discovered, failure("pkce-discover", 3, wrong));
        assert_eq!(exchanged, failure("pkce-exchange", 3, &format!("token endpoint: {wrong}")));
    }
    for url in ["not a url", "ftp://proxy", "http://me:s3cr3t-pass@"] {
        let output = discover("https://id.invalid", &[("HTTPS_PROXY", url)]);
        let message = "id.invalid: HTTPS_PROXY: not a proxy URL such as http://proxy:3128";
        assert_eq!(output, failure("pkce-discover", 2, message), "{url}");
    }
}
