//! RFC 7009: token revocation, the refresh token first, since that ends the grant.

use zeroize::Zeroizing;

use crate::client::authentication::Caller;
use crate::client::endpoint::Endpoint;
use crate::client::parameter;
use crate::client::post::{Call, Format};
use crate::document::Document;
use crate::error::{Error, Kind};
use crate::message;
use crate::process::Deadline;

/// Whether the document has a token that can be revoked.
pub fn has_token(document: &Document) -> bool {
    TOKENS.iter().any(|name| document.has(name))
}

/// The revocation endpoint. Fails for a document or parameters with which no token can be revoked.
pub fn check(document: &Document, parameters: &[(String, String)]) -> Result<Endpoint, Error> {
    parameter::check_client(parameters.iter().map(|(name, value)| (name, value)), document)?;
    for name in TOKENS {
        document.visible(name)?;
    }
    Endpoint::from_document(document, "revocation_endpoint")
}

/// Revokes the document's tokens, and removes the revoked ones from it. These parameters are added to each request;
/// those of the token request are not.
pub fn revoke(
    mut document: Document,
    parameters: &[(String, String)],
    caller: &Caller,
    deadline: &Deadline,
) -> Result<Document, Error> {
    // All that is wrong with the document is known before one of its tokens is revoked.
    let [refresh_token, access_token] = TOKENS.map(|name| document.visible(name));
    let (refresh_token, access_token) = (refresh_token?, access_token?);
    if refresh_token.is_none() {
        document.need("access_token")?;
    }
    let endpoint = check(&document, parameters)?;
    if let Some(token) = &refresh_token {
        send(&endpoint, ("refresh_token", token), parameters, &document, caller, deadline)?;
        document.remove(&["refresh_token"]);
    }
    let Some(token) = access_token else { return Ok(document) };
    match send(&endpoint, ("access_token", &token), parameters, &document, caller, deadline) {
        Ok(()) => document.remove(&["access_token", "token_type", "expires_in", "expires_at"]),
        Err(error) if refresh_token.is_none() => return Err(error),
        Err(error) if error.oauth_code() == Some("unsupported_token_type") => {
            message::note("the server does not revoke access tokens; this one expires by itself");
        }
        // The grant has ended, so a refusal changes nothing: many servers invalidated this token with the refresh token.
        Err(error) if [Kind::Refused, Kind::LoginRequired].contains(&error.kind()) => {
            message::note(&format!("{}; the refresh token is revoked, the access token may not be", error.message()));
        }
        Err(error) => return Err(error.appending("the refresh token is revoked, the access token may not be")),
    }
    Ok(document)
}

/// Sends one token to the revocation endpoint.
fn send(
    endpoint: &Endpoint,
    (name, token): (&str, &Zeroizing<String>),
    parameters: &[(String, String)],
    document: &Document,
    caller: &Caller,
    deadline: &Deadline,
) -> Result<(), Error> {
    let mut pairs = vec![("token", token.as_str()), ("token_type_hint", name)];
    pairs.extend(parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let call = Call { endpoint, format: Format::Form, pairs: &pairs, spends: None };
    match call.send_ignoring_body(document, caller, deadline) {
        // Some servers send this where RFC 7009 section 2.2 requires 200: the token is already invalid.
        Err(error) if error.oauth_code() == Some("invalid_token") => Ok(()),
        delivered => delivered,
    }
}

/// The tokens that can be revoked, in this order.
const TOKENS: [&str; 2] = ["refresh_token", "access_token"];
