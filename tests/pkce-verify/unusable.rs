//! Keys that cannot be used: each is named with what is wrong with it, and stops no other.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::{Value, json};

use crate::common::{Output, command, finish, vectors};
use crate::signer::Signer;
use crate::{NOW, Offline, accepted, claims, document, online, own, refused, rotating, verify, with};

fn encoded(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

/// A token with this header and these claims; `sign` makes the signature.
fn token(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let input = format!("{}.{}", encoded(header.to_string().as_bytes()), encoded(claims.to_string().as_bytes()));
    let signature = sign(input.as_bytes());
    format!("{input}.{}", encoded(&signature))
}

/// The document of a server that signs with every algorithm.
fn any_algorithm(id_token: &str) -> Value {
    let algorithms = json!(["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"]);
    with(document(id_token), json!({ "id_token_signing_alg_values_supported": algorithms }))
}

/// Runs over a token with this header, signed by no one, where the server has these keys.
fn met(keys: &[Value], header: &Value) -> Output {
    let document = any_algorithm(&token(header, &claims(), |_| vec![0; 64]));
    Offline::new(&json!({ "keys": keys })).run(&[], &document)
}

const FORGED: &str = "signature: does not verify with the key of --jwks";

/// The key `k1` of this algorithm, after each of the changes; what is said of a token that names it.
fn says_of_k1(key: &Value, alg: &str, cases: &[(Value, &str)]) {
    for (changes, message) in cases {
        let key = with(with(key.clone(), json!({ "kid": "k1" })), changes.clone());
        assert_eq!(met(&[key], &json!({ "alg": alg, "kid": "k1" })), refused(message), "{changes}");
    }
}

fn ed25519() -> Ed25519KeyPair {
    Ed25519KeyPair::from_pkcs8(Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap().as_ref()).unwrap()
}

fn ed25519_jwk(x: &[u8]) -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "x": encoded(x), "kid": "k1" })
}

/// 2^255 - 19 and this, little-endian.
fn near_the_prime(difference: i16) -> [u8; 32] {
    let mut octets = [0xff; 32];
    octets[31] = 0x7f;
    octets[0] = u8::try_from(0xed + difference).unwrap();
    octets
}

fn small(y: u8) -> [u8; 32] {
    let mut octets = [0; 32];
    octets[0] = y;
    octets
}

fn from_hex(hex: &str) -> [u8; 32] {
    let octets = hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16));
    octets.map(Result::unwrap).collect::<Vec<u8>>().try_into().unwrap()
}

const SMALL_ORDER: &str = "the key k1 of --jwks is not valid: x: a point of small order, with which anyone can sign";
const NOT_CANONICAL: &str = "the key k1 of --jwks is not valid: x: not the canonical form of a point";

#[test]
fn refuses_ed25519_keys_of_small_order_with_which_anyone_can_sign() {
    let header = json!({ "alg": "EdDSA", "kid": "k1" });
    // The y-coordinates of the points of order 4, 1, 2 and 8, and the two that also have a second form.
    for (mut key, message) in [
        (small(0), SMALL_ORDER),
        (small(1), SMALL_ORDER),
        (near_the_prime(-1), SMALL_ORDER),
        (from_hex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), SMALL_ORDER),
        (from_hex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), SMALL_ORDER),
        (near_the_prime(0), NOT_CANONICAL),
        (near_the_prime(1), NOT_CANONICAL),
    ] {
        for sign in [0, 0x80] {
            key[31] |= sign;
            // A signature that needs no private key: R is the neutral element, and S is 0.
            let forged = [small(1), small(0)].concat();
            let is_believed = |token: &String| {
                let (input, _) = token.rsplit_once('.').unwrap();
                UnparsedPublicKey::new(&ED25519, key).verify(input.as_bytes(), &forged).is_ok()
            };
            let tokens = (0..).map(|number| {
                token(&header, &with(claims(), json!({ "jti": number.to_string() })), |_| forged.clone())
            });
            // One in as many tokens as the order of the point.
            let token = tokens.take(1000).find(is_believed).expect("ring believes it");
            let offline = Offline::new(&json!({ "keys": [ed25519_jwk(&key)] }));
            assert_eq!(offline.run(&[], &any_algorithm(&token)), refused(message), "{key:x?}");
        }
    }
}

