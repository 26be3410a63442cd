//! Client authentication: RFC 6749 section 2.3.1, RFC 7591 section 2.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use zeroize::Zeroizing;

use crate::document::Document;
use crate::error::Error;
use crate::message;
use crate::process::{Deadline, arguments, environment};
use crate::wire::form;

/// The options of all tools that call the token endpoint, or one that is like it.
#[derive(clap::Args)]
pub struct Caller {
    /// Read the client secret from this file
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// Client authentication: none, client_secret_basic or client_secret_post
    #[arg(long, value_name = "METHOD", hide_possible_values = true)]
    auth_method: Option<AuthMethod>,
    /// Give up after this time
    #[arg(long, value_name = "SECONDS", value_parser = arguments::seconds, default_value = "30")]
    timeout: Duration,
    /// The secret, once read: a pipe can be read only once, and a revocation sends two requests.
    #[arg(skip)]
    cached_secret: OnceLock<Zeroizing<String>>,
}

impl Caller {
    /// The deadline of the step, which begins now.
    pub fn deadline(&self) -> Deadline {
        Deadline::after(self.timeout)
    }

    fn secret(&self, subject: &str, file: &Path) -> Result<Zeroizing<String>, Error> {
        if let Some(secret) = self.cached_secret.get() {
            return Ok(secret.clone());
        }
        let secret = secret(subject, file)?;
        Ok(self.cached_secret.get_or_init(|| secret).clone())
    }
}

/// A client authentication method, by its name in the IANA registry.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum AuthMethod {
    /// A public client.
    #[value(name = "none")]
    None,
    /// HTTP Basic.
    #[value(name = "client_secret_basic")]
    ClientSecretBasic,
    /// Parameters in the body.
    #[value(name = "client_secret_post")]
    ClientSecretPost,
}

impl AuthMethod {
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
    pub fn for_client(document: &Document, caller: &Caller) -> Result<Authentication, Error> {
        let variable = environment::variable("PKCE_CLIENT_SECRET_FILE");
        let secret = match (&caller.client_secret_file, document.text("client_secret")?, variable) {
            (Some(file), _, _) => Some(caller.secret("--client-secret-file", file)?),
            (None, Some(secret), _) if !is_secret(&secret) => return Err(document.wrong("client_secret", ONE_LINE)),
            (None, Some(secret), _) => Some(Zeroizing::new(secret)),
            (None, None, Some(file)) => Some(caller.secret("PKCE_CLIENT_SECRET_FILE", Path::new(&file))?),
            (None, None, None) => None,
        };
        match (method(document, caller)?, secret) {
            (Some(AuthMethod::None), _) | (None, None) => Ok(Authentication::None),
            (Some(AuthMethod::ClientSecretBasic), Some(secret)) => Ok(Authentication::ClientSecretBasic(secret)),
            (Some(AuthMethod::ClientSecretPost), Some(secret)) => Ok(Authentication::ClientSecretPost(secret)),
            (None, Some(secret)) => {
                let methods = document.texts("token_endpoint_auth_methods_supported")?;
                let basic = methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"));
                Ok(if basic {
                    Authentication::ClientSecretBasic(secret)
                } else {
                    Authentication::ClientSecretPost(secret)
                })
            }
            (Some(_), None) => {
                let error =
                    document.wrong("client_secret", "missing, but the client's authentication method requires it");
                Err(error.hint("name its file with --client-secret-file"))
            }
        }
    }
}

/// The method that the caller or the document names, if any.
fn method(document: &Document, caller: &Caller) -> Result<Option<AuthMethod>, Error> {
    if caller.auth_method.is_some() {
        return Ok(caller.auth_method);
    }
    let Some(name) = document.text("token_endpoint_auth_method")? else { return Ok(None) };
    let wrong = || document.wrong("token_endpoint_auth_method", "not supported");
    let method = AuthMethod::from_name(&name).ok_or_else(wrong)?;
    // An explicit secret file must be used, even if the document's method is none.
    Ok(Some(method).filter(|method| caller.client_secret_file.is_none() || *method != AuthMethod::None))
}

/// The secret in a file or pipe: its one line. Some servers accept characters outside ASCII, so they are sent as UTF-8.
pub fn secret(subject: &str, file: &Path) -> Result<Zeroizing<String>, Error> {
    let mut text = Zeroizing::new(String::with_capacity(MAX_SECRET));
    File::open(file)
        .and_then(|file| file.take(MAX_SECRET as u64 + 1).read_to_string(&mut text))
        .map_err(|error| Error::usage(format!("{subject}: {}", message::reason(&error))))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if !is_secret(line) {
        return Err(Error::usage(format!("{subject}: {ONE_LINE}")));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

fn is_secret(text: &str) -> bool {
    !text.is_empty() && text.len() < MAX_SECRET && !text.chars().any(char::is_control)
}

/// The `Authorization` header of client_secret_basic: both parts form-encoded first (RFC 6749 section 2.3.1).
pub fn basic(client_id: &str, secret: &str) -> Zeroizing<String> {
    let pair = Zeroizing::new(format!("{}:{}", form::encode(client_id), form::encode(secret)));
    Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
}

const ONE_LINE: &str = "must contain one line of text";

/// Maximum size of a secret in octets; a longer file was named by mistake.
const MAX_SECRET: usize = 64 * 1024;

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
