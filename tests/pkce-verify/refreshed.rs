//! ID tokens after a refresh, checked against the login before (OIDC Core 12.2).

use serde_json::{Value, json};

use crate::common::failure;
use crate::signer::Signer;
use crate::{EXPIRED, HEADER, NOW, Offline, accepts, claims, document, merged, refuses, verify, with};

#[test]
fn requires_a_refreshed_token_to_be_of_the_same_login() {
    let earlier =
        with(claims(), json!({ "azp": "cli", "auth_time": NOW - 9_000, "iat": NOW - 9_000, "exp": NOW - 8_000 }));
    let about = json!({ "id_token_claims": earlier });
    let same = json!({ "azp": "cli", "auth_time": NOW - 9_000 });
    let changed = [
        (json!({ "sub": "bob" }), "sub: changed since the login"),
        (json!({ "sub": "Alice" }), "sub: changed since the login"),
        (json!({ "azp": null }), "azp: changed since the login: nothing instead of cli"),
        (json!({ "aud": ["cli", "api"] }), "aud: changed since the login: api, cli instead of cli"),
        (json!({ "auth_time": NOW - 8_999 }), "auth_time: changed since the login"),
        (json!({ "nonce": "n-2" }), "nonce: not the one that was sent"),
        (json!({ "iss": "https://other.example" }), "iss: https://other.example instead of https://op.example"),
        (json!({ "aud": "other" }), "aud: other instead of cli"),
        (json!({ "azp": "other" }), "azp: other instead of cli"),
        (json!({ "exp": NOW - 60 }), EXPIRED),
    ];
    let cases: Vec<(Value, &str)> =
        changed.into_iter().map(|(changes, message)| (merged(&same, &changes), message)).collect();
    refuses(&["--trust-audience", "api"], &about, &cases);
    let success = [json!({}), json!({ "nonce": null }), json!({ "auth_time": null }), json!({ "aud": ["cli"] })];
    let success: Vec<Value> = success.iter().map(|changes| merged(&same, changes)).collect();
    accepts(&[], &about, &success);
    // The document's issuer may have been changed since; the claims of the login before have not.
    let about = json!({ "id_token_claims": with(claims(), json!({ "iss": "https://old.example" })) });
    let other = |before| format!("iss: changed since the login: https://op.example instead of {before}");
    refuses(&[], &about, &[(json!({}), &other("https://old.example"))]);
    refuses(&[], &json!({ "id_token_claims": {} }), &[(json!({}), &other("nothing"))]);
    let about = json!({ "id_token_claims": claims() });
    refuses(&[], &about, &[(json!({ "azp": "cli" }), "azp: changed since the login: cli instead of nothing")]);
    refuses(&[], &merged(&about, &json!({ "nonce": null })), &[(json!({}), "nonce: present, but none was sent")]);
}

