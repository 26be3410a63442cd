//! How a public client identifies itself in a direct request: RFC 6749 sections 2.3.1 and 3.2.1.

use super::client_metadata;
use crate::idp::body::Body;
use crate::idp::parameters::Parameters;
use crate::idp::response::Response;
use crate::idp::service::Service;
use crate::wire::request::Request;

/// The parameters of the request that begins a login, whose client may be the URL of its metadata, or the response that
/// refuses it.
pub fn first_parameters(service: &Service, request: &Request, body: Body) -> Result<Parameters, Response> {
    client_metadata::load_if_url(service, body.parameter("client_id").unwrap_or_default())
        .map_err(|wrong| Response::error(401, "invalid_client", wrong))?;
    parameters(service, request, body)
}

/// The parameters of a known client's request, or the response that refuses it.
pub fn parameters(service: &Service, request: &Request, body: Body) -> Result<Parameters, Response> {
    let parameters = body.parameters().map_err(|wrong| Response::error(400, "invalid_request", wrong))?;
    if !request.query.is_empty() {
        return Err(Response::error(400, "invalid_request", "parameters must be in the body, not in the query"));
    }
    let authenticates = request.has("Authorization") || parameters.one("client_secret").is_some();
    let known = parameters.one("client_id").is_some_and(|client_id| service.state().clients.knows(client_id));
    if authenticates || !known {
        let response =
            Response::error(401, "invalid_client", "unknown client, or client authentication by a public client");
        return Err(response.with_headers("WWW-Authenticate: Basic realm=\"pkce-idp\"\r\n"));
    }
    Ok(parameters)
}
