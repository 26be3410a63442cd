//! A server that stands for all hosts of one provider, and the shell in which a user runs the recipe against it.

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

/// A provider as its documentation, its users' reports and its clients' sources describe it.
pub struct Fake {
    /// A URL that the recipe has, with `*` for each part that is the user's own; `$1`, `$2` stand for these elsewhere.
    pub own: &'static str,
    /// Where its metadata is; empty where it has none, or not what this login needs.
    pub discovery: &'static str,
    /// What the metadata says; without `discovery`, its endpoints all the same.
    pub metadata: Value,
    /// Whether its console registers this redirect URI, and whether it ignores the port of one on loopback.
    pub registers: fn(&str) -> bool,
    pub any_port: bool,
    /// What it does with an authorization request of a good client.
    pub authorizes: fn(&Asked) -> Verdict,
    /// The ways in which it takes the client's secret; without one, the client is public.
    pub secret: &'static [&'static str],
    /// The token endpoint's response without the secret, with a wrong one (or with one of a public client), and to a
    /// refresh token that has expired or was revoked.
    pub no_secret: Vec<u8>,
    pub wrong_secret: Vec<u8>,
    pub expired: Vec<u8>,
    /// What its token responses have beside or instead of the usual.
    pub tokens: fn(&Asked, Grant) -> Value,
    pub claims: Value,
    pub refreshes: Refresh,
    /// How an object leaves its token endpoint.
    pub wire: fn(&Request, &Value) -> Vec<u8>,
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

#[derive(Clone, Copy, PartialEq)]
pub enum Grant {
    Code,
    Refresh,
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
}

#[derive(Default)]
pub struct State {
    asked: Asked,
    is_waiting: bool,
    /// The number of the latest tokens, and the first number whose refresh token is good.
    latest: usize,
    good: usize,
    /// The grant types and client authentication of the requests to the token endpoint so far.
    pub requests: Vec<String>,
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
        self.get("scope").split([' ', ',']).any(|other| other == name)
    }
}

/// A fake that runs, with a home directory of a user who has installed the tools.
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
            discovery: filled(&json!(self.discovery), own).as_str().unwrap().to_owned(),
            signer: Signer::new("k1"),
            registered,
            fake: self,
            state: Arc::clone(&state),
        });
        let copy = Arc::clone(&provider);
        let proxy = HttpsProxy::start(move |url, seen| copy.response(url, seen));
        let browser = Server::start(move |seen| provider.response(&seen.target[1..], seen));
        let home = new_directory();
        let visit = format!("#!/bin/sh\nexec pkce-idp --visit \"{}$1\"\n", browser.url("/"));
        write_program(&home.path().join("browser"), &visit);
        // The password manager that recipes take the secret from.
        std::fs::create_dir(home.path().join("bin")).unwrap();
        write_program(&home.path().join("bin/pass"), "#!/bin/sh\ncat \"$HOME/secret\"\n");
        std::fs::write(home.path().join("secret"), SECRET).unwrap();
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
        let path = command.get_envs().find(|(name, _)| *name == "PATH").unwrap().1.unwrap().to_owned();
        let path = format!("{}:{}", self.home().join("bin").display(), path.display());
        command.args(["-c", script]).current_dir(self.home()).env("HOME", self.home()).env("PATH", path);
        command.env("BROWSER", format!("{} %s", self.home().join("browser").display()));
        self.proxy.trusted_by(&mut command);
        quiet(finish(&mut command, b""))
    }

    /// A stored login.
    pub fn stored(&self, name: &str) -> Value {
        let file = self.home().join(".local/state/pkce").join(format!("{name}.json"));
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        serde_json::from_str(&text).unwrap()
    }
}

/// The parts of a URL in a text that are the user's own: what each `*` of the pattern stands for.
pub fn own_parts(pattern: &str, text: &str) -> Option<Vec<String>> {
    let words = text.split(|c: char| c.is_whitespace() || "'\"<>,".contains(c));
    words.filter(|word| word.starts_with("https://")).find_map(|word| parts(pattern, word))
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
    let others = parts(rest, word)?;
    Some([vec![part.to_owned()], others].concat())
}

/// The value with the user's own parts in their places.
fn filled(value: &Value, own: &[String]) -> Value {
    let text =
        own.iter().enumerate().fold(value.to_string(), |text, (at, part)| text.replace(&format!("${}", at + 1), part));
    serde_json::from_str(&text).unwrap()
}

/// The fake of one user's own.
struct Provider {
    fake: Fake,
    metadata: Value,
    discovery: String,
    registered: Option<String>,
    signer: Signer,
    state: Arc<Mutex<State>>,
}

impl Provider {
    fn response(&self, url: &str, seen: &Request) -> Vec<u8> {
        let (url, query) = url.split_once('?').unwrap_or((url, ""));
        let is = |name: &str| self.metadata[name] == url;
        match seen.method.as_str() {
            "GET" if url == self.discovery => json_response(&self.published()),
            "GET" if is("jwks_uri") => json_response(&self.signer.jwks()),
            "GET" if is("authorization_endpoint") => self.authorize(query),
            "POST" if is("token_endpoint") => self.token(seen),
            "POST" if is("revocation_endpoint") => response(200, "", ""),
            _ => response(404, "text/html", "<h1>Not found</h1>"),
        }
    }

    /// The metadata. All of these providers sign with RS256, for which no key can be generated here.
    fn published(&self) -> Value {
        changed(self.metadata.clone(), &json!({ "id_token_signing_alg_values_supported": ["ES256"] }))
    }

