//! A valid access token, now: the kept one, or a refreshed one (RFC 6749 section 6), and never asking a person.

use std::time::{SystemTime, UNIX_EPOCH};

use super::lock::Lock;
use super::store::{Name, Store, Stored, not_stored};
use crate::client::authentication::Caller;
use crate::document::Document;
use crate::document::members::NO_REFRESH_TOKEN;
use crate::error::{Error, Kind};
use crate::id_token::jws::Jws;
use crate::login::token;
use crate::message;
use crate::process::{Deadline, signals};

/// How fresh the token must be.
pub struct Freshness {
    /// Seconds for which it must be valid.
    pub min_ttl: u64,
    /// Whether a new one is needed, since an API refused the stored one.
    pub refresh: bool,
}

/// The document with a valid access token that is kept under this name; refreshed and kept again where it must be.
pub fn current(name: &Name, freshness: &Freshness, caller: &Caller) -> Result<Document, Error> {
    let started = SystemTime::now();
    let deadline = caller.deadline();
    let store = Store::open()?.ok_or_else(|| not_stored(name))?;
    let read = || store.read(name, &deadline)?.ok_or_else(|| not_stored(name));
    let first = read()?;
    // A token that was fetched after this began is good enough, however short its life: another process was faster.
    let is_new = |kept: &Stored| {
        let other = kept.document.json("access_token") != first.document.json("access_token");
        Ok::<_, Error>((other || kept.written >= started) && valid_for(&kept.document, 0)?)
    };
    if is_new(&first)? || !freshness.refresh && valid_for(&first.document, freshness.min_ttl)? {
        return Ok(first.document);
    }
    let lock = Lock::acquire(&store, name, &deadline)?;
    lock.recover(&deadline)?;
    let kept = read()?;
    if is_new(&kept)? {
        return Ok(kept.document);
    }
    let document = kept.document;
    let usable = !freshness.refresh && valid_for(&document, 0)?;
    let Some(refresh_token) = document.text("refresh_token")? else {
        return match usable {
            true => Ok(document),
            false => {
                let wrong = "access_token: missing, expired or refused, and there is no refresh token";
                Err(Error::login_required(wrong).hint(NO_REFRESH_TOKEN))
            }
        };
    };
    let error = match refreshed(&lock, &document, &refresh_token, caller, &deadline) {
        Ok(document) => return Ok(document),
        Err(error) if error.kind() != Kind::LoginRequired => return Err(error),
        Err(error) => error,
    };
    // Somebody may have kept another document meanwhile, without asking for the lock.
    match store.read(name, &caller.deadline()) {
        Ok(Some(again)) if is_new(&again)? => Ok(again.document),
        _ if usable => {
            message::note("the token expires within --min-ttl and cannot be refreshed");
            Ok(document)
        }
        _ => Err(error),
    }
}

/// Refreshes the document and keeps it. What can fail is tried before the token is sent, and what was sent is recorded.
fn refreshed(
    lock: &Lock,
    document: &Document,
    refresh_token: &str,
    caller: &Caller,
    deadline: &Deadline,
) -> Result<Document, Error> {
    let claims = document.object("id_token_claims")?;
    let reserved = lock.prepare(document, deadline)?;
    let cut_off = lock.is_recorded(refresh_token);
    lock.record(refresh_token)?;
    signals::after_this(|| {
        let after = match token::refresh(document.clone(), None, None, caller, deadline) {
            Ok(after) => after,
            // What may be spent stays on record, for the next process to try once more.
            Err(error) if error.is_spent() => return Err(error),
            Err(error) => {
                if !cut_off || error.code().is_some() {
                    lock.forget()?;
                }
                return Err(match error.kind() {
                    Kind::LoginRequired if cut_off => error.hint(CUT_OFF),
                    _ => error,
                });
            }
        };
        check_person(claims.as_ref(), &after)?;
        // The tokens are at stake, so this has a time of its own.
        lock.fill(reserved, &after, &caller.deadline()).map_err(|error| error.losing(NEW_TOKENS_LOST))?;
        lock.forget()?;
        Ok(after)
    })
}

/// The claims of a new ID token must be of the same issuer and person as the verified ones of the login (OpenID Connect
/// Core section 12.2). Its signature stays unchecked: it came from the token endpoint itself.
fn check_person(claims: Option<&Document>, after: &Document) -> Result<(), Error> {
    let (Some(claims), Some(id_token)) = (claims, after.text("id_token")?) else {
        return Ok(());
    };
    let new = Jws::parse(&id_token)?.claims()?;
    match ["iss", "sub"].into_iter().find(|name| claims.text(name).ok() != new.text(name).ok()) {
        Some(name) => Err(new.wrong(name, "differs from that of the login; the refreshed tokens are not stored")),
        None => Ok(()),
    }
}

/// Whether there is an access token that lives for so many seconds more; one whose end is not known does.
fn valid_for(document: &Document, seconds: u64) -> Result<bool, Error> {
    if document.text("access_token")?.is_none() {
        return Ok(false);
    }
    let Some(end) = document.seconds("expires_at")? else { return Ok(true) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Ok(end > now.saturating_add(seconds))
}

const NEW_TOKENS_LOST: &str = "the new tokens issued by the server are lost";

const CUT_OFF: &str = "an earlier refresh was interrupted before its response was stored, and had spent the token";
