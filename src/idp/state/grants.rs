//! The grants: codes (once, 60 seconds), access tokens, refresh tokens (rotated; reuse revokes the whole grant).

use std::time::{Duration, Instant};

use super::authorization_request::{AuthorizationRequest, Recipient};
use super::bounded::{Bounded, Key};
use super::code_challenge;
use super::device_codes::DeviceCodes;
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
    pub scope: Vec<&'static str>,
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
pub struct Grants {
    laxities: Laxities,
    /// By their code, which is also remembered after its use.
    grants: Bounded<Grant>,
    access_tokens: Bounded<Access>,
    /// The grants of the refresh tokens.
    refresh_tokens: Bounded<Key>,
    spent_refresh_tokens: Bounded<Key>,
}

struct Access {
    grant: Key,
    resources: Vec<String>,
}

#[derive(Clone)]
struct Grant {
    request: AuthorizationRequest,
    person: Person,
    code_until: Instant,
    code_is_spent: bool,
}

impl Grants {
    /// No grants yet.
    pub fn new(laxities: Laxities) -> Grants {
        Grants {
            laxities,
            grants: Bounded::new(GRANT),
            access_tokens: Bounded::new(ACCESS),
            refresh_tokens: Bounded::new(GRANT),
            spent_refresh_tokens: Bounded::new(GRANT),
        }
    }

    /// A code for a request that the person granted.
    pub fn code(&mut self, request: AuthorizationRequest, person: Person) -> Result<String, Error> {
        let code = self.random(Laxity::LongCodes, 6000)?;
        let grant = Grant { request, person, code_until: Instant::now() + CODE, code_is_spent: false };
        self.grants.add(code.as_str().into(), grant);
        Ok(code)
    }

    /// Tokens for a code, once, for the client that requested it; a second use revokes the grant.
    pub fn exchange(&mut self, parameters: &Parameters) -> Result<Tokens, Refusal> {
        let code = parameters.one("code").ok_or(("invalid_request", "code is missing"))?.into();
        let replay = self.laxities.have(Laxity::Replay);
        let grant = self.grants.get_mut(code).ok_or(("invalid_grant", "unknown code"))?;
        if grant.code_is_spent {
            self.grants.take(code);
            return Err(("invalid_grant", "the code was already used; its tokens are revoked"));
        }
        grant.code_is_spent = !replay;
        let Grant { request, code_until, .. } = grant.clone();
        if code_until < Instant::now() {
            return Err(("invalid_grant", "the code has expired"));
        }
        if parameters.one("client_id") != Some(&request.client_id) {
            return Err(("invalid_grant", "the code was issued to another client"));
        }
        let redirect_uri = parameters.one("redirect_uri");
        if !matches!(&request.recipient, Recipient::Redirect { uri, .. } if redirect_uri == Some(uri)) {
            return Err(("invalid_grant", "redirect_uri differs from the authorization request"));
        }
        let verifier = parameters.one("code_verifier");
        code_challenge::verify(request.code_challenge.as_deref(), verifier, &self.laxities)?;
        self.first_tokens(code, parameters)
    }

    /// Tokens for a device code whose request the person granted, once; a second use revokes the grant.
    pub fn poll(&mut self, device_codes: &mut DeviceCodes, parameters: &Parameters) -> Result<Tokens, Refusal> {
        let code = parameters.one("device_code").ok_or(("invalid_request", "device_code is missing"))?.into();
        if self.grants.take(code).is_some() {
            return Err(("invalid_grant", "the device code was already used; its tokens are revoked"));
        }
        let (request, person) = device_codes.poll(code, parameters, &self.laxities)?;
        self.grants.add(code, Grant { request, person, code_until: Instant::now(), code_is_spent: true });
        self.first_tokens(code, parameters)
    }

