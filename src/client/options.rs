//! Options that set members of the document, checked before a document is read.

use crate::client::endpoint::Endpoint;
use crate::client::redirect_uri::RedirectUri;
use crate::client::resource::resources;
use crate::client::scope::Scope;
use crate::document::Document;
use crate::error::Error;

/// Checks the members that options set, as a step checks those of its document.
pub fn check(options: &Document) -> Result<(), Error> {
    for name in ["authorization_endpoint", "token_endpoint"] {
        if options.has(name) {
            Endpoint::from_document(options, name)?;
        }
    }
    for name in ["client_id", "acr_values"] {
        options.visible(name)?;
    }
    if options.has("redirect_uri") {
        RedirectUri::from_document(options)?;
    }
    Scope::from_document(options)?;
    resources(options).map(drop)
}
