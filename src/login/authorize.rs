//! RFC 6749 section 4.1.1 with RFC 7636 section 4.3: the authorization request, as a URL.

use std::borrow::Cow;

use crate::client::endpoint::Endpoint;
use crate::client::pkce;
use crate::client::redirect_uri::RedirectUri;
use crate::client::resource::resources;
use crate::client::scope::{self, Scope};
use crate::document::Document;
use crate::document::text::{Text, every};
use crate::error::Error;
use crate::message;
use crate::wire::form;
use crate::wire::url::Url;

/// A parameter's name and value.
type Parameter = (String, String);

/// The authorization requests of one document after another: what is the same in the next is not parsed again.
pub struct Requests {
    set: Vec<Parameter>,
    added: Vec<Parameter>,
    endpoint: Option<Endpoint>,
    redirect_uri: Option<RedirectUri>,
    url: Text,
}

impl Requests {
    /// Requests with the parameters that options of their own set, and those of `--param`.
    pub fn new(set: Vec<Parameter>, added: Vec<Parameter>) -> Requests {
        Requests { set, added, endpoint: None, redirect_uri: None, url: Text::default() }
    }

    /// Adds the authorization URL; removes a nonce that it does not send.
    pub fn add_url(&mut self, mut document: Document) -> Result<Document, Error> {
        if !scope::contains(&document.slice("scope")?.unwrap_or_default(), "openid") {
            document.remove(&["nonce"]);
        }
        self.make_url(&document)?;
        document.set("authorization_url", &self.url);
        Ok(document)
    }

    /// Makes the document's authorization URL.
    fn make_url(&mut self, document: &Document) -> Result<(), Error> {
        let endpoint = match self.endpoint.take().filter(|endpoint| endpoint.is_also_of(document)) {
            Some(endpoint) => endpoint,
            None => Endpoint::from_document(document, "authorization_endpoint")?,
        };
        let endpoint = self.endpoint.insert(endpoint).url();
        let request = request(document, &mut self.redirect_uri)?;
        let mut used: Vec<Cow<str>> = request.iter().map(|(name, _)| Cow::Borrowed(*name)).collect();
        for (name, value) in form::pairs(endpoint.query().unwrap_or_default()) {
            let (name, value) = (form::decode(name).unwrap_or_default(), form::decode(value).unwrap_or_default());
            check(&name, &value, &used)?;
            used.push(Cow::Owned(name));
        }
        for parameter in &self.set {
            check_added(parameter, &mut used)?;
        }
        for parameter in &self.added {
            check_added(parameter, &mut used).map_err(|error| error.within("--param"))?;
        }
        let given = self.set.iter().chain(&self.added).map(|(name, value)| (name.as_str(), value.as_str()));
        let pairs = request.iter().map(|(name, value)| (*name, value.as_ref())).chain(given);
        self.url.clear();
        self.url.push(endpoint.as_str());
        self.url.push(joint(endpoint));
        form::push_encoded(&mut self.url, pairs);
        if self.url.len() > LONG_URL {
            message::note(
                "the URL is longer than 8,000 characters, which some servers truncate; pkce-push shortens it",
            );
        }
        Ok(())
    }
}

/// The redirect URI with this port, and the authorization URL with that; `None` if that does not have the
/// redirect URI.
pub fn with_redirect_uri(url: &str, redirect_uri: &RedirectUri, port: u16) -> Option<(String, String)> {
    let (old, new) = (redirect_uri.as_str(), redirect_uri.with_port(port));
    let (endpoint, query) = url.split_once('?')?;
    let mut found = false;
    let pairs: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some(("redirect_uri", value)) if form::decode(value).as_deref() == Some(old) => {
                found = true;
                format!("redirect_uri={}", form::encode(&new))
            }
            _ => pair.to_owned(),
        })
        .collect();
    found.then(|| (new, format!("{endpoint}?{}", pairs.join("&"))))
}

/// The endpoint with this query appended to its own (RFC 6749 section 3.1).
pub fn with_query(endpoint: &Url, query: &str) -> String {
    format!("{}{}{query}", endpoint.as_str(), joint(endpoint))
}

/// What is between an endpoint and the query that is appended.
fn joint(endpoint: &Url) -> &'static str {
    match endpoint.query() {
        None => "?",
        Some(own) if own.is_empty() || own.ends_with('&') => "",
        Some(_) => "&",
    }
}

