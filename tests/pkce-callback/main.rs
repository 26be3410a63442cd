//! pkce-callback, as a browser, an attacker, a script and a person at a terminal meet it.
#![cfg(test)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/screen.rs"]
mod screen;
#[path = "../common/terminal.rs"]
mod terminal;

mod browser;
mod document;
mod end;
mod listener;
mod paste;
#[cfg(target_os = "linux")]
mod peer;
mod redirect;
mod wait;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command};

use common::{Output, command, done, talk, write_program};
use serde_json::{Value, json};
use tempfile::TempDir;

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
        login.port = authority.rsplit_once(':').map_or(0, |(_, port)| port.parse().unwrap());
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

    /// Ends with this failure, after what it has said.
    fn fails(self, status: i32, message: &str) {
        let (said, expected) = (self.said.clone(), common::failure("pkce-callback", status, message));
        assert_eq!(self.end(), Output { stderr: said + &expected.stderr, ..expected });
    }
}

/// The beginning of a TLS handshake.
const TLS_HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

fn request(host: &str, port: u16, query: &str) -> String {
    format!("GET /callback?{query} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n")
}

/// The hint of a wait in which nothing came to this redirect URI.
fn may_be_unknown(redirect_uri: &str) -> String {
    format!(
        "if the browser shows an error, the server may not know the client_id or the redirect URI {redirect_uri} \
         (name the registered one with pkce-url --redirect-uri); otherwise wait longer with --timeout SECONDS"
    )
}

/// The hint for the redirect of another login.
const OTHER_LOGIN: &str =
    "each run of pkce-gen begins another login: take the URL from the document that pkce-callback gets";

/// The hint where nothing came to a port that was chosen for it.
fn may_be_unknown_at(port: u16) -> String {
    may_be_unknown(&format!("http://127.0.0.1:{port}/callback"))
        .replace("(name the registered one", "(its port changes; if the registered one has a port, name it")
}

/// A program for `$BROWSER` in a new directory.
fn launcher(directory: &TempDir, script: &str) -> String {
    let path = directory.path().join("browser");
    write_program(&path, &format!("#!/bin/sh\n{script}\n"));
    path.display().to_string()
}
