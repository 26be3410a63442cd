//! The endpoints that a client calls itself: who it is (RFC 6749 section 2.3.1), one POST, and what the answer says
//! (section 5.2).

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use zeroize::Zeroizing;

use crate::http::{Answer, Client, Content};
use crate::tool::Deadline;
use crate::url::Url;
use crate::{Document, Error, Kind, authorize, form, metadata, tool};

/// The flags of all tools that call the token endpoint, or one that is like it.
#[derive(clap::Args, Clone)]
pub struct Caller {
    /// Read the client's secret from this file
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// How the client shows who it is: none, client_secret_basic or client_secret_post
    #[arg(long, value_name = "METHOD", value_parser = METHODS, hide_possible_values = true)]
    auth_method: Option<String>,
    /// Give up after this time
    #[arg(long, value_name = "SECONDS", value_parser = tool::seconds, default_value = "30")]
    timeout: Duration,
    /// The secret, once it was read: a pipe has it once, and a revocation calls twice.
    #[arg(skip)]
    read: Arc<OnceLock<Zeroizing<String>>>,
}

impl Caller {
    /// How long the step may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The same caller with what is left of its time.
    pub fn within(&self, deadline: &Deadline) -> Caller {
        Caller { timeout: deadline.left(), ..self.clone() }
    }

    fn secret(&self, subject: &str, file: &Path) -> Result<Zeroizing<String>, Error> {
        if let Some(secret) = self.read.get() {
            return Ok(secret.clone());
        }
        let secret = secret(subject, file)?;
        Ok(self.read.get_or_init(|| secret).clone())
    }
}

/// How the body of a token request is written.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum Format {
    /// As a form (RFC 6749 section 4.1.3).
    Form,
    /// As a JSON object, as Auth0 takes it too.
    Json,
}

/// One call of an endpoint.
pub struct Call<'a> {
    /// The member that names the endpoint; its words are the subject of messages.
    pub endpoint: &'a str,
    /// How the body is written.
    pub format: Format,
    /// What is sent beside the client's authentication; a name may repeat.
    pub pairs: &'a [(&'a str, &'a str)],
    /// What is of no more use once it was sent, if anything is.
    pub spends: Option<&'a str>,
}

impl Call<'_> {
    /// Calls as the document's client, once, and gives the object that is answered.
    pub fn send(&self, document: &Document, caller: &Caller) -> Result<Document, Error> {
        self.post(document, caller, |post, url, timeout| post.send(url, timeout))
    }

    /// Calls as the document's client, once; any body of a success will do.
    pub fn deliver(&self, document: &Document, caller: &Caller) -> Result<(), Error> {
        self.post(document, caller, |post, url, timeout| post.deliver(url, timeout))
    }

    fn post<T>(
        &self,
        document: &Document,
        caller: &Caller,
        send: impl FnOnce(&Post, &Url, Duration) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let endpoint = metadata::endpoint(document, self.endpoint)?;
        let client_id = authorize::visible(document, "client_id")?;
        let authentication = Authentication::of(document, caller)?;
        let mut pairs = self.pairs.to_vec();
        if !matches!(authentication, Authentication::Basic(_)) && !pairs.iter().any(|(name, _)| *name == "client_id") {
            pairs.push(("client_id", &client_id));
        }
        let mut authorization = None;
        match &authentication {
            Authentication::Basic(secret) => authorization = Some(basic(&client_id, secret)),
            Authentication::Post(secret) => pairs.push(("client_secret", secret)),
            Authentication::None => {}
        }
        let (media_type, body) = match self.format {
            Format::Form => (FORM, form::encoded(pairs.iter().copied())),
            Format::Json => (JSON, json(&pairs)),
        };
        let mut secrets: Vec<&str> =
            pairs.iter().filter(|(name, _)| SECRET.contains(name)).map(|(_, value)| *value).collect();
        if let Authentication::Basic(secret) = &authentication {
            secrets.push(secret);
        }
        let authorization = authorization.as_ref().map(|header| header.as_str());
        let post = Post {
            subject: &self.endpoint.replace('_', " "),
            content: Content { media_type, body: &body, authorization },
            secrets: &secrets,
            spends: self.spends,
        };
        let public = matches!(authentication, Authentication::None);
        send(&post, &endpoint, caller.timeout).map_err(|mut error| {
            let unknown =
                error.report.http_status == Some(401) || error.report.error.as_deref() == Some("invalid_client");
            if public && unknown {
                error.report.hint = Some(PUBLIC.to_owned());
            }
            error
        })
    }
}