    /// Tokens for a refresh token, which is rotated; a second use of the old one revokes the grant.
    pub fn refresh(&mut self, parameters: &Parameters) -> Result<Tokens, Refusal> {
        let token = parameters.one("refresh_token").ok_or(("invalid_request", "refresh_token is missing"))?.into();
        if let Some(grant) = self.spent_refresh_tokens.get(token) {
            self.grants.take(*grant);
            return Err(("invalid_grant", "the refresh token was already used; the grant is revoked"));
        }
        let at = *self.refresh_tokens.get(token).ok_or(("invalid_grant", "unknown refresh token"))?;
        let request = self.grant(at)?.request;
        if parameters.one("client_id") != Some(&request.client_id) {
            return Err(("invalid_grant", "the refresh token was issued to another client"));
        }
        let mut scope = request.granted_scope();
        if let Some(requested) = parameters.one("scope") {
            if !requested.split(' ').all(|name| scope.contains(&name)) {
                return Err(("invalid_scope", "scope exceeds the granted scope"));
            }
            scope.retain(|name| requested.split(' ').any(|other| other == *name));
        }
        let tokens = self.tokens(at, scope, parameters)?;
        if self.laxities.have(Laxity::NoRotation) {
            return Ok(tokens);
        }
        if !self.laxities.have(Laxity::Reuse) {
            self.refresh_tokens.take(token);
            self.spent_refresh_tokens.add(token, at);
        }
        Ok(Tokens { refresh_token: self.refresh_token(at)?, ..tokens })
    }

    /// Revokes this client's access token alone, or its refresh token with the whole grant.
    pub fn revoke(&mut self, token: &str, client_id: &str) {
        if self.laxities.have(Laxity::NoRevocation) {
            return;
        }
        let token = token.into();
        let owns = |at: Key| self.grants.get(at).is_some_and(|grant| grant.request.client_id == client_id);
        if self.access_tokens.get(token).is_some_and(|access| owns(access.grant)) {
            self.access_tokens.take(token);
        } else if let Some(grant) = self.refresh_tokens.get(token).filter(|grant| owns(**grant)) {
            self.grants.take(*grant);
        }
    }

    /// The person and the resources of an access token, while it is valid.
    pub fn holder(&self, token: &str) -> Option<(Person, Vec<String>)> {
        let access = self.access_tokens.get(token.into())?;
        let grant = self.grants.get(access.grant)?;
        Some((grant.person.clone(), access.resources.clone()))
    }

    /// 32 random octets in base64url; padded to `length` characters where the server is lax in this way.
    fn random(&self, long: Laxity, length: usize) -> Result<String, Error> {
        let random = pkce::random(32)?.to_string();
        Ok(if self.laxities.have(long) { format!("{random:x<length$}") } else { random })
    }

    fn token(&self) -> Result<String, Refusal> {
        self.random(Laxity::LongTokens, 64_000).map_err(|_| ("server_error", "random numbers are not available"))
    }

    fn grant(&self, at: Key) -> Result<Grant, Refusal> {
        self.grants.get(at).cloned().ok_or(("invalid_grant", "the grant is revoked"))
    }

    /// The first tokens of a grant.
    fn first_tokens(&mut self, at: Key, parameters: &Parameters) -> Result<Tokens, Refusal> {
        let scope = self.grant(at)?.request.granted_scope();
        let tokens = self.tokens(at, scope, parameters)?;
        Ok(Tokens { refresh_token: self.refresh_token(at)?, ..tokens })
    }

    /// An access token, and what the response says with it.
    fn tokens(&mut self, at: Key, scope: Vec<&'static str>, parameters: &Parameters) -> Result<Tokens, Refusal> {
        let Grant { request, person, .. } = self.grant(at)?;
        let resources = request.granted_resources(parameters)?;
        let access_token = self.token()?;
        self.access_tokens.add(access_token.as_str().into(), Access { grant: at, resources });
        let AuthorizationRequest { nonce, acr, client_id, .. } = request;
        Ok(Tokens { access_token, refresh_token: None, scope, nonce, acr, person, client_id })
    }

    /// A refresh token, where `offline_access` is granted.
    fn refresh_token(&mut self, at: Key) -> Result<Option<String>, Refusal> {
        let offline = self.grant(at)?.request.granted_scope().contains(&"offline_access");
        if !offline || self.laxities.have(Laxity::NoRefresh) {
            return Ok(None);
        }
        let token = self.token()?;
        self.refresh_tokens.add(token.as_str().into(), at);
        Ok(Some(token))
    }
}

/// How long a code is valid (RFC 6749 section 4.1.2 allows ten minutes; a script needs no more than this).
const CODE: Duration = Duration::from_secs(60);

/// How long an access token is valid.
pub const ACCESS: Duration = Duration::from_secs(3600);

/// How long a grant lasts, with its refresh tokens.
const GRANT: Duration = Duration::from_secs(30 * 24 * 3600);
