//! The reader of standard output: once it is gone, the tool has nothing left to do.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::poll;
use crate::error::Error;

/// Fails if nothing reads standard output any more: its pipe or socket reports an error or a hang-up.
pub fn check() -> Result<(), Error> {
    wait(None, Some(Instant::now()))
}

/// Waits until `input` can be read; fails as soon as nothing reads standard output any more.
pub fn wait_for(input: &impl AsFd) -> Result<(), Error> {
    wait(Some(PollFd::new(input, PollFlags::IN)), None)
}

/// Waits until this time; fails as soon as nothing reads standard output any more.
pub fn wait_until(time: Instant) -> Result<(), Error> {
    wait(None, Some(time))
}

/// The time that the steps after this one have to check what they need, and to end, before a user is asked for anything.
pub struct HeadStart(Instant);

impl HeadStart {
    /// A head start that begins now, when this tool starts.
    pub fn begin() -> HeadStart {
        HeadStart(Instant::now() + HEAD_START)
    }

    /// Waits until it has passed; fails as soon as nothing reads standard output any more.
    pub fn wait(&self) -> Result<(), Error> {
        wait_until(self.0)
    }
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
    let has_event = poll::any(&mut fds, until);
    let is_gone = |events: PollFlags| events.intersects(PollFlags::ERR | PollFlags::HUP);
    if has_event && fds.first().is_some_and(|fd| is_gone(fd.revents())) { Err(gone()) } else { Ok(()) }
}

/// With less than this, the steps after a tool are late on a busy machine (`tests/bench/broken-end.sh`).
const HEAD_START: Duration = Duration::from_millis(50);
