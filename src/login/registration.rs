//! RFC 7591: a client that the server does not know yet, registered as a public native one (RFC 8252 section 8.4).

use std::path::Path;
use std::time::Duration;

use crate::endpoint::{self, JSON, METHODS, Post};
use crate::http::Content;
use crate::url::Url;
use crate::{Document, Error, Kind, authorize, form, metadata, tool};

/// Registers a client with the document's redirect URI and scope, and adds what the server calls it.
pub fn register(
    mut document: Document,
    client_name: Option<&str>,
    access_token_file: Option<&Path>,
    timeout: Duration,
) -> Result<Document, Error> {
    let endpoint = metadata::endpoint(&document, "registration_endpoint")?;
    let redirect_uri = registered(&authorize::redirect_uri(&document)?);
    let body = request(&document, client_name, &redirect_uri)?.line();
    let token = access_token_file.map(|file| endpoint::secret("--access-token-file", file)).transpose()?;
    if token.as_ref().is_some_and(|token| !form::is_visible(token)) {
        return Err(Error::usage("--access-token-file: must hold visible ASCII characters alone"));
    }
    let authorization = token.as_ref().map(|token| format!("Bearer {}", **token));
    let post = Post {
        subject: SUBJECT,
        content: Content { media_type: JSON, body: &body, authorization: authorization.as_deref() },
        secrets: &token.as_ref().map_or(Vec::new(), |token| vec![token.as_str()]),
        spends: None,
    };
    let answer = post.send(&endpoint, timeout)?;
    let of_answer = |error: Error| error.of_answer(SUBJECT);
    let client_id = authorize::visible(&answer, "client_id").map_err(of_answer)?;
    let redirect_uris = answer.texts("redirect_uris").map_err(of_answer)?;
    if redirect_uris.is_some_and(|uris| !uris.contains(&redirect_uri)) {
        tool::note("the server registered another redirect URI than the one that was asked for");
    }
    // What was there of another client goes with it.
    document.remove(&["client_id", "client_secret", "token_endpoint_auth_method"]);
    document.set("client_id", &client_id);
    adopt_secret(&mut document, &answer)?;
    Ok(document)
}

/// The client's metadata (section 2).
fn request(document: &Document, client_name: Option<&str>, redirect_uri: &str) -> Result<Document, Error> {
    let mut request = Document::default();
    request.set_given("client_name", client_name);
    request.set_list("redirect_uris", &[redirect_uri]);
    request.set_list("grant_types", &["authorization_code", "refresh_token"]);
    request.set_list("response_types", &["code"]);
    request.set("token_endpoint_auth_method", "none");
    request.set("application_type", "native");
    request.set_given("scope", authorize::scope(document)?.as_deref());
    Ok(request)
}

/// The secret and how it is shown, where the server gives one although none was asked for.
fn adopt_secret(document: &mut Document, answer: &Document) -> Result<(), Error> {
    let of_answer = |error: Error| error.of_answer(SUBJECT);
    let method = answer.text("token_endpoint_auth_method").map_err(of_answer)?;
    let secret = answer.text("client_secret").map_err(of_answer)?.filter(|secret| !secret.is_empty());
    match (method.as_deref(), secret) {
        (Some("none"), _) | (None, None) => return Ok(()),
        (Some(method), _) if !METHODS.contains(&method) => {
            let wrong = "the server wants the client to show who it is in a way that is not known here";
            return Err(Error::new(Kind::Refused, format!("{SUBJECT}: {wrong}")));
        }
        (Some(_), None) => return Err(Error::untrusted(format!("{SUBJECT}: client_secret: missing"))),
        (method, Some(secret)) => {
            document.set("client_secret", &secret);
            document.set_given("token_endpoint_auth_method", method);
        }
    }
    if answer.json("client_secret_expires_at").is_some_and(|time| time != "0" && time != "null") {
        tool::note("the client's secret expires; then a new client must be registered");
    }
    Ok(())
}

/// The redirect URI as a server knows it: on this machine its port does not count (RFC 8252 section 7.3), so a port 0 is
/// left out.
fn registered(redirect_uri: &str) -> String {
    match Url::parse("redirect_uri", redirect_uri) {
        Ok(url) if url.is_loopback() && url.port() == Some(0) => redirect_uri.replacen(":0", "", 1),
        _ => redirect_uri.to_owned(),
    }
}

const SUBJECT: &str = "registration endpoint";

#[cfg(test)]
mod tests {
    use super::registered;

    #[test]
    fn leaves_the_port_out_where_any_will_do() {
        for (given, expected) in [
            ("http://127.0.0.1:0/callback", "http://127.0.0.1/callback"),
            ("http://[::1]:0/a:0", "http://[::1]/a:0"),
            ("http://localhost:0", "http://localhost"),
            ("http://127.0.0.1:8080/callback", "http://127.0.0.1:8080/callback"),
            ("http://127.0.0.1/callback", "http://127.0.0.1/callback"),
            ("com.example.app:/callback", "com.example.app:/callback"),
        ] {
            assert_eq!(registered(given), expected);
        }
    }
}
