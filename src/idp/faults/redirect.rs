//! What can be wrong with the redirect back to the client: RFC 6749 section 4.1.2, RFC 9207.

use std::borrow::Cow;

use super::effect::Effect;
use super::kind::{Kind, Place};
use super::location::{Pairs, add, deny, raw, remove, set};
use crate::idp::laxity::Laxity;

/// All kinds.
pub fn kinds() -> Vec<Kind> {
    let error = |(code, status): (&'static str, u8)| Kind {
        name: Cow::Owned(format!("redirect-error-{code}")),
        place: Place::Redirect,
        status,
        does: "sends this error instead of a code",
        effect: Effect::Denied(code),
    };
    ERRORS.into_iter().map(error).chain(KINDS.iter().cloned()).collect()
}

const fn parameters(name: &'static str, status: u8, does: &'static str, change: fn(&mut Pairs)) -> Kind {
    Kind::new(name, Place::Redirect, status, does, Effect::Parameters(change))
}

const fn location(name: &'static str, status: u8, does: &'static str, change: fn(&str) -> String) -> Kind {
    Kind::new(name, Place::Redirect, status, does, Effect::Location(change))
}

/// The errors of RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6 and RFC 8707 section 2, and one that
/// no specification has; with the exit status of each.
const ERRORS: [(&str, u8); 18] = [
    ("invalid_request", 1),
    ("unauthorized_client", 1),
    ("access_denied", 1),
    ("unsupported_response_type", 1),
    ("invalid_scope", 1),
    ("server_error", 1),
    ("temporarily_unavailable", 1),
    ("interaction_required", 5),
    ("login_required", 5),
    ("account_selection_required", 5),
    ("consent_required", 1),
    ("invalid_request_uri", 1),
    ("invalid_request_object", 1),
    ("request_not_supported", 1),
    ("request_uri_not_supported", 1),
    ("registration_not_supported", 1),
    ("invalid_target", 1),
    ("out_of_office", 1),
];

static KINDS: &[Kind] = &[
    parameters("redirect-error-escapes", 1, "sends markup and terminal escapes in error_description", |pairs| {
        deny(pairs, "access_denied");
        set(pairs, "error_description", "<script>alert(1)</script>\u{1b}[31m\r\nred");
    }),
    parameters("redirect-error-without-state", 3, "sends an error without state", |pairs| {
        deny(pairs, "access_denied");
        remove(pairs, "state");
    }),
    parameters("redirect-error-other-iss", 4, "sends an error with another issuer as iss", |pairs| {
        deny(pairs, "access_denied");
        set(pairs, "iss", "https://other.example");
    }),
    parameters("redirect-state-other", 3, "sends another state", |pairs| set(pairs, "state", "other")),
    parameters("redirect-state-missing", 3, "omits state", |pairs| remove(pairs, "state")),
    parameters("redirect-state-empty", 3, "sends an empty state", |pairs| set(pairs, "state", "")),
    parameters("redirect-state-twice", 3, "sends a duplicate state", |pairs| {
        let state = pairs.iter().find(|(name, _)| name == "state").cloned();
        pairs.extend(state);
    }),
    parameters("redirect-iss-other", 4, "sends another issuer as iss", |pairs| {
        set(pairs, "iss", "https://other.example")
    }),
    parameters("redirect-iss-slash", 4, "sends iss with an added final /", |pairs| {
        let iss = pairs.iter_mut().find(|(name, _)| name == "iss");
        iss.into_iter().for_each(|(_, iss)| iss.push('/'));
    }),
    parameters("redirect-iss-missing", 4, "omits iss although the metadata advertises it", |pairs| {
        remove(pairs, "iss")
    }),
    parameters("redirect-iss-empty", 4, "sends an empty iss", |pairs| set(pairs, "iss", "")),
    parameters("redirect-iss-twice", 4, "sends a duplicate iss, one of them correct", |pairs| {
        add(pairs, "iss", "https://other.example");
    }),
    parameters("redirect-code-missing", 4, "sends neither a code nor an error", |pairs| remove(pairs, "code")),
    parameters("redirect-code-empty", 4, "sends an empty code", |pairs| set(pairs, "code", "")),
    parameters("redirect-code-twice", 4, "sends two codes", |pairs| add(pairs, "code", "other")),
    parameters("redirect-code-control", 4, "sends a code that contains a line break", |pairs| {
        set(pairs, "code", "a\r\nb")
    }),
    location("redirect-code-overlong", 4, "sends a code with an overlong escape, which is not UTF-8", |location| {
        raw(location, "code", "%c0%ae")
    }),
    location("redirect-code-broken-escape", 4, "sends a code with an invalid escape", |location| {
        raw(location, "code", "%zz")
    }),
    parameters("redirect-code-and-error", 4, "sends a code and an error", |pairs| add(pairs, "error", "access_denied")),
    parameters("redirect-code-and-token", 4, "sends an access token with the code", |pairs| {
        add(pairs, "access_token", "from-the-front-channel");
    }),
    parameters("redirect-code-and-response", 4, "sends a signed response (JARM) with the code", |pairs| {
        add(pairs, "response", "a.b.c");
    }),
    parameters("redirect-code-unknown", 5, "sends a code that it does not accept", |pairs| set(pairs, "code", "other")),
    location("redirect-fragment", 3, "sends the parameters in the fragment", |location| location.replacen('?', "#", 1)),
    location("redirect-entities", 3, "separates the parameters with &amp;", |location| location.replace('&', "&amp;")),
    location("redirect-elsewhere", 3, "redirects to another path", |location| {
        location.replacen("/callback?", "/other?", 1)
    }),
    location("redirect-semicolons", 3, "separates the parameters with semicolons", |location| {
        location.replace('&', ";")
    }),
    parameters("redirect-extras", 0, "adds unknown parameters", |pairs| {
        add(pairs, "session_state", "x y");
        add(pairs, "scope", "openid https://api.example/read");
        add(pairs, "authuser", "0");
        add(pairs, "prompt", "consent");
    }),
    parameters("redirect-reordered", 0, "sends the parameters in another order", |pairs| pairs.reverse()),
    parameters("redirect-empty", 0, "adds empty parameters", |pairs| {
        add(pairs, "session_state", "");
        add(pairs, "", "");
    }),
    Kind::new(
        "redirect-long-code",
        Place::Redirect,
        0,
        "sends a code of 6,000 characters",
        Effect::Lax(Laxity::LongCodes),
    ),
];
