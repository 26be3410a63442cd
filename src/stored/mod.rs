//! The stored documents, and what is handed out of them.

pub mod access_token;
pub mod bearer;
mod seal;
pub mod store;
