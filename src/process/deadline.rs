//! The one deadline of a step.

use std::time::{Duration, Instant};

/// The end of a step's time; all that the step waits for ends with it.
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

    /// The moment itself.
    pub fn end(&self) -> Instant {
        self.end
    }

    /// The time that remains; zero once it is over.
    pub fn remaining(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Whether the time is over.
    pub fn is_over(&self) -> bool {
        self.remaining().is_zero()
    }

    /// The whole time in seconds, for a message.
    pub fn seconds(&self) -> u64 {
        self.timeout.as_secs()
    }
}
