//! A server that stands for all hosts of one provider, and a user's shell and browser, which reach it by these names.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::common::{
    Output, Request, Server, changed, command, finish, json_response, new_directory, response, write_program,
};
use crate::signer::Signer;
use crate::tls::HttpsProxy;
use crate::{FORM, JSON, quiet, value};

/// A provider as its documentation, its users' reports and its clients' sources describe it, and what its recipe does
/// there.
pub struct Fake {
    /// The heading of the recipe.
    pub name: &'static str,
    /// A URL in the recipe, with `*` for each part that is the user's own; `$1` and `$2` stand for these elsewhere.
    pub own: &'static str,
    /// Where the metadata is; empty if there is none for this login.
    pub discovery: &'static str,
    /// What the metadata says; without `discovery`, the endpoints all the same.
    pub metadata: Value,
    /// Other documents, by their URLs, and the URL of an API that accepts the latest access token.
    pub documents: Vec<(&'static str, Value)>,
    pub api: &'static str,
    /// Whether this redirect URI can be registered, and whether the port of one on loopback is ignored.
    pub registers: fn(&str) -> bool,
    pub any_port: bool,
    pub authorizes: fn(&Asked) -> Verdict,
    /// The ways in which the client's secret may come; without one, the client is public.
    pub secret: &'static [&'static str],
    /// The responses to a token request without the secret; with a wrong one, or with one of a public client; and with an
    /// expired code or refresh token.
    pub no_secret: Vec<u8>,
    pub wrong_secret: Vec<u8>,
    pub expired: Vec<u8>,
    /// Whether each code has expired before it comes.
    pub codes_expire: bool,
    /// The response to a device authorization request, where these are refused.
    pub no_device: Option<Vec<u8>>,
    /// What is other than usual in a token response and in the claims, and how an ID token is signed.
    pub tokens: fn(&Asked) -> Value,
    pub claims: Value,
    pub alg: &'static str,
    pub refreshes: Refresh,
    /// How an object leaves the token endpoint.
    pub wire: fn(&Request, &Value) -> Vec<u8>,
    /// What each of the recipe's logins says on standard error, and what each of its other blocks prints.
    pub logins: Vec<&'static str>,
    pub uses: Vec<&'static str>,
    /// The options without which the first login fails, or cannot be refreshed.
    pub needs: &'static [&'static str],
    /// How the recipe fails, or what else it says: with the exit status and the message, or the note.
    pub failures: Vec<(Cause, i32, &'static str)>,
}