#[test]
fn takes_ed25519_keys_in_their_canonical_form_alone() {
    let pair = ed25519();
    for alg in ["EdDSA", "Ed25519"] {
        let token = token(&json!({ "alg": alg, "kid": "k1" }), &claims(), |input| pair.sign(input).as_ref().to_vec());
        let document = any_algorithm(&token);
        let good = ed25519_jwk(pair.public_key().as_ref());
        accepted(&Offline::new(&json!({ "keys": [good] })).run(&[], &document), &document, &claims());
    }
    let negative = |mut octets: [u8; 32]| {
        octets[31] |= 0x80;
        octets
    };
    for (key, message) in [
        (small(2), FORGED),
        (negative(small(2)), FORGED),
        (near_the_prime(-2), FORGED),
        (near_the_prime(2), NOT_CANONICAL),
        (near_the_prime(18), NOT_CANONICAL),
        (negative(near_the_prime(3)), NOT_CANONICAL),
    ] {
        assert_eq!(met(&[ed25519_jwk(&key)], &json!({ "alg": "EdDSA", "kid": "k1" })), refused(message), "{key:x?}");
    }
    let size = "the key k1 of --jwks is not valid: x: must be 32 octets";
    let x = |octets: &[u8]| json!({ "x": encoded(octets) });
    let public = pair.public_key().as_ref();
    let cases = [(x(&public[..31]), size), (x(&[public, &[0]].concat()), size), (x(&[]), size)];
    says_of_k1(&ed25519_jwk(public), "EdDSA", &cases);
}

#[test]
fn takes_ec_coordinates_of_the_length_of_the_curve_alone() {
    let signer = Signer::new("k1");
    let octets = |name: &str| URL_SAFE_NO_PAD.decode(signer.jwk()[name].as_str().unwrap()).unwrap();
    let (x, y) = (octets("x"), octets("y"));
    let padded = |octets: &[u8]| encoded(&[&[0], octets].concat());
    let (wrong_x, wrong_y) = (
        "the key k1 of --jwks is not valid: x: must be 32 octets",
        "the key k1 of --jwks is not valid: y: must be 32 octets",
    );
    let cases = [
        (json!({}), FORGED),
        (json!({ "x": padded(&x) }), wrong_x),
        (json!({ "x": encoded(&x[1..]) }), wrong_x),
        (json!({ "y": padded(&y) }), wrong_y),
        (json!({ "y": encoded(&y[..31]) }), wrong_y),
        // Together they have the length of a point.
        (json!({ "x": encoded(&x[..31]), "y": encoded(&[&x[31..], &y].concat()) }), wrong_x),
        (json!({ "x": encoded(&[x.as_slice(), &y[..1]].concat()), "y": encoded(&y[1..]) }), wrong_x),
        (
            json!({ "x": encoded(&y), "y": encoded(&x) }),
            "the key k1 of --jwks is not valid: x, y: not a point on the curve",
        ),
        (json!({ "x": encoded(&[0xff; 32]) }), "the key k1 of --jwks is not valid: x, y: not a point on the curve"),
    ];
    says_of_k1(&signer.jwk(), "ES256", &cases);
    let (algorithm, random) = (&ECDSA_P384_SHA384_FIXED_SIGNING, SystemRandom::new());
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at(48);
    let key = json!({ "kty": "EC", "crv": "P-384", "x": encoded(x), "y": encoded(y), "kid": "k1" });
    let header = json!({ "alg": "ES384", "kid": "k1" });
    let token = token(&header, &claims(), |input| pair.sign(&random, input).unwrap().as_ref().to_vec());
    let document = any_algorithm(&token);
    accepted(&Offline::new(&json!({ "keys": [key] })).run(&[], &document), &document, &claims());
    let cases = [
        (json!({}), FORGED),
        (json!({ "x": encoded(&x[1..]) }), "the key k1 of --jwks is not valid: x: must be 48 octets"),
        (json!({ "y": padded(y) }), "the key k1 of --jwks is not valid: y: must be 48 octets"),
        (
            json!({ "x": encoded(y), "y": encoded(x) }),
            "the key k1 of --jwks is not valid: x, y: not a point on the curve",
        ),
    ];
    says_of_k1(&key, "ES384", &cases);
}

