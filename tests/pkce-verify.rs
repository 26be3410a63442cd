//! pkce-verify: which ID tokens are believed, and what is said of the others.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    missing_docs
)]

mod common;
#[path = "common/signer.rs"]
mod signer;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Folder, Output, Server, answer, command, failure, finish, json_answer, run, start, vectors};
use serde_json::{Value, json};
use signer::Signer;

const NOW: u64 = 1_800_000_000;

/// What the vectors leave open, decided: these are accepted, the others of `policy` are not.
const ACCEPTED: [&str; 5] = ["kid-absent-multi", "kid-dup", "key-private", "fmt-ctl", "iat-old"];

/// A file with a JWK set, and the tool that takes its keys from there.
struct Offline(Folder);

impl Offline {
    fn new(name: &str, jwks: &Value) -> Offline {
        let folder = Folder::new(name);
        std::fs::write(folder.0.join("jwks.json"), jwks.to_string()).unwrap();
        Offline(folder)
    }

    fn run(&self, args: &[&str], document: &Value) -> Output {
        let file = self.0.0.join("jwks.json");
        let mut tool = command("pkce-verify");
        tool.args(["--jwks", file.to_str().unwrap(), "--now", &NOW.to_string()]).args(args);
        finish(&mut tool, document.to_string().as_bytes())
    }
}

fn refused(check: &str) -> Output {
    failure("pkce-verify", 4, &format!("id_token: {check}"))
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

/// Changes the members of an object; null takes one away.
fn with(mut object: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => object.as_object_mut().unwrap().remove(name),
            value => object.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    object
}

#[test]
fn believes_what_the_vectors_say_and_nothing_else() {
    let vectors = vectors("idtoken.json");
    let sets: BTreeMap<&String, Offline> = vectors["jwks"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, set)| (name, Offline::new(&format!("idtoken-{name}"), set)))
        .collect();
    let mut cases = 0;
    for case in vectors["cases"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        let expected = |name: &str| {
            let own = &case["expect"];
            own.get(name).unwrap_or(&vectors["defaults"][name]).clone()
        };
        let document = with(
            json!({ "id_token": case["id_token"], "scope": "openid" }),
            json!({
                "issuer": expected("issuer"), "client_id": expected("client_id"), "nonce": expected("nonce"),
                "access_token": expected("access_token"), "max_age": expected("max_age"),
                "id_token_signing_alg_values_supported": expected("algs"),
            }),
        );
        let leeway = case["expect"]["leeway"].as_u64().unwrap_or(60).to_string();
        let output = sets[&case["jwks"].as_str().unwrap().to_owned()].run(&["--leeway", &leeway], &document);
        // ES512 is refused by name, whatever else is right with it (interface.md's list of algorithms).
        let accepted = match case["result"].as_str().unwrap() {
            "accept" => id != "ok-es512",
            "reject" => false,
            _ => ACCEPTED.contains(&id),
        };
        match accepted {
            true => {
                assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{id}");
                let mut after = output.json();
                let claims = after.as_object_mut().unwrap().remove("id_token_claims").unwrap();
                assert_eq!((after, claims["sub"].is_string()), (document, true), "{id}");
            }
            false => {
                assert_eq!((output.status, output.stdout.as_str()), (4, "!4 untrusted pkce-verify\n"), "{id}");
                assert!(output.stderr.starts_with("pkce-verify: id_token: "), "{id}: {output:?}");
            }
        }
        cases += 1;
    }
    assert_eq!(cases, 106);
}
