//! RFC 7591: dynamic registration of a public native client (RFC 8252 section 8.4).

use crate::client::authentication::AuthMethod;
use crate::client::endpoint::Endpoint;
use crate::client::post::{JSON, Post};
use crate::client::redirect_uri::RedirectUri;
use crate::client::scope::Scope;
use crate::client::secret_file::SecretFile;
use crate::document::{Document, is_visible};
use crate::error::Error;
use crate::message;
use crate::process::Deadline;
use crate::wire::http::Content;

/// Registers a client with the document's redirect URI and scope, and adds its `client_id` and any `client_secret`.
pub fn register(
    mut document: Document,
    client_name: Option<&str>,
    access_token_file: Option<SecretFile>,
    deadline: &Deadline,
) -> Result<Document, Error> {
    document.check_room()?;
    let endpoint = Endpoint::from_document(&document, "registration_endpoint")?;
    let redirect_uri = RedirectUri::from_document(&document)?.registered();
    let body = request(&document, client_name, &redirect_uri)?.line();
    let token = access_token_file.map(|mut file| file.line(deadline)).transpose()?;
    if token.as_ref().is_some_and(|token| !is_visible(token)) {
        return Err(Error::usage("--access-token-file: must contain visible ASCII characters only"));
    }
    let authorization = token.as_ref().map(|token| format!("Bearer {}", **token));
    let post = Post {
        subject: &endpoint.subject(),
        content: Content { media_type: JSON, body: &body, authorization: authorization.as_deref() },
        secrets: &token.as_ref().map_or(Vec::new(), |token| vec![token.as_str()]),
        spends: None,
    };
    let response = post.send(endpoint.url(), deadline)?;
    let client_id = response.need_visible("client_id")?;
    let redirect_uris = response.texts("redirect_uris")?;
    if redirect_uris.is_some_and(|uris| !uris.contains(&redirect_uri)) {
        message::note("the server registered a redirect URI other than the requested one");
    }
    // Credentials of an earlier client must not be sent as those of the new one.
    document.remove(&["client_id", "client_secret", "token_endpoint_auth_method"]);
    document.set("client_id", &client_id);
    add_secret(&mut document, &response, &endpoint)?;
    Ok(document)
}

/// The client's metadata (RFC 7591 section 2).
fn request(document: &Document, client_name: Option<&str>, redirect_uri: &str) -> Result<Document, Error> {
    let mut request = Document::default();
    request.set_given("client_name", client_name);
    request.set_list("redirect_uris", &[redirect_uri]);
    request.set_list("grant_types", &["authorization_code", "refresh_token"]);
    request.set_list("response_types", &["code"]);
    request.set("token_endpoint_auth_method", "none");
    request.set("application_type", "native");
    request.set_given("scope", Scope::from_document(document)?.as_ref().map(Scope::as_str));
    Ok(request)
}

/// Adds the secret and its authentication method, if the server issues one although none was requested.
fn add_secret(document: &mut Document, response: &Document, endpoint: &Endpoint) -> Result<(), Error> {
    let method = response.text("token_endpoint_auth_method")?;
    let secret = response.text("client_secret")?.filter(|secret| !secret.is_empty());
    match (method.as_deref().map(AuthMethod::from_name), secret) {
        (Some(Some(AuthMethod::None)), _) | (None, None) => return Ok(()),
        (Some(None), _) => {
            let wrong = "the server requires a client authentication method that is not supported";
            return Err(Error::refused(wrong).within(&endpoint.subject()));
        }
        (Some(_), None) => return Err(response.wrong("client_secret", "missing")),
        (_, Some(secret)) => {
            document.set("client_secret", &secret);
            document.set_given("token_endpoint_auth_method", method.as_deref());
        }
    }
    if response.json("client_secret_expires_at").is_some_and(|time| time != "0" && time != "null") {
        message::note("the client secret will expire; register a new client when it does");
    }
    Ok(())
}
