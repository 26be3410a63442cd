//! OAuth errors: RFC 6749 sections 4.1.2.1 and 5.2, OpenID Connect Core section 3.1.2.6.

use crate::error::{Error, Kind, OauthError};
use crate::message;

/// The error of this kind for an OAuth error from `subject`, whose words are redacted.
pub fn refusal(kind: Kind, subject: &str, oauth: OauthError) -> Error {
    let error = Error::new(kind, format!("{subject}: {}", oauth.error.as_deref().unwrap_or_default()));
    error.quoting(oauth.description.as_deref().map(message::shortened).as_deref()).oauth(oauth)
}

/// The kind of an OAuth error: status 5 if it requires a new login, else 1.
pub fn kind(code: &str) -> Kind {
    if LOGIN_REQUIRED.contains(&code) { Kind::LoginRequired } else { Kind::Refused }
}

/// The kind of an OAuth error in the response to a poll (RFC 8628 section 3.5): a code that expired is a user who was waited
/// for in vain.
pub fn kind_at_poll(code: &str) -> Kind {
    if code == "expired_token" { Kind::Unavailable } else { kind(code) }
}

/// The kind of an OAuth error in the response to a refresh. Servers have many words for a refresh token that they no
/// longer accept, so whatever is not known to mean something else means that: status 5.
pub fn kind_at_refresh(code: &str, description: Option<&str>) -> Kind {
    match code {
        "invalid_request" if !speaks_of(description, "refreshtoken") => Kind::Refused,
        _ if REQUEST_REFUSED.contains(&code) || is_dpop(code) => Kind::Refused,
        _ if is_temporary(code) => Kind::Unavailable,
        _ => Kind::LoginRequired,
    }
}

/// Whether the server may accept the same request later.
pub fn is_temporary(code: &str) -> bool {
    TEMPORARY.contains(&code)
}

/// Whether the server's description has these words, given in lower case without spaces.
pub fn speaks_of(description: Option<&str>, words: &str) -> bool {
    let letters = description.unwrap_or_default().chars().filter(|character| character.is_alphanumeric());
    letters.collect::<String>().to_lowercase().contains(words)
}

/// Whether it is the error of a server that requires DPoP (RFC 9449 sections 5 and 8).
pub fn is_dpop(code: &str) -> bool {
    ["use_dpop_nonce", "invalid_dpop_proof"].contains(&code)
}

/// The errors that require the user to sign in or consent again.
const LOGIN_REQUIRED: [&str; 5] =
    ["invalid_grant", "login_required", "interaction_required", "consent_required", "account_selection_required"];

/// The errors about the client or its request, not about the refresh token in it.
const REQUEST_REFUSED: [&str; 5] =
    ["invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "invalid_target"];

/// The errors of a server that may accept the same request later.
const TEMPORARY: [&str; 3] = ["temporarily_unavailable", "server_error", "slow_down"];
