//! The verification page, where a person enters the code that a device shows: RFC 8628 section 3.3.

use super::login;
use crate::idp::body::Body;
use crate::idp::pages;
use crate::idp::parameters::Parameters;
use crate::idp::response::Response;
use crate::idp::service::Service;

/// Shows the form for the code; the link that has the code in it saves only the typing (section 3.3.1).
pub fn form(parameters: Result<Parameters, &'static str>) -> Response {
    let parameters = parameters.unwrap_or_default();
    pages::user_code(parameters.one("user_code").unwrap_or_default(), None)
}

/// Asks the person who sent the form for the login or the consent.
pub fn enter(service: &Service, body: Body, cookies: Option<&str>) -> Response {
    let form = body.form().unwrap_or_default();
    let user_code = form.one("user_code").unwrap_or_default();
    let entered = service.state().device_codes.enter(user_code);
    match entered {
        Ok(request) => {
            let person = cookies.and_then(|cookies| service.state().sessions.person(cookies));
            login::ask(service, request, person)
        }
        Err(wrong) => pages::user_code(user_code, Some(wrong)),
    }
}

/// The path of the verification page.
pub const DEVICE: &str = "/device";
