//! An authorization server's metadata: OpenID Connect Discovery 1.0 section 4, RFC 8414.

use super::attempts::Attempts;
use super::place::Issuer;
use crate::client::endpoint::Endpoint;
use crate::client::pkce;
use crate::document::Document;
use crate::document::members::{is_added_by, named, names};
use crate::error::Error;
use crate::message;
use crate::wire::http::Client;
use crate::wire::url::Url;

/// The whole metadata of this issuer, from the first of its places that has it.
pub fn for_issuer(client: &Client, issuer: &Issuer) -> Result<Document, Error> {
    let mut attempts = Attempts::default();
    if let Some(metadata) = attempts.first(client, METADATA, &issuer.places(), |metadata| checked(metadata, issuer))? {
        return Ok(metadata);
    }
    let error = attempts.error(0);
    if error.response_status() != Some(404) || issuer.metadata_url().is_some() {
        return Err(error);
    }
    Err(if matches!(issuer.url().path(), "" | "/") {
        let origin = issuer.url().origin();
        error.hint(format!(
            "an issuer may have a path, such as {origin}/realms/NAME; if there is no metadata, {BY_HAND}"
        ))
    } else {
        let api = for_api(issuer);
        error.hint(format!("check the path (realm, tenant) first; {api}; if there is no metadata, {BY_HAND}"))
    })
}

/// The hint where the URL may not be an issuer's.
fn for_api(issuer: &Issuer) -> String {
    format!("if this is an API or an MCP server: pkce-discover --resource {}", message::word(issuer.url().as_str()))
}

/// The metadata, if it is this issuer's and a login can use it; notes say what should be known about it.
pub fn checked(mut metadata: Document, issuer: &Issuer) -> Result<Document, Error> {
    if !metadata.has("issuer") {
        return Err(metadata.wrong("issuer", "missing").hint(BY_HAND));
    }
    let named = metadata.need("issuer")?;
    if !issuer.is(&named) {
        return Err(other_issuer(issuer, &named));
    }
    // Metadata describes the server; it must not set the members of a login.
    metadata.retain(|name, _| is_known(name) || self::named(name).is_none());
    let mut notes = Vec::new();
    let requires_push = metadata.flag("require_pushed_authorization_requests")?;
    let is_required = |name| REQUIRED.contains(&name) || (requires_push && name == PUSH_ENDPOINT);
    for name in names(|member| is_known(member.name)) {
        let checked = match name {
            "issuer" => continue,
            _ if !metadata.has(name) => continue,
            _ if is_endpoint(name) => Endpoint::from_document(&metadata, name).map(drop),
            _ if FLAGS.contains(&name) => metadata.flag(name).map(drop),
            _ => metadata.texts(name).map(drop),
        };
        match checked {
            Err(error) if !is_required(name) => {
                metadata.remove(&[name]);
                notes.push(format!("{}; left out", error.message()));
            }
            checked => checked?,
        }
    }
    match metadata.texts("code_challenge_methods_supported")? {
        None => notes.push("the server's metadata does not mention PKCE".to_owned()),
        Some(methods) if methods.iter().any(|method| method == pkce::METHOD) => {}
        Some(_) => notes.push("according to its metadata, the server does not support PKCE with S256".to_owned()),
    }
    notes.iter().for_each(|note| message::note(note));
    Ok(metadata)
}

/// Only the members that the document's table names.
pub fn known_members(mut metadata: Document) -> Document {
    metadata.retain(|name, _| is_known(name) || OF_RESOURCE.contains(&name));
    metadata
}

/// Whether a tool uses the metadata member of this name.
fn is_known(name: &str) -> bool {
    is_added_by("pkce-discover", name)
}

/// Whether the member is a URL that a step requests or opens.
fn is_endpoint(name: &str) -> bool {
    name.ends_with("_endpoint") || name == "jwks_uri"
}

/// Whether one of the two ends in a slash, and nothing else differs.
pub fn differ_in_slash(one: &str, other: &str) -> bool {
    one.strip_suffix('/') == Some(other) || other.strip_suffix('/') == Some(one)
}

fn other_issuer(issuer: &Issuer, named: &str) -> Error {
    let requested = issuer.url().as_str();
    let error = Error::untrusted("metadata: issuer").mismatch(requested, named).about("issuer");
    if differ_in_slash(requested, named) {
        let elsewhere = issuer.metadata_url().map(|url| format!(" --metadata-url {}", message::word(url.as_str())));
        let command = format!("{} {}{}", message::name(), message::word(named), elsewhere.unwrap_or_default());
        return error.hint(format!("only the trailing slash differs; use: {command}"));
    }
    if requested.strip_prefix(named).is_some_and(|rest| rest.starts_with('/')) {
        return error.hint(for_api(issuer));
    }
    if named.contains('{') {
        return error.hint("the metadata names a template for all tenants; use your tenant's own issuer");
    }
    let without_host = |url: &Url| url.as_str().replacen(url.host(), "", 1);
    if let Some(other) = Url::parse(named).ok().filter(|other| other.is_loopback() && issuer.url().is_loopback())
        && without_host(&other) == without_host(issuer.url())
    {
        let command = format!("{} {}", message::name(), message::word(named));
        return error.hint(format!("different spellings are different issuers; use: {command}"));
    }
    error
}

/// The subject of messages about metadata.
pub const METADATA: &str = "metadata";

/// The members that a login cannot do without, or that decide how it is done.
const REQUIRED: [&str; 7] = [
    "authorization_endpoint",
    "token_endpoint",
    "code_challenge_methods_supported",
    "id_token_signing_alg_values_supported",
    "token_endpoint_auth_methods_supported",
    "authorization_response_iss_parameter_supported",
    "require_pushed_authorization_requests",
];

/// What a login cannot do without if the server requires pushed requests.
const PUSH_ENDPOINT: &str = "pushed_authorization_request_endpoint";

/// The members that are true or false; the others that are no endpoints are lists.
const FLAGS: [&str; 3] = [
    "authorization_response_iss_parameter_supported",
    "client_id_metadata_document_supported",
    "require_pushed_authorization_requests",
];

/// The members that a protected resource sets.
const OF_RESOURCE: [&str; 4] = ["resource", "scope", "acr_values", "max_age"];

/// What to do about a server without an issuer of its own.
const BY_HAND: &str =
    "write the document by hand: {\"authorization_endpoint\":\"URL\",\"token_endpoint\":\"URL\"}; see pkce-discover(1)";
