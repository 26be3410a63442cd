//! The odd ways of real servers and browsers, each met by the whole pipeline.
#![cfg(test)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/home.rs"]
mod home;
#[path = "../common/signer.rs"]
mod signer;
#[path = "../common/tls.rs"]
mod tls;

mod browsers;
mod fake;
mod fakes;
mod logins;
mod recipes;
mod refusals;
mod test_network;

use std::process::Command;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use common::{Output, Request, Server, changed, command, finish, json_response, response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use signer::Signer;

/// A login with what discovery finds; and one with a document that was written by hand.
const OPENID: &str =
    "pkce-discover | pkce-gen - | pkce-url --scope openid | pkce-callback | pkce-exchange | pkce-verify";
const BY_HAND: &str = "pkce-gen <(echo \"$BY_HAND\") | pkce-url | pkce-callback | pkce-exchange";

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// A server that keeps to the RFCs and checks what it is sent, but for what a test replaces. `ORIGIN` in what a test
/// gives is its own.
struct Provider {
    /// What the issuer has after the origin.
    path: &'static str,
    /// What is other than usual in the metadata, the public key, a token response and the claims.
    metadata: Value,
    key: Value,
    tokens: Value,
    claims: Value,
    /// Ways in which the client's secret may come; without one the client is public.
    secret: &'static [&'static str],
    /// The response where it comes in none of them.
    unknown: Vec<u8>,
    /// Whether a redirect URI is registered.
    registered: Box<dyn Fn(&str) -> bool + Send + Sync>,
    /// The code, and the query in which it goes back.
    code: String,
    redirect: Box<dyn Fn(&AuthorizationRequest) -> String + Send + Sync>,
    /// How an object leaves the server.
    wire: fn(&Request, &Value) -> Vec<u8>,
    /// The response of an endpoint to every valid request.
    instead: Vec<(&'static str, Vec<u8>)>,
}

/// An authorization request.
#[derive(Clone)]
struct AuthorizationRequest {
    redirect_uri: String,
    state: String,
    challenge: String,
    nonce: Option<String>,
    scope: String,
    /// What comes back for it, in the form of a query.
    code: String,
}

#[derive(Default)]
struct State {
    pushed: String,
    /// The request whose code was not used yet, and the one whose was.
    waiting: Option<AuthorizationRequest>,
    granted: Option<AuthorizationRequest>,
    /// The number of the latest tokens.
    latest: u32,
}

/// A provider that runs.
struct Running {
    server: Server,
    issuer: String,
}

impl Default for Provider {
    fn default() -> Provider {
        Provider {
            path: "",
            metadata: json!({}),
            key: json!({}),
            tokens: json!({}),
            claims: json!({}),
            secret: &[],
            unknown: response(401, JSON, "{\"error\":\"invalid_client\"}"),
            registered: Box::new(|_| true),
            code: "c0de-c0de".to_owned(),
            redirect: Box::new(|asked| format!("code={}&state={}", asked.code, asked.state)),
            wire: |_, body| json_response(body),
            instead: Vec::new(),
        }
    }
}

impl Provider {
    fn start(self) -> Running {
        let (signer, state, path) = (Signer::new("k1"), Mutex::new(State::default()), self.path);
        let server = Server::start(move |seen| self.response(&signer, &mut state.lock().unwrap(), seen));
        Running { issuer: server.url(path), server }
    }

    /// Runs a login at a server of its own.
    fn run(self, script: &str) -> Output {
        self.start().run(script)
    }

    fn response(&self, signer: &Signer, state: &mut State, seen: &Request) -> Vec<u8> {
        let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
        let name = path.rsplit('/').next().unwrap();
        if let Some(header) = ["Origin", "Referer", "Cookie"].iter().find(|name| seen.header(name).is_some()) {
            return refusal("invalid_request", &format!("for browsers alone: {header}"));
        }
        let well_known = format!("{}/.well-known/openid-configuration", self.path.trim_end_matches('/'));
        let instead = self.instead.iter().find(|(other, _)| *other == name);
        match (seen.method.as_str(), name, instead) {
            ("GET", _, _) if path == well_known => self.object(seen, &self.metadata(seen)),
            ("GET", "jwks", _) => self.object(seen, &json!({ "keys": [self.key(signer)] })),
            ("GET", "authorize", _) => self.ask(state, seen, query),
            ("POST", "par" | "token" | "revoke", _) if !self.knows(seen) => self.unknown.clone(),
            ("POST", _, Some((_, octets))) => octets.clone(),
            ("POST", "par", _) => {
                state.pushed = seen.body.clone();
                response(201, JSON, "{\"request_uri\":\"urn:pushed\",\"expires_in\":60}")
            }
            ("POST", "token", _) => self.grant(signer, state, seen),
            ("POST", "revoke", _) => response(200, "", ""),
            _ => response(404, "", ""),
        }
    }

    fn object(&self, seen: &Request, body: &Value) -> Vec<u8> {
        (self.wire)(seen, &serde_json::from_str(&body.to_string().replace("ORIGIN", &origin(seen))).unwrap())
    }

    fn metadata(&self, seen: &Request) -> Value {
        let mut metadata = endpoints("ORIGIN");
        metadata["issuer"] = json!(format!("{}{}", origin(seen), self.path));
        changed(metadata, &self.metadata)
    }

    fn key(&self, signer: &Signer) -> Value {
        changed(changed(signer.jwk(), &json!({ "alg": "ES256", "use": "sig" })), &self.key)
    }

    /// Whether the client says who it is, in one way and no other.
    fn knows(&self, seen: &Request) -> bool {
        let form = seen.form();
        let posted = |name: &str| value(&form, name);
        let basic = format!("Basic {}", STANDARD.encode("cli:s3cret-s3cret"));
        let way = match (seen.header("Authorization"), posted("client_id"), posted("client_secret")) {
            (None, Some("cli"), None) => "none",
            (None, Some("cli"), Some("s3cret-s3cret")) => "post",
            (Some(header), None, None) if header == basic => "basic",
            _ => return false,
        };
        if self.secret.is_empty() { way == "none" } else { self.secret.contains(&way) }
    }

    fn ask(&self, state: &mut State, seen: &Request, query: &str) -> Vec<u8> {
        let query = if query.contains("request_uri=urn%3Apushed") { state.pushed.as_str() } else { query };
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let asked = |name| value(&pairs, name).unwrap_or_default().to_owned();
        let fixed = [("response_type", "code"), ("client_id", "cli"), ("code_challenge_method", "S256")];
        let redirect_uri = asked("redirect_uri");
        if fixed.iter().any(|(name, value)| asked(name) != *value) || !(self.registered)(&redirect_uri) {
            return response(400, "text/html", "<h1>Callback URL mismatch");
        }
        let asked = AuthorizationRequest {
            state: asked("state"),
            challenge: asked("code_challenge"),
            nonce: value(&pairs, "nonce").map(str::to_owned),
            scope: asked("scope"),
            code: form_urlencoded::byte_serialize(self.code.as_bytes()).collect(),
            redirect_uri,
        };
        // Where the URI has no path, the browser asks for / all the same.
        let slash = if asked.redirect_uri.matches('/').count() == 2 { "/" } else { "" };
        let origin: String = form_urlencoded::byte_serialize(origin(seen).as_bytes()).collect();
        let query = (self.redirect)(&asked).replace("ORIGIN", &origin);
        let location = format!("{}{slash}?{query}", asked.redirect_uri);
        state.waiting = Some(asked);
        format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").into()
    }

    fn grant(&self, signer: &Signer, state: &mut State, seen: &Request) -> Vec<u8> {
        let form = seen.form();
        let sent = |name: &str| value(&form, name).unwrap_or_default();
        let good = match (sent("grant_type"), state.waiting.take()) {
            ("authorization_code", Some(asked)) => {
                let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(sent("code_verifier")));
                let good = sent("code") == self.code && sent("redirect_uri") == asked.redirect_uri;
                let good = good && challenge == asked.challenge;
                state.granted = Some(asked);
                good
            }
            ("refresh_token", _) => sent("refresh_token") == format!("refresh-{}", state.latest),
            _ => false,
        };
        let Some(asked) = state.granted.as_ref().filter(|_| good) else {
            return refusal("invalid_grant", "not the code with its URI and verifier, nor the latest refresh token");
        };
        state.latest += 1;
        let access_token = format!("access-{}", state.latest);
        let mut tokens = json!({
            "access_token": access_token, "token_type": "Bearer", "expires_in": 3600,
            "refresh_token": format!("refresh-{}", state.latest),
        });
        if asked.scope.split(' ').any(|name| name == "openid") {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
            let usual = json!({
                "iss": format!("ORIGIN{}", self.path), "aud": "cli", "sub": "alice", "iat": now, "exp": now + 300,
                "nonce": asked.nonce, "at_hash": URL_SAFE_NO_PAD.encode(&Sha256::digest(access_token)[..16]),
            });
            let claims = changed(usual, &self.claims).to_string().replace("ORIGIN", &origin(seen));
            tokens["id_token"] = json!(signer.sign_text("{\"alg\":\"ES256\",\"kid\":\"k1\"}", &claims));
        }
        self.object(seen, &changed(tokens, &self.tokens))
    }
}

