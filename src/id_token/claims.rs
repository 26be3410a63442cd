//! ID token validation: OpenID Connect Core sections 2, 3.1.3.7 and 12.2, RFC 8725.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::client::redaction::without_secrets;
use crate::client::scope;
use crate::document::Document;
use crate::error::Error;
use crate::id_token::jwks::Keys;
use crate::id_token::jws::{Algorithm, Header, Parser, numeric_date, untrusted};
use crate::message;
use crate::process::Deadline;

/// How an ID token is checked.
pub struct Policy {
    /// Seconds by which clocks may differ.
    pub leeway: u64,
    /// Audiences that are allowed besides the client.
    pub trusted_audiences: Vec<String>,
    /// The time to check at, in Unix seconds, instead of the clock.
    pub now: Option<u64>,
    /// How long to wait for the server's keys.
    pub timeout: Duration,
}

/// Checks ID tokens, one after the other.
pub struct Verifier {
    policy: Policy,
    keys: Keys,
    parser: Parser,
    /// The claims of the token before, whose buffers the next one takes.
    used: Document,
    listed: Option<Listed>,
}

/// The JSON text of the last `id_token_signing_alg_values_supported`, if any, and an algorithm that it allows.
struct Listed {
    algorithms: Option<String>,
    algorithm: &'static str,
}

impl Verifier {
    /// Checks by this policy, with these keys.
    pub fn new(policy: Policy, keys: Keys) -> Verifier {
        Verifier { policy, keys, parser: Parser::default(), used: Document::default(), listed: None }
    }

    /// Validates the document's ID token, and adds its claims.
    pub fn verify(&mut self, mut document: Document) -> Result<Document, Error> {
        let earlier = document.object("id_token_claims")?.map(Document::without_nulls);
        let Some(token) = document.slice("id_token")? else {
            return without_id_token(document, earlier.as_ref());
        };
        let jws = self.parser.parse(&token)?;
        check_type(jws.header)?;
        check_algorithm(&document, jws.header, &mut self.listed)?;
        self.keys.verify(&document, &jws, &Deadline::after(self.policy.timeout))?;
        let (claims, algorithm) = (jws.claims(std::mem::take(&mut self.used))?, jws.algorithm());
        // The document gets all claims, even if null; the error, if any, comes after those of the checks.
        let added = document.set_object("id_token_claims", &claims);
        let check = Check::new(&document, claims.without_nulls(), algorithm, &self.policy);
        check.all(earlier.as_ref())?;
        self.used = check.claims;
        added?;
        Ok(document)
    }
}

/// A document without an ID token: allowed after a refresh of a verified login; else status 4 if `openid` was requested, or
/// 2.
fn without_id_token(document: Document, earlier: Option<&Document>) -> Result<Document, Error> {
    let wrong = earlier.map(|claims| wrong_login(claims, &document)).transpose()?;
    if wrong == Some(None) {
        return Ok(document);
    }
    let wrong = wrong.flatten();
    let scope = document.text("scope")?.unwrap_or_default();
    // A nonce is sent only with `openid`, and remains when the granted scope replaces the requested one.
    let openid_requested = scope::contains(&scope, "openid") || document.has("nonce");
    if document.has("access_token") && openid_requested {
        let why =
            wrong.map_or("although openid was requested".to_owned(), |wrong| format!("and id_token_claims {wrong}"));
        return Err(untrusted(&format!("missing, {why}")));
    }
    match wrong {
        Some(wrong) => Err(document.wrong("id_token", &format!("missing, and id_token_claims {wrong}"))),
        // A login without `openid` has no ID token; before the exchange, no login has.
        None if document.has("access_token") => Err(Error::missing("id_token").hint(NO_OPENID)),
        None => document.need("id_token").map(|_| document),
    }
}

/// Checks the token's type (RFC 8725 section 3.11).
fn check_type(header: &Header) -> Result<(), Error> {
    match header.members.slice("typ")? {
        Some(typ) if !is_id_token_type(&typ) => Err(header.members.wrong("typ", "not the type of an ID token")),
        _ => Ok(()),
    }
}

/// Checks that the server signs with the token's algorithm; a list that is the same as the last one is not read again.
fn check_algorithm(document: &Document, header: &Header, last: &mut Option<Listed>) -> Result<(), Error> {
    let (listed, name) = (document.json(ALGORITHMS), header.algorithm.name);
    if last.as_ref().is_some_and(|last| last.algorithms.as_deref() == listed && last.algorithm == name) {
        return Ok(());
    }
    let algorithms = document.texts(ALGORITHMS)?.unwrap_or_else(|| vec!["RS256".to_owned()]);
    if !algorithms.iter().any(|listed| listed == name) {
        let error = header.members.mismatch("alg", &algorithms.join(", "), name);
        return Err(error.hint("id_token_signing_alg_values_supported lists them; the default is RS256 alone"));
    }
    *last = Some(Listed { algorithms: listed.map(str::to_owned), algorithm: name });
    Ok(())
}

