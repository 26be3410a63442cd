//! Logins in progress: authorization requests that wait for a person.

use std::collections::HashMap;

use super::authorization_request::AuthorizationRequest;
use super::person::Person;
use crate::client::pkce;
use crate::error::Error;

/// All logins in progress, by the `id` that their page sends back.
#[derive(Default)]
pub struct Logins(HashMap<String, Login>);

/// A login in progress.
pub struct Login {
    /// The request that the person is asked to grant.
    pub request: AuthorizationRequest,
    /// The person, once they are signed in.
    pub person: Option<Person>,
}

impl Logins {
    /// Adds a login, and gives its `id`.
    pub fn add(&mut self, request: AuthorizationRequest, person: Option<Person>) -> Result<String, Error> {
        let id = pkce::random(32)?.to_string();
        self.0.insert(id.clone(), Login { request, person });
        Ok(id)
    }

    /// The login of this `id`, once.
    pub fn take(&mut self, id: &str) -> Option<Login> {
        self.0.remove(id)
    }
}
