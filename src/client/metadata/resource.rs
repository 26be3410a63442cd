//! From a protected resource to its authorization server: RFC 9728, and the specification of MCP.

use super::attempts::Attempts;
use super::place::{Issuer, Resource};
use super::server::{METADATA, checked, differ_in_slash};
use crate::client::challenge::Challenge;
use crate::client::endpoint::{REMOTE_TO_LOCAL, is_remote_to_local};
use crate::client::scope::Scope;
use crate::document::Document;
use crate::error::{Error, Kind};
use crate::message;
use crate::wire::http::Client;
use crate::wire::url::Url;

/// What is known at the start.
pub struct Start {
    /// The resource's challenge, if it came before; else the resource is requested once, without a token.
    pub challenge: Option<Challenge>,
    /// The authorization server to use, if the resource has several or none.
    pub issuer: Option<Issuer>,
    /// The scope to request; after a challenge that the token lacks scope, the granted one, to which that is added.
    pub scope: Option<Scope>,
}

/// The authorization server that the user names for a resource: not on this machine for a resource that is elsewhere.
pub fn chosen_server(text: &str, resource: &Resource) -> Result<Issuer, Error> {
    let issuer = Issuer::parse(text).map_err(|wrong| wrong.for_argument("--issuer"))?;
    if is_remote_to_local(resource.url(), issuer.url()) {
        return Err(Error::untrusted("--issuer: on this machine, but the resource is not"));
    }
    Ok(issuer)
}

/// The metadata of this resource's authorization server, with `resource`, and what the resource requires of a token:
/// `scope`, `acr_values`, `max_age`.
pub fn for_resource(client: &Client, resource: &Resource, start: Start) -> Result<Document, Error> {
    let (challenge, status) = match start.challenge {
        Some(challenge) => (challenge, None),
        None => requested(client, resource)?,
    };
    let named = challenge.resource_metadata.as_ref();
    if named.is_some_and(|url| is_remote_to_local(resource.url(), url)) {
        return Err(Error::untrusted(format!("WWW-Authenticate: resource_metadata: {REMOTE_TO_LOCAL}")));
    }
    let mut attempts = Attempts::default();
    let is_named = start.issuer.is_some();
    let places = resource.places(named);
    let protected =
        match attempts.first(client, SUBJECT, &places, |metadata| Protected::checked(&metadata, resource))? {
            Some(protected) => protected,
            None if attempts.mean_none(is_named) => Protected::without_metadata(resource),
            None => {
                let error = attempts.error(0);
                let is_about_it = error.kind() == Kind::Unavailable || error.mismatched().is_some();
                return Err(if is_about_it { error } else { with_hint(error, resource) });
            }
        };
    // What the resource's own places said tells nothing about its servers.
    let skipped = if protected.is_described || is_named { attempts.count() } else { 0 };
    let servers = servers(&protected, start.issuer, resource, &mut attempts)?;
    let Some(metadata) = of_first(client, &servers, &mut attempts)? else {
        return Err(without_server(attempts.error(skipped), &protected, is_named, resource));
    };
    if !protected.is_described {
        let what = if status == Some(404) { "was not found (404)" } else { "has no usable metadata" };
        let issuer = metadata.need("issuer")?;
        message::note(&format!("the resource {what}; using the authorization server {issuer}"));
    } else if protected.resource.trim_end_matches('/') != resource.url().as_str().trim_end_matches('/') {
        message::note(&format!("the token is for {}, which the resource is part of", protected.resource));
    }
    Ok(with_resource(metadata, protected, challenge, start.scope))
}

/// The metadata of the first of these authorization servers that has good metadata.
fn of_first(client: &Client, servers: &[Issuer], attempts: &mut Attempts) -> Result<Option<Document>, Error> {
    for (at, issuer) in servers.iter().enumerate() {
        let (places, is_last) = (issuer.places_for_resource(), at + 1 == servers.len());
        let client = if is_last { client } else { &client.for_half() };
        match attempts.first(client, METADATA, &places, |metadata| checked(metadata, issuer)) {
            Ok(None) => {}
            // Another server may be reachable.
            Err(error) if servers.len() > 1 => attempts.add(issuer.url().as_str(), error),
            found => return found,
        }
    }
    Ok(None)
}

/// The challenge in the response to a request without a token, and its status.
fn requested(client: &Client, resource: &Resource) -> Result<(Challenge, Option<u16>), Error> {
    let client = client.for_half();
    let head = match client.get_head(resource.url()) {
        // Some resources respond only once they have something to stream.
        Err(_) if client.has_timed_out() => {
            message::note("the resource has not responded; looking for its metadata");
            return Ok((Challenge::default(), None));
        }
        head => head?,
    };
    if !(400..500).contains(&head.status) {
        return Ok((Challenge::default(), Some(head.status)));
    }
    Ok((Challenge::from_head(&head), Some(head.status)))
}

