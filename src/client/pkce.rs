//! RFC 7636: the code verifier and its S256 challenge, and the other values that are new for each login.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::document::Document;
use crate::document::text::every;
use crate::error::Error;

/// Adds the verifier with its challenge, and a new `state` and `nonce` (256 bits each).
pub fn begin(document: &mut Document, verifier: &str, entropy: &mut Entropy) -> Result<(), Error> {
    document.set("code_verifier", verifier);
    document.set("code_challenge", &challenge(verifier));
    document.set("code_challenge_method", METHOD);
    document.set("state", &entropy.text(STATE_OCTETS)?);
    document.set("nonce", &entropy.text(STATE_OCTETS)?);
    Ok(())
}

/// The document's code verifier: 43 to 128 characters of `[A-Za-z0-9-._~]` (RFC 7636 section 4.1).
pub fn verifier(document: &Document) -> Result<Zeroizing<String>, Error> {
    let verifier = Zeroizing::new(document.need("code_verifier")?);
    if is_verifier(&verifier) {
        return Ok(verifier);
    }
    let wrong = "must be 43 to 128 characters of A-Z, a-z, 0-9, '-', '.', '_', '~'";
    Err(document.wrong("code_verifier", wrong))
}

/// Whether the text is a code verifier (RFC 7636 section 4.1).
pub fn is_verifier(text: &str) -> bool {
    let unreserved = |octet: u8| octet.is_ascii_alphanumeric() | matches!(octet, b'-' | b'.' | b'_' | b'~');
    (43..=128).contains(&text.len()) && every(text, unreserved)
}

/// The S256 code challenge of a verifier: 43 characters of base64url (RFC 7636 section 4.2).
pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// Random octets from the operating system's generator, never another one, several requested at once. Each is used once,
/// and then wiped.
pub struct Entropy {
    octets: Zeroizing<Vec<u8>>,
    /// The number of octets, from the first, that are not used yet.
    left: usize,
}

impl Entropy {
    /// Entropy for so many logins, with verifiers of so many octets.
    pub fn for_logins(count: u64, verifier_octets: usize) -> Entropy {
        let login = verifier_octets + 2 * STATE_OCTETS;
        let logins = usize::try_from(count).unwrap_or(usize::MAX).min(MAX_UNUSED / login);
        Entropy::of(logins * login)
    }

    fn of(octets: usize) -> Entropy {
        Entropy { octets: Zeroizing::new(vec![0; octets]), left: 0 }
    }

    /// So many octets in base64url without padding.
    pub fn text(&mut self, octets: usize) -> Result<Zeroizing<String>, Error> {
        if self.left < octets {
            self.left = 0;
            fill(&mut self.octets)?;
            self.left = self.octets.len();
        }
        let start = self.left.checked_sub(octets).ok_or_else(unavailable)?;
        let used = self.octets.get_mut(start..self.left).unwrap_or_default();
        let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(&*used));
        used.zeroize();
        self.left = start;
        Ok(text)
    }
}

/// Random octets in base64url without padding.
pub fn random(octets: usize) -> Result<Zeroizing<String>, Error> {
    Entropy::of(octets).text(octets)
}

/// A random number of 16 bits, from the same generator.
pub fn random_number() -> Result<u16, Error> {
    let mut octets = [0; 2];
    fill(&mut octets)?;
    Ok(u16::from_ne_bytes(octets))
}

fn fill(octets: &mut [u8]) -> Result<(), Error> {
    SysRng.try_fill_bytes(octets).map_err(|_| unavailable())
}

fn unavailable() -> Error {
    Error::unavailable("random numbers: not available from the operating system")
}

/// The only challenge method: `plain` would expose the verifier to anyone who sees the request (RFC 7636 section 7.2).
pub const METHOD: &str = "S256";

/// Random octets that are requested at once at most: a system call for each login would take a third of its time.
const MAX_UNUSED: usize = 4 * 1024;

/// Octets of `state` and `nonce`: 256 bits, double the 128 that RFC 6749 section 10.10 requires.
const STATE_OCTETS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computes_the_challenges_of_the_vectors() {
        let vectors: serde_json::Value = serde_json::from_str(include_str!("../../tests/vectors/pkce.json")).unwrap();
        for case in vectors["valid"].as_array().unwrap() {
            let verifier = case["verifier"].as_str().unwrap();
            assert!(is_verifier(verifier));
            assert_eq!(challenge(verifier), case["challenge_s256"].as_str().unwrap());
        }
        for case in vectors["invalid"].as_array().unwrap() {
            assert!(!is_verifier(case["verifier"].as_str().unwrap()), "{}", case["id"]);
        }
    }

    #[test]
    fn encodes_the_octets_of_rfc_7636_appendix_b() {
        let vectors: serde_json::Value = serde_json::from_str(include_str!("../../tests/vectors/pkce.json")).unwrap();
        let octets: Vec<u8> = serde_json::from_value(vectors["appendixB_octets"].clone()).unwrap();
        assert_eq!(URL_SAFE_NO_PAD.encode(octets), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }
}
