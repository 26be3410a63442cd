//! What can be wrong with a pushed authorization request: RFC 9126.

use serde_json::{Value, json};

use super::effect::Effect;
use super::kind::{Kind, Place};
use crate::idp::members::remove;

const fn pushed(name: &'static str, status: u8, does: &'static str, change: fn(&mut Value)) -> Kind {
    Kind::new(name, Place::Push, status, does, Effect::Object(change))
}

/// All kinds.
pub static KINDS: &[Kind] = &[
    pushed("push-no-request_uri", 4, "omits request_uri", |object| {
        remove(object, "request_uri");
    }),
    Kind::new("push-refused", Place::Push, 1, "refuses every request", Effect::Error(400, "invalid_request")),
    pushed("push-unknown", 3, "sends a request_uri that it does not accept", |object| {
        object["request_uri"] = json!("urn:ietf:params:oauth:request_uri:other");
    }),
];
