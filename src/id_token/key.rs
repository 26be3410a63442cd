//! One public key of a server: RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2.

use ring::agreement::{self, EphemeralPrivateKey, agree_ephemeral};
use ring::rand::SystemRandom;
use ring::signature::{ED25519, RsaPublicKeyComponents, UnparsedPublicKey};

use crate::document::Document;
use crate::error::Error;
use crate::id_token::jws::{Algorithm, Jws, Scheme, decoded};

/// A key as the server publishes it, read once. What is wrong with it is said when a token names it.
pub struct Key {
    /// The key ID.
    pub kid: Option<String>,
    /// Whether it is a private key.
    pub is_private: bool,
    purpose: Result<Purpose, Wrong>,
}

/// What the members that every key may have say of it (RFC 7517 section 4).
struct Purpose {
    kty: String,
    /// `kty`, and `crv` if it has one.
    kind: String,
    is_for_signatures: bool,
    alg: Option<String>,
    /// `None` if no algorithm uses its kind.
    public: Option<Result<Public, Wrong>>,
}

/// The public key itself (RFC 7518 section 6, RFC 8037 section 2).
enum Public {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    Point(Vec<u8>),
}

/// Why a key does not verify a token. The later variants are those of a key that fits the token better.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
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
        Key { kid: jwk.text("kid").ok().flatten(), is_private: jwk.has("d"), purpose: Purpose::new(&jwk) }
    }

    /// Verifies the token's signature.
    pub fn verify(&self, jws: &Jws) -> Result<(), Wrong> {
        let purpose = self.purpose.as_ref().map_err(Wrong::clone)?;
        let scheme = &jws.algorithm().scheme;
        let public = purpose.public(jws.algorithm())?;
        let (input, signature) = (jws.signing_input.as_bytes(), jws.signature);
        let verified = match (scheme, public) {
            (Scheme::Rsa(parameters), Public::Rsa(key)) => key.verify(parameters, input, signature),
            (Scheme::Ec { ecdsa, ecdh, .. }, Public::Point(point)) => {
                let verified = UnparsedPublicKey::new(*ecdsa, point).verify(input, signature);
                if verified.is_err() && !is_on_curve(ecdh, point) {
                    return Err(Wrong::Invalid("x, y: not a point on the curve".to_owned()));
                }
                verified
            }
            (Scheme::Ed25519, Public::Point(point)) => UnparsedPublicKey::new(&ED25519, point).verify(input, signature),
            _ => return Err(purpose.other_kind(scheme)),
        };
        verified.map_err(|_| Wrong::BadSignature)
    }
}

impl Purpose {
    fn new(jwk: &Document) -> Result<Purpose, Wrong> {
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
        let is_for_signatures = verifies && purpose.is_none_or(|purpose| purpose == "sig");
        let public = Scheme::of_kind(&kind).map(|scheme| Public::new(jwk, scheme));
        Ok(Purpose { kty, kind, is_for_signatures, alg, public })
    }

    /// The key, if it is for signatures with this algorithm.
    fn public(&self, algorithm: &Algorithm) -> Result<&Public, Wrong> {
        if !self.is_for_signatures {
            return Err(Wrong::NotForSignatures);
        }
        let scheme = &algorithm.scheme;
        let Some(public) = self.public.as_ref().filter(|_| self.kind == scheme.kind()) else {
            return Err(self.other_kind(scheme));
        };
        match &self.alg {
            Some(alg) if alg != algorithm.name => Err(Wrong::OtherAlgorithm(alg.clone())),
            _ => public.as_ref().map_err(Wrong::clone),
        }
    }

    /// Why the scheme does not use a key of this kind.
    fn other_kind(&self, scheme: &Scheme) -> Wrong {
        // Otherwise the message would be about a kind that the key does not name.
        if scheme.kind().split_once(' ').is_some_and(|(kty, _)| kty == self.kind) {
            return Wrong::Invalid("crv: missing".to_owned());
        }
        // EdDSA is the name of two algorithms (RFC 8037 section 3.1).
        let is_eddsa = self.kty == "OKP" && matches!(scheme, Scheme::Ed25519);
        let wrong = if is_eddsa { Wrong::NotSupported } else { Wrong::OtherKind };
        wrong(self.kind.clone())
    }
}

impl Public {
    fn new(jwk: &Document, scheme: &Scheme) -> Result<Public, Wrong> {
        match scheme {
            Scheme::Rsa(_) => rsa(jwk).map(Public::Rsa),
            Scheme::Ec { size, .. } => point(jwk, *size).map(Public::Point),
            Scheme::Ed25519 => ed25519(jwk).map(Public::Point),
        }
    }
}

/// Modulus and exponent. Some servers send them with leading zeros, which RFC 7518 section 2 does not allow, but
/// which mean nothing. ring has the same limits, except that it rounds the size of the modulus up to octets; they are
/// checked here to name what is wrong.
fn rsa(jwk: &Document) -> Result<RsaPublicKeyComponents<Vec<u8>>, Wrong> {
    let number = |name| octets(jwk, name).map(|octets| octets.into_iter().skip_while(|octet| *octet == 0).collect());
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
fn point(jwk: &Document, size: usize) -> Result<Vec<u8>, Wrong> {
    Ok([vec![4], sized(jwk, "x", size)?, sized(jwk, "y", size)?].concat())
}

/// The point in its one canonical form (RFC 8032 section 5.1.3), and not of small order: with such a key, anyone can
/// make a signature that verifies (RFC 8725 section 3.4).
fn ed25519(jwk: &Document) -> Result<Vec<u8>, Wrong> {
    let x = sized(jwk, "x", 32)?;
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

fn sized(jwk: &Document, name: &str, size: usize) -> Result<Vec<u8>, Wrong> {
    let octets = octets(jwk, name)?;
    if octets.len() == size { Ok(octets) } else { Err(Wrong::Invalid(format!("{name}: must be {size} octets"))) }
}

fn octets(jwk: &Document, name: &str) -> Result<Vec<u8>, Wrong> {
    let text = jwk.need(name).map_err(|error| Wrong::Invalid(error.message().to_owned()))?;
    decoded(&text).ok_or_else(|| Wrong::Invalid(format!("{name}: not base64url")))
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
