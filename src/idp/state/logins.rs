//! Logins in progress: authorization requests that wait for a person.

use std::time::Duration;

use super::authorization_request::AuthorizationRequest;
use super::bounded::Bounded;
use super::person::Person;
use crate::client::pkce;
use crate::error::Error;

/// All logins in progress, by the `id` that their page sends back.
pub struct Logins(Bounded<Login>);

/// A login in progress.
pub struct Login {
    /// The request that the person is asked to grant.
    pub request: AuthorizationRequest,
    /// The person, once they are signed in.
    pub person: Option<Person>,
}

impl Logins {
    /// No logins yet.
    pub fn new() -> Logins {
        Logins(Bounded::new(LIFETIME))
    }

    /// Adds a login, and gives its `id`.
    pub fn add(&mut self, request: AuthorizationRequest, person: Option<Person>) -> Result<String, Error> {
        let id = pkce::random(32)?.to_string();
        self.0.add(id.as_str().into(), Login { request, person });
        Ok(id)
    }

    /// The login of this `id`, once.
    pub fn take(&mut self, id: &str) -> Option<Login> {
        self.0.take(id.into())
    }
}

/// How long a login page can be answered.
const LIFETIME: Duration = Duration::from_secs(3600);
