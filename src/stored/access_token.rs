//! A valid access token: the stored one, or a refreshed one (RFC 6749 section 6), without prompting the user.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

use super::lock::Lock;
use super::name::Name;
use super::seal;
use super::store::{Store, Stored, not_stored};
use crate::client::authentication::{Authentication, Caller};
use crate::client::redaction::without_secrets;
use crate::client::token_request::TokenRequest;
use crate::document::Document;
use crate::document::members::NO_REFRESH_TOKEN;
use crate::error::{Error, Kind};
use crate::id_token::jws::Jws;
use crate::login::token;
use crate::message;
use crate::process::{Deadline, signals};

/// How fresh the token must be.
pub struct Freshness {
    /// Seconds for which it must remain valid; `None` for 60, or half its lifetime if that is less.
    pub min_ttl: Option<u64>,
    /// Whether a new one is required, since an API refused the stored one.
    pub refresh: bool,
}

/// The document stored under this name, with a valid access token; refreshed as the options say and stored again if
/// necessary.
pub fn current(name: &Name, freshness: &Freshness, options: &TokenRequest, caller: &Caller) -> Result<Document, Error> {
    seal::check()?;
    let started = SystemTime::now();
    let deadline = caller.deadline();
    let store = Store::open()?.ok_or_else(|| not_stored(name))?;
    let first = store.read(name, &deadline)?.ok_or_else(|| not_stored(name))?;
    // A token fetched after this began is accepted, however short its lifetime: another process was faster.
    let token = first.document.json("access_token").map(|token| Zeroizing::new(token.to_owned()));
    let is_new = |stored: &Stored| {
        let is_other = stored.document.json("access_token") != token.as_ref().map(|token| token.as_str());
        stored.document.has("access_token") && (is_other || was_written_since(started, stored))
    };
    let is_good = |document: &Document| valid_for(document, min_ttl(document, freshness.min_ttl));
    if is_new(&first) || !freshness.refresh && is_good(&first.document)? {
        return Ok(first.document);
    }
    let error = match refreshed_once(&store, name, &first.document, is_new, options, caller, &deadline) {
        Ok(document) => return Ok(document),
        Err(error) if !matches!(error.kind(), Kind::LoginRequired | Kind::Unavailable) => return Err(error),
        Err(error) => error,
    };
    // Another document may have been stored meanwhile, without the lock.
    let last = store.read(name, &caller.deadline()).ok().flatten().unwrap_or(first);
    if is_new(&last) {
        return Ok(last.document);
    }
    if freshness.refresh || !valid_for(&last.document, 0)? {
        let has_cure = error.kind() != Kind::LoginRequired || error.hint_text().is_some();
        return Err(if has_cure { error } else { error.hint(LOGIN_REQUIRED) });
    }
    message::note(&format!("the token expires within --min-ttl and cannot be refreshed: {}", error.message()));
    Ok(last.document)
}

/// The stored document, refreshed under its lock, unless another process has just done that.
fn refreshed_once(
    store: &Store,
    name: &Name,
    first: &Document,
    is_new: impl Fn(&Stored) -> bool,
    options: &TokenRequest,
    caller: &Caller,
    deadline: &Deadline,
) -> Result<Document, Error> {
    if first.has("refresh_token") {
        token::check_refresh(first, options)?;
        // The command of a secret may prompt the user: no lock is held meanwhile.
        Authentication::for_client(first, caller, deadline)?;
    }
    let lock = Lock::acquire(store, name, deadline)?;
    lock.recover(deadline)?;
    let stored = store.read(name, deadline)?.ok_or_else(|| not_stored(name))?;
    if is_new(&stored) {
        return Ok(stored.document);
    }
    let Some(refresh_token) = stored.document.text("refresh_token")? else {
        let hint = format!("run the login again; {NO_REFRESH_TOKEN}");
        return Err(Error::login_required("there is no refresh token").hint(hint));
    };
    refreshed(&lock, &stored.document, &refresh_token, options, caller, deadline)
}

