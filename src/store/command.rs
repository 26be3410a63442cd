//! The commands of `PKCE_SEAL` and `PKCE_OPEN`, through which each kept file goes.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::SIZE;
use crate::{Error, tool};

/// What the command in this variable makes of the octets; nothing where none is set.
pub fn through(variable: &str, octets: &[u8], timeout: Duration) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let Some(line) = tool::environment(variable) else { return Ok(None) };
    let failed = |wrong: &str| Error::unavailable(format!("{variable}: {wrong}"));
    let mut command = Command::new("sh");
    command.args(["-c", &line]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| failed(&tool::reason(&error)))?;
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(failed("cannot be spoken to"));
    };
    let octets = Zeroizing::new(octets.to_vec());
    // A command that reads nothing ends by itself; its status says whether that was right.
    thread::spawn(move || drop(stdin.write_all(&octets)));
    let reader = thread::spawn(move || {
        let mut answer = Zeroizing::new(Vec::with_capacity(64 * 1024));
        stdout.take(SIZE + 1).read_to_end(&mut answer).map(|_| answer)
    });
    let deadline = Instant::now() + timeout;
    while !reader.is_finished() {
        if Instant::now() >= deadline {
            let _ = child.kill();
            return Err(failed(&format!("not done within {} s", timeout.as_secs())));
        }
        thread::sleep(PAUSE);
    }
    let status = child.wait().map_err(|error| failed(&tool::reason(&error)))?;
    match reader.join() {
        Ok(Ok(answer)) if status.success() && !answer.is_empty() && answer.len() as u64 <= SIZE => Ok(Some(answer)),
        _ if !status.success() => Err(failed(&format!("the command failed ({status})"))),
        _ => Err(failed("the command gave nothing, or too much")),
    }
}

/// How often the command's end is looked for.
const PAUSE: Duration = Duration::from_millis(2);
