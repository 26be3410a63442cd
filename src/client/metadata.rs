//! The server's metadata: OpenID Connect Discovery 1.0 section 4, RFC 8414, RFC 9728, and the endpoints it names.

use crate::document::{Document, WRITERS};
use crate::http::{Answer, Client};
use crate::pkce;
use crate::url::Url;
use crate::{Error, Kind, tool};

/// The metadata of this issuer, whole, by OIDC discovery and then RFC 8414.
pub fn of_issuer(client: &Client, issuer: &str) -> Result<Document, Error> {
    let url = identifier("issuer", issuer)?;
    let mut answer = client.get(&appended(&url, "openid-configuration")?)?;
    if answer.status == 404 {
        answer = client.get(&inserted(&url, "oauth-authorization-server")?)?;
    }
    let mut metadata = read("metadata", &answer)?;
    let named = metadata.need("issuer").map_err(|error| error.of_answer("metadata"))?;
    if named != issuer {
        return Err(other_issuer(issuer, &named));
    }
    // A server must not set what is ours to set: it describes itself, and no login.
    let foreign = |name: &str| WRITERS.iter().skip(1).any(|(_, names)| names.contains(&name));
    metadata.retain(|name, json| !foreign(name) && json != "null");
    let called = |name: &&&str| name.ends_with("_endpoint") || **name == "jwks_uri";
    for name in known().iter().filter(called).filter(|name| metadata.has(name)) {
        endpoint(&metadata, name).map_err(|error| error.of_answer("metadata"))?;
    }
    let methods = metadata.texts("code_challenge_methods_supported");
    match methods.map_err(|error| error.of_answer("metadata"))? {
        None => tool::note("the metadata does not say that the server supports PKCE"),
        Some(methods) if methods.iter().any(|method| method == pkce::METHOD) => {}
        Some(_) => tool::note("the metadata says that the server does not support PKCE with S256"),
    }
    Ok(metadata)
}

/// The metadata of the server that protects this resource, by RFC 9728, with `resource` set.
pub fn of_resource(client: &Client, resource: &str) -> Result<Document, Error> {
    let url = identifier("resource", resource)?;
    let answer = client.get(&inserted(&url, "oauth-protected-resource")?)?;
    let protected = read("resource metadata", &answer)?;
    let of_answer = |error: Error| error.of_answer("resource metadata");
    if protected.need("resource").map_err(of_answer)? != resource {
        return Err(Error::untrusted("resource metadata: resource: not the one that was asked for"));
    }
    let servers = protected.texts("authorization_servers").map_err(of_answer)?;
    let Some(issuer) = servers.and_then(|servers| servers.into_iter().next()) else {
        return Err(Error::untrusted("resource metadata: authorization_servers: missing"));
    };
    if Url::parse("authorization_servers", &issuer).map_err(of_answer)?.is_local() && !url.is_local() {
        return Err(elsewhere("resource metadata: authorization_servers"));
    }
    let mut metadata = of_issuer(client, &issuer).map_err(|mut error| {
        // A command for the issuer would lose the resource.
        error.report.hint = None;
        error
    })?;
    metadata.set("resource", resource);
    Ok(metadata)
}

/// The members that the document's table names, alone.
pub fn described(mut metadata: Document) -> Document {
    metadata.retain(|name, _| known().contains(&name) || name == "resource");
    metadata
}

/// The names of the metadata that some tool uses.
fn known() -> &'static [&'static str] {
    WRITERS.first().map_or(&[], |(_, names)| names)
}

/// The endpoint that a step is about to use: https, or http where that is allowed; never one on this machine that a
/// server elsewhere names.
pub fn endpoint(document: &Document, name: &str) -> Result<Url, Error> {
    let url = Url::parse(name, &document.need(name)?)?;
    if url.is_local() && document.has("issuer") {
        let issuer = document.need("issuer")?;
        if !Url::parse("issuer", &issuer)?.is_local() {
            return Err(elsewhere(name));
        }
    }
    Ok(url)
}

/// What an answer holds that must be a JSON object with status 200.
pub fn read(subject: &str, answer: &Answer) -> Result<Document, Error> {
    let mut error = match answer.status {
        200 => {
            return answer.object().map_err(|wrong| Error::untrusted(format!("{subject}: {wrong}")));
        }
        status @ (429 | 500..=599) => Error::unavailable(format!("{subject}: the server answered {status}")),
        // Only 200 brings metadata or keys (RFC 8414 section 3.2); another success is no answer at all.
        status @ 201..=299 => Error::untrusted(format!("{subject}: the server answered {status}")),
        status @ 300..=399 => Error::untrusted(format!("{subject}: a redirect ({status}), which is not followed")),
        404 => Error::new(Kind::Refused, format!("{subject}: there is none (404)")),
        status => Error::new(Kind::Refused, format!("{subject}: the server answered {status}")),
    };
    error.report.http_status = Some(answer.status);
    Err(error)
}

/// An issuer or a resource: a URL that metadata can be found for.
fn identifier(name: &str, text: &str) -> Result<Url, Error> {
    let url = Url::parse(name, text)?;
    if url.query().is_some() {
        return Err(Error::member(name, "must not have a query (?)"));
    }
    if let Some((before, _)) = text.split_once("/.well-known/") {
        let error = Error::member(name, "the URL of metadata, not of what it describes");
        return Err(error.hint(format!("try {before}")));
    }
    Ok(url)
}

/// `ISSUER/.well-known/NAME` (OpenID Connect Discovery 1.0 section 4).
fn appended(url: &Url, name: &str) -> Result<Url, Error> {
    let text = url.as_str().trim_end_matches('/');
    Url::parse("issuer", &format!("{text}/.well-known/{name}"))
}

/// `/.well-known/NAME` between host and path (RFC 8414 section 3.1, RFC 9728 section 3.1).
fn inserted(url: &Url, name: &str) -> Result<Url, Error> {
    let path = url.path().trim_end_matches('/');
    Url::parse("issuer", &format!("{}/.well-known/{name}{path}", url.origin()))
}

fn other_issuer(asked: &str, named: &str) -> Error {
    let error = Error::untrusted("metadata: issuer: not the one that was asked for");
    if asked.strip_suffix('/') == Some(named) || named.strip_suffix('/') == Some(asked) {
        return error.hint(format!("only a final / differs: {} {named}", tool::name()));
    }
    if named.contains('{') {
        return error.hint("it is a pattern for many tenants: ask for the issuer of yours");
    }
    error
}

fn elsewhere(name: &str) -> Error {
    let mut error = Error::untrusted(format!("{name}: a server elsewhere must not name one on this machine"));
    error.report.member = Some(name.to_owned());
    error
}
