//! What an access token gives access to: the UserInfo endpoint (OpenID Connect Core section 5.3) and a protected
//! resource with metadata of its own (RFC 9728), as an MCP server is; RFC 6750.

use serde_json::{Value, json};

use crate::idp::body::Body;
use crate::idp::response::Response;
use crate::idp::service::Service;
use crate::idp::state::person::Person;
use crate::wire::request::Request;

/// The UserInfo endpoint, by GET or POST; the token is in the header or in the body of a POST, not in both (RFC 6750
/// section 2).
pub fn userinfo(service: &Service, request: &Request, body: Body) -> Response {
    let form = body.form().ok().filter(|_| request.method == "POST");
    let token = match (bearer(request), form.as_ref().and_then(|form| form.one("access_token"))) {
        (Some(_), Some(_)) => {
            return Response::error(400, "invalid_request", "access_token must be in the header or in the body");
        }
        (token, in_body) => token.or(in_body),
    };
    match token.map(|token| service.state().grants.holder(token)) {
        Some(Some((person, _))) => claims(&person),
        Some(None) => unauthorized("Bearer error=\"invalid_token\""),
        None => unauthorized("Bearer"),
    }
}

/// The protected resource: its token must be issued for it (RFC 8707), and a 401 names its metadata (RFC 9728 section
/// 5.1).
pub fn resource(service: &Service, request: &Request) -> Response {
    let resource = format!("{}{RESOURCE}", service.base);
    let metadata = format!("resource_metadata=\"http://{}{}\"", service.authority, metadata_path(service));
    match bearer(request).map(|token| service.state().grants.holder(token)) {
        Some(Some((person, resources))) if resources.contains(&resource) => claims(&person),
        Some(_) => unauthorized(&format!("Bearer error=\"invalid_token\", {metadata}")),
        None => unauthorized(&format!("Bearer {metadata}")),
    }
}

/// The path of the protected resource's metadata (RFC 9728 section 3.1).
pub fn metadata_path(service: &Service) -> String {
    format!("/.well-known/oauth-protected-resource{}{RESOURCE}", service.root)
}

/// The protected resource's metadata (RFC 9728 section 2).
pub fn metadata(service: &Service) -> Value {
    json!({
        "resource": format!("{}{RESOURCE}", service.base),
        "authorization_servers": [service.issuer],
        "bearer_methods_supported": ["header"],
    })
}

/// The access token of the request (RFC 6750 section 2.1).
fn bearer(request: &Request) -> Option<&str> {
    let (scheme, token) = request.header("Authorization")?.split_once(' ')?;
    Some(token).filter(|_| scheme.eq_ignore_ascii_case("Bearer"))
}

fn claims(person: &Person) -> Response {
    Response::json(200, &json!({ "sub": person.name, "preferred_username": person.name }))
}

/// A refusal with this challenge (RFC 6750 section 3).
fn unauthorized(challenge: &str) -> Response {
    Response::empty(401).with_headers(&format!("WWW-Authenticate: {challenge}\r\n"))
}

/// The path of the UserInfo endpoint.
pub const USERINFO: &str = "/userinfo";

/// The path of the protected resource.
pub const RESOURCE: &str = "/mcp";
