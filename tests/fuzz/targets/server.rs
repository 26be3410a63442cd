//! A server on loopback in a thread of its own, which sends the response of the test at hand to whoever asks.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Mutex, OnceLock};

static RESPONSE: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// The port of the server, which sends this response from now on.
pub fn serving(response: Vec<u8>) -> u16 {
    static PORT: OnceLock<u16> = OnceLock::new();
    *RESPONSE.lock().expect("no panic holds it") = response;
    *PORT.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        std::thread::spawn(move || listener.incoming().flatten().for_each(respond));
        port
    })
}

/// A response whose status, media type and coding are chosen by an octet each.
pub fn response(choice: [u8; 3], body: &[u8]) -> Vec<u8> {
    let status = [200, 200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 429, 500, 503][usize::from(choice[0]) % 14];
    let media_type = ["application/json", "application/json", "text/html", "application/x-www-form-urlencoded"];
    let coding = ["identity", "identity", "gzip", "deflate", "br"][usize::from(choice[2]) % 5];
    let mut response = format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: {}\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        media_type[usize::from(choice[1]) % 4],
        body.len(),
    );
    if coding == "identity" {
        response = response.replace("Content-Encoding: identity\r\n", "");
    }
    [response.as_bytes(), body].concat()
}

fn respond(mut connection: TcpStream) {
    let mut request = Vec::new();
    let mut octets = [0; 4096];
    while !is_whole(&request) {
        match connection.read(&mut octets) {
            Ok(length) if length > 0 => request.extend_from_slice(&octets[..length]),
            _ => return,
        }
    }
    let response = RESPONSE.lock().expect("no panic holds it").clone();
    let _ = connection.write_all(&response);
}

/// Whether head and body are there.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}
