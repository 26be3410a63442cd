//! Options and variables that set members of the document; options are checked before a document is read.

use crate::client::endpoint::Endpoint;
use crate::client::redirect_uri::RedirectUri;
use crate::client::resource::resources;
use crate::client::scope::Scope;
use crate::document::Document;
use crate::error::Error;
use crate::process::environment;

/// The members that these options set, checked as a step checks those of its document.
pub fn members(given: &[(&str, Option<&str>)]) -> Result<Document, Error> {
    let mut members = Document::default();
    for (name, value) in given {
        members.set_given(name, *value);
    }
    for name in ["authorization_endpoint", "token_endpoint"] {
        if members.has(name) {
            Endpoint::from_document(&members, name)?;
        }
    }
    for name in ["client_id", "acr_values"] {
        members.visible(name)?;
    }
    if members.has("redirect_uri") {
        RedirectUri::from_document(&members)?;
    }
    Scope::from_document(&members)?;
    resources(&members)?;
    Ok(members)
}

/// The members that these variables set where neither an option nor the document does: each name with its variable.
pub fn defaults(variables: &[(&str, &str)]) -> Document {
    let mut defaults = Document::default();
    for (name, variable) in variables {
        defaults.set_given(name, environment::variable(variable).as_deref());
    }
    defaults
}
