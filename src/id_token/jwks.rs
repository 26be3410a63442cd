//! The server's public keys: RFC 7517, with RFC 7518 section 6 and RFC 8037 section 2.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::Duration;

use ring::signature::{ED25519, RsaPublicKeyComponents, UnparsedPublicKey};
use serde_json::value::RawValue;

use crate::client::endpoint::Endpoint;
use crate::client::metadata;
use crate::document::{self, Document};
use crate::error::{Error, Kind};
use crate::id_token::jws::{Jws, Scheme, decoded, untrusted};
use crate::message;
use crate::process::Deadline;
use crate::process::named_file::NamedFile;
use crate::wire::http::Client;
use crate::wire::url::Url;

/// The keys that verify signatures: those of a file, or of each server, fetched when needed.
#[derive(Default)]
pub struct Keys {
    file: Option<KeyFile>,
    fetched: HashMap<String, Fetched>,
}

/// A file of keys, which is read once.
struct KeyFile {
    file: NamedFile,
    set: Option<KeySet>,
}

impl Keys {
    /// Only the keys in this file; a pipe is read when the first signature is verified.
    pub fn from_file(path: &Path, deadline: &Deadline) -> Result<Keys, Error> {
        let mut file = KeyFile { file: NamedFile::open(JWKS_OPTION, path)?, set: None };
        if !file.file.is_pipe {
            file.keys(deadline)?;
        }
        Ok(Keys { file: Some(file), ..Keys::default() })
    }

    /// Verifies the token's signature with the keys of the document's server: fetched once, and once more if the token
    /// names an unknown key, since servers rotate their keys.
    pub fn verify(&mut self, document: &Document, jws: &Jws, deadline: &Deadline) -> Result<(), Error> {
        let wrong = |wrong: VerifyError| untrusted(wrong.message());
        if let Some(file) = &mut self.file {
            return file.keys(deadline)?.verify(jws).map_err(wrong);
        }
        let endpoint = Endpoint::from_document(document, "jwks_uri")?;
        let url = endpoint.url();
        let client = Client::new(*deadline);
        if self.fetched.len() >= MAX_SERVERS {
            self.fetched.clear();
        }
        let fetched = match self.fetched.entry(url.as_str().to_owned()) {
            Entry::Occupied(fetched) => fetched.into_mut(),
            Entry::Vacant(place) => place.insert(Fetched { set: fetch(&client, url)?, refetched: false }),
        };
        match fetched.set.verify(jws) {
            Err(VerifyError::UnknownKid) if !fetched.refetched => {
                *fetched = Fetched { set: fetch(&client, url)?, refetched: true };
                fetched.set.verify(jws).map_err(wrong)
            }
            verified => verified.map_err(wrong),
        }
    }
}

impl KeyFile {
    fn keys(&mut self, deadline: &Deadline) -> Result<&KeySet, Error> {
        let set = match self.set.take() {
            Some(set) => set,
            None => {
                let wrong = |wrong: &str| Error::usage(format!("{JWKS_OPTION}: {wrong}"));
                let octets = self.file.read(document::MAX_SIZE, deadline)?;
                let document = Document::parse(&octets).map_err(|reason| wrong(&reason))?;
                let set = KeySet::parse(&document).map_err(wrong)?;
                if document.json("keys") == Some("[]") {
                    return Err(wrong("keys: empty"));
                }
                set
            }
        };
        Ok(self.set.insert(set))
    }
}

struct Fetched {
    set: KeySet,
    /// Whether these were fetched again, since the first ones lacked a key.
    refetched: bool,
}

/// The supported keys of one server.
struct KeySet(Vec<Key>);

/// Why no key verifies a token.
enum VerifyError {
    UnknownKid,
    NoKey,
    BadSignature,
}

impl VerifyError {
    fn message(&self) -> &'static str {
        match self {
            VerifyError::UnknownKid => "kid: no such signing key in the server's JWKS",
            VerifyError::NoKey => "alg: no key for it in the server's JWKS",
            VerifyError::BadSignature => "signature: does not verify with the server's key",
        }
    }
}

