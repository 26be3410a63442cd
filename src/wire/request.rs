//! RFC 9112: the head of an HTTP/1.1 request, parsed strictly, since any program on the machine may send one.

/// A request without its body.
pub struct Request {
    /// The method, as it was sent.
    pub method: String,
    /// The path, not decoded.
    pub path: String,
    /// The query without its `?`, not decoded; empty if missing.
    pub query: String,
    headers: Vec<(String, String)>,
}

/// The result of parsing the octets received so far.
pub enum Head {
    /// The head is not complete yet.
    Partial,
    /// The head is invalid; the status to respond with.
    Bad(u16),
    /// A request, and the length of its head in octets.
    Whole(Request, usize),
}

impl Head {
    /// Parses the head in these octets.
    pub fn parse(octets: &[u8]) -> Head {
        // Only the head is checked: the body may hold any octets.
        let end = octets.windows(4).position(|four| four == b"\r\n\r\n").map_or(octets.len(), |end| end + 4);
        let octets = octets.get(..end).unwrap_or_default();
        let first = octets.first().copied().unwrap_or(b'G');
        let mut before = None;
        for octet in octets {
            if *octet == b'\n' && before != Some(b'\r') {
                return Head::Bad(400);
            }
            before = Some(*octet);
        }
        let line = octets.windows(2).any(|pair| pair == b"\r\n");
        if !first.is_ascii_alphabetic() {
            return Head::Bad(400);
        }
        if !line {
            return if octets.len() > LINE { Head::Bad(414) } else { Head::Partial };
        }
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(octets) {
            Ok(httparse::Status::Complete(length)) if length <= SIZE => match Request::of(&request) {
                Some(request) => Head::Whole(request, length),
                None => Head::Bad(400),
            },
            Ok(httparse::Status::Partial) if octets.len() <= SIZE => Head::Partial,
            Ok(_) | Err(httparse::Error::TooManyHeaders) => Head::Bad(431),
            Err(_) => Head::Bad(400),
        }
    }
}

impl Request {
    /// The header's value; `None` if it is missing or repeated.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        value.filter(|_| values.next().is_none())
    }

    /// Whether the header is present, at least once.
    pub fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name))
    }

    fn of(request: &httparse::Request) -> Option<Request> {
        let target = request.path.filter(|target| target.starts_with('/'))?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers = request.headers.iter().map(|header| {
            let value = String::from_utf8_lossy(header.value);
            (header.name.to_owned(), value.into_owned())
        });
        Some(Request {
            method: request.method?.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: headers.collect(),
        })
    }
}

/// The reason phrase of a status.
pub fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        303 => "See Other",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        421 => "Misdirected Request",
        425 => "Too Early",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Unknown",
    }
}

/// Maximum size of a head in octets: a browser sends other local servers' cookies too, since cookies ignore ports.
pub const SIZE: usize = 64 * 1024;

/// Maximum size of a request line in octets: a code may have some thousands.
const LINE: usize = 32 * 1024;

/// Maximum number of header lines; browsers send about twenty.
const HEADERS: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn status(octets: &[u8]) -> u16 {
        match Head::parse(octets) {
            Head::Partial => 0,
            Head::Bad(status) => status,
            Head::Whole(..) => 200,
        }
    }

    #[test]
    fn reads_a_request_only_when_it_is_whole_and_strict() {
        for (text, expected) in [
            ("", 0),
            ("GE", 0),
            ("GET / HTTP/1.1\r\n", 0),
            ("GET / HTTP/1.1\r\n\r\n", 200),
            ("POST / HTTP/1.1\r\n\r\n{\n}", 200),
            ("GET /\r\n", 400),
            ("GET / HTTP/1.1\n\n", 400),
            ("GET / HTTP/1.1\r\nA: b\n\r\n", 400),
            ("GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n", 400),
            ("GET http://a/ HTTP/1.1\r\n\r\n", 400),
            ("CONNECT a:1 HTTP/1.1\r\n\r\n", 400),
            ("\u{16}\u{3}\u{1}", 400),
            ("PRI * HTTP/2.0\r\n\r\n", 400),
        ] {
            assert_eq!(status(text.as_bytes()), expected, "{text:?}");
        }
        assert_eq!(status(format!("GET /{}", "a".repeat(LINE)).as_bytes()), 414);
        assert_eq!(status(format!("GET / HTTP/1.1\r\nA: {}", "a".repeat(SIZE)).as_bytes()), 431);
        assert_eq!(status(format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(1000)).as_bytes()), 431);
    }
}
