//! The checks that a lax server omits.

use super::effect::Effect;
use super::kind::{Kind, Place};
use crate::idp::laxity::Laxity;

const fn lax(name: &'static str, laxity: Laxity, does: &'static str) -> Kind {
    Kind::new(name, Place::Everywhere, 0, does, Effect::Lax(laxity))
}

/// All kinds.
pub static KINDS: &[Kind] = &[
    lax("no-pkce", Laxity::NoPkce, "ignores PKCE: requires no code_challenge, accepts any code_verifier"),
    lax("plain", Laxity::Plain, "accepts the code_challenge_method plain"),
    lax("no-challenge", Laxity::NoChallenge, "accepts a request without code_challenge"),
    lax("any-verifier", Laxity::AnyVerifier, "accepts a code_verifier that does not match"),
    lax("no-verifier", Laxity::NoVerifier, "accepts a code without its code_verifier"),
    lax("replay", Laxity::Replay, "accepts a code more than once"),
    lax("no-iss", Laxity::NoIss, "sends no iss and does not advertise it"),
    Kind::new("no-refresh", Place::Everywhere, 2, "issues no refresh tokens", Effect::Lax(Laxity::NoRefresh)),
    lax("no-rotation", Laxity::NoRotation, "does not rotate refresh tokens, and sends none at a refresh"),
    lax("reuse", Laxity::Reuse, "accepts a refresh token that it has rotated"),
    lax("no-revocation", Laxity::NoRevocation, "reports a revocation, but still accepts the token"),
];
