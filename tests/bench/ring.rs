//! How many signatures a second ring checks by itself, for some of the tokens of the vectors; and the same tokens, ten
//! thousand times in a document, for pkce-verify to be measured with. The folder for these is the first argument.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    missing_docs
)]

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde_json::{Value, json};

fn main() {
    let folder = std::env::args().nth(1).expect("a folder");
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/idtoken.json")).unwrap();
    let vectors: Value = serde_json::from_str(&text).unwrap();
    for (case, alg) in [("ok-rs256", "RS256"), ("ok-ps384", "PS384"), ("ok-es256", "ES256")] {
        let case = vectors["cases"].as_array().unwrap().iter().find(|each| each["id"] == case).unwrap();
        let token = case["id_token"].as_str().unwrap();
        let keys = &vectors["jwks"][case["jwks"].as_str().unwrap()];
        let document = json!({
            "issuer": vectors["defaults"]["issuer"], "client_id": vectors["defaults"]["client_id"],
            "nonce": vectors["defaults"]["nonce"], "access_token": case["expect"]["access_token"],
            "id_token_signing_alg_values_supported": [alg], "id_token": token,
        });
        let file = |end: &str| Path::new(&folder).join(format!("{alg}.{end}"));
        std::fs::write(file("documents"), format!("{document}\n").repeat(10_000)).unwrap();
        std::fs::write(file("jwks"), keys.to_string()).unwrap();
        println!("{alg} {:.0}", rate(token, keys));
    }
}

/// Checks of this token's signature in a second, of one thread, the key's parts at hand.
fn rate(token: &str, keys: &Value) -> f64 {
    let (input, signature) = token.rsplit_once('.').unwrap();
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let header: Value = serde_json::from_slice(&decode(input.split('.').next().unwrap())).unwrap();
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).unwrap();
    let part = |name: &str| decode(key[name].as_str().unwrap());
    let signature = decode(signature);
    let check: Box<dyn Fn() -> bool> = match header["alg"].as_str().unwrap() {
        "ES256" => {
            let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, [vec![4], part("x"), part("y")].concat());
            Box::new(move || key.verify(input.as_bytes(), &signature).is_ok())
        }
        alg => {
            let parameters = if alg == "RS256" { &RSA_PKCS1_2048_8192_SHA256 } else { &RSA_PSS_2048_8192_SHA384 };
            let key = RsaPublicKeyComponents { n: part("n"), e: part("e") };
            Box::new(move || key.verify(parameters, input.as_bytes(), &signature).is_ok())
        }
    };
    // The median of many short times, so that what else the machine does is not counted.
    let mut times: Vec<Duration> = (0..201)
        .map(|_| {
            let start = Instant::now();
            (0..CHECKS).for_each(|_| assert!(check()));
            start.elapsed()
        })
        .collect();
    times.sort();
    f64::from(CHECKS) / times[100].as_secs_f64()
}

/// In one of the times that are measured: some milliseconds.
const CHECKS: u32 = 100;
