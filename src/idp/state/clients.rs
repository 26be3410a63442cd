//! The clients, all of them public: one from the start, others by dynamic registration (RFC 7591) or by the URL of their
//! metadata.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::pkce;
use crate::client::poll::DEVICE_CODE;
use crate::document::Document;
use crate::idp::clock::now;
use crate::idp::members::without_nulls;
use crate::idp::refusal::Refusal;
use crate::idp::state::bounded::Bounded;
use crate::message;
use crate::wire::url::{Url, is_absolute_uri};

/// All clients, by their `client_id`.
pub struct Clients {
    registered: HashMap<String, Client>,
    /// Those of a client ID metadata document, which each authorization request fetches.
    documents: Bounded<Client>,
}

struct Client {
    /// What the client says that it is called.
    name: Option<String>,
    redirect_uris: Vec<String>,
    has_device_grant: bool,
}

impl Clients {
    /// One client, with these redirect URIs in addition to those on this machine.
    pub fn new(redirect_uris: Vec<String>) -> Clients {
        let loopback = LOOPBACK.map(str::to_owned);
        let redirect_uris = loopback.into_iter().chain(redirect_uris).collect();
        let client = Client { name: None, redirect_uris, has_device_grant: true };
        let registered = HashMap::from([(CLIENT_ID.to_owned(), client)]);
        Clients { registered, documents: Bounded::new(LIFETIME) }
    }

    /// Whether this client is known.
    pub fn knows(&self, client_id: &str) -> bool {
        self.client(client_id).is_some()
    }

    /// The client's name, if it has one.
    pub fn name(&self, client_id: &str) -> Option<&str> {
        self.client(client_id)?.name.as_deref()
    }

    /// Whether this redirect URI is registered for the client.
    pub fn allows(&self, client_id: &str, redirect_uri: &str) -> bool {
        let is_known = |client: &Client| client.redirect_uris.iter().any(|known| is_registered(known, redirect_uri));
        self.client(client_id).is_some_and(is_known)
    }

    /// Whether the client is registered for the device grant (RFC 8628 section 3.4).
    pub fn may_use_device_grant(&self, client_id: &str) -> bool {
        self.client(client_id).is_some_and(|client| client.has_device_grant)
    }

    /// Adds a client whose metadata is at the URL that is its ID, in place of what was there before.
    pub fn add(&mut self, client_id: &str, metadata: &Document) -> Result<(), &'static str> {
        let redirect_uris = metadata.texts("redirect_uris").ok().flatten().unwrap_or_default();
        let method = metadata.text("token_endpoint_auth_method").ok().flatten();
        if redirect_uris.is_empty() || !redirect_uris.iter().all(|uri| is_native(uri)) {
            return Err("The client ID metadata document has no redirect_uris of a native client.");
        }
        if method.is_some_and(|method| method != "none") {
            return Err("The client ID metadata document has a token_endpoint_auth_method other than none.");
        }
        let grant_types = metadata.texts("grant_types").ok().flatten().unwrap_or_default();
        self.documents.take(client_id.into());
        self.documents.add(client_id.into(), Client::new(metadata, redirect_uris, &grant_types));
        Ok(())
    }

    /// Registers a client with this metadata (RFC 7591 section 2), and gives its registration (section 3.2.1).
    pub fn register(&mut self, metadata: &Document) -> Result<Value, Refusal> {
        let texts = |name: &str, default: &str| -> Result<Vec<String>, Refusal> {
            let texts = metadata
                .texts(name)
                .map_err(|_| (INVALID, "grant_types and response_types must be arrays of strings"))?;
            Ok(texts.unwrap_or_else(|| vec![default.to_owned()]))
        };
        let redirect_uris = metadata.texts("redirect_uris").ok().flatten().unwrap_or_default();
        if redirect_uris.is_empty() || !redirect_uris.iter().all(|uri| is_native(uri)) {
            return Err(("invalid_redirect_uri", "redirect_uris must be https, private-use scheme or loopback URIs"));
        }
        if redirect_uris.iter().map(|uri| uri.len() + size_of::<String>()).sum::<usize>() > MAX_SIZE {
            return Err(("invalid_redirect_uri", "redirect_uris is larger than 8 KiB"));
        }
        if metadata.text("token_endpoint_auth_method").ok().flatten().as_deref() != Some("none") {
            return Err((INVALID, "token_endpoint_auth_method must be none"));
        }
        let grant_types = texts("grant_types", "authorization_code")?;
        if !grant_types.iter().all(|name| GRANT_TYPES.contains(&name.as_str())) {
            return Err((INVALID, "grant_types has an unsupported value"));
        }
        let response_types = texts("response_types", "code")?;
        if response_types != ["code"] {
            return Err((INVALID, "response_types must be code"));
        }
        if self.registered.len() >= MAX_CLIENTS {
            return Err(("access_denied", "1,000 clients are registered; restart the server to remove them"));
        }
        let random = pkce::random(16).map_err(|_| ("server_error", "random numbers are not available"))?;
        let client_id = random.to_string();
        self.registered.insert(client_id.clone(), Client::new(metadata, redirect_uris.clone(), &grant_types));
        Ok(without_nulls(json!({
            "client_id": client_id,
            "client_id_issued_at": now(),
            "redirect_uris": redirect_uris,
            "token_endpoint_auth_method": "none",
            "grant_types": grant_types,
            "response_types": response_types,
            "client_name": metadata.text("client_name").ok().flatten(),
            "scope": metadata.text("scope").ok().flatten(),
        })))
    }

    fn client(&self, client_id: &str) -> Option<&Client> {
        self.registered.get(client_id).or_else(|| self.documents.get(client_id.into()))
    }
}

