//! One public key of a server: RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2.

use ring::agreement::{self, EphemeralPrivateKey, agree_ephemeral};
use ring::rand::SystemRandom;
use ring::signature::{ED25519, RsaPublicKeyComponents, UnparsedPublicKey};

use crate::document::Document;
use crate::error::Error;
use crate::id_token::jws::{Jws, Scheme, decoded};

/// A key as the server publishes it. Its members are read when a token is verified, since what they must be depends on
/// the token's algorithm, and a message names a key that cannot be used.
pub struct Key {
    /// The key ID.
    pub kid: Option<String>,
    jwk: Document,
}

/// Why a key does not verify a token. The later variants are those of a key that fits the token better.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    /// A member that every key may have is malformed.
    Malformed(String),
    /// It is for encryption, or for other operations.
    NotForSignatures,
    /// It is of this kind, which the token's algorithm does not use.
    OtherKind(String),
    /// It is for this algorithm, not for the token's.
    OtherAlgorithm(String),
    /// It can be used, but did not make the signature.
    BadSignature,
    /// The token's algorithm uses this kind, which is not supported.
    NotSupported(String),
    /// It is of the right kind, but this is wrong with it.
    Invalid(String),
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Wrong {
        Wrong::Malformed(error.message().to_owned())
    }
}

impl Key {
    /// The key in this JWK, usable or not.
    pub fn new(jwk: Document) -> Key {
        let jwk = jwk.without_nulls();
        Key { kid: jwk.text("kid").ok().flatten(), jwk }
    }

    /// Whether it is a private key.
    pub fn is_private(&self) -> bool {
        self.jwk.has("d")
    }

    /// Verifies the token's signature.
    pub fn verify(&self, jws: &Jws) -> Result<(), Wrong> {
        self.check_purpose(jws)?;
        let (input, signature) = (jws.signing_input.as_bytes(), jws.signature.as_slice());
        let verified = match &jws.algorithm.scheme {
            Scheme::Rsa(parameters) => self.rsa()?.verify(parameters, input, signature),
            Scheme::Ec { size, ecdsa, ecdh, .. } => {
                let point = self.point(*size)?;
                let verified = UnparsedPublicKey::new(*ecdsa, &point).verify(input, signature);
                if verified.is_err() && !is_on_curve(ecdh, &point) {
                    return Err(Wrong::Invalid("x, y: not a point on the curve".to_owned()));
                }
                verified
            }
            Scheme::Ed25519 => UnparsedPublicKey::new(&ED25519, self.ed25519()?).verify(input, signature),
        };
        verified.map_err(|_| Wrong::BadSignature)
    }

    /// Checks that the key is for signatures, and for the token's algorithm.
    fn check_purpose(&self, jws: &Jws) -> Result<(), Wrong> {
        let jwk = &self.jwk;
        let (kty, crv) = (jwk.need("kty")?, jwk.text("crv")?);
        let kind = match crv {
            Some(crv) if kty != "RSA" => format!("{kty} {crv}"),
            _ => kty.clone(),
        };
        let (purpose, operations) = (jwk.text("use")?, jwk.texts("key_ops")?);
        let alg = jwk.text("alg")?;
        // Only its type is checked: a key with another ID is not tried.
        jwk.text("kid")?;
        let verifies = operations.is_none_or(|operations| operations.iter().any(|name| name == "verify"));
        if !verifies || purpose.is_some_and(|purpose| purpose != "sig") {
            return Err(Wrong::NotForSignatures);
        }
        let scheme = &jws.algorithm.scheme;
        if kind != scheme.kind() {
            // Otherwise the message would be about a kind that the key does not name.
            if !jwk.has("crv") && scheme.kind().split_once(' ').is_some_and(|(other, _)| other == kty) {
                return Err(Wrong::Invalid("crv: missing".to_owned()));
            }
            // EdDSA is the name of two algorithms (RFC 8037 section 3.1).
            let is_eddsa = kty == "OKP" && matches!(scheme, Scheme::Ed25519);
            return Err(if is_eddsa { Wrong::NotSupported(kind) } else { Wrong::OtherKind(kind) });
        }
        match alg {
            Some(alg) if alg != jws.algorithm.name => Err(Wrong::OtherAlgorithm(alg)),
            _ => Ok(()),
        }
    }

