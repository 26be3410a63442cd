//! Threads: where none can be created (a limit of processes), the standard library and our dependencies would panic.

use std::{io, thread};

use crate::error::Error;
use crate::message;

/// Fails if no thread can be created now.
pub fn check() -> Result<(), Error> {
    created().map_err(|error| Error::unavailable(format!("threads: {}", message::reason(&error))))
}

/// Creates a thread that ends at once.
pub fn created() -> io::Result<()> {
    thread::Builder::new().spawn(|| {}).map(drop)
}
