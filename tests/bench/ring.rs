//! Ring alone, to compare pkce-verify with. `ring DIRECTORY` writes there some of the tokens of the vectors, each ten
//! thousand times in a document, and their keys; `ring ALG COUNT` checks the signature of one of them COUNT times.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::string_slice, missing_docs)]

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde_json::{Value, json};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/idtoken.json")).unwrap();
    let vectors: Value = serde_json::from_str(&text).unwrap();
    for (case, alg) in [("ok-rs256", "RS256"), ("ok-ps384", "PS384"), ("ok-es256", "ES256")] {
        let case = vectors["cases"].as_array().unwrap().iter().find(|each| each["id"] == case).unwrap();
        let keys = &vectors["jwks"][case["jwks"].as_str().unwrap()];
        match arguments.as_slice() {
            [directory] => write(Path::new(directory), &vectors["defaults"], case, alg, keys),
            [chosen, count] if chosen == alg => check(case["id_token"].as_str().unwrap(), keys, count.parse().unwrap()),
            _ => {}
        }
    }
}

fn write(directory: &Path, defaults: &Value, case: &Value, alg: &str, keys: &Value) {
    let document = json!({
        "issuer": defaults["issuer"], "client_id": defaults["client_id"], "nonce": defaults["nonce"],
        "access_token": case["expect"]["access_token"], "id_token_signing_alg_values_supported": [alg],
        "id_token": case["id_token"],
    });
    std::fs::write(directory.join(format!("{alg}.documents")), format!("{document}\n").repeat(10_000)).unwrap();
    std::fs::write(directory.join(format!("{alg}.jwks")), keys.to_string()).unwrap();
}

/// Checks the signature of this token so many times, the key's parts at hand.
fn check(token: &str, keys: &Value, count: u32) {
    let (input, signature) = token.rsplit_once('.').unwrap();
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let header: Value = serde_json::from_slice(&decode(input.split('.').next().unwrap())).unwrap();
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).unwrap();
    let part = |name: &str| decode(key[name].as_str().unwrap());
    let signature = decode(signature);
    let is_good: Box<dyn Fn() -> bool> = match header["alg"].as_str().unwrap() {
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
    (0..count).for_each(|_| assert!(is_good()));
}
