//! The command that a tool runs for the user.

use std::ffi::OsStr;
use std::io::{self, ErrorKind};

use crate::error::Error;
use crate::message;

/// The error for a command that cannot be started: exit status 127 if it is not found, else 126, as in a shell.
pub fn not_started(program: &OsStr, error: &io::Error) -> Error {
    let status = if error.kind() == ErrorKind::NotFound { 127 } else { 126 };
    Error::usage(format!("{}: {}", program.to_string_lossy(), message::reason(error))).with_exit_status(status)
}
