//! The commands of `PKCE_SEAL` and `PKCE_OPEN`, through which each stored file goes.

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
use crate::process::{Deadline, environment};

/// What the command in this variable makes of the octets; nothing where none is set.
pub fn through(variable: &str, octets: &[u8], deadline: &Deadline) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let Some(line) = environment::variable(variable) else { return Ok(None) };
    let failed = |wrong: &str| Error::unavailable(format!("{variable}: {wrong}"));
    let mut command = Command::new("sh");
    command.args(["-c", &line]).stdin(Stdio::piped()).stdout(Stdio::piped());
    // A group of its own can be ended whole; but at a terminal the command may have to ask for a passphrase there.
    let grouped = File::open("/dev/tty").is_err();
    if grouped {
        command.process_group(0);
    }
    let mut child = command.spawn().map_err(|error| failed(&message::reason(&error)))?;
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(failed("no pipe to the command"));
    };
    let octets = Zeroizing::new(octets.to_vec());
    // A command that reads nothing ends by itself; its status says whether that was right.
    thread::spawn(move || drop(stdin.write_all(&octets)));
    let reader = thread::spawn(move || {
        let mut result = Zeroizing::new(Vec::with_capacity(64 * 1024));
        stdout.take(SIZE + 1).read_to_end(&mut result).map(|_| result)
    });
    let status = loop {
        match child.try_wait().map_err(|error| failed(&message::reason(&error)))? {
            Some(status) if reader.is_finished() => break status,
            _ if deadline.is_over() => {
                end(&mut child, grouped);
                return Err(failed(&format!("not finished within {} s", deadline.seconds())));
            }
            _ => thread::sleep(PAUSE),
        }
    };
    match reader.join() {
        _ if !status.success() => Err(failed(&format!("the command failed ({status})"))),
        Ok(Ok(result)) if !result.is_empty() && result.len() as u64 <= SIZE => Ok(Some(result)),
        _ => Err(failed("the command wrote nothing, or too much")),
    }
}

fn end(child: &mut Child, grouped: bool) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw).filter(|_| grouped);
    match group {
        Some(group) => drop(kill_process_group(group, Signal::KILL)),
        None => drop(child.kill()),
    }
    let _ = child.wait();
}

/// How often the command's end is looked for.
const PAUSE: Duration = Duration::from_millis(2);

/// Octets of a stored file: a document, and what sealing adds.
pub const SIZE: u64 = 4 * 1024 * 1024;