impl Running {
    fn command(&self, program: &str) -> Command {
        let mut command = command(program);
        command.env("PKCE_ISSUER", &self.issuer).env("PKCE_CLIENT_ID", "cli").env("BROWSER", "pkce-idp --visit %s");
        command.env("BY_HAND", endpoints(&self.server.url("")).to_string());
        command
    }

    /// Runs shell lines, and leaves out of their messages the URL that pkce-callback prints.
    fn run(&self, script: &str) -> Output {
        quiet(finish(self.command("bash").args(["-c", script]), b""))
    }

    /// How often an endpoint was asked.
    fn requests_to(&self, path: &str) -> usize {
        self.server.requests().iter().filter(|seen| seen.target.split('?').next() == Some(path)).count()
    }
}

fn quiet(output: Output) -> Output {
    let noise = |line: &&str| line.ends_with("open this URL in a browser:") || line.starts_with("http");
    let stderr = output.stderr.lines().filter(|line| !noise(line)).map(|line| format!("{line}\n")).collect();
    Output { stderr, ..output }
}

fn endpoints(origin: &str) -> Value {
    json!({
        "authorization_endpoint": format!("{origin}/authorize"),
        "token_endpoint": format!("{origin}/token"),
        "jwks_uri": format!("{origin}/jwks"),
        "revocation_endpoint": format!("{origin}/revoke"),
        "pushed_authorization_request_endpoint": format!("{origin}/par"),
        "code_challenge_methods_supported": ["S256"],
        "id_token_signing_alg_values_supported": ["ES256"],
    })
}

