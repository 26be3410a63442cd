//! The set of a server's public keys: RFC 7517 section 5.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::Duration;

use serde_json::value::RawValue;

use crate::client::endpoint::Endpoint;
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
        if let Some(file) = &mut self.file {
            let keys = file.keys(deadline)?;
            return keys.verify(jws).map_err(|wrong| wrong.error(document, jws, Source::File));
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
        let verified = match fetched.set.verify(jws) {
            Err(VerifyError::UnknownKid(_)) if !fetched.refetched => {
                *fetched = Fetched { set: fetch(&client, url)?, refetched: true };
                fetched.set.verify(jws)
            }
            verified => verified,
        };
        verified.map_err(|wrong| match wrong {
            VerifyError::UnknownKid(_) | VerifyError::NoKey if fetched.set.is_empty => no_set(EMPTY),
            wrong => wrong.error(document, jws, Source::Server),
        })
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
                let set = KeySet::parse(&document, JWKS_OPTION).map_err(wrong)?;
                if set.is_empty {
                    return Err(wrong(EMPTY));
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
struct KeySet {
    keys: Vec<Key>,
    /// Whether nothing is there, not even what is no key.
    is_empty: bool,
}

/// Where keys come from, in the words of the messages.
#[derive(Clone, Copy)]
enum Source {
    File,
    Server,
}

impl Source {
    fn set(self) -> &'static str {
        match self {
            Source::File => JWKS_OPTION,
            Source::Server => "the server's JWKS",
        }
    }

    /// A key, by its ID if it has one.
    fn key(self, kid: &str) -> String {
        let kid = if kid.is_empty() { String::new() } else { format!(" {kid}") };
        match self {
            Source::File => format!("the key{kid} of {JWKS_OPTION}"),
            Source::Server => format!("the server's key{kid}"),
        }
    }
}

/// Why no key verifies a token.
enum VerifyError {
    /// There is no key with the ID that the token names, but with these, as a list.
    UnknownKid(String),
    NoKey,
    /// The key that fits best does not verify it: its ID, and why.
    Key(Option<String>, Wrong),
}

impl VerifyError {
    /// The error: it names the key and what is wrong with it in the server's words, without the document's secrets.
    fn error(&self, document: &Document, jws: &Jws, source: Source) -> Error {
        let said = |text: &str| message::public(&without_secrets(text, document));
        let (kid, wrong) = match self {
            VerifyError::UnknownKid(kids) => {
                let error = untrusted(&format!("kid: no such signing key in {}", source.set()));
                let [kids, kid] = [kids, jws.header.kid.as_deref().unwrap_or_default()].map(said);
                return error.mismatch(&kids, &kid);
            }
            VerifyError::NoKey => {
                return untrusted(&format!("alg: no key for {} in {}", jws.algorithm().name, source.set()));
            }
            VerifyError::Key(kid, wrong) => (kid, wrong),
        };
        let key = source.key(&said(kid.as_deref().unwrap_or_default()));
        let alg = jws.algorithm().name;
        untrusted(&match wrong {
            Wrong::Malformed(wrong) | Wrong::Invalid(wrong) => format!("{key} is not valid: {wrong}"),
            Wrong::NotForSignatures => format!("{key}: not for signatures (use, key_ops)"),
            Wrong::OtherKind(kind) => format!("{key}: its kind {} is not for {alg}", said(kind)),
            Wrong::OtherAlgorithm(other) => format!("{key}: its alg {} differs from the token's, {alg}", said(other)),
            Wrong::BadSignature => format!("signature: does not verify with {}", source.key("")),
            Wrong::NotSupported(kind) => format!("{key}: its kind {} is not supported", said(kind)),
        })
    }
}

impl KeySet {
    /// The keys in a JWK set; `subject` begins a note. What is no key at all is ignored (RFC 7517 section 5).
    fn parse(set: &Document, subject: &str) -> Result<KeySet, &'static str> {
        let keys = set.json("keys").ok_or("keys: missing")?;
        let keys: Vec<&RawValue> = serde_json::from_str(keys).map_err(|_| "keys: must be an array")?;
        let is_empty = keys.is_empty();
        let keys = keys.into_iter().filter_map(|key| Document::parse(key.get().as_bytes()).ok());
        let keys: Vec<Key> = keys.map(Key::new).collect();
        if keys.iter().any(|key| key.is_private) {
            message::note(&format!("{subject}: contains a private key, so anyone can sign tokens"));
        }
        Ok(KeySet { keys, is_empty })
    }

    /// Verifies the token with the keys that it names, or with all; one that cannot be used stops no other.
    fn verify(&self, jws: &Jws) -> Result<(), VerifyError> {
        let candidates = self.keys.iter().filter(|key| jws.header.kid.is_none() || key.kid == jws.header.kid);
        let mut wrong = Vec::new();
        for key in candidates {
            match key.verify(jws) {
                Ok(()) => return Ok(()),
                Err(reason) => wrong.push((reason, key.kid.clone())),
            }
        }
        // Of several keys that do not fit the token's algorithm, none is the token's.
        let is_only = jws.header.kid.is_some() || wrong.len() == 1;
        match wrong.into_iter().max() {
            Some((reason, kid)) if is_only || reason >= Wrong::BadSignature => Err(VerifyError::Key(kid, reason)),
            None if jws.header.kid.is_some() => {
                let kids: Vec<&str> = self.keys.iter().filter_map(|key| key.kid.as_deref()).collect();
                Err(VerifyError::UnknownKid(kids.join(", ")))
            }
            _ => Err(VerifyError::NoKey),
        }
    }
}

/// Fetches the keys. Tokens are at stake, so a server that does not give them is asked again until the deadline.
fn fetch(client: &Client, url: &Url) -> Result<KeySet, Error> {
    let set = fetched(client, url).map_err(Error::losing_input)?;
    KeySet::parse(&set, JWKS).map_err(no_set)
}

/// The error about a response that is no set of keys.
fn no_set(wrong: &str) -> Error {
    Error::untrusted(format!("{JWKS}: {wrong}")).losing_input()
}

fn fetched(client: &Client, url: &Url) -> Result<Document, Error> {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match client.get(url).and_then(|response| response.required_object(JWKS)) {
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

/// The subjects of messages.
const JWKS: &str = "JWKS";
const JWKS_OPTION: &str = "--jwks";

/// What is wrong with a set in which there is nothing.
const EMPTY: &str = "keys: empty";

/// Maximum number of servers with cached keys in one run; beyond it, the cache is cleared.
const MAX_SERVERS: usize = 16;

/// The pause before the first retry; it doubles with each retry, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
