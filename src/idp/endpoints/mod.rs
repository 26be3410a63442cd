//! The endpoints, each with what it responds.

pub mod authorization;
mod authorization_response;
mod client_metadata;
pub mod device;
pub mod device_authorization;
mod id_token;
pub mod login;
pub mod metadata;
pub mod protected_resource;
mod public_client;
pub mod push;
pub mod registration;
pub mod revocation;
pub mod token;
