//! One connection: one request and its response, bounded in size and time.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::pages;
use super::response::Response;
use super::router;
use super::service::Service;
use crate::process::Deadline;
use crate::wire::request::Head;

/// A connection that was accepted.
pub struct Connection {
    stream: TcpStream,
    phase: Mutex<Phase>,
}

/// What a connection is about to do.
#[derive(Clone, Copy)]
enum Phase {
    /// It waits for the request, since then.
    Receive(Instant),
    /// It responds.
    Respond,
    /// It has sent the response, or sends one without end.
    End,
    /// It was closed to make room, before its request was there.
    TurnedAway,
}

impl Connection {
    /// A connection that was accepted now.
    pub fn new(stream: TcpStream) -> Connection {
        Connection { stream, phase: Mutex::new(Phase::Receive(Instant::now())) }
    }

    /// Reads a request and sends the response.
    pub fn serve(&self, service: &Service) {
        let response = match self.response(service) {
            Ok(response) => response,
            Err(_) if self.is_turned_away() => pages::problem(503, "The server has too many connections. Try again."),
            Err(_) => return,
        };
        let sent = if response.is_endless() {
            self.enter(Phase::End);
            self.stream.set_read_timeout(None).and_then(|()| response.send(&self.stream))
        } else {
            response.send(self.until(Deadline::after(TIME)))
        };
        self.enter(Phase::End);
        if sent.is_ok() && self.stream.shutdown(Shutdown::Write).is_ok() {
            // Closing with unread octets would reset the connection, and the response could be lost.
            let _ = self.until(Deadline::after(TIME)).read(&mut [0; 1024]);
        }
    }

    /// Closes it, so that [`Connection::serve`] returns, if its response is sent; returns whether it is.
    pub fn close_after_response(&self) -> bool {
        let is_sent = matches!(*self.phase(), Phase::End);
        if is_sent {
            let _ = self.stream.shutdown(Shutdown::Both);
        }
        is_sent
    }

    /// Turns it away if its request is late; returns whether it is turned away, now or before.
    pub fn turn_away(&self) -> bool {
        let mut phase = self.phase();
        if matches!(*phase, Phase::Receive(since) if since.elapsed() > PATIENCE) {
            *phase = Phase::TurnedAway;
            let _ = self.stream.shutdown(Shutdown::Read);
        }
        matches!(*phase, Phase::TurnedAway)
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
        self.enter(Phase::Respond);
        Ok(router::respond(service, &request, octets.get(head..head + length).unwrap_or_default()))
    }

    fn is_turned_away(&self) -> bool {
        matches!(*self.phase(), Phase::TurnedAway)
    }

    fn enter(&self, phase: Phase) {
        *self.phase() = phase;
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
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

/// How late a request may be where others need the room: on a busy machine, a client is slow.
const PATIENCE: Duration = Duration::from_secs(1);

/// Maximum size of a body in octets: a request with the longest token that `--fault` can make.
const MAX_BODY: usize = 128 * 1024;
