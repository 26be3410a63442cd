//! RFC 7591: dynamic registration of a native client (RFC 8252 section 8.4).

use crate::client::authentication::{AuthMethod, listed_methods, takes_secret};
use crate::client::endpoint::Endpoint;
use crate::client::metadata::Issuer;
use crate::client::oauth_error;
use crate::client::poll::DEVICE_CODE;
use crate::client::post::{JSON, Post};
use crate::client::redirect_uri::{self, RedirectUri};
use crate::client::scope::Scope;
use crate::client::secret::{ONE_LINE, Secret, is_secret};
use crate::document::{Document, is_visible};
use crate::error::Error;
use crate::message;
use crate::process::Deadline;
use crate::wire::http::Content;

/// What to register beside the document's redirect URI and scope.
pub struct Registration {
    /// The client's name, as the server shows it to the user.
    pub client_name: Option<String>,
    /// How the client is to authenticate; else as the server's metadata allows.
    pub auth_method: Option<AuthMethod>,
    /// Whether it uses the device grant too.
    pub device: bool,
    /// More client metadata (RFC 7591 section 2), which ours overrides.
    pub metadata: Document,
    /// The initial access token.
    pub access_token: Option<Secret>,
}

/// Registers a client, and adds its `client_id`, `redirect_uris` and any `client_secret`.
pub fn register(mut document: Document, registration: Registration, deadline: &Deadline) -> Result<Document, Error> {
    document.check_room()?;
    let endpoint = endpoint(&document)?;
    let redirect_uris = if document.has("redirect_uri") {
        vec![RedirectUri::from_document(&document)?.without_port_0()]
    } else {
        redirect_uri::to_register()?.to_vec()
    };
    let Registration { client_name, auth_method, device, metadata: mut request, access_token } = registration;
    let mut grant_types = vec!["authorization_code", "refresh_token"];
    grant_types.extend(device.then_some(DEVICE_CODE));
    let auth_method = auth_method.map_or_else(|| method_for(&document), Ok)?;
    request.set_given("client_name", client_name.as_deref());
    request.set_list("redirect_uris", &redirect_uris);
    request.set_list("grant_types", &grant_types);
    request.set_list("response_types", &["code"]);
    request.set(AUTH_METHOD, &auth_method.name());
    request.set("application_type", "native");
    request.set_given("scope", Scope::from_document(&document)?.as_ref().map(Scope::as_str));
    let token = access_token.map(|mut secret| secret.text(deadline)).transpose()?;
    if token.as_ref().is_some_and(|token| !is_visible(token)) {
        return Err(Error::usage("--access-token-file: must contain visible ASCII characters only"));
    }
    let authorization = token.as_ref().map(|token| format!("Bearer {}", **token));
    let held: Vec<_> =
        ["software_statement", "client_secret"].iter().flat_map(|name| request.text(name)).flatten().collect();
    let secrets: Vec<&str> = token.iter().map(|token| token.as_str()).chain(held.iter().map(String::as_str)).collect();
    let post = Post {
        subject: &endpoint.subject(),
        content: Content { media_type: JSON, body: &request.checked_line()?, authorization: authorization.as_deref() },
        secrets: &secrets,
        spends: None,
    };
    let response = post.send(endpoint.url(), deadline).map_err(|error| {
        let needs_token = matches!(error.response_status(), Some(401 | 403))
            || matches!(error.oauth_code(), Some("insufficient_scope" | "invalid_token"));
        let is_about_scope = request.has("scope")
            && error.oauth_code() == Some("insufficient_scope")
            && oauth_error::speaks_of(error.oauth_error().description.as_deref(), "scope");
        match (needs_token && token.is_none(), is_about_scope) {
            (true, true) => error.hint(format!("{ACCESS_TOKEN}; or {WITHOUT_SCOPE}")),
            (true, false) => error.hint(ACCESS_TOKEN),
            (false, true) => error.hint(WITHOUT_SCOPE),
            (false, false) => error,
        }
    })?;
    let response = response.without_nulls();
    let client_id = response.need_visible("client_id")?;
    let registered = response.texts("redirect_uris")?.unwrap_or_else(|| redirect_uris.clone());
    if !redirect_uris.iter().any(|uri| registered.contains(uri)) {
        if !registered.is_empty() && !document.has("redirect_uri") && !redirect_uri::can_be_received(&registered) {
            return Err(response.wrong("redirect_uris", "none of the requested ones, and none on this machine"));
        }
        message::note("the server registered none of the requested redirect URIs");
    }
    note_missing(&response, "grant_types", &grant_types);
    note_missing(&response, "response_types", &["code"]);
    // Credentials of an earlier client must not be sent as those of the new one.
    document.remove(&["client_id", "client_secret", AUTH_METHOD]);
    document.set("client_id", &client_id);
    document.set_list("redirect_uris", &registered);
    add_authentication(&mut document, &response, &endpoint)?;
    Ok(document)
}

