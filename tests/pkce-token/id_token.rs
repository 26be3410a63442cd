//! `--id-token`: the ID token in the access token's place.

use std::sync::Mutex;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::common::{failure, json_response};
use crate::rotating::{Grant, Session, now, number, rotate};
use crate::{at_once, bare};

/// An ID token of this number that was issued and expires so many seconds from now.
fn id_token(number: u32, issued: i64, expires: i64) -> String {
    let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let now = i64::try_from(now()).unwrap();
    let claims = json!({
        "iss": "https://id.example", "sub": "u", "iat": now + issued, "exp": now + expires, "number": number,
    });
    format!("{}.{}.c2lnbmF0dXJl", encode(json!({ "alg": "RS256" })), encode(claims))
}

/// A server whose refreshes bring an ID token, or none.
fn session(brings_id_token: bool, pause: Duration) -> Session {
    let refreshed = move |grant: &Mutex<Grant>, token: &str| {
        let rotated = String::from_utf8(rotate(grant, token)).unwrap();
        std::thread::sleep(pause);
        let mut body: Value = serde_json::from_str(rotated.split_once("\r\n\r\n").unwrap().1).unwrap();
        if brings_id_token {
            body["id_token"] = json!(id_token(number(&body["access_token"]), 0, 3600));
        }
        json_response(&body)
    };
    Session::responding(refreshed)
}

/// Stores a login with a valid access token and this ID token.
fn store(session: &Session, id_token: Option<&str>, scope: &str) {
    let mut document = session.document(0, now() + 1800);
    document["scope"] = json!(scope);
    if let Some(id_token) = id_token {
        document["id_token"] = json!(id_token);
    }
    session.store(&document);
}

#[test]
fn prints_the_stored_id_token_until_it_is_due() {
    let session = session(true, Duration::ZERO);
    let stored = id_token(0, -10, 600);
    store(&session, Some(&stored), "openid");
    let output = session.token(&["--id-token"]);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
    let expected = json!({ "id_token": stored, "expires_at": expires(&stored), "issuer": session.server.url("") });
    assert_eq!(output.json(), expected);
    assert_eq!(session.token(&["--id-token", "-r", "id_token"]).stdout, format!("{stored}\n"));
    assert_eq!(session.token(&["--id-token", "--header"]).stdout, format!("Authorization: Bearer {stored}\n"));
    assert_eq!(session.token(&["--id-token", "--", "cat"]).stdout, format!("Authorization: Bearer {stored}\n"));
    assert_eq!(session.token(&["--id-token", "--as", "bearer"]).stdout, format!("Bearer {stored}\n"));
    let google = session.token(&["--id-token", "--as", "gcp"]).json();
    assert_eq!(google["token_type"], "urn:ietf:params:oauth:token-type:id_token");
    assert_eq!((&google["id_token"], &google["expiration_time"]), (&json!(stored), &json!(expires(&stored))));
    let cluster = session.token(&["--id-token", "--as", "kubernetes"]).json();
    assert_eq!(cluster["status"]["token"], json!(stored));
    assert_eq!(session.refreshes(), 0);
    // The access token is valid, but not the ID token.
    for (issued, expires, args, is_refreshed) in [
        (-3600, -1, &[][..], true),
        (-3550, 50, &[], true),
        (-3500, 100, &[], false),
        (-20, 40, &[], false),
        (-3500, 100, &["--min-ttl", "120"], true),
        (-10, 3590, &["--refresh"], true),
        // No token is valid for longer than its lifetime.
        (7200, 9000, &[], true),
    ] {
        let latest = session.grant.lock().unwrap().latest;
        let stored = id_token(latest, issued, expires);
        let mut document = session.document(latest, now() + 1800);
        document["id_token"] = json!(stored);
        session.store(&document);
        let before = session.refreshes();
        let output = session.token(&[&["--id-token"], args].concat());
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{issued} {expires} {args:?}");
        let is_new = output.json()["id_token"] != json!(stored);
        assert_eq!((is_new, session.refreshes() - before), (is_refreshed, is_refreshed.into()), "{issued} {expires}");
    }
}

