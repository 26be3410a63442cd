//! The reader of standard output: once it is gone, the tool has nothing left to do.

use std::io;

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::error::Error;

/// Fails if standard output is a pipe without a reader.
pub fn check() -> Result<(), Error> {
    let stdout = io::stdout();
    let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
    let polled = rustix::event::poll(&mut fds, Some(&Timespec::default()));
    let has_reader = polled.is_err() || !fds.iter().any(|fd| fd.revents().contains(PollFlags::ERR));
    if has_reader { Ok(()) } else { Err(gone()) }
}

/// The failure of a tool without a reader. It is silent: the reader stopped early, or failed and reported why.
pub fn gone() -> Error {
    Error::unavailable("standard output: broken pipe").silent()
}
