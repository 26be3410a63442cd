//! One POST to an endpoint, and its response: RFC 6749 sections 3.2 and 5.2.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use zeroize::Zeroizing;

use crate::client::authentication::{Authentication, Caller, basic};
use crate::client::endpoint::Endpoint;
use crate::client::hint::with_hint;
use crate::client::oauth_error;
use crate::client::redaction::{redacted, secrets_of};
use crate::client::words::words;
use crate::document::Document;
use crate::error::{Error, Kind, OauthError};
use crate::message;
use crate::process::Deadline;
use crate::wire::form;
use crate::wire::http::{Client, Content, Response};
use crate::wire::url::Url;

/// The format of a token request's body.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum Format {
    /// A form (RFC 6749 section 4.1.3).
    Form,
    /// A JSON object, which Auth0 also accepts.
    Json,
}

/// What a token request spends, if its response is successful.
#[derive(Clone, Copy)]
pub enum Grant {
    /// A code, which no server accepts twice.
    Code,
    /// A refresh token, which some servers accept again.
    RefreshToken,
    /// A device code, which is sent again until the user has approved (RFC 8628 section 3.4).
    DeviceCode,
}

impl Grant {
    /// The error of a request that was sent and has no usable response: another attempt shows whether a refresh token is
    /// spent, while a code is lost.
    pub fn maybe_spent(self, error: Error) -> Error {
        match self {
            Grant::Code => error.or_login_required().maybe_spent("the code may be spent"),
            Grant::RefreshToken if error.kind() == Kind::Unavailable => {
                error.maybe_spent("the refresh token may be spent; try again to find out")
            }
            Grant::RefreshToken => error.maybe_spent("the refresh token may be spent"),
            // The next poll tells.
            Grant::DeviceCode if error.kind() == Kind::Unavailable => error,
            Grant::DeviceCode => error.maybe_spent("the device code may be spent"),
        }
    }
}

/// One request to an endpoint, as the document's client.
pub struct Call<'a> {
    /// The endpoint; its name is the subject of messages.
    pub endpoint: &'a Endpoint,
    /// The format of the body.
    pub format: Format,
    /// The parameters besides the client authentication; a name may repeat.
    pub pairs: &'a [(&'a str, &'a str)],
    /// What is spent once it is sent, if anything.
    pub spends: Option<Grant>,
}

impl Call<'_> {
    /// Sends the request once, and returns the object in the response.
    pub fn send(&self, document: &Document, caller: &Caller, deadline: &Deadline) -> Result<Document, Error> {
        self.post(document, caller, deadline, |post, url, deadline| post.send(url, deadline))
    }

    /// Sends the request once; a success may have any body.
    pub fn send_ignoring_body(&self, document: &Document, caller: &Caller, deadline: &Deadline) -> Result<(), Error> {
        self.post(document, caller, deadline, |post, url, deadline| post.send_ignoring_body(url, deadline))
    }

    pub(super) fn post<T>(
        &self,
        document: &Document,
        caller: &Caller,
        deadline: &Deadline,
        send: impl FnOnce(&Post, &Url, &Deadline) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let client_id = document.need_visible("client_id")?;
        let authentication = Authentication::for_client(document, caller, deadline)?;
        let mut pairs = self.pairs.to_vec();
        if !matches!(authentication, Authentication::ClientSecretBasic(_))
            && !pairs.iter().any(|(name, _)| *name == "client_id")
        {
            pairs.push(("client_id", &client_id));
        }
        let mut authorization = None;
        match &authentication {
            Authentication::ClientSecretBasic(secret) => authorization = Some(basic(&client_id, secret)),
            Authentication::ClientSecretPost(secret) => pairs.push(("client_secret", secret)),
            Authentication::None => {}
        }
        let (media_type, body) = match self.format {
            Format::Form => (FORM, form::encoded(pairs.iter().copied())),
            Format::Json => (JSON, json(&pairs)),
        };
        let mut secrets: Vec<&str> =
            pairs.iter().filter(|(name, _)| SECRET.contains(name)).map(|(_, value)| *value).collect();
        let headers = match &authentication {
            Authentication::ClientSecretBasic(secret) | Authentication::ClientSecretPost(secret) => {
                secrets.push(secret);
                credentials(&client_id, secret).to_vec()
            }
            Authentication::None => Vec::new(),
        };
        // Without its padding, which some programs leave out.
        secrets.extend(headers.iter().map(|header| header.trim_end_matches('=')));
        let held = secrets_of(document);
        secrets.extend(held.iter().map(|secret| secret.as_str()));
        let authorization = authorization.as_ref().map(|header| header.as_str());
        let post = Post {
            subject: &self.endpoint.subject(),
            content: Content { media_type, body: &body, authorization },
            secrets: &secrets,
            spends: self.spends,
        };
        let sent = send(&post, self.endpoint.url(), deadline);
        sent.map_err(|error| with_hint(error, document, &authentication, &pairs))
    }
}

