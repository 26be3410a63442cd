//! The stored logins, and what is handed out of them.

pub mod access_token;
pub mod bearer;
pub mod lock;
mod seal;
pub mod store;
