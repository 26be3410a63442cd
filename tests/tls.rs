//! TLS and proxies, as every tool has them that calls somebody: whom it trusts, and whom it goes through.
#![cfg(test)]

mod common;
#[path = "common/tls.rs"]
mod tls;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use common::{Output, Server, command, failure, finish, free_port, json_response, listen, read_request};
use rcgen::{BasicConstraints, CertificateParams, IsCa, date_time_ymd};
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
    let list = format!("/nothing-here::{}:", certs.display());
    let trusts: [&dyn Fn(&mut Command); 4] = [
        &|command| _ = command.env("SSL_CERT_FILE", &file),
        &|command| _ = command.env("SSL_CERT_DIR", &certs),
        &|command| _ = command.env("SSL_CERT_FILE", &file).env("SSL_CERT_DIR", &certs),
        &|command| _ = command.env("SSL_CERT_DIR", &list),
    ];
    for host in ["127.0.0.1", "localhost"] {
        for trust in trusts {
            let (discovered, exchanged) = both(&format!("https://{host}:{}", server.port), trust);
            assert_eq!((discovered.status, discovered.stderr.as_str()), (0, ""), "{discovered:?}");
            assert_eq!((exchanged.status, exchanged.stderr.as_str()), (0, ""), "{exchanged:?}");
        }
    }
    assert_eq!(server.requests(), 16);
}

#[test]
fn trusts_the_authorities_in_a_directory_beside_those_of_a_file() {
    // Both have one name, so that one seems to have signed what the other one has.
    let (old, new) = (Authority::new("named"), Authority::new("named"));
    let (other, third) = (Authority::new("other"), Authority::new("third"));
    for (file, directory, trusted) in
        [(&other, &new, true), (&old, &new, true), (&new, &other, true), (&other, &third, false), (&old, &old, false)]
    {
        let server = Https::start(Some(&new), |_| {});
        let trust = |command: &mut Command| {
            command.env("SSL_CERT_FILE", file.file()).env("SSL_CERT_DIR", directory.certs());
        };
        let (discovered, exchanged) = both(&format!("https://127.0.0.1:{}", server.port), trust);
        let status = if trusted { 0 } else { 4 };
        assert_eq!((discovered.status, exchanged.status), (status, status), "{discovered:?} {exchanged:?}");
        assert_eq!(server.requests(), if trusted { 2 } else { 0 });
    }
}

