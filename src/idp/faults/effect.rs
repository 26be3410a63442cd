//! What a fault changes, and how.

use serde_json::Value;

use super::location::{self, Pairs, SIMULATED};
use super::message;
use crate::idp::body::Body;
use crate::idp::laxity::Laxity;
use crate::idp::response::{Delivery, Response};

/// What a fault changes.
#[derive(Clone, Copy)]
pub enum Effect {
    /// This response replaces the right one; the request has no other effect.
    Instead(fn() -> Response),
    /// An OAuth error with this HTTP status replaces the right response; the request has no other effect.
    Error(u16, &'static str),
    /// An OAuth error whose description repeats the request's secrets replaces the right response.
    Echo,
    /// The octets of the response.
    Octets(fn(Vec<u8>) -> Vec<u8>),
    /// The body of a successful response.
    Text(fn(&str) -> String),
    /// The JSON object of a successful response.
    Object(fn(&mut Value)),
    /// How the response is sent.
    Delivered(Delivery),
    /// The parameters of the redirect.
    Parameters(fn(&mut Pairs)),
    /// This error replaces the code in the redirect.
    Denied(&'static str),
    /// The URL of the redirect.
    Location(fn(&str) -> String),
    /// The header of the ID token.
    Header(fn(&mut Value)),
    /// The claims of the ID token.
    Claims(fn(&mut Value)),
    /// The text that is signed as the claims of the ID token.
    Payload(fn(&str) -> String),
    /// The signed ID token; the function is also given the public key.
    Signed(fn(&str, &Value) -> String),
    /// A check that the server omits.
    Lax(Laxity),
}

impl Effect {
    /// The response to a request with this body that replaces the right one, if any.
    pub fn instead(&self, body: &Body) -> Option<Response> {
        match self {
            Effect::Instead(response) => Some(response()),
            Effect::Error(status, error) => Some(Response::error(*status, error, SIMULATED)),
            Effect::Echo => Some(echo(body)),
            _ => None,
        }
    }

    /// The response, with the fault.
    pub fn damaged(&self, response: Response) -> Response {
        match self {
            Effect::Octets(change) => response.changed(change),
            Effect::Text(change) => response.changed(|octets| message::with_text(octets, change)),
            Effect::Object(change) => response.changed(|octets| message::with_object(octets, change)),
            Effect::Parameters(change) => response.changed(|octets| location::with_parameters(octets, change)),
            Effect::Denied(error) => {
                response.changed(|octets| location::with_parameters(octets, |pairs| location::deny(pairs, error)))
            }
            Effect::Location(change) => response.changed(|octets| location::with_location(octets, change)),
            Effect::Delivered(delivery) => response.delivered(*delivery),
            _ => response,
        }
    }

    /// Changes the header and the claims of an ID token.
    pub fn describe(&self, header: &mut Value, claims: &mut Value) {
        match self {
            Effect::Header(change) => change(header),
            Effect::Claims(change) => change(claims),
            _ => {}
        }
    }

    /// The text that is signed as the claims of an ID token.
    pub fn payload(&self, payload: String) -> String {
        match self {
            Effect::Payload(change) => change(&payload),
            _ => payload,
        }
    }

    /// The signed ID token; `jwk` is the public key that verifies it.
    pub fn signed(&self, token: String, jwk: &Value) -> String {
        match self {
            Effect::Signed(change) => change(&token, jwk),
            _ => token,
        }
    }
}

/// An OAuth error whose description repeats the secrets of a token request.
fn echo(body: &Body) -> Response {
    let secrets = ["code", "device_code", "code_verifier", "refresh_token"].into_iter();
    let secrets: Vec<&str> = secrets.filter_map(|name| body.parameter(name)).collect();
    Response::error(400, "invalid_grant", &format!("rejected: {}", secrets.join(" ")))
}