/// One POST, and what its answer is taken for.
pub struct Post<'a> {
    /// Whose answer it is, at the beginning of messages.
    pub subject: &'a str,
    /// What is sent.
    pub content: Content<'a>,
    /// What no message may repeat.
    pub secrets: &'a [&'a str],
    /// What is of no more use once it was sent, if anything is.
    pub spends: Option<&'a str>,
}

impl Post<'_> {
    /// Sends it, once, and gives the object of an answer that is a success: status 200 or 201, and no `error` in it.
    pub fn send(&self, url: &Url, timeout: Duration) -> Result<Document, Error> {
        self.object(&self.answer(url, timeout)?)
    }

    /// Sends it, once; status 200 and 204 are a success, whatever the body is (RFC 7009 section 2.2).
    pub fn deliver(&self, url: &Url, timeout: Duration) -> Result<(), Error> {
        match self.answer(url, timeout)? {
            Answer { status: 200 | 204, .. } => Ok(()),
            answer => self.object(&answer).map(drop),
        }
    }

    fn answer(&self, url: &Url, timeout: Duration) -> Result<Answer, Error> {
        Client::new(timeout).post(url, &self.content).map_err(|failure| {
            let mut error = failure.error;
            error.report.message = format!("{}: {}", self.subject, error.report.message);
            if failure.sent { self.maybe_spent(error) } else { error }
        })
    }

    fn object(&self, answer: &Answer) -> Result<Document, Error> {
        let read = match answer.media_type.as_str() {
            FORM => form_object(&answer.body),
            _ => answer.object(),
        };
        let status = answer.status;
        let error_code = read.as_ref().ok().and_then(error_code);
        Err(match (status, read) {
            (300..=399, _) => {
                self.answered(answer, Kind::Untrusted, format!("a redirect ({status}), which is not followed"))
            }
            (429 | 503, _) => self.answered(answer, Kind::Unavailable, format!("the server answered {status}")),
            (500..=599, _) => {
                self.maybe_spent(self.answered(answer, Kind::Unavailable, format!("the server answered {status}")))
            }
            (_, Ok(object)) if error_code.is_some() => self.refused(answer, &error_code.unwrap_or_default(), &object),
            (200 | 201, Ok(object)) if object.json("error").is_some_and(|error| error != "null") => {
                self.answered(answer, Kind::Untrusted, "error: must be a string".to_owned())
            }
            (200 | 201, Ok(object)) => return Ok(object),
            (200 | 201, Err(wrong)) => self.maybe_spent(self.answered(answer, Kind::Untrusted, wrong)),
            (401, _) => self.answered(answer, Kind::Refused, "the server answered 401".to_owned()),
            (200..=299, _) => {
                self.maybe_spent(self.answered(answer, Kind::Untrusted, format!("the server answered {status}")))
            }
            _ => {
                let wrong = format!("the server answered {status} without an OAuth error");
                match self.spends {
                    Some(_) => self.maybe_spent(self.answered(answer, Kind::Unavailable, wrong)),
                    None => self.answered(answer, Kind::Refused, wrong),
                }
            }
        })
    }

    fn answered(&self, answer: &Answer, kind: Kind, wrong: String) -> Error {
        let mut error = Error::new(kind, format!("{}: {wrong}", self.subject));
        error.report.http_status = Some(answer.status);
        error
    }

    /// The OAuth error of the answer, in the server's words.
    fn refused(&self, answer: &Answer, code: &str, object: &Document) -> Error {
        let code = redacted(code, self.secrets);
        let text = |name| object.text(name).ok().flatten().filter(|text| !text.is_empty());
        let about = |name| text(name).map(|text| redacted(&text, self.secrets));
        let mut error = refusal(&code);
        error.report.http_status = Some(answer.status);
        error.report.error_description = about("error_description");
        error.report.error_uri = about("error_uri");
        error.report.hint = DPOP_ERRORS.contains(&code.as_str()).then(|| DPOP.to_owned());
        error.report.message = match &error.report.error_description {
            Some(description) => format!("{}: {code}: {description}", self.subject),
            None => format!("{}: {code}", self.subject),
        };
        error
    }

    fn maybe_spent(&self, error: Error) -> Error {
        match self.spends {
            Some(spent) => error.maybe_spent(spent),
            None => error,
        }
    }
}