/// The parameters from the document, in the order of the specifications; `redirect_uri` is that of the document before.
fn request<'a>(
    document: &'a Document,
    redirect_uri: &'a mut Option<RedirectUri>,
) -> Result<Vec<(&'static str, Cow<'a, str>)>, Error> {
    let need = |name| document.visible_slice(name)?.ok_or_else(|| document.missing(name));
    let mut pairs = Vec::with_capacity(TYPICAL);
    pairs.push(("response_type", Cow::Borrowed("code")));
    pairs.push(("client_id", need("client_id")?));
    let same = redirect_uri.take().filter(|redirect_uri| redirect_uri.is_also_of(document));
    let redirect_uri = redirect_uri.insert(same.map_or_else(|| RedirectUri::from_document(document), Ok)?);
    pairs.push(("redirect_uri", Cow::Borrowed(redirect_uri.as_str())));
    if let Some(scope) = Scope::from_document(document)? {
        pairs.push(("scope", Cow::Owned(scope.as_str().to_owned())));
    }
    pairs.push(("state", need("state")?));
    if let Some(nonce) = document.visible_slice("nonce")? {
        pairs.push(("nonce", nonce));
    }
    pairs.push(("code_challenge", challenge_slice(document)?));
    pairs.push(("code_challenge_method", Cow::Borrowed(pkce::METHOD)));
    for resource in resources(document)? {
        pairs.push(("resource", Cow::Owned(resource)));
    }
    if let Some(age) = document.seconds("max_age")? {
        pairs.push(("max_age", Cow::Owned(age.to_string())));
    }
    if let Some(acr_values) = document.visible_slice("acr_values")? {
        pairs.push(("acr_values", acr_values));
    }
    Ok(pairs)
}

/// The document's challenge, which must be that of its verifier, if it has one.
pub fn challenge(document: &Document) -> Result<String, Error> {
    challenge_slice(document).map(Cow::into_owned)
}

fn challenge_slice(document: &Document) -> Result<Cow<'_, str>, Error> {
    let challenge = document.need_slice("code_challenge")?;
    let base64url = |octet: u8| octet.is_ascii_alphanumeric() | matches!(octet, b'-' | b'_');
    if challenge.len() != 43 || !every(&challenge, base64url) {
        return Err(document.wrong("code_challenge", "must be 43 characters of base64url, the SHA-256 of the verifier"));
    }
    if document.slice("code_challenge_method")?.is_some_and(|method| method != pkce::METHOD) {
        return Err(document.wrong("code_challenge_method", "must be S256"));
    }
    if document.has("code_verifier") && pkce::challenge(&pkce::verifier(document)?) != challenge {
        return Err(document.wrong("code_challenge", "does not match the document's code_verifier"));
    }
    let methods = document.texts("code_challenge_methods_supported")?;
    if methods.is_some_and(|methods| !methods.iter().any(|method| method == pkce::METHOD)) {
        return Err(document.wrong("code_challenge_methods_supported", "the server does not support S256"));
    }
    Ok(challenge)
}

/// Refuses a parameter that cannot be added to those used; adds the name of any other to them.
fn check_added<'a>((name, value): &'a Parameter, used: &mut Vec<Cow<'a, str>>) -> Result<(), Error> {
    if value.is_empty() {
        return Err(Error::usage(format!("{name}: must not be empty")));
    }
    let is_document_only = DOCUMENT_ONLY.contains(&name.as_str());
    let checked = if is_document_only && !used.iter().any(|other| other == name) {
        Err(reserved(name))
    } else {
        check(name, value, used)
    };
    checked.map_err(|error| {
        let has_option = OPTIONS.contains(&name.as_str());
        if has_option { error.hint(format!("set it with --{}", name.replace('_', "-"))) } else { error }
    })?;
    used.push(Cow::Borrowed(name));
    Ok(())
}

/// Refuses a parameter that is reserved or a duplicate, and a response mode other than query.
fn check(name: &str, value: &str, used: &[Cow<str>]) -> Result<(), Error> {
    if RESERVED.contains(&name) {
        return Err(reserved(name));
    }
    if used.iter().any(|other| other == name) {
        return Err(Error::usage(format!("{name}: already in the request")));
    }
    if name == "response_mode" && value != "query" {
        return Err(Error::usage("response_mode: must be query"));
    }
    Ok(())
}

fn reserved(name: &str) -> Error {
    Error::usage(format!("{name}: reserved"))
}

/// The parameters of most requests.
const TYPICAL: usize = 12;

/// Parameters that would replace the request, or must not be exposed to the browser.
const RESERVED: [&str; 4] = ["request", "request_uri", "client_secret", "code_verifier"];

/// Parameters that only the document may set, even if it does not.
const DOCUMENT_ONLY: [&str; 3] = ["nonce", "scope", "resource"];

/// Parameters with an option of their own.
const OPTIONS: [&str; 8] =
    ["acr_values", "client_id", "login_hint", "max_age", "prompt", "redirect_uri", "resource", "scope"];

/// The length in characters from which some servers and browsers truncate a URL.
const LONG_URL: usize = 8000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_the_port_it_found_into_the_url() {
        let (old, new) = ("http://[::1]:0/a:0", "http://[::1]:4711/a:0");
        let redirect_uri = RedirectUri::parse(old, &Document::default()).ok().unwrap();
        let url = format!("https://a.b/c?x=1&redirect_uri={}&y", form::encode(old));
        let expected = format!("https://a.b/c?x=1&redirect_uri={}&y", form::encode(new));
        assert_eq!(with_redirect_uri(&url, &redirect_uri, 4711), Some((new.to_owned(), expected)));
        assert!(with_redirect_uri("https://a.b/c", &redirect_uri, 4711).is_none());
        assert!(with_redirect_uri("https://a.b/c?redirect_uri=x", &redirect_uri, 4711).is_none());
    }
}
