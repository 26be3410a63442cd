//! pkce-show: what is in a document and in the store, and never a secret.
#![cfg(test)]

mod common;
#[path = "common/home.rs"]
mod home;
#[path = "common/terminal.rs"]
mod terminal;

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use common::{Output, command, failure, finish, root, run, unfed};
use home::{Home, success};
use pkce_tools::document::members;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use serde_json::{Value, json};
use terminal::Terminal;

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A token with this header and these claims; nobody has signed it.
fn jwt(header: &Value, claims: &Value) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("{header}.{claims}.c2lnbmF0dXJlLW9mLW5vYm9keQ")
}

/// A login that is complete, with tokens whose expiry is not near the end of its minute.
fn login() -> Value {
    let now = now();
    json!({
        "issuer": "https://id.example", "token_endpoint": "https://id.example/token", "client_id": "cli",
        "scope": "openid offline_access", "resource": ["https://api.example/a", "urn:b"], "nonce": "n0nce-n0nce",
        "access_token": "a".repeat(1204), "token_type": "Bearer", "expires_in": 3600,
        "expires_at": now + 43 * 60 + 5, "refresh_token": "r3fresh-r3fresh",
        "id_token": jwt(&json!({ "alg": "RS256" }), &json!({ "sub": "42", "exp": now - 3 * 3600 })),
        "id_token_claims": { "sub": "42", "name": "Alice", "email": "alice@example.com" }, "own": 1.10,
    })
}

const LOGIN: &str = "issuer:            https://id.example
client:            cli
account:           alice@example.com (email)
scope:             openid offline_access
resource:          https://api.example/a
resource:          urn:b
access token:      present, 1,204 characters, expires in 43 minutes
refresh token:     present, 15 characters
ID token:          present, 87 characters, JWT (RS256), expired 3 hours ago
refreshable:       yes
other members:     1
";

/// The document on standard output as it came, and this on standard error.
fn shown(document: &Value, stderr: &str) -> Output {
    Output { status: 0, stdout: format!("{document}\n"), stderr: stderr.to_owned() }
}

fn show(document: &Value) -> Output {
    run("pkce-show", &[], &document.to_string())
}

/// What is shown of a document.
fn lines(document: &Value) -> String {
    let output = show(document);
    assert_eq!((output.status, output.stdout), (0, format!("{document}\n")));
    output.stderr
}

#[test]
fn shows_a_login_and_passes_it_on_unchanged() {
    let login = login();
    assert_eq!(show(&login), shown(&login, LOGIN));
    // White space does not survive, the digits of numbers do.
    let output = run("pkce-show", &[], " { \"own\" : 1.10 } ");
    let said = "missing:           authorization_endpoint (pkce-discover adds it)\nother members:     1\n";
    assert_eq!(output, Output { status: 0, stdout: "{\"own\":1.10}\n".to_owned(), stderr: said.to_owned() });
    let raw = run("pkce-show", &["-r", "refresh_token"], &login.to_string());
    assert_eq!(raw, Output { status: 0, stdout: "r3fresh-r3fresh\n".to_owned(), stderr: LOGIN.to_owned() });
    let quiet = finish(command("pkce-show").env("PKCE_ERRORS", "json"), login.to_string().as_bytes());
    assert_eq!(quiet, shown(&login, LOGIN));
}

#[test]
fn shows_a_stored_login_and_reads_no_document() {
    let home = Home::new();
    assert_eq!(home.store(&login().to_string()), success());
    let output = unfed(home.command("pkce-show").arg("work"));
    assert_eq!(output, Output { stdout: LOGIN.to_owned(), ..success() });
    assert_eq!(unfed(home.command("pkce-show").arg("--all")).status, 0);
    let mut left = home.command("sh");
    let output = finish(left.args(["-c", "pkce-show work >/dev/null; pkce-show --all >/dev/null; cat"]), b"unread");
    assert_eq!(output, Output { stdout: "unread".to_owned(), ..success() });
}

#[test]
fn says_what_the_next_step_of_a_login_needs() {
    let mut document = json!({});
    for (members, expected) in [
        (json!({}), "missing:           authorization_endpoint (pkce-discover adds it)\n"),
        (
            json!({ "authorization_endpoint": "https://id.example/a" }),
            "missing:           token_endpoint (pkce-discover adds it)\n",
        ),
        (json!({ "token_endpoint": "https://id.example/t" }), "missing:           code_verifier (pkce-gen adds it)\n"),
        (
            json!({ "code_verifier": "v", "state": "s", "nonce": "n" }),
            "code_verifier:     present\nstate:             present\n\
             missing:           client_id (pkce-url --client-id adds it)\n",
        ),
        (
            json!({ "client_id": "cli" }),
            "client:            cli\ncode_verifier:     present\nstate:             present\n\
             missing:           authorization_url (pkce-url adds it)\n",
        ),
        (
            json!({ "authorization_url": "https://id.example/a?state=s", "redirect_uri": "http://127.0.0.1:0/callback" }),
            "client:            cli\nredirect URI:      http://127.0.0.1:0/callback\ncode_verifier:     present\nstate:             present\n\
             authorization_url: present\nmissing:           code (pkce-callback adds it)\n",
        ),
        (
            json!({ "code": "c" }),
            "client:            cli\nredirect URI:      http://127.0.0.1:0/callback\ncode_verifier:     present\nstate:             present\n\
             authorization_url: present\ncode:              present\n\
             missing:           access_token (pkce-exchange adds it)\n",
        ),
    ] {
        document.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        assert_eq!(lines(&document), expected);
    }
    // What a document by hand lacks.
    for (members, expected) in [
        (
            json!({ "code": "c" }),
            "code:              present\nmissing:           token_endpoint (pkce-discover adds it)\n",
        ),
        (
            json!({ "authorization_url": "https://id.example/a" }),
            "authorization_url: present\nmissing:           state (pkce-gen adds it)\n",
        ),
    ] {
        assert_eq!(lines(&members), expected);
    }
}

