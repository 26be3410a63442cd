//! A command that runs in a tool's charge: signals are handed on to it, and its status is the tool's.

use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitCode};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::{Error, Kind, tool};

/// Starts the command, does `meanwhile` with it, waits for its end, and gives its status.
pub fn run(command: &mut Command, meanwhile: impl FnOnce(&mut Child)) -> Result<ExitCode, Error> {
    let program = command.get_program().to_owned();
    let failed = |error| Error::usage(format!("{}: {}", shown(&program), tool::reason(&error)));
    let signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).map_err(failed)?;
    let mut child = command.spawn().map_err(failed)?;
    hand_on(signals, &child);
    meanwhile(&mut child);
    let status = child.wait().map_err(failed)?;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or_default();
    u8::try_from(code).map(ExitCode::from).map_err(|_| Error::new(Kind::Fault, "status: out of range"))
}

fn shown(program: &OsStr) -> String {
    tool::printable(&program.to_string_lossy())
}

/// Hands SIGHUP and SIGTERM on to the command; of SIGINT the terminal has told it already.
fn hand_on(mut signals: Signals, child: &Child) {
    let child = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    thread::spawn(move || {
        for signal in signals.forever() {
            let known = match signal {
                SIGHUP => Some(Signal::HUP),
                SIGTERM => Some(Signal::TERM),
                _ => None,
            };
            if let (Some(child), Some(signal)) = (child, known) {
                let _ = kill_process(child, signal);
            }
        }
    });
}
