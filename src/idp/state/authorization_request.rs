//! The authorization request: RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2.1, RFC 8628 section 3.1.

use super::code_challenge;
use crate::idp::laxity::Laxities;
use crate::idp::parameters::Parameters;
use crate::idp::refusal::Refusal;

/// A valid authorization request.
#[derive(Clone)]
pub struct AuthorizationRequest {
    /// The client that sent it.
    pub client_id: String,
    /// Where the person's decision goes.
    pub recipient: Recipient,
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

/// Where the person's decision goes.
#[derive(Clone)]
pub enum Recipient {
    /// To the client, by a redirect.
    Redirect {
        /// The redirect URI.
        uri: String,
        /// Returned to the client unchanged.
        state: Option<String>,
    },
    /// To the device that shows this user code, when it polls.
    Device(String),
}

impl AuthorizationRequest {
    /// The request in these parameters, which a browser brings.
    pub fn parse(parameters: &Parameters, laxities: &Laxities) -> Result<AuthorizationRequest, Refusal> {
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
        let prompt = words(parameters, "prompt");
        if prompt.len() > 1 && prompt.contains(&"none") {
            return Err(("invalid_request", "prompt must not combine none with other values"));
        }
        let max_age = parameters.one("max_age").map(str::parse).transpose();
        let text = |name| parameters.one(name).map(str::to_owned);
        let recipient = Recipient::Redirect { uri: text("redirect_uri").unwrap_or_default(), state: text("state") };
        Ok(AuthorizationRequest {
            prompt: PROMPTS.into_iter().filter(|name| prompt.contains(name)).collect(),
            max_age: max_age.map_err(|_| ("invalid_request", "max_age must be a number of seconds"))?,
            nonce: text("nonce"),
            ..AuthorizationRequest::for_recipient(parameters, laxities, recipient)?
        })
    }

    /// The request in these parameters, which a device sends itself; it shows this user code.
    pub fn for_device(parameters: &Parameters, laxities: &Laxities, user_code: &str) -> Result<Self, Refusal> {
        AuthorizationRequest::for_recipient(parameters, laxities, Recipient::Device(user_code.to_owned()))
    }

    /// The request, as far as both kinds have the same parameters.
    fn for_recipient(parameters: &Parameters, laxities: &Laxities, recipient: Recipient) -> Result<Self, Refusal> {
        if parameters.size() > MAX_SIZE {
            return Err(("invalid_request", "the request is larger than 8 KiB"));
        }
        let code_challenge = code_challenge::requested(parameters, laxities)?;
        let text = |name| parameters.one(name).map(str::to_owned);
        let scope = words(parameters, "scope");
        let token = |octet: u8| matches!(octet, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if !scope.iter().all(|name| name.bytes().all(token)) {
            return Err(("invalid_scope", "scope has an invalid character"));
        }
        let supported: Vec<_> = SCOPES.into_iter().filter(|name| scope.contains(name)).collect();
        // A response cannot say that nothing was granted: a scope has one name at least (RFC 6749 section 3.3).
        if supported.is_empty() && !scope.is_empty() {
            return Err(("invalid_scope", "no requested scope is supported"));
        }
        Ok(AuthorizationRequest {
            client_id: text("client_id").unwrap_or_default(),
            recipient,
            scope: supported,
            prompt: Vec::new(),
            max_age: None,
            login_hint: text("login_hint").filter(|name| !name.is_empty()),
            acr: words(parameters, "acr_values").first().map(|word| (*word).to_owned()),
            nonce: None,
            code_challenge,
            resources: parameters.all("resource").map(str::to_owned).collect(),
        })
    }

    /// Whether `prompt` has this value.
    pub fn prompts(&self, value: &str) -> bool {
        self.prompt.contains(&value)
    }

    /// The resources of a token request, which must be granted ones (RFC 8707 section 2.2); all, if it names none.
    pub fn granted_resources(&self, parameters: &Parameters) -> Result<Vec<String>, Refusal> {
        let requested: Vec<String> = parameters.all("resource").map(str::to_owned).collect();
        if !requested.iter().all(|resource| self.resources.contains(resource)) {
            return Err(("invalid_target", "resource was not granted"));
        }
        Ok(if requested.is_empty() { self.resources.clone() } else { requested })
    }

    /// The scope that is granted: `offline_access` only with consent (OpenID Connect Core section 11), which a browser's
    /// request prompts for and a device's always needs.
    pub fn granted_scope(&self) -> Vec<&'static str> {
        let consent = self.prompts("consent") || matches!(self.recipient, Recipient::Device(_));
        self.scope.iter().copied().filter(|name| *name != "offline_access" || consent).collect()
    }
}

/// The words of a parameter.
fn words<'a>(parameters: &'a Parameters, name: &str) -> Vec<&'a str> {
    parameters.one(name).unwrap_or_default().split(' ').filter(|word| !word.is_empty()).collect()
}

/// The scopes that the server supports; others are not granted (RFC 6749 section 3.3).
pub const SCOPES: [&str; 2] = ["openid", "offline_access"];

/// The values of `prompt` that the server acts on; others are ignored.
const PROMPTS: [&str; 3] = ["none", "login", "consent"];

/// Maximum size of a request in octets: each is remembered until a person responds, and as long as its grant.
const MAX_SIZE: usize = 8 * 1024;
