//! The ID token: OpenID Connect Core section 2, RFC 7515 section 7.1.

use serde_json::json;

use crate::error::Error;
use crate::id_token::jws::encoded;
use crate::idp::clock::now;
use crate::idp::faults::{Effect, Place};
use crate::idp::members::without_nulls;
use crate::idp::service::Service;
use crate::idp::state::grants::{ACCESS, Tokens};

/// A signed ID token for these tokens, with its own faults and those of the token request.
pub fn id_token(service: &Service, tokens: &Tokens, faults: &[Effect]) -> Result<String, Error> {
    let mut claims = without_nulls(json!({
        "iss": service.issuer,
        "sub": tokens.person.name,
        "aud": tokens.client_id,
        "iat": now(),
        "exp": now() + ACCESS.as_secs(),
        "auth_time": tokens.person.auth_time,
        "at_hash": service.keys.half_hash(&tokens.access_token),
        "preferred_username": tokens.person.name,
        "nonce": tokens.nonce,
        "acr": tokens.acr,
    }));
    let mut effects = service.faults.strike(Place::IdToken);
    effects.extend(faults);
    service.keys.signing(|key| {
        let mut header = key.header();
        for effect in &effects {
            effect.describe(&mut header, &mut claims);
        }
        let payload = effects.iter().fold(claims.to_string(), |payload, effect| effect.payload(payload));
        let input = format!("{}.{}", encoded(header.to_string()), encoded(payload));
        let token = format!("{input}.{}", key.signature(&input)?);
        Ok(effects.iter().fold(token, |token, effect| effect.signed(token, &key.jwk())))
    })
}
