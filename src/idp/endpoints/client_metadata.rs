//! Clients whose ID is the URL of their metadata: draft-ietf-oauth-client-id-metadata-document.

use std::time::Duration;

use crate::document::Document;
use crate::error::Error;
use crate::idp::service::Service;
use crate::process::Deadline;
use crate::wire::http::Client;
use crate::wire::url::Url;

/// Fetches the metadata of the client of a request, if its ID is a URL, and remembers it; or why it cannot be used.
pub fn load_if_url(service: &Service, client_id: &str) -> Result<(), &'static str> {
    let Some(url) = document_url(client_id) else { return Ok(()) };
    let metadata =
        document(&url).map_err(|_| "The client_id is a URL where there is no client ID metadata document.")?;
    if metadata.text("client_id").ok().flatten().as_deref() != Some(client_id) {
        return Err("The client ID metadata document is of another client_id.");
    }
    service.state().clients.add(client_id, &metadata)
}

/// The URL in a client ID: with a path, and without dot segments, a query, a fragment or a user.
fn document_url(client_id: &str) -> Option<Url> {
    let url = Url::parse(client_id).ok()?;
    let has_dots = url.path().split('/').any(|segment| segment == "." || segment == "..");
    Some(url).filter(|url| url.path().len() > 1 && url.query().is_none() && !has_dots)
}

/// The document at this URL; redirects are not followed.
fn document(url: &Url) -> Result<Document, Error> {
    let response = Client::new(Deadline::after(TIMEOUT)).get(url)?;
    if response.body(SUBJECT)?.len() > MAX_SIZE {
        return Err(Error::untrusted(format!("{SUBJECT}: too large")));
    }
    response.required_object(SUBJECT)
}

const SUBJECT: &str = "client ID metadata document";

/// How long a response may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum size of a document in octets, as the draft recommends.
const MAX_SIZE: usize = 5 * 1024;
