//! The file to which a script that drives the browser writes the redirect URL.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::redirect::{Expected, Outcome};
use crate::document;
use crate::error::Error;
use crate::message;
use crate::process::poll;

/// A regular file, a FIFO, or a descriptor (`/dev/fd/N`).
pub struct ResponseFile {
    file: File,
    text: Zeroizing<Vec<u8>>,
}

impl ResponseFile {
    /// Opens the file.
    pub fn open(path: &Path) -> Result<ResponseFile, Error> {
        let mut options = File::options();
        // Otherwise opening a FIFO would block until it has a writer.
        let opened = options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path);
        let opened = opened.and_then(|file| Ok((file.metadata()?.is_dir(), file)));
        let (is_directory, file) = opened.map_err(|error| wrong(&message::reason(&error)))?;
        if is_directory {
            return Err(wrong("is a directory"));
        }
        Ok(ResponseFile { file, text: Zeroizing::new(Vec::new()) })
    }

    /// The descriptor to poll.
    pub fn interest(&self) -> PollFd<'_> {
        PollFd::new(&self.file, PollFlags::IN)
    }

    /// The redirect, once its line or the file is complete; no other follows, so one that does not match is a failure.
    pub fn outcome(&mut self, expected: &Expected) -> Result<Option<Outcome>, Error> {
        // A FIFO without a writer yet would read as end of file; poll distinguishes the two.
        if !poll::is_readable(&self.file, Some(Instant::now())) {
            return Ok(None);
        }
        let mut buffer = Zeroizing::new([0; 4096]);
        let ended = loop {
            match self.file.read(buffer.as_mut_slice()) {
                Ok(0) => break true,
                Ok(count) => self.text.extend_from_slice(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(wrong(&message::reason(&error))),
            }
            if self.text.len() > document::MAX_SIZE {
                return Err(wrong(&document::too_large()));
            }
        };
        if ended && self.text.is_empty() {
            return Err(wrong("empty"));
        }
        let text = String::from_utf8_lossy(&self.text);
        let line = text.split_inclusive('\n').find(|line| line.ends_with('\n') && !line.trim().is_empty());
        let text = match line {
            _ if ended => &text,
            Some(line) => line,
            None => return Ok(None),
        };
        Ok(Some(expected.pasted(text)))
    }
}

fn wrong(wrong: &str) -> Error {
    Error::usage(format!("--response-file: {wrong}"))
}
