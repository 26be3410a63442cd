//! The server's endpoints, as the document names them (RFC 8414 section 2), and where requests may go.

use crate::document::Document;
use crate::error::Error;
use crate::wire::url::Url;

/// An endpoint that a step is about to use.
pub struct Endpoint {
    name: String,
    url: Url,
}

impl Endpoint {
    /// The endpoint in this member: https, or http where that is allowed; never one on this machine that a server
    /// elsewhere names.
    pub fn from_document(document: &Document, name: &str) -> Result<Endpoint, Error> {
        let url = Url::parse(&document.need(name)?).map_err(|wrong| wrong.of_member(document, name))?;
        if url.is_local() && document.has("issuer") {
            let issuer = document.need("issuer")?;
            let issuer = Url::parse(&issuer).map_err(|wrong| wrong.of_member(document, "issuer"))?;
            if !issuer.is_local() {
                return Err(document.wrong(name, ELSEWHERE).as_untrusted());
            }
        }
        Ok(Endpoint { name: name.to_owned(), url })
    }

    /// Its URL.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The words of its name, which begin messages: `token endpoint`.
    pub fn subject(&self) -> String {
        self.name.replace('_', " ")
    }
}

/// What is wrong where a remote server could make us call something on this machine.
pub const ELSEWHERE: &str = "a remote server must not point to this machine";
