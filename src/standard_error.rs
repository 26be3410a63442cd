//! Standard error: the only place that writes to it, and the line that a terminal shows until something else is written.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

/// Writes text as it is, in place of the [line that is shown](show_line); a failure to write is ignored.
pub fn write(text: &str) {
    change_line(LastLine::Free, text);
}

/// Shows a line at a terminal until something else is written; nothing if it is shown already. The cursor stays at its
/// start, so that it can be cleared whatever was typed there, and after a terminal that became narrower has wrapped it.
pub fn show_line(line: &str) {
    change_line(LastLine::Shown(line.to_owned()), &format!("{line}\r"));
}

/// Clears the line that is shown.
pub fn clear_line() {
    write("");
}

/// Clears the line that is shown, and lets none be shown any more, for a process that is about to end.
pub fn end_line() {
    change_line(LastLine::Ended, "");
}

/// Writes the text in place of the line that is shown. One write, so that the terminal never shows half of it.
fn change_line(to: LastLine, text: &str) {
    let mut line = LAST_LINE.lock().unwrap_or_else(PoisonError::into_inner);
    if matches!(to, LastLine::Shown(_)) && (*line == to || *line == LastLine::Ended) {
        return;
    }
    let clear = if matches!(*line, LastLine::Shown(_)) { CLEAR } else { "" };
    if *line != LastLine::Ended {
        *line = to;
    }
    let _ = io::stderr().write_all(format!("{clear}{text}").as_bytes());
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

static LAST_LINE: Mutex<LastLine> = Mutex::new(LastLine::Free);
