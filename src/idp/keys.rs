//! The signing keys, generated at start and at each rotation: RFC 7515, RFC 7517, RFC 7518, RFC 8037.

use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair, RsaPublicKeyComponents,
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::client::pkce;
use crate::error::{Error, Kind};
use crate::id_token::jws::{Algorithm, encoded};
use crate::message;

/// An algorithm that signs ID tokens (RFC 7518 section 3.1, RFC 8037).
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum Alg {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[value(name = "RS256")]
    Rs256,
    /// RSASSA-PSS with SHA-256.
    #[value(name = "PS256")]
    Ps256,
    /// ECDSA with P-256 and SHA-256.
    #[value(name = "ES256")]
    Es256,
    /// ECDSA with P-384 and SHA-384.
    #[value(name = "ES384")]
    Es384,
    /// Ed25519.
    #[value(name = "EdDSA")]
    EdDsa,
}

impl Alg {
    /// Its name, as `alg` has it.
    pub fn name(self) -> &'static str {
        match self {
            Alg::Rs256 => "RS256",
            Alg::Ps256 => "PS256",
            Alg::Es256 => "ES256",
            Alg::Es384 => "ES384",
            Alg::EdDsa => "EdDSA",
        }
    }
}

/// The keys of one algorithm: the newest signs, the one before it stays published for one more period.
pub struct Keys {
    /// Their algorithm.
    pub alg: Alg,
    period: Option<Duration>,
    keys: Mutex<Vec<Key>>,
}

impl Keys {
    /// A new key, replaced after each period.
    pub fn new(alg: Alg, period: Option<Duration>) -> Result<Keys, Error> {
        Ok(Keys { alg, period, keys: Mutex::new(vec![Key::new(alg)?]) })
    }

    /// The public keys (RFC 7517 section 5), the newest first.
    pub fn jwks(&self) -> Result<Value, Error> {
        let keys: Vec<Value> = self.present()?.iter().rev().map(Key::jwk).collect();
        Ok(json!({ "keys": keys }))
    }

    /// What `make` gives for the key that signs now.
    pub fn signing<T>(&self, make: impl FnOnce(&Key) -> Result<T, Error>) -> Result<T, Error> {
        make(self.present()?.last().ok_or_else(fault)?)
    }

    /// `at_hash` of the access token (OpenID Connect Core section 3.1.3.6).
    pub fn half_hash(&self, token: &str) -> Option<String> {
        Algorithm::from_name(self.alg.name()).map(|algorithm| algorithm.half_hash(token))
    }

    /// The keys that are published now.
    fn present(&self) -> Result<MutexGuard<'_, Vec<Key>>, Error> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(period) = self.period {
            if keys.last().is_none_or(|key| key.made.elapsed() >= period) {
                keys.push(Key::new(self.alg)?);
            }
            let newest = keys.len().saturating_sub(1);
            let mut place = 0..;
            keys.retain(|key| place.next() == Some(newest) || key.made.elapsed() < period * 2);
        }
        Ok(keys)
    }
}

/// A key pair with its `kid`.
pub struct Key {
    pair: Pair,
    alg: Alg,
    kid: String,
    made: Instant,
}

enum Pair {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair, &'static str),
    Ed25519(Ed25519KeyPair),
}

impl Key {
    /// A new key.
    pub fn new(alg: Alg) -> Result<Key, Error> {
        let random = SystemRandom::new();
        let ec = |algorithm: &'static EcdsaSigningAlgorithm, curve| -> Result<Pair, Error> {
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(|_| fault())?;
            let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).map_err(|_| fault())?;
            Ok(Pair::Ec(pair, curve))
        };
        let pair = match alg {
            Alg::Rs256 => Pair::Rsa(rsa()?, &RSA_PKCS1_SHA256),
            Alg::Ps256 => Pair::Rsa(rsa()?, &RSA_PSS_SHA256),
            Alg::Es256 => ec(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256")?,
            Alg::Es384 => ec(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384")?,
            Alg::EdDsa => {
                let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).map_err(|_| fault())?;
                Pair::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).map_err(|_| fault())?)
            }
        };
        Ok(Key { pair, alg, kid: pkce::random(8)?.to_string(), made: Instant::now() })
    }

    /// The header of a token that this key signs (RFC 7515 section 4).
    pub fn header(&self) -> Value {
        json!({ "alg": self.alg.name(), "kid": self.kid, "typ": "JWT" })
    }

    /// The public key (RFC 7517 section 4).
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair, _) => {
                let public: RsaPublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({ "kty": "RSA", "n": encoded(public.n), "e": encoded(public.e) })
            }
            Pair::Ec(pair, curve) => {
                // An uncompressed point: 4, then the octets of x, then as many of y.
                let point = pair.public_key().as_ref();
                let (x, y) = point.get(1..).unwrap_or_default().split_at(point.len() / 2);
                json!({ "kty": "EC", "crv": curve, "x": encoded(x), "y": encoded(y) })
            }
            Pair::Ed25519(pair) => json!({ "kty": "OKP", "crv": "Ed25519", "x": encoded(pair.public_key()) }),
        };
        if let Some(members) = jwk.as_object_mut() {
            members.extend(
                [("kid", self.kid.as_str()), ("use", "sig"), ("alg", self.alg.name())]
                    .map(|(name, text)| (name.to_owned(), Value::from(text))),
            );
        }
        jwk
    }

    /// The signature of this text, in base64url (RFC 7515 section 5.1).
    pub fn signature(&self, input: &str) -> Result<String, Error> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair, padding) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(*padding, &random, input.as_bytes(), &mut signature).map_err(|_| fault())?;
                Ok(encoded(signature))
            }
            Pair::Ec(pair, _) => Ok(encoded(pair.sign(&random, input.as_bytes()).map_err(|_| fault())?)),
            Pair::Ed25519(pair) => Ok(encoded(pair.sign(input.as_bytes()))),
        }
    }
}

/// An RSA key, generated by openssl, since ring generates none.
fn rsa() -> Result<RsaKeyPair, Error> {
    let made = Command::new("openssl")
        .args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-outform", "DER"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let made = made.map_err(|error| unavailable(&message::reason(&error)))?;
    let der = Zeroizing::new(made.stdout);
    // Some versions write PKCS #8 (RFC 5208), some the bare RSAPrivateKey of RFC 8017.
    let pair = RsaKeyPair::from_pkcs8(&der).or_else(|_| RsaKeyPair::from_der(&der));
    pair.map_err(|_| unavailable("generated no RSA key"))
}

fn unavailable(wrong: &str) -> Error {
    Error::unavailable(format!("openssl: {wrong}")).hint("RS256 and PS256 need openssl; ES256, ES384 and EdDSA do not")
}

fn fault() -> Error {
    Error::new(Kind::Fault, "signing key: cannot be generated or used")
}
