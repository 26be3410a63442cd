//! The ID token: RFC 7515 (signature), RFC 7517 (keys), OpenID Connect Core section 3.1.3.7 (claims).

pub mod claims;
pub mod jwks;
pub mod jws;
pub mod key;
