//! The device authorization response.

use serde_json::{Value, json};

use crate::common::{command, failure, finish, json_response, response};
use crate::{Fake, at_once, shown, tokens, with_link};

const SUBJECT: &str = "device authorization endpoint";

/// The login ends with this message, before anything is shown or polled.
fn is_refused(fake: &Fake, status: i32, message: &str) {
    assert_eq!(fake.log_in(&[]), failure("pkce-device", status, &format!("{SUBJECT}: {message}")), "{message}");
    assert_eq!(fake.requests().len(), 1);
}

#[test]
fn refuses_a_response_that_cannot_be_shown_or_used() {
    let printable = "must be printable characters, 2000 at most";
    let short = "user_code: must be printable characters, 64 at most, without double spaces";
    let address = "verification_uri";
    for (changes, wrong) in [
        (json!({ "device_code": null }), "device_code: missing".to_owned()),
        (json!({ "device_code": 1 }), "device_code: must be a string".to_owned()),
        (json!({ "device_code": "" }), "device_code: must be one or more visible ASCII characters".to_owned()),
        (json!({ "user_code": null }), "user_code: missing".to_owned()),
        (json!({ "user_code": 12 }), "user_code: must be a string".to_owned()),
        (json!({ "user_code": " " }), short.to_owned()),
        (json!({ "user_code": "A\u{1b}[2J" }), short.to_owned()),
        (json!({ "user_code": "A\nB" }), short.to_owned()),
        (json!({ "user_code": "##[error]A" }), short.to_owned()),
        (json!({ "user_code": "A".repeat(65) }), short.to_owned()),
        (json!({ "user_code": "A  pkce-device: note: run this" }), short.to_owned()),
        (json!({ "user_code": "A " }), short.to_owned()),
        (json!({ address: null }), format!("{address}: missing")),
        (json!({ address: ["https://a.example/"] }), format!("{address}: must be a string")),
        (json!({ address: "device" }), format!("{address}: must begin with https://")),
        (json!({ address: "javascript:alert(1)" }), format!("{address}: not an absolute URL with a host")),
        (json!({ address: "ftp://a.example/" }), format!("{address}: must begin with https://")),
        (
            json!({ address: "http://a.example/" }),
            format!("{address}: plain http is only allowed to this machine; use https"),
        ),
        (json!({ address: "https://a@b.example/" }), format!("{address}: must not have a user name or password")),
        (
            json!({ address: "https://a.example/ b" }),
            format!("{address}: not a URL: contains a space, a control character or a non-ASCII character"),
        ),
        (json!({ address: "https://a.example/#\u{1b}[2J" }), format!("{address}: {printable}")),
        (json!({ address: "https://a.example/#::error::a" }), format!("{address}: {printable}")),
        (
            json!({ address: null, "verification_url": "http://a.example/" }),
            "verification_url: plain http is only allowed to this machine; use https".to_owned(),
        ),
    ] {
        is_refused(&Fake::start(changes, Vec::new()), 4, &wrong);
    }
}

#[test]
fn refuses_a_response_that_is_no_authorization() {
    for (octets, status, wrong) in [
        (
            response(200, "text/html", "<title>Network login</title>"),
            4,
            "HTML, not JSON (proxy or captive portal?): Network login",
        ),
        (response(200, "application/json", "[]"), 4, "not a JSON object"),
        (response(204, "", ""), 4, "the server responded with 204"),
        (response(302, "", ""), 4, "redirect (302) not followed"),
        (response(404, "", ""), 1, "the server responded with 404 without an OAuth error"),
        (response(429, "", ""), 3, "the server responded with 429"),
        (response(503, "", ""), 3, "the server responded with 503"),
    ] {
        is_refused(&Fake::with_response(move |_| octets.clone(), Vec::new()), status, wrong);
    }
    let fake = Fake::with_response(|_| Vec::new(), Vec::new());
    let port = fake.server.port;
    is_refused(&fake, 3, &format!("127.0.0.1:{port}: the server closed the connection"));
}

