//! What can be wrong with an ID token: OpenID Connect Core section 3.1.3.7, RFC 7515, RFC 8725.

use serde_json::{Value, json};

use super::effect::Effect;
use super::forgery::{asn1, confused, forged, other_header, other_signature, parts, unsigned_rsa};
use super::kind::{Kind, Place};
use crate::id_token::jws::{decoded, encoded};
use crate::idp::clock::now;
use crate::idp::members::remove;

const fn response(name: &'static str, status: u8, does: &'static str, change: fn(&mut Value)) -> Kind {
    Kind::new(name, Place::Token, status, does, Effect::Object(change))
}

const fn claims(name: &'static str, status: u8, does: &'static str, change: fn(&mut Value)) -> Kind {
    Kind::new(name, Place::IdToken, status, does, Effect::Claims(change))
}

const fn header(name: &'static str, status: u8, does: &'static str, change: fn(&mut Value)) -> Kind {
    Kind::new(name, Place::IdToken, status, does, Effect::Header(change))
}

const fn payload(name: &'static str, status: u8, does: &'static str, change: fn(&str) -> String) -> Kind {
    Kind::new(name, Place::IdToken, status, does, Effect::Payload(change))
}

const fn signed(name: &'static str, status: u8, does: &'static str, change: fn(&str, &Value) -> String) -> Kind {
    Kind::new(name, Place::IdToken, status, does, Effect::Signed(change))
}

