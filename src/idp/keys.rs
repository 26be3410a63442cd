//! The signing key: made at start, gone at the end (RFC 7515, RFC 7517, RFC 7518 section 3.4).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{Error, Kind, pkce};

/// A key pair for ES256.
pub struct Key {
    pair: EcdsaKeyPair,
    kid: String,
}

impl Key {
    /// A new key.
    pub fn new() -> Result<Key, Error> {
        let fault = || Error::new(Kind::Fault, "signing key: cannot be made");
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(|_| fault())?;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).map_err(|_| fault())?;
        Ok(Key { pair, kid: pkce::random(8)?.to_string() })
    }

    /// The name of its algorithm.
    pub fn alg(&self) -> &'static str {
        "ES256"
    }

    /// The public key.
    pub fn jwk(&self) -> Value {
        // An uncompressed point: 4, then 32 octets of x, then 32 of y.
        let point = self.pair.public_key().as_ref();
        let (x, y) = point.get(1..).unwrap_or_default().split_at(point.len() / 2);
        json!({
            "kty": "EC",
            "crv": "P-256",
            "x": URL_SAFE_NO_PAD.encode(x),
            "y": URL_SAFE_NO_PAD.encode(y),
            "kid": self.kid,
            "use": "sig",
            "alg": self.alg(),
        })
    }

    /// The claims, signed (RFC 7515 section 7.1).
    pub fn sign(&self, claims: &Value) -> Result<String, Error> {
        let header = json!({ "alg": self.alg(), "kid": self.kid, "typ": "JWT" });
        let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let input = format!("{}.{}", part(&header), part(claims));
        let signature = self.pair.sign(&SystemRandom::new(), input.as_bytes());
        let signature = signature.map_err(|_| Error::new(Kind::Fault, "signature: cannot be made"))?;
        Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// `at_hash`: the left half of the access token's SHA-256 (OpenID Connect Core section 3.1.3.6).
pub fn half_hash(token: &str) -> String {
    let digest = Sha256::digest(token);
    let (left, _) = digest.split_at(digest.len() / 2);
    URL_SAFE_NO_PAD.encode(left)
}