/// The authorization servers to try: those that the resource names, or the one that the user chose of them.
fn servers(
    protected: &Protected,
    chosen: Option<Issuer>,
    resource: &Resource,
    attempts: &mut Attempts,
) -> Result<Vec<Issuer>, Error> {
    if let Some(chosen) = chosen {
        let is_it = |server: &String| chosen.is(server) || differ_in_slash(server, chosen.url().as_str());
        if protected.is_described && !protected.servers.iter().any(is_it) {
            let servers = protected.servers.iter().map(|server| message::without_userinfo(server));
            let servers = message::shortened(&servers.collect::<Vec<_>>().join(", "));
            let error = Error::usage("--issuer: not one of the resource's authorization servers");
            return Err(error.hint(format!("it names {servers}")));
        }
        return Ok(vec![chosen]);
    }
    let mut servers = Vec::new();
    if protected.servers.len() > MAX_SERVERS {
        message::note(&format!("only the first {MAX_SERVERS} authorization servers of the resource are tried"));
    }
    for server in protected.servers.iter().take(MAX_SERVERS) {
        match server_of(resource, server) {
            Ok(issuer) if protected.is_described => servers.push(issuer),
            Ok(issuer) => servers.push(issuer.or_with_slash()),
            // A name before an @ may be a secret.
            Err(error) if server.contains('@') => attempts.add("authorization_servers", error),
            Err(error) => attempts.add(&message::shortened(server), error),
        }
    }
    Ok(servers)
}

/// What the resource's metadata says.
struct Protected {
    /// Whether there is metadata.
    is_described: bool,
    /// The resource that the metadata is of: the requested one, or one that it is part of.
    resource: String,
    servers: Vec<String>,
    scope: Option<Scope>,
}

impl Protected {
    fn checked(metadata: &Document, resource: &Resource) -> Result<Protected, Error> {
        let named = metadata.need("resource")?;
        if !Url::parse(&named).is_ok_and(|url| resource.is_within(&url)) {
            let error = Error::untrusted(format!("{SUBJECT}: resource")).about("resource");
            return Err(error.mismatch(resource.url().as_str(), &named));
        }
        let servers = metadata.texts("authorization_servers")?.unwrap_or_default();
        if servers.is_empty() {
            return Err(metadata.wrong("authorization_servers", "missing"));
        }
        let scopes = metadata.texts("scopes_supported").map(|scopes| scopes.filter(|scopes| !scopes.is_empty()));
        let scope = scopes.and_then(|scopes| {
            let wrong = |_| metadata.wrong("scopes_supported", "must be names of scopes");
            scopes.map(|scopes| Scope::parse(&scopes.join(" ")).map_err(wrong)).transpose()
        });
        let scope = scope.unwrap_or_else(|error| {
            message::note(&format!("{}; left out", error.message()));
            None
        });
        Ok(Protected { is_described: true, resource: named, servers, scope })
    }

    /// A resource whose authorization server has the same origin, as before RFC 9728.
    fn without_metadata(resource: &Resource) -> Protected {
        let servers = vec![resource.url().origin().to_owned()];
        Protected { is_described: false, resource: resource.url().as_str().to_owned(), servers, scope: None }
    }
}

/// An authorization server that a resource names.
fn server_of(resource: &Resource, server: &str) -> Result<Issuer, Error> {
    let metadata = Document::empty_response(SUBJECT);
    let issuer = Issuer::parse(server).map_err(|wrong| wrong.for_member(&metadata, "authorization_servers"))?;
    if is_remote_to_local(resource.url(), issuer.url()) {
        return Err(metadata.wrong("authorization_servers", REMOTE_TO_LOCAL));
    }
    Ok(issuer)
}

/// The metadata with what the resource requires of a token.
fn with_resource(mut metadata: Document, protected: Protected, challenge: Challenge, given: Option<Scope>) -> Document {
    metadata.set("resource", &protected.resource);
    let scope = match (given, challenge.scope) {
        (Some(granted), Some(missing)) if challenge.lacks_scope => Some(granted.with(&missing)),
        (given, required) => given.or(required).or(protected.scope),
    };
    metadata.set_given("scope", scope.as_ref().map(Scope::as_str));
    metadata.set_given("acr_values", challenge.acr_values.as_deref());
    if let Some(age) = challenge.max_age {
        metadata.set_number("max_age", age);
    }
    metadata
}

/// The error about a resource whose authorization server was not found. The hint of an issuer's error would lose the
/// resource.
fn without_server(error: Error, protected: &Protected, is_named: bool, resource: &Resource) -> Error {
    let error = error.without_hint();
    match error.mismatched() {
        Some(values) if differ_in_slash(&values.expected, &values.received) => {
            let hint = format!("only the trailing slash differs; use: {}", command(resource, &values.received));
            error.hint(hint)
        }
        _ if protected.is_described || is_named => error,
        _ => with_hint(error, resource),
    }
}

/// The error about a resource without metadata whose authorization server was not found, with the command that works.
fn with_hint(error: Error, resource: &Resource) -> Error {
    let other = error.mismatched().map(|values| values.received.clone());
    match other.filter(|issuer| chosen_server(issuer, resource).is_ok()) {
        Some(issuer) => error.hint(format!("if you trust that issuer: {}", command(resource, &issuer))),
        None => error.hint(format!("if you know its authorization server: {}", command(resource, "ISSUER"))),
    }
}

/// The command for this issuer.
fn command(resource: &Resource, issuer: &str) -> String {
    let [url, issuer] = [resource.url().as_str(), issuer].map(message::word);
    format!("pkce-discover --resource {url} --issuer {issuer}")
}

/// How many of a resource's authorization servers are tried: it must not have us send thousands of requests.
const MAX_SERVERS: usize = 8;

/// The subject of messages about the resource's metadata.
const SUBJECT: &str = "resource metadata";
