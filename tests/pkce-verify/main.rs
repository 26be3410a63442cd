//! pkce-verify: which ID tokens are believed, and what is said of the others.
#![cfg(test)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/signer.rs"]
mod signer;
#[path = "../common/terminal.rs"]
mod terminal;

mod claims;
mod document;
mod header;
mod keys;
mod messages;
mod refreshed;
mod streams;
mod unusable;
mod vectors;

use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Output, Server, changed, failure, json_response, new_directory, run};
use serde_json::{Value, json};
use signer::Signer;
use tempfile::TempDir;

const NOW: u64 = 1_800_000_000;

/// A file with a JWK set, and the tool that takes its keys from there.
struct Offline(TempDir);

impl Offline {
    fn new(jwks: &Value) -> Offline {
        let directory = new_directory();
        std::fs::write(directory.path().join("jwks.json"), jwks.to_string()).unwrap();
        Offline(directory)
    }

    fn file(&self) -> String {
        self.0.path().join("jwks.json").to_str().unwrap().to_owned()
    }

    fn run(&self, args: &[&str], document: &Value) -> Output {
        verify(&[&["--jwks", &self.file()], args].concat(), &document.to_string())
    }
}

fn verify(args: &[&str], input: &str) -> Output {
    run("pkce-verify", &[&["--now", &NOW.to_string()], args].concat(), input)
}

fn refused(check: &str) -> Output {
    failure("pkce-verify", 4, &format!("id_token: {check}"))
}

fn accepted(output: &Output, document: &Value, claims: &Value) {
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    assert_eq!(output.json(), with(document.clone(), json!({ "id_token_claims": claims })));
}

fn claims() -> Value {
    json!({
        "iss": "https://op.example", "sub": "alice", "aud": "cli", "nonce": "n-1",
        "iat": NOW - 5, "exp": NOW + 600,
    })
}

fn document(id_token: &str) -> Value {
    json!({
        "issuer": "https://op.example", "client_id": "cli", "nonce": "n-1", "scope": "openid",
        "access_token": "at-1", "id_token": id_token, "id_token_signing_alg_values_supported": ["ES256"],
    })
}

fn with(object: Value, changes: Value) -> Value {
    changed(object, &changes)
}

/// Runs over tokens with these claims changed; each must be refused with its message.
fn refuses(args: &[&str], about: &Value, cases: &[(Value, &str)]) {
    let signer = Signer::new("k1");
    let offline = Offline::new(&signer.jwks());
    for (changes, message) in cases {
        let document = with(document(&signer.sign(&with(claims(), changes.clone()))), about.clone());
        assert_eq!(offline.run(args, &document), refused(message), "{changes}");
    }
}

/// Runs over tokens with these claims changed; each must be accepted, its claims added.
fn accepts(args: &[&str], about: &Value, cases: &[Value]) {
    let signer = Signer::new("k1");
    let offline = Offline::new(&signer.jwks());
    for changes in cases {
        let claims = with(claims(), changes.clone());
        let document = with(document(&signer.sign(&claims)), about.clone());
        accepted(&offline.run(args, &document), &document, &claims);
    }
}

const EXPIRED: &str = "exp: expired\nhint: check this machine's clock";
const ISSUED: &str = "iat: in the future\nhint: check this machine's clock";
const EARLY: &str = "nbf: not valid yet\nhint: check this machine's clock";
const LOGIN: &str = "auth_time: in the future\nhint: check this machine's clock";

const HEADER: &str = r#"{"alg":"ES256","kid":"k1"}"#;

/// These changes, and where both name a claim, the later.
fn merged(changes: &Value, later: &Value) -> Value {
    let mut changes = changes.clone();
    changes.as_object_mut().unwrap().append(&mut later.as_object().unwrap().clone());
    changes
}

/// Claims that name this server.
fn own(server: &Server) -> Value {
    with(claims(), json!({ "iss": server.url("") }))
}

/// A document whose server this is.
fn online(server: &Server, token: &str) -> Value {
    with(document(token), json!({ "issuer": server.url(""), "jwks_uri": server.url("/jwks") }))
}

fn lines(documents: &[Value]) -> String {
    documents.iter().map(|document| format!("{document}\n")).collect()
}

/// What was printed before a failure, and that failure.
fn after(count: usize, output: &Output) -> Output {
    let mut lines = output.stdout.split_inclusive('\n');
    for line in lines.by_ref().take(count) {
        let document: Value = serde_json::from_str(line).unwrap();
        assert!(document["id_token_claims"].is_object(), "{line}");
    }
    Output { status: output.status, stdout: lines.collect(), stderr: output.stderr.clone() }
}

/// A server that gives these sets of keys, one after the other, and the last for good.
fn rotating(sets: Vec<Value>) -> Server {
    let asked = AtomicUsize::new(0);
    Server::start(move |_| json_response(&sets[asked.fetch_add(1, Ordering::SeqCst).min(sets.len() - 1)]))
}

/// What is said of a token whose key the server's keys lack.
fn unnamed(kids: &str) -> String {
    format!("kid: no such signing key in the server's JWKS: {kids}")
}
