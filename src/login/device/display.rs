//! RFC 8628 section 3.3: what the user is shown.

use super::authorization::Authorization;
use super::qr;
use crate::message;
use crate::process::terminal;

/// Shows the code and where to enter it: the QR code first, so that the code is in view at the end. Without `qr`, the QR
/// code is shown if the terminal has room for all of it.
pub fn show(authorization: &Authorization, qr: Option<bool>) {
    let name = message::name();
    let uri = &authorization.verification_uri;
    let by_code = format!("{name}: to sign in, open this URL on any device and enter the code:");
    let by_link = format!("{name}: or open this link, which has the code in it:");
    let code = format!("{INDENT}{}", authorization.user_code);
    let link = authorization.link.as_ref();
    let size = terminal::size();
    if qr != Some(false) {
        let below = |sentence: &str, address: &str| format!("{}\n{INDENT}{address}\n", terminal::folded(sentence));
        let text = below(&by_code, uri) + &code + "\n" + &link.map_or(String::new(), |link| below(&by_link, link));
        let lines: Vec<&str> = text.lines().collect();
        let fits = |width: usize, height: usize| match size {
            Some((columns, rows)) => width <= columns && height + height_of(&lines, columns) < rows,
            None => qr == Some(true),
        };
        let target = link.unwrap_or(uri);
        if let Some(rows) = qr::rows(target, qr == Some(true), fits) {
            terminal::draw(&rows);
        }
    }
    terminal::say_with_address(&by_code, INDENT, uri);
    terminal::say_in_bold(&code);
    if let Some(link) = link {
        terminal::say_with_address(&by_link, INDENT, link);
    }
}

/// How many rows of a terminal the lines take.
fn height_of(lines: &[&str], columns: usize) -> usize {
    lines.iter().map(|line| line.chars().count().div_ceil(columns)).sum()
}

/// What makes a line of its own easy to see and to copy.
const INDENT: &str = "    ";
