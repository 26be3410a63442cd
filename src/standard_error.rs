//! Standard error: the only place that writes to it, and the line that a terminal shows until something else is written.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;

/// Writes text as it is, in place of the [line that is shown](show_line); a failure to write is ignored.
pub fn write(text: &str) {
    locked(|stderr| stderr.replace_line(LastLine::Free, text));
}

/// Shows a line at a terminal until something else is written; nothing if it is shown already, or the terminal is stopped.
/// The cursor stays at its start, so that it can be cleared whatever was typed there, and after a terminal that became
/// narrower has wrapped it.
pub fn show_line(line: &str) {
    locked(|stderr| stderr.show_line(line));
}

/// Clears the line that is shown.
pub fn clear_line() {
    write("");
}

/// Clears the line that is shown, and lets none be shown any more, for a process that is about to end. Does nothing while
/// another thread writes, since that may take for ever.
pub fn end_line() {
    if let Ok(mut stderr) = STDERR.try_lock() {
        stderr.replace_line(LastLine::Ended, "");
    }
}

/// Sets how long a write may wait for a terminal that is stopped (Ctrl-S) or that nobody reads. What the terminal does not
/// take by then is kept, and written before the next text.
pub fn wait_at_most(patience: Duration) {
    locked(|stderr| stderr.patience = Some(patience).filter(|_| io::stderr().is_terminal()));
}

/// Writes what is kept for a stopped terminal, if that is possible now; returns whether something is left.
pub fn is_behind() -> bool {
    locked(|stderr| {
        stderr.flush();
        !stderr.kept.is_empty()
    })
}

/// Standard error, for this thread alone.
fn locked<T>(act: impl FnOnce(&mut StandardError) -> T) -> T {
    act(&mut STDERR.lock().unwrap_or_else(PoisonError::into_inner))
}

struct StandardError {
    line: LastLine,
    /// What is to be written.
    kept: Vec<u8>,
    /// How long a write may wait; `None` is for as long as it takes.
    patience: Option<Duration>,
}

impl StandardError {
    fn show_line(&mut self, line: &str) {
        let to = LastLine::Shown(line.to_owned());
        self.flush();
        if self.line != to && self.line != LastLine::Ended && self.kept.is_empty() && self.is_writable() {
            self.replace_line(to, &format!("{line}\r"));
        }
    }

    /// Writes the text in place of the line that is shown.
    fn replace_line(&mut self, to: LastLine, text: &str) {
        if matches!(self.line, LastLine::Shown(_)) {
            self.kept.extend(CLEAR.as_bytes());
        }
        if self.line != LastLine::Ended {
            self.line = to;
        }
        self.kept.extend(text.as_bytes());
        self.flush();
    }

    /// Writes what is kept: in one write, so that the terminal never shows half of it, or in pieces that do not block.
    fn flush(&mut self) {
        while !self.kept.is_empty() && self.is_writable() {
            let size = self.patience.map_or(self.kept.len(), |_| piece(&self.kept));
            let piece: Vec<u8> = self.kept.drain(..size).collect();
            let _ = io::stderr().write_all(&piece);
        }
    }

    /// Whether a piece can be written, or the failure to write it is known, in time.
    fn is_writable(&self) -> bool {
        let Some(patience) = self.patience else { return true };
        let stderr = io::stderr();
        let timeout = Timespec::try_from(patience).unwrap_or_default();
        retry_on_intr(|| poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], Some(&timeout))) != Ok(0)
    }
}

/// The size of the next piece, which a terminal takes whole if it takes anything (Linux). A line break is a piece of its
/// own: the terminal writes it apart from the text before it, and may have room for that alone.
fn piece(octets: &[u8]) -> usize {
    let room = octets.len().min(ROOM);
    octets.iter().take(room).position(|octet| *octet == b'\n').map_or(room, |line| line.max(1))
}

/// What the terminal's last line is.
#[derive(PartialEq)]
enum LastLine {
    /// Free for what is written next.
    Free,
    /// This one, until then.
    Shown(String),
    /// Free, and none is shown any more.
    Ended,
}

/// Clears the line of the cursor and what a terminal has wrapped of it (ECMA-48 section 8.3.39), but not from the first
/// cell on, since tmux adds what is on a screen to its history before it clears all of it. The cursor is then at the start.
const CLEAR: &str = "\r \u{1b}[J\r";

/// The room that a terminal has if it has any, in octets (Linux, the unit of a pseudoterminal's buffer).
const ROOM: usize = 256;

static STDERR: Mutex<StandardError> =
    Mutex::new(StandardError { line: LastLine::Free, kept: Vec::new(), patience: None });