#[test]
fn says_what_tokens_lack() {
    let tokens = json!({ "token_endpoint": "https://id.example/t", "client_id": "cli", "access_token": "a" });
    let none = "refresh token:     none\nID token:          none\nrefreshable:       no\n";
    let offline = "missing:           refresh_token (servers issue one if the scope includes offline_access; most require \
                   --prompt consent as well)\n";
    let access = "client:            cli\naccess token:      present, 1 character\n";
    assert_eq!(lines(&tokens), format!("{access}{none}{offline}"));
    let revoked = json!({ "refresh_token": "rr", "id_token": "x.y.z" });
    let expected = "access token:      none
refresh token:     present, 2 characters
ID token:          present, 5 characters
refreshable:       no
missing:           token_endpoint (pkce-discover adds it)
missing:           client_id (pkce-url --client-id adds it)
missing:           access_token (pkce-refresh adds it)
missing:           id_token_claims (pkce-verify adds it)
";
    assert_eq!(lines(&revoked), expected);
}

/// What is shown of a document as JSON.
fn as_json(document: &Value) -> Value {
    serde_json::from_str(&run("pkce-show", &["--json"], &document.to_string()).stderr).unwrap()
}

/// The line of this label.
fn line(document: &Value, label: &str) -> Option<String> {
    let start = format!("{label}:");
    let lines = lines(document);
    let line = lines.lines().find_map(|line| line.strip_prefix(&start));
    line.map(|line| line.trim_start().to_owned())
}

#[test]
fn says_when_a_token_expires_and_what_it_is() {
    let now = now();
    let access =
        |expires_at: Value| line(&json!({ "access_token": "aa", "expires_at": expires_at }), "access token").unwrap();
    assert_eq!(access(json!(0)), "present, 2 characters, refused by a server");
    assert_eq!(access(json!(now + 2 * 86400 + 600)), "present, 2 characters, expires in 2 days");
    assert_eq!(access(json!(now - 86400)), "present, 2 characters, expired 24 hours ago");
    assert_eq!(
        access(json!(1)),
        format!("present, 2 characters, expired {} years ago", (now + 180 * 86400) / 31_536_000)
    );
    assert_eq!(access(Value::Null), "present, 2 characters");
    // Of the access token, the document says when it expires, not the token itself.
    let claims = json!({ "exp": now + 5 * 3600 });
    let kinds = |header: Value| {
        let token = jwt(&header, &claims);
        let document = json!({ "access_token": token, "refresh_token": token, "id_token": format!("{token}.x.y") });
        let kinds = ["access token", "refresh token", "ID token"].map(|label| line(&document, label).unwrap());
        kinds.map(|kind| kind.split_once("characters").unwrap().1.to_owned())
    };
    let opaque = "".to_owned();
    assert_eq!(kinds(json!({ "alg": "ES256" })), [", JWT (ES256)", ", JWT (ES256), expires in 5 hours", ""]);
    // A name that is not registered may be a part of a secret.
    assert_eq!(kinds(json!({ "alg": "s3cr3t" })), [", JWT", ", JWT, expires in 5 hours", ""]);
    let encrypted = kinds(json!({ "alg": "RSA-OAEP", "enc": "A256GCM" }));
    assert_eq!(encrypted, [", JWT", ", JWT, expires in 5 hours", ", JWT (encrypted)"]);
    assert_eq!(kinds(json!({ "typ": "JWT" })), [opaque.clone(), opaque.clone(), opaque]);
}

/// Logins as servers make them, each with members of its own.
fn ordinary_logins() -> Vec<Value> {
    let tenant = "9188040d-6c67-4c5b-b112-36a304b66dad";
    vec![
        json!({
            "issuer": format!("https://login.microsoftonline.com/{tenant}/v2.0"), "client_id": tenant,
            "scope": "openid profile api://5f2a/.default", "ext_expires_in": 4700, "refresh_token_expires_in": 86399,
            "client_info": "eyJ1aWQiOiIxIn0", "foci": "1", "resource": ["https://graph.microsoft.com"],
            "id_token_claims": { "preferred_username": "alice@contoso.example", "tid": tenant, "sid": "0a1b-2c3d" },
        }),
        json!({
            "issuer": "https://acme.okta.example/oauth2/default", "client_id": "0oa1example", "scope": "okta.users.read",
            "id_token_claims": { "name": "Al\u{ed}ce B", "amr": ["mfa", "pwd"], "idp": "00o1", "address": { "state": "openid" } },
            "device_secret_supported": "openid",
        }),
        json!({
            "issuer": "https://keycloak.example/realms/acme", "client_id": "account-console", "scope": "openid email",
            "session_state": "a0c1", "not-before-policy": 0, "refresh_expires_in": 1800,
            "jwks": { "keys": [{ "kty": "RSA", "kid": "account-console", "use": "sig", "alg": "RS256", "n": "AQAB0" }] },
            "id_token_claims": { "preferred_username": "alice", "resource_access": { "account": { "roles": ["email"] } } },
        }),
        json!({
            "issuer": "https://accounts.google.com", "client_id": "407408718192.apps.googleusercontent.com",
            "scope": "openid https://www.googleapis.com/auth/drive.readonly", "authuser": "0", "hd": "acme.example",
            "id_token_claims": { "email": "alice@acme.example", "email_verified": true, "hd": "acme.example" },
        }),
        json!({
            "issuer": "https://github.com/login/oauth", "client_id": "Iv1.8a61f9b3a7aba766", "scope": "repo gist read:org",
            "refresh_token_expires_in": 15_897_600, "session": { "user": "alice" },
            "id_token_claims": { "preferred_username": "alice" },
        }),
        json!({
            "issuer": "https://gitlab.com", "client_id": "gitlab-cli", "scope": "read_api read_repository",
            "created_at": 1_607_635_748, "id_token_claims": { "name": "Alice", "groups_direct": ["acme/web"] },
        }),
        json!({
            "issuer": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example", "client_id": "1example23456789",
            "scope": "aws.cognito.signin.user.admin", "challenge": { "session": { "user": "alice" }, "code": "alice" },
            "id_token_claims": { "sub": "alice", "cognito:username": "alice", "origin_jti": "aaaa" },
        }),
        json!({
            "issuer": format!("https://acme.b2clogin.com/{tenant}/v2.0/"), "client_id": "b2c_1_signin",
            "token_endpoint": "https://acme.b2clogin.com/acme.onmicrosoft.com/oauth2/v2.0/token?p=b2c_1_signin",
            "scope": "https://acme.onmicrosoft.com/api/read", "id_token_expires_in": 3600, "not_before": 1_700_000_000,
            "id_token_claims": { "name": "Alice", "tfp": "b2c_1_signin" },
        }),
        json!({
            "issuer": "https://acme.kinde.com", "client_id": "kinde-client", "scope": "openid org_0a1b2c", "org_code": "openid",
            "credential_issuer": "https://acme.kinde.com",
            "id_token_claims": { "email": "alice@acme.example", "org_codes": ["org_0a1b2c"], "employee_code": "openid" },
        }),
    ]
}

