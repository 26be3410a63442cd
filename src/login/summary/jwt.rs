//! What a token shows without its key: RFC 7519 in the compact serializations of RFC 7515 and RFC 7516. Nothing is verified.

use zeroize::Zeroizing;

use crate::document::Document;
use crate::id_token::jws;

/// A JSON Web Token.
pub struct Jwt {
    /// The signature algorithm that its header names, if it is a registered one; any other name may be part of a secret.
    pub algorithm: Option<&'static str>,
    /// Whether it is encrypted, so that its claims are unknown.
    pub is_encrypted: bool,
    /// The claims, if they can be read.
    pub claims: Option<Document>,
}

impl Jwt {
    /// The JSON Web Token in this text; `None` for an opaque token.
    pub fn parse(token: &str) -> Option<Jwt> {
        let parts: Vec<&str> = token.split('.').collect();
        let header = object(parts.first()?)?;
        let alg = header.text("alg").ok().flatten()?;
        let is_encrypted = parts.len() == 5 && header.has("enc");
        if parts.len() != 3 && !is_encrypted {
            return None;
        }
        let claims = jws::unverified_claims(token).ok();
        let algorithm = ALGORITHMS.into_iter().find(|name| !is_encrypted && *name == alg);
        Some(Jwt { algorithm, is_encrypted, claims })
    }

    /// When it expires, in Unix seconds, as its `exp` says. Some servers write 0 for never; a number that is not exact is
    /// unknown.
    pub fn expires_at(&self) -> Option<u64> {
        let seconds = jws::numeric_date(self.claims.as_ref()?, "exp").ok().flatten()?;
        (1.0..=MAX_EXACT).contains(&seconds).then_some(seconds as u64)
    }
}

/// The object in a part of a token.
fn object(part: &str) -> Option<Document> {
    Document::parse(&Zeroizing::new(jws::decoded(part)?)).ok()
}

/// Up to here, each whole number is exact (2 to the power of 53).
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// The signature algorithms of the IANA JOSE registry, and none.
const ALGORITHMS: [&str; 17] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "ES256K", "EdDSA", "Ed25519",
    "Ed448", "HS256", "HS384", "HS512", "none",
];
