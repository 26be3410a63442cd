//! What can be wrong with the response to a device's poll: RFC 8628 section 3.5.

use serde_json::json;

use super::effect::Effect;
use super::kind::{Kind, Place};
use crate::idp::members::remove;
use crate::idp::response::Response;

const fn error(name: &'static str, status: u8, does: &'static str, http_status: u16, error: &'static str) -> Kind {
    Kind::new(name, Place::Poll, status, does, Effect::Error(http_status, error))
}

/// All kinds.
pub static KINDS: &[Kind] = &[
    error("poll-pending", 3, "says that the user has not decided yet", 400, PENDING),
    error("poll-pending-428", 3, "responds with 428 and authorization_pending, as Google does", 428, PENDING),
    error("poll-pending-200", 3, "responds with 200 and authorization_pending, as GitHub does", 200, PENDING),
    error("poll-slow_down", 3, "says that the device polls too often", 400, "slow_down"),
    Kind::new(
        "poll-slow_down-interval",
        Place::Poll,
        3,
        "says that the device polls too often, and sets a new interval, as GitHub does",
        Effect::Instead(|| Response::json(200, &json!({ "error": "slow_down", "interval": 7 }))),
    ),
    error("poll-access_denied", 1, "says that the user denied access", 400, "access_denied"),
    error("poll-declined", 1, "says that the user denied access, as Entra does", 400, "authorization_declined"),
    error("poll-expired_token", 3, "says that the device code has expired", 400, "expired_token"),
    error("poll-invalid_grant", 5, "does not accept the device code", 400, "invalid_grant"),
    error("poll-unauthorized_client", 1, "does not allow the client this grant", 400, "unauthorized_client"),
    error("poll-unsupported", 1, "does not support this grant", 400, "unsupported_grant_type"),
    Kind::new(
        "poll-html-403",
        Place::Poll,
        3,
        "responds with 403 and an HTML page, as a filter does",
        Effect::Instead(|| {
            Response::text(403, "text/html", "<!doctype html><title>Blocked</title><p>Not allowed here")
        }),
    ),
    Kind::new("poll-echo", Place::Poll, 5, "repeats the request's secrets in error_description", Effect::Echo),
    Kind::new(
        "poll-missing",
        Place::Poll,
        4,
        "omits access_token",
        Effect::Object(|object| remove(object, "access_token")),
    ),
];

const PENDING: &str = "authorization_pending";
