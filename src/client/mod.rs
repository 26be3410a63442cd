//! What all steps of a client share: metadata, client authentication, one POST, and the values of its requests.

pub mod authentication;
pub mod challenge;
pub mod endpoint;
pub mod hint;
pub mod lifetime;
pub mod metadata;
pub mod oauth_error;
pub mod object_file;
pub mod options;
pub mod parameter;
pub mod pkce;
pub mod poll;
pub mod post;
pub mod redaction;
pub mod redirect_uri;
pub mod resource;
pub mod scope;
pub mod secret;
pub mod token_request;
pub mod words;
