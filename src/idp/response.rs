//! An HTTP response, and how it is sent (RFC 9112).

use std::io::{self, Read, Write};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::wire::request::phrase;

/// A whole response.
pub struct Response {
    octets: Vec<u8>,
    delivery: Delivery,
}

/// How a response is sent.
#[derive(Clone, Copy, PartialEq)]
pub enum Delivery {
    /// At once.
    Whole,
    /// One octet a second.
    Slow,
    /// Never, while the connection stays open.
    Never,
    /// With a body that goes on until the client closes the connection.
    Endless,
}

impl Response {
    /// A response whose head and body are written already.
    pub fn written(octets: Vec<u8>) -> Response {
        Response { octets, delivery: Delivery::Whole }
    }

    /// A JSON value.
    pub fn json(status: u16, body: &Value) -> Response {
        Response::text(status, "application/json", &body.to_string())
    }

    /// A text of this media type.
    pub fn text(status: u16, media_type: &str, body: &str) -> Response {
        Response::new(status, &format!("Content-Type: {media_type}\r\n"), body)
    }

    /// An OAuth error (RFC 6749 section 5.2).
    pub fn error(status: u16, error: &str, description: &str) -> Response {
        Response::json(status, &json!({ "error": error, "error_description": description }))
    }

    /// A failure of the server itself.
    pub fn server_error() -> Response {
        Response::error(500, "server_error", "internal server error")
    }

    /// A redirect of the browser; 303, so that a form's content is not sent on (RFC 9700 section 4.12).
    pub fn redirect(location: &str) -> Response {
        Response::new(303, &format!("Location: {location}\r\n"), "")
    }

    /// A response without content.
    pub fn empty(status: u16) -> Response {
        Response::new(status, "", "")
    }

    /// The same response with more header lines, each with its CR LF.
    pub fn with_headers(mut self, lines: &str) -> Response {
        let end = self.octets.windows(2).position(|pair| pair == b"\r\n").map_or(0, |line| line + 2);
        self.octets.splice(end..end, lines.bytes());
        self
    }

    /// Whether it redirects the browser.
    pub fn is_redirect(&self) -> bool {
        self.octets.starts_with(b"HTTP/1.1 303 ")
    }

    /// The same response with other octets.
    pub fn changed(self, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Response {
        Response { octets: change(self.octets), ..self }
    }

    /// The same response, sent in another way.
    pub fn delivered(self, delivery: Delivery) -> Response {
        Response { delivery, ..self }
    }

    /// Whether it is sent for as long as the client waits, as a fault.
    pub fn is_endless(&self) -> bool {
        self.delivery != Delivery::Whole
    }

    /// Sends it.
    pub fn send(&self, mut stream: impl Read + Write) -> io::Result<()> {
        match self.delivery {
            Delivery::Whole => stream.write_all(&self.octets),
            Delivery::Slow => self.octets.iter().try_for_each(|octet| {
                thread::sleep(Duration::from_secs(1));
                stream.write_all(&[*octet])
            }),
            Delivery::Never => {
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

    fn new(status: u16, headers: &str, body: &str) -> Response {
        let head = format!(
            "HTTP/1.1 {status} {}\r\n{headers}Content-Length: {}\r\nConnection: close\r\nCache-Control: no-store\r\n\r\n",
            phrase(status),
            body.len()
        );
        Response::written(format!("{head}{body}").into_bytes())
    }
}
