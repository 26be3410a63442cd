//! A parameter of a request that the user adds.

use crate::document::is_visible;

/// Parses `KEY=VALUE`, for clap's `value_parser`: a key of visible ASCII characters that names no secret, since other
/// programs can read arguments; a value without control characters.
pub fn parse(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("must be KEY=VALUE")?;
    if !is_visible(name) {
        return Err("KEY must be visible ASCII characters".to_owned());
    }
    if SECRETS.contains(&name) {
        return Err(format!("{name}: a secret must not be an argument, which other programs can read"));
    }
    if value.chars().any(char::is_control) {
        return Err(format!("{name}: must not have control characters"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// The parameters whose values are credentials: RFC 6749, 7009, 7521, 7636, 8628 and 8693, OpenID Connect Core and Native
/// SSO, User-Managed Access 2.0, OpenID for Verifiable Credential Issuance and Presentations. An `id_token_hint` is not
/// one: it is made for the browser's URL.
const SECRETS: [&str; 21] = [
    "access_token",
    "actor_token",
    "assertion",
    "claim_token",
    "client_assertion",
    "client_secret",
    "code",
    "code_verifier",
    "device_code",
    "device_secret",
    "id_token",
    "password",
    "pct",
    "pre-authorized_code",
    "refresh_token",
    "rpt",
    "subject_token",
    "ticket",
    "token",
    "tx_code",
    "vp_token",
];
