//! The grants: codes (once, 60 seconds), access tokens, refresh tokens (rotated; reuse revokes the whole grant).

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::authorization_request::AuthorizationRequest;
use super::code_challenge;
use super::person::Person;
use crate::client::pkce;
use crate::error::Error;
use crate::idp::laxity::{Laxities, Laxity};
use crate::idp::parameters::Parameters;
use crate::idp::refusal::Refusal;

/// The tokens that the token endpoint issues, and what they are issued for.
pub struct Tokens {
    /// The access token.
    pub access_token: String,
    /// The refresh token, where `offline_access` is granted.
    pub refresh_token: Option<String>,
    /// The scope, value by value.
    pub scope: Vec<String>,
    /// The nonce of the authorization request.
    pub nonce: Option<String>,
    /// How the person signed in, where the authorization request has `acr_values`.
    pub acr: Option<String>,
    /// The person who signed in.
    pub person: Person,
    /// The client that sent the authorization request.
    pub client_id: String,
}

/// All grants of this run, in memory alone.
#[derive(Default)]
pub struct Grants {
    laxities: Laxities,
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
    request: AuthorizationRequest,
    person: Person,
}

impl Grants {
    /// No grants yet.
    pub fn new(laxities: Laxities) -> Grants {
        Grants { laxities, ..Grants::default() }
    }

    /// A code for a request that the person granted.
    pub fn code(&mut self, request: AuthorizationRequest, person: Person) -> Result<String, Error> {
        let code = self.random(Laxity::LongCodes, 6000)?;
        self.codes.insert(code.clone(), (self.grants.len(), Instant::now() + CODE));
        self.grants.push(Grant { request, person });
        Ok(code)
    }

    /// Tokens for a code, once, for the client that requested it; a second use revokes the grant.
    pub fn exchange(&mut self, parameters: &Parameters) -> Result<Tokens, Refusal> {
        let code = parameters.one("code").ok_or(("invalid_request", "code is missing"))?;
        if let Some(grant) = self.spent_codes.get(code) {
            self.revoked.insert(*grant);
            return Err(("invalid_grant", "the code was already used; its tokens are revoked"));
        }
        let (at, until) = *self.codes.get(code).ok_or(("invalid_grant", "unknown code"))?;
        if !self.laxities.have(Laxity::Replay) {
            self.codes.remove(code);
            self.spent_codes.insert(code.to_owned(), at);
        }
        let request = self.request(at)?;
        if until < Instant::now() {
            return Err(("invalid_grant", "the code has expired"));
        }
        if parameters.one("client_id") != Some(&request.client_id) {
            return Err(("invalid_grant", "the code was issued to another client"));
        }
        if parameters.one("redirect_uri") != Some(&request.redirect_uri) {
            return Err(("invalid_grant", "redirect_uri differs from the authorization request"));
        }
        let verifier = parameters.one("code_verifier");
        code_challenge::verify(request.code_challenge.as_deref(), verifier, &self.laxities)?;
        self.tokens(at, request.granted_scope(), parameters)
    }

    /// Tokens for a refresh token, which is rotated; a second use of the old one revokes the grant.
    pub fn refresh(&mut self, parameters: &Parameters) -> Result<Tokens, Refusal> {
        let token = parameters.one("refresh_token").ok_or(("invalid_request", "refresh_token is missing"))?;
        if let Some(grant) = self.spent_refresh_tokens.get(token) {
            self.revoked.insert(*grant);
            return Err(("invalid_grant", "the refresh token was already used; the grant is revoked"));
        }
        let at = *self.refresh_tokens.get(token).ok_or(("invalid_grant", "unknown refresh token"))?;
        if self.revoked.contains(&at) {
            return Err(("invalid_grant", "the grant is revoked"));
        }
        let request = self.request(at)?;
        if parameters.one("client_id") != Some(&request.client_id) {
            return Err(("invalid_grant", "the refresh token was issued to another client"));
        }
        let granted = request.granted_scope();
        let scope = match parameters.one("scope") {
            Some(requested) => requested.split(' ').map(str::to_owned).collect(),
            None => granted.clone(),
        };
        if !scope.iter().all(|name| granted.contains(name)) {
            return Err(("invalid_scope", "scope exceeds the granted scope"));
        }
        let mut tokens = self.tokens(at, scope, parameters)?;
        if self.laxities.have(Laxity::NoRotation) {
            tokens.refresh_token = None;
        } else if !self.laxities.have(Laxity::Reuse) {
            self.refresh_tokens.remove(token);
            self.spent_refresh_tokens.insert(token.to_owned(), at);
        }
        Ok(tokens)
    }

    /// Revokes this client's access token alone, or its refresh token with the whole grant.
    pub fn revoke(&mut self, token: &str, client_id: &str) {
        if self.laxities.have(Laxity::NoRevocation) {
            return;
        }
        let owns = |at: usize| self.grants.get(at).is_some_and(|grant| grant.request.client_id == client_id);
        if self.access_tokens.get(token).is_some_and(|access| owns(access.grant)) {
            self.access_tokens.remove(token);
        } else if let Some(grant) = self.refresh_tokens.get(token).filter(|grant| owns(**grant)) {
            self.revoked.insert(*grant);
        }
    }

    /// The person and the resources of an access token, while it is valid.
    pub fn holder(&self, token: &str) -> Option<(Person, Vec<String>)> {
        let access = self.access_tokens.get(token)?;
        let valid = access.until > Instant::now() && !self.revoked.contains(&access.grant);
        let grant = self.grants.get(access.grant).filter(|_| valid)?;
        Some((grant.person.clone(), access.resources.clone()))
    }

    /// 32 random octets in base64url; padded to `length` characters where the server is lax in this way.
    fn random(&self, long: Laxity, length: usize) -> Result<String, Error> {
        let random = pkce::random(32)?.to_string();
        Ok(if self.laxities.have(long) { format!("{random:x<length$}") } else { random })
    }

    fn request(&self, at: usize) -> Result<AuthorizationRequest, Refusal> {
        let grant = self.grants.get(at).ok_or(("invalid_grant", "unknown grant"))?;
        Ok(grant.request.clone())
    }

    fn tokens(&mut self, at: usize, scope: Vec<String>, parameters: &Parameters) -> Result<Tokens, Refusal> {
        let random = || {
            self.random(Laxity::LongTokens, 64_000).map_err(|_| ("server_error", "random numbers are not available"))
        };
        let grant = self.grants.get(at).ok_or(("invalid_grant", "unknown grant"))?;
        let granted = &grant.request.resources;
        let requested: Vec<String> = parameters.all("resource").map(str::to_owned).collect();
        if !requested.iter().all(|resource| granted.contains(resource)) {
            return Err(("invalid_target", "resource was not granted"));
        }
        let resources = if requested.is_empty() { granted.clone() } else { requested };
        let (person, nonce) = (grant.person.clone(), grant.request.nonce.clone());
        let acr = grant.request.acr_values.first().cloned();
        let client_id = grant.request.client_id.clone();
        let offline = grant.request.granted_scope().iter().any(|name| name == "offline_access");
        let offline = offline && !self.laxities.have(Laxity::NoRefresh);
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

/// How long a code is valid (RFC 6749 section 4.1.2 allows ten minutes; a script needs no more than this).
const CODE: Duration = Duration::from_secs(60);

/// How long an access token is valid.
pub const ACCESS: Duration = Duration::from_secs(3600);
