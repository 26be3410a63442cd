//! What can be wrong with the keys: RFC 7517, RFC 7518.

use serde_json::{Value, json};

use super::effect::Effect;
use super::forgery::MODULUS;
use super::kind::{Kind, Place};
use crate::id_token::jws::encoded;
use crate::idp::keys::{Alg, Key};
use crate::idp::members::remove;

const fn keys(name: &'static str, status: u8, does: &'static str, change: fn(&mut Value)) -> Kind {
    Kind::new(name, Place::Keys, status, does, Effect::Object(change))
}

/// The `kid` of the first key.
fn first_kid(set: &Value) -> Option<&str> {
    set.pointer("/keys/0/kid")?.as_str()
}

/// Changes each key of the set.
fn each(set: &mut Value, change: impl FnMut(&mut Value)) {
    set["keys"].as_array_mut().into_iter().flatten().for_each(change);
}

/// All kinds.
pub static KINDS: &[Kind] = &[
    keys("jwks-none", 4, "publishes no key", |set| set["keys"] = json!([])),
    keys("jwks-no-keys", 4, "omits keys", |set| remove(set, "keys")),
    keys("jwks-encryption", 4, "publishes its key for encryption only", |set| {
        each(set, |key| key["use"] = json!("enc"))
    }),
    keys("jwks-operations", 4, "publishes its key for other operations", |set| {
        each(set, |key| key["key_ops"] = json!(["encrypt"]));
    }),
    keys("jwks-off-curve", 4, "publishes a point that is not on the curve", |set| {
        each(set, |key| key["x"] = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"));
    }),
    keys("jwks-standard-base64", 4, "publishes a key with base64 padding", |set| {
        each(set, |key| key["x"] = json!(format!("{}=", key["x"].as_str().unwrap_or_default())));
    }),
    keys("jwks-private", 0, "publishes a private key", |set| each(set, |key| key["d"] = json!("AAAA"))),
    keys("jwks-no-alg", 0, "omits alg and use, as Entra does", |set| {
        each(set, |key| {
            remove(key, "alg");
            remove(key, "use");
        });
    }),
    keys("jwks-two", 0, "publishes two keys with the same kid, the correct one last", |set| {
        let Ok(other) = Key::new(Alg::Es256) else { return };
        let mut other = other.jwk();
        other.as_object_mut().into_iter().for_each(|key| drop(key.insert("kid".to_owned(), json!(first_kid(set)))));
        set["keys"].as_array_mut().into_iter().for_each(|keys| keys.insert(0, other.clone()));
    }),
    keys("jwks-exponent-1", 0, "publishes another RSA key, with the exponent 1", |set| {
        let name = first_kid(set);
        let key = json!({ "kty": "RSA", "n": encoded([0xff; MODULUS]), "e": encoded([1]), "kid": name });
        set["keys"].as_array_mut().into_iter().for_each(|keys| keys.push(key.clone()));
    }),
    keys("jwks-noise", 0, "publishes unknown keys too", |set| {
        let noise = json!([5, { "kty": "XYZ" }, { "kty": "EC", "crv": "P-256" }, { "kty": "oct", "k": "AAAA" }]);
        let noise = noise.as_array().cloned().unwrap_or_default();
        set["keys"].as_array_mut().into_iter().for_each(|keys| keys.extend_from_slice(&noise));
    }),
];
