//! Any header and claims, a line each, signed with the server's key, and any text at all, as an ID token: what is accepted is a
//! signed token for this login, by a reading that shares nothing with ours.
#![no_main]

use std::cell::RefCell;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use pkce_tools::Document;
use pkce_tools::id_token::claims::{Policy, verify};
use pkce_tools::id_token::jwks::Keys;
use pkce_tools::process::Deadline;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

const NOW: u64 = 1_800_000_000;
const TIMEOUT: Duration = Duration::from_secs(5);

struct Server {
    pair: Ed25519KeyPair,
    keys: RefCell<Keys>,
}

impl Server {
    fn new() -> Server {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
        let x = URL_SAFE_NO_PAD.encode(pair.public_key());
        let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x}]});
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("jwks.json");
        std::fs::write(&file, set.to_string()).expect("a file");
        let keys = Keys::from_file(&file, &Deadline::after(TIMEOUT)).unwrap_or_else(|_| panic!("keys"));
        Server { pair, keys: RefCell::new(keys) }
    }

    fn signed(&self, header: &str, claims: &str) -> String {
        let content = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        format!("{content}.{}", URL_SAFE_NO_PAD.encode(self.pair.sign(content.as_bytes())))
    }
}

/// Whether the claims are those of a token for this login, as serde_json reads them.
fn is_ours(claims: &Value, nonce: bool) -> bool {
    let number = |name: &str| claims[name].as_f64();
    let audience = match &claims["aud"] {
        Value::String(name) => vec![name.as_str()],
        Value::Array(names) => names.iter().map(|name| name.as_str().unwrap_or("?")).collect(),
        _ => vec![],
    };
    claims["iss"] == "https://op.example.com"
        && claims["sub"].as_str().is_some_and(|sub| !sub.is_empty())
        && !audience.is_empty()
        && audience.iter().all(|name| *name == "cli-1")
        && (claims["azp"].is_null() || claims["azp"] == "cli-1")
        && number("exp").is_some_and(|end| end > NOW as f64 - 60.0)
        && number("iat").is_some_and(|start| start <= NOW as f64 + 60.0)
        && (claims["nbf"].is_null() || number("nbf").is_some_and(|start| start <= NOW as f64 + 60.0))
        && (if nonce { claims["nonce"] == "n-0S6_WzA2Mj" } else { claims["nonce"].is_null() })
        && claims["at_hash"].is_null() | claims["at_hash"].is_string()
}

thread_local!(static SERVER: Server = Server::new());

fuzz_target!(|input: (u8, &str)| SERVER.with(|server| {
    let (choice, text) = input;
    let (header, claims) = text.split_once('\n').unwrap_or_default();
    let (is_signed, has_nonce) = (choice & 1 == 0, choice & 2 == 0);
    let token = if is_signed { server.signed(header, claims) } else { claims.to_owned() };
    let mut document = json!({
        "issuer": "https://op.example.com", "client_id": "cli-1", "access_token": "a", "id_token": token,
        "id_token_signing_alg_values_supported": ["EdDSA", "RS256", "none"],
    });
    if has_nonce {
        document["nonce"] = json!("n-0S6_WzA2Mj");
    }
    let policy = Policy { leeway: 60, trusted_audiences: Vec::new(), now: Some(NOW), timeout: TIMEOUT };
    let document = Document::parse(document.to_string().as_bytes()).expect("a document");
    match verify(document, &policy, &mut server.keys.borrow_mut()) {
        Ok(verified) => {
            assert!(is_signed, "accepted without a signature");
            let header: Value = serde_json::from_str(header).expect("JSON");
            assert_eq!(header["alg"], "EdDSA");
            assert!(header["crit"].is_null() && (header["kid"].is_null() || header["kid"] == "k"));
            // A number that no double holds is no JSON there.
            let claims: Value = serde_json::from_str(claims).unwrap_or_else(|error| panic!("{error}: {claims}"));
            assert!(is_ours(&claims, has_nonce), "accepted: {claims}");
            assert!(Document::parse(verified.line().as_bytes()).is_ok());
        }
        Err(error) => assert!(matches!(error.kind().status(), 2 | 4), "{}", error.message()),
    }
}));
