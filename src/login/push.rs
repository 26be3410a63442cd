//! RFC 9126: the authorization request, pushed to the server and replaced by a short URL for the browser.

use crate::client::authentication::Caller;
use crate::client::endpoint::Endpoint;
use crate::client::post::{Call, Format};
use crate::client::redirect_uri::RedirectUri;
use crate::document::Document;
use crate::error::Error;
use crate::login::{authorize, loopback};
use crate::wire::form;
use crate::wire::url::Url;

/// Pushes the request of the document's authorization URL, and replaces the URL by the short one.
pub fn push(mut document: Document, caller: &Caller) -> Result<Document, Error> {
    document.check_room()?;
    let authorization = Endpoint::from_document(&document, "authorization_endpoint")?;
    let url = document.need("authorization_url")?;
    let pairs = request(&document, authorization.url(), &url)?;
    let value = |name: &str| pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
    if value("request_uri").is_some() {
        return Err(document.wrong("authorization_url", "already pushed"));
    }
    let client_id = document.need_visible("client_id")?;
    if value("client_id") != Some(&client_id) {
        return Err(document.wrong("authorization_url", "its client_id is not the document's"));
    }
    if value("code_challenge").is_none() {
        return Err(document.wrong("authorization_url", "has no code_challenge"));
    }
    let redirect_uri = value("redirect_uri").map(|uri| RedirectUri::parse(uri, &document)).transpose()?;
    let endpoint = &Endpoint::from_document(&document, "pushed_authorization_request_endpoint")?;
    let bound = redirect_uri.map(|uri| with_port(&document, &url, &uri)).transpose()?.flatten();
    if let Some((redirect_uri, _)) = &bound {
        document.set("redirect_uri", redirect_uri);
    }
    let url = bound.map_or(url, |(_, url)| url);
    let pairs = request(&document, authorization.url(), &url)?;
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let call = Call { endpoint, format: Format::Form, pairs: &pairs, spends: None };
    let response = call.send(&document, caller, &caller.deadline())?;
    let request_uri = response.need_visible("request_uri")?;
    let short = form::encoded([("client_id", client_id.as_str()), ("request_uri", &request_uri)]);
    document.set("authorization_url", &authorize::with_query(authorization.url(), &short));
    Ok(document)
}

/// The redirect URI and the URL with a free port in place of port 0, since the request cannot be changed later; `None` for
/// any other port.
fn with_port(document: &Document, url: &str, redirect_uri: &RedirectUri) -> Result<Option<(String, String)>, Error> {
    let Some(local) = redirect_uri.loopback().filter(|_| redirect_uri.has_port_0()) else { return Ok(None) };
    if document.need("redirect_uri")? != redirect_uri.as_str() {
        return Err(document.wrong("authorization_url", "its redirect_uri is not the document's"));
    }
    let changed = authorize::with_redirect_uri(url, redirect_uri, loopback::free_port(local)?);
    let wrong = || document.wrong("authorization_url", "does not contain the document's redirect_uri with port 0");
    changed.ok_or_else(wrong).map(Some)
}

/// The URL's parameters, without those of the endpoint itself.
fn request(document: &Document, endpoint: &Url, url: &str) -> Result<Vec<(String, String)>, Error> {
    let wrong = || document.wrong("authorization_url", "not a request to the document's authorization_endpoint");
    let (base, _) = url.split_once('?').unwrap_or((url, ""));
    let rest = url.strip_prefix(endpoint.as_str());
    let rest = rest.ok_or_else(|| wrong().mismatch(endpoint.without_query(), base))?;
    let query = match endpoint.query() {
        None => rest.strip_prefix('?').ok_or_else(wrong)?,
        Some(query) if query.is_empty() || query.ends_with('&') => rest,
        Some(_) => rest.strip_prefix('&').ok_or_else(wrong)?,
    };
    let pairs = form::pairs(query).map(|(name, value)| Some((form::decode(name)?, form::decode(value)?)));
    pairs.collect::<Option<_>>().ok_or_else(wrong)
}
