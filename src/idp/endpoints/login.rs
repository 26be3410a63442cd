//! The login and the consent of a person, after an authorization request: RFC 6749 section 4.1, RFC 8628 section 3.3.

use super::authorization_response;
use crate::idp::body::Body;
use crate::idp::clock::now;
use crate::idp::pages;
use crate::idp::parameters::Parameters;
use crate::idp::response::Response;
use crate::idp::service::Service;
use crate::idp::state::authorization_request::{AuthorizationRequest, Recipient};
use crate::idp::state::logins::Login;
use crate::idp::state::person::Person;

/// Shows the login page, or the consent page to a person who is signed in.
pub fn ask(service: &Service, request: AuthorizationRequest, person: Option<Person>) -> Response {
    let Ok(id) = service.state().logins.add(request.clone(), person.clone()) else { return Response::server_error() };
    match person {
        None => pages::login(&id),
        Some(person) => {
            let state = service.state();
            pages::consent(&id, &person.name, &request, state.clients.name(&request.client_id))
        }
    }
}

/// Signs the person in who sent the login page's form.
pub fn login(service: &Service, body: Body) -> Response {
    let form = body.form().unwrap_or_default();
    let Some(Login { request, .. }) = pending(service, &form) else { return unknown() };
    let name = form.one("name").unwrap_or_default().trim();
    if name.is_empty() || name.len() > 255 || name.chars().any(char::is_control) {
        return ask(service, request, None);
    }
    let person = Person { name: name.to_owned(), auth_time: now() };
    let Ok(cookie) = service.state().sessions.begin(person.clone()) else { return Response::server_error() };
    ask(service, request, Some(person)).with_headers(&cookie)
}

/// Redirects the person who sent the consent page's form to the client, or records the decision for the device.
pub fn consent(service: &Service, body: Body) -> Response {
    let form = body.form().unwrap_or_default();
    let Some(Login { request, person: Some(person) }) = pending(service, &form) else { return unknown() };
    let is_allowed = form.one("answer") == Some("allow");
    let (uri, state) = match request.recipient.clone() {
        Recipient::Redirect { uri, state } => (uri, state),
        Recipient::Device(user_code) => {
            let decided = service.state().device_codes.decide(&user_code, Some(person).filter(|_| is_allowed));
            return decided.map_or_else(|wrong| pages::problem(400, wrong), |()| pages::decided(is_allowed));
        }
    };
    if is_allowed {
        return authorization_response::code(service, &uri, state.as_deref(), request, person);
    }
    let refusal = ("access_denied", "the user denied access");
    authorization_response::error(service, &uri, state.as_deref(), refusal)
}

/// The person who is signed in without a prompt.
pub fn expected(request: &AuthorizationRequest) -> Person {
    let name = request.login_hint.clone().unwrap_or(PERSON.to_owned());
    Person { name, auth_time: now() }
}

fn pending(service: &Service, form: &Parameters) -> Option<Login> {
    service.state().logins.take(form.one("id")?)
}

fn unknown() -> Response {
    pages::problem(400, "This login is unknown or already completed.")
}

/// Where the login page sends its form.
pub const LOGIN: &str = "/login";

/// Where the consent page sends its form.
pub const CONSENT: &str = "/consent";

/// The user who signs in without a prompt, unless `login_hint` names another.
const PERSON: &str = "alice";
