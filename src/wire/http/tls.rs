//! Why a server cannot be trusted: failures of TLS (RFC 8446), and of its certificate (RFC 5280).

use std::net::IpAddr;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, KeyProvider, ring};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;
use rustls::{CertificateError, Error as Tls, InvalidMessage};

use crate::error::Error;
use crate::wire::url::Url;

/// All of ring's algorithms, but no keys of ours: what signs with one is left out of the binaries.
pub fn provider() -> CryptoProvider {
    CryptoProvider { key_provider: &NoKeys, ..ring::default_provider() }
}

/// The keys of a client that has no certificate.
#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Tls> {
        Err(Tls::General("not supported: a certificate of the client".to_owned()))
    }
}

/// The failure of TLS that is the cause of this one, if any.
pub fn cause(failed: &ureq::Error) -> Option<&Tls> {
    match failed {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error.get_ref().and_then(|inner| inner.downcast_ref()),
        _ => None,
    }
}

/// Whether the certificate was rejected, so that nothing was sent.
pub fn is_rejection(failed: &ureq::Error) -> bool {
    let of_issuer = [CertificateError::UnknownIssuer, CertificateError::BadSignature];
    matches!(cause(failed), Some(Tls::InvalidCertificate(wrong)) if of_issuer.contains(wrong))
}

/// The error of a connection to the server of this URL.
pub fn error(error: &Tls, url: &Url) -> Error {
    let untrusted = |wrong: &str| Error::untrusted(format!("TLS: {wrong}"));
    let certificate = match error {
        Tls::InvalidCertificate(certificate) => certificate,
        Tls::InvalidMessage(InvalidMessage::InvalidContentType) => {
            return untrusted("the response is not TLS (plain http on this port?)");
        }
        error => return untrusted(&error.to_string()),
    };
    match certificate {
        CertificateError::UnknownIssuer => {
            untrusted("the certificate is self-signed, or its issuer is not trusted").hint(TRUST)
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names: Vec<&str> = presented.iter().filter_map(|name| bare(name)).collect();
            untrusted("the certificate's names").mismatch(&expected.to_str(), &names.join(", "))
        }
        CertificateError::BadSignature => {
            untrusted("the certificate was not signed by the trusted one of that name").hint(TRUST)
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            untrusted("the certificate has expired").hint(CLOCK)
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            untrusted("the certificate is not valid yet").hint(CLOCK)
        }
        CertificateError::Other(other) if other.0.to_string() == "CaUsedAsEndEntity" => {
            untrusted("the server's own certificate is that of an authority (CA:TRUE)").hint(command(url.host()))
        }
        certificate => untrusted(&format!("the certificate: {certificate}")),
    }
}

/// The name in `DnsName("localhost")` or `IpAddress(127.0.0.1)`; other kinds are not a server's.
fn bare(name: &str) -> Option<&str> {
    let (kind, rest) = name.split_once('(')?;
    let inner = rest.strip_suffix(')').filter(|_| ["DnsName", "IpAddress"].contains(&kind))?;
    Some(inner.trim_matches('"'))
}

/// The command that makes a certificate for this host that servers can use and clients can trust.
fn command(host: &str) -> String {
    let address = host.trim_matches(['[', ']']);
    let kind = if address.parse::<IpAddr>().is_ok() { "IP" } else { "DNS" };
    format!(
        "make another: openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN={address} \
         -addext subjectAltName={kind}:{address} -addext basicConstraints=critical,CA:FALSE; then set SSL_CERT_FILE to \
         cert.pem"
    )
}

/// What to do about an issuer that is not trusted.
pub const TRUST: &str = "set SSL_CERT_FILE to a file with the certificates to trust";

const CLOCK: &str = "if it should be valid, check this machine's clock";