/// One POST, and how its response is read.
pub struct Post<'a> {
    /// The subject of messages: the endpoint that responds.
    pub subject: &'a str,
    /// The content to send.
    pub content: Content<'a>,
    /// Secrets that no message may repeat.
    pub secrets: &'a [&'a str],
    /// What is spent once it is sent, if anything.
    pub spends: Option<Grant>,
}

impl Post<'_> {
    /// Sends it once, and returns the object in a successful response: status 200 or 201 without an `error`.
    pub fn send(&self, url: &Url, deadline: &Deadline) -> Result<Document, Error> {
        let response = self.response(url, deadline)?;
        self.object(&response, self.parsed(&response))
    }

    /// Sends it once; status 200 and 204 are a success with any body (RFC 7009 section 2.2).
    pub fn send_ignoring_body(&self, url: &Url, deadline: &Deadline) -> Result<(), Error> {
        match self.response(url, deadline)? {
            Response { status: 200 | 204, .. } => Ok(()),
            response => self.object(&response, self.parsed(&response)).map(drop),
        }
    }

    pub(super) fn response(&self, url: &Url, deadline: &Deadline) -> Result<Response, Error> {
        Client::new(*deadline).post(url, &self.content).map_err(|failure| {
            let error = failure.error.within(self.subject);
            if failure.sent { self.maybe_spent(error) } else { error }
        })
    }

    /// The object in a successful response, of which this was read.
    pub(super) fn object(&self, response: &Response, read: Result<Document, Error>) -> Result<Document, Error> {
        let status = response.status;
        // The words of what should be tokens may be tokens, but not the title of a page.
        let has_error = read.as_ref().is_ok_and(|object| object.has("error"));
        let may_be_tokens = (200..=299).contains(&status) && !response.is_page() && !has_error;
        let words = response.body(self.subject).ok().filter(|_| !may_be_tokens).and_then(words);
        let words = words.map(|words| self.said(&words));
        let words = words.as_deref();
        let code = read.as_ref().ok().and_then(error_code);
        let error = match (status, read) {
            _ if self.ignores_body(status) => self.without_oauth_error(status, words),
            (_, Ok(object)) if code.is_some() => self.refused(&code.unwrap_or_default(), &object),
            (200 | 201, Ok(object)) if object.json("error").is_some_and(|error| !NO_ERROR.contains(&error)) => {
                self.maybe_spent(object.wrong("error", "must be a string").quoting(words))
            }
            (200 | 201, Ok(mut object)) => {
                object.remove(&["error"]);
                return Ok(object);
            }
            (200 | 201, Err(error)) => self.maybe_spent(error.quoting(words)),
            (_, Err(error)) if self.is_invalid_object(response) => error,
            _ => self.without_oauth_error(status, words),
        };
        // Some servers repeat the code or the secret in their words, even in the names of members.
        Err(error.http_status(status).with_texts(|text| redacted(text, self.secrets)))
    }

    /// Whether a response that could not be read is an object of the server's all the same, with a fault in it such as a
    /// duplicate member, rather than the text of another program. False if a code or a refresh token was sent: the error
    /// for the status alone says whether that is refused or may be spent.
    fn is_invalid_object(&self, response: &Response) -> bool {
        let is_object = response.body(self.subject).is_ok_and(|body| body.trim_ascii_start().starts_with(b"{"));
        is_object && matches!(self.spends, Some(Grant::DeviceCode) | None)
    }

    /// The object in the body, whatever the status.
    pub(super) fn parsed(&self, response: &Response) -> Result<Document, Error> {
        match response.media_type.as_str() {
            FORM => response.body(self.subject).and_then(|body| self.form_object(body)),
            _ => response.object(self.subject),
        }
    }

    /// Whether the status alone decides, even if the body is an OAuth error.
    fn ignores_body(&self, status: u16) -> bool {
        match status {
            429 | 500..=599 => true,
            300..=399 => !matches!(self.spends, Some(Grant::RefreshToken)),
            _ => false,
        }
    }

    /// The error for a response without an OAuth error. A refresh can be tried again, so it fails for good only if the
    /// status is that of a refused token (RFC 6749 section 5.2).
    fn without_oauth_error(&self, status: u16, words: Option<&str>) -> Error {
        let error = |kind, wrong: String| Error::new(kind, format!("{}: {wrong}", self.subject)).quoting(words);
        let responded = |kind| error(kind, format!("the server responded with {status}"));
        let without = |kind| error(kind, format!("the server responded with {status} without an OAuth error"));
        let redirect = |kind| error(kind, format!("redirect ({status}) not followed"));
        match (self.spends, status) {
            (Some(Grant::RefreshToken), 400 | 401) => without(Kind::LoginRequired),
            (Some(Grant::RefreshToken), 304 | 429 | 500..=599) => self.maybe_spent(responded(Kind::Unavailable)),
            (Some(Grant::RefreshToken), 300..=399) => self.maybe_spent(redirect(Kind::Unavailable)),
            (Some(Grant::RefreshToken), _) => self.maybe_spent(without(Kind::Unavailable)),
            (_, 304) => responded(Kind::Untrusted),
            (_, 300..=399) => redirect(Kind::Untrusted),
            (_, 429 | 503) => responded(Kind::Unavailable),
            (_, 500..=599) => self.maybe_spent(responded(Kind::Unavailable)),
            (_, 401) => responded(Kind::Refused),
            (_, 200..=299) => self.maybe_spent(responded(Kind::Untrusted)),
            (Some(Grant::Code), _) => self.maybe_spent(without(Kind::Unavailable)),
            (Some(Grant::DeviceCode) | None, _) => without(Kind::Refused),
        }
    }

    /// The OAuth error in the response, with the server's description.
    fn refused(&self, code: &str, object: &Document) -> Error {
        let text = |name| object.text(name).ok().flatten().filter(|text| !text.is_empty());
        let description = text("error_description").map(|text| message::discreet(&redacted(&text, self.secrets)));
        let kind = match self.spends {
            Some(Grant::RefreshToken) => oauth_error::kind_at_refresh(code, description.as_deref()),
            Some(Grant::DeviceCode) => oauth_error::kind_at_poll(code),
            _ => oauth_error::kind(code),
        };
        let mut codes = object.numbers("error_codes").ok().flatten().unwrap_or_default();
        codes.truncate(MAX_CODES);
        let oauth = OauthError {
            error: Some(self.said(code)),
            description,
            uri: text("error_uri").map(|text| self.said(&text)),
            // The whole is what the next request must send, so it is not cut.
            claims: text("claims")
                .map(|claims| redacted(&claims, self.secrets))
                .filter(|claims| claims.len() <= MAX_CLAIMS),
            suberror: text("suberror").map(|text| self.said(&text)),
            codes,
        };
        oauth_error::refusal(kind, self.subject, oauth)
    }

    /// The server's words, as a message may repeat them.
    fn said(&self, words: &str) -> String {
        message::public(&message::one_line(&redacted(words, self.secrets)))
    }

    fn maybe_spent(&self, error: Error) -> Error {
        match self.spends {
            Some(grant) => grant.maybe_spent(error),
            None => error,
        }
    }

    fn form_object(&self, body: &[u8]) -> Result<Document, Error> {
        let wrong = |wrong: &str| Error::untrusted(format!("{}: {wrong}", self.subject));
        let text = std::str::from_utf8(body).map_err(|_| wrong("not UTF-8"))?;
        let mut object = Document::empty_response(self.subject);
        for (name, value) in form::pairs(text.trim_end()) {
            let decoded = form::decode(name).zip(form::decode(value));
            let (name, value) = decoded.ok_or_else(|| wrong("a form with an invalid escape sequence"))?;
            if object.has(&name) {
                return Err(object.wrong(&name, "duplicate"));
            }
            object.set(&name, &value);
        }
        Ok(object)
    }
}

