//! One connection: one request and its response, bounded in size and time.

use std::io::{self, Read};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::pages;
use super::response::Response;
use super::router;
use super::service::Service;
use crate::document::MAX_SIZE;
use crate::wire::request::Head;

/// Reads a request and sends the response.
pub fn serve(mut stream: TcpStream, service: &Service) {
    let _ = stream.set_read_timeout(Some(PAUSE));
    let _ = stream.set_write_timeout(Some(PAUSE));
    let Ok(response) = response(&mut stream, service) else { return };
    if response.send(&mut stream).is_ok() && stream.shutdown(Shutdown::Write).is_ok() {
        let _ = stream.read(&mut [0; 1024]);
    }
}

fn response(stream: &mut TcpStream, service: &Service) -> io::Result<Response> {
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
    if length > MAX_SIZE || request.has("Transfer-Encoding") {
        return Ok(pages::problem(413, "The request body is too large or its length is unknown."));
    }
    while octets.len() < head + length {
        more(&mut octets)?;
    }
    Ok(router::respond(service, &request, octets.get(head..head + length).unwrap_or_default()))
}

/// How long a connection may pause.
const PAUSE: Duration = Duration::from_secs(10);
