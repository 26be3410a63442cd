//! Which endpoint a request is for, and the faults that happen there.

use super::body::Body;
use super::endpoints::{
    authorization, device, device_authorization, login, metadata, protected_resource, push, registration, revocation,
    token,
};
use super::faults::{Effect, Place};
use super::pages;
use super::parameters::Parameters;
use super::response::Response;
use super::service::Service;
use crate::client::poll::DEVICE_CODE;
use crate::wire::request::Request;

/// The response to a request whose body has these octets, with its faults.
pub fn respond(service: &Service, request: &Request, octets: &[u8]) -> Response {
    let host = request.header("Host").unwrap_or_default();
    if host.replacen("localhost:", "127.0.0.1:", 1) != service.authority {
        return pages::problem(421, "The Host header does not name this server.");
    }
    let body = Body::parse(request, octets);
    let endpoint = endpoint(service, request);
    let mut faults = endpoint.map(|place| service.faults.strike(place)).unwrap_or_default();
    if endpoint == Some(Place::Token) {
        match body.parameter("grant_type") {
            Some("refresh_token") => faults.extend(service.faults.strike(Place::Refresh)),
            Some(DEVICE_CODE) => faults.extend(service.faults.strike(Place::Poll)),
            _ => {}
        }
    }
    if let Some(response) = faults.iter().find_map(|fault| fault.instead(&body)) {
        return response;
    }
    let response = route(service, request, endpoint, body, &faults);
    if response.is_redirect() {
        faults.extend(service.faults.strike(Place::Redirect));
    }
    faults.iter().fold(response, |response, fault| fault.damaged(response))
}

/// The endpoint of the request; none for a page, a protected resource, and an unknown path.
fn endpoint(service: &Service, request: &Request) -> Option<Place> {
    // RFC 8414 and RFC 9728 put their well-known part before the path; everything else comes after it.
    if request.path == protected_resource::metadata_path(service) {
        return Some(Place::Resource);
    }
    if request.path == format!("/.well-known/oauth-authorization-server{}", service.root) {
        return Some(Place::Metadata);
    }
    match path(service, request) {
        "/.well-known/openid-configuration" => Some(Place::Metadata),
        "/authorize" => Some(Place::Authorization),
        "/token" => Some(Place::Token),
        "/revoke" => Some(Place::Revocation),
        "/par" => Some(Place::Push),
        "/device_authorization" => Some(Place::Device),
        "/register" => Some(Place::Registration),
        "/jwks" => Some(Place::Keys),
        _ => None,
    }
}

/// The path below the issuer's own; `//` is read as `/`.
fn path<'a>(service: &Service, request: &'a Request) -> &'a str {
    let path = request.path.strip_prefix(&service.root).unwrap_or_default();
    path.strip_prefix('/').filter(|path| path.starts_with('/')).unwrap_or(path)
}

/// The right response.
fn route(service: &Service, request: &Request, endpoint: Option<Place>, body: Body, faults: &[Effect]) -> Response {
    let cookies = request.header("Cookie");
    match (request.method.as_str(), endpoint, path(service, request)) {
        ("GET", Some(Place::Metadata), _) => Response::json(200, &metadata::metadata(service)),
        ("GET", Some(Place::Resource), _) => Response::json(200, &protected_resource::metadata(service)),
        ("GET", Some(Place::Keys), _) => metadata::jwks(service),
        ("GET", Some(Place::Authorization), _) => {
            authorization::authorize(service, Parameters::of_form(&request.query), cookies)
        }
        ("POST", Some(Place::Authorization), _) => authorization::authorize(service, body.form(), cookies),
        ("POST", Some(Place::Token), _) => token::token(service, request, body, faults),
        ("POST", Some(Place::Revocation), _) => revocation::revoke(service, request, body),
        ("POST", Some(Place::Push), _) => push::push(service, request, body),
        ("POST", Some(Place::Device), _) => device_authorization::authorize(service, request, body),
        ("POST", Some(Place::Registration), _) => registration::register(service, body),
        ("POST", None, device::DEVICE | login::LOGIN | login::CONSENT) if is_from_another_site(request) => {
            pages::problem(
                403,
                "Another site sent this form. Open the page on this server, and send the form from there.",
            )
        }
        ("GET", None, device::DEVICE) => device::form(Parameters::of_form(&request.query)),
        ("POST", None, device::DEVICE) => device::enter(service, body, cookies),
        ("POST", None, login::LOGIN) => login::login(service, body),
        ("POST", None, login::CONSENT) => login::consent(service, body),
        ("GET" | "POST", None, protected_resource::USERINFO) => protected_resource::userinfo(service, request, body),
        ("GET" | "POST", None, protected_resource::RESOURCE) => protected_resource::resource(service, request),
        (
            _,
            None,
            device::DEVICE
            | login::LOGIN
            | login::CONSENT
            | protected_resource::USERINFO
            | protected_resource::RESOURCE,
        )
        | (_, Some(_), _) => pages::problem(405, "This address does not support this method."),
        _ => pages::problem(404, "There is no page at this address."),
    }
}

/// Whether a browser says that the request comes from a page of another site; other programs say nothing.
fn is_from_another_site(request: &Request) -> bool {
    if let Some(site) = request.header("Sec-Fetch-Site") {
        return !["same-origin", "none"].contains(&site);
    }
    // Where both are sent, the `Origin` does not count: it is `null` for our own forms, whose pages send no referrer.
    let host = request.header("Host").unwrap_or_default();
    request.header("Origin").is_some_and(|origin| origin != format!("http://{host}"))
}
