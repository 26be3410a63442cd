//! A signed token: RFC 7515 section 7.1 (the compact form), with the algorithms of RFC 7518 section 3, RFC 8037 and RFC 9864.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use ring::signature as ring_signature;
use ring::signature::{EcdsaVerificationAlgorithm, RsaParameters};
use zeroize::Zeroizing;

use crate::document::Document;
use crate::error::Error;

/// A token in its parts; whether its signature fits is for the keys to say.
pub struct Jws<'a> {
    /// The header (RFC 7515 section 4).
    pub header: Document,
    /// The algorithm that the header names.
    pub algorithm: &'static Algorithm,
    /// The key that the header names.
    pub kid: Option<String>,
    /// What is signed: the first two parts as they stand.
    pub input: &'a str,
    /// The signature.
    pub signature: Vec<u8>,
    payload: Zeroizing<Vec<u8>>,
}

impl Jws<'_> {
    /// The ID token in this text. What is wrong with it is status 4, and said without a value.
    pub fn parse(token: &str) -> Result<Jws<'_>, Error> {
        let parts: Vec<&str> = token.split('.').collect();
        let [header, payload, signature] = parts[..] else {
            return Err(untrusted(match parts.len() {
                5 => "encrypted, which is not supported",
                _ => "not three parts separated by dots",
            }));
        };
        let decode = |part: &str, name| decoded(part).ok_or_else(|| untrusted(&format!("{name}: not base64url")));
        let object = Document::parse(&decode(header, "header")?);
        let object = object.map_err(|wrong| untrusted(&format!("header: {wrong}")))?;
        let object = object.of_token("id_token", "id_token: header");
        // No extension is known here, so none that is critical can be understood (RFC 7515 section 4.1.11). `b64` without
        // `crit` breaks RFC 7797, and `zip` is for encrypted tokens alone.
        if let Some(name) = ["crit", "b64", "zip"].into_iter().find(|name| object.has(name)) {
            return Err(object.wrong(name, "not supported"));
        }
        let alg = object.need("alg")?;
        Ok(Jws {
            algorithm: Algorithm::named(&alg).map_err(|wrong| object.wrong("alg", wrong))?,
            kid: object.text("kid")?,
            input: token.get(..header.len() + 1 + payload.len()).unwrap_or_default(),
            signature: decode(signature, "signature")?,
            payload: Zeroizing::new(decode(payload, "payload")?),
            header: object,
        })
    }

    /// The claims (RFC 7519 section 4).
    pub fn claims(&self) -> Result<Document, Error> {
        let claims = Document::parse(&self.payload).map_err(|wrong| untrusted(&format!("claims: {wrong}")))?;
        Ok(claims.of_token("id_token", "id_token"))
    }
}

/// What is wrong with the ID token: a check by its name, never a value.
pub fn untrusted(wrong: &str) -> Error {
    Error::untrusted(format!("id_token: {wrong}")).about("id_token")
}

/// A way to sign that can be checked here.
pub struct Algorithm {
    /// Its name (RFC 7518 section 3.1, RFC 8037 section 3.1).
    pub name: &'static str,
    /// What checks it, and with which kind of key.
    pub scheme: Scheme,
    digest: &'static digest::Algorithm,
}

/// What checks a signature.
pub enum Scheme {
    /// An RSA key of 2048 bits at least (RFC 7518 sections 3.3 and 3.5).
    Rsa(&'static RsaParameters),
    /// A point on the curve of this name (RFC 7518 section 3.4).
    Ec(&'static str, &'static EcdsaVerificationAlgorithm),
    /// An Ed25519 key (RFC 8037 section 3.1).
    Ed25519,
}

impl Algorithm {
    /// The algorithm of this name, or why it is none that proves who signed.
    pub fn named(name: &str) -> Result<&'static Algorithm, &'static str> {
        ALGORITHMS.iter().find(|algorithm| algorithm.name == name).ok_or(match name {
            "ES512" => "ES512 is not supported",
            "HS256" | "HS384" | "HS512" => "HMAC does not prove who signed",
            _ if name.eq_ignore_ascii_case("none") => "unsigned",
            _ => "not supported",
        })
    }

    /// The left half of the token's digest, as in `at_hash` (OpenID Connect Core section 3.1.3.6).
    pub fn half_hash(&self, token: &str) -> String {
        let digest = digest::digest(self.digest, token.as_bytes());
        let (left, _) = digest.as_ref().split_at(self.digest.output_len() / 2);
        encoded(left)
    }
}

/// The octets of base64url without padding (RFC 7515 section 2), and of nothing else.
pub fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// The octets as base64url without padding.
pub fn encoded(octets: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

static ALGORITHMS: [Algorithm; 10] = [
    rsa("RS256", &ring_signature::RSA_PKCS1_2048_8192_SHA256, &digest::SHA256),
    rsa("RS384", &ring_signature::RSA_PKCS1_2048_8192_SHA384, &digest::SHA384),
    rsa("RS512", &ring_signature::RSA_PKCS1_2048_8192_SHA512, &digest::SHA512),
    rsa("PS256", &ring_signature::RSA_PSS_2048_8192_SHA256, &digest::SHA256),
    rsa("PS384", &ring_signature::RSA_PSS_2048_8192_SHA384, &digest::SHA384),
    rsa("PS512", &ring_signature::RSA_PSS_2048_8192_SHA512, &digest::SHA512),
    Algorithm {
        name: "ES256",
        scheme: Scheme::Ec("P-256", &ring_signature::ECDSA_P256_SHA256_FIXED),
        digest: &digest::SHA256,
    },
    Algorithm {
        name: "ES384",
        scheme: Scheme::Ec("P-384", &ring_signature::ECDSA_P384_SHA384_FIXED),
        digest: &digest::SHA384,
    },
    // Ed25519 hashes with SHA-512 inside, so that is the hash of at_hash too.
    Algorithm { name: "EdDSA", scheme: Scheme::Ed25519, digest: &digest::SHA512 },
    // Its later name (RFC 9864), which leaves no other curve open.
    Algorithm { name: "Ed25519", scheme: Scheme::Ed25519, digest: &digest::SHA512 },
];

const fn rsa(name: &'static str, parameters: &'static RsaParameters, digest: &'static digest::Algorithm) -> Algorithm {
    Algorithm { name, scheme: Scheme::Rsa(parameters), digest }
}
