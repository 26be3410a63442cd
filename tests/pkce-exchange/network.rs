//! The way to the server: TLS, proxies, redirects.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{self, Server, command, failure, finish, has, json_response, new_directory, response};
use crate::tls::HttpsProxy;
use crate::{document, tokens, with, with_response};

#[test]
fn sends_the_code_over_tls_to_a_server_it_trusts_and_to_no_other() {
    let proxy = HttpsProxy::start(|_, _| json_response(&tokens()));
    let exchange = |url: &str, trusted: bool| {
        let server = Server::start(|_| Vec::new());
        let document = with(&server, json!({ "token_endpoint": url, "issuer": "https://id.example" }));
        let mut tool = command("pkce-exchange");
        if trusted {
            proxy.trusted_by(&mut tool)
        } else {
            proxy.untrusted_by(&mut tool)
        }
        let output = finish(&mut tool, document.to_string().as_bytes());
        (output, proxy.requested())
    };
    let (output, asked) = exchange("https://id.example/token?a=b", true);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    assert_eq!(
        (&output.json()["access_token"], asked),
        (&json!("AT"), vec!["https://id.example/token?a=b".to_owned()])
    );
    for (url, trusted, wrong) in [
        (
            "https://id.example/token",
            false,
            "id.example: TLS: the certificate is self-signed, or its issuer is not trusted\n\
             hint: set SSL_CERT_FILE to a file with the certificates to trust",
        ),
        (
            "https://expired.example/token",
            true,
            "expired.example: TLS: the certificate has expired\n\
             hint: if it should be valid, check this machine's clock",
        ),
        (
            "https://wrong.example/token",
            true,
            "wrong.example: TLS: the certificate's names: another.example instead of wrong.example",
        ),
    ] {
        let (output, asked) = exchange(url, trusted);
        let expected = failure("pkce-exchange", 4, &format!("token endpoint: {wrong}"));
        assert_eq!((output, asked.len()), (expected, 0));
    }
}

#[test]
fn spends_nothing_where_the_proxy_does_not_connect() {
    let proxy = Server::start(|_| response(403, "", ""));
    let document = with(&proxy, json!({ "token_endpoint": "https://id.example/token" }));
    let mut tool = command("pkce-exchange");
    let output = finish(tool.env("HTTPS_PROXY", proxy.url("")), document.to_string().as_bytes());
    let message = format!(
        "token endpoint: id.example: the proxy did not connect (403)\n\
         hint: check the proxy 127.0.0.1:{} in HTTPS_PROXY, or list the host in NO_PROXY",
        proxy.port
    );
    assert_eq!(output, failure("pkce-exchange", 3, &message));
    let seen = proxy.requests();
    assert_eq!((seen.len(), seen[0].method.as_str(), seen[0].target.as_str()), (1, "CONNECT", "id.example:443"));
    let mut tool = command("pkce-exchange");
    let output = finish(tool.env("HTTPS_PROXY", "not a proxy"), document.to_string().as_bytes());
    let message = "HTTPS_PROXY: not a proxy URL such as http://proxy:3128\n\
                   hint: supported are http, https, socks4, socks4a, socks5 and socks5h; \
                   percent-encode a user name and password";
    assert_eq!(output, failure("pkce-exchange", 2, message));
}

#[test]
fn reaches_this_machine_without_a_proxy() {
    let server = Server::start(|_| json_response(&tokens()));
    let proxy = Server::start(|_| response(403, "", ""));
    let mut tool = command("pkce-exchange");
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        tool.env(name, proxy.url(""));
    }
    let output = finish(&mut tool, document(&server).to_string().as_bytes());
    assert_eq!((output.status, server.requests().len(), proxy.requests().len()), (0, 1, 0), "{output:?}");
}

#[test]
fn takes_http_to_a_named_test_host_only_where_the_issuer_is_one_too() {
    let proxy = Server::speaking(|seen, stream| {
        if (seen.method.as_str(), seen.target.as_str()) == ("CONNECT", "idp.test:8080") {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            assert_eq!(common::read_request(stream).unwrap().target, "/token");
            stream.write_all(&json_response(&tokens())).unwrap();
        }
    });
    for (hosts, issuer, status) in [
        ("idp.test:8080", json!("http://idp.test:8080/r"), 0),
        ("idp.test", json!("http://idp.test:8080/r"), 0),
        ("idp.test:8080", Value::Null, 0),
        ("idp.test:8080", json!("https://id.example"), 4),
        ("idp.test:80", json!("http://idp.test:8080/r"), 4),
        ("", json!("http://idp.test:8080/r"), 4),
    ] {
        let before = proxy.requests().len();
        let document = with(&proxy, json!({ "token_endpoint": "http://idp.test:8080/token", "issuer": issuer }));
        let mut tool = command("pkce-exchange");
        tool.env("HTTP_PROXY", proxy.url("")).env("PKCE_HTTP_HOSTS", hosts);
        let output = finish(&mut tool, document.to_string().as_bytes());
        let requests = proxy.requests().len() - before;
        assert_eq!((output.status, requests), (status, usize::from(status == 0)), "{hosts} {issuer}: {output:?}");
    }
}

