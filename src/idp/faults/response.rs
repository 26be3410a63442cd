//! What can be wrong with the response of any endpoint: RFC 9110, RFC 9112, RFC 8259.

use std::borrow::Cow;
use std::io::Read;

use flate2::Compression;
use flate2::read::GzEncoder;

use super::effect::Effect;
use super::kind::{Kind, Place};
use super::message::{LENGTH, headed, in_chunks, replaced, split, with_body, with_head};
use crate::document::MAX_SIZE;
use crate::idp::response::{Delivery, Response};

/// All kinds: each shape at each endpoint, such as `token-503`.
pub fn kinds() -> Vec<Kind> {
    let named = |(place, prefix, column): &(Place, &str, usize), shape: &Shape| {
        let status = match (place, *shape.statuses.get(*column)?) {
            // pkce-verify stands in a pipe: without the keys, the tokens are lost.
            (Place::Keys, 1 | 3) => 5,
            // A resource without metadata: its origin's authorization server is used, with a note.
            (Place::Resource, 1) => 0,
            (_, status) => status,
        };
        let name = Cow::Owned(format!("{prefix}-{}", shape.name));
        (status != NONE).then_some(Kind { name, place: *place, status, does: shape.does, effect: shape.effect })
    };
    ENDPOINTS.iter().flat_map(|endpoint| SHAPES.iter().filter_map(move |shape| named(endpoint, shape))).collect()
}

/// A fault that several endpoints have, with the exit status for each class of endpoint: GET, token, other POST,
/// revocation, authorization, poll.
struct Shape {
    name: &'static str,
    does: &'static str,
    statuses: [u8; 6],
    effect: Effect,
}

impl Shape {
    /// The same for polls too, with this exit status.
    const fn at_poll(mut self, status: u8) -> Shape {
        self.statuses[POLL] = status;
        self
    }
}

const fn shape(
    name: &'static str,
    [get, token, post, revocation, authorization]: [u8; 5],
    does: &'static str,
    effect: Effect,
) -> Shape {
    Shape { name, does, statuses: [get, token, post, revocation, authorization, NONE], effect }
}

/// The endpoints, with the prefix of their kinds' names and their class.
const ENDPOINTS: [(Place, &str, usize); 10] = [
    (Place::Resource, "resource", 0),
    (Place::Metadata, "metadata", 0),
    (Place::Registration, "register", 2),
    (Place::Push, "push", 2),
    (Place::Device, "device", 2),
    (Place::Authorization, "authorize", 4),
    (Place::Token, "token", 1),
    (Place::Poll, "poll", POLL),
    (Place::Keys, "jwks", 0),
    (Place::Revocation, "revoke", 3),
];

/// The class of polls.
const POLL: usize = 5;

/// The class of endpoint does not have this kind.
const NONE: u8 = u8::MAX;

/// The octets in gzip (RFC 1952).
fn gzip(octets: &[u8]) -> Vec<u8> {
    let mut compressed = Vec::new();
    // Reading from memory does not fail.
    let _ = GzEncoder::new(octets, Compression::fast()).read_to_end(&mut compressed);
    compressed
}

