//! A token endpoint that rotates refresh tokens and ends the grant where an old one comes again, and a directory with a
//! document of its.
#![allow(dead_code)]

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::common::{Output, Server, command, finish, json_response, new_directory, response};

/// What the server knows: the number of its latest tokens, and whether the grant is ended.
#[derive(Clone, Copy, Default)]
pub struct Grant {
    pub latest: u32,
    pub ended: bool,
}

/// The server, and the directory of the store in which a login is stored as `work`.
pub struct Session {
    pub server: Server,
    pub grant: Arc<Mutex<Grant>>,
    pub directory: TempDir,
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Session {
    /// A server whose responses take this long.
    pub fn new(pause: Duration) -> Session {
        Session::responding(move |grant, token| {
            let response = rotate(grant, token);
            thread::sleep(pause);
            response
        })
    }

    /// A server that responds to a refresh token with what `response` returns for it.
    pub fn responding(response: impl Fn(&Mutex<Grant>, &str) -> Vec<u8> + Send + Sync + 'static) -> Session {
        let grant = Arc::new(Mutex::new(Grant::default()));
        let known = Arc::clone(&grant);
        let server = Server::start(move |seen| {
            let form = seen.form();
            let (_, token) = form.iter().find(|(name, _)| name == "refresh_token").unwrap();
            response(&known, token)
        });
        Session { server, grant, directory: new_directory() }
    }

    /// The document with the tokens of this number, which expire at that time.
    pub fn document(&self, number: u32, expires_at: u64) -> Value {
        json!({
            "issuer": self.server.url(""),
            "token_endpoint": self.server.url("/token"),
            "client_id": "cli",
            "access_token": format!("access-{number}-{}", "a".repeat(40)),
            "token_type": "Bearer",
            "expires_in": 3600,
            "expires_at": expires_at,
            "refresh_token": format!("refresh-{number}-{}", "r".repeat(40)),
            "scope": "openid",
            "resource": "https://api.example/",
            "own": 1,
        })
    }

    pub fn home(&self) -> PathBuf {
        self.directory.path().join("store")
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.home().join(file)
    }

    pub fn command(&self, program: &str) -> Command {
        let mut command = command(program);
        command.env("PKCE_HOME", self.home());
        command
    }

    /// Stores a document as a login would.
    pub fn store(&self, document: &Value) {
        let output = finish(self.command("pkce-store").arg("work"), document.to_string().as_bytes());
        assert_eq!((output.status, output.stdout.as_str(), output.stderr.as_str()), (0, "", ""));
    }

    /// Stores the document of the server's latest tokens, whose access token has expired.
    pub fn store_expired(&self) {
        let latest = self.grant.lock().unwrap().latest;
        self.store(&self.document(latest, 5));
    }

    pub fn token(&self, args: &[&str]) -> Output {
        finish(self.command("pkce-token").arg("work").args(args), b"")
    }

    /// The stored login, read without the tools.
    pub fn stored(&self) -> Value {
        let text = std::fs::read_to_string(self.path("work.json")).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text:?}"))
    }

    /// How many refreshes the server was asked for.
    pub fn refreshes(&self) -> usize {
        self.server.requests().len()
    }
}

/// The number in a token of this server's.
pub fn number(token: &Value) -> u32 {
    token.as_str().unwrap().split('-').nth(1).unwrap().parse().unwrap()
}

/// Rotates the latest refresh token, and ends the grant where it is another.
pub fn rotate(grant: &Mutex<Grant>, token: &str) -> Vec<u8> {
    let mut grant = grant.lock().unwrap();
    if grant.ended || number(&json!(token)) != grant.latest {
        grant.ended = true;
        return refused();
    }
    grant.latest += 1;
    let latest = grant.latest;
    json_response(&json!({
        "access_token": format!("access-{latest}-{}", "a".repeat(40)),
        "token_type": "Bearer",
        "expires_in": 3600,
        "refresh_token": format!("refresh-{latest}-{}", "r".repeat(40)),
    }))
}

pub fn refused() -> Vec<u8> {
    response(400, "application/json", "{\"error\":\"invalid_grant\"}")
}
