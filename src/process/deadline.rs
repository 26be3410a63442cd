//! The one deadline of a step.

use std::time::{Duration, Instant};

/// The time by which a step must end; it bounds everything that the step waits for.
#[derive(Clone, Copy)]
pub struct Deadline {
    end: Instant,
    timeout: Duration,
}

impl Deadline {
    /// The deadline of a step that begins now and may take this long.
    pub fn after(timeout: Duration) -> Deadline {
        Deadline { end: Instant::now() + timeout, timeout }
    }

    /// A deadline after half of the time that remains, for a wait without which the step can go on.
    pub fn half(&self) -> Deadline {
        Deadline::after(self.remaining() / 2)
    }

    /// This deadline, or one after this time if that is earlier, for one of several requests.
    pub fn at_most(&self, time: Duration) -> Deadline {
        if self.remaining() > time { Deadline::after(time) } else { *self }
    }

    /// The time of the deadline.
    pub fn end(&self) -> Instant {
        self.end
    }

    /// The time that remains; zero after the deadline.
    pub fn remaining(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Whether the deadline has passed.
    pub fn has_passed(&self) -> bool {
        self.remaining().is_zero()
    }

    /// The timeout in seconds, for a message.
    pub fn seconds(&self) -> u64 {
        self.timeout.as_secs()
    }
}
