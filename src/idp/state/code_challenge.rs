//! The server's side of PKCE: RFC 7636 sections 4.3 and 4.6.

use crate::client::pkce;
use crate::idp::laxity::{Laxities, Laxity};
use crate::idp::parameters::Parameters;
use crate::idp::refusal::Refusal;

/// The S256 code challenge of an authorization request (section 4.3); none where a lax server requires none.
pub fn requested(parameters: &Parameters, laxities: &Laxities) -> Result<Option<String>, Refusal> {
    if laxities.have(Laxity::NoPkce) {
        return Ok(None);
    }
    let Some(challenge) = parameters.one("code_challenge") else {
        let missing = ("invalid_request", "code_challenge is missing (PKCE is required)");
        return if laxities.have(Laxity::NoChallenge) { Ok(None) } else { Err(missing) };
    };
    if parameters.one("code_challenge_method") != Some(pkce::METHOD) {
        if laxities.have(Laxity::Plain) && pkce::is_verifier(challenge) {
            return Ok(Some(pkce::challenge(challenge)));
        }
        return Err(("invalid_request", "code_challenge_method must be S256"));
    }
    let base64url = |octet: u8| octet.is_ascii_alphanumeric() || b"-_".contains(&octet);
    if challenge.len() != 43 || !challenge.bytes().all(base64url) {
        return Err(("invalid_request", "code_challenge must be 43 characters of base64url"));
    }
    Ok(Some(challenge.to_owned()))
}

/// Checks the code verifier of a token request against the code challenge (section 4.6).
pub fn verify(challenge: Option<&str>, verifier: Option<&str>, laxities: &Laxities) -> Result<(), Refusal> {
    let Some(challenge) = challenge else { return Ok(()) };
    match verifier {
        None if laxities.have(Laxity::NoVerifier) => Ok(()),
        None => Err(("invalid_request", "code_verifier is missing")),
        Some(_) if laxities.have(Laxity::AnyVerifier) => Ok(()),
        Some(verifier) if pkce::is_verifier(verifier) && pkce::challenge(verifier) == challenge => Ok(()),
        Some(_) => Err(("invalid_grant", "code_verifier does not match code_challenge")),
    }
}
