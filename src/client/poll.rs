//! RFC 8628 section 3.5: one poll of the token endpoint, and whether the wait goes on.

use std::time::Duration;

use crate::client::authentication::Caller;
use crate::client::lifetime;
use crate::client::oauth_error;
use crate::client::post::{Call, Post, error_code};
use crate::document::Document;
use crate::error::{Error, Kind};
use crate::process::Deadline;
use crate::wire::http::Response;
use crate::wire::url::Url;

/// A poll that did not fail for good.
pub struct Poll {
    /// What it brought.
    pub outcome: Outcome,
    /// How long the server wants to be left alone, if it says so.
    pub retry_after: Option<Duration>,
}

/// What a poll brings.
pub enum Outcome {
    /// The token response.
    Tokens(Document),
    /// The user has not decided yet.
    Pending,
    /// The poll came too soon; the new interval, if the server names one.
    TooSoon(Option<Duration>),
    /// A failure that may pass.
    Failed(Error),
}

impl Call<'_> {
    /// Sends the request once; an error ends the wait.
    pub fn poll(&self, document: &Document, caller: &Caller, deadline: &Deadline) -> Result<Poll, Error> {
        self.post(document, caller, deadline, |post, url, deadline| post.poll(url, deadline))
    }
}

impl Post<'_> {
    fn poll(&self, url: &Url, deadline: &Deadline) -> Result<Poll, Error> {
        match self.response(url, deadline) {
            Ok(response) => Ok(Poll { outcome: self.outcome(&response)?, retry_after: response.retry_after }),
            Err(error) if error.kind() == Kind::Unavailable => {
                Ok(Poll { outcome: Outcome::Failed(error), retry_after: None })
            }
            Err(error) => Err(error),
        }
    }

    fn outcome(&self, response: &Response) -> Result<Outcome, Error> {
        let parsed = self.parsed(response);
        // Whatever the status is: 400 in the RFC, 428 at Google, 200 at GitHub.
        let code = parsed.as_ref().ok().and_then(error_code);
        match (code.as_deref(), parsed) {
            (Some("authorization_pending"), _) => Ok(Outcome::Pending),
            (Some("slow_down"), parsed) => Ok(Outcome::TooSoon(parsed.ok().and_then(|object| interval(&object)))),
            // A page cannot spend the device code.
            (_, Err(page)) if response.is_page() && (200..=299).contains(&response.status) => {
                Ok(Outcome::Failed(page.http_status(response.status)))
            }
            (code, parsed) => match self.object(response, parsed) {
                Ok(tokens) => Ok(Outcome::Tokens(tokens)),
                Err(error) if may_pass(response) || code.is_some_and(oauth_error::is_temporary) => {
                    Ok(Outcome::Failed(error))
                }
                Err(error) => Err(error),
            },
        }
    }
}

/// The response's `interval`, if it is a number of seconds other than 0; less than one second is one.
pub fn interval(response: &Document) -> Option<Duration> {
    let seconds = response.json("interval").and_then(lifetime::seconds);
    seconds.filter(|seconds| *seconds > 0.0).map(|seconds| Duration::from_secs_f64(seconds.max(1.0)))
}

/// Whether a later poll may have another response than this failure: the server is busy or broken, or it is a page in place
/// of the server's response, such as the login of a network, or that of a filter, whose status may be any.
fn may_pass(response: &Response) -> bool {
    match response.status {
        408 | 425 | 429 | 500..=599 => true,
        300..=399 => false,
        _ => response.is_page(),
    }
}

/// The grant type of a poll (RFC 8628 section 3.4).
pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
