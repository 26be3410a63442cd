//! What each provider of pkce-providers(7) is known to do. A source stands beside each fact that is not in its own
//! documentation of the endpoint.

use serde_json::{Value, json};

use crate::common::{json_response, response};
use crate::fake::{Asked, Fake, Grant, Refresh, Verdict};
use crate::{FORM, JSON, refusal};

/// A provider, what its recipe says on standard error, and how its failures are provoked.
pub struct Provider {
    pub name: &'static str,
    pub fake: fn() -> Fake,
    pub notes: &'static str,
    pub provoked: &'static [Provoked],
}

pub enum Provoked {
    /// By other words in the recipe.
    Instead(&'static str, &'static str),
}

pub fn fakes() -> Vec<Provider> {
    vec![
        Provider {
            name: "Auth0",
            fake: auth0,
            notes: "",
            provoked: &[
                Provoked::Instead("auth0.com/", "auth0.com"),
                Provoked::Instead("api.example.com", "other.example.com"),
            ],
        },
        Provider {
            name: "Keycloak",
            fake: keycloak,
            notes: "",
            provoked: &[Provoked::Instead("realms/work", "realms/Work")],
        },
        Provider {
            name: "Google",
            fake: google,
            notes: "",
            provoked: &[Provoked::Instead("--client-secret-file ~/google.secret", "")],
        },
    ]
}

/// A public client at a server that keeps to the RFCs.
fn usual() -> Fake {
    Fake {
        own: "",
        discovery: "",
        metadata: json!({}),
        registers: is_loopback,
        any_port: true,
        authorizes: |_| Verdict::Granted,
        secret: &[],
        no_secret: Vec::new(),
        wrong_secret: refusal("invalid_client", ""),
        expired: refusal("invalid_grant", ""),
        tokens: |_, _| json!({}),
        claims: json!({}),
        refreshes: Refresh::Rotates,
        wire: |_, body| json_response(body),
    }
}

fn is_loopback(uri: &str) -> bool {
    uri.starts_with("http://127.0.0.1:") || uri.starts_with("http://127.0.0.1/") || uri.starts_with("http://localhost:")
}

/// The refresh token goes to who asked for it with the scope.
fn if_offline(asked: &Asked) -> Value {
    if asked.has_scope("offline_access") { json!({}) } else { json!({ "refresh_token": null }) }
}

fn auth0() -> Fake {
    Fake {
        own: "https://*.us.auth0.com/",
        discovery: "https://$1.us.auth0.com/.well-known/openid-configuration",
        metadata: json!({
            "issuer": "https://$1.us.auth0.com/",
            "authorization_endpoint": "https://$1.us.auth0.com/authorize",
            "token_endpoint": "https://$1.us.auth0.com/oauth/token",
            "device_authorization_endpoint": "https://$1.us.auth0.com/oauth/device/code",
            "userinfo_endpoint": "https://$1.us.auth0.com/userinfo",
            "jwks_uri": "https://$1.us.auth0.com/.well-known/jwks.json",
            "registration_endpoint": "https://$1.us.auth0.com/oidc/register",
            "revocation_endpoint": "https://$1.us.auth0.com/oauth/revoke",
            "scopes_supported": ["openid", "profile", "offline_access", "email", "address", "phone"],
            "code_challenge_methods_supported": ["S256", "plain"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        }),
        any_port: false,
        authorizes: |asked| match asked.get("audience") {
            "" | "https://api.example.com" => Verdict::Granted,
            other => Verdict::Refused("access_denied", format!("Service not found: {other}")),
        },
        expired: response(
            403,
            JSON,
            r#"{"error":"invalid_grant","error_description":"Unknown or invalid refresh token."}"#,
        ),
        tokens: |asked, _| crate::common::changed(if_offline(asked), &json!({ "expires_in": 86400 })),
        ..usual()
    }
}

fn keycloak() -> Fake {
    Fake {
        own: "https://*/realms/*",
        discovery: "https://$1/realms/$2/.well-known/openid-configuration",
        metadata: json!({
            "issuer": "https://$1/realms/$2",
            "authorization_endpoint": "https://$1/realms/$2/protocol/openid-connect/auth",
            "token_endpoint": "https://$1/realms/$2/protocol/openid-connect/token",
            "jwks_uri": "https://$1/realms/$2/protocol/openid-connect/certs",
            "revocation_endpoint": "https://$1/realms/$2/protocol/openid-connect/revoke",
            "scopes_supported": ["openid", "profile", "email", "offline_access", "roles", "web-origins"],
            "code_challenge_methods_supported": ["plain", "S256"],
            "token_endpoint_auth_methods_supported": [
                "private_key_jwt", "client_secret_basic", "client_secret_post", "tls_client_auth", "client_secret_jwt",
            ],
            "authorization_response_iss_parameter_supported": true,
            "require_pushed_authorization_requests": false,
        }),
        expired: refusal("invalid_grant", "Token is not active"),
        tokens: |asked, _| {
            json!({
                "scope": format!("{} email profile", asked.get("scope")), "refresh_expires_in": 1800,
                "not-before-policy": 0, "session_state": "s3ss10n", "expires_in": 300,
            })
        },
        ..usual()
    }
}

fn google() -> Fake {
    Fake {
        own: "https://accounts.google.com",
        discovery: "https://accounts.google.com/.well-known/openid-configuration",
        metadata: json!({
            "issuer": "https://accounts.google.com",
            "authorization_endpoint": "https://accounts.google.com/o/oauth2/v2/auth",
            "device_authorization_endpoint": "https://oauth2.googleapis.com/device/code",
            "token_endpoint": "https://oauth2.googleapis.com/token",
            "userinfo_endpoint": "https://openidconnect.googleapis.com/v1/userinfo",
            "revocation_endpoint": "https://oauth2.googleapis.com/revoke",
            "jwks_uri": "https://www.googleapis.com/oauth2/v3/certs",
            "scopes_supported": ["openid", "email", "profile"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "code_challenge_methods_supported": ["plain", "S256"],
        }),
        authorizes: |asked| match asked.has_scope("offline_access") {
            true => Verdict::Page("Error 400: invalid_scope"),
            false => Verdict::Granted,
        },
        // A desktop client's secret is required although PKCE is used (taylorwilsdon/google_workspace_mcp issue 1008).
        secret: &["basic", "post"],
        no_secret: refusal("invalid_request", "client_secret is missing."),
        wrong_secret: response(401, JSON, r#"{"error":"invalid_client","error_description":"Unauthorized"}"#),
        expired: refusal("invalid_grant", "Token has been expired or revoked."),
        tokens: |asked, _| match asked.get("access_type") {
            "offline" => json!({ "expires_in": 3599 }),
            _ => json!({ "expires_in": 3599, "refresh_token": null }),
        },
        refreshes: Refresh::Keeps,
        ..usual()
    }
}
