//! RFC 8628 section 3.3: what the user is shown.

use super::authorization::Authorization;
use super::qr;
use crate::message;
use crate::process::terminal;

/// Shows the code and where to enter it: the QR code first, so that the code is in view at the end. Without `qr`, the QR
/// code is shown if the terminal has room for all of it.
pub fn show(authorization: &Authorization, qr: Option<bool>) {
    let name = message::name();
    let address = format!(
        "{name}: to sign in, open this URL on any device and enter the code:\n{INDENT}{}",
        authorization.verification_uri
    );
    let code = format!("{INDENT}{}", authorization.user_code);
    let link = authorization.link.as_ref();
    let link_line = link.map(|link| format!("{name}: or open this link, which has the code in it:\n{INDENT}{link}"));
    let size = terminal::size();
    if qr != Some(false) {
        let text = [Some(&address), Some(&code), link_line.as_ref()].into_iter().flatten();
        let lines: Vec<&str> = text.flat_map(|text| text.split('\n')).collect();
        let fits = |width: usize, height: usize| match size {
            Some((columns, rows)) => width <= columns && height + height_of(&lines, columns) < rows,
            None => qr == Some(true),
        };
        let target = link.unwrap_or(&authorization.verification_uri);
        if let Some(rows) = qr::rows(target, qr == Some(true), fits) {
            terminal::draw(&rows);
        }
    }
    message::say(&address);
    terminal::say_in_bold(&code);
    if let Some(link_line) = link_line {
        message::say(&link_line);
    }
}

/// How many rows of a terminal the lines take.
fn height_of(lines: &[&str], columns: usize) -> usize {
    lines.iter().map(|line| line.chars().count().div_ceil(columns)).sum()
}

/// What makes a line of its own easy to see and to copy.
const INDENT: &str = "    ";