/// The token of the vectors that is signed with RS256, as a document, and its key.
fn rs256() -> (Value, Value) {
    let vectors = vectors("idtoken.json");
    let case = &vectors["cases"][0];
    assert_eq!(case["id"], "ok-rs256");
    let keys = vectors["jwks"]["multi_alg"]["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["kid"] == "r1").unwrap();
    let document = json!({
        "issuer": "https://op.example.com", "client_id": "cli-1", "nonce": "n-0S6_WzA2Mj",
        "id_token": case["id_token"], "access_token": case["expect"]["access_token"],
    });
    (document, key.clone())
}

#[test]
fn takes_rsa_numbers_with_leading_zeros() {
    let (document, key) = rs256();
    let zeros = |name: &str, count: usize| {
        let octets = URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
        json!({ name: encoded(&[vec![0; count], octets].concat()) })
    };
    for changes in [json!({}), zeros("n", 1), zeros("n", 8), zeros("e", 1), zeros("e", 9)] {
        let output = Offline::new(&json!({ "keys": [with(key.clone(), changes)] })).run(&[], &document);
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
        assert!(output.json()["id_token_claims"]["sub"].is_string());
    }
}

#[test]
fn names_an_rsa_key_that_is_too_weak_or_too_large() {
    let modulus = "the key k1 of --jwks is not valid: n: must be an odd number of 2048 to 8192 bits";
    let exponent = "the key k1 of --jwks is not valid: e: must be an odd number from 3 to 2^33 - 1";
    let number = |name: &str, octets: &[u8]| json!({ name: encoded(octets) });
    let n = |size: usize, last: u8| number("n", &[vec![0xff; size - 1], vec![last]].concat());
    let cases = [
        (n(256, 0xff), FORGED),
        (n(1024, 0xff), FORGED),
        (number("n", &[vec![0x80; 255], vec![0x81]].concat()), FORGED),
        (number("n", &[vec![0x7f], vec![0xff; 255]].concat()), modulus),
        (number("n", &[vec![0, 0x7f], vec![0xff; 255]].concat()), modulus),
        (n(255, 0xff), modulus),
        (number("n", &[vec![0], vec![0xff; 255]].concat()), modulus),
        (n(1025, 0xff), modulus),
        (number("n", &[vec![1], vec![0xff; 1024]].concat()), modulus),
        (n(256, 0xfe), modulus),
        (number("n", &[]), modulus),
        (number("n", &[0; 256]), modulus),
        (number("e", &[3]), FORGED),
        (number("e", &[5]), FORGED),
        (number("e", &[1, 0xff, 0xff, 0xff, 0xff]), FORGED),
        (number("e", &[0xff, 0xff, 0xff, 0xff]), FORGED),
        (number("e", &[1]), exponent),
        (number("e", &[0, 1]), exponent),
        (number("e", &[2]), exponent),
        (number("e", &[1, 0, 0]), exponent),
        (number("e", &[2, 0, 0, 0, 1]), exponent),
        (number("e", &[1, 0, 0, 0, 0, 1]), exponent),
        (number("e", &[]), exponent),
        (number("e", &[0]), exponent),
    ];
    let (_, key) = rs256();
    says_of_k1(&with(key, json!({ "alg": null })), "RS256", &cases);
}

#[test]
fn refuses_an_rsa_key_of_2047_bits_although_its_signature_is_good() {
    let vector = vectors("rsa2047.json");
    let token = vector["id_token"].as_str().unwrap();
    let (input, signature) = token.rsplit_once('.').unwrap();
    let octets = |text: &Value| URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap();
    let (n, e) = (octets(&vector["jwk"]["n"]), octets(&vector["jwk"]["e"]));
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let key = RsaPublicKeyComponents { n: &n, e: &e };
    key.verify(&RSA_PKCS1_2048_8192_SHA256, input.as_bytes(), &signature).expect("ring believes it");
    let output = Offline::new(&json!({ "keys": [vector["jwk"]] })).run(&[], &any_algorithm(token));
    assert_eq!(output, refused("the key k1 of --jwks is not valid: n: must be an odd number of 2048 to 8192 bits"));
}

#[test]
fn takes_a_null_in_a_key_for_a_missing_member() {
    let signer = Signer::new("k1");
    let nulled = |name: &str| {
        let mut key = signer.jwk();
        key[name] = Value::Null;
        key
    };
    let document = document(&signer.sign(&claims()));
    for name in ["use", "alg", "key_ops", "d", "x5c", "x5t"] {
        let offline = Offline::new(&json!({ "keys": [nulled(name)] }));
        accepted(&offline.run(&[], &document), &document, &claims());
    }
    let token = signer.sign_with(&json!({ "alg": "ES256" }), &claims());
    let unnamed = with(document.clone(), json!({ "id_token": token }));
    accepted(&Offline::new(&json!({ "keys": [nulled("kid")] })).run(&[], &unnamed), &unnamed, &claims());
    for (name, wrong) in [
        ("kid", "kid: no such signing key in --jwks: k1 instead of nothing"),
        ("kty", "the key k1 of --jwks is not valid: kty: missing"),
        ("crv", "the key k1 of --jwks is not valid: crv: missing"),
        ("x", "the key k1 of --jwks is not valid: x: missing"),
    ] {
        assert_eq!(Offline::new(&json!({ "keys": [nulled(name)] })).run(&[], &document), refused(wrong), "{name}");
    }
}

#[test]
fn names_what_is_malformed_in_a_key() {
    let is = |wrong: &str| format!("the key k1 of --jwks is not valid: {wrong}");
    let key = Signer::new("k1").jwk();
    for (changes, wrong) in [
        (json!({ "kty": null }), "kty: missing"),
        (json!({ "kty": 1 }), "kty: must be a string"),
        (json!({ "crv": 1 }), "crv: must be a string"),
        (json!({ "use": ["sig"] }), "use: must be a string"),
        (json!({ "key_ops": [1] }), "key_ops: must be an array of strings"),
        (json!({ "alg": 1 }), "alg: must be a string"),
        (json!({ "x": null }), "x: missing"),
        (json!({ "y": 1 }), "y: must be a string"),
        (json!({ "y": format!("{}=", key["y"].as_str().unwrap()) }), "y: not base64url"),
    ] {
        says_of_k1(&key, "ES256", &[(changes, &is(wrong))]);
    }
    let (_, key) = rs256();
    let key = with(key, json!({ "alg": null }));
    for (changes, wrong) in [
        (json!({ "n": null }), "n: missing"),
        (json!({ "n": "+/" }), "n: not base64url"),
        (json!({ "e": null }), "e: missing"),
    ] {
        says_of_k1(&key, "RS256", &[(changes, &is(wrong))]);
    }
    let key = ed25519_jwk(&[7; 32]);
    says_of_k1(&key, "EdDSA", &[(json!({ "x": null }), &is("x: missing"))]);
    let malformed = with(Signer::new("k1").jwk(), json!({ "kid": 1 }));
    let wrong = refused("the key of --jwks is not valid: kid: must be a string");
    assert_eq!(met(&[malformed], &json!({ "alg": "ES256" })), wrong);
}

#[test]
fn names_the_purpose_kind_or_algorithm_of_a_key_that_is_not_for_the_token() {
    let key = Signer::new("k1").jwk();
    let purpose = "the key k1 of --jwks: not for signatures (use, key_ops)";
    let cases = [
        (json!({ "use": "sig", "key_ops": ["sign", "verify"], "alg": "ES256" }), FORGED),
        (json!({ "use": "enc" }), purpose),
        (json!({ "key_ops": ["sign"] }), purpose),
        (json!({ "key_ops": [] }), purpose),
        (json!({ "use": "sig", "key_ops": "deriveKey" }), purpose),
        (json!({ "alg": "ES384" }), "the key k1 of --jwks: its alg ES384 differs from the token's, ES256"),
        (json!({ "crv": "P-521" }), "the key k1 of --jwks: its kind EC P-521 is not for ES256"),
        (json!({ "crv": null }), "the key k1 of --jwks is not valid: crv: missing"),
        (json!({ "kty": "OKP", "crv": "Ed448" }), "the key k1 of --jwks: its kind OKP Ed448 is not for ES256"),
        (json!({ "kty": "oct", "crv": null }), "the key k1 of --jwks: its kind oct is not for ES256"),
    ];
    says_of_k1(&key, "ES256", &cases);
    let cases = [
        (json!({ "crv": "Ed448" }), "the key k1 of --jwks: its kind OKP Ed448 is not supported"),
        (json!({ "crv": "X25519" }), "the key k1 of --jwks: its kind OKP X25519 is not supported"),
        (json!({ "crv": null }), "the key k1 of --jwks is not valid: crv: missing"),
        (json!({ "kty": "EC", "crv": "P-256" }), "the key k1 of --jwks: its kind EC P-256 is not for EdDSA"),
        (json!({ "kty": "RSA" }), "the key k1 of --jwks: its kind RSA is not for EdDSA"),
    ];
    says_of_k1(&ed25519_jwk(&[7; 32]), "EdDSA", &cases);
    let (_, key) = rs256();
    let cases = [
        // A curve means nothing in an RSA key.
        (json!({ "alg": null, "crv": "P-256" }), FORGED),
        (json!({ "alg": "PS256" }), "the key k1 of --jwks: its alg PS256 differs from the token's, RS256"),
    ];
    says_of_k1(&key, "RS256", &cases);
}

#[test]
fn finds_the_right_key_among_those_that_cannot_be_used() {
    let signer = Signer::new("k1");
    let good = signer.jwk();
    let bad = [
        json!({ "x": "AAAA" }),
        json!({ "x": good["y"], "y": good["x"] }),
        json!({ "kty": "OKP", "crv": "Ed448" }),
        json!({ "kty": 1 }),
        json!({ "kid": 1 }),
        json!({ "use": "enc" }),
        json!({ "alg": "ES384" }),
        json!({ "kty": "RSA", "n": "AQ", "e": "AQ" }),
    ];
    let mut keys: Vec<Value> = bad.iter().map(|changes| with(good.clone(), changes.clone())).collect();
    keys.insert(4, good);
    let header = json!({ "alg": "ES256" });
    for token in [signer.sign(&claims()), signer.sign_with(&header, &claims())] {
        for _ in 0..keys.len() {
            keys.rotate_left(1);
            let document = document(&token);
            accepted(&Offline::new(&json!({ "keys": keys })).run(&[], &document), &document, &claims());
        }
    }
}

#[test]
fn names_of_several_keys_the_one_that_fits_the_token_best() {
    let (one, two) = (Signer::new("one"), Signer::new("two"));
    let invalid = with(two.jwk(), json!({ "x": "AAAA" }));
    let ed448 = with(ed25519_jwk(&[7; 32]), json!({ "crv": "Ed448", "kid": "old" }));
    let missing = "alg: no key for ES256 in --jwks";
    let wrong = "the key two of --jwks is not valid: x: must be 32 octets";
    let es256 = json!({ "alg": "ES256" });
    let eddsa = json!({ "alg": "EdDSA" });
    for (keys, header, message) in [
        (vec![json!("no key")], &es256, missing),
        (vec![ed448.clone()], &es256, "the key old of --jwks: its kind OKP Ed448 is not for ES256"),
        (vec![ed448.clone(), json!({})], &es256, missing),
        (vec![ed448.clone(), with(one.jwk(), json!({ "use": "enc" }))], &es256, missing),
        (vec![ed448.clone(), with(one.jwk(), json!({ "alg": "ES384" }))], &es256, missing),
        (vec![ed448.clone(), one.jwk()], &es256, FORGED),
        (vec![one.jwk(), ed448.clone()], &eddsa, "the key old of --jwks: its kind OKP Ed448 is not supported"),
        (vec![invalid.clone(), one.jwk()], &es256, wrong),
        (vec![one.jwk(), invalid.clone(), ed448], &es256, wrong),
        (vec![json!({ "kty": "EC" })], &es256, "the key of --jwks is not valid: crv: missing"),
        (vec![json!({ "kty": "EC" })], &eddsa, "the key of --jwks: its kind EC is not for EdDSA"),
        (vec![with(invalid, json!({ "kid": "" }))], &es256, "the key of --jwks is not valid: x: must be 32 octets"),
    ] {
        assert_eq!(met(&keys, header), refused(message), "{keys:?}");
    }
    // Of keys that have one name, too.
    let same = |key: &Value| with(key.clone(), json!({ "kid": "k1" }));
    let keys = [same(&one.jwk()), with(same(&two.jwk()), json!({ "use": "enc" }))];
    assert_eq!(met(&keys, &json!({ "alg": "ES256", "kid": "k1" })), refused(FORGED));
    let keys = [same(&with(one.jwk(), json!({ "use": "enc" }))), same(&with(two.jwk(), json!({ "alg": "ES384" })))];
    let other = "the key k1 of --jwks: its alg ES384 differs from the token's, ES256";
    assert_eq!(met(&keys, &json!({ "alg": "ES256", "kid": "k1" })), refused(other));
}

#[test]
fn fetches_no_other_keys_because_of_one_that_cannot_be_used() {
    let signer = Signer::new("k1");
    let server = rotating(vec![json!({ "keys": [with(signer.jwk(), json!({ "x": "AAAA" }))] }), signer.jwks()]);
    let output = verify(&[], &online(&server, &signer.sign(&own(&server))).to_string());
    assert_eq!(output, refused("the server's key k1 is not valid: x: must be 32 octets"));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn names_a_key_in_printable_characters_cut_and_without_a_secret() {
    let not_for = |kid: &str| {
        let keys = [json!({ "kty": "oct", "kid": kid })];
        let header = json!({ "alg": "ES256", "kid": kid });
        let document = any_algorithm(&token(&header, &claims(), |_| vec![0; 64]));
        let document = with(document, json!({ "access_token": "s3cret-s3cret", "refresh_token": "r".repeat(300) }));
        Offline::new(&json!({ "keys": keys })).run(&[], &document)
    };
    let named = |name: &str| refused(&format!("the key {name} of --jwks: its kind oct is not for ES256"));
    assert_eq!(not_for("a\r\nb\u{1b}[31m\u{9b}"), named("a  b?[31m?"));
    assert_eq!(not_for(&"k".repeat(200)), named(&"k".repeat(200)));
    assert_eq!(not_for(&"k".repeat(201)), named(&"k".repeat(200)));
    assert_eq!(not_for("of s3cret-s3cret"), named("of [...]"));
    // A secret that is longer than what is shown of the name is no less a secret.
    assert_eq!(not_for(&"r".repeat(300)), named("[...]"));
    for (key, message) in [
        (json!({ "kty": "k".repeat(201) }), format!("its kind {} is not for ES256", "k".repeat(200))),
        (
            with(Signer::new("k1").jwk(), json!({ "alg": "at-1-at-1" })),
            "its alg [...] differs from the token's, ES256".to_owned(),
        ),
        (json!({ "kty": "OKP", "crv": "at-1-at-1" }), "its kind OKP [...] is not for ES256".to_owned()),
    ] {
        let document = any_algorithm(&token(&json!({ "alg": "ES256", "kid": "k1" }), &claims(), |_| vec![0; 64]));
        let document = with(document, json!({ "access_token": "at-1-at-1" }));
        let output = Offline::new(&json!({ "keys": [with(key, json!({ "kid": "k1" }))] })).run(&[], &document);
        assert_eq!(output, refused(&format!("the key k1 of --jwks: {message}")));
    }
    let eddsa = json!({ "alg": "EdDSA", "kid": "k1" });
    let long = json!({ "kty": "OKP", "crv": "c".repeat(300), "kid": "k1" });
    let expected = format!("the key k1 of --jwks: its kind OKP {} is not supported", "c".repeat(196));
    assert_eq!(met(&[long], &eddsa), refused(&expected));
}

#[test]
fn tells_programs_of_a_key_that_cannot_be_used() {
    let signer = Signer::new("k1");
    let offline = Offline::new(&json!({ "keys": [with(signer.jwk(), json!({ "y": null }))] }));
    let mut tool = command("pkce-verify");
    tool.args(["--jwks", &offline.file(), "--now", &NOW.to_string()]).env("PKCE_ERRORS", "json");
    let output = finish(&mut tool, document(&signer.sign(&claims())).to_string().as_bytes());
    let expected = json!({
        "tool": "pkce-verify", "status": 4, "kind": "untrusted", "member": "id_token",
        "message": "id_token: the key k1 of --jwks is not valid: y: missing",
    });
    assert_eq!((output.status, serde_json::from_str::<Value>(&output.stderr).unwrap()), (4, expected));
}
