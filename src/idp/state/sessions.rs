//! Who is signed in, by the browser's session cookie (RFC 6265).

use std::collections::HashMap;

use super::person::Person;
use crate::client::pkce;
use crate::error::Error;

/// All sessions, by the value of their cookie.
#[derive(Default)]
pub struct Sessions(HashMap<String, Person>);

impl Sessions {
    /// Begins a session, and gives the header line that sets its cookie.
    pub fn begin(&mut self, person: Person) -> Result<String, Error> {
        let session = pkce::random(32)?.to_string();
        let line = format!("Set-Cookie: {COOKIE}={session}; HttpOnly; SameSite=Lax; Path=/\r\n");
        self.0.insert(session, person);
        Ok(line)
    }

    /// The person who is signed in, by the value of the `Cookie` header.
    pub fn person(&self, cookies: &str) -> Option<Person> {
        let mut pairs = cookies.split(';').filter_map(|cookie| cookie.trim().split_once('='));
        let (_, session) = pairs.find(|(name, _)| *name == COOKIE)?;
        self.0.get(session).cloned()
    }
}

/// The name of the session cookie; cookies know no ports, so it names the program.
const COOKIE: &str = "pkce-idp";
