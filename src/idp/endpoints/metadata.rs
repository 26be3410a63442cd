//! The metadata of the server and its keys: RFC 8414, OpenID Connect Discovery 1.0, RFC 7517.

use serde_json::{Value, json};

use crate::client::pkce;
use crate::idp::laxity::Laxity;
use crate::idp::response::Response;
use crate::idp::service::Service;
use crate::idp::state::authorization_request::SCOPES;
use crate::idp::state::clients::GRANT_TYPES;

/// The metadata (RFC 8414 section 2).
pub fn metadata(service: &Service) -> Value {
    let at = |path: &str| format!("{}/{path}", service.base);
    json!({
        "issuer": service.issuer,
        "authorization_endpoint": at("authorize"),
        "token_endpoint": at("token"),
        "jwks_uri": at("jwks"),
        "revocation_endpoint": at("revoke"),
        "registration_endpoint": at("register"),
        "pushed_authorization_request_endpoint": at("par"),
        "device_authorization_endpoint": at("device_authorization"),
        "userinfo_endpoint": at("userinfo"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": GRANT_TYPES,
        "subject_types_supported": ["public"],
        "scopes_supported": SCOPES,
        "id_token_signing_alg_values_supported": [service.keys.alg.name()],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": [pkce::METHOD],
        "client_id_metadata_document_supported": true,
        "authorization_response_iss_parameter_supported": !service.laxities.have(Laxity::NoIss),
    })
}

/// The public keys (RFC 7517 section 5).
pub fn jwks(service: &Service) -> Response {
    service.keys.jwks().map_or_else(|_| Response::server_error(), |keys| Response::json(200, &keys))
}
