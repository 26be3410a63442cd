//! A file that the user names: a regular one can be read at once, a pipe only when its content is needed.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::{Deadline, descriptor, poll};
use crate::error::Error;
use crate::message;

/// A file that an option or a variable names.
pub struct NamedFile {
    subject: &'static str,
    file: File,
    /// Whether it is a FIFO, a descriptor of one, or a terminal: what is read from it is gone, and the program behind it may
    /// prompt the user.
    pub is_pipe: bool,
}

impl NamedFile {
    /// Opens the file, and waits for no writer of a FIFO; `subject`, such as `--jwks`, begins the messages. A descriptor
    /// that the path names is inherited by no program.
    pub fn open(subject: &'static str, path: &Path) -> Result<NamedFile, Error> {
        descriptor::close_on_exec(path);
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let opened = File::options().read(true).custom_flags(flags).open(path);
        let opened = opened.and_then(|file| Ok((file.metadata()?.file_type(), file)));
        let (kind, file) = opened.map_err(|error| unreadable(subject, &error))?;
        // Where the limit is lower, it stays.
        let above = i32::from(descriptor::MAX_CHOSEN) + 1;
        let file = rustix::io::fcntl_dupfd_cloexec(&file, above).map_or(file, File::from);
        Ok(NamedFile { subject, is_pipe: kind.is_fifo() || file.is_terminal(), file })
    }

    /// Its content, at most one octet more than `limit`; fails at the deadline.
    pub fn read(&mut self, limit: usize, deadline: &Deadline) -> Result<Zeroizing<Vec<u8>>, Error> {
        // Large enough from the start: a buffer that grows would leave copies of a secret in memory.
        let mut octets = Zeroizing::new(Vec::with_capacity(limit + 1));
        while octets.len() <= limit {
            self.wait(deadline)?;
            let rest = (limit + 1 - octets.len()) as u64;
            match (&self.file).take(rest.min(CHUNK)).read_to_end(&mut octets) {
                Ok(0) => break,
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(unreadable(self.subject, &error)),
                _ => {}
            }
        }
        Ok(octets)
    }

    /// Waits until there is something to read: a FIFO without a writer yet would read as empty.
    fn wait(&self, deadline: &Deadline) -> Result<(), Error> {
        if poll::is_readable(&self.file, Some(deadline.end())) {
            return Ok(());
        }
        Err(Error::unavailable(format!("{}: nothing came within {} s", self.subject, deadline.seconds())))
    }
}

fn unreadable(subject: &str, error: &io::Error) -> Error {
    Error::usage(format!("{subject}: {}", message::reason(error)))
}

/// Octets that are read at a time.
const CHUNK: u64 = 4096;
