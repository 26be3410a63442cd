//! A fault of the tool itself: the message names its source location only, and no secret is left behind.

use std::panic;
use std::sync::Arc;

use signal_hook::consts::SIGXFSZ;

use super::failure;
use crate::error::{Error, Kind};
use crate::process::signals;

/// Disables core files (on Linux, tracing too), which would expose secrets, and reports a panic as a failure.
pub fn harden() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    #[cfg(not(target_os = "linux"))]
    let _ = rustix::process::setrlimit(
        rustix::process::Resource::Core,
        rustix::process::Rlimit { current: Some(0), maximum: Some(0) },
    );
    // With a handler, a write beyond the limit of file sizes is an error with a message; without, it ends the process.
    // A handler, unlike an ignored signal, is not inherited by the programs that a tool starts.
    if !signals::is_ignored(SIGXFSZ) {
        let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
    }
    panic::set_hook(Box::new(|fault| {
        let place = fault.location().map(ToString::to_string).unwrap_or_default();
        let error = Error::new(Kind::Fault, format!("internal error at {place}: please report it"));
        failure::report(&error);
        failure::write_line(&error);
        std::process::exit(Kind::Fault.status().into());
    }));
}
