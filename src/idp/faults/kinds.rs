//! All kinds of fault, and what `--list-faults` prints of them.

use std::sync::LazyLock;

use super::kind::{Kind, Place};
use super::{device, id_token, jwks, laxity, metadata, poll, push, redirect, refresh, registration, response, token};

/// The lines of `--list-faults`: name, exit status of a pipeline that meets it, what the server does, what a correct
/// client does then.
pub fn list() -> Vec<String> {
    let width = KINDS.iter().map(|kind| kind.name.len()).max().unwrap_or_default();
    let line = |kind: &Kind| format!("{:<width$} {}  {} -> {}", kind.name, kind.status, kind.does, advice(kind));
    KINDS.iter().map(line).collect()
}

/// What a correct client does.
fn advice(kind: &Kind) -> &'static str {
    match (kind.place, kind.status) {
        _ if kind.name == "device-interval-hour" => POLL_AGAIN,
        (Place::Poll, 3) if kind.name != "poll-expired_token" => POLL_AGAIN,
        (Place::Everywhere, 0) => "continue; examples/check-provider.sh detects it",
        (_, 0) => "continue",
        (_, 1) => "stop and show the server's error",
        (_, 2) => "stop and name what is missing",
        (Place::Redirect, 3) => "ignore it and wait for a correct redirect",
        (_, 3) => "stop; nothing is spent, so retry later",
        (_, 4) => "stop and use nothing from the response",
        _ => "stop; a new login is required",
    }
}

/// All kinds: first those that every endpoint has, then the particular ones in the order of a login.
pub static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| {
    [
        response::kinds(),
        metadata::KINDS.to_vec(),
        registration::KINDS.to_vec(),
        push::KINDS.to_vec(),
        device::KINDS.to_vec(),
        redirect::kinds(),
        token::kinds(),
        refresh::KINDS.to_vec(),
        poll::KINDS.to_vec(),
        id_token::KINDS.to_vec(),
        jwks::KINDS.to_vec(),
        laxity::KINDS.to_vec(),
    ]
    .concat()
});

/// What a correct client does while the user may still approve.
const POLL_AGAIN: &str = "poll again after the interval while the device code is valid; then retry later";
