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
    resource("resource-other", 4, "names another resource", |object| {
        object["resource"] = json!("https://other.example/mcp");
    }),
    resource("resource-no-server", 4, "omits authorization_servers", |object| remove(object, "authorization_servers")),
    resource("resource-plain-server", 4, "names an authorization server at a remote plain http URL", |object| {
        object["authorization_servers"] = json!(["http://id.example"]);
    }),
    metadata("metadata-issuer-other", 4, "names another issuer", |object| {
        object["issuer"] = json!("https://other.example");
    }),
    metadata("metadata-issuer-slash", 4, "adds or removes a final / in the issuer", |object| {
        text(object, "issuer", |issuer| issuer.strip_suffix('/').map_or(format!("{issuer}/"), str::to_owned));
    }),
    metadata("metadata-issuer-case", 4, "names its issuer in capital letters", |object| {
        text(object, "issuer", str::to_ascii_uppercase);
    }),
    metadata("metadata-issuer-template", 4, "leaves {tenantid} in the issuer, as Entra does", |object| {
        text(object, "issuer", |issuer| format!("{issuer}/{{tenantid}}"));
    }),
    metadata("metadata-issuer-missing", 4, "omits issuer", |object| remove(object, "issuer")),
    metadata("metadata-issuer-number", 4, "sets issuer to a number", |object| object["issuer"] = json!(5)),
    metadata("metadata-plain-endpoint", 4, "names a token endpoint at a remote plain http URL", |object| {
        object["token_endpoint"] = json!("http://id.example/token");
    }),
    metadata("metadata-script-endpoint", 4, "names a javascript: URL as its authorization endpoint", |object| {
        object["authorization_endpoint"] = json!("javascript:alert(1)");
    }),
    metadata("metadata-fragment", 4, "names a token endpoint with a fragment", |object| {
        text(object, "token_endpoint", |endpoint| format!("{endpoint}#x"));
    }),
    metadata("metadata-userinfo", 4, "names a token endpoint with a user name in the URL", |object| {
        text(object, "token_endpoint", |endpoint| endpoint.replacen("//", "//user@", 1));
    }),
    metadata("metadata-endpoint-number", 4, "sets token_endpoint to a number", |object| {
        object["token_endpoint"] = json!(5);
    }),
    metadata("metadata-dead-endpoint", 3, "names a token endpoint at a closed port", |object| {
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
    metadata("metadata-no-token_endpoint", 2, "omits token_endpoint", |object| remove(object, "token_endpoint")),
    metadata("metadata-no-jwks_uri", 2, "omits jwks_uri", |object| remove(object, "jwks_uri")),
    metadata("metadata-no-revocation", 2, "omits revocation_endpoint", |object| {
        remove(object, "revocation_endpoint");
    }),
    metadata("metadata-no-registration", 2, "omits registration_endpoint", |object| {
        remove(object, "registration_endpoint");
    }),
    metadata("metadata-no-device", 2, "omits device_authorization_endpoint", |object| {
        remove(object, "device_authorization_endpoint");
    }),
    metadata("metadata-no-pkce", 0, "omits code_challenge_methods_supported", |object| {
        remove(object, "code_challenge_methods_supported");
    }),
    metadata("metadata-plain", 2, "advertises PKCE with plain only", |object| {
        object["code_challenge_methods_supported"] = json!(["plain"]);
    }),
    metadata("metadata-pushed", 2, "advertises that it requires pushed requests", |object| {
        object["require_pushed_authorization_requests"] = json!(true);
    }),
    metadata("metadata-no-iss", 0, "omits authorization_response_iss_parameter_supported", |object| {
        remove(object, "authorization_response_iss_parameter_supported");
    }),
    metadata("metadata-no-alg", 4, "omits id_token_signing_alg_values_supported, which means RS256", |object| {
        remove(object, "id_token_signing_alg_values_supported");
    }),
    metadata("metadata-other-alg", 4, "advertises another signing algorithm", |object| {
        object["id_token_signing_alg_values_supported"] = json!(["RS512"]);
    }),
    metadata("metadata-login", 0, "sets members that belong to the login, such as state", |object| {
        for name in ["client_id", "client_secret", "code_verifier", "state", "nonce", "redirect_uri", "scope"] {
            object[name] = json!("from-the-server");
        }
    }),
    metadata("metadata-null", 0, "sets an endpoint that it does not have to null", |object| {
        object["end_session_endpoint"] = Value::Null;
    }),
];