#[test]
fn hides_nothing_of_the_logins_of_ordinary_servers() {
    for login in ordinary_logins() {
        let login = common::changed(login, &json!({ "access_token": "t0ken-t0ken", "token_type": "Bearer" }));
        let shown = as_json(&login);
        for name in ["issuer", "client_id", "scope"] {
            assert_eq!(shown[name], login[name], "{login}");
        }
        assert_eq!(shown["resource"], login.get("resource").cloned().unwrap_or(json!([])));
        let account = &shown["account"];
        assert_eq!(account["value"], login["id_token_claims"][account["claim"].as_str().unwrap()], "{login}");
    }
}

#[test]
fn says_whether_it_can_be_refreshed() {
    let endpoint = "https://id.example/t";
    let refreshable = |changes: Value| {
        let login = json!({ "token_endpoint": endpoint, "client_id": "cli", "refresh_token": "r" });
        line(&common::changed(login, &changes), "refreshable").unwrap()
    };
    assert_eq!(refreshable(json!({})), "yes");
    let client = ["missing:           client_id (pkce-url --client-id adds it)"];
    let endpoint_of = |url: &str| json!({ "token_endpoint": url, "issuer": "https://id.example" });
    for (changes, reason) in [
        (json!({ "client_id": "" }), client),
        (json!({ "client_id": " " }), client),
        (endpoint_of("http://id.example/t"), ["malformed:         token_endpoint"]),
        (endpoint_of("http://127.0.0.1/t"), ["malformed:         token_endpoint"]),
        (endpoint_of(""), ["malformed:         token_endpoint"]),
    ] {
        let login = json!({
            "token_endpoint": endpoint, "client_id": "cli", "access_token": "a", "refresh_token": "r",
        });
        let shown = lines(&common::changed(login, &changes));
        assert!(shown.contains("refreshable:       no\n"), "{shown}");
        let said: Vec<&str> = shown.lines().filter(|line| line.starts_with('m')).collect();
        assert_eq!(said, reason, "{changes}");
    }
    for lacking in [
        json!({ "token_endpoint": null }),
        json!({ "token_endpoint": "http://id.example/t" }),
        json!({ "token_endpoint": "t" }),
        json!({ "token_endpoint": 5 }),
        json!({ "token_endpoint": "http://127.0.0.1/t", "issuer": "https://id.example" }),
        json!({ "client_id": null }),
        json!({ "client_id": "" }),
        json!({ "refresh_token": null, "access_token": "a" }),
    ] {
        assert_eq!(refreshable(lacking.clone()), "no", "{lacking}");
    }
    for (exp, expected) in [(now() - 60, "no"), (now() + 600, "yes"), (0, "yes"), (u64::MAX / 2, "yes")] {
        let token = jwt(&json!({ "alg": "HS512" }), &json!({ "exp": exp }));
        assert_eq!(refreshable(json!({ "refresh_token": token })), expected, "{exp}");
    }
}

#[test]
fn says_who_signed_in_and_whether_that_was_verified() {
    let claims = json!({ "sub": "42", "name": "Al\u{ed}ce B", "email": "a@b.example", "preferred_username": "alice" });
    let names = ["preferred_username", "email", "name", "sub"];
    let values = ["alice", "a@b.example", "Al\u{ed}ce B", "42"];
    let mut left = claims.clone();
    for (claim, value) in names.into_iter().zip(values) {
        let id_token = jwt(&json!({ "alg": "none" }), &left);
        let unverified = json!({ "id_token": id_token });
        let verified =
            json!({ "id_token_claims": left, "id_token": jwt(&json!({ "alg": "none" }), &json!({ "email": "eve" })) });
        assert_eq!(line(&unverified, "account"), Some(format!("{value} ({claim}, not verified)")));
        assert_eq!(line(&verified, "account"), Some(format!("{value} ({claim})")));
        // What is no name.
        left[claim] = json!(if claim == "email" { "  " } else { "" });
    }
    assert_eq!(line(&json!({ "id_token_claims": left }), "account"), None);
    assert_eq!(line(&json!({ "id_token": "opaque" }), "account"), None);
}

