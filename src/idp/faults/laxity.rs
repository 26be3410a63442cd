//! The checks that a lax server omits.

use super::effect::Effect;
use super::kind::{Kind, Place};
use crate::idp::laxity::Laxity;

const fn lax(name: &'static str, laxity: Laxity, does: &'static str) -> Kind {
    Kind::new(name, Place::Everywhere, 0, does, Effect::Lax(laxity))
}

/// All kinds.
pub static KINDS: &[Kind] = &[
    lax("no-pkce", Laxity::NoPkce, "takes no notice of PKCE: no challenge is needed, and any verifier will do"),
    lax("plain", Laxity::Plain, "takes a code_challenge that is the verifier itself"),
    lax("no-challenge", Laxity::NoChallenge, "takes a request without a code_challenge"),
    lax("any-verifier", Laxity::AnyVerifier, "takes a code_verifier that does not fit"),
    lax("no-verifier", Laxity::NoVerifier, "takes a code without the code_verifier that fits its code_challenge"),
    lax("replay", Laxity::Replay, "takes a code any number of times"),
    lax("no-iss", Laxity::NoIss, "sends no iss, and does not say that it would"),
    Kind::new("no-refresh", Place::Everywhere, 2, "gives no refresh tokens", Effect::Lax(Laxity::NoRefresh)),
    lax("no-rotation", Laxity::NoRotation, "replaces no refresh token, and sends none after the first"),
    lax("reuse", Laxity::Reuse, "takes a refresh token again that it has replaced"),
    lax("no-revocation", Laxity::NoRevocation, "says that it has revoked a token, and takes it all the same"),
];
