//! examples/mcp-call.sh, against MCP servers of both revisions.
#![cfg(test)]

mod common;
#[path = "common/mcp.rs"]
mod mcp;

use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, mpsc};

use common::{
    Output, Request, Server, bin, changed, command, done, finish, free_port, json_response, kill, lacks, new_directory,
    response, root, start, talk, write_program,
};
use mcp::TOKEN;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A server, and a directory for the store of its client and for what is put before the programs on the PATH.
struct Run {
    shell: &'static str,
    server: Server,
    directory: TempDir,
}

impl Run {
    /// One for each shell of this machine; none where it lacks what the example requires.
    fn all() -> Vec<Run> {
        if lacks(&["curl", "jq"]) {
            return Vec::new();
        }
        let shells = ["dash", "bash"].into_iter().filter(|shell| !lacks(&[shell]));
        shells.map(|shell| Run { shell, server: mcp::start(), directory: new_directory() }).collect()
    }

    /// One for each shell of this machine, with an MCP server that requires no token and speaks so.
    fn open(speak: fn(&Request, &mut TcpStream)) -> Vec<Run> {
        Run::all().into_iter().map(|run| Run { server: Server::speaking(speak), ..run }).collect()
    }

    fn call(&self, path: &str, arguments: &[&str]) -> Output {
        finish(&mut self.script(&self.server.url(path), arguments), b"")
    }

    fn script(&self, url: &str, arguments: &[&str]) -> Command {
        let mut script = command(self.shell);
        script.arg(root().join("examples/mcp-call.sh")).arg(url).args(arguments);
        std::fs::create_dir_all(self.temporary()).unwrap();
        script.env("PKCE_HOME", self.directory.path().join("store")).env("TMPDIR", self.temporary());
        script.env("BROWSER", common::browser());
        script.env("PATH", format!("{}:{}:/usr/bin:/bin", self.directory.path().display(), bin().display()));
        script
    }

    /// Changes members of what is stored under the name that begins so, and returns the name.
    fn change(&self, kind: &str, changes: &Value) -> String {
        let name = self.stored().into_iter().find(|name| name.starts_with(kind)).unwrap();
        let file = self.directory.path().join("store").join(format!("{name}.json"));
        let stored = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        std::fs::write(&file, changed(stored, changes).to_string()).unwrap();
        name
    }

    /// The directory of its temporary files.
    fn temporary(&self) -> PathBuf {
        self.directory.path().join("temporary")
    }

    /// The requests to a path so far.
    fn requests(&self, path: &str) -> Vec<Request> {
        let at = |seen: &Request| seen.target.split('?').next() == Some(path);
        self.server.requests().into_iter().filter(at).collect()
    }

    /// The values of a parameter of the authorization requests so far.
    fn authorized(&self, name: &str) -> Vec<String> {
        let requests = self.requests("/authorize");
        let queries = requests.iter().map(|seen| seen.target.split_once('?').unwrap().1.as_bytes());
        let values = queries.flat_map(|query| form_urlencoded::parse(query).into_owned());
        values.filter(|(other, _)| other == name).map(|(_, value)| value).collect()
    }

    /// The names in the store.
    fn stored(&self) -> Vec<String> {
        let output = finish(command("pkce-load").env("PKCE_HOME", self.directory.path().join("store")), b"");
        output.stdout.lines().map(str::to_owned).collect()
    }
}

/// What was said beside the URLs to open.
fn said(output: &Output) -> String {
    let noise = |line: &&str| line.contains("to sign in, open this URL") || line.starts_with("http");
    output.stderr.lines().filter(|line| !noise(line)).collect::<Vec<_>>().join("\n")
}

/// The result of a call that went well.
fn result(output: &Output) -> Value {
    assert_eq!((output.status, said(output).as_str()), (0, ""), "{output:?}");
    output.json()
}

