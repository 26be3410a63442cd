//! Reports a failure: on standard error to the user or a program, on standard output to the next tool.

use std::io::Write;

use super::output::{is_pipe, stdout};
use crate::document::Document;
use crate::document::members::{self, NO_REFRESH_TOKEN};
use crate::error::{Error, Kind};
use crate::message;

/// Writes the message to standard error, unless another tool reports it.
pub fn report(error: &Error) {
    if error.is_silent() {
        return;
    }
    message::say(&if message::is_json() { json(error) } else { text(error) });
}

/// The exit status of a failure. A tool that runs a COMMAND has COMMAND's status, so its own failures are other numbers,
/// which common programs do not use.
pub fn exit_status(error: &Error, has_command: bool) -> u8 {
    let own = error.kind().status();
    error.exit_status().unwrap_or(if has_command { own + WITH_COMMAND } else { own })
}

/// Writes the failure line for the next tool: to a pipe or a socket, and nowhere else.
pub fn write_line(error: &Error) {
    let Ok(mut stdout) = stdout() else { return };
    if is_pipe(&stdout) {
        let tool = error.tool().unwrap_or(message::name());
        let line = format!("!{} {} {tool}\n", error.kind().status(), error.kind().name());
        let _ = stdout.write_all(line.as_bytes());
    }
}

/// The failure in a line `!STATUS KIND TOOL`, written by an earlier tool.
pub fn parse_line(line: &[u8]) -> Option<Error> {
    let line = std::str::from_utf8(line).ok()?.strip_prefix('!')?;
    let mut words = line.trim_end_matches('\n').split(' ');
    let (status, kind, tool) = (words.next()?, words.next()?, words.next()?);
    let kind = Kind::ALL.into_iter().find(|known| known.name() == kind)?;
    let plain = tool.bytes().all(|octet| octet == b'-' || octet.is_ascii_lowercase());
    if !plain || words.next().is_some() || status != kind.status().to_string() {
        return None;
    }
    Some(Error::new(kind, "").passed_on_from(tool))
}

/// The message on one line, and the hint, if any, on a second, unless one line is all that is shown.
fn text(error: &Error) -> String {
    let message = message::printable(error.message());
    let hint = error.hint_text().map(str::to_owned).or_else(|| error.missing_member().and_then(missing_member_hint));
    let hint = hint.or_else(|| (error.kind() == Kind::LoginRequired).then(|| LOGIN_REQUIRED.to_owned()));
    match hint {
        Some(hint) => {
            let between = if error.is_one_line() { "; " } else { "\nhint: " };
            format!("{}: {message}{between}{}", message::name(), message::printable(&hint))
        }
        None => format!("{}: {message}", message::name()),
    }
}

/// The failure as one line of JSON.
fn json(error: &Error) -> String {
    let mut line = Document::default();
    line.set("tool", message::name());
    line.set_number("status", error.kind().status().into());
    line.set("kind", error.kind().name());
    line.set("message", &message::printable(error.message()));
    let oauth = error.oauth_error();
    let description = oauth.description.as_deref().map(message::shortened);
    for (name, text) in [
        ("member", error.member()),
        ("expected", error.mismatched().map(|values| values.expected.as_str())),
        ("received", error.mismatched().map(|values| values.received.as_str())),
        ("error", oauth.error.as_deref()),
        ("error_description", description.as_deref()),
        ("error_uri", oauth.uri.as_deref()),
        ("suberror", oauth.suberror.as_deref()),
    ] {
        line.set_given(name, text.map(message::printable).as_deref());
    }
    // Useless if it is cut or changed, so no character of it is sanitized, and a runner finds no command in it.
    if let Some(claims) = &oauth.claims {
        line.set_escaped("claims", claims);
    }
    if !oauth.codes.is_empty() {
        line.set_numbers("error_codes", &oauth.codes);
    }
    if let Some(status) = error.response_status() {
        line.set_number("http_status", status.into());
    }
    let attempts = error.attempted().iter().map(|(url, outcome)| {
        let mut attempt = Document::default();
        attempt.set("url", &message::printable(url));
        attempt.set("outcome", &message::printable(outcome));
        attempt
    });
    let attempts: Vec<Document> = attempts.collect();
    if !attempts.is_empty() {
        line.set_objects("attempts", &attempts);
    }
    line.line().trim_end().to_owned()
}

/// What to do about a failure that requires a new login.
const LOGIN_REQUIRED: &str = "run the login again";

/// What a COMMAND adds to the exit status of a failure: below are the programs' own numbers, above are the shells' and
/// those of timeout(1), which begin at 124.
const WITH_COMMAND: u8 = 110;

/// The tool or the option that adds a missing member.
fn missing_member_hint(name: &str) -> Option<String> {
    let member = members::named(name)?;
    let this = message::name();
    match member.added_by {
        _ if name == "refresh_token" => Some(NO_REFRESH_TOKEN.to_owned()),
        "pkce-url" if ["pkce-device", "pkce-url"].contains(&this) && name == "client_id" => {
            Some("set it with --client-id or PKCE_CLIENT_ID".to_owned())
        }
        // In `pkce-discover ISSUER | pkce-gen | pkce-url`, nobody reads the metadata.
        tool if [("pkce-url", "authorization_endpoint"), ("pkce-device", "device_authorization_endpoint")]
            .contains(&(this, name)) =>
        {
            Some(format!("{tool} adds it; to make pkce-gen read it from a pipe: pkce-gen -"))
        }
        "pkce-url" if this == "pkce-url" => Some(format!("set it with --{}", name.replace('_', "-"))),
        tool if tool == this => None,
        // Not every server has every endpoint.
        tool if member.is_optional => Some(format!("{tool} adds it if the server names one")),
        tool => Some(format!("{tool} adds it")),
    }
}
