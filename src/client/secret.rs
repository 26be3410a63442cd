//! A secret in a file or from a command: a client secret, or an initial access token.

use std::path::Path;

use zeroize::Zeroizing;

use crate::error::Error;
use crate::process::named_file::NamedFile;
use crate::process::{Deadline, shell};

/// A secret, which is read once.
pub struct Secret {
    subject: &'static str,
    source: Source,
    form: Form,
    text: Option<Zeroizing<String>>,
}

enum Source {
    File(NamedFile),
    /// A command line for `sh -c`.
    Command(String),
}

/// What the source must contain beside the secret.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// The secret is the first line, which may be empty; the others are not read as such.
    FirstLine,
    /// The secret is the only line, and not empty.
    OnlyLine,
}

impl Secret {
    /// The client secret in this file, which is read now unless it is a pipe; `subject`, such as `--client-secret-file`,
    /// begins the messages.
    pub fn in_file(subject: &'static str, path: &Path, deadline: &Deadline) -> Result<Secret, Error> {
        Secret::open(subject, path, Form::FirstLine, deadline)
    }

    /// The initial access token in this file, which is read now unless it is a pipe.
    pub fn token_in_file(subject: &'static str, path: &Path, deadline: &Deadline) -> Result<Secret, Error> {
        Secret::open(subject, path, Form::OnlyLine, deadline)
    }

    /// The client secret that this command prints; it is run when the secret is needed.
    pub fn from_command(subject: &'static str, line: &str) -> Secret {
        Secret { subject, source: Source::Command(line.to_owned()), form: Form::FirstLine, text: None }
    }

    fn open(subject: &'static str, path: &Path, form: Form, deadline: &Deadline) -> Result<Secret, Error> {
        if path.as_os_str() == "-" {
            return Err(Error::usage(format!("{subject}: must not be -, since standard input is for the document")));
        }
        let file = NamedFile::open(subject, path)?;
        let is_pipe = file.is_pipe;
        let mut secret = Secret { subject, source: Source::File(file), form, text: None };
        if !is_pipe {
            secret.text(deadline)?;
        }
        Ok(secret)
    }

    /// The secret. Some servers accept characters outside ASCII, so it may have any but control characters.
    pub fn text(&mut self, deadline: &Deadline) -> Result<Zeroizing<String>, Error> {
        if let Some(text) = &self.text {
            return Ok(text.clone());
        }
        let octets = match &mut self.source {
            Source::File(file) => file.read(MAX_SIZE, deadline)?,
            Source::Command(line) => shell::output(self.subject, line, None, deadline)?,
        };
        let wrong = |wrong: &str| Error::usage(format!("{}: {wrong}", self.subject));
        // A longer file was named by mistake, and no part of it must be sent.
        if octets.len() > MAX_SIZE {
            return Err(wrong("larger than 64 KiB"));
        }
        let (first, rest) = octets.split_at(octets.iter().position(|octet| *octet == b'\n').unwrap_or(octets.len()));
        let is_utf_16 = octets.starts_with(b"\xff\xfe") || octets.starts_with(b"\xfe\xff");
        if is_utf_16 {
            return Err(wrong("UTF-16, not UTF-8").hint("convert it: iconv -f UTF-16 -t UTF-8 FILE > NEW"));
        }
        let line = std::str::from_utf8(first).map_err(|_| wrong("not UTF-8"))?;
        // Some programs begin UTF-8 with a mark.
        let line = line.strip_prefix('\u{feff}').unwrap_or(line);
        let line = line.strip_suffix('\r').unwrap_or(line);
        match self.form {
            Form::FirstLine if line.chars().any(char::is_control) => {
                return Err(wrong("the first line must not have control characters"));
            }
            Form::OnlyLine if rest.len() > 1 || !is_secret(line) => return Err(wrong(ONE_LINE)),
            _ => {}
        }
        Ok(self.text.insert(Zeroizing::new(line.to_owned())).clone())
    }
}

/// Whether the text can be a secret in a document, where an empty one is a mistake.
pub fn is_secret(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

/// The message for a text that cannot be a secret.
pub const ONE_LINE: &str = "must contain one line of text";

/// Maximum size in octets of a file with a secret, and of the output of a command.
const MAX_SIZE: usize = 64 * 1024;
