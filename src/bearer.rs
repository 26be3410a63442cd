//! RFC 6750 section 2.1: the access token as a header, and a command that gets it without seeing it in its arguments.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Command, ExitCode, Stdio};
use std::thread;

use rustix::io::FdFlags;

use crate::{Document, Error, child, form, tool};

/// `Authorization: Bearer` and the document's access token.
pub fn header(document: &Document) -> Result<String, Error> {
    let token = document.need("access_token")?;
    let bearer = document.text("token_type")?.is_none_or(|name| name.eq_ignore_ascii_case("Bearer"));
    if !bearer {
        return Err(Error::untrusted("token_type: not Bearer, so there is no header for it"));
    }
    match !token.is_empty() && form::is_visible(&token) {
        true => Ok(format!("Authorization: Bearer {token}")),
        false => Err(Error::member("access_token", "must be visible ASCII characters, one at least")),
    }
}

/// Runs the command with the header on its standard input, or on this descriptor, and gives its status.
pub fn run(document: &Document, program: &OsString, words: &[OsString], fd: Option<u64>) -> Result<ExitCode, Error> {
    let header = header(document)?;
    let failed = |error: io::Error| Error::unavailable(format!("pipe: {}", tool::reason(&error)));
    let (reader, mut writer) = io::pipe().map_err(failed)?;
    let mut command = Command::new(program);
    command.args(words);
    let inherited = match fd {
        Some(number) => Some(at(reader.into(), number)?),
        None => {
            command.stdin(Stdio::from(reader));
            None
        }
    };
    child::run(&mut command, |_| {
        drop(inherited);
        // A command that reads nothing keeps nobody waiting.
        thread::spawn(move || drop(writeln!(writer, "{header}")));
    })
}

/// The same end of a pipe under this number, where a child finds it.
fn at(reader: OwnedFd, number: u64) -> Result<OwnedFd, Error> {
    let wrong = |wrong: &str| Error::usage(format!("--fd: {wrong}"));
    let number = i32::try_from(number).map_err(|_| wrong("too large"))?;
    let at = rustix::io::fcntl_dupfd_cloexec(&reader, number).map_err(|_| wrong("cannot be opened"))?;
    if at.as_raw_fd() != number {
        return Err(wrong("in use"));
    }
    rustix::io::fcntl_setfd(&at, FdFlags::empty()).map_err(|_| wrong("cannot be opened"))?;
    Ok(at)
}