#[test]
fn marks_what_was_not_verified_of_an_account() {
    for refuted in [json!(false), json!("false"), json!("False")] {
        let claims = json!({ "email": "a@b.example", "email_verified": refuted, "name": "Alice" });
        assert_eq!(line(&json!({ "id_token_claims": claims }), "account"), Some("Alice (name)".to_owned()));
    }
    for verified in [json!(true), json!("true"), Value::Null] {
        let claims = json!({ "email": "a@b.example", "email_verified": verified });
        assert_eq!(line(&json!({ "id_token_claims": claims }), "account"), Some("a@b.example (email)".to_owned()));
    }
    // The claims of an earlier login, or of somebody else.
    for (sub, expected) in [("42", "Alice (name)"), ("43", "Alice (name, not verified)")] {
        let id_token = jwt(&json!({ "alg": "RS256" }), &json!({ "sub": "42", "name": "Eve" }));
        let document = json!({ "id_token": id_token, "id_token_claims": { "sub": sub, "name": "Alice" } });
        assert_eq!(line(&document, "account"), Some(expected.to_owned()));
    }
}

#[test]
fn says_whether_the_client_has_a_secret() {
    for (members, expected, public) in [
        // The secret may have come from a file.
        (json!({}), "cli", Value::Null),
        (json!({ "token_request": { "format": "json" } }), "cli", Value::Null),
        (json!({ "token_endpoint_auth_method": "none" }), "cli, public", json!(true)),
        (json!({ "client_secret": "s3cr3t" }), "cli, with a secret", json!(false)),
        (json!({ "token_endpoint_auth_method": "client_secret_post" }), "cli, with a secret", json!(false)),
        (json!({ "client_secret": "" }), "cli", Value::Null),
        (json!({ "client_secret": 5 }), "cli", Value::Null),
        (json!({ "token_endpoint_auth_method": "client_secret_jwt" }), "cli, with a secret", json!(false)),
        (json!({ "token_endpoint_auth_method": "private_key_jwt" }), "cli", Value::Null),
        (json!({ "token_endpoint_auth_method": "tls_client_auth", "client_secret": "s3cr3t" }), "cli", Value::Null),
        (json!({ "token_endpoint_auth_method": "none", "client_secret": "s3cr3t" }), "cli, public", json!(true)),
        (
            json!({ "token_endpoint_auth_method": "none", "token_request": { "auth_method": "client_secret_basic" } }),
            "cli, with a secret",
            json!(false),
        ),
    ] {
        let document = common::changed(members, &json!({ "client_id": "cli" }));
        assert_eq!(line(&document, "client"), Some(expected.to_owned()));
        assert_eq!(as_json(&document)["public_client"], public);
    }
}

#[test]
fn names_the_members_that_it_cannot_use() {
    let document = json!({
        "issuer": 1, "client_id": [], "scope": {}, "resource": [1], "access_token": "", "expires_at": "soon",
        "refresh_token": "r\n", "id_token": null, "id_token_claims": "alice",
    });
    let expected = "missing:           token_endpoint (pkce-discover adds it)
malformed:         issuer
malformed:         client_id
malformed:         scope
malformed:         resource
malformed:         access_token
malformed:         expires_at
malformed:         id_token
malformed:         refresh_token
malformed:         id_token_claims
";
    assert_eq!(lines(&document), expected);
    // No type is right for each member, and none of these for any.
    let names = members::names(|_| true);
    for (value, right) in [
        (json!("x"), names.len() - 10),
        (json!(["x"]), 10),
        (json!({}), 3),
        (json!(7), 3),
        (json!(true), 3),
        (json!(-1.5), 0),
        (Value::Null, 0),
    ] {
        let document: serde_json::Map<_, _> = names.iter().map(|name| ((*name).to_owned(), value.clone())).collect();
        let malformed = as_json(&document.into())["malformed"].as_array().unwrap().len();
        assert_eq!(malformed, names.len() - right, "{value}");
    }
}

#[test]
fn shows_values_on_one_line_and_says_what_it_cuts() {
    let spaces = " ".repeat(300);
    let document = json!({
        "client_id": format!("a{spaces}\tb\u{3164}"), "scope": "  \n ", "resource": ["", " ", "urn:a"],
        "issuer": format!("https://id.example/{}", "i".repeat(2000)),
    });
    let expected = format!(
        "issuer:            https://id.example/{}...\nclient:            a b?\nresource:          urn:a\n\
         missing:           authorization_endpoint (pkce-discover adds it)\n",
        "i".repeat(1000 - 3 - "https://id.example/".len())
    );
    assert_eq!(lines(&document), expected);
    let object = as_json(&document);
    assert_eq!((&object["issuer"], &object["client_id"]), (&document["issuer"], &json!("a b\u{3164}")));
    assert_eq!((&object["scope"], &object["resource"]), (&Value::Null, &json!(["urn:a"])));
    let resources: Vec<String> = (1..=1029).map(|number| format!("urn:{number}")).collect();
    let document = json!({ "resource": resources });
    let shown = lines(&document);
    assert!(shown.contains("urn:20\nresource:          and 1,009 more\n") && !shown.contains("urn:21"), "{shown}");
    let object = as_json(&document);
    assert_eq!((&object["resource"][19], &object["resource"][20]), (&json!("urn:20"), &Value::Null));
    assert_eq!(object["other_resources"], 1009);
}

/// The JSON for `login`, where times are 0.
fn login_as_json(name: Value) -> Value {
    let token = |characters: u32, alg: Value, expired: bool| {
        json!({
            "characters": characters, "jwt": alg.is_string(), "encrypted": false, "alg": alg, "expires_at": 0,
            "expires_in": 0, "expired": expired, "refused": false,
        })
    };
    json!({
        "name": name, "issuer": "https://id.example", "client_id": "cli", "public_client": null,
        "account": { "value": "alice@example.com", "claim": "email", "verified": true },
        "scope": "openid offline_access", "resource": ["https://api.example/a", "urn:b"],
        "other_resources": 0, "redirect_uri": null, "access_token": token(1204, Value::Null, false), "refresh_token": token(15, Value::Null, false),
        "id_token": token(87, json!("RS256"), true), "refreshable": true, "in_progress": [], "missing": [],
        "malformed": [], "other_members": 1,
    })
}

