//! The server: it listens on loopback and serves each connection in a thread of its own.

use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::connection::Connection;
use super::endpoints::metadata;
use super::service::Service;
use super::setup::Setup;
use super::state::clients::{CLIENT_ID, is_redirect_uri};
use crate::document::Document;
use crate::error::Error;
use crate::message;

/// A server that listens, and does not serve yet.
pub struct Idp {
    listener: TcpListener,
    service: Service,
}

impl Idp {
    /// Listens on loopback, with new keys.
    pub fn bind(setup: Setup) -> Result<Idp, Error> {
        let path = &setup.issuer_path;
        let whole = path.is_empty() || (path.starts_with('/') && path.bytes().all(|octet| octet.is_ascii_graphic()));
        if !whole || path.contains(['?', '#']) {
            return Err(Error::usage("--issuer-path: must be a path that begins with /"));
        }
        if !setup.redirect_uris.iter().all(|uri| is_redirect_uri(uri)) {
            return Err(Error::usage("--redirect-uri: must be an absolute URI without a fragment"));
        }
        let listener = TcpListener::bind(("127.0.0.1", setup.port));
        let bound = listener.and_then(|listener| {
            // The standard library's 128 are less than a test may open at once; who finds no place tries again after a second.
            rustix::net::listen(&listener, BACKLOG)?;
            Ok((listener.local_addr()?.port(), listener))
        });
        let (port, listener) = bound
            .map_err(|error| Error::unavailable(format!("127.0.0.1:{}: {}", setup.port, message::reason(&error))))?;
        Ok(Idp { listener, service: Service::new(setup, port)? })
    }

    /// The issuer, a URL.
    pub fn issuer(&self) -> &str {
        &self.service.issuer
    }

    /// Whether everyone is signed in and consents without being asked.
    pub fn auto_approves(&self) -> bool {
        self.service.auto_approve
    }

    /// What a client must know: the metadata, a `client_id`, a `redirect_uri`.
    pub fn document(&self) -> Result<Document, Error> {
        let metadata = metadata::metadata(&self.service).to_string();
        let mut document = Document::parse(metadata.as_bytes()).map_err(Error::usage)?;
        document.set("client_id", CLIENT_ID);
        document.set("redirect_uri", "http://127.0.0.1:0/callback");
        Ok(document)
    }

    /// Serves until the process ends.
    pub fn serve(&self) -> ! {
        let connections = Connections::default();
        thread::scope(|scope| {
            loop {
                match self.listener.accept() {
                    Ok((stream, _)) => {
                        // Dropped with the thread, whether it ran or could not be created.
                        let admitted = connections.admit(stream);
                        let serve = move || admitted.connection.serve(&self.service);
                        drop(thread::Builder::new().spawn_scoped(scope, serve));
                    }
                    // Out of descriptors: some connection ends soon.
                    Err(_) => thread::sleep(Duration::from_millis(10)),
                }
            }
        })
    }
}

/// The connections that are served now, the oldest first; each has a thread.
#[derive(Default)]
struct Connections {
    open: Mutex<Vec<Arc<Connection>>>,
    one_ended: Condvar,
}

impl Connections {
    /// Waits for room. To make it, a connection is closed whose response is sent, else the oldest whose request is late.
    fn admit(&self, stream: TcpStream) -> Admitted<'_> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        while open.len() >= MAX_CONNECTIONS {
            let is_made = open.iter().any(|connection| connection.close_after_response());
            let _ = is_made || open.iter().any(|connection| connection.turn_away());
            let (still, _) = self.one_ended.wait_timeout(open, RETRY).unwrap_or_else(PoisonError::into_inner);
            open = still;
        }
        let connection = Arc::new(Connection::new(stream));
        open.push(Arc::clone(&connection));
        Admitted { connection, connections: self }
    }
}

/// A connection that makes room for another when it ends.
struct Admitted<'a> {
    connection: Arc<Connection>,
    connections: &'a Connections,
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|other| !Arc::ptr_eq(other, &self.connection));
        self.connections.one_ended.notify_one();
    }
}

/// How many connections are served at once: more than the hundred logins at once that a test may make, and few enough
/// for the descriptors and threads of a process.
const MAX_CONNECTIONS: usize = 128;

/// How many connections wait to be accepted, if the system allows so many.
const BACKLOG: i32 = 4096;

/// How soon the server looks again which connection can be closed.
const RETRY: Duration = Duration::from_millis(10);
