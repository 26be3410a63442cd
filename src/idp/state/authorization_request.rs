//! The authorization request: RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2.1.

use super::code_challenge;
use crate::idp::laxity::Laxities;
use crate::idp::parameters::Parameters;
use crate::idp::refusal::Refusal;

/// A valid authorization request.
#[derive(Clone)]
pub struct AuthorizationRequest {
    /// The client that sent it.
    pub client_id: String,
    /// Where the response goes.
    pub redirect_uri: String,
    /// Returned to the client unchanged.
    pub state: Option<String>,
    /// The requested scope, as far as the server supports it, value by value.
    pub scope: Vec<&'static str>,
    /// What the server supports of `prompt`: `none`, `login`, `consent`.
    pub prompt: Vec<&'static str>,
    /// The greatest age of the login, in seconds.
    pub max_age: Option<u64>,
    /// The name of the person who is expected to sign in.
    pub login_hint: Option<String>,
    /// How the person should sign in: the first of `acr_values`, which is reported as `acr`.
    pub acr: Option<String>,
    /// Copied into the ID token.
    pub nonce: Option<String>,
    /// The S256 code challenge; none where a lax server requires none.
    pub code_challenge: Option<String>,
    /// The protected resources that the tokens are for (RFC 8707).
    pub resources: Vec<String>,
}

impl AuthorizationRequest {
    /// The request in these parameters.
    pub fn parse(parameters: &Parameters, laxities: &Laxities) -> Result<AuthorizationRequest, Refusal> {
        let text = |name| parameters.one(name).map(str::to_owned);
        let words = |name| -> Vec<String> {
            let text = parameters.one(name).unwrap_or_default();
            text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
        };
        if parameters.size() > MAX_SIZE {
            return Err(("invalid_request", "the request is larger than 8 KiB"));
        }
        match parameters.one("response_type") {
            Some("code") => {}
            Some(_) => return Err(("unsupported_response_type", "response_type must be code")),
            None => return Err(("invalid_request", "response_type is missing")),
        }
        for (name, error) in [("request", "request_not_supported"), ("request_uri", "invalid_request")] {
            if parameters.one(name).is_some() {
                return Err((error, "request and request_uri are not supported here"));
            }
        }
        if parameters.one("response_mode").is_some_and(|mode| mode != "query") {
            return Err(("invalid_request", "response_mode must be query"));
        }
        let code_challenge = code_challenge::requested(parameters, laxities)?;
        let scope = words("scope");
        let token = |octet: u8| matches!(octet, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if !scope.iter().all(|name| name.bytes().all(token)) {
            return Err(("invalid_scope", "scope has an invalid character"));
        }
        let supported: Vec<_> = SCOPES.into_iter().filter(|name| scope.iter().any(|other| other == name)).collect();
        // A response cannot say that nothing was granted: a scope has one name at least (RFC 6749 section 3.3).
        if supported.is_empty() && !scope.is_empty() {
            return Err(("invalid_scope", "no requested scope is supported"));
        }
        let prompt = words("prompt");
        if prompt.len() > 1 && prompt.iter().any(|word| word == "none") {
            return Err(("invalid_request", "prompt must not combine none with other values"));
        }
        let max_age = parameters.one("max_age").map(str::parse).transpose();
        Ok(AuthorizationRequest {
            client_id: text("client_id").unwrap_or_default(),
            redirect_uri: text("redirect_uri").unwrap_or_default(),
            state: text("state"),
            scope: supported,
            prompt: PROMPTS.into_iter().filter(|name| prompt.iter().any(|other| other == name)).collect(),
            max_age: max_age.map_err(|_| ("invalid_request", "max_age must be a number of seconds"))?,
            login_hint: text("login_hint").filter(|name| !name.is_empty()),
            acr: words("acr_values").into_iter().next(),
            nonce: text("nonce"),
            code_challenge,
            resources: parameters.all("resource").map(str::to_owned).collect(),
        })
    }

    /// Whether `prompt` has this value.
    pub fn prompts(&self, value: &str) -> bool {
        self.prompt.contains(&value)
    }

    /// The scope that is granted: `offline_access` only with `prompt=consent` (OpenID Connect Core section 11).
    pub fn granted_scope(&self) -> Vec<&'static str> {
        let consent = self.prompts("consent");
        self.scope.iter().copied().filter(|name| *name != "offline_access" || consent).collect()
    }
}

/// The scopes that the server supports; others are not granted (RFC 6749 section 3.3).
pub const SCOPES: [&str; 2] = ["openid", "offline_access"];

/// The values of `prompt` that the server acts on; others are ignored.
const PROMPTS: [&str; 3] = ["none", "login", "consent"];

/// Maximum size of a request in octets: each is remembered until a person responds, and as long as its grant.
const MAX_SIZE: usize = 8 * 1024;
