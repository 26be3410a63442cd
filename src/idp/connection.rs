//! One connection: one request and its response, bounded in size and time.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::pages;
use super::response::Response;
use super::router;
use super::service::Service;
use crate::process::Deadline;
use crate::wire::request::Head;

/// A connection that was accepted.
pub struct Connection {
    stream: TcpStream,
    is_working: AtomicBool,
}

impl Connection {
    /// A connection that was accepted now.
    pub fn new(stream: TcpStream) -> Connection {
        Connection { stream, is_working: AtomicBool::new(false) }
    }

    /// Reads a request and sends the response.
    pub fn serve(&self, service: &Service) {
        let Ok(response) = self.response(service) else { return };
        let sent = if response.is_endless() {
            self.is_working.store(false, Ordering::Relaxed);
            self.stream.set_read_timeout(None).and_then(|()| response.send(&self.stream))
        } else {
            response.send(self.until(Deadline::after(TIME)))
        };
        self.is_working.store(false, Ordering::Relaxed);
        if sent.is_ok() && self.stream.shutdown(Shutdown::Write).is_ok() {
            // Closing with unread octets would reset the connection, and the response could be lost.
            let _ = self.until(Deadline::after(TIME)).read(&mut [0; 1024]);
        }
    }

    /// Whether it waits for the client: for the rest of a request, or for the end.
    pub fn is_idle(&self) -> bool {
        !self.is_working.load(Ordering::Relaxed)
    }

    /// Closes it, so that [`Connection::serve`] returns.
    pub fn close(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    fn response(&self, service: &Service) -> io::Result<Response> {
        let mut stream = self.until(Deadline::after(TIME));
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
                Head::Bad(status) => {
                    return Ok(pages::problem(status, "The request is malformed or its header is too large."));
                }
                Head::Partial => more(&mut octets)?,
            }
        };
        let length = request.header("Content-Length").unwrap_or("0").parse().unwrap_or(usize::MAX);
        if length > MAX_BODY || request.has("Transfer-Encoding") {
            return Ok(pages::problem(413, "The request body is too large or its length is unknown."));
        }
        while octets.len() < head + length {
            more(&mut octets)?;
        }
        self.is_working.store(true, Ordering::Relaxed);
        Ok(router::respond(service, &request, octets.get(head..head + length).unwrap_or_default()))
    }

    fn until(&self, deadline: Deadline) -> Until<'_> {
        Until { stream: &self.stream, deadline }
    }
}

/// A stream whose reads and writes all end at one deadline, however slowly the peer goes on.
struct Until<'a> {
    stream: &'a TcpStream,
    deadline: Deadline,
}

impl Until<'_> {
    fn remaining(&self) -> io::Result<Option<Duration>> {
        let remaining = self.deadline.remaining();
        if remaining.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(Some(remaining)) }
    }
}

impl Read for Until<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.remaining()?)?;
        self.stream.read(buffer)
    }
}

impl Write for Until<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.remaining()?)?;
        self.stream.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// How long a client may take to send its request, to read the response, and to close the connection.
const TIME: Duration = Duration::from_secs(10);

/// Maximum size of a body in octets: a request with the longest token that `--fault` can make.
const MAX_BODY: usize = 128 * 1024;