/// The object in a line of JSON, and the seconds in it, which are then 0.
fn without_times(line: &str) -> (Value, Vec<i64>) {
    let mut object: Value = serde_json::from_str(line).unwrap();
    let mut times = Vec::new();
    for token in ["access_token", "refresh_token", "id_token"] {
        for name in ["expires_at", "expires_in"] {
            times.extend(object[token][name].as_i64());
            object[token][name] = json!(0);
        }
    }
    (object, times)
}

#[test]
fn prints_json_of_the_same() {
    let login = login();
    let output = run("pkce-show", &["--json"], &login.to_string());
    assert_eq!((output.status, output.stdout), (0, format!("{login}\n")));
    assert_eq!(output.stderr.lines().count(), 1);
    let (object, times) = without_times(&output.stderr);
    assert_eq!(object, login_as_json(Value::Null));
    let expires_at = login["expires_at"].as_i64().unwrap();
    assert_eq!(times.len(), 4);
    assert_eq!(times[0], expires_at);
    assert!((2400..=2585).contains(&times[1]), "{times:?}");
    assert!((-11000..=-10800).contains(&times[3]), "{times:?}");
    let refused = run("pkce-show", &["--json"], "{\"access_token\":\"aa\",\"expires_at\":0}");
    let object: Value = serde_json::from_str(&refused.stderr).unwrap();
    let expected = json!({
        "characters": 2, "jwt": false, "encrypted": false, "alg": null, "expires_at": 0, "expires_in": null,
        "expired": true, "refused": true,
    });
    assert_eq!(object["access_token"], expected);
    let hint = "servers issue one if the scope includes offline_access; most require --prompt consent as well";
    assert_eq!(object["missing"][2], json!({ "member": "refresh_token", "hint": hint }));
    // A number that is larger than any in JSON of other programs.
    let late = run("pkce-show", &["--json"], "{\"access_token\":\"aa\",\"expires_at\":18446744073709551615}");
    let object: Value = serde_json::from_str(&late.stderr).unwrap();
    assert_eq!(object["access_token"]["expires_in"], i64::MAX);
}

fn all(home: &Home, args: &[&str]) -> Output {
    finish(home.command("pkce-show").arg("--all").args(args), b"")
}

#[test]
fn says_how_to_show_a_file_where_a_name_is_that_of_one() {
    let directory = common::new_directory();
    std::fs::write(directory.path().join("login.json"), "{}").unwrap();
    let mut show = common::command("pkce-show");
    show.arg("login.json").current_dir(directory.path()).env("PKCE_HOME", directory.path().join("store"));
    let message = "pkce-show: login.json: nothing is stored under this name\n\
                   hint: to show a file: pkce-show < FILE > /dev/null\n";
    let output = finish(&mut show, b"");
    assert_eq!((output.status, output.stdout.as_str(), output.stderr.as_str()), (5, "", message));
}

#[test]
fn shows_nothing_where_nothing_is_stored() {
    let home = Home::new();
    for args in [&[][..], &["--json"]] {
        assert_eq!(all(&home, args), success());
    }
    assert!(!home.directory().exists());
    assert_eq!(home.store(&login().to_string()), success());
    assert_eq!(finish(home.command("pkce-store").args(["--remove", "work"]), b""), success());
    assert_eq!(all(&home, &[]), success());
    let missing = finish(home.command("pkce-show").arg("work"), b"");
    let expected = failure("pkce-show", 5, "work: nothing is stored under this name");
    assert_eq!(missing, Output { stdout: String::new(), ..expected });
}

#[test]
fn shows_a_table_of_what_is_stored() {
    let home = Home::new();
    let store = |name: &str, changes: Value| {
        let document = common::changed(login(), &changes).to_string();
        assert_eq!(finish(home.command("pkce-store").arg(name), document.as_bytes()), success());
    };
    store("work", json!({}));
    store(
        "bare",
        json!({ "issuer": null, "scope": null, "access_token": null, "id_token": null, "id_token_claims": null }),
    );
    let long = "s".repeat(61);
    store("long", json!({ "scope": long, "expires_at": null, "refresh_token": null, "id_token_claims": null }));
    let account = json!({ "sub": "43", "name": "A".repeat(61) });
    store("other", json!({ "id_token_claims": account }));
    store("old", json!({ "expires_at": now() - 3 * 3600, "scope": "s".repeat(60) }));
    store("refused", json!({ "expires_at": 0 }));
    let issuer = "https://id.example";
    let (wide, cut) = ("s".repeat(60), format!("{}...", "s".repeat(57)));
    let pad = " ".repeat(60 - "openid offline_access".len());
    let table = format!(
        "NAME     ISSUER              {account:75}  SCOPE{}  EXPIRES              REFRESHABLE\n\
         bare     -                   {none:75}  -{}  -                    yes\n\
         long     {issuer}  {sub:75}  {cut}  unknown              no\n\
         old      {issuer}  {alice:75}  {wide}  3 hours ago          yes\n\
         other    {issuer}  {other:75}  openid offline_access{pad}  in 43 minutes        yes\n\
         refused  {issuer}  {alice:75}  openid offline_access{pad}  refused by a server  yes\n\
         work     {issuer}  {alice:75}  openid offline_access{pad}  in 43 minutes        yes\n",
        " ".repeat(55),
        " ".repeat(59),
        account = "ACCOUNT",
        none = "-",
        sub = "42 (not verified)",
        alice = "alice@example.com",
        other = format!("{}... (not verified)", "A".repeat(57)),
    );
    assert_eq!(all(&home, &[]), Output { stdout: table, ..success() });
    let output = all(&home, &["--json"]);
    let objects: Vec<Value> = output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = objects.iter().map(|object| object["name"].as_str().unwrap()).collect();
    assert_eq!((output.status, names), (0, vec!["bare", "long", "old", "other", "refused", "work"]));
    assert_eq!(objects[1]["scope"], long);
    let (object, _) = without_times(output.stdout.lines().last().unwrap());
    assert_eq!(object, login_as_json(json!("work")));
    let one = finish(home.command("pkce-show").args(["work", "--json"]), b"");
    assert_eq!((one.status, without_times(&one.stdout).0), (0, login_as_json(json!("work"))));
}

