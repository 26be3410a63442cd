//! The certificates to trust: those that the environment names, else the system's.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::{env, fs};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_native_certs::{CertificateResult, ErrorKind, load_certs_from_paths, load_native_certs};
use ureq::tls::Certificate;

use crate::error::Error;
use crate::message;
use crate::process::environment;

/// Certificates as a client takes them.
pub type Roots = Arc<Vec<Certificate<'static>>>;

/// What is loaded once per process.
struct Loaded {
    certificates: Vec<CertificateDer<'static>>,
    /// The directories that were not read, since a file has certificates.
    unread: Option<OsString>,
}

/// The trusted certificates, without those in directories where a file is named too, unless [`more`] has read them.
pub fn roots() -> Result<Roots, Error> {
    match ALL.get() {
        Some(all) => Ok(shared(all)),
        None => loaded().map(|loaded| shared(&loaded.certificates)),
    }
}

/// The trusted certificates with those in directories, if these are read only now and make more.
pub fn more() -> Option<Roots> {
    let Loaded { certificates, unread } = loaded().ok()?;
    let unread = unread.as_deref().filter(|_| ALL.get().is_none())?;
    let all = ALL.get_or_init(|| {
        let others = in_directories(unread).unwrap_or_default();
        distinct(certificates.iter().cloned().chain(others).collect())
    });
    if all.len() > certificates.len() { Some(shared(all)) } else { None }
}

/// Fails if the environment names certificates and none can be loaded: status 2. The system's are not loaded yet.
pub fn check() -> Result<(), Error> {
    if is_named() {
        loaded()?;
    }
    Ok(())
}

fn loaded() -> Result<&'static Loaded, Error> {
    static LOADED: OnceLock<Loaded> = OnceLock::new();
    if let Some(loaded) = LOADED.get() {
        return Ok(loaded);
    }
    let loaded = if is_named() { named()? } else { Loaded { certificates: system()?, unread: None } };
    Ok(LOADED.get_or_init(|| loaded))
}

fn shared(certificates: &'static [CertificateDer<'static>]) -> Roots {
    Arc::new(certificates.iter().map(|der| Certificate::from_der(der)).collect())
}

fn is_named() -> bool {
    [FILE, DIRECTORY].into_iter().any(|name| environment::os_variable(name).is_some())
}

/// The certificates in the places that the environment names; a note for a place without one.
fn named() -> Result<Loaded, Error> {
    let file = environment::os_variable(FILE);
    let file = file.map(|path| (format!("{FILE}: {}", path.display()), in_file(path.as_ref())));
    let list = environment::os_variable(DIRECTORY);
    // A directory often contains the certificates of the file, and takes several times as long to read.
    let (unread, list) = match list {
        Some(list) if file.as_ref().is_some_and(|(_, found)| found.is_ok()) && has_any(&list) => (Some(list), None),
        list => (None, list),
    };
    let directories = list.map(|list| (format!("{DIRECTORY}: {}", list.display()), in_directories(&list)));
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
    Ok(Loaded { certificates: distinct(certificates), unread })
}

/// Without duplicates, since each request would parse them again.
fn distinct(mut certificates: Vec<CertificateDer<'static>>) -> Vec<CertificateDer<'static>> {
    certificates.sort_unstable_by(|a, b| a.cmp(b));
    certificates.dedup();
    certificates
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
    usable(directories(list).map(|directory| load_certs_from_paths(None, Some(&directory))))
}

/// Whether one of the directories has a certificate; nothing beyond the first is read.
fn has_any(list: &OsStr) -> bool {
    let files = directories(list).filter_map(|directory| fs::read_dir(directory).ok()).flatten();
    let files = files.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file());
    let certificates = files.filter_map(|path| CertificateDer::pem_file_iter(path).ok()).flatten();
    certificates.filter_map(Result::ok).any(|der| is_anchor(&der))
}

fn directories(list: &OsStr) -> impl Iterator<Item = PathBuf> {
    env::split_paths(list).filter(|directory| !directory.as_os_str().is_empty())
}

/// The certificates, if one of them can be a trust anchor (others are passed over by TLS); else why there is none.
fn usable(loaded: impl IntoIterator<Item = CertificateResult>) -> Result<Vec<CertificateDer<'static>>, String> {
    let (mut certificates, mut reason) = (Vec::new(), None);
    for CertificateResult { certs, errors, .. } in loaded {
        certificates.extend(certs);
        reason = reason.or_else(|| {
            errors.iter().find_map(|error| match &error.kind {
                ErrorKind::Io { inner, .. } => Some(message::reason(inner)),
                _ => None,
            })
        });
    }
    if certificates.iter().any(is_anchor) {
        return Ok(certificates);
    }
    Err(reason.unwrap_or_else(|| "no certificates found".to_owned()))
}

fn is_anchor(der: &CertificateDer) -> bool {
    RootCertStore::empty().add(CertificateDer::from(der.as_ref())).is_ok()
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

/// The certificates of the file and the directories, once both are read.
static ALL: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();

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