/// The OAuth error as ours: some say that only a new login helps.
pub fn refusal(code: &str) -> Error {
    let kind = match LOGIN_REQUIRED.contains(&code) {
        true => Kind::LoginRequired,
        false => Kind::Refused,
    };
    let mut error = Error::new(kind, code);
    error.report.error = Some(code.to_owned());
    error
}

/// The error in an answer: RFC 6749 section 5.2, and Slack's `"ok":false`.
fn error_code(object: &Document) -> Option<String> {
    if object.json("ok") == Some("false") || object.json("error").is_some_and(|error| error.starts_with('"')) {
        let code = object.text("error").ok().flatten().filter(|code| !code.is_empty());
        return Some(code.unwrap_or_else(|| "an error without a name".to_owned()));
    }
    None
}

fn form_object(body: &[u8]) -> Result<Document, String> {
    let text = std::str::from_utf8(body).map_err(|_| "not UTF-8")?;
    let mut object = Document::default();
    for (name, value) in form::pairs(text.trim_end()) {
        let decoded = form::decode(name).zip(form::decode(value));
        let (name, value) = decoded.ok_or("a form with a broken escape")?;
        if object.has(&name) {
            return Err(format!("{name}: there twice"));
        }
        object.set(&name, &value);
    }
    Ok(object)
}

/// Server text without what we sent: some servers repeat the code in their description.
fn redacted(text: &str, secrets: &[&str]) -> String {
    secrets
        .iter()
        .filter(|secret| secret.len() >= TELLING)
        .fold(text.to_owned(), |text, secret| text.replace(secret, "[...]"))
}

/// How the client shows who it is (RFC 6749 section 2.3.1).
enum Authentication {
    None,
    Basic(Zeroizing<String>),
    Post(Zeroizing<String>),
}

impl Authentication {
    fn of(document: &Document, caller: &Caller) -> Result<Authentication, Error> {
        let environment = tool::environment("PKCE_CLIENT_SECRET_FILE");
        let secret = match (&caller.client_secret_file, document.text("client_secret")?, environment) {
            (Some(file), _, _) => Some(caller.secret("--client-secret-file", file)?),
            (None, Some(secret), _) => match is_secret(&secret) {
                true => Some(Zeroizing::new(secret)),
                false => return Err(Error::member("client_secret", ONE_LINE)),
            },
            (None, None, Some(file)) => Some(caller.secret("PKCE_CLIENT_SECRET_FILE", Path::new(&file))?),
            (None, None, None) => None,
        };
        let named = match &caller.auth_method {
            Some(method) => Some(method.clone()),
            None => document.text("token_endpoint_auth_method")?,
        };
        // Who names a file with a secret wants it sent, whatever the document says of a client without one.
        let sends = caller.auth_method.is_none() && caller.client_secret_file.is_some();
        let named = named.filter(|method| !(sends && method == "none"));
        match (named.as_deref(), secret) {
            (Some("none"), _) | (None, None) => Ok(Authentication::None),
            (Some("client_secret_basic"), Some(secret)) => Ok(Authentication::Basic(secret)),
            (Some("client_secret_post"), Some(secret)) => Ok(Authentication::Post(secret)),
            (None, Some(secret)) => {
                let methods = document.texts("token_endpoint_auth_methods_supported")?;
                let basic = methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"));
                Ok(if basic { Authentication::Basic(secret) } else { Authentication::Post(secret) })
            }
            (Some("client_secret_basic" | "client_secret_post"), None) => {
                let error = Error::member("client_secret", "missing, and the client's method needs it");
                Err(error.hint("--client-secret-file names the file that holds it"))
            }
            (Some(_), _) => Err(Error::member("token_endpoint_auth_method", "not one that is known here")),
        }
    }
}