/// The `exp` of an ID token.
fn expires(id_token: &str) -> u64 {
    let claims = URL_SAFE_NO_PAD.decode(id_token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&claims).unwrap()["exp"].as_u64().unwrap()
}

#[test]
fn requires_a_login_where_a_refresh_brings_no_id_token() {
    let session = session(false, Duration::from_millis(200));
    let hint = "hint: run the login again, and store it as work; not every server issues an ID token at a refresh";
    store(&session, Some(&id_token(0, -3600, -1)), "openid email");
    let brought = failure("pkce-token", 5, &format!("work: the refresh brought no ID token\n{hint}"));
    assert_eq!(session.token(&["--id-token"]), brought);
    // What it brought is stored, and nobody refreshes for an ID token again, unless told to.
    assert_eq!((session.refreshes(), number(&session.stored()["access_token"])), (1, 1));
    let stored = failure("pkce-token", 5, &format!("work: no ID token is stored\n{hint}"));
    assert_eq!(session.token(&["--id-token"]), stored);
    assert_eq!(session.refreshes(), 1);
    assert_eq!(session.token(&["--id-token", "--refresh"]), brought);
    assert_eq!(session.refreshes(), 2);
    store(&session, None, "email");
    let message = "work: no ID token is stored\n\
                   hint: run the login again, and store it as work; only a login with openid in its scope has one";
    assert_eq!(session.token(&["--id-token"]), failure("pkce-token", 5, message));
    let one_line = format!("pkce-token: {}\n", message.replace("\nhint: ", "; "));
    let output = session.token(&["--id-token", "--as", "kubernetes"]);
    assert_eq!((output.status, output.stdout.as_str(), output.stderr.as_str()), (5, "", one_line.as_str()));
    assert_eq!(session.refreshes(), 2);
}

#[test]
fn refreshes_once_for_many_at_once_that_want_the_id_token() {
    for brings_id_token in [true, false] {
        let session = session(brings_id_token, Duration::from_millis(500));
        store(&session, Some(&id_token(0, -3600, -1)), "openid");
        let expected = if brings_id_token { 0 } else { 5 };
        for output in at_once(&session, 20, &["--id-token", "-r", "id_token"]) {
            assert_eq!((output.status, output.stdout.is_empty()), (expected, !brings_id_token), "{output:?}");
        }
        assert_eq!(session.refreshes(), 1);
    }
}

#[test]
fn refuses_an_id_token_that_shows_no_expiry() {
    let session = session(true, Duration::ZERO);
    for (id_token, wrong) in [
        ("garbage", "not a signed JSON Web Token"),
        ("a.b.c.d.e", "not a signed JSON Web Token"),
        ("e30.e30.e30", "exp: missing"),
        ("e30.W10.e30", "claims: not a JSON object"),
    ] {
        store(&session, Some(id_token), "openid");
        let message = format!("pkce-token: id_token: {wrong}\nhint: --refresh requests another one\n");
        let output = bare(session.token(&["--id-token"]));
        assert_eq!((output.status, output.stderr), (4, message), "{id_token}");
    }
    assert_eq!(session.refreshes(), 0);
}

#[test]
fn reads_times_with_a_fraction_and_does_without_the_time_of_issue() {
    let session = session(true, Duration::ZERO);
    let now = now();
    for claims in [
        json!({ "exp": now as f64 + 900.5, "iat": now as f64 - 0.5 }),
        json!({ "exp": now + 900, "iat": "then" }),
        json!({ "exp": now + 900 }),
    ] {
        let encoded = URL_SAFE_NO_PAD.encode(claims.to_string());
        let stored = format!("e30.{encoded}.c2ln");
        store(&session, Some(&stored), "openid");
        assert_eq!(session.token(&["--id-token"]).json()["expires_at"], json!(now + 900), "{claims}");
    }
    assert_eq!(session.refreshes(), 0);
}

