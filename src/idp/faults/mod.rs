//! The faults that the server simulates on request, so that a script's failure paths can be tested.

mod device;
mod effect;
mod fault;
mod forgery;
mod id_token;
mod jwks;
mod kind;
mod kinds;
mod laxity;
mod location;
mod message;
mod metadata;
mod poll;
mod push;
mod redirect;
mod refresh;
mod registration;
mod response;
mod token;

pub use effect::Effect;
pub use fault::{Fault, Faults};
pub use kind::Place;
pub use kinds::list;
