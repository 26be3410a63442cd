//! What each provider of pkce-providers(7) is known to do: from its own documentation; from runs of the server, for
//! Keycloak, Ory Hydra, Dex, Spring Authorization Server and Pocket ID; else from the source that stands beside a fact.
//! The words of error pages, which no tool reads, are only like theirs.
//!
//! Most sign with RS256, for which no key can be generated here, so that all sign with ES256 instead.

use serde_json::{Value, json};

use crate::common::{changed, json_response, response};
use crate::fake::{Asked, Cause, Fake, Refresh, Verdict};
use crate::{FORM, JSON, refusal};

/// In the order of the page.
pub fn fakes() -> Vec<Fake> {
    vec![
        cognito(),
        atlassian(),
        auth0(),
        authentik(),
        dex(),
        github(),
        gitlab(),
        gmail(),
        google(),
        keycloak(),
        microsoft_mail(),
        entra(),
        okta(),
        hydra(),
        pocket_id(),
        salesforce(),
        slack(),
        spring(),
        zitadel(),
    ]
}

/// A public client at a server that keeps to the RFCs.
fn usual() -> Fake {
    Fake {
        name: "",
        own: "",
        discovery: "",
        metadata: json!({}),
        documents: Vec::new(),
        api: "",
        registers: is_loopback,
        any_port: true,
        authorizes: |_| Verdict::Granted,
        secret: &[],
        no_secret: Vec::new(),
        wrong_secret: refusal("invalid_client", ""),
        expired: refusal("invalid_grant", ""),
        codes_expire: false,
        no_device: None,
        tokens: |_| json!({}),
        claims: json!({}),
        alg: "ES256",
        refreshes: Refresh::Rotates,
        wire: |_, body| json_response(body),
        logins: vec![""],
        uses: Vec::new(),
        needs: &[],
        failures: Vec::new(),
    }
}

/// An OAuth error with another status than 400.
fn refused(status: u16, code: &str, description: &str) -> Vec<u8> {
    response(status, JSON, &json!({ "error": code, "error_description": description }).to_string())
}

/// As usual, or an error page if the scope has other names than these.
fn page_unless(asked: &Asked, scope: &[&str], words: &'static str) -> Verdict {
    if asked.scopes().all(|name| scope.contains(&name)) { Verdict::Granted } else { Verdict::Page(words) }
}

fn is_loopback(uri: &str) -> bool {
    uri.starts_with("http://127.0.0.1") || is_localhost(uri)
}

fn is_address(uri: &str) -> bool {
    uri.starts_with("http://127.0.0.1")
}

fn is_localhost(uri: &str) -> bool {
    uri.starts_with("http://localhost")
}

/// These members, and no refresh token unless the scope asks for one.
fn if_offline(asked: &Asked, mut tokens: Value) -> Value {
    if !asked.has_scope("offline_access") {
        tokens["refresh_token"] = Value::Null;
    }
    tokens
}

const UNREGISTERED: &str = "pkce-callback: no redirect within 1 s";

const NO_PKCE: &str = "pkce-discover: note: the server's metadata does not mention PKCE\n";

const NO_ISSUER: &str = "pkce-callback: note: the document has no issuer, so the redirect's issuer cannot be checked\n";

const ENTRA: &str = "pkce-discover: note: the server's metadata does not mention PKCE\n\
                     pkce-exchange: note: the granted scope lacks offline_access\n";

