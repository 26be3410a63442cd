//! The stored logins, and their access tokens.

pub mod access_token;
pub mod bearer;
pub mod credential;
mod directory;
pub mod lock;
pub mod name;
pub mod seal;
pub mod store;
pub mod token;
