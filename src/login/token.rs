//! The token endpoint: RFC 6749 sections 4.1.3 and 5.1, RFC 7636 section 4.5, RFC 8707 section 2.2.

use std::time::{SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

use crate::document::{ADDED, TOKENS, WRITERS};
use crate::endpoint::{Call, Caller, Format};
use crate::{Document, Error, authorize, form, pkce, tool};

/// Exchanges the document's code for tokens: one POST, once.
pub fn exchange(mut document: Document, caller: &Caller, format: Format) -> Result<Document, Error> {
    check_iss(&document)?;
    let code = Zeroizing::new(document.need("code")?);
    if code.is_empty() || !form::is_visible(&code) {
        return Err(Error::member("code", "must be visible ASCII characters, one at least"));
    }
    let verifier = pkce::verifier(&document)?;
    let redirect_uri = document.need("redirect_uri")?;
    let resources = authorize::resources(&document)?;
    let mut grant = vec![
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", &*redirect_uri),
        ("code_verifier", &*verifier),
    ];
    grant.extend(resources.iter().map(|resource| ("resource", resource.as_str())));
    let call = Call { endpoint: "token_endpoint", format, pairs: &grant, spends: Some("the code") };
    let tokens = call.send(&document, caller)?;
    let tokens = checked(tokens, SystemTime::now())
        .map_err(|error| error.of_answer("token endpoint").maybe_spent("the code"))?;
    let asked = document.text("scope")?;
    adopt(&mut document, tokens, asked.as_deref());
    document.remove(&SPENT);
    Ok(document)
}

/// Gets new tokens for the document's refresh token (RFC 6749 section 6): one POST, once.
pub fn refresh(
    mut document: Document,
    caller: &Caller,
    scope: Option<&str>,
    resource: Option<&str>,
) -> Result<Document, Error> {
    let token = Zeroizing::new(document.need("refresh_token")?);
    if token.is_empty() || !form::is_visible(&token) {
        return Err(Error::member("refresh_token", "must be visible ASCII characters, one at least"));
    }
    let scope = scope.map(authorize::checked_scope).transpose()?;
    let granted = document.text("scope")?;
    if let (Some(scope), Some(granted)) = (&scope, &granted)
        && !scope.split(' ').all(|name| granted.split(' ').any(|other| other == name))
    {
        tool::note("--scope asks for more than was granted");
    }
    let mut resources = authorize::resources(&document)?;
    if let Some(resource) = resource {
        if !resources.is_empty() && !resources.iter().any(|granted| granted == resource) {
            return Err(Error::usage("--resource: not one of the document's"));
        }
        resources = vec![resource.to_owned()];
    }
    let mut grant = vec![("grant_type", "refresh_token"), ("refresh_token", &*token)];
    grant.extend(scope.as_deref().map(|scope| ("scope", scope)));
    grant.extend(resources.iter().map(|resource| ("resource", resource.as_str())));
    let spends = Some("the refresh token");
    let call = Call { endpoint: "token_endpoint", format: Format::Form, pairs: &grant, spends };
    let tokens = call.send(&document, caller)?;
    let tokens = checked(tokens, SystemTime::now())
        .map_err(|error| error.of_answer("token endpoint").maybe_spent("the refresh token"))?;
    adopt(&mut document, tokens, scope.as_deref().or(granted.as_deref()));
    Ok(document)
}

/// Takes a token answer over: its tokens as one set, its scope (without one it is the one asked for) and refresh token
/// where it has them, and of the rest only what steers no later step and replaces nothing. The names of that rest are
/// kept, for the next login to take away.
fn adopt(document: &mut Document, tokens: Document, asked: Option<&str>) {
    let granted = tokens.text("scope").ok().flatten();
    document.set_given("scope", asked);
    if let (Some(asked), Some(granted)) = (asked, &granted) {
        // GitHub and Slack have commas between the names.
        let sorted = |scope: &str| {
            let mut names: Vec<String> = scope.split([' ', ',']).map(str::to_owned).collect();
            names.sort();
            names
        };
        if sorted(asked) != sorted(granted) {
            tool::note("the server granted another scope than the one asked for");
        }
    }
    let names_refresh_token = tokens.has("refresh_token");
    let names_scope = tokens.has("scope");
    let others = tokens.names().filter(|name| !TOKENS.contains(name) && *name != "scope" && !document.has(name));
    let mut added = document.texts(ADDED).ok().flatten().unwrap_or_default();
    added.extend(others.map(str::to_owned));
    if !added.is_empty() {
        document.set_list(ADDED, &added);
    }
    document.retain(|name, _| match name {
        "refresh_token" => !names_refresh_token,
        "scope" => !names_scope,
        name => !TOKENS.contains(&name),
    });
    document.add_missing(tokens);
}

/// The answer as a token answer: the members of RFC 6749 section 5.1 with the types they must have, others of the
/// document's table gone.
fn checked(mut tokens: Document, received: SystemTime) -> Result<Document, Error> {
    let ours = |name: &str| WRITERS.iter().any(|(_, names)| names.contains(&name));
    let set = |name: &str| name != "expires_at" && (TOKENS.contains(&name) || name == "scope");
    tokens.retain(|name, json| if ours(name) { set(name) && json != "null" } else { true });
    for name in ["access_token", "refresh_token", "id_token"] {
        if tokens.text(name)?.is_some_and(|token| token.is_empty() || !form::is_visible(&token)) {
            return Err(Error::member(name, "must be visible ASCII characters, one at least"));
        }
    }
    tokens.need("access_token")?;
    if !tokens.need("token_type")?.eq_ignore_ascii_case("Bearer") {
        return Err(Error::member("token_type", "not Bearer, and no other type was asked for"));
    }
    if let Some(scopes) = tokens.texts("scope")? {
        tokens.set("scope", &scopes.join(" "));
    }
    // An empty scope grants nothing that has a name; it says no more than a missing one.
    if tokens.json("scope") == Some("\"\"") {
        tokens.remove(&["scope"]);
    }
    if let Some(json) = tokens.json("expires_in") {
        let wrong = || Error::member("expires_in", "must be a number of seconds");
        let lifetime = lifetime(json).ok_or_else(wrong)?;
        let now = received.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        tokens.set_number("expires_in", lifetime);
        tokens.set_number("expires_at", now.saturating_add(lifetime));
    }
    Ok(tokens)
}

/// Whole seconds of an `expires_in`: a number, whose fraction is cut, or a string of digits.
fn lifetime(json: &str) -> Option<u64> {
    let digits = json.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let seconds: f64 = match digits {
        Some(digits) if !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit()) => {
            digits.parse().ok()?
        }
        Some(_) => return None,
        None => json.parse().ok()?,
    };
    (0.0..=CENTURY).contains(&seconds).then_some(seconds as u64)
}

/// `iss` from the redirect must be the issuer whose endpoint is about to get the code (RFC 9207 section 2.4).
fn check_iss(document: &Document) -> Result<(), Error> {
    let (issuer, iss) = (document.text("issuer")?, document.text("iss")?);
    if issuer.zip(iss).is_some_and(|(issuer, iss)| issuer != iss) {
        let mut error = Error::untrusted("iss: not the document's issuer");
        error.report.member = Some("iss".to_owned());
        return Err(error);
    }
    Ok(())
}

/// What an exchange spends, and takes away.
const SPENT: [&str; 8] = [
    "code",
    "iss",
    "code_verifier",
    "code_challenge",
    "code_challenge_method",
    "state",
    "authorization_url",
    "redirect_uri",
];

/// Seconds in a hundred years: no token lives longer, so a larger number is no lifetime.
const CENTURY: f64 = 3_155_760_000.0;

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
