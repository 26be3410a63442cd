//! The authorization response in a redirect: RFC 6749 section 4.1.2, RFC 9207.

use zeroize::Zeroizing;

use crate::client::oauth_error;
use crate::client::redaction::{redacted, secrets_of};
use crate::document::{Document, NOT_VISIBLE, is_visible};
use crate::error::{Error, Kind};
use crate::message;
use crate::wire::form;

/// What the redirect of this login must contain.
pub struct Expected {
    /// The redirect URI, with the bound port in place of port 0.
    pub redirect_uri: String,
    state: String,
    /// What no message may repeat, even if the redirect does.
    secrets: Vec<Zeroizing<String>>,
    issuer: Option<String>,
    iss_required: bool,
    /// Whether the server could ask for consent, so that `consent_required` is the user's refusal.
    asks_consent: bool,
    allow_bare_code: bool,
}

/// The result of checking a redirect.
pub enum Outcome {
    /// It does not belong to this login; the wait continues.
    Ignored(Ignored),
    /// The code, and the redirect's `iss`, if any.
    Code(String, Option<String>),
    /// It belongs to this login, and ends it with this error.
    Failed(Error),
}

/// Why a redirect is ignored.
#[derive(Clone, Copy)]
pub struct Ignored {
    /// The reason.
    pub why: &'static str,
    /// What to do about it, if waiting for another redirect is not enough.
    pub cure: Option<Cure>,
}

/// What to do about a redirect that is ignored for its sender.
#[derive(Clone, Copy)]
pub struct Cure {
    /// For the user who runs the tool.
    pub hint: &'static str,
    /// For the user who sees the page.
    pub page: &'static str,
}

impl Expected {
    /// What the redirect for the document's request must contain.
    pub fn from_document(document: &Document, redirect_uri: String, allow_bare_code: bool) -> Result<Expected, Error> {
        let state = document.need("state")?;
        if state.is_empty() {
            return Err(document.wrong("state", "must not be empty"));
        }
        let issuer = document.text("issuer")?;
        if issuer.is_none() {
            message::note("the document has no issuer, so the redirect's issuer cannot be checked");
        }
        Ok(Expected {
            redirect_uri,
            state,
            secrets: secrets_of(document),
            issuer,
            iss_required: document.flag("authorization_response_iss_parameter_supported")?,
            asks_consent: asks_consent(&document.need("authorization_url")?),
            allow_bare_code,
        })
    }

    /// The result of checking a redirect with this query.
    pub fn outcome(&self, query: &str) -> Outcome {
        let values = |name: &str| -> Vec<Option<String>> {
            form::pairs(query)
                .filter(|(other, _)| form::decode(other).as_deref() == Some(name))
                .map(|(_, value)| form::decode(value))
                .collect()
        };
        match values("state").as_slice() {
            [Some(state)] if *state == self.state => {}
            [] => return ignored("it has no state"),
            _ => return ignored("its state does not match"),
        }
        let iss = match values("iss").as_slice() {
            [] => None,
            [Some(iss)] => Some(iss.clone()),
            _ => return failed("iss: duplicate or malformed"),
        };
        if let Err(error) = self.check_iss(iss.as_deref()) {
            return Outcome::Failed(error);
        }
        let named: Vec<_> = values("error").into_iter().filter(|error| error.as_deref() != Some("")).collect();
        match (named.as_slice(), values("code").as_slice()) {
            ([Some(code)], []) => {
                let about = |name| values(name).into_iter().next().flatten().filter(|text| !text.is_empty());
                let kind = match code.as_str() {
                    "consent_required" if self.asks_consent => Kind::Refused,
                    code => oauth_error::kind(code),
                };
                let (description, uri) = (about("error_description"), about("error_uri"));
                let error = oauth_error::refusal(kind, "authorization endpoint", code, description, uri);
                Outcome::Failed(error.with_texts(|text| redacted(text, &self.secrets)))
            }
            ([], [Some(code)]) if code.is_empty() || !is_visible(code) => failed(&format!("code: {NOT_VISIBLE}")),
            ([], [Some(_)]) if FRONT_CHANNEL_TOKENS.iter().any(|name| !values(name).is_empty()) => {
                failed("contains tokens, which only the token endpoint may issue")
            }
            ([], [Some(code)]) => Outcome::Code(code.clone(), iss),
            ([], []) => failed("code: missing"),
            ([], _) => failed("code: duplicate or malformed"),
            _ => failed("error: together with a code, or malformed"),
        }
    }