#[test]
fn sends_nothing_to_a_server_that_cannot_show_who_it_is() {
    let authority = Authority::new("trusted");
    let stranger = Authority::new("stranger");
    let other_host = |params: &mut CertificateParams| {
        *params = CertificateParams::new(["id.example", "*.id.example", "192.0.2.5"].map(str::to_owned)).unwrap();
    };
    let expired = |params: &mut CertificateParams| {
        (params.not_before, params.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1));
    };
    let not_yet = |params: &mut CertificateParams| {
        (params.not_before, params.not_after) = (date_time_ymd(2900, 1, 1), date_time_ymd(2901, 1, 1));
    };
    let is_authority = |params: &mut CertificateParams| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let unknown = "the certificate is self-signed, or its issuer is not trusted\n\
                   hint: set SSL_CERT_FILE to a file with the certificates to trust";
    let clock = "hint: if it should be valid, check this machine's clock";
    let expired_message = format!("the certificate has expired\n{clock}");
    let not_yet_message = format!("the certificate is not valid yet\n{clock}");
    let names = "the certificate's names: id.example, *.id.example, 192.0.2.5 instead of 127.0.0.1";
    let of_authority = "the server's own certificate is that of an authority (CA:TRUE)\n\
                        hint: make another: openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem \
                        -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 \
                        -addext basicConstraints=critical,CA:FALSE; then set SSL_CERT_FILE to cert.pem";
    let cases: [(&str, Https, &str); 6] = [
        ("self-signed", Https::start(None, |_| {}), unknown),
        ("another authority", Https::start(Some(&stranger), |_| {}), unknown),
        ("another host", Https::start(Some(&authority), other_host), names),
        ("expired", Https::start(Some(&authority), expired), &expired_message),
        ("not yet valid", Https::start(Some(&authority), not_yet), &not_yet_message),
        ("an authority's", Https::start(None, is_authority), of_authority),
    ];
    for (name, server, wrong) in cases {
        for trust in [("SSL_CERT_FILE", authority.file()), ("SSL_CERT_DIR", authority.certs())] {
            let origin = format!("https://127.0.0.1:{}", server.port);
            let (discovered, exchanged) = both(&origin, |command| _ = command.env(trust.0, &trust.1));
            for (tool, before, output) in
                [("pkce-discover", "", discovered), ("pkce-exchange", "token endpoint: ", exchanged)]
            {
                let message = format!("{before}127.0.0.1:{}: TLS: {wrong}", server.port);
                assert_eq!(output, failure(tool, 4, &message), "{name}");
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
    let wrong = format!("127.0.0.1:{port}: TLS: the response is not TLS (plain http on this port?)");
    assert_eq!(discovered, failure("pkce-discover", 4, &wrong));
    assert_eq!(exchanged, failure("pkce-exchange", 4, &format!("token endpoint: {wrong}")));
    let heard = String::from_utf8_lossy(&heard.lock().unwrap()).into_owned();
    assert!(!heard.is_empty() && !heard.contains("GET") && !heard.contains("POST") && !heard.contains("c0de"));
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
    let refused =
        "the proxy did not connect (502)\nhint: check the proxy ADDRESS in HTTPS_PROXY, or list the host in NO_PROXY";
    let requires = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
    let required = |other: &str| {
        format!(
            "the proxy requires {other} user name and password (407)\n\
             hint: set HTTPS_PROXY to http://USER:PASSWORD@ADDRESS"
        )
    };
    for (response, user, wrong) in [
        (REFUSES, "me:s3cr3t-pass@", refused.to_owned()),
        (requires, "me:s3cr3t-pass@", required("another")),
        (requires, "", required("a")),
    ] {
        let proxy = Proxy::start(response);
        let url = format!("http://{user}127.0.0.1:{}", proxy.port);
        let (discovered, exchanged) = both("https://id.invalid", |command| _ = command.env("HTTPS_PROXY", &url));
        let address = format!("127.0.0.1:{}", proxy.port);
        let wrong = format!("id.invalid: {}", wrong.replace("ADDRESS", &address));
        assert_eq!(discovered, failure("pkce-discover", 3, &wrong));
        assert_eq!(exchanged, failure("pkce-exchange", 3, &format!("token endpoint: {wrong}")));
    }
}

/// What a proxy speaks over: TCP, TLS, or TLS within TLS.
trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

fn accept_tls(stream: Box<dyn Stream>, authority: &Authority, host: &str) -> Box<dyn Stream> {
    let config = server_config(Some(&authority.issuer), &CertificateParams::new(vec![host.to_owned()]).unwrap());
    Box::new(StreamOwned::new(ServerConnection::new(config).unwrap(), stream))
}

/// A proxy of any kind that stands for every server behind it, and records what it was told to connect to, with the
/// user's name and password.
struct Relay {
    url: String,
    authority: Arc<Authority>,
    connected: Arc<Mutex<Vec<String>>>,
}

impl Relay {
    fn start(scheme: &'static str) -> Relay {
        Relay::listening(scheme, TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn listening(scheme: &'static str, listener: TcpListener) -> Relay {
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let (authority, connected) = (Arc::new(Authority::new("relay")), Arc::new(Mutex::new(Vec::new())));
        let (copy, all) = (Arc::clone(&authority), Arc::clone(&connected));
        thread::spawn(move || {
            for stream in listener.incoming() {
                serve(scheme, Box::new(stream.unwrap()), &copy, &all);
            }
        });
        Relay { url, authority, connected }
    }

    fn with_user(&self, user: &str) -> String {
        self.url.replacen("://", &format!("://{user}@"), 1)
    }

    fn connected(&self) -> Vec<String> {
        std::mem::take(&mut self.connected.lock().unwrap())
    }

    /// Fetches the metadata of this issuer through the proxy at this URL.
    fn discover(&self, issuer: &str, proxy: &str) -> Output {
        let file = self.authority.file();
        let hosts = "192.0.2.6:8080 keycloak.invalid:8080";
        discover(issuer, &[("ALL_PROXY", proxy), ("SSL_CERT_FILE", file.to_str().unwrap()), ("PKCE_HTTP_HOSTS", hosts)])
    }
}

/// Serves one connection; a client that goes away early ends it.
fn serve(scheme: &str, stream: Box<dyn Stream>, authority: &Authority, all: &Mutex<Vec<String>>) -> Option<()> {
    let mut stream = match scheme {
        "https" => accept_tls(stream, authority, "127.0.0.1"),
        _ => stream,
    };
    let (user, host, port) = match scheme {
        "http" | "https" => connect(&mut stream)?,
        "socks4" | "socks4a" => socks4(&mut stream)?,
        _ => socks5(&mut stream)?,
    };
    all.lock().unwrap().push(format!("{user}{host}:{port}"));
    let (mut stream, origin) = match port {
        443 => (accept_tls(stream, authority, &host), format!("https://{host}")),
        _ => (stream, format!("http://{host}:{port}")),
    };
    let seen = read_request(&mut stream)?;
    assert_eq!(seen.target, "/.well-known/openid-configuration");
    stream.write_all(&json_response(&metadata(&origin))).ok()?;
    stream.flush().ok()
}

/// A request to connect over HTTP: user, host and port.
fn connect(stream: &mut impl Stream) -> Option<(String, String, u16)> {
    let seen = read_request(stream)?;
    assert_eq!(seen.method, "CONNECT");
    let (host, port) = seen.target.rsplit_once(':')?;
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
    let user = seen.header("Proxy-Authorization").map(|user| format!("{user} ")).unwrap_or_default();
    Some((user, host.to_owned(), port.parse().unwrap()))
}

fn octets<const N: usize>(stream: &mut impl Stream) -> Option<[u8; N]> {
    let mut octets = [0; N];
    stream.read_exact(&mut octets).ok().map(|()| octets)
}

/// A text after its length in one octet (RFC 1928, RFC 1929).
fn counted(stream: &mut impl Stream) -> Option<String> {
    let [length] = octets(stream)?;
    let mut text = vec![0; length.into()];
    stream.read_exact(&mut text).ok()?;
    String::from_utf8(text).ok()
}

fn zero_ended(stream: &mut impl Stream) -> Option<String> {
    let mut text = String::new();
    loop {
        match octets(stream)? {
            [0] => return Some(text),
            [octet] => text.push(octet.into()),
        }
    }
}

fn dotted([a, b, c, d]: [u8; 4]) -> String {
    format!("{a}.{b}.{c}.{d}")
}

fn socks4(stream: &mut impl Stream) -> Option<(String, String, u16)> {
    assert_eq!(octets(stream)?, [4, 1]);
    let port = u16::from_be_bytes(octets(stream)?);
    let address: [u8; 4] = octets(stream)?;
    let user = zero_ended(stream)?;
    let host = if address.starts_with(&[0, 0, 0]) { zero_ended(stream)? } else { dotted(address) };
    stream.write_all(&[0, 90, 0, 0, 0, 0, 0, 0]).ok()?;
    Some((user, host, port))
}

fn socks5(stream: &mut impl Stream) -> Option<(String, String, u16)> {
    assert_eq!(octets(stream)?, [5]);
    let methods = counted(stream)?;
    let method = if methods.contains('\u{2}') { 2 } else { 0 };
    stream.write_all(&[5, method]).ok()?;
    let mut user = String::new();
    if method == 2 {
        assert_eq!(octets(stream)?, [1]);
        user = format!("{} {} ", counted(stream)?, counted(stream)?);
        stream.write_all(&[1, 0]).ok()?;
    }
    assert_eq!(octets(stream)?, [5, 1, 0]);
    let host = match octets(stream)? {
        [1] => dotted(octets(stream)?),
        kind => {
            assert_eq!(kind, [3]);
            counted(stream)?
        }
    };
    let port = u16::from_be_bytes(octets(stream)?);
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
    Some((user, host, port))
}

#[test]
fn reaches_https_and_http_through_every_kind_of_proxy() {
    for scheme in ["http", "https", "socks", "socks4", "socks4a", "socks5", "socks5h"] {
        let relay = Relay::start(scheme);
        // Where this machine resolves the name, there is none.
        let name = !matches!(scheme, "socks" | "socks4" | "socks5");
        let named =
            [("https://id.invalid", "id.invalid:443"), ("http://keycloak.invalid:8080", "keycloak.invalid:8080")];
        let addressed = [("https://192.0.2.5", "192.0.2.5:443"), ("http://192.0.2.6:8080", "192.0.2.6:8080")];
        for (issuer, connected) in addressed.into_iter().chain(named.into_iter().filter(|_| name)) {
            for url in
                [relay.url.clone(), format!("{}/", relay.url), relay.url.replacen(scheme, &scheme.to_uppercase(), 1)]
            {
                let output = relay.discover(issuer, &url);
                assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{scheme} {issuer}: {output:?}");
                assert_eq!(output.json()["issuer"], issuer);
                assert_eq!(relay.connected(), [connected], "{scheme}");
            }
        }
    }
}

#[test]
fn trusts_the_authorities_in_a_directory_behind_a_proxy_too() {
    let stranger = Authority::new("stranger");
    for (scheme, connections) in [("http", 2), ("https", 1), ("socks5h", 2)] {
        let relay = Relay::start(scheme);
        let (file, certs) = (stranger.file(), relay.authority.certs());
        let trust = [("SSL_CERT_FILE", file.to_str().unwrap()), ("SSL_CERT_DIR", certs.to_str().unwrap())];
        let output = discover("https://id.invalid", &[&trust[..], &[("ALL_PROXY", relay.url.as_str())]].concat());
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{scheme}: {output:?}");
        assert_eq!(relay.connected(), vec!["id.invalid:443"; connections], "{scheme}");
    }
}

#[test]
fn reaches_a_proxy_without_a_scheme_or_at_an_ipv6_address() {
    let relay = Relay::start("http");
    for url in [relay.url.replace("http://", ""), format!("{}/", relay.url.replace("http://", ""))] {
        assert_eq!((relay.discover("https://id.invalid", &url).status, relay.connected().len()), (0, 1), "{url}");
    }
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        println!("left out, since this machine has no IPv6");
        return;
    };
    let relay = Relay::listening("http", listener);
    assert_eq!((relay.discover("https://id.invalid", &relay.url).status, relay.connected().len()), (0, 1));
}

#[test]
fn gives_the_user_name_and_the_password_to_the_proxy_decoded() {
    for (scheme, sent) in
        [("http", "Basic bWU6c0BjL3IjdA== "), ("https", "Basic bWU6c0BjL3IjdA== "), ("socks5h", "me s@c/r#t ")]
    {
        let relay = Relay::start(scheme);
        for user in ["me:s%40c%2Fr%23t", "me:s@c%2fr%23t"] {
            let output = relay.discover("https://id.invalid", &relay.with_user(user));
            assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{scheme}: {output:?}");
            assert_eq!(relay.connected(), [format!("{sent}id.invalid:443")]);
        }
    }
}

#[test]
fn sends_nothing_through_an_https_proxy_that_cannot_show_who_it_is() {
    let relay = Relay::start("https");
    let stranger = Authority::new("stranger");
    let file = stranger.file();
    for issuer in ["https://id.invalid", "http://keycloak.invalid:8080"] {
        let trust = [("ALL_PROXY", relay.url.as_str()), ("SSL_CERT_FILE", file.to_str().unwrap())];
        let output = discover(issuer, &[&trust[..], &[("PKCE_HTTP_HOSTS", "keycloak.invalid:8080")]].concat());
        let [authority, proxy] = [issuer, &relay.url].map(|url| url.split_once("://").unwrap().1);
        let message = format!(
            "{authority}: the server or the proxy {proxy}: TLS: the certificate is self-signed, or its issuer is not trusted\n\
             hint: set SSL_CERT_FILE to a file with the certificates to trust"
        );
        assert_eq!(output, failure("pkce-discover", 4, &message));
        assert_eq!(relay.connected(), [""; 0]);
    }
}

#[test]
fn names_the_variable_of_a_proxy_that_cannot_be_reached() {
    let port = free_port();
    for scheme in ["http", "https", "socks4", "socks4a", "socks5", "socks5h"] {
        for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            let output = discover("https://192.0.2.5", &[(name, &format!("{scheme}://127.0.0.1:{port}"))]);
            let message = format!(
                "192.0.2.5: the proxy: connection refused\nhint: check the proxy 127.0.0.1:{port} in {name}, or list the host in NO_PROXY"
            );
            assert_eq!(output, failure("pkce-discover", 3, &message), "{scheme}");
        }
    }
}

#[test]
fn says_what_a_socks_proxy_refused() {
    for (scheme, response, status, wrong) in [
        ("socks4a", &[0, 91, 0, 0, 0, 0, 0, 0][..], 3, "request rejected or failed"),
        ("socks5h", &[5, 0xff], 3, "no acceptable auth methods"),
        ("socks5h", &[5, 0, 5, 2, 0, 1], 3, "connection not allowed by ruleset"),
        ("socks5h", b"HTTP/1.1 400 Bad Request\r\n\r\n", 4, "the response is not valid HTTP"),
        ("socks5h", &[], 3, "the server closed the connection"),
    ] {
        let (listener, port) = listen();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                // Some of the request; the rest is read so that closing does not reset the connection.
                let _ = stream.read(&mut [0; 2]).and_then(|_| stream.write_all(response));
                let _ = stream.shutdown(std::net::Shutdown::Write);
                let _ = stream.read_to_end(&mut Vec::new());
            }
        });
        let output = discover("https://id.invalid", &[("ALL_PROXY", &format!("{scheme}://127.0.0.1:{port}"))]);
        let hint = format!("hint: check the proxy 127.0.0.1:{port} in ALL_PROXY, or list the host in NO_PROXY");
        assert_eq!(output, failure("pkce-discover", status, &format!("id.invalid: {wrong}\n{hint}")));
    }
}

