//! RFC 8628 section 3.2: the device authorization response.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::client::endpoint::{REMOTE_TO_LOCAL, is_remote_to_local};
use crate::client::{lifetime, poll};
use crate::document::Document;
use crate::error::Error;
use crate::message;
use crate::wire::url::Url;

/// What the user is shown, and what the polls need.
pub struct Authorization {
    /// The secret of the polls.
    pub device_code: Zeroizing<String>,
    /// What the user enters.
    pub user_code: String,
    /// Where.
    pub verification_uri: String,
    /// The same with the code in it, if the server has that.
    pub link: Option<String>,
    /// How long the codes are valid, if the server says so.
    pub lifetime: Option<Duration>,
    /// The minimum time between two polls.
    pub interval: Duration,
}

impl Authorization {
    /// The authorization in the response of this endpoint.
    pub fn from_response(response: Document, endpoint: &Url) -> Result<Authorization, Error> {
        let device_code = response.need_visible("device_code")?;
        let user_code = response.need("user_code")?;
        if !is_user_code(&user_code) {
            return Err(response.wrong("user_code", NO_USER_CODE));
        }
        // Google's name, of an early draft.
        let is_draft = !response.has("verification_uri") && response.has("verification_url");
        let name = if is_draft { "verification_url" } else { "verification_uri" };
        let verification_uri = address(&response, name, endpoint)?;
        let link = response.has(LINK).then(|| address(&response, LINK, endpoint)).transpose();
        let link = link.unwrap_or_else(|error| {
            message::note(&format!("{}; left out", error.message()));
            None
        });
        let seconds = response.json("expires_in").and_then(lifetime::seconds).filter(|seconds| *seconds > 0.0);
        Ok(Authorization {
            device_code,
            user_code,
            link: link.filter(|link| *link != verification_uri),
            verification_uri,
            lifetime: seconds.map(|seconds| Duration::from_secs_f64(seconds.max(1.0))),
            interval: poll::interval(&response).unwrap_or(DEFAULT_INTERVAL),
        })
    }
}

/// The address in this member, which a browser may open: https, or http where that is allowed; a fragment is a page's own.
fn address(response: &Document, name: &str, endpoint: &Url) -> Result<String, Error> {
    let text = response.need(name)?;
    let (before, fragment) = text.split_once('#').unwrap_or((&text, ""));
    let url = Url::parse(before).map_err(|wrong| wrong.for_member(response, name))?;
    if is_remote_to_local(endpoint, &url) {
        return Err(response.wrong(name, REMOTE_TO_LOCAL));
    }
    if !fragment.bytes().all(|octet| octet.is_ascii_graphic()) || !is_shown_as_it_is(&text) {
        return Err(response.wrong(name, NOT_PRINTABLE));
    }
    Ok(text)
}

/// Whether it can be a user code: with many characters or with spaces, a server could write lines of its own.
fn is_user_code(text: &str) -> bool {
    let words = text.split(' ').all(|word| !word.is_empty());
    words && text.len() <= MAX_USER_CODE && is_shown_as_it_is(text)
}

/// Whether the user sees this text as the server sent it.
fn is_shown_as_it_is(text: &str) -> bool {
    text.len() <= MAX_SHOWN && message::harmless(text) == text
}

/// The member with the code in the address.
const LINK: &str = "verification_uri_complete";

/// The interval where the server names none (RFC 8628 section 3.2).
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);

/// Maximum length in octets of what is shown: a QR code has room for 2,953.
const MAX_SHOWN: usize = 2000;

/// Maximum length of a user code in octets, which is to be typed (RFC 8628 section 6.1).
const MAX_USER_CODE: usize = 64;

const NO_USER_CODE: &str = "must be printable characters, 64 at most, without double spaces";

const NOT_PRINTABLE: &str = "must be printable characters, 2000 at most";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lets_no_remote_server_lead_to_this_machine() {
        let endpoint = Url::parse("https://id.example.com/device_authorization").ok().unwrap();
        let read = |uri: &str, link: &str| {
            let mut response = Document::empty_response("device authorization endpoint");
            let members = [("device_code", "d"), ("user_code", "A"), ("verification_uri", uri), (LINK, link)];
            members.into_iter().for_each(|(name, value)| response.set(name, value));
            Authorization::from_response(response, &endpoint).map(|authorization| authorization.link)
        };
        let (far, near) = ("https://id.example.com/device", "https://localhost/device?code=A");
        assert_eq!(read(far, near).ok(), Some(None));
        assert_eq!(read(far, "https://id.example.net/?A").ok().flatten().as_deref(), Some("https://id.example.net/?A"));
        let error = read(near, far).err().unwrap();
        let wrong = "device authorization endpoint: verification_uri: a remote server must not point to this machine";
        assert_eq!((error.message(), error.kind()), (wrong, crate::error::Kind::Untrusted));
    }
}
