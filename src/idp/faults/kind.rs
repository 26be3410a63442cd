//! A kind of fault, and where it happens.

use std::borrow::Cow;

use super::effect::Effect;

/// One kind of fault.
#[derive(Clone)]
pub struct Kind {
    /// Its name, as `--fault` takes it.
    pub name: Cow<'static, str>,
    /// Where it happens.
    pub place: Place,
    /// The exit status of the step that meets the fault, and of its pipeline.
    pub status: u8,
    /// What the server does, as a verb phrase.
    pub does: &'static str,
    /// What it changes.
    pub effect: Effect,
}

impl Kind {
    /// A kind with a fixed name.
    pub const fn new(name: &'static str, place: Place, status: u8, does: &'static str, effect: Effect) -> Kind {
        Kind { name: Cow::Borrowed(name), place, status, does, effect }
    }
}

/// Where a fault happens, which is also what `@N` counts.
#[derive(Clone, Copy, PartialEq)]
pub enum Place {
    /// Requests for the metadata of the protected resource.
    Resource,
    /// Requests for the metadata of the server.
    Metadata,
    /// Registrations.
    Registration,
    /// Pushed authorization requests.
    Push,
    /// Requests to the device authorization endpoint.
    Device,
    /// Requests to the authorization endpoint.
    Authorization,
    /// Redirects back to the client.
    Redirect,
    /// Requests to the token endpoint.
    Token,
    /// The refresh requests among them.
    Refresh,
    /// The requests with a device code among them.
    Poll,
    /// ID tokens.
    IdToken,
    /// Requests for the keys.
    Keys,
    /// Revocations.
    Revocation,
    /// No place in particular: the fault applies to all requests.
    Everywhere,
}
