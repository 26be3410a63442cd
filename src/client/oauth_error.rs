//! OAuth errors: RFC 6749 sections 4.1.2.1 and 5.2, OpenID Connect Core section 3.1.2.6.

use crate::error::{Error, Kind, OauthError};

/// The error for an OAuth error from `subject`: status 5 if it requires a new login, else 1.
pub fn refusal(subject: &str, code: &str, description: Option<String>, uri: Option<String>) -> Error {
    let kind = if LOGIN_REQUIRED.contains(&code) { Kind::LoginRequired } else { Kind::Refused };
    let message = match &description {
        Some(description) => format!("{subject}: {code}: {description}"),
        None => format!("{subject}: {code}"),
    };
    Error::new(kind, message).oauth(OauthError { error: Some(code.to_owned()), description, uri })
}

/// The errors that require the user to sign in or consent again.
const LOGIN_REQUIRED: [&str; 5] =
    ["invalid_grant", "login_required", "interaction_required", "consent_required", "account_selection_required"];