#[test]
fn follows_no_redirect_to_another_server() {
    let other = Server::start(|_| json_response(&tokens()));
    for status in [301, 302, 303, 307, 308] {
        let location = other.url("/token");
        let octets = format!("HTTP/1.1 {status} X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        let (output, seen) = with_response(octets.into_bytes());
        let message = format!("token endpoint: redirect ({status}) not followed");
        assert_eq!((output, seen.len()), (failure("pkce-exchange", 4, &message), 1));
    }
    assert_eq!(other.requests().len(), 0);
}

#[test]
fn takes_a_response_whose_head_has_up_to_64_kib() {
    let with_head = |size: usize| {
        let body = tokens().to_string();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nX: ", body.len());
        let filling = "x".repeat(size - head.len() - 4);
        with_response(format!("{head}{filling}\r\n\r\n{body}").into_bytes()).0
    };
    let output = with_head(64 * 1024);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    for size in [64 * 1024 + 1, 200 * 1024] {
        let output = with_head(size);
        assert!(output.stderr.ends_with(": the response is not valid HTTP; the code may be spent\n"), "{output:?}");
        assert_eq!(output.status, 4);
    }
}

/// pkce-exchange where `two.test` is ::1 first and then 127.0.0.1, of which ::1 does not respond.
struct TwoAddresses {
    tool: Command,
    /// The file of the host, a socket whose queue is full, and the connections in it.
    _held: (TempDir, OwnedFd, Vec<TcpStream>),
}

impl TwoAddresses {
    /// `None`, with a word, where the machine lacks the means.
    fn new(port: u16) -> Option<TwoAddresses> {
        let directory = new_directory();
        let hosts = directory.path().join("hosts");
        std::fs::write(&hosts, "::1 two.test\n127.0.0.1 two.test\n").unwrap();
        let inside = |program: &[&str]| {
            let script = "mount --bind \"$1\" /etc/hosts && shift && exec \"$@\"";
            let mut tool = command("unshare");
            tool.args(["-rm", "sh", "-c", script, "sh"]).arg(&hosts).args(program);
            tool
        };
        let listed = || finish(&mut inside(&["getent", "ahosts", "two.test"]), b"").stdout;
        let held = silent(port).filter(|_| has("unshare") && listed().starts_with("::1 "));
        let Some((socket, queue)) = held else {
            println!("left out, since here no host can have an address that does not respond");
            return None;
        };
        let mut tool = inside(&["pkce-exchange"]);
        tool.env("PKCE_HTTP_HOSTS", "two.test idp.test");
        Some(TwoAddresses { tool, _held: (directory, socket, queue) })
    }

    /// Exchanges the code at this endpoint, well before a second address would come if each were waited for.
    fn exchange(mut self, endpoint: &str) {
        let (unused, started) = (Server::start(|_| Vec::new()), Instant::now());
        let document = with(&unused, json!({ "token_endpoint": endpoint }));
        let output = finish(&mut self.tool, document.to_string().as_bytes());
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
        assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    }
}

/// A socket of ::1 on this port whose queue is full, so that it does not respond, and the connections in it.
fn silent(port: u16) -> Option<(OwnedFd, Vec<TcpStream>)> {
    let address = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    let socket = rustix::net::socket(AddressFamily::INET6, SocketType::STREAM, None).ok()?;
    rustix::net::bind(&socket, &address).ok()?;
    rustix::net::listen(&socket, 0).ok()?;
    let connection = || TcpStream::connect_timeout(&address, Duration::from_secs(2)).ok();
    let queue: Vec<TcpStream> = std::iter::from_fn(connection).take(8).collect();
    Some((socket, queue)).filter(|(_, queue)| queue.len() < 8)
}

#[test]
fn does_not_wait_for_an_address_that_never_responds() {
    let server = Server::start(|_| json_response(&tokens()));
    let Some(exchange) = TwoAddresses::new(server.port) else { return };
    exchange.exchange(&format!("http://two.test:{}/token", server.port));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn does_not_wait_for_an_address_of_a_proxy_that_never_responds() {
    let proxy = Server::speaking(|seen, stream| {
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("CONNECT", "idp.test:8080"));
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        common::read_request(stream).unwrap();
        stream.write_all(&json_response(&tokens())).unwrap();
    });
    let Some(mut exchange) = TwoAddresses::new(proxy.port) else { return };
    exchange.tool.env("HTTP_PROXY", format!("http://two.test:{}", proxy.port));
    exchange.exchange("http://idp.test:8080/token");
}

#[test]
fn does_not_wait_for_an_address_of_a_socks_proxy_that_never_responds() {
    let (listener, port) = common::listen();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // Nothing comes on the connection that shows which address responds.
            let (mut greeting, mut target) = ([0; 3], [0; 15]);
            if stream.read_exact(&mut greeting).is_ok() {
                stream.write_all(&[5, 0]).unwrap();
                stream.read_exact(&mut target).unwrap();
                assert_eq!(&target[..13], b"\x05\x01\x00\x03\x08idp.test");
                stream.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 0]).unwrap();
                common::read_request(&mut stream).unwrap();
                stream.write_all(&json_response(&tokens())).unwrap();
            }
        }
    });
    let Some(mut exchange) = TwoAddresses::new(port) else { return };
    exchange.tool.env("HTTP_PROXY", format!("socks5h://two.test:{port}"));
    exchange.exchange("http://idp.test:8080/token");
}

#[test]
fn tells_of_several_addresses_the_one_that_refused() {
    let port = common::free_port();
    let Some(mut exchange) = TwoAddresses::new(port) else { return };
    let server = Server::start(|_| Vec::new());
    let document = with(&server, json!({ "token_endpoint": format!("http://two.test:{port}/token") }));
    let output = finish(exchange.tool.args(["--timeout", "2"]), document.to_string().as_bytes());
    assert_eq!(output, failure("pkce-exchange", 3, &format!("token endpoint: two.test:{port}: connection refused")));
}
