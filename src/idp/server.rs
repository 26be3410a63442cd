//! The server: it listens on loopback and serves each connection in a thread of its own.

use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use super::connection;
use super::endpoints::metadata;
use super::service::Service;
use super::setup::Setup;
use super::state::clients::CLIENT_ID;
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
        let listener = TcpListener::bind(("127.0.0.1", setup.port));
        let bound = listener.and_then(|listener| Ok((listener.local_addr()?.port(), listener)));
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
        thread::scope(|scope| {
            loop {
                match self.listener.accept() {
                    Ok((stream, _)) => {
                        let serve = move || connection::serve(stream, &self.service);
                        drop(thread::Builder::new().spawn_scoped(scope, serve));
                    }
                    // Out of descriptors: some connection ends soon.
                    Err(_) => thread::sleep(Duration::from_millis(10)),
                }
            }
        })
    }
}
