//! A valid token: the stored one, or a refreshed one (RFC 6749 section 6), without prompting the user.

use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

use super::lock::Lock;
use super::name::Name;
use super::seal;
use super::store::{Store, Stored, not_stored};
use super::token::{CLOCK_SKEW, Credential, Token};
use crate::client::authentication::{Authentication, Caller};
use crate::client::redaction::without_secrets;
use crate::client::token_request::TokenRequest;
use crate::document::Document;
use crate::document::members::NO_REFRESH_TOKEN;
use crate::error::{Error, Kind};
use crate::id_token::jws::Parser;
use crate::login::token;
use crate::message;
use crate::process::{Deadline, arguments, signals};

/// Which token is used, and how fresh it must be.
#[derive(clap::Args)]
pub struct Freshness {
    /// Refresh the token if it expires within this time [default: 60, or half of the token's lifetime if that is less]
    #[arg(long, value_name = "SECONDS", value_parser = |text: &str| arguments::number(text, 0, u32::MAX.into()))]
    min_ttl: Option<u64>,
    /// Refresh the token even if it has not expired
    #[arg(long)]
    refresh: bool,
    /// Use the ID token instead of the access token
    #[arg(long)]
    id_token: bool,
}

impl Freshness {
    /// The token that is used.
    pub fn token(&self) -> Token {
        if self.id_token { Token::Id } else { Token::Access }
    }
}

/// A stored login, and what is wanted of its token.
pub struct Login<'a> {
    /// The name that it is stored under.
    pub name: &'a Name,
    /// Which token, and how fresh.
    pub freshness: &'a Freshness,
    /// How it is refreshed.
    pub request: &'a TokenRequest,
    /// How the client authenticates, and for how long it waits.
    pub caller: &'a Caller,
}

