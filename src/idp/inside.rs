//! COMMAND, which runs while the server serves.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitCode};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::server::Idp;
use super::state::clients::CLIENT_ID;
use crate::error::{Error, Kind};
use crate::message;
use crate::process::command::not_started;

/// Runs the command while the server serves, and gives the command's exit status; 128 and the number of the signal
/// that ended it.
pub fn run(idp: Idp, program: &OsString, words: &[OsString]) -> Result<ExitCode, Error> {
    let mut command = Command::new(program);
    command.args(words).env("PKCE_ISSUER", idp.issuer()).env("PKCE_CLIENT_ID", CLIENT_ID);
    if idp.auto_approves() {
        command.env("BROWSER", format!("{} --visit %s", this_program()));
    }
    let failed = |error| Error::unavailable(format!("{}: {}", program.to_string_lossy(), message::reason(&error)));
    let signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).map_err(failed)?;
    let mut child = command.spawn().map_err(|error| not_started(program, &error))?;
    forward(signals, &child);
    thread::spawn(move || idp.serve());
    let status = child.wait().map_err(failed)?;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or_default();
    u8::try_from(code).map(ExitCode::from).map_err(|_| Error::new(Kind::Fault, "status: out of range"))
}

/// Forwards SIGHUP and SIGTERM to the command; SIGINT is not forwarded, since the terminal sends it to both.
fn forward(mut signals: Signals, child: &Child) {
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

/// This program as `$BROWSER` can name it: by its path, else by its name where the path has a character that separates
/// words or entries.
fn this_program() -> String {
    let path = std::env::current_exe().ok().and_then(|path| path.into_os_string().into_string().ok());
    let plain = |path: &String| !path.contains([':', '%']) && !path.contains(char::is_whitespace);
    path.filter(plain).unwrap_or_else(|| "pkce-idp".to_owned())
}
