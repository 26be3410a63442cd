//! The authorization response in a redirect: RFC 6749 section 4.1.2, RFC 9207.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::client::hint;
use crate::client::oauth_error;
use crate::client::redaction::{redacted, secrets_of};
use crate::document::{Document, NOT_VISIBLE, is_visible};
use crate::error::{Error, Kind, OauthError};
use crate::message;
use crate::wire::form;

/// What the redirect of this login must contain.
pub struct Expected {
    /// The redirect URI, with the bound port in place of port 0.
    pub redirect_uri: String,
    client_id: Option<String>,
    state: String,
    /// What no message may repeat, even if the redirect does.
    secrets: Vec<Zeroizing<String>>,
    issuer: Option<String>,
    iss_required: bool,
    /// Whether the server could ask for consent, so that `consent_required` is the user's refusal.
    asks_consent: bool,
    allow_bare_code: bool,
    /// What to do about a scope that the server refuses.
    refused_scope: Option<String>,
    /// Whether the server accepts pushed requests, and this one was not pushed.
    may_push: bool,
}

/// The result of checking a redirect.
pub enum Outcome {
    /// It does not belong to this login; the wait continues.
    Ignored(Ignored),
    /// It ends this login's wait with a code.
    Code(Response),
    /// It belongs to this login, and ends it with this error.
    Failed(Error),
}

/// The response of the authorization server (RFC 6749 section 4.1.2).
pub struct Response {
    /// `code`.
    pub code: String,
    /// `iss` (RFC 9207).
    pub iss: Option<String>,
    /// Its other parameters; `None` for the value of one that is duplicate or malformed.
    pub others: BTreeMap<String, Option<String>>,
}

/// Why a redirect is ignored.
pub struct Ignored {
    /// The reason.
    pub why: &'static str,
    /// The `error` in it. Anyone may have sent it, so it is not shown in the browser.
    pub error: Option<String>,
    /// What to do about it, if waiting for another redirect is not enough.
    pub cure: Option<Cure>,
}

/// What to do about a redirect that is ignored for its sender.
pub struct Cure {
    /// For the user who runs the tool.
    pub hint: &'static str,
    /// For the user who sees the page.
    pub page: &'static str,
}

impl Ignored {
    /// A redirect that is ignored for this reason.
    pub fn new(why: &'static str) -> Ignored {
        Ignored { why, error: None, cure: None }
    }

    /// The reason, and the error, if any.
    pub fn reason(&self) -> String {
        match &self.error {
            Some(error) => format!("{} (error: {error})", self.why),
            None => self.why.to_owned(),
        }
    }
}

impl Expected {
    /// What the redirect for the document's request must contain.
    pub fn from_document(document: &Document, redirect_uri: String, allow_bare_code: bool) -> Result<Expected, Error> {
        let state = document.need("state")?;
        if state.is_empty() {
            return Err(document.wrong("state", "must not be empty"));
        }
        let request = document.need("authorization_url")?;
        let issuer = document.text("issuer")?;
        if issuer.is_none() {
            message::note("the document has no issuer, so the redirect's issuer cannot be checked");
        }
        Ok(Expected {
            redirect_uri,
            client_id: document.text("client_id")?,
            state,
            secrets: secrets_of(document),
            issuer,
            iss_required: document.flag("authorization_response_iss_parameter_supported")?,
            asks_consent: asks_consent(&request),
            allow_bare_code,
            refused_scope: hint::refused_scope(document, document.text("scope")?.as_deref(), false),
            may_push: document.has("pushed_authorization_request_endpoint") && !is_pushed(&request),
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
            [] => {
                let error = values("error").into_iter().next().flatten().filter(|error| is_error_code(error));
                let error = error.map(|error| redacted(&error, &self.secrets));
                return Outcome::Ignored(Ignored { error, ..Ignored::new("it has no state") });
            }
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
                let about = |name| {
                    values(name)
                        .into_iter()
                        .next()
                        .flatten()
                        .filter(|text| !text.is_empty())
                        .map(|text| self.said(&text))
                };
                let kind = match code.as_str() {
                    "consent_required" if self.asks_consent => Kind::Refused,
                    code => oauth_error::kind(code),
                };
                let (error, description, uri) = (self.said(code), about("error_description"), about("error_uri"));
                let oauth = OauthError { error: Some(error), description, uri, ..OauthError::default() };
                let hint = self.hint_about(code, oauth.description.as_deref());
                let error = oauth_error::refusal(kind, "authorization endpoint", oauth);
                Outcome::Failed(match hint {
                    Some(hint) => error.hint(hint),
                    None => error,
                })
            }
            ([], [Some(code)]) if code.is_empty() || !is_visible(code) => failed(&format!("code: {NOT_VISIBLE}")),
            ([], [Some(_)]) if FRONT_CHANNEL_TOKENS.iter().any(|name| !values(name).is_empty()) => {
                failed("contains tokens, which only the token endpoint may issue")
            }
            ([], [Some(code)]) => Outcome::Code(Response { code: code.clone(), iss, others: others(query) }),
            ([], []) => failed("code: missing"),
            ([], _) => failed("code: duplicate or malformed"),
            _ => failed("error: together with a code, or malformed"),
        }
    }