#[test]
fn reads_no_id_token_for_the_access_token() {
    let session = session(true, Duration::ZERO);
    for id_token in [json!(5), json!("garbage")] {
        let mut document = session.document(0, now() + 600);
        document["id_token"] = id_token;
        session.store(&document);
        let output = session.token(&["-r", "access_token"]);
        assert_eq!((output.status, output.stdout), (0, format!("{}\n", crate::access(0))));
    }
}

#[test]
fn requires_a_login_where_a_refresh_brings_an_id_token_that_has_expired() {
    let session = Session::responding(|grant, token| {
        let rotated = String::from_utf8(rotate(grant, token)).unwrap();
        let mut body: Value = serde_json::from_str(rotated.split_once("\r\n\r\n").unwrap().1).unwrap();
        body["id_token"] = json!(id_token(0, -7200, -3600));
        json_response(&body)
    });
    store(&session, Some(&id_token(0, -3600, -1)), "openid");
    let message = "work: the refresh brought an expired ID token\n\
                   hint: run the login again, and store it as work; not every server issues an ID token at a refresh";
    assert_eq!(session.token(&["--id-token"]), failure("pkce-token", 5, message));
    assert_eq!((session.refreshes(), number(&session.stored()["refresh_token"])), (1, 1));
}

#[test]
fn takes_no_login_without_an_id_token_for_new() {
    let session = session(false, Duration::ZERO);
    store(&session, None, "openid");
    // It seems to have been stored after this began.
    let file = std::fs::File::options().write(true).open(session.path("work.json")).unwrap();
    file.set_modified(std::time::SystemTime::now() + Duration::from_secs(30)).unwrap();
    for args in [&["--refresh"][..], &["--refresh", "--as", "bearer"]] {
        let output = session.token(&[&["--id-token"], args].concat());
        assert_eq!((output.status, output.stderr.contains("the refresh brought no ID token")), (5, true), "{output:?}");
    }
}

#[test]
fn says_which_option_is_for_which_token() {
    let session = session(true, Duration::ZERO);
    store(&session, Some(&id_token(0, -10, 600)), "openid");
    let hint = "hint: --id-token is for the ID token, and without it the access token is used";
    for (args, member) in
        [(&["-r", "id_token"][..], "id_token"), (&["--id-token", "-r", "access_token"], "access_token")]
    {
        let message = format!("pkce-token: {member}: missing\n{hint}\n");
        let output = session.token(args);
        assert_eq!((output.status, output.stderr), (2, message));
    }
}

/// Tells the helper, as git does, that a server refused this token.
fn erase(session: &Session, args: &[&str], token: &str) {
    let mut erase = session.command("pkce-token");
    erase.args(["work", "--as", "git", "--host", "git.example", "erase"]).args(args);
    let input = format!("protocol=https\nhost=git.example\npassword={token}\n");
    assert_eq!(crate::common::finish(&mut erase, input.as_bytes()).status, 0);
}

#[test]
fn expires_the_token_that_was_refused_and_not_the_other() {
    let session = session(true, Duration::ZERO);
    let stored = id_token(0, -10, 600);
    store(&session, Some(&stored), "openid");
    erase(&session, &[], &crate::access(0));
    assert_eq!((session.token(&["--id-token"]).json()["id_token"].clone(), session.refreshes()), (json!(stored), 0));
    erase(&session, &["--id-token"], &stored);
    let output = session.token(&["--id-token"]);
    assert_eq!((output.status, session.refreshes()), (0, 1));
    assert_ne!(output.json()["id_token"], json!(stored));
}

#[test]
fn leaves_an_access_token_that_cannot_be_refreshed_where_the_id_token_is_refused() {
    let session = session(true, Duration::ZERO);
    let stored = id_token(0, -10, 600);
    let mut document = session.document(0, now() + 1800);
    document.as_object_mut().unwrap().remove("refresh_token");
    document["id_token"] = json!(stored);
    session.store(&document);
    erase(&session, &["--id-token"], &stored);
    assert_eq!(session.token(&["-r", "access_token"]).stdout, format!("{}\n", crate::access(0)));
    assert_eq!((session.token(&["--id-token"]).status, session.refreshes()), (5, 0));
}
