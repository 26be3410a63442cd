//! The token endpoint: RFC 6749 sections 2.3.1, 4.1.3, 5.1 and 5.2, RFC 7636 section 4.5, RFC 8707 section 2.2.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use zeroize::Zeroizing;

use crate::document::{TOKENS, WRITERS};
use crate::http::{Answer, Client, Content};
use crate::{Document, Error, Kind, authorize, form, metadata, pkce, tool};

/// The flags of all tools that call the token endpoint, or one that is like it.
#[derive(clap::Args)]
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
}

/// How the body of a token request is written.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum Format {
    /// As a form (RFC 6749 section 4.1.3).
    Form,
    /// As a JSON object, as Auth0 takes it too.
    Json,
}

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
    let tokens = call(&document, caller, format, &grant, "the code")?;
    adopt(&mut document, tokens);
    document.remove(&SPENT);
    Ok(document)
}

/// Asks the token endpoint for tokens; `spent` names what is of no more use once it was sent.
fn call(
    document: &Document,
    caller: &Caller,
    format: Format,
    grant: &[(&str, &str)],
    spent: &str,
) -> Result<Document, Error> {
    let endpoint = metadata::endpoint(document, "token_endpoint")?;
    let client_id = authorize::visible(document, "client_id")?;
    let authentication = Authentication::of(document, caller)?;
    let mut pairs = grant.to_vec();
    let mut authorization = None;
    match &authentication {
        Authentication::Basic(secret) => authorization = Some(basic(&client_id, secret)),
        Authentication::Post(secret) => pairs.extend([("client_id", &*client_id), ("client_secret", secret)]),
        Authentication::None => pairs.push(("client_id", &client_id)),
    }
    let (media_type, body) = match format {
        Format::Form => (FORM, form::encoded(pairs.iter().copied())),
        Format::Json => ("application/json", json(&pairs)),
    };
    let content =
        Content { media_type, body: &body, authorization: authorization.as_ref().map(|header| header.as_str()) };
    let answer = Client::new(caller.timeout).post(&endpoint, &content).map_err(|failure| {
        let mut error = failure.error;
        error.report.message = format!("token endpoint: {}", error.report.message);
        match failure.sent {
            true => maybe_spent(error, spent),
            false => error,
        }
    })?;
    let received = SystemTime::now();
    let mut secrets: Vec<&str> =
        pairs.iter().filter(|(name, _)| SECRET.contains(name)).map(|(_, value)| *value).collect();
    if let Authentication::Basic(secret) = &authentication {
        secrets.push(secret);
    }
    let public = matches!(authentication, Authentication::None);
    let tokens = success(&answer, &secrets, public, spent)?;
    checked(tokens, received).map_err(|error| error.of_answer("token endpoint"))
}

