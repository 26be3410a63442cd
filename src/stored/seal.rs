//! The commands of `PKCE_SEAL` and `PKCE_OPEN`, which filter each stored file.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::message;
use crate::process::{Deadline, environment, threads};

/// Fails if only `PKCE_OPEN` is set: a sealed file would be replaced by one that is not. Status 2.
pub fn check() -> Result<(), Error> {
    if environment::variable("PKCE_OPEN").is_some() && environment::variable("PKCE_SEAL").is_none() {
        let error = Error::usage("PKCE_SEAL: not set, although PKCE_OPEN is");
        return Err(error.hint("set PKCE_SEAL to the command that encrypts, or unset PKCE_OPEN"));
    }
    Ok(())
}

/// Whether the stored files are sealed.
pub fn is_used() -> bool {
    environment::variable("PKCE_SEAL").is_some() || environment::variable("PKCE_OPEN").is_some()
}

/// Whether stored files can be read; a machine that can only seal them cannot.
pub fn can_open() -> bool {
    environment::variable("PKCE_SEAL").is_none() || environment::variable("PKCE_OPEN").is_some()
}

/// The octets, filtered by the command in this variable; `None` if it is not set.
pub fn filter(variable: &str, octets: &[u8], deadline: &Deadline) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let Some(line) = environment::variable(variable) else { return Ok(None) };
    let failed = |wrong: &str| Error::unavailable(format!("{variable}: {wrong}"));
    threads::check()?;
    let mut command = Command::new("sh");
    command.args(["-c", &line]).stdin(Stdio::piped()).stdout(Stdio::piped());
    // A process group can be killed as a whole; but with a terminal, the command may prompt for a passphrase there.
    let grouped = File::open("/dev/tty").is_err();
    if grouped {
        command.process_group(0);
    }
    let mut child = command.spawn().map_err(|error| failed(&message::reason(&error)))?;
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(failed("no pipe to the command"));
    };
    let octets = Zeroizing::new(octets.to_vec());
    // A command may exit without reading its input; its status shows whether it failed.
    thread::spawn(move || drop(stdin.write_all(&octets)));
    let reader = thread::spawn(move || {
        let mut result = Zeroizing::new(Vec::with_capacity(64 * 1024));
        stdout.take(MAX_SIZE + 1).read_to_end(&mut result).map(|_| result)
    });
    let status = loop {
        match child.try_wait().map_err(|error| failed(&message::reason(&error)))? {
            Some(status) if reader.is_finished() => break status,
            _ if deadline.has_passed() => {
                kill(&mut child, grouped);
                return Err(failed(&format!("not finished within {} s", deadline.seconds())));
            }
            _ => thread::sleep(PAUSE),
        }
    };
    match reader.join() {
        _ if !status.success() => Err(failed(&format!("the command failed ({status})"))),
        Ok(Ok(result)) if !result.is_empty() && result.len() as u64 <= MAX_SIZE => Ok(Some(result)),
        _ => Err(failed("the command wrote nothing, or too much")),
    }
}

fn kill(child: &mut Child, grouped: bool) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw).filter(|_| grouped);
    match group {
        Some(group) => drop(kill_process_group(group, Signal::KILL)),
        None => drop(child.kill()),
    }
    let _ = child.wait();
}

/// The pause between two checks for the command's exit.
const PAUSE: Duration = Duration::from_millis(2);

/// Maximum size of a stored file in octets: a document, and what sealing adds.
pub const MAX_SIZE: u64 = 4 * 1024 * 1024;