/// All kinds.
pub static KINDS: &[Kind] = &[
    response("id_token-missing", 4, "omits id_token", |object| remove(object, "id_token")),
    response("id_token-number", 4, "sets id_token to a number", |object| object["id_token"] = json!(5)),
    response("id_token-access_token", 4, "sends the access token as id_token", |object| {
        object["id_token"] = object["access_token"].clone();
    }),
    claims("id_token-iss-other", 4, "sets iss to another issuer", |claims| {
        claims["iss"] = json!("https://other.example")
    }),
    claims("id_token-iss-bare", 4, "sets iss without https://, as Google did", |claims| {
        claims["iss"] = json!("accounts.google.com");
    }),
    claims("id_token-iss-missing", 4, "omits iss", |claims| remove(claims, "iss")),
    claims("id_token-sub-missing", 4, "omits sub", |claims| remove(claims, "sub")),
    claims("id_token-sub-empty", 4, "sets sub to an empty string", |claims| claims["sub"] = json!("")),
    claims("id_token-sub-number", 4, "sets sub to a number", |claims| claims["sub"] = json!(5)),
    claims("id_token-sub-long", 4, "sets sub to 256 letters", |claims| claims["sub"] = json!("a".repeat(256))),
    claims("id_token-aud-other", 4, "sets aud to another client", |claims| claims["aud"] = json!("other")),
    claims("id_token-aud-missing", 4, "omits aud", |claims| remove(claims, "aud")),
    claims("id_token-aud-object", 4, "sets aud to an object", |claims| claims["aud"] = json!({})),
    claims("id_token-aud-more", 4, "adds another client to aud", |claims| {
        claims["aud"] = json!([claims["aud"], "other"]);
    }),
    claims("id_token-aud-array", 0, "sends its only audience as an array", |claims| {
        claims["aud"] = json!([claims["aud"]])
    }),
    claims("id_token-azp-other", 4, "sets azp to another client", |claims| claims["azp"] = json!("other")),
    claims("id_token-azp-same", 0, "sets azp to this client, as Keycloak does", |claims| {
        claims["azp"] = claims["aud"].clone()
    }),
    claims("id_token-exp-past", 4, "sends an expired ID token", |claims| claims["exp"] = json!(now() - 3600)),
    claims("id_token-exp-missing", 4, "omits exp", |claims| remove(claims, "exp")),
    claims("id_token-exp-string", 4, "sends exp as a string", |claims| {
        claims["exp"] = json!(claims["exp"].to_string());
    }),
    claims("id_token-exp-float", 0, "sends a fractional exp", |claims| {
        claims["exp"] = json!(now() as f64 + 3600.5);
    }),
    claims("id_token-exp-beyond", 4, "sets exp to 1e300", |claims| claims["exp"] = json!(1e300)),
    claims("id_token-iat-future", 4, "sets iat to tomorrow", |claims| claims["iat"] = json!(now() + 86_400)),
    claims("id_token-iat-missing", 4, "omits iat", |claims| remove(claims, "iat")),
    claims("id_token-nbf-future", 4, "sets nbf to tomorrow", |claims| claims["nbf"] = json!(now() + 86_400)),
    claims("id_token-nonce-other", 4, "sends another nonce", |claims| claims["nonce"] = json!("other")),
    claims("id_token-nonce-missing", 4, "omits nonce", |claims| remove(claims, "nonce")),
    claims("id_token-at_hash-other", 4, "sends the at_hash of another access token", |claims| {
        claims["at_hash"] = json!("AAAAAAAAAAAAAAAAAAAAAA");
    }),
    claims("id_token-at_hash-missing", 0, "omits at_hash", |claims| remove(claims, "at_hash")),
    claims("id_token-auth_time-future", 4, "sets auth_time to tomorrow", |claims| {
        claims["auth_time"] = json!(now() + 86_400);
    }),
    claims("id_token-auth_time-old", 4, "sets auth_time to last week, earlier than max_age allows", |claims| {
        claims["auth_time"] = json!(now() - 7 * 86_400);
    }),
    claims("id_token-auth_time-missing", 4, "omits auth_time although max_age requires it", |claims| {
        remove(claims, "auth_time")
    }),
    claims("id_token-acr-other", 4, "sends an acr that acr_values does not list", |claims| {
        claims["acr"] = json!("0");
    }),
    claims("id_token-claims-escapes", 0, "sends terminal escapes in the name claim", |claims| {
        claims["name"] = json!("\u{1b}[31mred\u{1b}]0;owned\u{7}");
    }),
    claims("id_token-claims-strings", 0, "sends true as a string, as Cognito does", |claims| {
        claims["email_verified"] = json!("true");
        claims["typ"] = json!("ID");
    }),
    payload("id_token-claims-twice", 4, "signs a duplicate aud, one of them correct", |claims| {
        claims.replacen('{', "{\"aud\":\"other\",", 1)
    }),
    payload("id_token-claims-escaped-twice", 4, "signs a duplicate aud, one of them written \\u0061ud", |claims| {
        claims.replacen('{', "{\"\\u0061ud\":\"other\",", 1)
    }),
    payload("id_token-claims-array", 4, "signs an array instead of an object", |claims| format!("[{claims}]")),
    payload("id_token-claims-deep", 4, "signs 100 nested arrays", |claims| {
        claims.replacen('{', &format!("{{\"x\":{}{},", "[".repeat(100), "]".repeat(100)), 1)
    }),
    payload("id_token-claims-truncated", 4, "signs truncated claims", |claims| {
        claims.chars().take(claims.len() / 2).collect()
    }),
    header("id_token-alg-missing", 4, "omits alg", |header| remove(header, "alg")),
    header("id_token-alg-other", 4, "sets alg to PS512, which it does not advertise", |header| {
        header["alg"] = json!("PS512")
    }),
    header("id_token-alg-ES512", 4, "sets alg to ES512", |header| header["alg"] = json!("ES512")),
    header("id_token-alg-none-signed", 4, "sets alg to none, and signs the ID token", |header| {
        header["alg"] = json!("none")
    }),
    signed("id_token-alg-none", 4, "sends an unsigned ID token with alg none", |token, _| {
        format!("{}.{}.", other_header(token, |header| header["alg"] = json!("none")), parts(token).1)
    }),
    signed("id_token-alg-nOnE", 4, "sends an unsigned ID token with alg nOnE", |token, _| {
        format!("{}.{}.", other_header(token, |header| header["alg"] = json!("nOnE")), parts(token).1)
    }),
    signed("id_token-alg-HS256", 4, "signs with HS256 and its public key as the secret", confused),
    header("id_token-kid-missing", 0, "omits kid", |header| remove(header, "kid")),
    header("id_token-kid-unknown", 4, "sets kid to a key that it does not publish", |header| {
        header["kid"] = json!("../../dev/null")
    }),
    header("id_token-kid-number", 4, "sets kid to a number", |header| header["kid"] = json!(5)),
    header("id_token-typ-missing", 0, "omits typ", |header| remove(header, "typ")),
    header("id_token-typ-access", 4, "sets typ to at+jwt", |header| header["typ"] = json!("at+jwt")),
    header("id_token-crit", 4, "requires an unknown extension (crit)", |header| {
        header["crit"] = json!(["exp"]);
        header["exp"] = json!(0);
    }),
    header("id_token-b64", 4, "declares the claims as not encoded (b64)", |header| header["b64"] = json!(false)),
    header("id_token-zip", 4, "declares the claims as compressed (zip)", |header| header["zip"] = json!("DEF")),
    signed("id_token-forged", 4, "sends an ID token signed with another key", |token, _| forged(token, |_, _| ())),
    signed("id_token-forged-jwk", 4, "sends a forged ID token with its own key (jwk)", |token, _| {
        forged(token, |header, jwk| header["jwk"] = jwk.clone())
    }),
    signed("id_token-forged-jku", 4, "sends a forged ID token with the URL of its key (jku)", |token, _| {
        forged(token, |header, jwk| {
            header["kid"] = jwk["kid"].clone();
            header["jku"] = json!("http://127.0.0.1:1/jwks");
            header["x5u"] = json!("http://127.0.0.1:1/certificate");
        })
    }),
    signed("id_token-signature-other", 4, "sends the signature of something else", |token, _| {
        other_signature(token, |octets| octets.iter_mut().take(1).for_each(|octet| *octet ^= 1))
    }),
    signed("id_token-signature-empty", 4, "sends an empty signature", |token, _| other_signature(token, Vec::clear)),
    signed("id_token-signature-zero", 4, "sends a signature of zeros", |token, _| {
        other_signature(token, |octets| octets.fill(0))
    }),
    signed("id_token-signature-asn1", 4, "sends the signature in ASN.1", |token, _| other_signature(token, asn1)),
    signed("id_token-parts", 4, "sends an ID token of two parts", |token, _| {
        let (header, payload, _) = parts(token);
        format!("{header}.{payload}")
    }),
    signed("id_token-encrypted", 4, "sends an encrypted ID token", |token, _| format!("{token}.AAAA.AAAA")),
    signed("id_token-padded", 4, "sends an ID token with base64 padding", |token, _| format!("{token}==")),
    signed("id_token-json", 4, "sends the ID token in JSON serialization", |token, _| {
        let (header, payload, signature) = parts(token);
        json!({ "protected": header, "payload": payload, "signature": signature }).to_string()
    }),
    signed("id_token-exponent-1", 4, "signs as anyone can for an RSA key with the exponent 1", |token, _| {
        unsigned_rsa(token)
    }),
    signed("id_token-space", 4, "appends a space to the ID token", |token, _| format!("{token} ")),
    signed("id_token-loose-bits", 4, "sets unused bits at the end of the signature", |token, _| {
        let mut octets = token.to_owned().into_bytes();
        octets.last_mut().into_iter().for_each(|last| *last += 1);
        String::from_utf8(octets).unwrap_or_default()
    }),
    signed("id_token-header-twice", 4, "sends a duplicate alg", |token, _| {
        let (header, rest) = token.split_once('.').unwrap_or_default();
        let header = String::from_utf8(decoded(header).unwrap_or_default()).unwrap_or_default();
        format!("{}.{rest}", encoded(header.replacen('{', "{\"alg\":\"none\",", 1)))
    }),
];
