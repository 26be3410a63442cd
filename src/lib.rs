//! What the tools of pkce-tools share. No API promise: this library serves the tools.

pub mod client;
pub mod document;
pub mod error;
pub mod frame;
pub mod id_token;
pub mod idp;
pub mod login;
pub mod process;
pub mod stored;
pub mod wire;

pub use document::Document;
pub use error::{Error, Kind};

// The paths of before the move.
pub use client::{metadata, pkce, post as endpoint};
pub use frame as tool;
pub use id_token::{jwks, jws};
pub use login::{authorize, callback, push, registration, revocation, token};
pub use process::signals;
pub use stored::{access_token, bearer, store};
pub use wire::{form, http, page, request, url};
