//! The device authorization grant: RFC 8628, with the challenge and the verifier of RFC 7636.

mod authorization;
mod display;
mod polling;
mod qr;

use std::time::{Duration, SystemTime};

use crate::client::authentication::{Authentication, Caller};
use crate::client::endpoint::Endpoint;
use crate::client::parameter;
use crate::client::pkce;
use crate::client::poll::DEVICE_CODE;
use crate::client::post::{Call, Format, Grant};
use crate::client::resource;
use crate::client::scope::Scope;
use crate::client::token_request::TokenRequest;
use crate::document::Document;
use crate::error::Error;
use crate::login::{authorize, token};
use crate::process::reader::HeadStart;

use authorization::Authorization;
use polling::{AGAIN, Wait};

/// What options say about the requests.
pub struct Options {
    /// The parameters of `--param`, for the device authorization request.
    parameters: Vec<(String, String)>,
    /// How the tokens are requested.
    token_request: TokenRequest,
    /// Whether the QR code is shown; `None` is where it fits.
    qr: Option<bool>,
}

impl Options {
    /// The options, checked as far as that is possible without the document.
    pub fn new(parameters: &[(String, String)], qr: Option<bool>, caller: &Caller) -> Result<Options, Error> {
        parameter::check_added(parameters)?;
        if let Some((name, _)) = parameters.iter().find(|(name, _)| RESERVED.contains(&name.as_str())) {
            let error = Error::usage(format!("--param: {name}: reserved"));
            return Err(if name == "scope" { error.hint("set it with --scope") } else { error });
        }
        // A server that requires it beside HTTP Basic does so in each request.
        let client: Vec<_> = parameters.iter().filter(|(name, _)| name == "client_id").cloned().collect();
        let token_request = TokenRequest::from_options(None, None, &client, caller)?;
        Ok(Options { parameters: parameters.to_vec(), token_request, qr })
    }
}

/// Shows the user a code and where to enter it, waits for the user's approval, and adds the tokens to the document.
pub fn log_in(
    document: Document,
    options: &Options,
    caller: &Caller,
    head_start: &HeadStart,
) -> Result<Document, Error> {
    let deadline = caller.deadline();
    let mut document = token::prepared(document, &options.token_request)?;
    let device_endpoint = device_endpoint(&document)?;
    let token_endpoint = Endpoint::from_document(&document, "token_endpoint")?;
    document.need_visible("client_id")?;
    let verifier = pkce::verifier(&document)?;
    let challenge = authorize::challenge(&document)?;
    let scope = Scope::from_document(&document)?;
    let scope = scope.as_ref().map(Scope::as_str);
    let resources = resource::resources(&document)?;
    let max_age = document.seconds("max_age")?.map(|age| age.to_string());
    let acr_values = document.visible("acr_values")?;
    let resource_pairs = || resources.iter().map(|uri| ("resource", uri.as_str()));
    let is_registered = document.has("redirect_uris");
    let explained = |error| with_hint(error, is_registered);
    head_start.wait()?;
    // Before the code is shown, since a command that gives the secret may prompt the user.
    Authentication::for_client(&document, caller, &deadline)?;

    let mut pairs: Vec<_> = scope.map(|scope| ("scope", scope)).into_iter().chain(resource_pairs()).collect();
    pairs.extend([("code_challenge", challenge.as_str()), ("code_challenge_method", pkce::METHOD)]);
    // pkce-verify checks what a resource requires of the login (RFC 9470), so the server is told, unless by an option.
    let required = [("max_age", max_age.as_deref()), ("acr_values", acr_values.as_ref().map(|values| values.as_str()))];
    let is_given = |name: &str| options.parameters.iter().any(|(other, _)| other == name);
    pairs.extend(
        required.into_iter().filter_map(|(name, value)| Some((name, value?))).filter(|(name, _)| !is_given(name)),
    );
    pairs.extend(options.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let call = Call { endpoint: &device_endpoint, format: Format::Form, pairs: &pairs, spends: None };
    let response = call.send(&document, caller, &deadline.at_most(REQUEST_TIME)).map_err(explained)?;
    let authorization = Authorization::from_response(response.without_nulls(), device_endpoint.url())?;
    display::show(&authorization, options.qr);

    let mut pairs = vec![
        ("grant_type", DEVICE_CODE),
        ("device_code", authorization.device_code.as_str()),
        ("code_verifier", verifier.as_str()),
    ];
    pairs.extend(resource_pairs());
    pairs.extend(options.token_request.parameters());
    let spends = Some(Grant::DeviceCode);
    let call = Call { endpoint: &token_endpoint, format: Format::Form, pairs: &pairs, spends };
    let tokens = Wait::new(&authorization, deadline)
        .until_tokens(|deadline| call.poll(&document, caller, &deadline.at_most(REQUEST_TIME)))
        .map_err(explained)?;
    let tokens = token::validated(tokens, SystemTime::now()).map_err(|error| Grant::DeviceCode.maybe_spent(error))?;
    // No device authorization request has one.
    document.remove(&["nonce"]);
    token::completed(document, tokens, scope)
}

fn device_endpoint(document: &Document) -> Result<Endpoint, Error> {
    Endpoint::from_document(document, ENDPOINT).map_err(|error| match error.missing_member() {
        Some(_) if document.has("token_endpoint") => error.hint(NO_DEVICE_GRANT),
        _ => error,
    })
}

/// Adds what to do about a client that may not use the grant. With status 401, it may be about the client's secret.
fn with_hint(error: Error, is_registered: bool) -> Error {
    match error.oauth_code() {
        Some("unauthorized_client") if error.response_status() == Some(401) => error,
        Some("unauthorized_client" | "unsupported_grant_type" | "device_flow_disabled") => {
            error.hint(if is_registered { REGISTER } else { NOT_ALLOWED })
        }
        Some("expired_token") => error.hint(AGAIN),
        _ => error,
    }
}

/// The member with the endpoint (RFC 8628 section 4).
const ENDPOINT: &str = "device_authorization_endpoint";

/// The parameters that only the document sets.
const RESERVED: [&str; 3] = ["code_challenge", "code_challenge_method", "scope"];

/// The time for one request: the whole time is a person's.
const REQUEST_TIME: Duration = Duration::from_secs(30);

/// What to do about a client that the server knows.
const NOT_ALLOWED: &str = "the server must support the device grant, and allow it for this client";

/// What to do about a client that pkce-register registered.
const REGISTER: &str =
    "register another client for the device grant: pkce-register --device, or pkce-login --device --register";

/// What to do about metadata without the endpoint.
const NO_DEVICE_GRANT: &str = "the server's metadata names none: sign in with a browser on this machine instead (pkce-login \
                               --no-device), or add the endpoint to the document if the server has one";
