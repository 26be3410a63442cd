//! The reader of standard output: once it is gone, the tool has nothing left to do.

use std::io;
use std::os::fd::AsFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use crate::error::Error;

/// Fails if nothing reads standard output any more: its pipe or socket reports an error or a hang-up.
pub fn check() -> Result<(), Error> {
    wait(None, Some(Instant::now()))
}

/// Waits until `input` can be read; fails as soon as nothing reads standard output any more.
pub fn wait_for(input: &impl AsFd) -> Result<(), Error> {
    wait(Some(PollFd::new(input, PollFlags::IN)), None)
}

/// Waits until `input` can be read: one that does not block would be read too early.
pub fn wait_readable(input: &impl AsFd) {
    let _ = rustix::event::poll(&mut [PollFd::new(input, PollFlags::IN)], None);
}

/// Waits until standard output can be written: one that does not block takes a large document in parts.
pub fn wait_writable() {
    let _ = rustix::event::poll(&mut [PollFd::new(&io::stdout(), PollFlags::OUT)], None);
}

/// Waits until this time; fails as soon as nothing reads standard output any more.
pub fn wait_until(time: Instant) -> Result<(), Error> {
    wait(None, Some(time))
}

/// The failure of a tool without a reader. It is silent: the reader stopped early, or failed and reported why.
pub fn gone() -> Error {
    Error::unavailable("standard output: broken pipe").silent()
}

/// Waits for the input or for the time; fails if the reader goes first.
fn wait(input: Option<PollFd>, until: Option<Instant>) -> Result<(), Error> {
    let stdout = io::stdout();
    // Errors and hang-ups are reported even if no event is asked for.
    let mut fds: Vec<PollFd> = [PollFd::new(&stdout, PollFlags::empty())].into_iter().chain(input).collect();
    loop {
        let left = until.map(|time| time.saturating_duration_since(Instant::now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        let polled = rustix::event::poll(&mut fds, timeout.as_ref());
        let mut events = fds.iter().map(PollFd::revents);
        if polled.is_ok() && events.next().is_some_and(|events| events.intersects(PollFlags::ERR | PollFlags::HUP)) {
            return Err(gone());
        }
        match polled {
            Ok(0) if left.is_some_and(|left| !left.is_zero()) => {}
            Err(Errno::INTR) => {}
            _ => return Ok(()),
        }
    }
}
