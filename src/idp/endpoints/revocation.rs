//! The revocation endpoint: RFC 7009 section 2.

use super::public_client;
use crate::idp::body::Body;
use crate::idp::response::Response;
use crate::idp::service::Service;
use crate::wire::request::Request;

/// Revokes a token; an unknown one is a success too (section 2.2).
pub fn revoke(service: &Service, request: &Request, body: Body) -> Response {
    let parameters = match public_client::parameters(service, request, body) {
        Ok(parameters) => parameters,
        Err(response) => return response,
    };
    let Some(token) = parameters.one("token") else {
        return Response::error(400, "invalid_request", "token is missing");
    };
    service.state().grants.revoke(token, parameters.one("client_id").unwrap_or_default());
    Response::empty(200)
}
