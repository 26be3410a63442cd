//! A fault of the tool itself: the message names its source location only, and no secret is left behind.

use std::panic;
use std::sync::Arc;

use rustix::process::{Resource, getrlimit};
use signal_hook::consts::SIGXFSZ;

use super::failure;
use crate::error::{Error, Kind};
use crate::process::signals;

/// Disables core files (on Linux, tracing too), which would expose secrets, and reports a panic as a failure.
pub fn harden(has_command: bool) {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    #[cfg(not(target_os = "linux"))]
    let _ = rustix::process::setrlimit(Resource::Core, rustix::process::Rlimit { current: Some(0), maximum: Some(0) });
    // With a handler, a write beyond the limit of file sizes is an error with a message; without, it ends the process.
    // A handler, unlike an ignored signal, is not inherited by the programs that a tool starts.
    // Without a limit there is no such signal, and to learn whether it is ignored takes longer.
    if getrlimit(Resource::Fsize).current.is_some() {
        for signal in signals::not_ignored(&[SIGXFSZ]) {
            let _ = signal_hook::flag::register(signal, Arc::default());
        }
    }
    panic::set_hook(Box::new(move |fault| {
        let place = fault.location().map(ToString::to_string).unwrap_or_default();
        let error = Error::new(Kind::Fault, format!("internal error at {place}: please report it"));
        failure::report(&error);
        if !has_command {
            failure::write_line(&error);
        }
        std::process::exit(failure::exit_status(&error, has_command).into());
    }));
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn ends_with_a_status_that_no_command_has() {
        // The hook ends the process, so this test starts itself again.
        if let Ok(has_command) = std::env::var("HAS_COMMAND") {
            harden(has_command == "true");
            panic!("s3cret");
        }
        for (has_command, status) in [("false", 70), ("true", 180)] {
            let mut again = Command::new(std::env::current_exe().unwrap());
            again.args(["--exact", "--nocapture", "frame::fault::tests::ends_with_a_status_that_no_command_has"]);
            let output = again.env("HAS_COMMAND", has_command).output().unwrap();
            let (stdout, stderr) =
                (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
            assert_eq!((output.status.code(), stdout.contains("!70 fault ")), (Some(status), status == 70), "{stdout}");
            assert!(stderr.starts_with("pkce-tools: internal error at src/frame/fault.rs:"), "{stderr}");
            assert!(!stderr.contains("s3cret"), "{stderr}");
        }
    }
}
