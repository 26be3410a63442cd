//! What to do about a request that the server refuses: RFC 6749 section 5.2, as servers mean it.

use crate::client::authentication::{Authentication, listed_methods, requires_secret, unsupported_methods};
use crate::client::oauth_error;
use crate::client::scope;
use crate::document::Document;
use crate::error::Error;
use crate::message;

/// The error of the response to this request of the document's client, with a hint if there is a known cure.
pub fn with_hint(error: Error, document: &Document, authentication: &Authentication, pairs: &[(&str, &str)]) -> Error {
    let hint = hint(&error, document, authentication, pairs);
    error.hint_if_any(hint)
}

fn hint(error: &Error, document: &Document, authentication: &Authentication, pairs: &[(&str, &str)]) -> Option<String> {
    let (code, is_401) = (error.oauth_code(), error.response_status() == Some(401));
    let is_unknown = code == Some("invalid_client") || is_401 && matches!(code, None | Some("unauthorized_client"));
    let is_public = matches!(authentication, Authentication::None);
    // A secret that is not the document's own may be wrong instead.
    let is_own = is_public || document.has("client_secret");
    let speaks_of = |words| oauth_error::speaks_of(error.oauth_error().description.as_deref(), words);
    let value = |name| pairs.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
    let is_refresh = value("grant_type") == Some("refresh_token");
    // Some servers respond so to each revocation of a client without a secret.
    let is_about_client = code.is_some() || value("grant_type").is_some();
    match code {
        _ if is_unknown && is_about_client && is_own && document.has("redirect_uris") => {
            Some(REGISTER_AGAIN.to_owned())
        }
        Some("invalid_client") if is_public => Some(public_client(document)),
        Some("unauthorized_client") if is_public && (is_401 || !is_refresh) => Some(public_client(document)),
        _ if is_unknown && !is_public => Some(other_method(document, authentication)),
        None if is_401 && value("grant_type").is_some() => {
            let otherwise = if is_refresh { "; otherwise run the login again" } else { "" };
            Some(format!("{IF_SECRET}{otherwise}"))
        }
        Some("invalid_grant") => None,
        _ if error.oauth_error().codes.contains(&ENTRA_SINGLE_PAGE) => Some(SINGLE_PAGE.to_owned()),
        Some(_) if is_public && speaks_of("clientsecret") => Some(SECRET_REQUIRED.to_owned()),
        Some(code) if oauth_error::is_dpop(code) || speaks_of("dpop") => Some(DPOP.to_owned()),
        Some("invalid_scope") if is_refresh && value("scope").is_none() => Some(same_scope(document)),
        Some("invalid_request") if is_refresh && value("scope").is_none() && speaks_of("scope") => {
            Some(same_scope(document))
        }
        Some("invalid_request") if value("client_id").is_none() && speaks_of("clientid") => {
            let client_id = document.text("client_id").ok().flatten().filter(|id| id.len() <= MAX_SHOWN);
            let client_id = message::word(client_id.as_deref().unwrap_or("CLIENT_ID"));
            Some(format!("the server may require it beside HTTP Basic: --param client_id={client_id}"))
        }
        Some("invalid_scope") => {
            let scope = value("scope").map(str::to_owned).or_else(|| document.text("scope").ok().flatten());
            refused_scope(document, scope.as_deref(), is_refresh)
        }
        _ => None,
    }
}

/// What to do about a server that may require the scope in each request.
fn same_scope(document: &Document) -> String {
    let granted = document.text("scope").ok().flatten().filter(|scope| scope.len() <= MAX_SHOWN);
    let granted = granted.unwrap_or_else(|| "SCOPE".to_owned());
    format!("the server may require the scope at a refresh too: --scope {}", message::word(&granted))
}

/// What to do about a scope that the server refuses.
pub fn refused_scope(document: &Document, requested: Option<&str>, is_refresh: bool) -> Option<String> {
    let requested = requested?;
    let shown = message::shortened(requested);
    let supported = document.texts("scopes_supported").ok().flatten();
    let missing = supported.map(|supported| scope::missing(requested, &supported.join(" ")).join(" "));
    let option = if is_refresh || message::name() == "pkce-device" { "--scope" } else { "pkce-url --scope" };
    Some(match missing.filter(|missing| !missing.is_empty()) {
        Some(missing) => {
            let missing = message::shortened(&missing);
            format!(
                "the requested scope was {shown}; {missing} is not in scopes_supported: request another with {option}"
            )
        }
        None => {
            format!("the requested scope was {shown}; request another with {option}, or allow it for the client")
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
    if authentication.has_empty_secret() {
        return EMPTY_SECRET.to_owned();
    }
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

const REGISTER_AGAIN: &str = "the server may not know the client any more: register another one (pkce-register, or \
                              pkce-login --register), then sign in";

const SECRET_REQUIRED: &str =
    "the server requires a client secret: use --client-secret-file, --client-secret-command or PKCE_CLIENT_SECRET_FILE";

const EMPTY_SECRET: &str = "the client secret is empty: check its file or command";

const IF_SECRET: &str = "if the client has a secret, this step needs it too: --client-secret-file, \
                         --client-secret-command or PKCE_CLIENT_SECRET_FILE";

/// Entra's AADSTS9002327, and what to do about it.
const ENTRA_SINGLE_PAGE: u64 = 9_002_327;
const SINGLE_PAGE: &str =
    "register the redirect URI for mobile and desktop applications, not for a single-page application";

/// Maximum length of a value in a hint's command, which is no use if it is cut.
const MAX_SHOWN: usize = 200;

const PUBLIC_CLIENT: &str = "if the client has no secret, register it with token_endpoint_auth_method none; \
                             otherwise use --client-secret-file or PKCE_CLIENT_SECRET_FILE";
