//! What the server remembers for one run: clients, logins, grants.

pub mod authorization_request;
mod bounded;
pub mod clients;
mod code_challenge;
pub mod device_codes;
pub mod grants;
pub mod logins;
pub mod person;
pub mod pushed_requests;
pub mod sessions;
