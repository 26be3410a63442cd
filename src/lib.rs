//! What the tools of pkce-tools share. No API promise: this library serves the tools.
//!
//! The house, from the top; a room imports rooms further down only.

pub mod client;
pub mod document;
pub mod error;
pub mod frame;
pub mod id_token;
pub mod idp;
pub mod login;
pub mod message;
pub mod process;
pub mod stored;
pub mod wire;

pub use document::Document;
pub use error::Error;