/// Whether it is the media type of an ID token, in any letter case, with `application/` or without (RFC 7515 section 4.1.9).
fn is_id_token_type(typ: &str) -> bool {
    let short = match typ.split_at_checked(APPLICATION.len()) {
        Some((prefix, short)) if prefix.eq_ignore_ascii_case(APPLICATION) => short,
        _ => typ,
    };
    ID_TOKEN_TYPES.iter().any(|allowed| short.eq_ignore_ascii_case(allowed))
}

/// Why these are not the claims of a verified login of the document's client at its issuer, if they are not; without those
/// two, no login can have been verified.
fn wrong_login(claims: &Document, document: &Document) -> Result<Option<&'static str>, Error> {
    let text = |of: &Document, name| Ok::<_, Error>(of.text(name)?.filter(|text| !text.is_empty()));
    let (issuer, subject, audience) = (text(claims, "iss")?, text(claims, "sub")?, claims.texts("aud")?);
    let is_audience = |client: String| audience.is_some_and(|audience| audience.contains(&client));
    let is_own = issuer.is_some() && issuer == document.text("issuer")?;
    Ok(match () {
        () if !is_own || !text(document, "client_id")?.is_some_and(is_audience) => {
            Some("are not of this issuer and client")
        }
        () if subject.is_none() => Some("have no sub"),
        () => None,
    })
}

/// The claims, and everything that they are checked against.
struct Check<'a> {
    document: &'a Document,
    claims: Document,
    algorithm: &'static Algorithm,
    policy: &'a Policy,
    /// The time to check at, in Unix seconds.
    now: f64,
}