/// What the user or the provider does otherwise.
#[derive(Clone, Copy)]
pub enum Cause {
    /// The commands have other words in the place of these.
    Instead(&'static str, &'static str),
    /// The provider has other settings.
    Unlike(fn(&mut Fake)),
    /// The file has another secret.
    WrongSecret,
    /// Another redirect URI was registered, and the browser shows an error.
    Unregistered,
    /// After a login at a provider with these settings, the user types this.
    Then(fn(&mut Fake), &'static str),
    /// After a login, the refresh token has expired when the access token is refreshed.
    Expired,
}

/// The parameters of an authorization request.
#[derive(Clone, Default)]
pub struct Asked(Vec<(String, String)>);

pub enum Verdict {
    Granted,
    /// A page, on which the user stays.
    Page(&'static str),
    /// A redirect with this error and description.
    Refused(&'static str, String),
}

/// What becomes of a refresh token that is used.
#[derive(Clone, Copy, PartialEq)]
pub enum Refresh {
    /// A new one takes its place.
    Rotates,
    /// A new one comes too, and the old one stays good.
    Adds,
    /// It stays, and the response has none.
    Keeps,
    /// There is none.
    Never,
}

#[derive(Default)]
pub struct State {
    asked: Asked,
    is_waiting: bool,
    /// The number of the latest tokens, and the first number whose refresh token is good.
    pub latest: usize,
    good: usize,
}

impl State {
    /// Lets all refresh tokens so far expire.
    pub fn expire(&mut self) {
        self.good = self.latest + 1;
    }
}

impl Asked {
    pub fn get(&self, name: &str) -> &str {
        value(&self.0, name).unwrap_or_default()
    }

    pub fn has_scope(&self, name: &str) -> bool {
        self.scopes().any(|other| other == name)
    }

    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.get("scope").split(' ')
    }
}

/// A fake that runs, and the home directory of a user who has installed the tools.
pub struct Running {
    home: TempDir,
    proxy: HttpsProxy,
    state: Arc<Mutex<State>>,
    /// Where the browser requests what is at the provider.
    _browser: Server,
}

/// The client's secret, as the provider has it.
pub const SECRET: &str = "s3cret-s3cret";

impl Fake {
    /// Starts it for the user's own parts, and the redirect URI that was registered, if one was.
    pub fn start(self, own: &[String], registered: Option<String>) -> Running {
        let state: Arc<Mutex<State>> = Arc::default();
        let provider = Arc::new(Provider {
            metadata: filled(&self.metadata, own),
            discovery: filled(&json!(self.discovery), own),
            signer: Signer::new("k1"),
            registered,
            fake: self,
            state: Arc::clone(&state),
        });
        let copy = Arc::clone(&provider);
        let proxy = HttpsProxy::start(move |url, seen| copy.response(url, seen));
        let browser = Server::start(move |seen| provider.response(seen.target.strip_prefix('/').unwrap(), seen));
        let home = new_directory();
        // A real browser does not fail where it shows an error; this one does, and so ends the wait, unless told otherwise.
        let visit = format!("#!/bin/sh\npkce-idp --visit \"{}$1\" || [ \"$PATIENT\" ]\n", browser.url("/"));
        write_program(&home.path().join("browser"), &visit);
        Running { home, proxy, state, _browser: browser }
    }
}

impl Running {
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Runs what a user types, and leaves out of the messages the URL that pkce-callback prints.
    pub fn run(&self, shell: &str, script: &str) -> Output {
        let mut command = command(shell);
        command.args(["-c", script]).current_dir(self.home()).env("HOME", self.home());
        command.env("BROWSER", format!("{} %s", self.home().join("browser").display()));
        self.proxy.trusted_by(&mut command);
        quiet(finish(&mut command, b""))
    }
}

/// The user's own parts of a URL in this text: what each `*` of the pattern stands for.
pub fn own_parts(pattern: &str, text: &str) -> Option<Vec<String>> {
    text.split(|c: char| c.is_whitespace() || "'\"".contains(c)).find_map(|word| parts(pattern, word))
}

fn parts(pattern: &str, word: &str) -> Option<Vec<String>> {
    let Some((before, rest)) = pattern.split_once('*') else {
        return (pattern == word).then(Vec::new);
    };
    let word = word.strip_prefix(before)?;
    let next = rest.split('*').next().unwrap();
    let end = if next.is_empty() { word.len() } else { word.find(next)? };
    let (part, word) = word.split_at(end);
    if part.is_empty() || part.contains('/') {
        return None;
    }
    Some([vec![part.to_owned()], parts(rest, word)?].concat())
}

/// The value with the user's own parts in their places.
fn filled(value: &Value, own: &[String]) -> Value {
    let places = own.iter().enumerate();
    let text = places.fold(value.to_string(), |text, (at, part)| text.replace(&format!("${}", at + 1), part));
    serde_json::from_str(&text).unwrap()
}

struct Provider {
    fake: Fake,
    metadata: Value,
    discovery: Value,
    registered: Option<String>,
    signer: Signer,
    state: Arc<Mutex<State>>,
}

impl Provider {
    fn response(&self, url: &str, seen: &Request) -> Vec<u8> {
        let (url, query) = url.split_once('?').unwrap_or((url, ""));
        let is = |name: &str| self.metadata[name] == url;
        match (seen.method.as_str(), self.fake.documents.iter().find(|(other, _)| *other == url)) {
            ("GET", Some((_, document))) => json_response(document),
            ("GET", _) if self.discovery == url => json_response(&self.published()),
            ("GET", _) if is("jwks_uri") => json_response(&self.signer.jwks()),
            ("GET", _) if is("authorization_endpoint") => self.authorize(query),
            ("GET", _) if self.fake.api == url => self.call(seen),
            ("POST", _) if is("device_authorization_endpoint") => self.device(seen),
            ("POST", _) if is("token_endpoint") => self.token(seen),
            ("POST", _) if is("revocation_endpoint") => response(200, "", ""),
            _ => response(404, "text/html", "<h1>Not found</h1>"),
        }
    }

    fn published(&self) -> Value {
        changed(self.metadata.clone(), &json!({ "id_token_signing_alg_values_supported": [self.fake.alg] }))
    }

    fn authorize(&self, query: &str) -> Vec<u8> {
        let asked = Asked(form_urlencoded::parse(query.as_bytes()).into_owned().collect());
        let verdict = match asked.get("response_type") {
            "code" if asked.get("code_challenge_method") != "S256" => Verdict::Page("no S256"),
            "code" if !self.knows(asked.get("redirect_uri")) => Verdict::Page("redirect_uri is not registered"),
            "code" => (self.fake.authorizes)(&asked),
            _ => Verdict::Page("response_type is not code"),
        };
        let result = match verdict {
            Verdict::Page(words) => return response(400, "text/html", &format!("<h1>{words}</h1>")),
            Verdict::Refused(error, description) => [("error", error.to_owned()), ("error_description", description)],
            Verdict::Granted => [("code", CODE.to_owned()), ("iss", self.iss())],
        };
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(result.iter().filter(|(_, text)| !text.is_empty()));
        query.append_pair("state", asked.get("state"));
        let location = format!("{}?{}", asked.get("redirect_uri"), query.finish());
        let mut state = self.state.lock().unwrap();
        (state.asked, state.is_waiting) = (asked, true);
        format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").into()
    }

    /// The issuer in a redirect, empty where a provider sends none.
    fn iss(&self) -> String {
        let is_sent = self.metadata["authorization_response_iss_parameter_supported"] == true;
        self.metadata["issuer"].as_str().filter(|_| is_sent).unwrap_or_default().to_owned()
    }

