//! RFC 8628 section 3.5: when the token endpoint is polled.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::authorization::Authorization;
use crate::client::poll::{Outcome, Poll};
use crate::document::Document;
use crate::error::Error;
use crate::login::countdown::Countdown;
use crate::message;
use crate::process::{Deadline, reader, signals};
use crate::standard_error;

/// The wait for the user's approval.
pub struct Wait {
    schedule: Schedule,
    deadline: Deadline,
    /// The deadline, or the end of the codes' life if that is known and earlier.
    end: Deadline,
    /// The last poll, if it failed.
    failure: Option<Error>,
    /// The HTTP statuses of failures that were noted, or none for one without a response: of each, one note is enough.
    noted: BTreeSet<Option<u16>>,
    countdown: Countdown,
}

impl Wait {
    /// A wait that begins now, when the response has come.
    pub fn new(authorization: &Authorization, deadline: Deadline) -> Wait {
        let expires = authorization.lifetime.map(Deadline::after);
        let end = expires.filter(|expires| expires.end() < deadline.end()).unwrap_or(deadline);
        let countdown = Countdown::new(&WAITING, end.end());
        if !countdown.is_hidden() {
            signals::before_a_signal_ends(standard_error::end_line);
        }
        Wait {
            schedule: Schedule::new(authorization.interval),
            deadline,
            end,
            failure: None,
            noted: BTreeSet::new(),
            countdown,
        }
    }

    /// The token response: polls until there is one, or an error.
    pub fn until_tokens(mut self, poll: impl Fn(&Deadline) -> Result<Poll, Error>) -> Result<Document, Error> {
        loop {
            let next = Instant::now() + self.schedule.pause;
            if next >= self.end.end() {
                self.sleep_until(self.end.end())?;
                return Err(self.timed_out());
            }
            if let Some(failure) = &self.failure
                && self.noted.insert(failure.response_status())
            {
                message::note(&format!("{}; polling goes on", failure.message()));
            }
            self.sleep_until(next)?;
            let polled = poll(&self.end)?;
            self.schedule.follow(&polled);
            self.failure = match polled.outcome {
                Outcome::Tokens(tokens) => return Ok(tokens),
                Outcome::Failed(error) => Some(error),
                Outcome::Pending | Outcome::TooSoon(_) => None,
            };
        }
    }

    fn sleep_until(&self, time: Instant) -> Result<(), Error> {
        loop {
            self.countdown.show();
            reader::wait_until(self.countdown.next(time))?;
            if Instant::now() >= time {
                return Ok(());
            }
        }
    }

    fn timed_out(self) -> Error {
        let wrong = format!("user code: not approved within {} s", self.end.seconds());
        let error = if self.end.end() < self.deadline.end() {
            Error::unavailable(format!("{wrong}, its lifetime")).hint(AGAIN)
        } else {
            Error::unavailable(wrong).hint("to wait longer, use --timeout")
        };
        match self.failure {
            Some(failure) => error.appending(&format!("the last poll failed: {}", failure.message())),
            None => error,
        }
    }
}

/// The time before the next poll.
struct Schedule {
    interval: Duration,
    pause: Duration,
}

impl Schedule {
    fn new(interval: Duration) -> Schedule {
        Schedule { interval, pause: interval }
    }

    /// Takes what the last poll brought into account.
    fn follow(&mut self, polled: &Poll) {
        if let Outcome::TooSoon(named) = polled.outcome {
            self.interval = (self.interval + SLOWER).max(named.unwrap_or_default());
        }
        let retry_after = polled.retry_after.unwrap_or_default();
        self.pause = match polled.outcome {
            Outcome::Failed(_) if retry_after.is_zero() => self.interval.max((self.pause * 2).min(MAX_PAUSE)),
            _ => self.interval.max(retry_after),
        };
    }
}

/// What the user sees meanwhile.
const WAITING: [&str; 1] = ["waiting for the approval ({})"];

/// What to do about a code that expired.
pub const AGAIN: &str = "run the login again for a new code";

/// What `slow_down` adds to the interval.
const SLOWER: Duration = Duration::from_secs(5);

/// Maximum pause after failures: a user who has approved waits for no more.
const MAX_PAUSE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_as_the_responses_say() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let failed = |retry_after| Poll { outcome: Outcome::Failed(Error::unavailable("a")), retry_after };
        let pending = |retry_after| Poll { outcome: Outcome::Pending, retry_after };
        let too_soon = |interval, retry_after| Poll { outcome: Outcome::TooSoon(interval), retry_after };
        let mut schedule = Schedule::new(Duration::from_secs(5));
        assert_eq!(schedule.pause.as_secs(), 5);
        for (polled, pause) in [
            (pending(None), 5),
            (pending(seconds(30)), 30),
            (pending(None), 5),
            (failed(None), 10),
            (failed(None), 20),
            (failed(None), 40),
            (failed(None), 60),
            (failed(None), 60),
            (pending(None), 5),
            (failed(seconds(0)), 10),
            (failed(seconds(0)), 20),
            (failed(seconds(2)), 5),
            (failed(seconds(100)), 100),
            (too_soon(None, None), 10),
            (pending(None), 10),
            (too_soon(seconds(12), None), 15),
            (too_soon(seconds(30), seconds(40)), 40),
            (pending(None), 30),
            (failed(None), 60),
            (too_soon(seconds(90), None), 90),
            (failed(None), 90),
        ] {
            schedule.follow(&polled);
            assert_eq!(schedule.pause.as_secs(), pause);
        }
    }
}
