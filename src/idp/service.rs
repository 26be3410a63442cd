//! What all endpoints share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::faults::Faults;
use super::keys::Keys;
use super::laxity::{Laxities, Laxity};
use super::setup::Setup;
use super::state::clients::Clients;
use super::state::device_codes::DeviceCodes;
use super::state::grants::Grants;
use super::state::logins::Logins;
use super::state::pushed_requests::PushedRequests;
use super::state::sessions::Sessions;
use crate::error::Error;

/// The authorization server, apart from its connections.
pub struct Service {
    /// The issuer, as the metadata and the tokens name it.
    pub issuer: String,
    /// The URL before the path of each endpoint.
    pub base: String,
    /// The path of the base.
    pub root: String,
    /// The host and port.
    pub authority: String,
    /// Whether everyone is signed in and consents without being asked.
    pub auto_approve: bool,
    /// The signing keys.
    pub keys: Keys,
    /// The faults that it simulates.
    pub faults: Faults,
    /// The checks that it omits.
    pub laxities: Laxities,
    state: Mutex<State>,
}

/// What changes from request to request.
pub struct State {
    /// The registered clients.
    pub clients: Clients,
    /// The grants, with their codes and tokens.
    pub grants: Grants,
    /// Device codes.
    pub device_codes: DeviceCodes,
    /// Pushed authorization requests.
    pub pushed_requests: PushedRequests,
    /// Logins in progress.
    pub logins: Logins,
    /// Who is signed in.
    pub sessions: Sessions,
}

impl Service {
    /// A server at this port of 127.0.0.1, with new keys.
    pub fn new(setup: Setup, port: u16) -> Result<Service, Error> {
        let path = setup.issuer_path;
        let root = path.trim_end_matches('/');
        let authority = format!("127.0.0.1:{port}");
        let faults = Faults::new(setup.faults);
        let laxities = faults.laxities();
        let state = State {
            clients: Clients::new(setup.redirect_uris),
            grants: Grants::new(laxities.clone()),
            device_codes: DeviceCodes::new(),
            pushed_requests: PushedRequests::new(),
            logins: Logins::new(),
            sessions: Sessions::new(),
        };
        Ok(Service {
            issuer: format!("http://{authority}{path}"),
            base: format!("http://{authority}{root}"),
            root: root.to_owned(),
            authority,
            auto_approve: setup.auto_approve,
            keys: Keys::new(setup.alg, setup.rotate_keys)?,
            faults,
            laxities,
            state: Mutex::new(state),
        })
    }

    /// The state, locked.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `iss` of an authorization response (RFC 9207 section 2), unless the server is too lax to send it.
    pub fn iss(&self) -> Option<&str> {
        Some(self.issuer.as_str()).filter(|_| !self.laxities.have(Laxity::NoIss))
    }
}
