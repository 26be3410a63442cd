//! RFC 7009: the tokens taken back, the refresh token first, since its grant ends with it.

use crate::endpoint::{Call, Caller, Format};
use crate::tool::Deadline;
use crate::{Document, Error, form, tool};

/// Revokes the document's tokens, and takes them out of it.
pub fn revoke(mut document: Document, caller: &Caller) -> Result<Document, Error> {
    let deadline = Deadline::after(caller.timeout());
    let mut revoked = false;
    for (name, about) in [("refresh_token", &[][..]), ("access_token", &["token_type", "expires_in", "expires_at"])] {
        let Some(token) = document.text(name)? else { continue };
        if token.is_empty() || !form::is_visible(&token) {
            return Err(Error::member(name, "must be visible ASCII characters, one at least"));
        }
        let pairs = [("token", token.as_str()), ("token_type_hint", name)];
        let call = Call { endpoint: "revocation_endpoint", format: Format::Form, pairs: &pairs, spends: None };
        match call.deliver(&document, &caller.within(&deadline)) {
            Err(error) if revoked && error.report.error.as_deref() == Some("unsupported_token_type") => {
                tool::note("the server revokes no access tokens; this one ends by itself");
                continue;
            }
            // Some servers say so where RFC 7009 section 2.2 asks for 200: the token is gone.
            Err(error) if error.report.error.as_deref() == Some("invalid_token") => {}
            delivered => delivered?,
        }
        document.remove(&[name]);
        document.remove(about);
        revoked = true;
    }
    match revoked {
        true => Ok(document),
        false => document.need("access_token").map(|_| document),
    }
}