/// The secret in a file (a pipe too): its one line. Some servers take letters outside ASCII, so they are sent as UTF-8.
pub fn secret(subject: &str, file: &Path) -> Result<Zeroizing<String>, Error> {
    let mut text = Zeroizing::new(String::with_capacity(SECRET_SIZE));
    File::open(file)
        .and_then(|file| file.take(SECRET_SIZE as u64 + 1).read_to_string(&mut text))
        .map_err(|error| Error::usage(format!("{subject}: {}", tool::reason(&error))))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if !is_secret(line) {
        return Err(Error::usage(format!("{subject}: {ONE_LINE}")));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

fn is_secret(text: &str) -> bool {
    !text.is_empty() && text.len() < SECRET_SIZE && !text.chars().any(char::is_control)
}

/// The `Authorization` header of client_secret_basic: both parts form-encoded first (RFC 6749 section 2.3.1).
fn basic(client_id: &str, secret: &str) -> Zeroizing<String> {
    let pair = Zeroizing::new(format!("{}:{}", form::encode(client_id), form::encode(secret)));
    Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
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

/// The media type of a form (RFC 6749 appendix B).
const FORM: &str = "application/x-www-form-urlencoded";

/// The media type of a JSON object.
pub const JSON: &str = "application/json";

/// The client authentication methods that are known here.
pub const METHODS: [&str; 3] = ["none", "client_secret_basic", "client_secret_post"];

/// The parameters that no message may repeat.
const SECRET: [&str; 5] = ["code", "code_verifier", "refresh_token", "token", "client_secret"];

/// A shorter secret would be cut out of ordinary words, and be told by the gap.
const TELLING: usize = 8;

/// The errors after which only a person can help: RFC 6749 section 5.2, OpenID Connect Core section 3.1.2.6.
const LOGIN_REQUIRED: [&str; 5] =
    ["invalid_grant", "login_required", "interaction_required", "consent_required", "account_selection_required"];

const ONE_LINE: &str = "must hold one line of text";

/// Octets of a secret; what is longer is another file, named by mistake.
const SECRET_SIZE: usize = 64 * 1024;

/// The errors of a server that wants DPoP (RFC 9449 sections 5 and 8).
const DPOP_ERRORS: [&str; 2] = ["use_dpop_nonce", "invalid_dpop_proof"];

const DPOP: &str = "the server wants DPoP (RFC 9449), which no tool here can do";

const PUBLIC: &str = "a client without a secret must be registered with token_endpoint_auth_method none; \
                      one with a secret needs --client-secret-file";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_basic_credentials_as_the_vectors_do() {
        let vectors: serde_json::Value = serde_json::from_str(include_str!("../../tests/vectors/form.json")).unwrap();
        for case in vectors["basic_auth"].as_array().unwrap() {
            let header = basic(case["id"].as_str().unwrap(), case["secret"].as_str().unwrap());
            let allowed = case["header_any"].as_array().cloned().unwrap_or(vec![case["header"].clone()]);
            assert!(allowed.iter().any(|allowed| *allowed == header.as_str()), "{}", case["id"]);
        }
    }
}