/// Takes a token answer over: its tokens as one set, its scope and refresh token where it has them, and of the rest
/// only what steers no later step and replaces nothing.
fn adopt(document: &mut Document, tokens: Document) {
    let asked = document.text("scope").ok().flatten();
    let granted = tokens.text("scope").ok().flatten();
    if let (Some(asked), Some(granted)) = (&asked, &granted) {
        let sorted = |scope: &str| {
            let mut names: Vec<String> = scope.split(' ').map(str::to_owned).collect();
            names.sort();
            names
        };
        if sorted(asked) != sorted(granted) {
            tool::note("the server granted another scope than the one asked for");
        }
    }
    let names_refresh_token = tokens.has("refresh_token");
    let names_scope = tokens.has("scope");
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

/// The answer's object where it is a success: status 200 or 201, and no `error` in it.
fn success(answer: &Answer, secrets: &[&str], public: bool, spent: &str) -> Result<Document, Error> {
    let read = match answer.media_type.as_str() {
        FORM => form_object(&answer.body),
        _ => Document::parse(&answer.body),
    };
    let error_code = read.as_ref().ok().and_then(error_code);
    let answered = |kind, wrong: &str| {
        let mut error = Error::new(kind, format!("token endpoint: {wrong}"));
        error.report.http_status = Some(answer.status);
        error
    };
    let status = answer.status;
    let mut error = match (status, read) {
        (300..=399, _) => {
            return Err(answered(Kind::Untrusted, &format!("a redirect ({status}), which is not followed")));
        }
        (429 | 503, _) => return Err(answered(Kind::Unavailable, &format!("the server answered {status}"))),
        (500..=599, _) => {
            let error = answered(Kind::Unavailable, &format!("the server answered {status}"));
            return Err(maybe_spent(error, spent));
        }
        (_, Ok(object)) if error_code.is_some() => {
            let code = redacted(&error_code.unwrap_or_default(), secrets);
            let mut error = refusal(&code);
            error.report.http_status = Some(status);
            let about = |name| object.text(name).ok().flatten().map(|text: String| redacted(&text, secrets));
            error.report.error_description = about("error_description");
            error.report.error_uri = about("error_uri");
            error.report.message = match &error.report.error_description {
                Some(description) => format!("token endpoint: {code}: {description}"),
                None => format!("token endpoint: {code}"),
            };
            error
        }
        (200 | 201, Ok(object)) if object.json("error").is_some_and(|error| error != "null") => {
            return Err(answered(Kind::Untrusted, "error: must be a string"));
        }
        (200 | 201, Ok(object)) => return Ok(object),
        (200 | 201, Err(wrong)) => return Err(answered(Kind::Untrusted, &wrong)),
        (401, _) => answered(Kind::Refused, "the server answered 401"),
        (200..=299, _) => return Err(answered(Kind::Untrusted, &format!("the server answered {status}"))),
        _ => {
            let wrong = format!("the server answered {status} without an OAuth error");
            return Err(maybe_spent(answered(Kind::Unavailable, &wrong), spent));
        }
    };
    if public && (status == 401 || error.report.error.as_deref() == Some("invalid_client")) {
        error.report.hint = Some(PUBLIC.to_owned());
    }
    Err(error)
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

fn maybe_spent(mut error: Error, spent: &str) -> Error {
    if error.kind == Kind::Unavailable {
        error.kind = Kind::LoginRequired;
    }
    error.report.message.push_str(&format!("; {spent} may be spent"));
    error
}

/// Server text without what we sent: some servers repeat the code in their description.
fn redacted(text: &str, secrets: &[&str]) -> String {
    secrets
        .iter()
        .filter(|secret| secret.len() >= TELLING)
        .fold(text.to_owned(), |text, secret| text.replace(secret, "[...]"))
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
            (Some(file), _, _) => Some(secret("--client-secret-file", file)?),
            (None, Some(secret), _) => match is_secret(&secret) {
                true => Some(Zeroizing::new(secret)),
                false => return Err(Error::member("client_secret", ONE_LINE)),
            },
            (None, None, Some(file)) => Some(secret("PKCE_CLIENT_SECRET_FILE", Path::new(&file))?),
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
fn secret(subject: &str, file: &Path) -> Result<Zeroizing<String>, Error> {
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

const FORM: &str = "application/x-www-form-urlencoded";

/// The client authentication methods that are known here.
const METHODS: [&str; 3] = ["none", "client_secret_basic", "client_secret_post"];

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

/// The parameters that no message may repeat.
const SECRET: [&str; 4] = ["code", "code_verifier", "refresh_token", "client_secret"];

/// A shorter secret would be cut out of ordinary words, and be told by the gap.
const TELLING: usize = 8;

/// The errors after which only a person can help: RFC 6749 section 5.2, OpenID Connect Core section 3.1.2.6.
const LOGIN_REQUIRED: [&str; 4] = ["invalid_grant", "login_required", "interaction_required", "consent_required"];

/// Seconds in a hundred years: no token lives longer, so a larger number is no lifetime.
const CENTURY: f64 = 3_155_760_000.0;

const ONE_LINE: &str = "must hold one line of text";

/// Octets of a secret; what is longer is another file, named by mistake.
const SECRET_SIZE: usize = 64 * 1024;

const PUBLIC: &str = "a client without a secret must be registered with token_endpoint_auth_method none; \
                      one with a secret needs --client-secret-file";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_basic_credentials_as_the_vectors_do() {
        let vectors: serde_json::Value = serde_json::from_str(include_str!("../tests/vectors/form.json")).unwrap();
        for case in vectors["basic_auth"].as_array().unwrap() {
            let header = basic(case["id"].as_str().unwrap(), case["secret"].as_str().unwrap());
            let allowed = case["header_any"].as_array().cloned().unwrap_or(vec![case["header"].clone()]);
            assert!(allowed.iter().any(|allowed| *allowed == header.as_str()), "{}", case["id"]);
        }
    }

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
