//! What can be wrong with a refresh: RFC 6749 section 6, OpenID Connect Core section 12.2.

use serde_json::{Value, json};

use super::effect::Effect;
use super::kind::{Kind, Place};
use crate::idp::members::remove;

const fn refresh(name: &'static str, status: u8, does: &'static str, change: fn(&mut Value)) -> Kind {
    Kind::new(name, Place::Refresh, status, does, Effect::Object(change))
}

const fn id_token(name: &'static str, status: u8, does: &'static str, change: fn(&mut Value)) -> Kind {
    Kind::new(name, Place::Refresh, status, does, Effect::Claims(change))
}

/// All kinds.
pub static KINDS: &[Kind] = &[
    Kind::new("refresh-refused", Place::Refresh, 5, "refuses every refresh", Effect::Error(400, "invalid_grant")),
    refresh("refresh-no-token", 0, "rotates the refresh token without sending the new one", |object| {
        remove(object, "refresh_token");
    }),
    refresh("refresh-no-id_token", 0, "omits id_token at a refresh", |object| remove(object, "id_token")),
    refresh("refresh-no-scope", 0, "omits scope at a refresh", |object| remove(object, "scope")),
    id_token("refresh-other-sub", 4, "sends the ID token of another user at a refresh", |claims| {
        claims["sub"] = json!("somebody-else");
    }),
    id_token("refresh-other-iss", 4, "sends the ID token of another issuer at a refresh", |claims| {
        claims["iss"] = json!("https://other.example");
    }),
    id_token("refresh-other-login", 4, "sends the ID token of another login at a refresh", |claims| {
        claims["auth_time"] = json!(1);
    }),
    id_token("refresh-other-azp", 4, "sends an ID token with another client as azp at a refresh", |claims| {
        claims["azp"] = json!("other");
    }),
    id_token("refresh-no-nonce", 0, "omits nonce from the ID token at a refresh", |claims| remove(claims, "nonce")),
];
