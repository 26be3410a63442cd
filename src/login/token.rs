//! The token endpoint: RFC 6749 sections 4.1.3 and 5.1, RFC 7636 section 4.5, RFC 8707 section 2.2.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::client::authentication::Caller;
use crate::client::endpoint::Endpoint;
use crate::client::lifetime;
use crate::client::pkce;
use crate::client::post::{Call, Format, Grant};
use crate::client::redaction::without_secrets;
use crate::client::resource::resources;
use crate::client::scope;
use crate::client::token_request::TokenRequest;
use crate::document::members::{self, Member, TOKEN_ANSWER_MEMBERS, TOKEN_REQUEST, is_token};
use crate::document::{self, Document, NOT_VISIBLE, is_visible};
use crate::error::Error;
use crate::message;
use crate::process::Deadline;

/// Exchanges the document's code for tokens: one POST, never repeated. What it is told about the request is recorded for
/// the refresh.
pub fn exchange(mut document: Document, request: &TokenRequest, caller: &Caller) -> Result<Document, Error> {
    document = prepared(document, request)?;
    check_iss(&document)?;
    let code = document.need_visible("code")?;
    let verifier = pkce::verifier(&document)?;
    let redirect_uri = document.need("redirect_uri")?;
    let resources = resources(&document)?;
    let mut pairs = vec![
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", &*redirect_uri),
        ("code_verifier", &*verifier),
    ];
    pairs.extend(resources.iter().map(|resource| ("resource", resource.as_str())));
    pairs.extend(request.parameters());
    let requested_scope = document.text("scope")?;
    let tokens = token_response(&document, &pairs, request.format(), Grant::Code, caller, &caller.deadline())?;
    completed(document, tokens, requested_scope.as_deref())
}

/// The document of a login that is about to send this token request, with room for the response. What an earlier login was
/// told does not count.
pub fn prepared(mut document: Document, request: &TokenRequest) -> Result<Document, Error> {
    request.check_client(&document)?;
    document.remove(&[TOKEN_REQUEST]);
    request.record(&mut document)?;
    with_room(document)
}

/// The document of a login with its validated token response, without what is spent.
pub fn completed(mut document: Document, tokens: Document, requested_scope: Option<&str>) -> Result<Document, Error> {
    merge_response(&mut document, tokens, requested_scope);
    document.remove(&members::names(|member: &Member| member.is_spent));
    fitting(document)
}

/// Exchanges the document's refresh token for new tokens (RFC 6749 section 6): one POST, never repeated. The request is
/// sent as the document records it, unless the options say otherwise; with success, these are recorded too.
pub fn refresh(
    mut document: Document,
    options: &TokenRequest,
    resource: Option<&str>,
    caller: &Caller,
    deadline: &Deadline,
) -> Result<Document, Error> {
    let request = check_refresh(&document, options)?;
    request.record(&mut document)?;
    let mut document = with_room(document)?;
    let token = document.need_visible("refresh_token")?;
    let granted = document.text("scope")?;
    if let (Some(scope), Some(granted)) = (options.scope(), &granted)
        && !scope.split(' ').all(|name| scope::contains(granted, name))
    {
        message::note("the requested scope has more than that of the last token");
    }
    let mut resources = resources(&document)?;
    if let Some(resource) = resource {
        if !resources.is_empty() && !resources.iter().any(|granted| granted == resource) {
            let error = Error::usage("--resource: not one of the document's resources");
            return Err(error.mismatch(&resources.join(", "), resource));
        }
        resources = vec![resource.to_owned()];
    }
    let mut pairs = vec![("grant_type", "refresh_token"), ("refresh_token", &*token)];
    pairs.extend(resources.iter().map(|resource| ("resource", resource.as_str())));
    pairs.extend(request.parameters());
    let tokens = token_response(&document, &pairs, request.format(), Grant::RefreshToken, caller, deadline)?;
    merge_response(&mut document, tokens, request.scope().or(granted.as_deref()));
    fitting(document)
}

/// The refresh request of this document with what the options say, checked as far as that is possible before its secret
/// is known.
pub fn check_refresh(document: &Document, options: &TokenRequest) -> Result<TokenRequest, Error> {
    let request = TokenRequest::from_document(document)?.with(options);
    request.check_client(document)?;
    document.need_visible("refresh_token")?;
    resources(document)?;
    Endpoint::from_document(document, "token_endpoint")?;
    Ok(request)
}

/// The token response to a request with these parameters, which spends the grant.
fn token_response(
    document: &Document,
    pairs: &[(&str, &str)],
    format: Format,
    grant: Grant,
    caller: &Caller,
    deadline: &Deadline,
) -> Result<Document, Error> {
    let endpoint = &Endpoint::from_document(document, "token_endpoint")?;
    let call = Call { endpoint, format, pairs, spends: Some(grant) };
    let tokens = call.send(document, caller, deadline)?;
    validated(tokens, SystemTime::now()).map_err(|error| grant.maybe_spent(error))
}

