//! The reader of standard output: once it is gone, the tool has nothing left to do.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use std::{fs, io, thread};

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
        HeadStart(Instant::now())
    }

    /// Waits until it has passed, on a busy machine a longer one; fails as soon as nothing reads standard output any more.
    pub fn wait(&self) -> Result<(), Error> {
        wait_until(self.0 + HEAD_START)?;
        // A step that has checked what it needs waits for its document; before that, it may wait for a processor.
        while self.0.elapsed() < MAX_HEAD_START && is_busy() {
            wait_until(Instant::now() + LOOK_AGAIN)?;
        }
        Ok(())
    }
}

/// Whether more threads of the machine could run now than there are processors for this one (Linux, proc(5)); `false`
/// where that is not known.
fn is_busy() -> bool {
    let loads = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let runnable = loads.split([' ', '/']).nth(3).and_then(|count| count.parse().ok()).unwrap_or(1);
    // This one always runs. To count the processors takes longer.
    runnable > 1 && thread::available_parallelism().is_ok_and(|processors| runnable > processors.get())
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

/// On a quiet machine, the steps after a tool need less to check, and to end (`tests/bench/broken-end.sh`).
const HEAD_START: Duration = Duration::from_millis(10);

/// With less than this, they are late on a busy machine.
const MAX_HEAD_START: Duration = Duration::from_millis(100);

/// How soon to look again whether the machine is busy.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
