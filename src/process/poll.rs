//! Waiting for a descriptor.

use std::os::fd::AsFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::OFlags;
use rustix::io::Errno;

/// Whether the descriptor is open for reading; of one that is not, poll would wait for ever.
pub fn reads(descriptor: &impl AsFd) -> bool {
    rustix::fs::fcntl_getfl(descriptor).is_ok_and(|flags| flags & OFlags::ACCMODE != OFlags::WRONLY)
}

/// Whether the descriptor can be read (or has ended), now or by this time; `None` waits for as long as it takes.
pub fn is_readable(descriptor: &impl AsFd, until: Option<Instant>) -> bool {
    any(&mut [PollFd::new(descriptor, PollFlags::IN)], until)
}

/// Waits until the descriptor can be written, or has failed.
pub fn until_writable(descriptor: &impl AsFd) {
    any(&mut [PollFd::new(descriptor, PollFlags::OUT)], None);
}

/// Whether there is an event of one of the descriptors, now or by this time. What cannot be polled counts as one.
pub fn any(descriptors: &mut [PollFd], until: Option<Instant>) -> bool {
    loop {
        let left = until.map(|time| time.saturating_duration_since(Instant::now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        match rustix::event::poll(descriptors, timeout.as_ref()) {
            Ok(0) if left.is_some_and(|left| left.is_zero()) => return false,
            Ok(0) | Err(Errno::INTR) => {}
            _ => return true,
        }
    }
}
