//! What an access token is good for: RFC 6750, OpenID Connect Core section 5.3, RFC 9728.

use serde_json::{Value, json};

use super::Service;
use super::person::Person;
use super::response::Response;
use crate::wire::request::Request;

impl Service {
    /// Something to call with an access token: OpenID Connect Core section 5.3, RFC 6750.
    pub fn userinfo(&self, request: &Request) -> Response {
        match bearer(request).map(|token| self.state().grants.holder(token)) {
            Some(Some((person, _))) => Response::json(200, &told(&person)),
            Some(None) => Response::empty(401).with_headers("WWW-Authenticate: Bearer error=\"invalid_token\"\r\n"),
            None => Response::empty(401).with_headers("WWW-Authenticate: Bearer\r\n"),
        }
    }

    /// A protected resource with metadata of its own, as an MCP server is: RFC 9728 section 5.1, RFC 8707.
    pub fn resource(&self, request: &Request) -> Response {
        let resource = format!("{}{RESOURCE}", self.base);
        let metadata = format!("resource_metadata=\"http://{}{}\"", self.authority, self.resource_metadata_path());
        match bearer(request).map(|token| self.state().grants.holder(token)) {
            Some(Some((person, resources))) if resources.contains(&resource) => Response::json(200, &told(&person)),
            Some(_) => {
                let header = format!("WWW-Authenticate: Bearer error=\"invalid_token\", {metadata}\r\n");
                Response::empty(401).with_headers(&header)
            }
            None => Response::empty(401).with_headers(&format!("WWW-Authenticate: Bearer {metadata}\r\n")),
        }
    }

    /// Where the metadata of the protected resource is (RFC 9728 section 3.1).
    pub fn resource_metadata_path(&self) -> String {
        format!("/.well-known/oauth-protected-resource{}{RESOURCE}", self.root)
    }

    /// The protected resource, described (RFC 9728 section 2).
    pub fn resource_metadata(&self) -> Value {
        json!({
            "resource": format!("{}{RESOURCE}", self.base),
            "authorization_servers": [self.issuer],
            "bearer_methods_supported": ["header"],
        })
    }
}

/// The access token of the request (RFC 6750 section 2.1).
fn bearer(request: &Request) -> Option<&str> {
    let (scheme, token) = request.header("Authorization")?.split_once(' ')?;
    Some(token).filter(|_| scheme.eq_ignore_ascii_case("Bearer"))
}

/// What an API tells of somebody.
fn told(person: &Person) -> Value {
    json!({ "sub": person.name, "preferred_username": person.name })
}

/// The path of the protected resource.
pub const RESOURCE: &str = "/mcp";
