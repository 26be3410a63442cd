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
    /// Whether its port is another one each time.
    pub is_port_free: bool,
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
    /// Whether it has the state of this login.
    pub is_ours: bool,
    /// What to do about it, if waiting for another redirect is not enough.
    pub hint: Option<&'static str>,
    /// What the user who sees the page can do about it, if that is not to use the last address.
    pub page: Option<&'static str>,
}

impl Ignored {
    /// A redirect that is ignored for this reason.
    pub fn new(why: &'static str) -> Ignored {
        Ignored { why, error: None, is_ours: false, hint: None, page: None }
    }

    /// Whether it says more about this login than another one.
    pub fn outweighs(&self, other: &Ignored) -> bool {
        let weight = |ignored: &Ignored| (ignored.is_ours, ignored.error.is_some(), ignored.hint.is_some());
        weight(self) >= weight(other)
    }

    /// The error where no other redirect can follow.
    pub fn failure(&self) -> Error {
        untrusted(&self.reason()).hint_if_any(self.hint)
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
            is_port_free: false,
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
            _ => {
                return Outcome::Ignored(Ignored {
                    hint: Some(OTHER_LOGIN),
                    ..Ignored::new("its state does not match")
                });
            }
        }
        let iss = match values("iss").as_slice() {
            [] => None,
            [Some(iss)] => Some(iss.clone()),
            _ => return failed("iss: duplicate or malformed"),
        };
        let named: Vec<_> = values("error").into_iter().filter(|error| error.as_deref() != Some("")).collect();
        if let Err(error) = self.check_iss(iss.as_deref()) {
            return Outcome::Failed(match named.as_slice() {
                [Some(code)] if iss.is_none() => error.appending(&format!("the error in it is {}", self.said(code))),
                _ => error,
            });
        }
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
                Outcome::Failed(error.hint_if_any(hint))
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

    /// The result of checking pasted text: that of its first code, else of its first error. A terminal may have broken an
    /// address into lines, and other text may be pasted with it.
    pub fn pasted(&self, text: &str) -> Outcome {
        let mut lines: Vec<&str> = text.split(['\r', '\n']).map(trimmed).filter(|line| !line.is_empty()).collect();
        // What is pasted twice is meant once.
        lines.dedup();
        // Each with its lines, and whether a line may continue it; looked at once, since there may be many lines.
        let mut addresses: Vec<(String, Vec<&str>, bool)> = Vec::new();
        for line in lines {
            let has_space = line.contains(char::is_whitespace);
            let is_next = |(address, _, is_open): &&mut (String, Vec<&str>, bool)| {
                let start: String = address.chars().take(MAX_SCHEME).collect();
                let begins = start.split_once("://").is_some_and(|(scheme, _)| {
                    ["http", "https", scheme].iter().any(|scheme| line.starts_with(&format!("{scheme}://")))
                });
                *is_open && !has_space && !begins
            };
            match addresses.last_mut().filter(is_next) {
                Some((address, parts, _)) => {
                    address.push_str(line);
                    parts.push(line);
                }
                None => addresses.push((line.to_owned(), vec![line], !has_space)),
            }
        }
        let mut outcomes: Vec<Outcome> =
            addresses.iter().flat_map(|(address, parts, _)| self.pasted_address(address, parts)).collect();
        let code = outcomes.iter().position(|outcome| matches!(outcome, Outcome::Code(_)));
        let failed = || outcomes.iter().position(|outcome| matches!(outcome, Outcome::Failed(_)));
        let at = code.or_else(failed).unwrap_or(0);
        if outcomes.is_empty() { ignored(NO_CODE) } else { outcomes.swap_remove(at) }
    }

    /// The results of checking a pasted address that is joined from these lines, and if it is none of this login, of each
    /// line, since they may not belong together.
    fn pasted_address(&self, address: &str, parts: &[&str]) -> Vec<Outcome> {
        let joined = self.pasted_line(address);
        let alone: &[&str] = if matches!(joined, Outcome::Ignored(_)) && parts.len() > 1 { parts } else { &[] };
        // Any word could be a bare code.
        let alone = alone.iter().filter(|line| line.contains(['?', '&', '#']));
        let alone: Vec<Outcome> = alone.map(|line| self.pasted_line(line)).collect();
        [joined].into_iter().chain(alone).collect()
    }

