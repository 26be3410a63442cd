//! The odd ways of real servers and browsers, each met by the whole pipeline.
#![cfg(test)]

mod common;
#[path = "common/signer.rs"]
mod signer;

use std::net::TcpStream;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use common::{
    Output, Seen, Server, answer, changed, command, failure, finish, free_port, json_answer, new_directory, talk,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use signer::Signer;

/// A login with what discovery finds; and one with a document that was written by hand.
const OPENID: &str =
    "pkce-discover | pkce-gen - | pkce-url --scope openid | pkce-callback | pkce-exchange | pkce-verify";
const BY_HAND: &str = "pkce-gen <(echo \"$BY_HAND\") | pkce-url | pkce-callback | pkce-exchange";

const SECRET: &str = "--client-secret-file <(echo s3cret-s3cret)";

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

const PUBLIC: &str = "\nhint: a client without a secret must be registered with token_endpoint_auth_method none; \
                      one with a secret needs --client-secret-file";

const OTHER_SCOPE: &str = "pkce-exchange: note: the server granted another scope than the one asked for\n";

const NO_ISSUER: &str =
    "pkce-callback: note: the document has no issuer, so it cannot be checked whose redirect this will be\n";

/// A server that keeps to the RFCs and checks what it is sent, but for what a test replaces. `ORIGIN` in what a test
/// gives is its own.
struct Provider {
    /// What the issuer has after the origin.
    path: &'static str,
    /// What is other than usual in the metadata, the public key, a token answer and the claims.
    metadata: Value,
    key: Value,
    tokens: Value,
    claims: Value,
    /// Ways in which the client's secret may come; without one the client is public.
    secret: &'static [&'static str],
    /// What is answered where it comes in none of them.
    unknown: Vec<u8>,
    /// Whether a redirect URI is registered.
    registered: Box<dyn Fn(&str) -> bool + Send + Sync>,
    /// The code, and the query in which it goes back.
    code: String,
    redirect: Box<dyn Fn(&Asked) -> String + Send + Sync>,
    /// How an object leaves the server.
    wire: fn(&Seen, &Value) -> Vec<u8>,
    /// What an endpoint answers to a good request, whatever it was.
    instead: Vec<(&'static str, Vec<u8>)>,
}

/// An authorization request.
#[derive(Clone)]
struct Asked {
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
    waiting: Option<Asked>,
    granted: Option<Asked>,
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
            unknown: answer(401, JSON, "{\"error\":\"invalid_client\"}"),
            registered: Box::new(|_| true),
            code: "c0de-c0de".to_owned(),
            redirect: Box::new(|asked| format!("code={}&state={}", asked.code, asked.state)),
            wire: |_, body| json_answer(body),
            instead: Vec::new(),
        }
    }
}

impl Provider {
    fn start(self) -> Running {
        let (signer, state, path) = (Signer::new("k1"), Mutex::new(State::default()), self.path);
        let server = Server::start(move |seen| self.answer(&signer, &mut state.lock().unwrap(), seen));
        Running { issuer: server.url(path), server }
    }

    /// Runs a login at a server of its own.
    fn run(self, script: &str) -> Output {
        self.start().run(script)
    }

