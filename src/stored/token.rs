//! The tokens of a stored login that are handed out, and how long each is valid.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

use crate::document::Document;
use crate::document::members::REFUSED;
use crate::error::Error;
use crate::id_token::jws;
use crate::message;

/// A token that is handed out.
#[derive(Clone, Copy, PartialEq)]
pub enum Token {
    /// The access token.
    Access,
    /// The ID token, for a program that verifies it.
    Id,
}

/// A token, and when it expires.
pub struct Credential {
    /// The token.
    pub text: Zeroizing<String>,
    /// Which token it is.
    pub token: Token,
    /// When it expires, in Unix seconds; `None` if unknown.
    pub expires_at: Option<u64>,
}

/// When a token expires, in Unix seconds, and its whole lifetime in seconds; each is `None` if unknown.
struct Validity {
    expires_at: Option<u64>,
    lifetime: Option<u64>,
}

impl Token {
    /// The member of the document that holds it.
    pub fn member(self) -> &'static str {
        match self {
            Token::Access => "access_token",
            Token::Id => "id_token",
        }
    }

    /// The document's token, for the scheme Bearer (RFC 6750 section 2.1).
    pub fn credential(self, document: &Document) -> Result<Credential, Error> {
        let other_type = |name: String| !name.eq_ignore_ascii_case("Bearer");
        if self == Token::Access && document.text("token_type")?.is_some_and(other_type) {
            return Err(document.wrong("token_type", "not Bearer, so no header can be made for it").as_untrusted());
        }
        let text = document.need_visible(self.member())?;
        Ok(Credential { text, token: self, expires_at: self.expires_at(document)? })
    }

    /// When the document's token expires, in Unix seconds; `None` if unknown.
    pub fn expires_at(self, document: &Document) -> Result<Option<u64>, Error> {
        Ok(self.validity(document)?.expires_at)
    }

    /// Seconds for which the token must remain valid: the given ones, if a new token would.
    pub fn min_ttl(self, document: &Document, given: Option<u64>) -> u64 {
        // A malformed lifetime is unknown: the expiry is what counts.
        let lifetime = self.validity(document).ok().and_then(|validity| validity.lifetime);
        match (given, lifetime) {
            (None, lifetime) => DEFAULT_MIN_TTL.min(lifetime.unwrap_or(u64::MAX) / 2),
            (Some(seconds), Some(lifetime)) if seconds >= lifetime.max(1) => {
                message::note("--min-ttl: not less than the token's lifetime; using half of the lifetime");
                lifetime / 2
            }
            (Some(seconds), _) => seconds,
        }
    }

    /// Whether the document's token remains valid for so many seconds; one of unknown expiry does.
    pub fn is_valid_for(self, document: &Document, seconds: u64) -> Result<bool, Error> {
        if document.text(self.member())?.is_none() {
            return Ok(false);
        }
        let Validity { expires_at, lifetime } = self.validity(document)?;
        let Some(end) = expires_at else { return Ok(true) };
        let now = unix_seconds(SystemTime::now());
        // No token remains valid for longer than its lifetime: the clock jumped, or the expiry is wrong.
        let latest = lifetime.map(|lifetime| now.saturating_add(lifetime).saturating_add(CLOCK_SKEW));
        Ok(end > now.saturating_add(seconds) && latest.is_none_or(|latest| end <= latest))
    }

    /// Whether the document's token had expired by this time.
    pub fn had_expired(self, document: &Document, time: SystemTime) -> bool {
        let expires_at = self.expires_at(document).ok().flatten();
        expires_at.is_some_and(|end| end.saturating_add(CLOCK_SKEW) < unix_seconds(time))
    }

    fn validity(self, document: &Document) -> Result<Validity, Error> {
        let id_token = if self == Token::Id { document.text("id_token")?.map(Zeroizing::new) } else { None };
        let Some(id_token) = id_token else {
            let lifetime = document.seconds("expires_in").ok().flatten();
            return Ok(Validity { expires_at: document.seconds("expires_at")?, lifetime });
        };
        let claims = jws::unverified_claims(&id_token)?;
        let seconds = |name| jws::numeric_date(&claims, name).map(|time| time.map(|time| time.max(0.0) as u64));
        let exp = seconds("exp")?.ok_or_else(|| claims.wrong("exp", "missing"))?;
        let lifetime = seconds("iat").ok().flatten().map(|iat| exp.saturating_sub(iat));
        Ok(Validity { expires_at: Some(exp), lifetime })
    }

    /// Expires the document's token, which a server refused. An ID token shows its own expiry, so it is removed; the next
    /// refresh brings both tokens, if there can be one.
    pub fn refuse(self, document: &mut Document) {
        if self == Token::Id {
            document.remove(&["id_token"]);
        }
        if self == Token::Access || document.has("refresh_token") {
            document.set_number("expires_at", REFUSED);
        }
    }

    /// Whether a refresh may bring the token: an ID token that is missing came with no token response before, unless it
    /// was refused.
    pub fn is_renewable(self, document: &Document) -> bool {
        self == Token::Access
            || document.has("id_token")
            || document.seconds("expires_at").ok().flatten() == Some(REFUSED)
    }

    /// What the caller of an API needs of the document; the refresh token stays in the store.
    pub fn shown(self, mut document: Document) -> Result<Document, Error> {
        let members: &[&str] = match self {
            Token::Access => &["access_token", "token_type", "expires_at", "scope", "resource", "issuer"],
            Token::Id => &["id_token", "expires_at", "issuer"],
        };
        if let (Token::Id, Some(seconds)) = (self, self.expires_at(&document)?) {
            document.set_number("expires_at", seconds);
        }
        document.retain(|name, _| members.contains(&name));
        Ok(document)
    }

    /// Adds what to do if the other token is missing from what is [`Self::shown`].
    pub fn or_other(self, error: Error) -> Error {
        let other = if self == Token::Id { Token::Access } else { Token::Id };
        if error.member() == Some(other.member()) { error.hint(ID_TOKEN) } else { error }
    }
}

fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// What to do where `--raw` names the other token.
const ID_TOKEN: &str = "--id-token is for the ID token, and without it the access token is used";

/// Seconds for which a token must remain valid by default: enough for a command that starts with it.
const DEFAULT_MIN_TTL: u64 = 60;

/// Seconds by which two clocks may differ.
pub const CLOCK_SKEW: u64 = 60;