#[test]
fn lists_the_tools_of_a_server_and_calls_one_with_one_login() {
    for run in Run::all() {
        let output = run.call("/mcp", &[]);
        assert_eq!((output.status, output.stdout.as_str(), said(&output).as_str()), (0, "add\nwr?ite\n", ""));
        assert_eq!(output.stderr.lines().count(), 2, "{output:?}");
        let output = run.call("/mcp", &["add", "{\"a\":2,\"b\":40}"]);
        assert_eq!((result(&output), output.stderr.as_str()), (json!({ "sum": 42 }), ""));
        assert_eq!(run.authorized("scope"), ["read"]);
        assert_eq!(run.authorized("resource"), [run.server.url("/mcp")]);
        assert_eq!(run.requests("/register").len(), 1);
        // The first call without a token, and again with one; then the second.
        let with_token: Vec<bool> =
            run.requests("/mcp").iter().map(|seen| seen.header("Authorization").is_some()).collect();
        assert_eq!(with_token, [false, true, true]);
        let stored = run.stored();
        assert_eq!(stored.len(), 2);
        for (name, kind) in stored.iter().zip(["client", "mcp"]) {
            assert!(name.starts_with(&format!("{kind}.127.0.0.1_{}.", run.server.port)), "{name}");
        }
    }
}

#[test]
fn shows_the_token_to_no_other_program() {
    for run in Run::all() {
        // Notes what it is told, and calls the program of its name that comes after it.
        let log = run.directory.path().join("log");
        for name in ["curl", "jq", "sed", "cat", "grep", "cksum"] {
            let wrapper = format!(
                "#!/bin/sh\nprintf '%s\\n' {name} \"$@\" \"$(env)\" >>'{}'\nPATH=${{PATH#*:}}\nexec {name} \"$@\"\n",
                log.display()
            );
            write_program(&run.directory.path().join(name), &wrapper);
        }
        let output = run.call("/mcp", &["write"]);
        assert_eq!(result(&output), json!({ "written": true }));
        let told = std::fs::read_to_string(&log).unwrap();
        assert!(told.contains("curl\n--header\n@-\n") && told.contains("\nPKCE_HOME="), "{told}");
        for text in [&told, &output.stderr, &output.stdout] {
            assert!(!text.contains(TOKEN), "{text}");
        }
        assert_eq!(std::fs::read_dir(run.temporary()).unwrap().count(), 0);
    }
}

#[test]
fn ends_with_status_1_where_the_tool_reports_an_error() {
    for run in Run::all() {
        let output = run.call("/mcp", &["broken"]);
        assert_eq!((output.status, output.json(), said(&output).as_str()), (1, json!({ "isError": true }), ""));
        let output = run.call("/mcp", &["unknown"]);
        let message = "mcp-call: no such??[31mtool";
        assert_eq!((output.status, output.stdout.as_str(), said(&output).as_str()), (1, "", message));
    }
}

#[test]
fn extends_the_login_where_a_tool_requires_another_scope() {
    for run in Run::all() {
        assert_eq!(run.call("/mcp", &[]).status, 0);
        assert_eq!(result(&run.call("/mcp", &["write"])), json!({ "written": true }));
        assert_eq!(result(&run.call("/mcp", &["write"])), json!({ "written": true }));
        assert_eq!(run.authorized("scope"), ["read", "read write"]);
        // The first client was registered for one scope, and the server grants no more than that.
        assert_eq!(run.authorized("client_id"), ["c1", "c2"]);
        assert_eq!(run.stored().len(), 2);
        // The other servers of the same authorization server have the same client.
        assert_eq!(run.call("/stream", &[]).status, 0);
        assert_eq!(run.authorized("client_id"), ["c1", "c2", "c2"]);
        assert_eq!(run.authorized("scope"), ["read", "read write", "read"]);
    }
}

