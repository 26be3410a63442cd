//! The server's connections: a thread each, one request each, all bounded.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Service, pages};
use crate::document::SIZE;
use crate::wire::request::{Head, phrase};

/// A whole response.
pub struct Response {
    octets: Vec<u8>,
    delivery: Delivery,
}

/// How a response goes out.
#[derive(Clone, Copy, PartialEq)]
pub enum Delivery {
    /// At once.
    Whole,
    /// An octet a second.
    Slow,
    /// Not at all, while the connection stays open.
    Never,
    /// With a body that goes on until the other side has enough.
    Endless,
}

impl Response {
    /// A page that is written already.
    pub fn page(page: Vec<u8>) -> Response {
        Response { octets: page, delivery: Delivery::Whole }
    }

    /// A JSON object.
    pub fn json(status: u16, body: &Value) -> Response {
        Response::text(status, "application/json", &body.to_string())
    }

    /// A text of this media type.
    pub fn text(status: u16, media_type: &str, body: &str) -> Response {
        Response::plain(status, &format!("Content-Type: {media_type}\r\n"), body)
    }

    /// An OAuth error (RFC 6749 section 5.2).
    pub fn error(status: u16, error: &str, description: &str) -> Response {
        Response::json(status, &json!({ "error": error, "error_description": description }))
    }

    /// A redirect of the browser; 303, so that a form's content is not sent on (RFC 9700 section 4.12).
    pub fn redirect(location: &str) -> Response {
        Response::plain(303, &format!("Location: {location}\r\n"), "")
    }

    /// No content.
    pub fn empty(status: u16) -> Response {
        Response::plain(status, "", "")
    }

    /// A failure of the server itself.
    pub fn failed() -> Response {
        Response::error(500, "server_error", "the server failed")
    }

    /// The same, with one more header line.
    pub fn with(mut self, header: &str) -> Response {
        let end = self.octets.windows(2).position(|pair| pair == b"\r\n").map_or(0, |line| line + 2);
        self.octets.splice(end..end, header.bytes());
        self
    }

    /// Whether the browser is sent elsewhere.
    pub fn is_redirect(&self) -> bool {
        self.octets.starts_with(b"HTTP/1.1 303 ")
    }

    /// The same with other octets.
    pub fn changed(self, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Response {
        Response { octets: change(self.octets), ..self }
    }

    /// The same, going out in another way.
    pub fn delivered(self, delivery: Delivery) -> Response {
        Response { delivery, ..self }
    }

    fn send(&self, stream: &mut TcpStream) -> io::Result<()> {
        match self.delivery {
            Delivery::Whole => stream.write_all(&self.octets),
            Delivery::Slow => self.octets.iter().try_for_each(|octet| {
                thread::sleep(Duration::from_secs(1));
                stream.write_all(&[*octet])
            }),
            Delivery::Never => {
                stream.set_read_timeout(None)?;
                while stream.read(&mut [0; 1024])? > 0 {}
                Ok(())
            }
            Delivery::Endless => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{")?;
                loop {
                    stream.write_all(&[b' '; 4096])?;
                }
            }
        }
    }

    fn plain(status: u16, headers: &str, body: &str) -> Response {
        let head = format!(
            "HTTP/1.1 {status} {}\r\n{headers}Content-Length: {}\r\nConnection: close\r\nCache-Control: no-store\r\n\r\n",
            phrase(status),
            body.len()
        );
        Response::page(format!("{head}{body}").into_bytes())
    }
}

/// Answers each connection in a thread of its own, until the process ends.
pub fn serve(listener: &TcpListener, service: &Service) -> ! {
    thread::scope(|scope| {
        loop {
            match listener.accept() {
                Ok((stream, _)) => drop(thread::Builder::new().spawn_scoped(scope, move || converse(stream, service))),
                // Out of descriptors: some connection ends soon.
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        }
    })
}

fn converse(mut stream: TcpStream, service: &Service) {
    let _ = stream.set_read_timeout(Some(CONNECTION));
    let _ = stream.set_write_timeout(Some(CONNECTION));
    let Ok(response) = respond(&mut stream, service) else { return };
    if response.send(&mut stream).is_ok() && stream.shutdown(Shutdown::Write).is_ok() {
        let _ = stream.read(&mut [0; 1024]);
    }
}

fn respond(stream: &mut TcpStream, service: &Service) -> io::Result<Response> {
    let mut octets = Vec::new();
    let mut buffer = [0; 4096];
    let mut more = |octets: &mut Vec<u8>| -> io::Result<()> {
        match stream.read(&mut buffer)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                octets.extend_from_slice(buffer.get(..count).unwrap_or_default());
                Ok(())
            }
        }
    };
    let (request, head) = loop {
        match Head::parse(&octets) {
            Head::Whole(request, length) => break (request, length),
            Head::Bad(status) => return Ok(Response::page(pages::problem(status, "That is not a request."))),
            Head::Partial => more(&mut octets)?,
        }
    };
    let length = request.header("Content-Length").unwrap_or("0").parse().unwrap_or(usize::MAX);
    if length > SIZE || request.has("Transfer-Encoding") {
        return Ok(Response::page(pages::problem(413, "That is more than a request has.")));
    }
    while octets.len() < head + length {
        more(&mut octets)?;
    }
    Ok(service.respond(&request, octets.get(head..head + length).unwrap_or_default()))
}

/// How long a connection may pause.
const CONNECTION: Duration = Duration::from_secs(10);
