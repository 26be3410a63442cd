//! RFC 6749 section 4.1.1 with RFC 7636 section 4.3: the authorization request, as a URL.

use crate::url::{PLAIN, Url};
use crate::{Document, Error, Kind, form, metadata, pkce, tool};

/// The authorization URL of the document, with `added` parameters that are not the document's.
pub fn url(document: &Document, added: &[(String, String)]) -> Result<String, Error> {
    let endpoint = metadata::endpoint(document, "authorization_endpoint")?;
    let request = request(document)?;
    let mut taken: Vec<String> = request.iter().map(|(name, _)| name.clone()).collect();
    for (name, value) in form::pairs(endpoint.query().unwrap_or_default()) {
        let (name, value) = (form::decode(name).unwrap_or_default(), form::decode(value).unwrap_or_default());
        check(&name, &value, &taken)?;
        taken.push(name);
    }
    for (name, value) in added {
        if OPTIONS.contains(&name.as_str()) {
            return Err(twice(name));
        }
        if value.is_empty() {
            return Err(Error::usage(format!("{name}: an empty parameter cannot be sent")));
        }
        check(name, value, &taken)?;
        taken.push(name.clone());
    }
    let pairs = request.iter().chain(added);
    let query = form::encoded(pairs.map(|(name, value)| (name.as_str(), value.as_str())));
    let url = with_query(&endpoint, &query);
    if url.len() > LONG {
        tool::note("the URL is longer than 8,000 characters; some servers cut it, and pkce-push makes it short");
    }
    Ok(url)
}

/// The endpoint with this query behind its own (RFC 6749 section 3.1).
pub fn with_query(endpoint: &Url, query: &str) -> String {
    let joint = match endpoint.query() {
        None => "?",
        Some(own) if own.is_empty() || own.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{}{joint}{query}", endpoint.as_str())
}

/// Sets the redirect URI where the document has none: this machine, any free port.
pub fn default_redirect_uri(document: &mut Document) {
    if !document.has("redirect_uri") {
        document.set("redirect_uri", "http://127.0.0.1:0/callback");
    }
}

/// The redirect URI of the document: https, http to this machine, or an application's own scheme (RFC 8252 section 7).
pub fn redirect_uri(document: &Document) -> Result<String, Error> {
    let uri = document.need("redirect_uri")?;
    let (scheme, rest) = uri.split_once(':').unwrap_or_default();
    let own = scheme.contains('.')
        && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && rest.starts_with('/')
        && scheme.bytes().all(|octet| octet == b'.' || octet == b'-' || octet.is_ascii_alphanumeric());
    if own && !uri.contains('#') && uri.bytes().all(|octet| octet.is_ascii_graphic()) {
        return Ok(uri);
    }
    let url = Url::parse("redirect_uri", &uri).map_err(|mut error| {
        // What helps with a server's endpoint does not help here: the browser comes back to this machine alone.
        error.report.hint = None;
        error
    })?;
    let names = form::pairs(url.query().unwrap_or_default()).filter_map(|(name, _)| form::decode(name));
    if names.into_iter().any(|name| ANSWERED.contains(&name.as_str())) {
        return Err(Error::member("redirect_uri", "its query must not have what the server's answer adds to it"));
    }
    if !url.is_https() && !url.is_loopback() {
        let mut error = Error::member("redirect_uri", PLAIN);
        error.kind = Kind::Untrusted;
        return Err(error);
    }
    Ok(uri)
}

/// The parameters that the document gives, in the order of the specifications.
fn request(document: &Document) -> Result<Vec<(String, String)>, Error> {
    let mut pairs = vec![
        ("response_type".to_owned(), "code".to_owned()),
        ("client_id".to_owned(), visible(document, "client_id")?),
        ("redirect_uri".to_owned(), redirect_uri(document)?),
    ];
    let scope = scope(document)?;
    let names_openid = scope.as_deref().is_some_and(|scope| scope.split(' ').any(|name| name == "openid"));
    if let Some(scope) = scope {
        pairs.push(("scope".to_owned(), scope));
    }
    pairs.push(("state".to_owned(), visible(document, "state")?));
    if names_openid && document.has("nonce") {
        pairs.push(("nonce".to_owned(), visible(document, "nonce")?));
    }
    pairs.push(("code_challenge".to_owned(), challenge(document)?));
    pairs.push(("code_challenge_method".to_owned(), pkce::METHOD.to_owned()));
    for resource in resources(document)? {
        pairs.push(("resource".to_owned(), resource));
    }
    if let Some(age) = document.json("max_age") {
        let digits = !age.is_empty() && age.bytes().all(|octet| octet.is_ascii_digit());
        if !digits {
            return Err(Error::member("max_age", "must be a whole number of seconds"));
        }
        pairs.push(("max_age".to_owned(), age.to_owned()));
    }
    if document.has("acr_values") {
        pairs.push(("acr_values".to_owned(), visible(document, "acr_values")?));
    }
    Ok(pairs)
}

/// The resources that are asked for (RFC 8707 section 2): absolute URIs without a fragment.
pub fn resources(document: &Document) -> Result<Vec<String>, Error> {
    let resources = document.texts("resource")?.unwrap_or_default();
    for resource in &resources {
        let (scheme, rest) = resource.split_once(':').unwrap_or_default();
        let absolute = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet));
        let graphic = resource.bytes().all(|octet| octet.is_ascii_graphic());
        if !absolute || rest.is_empty() || !graphic || resource.contains('#') {
            return Err(Error::member("resource", "must be an absolute URI without a fragment"));
        }
    }
    Ok(resources)
}

