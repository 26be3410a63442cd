//! Logins to an MCP server, given only its URL.

use std::fs;

use serde_json::{Value, json};

use super::common::{self, Output, finish, talk};
use super::home::{Home, success};
use super::mcp;

struct Login {
    home: Home,
    secret: String,
}

impl Login {
    fn new() -> Login {
        let home = Home::new();
        let secret = home.root.path().join("secret");
        fs::write(&secret, "s3cret-0f-client\n").unwrap();
        Login { secret: secret.display().to_string(), home }
    }

    /// Logs in with a browser, and with the client and the secret of another server in the environment.
    fn run(&self, args: &[&str]) -> Output {
        let mut command = self.home.command("pkce-login");
        command.arg("work").args(args).env("PKCE_CLIENT_ID", "other").env("PKCE_CLIENT_SECRET_FILE", &self.secret);
        finish(command.env("BROWSER", common::browser()), b"")
    }

    fn client(&self) -> Value {
        let stored = fs::read_to_string(self.home.path("work.json")).unwrap();
        serde_json::from_str::<Value>(&stored).unwrap()["client_id"].clone()
    }
}

/// The status, and what is on standard error beside the URL to open.
fn said(output: &Output) -> (i32, Vec<&str>) {
    let is_noise = |line: &&str| line.contains("to sign in, open this URL") || line.starts_with("http");
    (output.status, output.stderr.lines().filter(|line| !is_noise(line)).collect())
}

#[test]
fn registers_another_client_where_the_server_has_forgotten_it_or_the_scope_is_another() {
    let server = mcp::start();
    let login = Login::new();
    let url = server.url("/mcp");
    let first = login.run(&["--resource", &url, "--register"]);
    assert_eq!((said(&first), login.client()), ((0, vec![]), json!("c1")), "{first:?}");
    let forget = "POST /forget HTTP/1.1\r\nHost: x\r\n\r\n";
    talk(server.port, forget.as_bytes());
    assert_eq!(finish(login.home.command("pkce-store").args(["--remove", "work"]), b""), success());
    let refused = [
        "pkce-exchange: token endpoint: invalid_client",
        "hint: the server may not know the client any more: register another one (pkce-register, or pkce-login --register), then sign in",
    ];
    assert_eq!(said(&login.run(&[])), (1, refused.to_vec()));
    assert_eq!((said(&login.run(&["--register"])), login.client()), ((0, vec![]), json!("c2")));
    // Another resource: nothing is remembered, not even the client.
    let writing = server.url("/writing");
    let other = login.run(&["--resource", &writing, "--register"]);
    assert_eq!((said(&other), login.client()), ((0, vec![]), json!("c3")), "{other:?}");
    let requests = server.requests();
    assert_eq!(requests.iter().filter(|seen| seen.target == "/register").count(), 3);
    assert!(!requests.iter().any(|seen| format!("{seen:?}").contains("s3cret-0f")));
}

#[test]
fn uses_no_other_authorization_server_than_the_first_time() {
    let (server, other) = (mcp::start(), mcp::start());
    let login = Login::new();
    let first = login.run(&["--resource", &server.url("/mcp"), "--register"]);
    assert_eq!(said(&first), (0, vec![]), "{first:?}");
    assert_eq!(finish(login.home.command("pkce-store").args(["--remove", "work"]), b""), success());
    // As if the resource had named another one then.
    let told = fs::read_to_string(login.home.path("work.login")).unwrap();
    let issuer = |url: &str| json!(url).to_string();
    let told = told.replace(&issuer(&server.url("")), &issuer(&other.url("")));
    fs::write(login.home.path("work.login"), told).unwrap();
    let output = login.run(&[]);
    let hint = format!("hint: it names {}", server.url(""));
    let expected = ["pkce-discover: --issuer: not one of the resource's authorization servers", &hint];
    assert_eq!(said(&output), (2, expected.to_vec()));
    assert_eq!(other.requests().len(), 0);
}
