//! JWS compact serialization: RFC 7515 section 7.1, with algorithms of RFC 7518 section 3, RFC 8037 and RFC 9864.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::agreement;
use ring::digest;
use ring::signature as ring_signature;
use ring::signature::{EcdsaVerificationAlgorithm, RsaParameters};
use zeroize::Zeroizing;

use crate::document::Document;
use crate::error::Error;

/// A parsed token; its signature is not verified yet.
pub struct Jws<'a> {
    /// The header.
    pub header: &'a Header,
    /// The signing input: the first two parts, unchanged.
    pub signing_input: &'a str,
    /// The signature.
    pub signature: &'a [u8],
    payload: &'a [u8],
}

/// The header of a token (RFC 7515 section 4), and what it names.
pub struct Header {
    /// All of it.
    pub members: Document,
    /// The algorithm.
    pub algorithm: &'static Algorithm,
    /// The key ID.
    pub kid: Option<String>,
}

/// Parses tokens, one after the other: in the same buffers, and the header, which the next token often repeats, only where
/// its text differs from that of the token before.
#[derive(Default)]
pub struct Parser {
    last_header: Option<(String, Header)>,
    signature: Octets,
    payload: Octets,
}

impl Parser {
    /// The ID token in this text. A fault is status 4, and of the values its message has only an algorithm.
    pub fn parse<'a>(&'a mut self, token: &'a str) -> Result<Jws<'a>, Error> {
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(untrusted(match token.split('.').count() {
                5 => "encrypted, which is not supported",
                _ => "not three parts separated by dots",
            }));
        };
        let last_header = match self.last_header.take() {
            Some(last) if last.0 == header => last,
            _ => (header.to_owned(), Header::parse(header)?),
        };
        Ok(Jws {
            header: &self.last_header.insert(last_header).1,
            signing_input: token.get(..header.len() + 1 + payload.len()).unwrap_or_default(),
            signature: self.signature.decoded(signature).ok_or_else(|| no_base64url("signature"))?,
            payload: self.payload.decoded(payload).ok_or_else(|| no_base64url("payload"))?,
        })
    }
}

impl Jws<'_> {
    /// The algorithm that the header names.
    pub fn algorithm(&self) -> &'static Algorithm {
        self.header.algorithm
    }

    /// The claims (RFC 7519 section 4), in the buffers of a document that is not needed any more.
    pub fn claims(&self, used: Document) -> Result<Document, Error> {
        let claims = used.replaced_by(self.payload).map_err(|wrong| untrusted(&format!("claims: {wrong}")))?;
        Ok(claims.in_token("id_token", "id_token"))
    }
}

/// A buffer that is wiped when dropped, and when a larger one takes its place.
#[derive(Default)]
struct Octets(Zeroizing<Vec<u8>>);

impl Octets {
    /// The octets in base64url without padding; `None` for any other text.
    fn decoded(&mut self, text: &str) -> Option<&[u8]> {
        let most = base64::decoded_len_estimate(text.len());
        if most > self.0.len() {
            self.0 = Zeroizing::new(vec![0; most]);
        }
        let count = URL_SAFE_NO_PAD.decode_slice(text, &mut self.0).ok()?;
        self.0.get(..count)
    }
}

impl Header {
    fn parse(text: &str) -> Result<Header, Error> {
        let members = Document::parse(&decoded(text).ok_or_else(|| no_base64url("header"))?);
        let members = members.map_err(|wrong| untrusted(&format!("header: {wrong}")))?;
        let members = members.in_token("id_token", "id_token: header");
        // No extension is supported, so a critical one must be rejected (RFC 7515 section 4.1.11). `b64` without `crit`
        // violates RFC 7797, and `zip` is for encrypted tokens only.
        if let Some(name) = ["crit", "b64", "zip"].into_iter().find(|name| members.has(name)) {
            return Err(members.wrong(name, "not supported"));
        }
        let alg = members.need("alg")?;
        Ok(Header {
            algorithm: Algorithm::from_name(&alg).ok_or_else(|| unsupported(&members, &alg))?,
            kid: members.text("kid")?,
            members,
        })
    }
}

fn no_base64url(part: &str) -> Error {
    untrusted(&format!("{part}: not base64url"))
}

/// The claims of the ID token in this text, whatever its algorithm; nothing is verified.
pub fn unverified_claims(token: &str) -> Result<Document, Error> {
    let mut parts = token.split('.');
    let payload = parts.nth(1).and_then(decoded).map(Zeroizing::new);
    let payload = payload.filter(|_| parts.count() == 1).ok_or_else(|| untrusted("not a signed JSON Web Token"))?;
    let claims = Document::parse(&payload).map_err(|wrong| untrusted(&format!("claims: {wrong}")))?;
    Ok(claims.in_token("id_token", "id_token"))
}

/// A claim that is a NumericDate (RFC 7519 section 2) within 64 bits, in Unix seconds; it may have a fraction.
pub fn numeric_date(claims: &Document, name: &str) -> Result<Option<f64>, Error> {
    let seconds = |json: &str| json.parse().ok().filter(|seconds: &f64| seconds.abs() < i64::MAX as f64);
    let read = |json| seconds(json).ok_or_else(|| claims.wrong(name, "must be a number of seconds"));
    claims.json(name).map(read).transpose()
}