impl Client {
    fn new(metadata: &Document, redirect_uris: Vec<String>, grant_types: &[String]) -> Client {
        let name =
            metadata.text("client_name").ok().flatten().map(|name| message::shortened(&message::printable(&name)));
        let name = name.filter(|name| !name.trim().is_empty());
        Client { name, redirect_uris, has_device_grant: grant_types.iter().any(|name| name == DEVICE_CODE) }
    }
}

/// Whether this can be a redirect URI: it is absolute, has no fragment (RFC 6749 section 3.1.2), and becomes a header of a
/// response.
pub fn is_redirect_uri(text: &str) -> bool {
    let is_encoded = |octets: &str| octets.bytes().all(|octet| octet.is_ascii_hexdigit());
    is_absolute_uri(text) && text.split('%').skip(1).all(|rest| rest.get(..2).is_some_and(is_encoded))
}

/// Whether a native client may have this redirect URI (RFC 8252 section 7).
fn is_native(uri: &str) -> bool {
    let own = uri.split_once(':').is_some_and(|(scheme, rest)| scheme.contains('.') && rest.starts_with('/'));
    is_redirect_uri(uri) && (own || Url::parse(uri).is_ok_and(|url| url.is_https() || url.is_loopback()))
}

/// Whether the redirect URI is the registered one; a loopback one may have any port (RFC 8252 section 7.3).
fn is_registered(known: &str, given: &str) -> bool {
    let (Ok(known_url), Ok(given_url)) = (Url::parse(known), Url::parse(given)) else {
        return known == given;
    };
    let alike = known_url.is_loopback()
        && !given_url.is_https()
        && given_url.port() != Some(0)
        && known_url.host() == given_url.host()
        && known_url.path() == given_url.path()
        && known_url.query() == given_url.query();
    known == given || alike
}

/// The client that is registered from the start.
pub const CLIENT_ID: &str = "pkce-tools";

/// What tokens are issued for (RFC 6749 section 1.3, RFC 8628 section 3.4).
pub const GRANT_TYPES: [&str; 3] = ["authorization_code", "refresh_token", DEVICE_CODE];

/// Its redirect URIs on this machine, with any port.
const LOOPBACK: [&str; 3] = ["http://127.0.0.1/callback", "http://[::1]/callback", "http://localhost/callback"];

/// Maximum number of registered clients. More are refused, since a forgotten client could not sign in.
const MAX_CLIENTS: usize = 1000;

/// How long a client ID metadata document is remembered: as long as a refresh token.
const LIFETIME: Duration = Duration::from_secs(30 * 86_400);

/// Maximum size of a client's redirect URIs in octets.
const MAX_SIZE: usize = 8 * 1024;

const INVALID: &str = "invalid_client_metadata";
