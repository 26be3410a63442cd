//! The device authorization endpoint: RFC 8628 sections 3.1 and 3.2.

use serde_json::json;

use super::device::DEVICE;
use super::login;
use super::public_client;
use crate::idp::body::Body;
use crate::idp::response::Response;
use crate::idp::service::Service;
use crate::idp::state::authorization_request::AuthorizationRequest;
use crate::idp::state::device_codes::{self, INTERVAL, LIFETIME};
use crate::wire::request::Request;

/// Gives a device its codes.
pub fn authorize(service: &Service, request: &Request, body: Body) -> Response {
    let parameters = match public_client::first_parameters(service, request, body) {
        Ok(parameters) => parameters,
        Err(response) => return response,
    };
    if !service.state().clients.may_use_device_grant(parameters.one("client_id").unwrap_or_default()) {
        return Response::error(400, "unauthorized_client", "the client is not registered for the device grant");
    }
    let Ok(user_code) = device_codes::user_code() else { return Response::server_error() };
    let request = match AuthorizationRequest::for_device(&parameters, &service.laxities, &user_code) {
        Ok(request) => request,
        Err((error, description)) => return Response::error(400, error, description),
    };
    let person = service.auto_approve.then(|| login::expected(&request));
    let added = service.state().device_codes.add(request, person);
    let Ok(device_code) = added else { return Response::server_error() };
    let verification_uri = format!("{}{DEVICE}", service.base);
    let response = json!({
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": verification_uri,
        "verification_uri_complete": format!("{verification_uri}?user_code={user_code}"),
        "expires_in": LIFETIME.as_secs(),
        "interval": INTERVAL.as_secs(),
    });
    Response::json(200, &response)
}