fn challenge(document: &Document) -> Result<String, Error> {
    let challenge = document.need("code_challenge")?;
    let base64url = |octet: u8| octet.is_ascii_alphanumeric() || b"-_".contains(&octet);
    if challenge.len() != 43 || !challenge.bytes().all(base64url) {
        return Err(Error::member("code_challenge", "must be 43 characters of base64url, the SHA-256 of the verifier"));
    }
    if document.text("code_challenge_method")?.is_some_and(|method| method != pkce::METHOD) {
        return Err(Error::member("code_challenge_method", "must be S256"));
    }
    if document.has("code_verifier") && pkce::challenge(&pkce::verifier(document)?) != challenge {
        return Err(Error::member("code_challenge", "not that of the document's code_verifier"));
    }
    let methods = document.texts("code_challenge_methods_supported")?;
    if methods.is_some_and(|methods| !methods.iter().any(|method| method == pkce::METHOD)) {
        return Err(Error::member("code_challenge_methods_supported", "the server does not support S256"));
    }
    Ok(challenge)
}

/// The scope, if any (RFC 6749 section 3.3).
pub fn scope(document: &Document) -> Result<Option<String>, Error> {
    let scope = document.text("scope")?.filter(|scope| !scope.is_empty());
    scope.as_deref().map(checked_scope).transpose()
}

/// The scope, where it is one.
pub fn checked_scope(scope: &str) -> Result<String, Error> {
    let token = |octet: u8| matches!(octet, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    match scope.split(' ').all(|name| !name.is_empty() && name.bytes().all(token)) {
        true => Ok(scope.to_owned()),
        false => Err(Error::member("scope", "must be names with single spaces between them, without \" and \\")),
    }
}

/// A member that must be there as visible ASCII characters (RFC 6749 appendix A).
pub fn visible(document: &Document, name: &str) -> Result<String, Error> {
    let text = document.need(name)?;
    match !text.is_empty() && form::is_visible(&text) {
        true => Ok(text),
        false => Err(Error::member(name, "must be visible ASCII characters, one at least")),
    }
}

/// Whether a parameter may stand beside the request's own.
fn check(name: &str, value: &str, taken: &[String]) -> Result<(), Error> {
    if RESERVED.contains(&name) || taken.iter().any(|other| other == name) {
        return Err(twice(name));
    }
    if name == "response_mode" && value != "query" {
        return Err(Error::usage("response_mode: must be query: the redirect brings the code in its query"));
    }
    Ok(())
}

fn twice(name: &str) -> Error {
    Error::usage(format!("{name}: a parameter that cannot be added, or is there already"))
}

/// What replaces the request, or must not be seen by the browser.
const RESERVED: [&str; 4] = ["request", "request_uri", "client_secret", "code_verifier"];

/// What has an option of its own, or comes from the document alone.
const OPTIONS: [&str; 3] = ["nonce", "scope", "resource"];

/// What an answer brings in the redirect's query, once (RFC 6749 section 4.1.2, RFC 9207).
const ANSWERED: [&str; 4] = ["code", "state", "iss", "error"];

/// Where servers and browsers begin to cut a URL.
const LONG: usize = 8000;
