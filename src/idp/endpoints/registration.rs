//! The registration endpoint: RFC 7591 section 3.

use crate::idp::body::Body;
use crate::idp::response::Response;
use crate::idp::service::Service;

/// Registers a client.
pub fn register(service: &Service, body: Body) -> Response {
    let metadata = match body.object() {
        Ok(metadata) => metadata,
        Err(wrong) => return Response::error(400, "invalid_client_metadata", wrong),
    };
    match service.state().clients.register(&metadata) {
        Ok(client) => Response::json(201, &client),
        Err((error @ "access_denied", description)) => Response::error(403, error, description),
        Err((error, description)) => Response::error(400, error, description),
    }
}
