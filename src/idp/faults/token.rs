//! What can be wrong with a token response: RFC 6749 sections 5.1, 5.2 and 6.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::effect::Effect;
use super::kind::{Kind, Place};
use super::message::{with_head, with_text};
use crate::idp::laxity::Laxity;
use crate::idp::members::remove;
use crate::idp::response::Response;
use crate::wire::form;

/// All kinds.
pub fn kinds() -> Vec<Kind> {
    let error = |(code, http_status, status): (&'static str, u16, u8)| Kind {
        name: Cow::Owned(format!("token-error-{code}")),
        place: Place::Token,
        status,
        does: "responds with this error",
        effect: Effect::Error(http_status, code),
    };
    ERRORS.into_iter().map(error).chain(KINDS.iter().cloned()).collect()
}

const fn token(name: &'static str, status: u8, does: &'static str, change: fn(&mut Value)) -> Kind {
    Kind::new(name, Place::Token, status, does, Effect::Object(change))
}

const fn instead(name: &'static str, status: u8, does: &'static str, response: fn() -> Response) -> Kind {
    Kind::new(name, Place::Token, status, does, Effect::Instead(response))
}

/// The response with its JSON object as a form.
fn as_form(octets: Vec<u8>) -> Vec<u8> {
    let octets = with_head(octets, |head| head.replace("application/json", "application/x-www-form-urlencoded"));
    with_text(octets, |text| {
        let members: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
        let pairs = members.iter().map(|(name, value)| match value {
            Value::String(text) => (name.as_str(), text.clone()),
            other => (name.as_str(), other.to_string()),
        });
        let pairs: Vec<(&str, String)> = pairs.collect();
        form::encoded(pairs.iter().map(|(name, value)| (*name, value.as_str()))).to_string()
    })
}

/// The errors of RFC 6749 section 5.2 and RFC 8707 section 2, with the HTTP status and the exit status of each.
const ERRORS: [(&str, u16, u8); 7] = [
    ("invalid_request", 400, 1),
    ("invalid_client", 401, 1),
    ("invalid_grant", 400, 5),
    ("unauthorized_client", 400, 1),
    ("unsupported_grant_type", 400, 1),
    ("invalid_scope", 400, 1),
    ("invalid_target", 400, 1),
];

