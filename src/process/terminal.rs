//! The terminal that standard error may be: its size, and what is styled there.

use std::io::{self, IsTerminal};

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
    message::write(&if is_styled() { format!("{BOLD}{line}{PLAIN}\n") } else { format!("{line}\n") });
}

/// Writes a sentence, [`folded`], and below it, on a line of its own, an address, [`message::harmless`]: a link if the
/// terminal is known to show links.
pub fn say_with_address(sentence: &str, indent: &str, address: &str) {
    let shown = message::harmless(address);
    // A terminal ignores a longer link. Escape sequences and what a user would not see have no place in one.
    let can_be_link = address.len() <= MAX_LINK && address.bytes().all(|octet| octet.is_ascii_graphic());
    let address = if can_be_link && shown == address && shows_links() {
        format!("{LINK}{address}{END}{shown}{LINK}{END}")
    } else {
        shown
    };
    message::write(&format!("{}\n{indent}{address}\n", folded(sentence)));
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

/// Whether the terminal is known to show links (OSC 8). It cannot be asked, and others might show the escape sequence.
fn shows_links() -> bool {
    let term = variable("TERM").unwrap_or_default();
    let version = |name: &str| variable(name).and_then(|version| version.parse::<u32>().ok()).unwrap_or_default();
    let is_known = || {
        version("VTE_VERSION") >= VTE_WITH_LINKS
            || version("KONSOLE_VERSION") >= KONSOLE_WITH_LINKS
            || variable("WT_SESSION").is_some()
            || variable("TERM_PROGRAM").is_some_and(|program| PROGRAMS_WITH_LINKS.contains(&program.as_str()))
    };
    // A terminal in the terminal, such as that of screen or of an editor, inherits the variables, but has another TERM.
    is_styled() && (TERMS_WITH_LINKS.contains(&term.as_str()) || (term.starts_with("xterm") && is_known()))
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
    message::write(&lines.collect::<String>());
}

/// The escape sequences of ours (ECMA-48 sections 8.3.117 and 8.3.41).
const BOLD: &str = "\u{1b}[1m";
const BLACK_ON_WHITE: &str = "\u{1b}[30;47m";
const PLAIN: &str = "\u{1b}[0m";

/// What begins a link, before its address (OSC 8), and what ends an address; without one, it ends the link.
const LINK: &str = "\u{1b}]8;;";
const END: &str = "\u{1b}\\";

/// Maximum length of the address of a link in VTE, in octets.
const MAX_LINK: usize = 2083;

/// The terminals that show links, or ignore their escape sequences: by `TERM`, by `TERM_PROGRAM` (mintty is in Cygwin and
/// MSYS2), and the first versions of VTE (0.50.1) and Konsole (20.12). tmux passes links on, or leaves them out.
const TERMS_WITH_LINKS: [&str; 8] =
    ["alacritty", "contour", "foot", "tmux", "tmux-256color", "wezterm", "xterm-ghostty", "xterm-kitty"];
const PROGRAMS_WITH_LINKS: [&str; 6] = ["WezTerm", "ghostty", "iTerm.app", "mintty", "vscode", "zed"];
const VTE_WITH_LINKS: u32 = 5001;
const KONSOLE_WITH_LINKS: u32 = 201_200;
