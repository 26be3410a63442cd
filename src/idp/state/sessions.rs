//! Who is signed in, by the browser's session cookie (RFC 6265).

use std::time::Duration;

use super::bounded::Bounded;
use super::person::Person;
use crate::client::pkce;
use crate::error::Error;

/// All sessions, by the value of their cookie.
pub struct Sessions(Bounded<Person>);

impl Sessions {
    /// No sessions yet.
    pub fn new() -> Sessions {
        Sessions(Bounded::new(LIFETIME))
    }

    /// Begins a session, and gives the header line that sets its cookie.
    pub fn begin(&mut self, person: Person) -> Result<String, Error> {
        let session = pkce::random(32)?;
        self.0.add(session.as_str().into(), person);
        Ok(format!("Set-Cookie: {COOKIE}={}; HttpOnly; SameSite=Lax; Path=/\r\n", *session))
    }

    /// The person who is signed in, by the value of the `Cookie` header.
    pub fn person(&self, cookies: &str) -> Option<Person> {
        let mut pairs = cookies.split(';').filter_map(|cookie| cookie.trim().split_once('='));
        let (_, session) = pairs.find(|(name, _)| *name == COOKIE)?;
        self.0.get(session.into()).cloned()
    }
}

/// The name of the session cookie; cookies know no ports, so it names the program.
const COOKIE: &str = "pkce-idp";

/// How long a person stays signed in: a working day.
const LIFETIME: Duration = Duration::from_secs(10 * 3600);