/// The error about the ID token, status 4: it names a check, and of the values only public ones.
pub fn untrusted(wrong: &str) -> Error {
    Error::untrusted(format!("id_token: {wrong}")).about("id_token")
}

/// Why a token with this algorithm is rejected. What may be no name is not shown.
fn unsupported(header: &Document, alg: &str) -> Error {
    let is_name = alg.len() <= MAX_NAME && alg.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
    let wrong = match alg {
        "HS256" | "HS384" | "HS512" => format!("{alg} is not accepted, since whoever can verify it can also sign"),
        _ if alg.eq_ignore_ascii_case("none") => "unsigned tokens are not accepted".to_owned(),
        _ if is_name => format!("{alg} is not supported"),
        _ => return header.wrong("alg", "not supported"),
    };
    header.wrong("alg", &wrong).hint(ALG_OF_CLIENT)
}

/// A supported signature algorithm.
pub struct Algorithm {
    /// Its name (RFC 7518 section 3.1, RFC 8037 section 3.1).
    pub name: &'static str,
    /// How it is verified, and with which kind of key.
    pub scheme: Scheme,
    digest: &'static digest::Algorithm,
}

/// How a signature is verified.
pub enum Scheme {
    /// An RSA key of at least 2048 bits (RFC 7518 sections 3.3 and 3.5).
    Rsa(&'static RsaParameters),
    /// A point on a curve (RFC 7518 section 3.4).
    Ec {
        /// The kind of the key, such as `EC P-256`.
        kind: &'static str,
        /// The size of a coordinate in octets.
        size: usize,
        /// How a signature is verified.
        ecdsa: &'static EcdsaVerificationAlgorithm,
        /// The agreement on the same curve, which checks a point.
        ecdh: &'static agreement::Algorithm,
    },
    /// An Ed25519 key (RFC 8037 section 3.1).
    Ed25519,
}

impl Scheme {
    /// The scheme that uses this kind of key, if one is supported.
    pub fn of_kind(kind: &str) -> Option<&'static Scheme> {
        ALGORITHMS.iter().map(|algorithm| &algorithm.scheme).find(|scheme| scheme.kind() == kind)
    }

    /// The kind of key that it uses: `kty`, and `crv` if it has one.
    pub fn kind(&self) -> &'static str {
        match self {
            Scheme::Rsa(_) => "RSA",
            Scheme::Ec { kind, .. } => kind,
            Scheme::Ed25519 => "OKP Ed25519",
        }
    }
}

impl Algorithm {
    /// The algorithm of this name, if it is supported.
    pub fn from_name(name: &str) -> Option<&'static Algorithm> {
        ALGORITHMS.iter().find(|algorithm| algorithm.name == name)
    }

    /// The left half of the token's digest in base64url, as in `at_hash` (OpenID Connect Core section 3.1.3.6).
    pub fn half_hash(&self, token: &str) -> String {
        let digest = digest::digest(self.digest, token.as_bytes());
        let (left, _) = digest.as_ref().split_at(self.digest.output_len() / 2);
        encoded(left)
    }
}

/// The octets in base64url without padding (RFC 7515 section 2); `None` for any other text.
pub fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// The octets as base64url without padding.
pub fn encoded(octets: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

/// What to do about a token with an algorithm that is rejected.
const ALG_OF_CLIENT: &str =
    "in the client's settings at the server, set its ID tokens to be signed with RS256 or ES256";

/// Maximum length of an algorithm's name; the registered ones are shorter.
const MAX_NAME: usize = 20;

static ALGORITHMS: [Algorithm; 10] = [
    rsa("RS256", &ring_signature::RSA_PKCS1_2048_8192_SHA256, &digest::SHA256),
    rsa("RS384", &ring_signature::RSA_PKCS1_2048_8192_SHA384, &digest::SHA384),
    rsa("RS512", &ring_signature::RSA_PKCS1_2048_8192_SHA512, &digest::SHA512),
    rsa("PS256", &ring_signature::RSA_PSS_2048_8192_SHA256, &digest::SHA256),
    rsa("PS384", &ring_signature::RSA_PSS_2048_8192_SHA384, &digest::SHA384),
    rsa("PS512", &ring_signature::RSA_PSS_2048_8192_SHA512, &digest::SHA512),
    Algorithm {
        name: "ES256",
        scheme: Scheme::Ec {
            kind: "EC P-256",
            size: 32,
            ecdsa: &ring_signature::ECDSA_P256_SHA256_FIXED,
            ecdh: &agreement::ECDH_P256,
        },
        digest: &digest::SHA256,
    },
    Algorithm {
        name: "ES384",
        scheme: Scheme::Ec {
            kind: "EC P-384",
            size: 48,
            ecdsa: &ring_signature::ECDSA_P384_SHA384_FIXED,
            ecdh: &agreement::ECDH_P384,
        },
        digest: &digest::SHA384,
    },
    // Ed25519 uses SHA-512 internally, so at_hash does too.
    Algorithm { name: "EdDSA", scheme: Scheme::Ed25519, digest: &digest::SHA512 },
    // Its later name (RFC 9864), which excludes other curves.
    Algorithm { name: "Ed25519", scheme: Scheme::Ed25519, digest: &digest::SHA512 },
];

const fn rsa(name: &'static str, parameters: &'static RsaParameters, digest: &'static digest::Algorithm) -> Algorithm {
    Algorithm { name, scheme: Scheme::Rsa(parameters), digest }
}
