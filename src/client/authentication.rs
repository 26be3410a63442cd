//! Client authentication: RFC 6749 section 2.3.1, RFC 7591 section 2.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use zeroize::Zeroizing;

use crate::client::secret::{ONE_LINE, Secret, is_secret};
use crate::document::Document;
use crate::document::members::TOKEN_REQUEST;
use crate::error::Error;
use crate::message::shortened;
use crate::process::{Deadline, arguments, descriptor, environment};
use crate::wire::{form, http};

/// The options of all tools that call the token endpoint, or one that is like it.
#[derive(clap::Args)]
pub struct Caller {
    /// Read the client secret from the first line of this file
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// Run this command if the client secret is needed, and read it from the first line of the output
    #[arg(long, value_name = "COMMAND", conflicts_with = "client_secret_file")]
    client_secret_command: Option<String>,
    /// Client authentication
    #[arg(long, value_name = "METHOD")]
    auth_method: Option<AuthMethod>,
    /// Give up after this time
    #[arg(long, value_name = "SECONDS", value_parser = arguments::seconds, default_value = "30")]
    timeout: Duration,
    /// Where the secret comes from, once that is open: a pipe can be read only once, and a revocation sends two requests.
    #[arg(skip)]
    secret: OnceLock<Mutex<Secret>>,
}

impl Caller {
    /// The deadline of the step, which begins now.
    pub fn deadline(&self) -> Deadline {
        Deadline::after(self.timeout)
    }

    /// Checks what needs no document: what the environment says about requests, and the file of the secret, which is
    /// read unless it is a pipe.
    pub fn prepare(&self) -> Result<(), Error> {
        http::check_environment()?;
        self.secret().map(drop)
    }

    /// The method that the option names, if any.
    pub fn chosen_method(&self) -> Option<AuthMethod> {
        self.auth_method
    }

    /// Whether an option names a secret, which then is used whatever the document has.
    fn names_secret(&self) -> bool {
        self.client_secret_file.is_some() || self.client_secret_command.is_some()
    }

    /// Where the secret comes from beside the document, if an option or the environment says so.
    fn secret(&self) -> Result<Option<&Mutex<Secret>>, Error> {
        if let Some(secret) = self.secret.get() {
            return Ok(Some(secret));
        }
        let variable = environment::variable(SECRET_FILE_VARIABLE);
        let opened = match (&self.client_secret_command, &self.client_secret_file, &variable) {
            (Some(line), ..) => Secret::from_command("--client-secret-command", line),
            (None, Some(file), _) => Secret::in_file("--client-secret-file", file, &self.deadline())?,
            (None, None, Some(file)) => Secret::in_file(SECRET_FILE_VARIABLE, Path::new(file), &self.deadline())?,
            (None, None, None) => return Ok(None),
        };
        Ok(Some(self.secret.get_or_init(|| Mutex::new(opened))))
    }
}

/// Keeps the secret from the programs that this process starts, where the environment names a descriptor. It does so for
/// the whole pipeline, so the tools that need no secret inherit the descriptor too.
pub fn hide_secret() {
    if let Some(file) = environment::variable(SECRET_FILE_VARIABLE) {
        descriptor::close_on_exec(Path::new(&file));
    }
}

/// A client authentication method, by its name in the IANA registry.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum AuthMethod {
    /// A public client.
    None,
    /// HTTP Basic.
    ClientSecretBasic,
    /// Parameters in the body.
    ClientSecretPost,
}

impl AuthMethod {
    /// Its name.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// The method of this name, if supported.
    pub fn from_name(name: &str) -> Option<AuthMethod> {
        AuthMethod::from_str(name, false).ok()
    }
}

/// How a client authenticates, with the secret if it has one.
pub enum Authentication {
    /// A public client.
    None,
    /// HTTP Basic.
    ClientSecretBasic(Zeroizing<String>),
    /// Parameters in the body.
    ClientSecretPost(Zeroizing<String>),
}

impl Authentication {
    /// The authentication of the document's client, by the caller's options, the document and the environment.
    pub fn for_client(document: &Document, caller: &Caller, deadline: &Deadline) -> Result<Authentication, Error> {
        let own = document.text("client_secret")?.map(Zeroizing::new).filter(|_| !caller.names_secret());
        if own.as_ref().is_some_and(|secret| !is_secret(secret)) {
            return Err(document.wrong("client_secret", ONE_LINE));
        }
        let other = if own.is_none() { caller.secret()? } else { None };
        let method = match method(document, caller)? {
            Some(method) => method,
            None if own.is_some() || other.is_some() => listed_method(document)?,
            None => AuthMethod::None,
        };
        if method == AuthMethod::None {
            return Ok(Authentication::None);
        }
        // Only now, since a command may prompt the user.
        let other = other.map(|secret| secret.lock().unwrap_or_else(PoisonError::into_inner).text(deadline));
        let Some(secret) = own.map(Ok).or(other).transpose()? else {
            let error = document.wrong("client_secret", "missing, but the client's authentication method requires it");
            return Err(error.hint(
                "name its file with --client-secret-file or PKCE_CLIENT_SECRET_FILE, or a command that prints it \
                 with --client-secret-command",
            ));
        };
        Ok(match method {
            AuthMethod::ClientSecretPost => Authentication::ClientSecretPost(secret),
            _ => Authentication::ClientSecretBasic(secret),
        })
    }