/// The registration endpoint. Where there is none, the hint says what else may work.
fn endpoint(document: &Document) -> Result<Endpoint, Error> {
    let error = match Endpoint::from_document(document, "registration_endpoint") {
        Err(error) if error.missing_member().is_some() => error,
        result => return result,
    };
    if document.flag("client_id_metadata_document_supported")? {
        return Err(error.hint(CLIENT_ID_METADATA_DOCUMENT));
    }
    let issuer = document.text("issuer")?.and_then(|issuer| Issuer::parse(&issuer).ok());
    Err(match issuer {
        // Of the servers that resources name, the other metadata was looked at first.
        _ if document.has("resource") => error.hint(BY_HAND),
        Some(issuer) => {
            let [place, issuer] = [issuer.oauth_place(), issuer.url()].map(|url| message::word(url.as_str()));
            error.hint(format!(
                "if you have a client ID: pkce-url --client-id ID, without pkce-register; some servers name the endpoint \
                 in other metadata only: pkce-discover {issuer} --metadata-url {place}"
            ))
        }
        None => error,
    })
}

/// How the client is to authenticate: as a public client, unless the server lists only methods with a secret; then with
/// the first of them, since some servers accept only that (the Python SDK of MCP, no client_secret_basic).
fn method_for(document: &Document) -> Result<AuthMethod, Error> {
    let listed = listed_methods(document)?.unwrap_or_default();
    let is_public = listed.is_empty() || listed.contains(&AuthMethod::None);
    Ok(listed.into_iter().find(|_| !is_public).unwrap_or(AuthMethod::None))
}

/// Notes which of these values the server did not register, if it says what it did.
fn note_missing(response: &Document, name: &str, requested: &[&str]) {
    // A malformed list says nothing, and the client is registered.
    let Some(registered) = response.texts(name).ok().flatten() else { return };
    let is_missing = |value: &&str| !registered.iter().any(|other| other == value);
    let missing: Vec<&str> = requested.iter().copied().filter(is_missing).collect();
    if !missing.is_empty() {
        message::note(&format!("the server did not register {name} {}", missing.join(", ")));
    }
}

/// Adds the authentication method, and the secret if the server issues one although none was requested.
fn add_authentication(document: &mut Document, response: &Document, endpoint: &Endpoint) -> Result<(), Error> {
    let method = response.text(AUTH_METHOD)?.filter(|method| !method.is_empty());
    let secret = response.text("client_secret")?.filter(|secret| !secret.is_empty());
    match (method.as_deref().map(AuthMethod::from_name), secret) {
        // So that no step sends it the secret of another client, which the environment may name.
        (Some(Some(AuthMethod::None)), _) | (None, None) => document.set(AUTH_METHOD, &AuthMethod::None.name()),
        // Some servers issue one and list no way to send it.
        (None, Some(_)) if !takes_secret(document)? => document.set(AUTH_METHOD, &AuthMethod::None.name()),
        (Some(None), _) => {
            let wrong = "the server requires a client authentication method that is not supported";
            return Err(Error::refused(wrong).within(&endpoint.subject()));
        }
        (Some(_), None) => return Err(response.wrong("client_secret", "missing")),
        (_, Some(secret)) if !is_secret(&secret) => return Err(response.wrong("client_secret", ONE_LINE)),
        (_, Some(secret)) => {
            document.set("client_secret", &secret);
            document.set_given(AUTH_METHOD, method.as_deref());
            if response.json("client_secret_expires_at").is_some_and(|time| time != "0") {
                message::note("the client secret will expire; register a new client when it does");
            }
        }
    }
    Ok(())
}

/// The member with the authentication method (RFC 7591 section 2).
const AUTH_METHOD: &str = "token_endpoint_auth_method";

const ACCESS_TOKEN: &str = "the server may require an initial access token: use --access-token-file";

/// What to do about a client registration policy of Keycloak, which refuses scopes so.
const WITHOUT_SCOPE: &str = "leave out the scope: pkce-register without --scope";

const BY_HAND: &str = "register a client at the server yourself, and pass its ID to pkce-url --client-id";

const CLIENT_ID_METADATA_DOCUMENT: &str =
    "no registration is needed: publish a client ID metadata document, and pass its URL to pkce-url --client-id";
