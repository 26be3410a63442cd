//! What was granted: codes (once, 60 seconds), access tokens, refresh tokens (rotated, reuse ends the whole grant).

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::{Parameters, Person};
use crate::client::pkce;

/// An OAuth error and its description.
pub type Refusal = (&'static str, &'static str);

/// What the server does not see to, where it is told so: for tests of those who look whether a server is strict.
#[derive(Clone, Copy, PartialEq)]
pub enum Laxity {
    /// PKCE, in each of its parts.
    NoPkce,
    /// That the challenge is made with S256.
    Plain,
    /// That there is a challenge.
    NoChallenge,
    /// That the verifier fits.
    AnyVerifier,
    /// That there is a verifier.
    NoVerifier,
    /// That a code is used once.
    Replay,
    /// Whose redirect it is.
    NoIss,
    /// Refresh tokens at all.
    NoRefresh,
    /// That a refresh token is replaced.
    NoRotation,
    /// That the one before is not used again.
    Reuse,
    /// That what was revoked is not used any more.
    NoRevocation,
    /// Codes of a length that people expect.
    LongCodes,
    /// Tokens of a length that people expect.
    LongTokens,
}

/// All of it that holds in this run.
#[derive(Clone, Default)]
pub struct Laxities(pub Vec<Laxity>);

impl Laxities {
    /// Whether this one does.
    pub fn have(&self, laxity: Laxity) -> bool {
        self.0.contains(&laxity)
    }
}

/// A valid authorization request.
#[derive(Clone)]
pub struct Authorization {
    /// Who asks.
    pub client_id: String,
    /// Where the code goes.
    pub redirect_uri: String,
    /// To be handed back.
    pub state: Option<String>,
    /// The scope, name by name.
    pub scope: Vec<String>,
    /// `none`, `login`, `consent`, `select_account`.
    pub prompt: Vec<String>,
    /// Seconds since the login, at most.
    pub max_age: Option<u64>,
    /// Who is expected to log in (OpenID Connect Core section 3.1.2.1).
    pub login_hint: Option<String>,
    /// How the login shall be done; the first is said to have been done.
    acr_values: Vec<String>,
    nonce: Option<String>,
    challenge: Option<String>,
    resources: Vec<String>,
}

/// What the token endpoint gives.
pub struct Tokens {
    /// The access token.
    pub access_token: String,
    /// The refresh token, where `offline_access` was granted.
    pub refresh_token: Option<String>,
    /// The scope, name by name.
    pub scope: Vec<String>,
    /// The nonce of the login.
    pub nonce: Option<String>,
    /// How the login was done, where that was asked for.
    pub acr: Option<String>,
    /// Who logged in.
    pub person: Person,
    /// Who asked.
    pub client_id: String,
}

/// All grants of this run; nothing is written anywhere.
#[derive(Default)]
pub struct Grants {
    lax: Laxities,
    grants: Vec<Grant>,
    codes: HashMap<String, (usize, Instant)>,
    spent_codes: HashMap<String, usize>,
    access_tokens: HashMap<String, Access>,
    refresh_tokens: HashMap<String, usize>,
    spent_refresh_tokens: HashMap<String, usize>,
    revoked: HashSet<usize>,
}

struct Access {
    grant: usize,
    until: Instant,
    resources: Vec<String>,
}

struct Grant {
    authorization: Authorization,
    person: Person,
}

impl Authorization {
    /// The request in these parameters (RFC 6749 section 4.1.1, RFC 7636 section 4.3).
    pub fn of(parameters: &Parameters, lax: &Laxities) -> Result<Authorization, Refusal> {
        let text = |name| parameters.one(name).map(str::to_owned);
        let words = |name| -> Vec<String> {
            let text = parameters.one(name).unwrap_or_default();
            text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
        };
        match parameters.one("response_type") {
            Some("code") => {}
            Some(_) => return Err(("unsupported_response_type", "only code is given here")),
            None => return Err(("invalid_request", "response_type is missing")),
        }
        for (name, error) in [("request", "request_not_supported"), ("request_uri", "invalid_request")] {
            if parameters.one(name).is_some() {
                return Err((error, "the request must be in the parameters"));
            }
        }
        if parameters.one("response_mode").is_some_and(|mode| mode != "query") {
            return Err(("invalid_request", "response_mode must be query"));
        }
        let challenge = challenge(parameters, lax)?;
        let scope = words("scope");
        let token = |octet: u8| matches!(octet, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if !scope.iter().all(|name| name.bytes().all(token)) {
            return Err(("invalid_scope", "scope has a character that it must not have"));
        }
        let prompt = words("prompt");
        if prompt.len() > 1 && prompt.iter().any(|word| word == "none") {
            return Err(("invalid_request", "prompt none must stand alone"));
        }
        let max_age = parameters.one("max_age").map(str::parse).transpose();
        Ok(Authorization {
            client_id: text("client_id").unwrap_or_default(),
            redirect_uri: text("redirect_uri").unwrap_or_default(),
            state: text("state"),
            login_hint: text("login_hint").filter(|name| !name.is_empty()),
            acr_values: words("acr_values"),
            nonce: text("nonce"),
            max_age: max_age.map_err(|_| ("invalid_request", "max_age is not a number of seconds"))?,
            resources: parameters.all("resource").map(str::to_owned).collect(),
            challenge,
            scope,
            prompt,
        })
    }

    /// The scope that is granted: `offline_access` only where consent was asked for (OpenID Connect Core section 11).
    fn granted(&self) -> Vec<String> {
        let consent = self.prompt.iter().any(|word| word == "consent");
        self.scope.iter().filter(|name| *name != "offline_access" || consent).cloned().collect()
    }
}

impl Grants {
    /// No grants yet.
    pub fn new(lax: Laxities) -> Grants {
        Grants { lax, ..Grants::default() }
    }