#[test]
fn hides_no_login_behind_one_that_cannot_be_read() {
    let home = Home::new();
    assert_eq!(home.store(&login().to_string()), success());
    fs::copy(home.path("work.json"), home.path("zone.json")).unwrap();
    fs::write(home.path("broken.json"), "{").unwrap();
    fs::copy(home.path("work.json"), home.path("apart.json")).unwrap();
    let modes = "chmod 600 \"$PKCE_HOME\"/*.json; chmod 640 \"$PKCE_HOME/broken.json\"; rm \"$PKCE_HOME/zone.json\"; mkdir \"$PKCE_HOME/zone.json\"";
    assert_eq!(home.bash(modes), success());
    let [broken, zone] = ["broken.json", "zone.json"].map(|file| home.path(file).display().to_string());
    let told = |first: &str| format!("pkce-show: {broken}: {first}\npkce-show: {zone}: not a regular file\n");
    let loose = told("accessible to other users\nhint: check its content, then run: chmod 600 BROKEN")
        .replace("BROKEN", &broken);
    let output = all(&home, &[]);
    assert_eq!((output.status, output.stderr), (4, loose));
    let names: Vec<&str> = output.stdout.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["NAME", "apart", "work"]);
    // The status is that of the first.
    assert_eq!(home.bash("chmod 600 \"$PKCE_HOME/broken.json\""), success());
    let output = all(&home, &["--json"]);
    let damaged = told(
        "not a JSON object: unexpected end\n\
         hint: the file is damaged, or encrypted: then set PKCE_OPEN; pkce-store --remove broken removes it",
    );
    assert_eq!((output.status, output.stdout.lines().count(), output.stderr), (4, 2, damaged));
    let json = finish(home.command("pkce-show").arg("--all").env("PKCE_ERRORS", "json"), b"");
    let said: Vec<Value> = json.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&Value> = said.iter().map(|said| &said["kind"]).collect();
    assert_eq!((json.status, kinds), (4, vec![&json!("untrusted"); 2]));
}

#[test]
fn opens_what_is_sealed() {
    let home = Home::new();
    let (seal, open) = ("tr '{' '<'", "tr '<' '{'");
    let mut store = home.command("pkce-store");
    store.arg("work").env("PKCE_SEAL", seal).env("PKCE_OPEN", open);
    assert_eq!(finish(&mut store, login().to_string().as_bytes()), success());
    let show = |args: &[&str], open: &str| finish(home.command("pkce-show").args(args).env("PKCE_OPEN", open), b"");
    assert_eq!(show(&["work"], open), Output { stdout: LOGIN.to_owned(), ..success() });
    assert_eq!(show(&["--all"], open).stdout.lines().count(), 2);
    let said = format!(
        "pkce-show: {}: PKCE_OPEN: the command failed (exit status: 9)\n\
         hint: the stored login is unchanged; PKCE_OPEN must open what PKCE_SEAL sealed\n",
        home.path("work.json").display()
    );
    for args in [["work"], ["--all"]] {
        assert_eq!(show(&args, "exit 9"), Output { status: 3, stdout: String::new(), stderr: said.clone() });
    }
}

#[test]
fn refuses_arguments_that_do_not_go_together() {
    let hint = "hint: see 'pkce-show --help'";
    for (args, subject) in [
        (&["work", "--all"][..], "NAME"),
        (&["--all", "--all"], "--all"),
        (&["work", "-r", "code"], "NAME"),
        (&["--all", "-r", "code"], "--all"),
    ] {
        let expected =
            failure("pkce-show", 2, &format!("{subject}: repeated, or conflicts with another argument\n{hint}"));
        let stdout = if args.contains(&"-r") { String::new() } else { expected.stdout.clone() };
        assert_eq!(unfed(command("pkce-show").args(args)), Output { stdout, ..expected }, "{args:?}");
    }
    let name = "NAME: must be a letter or digit, then up to 63 letters, digits, dots, hyphens, underscores, @ or +";
    assert_eq!(run("pkce-show", &["a/b"], ""), failure("pkce-show", 2, &format!("{name}\n{hint}")));
    let timeout = format!("--timeout: must be a whole number from 1 to 4294967295\n{hint}");
    assert_eq!(run("pkce-show", &["--timeout", "0"], ""), failure("pkce-show", 2, &timeout));
}

#[test]
fn says_that_tokens_are_lost_with_its_output() {
    let full = |script: &str| finish(command("bash").args(["-c", script]), login().to_string().as_bytes());
    let said = "pkce-show: standard output: no space left on device; the tokens are lost unless a file has them\n\
                hint: run the login again\n";
    let output = full("pkce-show >/dev/full");
    assert_eq!(output, Output { status: 5, stdout: String::new(), stderr: said.to_owned() });
    let output = full("pkce-show -r code");
    let said = "pkce-show: code: missing; the tokens are lost unless a file has them\n";
    assert_eq!(output, Output { status: 2, stdout: String::new(), stderr: said.to_owned() });
}

#[test]
fn is_readable_at_a_terminal() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), login().to_string()).unwrap();
    let (status, printed) = Terminal::bash(&format!("pkce-show <{}", file.path().display()), root()).end();
    let printed = printed.replace("\r\n", "\n");
    // Nothing reads the document there.
    assert_eq!((status, printed), (Some(0), LOGIN.to_owned()));
    let (status, printed) = Terminal::bash(&format!("pkce-show -r client_id <{}", file.path().display()), root()).end();
    assert_eq!((status, printed.replace("\r\n", "\n")), (Some(0), format!("cli\n{LOGIN}")));
}

