//! The server's metadata: OpenID Connect Discovery 1.0 section 4, RFC 8414, RFC 9728.

mod attempts;
mod place;
mod resource;
mod server;

pub use place::{Issuer, Resource};
pub use resource::{Start, chosen_server, for_resource};
pub use server::{for_issuer, known_members};
