//! What can be wrong with a device authorization response: RFC 8628 section 3.2.

use serde_json::{Value, json};

use super::effect::Effect;
use super::kind::{Kind, Place};
use crate::idp::members::remove;

const fn authorized(name: &'static str, status: u8, does: &'static str, change: fn(&mut Value)) -> Kind {
    Kind::new(name, Place::Device, status, does, Effect::Object(change))
}

const fn refused(name: &'static str, error: &'static str) -> Kind {
    Kind::new(name, Place::Device, 1, "responds with this error", Effect::Error(400, error))
}

/// All kinds.
pub static KINDS: &[Kind] = &[
    refused("device-error-unauthorized_client", "unauthorized_client"),
    refused("device-error-invalid_scope", "invalid_scope"),
    authorized("device-no-device_code", 4, "omits device_code", |object| remove(object, "device_code")),
    authorized("device-no-user_code", 4, "omits user_code", |object| remove(object, "user_code")),
    authorized("device-escapes", 4, "sends terminal escapes in user_code", |object| {
        object["user_code"] = json!("\u{1b}]0;owned\u{7}\u{1b}[31mBCDF-GHJK");
    }),
    authorized("device-no-verification_uri", 4, "omits verification_uri", |object| {
        remove(object, "verification_uri");
    }),
    authorized(
        "device-verification_url",
        0,
        "sends verification_url instead of verification_uri, as Google does",
        |object| {
            object["verification_url"] = object["verification_uri"].take();
            remove(object, "verification_uri");
        },
    ),
    authorized("device-plain-uri", 4, "sends a verification_uri at a remote plain http URL", |object| {
        object["verification_uri"] = json!("http://id.example/device");
    }),
    authorized("device-script-uri", 4, "sends a javascript: URL as verification_uri", |object| {
        object["verification_uri"] = json!("javascript:alert(1)");
    }),
    authorized("device-no-link", 0, "omits verification_uri_complete, as GitHub and Entra do", |object| {
        remove(object, "verification_uri_complete");
    }),
    authorized("device-plain-link", 0, "sends a verification_uri_complete at a remote plain http URL", |object| {
        object["verification_uri_complete"] = json!("http://id.example/device?user_code=BCDF-GHJK");
    }),
    authorized("device-expired", 3, "says that its codes are valid for one second", |object| {
        object["expires_in"] = json!(1);
    }),
    authorized("device-expires-string", 0, "sends expires_in as a string", |object| {
        object["expires_in"] = json!("300");
    }),
    authorized("device-expires-absent", 0, "omits expires_in", |object| remove(object, "expires_in")),
    authorized("device-interval-absent", 0, "omits interval, which means 5 seconds", |object| {
        remove(object, "interval");
    }),
    authorized("device-interval-zero", 0, "sets interval to 0", |object| object["interval"] = json!(0)),
    authorized("device-interval-string", 0, "sends interval as a string", |object| object["interval"] = json!("1")),
    authorized("device-interval-words", 0, "sends interval in words", |object| object["interval"] = json!("a second")),
    authorized("device-interval-hour", 3, "sets interval to an hour", |object| object["interval"] = json!(3600)),
];
