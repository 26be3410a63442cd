//! The token endpoint: RFC 6749 sections 4.1.3 and 5.1, RFC 7636 section 4.5, RFC 8707 section 2.2.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::client::authentication::Caller;
use crate::client::endpoint::Endpoint;
use crate::client::pkce;
use crate::client::post::{Call, Format};
use crate::client::resource::resources;
use crate::client::scope::{self, Scope};
use crate::document::Document;
use crate::document::members::{self, Member, TOKEN_ANSWER_MEMBERS, is_token};
use crate::error::Error;
use crate::message;
use crate::process::Deadline;

/// Exchanges the document's code for tokens: one POST, never repeated.
pub fn exchange(mut document: Document, caller: &Caller, format: Format) -> Result<Document, Error> {
    check_iss(&document)?;
    let code = document.need_visible("code")?;
    let verifier = pkce::verifier(&document)?;
    let redirect_uri = document.need("redirect_uri")?;
    let resources = resources(&document)?;
    let mut grant = vec![
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", &*redirect_uri),
        ("code_verifier", &*verifier),
    ];
    grant.extend(resources.iter().map(|resource| ("resource", resource.as_str())));
    let tokens = token_response(&document, &grant, format, "the code", caller, &caller.deadline())?;
    let requested_scope = document.text("scope")?;
    merge_response(&mut document, tokens, requested_scope.as_deref());
    document.remove(&members::names(|member: &Member| member.is_spent));
    Ok(document)
}

/// Exchanges the document's refresh token for new tokens (RFC 6749 section 6): one POST, never repeated.
pub fn refresh(
    mut document: Document,
    scope: Option<&str>,
    resource: Option<&str>,
    caller: &Caller,
    deadline: &Deadline,
) -> Result<Document, Error> {
    let token = document.need_visible("refresh_token")?;
    let scope = scope.map(Scope::parse).transpose()?;
    let scope = scope.as_ref().map(Scope::as_str);
    let granted = document.text("scope")?;
    if let (Some(scope), Some(granted)) = (scope, &granted)
        && !scope.split(' ').all(|name| scope::contains(granted, name))
    {
        message::note("--scope requests more than was granted");
    }
    let mut resources = resources(&document)?;
    if let Some(resource) = resource {
        if !resources.is_empty() && !resources.iter().any(|granted| granted == resource) {
            return Err(Error::usage("--resource: not one of the document's resources"));
        }
        resources = vec![resource.to_owned()];
    }
    let mut grant = vec![("grant_type", "refresh_token"), ("refresh_token", &*token)];
    grant.extend(scope.map(|scope| ("scope", scope)));
    grant.extend(resources.iter().map(|resource| ("resource", resource.as_str())));
    let tokens = token_response(&document, &grant, Format::Form, "the refresh token", caller, deadline)?;
    merge_response(&mut document, tokens, scope.or(granted.as_deref()));
    Ok(document)
}

/// The token response to a request with this grant, which spends `spent`.
fn token_response(
    document: &Document,
    grant: &[(&str, &str)],
    format: Format,
    spent: &str,
    caller: &Caller,
    deadline: &Deadline,
) -> Result<Document, Error> {
    let endpoint = &Endpoint::from_document(document, "token_endpoint")?;
    let call = Call { endpoint, format, pairs: grant, spends: Some(spent) };
    let tokens = call.send(document, caller, deadline)?;
    validated(tokens, SystemTime::now()).map_err(|error| error.maybe_spent(spent))
}

/// Merges a token response into the document: its tokens as one set, its scope (else the requested one), its refresh
/// token if any, and of the rest only members that control no later step and replace nothing. The names of the rest are
/// recorded, for the next login to remove.
fn merge_response(document: &mut Document, tokens: Document, requested_scope: Option<&str>) {
    let granted = tokens.text("scope").ok().flatten();
    document.set_given("scope", requested_scope);
    if let (Some(requested_scope), Some(granted)) = (requested_scope, &granted)
        && !scope::is_same(requested_scope, granted)
    {
        message::note("the server granted a scope other than the requested one");
    }
    let has_refresh_token = tokens.has("refresh_token");
    let has_scope = tokens.has("scope");
    let others = tokens.names().filter(|name| !is_token(name) && *name != "scope" && !document.has(name));
    let mut added = document.texts(TOKEN_ANSWER_MEMBERS).ok().flatten().unwrap_or_default();
    added.extend(others.map(str::to_owned));
    if !added.is_empty() {
        document.set_list(TOKEN_ANSWER_MEMBERS, &added);
    }
    document.retain(|name, _| match name {
        "refresh_token" => !has_refresh_token,
        "scope" => !has_scope,
        name => !is_token(name),
    });
    document.add_missing(tokens);
}

/// The validated token response: the members of RFC 6749 section 5.1 with their required types, without other members
/// of the document's table.
fn validated(mut tokens: Document, received: SystemTime) -> Result<Document, Error> {
    let is_set = |name: &str| name != "expires_at" && (is_token(name) || name == "scope");
    tokens.retain(|name, json| members::named(name).is_none() || (is_set(name) && json != "null"));
    for name in ["access_token", "refresh_token", "id_token"] {
        tokens.visible(name)?;
    }
    tokens.need("access_token")?;
    if !tokens.need("token_type")?.eq_ignore_ascii_case("Bearer") {
        return Err(tokens.wrong("token_type", "not Bearer, the only supported type"));
    }
    if let Some(scopes) = tokens.texts("scope")? {
        tokens.set("scope", &scopes.join(" "));
    }
    // An empty scope names nothing, so it is treated as a missing one.
    if tokens.json("scope") == Some("\"\"") {
        tokens.remove(&["scope"]);
    }
    if let Some(json) = tokens.json("expires_in") {
        let lifetime = lifetime(json).ok_or_else(|| tokens.wrong("expires_in", "must be a number of seconds"))?;
        let now = received.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        tokens.set_number("expires_in", lifetime);
        tokens.set_number("expires_at", now.saturating_add(lifetime));
    }
    Ok(tokens)
}

/// Whole seconds of an `expires_in`: a number, truncated, or a string of digits.
fn lifetime(json: &str) -> Option<u64> {
    let digits = json.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let seconds: f64 = match digits {
        Some(digits) if !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit()) => {
            digits.parse().ok()?
        }
        Some(_) => return None,
        None => json.parse().ok()?,
    };
    (0.0..=MAX_LIFETIME).contains(&seconds).then_some(seconds as u64)
}

/// The redirect's `iss` must be the issuer of the endpoint that will receive the code (RFC 9207 section 2.4).
fn check_iss(document: &Document) -> Result<(), Error> {
    let (issuer, iss) = (document.text("issuer")?, document.text("iss")?);
    if issuer.zip(iss).is_some_and(|(issuer, iss)| issuer != iss) {
        return Err(document.wrong("iss", "not the document's issuer").as_untrusted());
    }
    Ok(())
}

/// Seconds in a hundred years: no token is valid for longer, so a larger number is an error.
const MAX_LIFETIME: f64 = 3_155_760_000.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_lifetime_in_whole_seconds() {
        for (json, seconds) in [
            ("3600", Some(3600)),
            ("3600.9", Some(3600)),
            ("\"3600\"", Some(3600)),
            ("0", Some(0)),
            ("3.6e3", Some(3600)),
            ("-1", None),
            ("1e400", None),
            ("9223372036854775808", None),
            ("\"zzz\"", None),
            ("\"\"", None),
            ("\"-1\"", None),
            ("false", None),
            ("{}", None),
        ] {
            assert_eq!(lifetime(json), seconds, "{json}");
        }
    }
}
