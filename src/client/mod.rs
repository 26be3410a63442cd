//! What every step of a client shares.

pub mod metadata;
pub mod pkce;
pub mod post;
