//! The spinner of a wait, on standard error.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use crate::message;
use crate::process::{signals, terminal};

/// A spinner with a text, which is cleared when dropped.
pub struct Spinner(ProgressBar);

impl Spinner {
    /// A spinner with this text; a hidden one where standard error may have none.
    pub fn new(text: &str) -> Spinner {
        let spinner = if terminal::is_styled() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        Spinner(spinner.with_message(text.to_owned()))
    }

    /// A spinner that is never shown.
    pub fn hidden() -> Spinner {
        Spinner(ProgressBar::hidden())
    }

    /// The same, cleared before a signal ends the process.
    pub fn cleared_by_signals(self) -> Spinner {
        if !self.is_hidden() {
            // Not by the spinner itself, which is locked while it is suspended.
            signals::before_a_signal_ends(terminal::clear_line);
        }
        self
    }

    /// Whether it is not shown.
    pub fn is_hidden(&self) -> bool {
        self.0.is_hidden()
    }

    /// The time to sleep until: this one, or that of the next frame if that is earlier.
    pub fn frame(&self, time: Instant) -> Instant {
        if self.is_hidden() { time } else { time.min(Instant::now() + FRAME_INTERVAL) }
    }

    /// Shows the next frame.
    pub fn tick(&self) {
        self.0.tick();
    }

    /// Runs this while the spinner is cleared, so that what is said has a line of its own.
    pub fn suspend<T>(&self, run: impl FnOnce() -> T) -> T {
        self.0.suspend(run)
    }

    /// Writes a note on a line of its own.
    pub fn note(&self, text: &str) {
        self.suspend(|| message::note(text));
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// The time between two frames.
const FRAME_INTERVAL: Duration = Duration::from_millis(100);
