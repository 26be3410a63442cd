//! Certificates for tests: an authority that signs them, and a proxy that stands for every https server.
#![allow(dead_code)]

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use super::common::{Request, listen, new_directory, read_request};

/// A certificate authority, and its own certificate: in a file, and in a directory as OpenSSL names files there.
pub struct Authority {
    pub issuer: Arc<Issuer<'static, KeyPair>>,
    directory: TempDir,
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let directory = new_directory();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.self_signed(&key).unwrap().pem();
        std::fs::create_dir(directory.path().join("certs")).unwrap();
        std::fs::write(directory.path().join("certs/0123abcd.0"), &pem).unwrap();
        std::fs::write(directory.path().join("authority.pem"), &pem).unwrap();
        Authority { issuer: Arc::new(Issuer::new(params, key)), directory }
    }

    /// The file for `SSL_CERT_FILE`.
    pub fn file(&self) -> PathBuf {
        self.directory.path().join("authority.pem")
    }

    /// The directory for `SSL_CERT_DIR`.
    pub fn certs(&self) -> PathBuf {
        self.directory.path().join("certs")
    }
}

/// The settings of a TLS server with this certificate, signed by the issuer, or by itself without one.
pub fn server_config(issuer: Option<&Issuer<'_, KeyPair>>, params: &CertificateParams) -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let certificate = match issuer {
        Some(issuer) => params.signed_by(&key, issuer).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap())
}

/// The certificate of a host: for `expired.*` it has expired, and for `wrong.*` it names another host.
fn certificate_of(host: &str) -> CertificateParams {
    let named = if host.starts_with("wrong.") { "another.example" } else { host };
    let mut params = CertificateParams::new(vec![named.to_owned()]).unwrap();
    if host.starts_with("expired.") {
        (params.not_before, params.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1));
    }
    params
}

/// A proxy that ends CONNECT itself, with a certificate of its own authority, and records the URLs requested.
pub struct HttpsProxy {
    port: u16,
    authority: Authority,
    stranger: Authority,
    requested: Arc<Mutex<Vec<String>>>,
}

impl HttpsProxy {
    /// Responds to each request with the octets that `response` returns for its URL.
    pub fn start(response: impl Fn(&str, &Request) -> Vec<u8> + Send + Sync + 'static) -> HttpsProxy {
        let (authority, stranger) = (Authority::new("authority"), Authority::new("stranger"));
        let (listener, port) = listen();
        let requested = Arc::new(Mutex::new(Vec::new()));
        let (response, all, issuer) = (Arc::new(response), Arc::clone(&requested), Arc::clone(&authority.issuer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (response, all, issuer) = (Arc::clone(&response), Arc::clone(&all), Arc::clone(&issuer));
                thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let connect = read_request(&mut stream).unwrap();
                    assert_eq!(connect.method, "CONNECT");
                    let authority = connect.target.strip_suffix(":443").unwrap_or(&connect.target).to_owned();
                    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
                    let host = match authority.strip_prefix('[') {
                        Some(rest) => rest.split(']').next().unwrap(),
                        None => authority.split(':').next().unwrap(),
                    };
                    let config = server_config(Some(&issuer), &certificate_of(host));
                    let mut tls = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
                    // A client that does not trust the certificate goes away here.
                    let Some(seen) = read_request(&mut tls) else { return };
                    let url = format!("https://{authority}{}", seen.target);
                    all.lock().unwrap().push(url.clone());
                    let _ = tls.write_all(&response(&url, &seen));
                    tls.conn.send_close_notify();
                    let _ = tls.flush();
                });
            }
        });
        HttpsProxy { port, authority, stranger, requested }
    }

    /// Lets the command reach everything through this proxy, and trust it.
    pub fn trusted_by(&self, command: &mut Command) {
        self.untrusted_by(command);
        command.env("SSL_CERT_FILE", self.authority.file());
    }

    /// Lets the command reach everything through this proxy, and trust another authority.
    pub fn untrusted_by(&self, command: &mut Command) {
        command.env("HTTPS_PROXY", format!("http://127.0.0.1:{}", self.port));
        command.env("SSL_CERT_FILE", self.stranger.file());
    }

    /// The URLs requested since the last call.
    pub fn requested(&self) -> Vec<String> {
        std::mem::take(&mut self.requested.lock().unwrap())
    }
}
