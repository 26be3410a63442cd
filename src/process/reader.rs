//! The reader of standard output: when it is gone, there is nothing left to do.

use std::io;

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::error::Error;

/// Fails where standard output is a pipe whose reader is gone.
pub fn check() -> Result<(), Error> {
    let stdout = io::stdout();
    let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
    let asked = rustix::event::poll(&mut fds, Some(&Timespec::default()));
    let gone = asked.is_ok() && fds.iter().any(|fd| fd.revents().contains(PollFlags::ERR));
    if gone { Err(self::gone()) } else { Ok(()) }
}

/// The failure of a tool whose reader is gone. It is left unsaid: the reader had enough, or it failed itself and said
/// why.
pub fn gone() -> Error {
    Error::unavailable("standard output: broken pipe").silent()
}