static SHAPES: &[Shape] = &[
    shape("slow", [3, 5, 3, 3, 3], "sends one byte per second", Effect::Delivered(Delivery::Slow)),
    shape("hang", [3, 5, 3, 3, 3], "never responds", Effect::Delivered(Delivery::Never)).at_poll(3),
    shape(
        "lost",
        [3, 5, 3, 3, 3],
        "processes the request, then closes the connection without a response",
        Effect::Octets(|_| Vec::new()),
    )
    .at_poll(3),
    shape(
        "cut",
        [3, 5, 3, 3, NONE],
        "closes the connection in the middle of the response",
        Effect::Octets(|octets| {
            let sent = octets.len() - octets.len().min(8);
            octets.into_iter().take(sent).collect()
        }),
    )
    .at_poll(3),
    shape(
        "large",
        [4, 4, 4, 0, NONE],
        "sends a response larger than 1 MiB",
        Effect::Text(|text| text.to_owned() + &" ".repeat(MAX_SIZE + 1)),
    ),
    shape("endless", [4, 4, 4, 0, NONE], "sends a response that never ends", Effect::Delivered(Delivery::Endless)),
    shape(
        "large-head",
        [4, 4, 4, 4, NONE],
        "sends a header line of 1 MiB",
        Effect::Octets(|octets| headed(octets, &format!("X-Large: {}", "x".repeat(MAX_SIZE)))),
    ),
    shape(
        "broken-chunk",
        [4, 4, 4, 4, NONE],
        "sends a last chunk whose size is invalid",
        Effect::Octets(|octets| in_chunks(octets, "as-long-as-it-is\r\n\r\n")),
    ),
    shape(
        "cut-chunk",
        [3, 5, 3, 3, NONE],
        "closes the connection before the last chunk",
        Effect::Octets(|octets| in_chunks(octets, "")),
    ),
    shape(
        "two-lengths",
        [4, 4, 4, 4, NONE],
        "sends two different Content-Length headers",
        Effect::Octets(|octets| headed(octets, "Content-Length: 1")),
    ),
    shape(
        "short-length",
        [4, 4, 4, NONE, NONE],
        "sends a Content-Length that is too small",
        Effect::Octets(|octets| with_head(octets, |head| replaced(head, LENGTH, "Content-Length: 1"))),
    ),
    shape(
        "length-and-chunks",
        [0, 0, 0, 0, NONE],
        "sends both Content-Length and chunks",
        Effect::Octets(|octets| headed(in_chunks(octets, "0\r\n\r\n"), "Content-Length: 1")),
    ),
    shape(
        "gzip",
        [0, 0, 0, 0, NONE],
        "sends a gzip response that was not requested",
        Effect::Octets(|octets| match split(&octets) {
            Some((head, body)) => with_body(&format!("{head}\r\nContent-Encoding: gzip"), &gzip(body)),
            None => octets,
        }),
    ),
    shape(
        "redirect",
        [4, 4, 4, 4, 3],
        "responds with a redirect to another server",
        Effect::Instead(|| Response::empty(307).with_headers("Location: http://127.0.0.1:1/elsewhere\r\n")),
    )
    .at_poll(4),
    shape(
        "html",
        [4, 4, 4, 0, 3],
        "responds with an HTML page, as a captive portal does",
        Effect::Instead(|| {
            Response::text(200, "text/html", "<!doctype html><title>Welcome</title><p>Accept our terms")
        }),
    )
    .at_poll(3),
    shape(
        "empty",
        [4, 4, 4, 0, NONE],
        "responds with an empty body",
        Effect::Instead(|| Response::text(200, "application/json", "")),
    ),
    shape("204", [4, 4, 4, 0, NONE], "responds with 204", Effect::Instead(|| Response::empty(204))),
    shape("206", [4, 4, 4, 4, NONE], "responds with 206", Effect::Instead(|| Response::empty(206))),
    shape("304", [4, 4, 4, 4, NONE], "responds with 304", Effect::Instead(|| Response::empty(304))),
    shape("400", [1, 5, 1, 1, 3], "responds with 400 and no body", Effect::Instead(|| Response::empty(400))).at_poll(1),
    shape(
        "401",
        [1, 1, 1, 1, 3],
        "responds with 401 and two challenges",
        Effect::Instead(|| {
            Response::empty(401)
                .with_headers("WWW-Authenticate: Basic realm=\"a\"\r\nWWW-Authenticate: Digest realm=\"b\"\r\n")
        }),
    ),
    shape("404", [1, 5, 1, 1, 3], "responds with 404", Effect::Instead(|| Response::empty(404))),
    shape(
        "429",
        [3, 3, 3, 3, 3],
        "responds with 429",
        Effect::Instead(|| Response::empty(429).with_headers("Retry-After: 2\r\n")),
    )
    .at_poll(3),
    shape("500", [3, 5, 3, 3, 3], "responds with 500", Effect::Instead(|| Response::text(500, "text/plain", "oops")))
        .at_poll(3),
    shape(
        "503",
        [3, 3, 3, 3, 3],
        "responds with 503",
        Effect::Instead(|| Response::empty(503).with_headers("Retry-After: 2\r\n")),
    )
    .at_poll(3),
    shape(
        "truncated",
        [4, 4, 4, NONE, NONE],
        "responds with truncated JSON",
        Effect::Text(|text| text.chars().take(text.len() - text.len().min(2)).collect()),
    ),
    shape(
        "not-a-number",
        [4, 4, 4, NONE, NONE],
        "responds with NaN, which is not JSON",
        Effect::Text(|text| text.replacen('{', "{\"score\":NaN,", 1)),
    ),
    shape("array", [4, 4, 4, NONE, NONE], "responds with an array", Effect::Text(|text| format!("[{text}]"))),
    shape(
        "twice",
        [4, 4, 4, NONE, NONE],
        "responds with a duplicate member",
        Effect::Text(|text| text.replacen('{', "{\"x\":1,\"x\":2,", 1)),
    ),
    shape(
        "deep",
        [4, 4, 4, NONE, NONE],
        "responds with 100 nested arrays",
        Effect::Text(|text| text.replacen('{', &format!("{{\"x\":{}{},", "[".repeat(100), "]".repeat(100)), 1)),
    ),
    shape(
        "not-utf8",
        [4, 4, 4, NONE, NONE],
        "responds in Latin-1",
        Effect::Octets(|octets| match split(&octets) {
            Some((head, body)) => with_body(head, &[b"{\"x\":\"\xe9\",", body.get(1..).unwrap_or_default()].concat()),
            None => octets,
        }),
    ),
    shape(
        "byte-order-mark",
        [4, 4, 4, NONE, NONE],
        "begins the body with a byte order mark",
        Effect::Text(|text| format!("\u{feff}{text}")),
    ),
    shape(
        "no-length",
        [0, 0, 0, 0, 0],
        "omits Content-Length and closes the connection at the end",
        Effect::Octets(|octets| with_head(octets, |head| replaced(head, LENGTH, ""))),
    ),
    shape(
        "chunked",
        [0, 0, 0, 0, 0],
        "sends the response in chunks",
        Effect::Octets(|octets| in_chunks(octets, "0\r\nX-Trailer: x\r\n\r\n")),
    ),
    shape(
        "no-reason",
        [0, 0, 0, 0, 0],
        "omits the reason phrase and sends lowercase header names",
        Effect::Octets(|octets| {
            with_head(octets, |head| {
                let mut lines = head.split("\r\n");
                let status: String = lines.next().unwrap_or_default().chars().take("HTTP/1.1 200 ".len()).collect();
                let lines = lines.filter_map(|line| line.split_once(':'));
                let lines = lines.map(|(name, value)| format!("\r\n{}:{value}", name.to_ascii_lowercase()));
                lines.fold(status, |head, line| head + &line)
            })
        }),
    ),
    shape(
        "early",
        [0, 0, 0, 0, 0],
        "sends the interim responses 100 and 103 first",
        Effect::Octets(|octets| {
            let early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n";
            [early.as_slice(), &octets].concat()
        }),
    ),
    shape(
        "as-html",
        [0, 0, 0, 0, NONE],
        "labels its JSON as text/html and sets a cookie",
        Effect::Octets(|octets| {
            headed(
                with_head(octets, |head| replaced(head, "Content-Type:", "Content-Type: text/html; charset=utf-8")),
                "Set-Cookie: session=x",
            )
        }),
    ),
];