    /// The result of checking pasted text, whose lines a terminal may have broken.
    pub fn pasted(&self, text: &str) -> Outcome {
        let lines: Vec<&str> = text.split(['\r', '\n']).map(str::trim).filter(|line| !line.is_empty()).collect();
        let joined = self.pasted_line(&lines.concat());
        let is_other = |outcome: &Outcome| !matches!(outcome, Outcome::Ignored(_));
        if is_other(&joined) || lines.len() < 2 {
            return joined;
        }
        lines.iter().map(|line| self.pasted_line(line)).find(is_other).unwrap_or(joined)
    }

    /// The result of checking a pasted line: a redirect's URL, its query, `CODE#STATE`, or a bare code if allowed. The
    /// state shows whose redirect it is: its host may be that of a forwarded port.
    fn pasted_line(&self, text: &str) -> Outcome {
        let text = text.trim_matches(|character: char| character.is_whitespace() || "\"'<>".contains(character));
        if let Some((_, after)) = text.split_once('?') {
            return self.pasted_query(after.split('#').next().unwrap_or_default());
        }
        if text.contains('=') && text.contains('&') {
            return self.pasted_query(text);
        }
        if let Some((code, state)) =
            text.split_once('#').filter(|(code, _)| !code.contains("://") && !code.contains(' '))
        {
            return self.outcome(&form::encoded([("code", code), ("state", state)]));
        }
        if text.is_empty() || text.contains("://") || !text.bytes().all(|octet| octet.is_ascii_graphic()) {
            return ignored(NO_CODE);
        }
        if self.allow_bare_code {
            message::note("code accepted without its state: state and issuer were not checked");
            return Outcome::Code(Response { code: text.to_owned(), iss: None, others: BTreeMap::new() });
        }
        ignored("it is a code without its state; paste the whole address (or use --allow-bare-code)")
    }

    /// The result of checking the query of a pasted address. That of the authorization URL, or of a page on the way, has
    /// the state too.
    fn pasted_query(&self, query: &str) -> Outcome {
        let has = |name: &str| form::pairs(query).any(|(other, _)| other == name);
        match self.outcome(query) {
            Outcome::Failed(_) if !has("code") && !has("error") => ignored(NO_CODE),
            outcome => outcome,
        }
    }

    /// The hint where no redirect came: a server that does not know the request's client or redirect URI shows an error
    /// in the browser, and sends nobody back (RFC 6749 section 4.1.2.1).
    pub fn hint(&self) -> String {
        let client = self.client_id.as_deref().map_or(String::new(), |id| format!(" {}", message::shortened(id)));
        format!(
            "if the browser shows an error, the server may not know the client_id{client} or the redirect URI {}; \
             otherwise wait longer with --timeout SECONDS",
            message::shortened(&self.redirect_uri)
        )
    }

    /// What to do about an error of this code.
    fn hint_about(&self, code: &str, description: Option<&str>) -> Option<&str> {
        match code {
            _ if oauth_error::is_dpop(code) || oauth_error::speaks_of(description, "dpop") => Some(hint::DPOP),
            "invalid_scope" => self.refused_scope.as_deref(),
            "invalid_request" if self.may_push => Some(PUSH),
            _ => None,
        }
    }

    /// The server's words, as a message may repeat them.
    fn said(&self, words: &str) -> String {
        message::public(&redacted(words, &self.secrets))
    }