    fn answer(&self, signer: &Signer, state: &mut State, seen: &Seen) -> Vec<u8> {
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
                answer(201, JSON, "{\"request_uri\":\"urn:pushed\",\"expires_in\":60}")
            }
            ("POST", "token", _) => self.grant(signer, state, seen),
            ("POST", "revoke", _) => answer(200, "", ""),
            _ => answer(404, "", ""),
        }
    }

    fn object(&self, seen: &Seen, body: &Value) -> Vec<u8> {
        (self.wire)(seen, &serde_json::from_str(&body.to_string().replace("ORIGIN", &origin(seen))).unwrap())
    }

    fn metadata(&self, seen: &Seen) -> Value {
        let mut metadata = endpoints("ORIGIN");
        metadata["issuer"] = json!(format!("{}{}", origin(seen), self.path));
        changed(metadata, &self.metadata)
    }

    fn key(&self, signer: &Signer) -> Value {
        changed(changed(signer.jwk(), &json!({ "alg": "ES256", "use": "sig" })), &self.key)
    }

    /// Whether the client says who it is, in one way and no other.
    fn knows(&self, seen: &Seen) -> bool {
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

    fn ask(&self, state: &mut State, seen: &Seen, query: &str) -> Vec<u8> {
        let query = if query.contains("request_uri=urn%3Apushed") { state.pushed.as_str() } else { query };
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let asked = |name| value(&pairs, name).unwrap_or_default().to_owned();
        let fixed = [("response_type", "code"), ("client_id", "cli"), ("code_challenge_method", "S256")];
        let redirect_uri = asked("redirect_uri");
        if fixed.iter().any(|(name, value)| asked(name) != *value) || !(self.registered)(&redirect_uri) {
            return answer(400, "text/html", "<h1>Callback URL mismatch");
        }
        let asked = Asked {
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

    fn grant(&self, signer: &Signer, state: &mut State, seen: &Seen) -> Vec<u8> {
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
    fn asked(&self, path: &str) -> usize {
        self.server.seen().iter().filter(|seen| seen.target.split('?').next() == Some(path)).count()
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

fn origin(seen: &Seen) -> String {
    format!("http://{}", seen.header("Host").unwrap())
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}

fn refusal(code: &str, description: &str) -> Vec<u8> {
    answer(400, JSON, &json!({ "error": code, "error_description": description }).to_string())
}

/// What the login has granted: the document without what was known before, what differs each time, and the claims that
/// pkce-verify holds against something.
fn granted(output: &Output) -> Value {
    assert_eq!(output.status, 0, "{output:?}");
    let mut document = output.json();
    let members = document.as_object_mut().unwrap();
    assert_eq!(members.remove("expires_at").is_some(), members.contains_key("expires_in"), "{output:?}");
    let known = ["issuer", "jwks_uri", "client_id", "nonce", "id_token", "token_answer_members"];
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

#[test]
fn logs_in_whatever_the_wire_looks_like() {
    let wires: [fn(&Seen, &Value) -> Vec<u8>; 6] = [
        |_, body| format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{body}").into(),
        |_, body| format!("HTTP/1.1 200\r\nContent-Length: {}\r\n\r\n{body}", body.to_string().len()).into(),
        |_, body| format!("HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{body}").into(),
        |_, body| answer(200, "text/html; charset=utf-8", &body.to_string()),
        |_, body| answer(200, "", &body.to_string()),
        |_, body| {
            let (head, body) = ("HTTP/1.1 200 OK\r\nset-cookie: a=b\r\nset-cookie: c=d", body.to_string());
            format!("{head}\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).into()
        },
    ];
    for wire in wires {
        assert_granted(&Provider { wire, ..Provider::default() }.run(OPENID), "", usual(json!({})));
    }
}

#[test]
fn logs_in_at_keycloak_with_all_that_it_adds() {
    let keycloak = Provider {
        path: "/realms/x",
        metadata: json!({ "authorization_response_iss_parameter_supported": true }),
        redirect: Box::new(|asked| {
            format!("state={}&session_state=s3ss10n&iss=ORIGIN%2Frealms%2Fx&code={}", asked.state, asked.code)
        }),
        tokens: json!({
            "iat": 5, "refresh_expires_in": 1800, "not-before-policy": 0, "session_state": "s3ss10n",
            "token_type": "bearer", "scope": "openid email profile",
        }),
        claims: json!({ "typ": "ID", "azp": "cli", "session_state": "s3ss10n", "acr": "1", "sid": "s3ss10n" }),
        instead: vec![("revoke", answer(204, "", ""))],
        ..Provider::default()
    };
    let running = keycloak.start();
    let expected = usual(json!({
        "iat": 5, "refresh_expires_in": 1800, "not-before-policy": 0, "session_state": "s3ss10n",
        "token_type": "bearer", "scope": "openid email profile",
        "id_token_claims": {
            "aud": "cli", "sub": "alice", "typ": "ID", "azp": "cli", "session_state": "s3ss10n", "acr": "1",
            "sid": "s3ss10n",
        },
    }));
    assert_granted(&running.run(OPENID), OTHER_SCOPE, expected.clone());
    let refreshed = running.run(&format!("{OPENID} | pkce-refresh | pkce-verify"));
    let latest = json!({ "access_token": "access-3", "refresh_token": "refresh-3" });
    assert_granted(&refreshed, OTHER_SCOPE, changed(expected.clone(), &latest));
    let revoked = running.run(&format!("{OPENID} | pkce-revoke"));
    let gone = json!({ "access_token": null, "refresh_token": null, "token_type": null, "expires_in": null });
    assert_granted(&revoked, OTHER_SCOPE, changed(expected, &gone));
    assert_eq!(running.asked("/revoke"), 2);
}

#[test]
fn takes_a_token_of_several_audiences_only_where_each_is_trusted() {
    let provider = || Provider { claims: json!({ "aud": ["account", "cli"], "azp": "cli" }), ..Provider::default() };
    let wrong = "id_token: aud: others beside this client\nhint: --trust-audience names one that may be there";
    assert_eq!(provider().run(OPENID), failure("pkce-verify", 4, wrong));
    let claims = json!({ "id_token_claims": { "aud": ["account", "cli"], "azp": "cli", "sub": "alice" } });
    assert_granted(&provider().run(&format!("{OPENID} --trust-audience account")), "", usual(claims));
}

#[test]
fn logs_in_at_auth0_whose_issuer_ends_in_a_slash() {
    let auth0 = Provider {
        path: "/",
        redirect: Box::new(|asked| format!("code={}&iss=ORIGIN%2F&state={}", asked.code, asked.state)),
        // Without an audience it is encrypted, for nobody here to read.
        tokens: json!({ "access_token": "e.n.c.r.ypted" }),
        claims: json!({ "at_hash": null }),
        ..Provider::default()
    };
    let running = auth0.start();
    let login = OPENID.replace("pkce-url", "pkce-url --param audience=https://api.example/");
    assert_granted(&running.run(&login), "", usual(json!({ "access_token": "e.n.c.r.ypted" })));
    let asked = running.server.seen().into_iter().find(|seen| seen.target.starts_with("/authorize")).unwrap().target;
    assert!(asked.ends_with("&audience=https%3A%2F%2Fapi.example%2F"), "{asked}");
}

#[test]
fn asks_okta_at_endpoints_with_two_slashes_as_they_stand() {
    let okta = Provider {
        path: "/oauth2/default",
        metadata: json!({
            "authorization_endpoint": "ORIGIN//oauth2//v1/authorize", "token_endpoint": "ORIGIN/oauth2//v1//token",
            "jwks_uri": "ORIGIN//jwks",
        }),
        ..Provider::default()
    };
    let running = okta.start();
    assert_granted(&running.run(OPENID), "", usual(json!({})));
    for path in ["//oauth2//v1/authorize", "/oauth2//v1//token", "//jwks"] {
        assert_eq!(running.asked(path), 1, "{path}");
    }
}

#[test]
fn leads_back_to_the_exact_port_that_okta_auth0_dex_and_kanidm_want() {
    let uri = format!("http://127.0.0.1:{}/callback", free_port());
    let registered = uri.clone();
    let exact = Provider { registered: Box::new(move |uri| uri == registered), ..Provider::default() };
    let running = exact.start();
    let login = OPENID.replace("pkce-url", &format!("pkce-url --redirect-uri {uri}"));
    assert_granted(&running.run(&login), "", usual(json!({})));
    let message = "the program of BROWSER ended in failure, and there is no terminal\n\
                   hint: run it by hand with the URL above; it may say why";
    assert_eq!((running.run(OPENID), running.asked("/token")), (failure("pkce-callback", 3, message), 1));
}

#[test]
fn leads_back_to_what_each_server_lets_in() {
    let usual = usual(json!({}));
    let login = |uri: &str, registered: fn(&str) -> bool| {
        let provider = Provider { registered: Box::new(registered), ..Provider::default() };
        provider.run(&OPENID.replace("pkce-url", &format!("pkce-url {uri}")))
    };
    // Spotify and Xero let no name in, Zoom any port; Duende no slash at the end; Entra gives a URI without a path one.
    let address = |uri: &str| uri.starts_with("http://127.0.0.1:") && !uri.contains(":0/");
    assert_granted(&login("", address), "", usual.clone());
    assert_eq!(login("--redirect-uri http://localhost:0/callback", address).status, 3);
    assert_granted(&login("--redirect-uri http://127.0.0.1:0", |uri| !uri.ends_with('/')), "", usual.clone());
    assert_granted(&login("--redirect-uri http://127.0.0.1:0/", |uri| uri.ends_with('/')), "", usual.clone());
    let name = |uri: &str| uri.starts_with("http://localhost:");
    assert_granted(&login("--redirect-uri http://localhost:0", name), "", usual);
}

#[test]
fn sends_google_the_secret_of_a_desktop_client_and_the_verifier() {
    let google = || Provider {
        secret: &["basic", "post"],
        unknown: refusal("invalid_request", "client_secret is missing."),
        metadata: json!({ "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"] }),
        code: format!("4/0A{}", "dFl-_x".repeat(12)),
        redirect: Box::new(|asked| {
            let rest = "scope=email+openid&authuser=0&hd=example.com&prompt=consent";
            format!("state={}&code={}&{rest}", asked.state, asked.code)
        }),
        tokens: json!({ "expires_in": 3599, "scope": "openid email" }),
        instead: vec![("revoke", refusal("invalid_token", "Token expired or revoked"))],
        ..Provider::default()
    };
    let login = OPENID.replace("openid", "'email openid'");
    let message = "token endpoint: invalid_request: client_secret is missing.";
    assert_eq!(google().run(&login), failure("pkce-exchange", 1, message));
    let expected = usual(json!({ "expires_in": 3599, "scope": "openid email" }));
    for way in ["", " --auth-method client_secret_post"] {
        let login = login.replace("exchange", &format!("exchange {SECRET}{way}"));
        assert_granted(&google().run(&login), "", expected.clone());
    }
    let login = login.replace("exchange", &format!("exchange {SECRET}"));
    let gone = json!({ "access_token": null, "refresh_token": null, "token_type": null, "expires_in": null });
    let revoked = google().run(&format!("{login} | pkce-revoke {SECRET}"));
    assert_granted(&revoked, "", changed(expected, &gone));
}

#[test]
fn refuses_an_id_token_of_an_issuer_that_is_not_to_the_letter() {
    // Google once had no scheme, Entra's first version another host; others drop or add a slash.
    for issuer in ["accounts.google.com", "https://sts.windows.net/tenant/", "ORIGIN/", "ORIGIN/{tenantid}/v2.0"] {
        let output = Provider { claims: json!({ "iss": issuer }), ..Provider::default() }.run(OPENID);
        assert_eq!(output, failure("pkce-verify", 4, "id_token: iss: not the document's issuer"), "{issuer}");
    }
}

#[test]
fn refuses_entras_issuer_template() {
    let template = json!({ "issuer": "ORIGIN/{tenantid}/v2.0" });
    let entra = Provider { path: "/common/v2.0", metadata: template, ..Provider::default() };
    let message = "metadata: issuer: not the one that was asked for\n\
                   hint: it is a pattern for many tenants: ask for the issuer of yours";
    assert_eq!(entra.run(OPENID), failure("pkce-discover", 4, message));
}

#[test]
fn logs_in_at_entra_with_its_long_codes_and_plain_keys() {
    let entra = Provider {
        path: "/tenant/v2.0",
        key: json!({ "alg": null }),
        code: format!("1.A{}", "b-_.".repeat(700)),
        redirect: Box::new(|asked| format!("code={}&state={}&session_state=0-0", asked.code, asked.state)),
        tokens: json!({ "expires_in": "3599", "ext_expires_in": "3599", "scope": "openid profile" }),
        claims: json!({ "tid": "tenant", "ver": "2.0" }),
        ..Provider::default()
    };
    let login = OPENID.replace("openid", "'openid profile offline_access' --redirect-uri http://localhost:0");
    let expected = json!({
        "expires_in": 3599, "ext_expires_in": "3599", "scope": "openid profile",
        "id_token_claims": { "aud": "cli", "sub": "alice", "tid": "tenant", "ver": "2.0" },
    });
    assert_granted(&entra.run(&login), OTHER_SCOPE, usual(expected));
}

#[test]
fn logs_in_at_github_which_writes_forms_unless_json_is_asked_for() {
    let scope = "repo,user:email";
    let as_asked: fn(&Seen, &Value) -> Vec<u8> = |seen, body| match seen.header("Accept") {
        Some(JSON) => json_answer(body),
        _ => answer(200, FORM, "error=not+asked+for+json"),
    };
    let github = |instead| Provider {
        secret: &["basic", "post"],
        unknown: answer(200, FORM, "error=incorrect_client_credentials&error_description=It+is+wrong."),
        tokens: json!({ "token_type": "bearer", "scope": scope, "expires_in": null, "refresh_token": null }),
        wire: as_asked,
        instead,
        ..Provider::default()
    };
    let login = BY_HAND.replace("url", "url --scope 'user:email repo'");
    let with_secret = login.replace("exchange", &format!("exchange {SECRET}"));
    let expected = json!({ "access_token": "access-1", "token_type": "bearer", "scope": scope });
    assert_granted(&github(vec![]).run(&with_secret), NO_ISSUER, expected.clone());
    let always = answer(200, FORM, "access_token=access-1&scope=repo%2Cuser%3Aemail&token_type=bearer");
    assert_granted(&github(vec![("token", always)]).run(&with_secret), NO_ISSUER, expected);
    let old = answer(200, JSON, "{\"error\":\"bad_verification_code\",\"error_description\":\"Old.\"}");
    for (login, instead, wrong) in [
        (&login, vec![], "incorrect_client_credentials: It is wrong."),
        (&with_secret, vec![("token", old)], "bad_verification_code: Old."),
    ] {
        let expected = failure("pkce-exchange", 1, &format!("token endpoint: {wrong}"));
        let expected = Output { stderr: format!("{NO_ISSUER}{}", expected.stderr), ..expected };
        assert_eq!(github(instead).run(login), expected);
    }
}

#[test]
fn reads_lifetimes_scopes_and_claims_as_each_server_writes_them() {
    for (tokens, claims, expected) in [
        // PayPal, whose answers have a nonce of their own, and reddit.
        (json!({ "expires_in": "28800", "nonce": "other" }), json!({}), json!({ "expires_in": 28800 })),
        (json!({ "expires_in": 3599.97 }), json!({}), json!({ "expires_in": 3599 })),
        // Twitch; and who names no lifetime.
        (json!({ "scope": ["openid"], "token_type": "bearer" }), json!({}), json!({ "token_type": "bearer" })),
        (json!({ "expires_in": null }), json!({}), json!({ "expires_in": null })),
        // GitLab, which rotates, as all do here.
        (
            json!({ "expires_in": 7200, "created_at": 1764000000 }),
            json!({}),
            json!({ "expires_in": 7200, "created_at": 1764000000 }),
        ),
        // Apple and Cognito.
        (
            json!({}),
            json!({ "email_verified": "true" }),
            json!({ "id_token_claims": { "aud": "cli", "sub": "alice", "email_verified": "true" } }),
        ),
    ] {
        let login = format!("{OPENID} | pkce-refresh | pkce-verify | pkce-refresh | pkce-verify");
        let latest = json!({ "access_token": "access-3", "refresh_token": "refresh-3" });
        let output = Provider { tokens, claims, ..Provider::default() }.run(&login);
        assert_granted(&output, "", changed(usual(expected), &latest));
    }
}

#[test]
fn shows_who_the_client_is_in_the_one_way_that_each_server_takes() {
    let ways = |ways: &[&str]| json!({ "token_endpoint_auth_methods_supported": ways });
    for (secret, metadata, option) in [
        // reddit and Twitch say nothing of what they take; Dropbox takes either, and never both.
        (&["basic"] as &[&str], json!({}), ""),
        (&["post"], json!({}), " --auth-method client_secret_post"),
        (&["post"], ways(&["client_secret_post"]), ""),
        (&["basic", "post"], ways(&["client_secret_post", "client_secret_basic"]), ""),
    ] {
        let wire: fn(&Seen, &Value) -> Vec<u8> = |seen, body| match seen.header("User-Agent") {
            Some(agent) if agent.starts_with("pkce-tools/") => json_answer(body),
            _ => answer(429, "", ""),
        };
        let login = OPENID.replace("exchange", &format!("exchange {SECRET}{option}"));
        let login = format!("{login} | pkce-refresh {SECRET}{option} | pkce-verify");
        let output = Provider { secret, metadata, wire, ..Provider::default() }.run(&login);
        assert_granted(&output, "", usual(json!({ "access_token": "access-2", "refresh_token": "refresh-2" })));
    }
}

/// What the whole login ends with where the token endpoint answers a good request with this.
fn answered(status: u16, media_type: &str, body: &str) -> Output {
    Provider { instead: vec![("token", answer(status, media_type, body))], ..Provider::default() }.run(OPENID)
}

#[test]
fn tells_each_servers_refusal_in_its_own_words() {
    let entra = json!({
        "error": "invalid_grant", "error_codes": [70008], "suberror": "bad_token", "trace_id": "0-0",
        "error_description": "AADSTS70008: It has expired.\r\nTrace ID: 0-0\r\nTimestamp: 2026-01-01 00:00:00Z",
    });
    for (name, status, body, ends, message) in [
        ("Auth0", 403, json!({ "error": "invalid_grant", "error_description": "No." }), 5, "invalid_grant: No."),
        ("glewlwyd", 403, json!({ "error": "invalid_code" }), 1, "invalid_code"),
        ("Slack", 200, json!({ "ok": false, "error": "invalid_code" }), 1, "invalid_code"),
        ("Slack", 200, json!({ "ok": false }), 1, "an error without a name"),
        ("GitHub", 200, json!({ "error": "redirect_uri_mismatch" }), 1, "redirect_uri_mismatch"),
        (
            "Entra",
            400,
            entra,
            5,
            "invalid_grant: AADSTS70008: It has expired.  Trace ID: 0-0  Timestamp: 2026-01-01 00:00:00Z",
        ),
        ("Google", 401, json!({ "error": "invalid_client" }), 1, &format!("invalid_client{PUBLIC}")),
        ("Entra", 400, json!({ "error": "invalid_client" }), 1, &format!("invalid_client{PUBLIC}")),
    ] {
        let expected = failure("pkce-exchange", ends, &format!("token endpoint: {message}"));
        assert_eq!(answered(status, JSON, &body.to_string()), expected, "{name}");
    }
    let challenges = "www-authenticate: Basic realm=\"a\"\r\nwww-authenticate: Bearer error=\"invalid_token\"";
    let twice = format!("HTTP/1.1 401\r\n{challenges}\r\n\r\n{{\"error\":\"unauthorized_client\"}}").into_bytes();
    let output = Provider { instead: vec![("token", twice)], ..Provider::default() }.run(OPENID);
    assert_eq!(output, failure("pkce-exchange", 1, &format!("token endpoint: unauthorized_client{PUBLIC}")));
}

#[test]
fn takes_what_has_no_tokens_and_no_oauth_error_for_the_end_of_the_code() {
    let slack = "{\"ok\":true,\"authed_user\":{\"access_token\":\"xoxp-1\",\"token_type\":\"user\"}}";
    let facebook = "{\"error\":{\"message\":\"This code has been used.\",\"type\":\"OAuthException\",\"code\":100}}";
    for (name, status, media_type, body, ends, message) in [
        ("", 400, "", "", 5, "the server answered 400 without an OAuth error"),
        (
            "Twitch",
            400,
            JSON,
            "{\"status\":400,\"message\":\"Invalid authorization code\"}",
            5,
            "the server answered 400 without an OAuth error",
        ),
        ("Facebook", 400, JSON, facebook, 5, "the server answered 400 without an OAuth error"),
        // A form is read only where the server says that it is one.
        ("Facebook", 200, "text/plain", "access_token=AT&expires=5183974", 4, "not JSON at line 1, column 1"),
        ("Slack", 200, JSON, slack, 4, "access_token: missing"),
        (
            "atproto",
            200,
            JSON,
            "{\"access_token\":\"AT\",\"token_type\":\"DPoP\"}",
            4,
            "token_type: not Bearer, and no other type was asked for",
        ),
    ] {
        let message = format!("token endpoint: {message}; the code may be spent");
        assert_eq!(answered(status, media_type, body), failure("pkce-exchange", ends, &message), "{name}");
    }
}

#[test]
fn tells_what_each_server_says_in_its_redirect() {
    for (name, query, status, message) in [
        (
            "Entra",
            "error=invalid_target&error_description=AADSTS901002%3a+No+'resource'.%0d%0aTrace+ID%3a+0-0&error_uri=a",
            1,
            "authorization endpoint: invalid_target: AADSTS901002: No 'resource'.  Trace ID: 0-0",
        ),
        ("Okta", "error=login_required&error_description=", 5, "authorization endpoint: login_required"),
        (
            "Facebook",
            "error=access_denied&error_code=200&error_reason=user_denied",
            1,
            "authorization endpoint: access_denied",
        ),
    ] {
        let redirect = Box::new(move |asked: &Asked| format!("{query}&state={}", asked.state));
        let output = Provider { redirect, ..Provider::default() }.run(OPENID);
        assert_eq!(output, failure("pkce-callback", status, message), "{name}");
    }
}

#[test]
fn says_that_a_server_lets_no_public_client_revoke_and_keeps_the_tokens() {
    let running = Provider { instead: vec![("revoke", answer(401, "", ""))], ..Provider::default() }.start();
    let output = running.run(&format!("{OPENID} | pkce-revoke"));
    let message = format!("revocation endpoint: the server answered 401{PUBLIC}");
    assert_eq!((output, running.asked("/revoke")), (failure("pkce-revoke", 1, &message), 1));
}

#[test]
fn tells_atprotos_wish_for_dpop_as_what_it_is() {
    let nonce = refusal("use_dpop_nonce", "Authorization server requires nonce in DPoP proof");
    let said = "use_dpop_nonce: Authorization server requires nonce in DPoP proof\n\
                hint: the server wants DPoP (RFC 9449), which no tool here can do";
    let metadata = json!({
        "require_pushed_authorization_requests": true, "authorization_response_iss_parameter_supported": true,
    });
    let atproto = |instead| Provider {
        metadata: metadata.clone(),
        redirect: Box::new(|asked| format!("iss=ORIGIN&state={}&code={}", asked.state, asked.code)),
        instead,
        ..Provider::default()
    };
    let port = format!("pkce-url --redirect-uri http://127.0.0.1:{}/callback", free_port());
    let pushing = OPENID.replace("pkce-url", &port).replace("| pkce-callback", "| pkce-push | pkce-callback");
    assert_granted(&atproto(vec![]).run(&pushing), "", usual(json!({})));
    let message = "authorization_url: the server takes only requests that were pushed to it\n\
                   hint: put pkce-push between pkce-url and pkce-callback";
    assert_eq!(atproto(vec![]).run(OPENID), failure("pkce-callback", 2, message));
    let output = atproto(vec![("par", nonce.clone())]).run(&pushing);
    assert_eq!(output, failure("pkce-push", 1, &format!("pushed authorization request endpoint: {said}")));
    let output = atproto(vec![("token", nonce)]).run(&pushing);
    assert_eq!(output, failure("pkce-exchange", 1, &format!("token endpoint: {said}")));
}

#[test]
fn never_sends_what_only_a_browser_sends() {
    let running = Provider::default().start();
    let port = format!("pkce-url --redirect-uri http://127.0.0.1:{}/callback", free_port());
    let login = OPENID.replace("pkce-url", &port).replace("| pkce-callback", "| pkce-push | pkce-callback");
    let output = running.run(&format!("{login} | pkce-refresh | pkce-verify | pkce-revoke"));
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    let seen = running.server.seen();
    let paths = ["/.well-known/openid-configuration", "/par", "/authorize", "/token", "/jwks", "/revoke"];
    assert!(paths.iter().all(|path| running.asked(path) > 0), "{seen:?}");
    let plain = ["accept", "content-length", "content-type", "host", "user-agent"];
    for (name, _) in seen.iter().flat_map(|seen| &seen.headers) {
        assert!(plain.contains(&name.to_ascii_lowercase().as_str()), "{name}");
    }
}

/// What the listener that waits for this answers to another request.
fn listener(asked: &Asked, method: &str, target: &str, rest: &str) -> String {
    let authority = asked.redirect_uri.split('/').nth(2).unwrap();
    let port = authority.rsplit(':').next().unwrap().parse().unwrap();
    talk(port, format!("{method} {target} HTTP/1.1\r\nHost: {authority}\r\n{rest}").as_bytes())
}

/// Logs in at a server in whose login the browser sends something else before the redirect, and gives the pages that it
/// gets for that.
fn beside(requests: impl Fn(&Asked) -> Vec<String> + Send + Sync + 'static) -> Vec<String> {
    let pages: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&pages);
    let redirect = Box::new(move |asked: &Asked| {
        *seen.lock().unwrap() = requests(asked);
        format!("code={}&state={}", asked.code, asked.state)
    });
    assert_granted(&Provider { redirect, ..Provider::default() }.run(OPENID), "", usual(json!({})));
    std::mem::take(&mut pages.lock().unwrap())
}

#[test]
fn answers_apples_form_and_waits_for_the_query() {
    let pages = beside(|asked| {
        let body = format!("state={}&code=of-the-form&user=%7B%7D", asked.state);
        let origin = "Origin: https://appleid.apple.com\r\nContent-Type: application/x-www-form-urlencoded\r\n";
        let rest = format!("{origin}Content-Length: {}\r\n\r\n{body}", body.len());
        vec![listener(asked, "POST", "/callback", &rest)]
    });
    let told = |page: &String| page.starts_with("HTTP/1.1 405 ") && page.contains("(response_mode=query)");
    assert!(pages.len() == 1 && pages.iter().all(told), "{pages:?}");
}

#[test]
fn spends_no_code_on_what_chrome_sends_before_and_beside_the_redirect() {
    let silent = Mutex::new(Vec::new());
    let pages = beside(move |asked| {
        let target = format!("/callback?code={}&state={}", asked.code, asked.state);
        let requests = [
            ("GET", "/favicon.ico", "\r\n"),
            ("OPTIONS", &target, "Origin: https://id.example\r\nAccess-Control-Request-Private-Network: true\r\n\r\n"),
            ("HEAD", &target, "\r\n"),
            ("GET", &target, "Sec-Fetch-Mode: cors\r\nSec-Fetch-Site: cross-site\r\n\r\n"),
            ("GET", &target, "Sec-Purpose: prefetch\r\n\r\n"),
        ];
        let answered = requests.map(|(method, target, rest)| {
            // A connection that is open for the case that it is needed, and never is.
            let authority = asked.redirect_uri.split('/').nth(2).unwrap();
            silent.lock().unwrap().push(TcpStream::connect(authority).unwrap());
            listener(asked, method, target, rest)
        });
        answered.to_vec()
    });
    let statuses: Vec<&str> = pages.iter().map(|page| page.split(' ').nth(1).unwrap()).collect();
    assert_eq!(statuses, ["404", "405", "405", "403", "425"]);
    assert!(pages.iter().all(|page| page.contains("\r\nConnection: close\r\n")), "{pages:?}");
}

/// Runs a script where the name keycloak leads to this machine; nothing where the system lets nobody arrange that.
fn at_keycloak(running: &Running, hosts: &str, script: &str) -> Option<Output> {
    let directory = new_directory();
    let (names, browser) = (directory.path().join("hosts"), directory.path().join("browser"));
    std::fs::write(&names, "127.0.0.1 localhost keycloak\n").unwrap();
    // The browser is outside, where the name means nothing.
    let visit = format!("exec pkce-idp --visit \"{}?${{1#*\\?}}\"", running.server.url("/authorize"));
    std::fs::write(&browser, visit).unwrap();
    let mount = format!("mount --bind '{}' /etc/hosts", names.display());
    let inside = |unshare: &str, script: &str| {
        let mut command = running.command("bash");
        command.args(["-c", &format!("{unshare} bash -c \"$INSIDE\"")]).env("INSIDE", format!("{mount} && {script}"));
        command.env("BROWSER", format!("bash {} %s", browser.display())).env("PKCE_HTTP_HOSTS", hosts);
        command.env("PKCE_ISSUER", running.issuer.replace("127.0.0.1", "keycloak"));
        finish(&mut command, b"")
    };
    let ways = ["unshare --mount --map-root-user", "unshare --mount"];
    let Some(unshare) = ways.into_iter().find(|unshare| inside(unshare, "true").status == 0) else {
        println!("left out, since unshare is not permitted here: a server at http://keycloak");
        return None;
    };
    Some(quiet(inside(unshare, script)))
}

#[test]
fn logs_in_at_a_test_networks_keycloak_where_its_name_is_given() {
    let keycloak = || Provider { path: "/realms/x", ..Provider::default() }.start();
    for hosts in ["keycloak", "other:1 keycloak:PORT"] {
        let running = keycloak();
        let port = running.server.port.to_string();
        let Some(output) = at_keycloak(&running, &hosts.replace("PORT", &port), OPENID) else { return };
        assert_granted(&output, "", usual(json!({})));
        assert_eq!(output.json()["issuer"], format!("http://keycloak:{port}/realms/x"));
    }
    let running = keycloak();
    let message = "issuer: plain http is allowed to this machine alone; use https\n\
                   hint: PKCE_HTTP_HOSTS names hosts of a test network, as in keycloak:8080";
    for hosts in ["", "keycloak:1", "cloak"] {
        let output = at_keycloak(&running, hosts, OPENID).unwrap();
        assert_eq!(output, failure("pkce-discover", 4, message), "{hosts}");
    }
    assert_eq!(running.server.seen().len(), 0);
}

#[test]
fn lets_no_server_elsewhere_have_a_test_networks_host_called() {
    let login = "pkce-gen <(echo \"$DOCUMENT\") | pkce-url | pkce-callback | pkce-exchange";
    for (name, path, script, tool) in [
        ("authorization_endpoint", "/authorize", login, "pkce-url"),
        ("token_endpoint", "/token", login, "pkce-exchange"),
        ("token_endpoint", "/token", "echo \"$DOCUMENT\" | pkce-refresh", "pkce-refresh"),
        ("revocation_endpoint", "/revoke", "echo \"$DOCUMENT\" | pkce-revoke", "pkce-revoke"),
    ] {
        let running = Provider::default().start();
        let here = format!("http://keycloak:{}{path}", running.server.port);
        let known = json!({
            "issuer": "https://id.example", "client_id": "cli", "access_token": "a", "refresh_token": "r", name: here,
        });
        let document = changed(endpoints("https://id.example"), &known);
        let script = format!("export DOCUMENT='{document}'; {script}");
        let Some(output) = at_keycloak(&running, "keycloak", &script) else { return };
        let message = format!("{name}: a server elsewhere must not name one on this machine");
        assert_eq!((output, running.asked(path)), (failure(tool, 4, &message), 0));
    }
}