    /// Whether the secret is sent and empty.
    pub fn has_empty_secret(&self) -> bool {
        match self {
            Authentication::None => false,
            Authentication::ClientSecretBasic(secret) | Authentication::ClientSecretPost(secret) => secret.is_empty(),
        }
    }

    /// The other method that sends the secret, if there is one.
    pub fn other_method(&self) -> Option<AuthMethod> {
        match self {
            Authentication::None => None,
            Authentication::ClientSecretBasic(_) => Some(AuthMethod::ClientSecretPost),
            Authentication::ClientSecretPost(_) => Some(AuthMethod::ClientSecretBasic),
        }
    }
}

/// The server's authentication methods that are supported, in the order of its list; `None` if it lists none at all.
pub fn listed_methods(document: &Document) -> Result<Option<Vec<AuthMethod>>, Error> {
    let names = document.texts(METHODS)?;
    Ok(names.map(|names| names.iter().filter_map(|name| AuthMethod::from_name(name)).collect()))
}

/// The names of the server's authentication methods, if none of them is supported.
pub fn unsupported_methods(document: &Document) -> Option<String> {
    let names = document.texts(METHODS).ok().flatten()?;
    let is_supported = names.iter().any(|name| AuthMethod::from_name(name).is_some());
    (!is_supported).then(|| shortened(&names.join(", ")))
}

/// Whether the server lists methods that send a secret, but not `none`.
pub fn requires_secret(document: &Document) -> bool {
    let listed = listed_methods(document).ok().flatten().unwrap_or_default();
    !listed.is_empty() && !listed.contains(&AuthMethod::None)
}

/// Whether the server lists a method that sends a secret, or lists none at all.
pub fn takes_secret(document: &Document) -> Result<bool, Error> {
    let listed = listed_methods(document)?;
    Ok(listed.is_none_or(|methods| methods.iter().any(|method| *method != AuthMethod::None)))
}

/// The listed method that sends a secret; without a list it is client_secret_basic (RFC 8414 section 2). A secret must
/// not go to a server in a way that it does not expect, such as into a body that it logs.
fn listed_method(document: &Document) -> Result<AuthMethod, Error> {
    let Some(listed) = listed_methods(document)? else { return Ok(AuthMethod::ClientSecretBasic) };
    let preferred = [AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost];
    preferred.into_iter().find(|method| listed.contains(method)).ok_or_else(|| {
        let names = shortened(&document.texts(METHODS).ok().flatten().unwrap_or_default().join(", "));
        let lists = if names.is_empty() { "no method".to_owned() } else { format!("only {names}") };
        let wrong = format!("lists {lists}, so the client secret is not sent");
        document
            .wrong(METHODS, &wrong)
            .hint("choose how to send it with --auth-method, or send no secret with --auth-method none")
    })
}

/// The method that the caller, an earlier one or the document names, if any.
fn method(document: &Document, caller: &Caller) -> Result<Option<AuthMethod>, Error> {
    if caller.auth_method.is_some() {
        return Ok(caller.auth_method);
    }
    let named = match remembered_method(document)? {
        None => named_method(document, "token_endpoint_auth_method")?,
        remembered => remembered,
    };
    // An explicit secret must be used, even if the document's method is none.
    Ok(named.filter(|method| !caller.names_secret() || *method != AuthMethod::None))
}

/// The method that the exchange or a later step was told to use, if any.
pub fn remembered_method(document: &Document) -> Result<Option<AuthMethod>, Error> {
    let request = document.object(TOKEN_REQUEST)?;
    Ok(request.map(|request| named_method(&request, "auth_method")).transpose()?.flatten())
}

fn named_method(object: &Document, member: &str) -> Result<Option<AuthMethod>, Error> {
    let Some(name) = object.text(member)? else { return Ok(None) };
    AuthMethod::from_name(&name).map(Some).ok_or_else(|| object.wrong(member, "not supported"))
}

/// The `Authorization` header of client_secret_basic: both parts form-encoded first (RFC 6749 section 2.3.1).
pub fn basic(client_id: &str, secret: &str) -> Zeroizing<String> {
    let pair = Zeroizing::new(format!("{}:{}", form::encode(client_id), form::encode(secret)));
    Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
}

/// Names the file of the secret for all tools of a pipeline.
const SECRET_FILE_VARIABLE: &str = "PKCE_CLIENT_SECRET_FILE";

/// The server's methods (RFC 8414 section 2).
const METHODS: &str = "token_endpoint_auth_methods_supported";

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
