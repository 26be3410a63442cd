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
        does: "refuses with this error",
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
        "refuses with invalid_grant and status 403, as Auth0 does",
        Effect::Error(403, "invalid_grant"),
    ),
    Kind::new(
        "token-error-200",
        Place::Token,
        1,
        "refuses with status 200, as GitHub does",
        Effect::Error(200, "bad_verification_code"),
    ),
    Kind::new(
        "token-error-dpop",
        Place::Token,
        1,
        "asks for a proof that the client does not have (DPoP)",
        Effect::Error(400, "use_dpop_nonce"),
    ),
    Kind::new("token-error-echo", Place::Token, 5, "repeats in its description what it was sent", Effect::Echo),
    instead("token-error-escapes", 5, "describes its error with a terminal's escapes and line ends", || {
        Response::error(400, "invalid_grant", "\u{1b}]0;owned\u{7}\u{1b}[31m\r\nAADSTS70008\r\nTrace ID: 0")
    }),
    instead("token-error-number", 4, "answers with an error that is a number, and tokens", || {
        Response::json(200, &json!({ "error": 5, "access_token": "a", "token_type": "Bearer" }))
    }),
    instead("token-error-empty", 1, "answers with an error that is empty, and tokens", || {
        Response::json(200, &json!({ "error": "", "access_token": "a", "token_type": "Bearer" }))
    }),
    instead("token-not-ok", 1, "answers with \"ok\":false and status 200, as Slack does", || {
        Response::json(200, &json!({ "ok": false, "error": "invalid_code" }))
    }),
    Kind::new("token-form", Place::Token, 0, "answers with a form, as GitHub does", Effect::Octets(as_form)),
    instead("token-plain-form", 4, "answers with a form that it does not call one", || {
        Response::text(200, "text/plain", "access_token=from-a-form&expires=3600")
    }),
    token("token-type-missing", 4, "does not say of what type the token is", |object| remove(object, "token_type")),
    token("token-type-lower", 0, "writes bearer small", |object| object["token_type"] = json!("bearer")),
    token("token-type-mixed", 0, "writes bEaReR", |object| object["token_type"] = json!("bEaReR")),
    token("token-type-mac", 4, "gives a token of a type that nobody asked for", |object| {
        object["token_type"] = json!("mac")
    }),
    token("token-type-dpop", 4, "gives a token that needs a proof (DPoP)", |object| {
        object["token_type"] = json!("DPoP")
    }),
    token("token-type-number", 4, "gives a token whose type is a number", |object| object["token_type"] = json!(1)),
    token("token-missing", 4, "gives no access token", |object| remove(object, "access_token")),
    token("token-null", 4, "gives null for an access token", |object| object["access_token"] = Value::Null),
    token("token-number", 4, "gives a number for an access token", |object| object["access_token"] = json!(5)),
    token("token-blank", 4, "gives an empty access token", |object| object["access_token"] = json!("")),
    token("token-line-end", 4, "gives an access token with a line end in it", |object| {
        object["access_token"] = json!("a\r\nX-Injected: b");
    }),
    token("token-accents", 4, "gives an access token with letters outside ASCII", |object| {
        object["access_token"] = json!("\u{e9}\u{e9}\u{e9}");
    }),
    Kind::new("token-long", Place::Token, 0, "gives tokens of 64,000 characters", Effect::Lax(Laxity::LongTokens)),
    token("token-nested", 4, "gives its tokens one level deeper, as Slack does", |object| {
        *object = json!({ "ok": true, "authed_user": { "access_token": "a", "token_type": "user" } });
    }),
    token("token-refresh-number", 4, "gives a number for a refresh token", |object| object["refresh_token"] = json!(5)),
    token("token-refresh-blank", 4, "gives an empty refresh token", |object| object["refresh_token"] = json!("")),
    token("token-expires-string", 0, "writes expires_in as a string, as PayPal does", |object| {
        object["expires_in"] = json!("3600");
    }),
    token("token-expires-float", 0, "writes expires_in with a fraction, as reddit does", |object| {
        object["expires_in"] = json!(3600.5);
    }),
    token("token-expires-absent", 0, "does not say how long the token lives", |object| remove(object, "expires_in")),
    token("token-expires-null", 0, "says null of how long the token lives", |object| {
        object["expires_in"] = Value::Null
    }),
    token("token-expires-zero", 0, "gives a token that has expired already", |object| object["expires_in"] = json!(0)),
    token("token-expires-negative", 4, "gives a token that lives for less than no time", |object| {
        object["expires_in"] = json!(-1);
    }),
    token("token-expires-words", 4, "writes expires_in in words", |object| object["expires_in"] = json!("an hour")),
    token("token-expires-object", 4, "writes expires_in as an object", |object| object["expires_in"] = json!({})),
    token("token-expires-beyond", 4, "gives a token that outlives the sun", |object| {
        object["expires_in"] = json!(i64::MAX);
    }),
    Kind::new(
        "token-expires-infinite",
        Place::Token,
        4,
        "writes expires_in as 1e400",
        Effect::Text(|text| text.replacen("\"expires_in\":3600", "\"expires_in\":1e400", 1)),
    ),
    token("token-scope-narrower", 0, "grants less than was asked for", |object| object["scope"] = json!("openid")),
    token("token-scope-array", 0, "writes the scope as an array, as Twitch does", |object| {
        object["scope"] = json!(["openid", "offline_access"]);
    }),
    token("token-scope-absent", 0, "does not say what it grants", |object| remove(object, "scope")),
    token("token-scope-number", 4, "writes the scope as a number", |object| object["scope"] = json!(5)),
    token("token-extras", 0, "adds members of its own, as Keycloak does", |object| {
        object["iat"] = json!(1_800_000_000_u64);
        object["refresh_expires_in"] = json!(1800);
        object["not-before-policy"] = json!(0);
        object["session_state"] = json!("x");
    }),
    token("token-steers", 0, "sets token_endpoint, issuer and client_id in its answer", |object| {
        object["token_endpoint"] = json!("https://other.example/token");
        object["issuer"] = json!("https://other.example");
        object["client_id"] = json!("other");
        object["id_token_claims"] = json!({ "sub": "somebody" });
        object["expires_at"] = json!(9_999_999_999_u64);
    }),
];