/// The error code in a response: RFC 6749 section 5.2, and Slack's `"ok":false`.
pub(super) fn error_code(object: &Document) -> Option<String> {
    let code = object.text("error").ok().flatten().filter(|code| !code.is_empty());
    if object.json("ok") == Some("false") { Some(code.unwrap_or_else(|| "unnamed error".to_owned())) } else { code }
}

/// The credentials in a Basic header: form-encoded first, as they are sent, and as they are, as some servers read them.
fn credentials(client_id: &str, secret: &str) -> [Zeroizing<String>; 2] {
    let header = basic(client_id, secret);
    let sent = header.strip_prefix("Basic ").unwrap_or_default();
    let pair = Zeroizing::new(format!("{client_id}:{secret}"));
    [Zeroizing::new(sent.to_owned()), Zeroizing::new(STANDARD.encode(pair.as_bytes()))]
}

fn json(pairs: &[(&str, &str)]) -> Zeroizing<String> {
    let mut object = Document::default();
    for (name, _) in pairs {
        let values = pairs.iter().filter(|(other, _)| other == name);
        let values: Vec<String> = values.map(|(_, value)| (*value).to_owned()).collect();
        object.set_texts(name, &values);
    }
    object.line()
}

/// Maximum length of `claims` in octets, which no program could send in a URL.
const MAX_CLAIMS: usize = 16 * 1024;

/// Maximum number of Entra's error codes.
const MAX_CODES: usize = 16;

/// The media type of a form (RFC 6749 appendix B).
const FORM: &str = "application/x-www-form-urlencoded";

/// The media type of a JSON object.
pub const JSON: &str = "application/json";

/// What some servers send as `error` although there is none.
const NO_ERROR: [&str; 6] = ["null", "\"\"", "false", "0", "{}", "[]"];

/// The parameters that no message may repeat.
const SECRET: [&str; 6] = ["code", "code_verifier", "device_code", "refresh_token", "token", "client_secret"];
