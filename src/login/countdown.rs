//! The line that a waiting user sees at a terminal: what is waited for, and the time left.

use std::time::{Duration, Instant};

use crate::process::terminal;
use crate::standard_error;

/// A line that counts down, and is cleared when dropped. While it lives, no write to the terminal blocks, so that a stopped
/// terminal delays neither the redirect nor a poll, the deadline or a signal.
pub struct Countdown {
    /// From long to short, with `{}` for the time left; none if there is no line.
    texts: &'static [&'static str],
    end: Instant,
}

impl Countdown {
    /// The longest of these texts for which the terminal has room, with the time left until `end` for `{}`; hidden where
    /// standard error may have no progress.
    pub fn new(texts: &'static [&'static str], end: Instant) -> Countdown {
        standard_error::wait_at_most(Duration::ZERO);
        let mut countdown = Countdown { texts: &[], end };
        countdown.set_texts(texts);
        countdown
    }

    /// Replaces the texts.
    pub fn set_texts(&mut self, texts: &'static [&'static str]) {
        self.texts = if terminal::is_styled() { texts } else { &[] };
    }

    /// Whether there is no line.
    pub fn is_hidden(&self) -> bool {
        self.texts.is_empty()
    }

    /// The time to sleep until: this one, or that of the next second if that is earlier.
    pub fn next(&self, time: Instant) -> Instant {
        let fraction = Duration::from_nanos(self.left().subsec_nanos().into());
        let second = if fraction.is_zero() { Duration::from_secs(1) } else { fraction };
        let has_none = self.is_hidden() && !standard_error::is_behind();
        if has_none { time } else { time.min(Instant::now() + second) }
    }

    /// Shows the time left.
    pub fn show(&self) {
        if self.is_hidden() {
            return;
        }
        let left = self.left();
        let left = format!("{} left", clock(left.as_secs() + u64::from(left.subsec_nanos() > 0)));
        let columns = terminal::size().map_or(DEFAULT_COLUMNS, |(columns, _)| columns);
        let mut lines = self.texts.iter().map(|text| text.replace("{}", &left)).chain([left.clone()]);
        standard_error::show_line(&lines.find(|line| line.chars().count() < columns).unwrap_or_default());
    }

    fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }
}

impl Drop for Countdown {
    fn drop(&mut self) {
        standard_error::clear_line();
        standard_error::wait_at_most(PATIENCE);
    }
}

/// The time as minutes and seconds, and hours if there are any.
fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// How long each message after the wait may take at a stopped terminal. It may be lost then, but the process ends in time.
const PATIENCE: Duration = Duration::from_secs(1);

/// The width of a terminal that does not say its own.
const DEFAULT_COLUMNS: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_hours_only_where_there_are_some() {
        let shown = [0, 9, 60, 299, 3599, 3600, 36_061].map(clock);
        assert_eq!(shown, ["0:00", "0:09", "1:00", "4:59", "59:59", "1:00:00", "10:01:01"]);
    }
}
