//! The token endpoint: RFC 6749 section 3.2, RFC 8628 section 3.4.

use serde_json::json;

use super::id_token;
use super::public_client;
use crate::client::poll::DEVICE_CODE;
use crate::idp::body::Body;
use crate::idp::faults::Effect;
use crate::idp::members::without_nulls;
use crate::idp::response::Response;
use crate::idp::service::Service;
use crate::idp::state::grants::ACCESS;
use crate::wire::request::Request;

/// Issues tokens for a code, a refresh token or a device code; `faults` are those of this request.
pub fn token(service: &Service, request: &Request, body: Body, faults: &[Effect]) -> Response {
    let parameters = match public_client::parameters(service, request, body) {
        Ok(parameters) => parameters,
        Err(response) => return response,
    };
    let issued = match parameters.one("grant_type") {
        Some("authorization_code") => service.state().grants.exchange(&parameters),
        Some("refresh_token") => service.state().grants.refresh(&parameters),
        Some(DEVICE_CODE) => {
            let state = &mut *service.state();
            state.grants.poll(&mut state.device_codes, &parameters)
        }
        Some(_) => Err((
            "unsupported_grant_type",
            "grant_type must be authorization_code, refresh_token or urn:ietf:params:oauth:grant-type:device_code",
        )),
        None => Err(("invalid_request", "grant_type is missing")),
    };
    let tokens = match issued {
        Ok(tokens) => tokens,
        Err((error, description)) => return Response::error(400, error, description),
    };
    let openid = tokens.scope.contains(&"openid");
    let id_token = openid.then(|| id_token::id_token(service, &tokens, faults)).transpose();
    let Ok(id_token) = id_token else { return Response::server_error() };
    let response = json!({
        "access_token": tokens.access_token,
        "token_type": "Bearer",
        "expires_in": ACCESS.as_secs(),
        "scope": tokens.scope.join(" "),
        "refresh_token": tokens.refresh_token,
        "id_token": id_token,
    });
    Response::json(200, &without_nulls(response))
}
