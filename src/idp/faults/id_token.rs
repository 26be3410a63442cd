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
    response("id_token-missing", 4, "gives no ID token", |object| remove(object, "id_token")),
    response("id_token-number", 4, "gives a number for an ID token", |object| object["id_token"] = json!(5)),
    response("id_token-access_token", 4, "gives an access token for an ID token", |object| {
        object["id_token"] = object["access_token"].clone();
    }),
    claims("id_token-iss-other", 4, "names another issuer in the ID token", |claims| {
        claims["iss"] = json!("https://other.example")
    }),
    claims("id_token-iss-bare", 4, "names its issuer without https://, as Google did", |claims| {
        claims["iss"] = json!("accounts.google.com");
    }),
    claims("id_token-iss-missing", 4, "names no issuer in the ID token", |claims| remove(claims, "iss")),
    claims("id_token-sub-missing", 4, "does not say who logged in", |claims| remove(claims, "sub")),
    claims("id_token-sub-empty", 4, "says that nobody logged in", |claims| claims["sub"] = json!("")),
    claims("id_token-sub-number", 4, "says with a number who logged in", |claims| claims["sub"] = json!(5)),
    claims("id_token-sub-long", 4, "says in 256 letters who logged in", |claims| {
        claims["sub"] = json!("a".repeat(256))
    }),
    claims("id_token-aud-other", 4, "gives an ID token for another client", |claims| claims["aud"] = json!("other")),
    claims("id_token-aud-missing", 4, "does not say whom the ID token is for", |claims| remove(claims, "aud")),
    claims("id_token-aud-object", 4, "writes the audience as an object", |claims| claims["aud"] = json!({})),
    claims("id_token-aud-more", 4, "gives an ID token for another client too", |claims| {
        claims["aud"] = json!([claims["aud"], "other"]);
    }),
    claims("id_token-aud-array", 0, "writes its one audience as an array", |claims| {
        claims["aud"] = json!([claims["aud"]])
    }),
    claims("id_token-azp-other", 4, "gives an ID token that another client asked for", |claims| {
        claims["azp"] = json!("other")
    }),
    claims("id_token-azp-same", 0, "says which client asked, as Keycloak does", |claims| {
        claims["azp"] = claims["aud"].clone()
    }),
    claims("id_token-exp-past", 4, "gives an ID token that has expired", |claims| claims["exp"] = json!(now() - 3600)),
    claims("id_token-exp-missing", 4, "does not say when the ID token expires", |claims| remove(claims, "exp")),
    claims("id_token-exp-string", 4, "writes as a string when the ID token expires", |claims| {
        claims["exp"] = json!(claims["exp"].to_string());
    }),
    claims("id_token-exp-float", 0, "writes with a fraction when the ID token expires", |claims| {
        claims["exp"] = json!(now() as f64 + 3600.5);
    }),
    claims("id_token-exp-beyond", 4, "gives an ID token that outlives the sun", |claims| claims["exp"] = json!(1e300)),
    claims("id_token-iat-future", 4, "gives an ID token of tomorrow", |claims| claims["iat"] = json!(now() + 86_400)),
    claims("id_token-iat-missing", 4, "does not say when the ID token was made", |claims| remove(claims, "iat")),
    claims("id_token-nbf-future", 4, "gives an ID token that is good from tomorrow on", |claims| {
        claims["nbf"] = json!(now() + 86_400)
    }),
    claims("id_token-nonce-other", 4, "gives the ID token of another login", |claims| claims["nonce"] = json!("other")),
    claims("id_token-nonce-missing", 4, "leaves the nonce out of the ID token", |claims| remove(claims, "nonce")),
    claims("id_token-at_hash-other", 4, "gives an ID token that belongs to another access token", |claims| {
        claims["at_hash"] = json!("AAAAAAAAAAAAAAAAAAAAAA");
    }),
    claims("id_token-at_hash-missing", 0, "does not say to which access token the ID token belongs", |claims| {
        remove(claims, "at_hash");
    }),
    claims("id_token-auth_time-future", 4, "says that the person will log in tomorrow", |claims| {
        claims["auth_time"] = json!(now() + 86_400);
    }),
    claims("id_token-auth_time-old", 4, "takes a login of last week where max_age asks for a new one", |claims| {
        claims["auth_time"] = json!(now() - 7 * 86_400);
    }),
    claims(
        "id_token-auth_time-missing",
        4,
        "does not say when the person logged in, though max_age asks for it",
        |claims| {
            remove(claims, "auth_time");
        },
    ),
    claims("id_token-acr-other", 4, "says that the person logged in with less than acr_values asks for", |claims| {
        claims["acr"] = json!("0");
    }),
    claims("id_token-claims-escapes", 0, "puts a terminal's escapes into a name", |claims| {
        claims["name"] = json!("\u{1b}[31mred\u{1b}]0;owned\u{7}");
    }),
    claims("id_token-claims-strings", 0, "writes true as a string, as Cognito does", |claims| {
        claims["email_verified"] = json!("true");
        claims["typ"] = json!("ID");
    }),
    payload("id_token-claims-twice", 4, "signs an audience twice, one of them ours", |claims| {
        claims.replacen('{', "{\"aud\":\"other\",", 1)
    }),
    payload("id_token-claims-escaped-twice", 4, "signs an audience twice, once as \\u0061ud", |claims| {
        claims.replacen('{', "{\"\\u0061ud\":\"other\",", 1)
    }),
    payload("id_token-claims-array", 4, "signs an array of claims", |claims| format!("[{claims}]")),
    payload("id_token-claims-deep", 4, "signs 100 arrays in each other", |claims| {
        claims.replacen('{', &format!("{{\"x\":{}{},", "[".repeat(100), "]".repeat(100)), 1)
    }),
    payload("id_token-claims-truncated", 4, "signs half of the claims", |claims| {
        claims.chars().take(claims.len() / 2).collect()
    }),
    header("id_token-alg-missing", 4, "does not say how the ID token is signed", |header| remove(header, "alg")),
    header("id_token-alg-other", 4, "signs as it does not say that it would", |header| header["alg"] = json!("PS512")),
    header("id_token-alg-ES512", 4, "says that it signs with ES512", |header| header["alg"] = json!("ES512")),
    header("id_token-alg-none-signed", 4, "says that the ID token is not signed, and signs it", |header| {
        header["alg"] = json!("none")
    }),
    signed("id_token-alg-none", 4, "does not sign the ID token", |token, _| {
        format!("{}.{}.", other_header(token, |header| header["alg"] = json!("none")), parts(token).1)
    }),
    signed("id_token-alg-nOnE", 4, "does not sign the ID token, and writes it in another way", |token, _| {
        format!("{}.{}.", other_header(token, |header| header["alg"] = json!("nOnE")), parts(token).1)
    }),
    signed("id_token-alg-HS256", 4, "takes its public key for a secret", confused),
    header("id_token-kid-missing", 0, "does not say which key signed", |header| remove(header, "kid")),
    header("id_token-kid-unknown", 4, "signs with a key that it does not show", |header| {
        header["kid"] = json!("../../dev/null")
    }),
    header("id_token-kid-number", 4, "names its key by a number", |header| header["kid"] = json!(5)),
    header("id_token-typ-missing", 0, "does not say that the ID token is a JWT", |header| remove(header, "typ")),
    header("id_token-typ-access", 4, "gives another kind of token for an ID token", |header| {
        header["typ"] = json!("at+jwt")
    }),
    header("id_token-crit", 4, "asks for an extension that is not known", |header| {
        header["crit"] = json!(["exp"]);
        header["exp"] = json!(0);
    }),
    header("id_token-b64", 4, "says that the claims are not encoded", |header| header["b64"] = json!(false)),
    header("id_token-zip", 4, "says that the claims are compressed", |header| header["zip"] = json!("DEF")),
    signed("id_token-forged", 4, "gives an ID token that somebody else has signed", |token, _| {
        forged(token, |_, _| ())
    }),
    signed("id_token-forged-jwk", 4, "gives a forged ID token that brings its own key", |token, _| {
        forged(token, |header, jwk| header["jwk"] = jwk.clone())
    }),
    signed("id_token-forged-jku", 4, "gives a forged ID token that says where its key is", |token, _| {
        forged(token, |header, jwk| {
            header["kid"] = jwk["kid"].clone();
            header["jku"] = json!("http://127.0.0.1:1/jwks");
            header["x5u"] = json!("http://127.0.0.1:1/certificate");
        })
    }),
    signed("id_token-signature-other", 4, "signs something else", |token, _| {
        other_signature(token, |octets| octets.iter_mut().take(1).for_each(|octet| *octet ^= 1))
    }),
    signed("id_token-signature-empty", 4, "leaves the signature out", |token, _| other_signature(token, Vec::clear)),
    signed("id_token-signature-zero", 4, "signs with zeros", |token, _| {
        other_signature(token, |octets| octets.fill(0))
    }),
    signed("id_token-signature-asn1", 4, "writes its signature in ASN.1", |token, _| other_signature(token, asn1)),
    signed("id_token-parts", 4, "leaves a part of the ID token out", |token, _| {
        let (header, payload, _) = parts(token);
        format!("{header}.{payload}")
    }),
    signed("id_token-encrypted", 4, "gives an encrypted ID token", |token, _| format!("{token}.AAAA.AAAA")),
    signed("id_token-padded", 4, "pads the parts of the ID token", |token, _| format!("{token}==")),
    signed("id_token-json", 4, "writes the ID token as JSON", |token, _| {
        let (header, payload, signature) = parts(token);
        json!({ "protected": header, "payload": payload, "signature": signature }).to_string()
    }),
    signed("id_token-exponent-1", 4, "signs as everybody can whose RSA key has the exponent 1", |token, _| {
        unsigned_rsa(token)
    }),
    signed("id_token-space", 4, "puts a space behind the ID token", |token, _| format!("{token} ")),
    signed("id_token-loose-bits", 4, "ends the signature with bits that stand for nothing", |token, _| {
        let mut octets = token.to_owned().into_bytes();
        octets.last_mut().into_iter().for_each(|last| *last += 1);
        String::from_utf8(octets).unwrap_or_default()
    }),
    signed("id_token-header-twice", 4, "says twice how the ID token is signed", |token, _| {
        let (header, rest) = token.split_once('.').unwrap_or_default();
        let header = String::from_utf8(decoded(header).unwrap_or_default()).unwrap_or_default();
        format!("{}.{rest}", encoded(header.replacen('{', "{\"alg\":\"none\",", 1)))
    }),
];
