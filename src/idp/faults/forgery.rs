//! Changes a signed ID token as an attacker would: RFC 7515, RFC 8725.

use ring::{digest, hmac};
use serde_json::{Value, json};

use crate::id_token::jws::{decoded, encoded};
use crate::idp::keys::{Alg, Key};

/// The header, the payload and the signature.
pub fn parts(token: &str) -> (&str, &str, &str) {
    let (input, signature) = token.rsplit_once('.').unwrap_or_default();
    let (header, payload) = input.split_once('.').unwrap_or_default();
    (header, payload, signature)
}

/// The token's header with other members, in base64url.
pub fn other_header(token: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut header = serde_json::from_slice(&decoded(parts(token).0).unwrap_or_default()).unwrap_or_default();
    change(&mut header);
    encoded(header.to_string())
}

/// The token with another signature.
pub fn other_signature(token: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let (header, payload, signature) = parts(token);
    let mut octets = decoded(signature).unwrap_or_default();
    change(&mut octets);
    format!("{header}.{payload}.{}", encoded(octets))
}

/// The token signed with a key that is not the server's, after `change` has put what should make a client trust that
/// key into the header.
pub fn forged(token: &str, change: impl FnOnce(&mut Value, &Value)) -> String {
    let Ok(forger) = Key::new(Alg::Es256) else { return token.to_owned() };
    let header = other_header(token, |header| {
        header["alg"] = json!(Alg::Es256.name());
        change(header, &forger.jwk());
    });
    let input = format!("{header}.{}", parts(token).1);
    let signature = forger.signature(&input).unwrap_or_default();
    format!("{input}.{signature}")
}

/// The token with an HMAC whose secret is the server's public key (RFC 8725 section 2.1).
pub fn confused(token: &str, jwk: &Value) -> String {
    let input = format!("{}.{}", other_header(token, |header| header["alg"] = json!("HS256")), parts(token).1);
    let key = hmac::Key::new(hmac::HMAC_SHA256, jwk.to_string().as_bytes());
    format!("{input}.{}", encoded(hmac::sign(&key, input.as_bytes())))
}

/// The token as anyone can sign it for an RSA key whose exponent is 1: the signature is the padded digest itself
/// (RFC 8017 section 9.2).
pub fn unsigned_rsa(token: &str) -> String {
    let input = format!("{}.{}", other_header(token, |header| header["alg"] = json!("RS256")), parts(token).1);
    let digest = digest::digest(&digest::SHA256, input.as_bytes());
    let padding = vec![0xff; MODULUS - SHA256_INFO.len() - digest.as_ref().len() - 3];
    let signature = [&[0, 1], padding.as_slice(), &[0], &SHA256_INFO, digest.as_ref()].concat();
    format!("{input}.{}", encoded(signature))
}

/// Turns an ECDSA signature into a sequence of two ASN.1 integers (RFC 3279 section 2.2.3).
pub fn asn1(octets: &mut Vec<u8>) {
    let (r, s) = octets.split_at(octets.len() / 2);
    let integer = |octets: &[u8]| -> Vec<u8> {
        let digits: Vec<u8> = octets.iter().copied().skip_while(|octet| *octet == 0).collect();
        let sign = if digits.first().is_none_or(|first| *first >= 0x80) { vec![0] } else { Vec::new() };
        let length = u8::try_from(sign.len() + digits.len()).unwrap_or_default();
        [vec![2, length], sign, digits].concat()
    };
    let both = [integer(r), integer(s)].concat();
    *octets = [vec![0x30, u8::try_from(both.len()).unwrap_or_default()], both].concat();
}

/// Octets of an RSA modulus of 2048 bits.
pub const MODULUS: usize = 256;

/// The prefix that identifies a SHA-256 digest (RFC 8017 section 9.2, note 1).
const SHA256_INFO: [u8; 19] = [0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20];
