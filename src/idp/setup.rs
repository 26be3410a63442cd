//! How the server is set up.

use std::time::Duration;

use super::faults::Fault;
use super::keys::Alg;

/// What the options of pkce-idp say.
pub struct Setup {
    /// The port; 0 is any free one.
    pub port: u16,
    /// Whether everyone is signed in and consents without being asked.
    pub auto_approve: bool,
    /// What follows the host in the issuer: empty, `/`, or a path.
    pub issuer_path: String,
    /// Redirect URIs in addition to those on this machine.
    pub redirect_uris: Vec<String>,
    /// What ID tokens are signed with.
    pub alg: Alg,
    /// How long a key signs before it is replaced.
    pub rotate_keys: Option<Duration>,
    /// The faults that it simulates.
    pub faults: Vec<Fault>,
}
