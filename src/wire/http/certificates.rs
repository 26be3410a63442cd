//! The certificates to trust: those that the environment names, else the system's.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::{env, fs};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls_native_certs::{CertificateResult, ErrorKind, load_certs_from_paths, load_native_certs};
use ureq::tls::Certificate;

use crate::error::Error;
use crate::message;
use crate::process::environment;

/// The trusted certificates, loaded once per process.
pub fn roots() -> Result<Arc<Vec<Certificate<'static>>>, Error> {
    static ROOTS: OnceLock<Arc<Vec<Certificate<'static>>>> = OnceLock::new();
    if let Some(roots) = ROOTS.get() {
        return Ok(Arc::clone(roots));
    }
    let certificates = if is_named() { named()? } else { system()? };
    let roots = certificates.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    Ok(Arc::clone(ROOTS.get_or_init(|| Arc::new(roots))))
}

/// Fails if the environment names certificates and none can be loaded: status 2. The system's are not loaded yet.
pub fn check() -> Result<(), Error> {
    if is_named() {
        roots()?;
    }
    Ok(())
}

fn is_named() -> bool {
    [FILE, DIRECTORY].into_iter().any(|name| environment::os_variable(name).is_some())
}

/// The certificates in the places that the environment names; a note for a place without one.
fn named() -> Result<Vec<CertificateDer<'static>>, Error> {
    let file = environment::os_variable(FILE);
    let file = file.map(|path| (format!("{FILE}: {}", path.display()), in_file(path.as_ref())));
    let directories = environment::os_variable(DIRECTORY);
    let directories = directories.map(|list| (format!("{DIRECTORY}: {}", list.display()), in_directories(&list)));
    let mut certificates = Vec::new();
    let mut wrong = Vec::new();
    for (name, found) in file.into_iter().chain(directories) {
        match found {
            Ok(found) => certificates.extend(found),
            Err(reason) => wrong.push(format!("{name}: {reason}")),
        }
    }
    if certificates.is_empty() {
        return Err(Error::usage(wrong.join("; ")).hint(HINT));
    }
    for wrong in wrong {
        message::note(&wrong);
    }
    // A directory often contains the certificates of the bundle, and each request would parse them again.
    certificates.sort_unstable_by(|a, b| a.cmp(b));
    certificates.dedup();
    Ok(certificates)
}

fn in_file(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let metadata = fs::metadata(path).map_err(|error| message::reason(&error))?;
    // Reading a FIFO, a device or a file of the kernel's (of size 0) might never end.
    match metadata.len() {
        _ if !metadata.is_file() => return Err("not a regular file".to_owned()),
        0 => return Err("no certificates found".to_owned()),
        1..=MAX_SIZE => {}
        _ => return Err("larger than 16 MiB".to_owned()),
    }
    usable([load_certs_from_paths(Some(path), None)])
        .map_err(|reason| if is_der(path) { DER.to_owned() } else { reason })
}

/// Whether the file begins as a certificate in DER does, which is no PEM: a sequence whose length has two octets.
fn is_der(path: &Path) -> bool {
    let mut start = [0; 2];
    File::open(path).is_ok_and(|mut file| file.read_exact(&mut start).is_ok() && start == [0x30, 0x82])
}

fn in_directories(list: &OsStr) -> Result<Vec<CertificateDer<'static>>, String> {
    let directories = env::split_paths(list).filter(|directory| !directory.as_os_str().is_empty());
    usable(directories.map(|directory| load_certs_from_paths(None, Some(&directory))))
}

/// The certificates that can be trust anchors; if there is none, why.
fn usable(loaded: impl IntoIterator<Item = CertificateResult>) -> Result<Vec<CertificateDer<'static>>, String> {
    let (mut certificates, mut reason) = (Vec::new(), None);
    for CertificateResult { certs, errors, .. } in loaded {
        let is_anchor = |der: &CertificateDer| RootCertStore::empty().add(der.clone()).is_ok();
        certificates.extend(certs.into_iter().filter(is_anchor));
        reason = reason.or_else(|| {
            errors.iter().find_map(|error| match &error.kind {
                ErrorKind::Io { inner, .. } => Some(message::reason(inner)),
                _ => None,
            })
        });
    }
    if certificates.is_empty() {
        return Err(reason.unwrap_or_else(|| "no certificates found".to_owned()));
    }
    Ok(certificates)
}

/// The certificates of the first bundle found (reading the directory of single files too would take ten times as long).
fn system() -> Result<Vec<CertificateDer<'static>>, Error> {
    let loaded = match BUNDLES.iter().map(Path::new).find(|path| path.is_file()) {
        Some(bundle) => load_certs_from_paths(Some(bundle), None),
        None => load_native_certs(),
    };
    if loaded.certs.is_empty() {
        let error = Error::unavailable("no trusted certificates found");
        return Err(error.hint("install ca-certificates, or set SSL_CERT_FILE"));
    }
    Ok(loaded.certs)
}

const FILE: &str = "SSL_CERT_FILE";

const DIRECTORY: &str = "SSL_CERT_DIR";

/// What is wrong with a certificate in DER.
const DER: &str = "not PEM but DER; convert it with: openssl x509 -inform DER -in FILE -out FILE.pem";

const HINT: &str = "name PEM files with the certificates to trust, or unset it to trust the system's";

/// Maximum size of a bundle in octets: some fifty times that of a system's.
const MAX_SIZE: u64 = 16 * 1024 * 1024;

/// Where systems store all certificates in one file.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
