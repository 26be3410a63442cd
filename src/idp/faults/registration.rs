//! What can be wrong with a registration: RFC 7591.

use serde_json::{Value, json};

use super::effect::Effect;
use super::kind::{Kind, Place};
use crate::idp::members::remove;

const fn registered(name: &'static str, status: u8, does: &'static str, change: fn(&mut Value)) -> Kind {
    Kind::new(name, Place::Registration, status, does, Effect::Object(change))
}

const fn refused(name: &'static str, status: u8, does: &'static str, effect: Effect) -> Kind {
    Kind::new(name, Place::Registration, status, does, effect)
}

/// All kinds.
pub static KINDS: &[Kind] = &[
    registered("register-no-client_id", 4, "registers a client without a client_id", |object| {
        remove(object, "client_id")
    }),
    registered("register-metadata", 0, "sets token_endpoint and issuer in its response", |object| {
        object["token_endpoint"] = json!("https://other.example/token");
        object["issuer"] = json!("https://other.example");
    }),
    refused("register-refused", 1, "refuses every registration", Effect::Error(403, "access_denied")),
    refused("register-redirect_uri", 1, "refuses every redirect URI", Effect::Error(400, "invalid_redirect_uri")),
];
