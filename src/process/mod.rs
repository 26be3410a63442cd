//! What a process has from its surroundings.

pub mod signals;
