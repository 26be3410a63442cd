//! Why a server cannot be trusted: failures of TLS (RFC 8446), and of its certificate (RFC 5280).

use std::net::IpAddr;

use rustls::{CertificateError, Error as Tls, InvalidMessage};

use crate::error::Error;
use crate::wire::url::Url;

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
            let names: Vec<&str> = presented.iter().map(|name| bare(name)).collect();
            untrusted("the certificate's names").mismatch(&expected.to_str(), &names.join(", "))
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

/// The name in `DnsName("localhost")` or `IpAddress(127.0.0.1)`.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"')
}

/// The command that makes a certificate for this host that servers can use and clients can trust.
fn command(host: &str) -> String {
    let address = host.trim_matches(['[', ']']);
    let kind = if address.parse::<IpAddr>().is_ok() { "IP" } else { "DNS" };
    format!(
        "make another: openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN={address} \
         -addext subjectAltName={kind}:{address} -addext basicConstraints=critical,CA:FALSE"
    )
}

const TRUST: &str = "set SSL_CERT_FILE to a file with the certificates to trust";

const CLOCK: &str = "if it should be valid, check this machine's clock";
