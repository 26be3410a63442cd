//! A parameter of a request that the user adds.

use std::collections::BTreeSet;

use crate::client::scope::{SCOPE, Scope};
use crate::document::{Document, is_visible};
use crate::error::Error;
use crate::message;

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

/// Fails for a parameter of `--param` that cannot be added to a request of the token or revocation endpoint: status 2.
pub fn check_added(parameters: &[(String, String)]) -> Result<(), Error> {
    check_secrets(parameters)?;
    let mut names = BTreeSet::new();
    let wrong = parameters.iter().find_map(|(name, value)| {
        let is_new = names.insert(name);
        fault(name, value).or_else(|| Some("duplicate").filter(|_| !is_new)).map(|wrong| (name, wrong))
    });
    wrong.map_or(Ok(()), |(name, wrong)| Err(Error::usage(format!("--param: {name}: {wrong}"))))
}

/// Fails for a parameter of `--param` that would name another client than the document's: status 2.
pub fn check_client<'a>(
    parameters: impl IntoIterator<Item = (&'a String, &'a String)>,
    document: &Document,
) -> Result<(), Error> {
    for (name, value) in parameters {
        if is_other_client(name, value, document)? {
            return Err(Error::usage(format!("--param: {name}: {OTHER_CLIENT}")));
        }
    }
    Ok(())
}

/// Whether the parameter names another client than the document's; a server that gets none beside Basic may require it.
pub fn is_other_client(name: &str, value: &str, document: &Document) -> Result<bool, Error> {
    Ok(name == "client_id" && document.text(name)?.as_deref() != Some(value))
}

/// Why this parameter cannot be added to a request of the token or revocation endpoint, if it cannot.
pub fn fault(name: &str, value: &str) -> Option<&'static str> {
    match () {
        () if is_secret(name) => Some("a secret must not be a parameter"),
        () if RESERVED.contains(&plain(name).trim_end_matches(|digit: char| digit.is_ascii_digit()))
            && name != "client_id" =>
        {
            Some("reserved")
        }
        () if name.is_empty() || !is_visible(name) => Some("a name must be visible ASCII characters"),
        () if value.is_empty() => Some("must not be empty"),
        () if value.chars().any(char::is_control) => Some("must not have control characters"),
        () if name == "scope" && Scope::parse(value).is_err() => Some(SCOPE),
        () => None,
    }
}

/// Fails for a parameter of `--param` that names a secret, since other programs can read arguments: status 2.
pub fn check_secrets(parameters: &[(String, String)]) -> Result<(), Error> {
    let Some((name, _)) = parameters.iter().find(|(name, _)| is_secret(name)) else { return Ok(()) };
    let wrong = "a secret must not be an argument, which other programs can read";
    let error = Error::usage(format!("--param: {name}: {wrong}"));
    let is_client_secret = plain(name).starts_with("clientsecret");
    Err(if is_client_secret {
        // The tool that makes the browser's URL sends no secret.
        let tool = if message::name() == "pkce-url" { "pkce-exchange " } else { "" };
        error.hint(format!("pass a client secret with {tool}--client-secret-file FILE"))
    } else {
        error
    })
}

/// Whether the name, or a part of it in brackets, is that of a secret in any spelling, such as `clientSecret` and
/// `client-secret[]`: a server, or what logs its requests, may read it as that.
pub fn is_secret(name: &str) -> bool {
    name.split(['[', ']']).any(|part| {
        let plain = plain(part);
        let plain = plain.trim_end_matches(|digit: char| digit.is_ascii_digit());
        let has = |word| plain.contains(word);
        let is_named = SECRET_WORDS.into_iter().any(has);
        let is_public = PUBLIC_ENDS.iter().any(|end| plain.ends_with(end));
        let is_like_one = is_named || plain.ends_with("token") || plain.ends_with("otp");
        SECRETS.contains(&plain) || (is_like_one && !is_public)
    })
}

/// The name in lower case without punctuation.
pub fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

/// The message for a parameter that names another client.
pub const OTHER_CLIENT: &str = "not the document's client_id";

/// What the requests have already, or only the document may add to them, in lower case without punctuation. Of these,
/// `client_id` may be added in this one spelling.
const RESERVED: [&str; 5] = ["clientid", "granttype", "redirecturi", "resource", "tokentypehint"];

/// Parts of most names of credentials; others end in `token` or `otp`. An `id_token_hint` is not one: it is made for the
/// browser's URL.
const SECRET_WORDS: [&str; 9] =
    ["apikey", "assertion", "credential", "passcode", "passphrase", "passw", "privatekey", "secret", "verifier"];

/// The ends of names that say something about a credential, such as `client_assertion_type`.
const PUBLIC_ENDS: [&str; 7] =
    ["format", "id", "identifier", "method", "passwordless", "passwordlessconnection", "type"];

/// The other parameters whose values are credentials, in lower case without punctuation: RFC 6749, 7636 and 8628,
/// User-Managed Access 2.0, OpenID for Verifiable Credential Issuance, and one-time passwords of several servers.
const SECRETS: [&str; 26] = [
    "authcode",
    "authorization",
    "authorizationcode",
    "bearer",
    "code",
    "cookie",
    "devicecode",
    "jwt",
    "mfacode",
    "oobcode",
    "otpcode",
    "pass",
    "pct",
    "pin",
    "preauthorizedcode",
    "pwd",
    "rpt",
    "samlresponse",
    "secretid",
    "smscode",
    "ticket",
    "tokenid",
    "totpcode",
    "txcode",
    "usercode",
    "verificationcode",
];