#[test]
fn ends_with_the_timeout_whatever_a_proxy_sends() {
    let silent = |_: &mut TcpStream| {};
    // One octet after the other, for as long as anybody reads them.
    let slow = |stream: &mut TcpStream| {
        let head = b"HTTP/1.1 200 OK\r\nX: ".iter().copied().chain(std::iter::repeat(b'x'));
        for octet in head {
            if stream.write_all(&[octet]).is_err() {
                return;
            }
            thread::sleep(std::time::Duration::from_millis(50));
        }
    };
    type Speak = fn(&mut TcpStream);
    let proxies: [(&str, Speak); 6] = [
        ("http", silent),
        ("http", slow),
        ("https", silent),
        ("socks4a", silent),
        ("socks5", silent),
        ("socks5h", silent),
    ];
    for (scheme, speak) in proxies {
        let (listener, port) = listen();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                speak(&mut stream);
                let _ = stream.read_to_end(&mut Vec::new());
            }
        });
        let mut tool = command("pkce-discover");
        tool.args(["https://192.0.2.5", "--timeout", "1"]).env("ALL_PROXY", format!("{scheme}://127.0.0.1:{port}"));
        let message = format!(
            "192.0.2.5: no response within 1 s\n\
             hint: check the proxy 127.0.0.1:{port} in ALL_PROXY, or list the host in NO_PROXY"
        );
        assert_eq!(finish(&mut tool, b""), failure("pkce-discover", 3, &message), "{scheme}");
    }
}

#[test]
fn names_a_proxy_that_is_not_found() {
    for (scheme, port) in [("http", 3128), ("socks5h", 1080)] {
        let output =
            discover("https://id.invalid", &[("HTTPS_PROXY", &format!("{scheme}://me:s3cr3t@no.invalid:{port}"))]);
        let (message, hint) = output.stderr.split_once('\n').unwrap();
        // The reason is the resolver's own.
        assert!(message.starts_with("pkce-discover: id.invalid: the proxy: "), "{output:?}");
        assert_eq!(
            hint,
            format!("hint: check the proxy no.invalid:{port} in HTTPS_PROXY, or list the host in NO_PROXY\n")
        );
        assert_eq!((output.status, output.stdout.as_str()), (3, "!3 unavailable pkce-discover\n"));
    }
}
