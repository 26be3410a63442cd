//! A pkce-idp that signs everybody in, and the browser that goes with it.
#![allow(dead_code)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::common::{browser, command};

/// A running pkce-idp.
pub struct Provider {
    child: Child,
    pub issuer: String,
    pub client_id: String,
}

impl Provider {
    /// Starts it with these faults.
    pub fn start(faults: &[&str]) -> Provider {
        let mut idp = command("pkce-idp");
        idp.arg("--auto-approve").args(faults.iter().flat_map(|fault| ["--fault", fault]));
        let mut child = idp.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let document: Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| document[name].as_str().unwrap().to_owned();
        Provider { child, issuer: text("issuer"), client_id: text("client_id") }
    }

    /// The command with a browser that is signed in there.
    pub fn browser<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("BROWSER", browser())
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