    /// `iss` must be exactly the document's issuer (RFC 9207 section 2.4).
    fn check_iss(&self, iss: Option<&str>) -> Result<(), Error> {
        match (&self.issuer, iss) {
            (Some(issuer), Some(iss)) if issuer != iss => {
                Err(untrusted("iss").mismatch(issuer, &redacted(iss, &self.secrets)))
            }
            (_, None) if self.iss_required => {
                Err(untrusted("iss: missing, although the server's metadata promises it"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a request was pushed: its URL does not show its parameters.
fn is_pushed(authorization_url: &str) -> bool {
    let query = authorization_url.split_once('?').map_or("", |(_, query)| query);
    form::pairs(query).any(|(name, _)| form::decode(name).as_deref() == Some("request_uri"))
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

/// The other parameters of a response with this query.
fn others(query: &str) -> BTreeMap<String, Option<String>> {
    let mut others = BTreeMap::new();
    for (name, value) in form::pairs(query) {
        let (name, value) = match form::decode(name) {
            Some(name) => (name, form::decode(value)),
            None => (name.to_owned(), None),
        };
        if !name.is_empty() && !RESPONSE_PARAMETERS.contains(&name.as_str()) {
            let is_new = !others.contains_key(&name);
            others.insert(name, value.filter(|_| is_new));
        }
    }
    others
}

/// Whether the text can be an error code, and no prose of whoever sent it.
fn is_error_code(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|octet| octet == b'_' || octet.is_ascii_alphanumeric())
}

fn ignored(why: &'static str) -> Outcome {
    Outcome::Ignored(Ignored::new(why))
}

fn failed(wrong: &str) -> Outcome {
    Outcome::Failed(untrusted(wrong))
}

/// The error about a redirect: status 4.
pub fn untrusted(wrong: &str) -> Error {
    Error::untrusted(format!("redirect: {wrong}"))
}

/// Why a text without a code is ignored.
const NO_CODE: &str = "it has no code";

/// The parameters of a response that are checked here.
const RESPONSE_PARAMETERS: [&str; 6] = ["code", "state", "iss", "error", "error_description", "error_uri"];

const PUSH: &str = "the server may require a pushed request: put pkce-push between pkce-url and pkce-callback";

/// Parameters of other flows, which must not come with a code.
const FRONT_CHANNEL_TOKENS: [&str; 3] = ["access_token", "id_token", "response"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_person_may_paste() {
        let expected = |allow_bare_code| Expected {
            redirect_uri: "https://app.example/callback".to_owned(),
            client_id: None,
            state: "st".to_owned(),
            secrets: Vec::new(),
            issuer: None,
            iss_required: false,
            asks_consent: true,
            allow_bare_code,
            refused_scope: None,
            may_push: false,
        };
        let code = |text: &str, allow_bare_code| match expected(allow_bare_code).pasted(text) {
            Outcome::Code(response) => response.code,
            Outcome::Ignored(_) => "ignored".to_owned(),
            Outcome::Failed(_) => "failed".to_owned(),
        };
        assert_eq!(code("https://app.example/callback?code=a&state=st", false), "a");
        assert_eq!(code("  \"https://app.example/callback/?code=a&state=st#_=_\"\r", false), "a");
        assert_eq!(code("?code=a&state=st", false), "a");
        assert_eq!(code("code=a&state=st", false), "a");
        assert_eq!(code("a#st", false), "a");
        assert_eq!(code("a#other", false), "ignored");
        assert_eq!(code("https://a-8080.forwarded.example/other?code=a&state=st", false), "a");
        assert_eq!(code("https://app.example/callback?code=a&state=other", false), "ignored");
        assert_eq!(code("https://id.example/authorize?client_id=a&state=st", false), "ignored");
        assert_eq!(code("https://app.example/callback?co\r\n  de=a&sta\r\n  te=st\r\n", false), "a");
        assert_eq!(code("code=a&state=st\rcode=a&state=st\r", false), "a");
        assert_eq!(code("code=a&state=s\r\rls -l\r", false), "ignored");
        assert_eq!(code("https://app.example/callback?error=access_denied&state=st", false), "failed");
        assert_eq!(code("a", false), "ignored");
        assert_eq!(code("a", true), "a");
        assert_eq!(code("a==", true), "a==");
        assert_eq!(code("a b", true), "ignored");
        assert_eq!(code("", true), "ignored");
    }
}
