//! A command line that the user sets, run by `sh -c`, for what it writes to its standard output.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use zeroize::Zeroizing;

use super::{Deadline, threads};
use crate::error::Error;
use crate::message;

/// What the command writes, given these octets on its standard input, or an empty one. A command that fails, writes
/// nothing, or is not done at the deadline is status 3; `subject`, the option or variable that sets it, begins the
/// message.
pub fn output(
    subject: &str,
    line: &str,
    input: Option<&[u8]>,
    deadline: &Deadline,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let failed = |wrong: &str| Error::unavailable(format!("{subject}: {wrong}"));
    threads::check()?;
    let mut command = Command::new("sh");
    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
    command.args(["-c", line]).stdin(stdin).stdout(Stdio::piped());
    // A process group can be killed as a whole; but with a terminal, the command may prompt for a passphrase there.
    let grouped = File::open("/dev/tty").is_err();
    if grouped {
        command.process_group(0);
    }
    let mut child = command.spawn().map_err(|error| failed(&message::reason(&error)))?;
    let Some(stdout) = child.stdout.take() else { return Err(failed("no pipe to the command")) };
    if let (Some(mut stdin), Some(octets)) = (child.stdin.take(), input) {
        let octets = Zeroizing::new(octets.to_vec());
        // A command may exit without reading its input; its status shows whether it failed.
        thread::spawn(move || drop(stdin.write_all(&octets)));
    }
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
        Ok(Ok(result)) if result.is_empty() => Err(failed("the command wrote nothing")),
        Ok(Ok(result)) if result.len() as u64 <= MAX_SIZE => Ok(result),
        _ => Err(failed("the command wrote more than 4 MiB, or could not be read")),
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

/// Maximum size of the output in octets: a document, and what sealing adds.
pub const MAX_SIZE: u64 = 4 * 1024 * 1024;
