//! Content codings that were not requested.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::{DeflateEncoder, GzEncoder, ZlibEncoder};

use crate::common::{Output, Server, command, failure, finish};
use crate::{document, tokens, with_response};

/// A response with this body in a content coding.
fn coded(status: u16, coding: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn all(mut from: impl Read) -> Vec<u8> {
    let mut octets = Vec::new();
    from.read_to_end(&mut octets).unwrap();
    octets
}

fn gzip(text: &[u8]) -> Vec<u8> {
    all(GzEncoder::new(text, Compression::best()))
}

#[test]
fn decodes_a_body_that_is_compressed_although_that_was_not_requested() {
    let text = tokens().to_string().into_bytes();
    let (first, second) = text.split_at(9);
    for (coding, body) in [
        ("gzip", gzip(&text)),
        ("x-gzip", gzip(&text)),
        ("GZIP", gzip(&text)),
        ("gzip", [gzip(first), gzip(second)].concat()),
        ("deflate", all(ZlibEncoder::new(text.as_slice(), Compression::best()))),
        ("deflate", all(DeflateEncoder::new(text.as_slice(), Compression::best()))),
        ("identity", text.clone()),
        ("gzip, identity", gzip(&text)),
        // What is no member after the last one is not read.
        ("gzip", [gzip(&text), b"\r\n\0\0".to_vec()].concat()),
        // A proxy has decoded the body and left the header, or the header says something else.
        ("gzip", text.clone()),
        ("deflate", text.clone()),
        ("br", text.clone()),
        ("UTF-8", text.clone()),
        ("none", text.clone()),
    ] {
        let (output, _) = with_response(coded(200, coding, &body));
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{coding}: {output:?}");
        assert_eq!(output.json()["access_token"], "AT", "{coding}");
    }
    // An error is read in the same way, and a response without a body has nothing to decode.
    let (output, _) = with_response(coded(400, "gzip", &gzip(b"{\"error\":\"invalid_grant\"}")));
    assert_eq!(output, failure("pkce-exchange", 5, "token endpoint: invalid_grant"));
    let (output, _) = with_response(coded(200, "br", b""));
    let message = "token endpoint: not a JSON object: unexpected end; the code may be spent";
    assert_eq!(output, failure("pkce-exchange", 4, message));
}

#[test]
fn takes_a_body_that_cannot_be_decoded_for_an_unusable_response() {
    let whole = gzip(tokens().to_string().as_bytes());
    let mut forged = whole.clone();
    let check = forged.len() - 8;
    forged[check] ^= 1;
    for (coding, body, wrong) in [
        ("gzip", &whole[..whole.len() - 1], "is not valid gzip"),
        ("gzip", &whole[..12], "is not valid gzip"),
        ("gzip", forged.as_slice(), "is not valid gzip"),
        ("deflate", &[0x78, 0x9c, 0xff], "is not valid deflate"),
        ("br", b"\x8b\x00\x80{}\x03", "has an unsupported content encoding: br"),
        ("br,\tgzip", whole.as_slice(), "has an unsupported content encoding: br"),
        ("a-secret-that-is-echoed", whole.as_slice(), "has an unsupported content encoding"),
    ] {
        let (output, seen) = with_response(coded(200, coding, body));
        let message = format!("token endpoint: the response {wrong}; the code may be spent");
        assert_eq!((output, seen.len()), (failure("pkce-exchange", 4, &message), 1));
    }
    // The status alone decides where the body does not matter.
    let (output, _) = with_response(coded(503, "br", b"\xff"));
    assert_eq!(output, failure("pkce-exchange", 3, "token endpoint: the server responded with 503"));
    let (output, _) = with_response(coded(404, "gzip", b"\xff"));
    let message = "token endpoint: the server responded with 404 without an OAuth error; the code may be spent";
    assert_eq!(output, failure("pkce-exchange", 5, message));
}

#[test]
fn limits_what_a_compressed_body_expands_to() {
    // 256 MiB in a quarter of one: more than the tool may have.
    let bomb = gzip(&vec![b' '; 8 << 20]).repeat(32);
    let server = Server::speaking(move |_, stream| drop(stream.write_all(&coded(200, "gzip", &bomb))));
    let mut shell = command("sh");
    let output =
        finish(shell.args(["-c", "ulimit -v 131072; exec pkce-exchange"]), document(&server).to_string().as_bytes());
    let message = "token endpoint: the response is larger than 1 MiB; the code may be spent";
    assert_eq!(output, failure("pkce-exchange", 4, message));
    let just = tokens().to_string();
    let body = gzip(format!("{just}{}", " ".repeat((1 << 20) - just.len())).as_bytes());
    let (output, _): (Output, _) = with_response(coded(200, "gzip", &body));
    assert_eq!(output.status, 0, "{output:?}");
}