static KINDS: &[Kind] = &[
    Kind::new(
        "token-error-403",
        Place::Token,
        5,
        "responds with 403 and invalid_grant, as Auth0 does",
        Effect::Error(403, "invalid_grant"),
    ),
    Kind::new(
        "token-error-200",
        Place::Token,
        1,
        "responds with 200 and an error, as GitHub does",
        Effect::Error(200, "bad_verification_code"),
    ),
    Kind::new("token-error-dpop", Place::Token, 1, "requires a DPoP proof", Effect::Error(400, "use_dpop_nonce")),
    Kind::new("token-error-echo", Place::Token, 5, "repeats the request's secrets in error_description", Effect::Echo),
    instead("token-error-escapes", 5, "sends terminal escapes and line breaks in error_description", || {
        Response::error(400, "invalid_grant", "\u{1b}]0;owned\u{7}\u{1b}[31m\r\nAADSTS70008\r\nTrace ID: 0")
    }),
    instead("token-error-number", 4, "responds with a number as error, and a token", || {
        Response::json(200, &json!({ "error": 5, "access_token": "a", "token_type": "Bearer" }))
    }),
    token("token-error-empty", 0, "adds an empty error to the tokens", |response| response["error"] = json!("")),
    instead("token-not-ok", 1, "responds with 200 and \"ok\":false, as Slack does", || {
        Response::json(200, &json!({ "ok": false, "error": "invalid_code" }))
    }),
    Kind::new("token-form", Place::Token, 0, "responds with a form, as GitHub does", Effect::Octets(as_form)),
    instead("token-plain-form", 4, "responds with a form labeled as text/plain", || {
        Response::text(200, "text/plain", "access_token=from-a-form&expires=3600")
    }),
    token("token-type-missing", 0, "omits token_type", |object| remove(object, "token_type")),
    token("token-type-lower", 0, "sets token_type to bearer", |object| object["token_type"] = json!("bearer")),
    token("token-type-mixed", 0, "sets token_type to bEaReR", |object| object["token_type"] = json!("bEaReR")),
    token("token-type-mac", 4, "sets token_type to mac", |object| object["token_type"] = json!("mac")),
    token("token-type-dpop", 4, "sets token_type to DPoP", |object| object["token_type"] = json!("DPoP")),
    token("token-type-number", 0, "sets token_type to a number", |object| object["token_type"] = json!(1)),
    token("token-missing", 4, "omits access_token", |object| remove(object, "access_token")),
    token("token-null", 4, "sets access_token to null", |object| object["access_token"] = Value::Null),
    token("token-number", 4, "sets access_token to a number", |object| object["access_token"] = json!(5)),
    token("token-blank", 4, "sets access_token to an empty string", |object| object["access_token"] = json!("")),
    token("token-line-end", 4, "sends an access token that contains a line break", |object| {
        object["access_token"] = json!("a\r\nX-Injected: b");
    }),
    token("token-accents", 4, "sends an access token with non-ASCII letters", |object| {
        object["access_token"] = json!("\u{e9}\u{e9}\u{e9}");
    }),
    Kind::new("token-long", Place::Token, 0, "sends tokens of 64,000 characters", Effect::Lax(Laxity::LongTokens)),
    token("token-nested", 4, "sends its tokens one level deeper, as Slack does", |object| {
        *object = json!({ "ok": true, "authed_user": { "access_token": "a", "token_type": "user" } });
    }),
    token("token-refresh-number", 2, "sets refresh_token to a number", |object| object["refresh_token"] = json!(5)),
    token("token-refresh-blank", 2, "sets refresh_token to an empty string", |object| {
        object["refresh_token"] = json!("")
    }),
    token("token-expires-string", 0, "sends expires_in as a string, as PayPal does", |object| {
        object["expires_in"] = json!("3600");
    }),
    token("token-expires-float", 0, "sends a fractional expires_in, as reddit does", |object| {
        object["expires_in"] = json!(3600.5);
    }),
    token("token-expires-absent", 0, "omits expires_in", |object| remove(object, "expires_in")),
    token("token-expires-null", 0, "sets expires_in to null", |object| object["expires_in"] = Value::Null),
    token("token-expires-zero", 0, "sets expires_in to 0", |object| object["expires_in"] = json!(0)),
    token("token-expires-negative", 0, "sets expires_in to a negative number", |object| {
        object["expires_in"] = json!(-1);
    }),
    token("token-expires-words", 0, "sends expires_in in words", |object| object["expires_in"] = json!("an hour")),
    token("token-expires-object", 0, "sets expires_in to an object", |object| object["expires_in"] = json!({})),
    token("token-expires-beyond", 0, "sets expires_in to the largest 64-bit integer", |object| {
        object["expires_in"] = json!(i64::MAX);
    }),
    Kind::new(
        "token-expires-infinite",
        Place::Token,
        0,
        "sets expires_in to 1e400",
        Effect::Text(|text| text.replacen("\"expires_in\":3600", "\"expires_in\":1e400", 1)),
    ),
    token("token-scope-narrower", 0, "grants less than the requested scope", |object| {
        object["scope"] = json!("openid")
    }),
    token("token-scope-array", 0, "sends scope as an array, as Twitch does", |object| {
        object["scope"] = json!(["openid", "offline_access"]);
    }),
    token("token-scope-absent", 0, "omits scope", |object| remove(object, "scope")),
    token("token-scope-number", 0, "sets scope to a number", |object| object["scope"] = json!(5)),
    token("token-extras", 0, "adds unknown members, as Keycloak does", |object| {
        object["iat"] = json!(1_800_000_000_u64);
        object["refresh_expires_in"] = json!(1800);
        object["not-before-policy"] = json!(0);
        object["session_state"] = json!("x");
    }),
    token("token-steers", 0, "sets token_endpoint, issuer and client_id in its response", |object| {
        object["token_endpoint"] = json!("https://other.example/token");
        object["issuer"] = json!("https://other.example");
        object["client_id"] = json!("other");
        object["id_token_claims"] = json!({ "sub": "somebody" });
        object["expires_at"] = json!(9_999_999_999_u64);
    }),
];
