//! Links at a terminal (OSC 8): an address that a click opens.

use super::environment::variable;
use crate::message;

/// A link that shows its address, for a terminal that understands escape sequences; `None` if it is not known to show
/// links, or the address cannot be in one.
pub fn to(address: &str) -> Option<String> {
    // A terminal ignores a longer link. Escape sequences and what a user would not see have no place in one.
    let is_plain = address.bytes().all(|octet| octet.is_ascii_graphic()) && message::harmless(address) == address;
    let can_be_link = address.len() <= MAX_LENGTH && is_plain && are_shown();
    can_be_link.then(|| format!("{BEFORE}{address}{AFTER}{address}{BEFORE}{AFTER}"))
}

/// Whether the terminal is known to show links. It cannot be asked, and others might show the escape sequence.
fn are_shown() -> bool {
    let term = variable("TERM").unwrap_or_default();
    let version = |name: &str| variable(name).and_then(|version| version.parse::<u32>().ok()).unwrap_or_default();
    let is_known = || {
        version("VTE_VERSION") >= VTE
            || version("KONSOLE_VERSION") >= KONSOLE
            || variable("WT_SESSION").is_some()
            || variable("TERM_PROGRAM").is_some_and(|program| PROGRAMS.contains(&program.as_str()))
    };
    // A terminal in the terminal, such as that of screen or of an editor, inherits the variables, but has another TERM.
    TERMS.contains(&term.as_str()) || (term.starts_with("xterm") && is_known())
}

/// What stands before and after an address: with one between them, a link begins; with none, it ends.
const BEFORE: &str = "\u{1b}]8;;";
const AFTER: &str = "\u{1b}\\";

/// Maximum length of the address of a link in VTE, in octets.
const MAX_LENGTH: usize = 2083;

/// The terminals that show links, or ignore their escape sequences, by `TERM`. tmux passes links on, or leaves them out.
const TERMS: [&str; 8] =
    ["alacritty", "contour", "foot", "tmux", "tmux-256color", "wezterm", "xterm-ghostty", "xterm-kitty"];

/// The same by `TERM_PROGRAM`; mintty is in Cygwin and MSYS2.
const PROGRAMS: [&str; 6] = ["WezTerm", "ghostty", "iTerm.app", "mintty", "vscode", "zed"];

/// The first version of VTE that shows links: 0.50.1.
const VTE: u32 = 5001;

/// The first version of Konsole that shows links: 20.12.
const KONSOLE: u32 = 201_200;
