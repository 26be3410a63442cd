//! The terminal that standard error may be: its size, and what is styled there.

use std::io::{self, IsTerminal, Write};

use rustix::termios::tcgetwinsize;

use super::environment::variable;
use crate::message;

/// Whether standard error may have colors and progress: a terminal that understands escape sequences, without `NO_COLOR`.
pub fn is_styled() -> bool {
    let is_plain = variable("NO_COLOR").is_some() || variable("TERM").is_none_or(|term| term == "dumb");
    !is_plain && io::stderr().is_terminal()
}

/// Columns and rows of the terminal; `None` if there is none, or it does not say.
pub fn size() -> Option<(usize, usize)> {
    let stderr = Some(io::stderr()).filter(|stderr| stderr.is_terminal())?;
    let size = tcgetwinsize(stderr).ok()?;
    Some((size.ws_col.into(), size.ws_row.into())).filter(|(columns, rows)| *columns > 0 && *rows > 0)
}

/// Writes one line, [`message::harmless`], in bold if that [may be](is_styled).
pub fn say_in_bold(line: &str) {
    let line = message::harmless(line);
    write(&if is_styled() { format!("{BOLD}{line}{PLAIN}\n") } else { format!("{line}\n") });
}

/// Clears the line of the cursor.
pub fn clear_line() {
    write(CLEAR);
}

/// Draws dark and light squares, two in one character: each row has pairs of an upper and a lower one, `true` if dark.
/// Without colors, what is light is drawn, since most terminals are dark.
pub fn draw(rows: &[Vec<[bool; 2]>]) {
    let is_styled = is_styled();
    let (before, after) = if is_styled { (BLACK_ON_WHITE, PLAIN) } else { ("", "") };
    let block = |pair: &[bool; 2]| match pair.map(|dark| dark == is_styled) {
        [true, true] => '\u{2588}',
        [true, false] => '\u{2580}',
        [false, true] => '\u{2584}',
        [false, false] => ' ',
    };
    let lines = rows.iter().map(|row| format!("{before}{}{after}\n", row.iter().map(block).collect::<String>()));
    write(&lines.collect::<String>());
}

/// A failure to write is ignored.
fn write(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// The escape sequences of ours (ECMA-48 sections 8.3.117 and 8.3.41).
const BOLD: &str = "\u{1b}[1m";
const BLACK_ON_WHITE: &str = "\u{1b}[30;47m";
const PLAIN: &str = "\u{1b}[0m";
const CLEAR: &str = "\r\u{1b}[2K";
