//! What to do about a request that the server refuses: RFC 6749 section 5.2, as servers mean it.

use crate::client::authentication::{Authentication, listed_methods, requires_secret, unsupported_methods};
use crate::client::oauth_error;
use crate::client::scope;
use crate::document::Document;
use crate::error::Error;
use crate::message;

/// The error of the response to this request of the document's client, with a hint if there is a known cure.
pub fn with_hint(error: Error, document: &Document, authentication: &Authentication, pairs: &[(&str, &str)]) -> Error {
    match hint(&error, document, authentication, pairs) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn hint(error: &Error, document: &Document, authentication: &Authentication, pairs: &[(&str, &str)]) -> Option<String> {
    let (code, is_401) = (error.oauth_code(), error.response_status() == Some(401));
    let is_unknown = code == Some("invalid_client") || (code.is_none() && is_401);
    let is_public = matches!(authentication, Authentication::None);
    // A secret that is not the document's own may be wrong instead.
    let is_own = is_public || document.has("client_secret");
    let speaks_of = |words| oauth_error::speaks_of(error.oauth_error().description.as_deref(), words);
    let value = |name| pairs.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
    let is_refresh = value("grant_type") == Some("refresh_token");
    match code {
        _ if is_unknown && is_own && document.has("redirect_uris") => Some(REGISTER_AGAIN.to_owned()),
        Some("invalid_client") if is_public => Some(public_client(document)),
        Some("unauthorized_client") if is_public && is_401 => Some(public_client(document)),
        _ if is_unknown && !is_public => Some(other_method(document, authentication)),
        Some(_) if is_public && speaks_of("clientsecret") => Some(SECRET_REQUIRED.to_owned()),
        Some(code) if oauth_error::is_dpop(code) || speaks_of("dpop") => Some(DPOP.to_owned()),
        Some(code) if is_refresh && value("scope").is_none() && (code == "invalid_scope" || speaks_of("scope")) => {
            let granted = document.text("scope").ok().flatten().unwrap_or_else(|| "SCOPE".to_owned());
            Some(format!("the server may require the scope at a refresh too: --scope {}", message::word(&granted)))
        }
        Some("invalid_scope") => refused_scope(document, value("scope"), is_refresh),
        _ => None,
    }
}

/// What to do about a scope that the server refuses.
pub fn refused_scope(document: &Document, requested: Option<&str>, is_refresh: bool) -> Option<String> {
    let requested = requested?;
    let shown = message::shortened(requested);
    let supported = document.texts("scopes_supported").ok().flatten();
    let missing = supported.map(|supported| scope::missing(requested, &supported.join(" ")).join(" "));
    Some(match missing.filter(|missing| !missing.is_empty()) {
        Some(missing) => {
            let missing = message::shortened(&missing);
            format!("the requested scope was {shown}; the server's scopes_supported lacks {missing}")
        }
        None => {
            let option = if is_refresh { "--scope" } else { "pkce-url --scope" };
            format!("the requested scope was {shown}; request another with {option}")
        }
    })
}

/// What to do about a client without a secret that the server does not accept.
fn public_client(document: &Document) -> String {
    match unsupported_methods(document) {
        Some(names) if names.is_empty() => NO_METHOD.to_owned(),
        Some(names) => format!("{NO_METHOD}: {names}"),
        None if requires_secret(document) => SECRET_REQUIRED.to_owned(),
        None => PUBLIC_CLIENT.to_owned(),
    }
}

/// What to do about a client whose secret the server does not accept, or not in this way: some servers accept only the
/// one that the client is registered with.
fn other_method(document: &Document, authentication: &Authentication) -> String {
    let other = authentication.other_method();
    let listed = listed_methods(document).ok().flatten();
    match other.filter(|other| listed.is_none_or(|listed| listed.contains(other))) {
        Some(other) => format!("if the secret is right, try --auth-method {}; {NO_SECRET}", other.name()),
        None => format!("check the client secret; {NO_SECRET}"),
    }
}

/// What to do about a server that requires DPoP.
pub const DPOP: &str = "the server requires DPoP (RFC 9449), which is not supported";

const NO_METHOD: &str = "none of the server's client authentication methods is supported";

const NO_SECRET: &str = "a client that is registered as public must send none: --auth-method none";

const REGISTER_AGAIN: &str = "the server may not know the client any more: run pkce-register again, then sign in";

const SECRET_REQUIRED: &str = "the server requires a client secret: use --client-secret-file";

const PUBLIC_CLIENT: &str = "if the client has no secret, register it with token_endpoint_auth_method none; \
                             otherwise use --client-secret-file";
