//! Changes a response as a client receives it: its head and its body (RFC 9112).

use serde_json::Value;

/// The response with another body, where it is a success.
pub fn with_text(octets: Vec<u8>, change: impl FnOnce(&str) -> String) -> Vec<u8> {
    let text = String::from_utf8_lossy(&octets);
    match text.split_once("\r\n\r\n") {
        Some((head, body)) if is_success(head) => with_body(head, change(body).as_bytes()),
        _ => octets,
    }
}

/// The response with another JSON object, where it is a success.
pub fn with_object(octets: Vec<u8>, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    with_text(octets, |body| match serde_json::from_str(body) {
        Ok(mut object @ Value::Object(_)) => {
            change(&mut object);
            object.to_string()
        }
        _ => body.to_owned(),
    })
}

/// The response of this head and body, with the body's length.
pub fn with_body(head: &str, body: &[u8]) -> Vec<u8> {
    let lines = head.split("\r\n").filter(|line| !line.starts_with(LENGTH));
    let head = lines.collect::<Vec<_>>().join("\r\n");
    [format!("{head}\r\n{LENGTH} {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

/// The response with another head, whether it is a success or an error.
pub fn with_head(octets: Vec<u8>, change: impl FnOnce(&str) -> String) -> Vec<u8> {
    match split(&octets) {
        Some((head, body)) => [change(head).as_bytes(), b"\r\n\r\n", body].concat(),
        None => octets,
    }
}

/// The head and the body.
pub fn split(octets: &[u8]) -> Option<(&str, &[u8])> {
    let end = octets.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some((std::str::from_utf8(octets.get(..end)?).ok()?, octets.get(end + 4..)?))
}

/// The response in chunked transfer coding (RFC 9112 section 7.1), with this end.
pub fn in_chunks(octets: Vec<u8>, end: &str) -> Vec<u8> {
    let Some((head, body)) = split(&octets) else { return octets };
    let head = replaced(head, LENGTH, "Transfer-Encoding: chunked");
    let (first, second) = body.split_at(body.len() / 2);
    let mut chunked = format!("{head}\r\n\r\n").into_bytes();
    for chunk in [first, second].into_iter().filter(|chunk| !chunk.is_empty()) {
        chunked.extend(format!("{:x};piece=of-it\r\n", chunk.len()).into_bytes());
        chunked.extend([chunk, b"\r\n"].concat());
    }
    chunked.extend(end.as_bytes());
    chunked
}

/// The head with `line` instead of the one that begins with `start`; an empty `line` removes it.
pub fn replaced(head: &str, start: &str, line: &str) -> String {
    let lines = head.split("\r\n").map(|old| if old.starts_with(start) { line } else { old });
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\r\n")
}

/// The response with one more header line.
pub fn headed(octets: Vec<u8>, line: &str) -> Vec<u8> {
    with_head(octets, |head| format!("{head}\r\n{line}"))
}

fn is_success(head: &str) -> bool {
    head.starts_with("HTTP/1.1 200 ") || head.starts_with("HTTP/1.1 201 ")
}

/// The start of the header line that states the body's length.
pub const LENGTH: &str = "Content-Length:";
