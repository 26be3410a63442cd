//! A program at a terminal of its own.
#![allow(dead_code)]

use std::io::{Read, Write};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command, Pty};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{LocalModes, tcgetattr};

use super::common::command;

/// A program that runs at a terminal, and what it has printed there.
pub struct Terminal {
    pty: Pty,
    child: Child,
    octets: Vec<u8>,
}

impl Terminal {
    /// Starts the program in a directory, with what `prepare` adds to it.
    pub fn start(program: &str, directory: &Path, prepare: impl FnOnce(Command) -> Command) -> Terminal {
        let (pty, pts) = pty_process::blocking::open().unwrap();
        pty.resize(Size::new(50, 800)).unwrap();
        let like = command(program);
        let mut own = Command::new(like.get_program()).current_dir(directory).env_clear().env("TERM", "dumb");
        for (name, value) in like.get_envs() {
            own = own.env(name, value.unwrap_or_default());
        }
        let child = prepare(own).spawn(pts).unwrap();
        Terminal { pty, child, octets: Vec::new() }
    }

    /// A script in bash.
    pub fn bash(script: &str, directory: &Path) -> Terminal {
        Terminal::start("bash", directory, |bash| bash.args(["-c", script]))
    }

    /// All that was printed so far.
    pub fn printed(&self) -> String {
        String::from_utf8_lossy(&self.octets).into_owned()
    }

    /// Reads until this text has come; fails with what was printed if it does not come.
    pub fn until(&mut self, text: &str) {
        self.until_after(0, text);
    }

    /// The same for a text that comes after so many octets; returns where it begins.
    pub fn until_after(&mut self, octets: usize, text: &str) -> usize {
        let end = Instant::now() + LIMIT;
        loop {
            let printed = self.printed();
            if let Some(at) = printed.get(octets..).and_then(|rest| rest.find(text)) {
                return octets + at;
            }
            assert!(self.can_read_before(end), "{LIMIT:?} without {text:?}: {printed}");
            assert!(self.read(), "ended without {text:?}: {printed}");
        }
    }

    /// Waits until the program has taken the terminal over: what is typed is not kept until the end of its line.
    pub fn until_taken_over(&self) {
        let end = Instant::now() + Duration::from_secs(20);
        while tcgetattr(&self.pty).unwrap().local_modes.contains(LocalModes::ICANON) {
            assert!(Instant::now() < end, "{}", self.printed());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Types this.
    pub fn write(&mut self, text: &str) {
        self.pty.write_all(text.as_bytes()).unwrap();
    }

    /// Starts the command in a shell of its own, which writes its process ID and its exit status to files.
    pub fn recorded(run: &str, directory: &Path) -> Terminal {
        // What bash itself says of a signal does not wait for the terminal.
        let script = format!(
            "exec 3>&2 2>/dev/null; bash -c 'echo $$ >pid; exec \"$@\" <doc >out 2>&3' bash env {run}; echo $? >status"
        );
        Terminal::bash(&script, directory)
    }

    /// Presses Ctrl-S, and waits until a line that counts seconds would have been written.
    pub fn stop(&mut self) {
        self.write("\u{13}");
        std::thread::sleep(Duration::from_millis(1500));
    }

    /// Presses Ctrl-Q.
    pub fn resume(&mut self) {
        self.write("\u{11}");
    }

    /// Reads to the end: the exit status, and all that was printed.
    pub fn end(mut self) -> (Option<i32>, String) {
        while self.read() {}
        (self.child.wait().unwrap().code(), self.printed())
    }

    /// Waits until there is something to read, or the end of it; false if neither has come in time.
    fn can_read_before(&self, end: Instant) -> bool {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let mut descriptors = [PollFd::new(&self.pty, PollFlags::IN)];
            match poll(&mut descriptors, Some(&Timespec::try_from(left).unwrap())) {
                Err(Errno::INTR) => {}
                ready => return ready.unwrap() > 0,
            }
        }
    }

    /// Reads what there is; false at the end.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        match self.pty.read(&mut buffer) {
            Ok(count) => {
                self.octets.extend_from_slice(&buffer[..count]);
                count > 0
            }
            Err(_) => false,
        }
    }
}

/// The number in this file of the directory, once it has come.
pub fn number(directory: &Path, file: &str) -> u32 {
    let end = Instant::now() + LIMIT;
    loop {
        let text = std::fs::read_to_string(directory.join(file)).unwrap_or_default();
        if let Some(number) = text.strip_suffix('\n') {
            return number.parse().unwrap();
        }
        assert!(Instant::now() < end, "{LIMIT:?} without {file}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How long a text may take to come: far longer than on the slowest machine, so that only a test that fails waits for it.
const LIMIT: Duration = Duration::from_secs(60);