fn cognito() -> Fake {
    Fake {
        name: "Amazon Cognito",
        own: "https://cognito-idp.*.amazonaws.com/*",
        discovery: "https://cognito-idp.$1.amazonaws.com/$2/.well-known/openid-configuration",
        metadata: json!({
            "issuer": "https://cognito-idp.$1.amazonaws.com/$2",
            "authorization_endpoint": "https://acme.auth.$1.amazoncognito.com/oauth2/authorize",
            "token_endpoint": "https://acme.auth.$1.amazoncognito.com/oauth2/token",
            "revocation_endpoint": "https://acme.auth.$1.amazoncognito.com/oauth2/revoke",
            "jwks_uri": "https://cognito-idp.$1.amazonaws.com/$2/.well-known/jwks.json",
            "scopes_supported": ["openid", "email", "phone", "profile"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }),
        // Plain http for localhost alone (API CreateUserPoolClient, CallbackURLs).
        registers: is_localhost,
        any_port: false,
        authorizes: |asked| match asked.scopes().all(|name| ["openid", "email"].contains(&name)) {
            true => Verdict::Granted,
            false => Verdict::Refused("invalid_request", "invalid_scope".to_owned()),
        },
        expired: response(400, JSON, r#"{"error":"invalid_grant"}"#),
        tokens: |_| json!({ "scope": null }),
        claims: json!({ "token_use": "id" }),
        refreshes: Refresh::Keeps,
        logins: vec![NO_PKCE],
        needs: &["--redirect-uri"],
        failures: vec![
            (
                Cause::Instead("openid email", "openid offline_access"),
                1,
                "pkce-callback: authorization endpoint: invalid_request: invalid_scope",
            ),
            (Cause::Unregistered, 3, UNREGISTERED),
            (Cause::Expired, 5, "pkce-token: token endpoint: invalid_grant"),
        ],
        ..usual()
    }
}

fn atlassian() -> Fake {
    Fake {
        name: "Atlassian",
        own: "https://auth.atlassian.com",
        discovery: "https://auth.atlassian.com/.well-known/openid-configuration",
        metadata: json!({
            "issuer": "https://auth.atlassian.com",
            "authorization_endpoint": "https://auth.atlassian.com/authorize",
            "token_endpoint": "https://auth.atlassian.com/oauth/token",
            "jwks_uri": "https://auth.atlassian.com/.well-known/jwks.json",
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "code_challenge_methods_supported": ["S256"],
        }),
        api: "https://api.atlassian.com/oauth/token/accessible-resources",
        any_port: false,
        // It refuses openid, although its metadata lists it (LetPeopleWork/Lighthouse, findings of epic 5146).
        authorizes: |asked| match (asked.get("audience"), asked.get("prompt"), asked.has_scope("openid")) {
            ("api.atlassian.com", "consent", false) => Verdict::Granted,
            _ => Verdict::Page("Something went wrong"),
        },
        // The documentation has the secret in the body alone, and PKCE does not replace it (Meridiona/meridian pull
        // request 218).
        secret: &["post"],
        no_secret: refused(401, "access_denied", "Unauthorized"),
        wrong_secret: refused(401, "access_denied", "Unauthorized"),
        expired: refused(403, "invalid_grant", "Unknown or invalid refresh token."),
        tokens: |asked| if_offline(asked, json!({})),
        uses: vec!["{\"ok\":true}"],
        needs: &["--prompt", "--scope", "--param", "--redirect-uri", "--client-secret-file", "--auth-method"],
        failures: vec![
            (Cause::WrongSecret, 1, "pkce-exchange: token endpoint: access_denied: Unauthorized"),
            (
                Cause::Instead("--client-secret-file ~/atlassian.secret \\\n    --auth-method client_secret_post", ""),
                1,
                "pkce-exchange: token endpoint: access_denied: Unauthorized",
            ),
            (Cause::Unregistered, 3, UNREGISTERED),
            (Cause::Expired, 5, "pkce-token: token endpoint: invalid_grant: Unknown or invalid refresh token."),
        ],
        ..usual()
    }
}

fn auth0() -> Fake {
    Fake {
        name: "Auth0",
        own: "https://*.us.auth0.com/",
        discovery: "https://$1.us.auth0.com/.well-known/openid-configuration",
        metadata: json!({
            "issuer": "https://$1.us.auth0.com/",
            "authorization_endpoint": "https://$1.us.auth0.com/authorize",
            "token_endpoint": "https://$1.us.auth0.com/oauth/token",
            "device_authorization_endpoint": "https://$1.us.auth0.com/oauth/device/code",
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
        // Auth0 community topic 120406.
        expired: refused(403, "invalid_grant", "Unknown or invalid refresh token."),
        tokens: |asked| if_offline(asked, json!({ "expires_in": 86400 })),
        needs: &["--redirect-uri"],
        failures: vec![
            (
                Cause::Instead("auth0.com/", "auth0.com"),
                4,
                "pkce-discover: metadata: issuer: https://tenant.us.auth0.com/ instead of https://tenant.us.auth0.com",
            ),
            (
                Cause::Instead("api.example.com", "other.example.com"),
                1,
                "pkce-callback: authorization endpoint: access_denied: Service not found: https://other.example.com",
            ),
            (
                Cause::Unlike(|fake| {
                    fake.authorizes = |asked| {
                        let (client, api) = (asked.get("client_id"), asked.get("audience"));
                        let words =
                            format!("Client \"{client}\" is not authorized to access resource server \"{api}\".");
                        Verdict::Refused("invalid_request", words)
                    }
                }),
                1,
                "pkce-callback: authorization endpoint: invalid_request: Client \"client-id\" is not authorized to access resource server \"https://api.example.com\".",
            ),
            (Cause::Unregistered, 3, UNREGISTERED),
            (Cause::Expired, 5, "pkce-token: token endpoint: invalid_grant: Unknown or invalid refresh token."),
        ],
        ..usual()
    }
}

fn authentik() -> Fake {
    Fake {
        name: "authentik",
        own: "https://*/application/o/*/",
        discovery: "https://$1/application/o/$2/.well-known/openid-configuration",
        metadata: json!({
            "issuer": "https://$1/application/o/$2/",
            "authorization_endpoint": "https://$1/application/o/authorize/",
            "token_endpoint": "https://$1/application/o/token/",
            "device_authorization_endpoint": "https://$1/application/o/device/",
            "revocation_endpoint": "https://$1/application/o/revoke/",
            "jwks_uri": "https://$1/application/o/$2/jwks/",
            "scopes_supported": ["openid", "email", "profile", "offline_access"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "code_challenge_methods_supported": ["plain", "S256"],
        }),
        tokens: |asked| if_offline(asked, json!({ "expires_in": 300 })),
        failures: vec![
            // Without a signing key, it signs with the client's secret.
            (
                Cause::Unlike(|fake| fake.alg = "HS256"),
                4,
                "pkce-verify: id_token: header: alg: HS256 is not accepted, since whoever can verify it can also sign",
            ),
            // A scope that the provider does not have is dropped (authentik/providers/oauth2/views/authorize.py).
            (
                Cause::Unlike(|fake| fake.tokens = |_| json!({ "scope": "openid", "refresh_token": null })),
                0,
                "pkce-exchange: note: the granted scope lacks offline_access",
            ),
            (Cause::Expired, 5, "pkce-token: token endpoint: invalid_grant"),
        ],
        ..usual()
    }
}

fn dex() -> Fake {
    Fake {
        name: "Dex",
        own: "https://*/dex",
        discovery: "https://$1/dex/.well-known/openid-configuration",
        metadata: json!({
            "issuer": "https://$1/dex",
            "authorization_endpoint": "https://$1/dex/auth",
            "token_endpoint": "https://$1/dex/token",
            "device_authorization_endpoint": "https://$1/dex/device/code",
            "jwks_uri": "https://$1/dex/keys",
            "scopes_supported": ["openid", "email", "groups", "profile", "offline_access"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256", "plain"],
        }),
        expired: refusal("invalid_request", "Refresh token is invalid or has already been claimed by another client."),
        tokens: |asked| if_offline(asked, json!({ "token_type": "bearer", "scope": null })),
        failures: vec![
            (
                Cause::Then(|_| {}, "pkce-logout dex"),
                0,
                "pkce-logout: note: dex: removed, although the server cannot revoke its tokens; they may stay valid",
            ),
            (
                Cause::Expired,
                5,
                "pkce-token: token endpoint: invalid_request: Refresh token is invalid or has already been claimed by another client.",
            ),
        ],
        ..usual()
    }
}

const BAD_CREDENTIALS: &str = r#"{"error":"incorrect_client_credentials","error_description":"The client_id and/or client_secret passed are incorrect."}"#;

fn github() -> Fake {
    Fake {
        name: "GitHub",
        own: "https://github.com/login/oauth/authorize",
        metadata: json!({
            "authorization_endpoint": "https://github.com/login/oauth/authorize",
            "device_authorization_endpoint": "https://github.com/login/device/code",
            "token_endpoint": "https://github.com/login/oauth/access_token",
        }),
        secret: &["basic", "post"],
        // PyGithub/PyGithub issue 1718: with status 200.
        no_secret: response(200, JSON, BAD_CREDENTIALS),
        wrong_secret: response(200, JSON, BAD_CREDENTIALS),
        expired: refused(200, "bad_verification_code", "The code passed is incorrect or expired."),
        tokens: |asked| {
            let scope: Vec<&str> = asked.scopes().collect();
            json!({ "token_type": "bearer", "scope": scope.join(","), "expires_in": null })
        },
        refreshes: Refresh::Never,
        wire: |seen, body| match seen.header("Accept") {
            Some(JSON) => json_response(body),
            _ => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                form.extend_pairs(
                    body.as_object().unwrap().iter().map(|(name, value)| (name, value.as_str().unwrap())),
                );
                response(200, FORM, &form.finish())
            }
        },
        logins: vec![
            NO_ISSUER,
            "pkce-device: to sign in, open this URL on any device and enter the code:\n    https://id.example.com/device\n    WDJB-MJHT\n",
        ],
        needs: &["--client-secret-file"],
        failures: vec![
            (
                Cause::WrongSecret,
                1,
                "pkce-exchange: token endpoint: incorrect_client_credentials: The client_id and/or client_secret passed are incorrect.",
            ),
            (
                Cause::Unlike(|fake| fake.codes_expire = true),
                1,
                "pkce-exchange: token endpoint: bad_verification_code: The code passed is incorrect or expired.",
            ),
            (
                Cause::Then(
                    |fake| {
                        fake.no_device = Some(refused(
                            200,
                            "device_flow_disabled",
                            "Device Flow must be explicitly enabled for this App",
                        ))
                    },
                    "pkce-gen github.json | pkce-device --client-id client-id",
                ),
                1,
                "pkce-device: device authorization endpoint: device_flow_disabled: Device Flow must be explicitly enabled for this App",
            ),
            (Cause::Expired, 5, "pkce-token: there is no refresh token"),
        ],
        ..usual()
    }
}

fn gitlab() -> Fake {
    Fake {
        name: "GitLab",
        own: "https://gitlab.com",
        discovery: "https://gitlab.com/.well-known/openid-configuration",
        metadata: json!({
            "issuer": "https://gitlab.com",
            "authorization_endpoint": "https://gitlab.com/oauth/authorize",
            "token_endpoint": "https://gitlab.com/oauth/token",
            "device_authorization_endpoint": "https://gitlab.com/oauth/authorize_device",
            "revocation_endpoint": "https://gitlab.com/oauth/revoke",
            "jwks_uri": "https://gitlab.com/oauth/discovery/keys",
            "scopes_supported": ["api", "read_api", "read_user", "read_repository", "openid", "profile", "email"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["plain", "S256"],
        }),
        // Doorkeeper, URIChecker.matches?: the port is ignored for an address, and not for localhost.
        registers: is_address,
        authorizes: |asked| {
            page_unless(asked, &["openid", "read_api"], "The requested scope is invalid, unknown, or malformed.")
        },
        expired: refusal(
            "invalid_grant",
            "The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in the authorization request, or was issued to another client.",
        ),
        tokens: |_| json!({ "expires_in": 7200, "created_at": 1764000000 }),
        failures: vec![
            (Cause::Unregistered, 3, UNREGISTERED),
            (
                Cause::Unlike(|fake| {
                    fake.secret = &["basic", "post"];
                    fake.no_secret = refused(
                        401,
                        "invalid_client",
                        "Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method.",
                    );
                }),
                1,
                "pkce-exchange: token endpoint: invalid_client: Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method.",
            ),
            (
                Cause::Expired,
                5,
                "pkce-token: token endpoint: invalid_grant: The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in the authorization request, or was issued to another client.",
            ),
        ],
        ..usual()
    }
}

fn gmail() -> Fake {
    Fake {
        name: "Gmail",
        authorizes: |asked| page_unless(asked, &["https://mail.google.com/"], "Error 400: invalid_scope"),
        tokens: |asked| changed((google().tokens)(asked), &json!({ "scope": "https://mail.google.com/" })),
        logins: vec![""],
        uses: vec!["access-1\n"],
        needs: &["--scope", "--param", "--prompt", "--client-secret-file"],
        failures: vec![(
            Cause::Expired,
            5,
            "pkce-token: token endpoint: invalid_grant: Token has been expired or revoked.",
        )],
        ..google()
    }
}

fn google() -> Fake {
    Fake {
        name: "Google",
        own: "https://accounts.google.com",
        discovery: "https://accounts.google.com/.well-known/openid-configuration",
        metadata: json!({
            "issuer": "https://accounts.google.com",
            "authorization_endpoint": "https://accounts.google.com/o/oauth2/v2/auth",
            "device_authorization_endpoint": "https://oauth2.googleapis.com/device/code",
            "token_endpoint": "https://oauth2.googleapis.com/token",
            "revocation_endpoint": "https://oauth2.googleapis.com/revoke",
            "jwks_uri": "https://www.googleapis.com/oauth2/v3/certs",
            "scopes_supported": ["openid", "email", "profile"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "code_challenge_methods_supported": ["plain", "S256"],
        }),
        authorizes: |asked| page_unless(asked, &["openid", "email", "profile"], "Error 400: invalid_scope"),
        // A desktop client's secret is required although PKCE is used (taylorwilsdon/google_workspace_mcp issue 1008),
        // and may be in HTTP Basic (Colin-b/httpx_auth issue 113).
        secret: &["basic", "post"],
        no_secret: refusal("invalid_request", "client_secret is missing."),
        wrong_secret: refused(401, "invalid_client", "Unauthorized"),
        expired: refusal("invalid_grant", "Token has been expired or revoked."),
        tokens: |asked| {
            let email = "openid https://www.googleapis.com/auth/userinfo.email";
            match (asked.get("access_type"), asked.get("prompt")) {
                // A refresh token has a lifetime while the app is in testing.
                ("offline", "consent") => {
                    json!({ "scope": email, "expires_in": 3599, "refresh_token_expires_in": 604799 })
                }
                // The user has consented before.
                _ => json!({ "scope": email, "expires_in": 3599, "refresh_token": null }),
            }
        },
        refreshes: Refresh::Keeps,
        logins: vec!["pkce-exchange: note: the granted scope lacks email\n"],
        needs: &["--scope", "--param", "--prompt", "--client-secret-file"],
        failures: vec![
            (
                Cause::Instead("--client-secret-file ~/google.secret \\\n    --auth-method client_secret_post", ""),
                1,
                "pkce-exchange: token endpoint: invalid_request: client_secret is missing.",
            ),
            (Cause::WrongSecret, 1, "pkce-exchange: token endpoint: invalid_client: Unauthorized"),
            (
                Cause::Instead("--client-secret-file ~/google.secret", ""),
                2,
                "pkce-exchange: client_secret: missing, but the client's authentication method requires it",
            ),
            (
                Cause::Then(|_| {}, "pkce-token google --refresh"),
                2,
                "pkce-token: client_secret: missing, but the client's authentication method requires it",
            ),
            (Cause::Expired, 5, "pkce-token: token endpoint: invalid_grant: Token has been expired or revoked."),
        ],
        ..usual()
    }
}

fn keycloak() -> Fake {
    Fake {
        name: "Keycloak",
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
        // A refresh token without offline_access too, for the session.
        tokens: |asked| {
            json!({
                "scope": format!("{} email profile", asked.get("scope")), "refresh_expires_in": 1800,
                "not-before-policy": 0, "session_state": "s3ss10n", "expires_in": 300,
            })
        },
        failures: vec![
            (Cause::Instead("realms/realm", "realms/Realm"), 1, "pkce-discover: metadata: not found (404)"),
            (Cause::Expired, 5, "pkce-token: token endpoint: invalid_grant: Token is not active"),
        ],
        ..usual()
    }
}

fn entra() -> Fake {
    Fake {
        name: "Microsoft Entra ID",
        own: "https://login.microsoftonline.com/*/v2.0",
        discovery: "https://login.microsoftonline.com/$1/v2.0/.well-known/openid-configuration",
        metadata: json!({
            "issuer": "https://login.microsoftonline.com/$1/v2.0",
            "authorization_endpoint": "https://login.microsoftonline.com/$1/oauth2/v2.0/authorize",
            "token_endpoint": "https://login.microsoftonline.com/$1/oauth2/v2.0/token",
            "device_authorization_endpoint": "https://login.microsoftonline.com/$1/oauth2/v2.0/devicecode",
            "jwks_uri": "https://login.microsoftonline.com/$1/discovery/v2.0/keys",
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "token_endpoint_auth_methods_supported": [
                "client_secret_post", "private_key_jwt", "client_secret_basic", "self_signed_tls_client_auth",
            ],
        }),
        documents: vec![(
            "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration",
            json!({
                "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0",
                "authorization_endpoint": "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
                "token_endpoint": "https://login.microsoftonline.com/common/oauth2/v2.0/token",
            }),
        )],
        // The portal refuses http://127.0.0.1.
        registers: is_localhost,
        authorizes: |asked| match asked.get("resource") {
            "" => Verdict::Granted,
            _ => Verdict::Refused(
                "invalid_target",
                "AADSTS901002: The 'resource' request parameter is not supported.".to_owned(),
            ),
        },
        // Softeria/ms-365-mcp-server issue 664.
        wrong_secret: refused(
            401,
            "invalid_client",
            "AADSTS700025: Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
        ),
        expired: refusal("invalid_grant", "AADSTS700082: The refresh token has expired due to inactivity."),
        // The granted scope never has offline_access.
        tokens: |asked| {
            let granted: Vec<&str> = asked.scopes().filter(|name| *name != "offline_access").collect();
            let granted = format!("{} profile email", granted.join(" "));
            if_offline(asked, json!({ "scope": granted, "expires_in": 4213, "ext_expires_in": 4213 }))
        },
        claims: json!({ "ver": "2.0", "tid": "tenant-id" }),
        refreshes: Refresh::Adds,
        logins: vec![ENTRA, ENTRA],
        needs: &["--redirect-uri"],
        failures: vec![
            (
                Cause::Instead("tenant-id/v2.0", "common/v2.0"),
                4,
                "pkce-discover: metadata: issuer: https://login.microsoftonline.com/{tenantid}/v2.0 instead of https://login.microsoftonline.com/common/v2.0",
            ),
            (
                Cause::Unlike(|fake| {
                    // The platform Web (Azure/azure-sdk-for-go issue 22386).
                    fake.secret = &["post"];
                    fake.no_secret = refused(
                        401,
                        "invalid_client",
                        "AADSTS7000218: The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
                    );
                }),
                1,
                "pkce-exchange: token endpoint: invalid_client: AADSTS7000218: The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
            ),
            (
                Cause::Unlike(|fake| {
                    // The platform Single-page application.
                    let body = json!({
                        "error": "invalid_request", "error_codes": [9002327],
                        "error_description": "AADSTS9002327: Tokens issued for the 'Single-Page Application' client-type may only be redeemed via cross-origin requests.",
                    });
                    (fake.codes_expire, fake.expired) = (true, response(400, JSON, &body.to_string()));
                }),
                1,
                "pkce-exchange: token endpoint: invalid_request: AADSTS9002327: Tokens issued for the 'Single-Page Application' client-type may only be redeemed via cross-origin requests.",
            ),
            (Cause::Unregistered, 3, UNREGISTERED),
            (
                Cause::Then(|_| {}, "pkce-logout entra"),
                0,
                "pkce-logout: note: entra: removed, although the server cannot revoke its tokens; they may stay valid",
            ),
            (
                Cause::Expired,
                5,
                "pkce-token: token endpoint: invalid_grant: AADSTS700082: The refresh token has expired due to inactivity.",
            ),
        ],
        ..usual()
    }
}

fn microsoft_mail() -> Fake {
    Fake {
        name: "Microsoft 365 mail",
        // A scope of Microsoft Graph would be for another API.
        authorizes: |asked| {
            page_unless(
                asked,
                &[
                    "offline_access",
                    "https://outlook.office.com/IMAP.AccessAsUser.All",
                    "https://outlook.office.com/SMTP.Send",
                ],
                "AADSTS28000: The scope is for more than one resource.",
            )
        },
        tokens: |asked| {
            let granted: Vec<&str> = asked.scopes().filter(|name| *name != "offline_access").collect();
            if_offline(asked, json!({ "scope": granted.join(" "), "expires_in": 4213, "ext_expires_in": 4213 }))
        },
        logins: vec![ENTRA],
        needs: &["--redirect-uri"],
        failures: vec![(
            Cause::Expired,
            5,
            "pkce-token: token endpoint: invalid_grant: AADSTS700082: The refresh token has expired due to inactivity.",
        )],
        ..entra()
    }
}

fn okta() -> Fake {
    Fake {
        name: "Okta",
        own: "https://*.okta.com/oauth2/default",
        discovery: "https://$1.okta.com/oauth2/default/.well-known/openid-configuration",
        metadata: json!({
            "issuer": "https://$1.okta.com/oauth2/default",
            "authorization_endpoint": "https://$1.okta.com/oauth2/default/v1/authorize",
            "token_endpoint": "https://$1.okta.com/oauth2/default/v1/token",
            "device_authorization_endpoint": "https://$1.okta.com/oauth2/default/v1/device/authorize",
            "pushed_authorization_request_endpoint": "https://$1.okta.com/oauth2/default/v1/par",
            "jwks_uri": "https://$1.okta.com/oauth2/default/v1/keys",
            "revocation_endpoint": "https://$1.okta.com/oauth2/default/v1/revoke",
            "scopes_supported": ["openid", "profile", "email", "address", "phone", "offline_access", "device_sso"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": [
                "client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none",
            ],
        }),
        any_port: false,
        expired: refusal("invalid_grant", "The refresh token is invalid or expired."),
        tokens: |asked| if_offline(asked, json!({})),
        needs: &["--redirect-uri"],
        failures: vec![
            (
                Cause::Unlike(|fake| {
                    fake.authorizes = |_| {
                        Verdict::Refused("access_denied", "User is not assigned to the client application.".to_owned())
                    };
                }),
                1,
                "pkce-callback: authorization endpoint: access_denied: User is not assigned to the client application.",
            ),
            (
                Cause::Unlike(|fake| {
                    fake.authorizes = |_| {
                        Verdict::Refused(
                            "access_denied",
                            "Policy evaluation failed for this request, please check the policy configurations."
                                .to_owned(),
                        )
                    };
                }),
                1,
                "pkce-callback: authorization endpoint: access_denied: Policy evaluation failed for this request, please check the policy configurations.",
            ),
            (Cause::Unregistered, 3, UNREGISTERED),
            (Cause::Expired, 5, "pkce-token: token endpoint: invalid_grant: The refresh token is invalid or expired."),
        ],
        ..usual()
    }
}

fn hydra() -> Fake {
    Fake {
        name: "Ory Hydra",
        own: "https://*",
        discovery: "https://$1/.well-known/openid-configuration",
        metadata: json!({
            "issuer": "https://$1",
            "authorization_endpoint": "https://$1/oauth2/auth",
            "token_endpoint": "https://$1/oauth2/token",
            "jwks_uri": "https://$1/.well-known/jwks.json",
            "revocation_endpoint": "https://$1/oauth2/revoke",
            "scopes_supported": ["offline_access", "offline", "openid"],
            "code_challenge_methods_supported": ["plain", "S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "private_key_jwt", "none"],
        }),
        registers: is_address,
        authorizes: |asked| match asked.get("audience") {
            "" | "https://api.example.com" => Verdict::Granted,
            _ => Verdict::Refused(
                "invalid_request",
                "Requested audience has not been whitelisted by the OAuth 2.0 Client.".to_owned(),
            ),
        },
        expired: refusal("invalid_grant", "The provided authorization grant or refresh token is invalid."),
        tokens: |asked| if_offline(asked, json!({ "token_type": "bearer" })),
        failures: vec![
            (Cause::Unregistered, 3, UNREGISTERED),
            (
                Cause::Expired,
                5,
                "pkce-token: token endpoint: invalid_grant: The provided authorization grant or refresh token is invalid.",
            ),
        ],
        ..usual()
    }
}

fn pocket_id() -> Fake {
    Fake {
        name: "Pocket ID",
        own: "https://*",
        discovery: "https://$1/.well-known/openid-configuration",
        metadata: json!({
            "issuer": "https://$1",
            "authorization_endpoint": "https://$1/authorize",
            "token_endpoint": "https://$1/api/oidc/token",
            "jwks_uri": "https://$1/.well-known/jwks.json",
            "code_challenge_methods_supported": ["plain", "S256"],
            "authorization_response_iss_parameter_supported": true,
        }),
        expired: response(400, JSON, r#"{"error":"Refresh token is invalid or expired"}"#),
        tokens: |_| json!({ "scope": null }),
        failures: vec![(Cause::Expired, 5, "pkce-token: token endpoint: Refresh token is invalid or expired")],
        ..usual()
    }
}

fn salesforce() -> Fake {
    Fake {
        name: "Salesforce",
        own: "https://*.my.salesforce.com",
        discovery: "https://$1.my.salesforce.com/.well-known/openid-configuration",
        metadata: json!({
            "issuer": "https://$1.my.salesforce.com",
            "authorization_endpoint": "https://$1.my.salesforce.com/services/oauth2/authorize",
            "token_endpoint": "https://$1.my.salesforce.com/services/oauth2/token",
            "revocation_endpoint": "https://$1.my.salesforce.com/services/oauth2/revoke",
            "jwks_uri": "https://$1.my.salesforce.com/id/keys",
            "scopes_supported": ["id", "api", "web", "full", "refresh_token", "openid", "profile", "offline_access"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "private_key_jwt"],
        }),
        registers: is_localhost,
        any_port: false,
        expired: refusal("invalid_grant", "expired access/refresh token"),
        tokens: |asked| {
            let tokens = json!({
                "expires_in": null, "instance_url": "https://mydomain.my.salesforce.com", "signature": "s1gn",
                "issued_at": "1764000000000", "id": "https://login.salesforce.com/id/00D/005",
            });
            match asked.has_scope("refresh_token") {
                true => tokens,
                false => if_offline(asked, tokens),
            }
        },
        refreshes: Refresh::Keeps,
        logins: vec![NO_PKCE],
        needs: &["--redirect-uri"],
        failures: vec![
            (
                Cause::Unlike(|fake| {
                    fake.secret = &["post", "basic"];
                    fake.no_secret = refusal("invalid_client", "invalid client credentials");
                }),
                1,
                "pkce-exchange: token endpoint: invalid_client: invalid client credentials",
            ),
            (Cause::Unregistered, 3, UNREGISTERED),
            (Cause::Expired, 5, "pkce-token: token endpoint: invalid_grant: expired access/refresh token"),
        ],
        ..usual()
    }
}

fn slack() -> Fake {
    Fake {
        name: "Slack",
        own: "https://slack.com/oauth/v2_user/authorize",
        metadata: json!({
            "authorization_endpoint": "https://slack.com/oauth/v2_user/authorize",
            "token_endpoint": "https://slack.com/api/oauth.v2.user.access",
        }),
        api: "https://slack.com/api/auth.revoke",
        any_port: false,
        // Without a scope, Slack refuses (bluedotimpact/bluedot pull request 2278).
        authorizes: |asked| match asked.get("scope") {
            "" => Verdict::Page("Invalid permissions requested"),
            _ => Verdict::Granted,
        },
        wrong_secret: response(200, JSON, r#"{"ok":false,"error":"bad_client_secret"}"#),
        expired: response(200, JSON, r#"{"ok":false,"error":"invalid_refresh_token"}"#),
        // A token of the type Bearer (oomol-lab/open-connector issue 411), and an empty scope, since the user's is in
        // authed_user (UsefulSoftwareCo/executor pull request 1643).
        tokens: |asked| {
            json!({
                "ok": true, "scope": "", "expires_in": 43200, "team": { "id": "T1" },
                "authed_user": { "id": "U1", "scope": asked.get("scope") },
            })
        },
        logins: vec![NO_ISSUER],
        uses: vec!["{\"ok\":true}"],
        needs: &["--scope", "--redirect-uri"],
        failures: vec![
            (
                Cause::Unlike(|fake| {
                    fake.secret = &["post", "basic"];
                    fake.no_secret = fake.wrong_secret.clone();
                }),
                1,
                "pkce-exchange: token endpoint: bad_client_secret",
            ),
            // As of oauth.v2.access.
            (
                Cause::Unlike(|fake| {
                    fake.tokens = |_| json!({ "ok": true, "access_token": null, "authed_user": { "access_token": "a", "token_type": "user" } });
                }),
                4,
                "pkce-exchange: token endpoint: access_token: missing; the code may be spent",
            ),
            (Cause::Expired, 5, "pkce-token: token endpoint: invalid_refresh_token"),
        ],
        ..usual()
    }
}

fn spring() -> Fake {
    Fake {
        name: "Spring Authorization Server",
        own: "https://*",
        discovery: "https://$1/.well-known/openid-configuration",
        metadata: json!({
            "issuer": "https://$1",
            "authorization_endpoint": "https://$1/oauth2/authorize",
            "token_endpoint": "https://$1/oauth2/token",
            "jwks_uri": "https://$1/oauth2/jwks",
            "revocation_endpoint": "https://$1/oauth2/revoke",
            "scopes_supported": ["openid"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "client_secret_jwt"],
        }),
        registers: is_address,
        authorizes: |asked| match asked.get("scope") {
            "openid" => Verdict::Granted,
            _ => Verdict::Refused("invalid_scope", "OAuth 2.0 Parameter: scope".to_owned()),
        },
        // None for a public client.
        refreshes: Refresh::Never,
        tokens: |_| json!({ "expires_in": 299 }),
        failures: vec![
            (
                Cause::Instead("--scope openid", "--scope 'openid offline_access'"),
                1,
                "pkce-callback: authorization endpoint: invalid_scope: OAuth 2.0 Parameter: scope",
            ),
            (Cause::Then(|_| {}, "pkce-token spring --refresh"), 5, "pkce-token: there is no refresh token"),
        ],
        ..usual()
    }
}

fn zitadel() -> Fake {
    Fake {
        name: "Zitadel",
        own: "https://*.zitadel.cloud",
        discovery: "https://$1.zitadel.cloud/.well-known/openid-configuration",
        metadata: json!({
            "issuer": "https://$1.zitadel.cloud",
            "authorization_endpoint": "https://$1.zitadel.cloud/oauth/v2/authorize",
            "token_endpoint": "https://$1.zitadel.cloud/oauth/v2/token",
            "device_authorization_endpoint": "https://$1.zitadel.cloud/oauth/v2/device_authorization",
            "revocation_endpoint": "https://$1.zitadel.cloud/oauth/v2/revoke",
            "jwks_uri": "https://$1.zitadel.cloud/oauth/v2/keys",
            "scopes_supported": ["openid", "profile", "email", "phone", "address", "offline_access"],
            "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"],
            "code_challenge_methods_supported": ["S256"],
        }),
        // zitadel/zitadel internal/command/oidc_session_model.go; invalid_request is in its response.
        expired: refusal("invalid_request", "Errors.OIDCSession.RefreshTokenInvalid"),
        tokens: |asked| if_offline(asked, json!({ "expires_in": 43199 })),
        failures: vec![
            (
                Cause::Then(|fake| fake.refreshes = Refresh::Never, "pkce-token zitadel --refresh"),
                5,
                "pkce-token: there is no refresh token",
            ),
            (Cause::Expired, 5, "pkce-token: token endpoint: invalid_request: Errors.OIDCSession.RefreshTokenInvalid"),
        ],
        ..usual()
    }
}
