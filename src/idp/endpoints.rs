//! What clients call themselves: the token endpoint (RFC 6749 section 3.2), pushed requests (RFC 9126), registration
//! (RFC 7591), revocation (RFC 7009).

use std::time::Instant;

use serde_json::json;

use super::authorization_request::AuthorizationRequest;
use super::body::Body;
use super::clock::now;
use super::faults::{Effect, Place};
use super::grants::{self, Tokens};
use super::members::without_nulls;
use super::parameters::Parameters;
use super::response::Response;
use super::{PUSHED, Pushed, Service};
use crate::client::pkce;
use crate::error::Error;
use crate::id_token::jws::encoded;
use crate::wire::request::Request;

impl Service {
    /// The pushed authorization request endpoint: RFC 9126 section 2.
    pub fn push(&self, request: &Request, body: Body) -> Response {
        let parameters = match self.called(request, body) {
            Ok(parameters) => parameters,
            Err(response) => return response,
        };
        let one = |name| parameters.one(name).unwrap_or_default();
        let mut state = self.state();
        if !state.clients.allows(one("client_id"), one("redirect_uri")) {
            return Response::error(400, "invalid_request", "redirect_uri is not registered for this client");
        }
        if let Err((error, description)) = AuthorizationRequest::parse(&parameters, &self.lax) {
            return Response::error(400, error, description);
        }
        let Ok(id) = pkce::random(32) else { return Response::server_error() };
        let request_uri = format!("urn:ietf:params:oauth:request_uri:{}", *id);
        state.pushed.insert(request_uri.clone(), Pushed { parameters, until: Instant::now() + PUSHED });
        Response::json(201, &json!({ "request_uri": request_uri, "expires_in": PUSHED.as_secs() }))
    }

    /// The request that this client pushed, once (RFC 9126 section 4).
    pub fn pushed(&self, request_uri: &str, client_id: &str) -> Option<Parameters> {
        let pushed = self.state().pushed.remove(request_uri)?;
        let good = pushed.until > Instant::now() && pushed.parameters.one("client_id") == Some(client_id);
        Some(pushed.parameters).filter(|_| good)
    }

    /// The registration endpoint: RFC 7591 section 3.
    pub fn register(&self, body: Body) -> Response {
        let Some(metadata) = body.object() else {
            return Response::error(400, "invalid_client_metadata", "the body must be a JSON object");
        };
        match self.state().clients.register(&metadata) {
            Ok(client) => Response::json(201, &client),
            Err((error, description)) => Response::error(400, error, description),
        }
    }

    /// The token endpoint: RFC 6749 section 3.2.
    pub fn token(&self, request: &Request, body: Body, faults: &[Effect]) -> Response {
        let parameters = match self.called(request, body) {
            Ok(parameters) => parameters,
            Err(response) => return response,
        };
        let granted = match parameters.one("grant_type") {
            Some("authorization_code") => self.state().grants.exchange(&parameters),
            Some("refresh_token") => self.state().grants.refresh(&parameters),
            Some(_) => Err(("unsupported_grant_type", "codes and refresh tokens are taken here")),
            None => Err(("invalid_request", "grant_type is missing")),
        };
        let tokens = match granted {
            Ok(tokens) => tokens,
            Err((error, description)) => return Response::error(400, error, description),
        };
        let id_token = match tokens.scope.iter().any(|name| name == "openid") {
            true => match self.id_token(&tokens, faults) {
                Ok(id_token) => Some(id_token),
                Err(_) => return Response::server_error(),
            },
            false => None,
        };
        let tokens = json!({
            "access_token": tokens.access_token,
            "token_type": "Bearer",
            "expires_in": grants::ACCESS.as_secs(),
            "scope": tokens.scope.join(" "),
            "refresh_token": tokens.refresh_token,
            "id_token": id_token,
        });
        Response::json(200, &without_nulls(tokens))
    }

    /// An ID token (OpenID Connect Core section 2).
    fn id_token(&self, tokens: &Tokens, refresh: &[Effect]) -> Result<String, Error> {
        let claims = json!({
            "iss": self.issuer,
            "sub": tokens.person.name,
            "aud": tokens.client_id,
            "iat": now(),
            "exp": now() + grants::ACCESS.as_secs(),
            "auth_time": tokens.person.auth_time,
            "at_hash": self.keys.half_hash(&tokens.access_token),
            "preferred_username": tokens.person.name,
            "nonce": tokens.nonce,
            "acr": tokens.acr,
        });
        let mut claims = without_nulls(claims);
        let mut faults = self.faults.strike(Place::IdToken);
        faults.extend(refresh);
        self.keys.signing(|key| {
            let mut header = key.header();
            for fault in &faults {
                fault.describe(&mut header, &mut claims);
            }
            let payload = faults.iter().fold(claims.to_string(), |payload, fault| fault.payload(payload));
            let input = format!("{}.{}", encoded(header.to_string()), encoded(payload));
            let token = format!("{input}.{}", key.signature(&input)?);
            Ok(faults.iter().fold(token, |token, fault| fault.signed(token, &key.jwk())))
        })
    }

    /// Revocation: RFC 7009.
    pub fn revoke(&self, request: &Request, body: Body) -> Response {
        let parameters = match self.called(request, body) {
            Ok(parameters) => parameters,
            Err(response) => return response,
        };
        match parameters.one("token") {
            Some(token) => self.state().grants.revoke(token, parameters.one("client_id").unwrap_or_default()),
            None => return Response::error(400, "invalid_request", "token is missing"),
        }
        Response::empty(200)
    }

    /// The parameters of a public client's call: in a form, or in JSON as Auth0 takes it.
    fn called(&self, request: &Request, body: Body) -> Result<Parameters, Response> {
        let parameters = body.parameters().map_err(|wrong| Response::error(400, "invalid_request", wrong))?;
        if !request.query.is_empty() {
            return Err(Response::error(400, "invalid_request", "parameters belong in the body"));
        }
        let authenticates = request.has("Authorization") || parameters.one("client_secret").is_some();
        let known = parameters.one("client_id").is_some_and(|client_id| self.state().clients.knows(client_id));
        if authenticates || !known {
            let response = Response::error(401, "invalid_client", "no such client, or it is one without a secret");
            return Err(response.with_headers("WWW-Authenticate: Basic realm=\"pkce-idp\"\r\n"));
        }
        Ok(parameters)
    }
}
