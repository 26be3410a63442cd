//! Pushed authorization requests: RFC 9126.

use std::time::Duration;

use super::bounded::Bounded;
use crate::client::pkce;
use crate::error::Error;
use crate::idp::parameters::Parameters;

/// All pushed requests, by their `request_uri`.
pub struct PushedRequests(Bounded<Parameters>);

impl PushedRequests {
    /// No requests yet.
    pub fn new() -> PushedRequests {
        PushedRequests(Bounded::new(LIFETIME))
    }

    /// Adds a request, and gives its `request_uri` (section 2.2).
    pub fn add(&mut self, parameters: Parameters) -> Result<String, Error> {
        let request_uri = format!("urn:ietf:params:oauth:request_uri:{}", *pkce::random(32)?);
        self.0.add(request_uri.as_str().into(), parameters);
        Ok(request_uri)
    }

    /// The request that this client pushed, once (section 4).
    pub fn take(&mut self, request_uri: &str, client_id: &str) -> Option<Parameters> {
        let pushed = self.0.take(request_uri.into())?;
        Some(pushed).filter(|pushed| pushed.one("client_id") == Some(client_id))
    }
}

/// How long a pushed request is valid.
pub const LIFETIME: Duration = Duration::from_secs(60);