#[test]
fn prints_nothing_that_a_terminal_or_a_runner_obeys() {
    let evil = "\u{1b}[31m\u{9b}2J\r\n##[error]x ::set-output name=a::b\u{202e}\u{200b}";
    let document = json!({
        "token_endpoint": "https://id.example/t", "issuer": evil, "client_id": evil, "scope": evil, "resource": evil,
        "access_token": "a", "id_token_claims": { "name": evil }, evil: evil,
    });
    let clean = "?[31m?2J # #[error]x : :set-output name=a::b??";
    let exact = evil.replace("\r\n", " ");
    let home = Home::new();
    assert_eq!(home.store(&document.to_string()), success());
    for args in [&[][..], &["--json"], &["work"], &["work", "--json"], &["--all"], &["--all", "--json"]] {
        let output = finish(home.command("pkce-show").args(args), document.to_string().as_bytes());
        let said = if output.stderr.is_empty() { output.stdout } else { output.stderr };
        assert_eq!(output.status, 0);
        if args.contains(&"--json") {
            let object: Value = serde_json::from_str(&said).unwrap();
            let values = [&object["issuer"], &object["client_id"], &object["scope"], &object["resource"][0]];
            assert!([values.as_slice(), &[&object["account"]["value"]]].concat().iter().all(|value| **value == exact));
        } else {
            assert_eq!(said.matches(clean).count(), if args == ["--all"] { 3 } else { 5 }, "{args:?}: {said}");
        }
        let is_plain = |c: char| c == '\n' || (' '..='~').contains(&c);
        assert!(said.chars().all(is_plain) && !said.contains("##") && !said.contains("::set"), "{args:?}: {said}");
    }
}

/// All objects in a JSON value, and in its texts.
fn objects(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Object(members) => {
            found.push(value.clone());
            members.values().for_each(|value| objects(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| objects(value, found)),
        Value::String(text) => {
            if let Some(inner) = serde_json::from_str(text).ok().filter(|inner: &Value| !inner.is_string()) {
                objects(&inner, found);
            }
        }
        _ => {}
    }
}

/// The members whose values are never shown.
const SECRETS: [&str; 8] =
    ["access_token", "client_secret", "code", "code_verifier", "id_token", "nonce", "refresh_token", "state"];

#[test]
fn shows_no_secret_of_any_document_of_the_vectors() {
    let mut documents = Vec::new();
    for file in fs::read_dir(root().join("tests/vectors")).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_some_and(|extension| extension == "json") {
            objects(&serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap(), &mut documents);
        }
    }
    let vectors = common::vectors("idtoken.json");
    for case in vectors["cases"].as_array().unwrap() {
        let token = &case["id_token"];
        documents.push(json!({ "id_token": token, "access_token": token, "scope": token, "issuer": token }));
    }
    assert!(documents.len() > 200, "{}", documents.len());
    let mut seen = 0;
    for document in &documents {
        let text = document.to_string();
        if text.len() > 1 << 20 {
            continue;
        }
        let output = run("pkce-show", &[], &text);
        assert_eq!(output.status, 0, "{output:?}");
        let secrets = SECRETS.iter().filter_map(|name| document[*name].as_str()).filter(|secret| secret.len() >= 8);
        for secret in secrets {
            seen += 1;
            assert!(!output.stderr.contains(secret), "{secret}: {output:?}");
            for part in secret.split('.').filter(|part| part.len() >= 16) {
                assert!(!output.stderr.contains(part), "{part}: {output:?}");
            }
        }
    }
    assert!(seen > 100, "{seen}");
}

/// The texts in which a program may repeat a secret.
fn forms(secret: &str) -> Vec<String> {
    let percent: String = secret.bytes().map(|octet| format!("%{octet:02X}")).collect();
    vec![
        secret.to_owned(),
        percent.clone(),
        percent.replace('%', "%25"),
        STANDARD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        STANDARD.encode(format!("cli:{secret}")),
        URL_SAFE_NO_PAD.encode(format!("x{secret}yz")),
        form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        secret.bytes().map(|octet| format!("{octet:02X}")).collect(),
        secret.to_uppercase(),
        secret.chars().map(|c| format!("{c}\u{200b} ")).collect(),
        secret.chars().map(|c| format!("&#{};", u32::from(c))).collect(),
        secret.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect(),
    ]
}

/// Where a value is shown: the place of a member, and what else it needs.
fn planted(text: &str) -> Value {
    json!({
        "issuer": format!("https://me:{text}@id.example/{text}/a?b={text}#{text}"), "client_id": text,
        "scope": format!("openid {text} a:{text}"), "resource": [text, format!("https://{text}.example/a")],
        "id_token_claims": { "sub": text, "name": format!("<{text}>"), "email": text, "preferred_username": text },
        "token_endpoint": "https://id.example/t",
    })
}

#[test]
fn shows_no_secret_that_a_public_member_repeats_in_any_form() {
    let home = Home::new();
    for name in SECRETS.into_iter().chain(["registration_access_token", "apiKey"]) {
        let secret = format!("s3cr3t/{name}+\u{e9}=0123456789~")
            .replace('\u{e9}', if name == "apiKey" { "\u{e9}" } else { "e" });
        for form in forms(&secret) {
            let mut document = planted(&form);
            document[name] = json!(secret);
            let output = run("pkce-show", &[], &document.to_string());
            let json = run("pkce-show", &["--json"], &document.to_string());
            document["access_token"] = document.get("access_token").cloned().unwrap_or(json!("a"));
            assert_eq!(home.store(&document.to_string()).status, 0);
            let stored = ["work", "--all", "work --json", "--all --json"].map(|args| {
                let output = finish(home.command("pkce-show").args(args.split(' ')), b"");
                assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{args}");
                output.stdout
            });
            assert!(output.stderr.contains("[...]"), "{output:?}");
            for said in [output.stderr, json.stderr].iter().chain(&stored) {
                for form in forms(&secret) {
                    let form = form.trim_end_matches('=');
                    assert!(!said.contains(form), "{name} as {form}: {said}");
                }
            }
        }
    }
}