impl<'a> Check<'a> {
    fn new(document: &'a Document, claims: Document, algorithm: &'static Algorithm, policy: &'a Policy) -> Check<'a> {
        let clock = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Check { document, claims, algorithm, policy, now: policy.now.unwrap_or_else(clock) as f64 }
    }

    fn all(&self, earlier: Option<&Document>) -> Result<(), Error> {
        self.check_parties()?;
        self.check_times()?;
        self.check_nonce(earlier.is_some())?;
        self.check_access_token()?;
        match earlier {
            Some(earlier) => self.check_same_login(earlier),
            None => self.check_request(),
        }
    }

    /// Checks issuer, subject, audience and authorized party.
    fn check_parties(&self) -> Result<(), Error> {
        let Check { document, claims, .. } = self;
        let (issuer, iss) = (document.need_slice("issuer")?, claims.need_slice("iss")?);
        if iss != issuer {
            return Err(self.mismatch("iss", &issuer, &iss));
        }
        let sub = claims.need_slice("sub")?;
        if sub.is_empty() || sub.chars().count() > MAX_SUBJECT {
            return Err(claims.wrong("sub", "must have 1 to 255 characters"));
        }
        let client_id = document.need_visible("client_id")?;
        self.check_audience(&client_id)?;
        match claims.slice("azp")? {
            Some(party) if party != *client_id => Err(self.mismatch("azp", &client_id, &party)),
            _ => Ok(()),
        }
    }

    /// Checks that the token is for the client, and for nobody else who is not trusted.
    fn check_audience(&self, client_id: &str) -> Result<(), Error> {
        let claims = &self.claims;
        let is_string = claims.json("aud").is_some_and(|json| json.starts_with('"'));
        if is_string && claims.slice("aud")?.is_some_and(|audience| audience == client_id) {
            return Ok(());
        }
        let audience = claims.texts("aud")?.ok_or_else(|| claims.wrong("aud", "missing"))?;
        let mismatch = || self.mismatch("aud", client_id, &audience.join(", "));
        if !audience.iter().any(|name| name == client_id) {
            return Err(mismatch());
        }
        let is_other = |name: &&String| *name != client_id && !self.policy.trusted_audiences.contains(name);
        if let Some(other) = audience.iter().find(is_other) {
            let other = message::word(&message::public(&self.public(other)));
            return Err(mismatch().hint(format!("if it may have the token too: --trust-audience {other}")));
        }
        Ok(())
    }

    fn check_times(&self) -> Result<(), Error> {
        let (claims, now) = (&self.claims, self.now);
        let leeway = self.policy.leeway as f64;
        let clock = |name: &str, wrong: &str| claims.wrong(name, wrong).hint("check this machine's clock");
        let need = |name: &str| self.time(name)?.ok_or_else(|| claims.wrong(name, "missing"));
        if now >= need("exp")? + leeway {
            return Err(clock("exp", "expired"));
        }
        if need("iat")? > now + leeway {
            return Err(clock("iat", "in the future"));
        }
        if self.time("nbf")?.is_some_and(|start| start > now + leeway) {
            return Err(clock("nbf", "not valid yet"));
        }
        match self.time("auth_time")? {
            Some(login) if login > now + leeway => Err(clock("auth_time", "in the future")),
            _ => Ok(()),
        }
    }

    /// The nonce must be the one sent, or missing if none was; a refreshed token may omit it.
    fn check_nonce(&self, refreshed: bool) -> Result<(), Error> {
        let Check { document, claims, .. } = self;
        match (document.slice("nonce")?, claims.slice("nonce")?) {
            (Some(sent), Some(nonce)) if sent == nonce => Ok(()),
            (None, None) => Ok(()),
            (Some(_), None) if refreshed => Ok(()),
            (Some(_), None) => Err(claims.wrong("nonce", "missing")),
            (Some(_), Some(_)) => Err(claims.wrong("nonce", "not the one that was sent")),
            (None, Some(_)) => Err(claims.wrong("nonce", "present, but none was sent")),
        }
    }

    fn check_access_token(&self) -> Result<(), Error> {
        let Check { document, claims, .. } = self;
        let token = document.slice("access_token")?;
        match claims.slice("at_hash")?.zip(token) {
            Some((hash, token)) if hash != self.algorithm.half_hash(&token) => {
                Err(claims.wrong("at_hash", "does not match the access token"))
            }
            _ => Ok(()),
        }
    }

    /// Checks the request's `max_age` and `acr_values`.
    fn check_request(&self) -> Result<(), Error> {
        let Check { document, claims, .. } = self;
        if let Some(age) = document.seconds("max_age")? {
            let login =
                self.time("auth_time")?.ok_or_else(|| claims.wrong("auth_time", "missing, but required by max_age"))?;
            if self.now - login > age as f64 + self.policy.leeway as f64 {
                return Err(claims.wrong("auth_time", "longer ago than max_age"));
            }
        }
        let values = document.slice("acr_values")?.unwrap_or_default();
        // An empty name, as between two spaces, is no value.
        let values: Vec<&str> = values.split(' ').filter(|value| !value.is_empty()).collect();
        if !values.is_empty() {
            let acr =
                claims.slice("acr")?.ok_or_else(|| claims.wrong("acr", "missing, but requested with acr_values"))?;
            if !values.contains(&&*acr) {
                return Err(claims.wrong("acr", "not one of acr_values"));
            }
        }
        Ok(())
    }

    /// A refreshed token must belong to the same login (OpenID Connect Core section 12.2).
    fn check_same_login(&self, earlier: &Document) -> Result<(), Error> {
        let claims = &self.claims;
        let wrong = |name: &str| claims.wrong(name, "changed since the login");
        let changed = |name, before: &str, after: &str| wrong(name).mismatch(before, &self.public(after));
        for name in ["iss", "sub", "azp"] {
            let (before, after) = (earlier.text(name)?, claims.text(name)?);
            if before != after {
                // `sub` identifies a person, so neither value is shown.
                let is_public = name != "sub";
                let [before, after] = [before, after].map(Option::unwrap_or_default);
                return Err(if is_public { changed(name, &before, &after) } else { wrong(name) });
            }
        }
        let sorted = |audience: Option<Vec<String>>| {
            let mut audience = audience.unwrap_or_default();
            audience.sort();
            audience
        };
        let (before, after) = (sorted(earlier.texts("aud")?), sorted(claims.texts("aud")?));
        if before != after {
            return Err(changed("aud", &before.join(", "), &after.join(", ")));
        }
        // A server may omit auth_time here; if present, it must be that of the original login.
        let login = numeric_date(earlier, "auth_time").ok().flatten().zip(self.time("auth_time")?);
        match login {
            Some((before, after)) if before != after => Err(wrong("auth_time")),
            _ => Ok(()),
        }
    }

    /// The error about a claim that has another value than the expected one.
    fn mismatch(&self, name: &str, expected: &str, received: &str) -> Error {
        self.claims.mismatch(name, expected, &self.public(received))
    }

    /// A public claim; a hostile server may have put a secret there.
    fn public(&self, claim: &str) -> String {
        without_secrets(claim, self.document)
    }

    fn time(&self, name: &str) -> Result<Option<f64>, Error> {
        numeric_date(&self.claims, name)
    }
}

/// The algorithms that the server signs with.
const ALGORITHMS: &str = "id_token_signing_alg_values_supported";

/// What a media type may omit.
const APPLICATION: &str = "application/";

/// Allowed `typ` values of an ID token, without `application/`; most servers send none or JWT.
const ID_TOKEN_TYPES: [&str; 2] = ["JWT", "JOSE"];

/// What to do about a login without an ID token.
const NO_OPENID: &str = "only a login with openid in its scope has an ID token: pkce-url --scope openid";

/// Maximum length of `sub` in characters (OpenID Connect Core section 2).
const MAX_SUBJECT: usize = 255;