#[test]
fn recognizes_a_claim_however_it_is_escaped() {
    let signer = Signer::new("k1");
    let offline = Offline::new(&signer.jwks());
    let (iat, exp) = (NOW - 5, NOW + 600);
    let text = format!(r#"{{"iss":"https:\/\/op.example","sub":"\u0061lice","aud":"cli","iat":{iat},"exp":{exp}}}"#);
    let before = with(document(&signer.sign_text(HEADER, &text)), json!({ "id_token_claims": claims() }));
    let output = offline.run(&[], &before);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    for (claims, wrong) in [
        (
            json!({ "iss": "https://op.example", "sub": "alice", "aud": 7 }),
            "aud: must be a string or an array of strings",
        ),
        (json!({ "iss": 7 }), "iss: must be a string"),
    ] {
        let output = offline.run(&[], &with(before.clone(), json!({ "id_token_claims": claims })));
        assert_eq!(output, failure("pkce-verify", 2, &format!("id_token_claims: {wrong}")));
    }
}

#[test]
fn takes_the_audiences_of_a_refreshed_token_in_any_form_and_order() {
    for (before, after) in
        [(json!("cli"), json!(["cli"])), (json!(["cli"]), json!("cli")), (json!(["cli", "api"]), json!(["api", "cli"]))]
    {
        let about = json!({ "id_token_claims": with(claims(), json!({ "aud": before })) });
        accepts(&["--trust-audience", "api"], &about, &[json!({ "aud": after })]);
    }
    let about = json!({ "id_token_claims": with(claims(), json!({ "aud": ["cli", "api"] })) });
    refuses(
        &["--trust-audience", "api"],
        &about,
        &[(json!({}), "aud: changed since the login: cli instead of api, cli")],
    );
}

#[test]
fn checks_nothing_of_the_login_itself_after_a_refresh() {
    let earlier = with(claims(), json!({ "auth_time": NOW - 9_000, "acr": "gold" }));
    let about = json!({ "id_token_claims": earlier, "max_age": 60, "acr_values": "gold" });
    accepts(&[], &about, &[json!({}), json!({ "auth_time": NOW - 9_000 })]);
}

#[test]
fn passes_on_what_a_refresh_without_an_id_token_left() {
    let before = json!({
        "issuer": "https://op.example", "client_id": "cli", "nonce": "n-1", "scope": "openid",
        "access_token": "at-2", "id_token_claims": claims(), "own": 1,
    });
    let output = verify(&[], &before.to_string());
    assert_eq!((output.status, output.json(), output.stderr.as_str()), (0, before, ""));
}

#[test]
fn takes_no_claims_for_a_verified_login_that_lack_a_subject_or_are_not_of_this_issuer_and_client() {
    let wrong = "id_token: missing, and id_token_claims";
    let before = |changes: Value| {
        let before = json!({
            "issuer": "https://op.example", "client_id": "cli", "scope": "openid", "access_token": "at-2",
            "id_token_claims": { "iss": "https://op.example", "sub": "alice", "aud": "cli" },
        });
        with(before, changes)
    };
    let claims =
        |changes: Value| json!({ "id_token_claims": with(before(json!({}))["id_token_claims"].clone(), changes) });
    for changes in [json!({}), claims(json!({ "aud": ["cli", "api"] }))] {
        let document = before(changes);
        let output = verify(&[], &document.to_string());
        assert_eq!((output.status, output.json(), output.stderr.as_str()), (0, document, ""));
    }
    let mut without_sub = 0;
    for changes in [
        json!({ "id_token_claims": {} }),
        claims(json!({ "iss": null })),
        claims(json!({ "sub": null })),
        claims(json!({ "aud": null })),
        claims(json!({ "iss": "" })),
        claims(json!({ "sub": "" })),
        claims(json!({ "aud": [] })),
        claims(json!({ "iss": "https://op.example/" })),
        claims(json!({ "iss": "https://other.example" })),
        claims(json!({ "aud": "other" })),
        claims(json!({ "aud": ["other", "CLI"] })),
        json!({ "issuer": "https://other.example" }),
        json!({ "client_id": "other" }),
        // Without one, no login can have been verified.
        json!({ "issuer": null }),
        json!({ "client_id": null }),
        merged(&json!({ "issuer": "" }), &claims(json!({ "iss": "" }))),
        merged(&json!({ "client_id": "" }), &claims(json!({ "aud": "" }))),
    ] {
        let document = before(changes);
        let claims = &document["id_token_claims"];
        let lacks = claims["iss"] == document["issuer"] && claims["sub"].as_str().is_none_or(str::is_empty);
        let lacks = lacks && claims["aud"] == document["client_id"];
        let message = format!("{wrong} {}", if lacks { "have no sub" } else { "are not of this issuer and client" });
        without_sub += usize::from(lacks);
        assert_eq!(verify(&[], &document.to_string()), failure("pkce-verify", 4, &message), "{document}");
        let document = with(document, json!({ "scope": "email" }));
        assert_eq!(verify(&[], &document.to_string()), failure("pkce-verify", 2, &message), "{document}");
    }
    assert_eq!(without_sub, 2);
    let null = before(json!({})).to_string().replace("\"alice\"", "null");
    assert_eq!(verify(&[], &null), failure("pkce-verify", 4, &format!("{wrong} have no sub")));
    for (changes, wrong) in [
        (json!({ "iss": 1 }), "iss: must be a string"),
        (json!({ "sub": ["alice"] }), "sub: must be a string"),
        (json!({ "aud": 1 }), "aud: must be a string or an array of strings"),
        (json!({ "aud": [1] }), "aud: must be an array of strings"),
    ] {
        let output = verify(&[], &before(claims(changes)).to_string());
        assert_eq!(output, failure("pkce-verify", 2, &format!("id_token_claims: {wrong}")));
    }
}
