//! The server's metadata: OpenID Connect Discovery 1.0 section 4, RFC 8414, RFC 9728.

use crate::client::endpoint::{Endpoint, REMOTE_TO_LOCAL};
use crate::client::pkce;
use crate::document::Document;
use crate::document::members::{is_added_by, named, names};
use crate::error::Error;
use crate::message;
use crate::wire::http::{Client, Response};
use crate::wire::url::{InvalidUrl, Url};

/// An issuer or a protected resource: a URL that metadata can be found for.
pub struct Identifier {
    url: Url,
    openid_configuration: Url,
    oauth_authorization_server: Url,
    oauth_protected_resource: Url,
}

impl Identifier {
    /// Parses an issuer or a resource, and derives the URLs of its metadata.
    pub fn parse(text: &str) -> Result<Identifier, InvalidUrl> {
        let url = Url::parse(text)?;
        if url.query().is_some() {
            return Err(InvalidUrl::new("must not have a query (?)"));
        }
        if let Some((before, _)) = text.split_once("/.well-known/") {
            let invalid = InvalidUrl::new("the URL of a metadata document, not of the server or resource");
            return Err(invalid.hint(format!("try {before}")));
        }
        Ok(Identifier {
            openid_configuration: appended(&url, "openid-configuration")?,
            oauth_authorization_server: inserted(&url, "oauth-authorization-server")?,
            oauth_protected_resource: inserted(&url, "oauth-protected-resource")?,
            url,
        })
    }

    fn as_str(&self) -> &str {
        self.url.as_str()
    }
}

/// The whole metadata of this issuer, by OpenID Connect Discovery or, if not found there, RFC 8414.
pub fn for_issuer(client: &Client, issuer: &Identifier) -> Result<Document, Error> {
    let mut response = client.get(&issuer.openid_configuration)?;
    if response.status == 404 {
        response = client.get(&issuer.oauth_authorization_server)?;
    }
    let mut metadata = read("metadata", &response)?;
    let named = metadata.need("issuer")?;
    if named != issuer.as_str() {
        return Err(other_issuer(issuer.as_str(), &named));
    }
    // Metadata describes the server; it must not set the members of a login.
    metadata.retain(|name, json| (is_known(name) || self::named(name).is_none()) && json != "null");
    for name in names(|member| is_endpoint(member.name) && is_known(member.name)) {
        if metadata.has(name) {
            Endpoint::from_document(&metadata, name)?;
        }
    }
    match metadata.texts("code_challenge_methods_supported")? {
        None => message::note("the server's metadata does not mention PKCE"),
        Some(methods) if methods.iter().any(|method| method == pkce::METHOD) => {}
        Some(_) => message::note("according to its metadata, the server does not support PKCE with S256"),
    }
    Ok(metadata)
}

/// The metadata of this resource's authorization server, by RFC 9728, with `resource` set.
pub fn for_resource(client: &Client, resource: &Identifier) -> Result<Document, Error> {
    let response = client.get(&resource.oauth_protected_resource)?;
    let protected = read("resource metadata", &response)?;
    if protected.need("resource")? != resource.as_str() {
        return Err(protected.wrong("resource", "not the requested resource"));
    }
    let servers = protected.texts("authorization_servers")?;
    let Some(issuer) = servers.and_then(|servers| servers.into_iter().next()) else {
        return Err(protected.wrong("authorization_servers", "missing"));
    };
    let issuer = Identifier::parse(&issuer).map_err(|wrong| wrong.for_member(&protected, "authorization_servers"))?;
    if issuer.url.may_be_local() && !resource.url.may_be_local() {
        return Err(protected.wrong("authorization_servers", REMOTE_TO_LOCAL));
    }
    // The hint's command for the issuer would lose the resource.
    let mut metadata = for_issuer(client, &issuer).map_err(Error::without_hint)?;
    metadata.set("resource", resource.as_str());
    Ok(metadata)
}

/// Only the members that the document's table names.
pub fn known_members(mut metadata: Document) -> Document {
    metadata.retain(|name, _| is_known(name) || name == "resource");
    metadata
}

/// The JSON object in a response, which must have status 200.
pub fn read(subject: &str, response: &Response) -> Result<Document, Error> {
    let status = response.status;
    let error = match status {
        200 => return response.object(subject),
        429 | 500..=599 => Error::unavailable(format!("{subject}: the server responded with {status}")),
        // Metadata and keys require status 200 (RFC 8414 section 3.2), so another success is an error.
        201..=299 => Error::untrusted(format!("{subject}: the server responded with {status}")),
        300..=399 => Error::untrusted(format!("{subject}: redirect ({status}) not followed")),
        404 => Error::refused(format!("{subject}: not found (404)")),
        _ => Error::refused(format!("{subject}: the server responded with {status}")),
    };
    Err(error.http_status(status))
}

/// Whether a tool uses the metadata member of this name.
fn is_known(name: &str) -> bool {
    is_added_by("pkce-discover", name)
}

/// Whether the member is a URL that a step requests or opens.
fn is_endpoint(name: &str) -> bool {
    name.ends_with("_endpoint") || name == "jwks_uri"
}

/// `ISSUER/.well-known/NAME` (OpenID Connect Discovery 1.0 section 4).
fn appended(url: &Url, name: &str) -> Result<Url, InvalidUrl> {
    let text = url.as_str().trim_end_matches('/');
    Url::parse(&format!("{text}/.well-known/{name}"))
}

/// `/.well-known/NAME` between host and path (RFC 8414 section 3.1, RFC 9728 section 3.1).
fn inserted(url: &Url, name: &str) -> Result<Url, InvalidUrl> {
    let path = url.path().trim_end_matches('/');
    Url::parse(&format!("{}/.well-known/{name}{path}", url.origin()))
}

fn other_issuer(requested: &str, named: &str) -> Error {
    let error = Error::untrusted("metadata: issuer: not the requested issuer");
    if requested.strip_suffix('/') == Some(named) || named.strip_suffix('/') == Some(requested) {
        return error.hint(format!("only the trailing slash differs; use: {} {named}", message::name()));
    }
    if named.contains('{') {
        return error.hint("the metadata names a template for all tenants; use your tenant's own issuer");
    }
    error
}
