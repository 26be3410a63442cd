//! A strict authorization server for one machine: RFC 6749, RFC 7636, RFC 8628, RFC 9207, OpenID Connect Core. For tests
//! alone: anyone can sign in with any name, and nothing is stored.

mod body;
mod clock;
mod connection;
mod endpoints;
mod faults;
mod inside;
mod keys;
mod laxity;
mod members;
mod pages;
mod parameters;
mod refusal;
mod response;
mod router;
mod server;
mod service;
mod setup;
mod state;
mod visit;

pub use faults::{Fault, list as faults};
pub use inside::run as run_inside;
pub use keys::Alg;
pub use server::Idp;
pub use setup::Setup;
pub use visit::visit;
