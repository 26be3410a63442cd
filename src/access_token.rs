//! A valid access token, now: the kept one, or a refreshed one (RFC 6749 section 6), and never asking a person.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::endpoint::Caller;
use crate::store::{Lock, Name, Store, nothing};
use crate::{Document, Error, Kind, token};

/// What is wanted of the token.
pub struct Wish {
    /// Seconds that it must live for.
    pub min_ttl: u64,
    /// Whether another one is wanted, since an API refused the kept one.
    pub refresh: bool,
}

/// The document with a valid access token that is kept under this name; refreshed and kept again where it must be.
pub fn current(name: &Name, wish: &Wish, caller: &Caller) -> Result<Document, Error> {
    let timeout = caller.timeout();
    let store = Store::open()?.ok_or_else(|| nothing(name))?;
    let first = store.read(name, timeout)?.ok_or_else(|| nothing(name))?;
    if !wish.refresh && lives(&first, wish.min_ttl)? {
        return Ok(first);
    }
    let lock = store.lock(name, timeout)?;
    let document = store.read(name, timeout)?.ok_or_else(|| nothing(name))?;
    // Somebody was faster: a token from after this process began is good enough, however short its life.
    if document.json("access_token") != first.json("access_token") && lives(&document, 0)? {
        return Ok(document);
    }
    let Some(refresh_token) = document.text("refresh_token")? else {
        return match !wish.refresh && lives(&document, 0)? {
            true => Ok(document),
            false => {
                Err(Error::new(Kind::LoginRequired, "refresh_token: missing, and the access token is of no more use"))
            }
        };
    };
    refreshed(&store, &lock, document, &refresh_token, caller, timeout).or_else(|error| {
        // Without the lock somebody may have kept another document meanwhile.
        let again = store.read(name, timeout).ok().flatten();
        let other = again.filter(|again| again.json("refresh_token") != first.json("refresh_token"));
        match other {
            Some(other) if error.kind == Kind::LoginRequired && lives(&other, 0)? => Ok(other),
            _ => Err(error),
        }
    })
}

/// Refreshes the document and keeps it. What can fail is tried before the token is sent, and what was sent is recorded.
fn refreshed(
    store: &Store,
    lock: &Lock,
    document: Document,
    refresh_token: &str,
    caller: &Caller,
    timeout: Duration,
) -> Result<Document, Error> {
    let attempts = store.attempts(lock, refresh_token);
    if attempts >= ATTEMPTS {
        let wrong = "refresh_token: sent twice without an answer, so it may be spent";
        return Err(Error::new(Kind::LoginRequired, wrong));
    }
    let reserved = store.prepare(lock, &document, timeout)?;
    store.record(lock, refresh_token, attempts + 1)?;
    let after = match token::refresh(document, caller, None, None) {
        Ok(after) => after,
        // Nothing was sent, or the server has answered: there is nothing to try again.
        Err(error) if error.kind != Kind::LoginRequired || error.report.error.is_some() => {
            store.record(lock, refresh_token, attempts)?;
            return Err(error);
        }
        Err(error) => return Err(error),
    };
    store.fill(lock, reserved, &after, timeout).map_err(|mut error| {
        error.kind = Kind::LoginRequired;
        error.report.message.push_str("; the new tokens that the server gave cannot be had again");
        error
    })?;
    store.record(lock, refresh_token, 0)?;
    Ok(after)
}

/// Whether the access token lives for so many seconds more; one whose end is not known does.
fn lives(document: &Document, seconds: u64) -> Result<bool, Error> {
    document.need("access_token")?;
    let Some(json) = document.json("expires_at") else { return Ok(true) };
    let end: u64 = json.parse().map_err(|_| Error::member("expires_at", "must be a whole number of seconds"))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Ok(end > now.saturating_add(seconds))
}

/// How often a refresh token is sent that no answer came for.
const ATTEMPTS: u32 = 2;