impl Login<'_> {
    /// The stored document, with a valid token; refreshed and stored again if necessary.
    pub fn current(&self) -> Result<Document, Error> {
        let Login { name, freshness, .. } = *self;
        let document = self.latest()?;
        if freshness.token() == Token::Id && !document.has("id_token") {
            return Err(without_id_token(name, "the refresh brought no ID token", &document));
        }
        if freshness.token() == Token::Id && Token::Id.had_expired(&document, SystemTime::now()) {
            return Err(without_id_token(name, "the refresh brought an expired ID token", &document));
        }
        Ok(document)
    }

    /// The valid token of [`Login::current`], for the scheme Bearer.
    pub fn credential(&self) -> Result<Credential, Error> {
        self.freshness.token().credential(&self.current()?)
    }

    /// Expires the stored token if it is this one, which a server refused. The login stays: the next call refreshes it.
    pub fn expire(&self, refused: &str) -> Result<(), Error> {
        let (name, token) = (self.name, self.freshness.token());
        let deadline = self.caller.deadline();
        let Some(store) = Store::open()? else { return Ok(()) };
        let read = || {
            let stored = store.read(name, &deadline)?.map(|stored| stored.document);
            let is_refused = |document: &Document| {
                document.text(token.member()).is_ok_and(|text| text.is_some_and(|text| *text == *refused))
            };
            Ok(stored.filter(is_refused))
        };
        if read()?.is_none() {
            return Ok(());
        }
        store.replaceable(name)?;
        let lock = Lock::acquire(&store, name, &deadline)?;
        lock.recover(&deadline)?;
        let Some(mut document) = read()? else { return Ok(()) };
        token.refuse(&mut document);
        lock.write(&document, &deadline)
    }

    /// Like [`Login::current`], but the document may lack an ID token.
    fn latest(&self) -> Result<Document, Error> {
        let Login { name, freshness, caller, .. } = *self;
        seal::check()?;
        let started = SystemTime::now();
        let deadline = caller.deadline();
        let store = Store::open()?.ok_or_else(|| not_stored(name))?;
        let first = store.read(name, &deadline)?.ok_or_else(|| not_stored(name))?;
        let token = freshness.token();
        if !freshness.refresh && !token.is_renewable(&first.document) {
            return Err(without_id_token(name, "no ID token is stored", &first.document));
        }
        // A token fetched after this began is accepted, however short its lifetime: another process was faster. So is that
        // process's failure to get an ID token.
        let before = first.document.json(token.member()).map(|token| Zeroizing::new(token.to_owned()));
        let is_new = |stored: &Stored| {
            let document = &stored.document;
            let is_other = document.json(token.member()) != before.as_ref().map(|token| token.as_str());
            (document.has("access_token") || token == Token::Id)
                && (is_other || was_written_since(started, stored))
                && !token.had_expired(document, started)
        };
        let is_good = |document: &Document| {
            let is_good = token.is_valid_for(document, token.min_ttl(document, freshness.min_ttl));
            is_good.map_err(|error| if token == Token::Id { error.hint(REFRESH) } else { error })
        };
        if is_new(&first) || !freshness.refresh && is_good(&first.document)? {
            return Ok(first.document);
        }
        let error = match self.refreshed_once(&store, &first, is_new, &deadline) {
            Ok(document) => return Ok(document),
            Err(error) if !matches!(error.kind(), Kind::LoginRequired | Kind::Unavailable) => return Err(error),
            Err(error) => error,
        };
        // Another document may have been stored meanwhile, without the lock.
        let last = store.read(name, &caller.deadline()).ok().flatten().unwrap_or(first);
        if is_new(&last) {
            return Ok(last.document);
        }
        if freshness.refresh || !token.is_valid_for(&last.document, 0)? {
            // An API refused the token, and the server a new one: pkce-login must not take it for valid.
            if error.kind() == Kind::LoginRequired
                && token.is_valid_for(&last.document, 0).unwrap_or_default()
                && let Ok(Some(refused)) = last.document.text(token.member())
            {
                let _ = self.expire(&refused);
            }
            let has_cure = error.kind() != Kind::LoginRequired || error.hint_text().is_some();
            return Err(if has_cure { error } else { error.hint(log_in_again(name)) });
        }
        message::note(&format!("the token expires within --min-ttl and cannot be refreshed: {}", error.message()));
        Ok(last.document)
    }

    /// The stored document, refreshed under its lock, unless another process has just done that.
    fn refreshed_once(
        &self,
        store: &Store,
        first: &Stored,
        is_new: impl Fn(&Stored) -> bool,
        deadline: &Deadline,
    ) -> Result<Document, Error> {
        let Login { name, request, caller, .. } = *self;
        if first.document.has("refresh_token") {
            token::check_refresh(&first.document, request)?;
            // The command of a secret may prompt the user: no lock is held meanwhile.
            Authentication::for_client(&first.document, caller, deadline)?;
        }
        // Once another process has refreshed the token, those that wait need no lock, one after the other.
        let mut seen = first.written;
        let refreshed_by_another = || {
            seen = store.written(name).filter(|written| *written != seen)?;
            store.read(name, deadline).ok().flatten().filter(&is_new)
        };
        let lock = match Lock::acquire_unless(store, name, deadline, refreshed_by_another)? {
            Ok(lock) => lock,
            Err(stored) => return Ok(stored.document),
        };
        lock.recover(deadline)?;
        let stored = store.read(name, deadline)?.ok_or_else(|| not_stored(name))?;
        if is_new(&stored) {
            return Ok(stored.document);
        }
        let Some(refresh_token) = stored.document.text("refresh_token")? else {
            let hint = format!("{}; {NO_REFRESH_TOKEN}", log_in_again(name));
            return Err(Error::login_required("there is no refresh token").hint(hint));
        };
        self.refreshed(&lock, &stored.document, &refresh_token, deadline)
    }

    /// Refreshes the document and stores it. What can fail is tried before the token is sent, and the refresh is recorded.
    fn refreshed(
        &self,
        lock: &Lock,
        document: &Document,
        refresh_token: &str,
        deadline: &Deadline,
    ) -> Result<Document, Error> {
        let Login { request, caller, .. } = *self;
        let claims = document.object("id_token_claims")?;
        let reserved = lock.prepare(document, deadline)?;
        let interrupted = lock.is_recorded(refresh_token);
        lock.record(refresh_token)?;
        signals::uninterrupted(|| {
            let after = match token::refresh(document.clone(), request, None, caller, deadline) {
                Ok(after) => after,
                // A token that may be spent stays recorded, so that the next process tries it once more.
                Err(error) if error.is_spent() => return Err(error),
                Err(error) => {
                    // Only the refusal of this token says what became of an interrupted refresh.
                    if !interrupted || error.kind() == Kind::LoginRequired {
                        lock.forget()?;
                    }
                    return Err(match error.kind() {
                        Kind::LoginRequired if interrupted => {
                            error.hint(format!("{}; {INTERRUPTED}", log_in_again(lock.name())))
                        }
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
}

/// The error for a login without an ID token: status 5.
fn without_id_token(name: &Name, wrong: &str, document: &Document) -> Error {
    let scope = document.text("scope").ok().flatten().unwrap_or_default();
    let why = if scope.split(' ').any(|name| name == "openid") {
        "not every server issues an ID token at a refresh"
    } else {
        "only a login with openid in its scope has one"
    };
    Error::login_required(format!("{}: {wrong}", name.as_str())).hint(format!("{}; {why}", log_in_again(name)))
}

/// What to do where a login is gone.
fn log_in_again(name: &Name) -> String {
    let is_of_script = Store::open().ok().flatten().is_some_and(|store| store.has_settings(name));
    let name = name.as_str();
    if is_of_script {
        format!("sign in again: pkce-login {name}")
    } else {
        format!("run the login again, and store it as {name}")
    }
}

/// The claims of a new ID token must have the same issuer and subject as the verified ones of the login (OpenID Connect
/// Core section 12.2). Its signature is not verified, since it came from the token endpoint itself. One whose claims
/// cannot be read is left out, with a note: it shows nothing, and the tokens beside it cannot be requested again.
fn with_same_subject(claims: Option<&Document>, mut after: Document) -> Result<Document, Error> {
    let (Some(claims), Some(id_token)) = (claims, after.text("id_token")?) else {
        return Ok(after);
    };
    let new = match Parser::default().parse(&id_token).and_then(|token| token.claims(Document::default())) {
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

/// What to do about an ID token that shows no expiry.
const REFRESH: &str = "--refresh requests another one";

const NEW_TOKENS_LOST: &str = "the new tokens issued by the server are lost";

const NOT_STORED: &str = "the refreshed tokens are not stored";

const INTERRUPTED: &str = "an earlier refresh was interrupted after the server had replaced this refresh token";