    /// Whether this redirect URI is the registered one, or one that needs no registration.
    fn knows(&self, uri: &str) -> bool {
        let Some(registered) = &self.registered else { return (self.fake.registers)(uri) };
        let is_same =
            if self.fake.any_port { without_port(uri) == without_port(registered) } else { uri == registered };
        is_same && (self.fake.registers)(registered)
    }

    fn call(&self, seen: &Request) -> Vec<u8> {
        let bearer = format!("Bearer access-{}", self.state.lock().unwrap().latest);
        match seen.header("Authorization") {
            Some(header) if header == bearer => json_response(&json!({ "ok": true })),
            _ => response(401, JSON, "{}"),
        }
    }

    fn device(&self, seen: &Request) -> Vec<u8> {
        if let Some(refused) = &self.fake.no_device {
            return refused.clone();
        }
        self.state.lock().unwrap().asked = Asked(seen.form());
        json_response(&json!({
            "device_code": CODE, "user_code": "WDJB-MJHT", "verification_uri": "https://id.example.com/device",
            "expires_in": 900, "interval": 1,
        }))
    }

    fn token(&self, seen: &Request) -> Vec<u8> {
        let form = parameters(seen);
        let sent = |name: &str| value(&form, name).unwrap_or_default();
        let mut state = self.state.lock().unwrap();
        let client = state.asked.get("client_id").to_owned();
        let basic = format!("Basic {}", STANDARD.encode(format!("{client}:{SECRET}")));
        let way = match (seen.header("Authorization"), sent("client_id"), sent("client_secret")) {
            (None, id, "") if id == client => "none",
            (None, id, SECRET) if id == client => "post",
            (Some(header), "", "") if header == basic => "basic",
            _ => "wrong",
        };
        let is_device = sent("grant_type").ends_with(":device_code");
        let is_public = self.fake.secret.is_empty() || is_device;
        match way {
            "none" if !is_public => return self.fake.no_secret.clone(),
            way if !is_public && self.fake.secret.contains(&way) || is_public && way == "none" => {}
            _ => return self.fake.wrong_secret.clone(),
        }
        let is_good = match sent("grant_type") {
            "authorization_code" => {
                let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(sent("code_verifier")));
                let known = [("code", CODE), ("redirect_uri", state.asked.get("redirect_uri"))];
                let is_same = known.iter().all(|(name, text)| sent(name) == *text);
                let is_verified = challenge == state.asked.get("code_challenge");
                std::mem::take(&mut state.is_waiting) && is_same && is_verified && !self.fake.codes_expire
            }
            "refresh_token" => {
                let number = sent("refresh_token").strip_prefix("refresh-").and_then(|text| text.parse().ok());
                number.is_some_and(|number: usize| (state.good..=state.latest).contains(&number))
            }
            _ => is_device && sent("device_code") == CODE,
        };
        if !is_good {
            return self.fake.expired.clone();
        }
        let is_refresh = sent("grant_type") == "refresh_token";
        if !is_refresh || self.fake.refreshes == Refresh::Rotates {
            state.expire();
        }
        state.latest += 1;
        (self.fake.wire)(seen, &self.tokens(&state, is_refresh))
    }

    fn tokens(&self, state: &State, is_refresh: bool) -> Value {
        let (number, asked) = (state.latest, &state.asked);
        let mut tokens = json!({
            "access_token": format!("access-{number}"), "token_type": "Bearer", "expires_in": 3600,
            "refresh_token": format!("refresh-{number}"), "scope": asked.get("scope"),
        });
        if asked.has_scope("openid") {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
            let claims = json!({
                "iss": self.metadata["issuer"], "aud": asked.get("client_id"), "sub": "alice", "iat": now,
                "exp": now + 3600, "nonce": asked.get("nonce"),
            });
            let header = json!({ "alg": self.fake.alg, "kid": self.signer.kid });
            tokens["id_token"] = json!(self.signer.sign_with(&header, &changed(claims, &self.fake.claims)));
        }
        if matches!((self.fake.refreshes, is_refresh), (Refresh::Never, _) | (Refresh::Keeps, true)) {
            tokens = changed(tokens, &json!({ "refresh_token": null }));
        }
        changed(tokens, &(self.fake.tokens)(asked))
    }
}

/// The parameters of a token request, which is a form or JSON.
fn parameters(seen: &Request) -> Vec<(String, String)> {
    match seen.header("Content-Type") {
        Some(JSON) => {
            let object: Value = serde_json::from_str(&seen.body).unwrap();
            let members = object.as_object().unwrap().iter();
            members.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
        }
        Some(FORM) => seen.form(),
        _ => Vec::new(),
    }
}

/// A loopback URI without its port; any other as it is.
fn without_port(uri: &str) -> String {
    let origins = ["http://127.0.0.1", "http://localhost"];
    let Some((origin, rest)) = origins.iter().find_map(|origin| Some((origin, uri.strip_prefix(origin)?))) else {
        return uri.to_owned();
    };
    rest.split_once('/').map_or((*origin).to_owned(), |(_, path)| format!("{origin}/{path}"))
}

/// The authorization code, and the device code.
const CODE: &str = "4/0AdFl-_x.c0de";
