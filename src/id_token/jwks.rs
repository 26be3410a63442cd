//! The set of a server's public keys: RFC 7517 section 5.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::Duration;

use serde_json::value::RawValue;

use crate::client::endpoint::Endpoint;
use crate::client::metadata;
use crate::client::redaction::without_secrets;
use crate::document::{self, Document};
use crate::error::{Error, Kind};
use crate::id_token::jws::{Jws, untrusted};
use crate::id_token::key::{Key, Wrong};
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
        let wrong = |wrong: VerifyError| wrong.error(document, jws);
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

/// The keys of one server.
struct KeySet(Vec<Key>);

/// Why no key verifies a token.
enum VerifyError {
    UnknownKid,
    NoKey,
    /// The key that fits best does not verify it: its ID, and why.
    Key(Option<String>, Wrong),
}

impl VerifyError {
    /// The error: it names the key and what is wrong with it in the server's words, without the document's secrets.
    fn error(&self, document: &Document, jws: &Jws) -> Error {
        let (kid, wrong) = match self {
            VerifyError::UnknownKid => return untrusted("kid: no such signing key in the server's JWKS"),
            VerifyError::NoKey => return untrusted("alg: no key for it in the server's JWKS"),
            VerifyError::Key(kid, wrong) => (kid, wrong),
        };
        let said = |text: &str| message::shortened(&without_secrets(text, document));
        let key = match kid.as_deref() {
            Some(kid) if !kid.is_empty() => format!("the server's key {}", said(kid)),
            _ => "the server's key".to_owned(),
        };
        let alg = jws.algorithm.name;
        untrusted(&match wrong {
            Wrong::Malformed(wrong) | Wrong::Invalid(wrong) => format!("{key} is not valid: {wrong}"),
            Wrong::NotForSignatures => format!("{key}: not for signatures (use, key_ops)"),
            Wrong::OtherKind(kind) => format!("{key}: its kind {} is not for {alg}", said(kind)),
            Wrong::OtherAlgorithm(other) => format!("{key}: its alg {} differs from the token's, {alg}", said(other)),
            Wrong::BadSignature => "signature: does not verify with the server's key".to_owned(),
            Wrong::NotSupported(kind) => format!("{key}: its kind {} is not supported", said(kind)),
        })
    }
}

impl KeySet {
    /// The keys in a JWK set. What is no key at all is ignored (RFC 7517 section 5).
    fn parse(set: &Document) -> Result<KeySet, &'static str> {
        let keys = set.json("keys").ok_or("keys: missing")?;
        let keys: Vec<&RawValue> = serde_json::from_str(keys).map_err(|_| "keys: must be an array")?;
        let keys = keys.into_iter().filter_map(|key| Document::parse(key.get().as_bytes()).ok());
        let keys: Vec<Key> = keys.map(Key::new).collect();
        if keys.iter().any(Key::is_private) {
            message::note("JWKS: contains a private key, so anyone can sign tokens");
        }
        Ok(KeySet(keys))
    }

    /// Verifies the token with the keys that it names, or with all; one that cannot be used stops no other.
    fn verify(&self, jws: &Jws) -> Result<(), VerifyError> {
        let candidates = self.0.iter().filter(|key| jws.kid.is_none() || key.kid == jws.kid);
        let mut wrong = Vec::new();
        for key in candidates {
            match key.verify(jws) {
                Ok(()) => return Ok(()),
                Err(reason) => wrong.push((reason, key.kid.clone())),
            }
        }
        // Of several keys that do not fit the token's algorithm, none is the token's.
        let is_only = jws.kid.is_some() || wrong.len() == 1;
        match wrong.into_iter().max() {
            Some((reason, kid)) if is_only || reason >= Wrong::BadSignature => Err(VerifyError::Key(kid, reason)),
            None if jws.kid.is_some() => Err(VerifyError::UnknownKid),
            _ => Err(VerifyError::NoKey),
        }
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
