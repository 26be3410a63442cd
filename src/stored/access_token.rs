//! A valid access token, now: the kept one, or a refreshed one (RFC 6749 section 6), and never asking a person.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::document::OFFLINE;
use crate::endpoint::Caller;
use crate::jws::Jws;
use crate::store::{Kept, Lock, Name, Store, nothing};
use crate::tool::Deadline;
use crate::{Document, Error, Kind, signals, token, tool};

/// What is wanted of the token.
pub struct Wish {
    /// Seconds that it must live for.
    pub min_ttl: u64,
    /// Whether another one is wanted, since an API refused the kept one.
    pub refresh: bool,
}

/// The document with a valid access token that is kept under this name; refreshed and kept again where it must be.
pub fn current(name: &Name, wish: &Wish, caller: &Caller) -> Result<Document, Error> {
    let started = SystemTime::now();
    let deadline = Deadline::after(caller.timeout());
    let store = Store::open()?.ok_or_else(|| nothing(name))?;
    let read = || store.read(name, &deadline)?.ok_or_else(|| nothing(name));
    let first = read()?;
    // A token that was fetched after this began is good enough, however short its life: another process was faster.
    let is_new = |kept: &Kept| {
        let other = kept.document.json("access_token") != first.document.json("access_token");
        Ok::<_, Error>((other || kept.written >= started) && lives(&kept.document, 0)?)
    };
    if is_new(&first)? || !wish.refresh && lives(&first.document, wish.min_ttl)? {
        return Ok(first.document);
    }
    let lock = store.lock(name, &deadline)?;
    store.recover(&lock, &deadline)?;
    let kept = read()?;
    if is_new(&kept)? {
        return Ok(kept.document);
    }
    let document = kept.document;
    let usable = !wish.refresh && lives(&document, 0)?;
    let Some(refresh_token) = document.text("refresh_token")? else {
        return match usable {
            true => Ok(document),
            false => {
                let wrong = "access_token: missing, expired or refused, and there is no refresh token";
                Err(Error::new(Kind::LoginRequired, wrong).hint(OFFLINE))
            }
        };
    };
    let error = match refreshed(&store, &lock, &document, &refresh_token, caller, &deadline) {
        Ok(document) => return Ok(document),
        Err(error) if error.kind != Kind::LoginRequired => return Err(error),
        Err(error) => error,
    };
    // Somebody may have kept another document meanwhile, without asking for the lock.
    match store.read(name, &Deadline::after(caller.timeout())) {
        Ok(Some(again)) if is_new(&again)? => Ok(again.document),
        _ if usable => {
            tool::note("the token lives for less than --min-ttl, and cannot be refreshed");
            Ok(document)
        }
        _ => Err(error),
    }
}

/// Refreshes the document and keeps it. What can fail is tried before the token is sent, and what was sent is recorded.
fn refreshed(
    store: &Store,
    lock: &Lock,
    document: &Document,
    refresh_token: &str,
    caller: &Caller,
    deadline: &Deadline,
) -> Result<Document, Error> {
    let claims = document.object("id_token_claims")?;
    let reserved = store.prepare(lock, document, deadline)?;
    let cut_off = store.is_recorded(lock, refresh_token);
    store.record(lock, refresh_token)?;
    signals::after_this(|| {
        let after = match token::refresh(document.clone(), &caller.within(deadline), None, None) {
            Ok(after) => after,
            // What may be spent stays on record, for the next process to try once more.
            Err(error) if error.report.spent => return Err(error),
            Err(mut error) => {
                if !cut_off || error.report.error.is_some() {
                    store.forget(lock)?;
                }
                if cut_off && error.kind == Kind::LoginRequired {
                    error.report.hint =
                        Some("an earlier refresh was cut off before its answer was kept, and had spent it".to_owned());
                }
                return Err(error);
            }
        };
        check_person(claims.as_ref(), &after)?;
        // The tokens are at stake, so this has a time of its own.
        store.fill(lock, reserved, &after, &Deadline::after(caller.timeout())).map_err(|mut error| {
            error.kind = Kind::LoginRequired;
            error.report.message.push_str("; the new tokens that the server gave cannot be had again");
            error
        })?;
        store.forget(lock)?;
        Ok(after)
    })
}

/// The claims of a new ID token must be of the same issuer and person as the verified ones of the login (OpenID Connect
/// Core section 12.2). Its signature stays unchecked: it came from the token endpoint itself.
fn check_person(claims: Option<&Document>, after: &Document) -> Result<(), Error> {
    let (Some(claims), Some(id_token)) = (claims, after.text("id_token")?) else {
        return Ok(());
    };
    let wrong = |wrong: &str| Error::untrusted(format!("id_token: {wrong}"));
    let jws = Jws::parse(&id_token).map_err(|reason| wrong(&reason))?;
    let new = Document::parse(&jws.payload).map_err(|reason| wrong(&reason))?;
    match ["iss", "sub"].into_iter().find(|name| claims.text(name).ok() != new.text(name).ok()) {
        Some(name) => Err(wrong(&format!("{name}: not that of the login; the refreshed tokens are not kept"))),
        None => Ok(()),
    }
}

/// Whether there is an access token that lives for so many seconds more; one whose end is not known does.
fn lives(document: &Document, seconds: u64) -> Result<bool, Error> {
    if document.text("access_token")?.is_none() {
        return Ok(false);
    }
    let Some(json) = document.json("expires_at") else { return Ok(true) };
    let end: u64 = json.parse().map_err(|_| Error::member("expires_at", "must be a whole number of seconds"))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Ok(end > now.saturating_add(seconds))
}