    fn authorize(&self, query: &str) -> Vec<u8> {
        let asked = Asked(form_urlencoded::parse(query.as_bytes()).into_owned().collect());
        let verdict = match asked.get("response_type") {
            _ if asked.get("client_id").is_empty() => Verdict::Page("no client"),
            "code" if asked.get("code_challenge_method") != "S256" => Verdict::Page("no S256"),
            "code" if !self.knows(asked.get("redirect_uri")) => Verdict::Page("redirect_uri is not registered"),
            "code" => (self.fake.authorizes)(&asked),
            _ => Verdict::Page("response_type is not code"),
        };
        let result = match verdict {
            Verdict::Page(words) => return response(400, "text/html", &format!("<h1>{words}</h1>")),
            Verdict::Refused(error, description) => {
                vec![("error", error.to_owned()), ("error_description", description)]
            }
            Verdict::Granted => vec![("code", CODE.to_owned())],
        };
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(result.iter().filter(|(_, text)| !text.is_empty()));
        query.append_pair("state", asked.get("state"));
        if self.metadata["authorization_response_iss_parameter_supported"] == true {
            query.append_pair("iss", self.metadata["issuer"].as_str().unwrap());
        }
        let uri = asked.get("redirect_uri").to_owned();
        let slash = if uri.matches('/').count() == 2 { "/" } else { "" };
        let mut state = self.state.lock().unwrap();
        (state.asked, state.is_waiting) = (asked, true);
        let location = format!("{uri}{slash}?{}", query.finish());
        format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").into()
    }

    /// Whether this redirect URI is the registered one, or one that needs no registration.
    fn knows(&self, uri: &str) -> bool {
        let Some(registered) = &self.registered else { return (self.fake.registers)(uri) };
        let is_same = |uri: &str| {
            if self.fake.any_port { without_port(uri) == without_port(registered) } else { uri == registered }
        };
        is_same(uri) && (self.fake.registers)(registered)
    }

    fn token(&self, seen: &Request) -> Vec<u8> {
        let form = parameters(seen);
        let sent = |name: &str| value(&form, name).unwrap_or_default();
        let mut state = self.state.lock().unwrap();
        let client = state.asked.get("client_id").to_owned();
        let basic = |secret: &str| format!("Basic {}", STANDARD.encode(format!("{client}:{secret}")));
        let way = match (seen.header("Authorization"), sent("client_id"), sent("client_secret")) {
            (None, id, "") if id == client => "none",
            (None, id, SECRET) if id == client => "post",
            (Some(header), "", "") if header == basic(SECRET) => "basic",
            _ => "wrong",
        };
        state.requests.push(format!("{} {way}", sent("grant_type")));
        if !self.fake.secret.contains(&way) && !(self.fake.secret.is_empty() && way == "none") {
            return if way == "none" { self.fake.no_secret.clone() } else { self.fake.wrong_secret.clone() };
        }
        match sent("grant_type") {
            "authorization_code" if std::mem::take(&mut state.is_waiting) => {
                let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(sent("code_verifier")));
                let known = [("code", CODE), ("redirect_uri", state.asked.get("redirect_uri"))];
                if challenge != state.asked.get("code_challenge")
                    || known.iter().any(|(name, text)| sent(name) != *text)
                {
                    return self.fake.expired.clone();
                }
                state.good = state.latest + 1;
                self.grant(seen, &mut state, Grant::Code)
            }
            "refresh_token" => {
                let number = sent("refresh_token").strip_prefix("refresh-").and_then(|text| text.parse().ok());
                if !number.is_some_and(|number: usize| (state.good..=state.latest).contains(&number)) {
                    return self.fake.expired.clone();
                }
                if self.fake.refreshes == Refresh::Rotates {
                    state.good = state.latest + 1;
                }
                self.grant(seen, &mut state, Grant::Refresh)
            }
            _ => self.fake.expired.clone(),
        }
    }

    fn grant(&self, seen: &Request, state: &mut State, grant: Grant) -> Vec<u8> {
        state.latest += 1;
        let (number, asked) = (state.latest, &state.asked);
        let mut tokens = json!({
            "access_token": format!("access-{number}"), "token_type": "Bearer", "expires_in": 3600,
            "refresh_token": format!("refresh-{number}"), "scope": asked.get("scope"),
        });
        if asked.has_scope("openid") {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
            let nonce = if grant == Grant::Code { json!(asked.get("nonce")) } else { json!(null) };
            let claims = json!({
                "iss": self.metadata["issuer"], "aud": asked.get("client_id"), "sub": "alice", "iat": now,
                "exp": now + 3600, "nonce": "",
            });
            let claims = changed(changed(claims, &json!({ "nonce": nonce })), &self.fake.claims);
            tokens["id_token"] = json!(self.signer.sign(&claims));
        }
        if grant == Grant::Refresh && self.fake.refreshes == Refresh::Keeps {
            tokens = changed(tokens, &json!({ "refresh_token": null }));
        }
        (self.fake.wire)(seen, &changed(tokens, &(self.fake.tokens)(asked, grant)))
    }
}

/// The parameters of a token request, whether it is a form or JSON.
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
pub fn without_port(uri: &str) -> String {
    let Some((host, rest)) = ["127.0.0.1", "localhost"]
        .iter()
        .find_map(|host| Some((host, uri.strip_prefix("http://")?.strip_prefix(host)?)))
    else {
        return uri.to_owned();
    };
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    format!("http://{host}{path}")
}

const CODE: &str = "4/0AdFl-_x.c0de";