    /// A code for a request that a person granted.
    pub fn code(&mut self, authorization: Authorization, person: Person) -> Result<String, crate::Error> {
        let code = self.random(Laxity::LongCodes, 6000)?;
        self.codes.insert(code.clone(), (self.grants.len(), Instant::now() + CODE));
        self.grants.push(Grant { authorization, person });
        Ok(code)
    }

    /// Tokens for a code: once, and only for who asked for it. A second use ends what the first one gave.
    pub fn exchange(&mut self, parameters: &Parameters) -> Result<Tokens, Refusal> {
        let code = parameters.one("code").ok_or(("invalid_request", "code is missing"))?;
        if let Some(grant) = self.spent_codes.get(code) {
            self.revoked.insert(*grant);
            return Err(("invalid_grant", "the code was used before; its tokens are revoked"));
        }
        let (at, until) = *self.codes.get(code).ok_or(("invalid_grant", "no such code"))?;
        if !self.lax.have(Laxity::Replay) {
            self.codes.remove(code);
            self.spent_codes.insert(code.to_owned(), at);
        }
        let authorization = self.authorization(at)?;
        if until < Instant::now() {
            return Err(("invalid_grant", "the code has expired"));
        }
        if parameters.one("client_id") != Some(&authorization.client_id) {
            return Err(("invalid_grant", "the code is another client's"));
        }
        if parameters.one("redirect_uri") != Some(&authorization.redirect_uri) {
            return Err(("invalid_grant", "redirect_uri is not the one of the request"));
        }
        check_verifier(parameters.one("code_verifier"), authorization.challenge.as_deref(), &self.lax)?;
        self.tokens(at, authorization.granted(), parameters)
    }

    /// Tokens for a refresh token, which is replaced; a second use of the old one ends the grant.
    pub fn refresh(&mut self, parameters: &Parameters) -> Result<Tokens, Refusal> {
        let token = parameters.one("refresh_token").ok_or(("invalid_request", "refresh_token is missing"))?;
        if let Some(grant) = self.spent_refresh_tokens.get(token) {
            self.revoked.insert(*grant);
            return Err(("invalid_grant", "the refresh token was used before; the grant is revoked"));
        }
        let at = *self.refresh_tokens.get(token).ok_or(("invalid_grant", "no such refresh token"))?;
        if self.revoked.contains(&at) {
            return Err(("invalid_grant", "the grant is revoked"));
        }
        let authorization = self.authorization(at)?;
        if parameters.one("client_id") != Some(&authorization.client_id) {
            return Err(("invalid_grant", "the refresh token is another client's"));
        }
        let granted = authorization.granted();
        let scope = match parameters.one("scope") {
            Some(asked) => asked.split(' ').map(str::to_owned).collect(),
            None => granted.clone(),
        };
        if !scope.iter().all(|name| granted.contains(name)) {
            return Err(("invalid_scope", "more than was granted"));
        }
        let mut tokens = self.tokens(at, scope, parameters)?;
        if self.lax.have(Laxity::NoRotation) {
            tokens.refresh_token = None;
        } else if !self.lax.have(Laxity::Reuse) {
            self.refresh_tokens.remove(token);
            self.spent_refresh_tokens.insert(token.to_owned(), at);
        }
        Ok(tokens)
    }

    /// Ends a refresh token's grant, or an access token alone, where it is this client's.
    pub fn revoke(&mut self, token: &str, client_id: &str) {
        if self.lax.have(Laxity::NoRevocation) {
            return;
        }
        let owns = |at: usize| self.grants.get(at).is_some_and(|grant| grant.authorization.client_id == client_id);
        if self.access_tokens.get(token).is_some_and(|access| owns(access.grant)) {
            self.access_tokens.remove(token);
        } else if let Some(grant) = self.refresh_tokens.get(token).filter(|grant| owns(**grant)) {
            self.revoked.insert(*grant);
        }
    }

