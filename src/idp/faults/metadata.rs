//! What can be wrong with metadata: RFC 8414, RFC 9728, OpenID Connect Discovery 1.0.

use serde_json::{Value, json};

use super::effect::Effect;
use super::kind::{Kind, Place};
use crate::idp::members::remove;

const fn metadata(name: &'static str, status: u8, does: &'static str, change: fn(&mut Value)) -> Kind {
    Kind::new(name, Place::Metadata, status, does, Effect::Object(change))
}

const fn resource(name: &'static str, status: u8, does: &'static str, change: fn(&mut Value)) -> Kind {
    Kind::new(name, Place::Resource, status, does, Effect::Object(change))
}

/// Changes the text of a member.
fn text(object: &mut Value, name: &str, change: impl FnOnce(&str) -> String) {
    let changed = object[name].as_str().map(change);
    object[name] = json!(changed);
}

/// All kinds.
pub static KINDS: &[Kind] = &[
    resource("resource-other", 4, "describes another resource", |object| {
        object["resource"] = json!("https://other.example/mcp");
    }),
    resource("resource-no-server", 4, "names no authorization server", |object| {
        remove(object, "authorization_servers")
    }),
    resource("resource-plain-server", 4, "names an authorization server at plain http elsewhere", |object| {
        object["authorization_servers"] = json!(["http://id.example"]);
    }),
    metadata("metadata-issuer-other", 4, "says that it is another issuer", |object| {
        object["issuer"] = json!("https://other.example");
    }),
    metadata("metadata-issuer-slash", 4, "writes its issuer with one / more or less at its end", |object| {
        text(object, "issuer", |issuer| issuer.strip_suffix('/').map_or(format!("{issuer}/"), str::to_owned));
    }),
    metadata("metadata-issuer-case", 4, "writes its issuer in capitals", |object| {
        text(object, "issuer", str::to_ascii_uppercase);
    }),
    metadata("metadata-issuer-template", 4, "leaves {tenantid} in its issuer, as Entra does", |object| {
        text(object, "issuer", |issuer| format!("{issuer}/{{tenantid}}"));
    }),
    metadata("metadata-issuer-missing", 4, "does not say who it is", |object| remove(object, "issuer")),
    metadata("metadata-issuer-number", 4, "says that its issuer is a number", |object| object["issuer"] = json!(5)),
    metadata("metadata-plain-endpoint", 4, "names a token endpoint at plain http elsewhere", |object| {
        object["token_endpoint"] = json!("http://id.example/token");
    }),
    metadata("metadata-script-endpoint", 4, "names a script as its authorization endpoint", |object| {
        object["authorization_endpoint"] = json!("javascript:alert(1)");
    }),
    metadata("metadata-fragment", 4, "names a token endpoint with a fragment", |object| {
        text(object, "token_endpoint", |endpoint| format!("{endpoint}#x"));
    }),
    metadata("metadata-userinfo", 4, "names a token endpoint with a user's name", |object| {
        text(object, "token_endpoint", |endpoint| endpoint.replacen("//", "//user@", 1));
    }),
    metadata("metadata-endpoint-number", 4, "says that its token endpoint is a number", |object| {
        object["token_endpoint"] = json!(5);
    }),
    metadata("metadata-dead-endpoint", 3, "names a token endpoint where nobody listens", |object| {
        object["token_endpoint"] = json!("http://127.0.0.1:1/token");
    }),
    metadata("metadata-localhost", 0, "names its endpoints at localhost", |object| {
        for name in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
            text(object, name, |endpoint| endpoint.replacen("127.0.0.1", "localhost", 1));
        }
    }),
    metadata("metadata-slashes", 0, "names endpoints with // in their path", |object| {
        for name in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
            text(object, name, |endpoint| {
                let (base, path) = endpoint.rsplit_once('/').unwrap_or_default();
                format!("{base}//{path}")
            });
        }
    }),
    metadata("metadata-no-token_endpoint", 2, "names no token endpoint", |object| remove(object, "token_endpoint")),
    metadata("metadata-no-jwks_uri", 2, "does not say where its keys are", |object| remove(object, "jwks_uri")),
    metadata("metadata-no-revocation", 2, "names no revocation endpoint", |object| {
        remove(object, "revocation_endpoint");
    }),
    metadata("metadata-no-registration", 2, "names no registration endpoint", |object| {
        remove(object, "registration_endpoint");
    }),
    metadata("metadata-no-pkce", 0, "does not say that it supports PKCE", |object| {
        remove(object, "code_challenge_methods_supported");
    }),
    metadata("metadata-plain", 2, "says that it supports PKCE with plain alone", |object| {
        object["code_challenge_methods_supported"] = json!(["plain"]);
    }),
    metadata("metadata-pushed", 2, "says that it takes pushed requests alone", |object| {
        object["require_pushed_authorization_requests"] = json!(true);
    }),
    metadata("metadata-no-iss", 0, "does not say that it sends iss", |object| {
        remove(object, "authorization_response_iss_parameter_supported");
    }),
    metadata("metadata-no-alg", 4, "does not say what it signs with, so that it is RS256", |object| {
        remove(object, "id_token_signing_alg_values_supported");
    }),
    metadata("metadata-other-alg", 4, "says that it signs with something else", |object| {
        object["id_token_signing_alg_values_supported"] = json!(["RS512"]);
    }),
    metadata("metadata-login", 0, "sets what is the login's own", |object| {
        for name in ["client_id", "client_secret", "code_verifier", "state", "nonce", "redirect_uri", "scope"] {
            object[name] = json!("from-the-server");
        }
    }),
    metadata("metadata-null", 0, "says null of what it does not have", |object| {
        object["end_session_endpoint"] = Value::Null;
    }),
];