#[test]
fn shows_no_short_secret_in_any_form() {
    for secret in ["ab+cdefg", "a+b+c+d+e+f", "my pass 1", "p\u{a3}ssw0r\u{a3}"] {
        // In other letters, and without what no terminal prints, it is not the same.
        for form in forms(secret).iter().filter(|form| !form.contains('\u{200b}') && **form != secret.to_uppercase()) {
            let document = json!({ "client_secret": secret, "client_id": format!("a/{form}/b") });
            let shown = line(&document, "client").unwrap();
            assert!(shown.contains("[...]"), "{secret} as {form}: {shown}");
        }
    }
}

#[test]
fn shows_no_value_of_a_member_that_is_not_public() {
    let names: Vec<&str> = members::names(|_| true).into_iter().chain(["s3cr3t-name", "password"]).collect();
    let marked = |name: &str| format!("s3cr3t-of-{name}");
    let public = ["issuer", "client_id", "scope", "resource", "redirect_uri"];
    let of = |value: &dyn Fn(&str) -> Value| -> Value {
        names.iter().map(|name| ((*name).to_owned(), value(name))).collect::<serde_json::Map<_, _>>().into()
    };
    let documents = [
        of(&|name| json!(marked(name))),
        of(&|name| json!([marked(name)])),
        of(&|name| json!({ marked(name): marked(name), "access_token": marked(name), "auth_method": marked(name) })),
        of(&|name| json!({ "alg": marked(name), "exp": marked(name) })),
        of(&|name| json!(jwt(&json!({ "alg": marked(name), "kid": marked(name) }), &json!({ "nonce": marked(name) })))),
    ];
    let home = Home::new();
    for document in documents {
        let output = run("pkce-show", &[], &document.to_string());
        let json = run("pkce-show", &["--json"], &document.to_string());
        assert_eq!((output.status, json.status), (0, 0), "{output:?}");
        fs::create_dir_all(home.directory()).unwrap();
        fs::write(home.path("work.json"), document.to_string()).unwrap();
        assert_eq!(home.bash("chmod 700 \"$PKCE_HOME\"; chmod 600 \"$PKCE_HOME/work.json\""), success());
        let stored = finish(home.command("pkce-show").arg("work"), b"");
        let all = finish(home.command("pkce-show").args(["--all", "--json"]), b"");
        for said in [output.stderr, json.stderr, stored.stdout, all.stdout] {
            let ends = |c: char| !c.is_ascii_lowercase() && c != '_';
            let shown = said.split("s3cr3t-of-").skip(1).map(|rest| rest.split(ends).next().unwrap());
            let hidden: Vec<&str> = shown.filter(|name| !public.contains(name)).collect();
            assert!(hidden.is_empty(), "{hidden:?}: {said}");
            assert!(!said.contains("s3cr3t-name") && !said.contains("password"), "{said}");
        }
    }
}

#[test]
fn ends_soon_whatever_the_size_of_the_document() {
    let numbered =
        |start: &str, count: usize| (0..count).map(|number| format!("{start}{number:08}")).collect::<Vec<_>>();
    for document in [
        json!({ "resource": numbered("https://api.example/", 9000), "access_token": "a".repeat(400_000) }),
        json!({ "scope": "a".repeat(90_000), "own": { "refresh_token": numbered("s3cr3t-", 9000) } }),
        json!({ "scope": "a b ".repeat(200_000), "code": "c" }),
        json!({ "scope": "a b ".repeat(100_000), "own": { "token": (0..90_000).collect::<Vec<_>>() } }),
        json!({ "x": { "token": numbered("", 2000) }, "resource": numbered("https://api.example/", 2000) }),
        json!({ "x": { "token": numbered("s3cr3t-s3cr3t-.", 20_000).concat() }, "scope": "a".repeat(400_000) }),
        json!({ "scope": "eyJh".repeat(200_000), "issuer": "ew0K".repeat(40_000), "code": "//@".repeat(9000) }),
        json!({ "scope": "a", "own": format!("{}1{}", "[".repeat(300_000), "]".repeat(300_000)) }),
    ] {
        let output = show(&document);
        let (lines, label) = if document["resource"].is_array() { (21, "resource:") } else { (1, "scope:") };
        assert_eq!((output.status, output.stderr.matches(label).count()), (0, lines));
    }
    // What would take too long to search is not shown.
    let document = json!({ "scope": "openid", "x": { "token": numbered("s3cr3t-", 20_000) } });
    assert_eq!(line(&document, "scope"), Some("[...]".to_owned()));
}

fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48);
    ProptestConfig { cases, failure_persistence: Some(Box::new(FileFailurePersistence::Off)), ..Default::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn shows_no_secret_that_anything_repeats(
        secret in "[!-~][ -~]{10,38}[!-~]", before in "[ -~\u{e9}\u{1b}\u{202e}]{0,9}", after in "[ -~]{0,9}",
        name in prop::sample::select(SECRETS.to_vec()), form in 0..13usize,
    ) {
        let mut document = planted(&format!("{before}{}{after}", forms(&secret)[form]));
        document[name] = json!(secret);
        for args in [&[][..], &["--json"]] {
            let output = run("pkce-show", args, &document.to_string());
            prop_assert_eq!(output.status, 0);
            prop_assert!(!output.stderr.contains(&secret), "{}", output.stderr);
            let quoted = json!(secret).to_string();
            prop_assert!(!output.stderr.contains(quoted.trim_matches('"')), "{}", output.stderr);
        }
    }
}
