//! RFC 7009: token revocation, the refresh token first, since that ends the grant.

use crate::client::authentication::Caller;
use crate::client::endpoint::Endpoint;
use crate::client::post::{Call, Format};
use crate::document::Document;
use crate::error::Error;
use crate::message;

/// Revokes the document's tokens, and removes them from it.
pub fn revoke(mut document: Document, caller: &Caller) -> Result<Document, Error> {
    let deadline = caller.deadline();
    let mut revoked = false;
    for (name, about) in [("refresh_token", &[][..]), ("access_token", &["token_type", "expires_in", "expires_at"])] {
        let Some(token) = document.visible(name)? else { continue };
        let pairs = [("token", token.as_str()), ("token_type_hint", name)];
        let endpoint = &Endpoint::from_document(&document, "revocation_endpoint")?;
        let call = Call { endpoint, format: Format::Form, pairs: &pairs, spends: None };
        match call.send_ignoring_body(&document, caller, &deadline) {
            Err(error) if revoked && error.oauth_code() == Some("unsupported_token_type") => {
                message::note("the server does not revoke access tokens; this one expires by itself");
                continue;
            }
            // Some servers send this where RFC 7009 section 2.2 requires 200: the token is already invalid.
            Err(error) if error.oauth_code() == Some("invalid_token") => {}
            delivered => delivered?,
        }
        document.remove(&[name]);
        document.remove(about);
        revoked = true;
    }
    if !revoked {
        document.need("access_token")?;
    }
    Ok(document)
}
