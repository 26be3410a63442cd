//! The authorization response: RFC 6749 section 4.1.2, RFC 9207 section 2.

use crate::idp::refusal::Refusal;
use crate::idp::response::Response;
use crate::idp::service::Service;
use crate::idp::state::authorization_request::AuthorizationRequest;
use crate::idp::state::person::Person;
use crate::wire::form;

/// Redirects the browser to the client with a code for the granted request.
pub fn code(
    service: &Service,
    redirect_uri: &str,
    state: Option<&str>,
    request: AuthorizationRequest,
    person: Person,
) -> Response {
    let Ok(code) = service.state().grants.code(request, person) else { return Response::server_error() };
    redirect(service, redirect_uri, state, &[("code", &code)])
}

/// Redirects the browser to the client with an error (RFC 6749 section 4.1.2.1).
pub fn error(service: &Service, redirect_uri: &str, state: Option<&str>, refusal: Refusal) -> Response {
    let (error, description) = refusal;
    redirect(service, redirect_uri, state, &[("error", error), ("error_description", description)])
}

fn redirect(service: &Service, redirect_uri: &str, state: Option<&str>, pairs: &[(&str, &str)]) -> Response {
    let mut pairs = pairs.to_vec();
    pairs.extend(state.map(|state| ("state", state)));
    pairs.extend(service.iss().map(|iss| ("iss", iss)));
    let joint = if redirect_uri.contains('?') { '&' } else { '?' };
    Response::redirect(&format!("{redirect_uri}{joint}{}", *form::encoded(pairs)))
}
