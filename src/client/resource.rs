//! The resources that a token is for: RFC 8707 section 2.

use crate::document::Document;
use crate::error::Error;
use crate::wire::url::{InvalidUrl, Url, is_absolute_uri};

/// The document's resources: absolute URIs without a fragment; empty if missing.
pub fn resources(document: &Document) -> Result<Vec<String>, Error> {
    let resources = document.texts("resource")?.unwrap_or_default();
    if !resources.iter().all(|resource| is_absolute_uri(resource)) {
        return Err(document.wrong("resource", "must be an absolute URI without a fragment"));
    }
    // A resource may be any URI, but not one with a host that not all programs read alike.
    for resource in &resources {
        if let Some(wrong) = Url::parse(resource).err().filter(InvalidUrl::is_about_host) {
            return Err(wrong.for_member(document, "resource"));
        }
    }
    Ok(resources)
}
