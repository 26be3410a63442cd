//! The authorization endpoint: RFC 6749 section 3.1, OpenID Connect Core section 3.1.2.

use super::authorization_response;
use super::client_metadata;
use super::login;
use crate::idp::clock::now;
use crate::idp::pages;
use crate::idp::parameters::Parameters;
use crate::idp::response::Response;
use crate::idp::service::Service;
use crate::idp::state::authorization_request::AuthorizationRequest;
use crate::idp::state::person::Person;

/// Responds to an authorization request: with a code, an error, or a page that asks the person.
pub fn authorize(service: &Service, parameters: Result<Parameters, &'static str>, cookies: Option<&str>) -> Response {
    let parameters = match parameters.and_then(|parameters| redirectable(service, parameters)) {
        Ok(parameters) => parameters,
        Err(wrong) => return pages::problem(400, wrong),
    };
    let redirect_uri = parameters.one("redirect_uri").unwrap_or_default();
    let refuse = |refusal| authorization_response::error(service, redirect_uri, parameters.one("state"), refusal);
    let request = match AuthorizationRequest::parse(&parameters, &service.laxities) {
        Ok(request) => request,
        Err(refusal) => return refuse(refusal),
    };
    let person = match cookies.and_then(|cookies| session(service, &request, cookies)) {
        None if service.auto_approve => Some(login::expected(&request)),
        person => person,
    };
    match person {
        Some(person) if service.auto_approve => {
            authorization_response::code(service, redirect_uri, parameters.one("state"), request, person)
        }
        person if request.prompts("none") => {
            let error = if person.is_some() { "consent_required" } else { "login_required" };
            refuse((error, "the user must be asked, but prompt is none"))
        }
        person => login::ask(service, request, person),
    }
}

/// The parameters, pushed or sent, of a request whose errors may be redirected to the client.
fn redirectable(service: &Service, parameters: Parameters) -> Result<Parameters, &'static str> {
    let client_id = parameters.one("client_id").unwrap_or_default();
    client_metadata::load_if_url(service, client_id)?;
    let mut state = service.state();
    if !state.clients.knows(client_id) {
        return Err("The client_id is not registered.");
    }
    let parameters = match parameters.one("request_uri") {
        Some(request_uri) => {
            let pushed = state.pushed_requests.take(request_uri, client_id);
            pushed.ok_or("The request_uri is unknown, expired or already used.")?
        }
        None => parameters,
    };
    let one = |name| parameters.one(name).unwrap_or_default();
    if !state.clients.allows(one("client_id"), one("redirect_uri")) {
        return Err("The redirect_uri is not registered for this client.");
    }
    Ok(parameters)
}

/// The person who is signed in, if that satisfies the request (`prompt`, `max_age`).
fn session(service: &Service, request: &AuthorizationRequest, cookies: &str) -> Option<Person> {
    let person = service.state().sessions.person(cookies)?;
    let recent = request.max_age.is_none_or(|age| person.age(now()) <= age);
    Some(person).filter(|_| recent && !request.prompts("login"))
}