#[test]
fn says_what_to_do_about_a_client_that_may_not_use_the_grant() {
    let allow = "\nhint: the server must support the device grant, and allow it for this client";
    let public = "\nhint: if the client has no secret, register it with token_endpoint_auth_method none; otherwise use \
                  --client-secret-file or PKCE_CLIENT_SECRET_FILE";
    for (http, code, status, hint) in [
        (400, "unauthorized_client", 1, allow),
        (400, "unsupported_grant_type", 1, allow),
        (400, "device_flow_disabled", 1, allow),
        (401, "unauthorized_client", 1, public),
        (401, "invalid_client", 1, public),
        (403, "access_denied", 1, ""),
        (400, "invalid_grant", 5, ""),
    ] {
        let body = json!({ "error": code }).to_string();
        let octets = response(http, "application/json", &body);
        is_refused(&Fake::with_response(move |_| octets.clone(), Vec::new()), status, &format!("{code}{hint}"));
    }
    let refused = response(400, "application/json", r#"{"error":"invalid_scope"}"#);
    let fake = Fake::with_response(move |_| refused.clone(), Vec::new());
    let message =
        "invalid_scope\nhint: the requested scope was a; request another with --scope, or allow it for the client";
    assert_eq!(fake.log_in(&["--scope=a"]), failure("pkce-device", 1, &format!("{SUBJECT}: {message}")));
}

/// Changes to a response, and what is shown then, by a server at this URL.
type Shown = (Value, fn(&str) -> String);

#[test]
fn shows_what_a_server_may_leave_out_or_write_in_another_way() {
    let cases: Vec<Shown> = vec![
        (json!({ "verification_uri_complete": null }), |base| shown(&format!("{base}/device"))),
        (
            json!({ "verification_uri": null, "verification_uri_complete": null, "verification_url": "https://g.example/device" }),
            |_| shown("https://g.example/device"),
        ),
        (
            json!({ "verification_uri": "https://a.example/#/device", "verification_uri_complete": "https://a.example/#/device?c=WDJB-MJHT" }),
            |_| {
                format!(
                    "{}{}",
                    shown("https://a.example/#/device"),
                    with_link("https://a.example/#/device?c=WDJB-MJHT")
                )
            },
        ),
        (
            json!({ "verification_uri": "https://a.example/", "verification_uri_complete": "https://a.example/" }),
            |_| shown("https://a.example/"),
        ),
        (json!({ "verification_uri_complete": "http://a.example/?c=1" }), |base| {
            let wrong = "verification_uri_complete: plain http is only allowed to this machine; use https; left out";
            format!("pkce-device: note: {SUBJECT}: {wrong}\n{}", shown(&format!("{base}/device")))
        }),
        (json!({ "verification_uri_complete": 1, "expires_in": "300", "interval": "1" }), |base| {
            let wrong = "verification_uri_complete: must be a string; left out";
            format!("pkce-device: note: {SUBJECT}: {wrong}\n{}", shown(&format!("{base}/device")))
        }),
        (json!({ "expires_in": "soon", "verification_uri_complete": null }), |base| shown(&format!("{base}/device"))),
        (json!({ "expires_in": 0, "verification_uri_complete": null }), |base| shown(&format!("{base}/device"))),
        (json!({ "expires_in": null, "verification_uri_complete": null }), |base| shown(&format!("{base}/device"))),
    ];
    at_once(cases, |(changes, expected)| {
        let fake = Fake::start(changes, vec![tokens()]);
        let output = fake.log_in(&[]);
        assert_eq!((output.status, output.stderr), (0, expected(&fake.server.url(""))));
    });
}

#[test]
fn understands_a_form() {
    let form = |base: &str| {
        let text = form_urlencoded::Serializer::new(String::new())
            .append_pair("device_code", "d")
            .append_pair("user_code", "WDJB-MJHT")
            .append_pair("verification_uri", &format!("{base}/device"))
            .append_pair("interval", "1")
            .finish();
        response(200, "application/x-www-form-urlencoded", &text)
    };
    let tokens = response(200, "application/x-www-form-urlencoded", "access_token=AT&token_type=bearer");
    let fake = Fake::with_response(form, vec![tokens]);
    let output = fake.log_in(&["-r", "access_token"]);
    assert_eq!((output.status, output.stdout.as_str()), (0, "AT\n"));
    assert_eq!(output.stderr, shown(&fake.server.url("/device")));
}

#[test]
fn a_remote_server_must_not_lead_to_this_machine() {
    let fake = Fake::start(json!({}), Vec::new());
    let mut document = fake.document();
    document["issuer"] = json!("https://id.example");
    let output = finish(&mut command("pkce-device"), document.to_string().as_bytes());
    let wrong = "device_authorization_endpoint: a remote server must not point to this machine";
    assert_eq!(output, failure("pkce-device", 4, wrong));
    assert!(fake.requests().is_empty());
}

#[test]
fn a_device_code_is_not_shown_where_it_is_malformed() {
    let octets = json_response(&json!({ "device_code": "s3cr3t-s3cr3t\u{e9}" }));
    let fake = Fake::with_response(move |_| octets.clone(), Vec::new());
    is_refused(&fake, 4, "device_code: must be one or more visible ASCII characters");
}