/// Merges a token response into the document: its tokens as one set, its scope (else the requested one), its refresh
/// token if any, and of the rest only members that control no later step, and replace nothing but what an earlier
/// response added. The names of the rest are recorded, for the next response and for the next login to remove.
fn merge_response(document: &mut Document, tokens: Document, requested_scope: Option<&str>) {
    let granted = tokens.text("scope").ok().flatten();
    document.set_given("scope", requested_scope);
    // Many servers add scopes of their own.
    let missing = requested_scope.zip(granted.as_deref());
    let missing = missing.map(|(requested, granted)| scope::missing(requested, granted).join(" "));
    if let Some(missing) = missing.filter(|missing| !missing.is_empty()) {
        message::note(&format!("the granted scope lacks {missing}"));
    }
    let mut added = added_members(document);
    let is_added = |name: &str| added.contains(name);
    let others = tokens.names().filter(|name| members::named(name).is_none() && !document.has(name) && !is_added(name));
    let others: Vec<String> = others.map(str::to_owned).collect();
    document.retain(|name, _| match name {
        "refresh_token" | "scope" => !tokens.has(name),
        name if is_token(name) => false,
        name => !(tokens.has(name) && is_added(name)),
    });
    added.extend(others);
    if !added.is_empty() {
        let added: Vec<String> = added.into_iter().collect();
        document.set_list(TOKEN_ANSWER_MEMBERS, &added);
    }
    document.add_missing(&tokens);
}

/// The document with room for a token response, if need be without what earlier ones added.
fn with_room(document: Document) -> Result<Document, Error> {
    if document.check_room().is_ok() {
        return Ok(document);
    }
    let document = without_added(document);
    document.check_room().map(|()| document)
}

/// The document after a token response, with room for the next one if leaving out what responses added makes room.
fn fitting(document: Document) -> Result<Document, Error> {
    if document.check_room().is_ok() {
        return Ok(document);
    }
    let document = without_added(document);
    if document.checked_line().is_err() {
        let wrong = format!("document: {} with the new tokens", document::too_large());
        return Err(Error::login_required(wrong).with_loss("the tokens issued by the server are lost"));
    }
    Ok(document)
}

/// The document without what token responses added beyond the tokens.
fn without_added(mut document: Document) -> Document {
    let added = added_members(&document);
    if !added.is_empty() {
        message::note("the document would be too large, so the other members of token responses are left out");
        document.retain(|name, _| name != TOKEN_ANSWER_MEMBERS && !added.contains(name));
    }
    document
}

/// The names of the members that earlier token responses added. A document may be written by hand, so a member that the
/// table names is never one of them.
fn added_members(document: &Document) -> BTreeSet<String> {
    let added = document.texts(TOKEN_ANSWER_MEMBERS).ok().flatten().unwrap_or_default();
    added.into_iter().filter(|name| members::named(name).is_none()).collect()
}

/// The validated token response: the members of RFC 6749 section 5.1, without other members of the document's table. The
/// access token must be valid; another member that is not is left out, since the tokens cannot be requested again.
pub fn validated(mut tokens: Document, received: SystemTime) -> Result<Document, Error> {
    let is_set = |name: &str| name != "expires_at" && (is_token(name) || name == "scope");
    tokens.retain(|name, json| members::named(name).is_none() || (is_set(name) && json != "null"));
    tokens.need_visible("access_token")?;
    match well_formed(&mut tokens, "token_type", |tokens| tokens.visible("token_type")) {
        Some(token_type) if token_type.eq_ignore_ascii_case("Bearer") => {}
        Some(_) => return Err(tokens.wrong("token_type", "not Bearer, the only supported type")),
        None => {
            message::note(&format!("{}; taken to be Bearer", tokens.wrong("token_type", "missing").message()));
            tokens.set("token_type", "Bearer");
        }
    }
    // An empty one is none, as null is.
    if tokens.json("refresh_token") == Some("\"\"") {
        tokens.remove(&["refresh_token"]);
    }
    for name in ["refresh_token", "id_token"] {
        well_formed(&mut tokens, name, |tokens| tokens.visible(name));
    }
    let scope = well_formed(&mut tokens, "scope", granted_scope);
    tokens.remove(&["scope"]);
    tokens.set_given("scope", scope.as_deref());
    if let Some(lifetime) = well_formed(&mut tokens, "expires_in", expires_in) {
        let now = received.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        tokens.set_number("expires_in", lifetime);
        tokens.set_number("expires_at", now.saturating_add(lifetime));
    }
    Ok(tokens)
}

/// What `read` reads from this member, if it is there and well-formed; a malformed one is left out, with a note.
fn well_formed<T>(
    tokens: &mut Document,
    name: &str,
    read: impl FnOnce(&Document) -> Result<Option<T>, Error>,
) -> Option<T> {
    read(tokens).unwrap_or_else(|error| {
        message::note(&format!("{}; left out", error.message()));
        tokens.remove(&[name]);
        None
    })
}

/// The granted scope, if any; an empty one names nothing, so it is treated as a missing one.
fn granted_scope(tokens: &Document) -> Result<Option<String>, Error> {
    let scope = tokens.texts("scope")?.map(|names| names.join(" ")).filter(|scope| !scope.is_empty());
    if scope.as_deref().is_some_and(|scope| !is_visible(scope)) {
        return Err(tokens.wrong("scope", NOT_VISIBLE));
    }
    Ok(scope)
}

fn expires_in(tokens: &Document) -> Result<Option<u64>, Error> {
    let Some(json) = tokens.json("expires_in") else { return Ok(None) };
    lifetime::seconds(json)
        .map(|seconds| Some(seconds as u64))
        .ok_or_else(|| tokens.wrong("expires_in", "must be a number of seconds, up to a hundred years"))
}

/// The redirect's `iss` must be the issuer of the endpoint that will receive the code (RFC 9207 section 2.4).
fn check_iss(document: &Document) -> Result<(), Error> {
    let (issuer, iss) = (document.text("issuer")?, document.text("iss")?);
    match issuer.zip(iss) {
        Some((issuer, iss)) if issuer != iss => {
            Err(document.mismatch("iss", &issuer, &without_secrets(&iss, document)).as_untrusted())
        }
        _ => Ok(()),
    }
}
