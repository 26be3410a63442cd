//! A secret in a file: a client secret, or an initial access token; one line of text.

use std::path::Path;

use zeroize::Zeroizing;

use crate::error::Error;
use crate::process::Deadline;
use crate::process::named_file::NamedFile;

/// A file with a secret, which is read once.
pub struct SecretFile {
    subject: &'static str,
    file: NamedFile,
    line: Option<Zeroizing<String>>,
}

impl SecretFile {
    /// Opens the file, and reads it unless it is a pipe; `subject`, such as `--client-secret-file`, begins the messages.
    pub fn open(subject: &'static str, path: &Path, deadline: &Deadline) -> Result<SecretFile, Error> {
        let mut secret = SecretFile { subject, file: NamedFile::open(subject, path)?, line: None };
        if !secret.file.is_pipe {
            secret.line(deadline)?;
        }
        Ok(secret)
    }

    /// The line. Some servers accept characters outside ASCII, so it may have any but control characters.
    pub fn line(&mut self, deadline: &Deadline) -> Result<Zeroizing<String>, Error> {
        if let Some(line) = &self.line {
            return Ok(line.clone());
        }
        let octets = self.file.read(MAX_SIZE, deadline)?;
        let wrong = |wrong: &str| Error::usage(format!("{}: {wrong}", self.subject));
        let text = std::str::from_utf8(&octets).map_err(|_| wrong("not UTF-8"))?;
        let line = text.strip_suffix('\n').unwrap_or(text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        if !is_secret(line) {
            return Err(wrong(ONE_LINE));
        }
        Ok(self.line.insert(Zeroizing::new(line.to_owned())).clone())
    }
}

/// Whether the text can be a secret.
pub fn is_secret(text: &str) -> bool {
    !text.is_empty() && text.len() < MAX_SIZE && !text.chars().any(char::is_control)
}

/// The message for a text that cannot be a secret.
pub const ONE_LINE: &str = "must contain one line of text";

/// Maximum size of a secret in octets; a longer file was named by mistake.
const MAX_SIZE: usize = 64 * 1024;
