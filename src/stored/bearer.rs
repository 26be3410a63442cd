//! RFC 6750 section 2.1: the token as a header, and a command that receives it, but not in its arguments.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::io::FdFlags;
use zeroize::Zeroizing;

use super::token::Credential;
use crate::error::Error;
use crate::message;
use crate::process::{command, descriptor};

/// The header line `Authorization: Bearer` with the token.
pub fn header(credential: &Credential) -> Zeroizing<String> {
    Zeroizing::new(format!("Authorization: Bearer {}", *credential.text))
}

/// Replaces this process with the command, the header on its standard input or this descriptor; returns only on
/// failure.
///
/// The header is in a pipe that no other process has, so no copy remains; the command has its own status and signals.
pub fn exec(header: &str, program: &OsString, arguments: &[OsString], fd: Option<u64>) -> Error {
    let failed = |error: io::Error| Error::unavailable(format!("pipe: {}", message::reason(&error)));
    let reader = match header_pipe(header) {
        Ok(reader) => reader,
        Err(error) => return failed(error),
    };
    let given = match fd {
        Some(number) => {
            let moved = move_to_descriptor(reader, number);
            moved.and_then(|moved| descriptor::empty_named_stdin().map(|()| Some(moved)).map_err(failed))
        }
        None => rustix::stdio::dup2_stdin(reader).map(|()| None).map_err(|error| failed(error.into())),
    };
    match given {
        Ok(_open) => {
            let error = Command::new(program).args(arguments).exec();
            command::not_started(program, &error)
        }
        Err(error) => error,
    }
}

/// The read end of a pipe that holds the header and a newline.
fn header_pipe(header: &str) -> io::Result<OwnedFd> {
    let line = Zeroizing::new(format!("{header}\n"));
    let (reader, mut writer) = io::pipe()?;
    // The pipe must hold the whole line, since nothing reads it yet.
    #[cfg(target_os = "linux")]
    if rustix::pipe::fcntl_getpipe_size(&writer)? < line.len() {
        rustix::pipe::fcntl_setpipe_size(&writer, line.len())?;
    }
    rustix::io::ioctl_fionbio(&writer, true)?;
    writer.write_all(line.as_bytes())?;
    Ok(reader.into())
}

/// The read end under this descriptor number, which the command inherits.
fn move_to_descriptor(reader: OwnedFd, number: u64) -> Result<OwnedFd, Error> {
    let wrong = |wrong: &str| Error::usage(format!("--fd: {wrong}"));
    let number = i32::try_from(number).map_err(|_| wrong("too large"))?;
    let moved = if reader.as_raw_fd() == number {
        reader
    } else {
        rustix::io::fcntl_dupfd_cloexec(&reader, number).map_err(|_| wrong("cannot be opened"))?
    };
    if moved.as_raw_fd() != number {
        return Err(wrong("already open; try another number"));
    }
    rustix::io::fcntl_setfd(&moved, FdFlags::empty()).map_err(|_| wrong("cannot be opened"))?;
    Ok(moved)
}
