//! The terminal that standard error may be: its size, its styles, and what is written to fit them.

use std::io::{self, IsTerminal};

use rustix::termios::tcgetwinsize;

use super::environment::variable;
use super::link;
use crate::message;
use crate::standard_error;

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
    standard_error::write(&if is_styled() { format!("{BOLD}{line}{PLAIN}\n") } else { format!("{line}\n") });
}

/// Writes a sentence, [`folded`], and below it, on a line of its own, an address: a [link](link::to) if there can be one.
pub fn say_with_address(sentence: &str, indent: &str, address: &str) {
    let link = Some(address).filter(|_| is_styled()).and_then(link::to);
    let address = link.unwrap_or_else(|| message::harmless(address));
    standard_error::write(&format!("{}\n{indent}{address}\n", folded(sentence)));
}

/// The sentence on as many lines as the terminal needs, broken between words.
pub fn folded(sentence: &str) -> String {
    let columns = size().map_or(usize::MAX, |(columns, _)| columns);
    let (mut lines, mut width) = (String::new(), 0);
    for word in sentence.split(' ') {
        let length = word.chars().count();
        if width > 0 {
            let fits = width + 1 + length <= columns;
            lines.push(if fits { ' ' } else { '\n' });
            width = if fits { width + 1 } else { 0 };
        }
        lines.push_str(word);
        width += length;
    }
    lines
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
    standard_error::write(&lines.collect::<String>());
}

/// The escape sequences of ours (ECMA-48 sections 8.3.117 and 8.3.41).
const BOLD: &str = "\u{1b}[1m";
const BLACK_ON_WHITE: &str = "\u{1b}[30;47m";
const PLAIN: &str = "\u{1b}[0m";
