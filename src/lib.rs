//! What the tools of pkce-tools share. No API promise: this library serves the tools.
//!
//! The house: [`document`] is what flows between the tools, [`tool`] the frame around each step, [`error`] the ways
//! to fail. [`url`], [`form`], [`request`], [`page`] and [`http`] are the ground: what may be called, how it is
//! written, how a request is read, how one is answered, how one is sent; [`endpoint`] is what a client's calls share.
//! The rest has the names of the protocol's own things.

pub mod access_token;
pub mod authorize;
pub mod bearer;
pub mod callback;
pub mod document;
pub mod endpoint;
pub mod error;
pub mod form;
pub mod http;
pub mod id_token;
pub mod idp;
pub mod jwks;
pub mod jws;
pub mod metadata;
pub mod page;
pub mod pkce;
pub mod push;
pub mod registration;
pub mod request;
pub mod revocation;
pub mod signals;
pub mod store;
pub mod token;
pub mod tool;
pub mod url;

pub use document::Document;
pub use error::{Error, Kind};
