//! The server's connections: a thread each, one request each, all bounded.

use std::io::{self, Read};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use super::response::Response;
use super::{Service, pages};
use crate::document::SIZE;
use crate::wire::request::Head;

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
            Head::Bad(status) => return Ok(Response::written(pages::problem(status, "That is not a request."))),
            Head::Partial => more(&mut octets)?,
        }
    };
    let length = request.header("Content-Length").unwrap_or("0").parse().unwrap_or(usize::MAX);
    if length > SIZE || request.has("Transfer-Encoding") {
        return Ok(Response::written(pages::problem(413, "That is more than a request has.")));
    }
    while octets.len() < head + length {
        more(&mut octets)?;
    }
    Ok(service.respond(&request, octets.get(head..head + length).unwrap_or_default()))
}

/// How long a connection may pause.
const CONNECTION: Duration = Duration::from_secs(10);
