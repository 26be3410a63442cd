//! A strict authorization server for one machine: RFC 6749, RFC 7636, RFC 9207, OpenID Connect Core. For tests alone:
//! anyone can sign in with any name, and nothing is stored.

mod authorization_request;
mod body;
mod clients;
mod clock;
mod code_challenge;
mod connection;
mod endpoints;
mod faults;
mod grants;
mod inside;
mod keys;
mod laxity;
mod logins;
mod members;
mod pages;
mod parameters;
mod person;
mod pushed_requests;
mod refusal;
mod response;
mod router;
mod server;
mod service;
mod sessions;
mod setup;
mod visit;

pub use faults::{Fault, list as faults};
pub use inside::run as run_inside;
pub use keys::Alg;
pub use server::Idp;
pub use setup::Setup;
pub use visit::visit;
