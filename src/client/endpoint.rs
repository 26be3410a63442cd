//! The server's endpoints in the document (RFC 8414 section 2), and where requests may go.

use crate::document::Document;
use crate::error::Error;
use crate::wire::url::Url;

/// An endpoint that a step is about to use.
pub struct Endpoint {
    name: String,
    url: Url,
    may_be_local: bool,
}

impl Endpoint {
    /// The endpoint in this member: https, or http if allowed; never one on this machine that a remote server names
    /// (status 4).
    pub fn from_document(document: &Document, name: &str) -> Result<Endpoint, Error> {
        let url = Url::parse(&document.need(name)?).map_err(|wrong| wrong.for_member(document, name))?;
        let may_be_local = url.may_be_local();
        if may_be_local && document.has("issuer") {
            let issuer = document.need("issuer")?;
            let issuer = Url::parse(&issuer).map_err(|wrong| wrong.for_member(document, "issuer"))?;
            if !issuer.may_be_local() {
                return Err(document.wrong(name, REMOTE_TO_LOCAL).as_untrusted());
            }
        }
        Ok(Endpoint { name: name.to_owned(), url, may_be_local })
    }

    /// Whether it is this document's too, with nothing left to check.
    pub fn is_also_of(&self, document: &Document) -> bool {
        !self.may_be_local && document.slice(&self.name).ok().flatten().as_deref() == Some(self.url.as_str())
    }

    /// Its URL.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Its name as the subject of messages, such as `token endpoint`.
    pub fn subject(&self) -> String {
        self.name.replace('_', " ")
    }
}

/// Whether a remote server or resource would lead to this machine.
pub fn is_remote_to_local(from: &Url, to: &Url) -> bool {
    to.may_be_local() && !from.may_be_local()
}

/// The message for a remote server that would make us send requests to this machine.
pub const REMOTE_TO_LOCAL: &str = "a remote server must not point to this machine";