impl KeySet {
    /// The keys in a JWK set. Invalid keys, and keys that are not for supported signatures, are ignored (RFC 7517
    /// section 5).
    fn parse(set: &Document) -> Result<KeySet, &'static str> {
        let keys = set.json("keys").ok_or("keys: missing")?;
        let keys: Vec<&RawValue> = serde_json::from_str(keys).map_err(|_| "keys: must be an array")?;
        let keys = keys.into_iter().filter_map(|key| Document::parse(key.get().as_bytes()).ok());
        let keys: Vec<Document> = keys.collect();
        if keys.iter().any(|key| key.has("d")) {
            message::note("JWKS: contains a private key, so anyone can sign tokens");
        }
        Ok(KeySet(keys.iter().filter_map(|key| Key::parse(key).ok().flatten()).collect()))
    }

    fn verify(&self, jws: &Jws) -> Result<(), VerifyError> {
        let named = |key: &&Key| jws.kid.is_none() || key.kid == jws.kid;
        let named: Vec<&Key> = self.0.iter().filter(named).collect();
        if named.is_empty() && jws.kid.is_some() {
            return Err(VerifyError::UnknownKid);
        }
        let fits = |key: &&Key| key.alg.as_deref().is_none_or(|alg| alg == jws.algorithm.name);
        let tried: Vec<bool> = named.into_iter().filter(fits).filter_map(|key| key.public.verifies(jws)).collect();
        if tried.is_empty() {
            return Err(VerifyError::NoKey);
        }
        if tried.contains(&true) { Ok(()) } else { Err(VerifyError::BadSignature) }
    }
}

struct Key {
    kid: Option<String>,
    alg: Option<String>,
    public: Public,
}

enum Public {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    /// The curve and the point.
    Ec(String, Vec<u8>),
    Ed25519(Vec<u8>),
}

impl Key {
    /// The key, if it is for verifying signatures and of a supported type.
    fn parse(key: &Document) -> Result<Option<Key>, Error> {
        let signs = key.text("use")?.is_none_or(|purpose| purpose == "sig");
        let verifies = key.texts("key_ops")?.is_none_or(|operations| operations.iter().any(|name| name == "verify"));
        let octets = |name| Ok(key.text(name)?.and_then(|text| decoded(&text)));
        let curve = key.text("crv")?.unwrap_or_default();
        let public = match (key.need("kty")?.as_str(), curve.as_str()) {
            ("RSA", _) => octets("n")?.zip(octets("e")?).map(|(n, e)| Public::Rsa(RsaPublicKeyComponents { n, e })),
            ("EC", _) => octets("x")?.zip(octets("y")?).map(|(x, y)| Public::Ec(curve, [vec![4], x, y].concat())),
            ("OKP", "Ed25519") => octets("x")?.map(Public::Ed25519),
            _ => None,
        };
        let (kid, alg) = (key.text("kid")?, key.text("alg")?);
        Ok(public.filter(|_| signs && verifies).map(|public| Key { kid, alg, public }))
    }
}

impl Public {
    /// Whether the token was signed with this key; `None` if the key's type does not match the token's algorithm.
    fn verifies(&self, jws: &Jws) -> Option<bool> {
        let (input, signature) = (jws.signing_input.as_bytes(), jws.signature.as_slice());
        let verified = match (self, &jws.algorithm.scheme) {
            (Public::Rsa(key), Scheme::Rsa(parameters)) => key.verify(parameters, input, signature),
            (Public::Ec(curve, point), Scheme::Ec(name, algorithm)) if curve == name => {
                UnparsedPublicKey::new(*algorithm, point).verify(input, signature)
            }
            (Public::Ed25519(key), Scheme::Ed25519) => UnparsedPublicKey::new(&ED25519, key).verify(input, signature),
            _ => return None,
        };
        Some(verified.is_ok())
    }
}

/// Fetches the keys. Tokens are at stake, so a server that does not give them is asked again until the deadline.
fn fetch(client: &Client, url: &Url) -> Result<KeySet, Error> {
    let set = fetched(client, url).map_err(Error::losing_input)?;
    KeySet::parse(&set).map_err(|wrong| Error::untrusted(format!("JWKS: {wrong}")).losing_input())
}

fn fetched(client: &Client, url: &Url) -> Result<Document, Error> {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match client.get(url).and_then(|response| metadata::read("JWKS", &response)) {
            Err(error) if matches!(error.kind(), Kind::Unavailable | Kind::Refused) => error.as_unavailable(),
            read => return read,
        };
        if pause == FIRST_PAUSE && io::stderr().is_terminal() {
            message::note(&format!("{}; retrying", error.message()));
        }
        if !client.pause(pause) {
            return Err(error);
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

const JWKS_OPTION: &str = "--jwks";

/// Maximum number of servers with cached keys in one run; beyond it, the cache is cleared.
const MAX_SERVERS: usize = 16;

/// The pause before the first retry; it doubles with each retry, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
