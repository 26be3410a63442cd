//! A proxy that is every https server: it answers CONNECT itself, with a certificate of its own authority.
//! For `expired.*` that certificate has expired, and for `wrong.*` it names another host.
#![allow(dead_code)]

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::common::{Folder, Seen, read_request};

/// The proxy, with the file of its authority's certificate and the URLs that were asked for.
pub struct Everywhere {
    port: u16,
    authority: PathBuf,
    stranger: PathBuf,
    asked: Arc<Mutex<Vec<String>>>,
    _folder: Folder,
}

impl Everywhere {
    /// Answers each request with the octets that `answer` gives for its URL.
    pub fn start(name: &str, answer: impl Fn(&str, &Seen) -> Vec<u8> + Send + Sync + 'static) -> Everywhere {
        let folder = Folder::new(name);
        let (issuer, authority) = self::authority(&folder, "authority");
        let (_, stranger) = self::authority(&folder, "stranger");
        let issuer = Arc::new(issuer);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, all) = (Arc::new(answer), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, all, issuer) = (Arc::clone(&answer), Arc::clone(&all), Arc::clone(&issuer));
                thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let connect = read_request(&mut stream).unwrap();
                    assert_eq!(connect.method, "CONNECT");
                    let authority = connect.target.strip_suffix(":443").unwrap_or(&connect.target).to_owned();
                    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
                    let mut tls = accept(stream, &authority, &issuer);
                    // A client that does not trust the certificate goes away here.
                    let Some(seen) = read_request(&mut tls) else { return };
                    let url = format!("https://{authority}{}", seen.target);
                    all.lock().unwrap().push(url.clone());
                    let _ = tls.write_all(&answer(&url, &seen));
                    tls.conn.send_close_notify();
                    let _ = tls.flush();
                });
            }
        });
        Everywhere { port, authority, stranger, asked, _folder: folder }
    }

    /// Lets the command reach everything through this proxy, and trust it.
    pub fn serve(&self, command: &mut Command) {
        self.proxy(command);
        command.env("SSL_CERT_FILE", &self.authority);
    }

    /// Lets the command reach everything through this proxy, and trust another authority.
    pub fn proxy(&self, command: &mut Command) {
        command.env("HTTPS_PROXY", format!("http://127.0.0.1:{}", self.port));
        command.env("SSL_CERT_FILE", &self.stranger);
    }

    /// The URLs that were asked for, and forgets them.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

/// An authority, with the file of its certificate.
fn authority(folder: &Folder, name: &str) -> (Issuer<'static, KeyPair>, PathBuf) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let file = folder.0.join(format!("{name}.pem"));
    std::fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
    (Issuer::new(params, key), file)
}

fn accept(
    stream: TcpStream,
    authority: &str,
    issuer: &Issuer<'static, KeyPair>,
) -> StreamOwned<ServerConnection, TcpStream> {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap(),
        None => authority.split(':').next().unwrap(),
    };
    let key = KeyPair::generate().unwrap();
    let named = if host.starts_with("wrong.") { "another.example" } else { host };
    let mut params = CertificateParams::new(vec![named.to_owned()]).unwrap();
    if host.starts_with("expired.") {
        (params.not_before, params.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1));
    }
    let certificate = params.signed_by(&key, issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
    StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream)
}
