//! The steps of a login, and what comes before and after.

pub mod authorize;
pub mod callback;
pub mod push;
pub mod registration;
pub mod revocation;
pub mod token;