    /// Whose access token this is, and for which resources, while it is good.
    pub fn holder(&self, token: &str) -> Option<(Person, Vec<String>)> {
        let access = self.access_tokens.get(token)?;
        let good = access.until > Instant::now() && !self.revoked.contains(&access.grant);
        let grant = self.grants.get(access.grant).filter(|_| good)?;
        Some((grant.person.clone(), access.resources.clone()))
    }

    /// 32 random octets in base64url, and more behind them where the server is told to give long ones.
    fn random(&self, long: Laxity, length: usize) -> Result<String, crate::Error> {
        let random = pkce::random(32)?.to_string();
        Ok(if self.lax.have(long) { format!("{random:x<length$}") } else { random })
    }

    fn authorization(&self, at: usize) -> Result<Authorization, Refusal> {
        let grant = self.grants.get(at).ok_or(("invalid_grant", "no such grant"))?;
        Ok(grant.authorization.clone())
    }

    fn tokens(&mut self, at: usize, scope: Vec<String>, parameters: &Parameters) -> Result<Tokens, Refusal> {
        let random = || self.random(Laxity::LongTokens, 64_000).map_err(|_| ("server_error", "no random numbers"));
        let grant = self.grants.get(at).ok_or(("invalid_grant", "no such grant"))?;
        let granted = &grant.authorization.resources;
        let asked: Vec<String> = parameters.all("resource").map(str::to_owned).collect();
        if !asked.iter().all(|resource| granted.contains(resource)) {
            return Err(("invalid_target", "a resource that was not granted"));
        }
        let resources = if asked.is_empty() { granted.clone() } else { asked };
        let (person, nonce) = (grant.person.clone(), grant.authorization.nonce.clone());
        let acr = grant.authorization.acr_values.first().cloned();
        let client_id = grant.authorization.client_id.clone();
        let offline = grant.authorization.granted().iter().any(|name| name == "offline_access");
        let offline = offline && !self.lax.have(Laxity::NoRefresh);
        let access_token = random()?;
        let refresh_token = if offline { Some(random()?) } else { None };
        let access = Access { grant: at, until: Instant::now() + ACCESS, resources };
        self.access_tokens.insert(access_token.clone(), access);
        if let Some(token) = &refresh_token {
            self.refresh_tokens.insert(token.clone(), at);
        }
        Ok(Tokens { access_token, refresh_token, scope, nonce, acr, person, client_id })
    }
}

/// The challenge that the code is bound to (RFC 7636 section 4.3); the verifier itself where the server takes that.
fn challenge(parameters: &Parameters, lax: &Laxities) -> Result<Option<String>, Refusal> {
    if lax.have(Laxity::NoPkce) {
        return Ok(None);
    }
    let Some(challenge) = parameters.one("code_challenge") else {
        let missing = ("invalid_request", "code_challenge is missing (PKCE is required)");
        return if lax.have(Laxity::NoChallenge) { Ok(None) } else { Err(missing) };
    };
    if parameters.one("code_challenge_method") != Some(pkce::METHOD) {
        if lax.have(Laxity::Plain) && pkce::is_verifier(challenge) {
            return Ok(Some(pkce::challenge(challenge)));
        }
        return Err(("invalid_request", "code_challenge_method must be S256"));
    }
    let base64url = |octet: u8| octet.is_ascii_alphanumeric() || b"-_".contains(&octet);
    if challenge.len() != 43 || !challenge.bytes().all(base64url) {
        return Err(("invalid_request", "code_challenge is not that of S256"));
    }
    Ok(Some(challenge.to_owned()))
}

/// Whether the verifier fits (RFC 7636 section 4.6).
fn check_verifier(verifier: Option<&str>, challenge: Option<&str>, lax: &Laxities) -> Result<(), Refusal> {
    let Some(challenge) = challenge else { return Ok(()) };
    match verifier {
        None if lax.have(Laxity::NoVerifier) => Ok(()),
        None => Err(("invalid_request", "code_verifier is missing")),
        Some(_) if lax.have(Laxity::AnyVerifier) => Ok(()),
        Some(verifier) if pkce::is_verifier(verifier) && pkce::challenge(verifier) == challenge => Ok(()),
        Some(_) => Err(("invalid_grant", "code_verifier does not fit the code_challenge")),
    }
}

/// How long a code is good (RFC 6749 section 4.1.2 allows ten minutes; a script needs no more than this).
const CODE: Duration = Duration::from_secs(60);

/// How long an access token is good.
pub const ACCESS: Duration = Duration::from_secs(3600);
