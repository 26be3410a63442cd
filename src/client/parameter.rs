//! A parameter of a request that the user adds.

use crate::document::is_visible;
use crate::error::Error;

/// Parses `KEY=VALUE`, for clap's `value_parser`: a key of visible ASCII characters, a value without control characters.
pub fn parse(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("must be KEY=VALUE")?;
    if !is_visible(name) {
        return Err("KEY must be visible ASCII characters".to_owned());
    }
    with_value(name, value)
}

/// The parameter of this name with a value that must not have control characters.
pub fn with_value(name: &str, value: &str) -> Result<(String, String), String> {
    if value.chars().any(char::is_control) {
        return Err(format!("{name}: must not have control characters"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// Fails for a parameter of `--param` that names a secret, since other programs can read arguments: status 2.
pub fn check(parameters: &[(String, String)]) -> Result<(), Error> {
    let Some((name, _)) = parameters.iter().find(|(name, _)| is_secret(name)) else { return Ok(()) };
    let wrong = "a secret must not be an argument, which other programs can read";
    let error = Error::usage(format!("--param: {name}: {wrong}"));
    let is_client_secret = plain(name).starts_with("clientsecret");
    Err(if is_client_secret {
        error.hint("pass a client secret with pkce-exchange --client-secret-file FILE")
    } else {
        error
    })
}

/// Whether the name, or a part of it in brackets, is that of a secret in any spelling, such as `clientSecret` and
/// `client-secret[]`: a server, or what logs its requests, may read it as that.
fn is_secret(name: &str) -> bool {
    name.split(['[', ']']).any(|part| {
        let plain = plain(part);
        SECRETS.contains(&plain.as_str()) || SECRET_ENDS.into_iter().any(|end| plain.ends_with(end))
    })
}

/// The name in lower case without punctuation.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

/// The ends of most names of credentials. An `id_token_hint` is not one: it is made for the browser's URL.
const SECRET_ENDS: [&str; 5] = ["assertion", "passwd", "password", "secret", "token"];

/// The other parameters whose values are credentials, in lower case without punctuation: RFC 6749, 7636 and 8628,
/// User-Managed Access 2.0, OpenID for Verifiable Credential Issuance, and one-time passwords of several servers.
const SECRETS: [&str; 9] =
    ["code", "codeverifier", "devicecode", "otp", "pct", "preauthorizedcode", "rpt", "ticket", "txcode"];
