//! The pushed authorization request endpoint: RFC 9126 section 2.

use serde_json::json;

use super::public_client;
use crate::idp::body::Body;
use crate::idp::response::Response;
use crate::idp::service::Service;
use crate::idp::state::authorization_request::AuthorizationRequest;
use crate::idp::state::pushed_requests::LIFETIME;
use crate::wire::request::Request;

/// Stores an authorization request.
pub fn push(service: &Service, request: &Request, body: Body) -> Response {
    let parameters = match public_client::first_parameters(service, request, body) {
        Ok(parameters) => parameters,
        Err(response) => return response,
    };
    let one = |name| parameters.one(name).unwrap_or_default();
    if !service.state().clients.allows(one("client_id"), one("redirect_uri")) {
        return Response::error(400, "invalid_request", "redirect_uri is not registered for this client");
    }
    if let Err((error, description)) = AuthorizationRequest::parse(&parameters, &service.laxities) {
        return Response::error(400, error, description);
    }
    let Ok(request_uri) = service.state().pushed_requests.add(parameters) else { return Response::server_error() };
    Response::json(201, &json!({ "request_uri": request_uri, "expires_in": LIFETIME.as_secs() }))
}