#[test]
fn registers_again_where_the_server_has_forgotten_the_client() {
    for run in Run::all() {
        assert_eq!(run.call("/mcp", &[]).status, 0);
        talk(run.server.port, b"POST /forget HTTP/1.1\r\nHost: x\r\n\r\n");
        let output = run.call("/stream", &[]);
        let message = "pkce-exchange: token endpoint: invalid_client\n\
                       hint: the server may not know the client any more: register another one (pkce-register, or pkce-login --register), then sign in";
        assert_eq!((output.status, output.stdout.as_str(), said(&output).as_str()), (0, "add\nwr?ite\n", message));
        assert_eq!(run.authorized("client_id"), ["c1", "c1", "c2"]);
        // Once in a run: this server forgets each client at once.
        talk(run.server.port, b"POST /forget?all HTTP/1.1\r\nHost: x\r\n\r\n");
        let output = run.call("/session", &[]);
        let both = format!("{message}\n{message}");
        assert_eq!((output.status, output.stdout.as_str(), said(&output)), (1, "", both));
        assert_eq!(run.authorized("client_id"), ["c1", "c1", "c2", "c2", "c3"]);
    }
}

#[test]
fn speaks_to_a_server_with_sessions() {
    for run in Run::all() {
        let output = run.call("/session", &["add", "{\"a\":1,\"b\":2}"]);
        assert_eq!(result(&output), json!({ "sum": 3 }));
        let methods: Vec<String> = run
            .requests("/session")
            .iter()
            .filter(|seen| seen.header("Authorization").is_some())
            .map(|seen| serde_json::from_str::<Value>(&seen.body).unwrap()["method"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(methods, ["tools/call", "initialize", "notifications/initialized", "tools/call"]);
        assert_eq!(run.authorized("scope"), ["read"]);
    }
}

#[test]
fn finds_the_response_in_an_event_stream() {
    for run in Run::all() {
        assert_eq!(result(&run.call("/stream", &["add", "{\"a\":1,\"b\":2}"])), json!({ "sum": 3 }));
        assert_eq!(run.call("/stream", &["broken"]).status, 1);
    }
}

#[test]
fn gives_up_where_the_server_accepts_no_login() {
    for run in Run::all() {
        for (path, logins) in [("/refusing", 2), ("/scopes", 2)] {
            let before = run.authorized("scope").len();
            let output = run.call(path, &[]);
            let message = "mcp-call: the server does not accept the token";
            assert_eq!((output.status, output.stdout.as_str(), said(&output).as_str()), (1, "", message));
            assert_eq!(run.authorized("scope").len() - before, logins, "{path}");
        }
    }
}

#[test]
fn says_what_is_wrong_with_a_response() {
    for run in Run::all() {
        for (path, message) in [
            ("/page", "mcp-call: the server responded with 200, and with no result"),
            ("/forbidden", "mcp-call: the server responded with 403"),
        ] {
            let output = run.call(path, &[]);
            assert_eq!((output.status, output.stdout.as_str(), said(&output).as_str()), (1, "", message), "{path}");
        }
    }
}

#[test]
fn says_what_is_wrong_with_a_result() {
    for (body, message) in [
        ("{\"id\":1,\"error\":\"wrong\"}", "mcp-call: wrong"),
        ("{\"id\":1,\"error\":{\"code\":-1}}", "mcp-call: {\"code\":-1}"),
        ("{\"id\":1,\"error\":{\"message\":\"\"},\"result\":{\"tools\":[]}}", "mcp-call: {\"message\":\"\"}"),
        ("{\"id\":1,\"result\":{}}", "mcp-call: the result has no list of tools"),
        (
            "{\"id\":1,\"result\":{\"tools\":[{\"name\":\"add\"},{\"name\":1}]}}",
            "mcp-call: the result has no list of tools",
        ),
        ("{\"id\":1,\"result\":1}", "mcp-call: the server responded with 200, and with no result"),
        ("{\"id\":1}", "mcp-call: the server responded with 200, and with no result"),
        ("{", "mcp-call: the server responded with 200, and with no result"),
        ("", "mcp-call: the server responded with 200, and with no result"),
    ] {
        for run in Run::all() {
            let server = Server::start(move |_| response(200, "application/json", body));
            let output = Run { server, ..run }.call("/mcp", &[]);
            assert_eq!(output, Output { status: 1, stdout: String::new(), stderr: format!("{message}\n") }, "{body}");
        }
    }
    // An empty list is none of these.
    for run in Run::open(|_, stream| {
        let _ = stream.write_all(&json_response(&json!({ "id": 1, "result": { "tools": [] } })));
    }) {
        let output = run.call("/mcp", &[]);
        assert_eq!(output, Output { status: 0, stdout: String::new(), stderr: String::new() });
    }
}

#[test]
fn prints_nothing_that_a_terminal_or_a_ci_runner_obeys() {
    for run in Run::open(|request, stream| {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let response = match body["params"]["name"].as_str() {
            None => {
                json!({ "tools": [{ "name": "::warning::a" }, { "name": "a\u{9b}b\nc" }, { "name": "###[error]" }] })
            }
            Some("error") => json!(null),
            _ => json!({ "text": "\u{9b}1m \u{e9} ##[error]a ###[b] \\##vso[c] ## d\n::warning::" }),
        };
        let response = json!({ "id": 1, "result": response, "error": { "message": "##[error]\u{9b}\n::warning::a" } });
        let without = if response["result"].is_null() { "result" } else { "error" };
        let _ = stream.write_all(&json_response(&changed(response, &json!({ without: null }))));
    }) {
        let output = run.call("/mcp", &[]);
        assert_eq!((output.status, output.stderr.as_str()), (0, ""));
        assert_eq!(output.stdout, ": :warning: :a\na?b?c\n# # #[error]\n");
        let output = run.call("/mcp", &["text"]);
        let text = r#""\u009b1m \u00e9 #\u0023[error]a ##\u0023[b] \\#\u0023vso[c] ## d\n::warning::""#;
        assert_eq!((output.status, output.stderr.as_str()), (0, ""));
        assert_eq!(output.stdout, format!("{{\n  \"text\": {text}\n}}\n"));
        let output = run.call("/mcp", &["error"]);
        let stderr = "mcp-call: # #[error]??: :warning: :a\n".to_owned();
        assert_eq!(output, Output { status: 1, stdout: String::new(), stderr });
    }
}

#[test]
fn sends_no_more_than_a_word_of_the_server_in_a_header() {
    for run in Run::open(|request, stream| {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let version = "2025-11-25\r\nX-Other: 1";
        let result = json!({ "protocolVersion": version, "tools": [{ "name": "add" }] });
        let response = String::from_utf8(json_response(&json!({ "id": body["id"], "result": result }))).unwrap();
        let sessions = "\r\nmcp-session-id: s3s\u{e9}\u{1b} sion\r\nMcp-Session-Id: other\r\n";
        let _ = stream.write_all(response.replacen("\r\n", sessions, 1).as_bytes());
    }) {
        let mut script = run.script(&run.server.url("/mcp"), &[]);
        let output = finish(script.env("MCP_VERSION", "2025-11-25"), b"");
        assert_eq!(output, Output { status: 0, stdout: "add\n".to_owned(), stderr: String::new() });
        let requests = run.requests("/mcp");
        let sent = |name: &str| -> Vec<Option<&str>> { requests.iter().map(|seen| seen.header(name)).collect() };
        assert_eq!(sent("MCP-Protocol-Version"), [Some("2025-11-25"); 3]);
        assert_eq!(sent("Mcp-Session-Id"), [None, Some("s3ssion"), Some("s3ssion")]);
        assert_eq!(sent("X-Other"), [None; 3]);
    }
}

#[test]
fn ends_a_response_without_end() {
    for run in Run::open(|_, stream| {
        let head = "HTTP/1.1 200 X\r\nContent-Type: application/json\r\n\r\n";
        let mut sent = stream.write_all(head.as_bytes());
        while sent.is_ok() {
            sent = stream.write_all(&[b' '; 65536]);
        }
    }) {
        let output = run.call("/mcp", &[]);
        let (first, rest) = output.stderr.split_once('\n').unwrap();
        // The words after that are curl's.
        assert!(first.starts_with("curl: (23) "), "{output:?}");
        let message = "mcp-call: the response is too large\n";
        assert_eq!((output.status, output.stdout.as_str(), rest), (1, "", message));
        assert_eq!(std::fs::read_dir(run.temporary()).unwrap().count(), 0);
    }
}

#[test]
fn takes_the_response_from_a_stream_that_the_server_leaves_open() {
    for run in Run::open(|request, stream| {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let result = json!({ "id": 1, "result": { "tools": [{ "name": "add" }] } });
        let data = if body["params"]["name"].is_null() { format!("data: {result}\n\n") } else { String::new() };
        let _ = stream.write_all(&response(200, "text/event-stream", &data));
    }) {
        // As if the time had passed.
        let late = "#!/bin/sh\nPATH=${PATH#*:}\ncurl \"$@\"\nexit 28\n";
        write_program(&run.directory.path().join("curl"), late);
        let output = run.call("/mcp", &[]);
        assert_eq!(output, Output { status: 0, stdout: "add\n".to_owned(), stderr: String::new() });
        let output = run.call("/mcp", &["add"]);
        assert_eq!(output, Output { status: 3, stdout: String::new(), stderr: String::new() });
    }
}

#[test]
fn ends_with_status_3_where_a_server_cannot_be_reached() {
    for run in Run::all() {
        let port = free_port();
        let nowhere = format!("http://127.0.0.1:{port}");
        let output = finish(&mut run.script(&format!("{nowhere}/mcp"), &[]), b"");
        assert_eq!((output.status, output.stdout.as_str(), output.stderr.lines().count()), (3, "", 1));
        assert!(output.stderr.starts_with("curl: (7) "), "{output:?}");
        // The authorization server, once the stored login has to be refreshed.
        assert_eq!(run.call("/mcp", &[]).status, 0);
        let token =
            json!({ "expires_at": 5, "refresh_token": "r3fresh", "token_endpoint": format!("{nowhere}/token") });
        run.change("mcp", &token);
        let output = run.call("/mcp", &[]);
        let stderr = format!("pkce-token: token endpoint: 127.0.0.1:{port}: connection refused\n");
        assert_eq!(output, Output { status: 3, stdout: String::new(), stderr });
    }
}

#[test]
fn leaves_no_files_where_a_signal_ends_it() {
    for run in Run::all() {
        for (signal, number) in [("HUP", 1), ("INT", 2), ("QUIT", 3), ("PIPE", 13), ("TERM", 15)] {
            // The server says when it has the request, and responds once the signal is sent.
            let (has_come, come) = mpsc::channel();
            let (send_signal, signal_sent) = mpsc::channel();
            let signal_sent = Mutex::new(signal_sent);
            let server = Server::start(move |_| {
                has_come.send(()).unwrap();
                signal_sent.lock().unwrap().recv().unwrap();
                response(500, "", "")
            });
            let child = start(&mut run.script(&server.url("/mcp"), &[]));
            come.recv().unwrap();
            assert_eq!(std::fs::read_dir(run.temporary()).unwrap().count(), 1);
            kill(child.id(), signal);
            send_signal.send(()).unwrap();
            assert_eq!(done(child), Output { status: 128 + number, stdout: String::new(), stderr: String::new() });
            assert_eq!(std::fs::read_dir(run.temporary()).unwrap().count(), 0, "{signal}");
        }
    }
}

#[test]
fn sends_a_client_secret_only_to_the_server_that_it_is_for() {
    for run in Run::all() {
        let file = run.directory.path().join("secret");
        std::fs::write(&file, "s3cret-0f-client\n").unwrap();
        let call = |path: &str, variables: &[(&str, &str)]| {
            let mut script = run.script(&run.server.url(path), &[]);
            script.env("PKCE_CLIENT_SECRET_FILE", &file).envs(variables.iter().copied());
            finish(&mut script, b"")
        };
        let sent = || run.server.requests().iter().filter(|seen| format!("{seen:?}").contains("s3cret-0f")).count();
        // Not named: nothing is sent.
        let output = call("/mcp", &[("PKCE_CLIENT_ID", "c1")]);
        let message = "mcp-call: PKCE_ISSUER: missing (required with PKCE_CLIENT_SECRET_FILE)";
        assert_eq!((output.status, output.stdout.as_str(), said(&output).as_str()), (2, "", message));
        assert_eq!(run.server.requests().len(), 0);
        // Another than the MCP server's.
        let elsewhere = [("PKCE_CLIENT_ID", "c1"), ("PKCE_ISSUER", "https://id.example.com")];
        let refused = format!(
            "pkce-discover: --issuer: not one of the resource's authorization servers\nhint: it names {}\n",
            run.server.url("")
        );
        let output = call("/mcp", &elsewhere);
        assert_eq!(output, Output { status: 2, stdout: String::new(), stderr: refused.clone() });
        // A client that is registered, or described by its URL, has none.
        let described = [("PKCE_CLIENT_ID", "https://client.example.com/metadata.json")];
        for (path, variables) in [("/mcp", &[][..]), ("/session", &described)] {
            let output = call(path, variables);
            assert_eq!((output.status, said(&output).as_str(), sent()), (0, "", 0), "{output:?}");
            // Nor has the refresh of a login of another server.
            let name = run.change("mcp", &json!({ "expires_at": 5, "refresh_token": "r3fresh" }));
            let output = call(path, &elsewhere);
            let stderr = format!(
                "pkce-token: token endpoint: invalid_grant\nhint: run the login again, and store it as {name}\n{refused}"
            );
            assert_eq!(output, Output { status: 2, stdout: String::new(), stderr });
            assert_eq!((run.stored().contains(&name), sent()), (false, 0));
        }
        assert_eq!(run.requests("/token").len(), 4);
        // The server that it is for.
        let output = call("/stream", &[("PKCE_CLIENT_ID", "c1"), ("PKCE_ISSUER", &run.server.url(""))]);
        assert_eq!((output.status, said(&output).as_str(), sent()), (0, "", 1), "{output:?}");
        assert_eq!(run.requests("/register").len(), 1);
    }
}

#[test]
fn uses_nothing_that_is_stored_for_another_url() {
    for run in Run::all() {
        assert_eq!(run.call("/mcp", &[]).status, 0);
        let before = run.server.requests().len();
        // As two URLs with the same checksum would be.
        let name = run.change("client", &json!({ "issuer": "https://id.example.com" }));
        let output = run.call("/stream", &[]);
        let message = format!("mcp-call: {name}: stored with another issuer; to remove it: pkce-store --remove {name}");
        assert_eq!((output.status, output.stdout.as_str(), said(&output)), (4, "", message));
        assert!(run.requests("/register").len() == 1 && run.authorized("client_id") == ["c1"]);
        let sent = run.server.requests().len();
        assert!(sent > before);
        let name = run.change("mcp", &json!({ "mcp_url": "https://127.0.0.1/mcp" }));
        let output = run.call("/mcp", &[]);
        let message =
            format!("mcp-call: {name}: stored with another mcp_url; to remove it: pkce-store --remove {name}");
        assert_eq!((output.status, output.stdout.as_str(), said(&output)), (4, "", message));
        assert_eq!(run.server.requests().len(), sent);
    }
}

#[test]
fn requires_of_a_login_what_its_own_server_requires() {
    for run in Run::all() {
        assert_eq!(run.call("/strong", &[]).status, 0);
        assert_eq!(run.call("/mcp", &[]).status, 0);
        assert_eq!(run.authorized("client_id"), ["c1", "c1"]);
        assert_eq!(run.authorized("resource"), [run.server.url("/strong"), run.server.url("/mcp")]);
        assert_eq!(
            (run.authorized("acr_values"), run.authorized("max_age")),
            (vec!["silver".into()], vec!["60".into()])
        );
    }
}

#[test]
fn extends_a_login_whose_scope_looks_like_an_option() {
    for run in Run::all() {
        assert_eq!(run.call("/mcp", &[]).status, 0);
        run.change("mcp", &json!({ "scope": "-x" }));
        assert_eq!(result(&run.call("/mcp", &["write"])), json!({ "written": true }));
        assert_eq!(run.authorized("scope"), ["read", "-x write"]);
    }
}

#[test]
fn has_the_status_of_the_step_that_failed() {
    for run in Run::all() {
        assert_eq!(run.call("/mcp", &[]).status, 0);
        let token = json!({ "expires_at": 5, "refresh_token": "r3fresh", "token_endpoint": "http://id.example.com/" });
        run.change("mcp", &token);
        let output = run.call("/mcp", &[]);
        let stderr = "pkce-token: token_endpoint: plain http is only allowed to this machine; use https\n\
                      hint: for a test network, list its hosts in PKCE_HTTP_HOSTS, such as keycloak:8080\n";
        assert_eq!(output, Output { status: 4, stdout: String::new(), stderr: stderr.to_owned() });
        let server = Server::start(|seen| match seen.target.as_str() {
            "/mcp" => response(401, "", ""),
            _ => json_response(&json!({ "resource": "https://elsewhere.example/mcp" })),
        });
        let own = Run { server, ..run };
        let output = own.call("/mcp", &[]);
        let message = format!(
            "pkce-discover: resource metadata: resource: https://elsewhere.example/mcp instead of {}",
            own.server.url("/mcp")
        );
        assert_eq!((output.status, output.stdout.as_str(), said(&output).as_str()), (4, "", message.as_str()));
    }
}

#[test]
fn says_how_it_is_used() {
    for run in Run::all() {
        let usage = "usage: mcp-call.sh URL [TOOL [ARGUMENTS]]";
        let output = run.call("/mcp", &["add", "{}", "more"]);
        assert_eq!((output.status, output.stdout.as_str(), said(&output).as_str()), (2, "", usage));
        for arguments in ["{", "1", "[]", "{} {}", "{\"a\":1}]"] {
            let output = run.call("/mcp", &["add", arguments]);
            let message = "mcp-call: ARGUMENTS: must be a JSON object";
            assert_eq!((output.status, output.stdout.as_str(), said(&output).as_str()), (2, "", message));
        }
        for tool in ["a\r\nX-Evil: 1", "a\nb", "\u{e9}"] {
            let output = run.call("/mcp", &[tool]);
            let message = "mcp-call: TOOL: must be printable ASCII";
            assert_eq!((output.status, output.stdout.as_str(), said(&output).as_str()), (2, "", message));
        }
        for url in [
            "file:///etc/passwd",
            "-x",
            "",
            "http://mcp.example.com/mcp",
            "http://127.0.0.1@mcp.example.com/mcp",
            "http://127.0.0.1:1@mcp.example.com/mcp",
            "http://localhost.example.com/mcp",
            "https://user@mcp.example.com/mcp",
            "https://mcp.example.com/mcp\nfile:///etc/passwd",
        ] {
            let output = finish(&mut run.script(url, &[]), b"");
            let message = "mcp-call: URL: must begin with https://HOST, or with http:// and a loopback host\n";
            assert_eq!(output, Output { status: 2, stdout: String::new(), stderr: message.to_owned() }, "{url}");
        }
        assert_eq!(run.server.requests().len(), 0);
    }
}