    /// Modulus and exponent. Some servers send them with leading zeros, which RFC 7518 section 2 does not allow, but
    /// which mean nothing. ring has the same limits, except that it rounds the size of the modulus up to octets; they are
    /// checked here to name what is wrong.
    fn rsa(&self) -> Result<RsaPublicKeyComponents<Vec<u8>>, Wrong> {
        let number =
            |name| self.octets(name).map(|octets| octets.into_iter().skip_while(|octet| *octet == 0).collect());
        let (n, e): (Vec<u8>, Vec<u8>) = (number("n")?, number("e")?);
        let is_short = n.len() == MIN_MODULUS && n.first().is_some_and(|first| *first < 0x80);
        if !(MIN_MODULUS..=MAX_MODULUS).contains(&n.len()) || is_short || !is_odd(&n) {
            return Err(Wrong::Invalid("n: must be an odd number of 2048 to 8192 bits".to_owned()));
        }
        let is_large = e.len() > 5 || (e.len() == 5 && e.first().is_some_and(|first| *first > 1));
        if is_large || e == [1] || !is_odd(&e) {
            return Err(Wrong::Invalid("e: must be an odd number from 3 to 2^33 - 1".to_owned()));
        }
        Ok(RsaPublicKeyComponents { n, e })
    }

    /// The uncompressed point: 4 and the coordinates, each of the curve's size (RFC 7518 section 6.2.1.2).
    fn point(&self, size: usize) -> Result<Vec<u8>, Wrong> {
        Ok([vec![4], self.sized("x", size)?, self.sized("y", size)?].concat())
    }

    /// The point in its one canonical form (RFC 8032 section 5.1.3), and not of small order: with such a key, anyone can
    /// make a signature that verifies (RFC 8725 section 3.4).
    fn ed25519(&self) -> Result<Vec<u8>, Wrong> {
        let x = self.sized("x", 32)?;
        let mut y = x.clone();
        // The highest bit is the sign of the other coordinate.
        if let Some(last) = y.last_mut() {
            *last &= 0x7f;
        }
        let y: String = y.iter().rev().map(|octet| format!("{octet:02x}")).collect();
        if y.as_str() >= ED25519_PRIME {
            return Err(Wrong::Invalid("x: not the canonical form of a point".to_owned()));
        }
        if ED25519_SMALL_ORDER.contains(&y.as_str()) {
            return Err(Wrong::Invalid("x: a point of small order, with which anyone can sign".to_owned()));
        }
        Ok(x)
    }

    fn sized(&self, name: &str, size: usize) -> Result<Vec<u8>, Wrong> {
        let octets = self.octets(name)?;
        if octets.len() == size { Ok(octets) } else { Err(Wrong::Invalid(format!("{name}: must be {size} octets"))) }
    }

    fn octets(&self, name: &str) -> Result<Vec<u8>, Wrong> {
        let text = self.jwk.need(name).map_err(|error| Wrong::Invalid(error.message().to_owned()))?;
        decoded(&text).ok_or_else(|| Wrong::Invalid(format!("{name}: not base64url")))
    }
}

/// Whether the number, big-endian, is odd.
fn is_odd(number: &[u8]) -> bool {
    number.last().is_some_and(|last| last % 2 == 1)
}

/// Whether the point is one of the curve. ring does not tell it when it verifies, but refuses to agree on a key with any
/// other point.
fn is_on_curve(ecdh: &'static agreement::Algorithm, point: &[u8]) -> bool {
    let own = EphemeralPrivateKey::generate(ecdh, &SystemRandom::new());
    own.and_then(|own| agree_ephemeral(own, &agreement::UnparsedPublicKey::new(ecdh, point), |_| ())).is_ok()
}

/// The size in octets of the smallest and the largest RSA modulus (RFC 7518 section 3.3; ring's limit).
const MIN_MODULUS: usize = 256;
const MAX_MODULUS: usize = 1024;

/// 2^255 - 19, big-endian (RFC 8032 section 5.1).
const ED25519_PRIME: &str = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed";

/// The y-coordinates of the eight points whose order is 1, 2, 4 or 8, big-endian.
const ED25519_SMALL_ORDER: [&str; 5] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000001",
    "05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826",
    "7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7",
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffec",
];