fn origin(seen: &Request) -> String {
    format!("http://{}", seen.header("Host").unwrap())
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}

fn refusal(code: &str, description: &str) -> Vec<u8> {
    response(400, JSON, &json!({ "error": code, "error_description": description }).to_string())
}

/// What the login has granted: the document without what was known before, what differs each time, and the claims that
/// pkce-verify holds against something.
fn granted(output: &Output) -> Value {
    assert_eq!(output.status, 0, "{output:?}");
    let mut document = output.json();
    let members = document.as_object_mut().unwrap();
    assert_eq!(members.remove("expires_at").is_some(), members.contains_key("expires_in"), "{output:?}");
    let known = ["issuer", "jwks_uri", "client_id", "nonce", "id_token", "token_answer_members", "token_request"];
    let parts = ["_endpoint", "_supported", "require_"];
    members.retain(|name, _| !known.contains(&name.as_str()) && !parts.iter().any(|part| name.contains(part)));
    if let Some(claims) = members.get_mut("id_token_claims") {
        let checked = ["iss", "iat", "exp", "nonce", "at_hash"];
        claims.as_object_mut().unwrap().retain(|name, _| !checked.contains(&name.as_str()));
    }
    document
}

/// What a login grants at a server that has no ways of its own, but for these.
fn usual(changes: Value) -> Value {
    let usual = json!({
        "access_token": "access-1", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "refresh-1",
        "scope": "openid", "id_token_claims": { "aud": "cli", "sub": "alice" },
    });
    changed(usual, &changes)
}

/// The login went well, with these words about it, and this granted.
fn assert_granted(output: &Output, said: &str, expected: Value) {
    assert_eq!((granted(output), output.stderr.as_str()), (expected, said));
}