    /// The result of checking a pasted line: a redirect's URL, its query, `CODE#STATE`, or a bare code if allowed. The
    /// state shows whose redirect it is: its host may be that of a forwarded port.
    fn pasted_line(&self, text: &str) -> Outcome {
        let text = &text.replace("&amp;", "&");
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
        ignored("it is a code without its state; the whole address is needed (or --allow-bare-code)")
    }

    /// The result of checking the query of a pasted address. That of the authorization URL, or of a page on the way, has
    /// the state too.
    fn pasted_query(&self, query: &str) -> Outcome {
        let has = |name: &str| form::pairs(query).any(|(other, _)| form::decode(other).as_deref() == Some(name));
        match self.outcome(query) {
            Outcome::Failed(_) if has("client_id") && !has("code") && !has("error") => ignored(TO_OPEN),
            Outcome::Failed(_) if !has("code") && !has("error") => ignored(NO_CODE),
            outcome => outcome,
        }
    }

    /// The hint where no redirect came: a server that does not know the request's client or redirect URI shows an error
    /// in the browser, and sends nobody back (RFC 6749 section 4.1.2.1).
    pub fn hint(&self) -> String {
        let client = self.client_id.as_deref().map_or(String::new(), |id| format!(" {}", message::shortened(id)));
        let cure = if self.is_port_free { PORT_CHANGES } else { REGISTERED };
        format!(
            "if the browser shows an error, the server may not know the client_id{client} or the redirect URI {} \
             ({cure} with pkce-url --redirect-uri); otherwise wait longer with --timeout SECONDS",
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
pub fn is_pushed(authorization_url: &str) -> bool {
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

/// The line without what may stand around an address.
fn trimmed(line: &str) -> &str {
    let is_invisible = |c| matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    line.trim_matches(|c: char| c.is_whitespace() || "\"'<>".contains(c) || is_invisible(c))
}

/// Maximum length of a scheme and `://`, in characters.
const MAX_SCHEME: usize = 64;

/// What to do about the redirect of another login.
const OTHER_LOGIN: &str =
    "each run of pkce-gen begins another login: take the URL from the document that pkce-callback gets";

/// What to do about a redirect URI that the server may not know.
const REGISTERED: &str = "name the registered one";
const PORT_CHANGES: &str = "its port changes; if the registered one has a port, name it";

/// Why a text without a code is ignored.
const NO_CODE: &str = "it has no code";

const TO_OPEN: &str = "it is the URL to open, not the address that the browser was redirected to";

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
            is_port_free: false,
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
        let (address, other) = ("https://app.example/cb?state=st&code=a", "https://app.example/cb?state=other&code=b");
        for text in [
            format!("{address}\rls -l"),
            format!("{address}\n$ exit\n"),
            format!("{address}\n{address}\n"),
            format!("{other}\n{address}\n"),
            format!("{address}\n{other}\n"),
            format!("https://app.example/cb?code=a&state=st\n{}\n", other.replace("https", "http")),
            format!("https://app.example/cb?state=\nother&code=b\n{address}"),
            format!("{}\n{address}", other.replace("https", "http")),
            format!("\u{200b}{address}\u{200b}"),
            format!("\u{2068}{address}\u{2069}"),
            format!("{address}\nhttp://other.example/"),
            "app.example/cb?state=st&code=a\rapp.example/cb?state=st&code=a\r".to_owned(),
            format!("\u{feff}<{address}>\u{2060}"),
            address.replace('&', "&amp;"),
            "https://app.example/cb?code=a&state=st\nexit\n".to_owned(),
            "https://app.example/cb?co\nde=a&state=st\n$ exit\n".to_owned(),
            "https://app.example/cb?error=access_denied&state=st\nhttps://app.example/cb?code=a&state=st".to_owned(),
            "Done\ncode=a&state=st\nDone".to_owned(),
        ] {
            assert_eq!(code(&text, false), "a", "{text:?}");
            assert_eq!(code(&text, true), "a", "{text:?}");
        }
        // In a time that grows with the size alone.
        assert_eq!(code(&"a\nb\n".repeat(250_000), false), "ignored");
        assert_eq!(code("Done\nhttps://app.example/cb?code=a&state=other", true), "ignored");
        // A line is no response of its own if it was rejected with the next one.
        assert_eq!(code("?code=a&state=st\n&code=b", false), "failed");
        assert_eq!(code("https://app.example/callback?error=access_denied&state=st", false), "failed");
        assert_eq!(code("a", false), "ignored");
        assert_eq!(code("a", true), "a");
        assert_eq!(code("a==", true), "a==");
        assert_eq!(code("a b", true), "ignored");
        assert_eq!(code("", true), "ignored");
    }
}
