//! The stored logins, and their access tokens.

pub mod bearer;
pub mod credential;
mod directory;
pub mod lock;
pub mod name;
pub mod refresh;
pub mod seal;
pub mod store;
pub mod token;
