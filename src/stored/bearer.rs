//! RFC 6750 section 2.1: the access token as a header, and a command that gets it without seeing it in its arguments.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::io::FdFlags;
use zeroize::Zeroizing;

use crate::document::Document;
use crate::error::Error;
use crate::message;

/// `Authorization: Bearer` and the document's access token.
pub fn header(document: &Document) -> Result<Zeroizing<String>, Error> {
    let token = document.need_visible("access_token")?;
    if document.text("token_type")?.is_some_and(|name| !name.eq_ignore_ascii_case("Bearer")) {
        return Err(document.wrong("token_type", "not Bearer, so no header can be made for it").as_untrusted());
    }
    Ok(Zeroizing::new(format!("Authorization: Bearer {}", *token)))
}

/// Becomes the command, with the header on its standard input, or on this descriptor. It returns where that fails.
///
/// The header waits in a pipe that nobody else has, so nothing of it stays behind, and the command's status and signals
/// are its own.
pub fn exec(header: &str, program: &OsString, words: &[OsString], fd: Option<u64>) -> Error {
    let failed = |error: io::Error| Error::unavailable(format!("pipe: {}", message::reason(&error)));
    let reader = match filled(header) {
        Ok(reader) => reader,
        Err(error) => return failed(error),
    };
    let given = match fd {
        Some(number) => at(reader, number).map(Some),
        None => rustix::stdio::dup2_stdin(reader).map(|()| None).map_err(|error| failed(error.into())),
    };
    match given {
        Ok(_open) => {
            let error = Command::new(program).args(words).exec();
            Error::usage(format!("{}: {}", program.to_string_lossy(), message::reason(&error)))
        }
        Err(error) => error,
    }
}

/// The reading end of a pipe that holds the header and a newline.
fn filled(header: &str) -> io::Result<OwnedFd> {
    let line = Zeroizing::new(format!("{header}\n"));
    let (reader, mut writer) = io::pipe()?;
    // It must take the whole line, since nobody reads yet.
    #[cfg(target_os = "linux")]
    if rustix::pipe::fcntl_getpipe_size(&writer)? < line.len() {
        rustix::pipe::fcntl_setpipe_size(&writer, line.len())?;
    }
    rustix::io::ioctl_fionbio(&writer, true)?;
    writer.write_all(line.as_bytes())?;
    Ok(reader.into())
}

/// The same end of the pipe under this number, where the command finds it.
fn at(reader: OwnedFd, number: u64) -> Result<OwnedFd, Error> {
    let wrong = |wrong: &str| Error::usage(format!("--fd: {wrong}"));
    let number = i32::try_from(number).map_err(|_| wrong("too large"))?;
    let at = match reader.as_raw_fd() == number {
        true => reader,
        false => rustix::io::fcntl_dupfd_cloexec(&reader, number).map_err(|_| wrong("cannot be opened"))?,
    };
    if at.as_raw_fd() != number {
        return Err(wrong("already open; try another number"));
    }
    rustix::io::fcntl_setfd(&at, FdFlags::empty()).map_err(|_| wrong("cannot be opened"))?;
    Ok(at)
}