/// Refreshes the document and stores it. What can fail is tried before the token is sent, and the refresh is recorded.
fn refreshed(
    lock: &Lock,
    document: &Document,
    refresh_token: &str,
    options: &TokenRequest,
    caller: &Caller,
    deadline: &Deadline,
) -> Result<Document, Error> {
    let claims = document.object("id_token_claims")?;
    let reserved = lock.prepare(document, deadline)?;
    let interrupted = lock.is_recorded(refresh_token);
    lock.record(refresh_token)?;
    signals::uninterrupted(|| {
        let after = match token::refresh(document.clone(), options, None, caller, deadline) {
            Ok(after) => after,
            // A token that may be spent stays recorded, so that the next process tries it once more.
            Err(error) if error.is_spent() => return Err(error),
            Err(error) => {
                // Only the refusal of this token says what became of an interrupted refresh.
                if !interrupted || error.kind() == Kind::LoginRequired {
                    lock.forget()?;
                }
                return Err(match error.kind() {
                    Kind::LoginRequired if interrupted => error.hint(INTERRUPTED),
                    _ => error,
                });
            }
        };
        let after = with_same_subject(claims.as_ref(), after)?;
        // The new tokens are at stake, so storing them has its own deadline.
        lock.fill(reserved, &after, &caller.deadline())
            .map_err(|error| error.as_login_required().with_loss(NEW_TOKENS_LOST))?;
        lock.forget()?;
        Ok(after)
    })
}

/// The claims of a new ID token must have the same issuer and subject as the verified ones of the login (OpenID Connect
/// Core section 12.2). Its signature is not verified, since it came from the token endpoint itself. One whose claims
/// cannot be read is left out, with a note: it shows nothing, and the tokens beside it cannot be requested again.
fn with_same_subject(claims: Option<&Document>, mut after: Document) -> Result<Document, Error> {
    let (Some(claims), Some(id_token)) = (claims, after.text("id_token")?) else {
        return Ok(after);
    };
    let new = match Jws::parse(&id_token).and_then(|token| token.claims()) {
        Ok(new) => new,
        Err(error) => {
            message::note(&format!("token endpoint: {}; left out", error.message()));
            after.remove(&["id_token"]);
            return Ok(after);
        }
    };
    let values = |name| [claims, &new].map(|of| of.text(name).ok().flatten());
    let ([before, iss], [known, sub]) = (values("iss"), values("sub"));
    if before != iss {
        let [before, iss] = [before, iss].map(Option::unwrap_or_default);
        return Err(new.mismatch("iss", &before, &without_secrets(&iss, &after)).appending(NOT_STORED));
    }
    if known == sub { Ok(after) } else { Err(new.wrong("sub", "differs from that of the login").appending(NOT_STORED)) }
}

/// Whether the document was stored since then. A file time in the future is that of a clock that jumped: it shows
/// nothing.
fn was_written_since(then: SystemTime, stored: &Stored) -> bool {
    stored.written >= then && stored.written <= SystemTime::now() + Duration::from_secs(CLOCK_SKEW)
}

/// Seconds for which the access token must remain valid: the given ones, if a new token would.
fn min_ttl(document: &Document, given: Option<u64>) -> u64 {
    match (given, lifetime(document)) {
        (None, lifetime) => DEFAULT_MIN_TTL.min(lifetime.unwrap_or(u64::MAX) / 2),
        (Some(seconds), Some(lifetime)) if seconds >= lifetime.max(1) => {
            message::note("--min-ttl: not less than the token's lifetime (expires_in); using half of the lifetime");
            lifetime / 2
        }
        (Some(seconds), _) => seconds,
    }
}

/// The access token's whole lifetime in seconds, if known. A malformed one is unknown: `expires_at` is what counts.
fn lifetime(document: &Document) -> Option<u64> {
    document.seconds("expires_in").ok().flatten()
}

/// Whether the access token remains valid for so many seconds; one of unknown expiry does.
fn valid_for(document: &Document, seconds: u64) -> Result<bool, Error> {
    if document.text("access_token")?.is_none() {
        return Ok(false);
    }
    let Some(end) = document.seconds("expires_at")? else { return Ok(true) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    // No token remains valid for longer than its lifetime: the clock jumped, or `expires_at` is wrong.
    let latest = lifetime(document).map(|lifetime| now.saturating_add(lifetime).saturating_add(CLOCK_SKEW));
    Ok(end > now.saturating_add(seconds) && latest.is_none_or(|latest| end <= latest))
}

/// Seconds for which a token must remain valid by default: enough for a command that starts with it.
const DEFAULT_MIN_TTL: u64 = 60;

/// Seconds by which two clocks may differ.
const CLOCK_SKEW: u64 = 60;

const NEW_TOKENS_LOST: &str = "the new tokens issued by the server are lost";

const NOT_STORED: &str = "the refreshed tokens are not stored";

const LOGIN_REQUIRED: &str = "run the login again, and store it under this name";

const INTERRUPTED: &str = "an earlier refresh was interrupted after the server had replaced this refresh token";
