//! pkce-exchange: the one request, and every response that a server may send to it.
#![cfg(test)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/tls.rs"]
mod tls;

mod coding;
mod errors;
mod network;
mod parameters;
mod request;
mod secret;
mod tokens;

use common::{Output, Request, Server, changed, run};
use serde_json::{Value, json};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

fn document(server: &Server) -> Value {
    json!({
        "token_endpoint": server.url("/token"),
        "client_id": "cli",
        "code": "c0de-c0de",
        "code_verifier": VERIFIER,
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
        "redirect_uri": "http://127.0.0.1:4711/callback",
        "state": "s",
        "nonce": "n",
        "authorization_url": "https://a/b",
        "own": 1.10,
    })
}

fn with(server: &Server, changes: Value) -> Value {
    changed(document(server), &changes)
}

fn tokens() -> Value {
    json!({ "access_token": "AT", "token_type": "Bearer" })
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Exchanges at a server that responds with these octets.
fn with_response(octets: Vec<u8>) -> (Output, Vec<Request>) {
    let server = Server::start(move |_| octets.clone());
    let output = run("pkce-exchange", &[], &document(&server).to_string());
    (output, server.requests())
}
