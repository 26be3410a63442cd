//! pkce-device: the code that is shown, and every response that a server may send to a poll.
#![cfg(test)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/screen.rs"]
mod screen;
#[path = "../common/terminal.rs"]
mod terminal;

mod display;
mod early;
mod errors;
mod polling;
mod request;
mod response;
mod tokens;

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::{Output, Request, Server, changed, command, failure, finish, json_response, response};
use serde_json::{Value, json};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

const DEVICE_CODE: &str = "dev1ce-c0de";

/// A server with both endpoints, and when it was polled.
struct Fake {
    server: Server,
    times: Arc<Mutex<Vec<Instant>>>,
}

impl Fake {
    /// Responds with the device authorization response that has these changes, then to each poll with the next of these
    /// octets; without octets, it closes the connection.
    fn start(changes: Value, polls: Vec<Vec<u8>>) -> Fake {
        Fake::with_response(move |base| json_response(&changed(authorization(base), &changes)), polls)
    }

    /// The same with any device authorization response.
    fn with_response(first: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static, polls: Vec<Vec<u8>>) -> Fake {
        Fake::responding(move |count, base| match count {
            1 => first(base),
            count => polls.get(count - 2).cloned().unwrap_or_default(),
        })
    }

    /// Responds with what the function gives, which gets the number of the request and the server's URL.
    fn responding(response: impl Fn(usize, &str) -> Vec<u8> + Send + Sync + 'static) -> Fake {
        let times = Arc::new(Mutex::new(Vec::new()));
        let recorded = Arc::clone(&times);
        let server = Server::start(move |request| {
            let count = {
                let mut times = recorded.lock().unwrap();
                times.push(Instant::now());
                times.len()
            };
            response(count, &format!("http://{}", request.header("Host").unwrap()))
        });
        Fake { server, times }
    }

    /// Whole seconds from each request to the next: never more than what passed after its response.
    fn pauses(&self) -> Vec<u64> {
        self.times.lock().unwrap().windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect()
    }

    fn document(&self) -> Value {
        json!({
            "device_authorization_endpoint": self.server.url("/device_authorization"),
            "token_endpoint": self.server.url("/token"),
            "client_id": "cli",
            "code_verifier": VERIFIER,
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "state": "s",
            "nonce": "n",
            "own": 1.10,
        })
    }

    /// Logs in with this document.
    fn log_in(&self, args: &[&str]) -> Output {
        self.run(command("pkce-device").args(args))
    }

    /// Runs the prepared tool with this document.
    fn run(&self, tool: &mut Command) -> Output {
        finish(tool, self.document().to_string().as_bytes())
    }

    fn requests(&self) -> Vec<Request> {
        self.server.requests()
    }

    /// What is shown to the user where standard error is no terminal.
    fn shown(&self) -> String {
        let base = self.server.url("");
        format!("{}{}", shown(&format!("{base}/device")), with_link(&format!("{base}/device?user_code=WDJB-MJHT")))
    }

    /// The output of a failure after the code was shown.
    fn failure(&self, status: i32, message: &str) -> Output {
        self.failure_after("", status, message)
    }

    /// The same with notes before it.
    fn failure_after(&self, notes: &str, status: i32, message: &str) -> Output {
        let Output { stdout, stderr, .. } = failure("pkce-device", status, message);
        Output { status, stdout, stderr: format!("{}{notes}{stderr}", self.shown()) }
    }
}

fn shown(address: &str) -> String {
    format!("pkce-device: to sign in, open this URL on any device and enter the code:\n    {address}\n    WDJB-MJHT\n")
}

fn with_link(link: &str) -> String {
    format!("pkce-device: or open this link, which has the code in it:\n    {link}\n")
}

/// A device authorization response with an interval of one second.
fn authorization(base: &str) -> Value {
    json!({
        "device_code": DEVICE_CODE,
        "user_code": "WDJB-MJHT",
        "verification_uri": format!("{base}/device"),
        "verification_uri_complete": format!("{base}/device?user_code=WDJB-MJHT"),
        "expires_in": 300,
        "interval": 1,
    })
}

fn tokens() -> Vec<u8> {
    json_response(&json!({ "access_token": "AT", "token_type": "Bearer" }))
}

fn error(code: &str) -> Vec<u8> {
    response(400, "application/json", &json!({ "error": code }).to_string())
}

fn pending() -> Vec<u8> {
    error("authorization_pending")
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Runs all cases at the same time, since each of them waits most of its time.
fn at_once<T: Send + 'static>(cases: Vec<T>, run: fn(T)) {
    let threads: Vec<_> = cases.into_iter().map(|case| thread::spawn(move || run(case))).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Waits until this holds.
fn until(mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end);
        thread::sleep(Duration::from_millis(5));
    }
}
