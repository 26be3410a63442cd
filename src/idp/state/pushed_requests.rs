//! Pushed authorization requests: RFC 9126.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::client::pkce;
use crate::error::Error;
use crate::idp::parameters::Parameters;

/// All pushed requests, by their `request_uri`.
#[derive(Default)]
pub struct PushedRequests(HashMap<String, PushedRequest>);

struct PushedRequest {
    parameters: Parameters,
    until: Instant,
}

impl PushedRequests {
    /// Adds a request, and gives its `request_uri` (section 2.2).
    pub fn add(&mut self, parameters: Parameters) -> Result<String, Error> {
        let request_uri = format!("urn:ietf:params:oauth:request_uri:{}", *pkce::random(32)?);
        self.0.insert(request_uri.clone(), PushedRequest { parameters, until: Instant::now() + LIFETIME });
        Ok(request_uri)
    }

    /// The request that this client pushed, once (section 4).
    pub fn take(&mut self, request_uri: &str, client_id: &str) -> Option<Parameters> {
        let pushed = self.0.remove(request_uri)?;
        let valid = pushed.until > Instant::now() && pushed.parameters.one("client_id") == Some(client_id);
        Some(pushed.parameters).filter(|_| valid)
    }
}

/// How long a pushed request is valid.
pub const LIFETIME: Duration = Duration::from_secs(60);
