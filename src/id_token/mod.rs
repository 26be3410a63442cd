//! The ID token: RFC 7515 (its form), RFC 7517 (the keys), OpenID Connect Core section 3.1.3.7 (its claims).

pub mod claims;
pub mod jwks;
pub mod jws;
