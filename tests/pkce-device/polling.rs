//! When the token endpoint is polled, by the lower bounds of the pauses: an upper one would fail on a slow machine.

use serde_json::{Value, json};

use crate::common::response;
use crate::{Fake, at_once, error, pending, tokens};

/// A response with this header.
fn with_header(octets: Vec<u8>, header: &str) -> Vec<u8> {
    String::from_utf8(octets).unwrap().replacen("\r\n", &format!("\r\n{header}\r\n"), 1).into_bytes()
}

fn slow_down(interval: Value) -> Vec<u8> {
    response(400, "application/json", &json!({ "error": "slow_down", "interval": interval }).to_string())
}

/// What a server says first, to the polls, the notes, and the minimum of each pause in seconds.
type Case = (Value, Vec<Vec<u8>>, &'static str, &'static [u64]);

fn is_polled((changes, polls, notes, minima): Case) {
    let count = polls.len();
    let fake = Fake::start(changes, polls);
    let output = fake.log_in(&[]);
    let closed = format!("127.0.0.1:{}: the server closed the connection", fake.server.port);
    let notes: String = notes
        .lines()
        .map(|note| {
            format!("pkce-device: note: token endpoint: {}; polling goes on\n", note.replace("CLOSED", &closed))
        })
        .collect();
    assert_eq!((output.status, output.stderr), (0, format!("{}{notes}", fake.shown())));
    assert_eq!(fake.requests().len(), count + 1);
    let pauses = fake.pauses();
    assert!(pauses.iter().zip(minima).all(|(pause, minimum)| pause >= minimum), "{pauses:?} and not {minima:?}");
    assert_eq!(pauses.len(), minima.len());
}

#[test]
fn waits_for_as_long_as_the_server_says() {
    let status = |status| response(status, "", "");
    let pending_with = |status| response(status, "application/json", r#"{"error":"authorization_pending"}"#);
    let page = |status| response(status, "text/html", "<title>Network login</title>");
    let cut = || b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\n{".to_vec();
    let html = "HTML, not JSON (proxy or captive portal?)";
    let cases: Vec<Case> = vec![
        // Each server's status.
        (json!({}), [400, 428, 200, 403].map(pending_with).into_iter().chain([tokens()]).collect(), "", &[1; 5]),
        (json!({ "interval": 3 }), vec![pending(), tokens()], "", &[3, 3]),
        (json!({ "interval": "2" }), vec![pending(), tokens()], "", &[2, 2]),
        (json!({ "interval": 1.5 }), vec![tokens()], "", &[1]),
        (json!({ "interval": 0.001 }), vec![tokens()], "", &[1]),
        (json!({ "interval": null }), vec![tokens()], "", &[5]),
        (json!({ "interval": 0 }), vec![tokens()], "", &[5]),
        (json!({ "interval": -1 }), vec![tokens()], "", &[5]),
        (json!({ "interval": "soon" }), vec![tokens()], "", &[5]),
        // For good.
        (json!({}), vec![error("slow_down"), pending(), tokens()], "", &[1, 6, 6]),
        (json!({}), vec![slow_down(json!(8)), tokens()], "", &[1, 8]),
        (json!({}), vec![slow_down(json!(2)), tokens()], "", &[1, 6]),
        (json!({}), vec![slow_down(json!("soon")), tokens()], "", &[1, 6]),
        (json!({}), vec![response(429, "application/json", r#"{"error":"slow_down"}"#), tokens()], "", &[1, 6]),
        // Not sooner than Retry-After, but not sooner than the interval either.
        (
            json!({}),
            vec![with_header(status(429), "Retry-After: 3"), tokens()],
            "the server responded with 429",
            &[1, 3],
        ),
        (
            json!({}),
            vec![with_header(status(503), "Retry-After: 3"), tokens()],
            "the server responded with 503",
            &[1, 3],
        ),
        (
            json!({ "interval": 3 }),
            vec![with_header(status(503), "Retry-After: 1"), tokens()],
            "the server responded with 503",
            &[3, 3],
        ),
        // Whatever the response is, and whatever the time is written as.
        (
            json!({}),
            [pending_with(400), pending_with(429), error("slow_down"), response(200, "text/html", "<p>")]
                .map(|response| with_header(response, "Retry-After: 3"))
                .into_iter()
                .chain([tokens()])
                .collect(),
            html,
            &[1, 3, 3, 6, 6],
        ),
        // A server that may accept the same request later.
        (
            json!({}),
            vec![
                error("temporarily_unavailable"),
                response(200, "application/json", r#"{"error":"server_error"}"#),
                status(408),
                tokens(),
            ],
            "temporarily_unavailable\nserver_error\nthe server responded with 408 without an OAuth error",
            &[1, 2, 4, 8],
        ),
        // Doubled while it fails, with one note for each kind.
        (json!({}), vec![status(429), pending(), tokens()], "the server responded with 429", &[1, 2, 1]),
        (
            json!({}),
            vec![status(500), status(500), status(502), tokens()],
            "the server responded with 500\nthe server responded with 502",
            &[1, 2, 4, 8],
        ),
        (json!({}), vec![Vec::new(), Vec::new(), pending(), Vec::new(), tokens()], "CLOSED", &[1, 2, 4, 1, 2]),
        (json!({}), vec![cut(), tokens()], "CLOSED", &[1, 2]),
        (json!({}), vec![page(200), page(200), pending(), tokens()], html, &[1, 2, 4, 1]),
        // A filter's, with any status but that of a redirect.
        (
            json!({}),
            vec![page(403), page(404), tokens()],
            "the server responded with 403 without an OAuth error: Network login\n\
             the server responded with 404 without an OAuth error: Network login",
            &[1, 2, 4],
        ),
    ];
    at_once(cases, is_polled);
}

/// What a server says first, to the polls, the arguments, what is wrong, and the notes.
type Ended = (Value, Vec<Vec<u8>>, [&'static str; 2], String, &'static str);

#[test]
fn ends_at_the_time_out_or_at_the_end_of_the_codes_life() {
    let wait = "\nhint: to wait longer, use --timeout";
    let again = "\nhint: run the login again for a new code";
    let failed = "; the last poll failed: token endpoint: the server responded with 500";
    let failing = || response(500, "", "");
    let cases: Vec<Ended> = vec![
        (json!({ "interval": 3 }), vec![pending()], ["--timeout", "5"], format!("not approved within 5 s{wait}"), ""),
        (json!({ "interval": 60 }), vec![], ["--timeout", "3"], format!("not approved within 3 s{wait}"), ""),
        (
            json!({ "interval": 3, "expires_in": 5 }),
            vec![pending()],
            ["--timeout", "60"],
            format!("not approved within 5 s, its lifetime{again}"),
            "",
        ),
        // After the last poll, none goes on.
        (
            json!({ "expires_in": "3" }),
            vec![failing()],
            ["--timeout", "60"],
            format!("not approved within 3 s, its lifetime{failed}{again}"),
            "",
        ),
        (
            json!({ "expires_in": 6 }),
            vec![failing(), failing()],
            ["--timeout", "60"],
            format!("not approved within 6 s, its lifetime{failed}{again}"),
            "pkce-device: note: token endpoint: the server responded with 500; polling goes on\n",
        ),
    ];
    at_once(cases, |(changes, polls, args, wrong, note)| {
        let fake = Fake::start(changes, polls);
        let output = fake.log_in(&args);
        assert_eq!(output, fake.failure_after(note, 3, &format!("user code: {wrong}")));
    });
}