    /// The result of checking pasted text: a redirect's URL, its query, `CODE#STATE`, or a bare code if allowed.
    pub fn pasted(&self, text: &str) -> Outcome {
        let text = text.trim_matches(|character: char| character.is_whitespace() || "\"'<>".contains(character));
        if let Some((before, after)) = text.split_once('?') {
            let same = before == self.redirect_uri || before.strip_suffix('/') == Some(&self.redirect_uri);
            if !before.is_empty() && !same {
                return ignored("it is not this login's redirect URI");
            }
            return self.outcome(after.split('#').next().unwrap_or_default());
        }
        if text.contains('=') && text.contains('&') {
            return self.outcome(text);
        }
        if let Some((code, state)) = text.split_once('#').filter(|(before, _)| !before.contains("://")) {
            return self.outcome(&form::encoded([("code", code), ("state", state)]));
        }
        if text.is_empty() || text.contains("://") || !text.bytes().all(|octet| octet.is_ascii_graphic()) {
            return ignored("it has no code");
        }
        if self.allow_bare_code {
            message::note("code accepted without its state: state and issuer were not checked");
            return Outcome::Code(text.to_owned(), None);
        }
        ignored("it is a code without its state; paste the whole address (or use --allow-bare-code)")
    }

    /// `iss` must be exactly the document's issuer (RFC 9207 section 2.4).
    fn check_iss(&self, iss: Option<&str>) -> Result<(), Error> {
        match (&self.issuer, iss) {
            (Some(issuer), Some(iss)) if issuer != iss => Err(untrusted("iss: not the document's issuer")),
            (_, None) if self.iss_required => {
                Err(untrusted("iss: missing, although the server's metadata promises it"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a request lets the server ask for consent: it says so itself, without `prompt=none` (OpenID Connect Core
/// section 3.1.2.1), and is not one that was pushed, whose parameters the URL does not show.
fn asks_consent(authorization_url: &str) -> bool {
    let query = authorization_url.split_once('?').map_or("", |(_, query)| query);
    !form::pairs(query).any(|(name, value)| match form::decode(name).as_deref() {
        Some("request_uri") => true,
        Some("prompt") => form::decode(value).is_none_or(|prompt| prompt.split(' ').any(|word| word == "none")),
        _ => false,
    })
}

fn ignored(why: &'static str) -> Outcome {
    Outcome::Ignored(Ignored { why, cure: None })
}

fn failed(wrong: &str) -> Outcome {
    Outcome::Failed(untrusted(wrong))
}

/// The error about a redirect: status 4.
pub fn untrusted(wrong: &str) -> Error {
    Error::untrusted(format!("redirect: {wrong}"))
}

/// Parameters of other flows, which must not come with a code.
const FRONT_CHANNEL_TOKENS: [&str; 3] = ["access_token", "id_token", "response"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_person_may_paste() {
        let expected = |allow_bare_code| Expected {
            redirect_uri: "https://app.example/callback".to_owned(),
            state: "st".to_owned(),
            secrets: Vec::new(),
            issuer: None,
            iss_required: false,
            asks_consent: true,
            allow_bare_code,
        };
        let code = |text: &str, allow_bare_code| match expected(allow_bare_code).pasted(text) {
            Outcome::Code(code, _) => code,
            Outcome::Ignored(_) => "ignored".to_owned(),
            Outcome::Failed(_) => "failed".to_owned(),
        };
        assert_eq!(code("https://app.example/callback?code=a&state=st", false), "a");
        assert_eq!(code("  \"https://app.example/callback/?code=a&state=st#_=_\"\r", false), "a");
        assert_eq!(code("?code=a&state=st", false), "a");
        assert_eq!(code("code=a&state=st", false), "a");
        assert_eq!(code("a#st", false), "a");
        assert_eq!(code("a#other", false), "ignored");
        assert_eq!(code("https://evil.example/callback?code=a&state=st", false), "ignored");
        assert_eq!(code("https://app.example/callback?error=access_denied&state=st", false), "failed");
        assert_eq!(code("a", false), "ignored");
        assert_eq!(code("a", true), "a");
        assert_eq!(code("a==", true), "a==");
        assert_eq!(code("a b", true), "ignored");
        assert_eq!(code("", true), "ignored");
    }
}
