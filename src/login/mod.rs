//! The steps of a login: RFC 7636, RFC 6749 section 4.1, RFC 9126, RFC 9207, RFC 8252; registration,
//! revocation, the device grant (RFC 8628), and the summary of a document.

pub mod authorize;
pub mod callback;
mod countdown;
pub mod device;
pub mod loopback;
pub mod push;
pub mod registration;
pub mod revocation;
pub mod summary;
pub mod token;
