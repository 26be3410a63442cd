//! What several tests share: the tools run as processes, directories, ports, and servers that respond as a test says.
#![allow(dead_code)]

mod surroundings;

use std::hash::{BuildHasher, RandomState};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The exit status and output of a process. Death by a signal is 128 and its number, as in a shell.
#[derive(Debug, PartialEq)]
pub struct Output {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// Standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The output of a failure where standard output is a pipe: one message, and the failure line for the next tool. What
/// requires a new login says so, where there is no other hint.
pub fn failure(tool: &str, status: i32, message: &str) -> Output {
    let kinds =
        [(1, "refused"), (2, "usage"), (3, "unavailable"), (4, "untrusted"), (5, "login_required"), (70, "fault")];
    let kind = kinds.iter().find(|(known, _)| *known == status).map_or("?", |(_, kind)| *kind);
    let hint = match tool {
        _ if ![5, 115].contains(&status) || message.contains("\nhint: ") => "",
        _ if message.ends_with("nothing is stored under this name") => {
            "\nhint: pkce-load lists the names; pkce-login NAME adds one"
        }
        "pkce-token" => "\nhint: run the login again, and store it as work",
        _ => "\nhint: run the login again",
    };
    Output { status, stdout: format!("!{status} {kind} {tool}\n"), stderr: format!("{tool}: {message}{hint}\n") }
}

/// Runs a tool with this on its standard input.
pub fn run(tool: &str, args: &[&str], stdin: &str) -> Output {
    finish(command(tool).args(args), stdin.as_bytes())
}

/// Runs a prepared command with this on its standard input.
pub fn finish(command: &mut Command, stdin: &[u8]) -> Output {
    let mut child = start(command);
    let mut input = child.stdin.take().unwrap();
    let stdin = stdin.to_vec();
    let writer = thread::spawn(move || drop(input.write_all(&stdin)));
    let output = done(child);
    writer.join().unwrap();
    output
}

/// Runs a prepared command whose standard input stays open and empty: what ends by itself did not wait for a document.
pub fn unfed(command: &mut Command) -> Output {
    let mut child = start(command);
    let _stdin = child.stdin.take();
    done(child)
}

/// Starts a command, all three streams pipes.
pub fn start(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What BROWSER is where pkce-idp visits the URL, as a browser in which somebody is signed in.
pub fn browser() -> String {
    format!("{} --visit %s", bin().join("pkce-idp").display())
}

/// Waits for the child's end.
pub fn done(child: Child) -> Output {
    let output = child.wait_with_output().unwrap();
    Output {
        status: output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap()),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A tool (or a shell, or curl), with the tools on its PATH and an environment of its own: every program that a test
/// starts begins here.
pub fn command(program: &str) -> Command {
    surroundings::settle();
    let own = tool(program);
    let mut command = Command::new(if own.is_file() { own.as_path() } else { Path::new(program) });
    command.env_clear();
    command.env("PATH", path());
    // Nothing can be there: no settings of the user's, and no store.
    command.env("HOME", "/dev/null");
    command.env("TMPDIR", std::env::temp_dir());
    command.env("LANG", "C.UTF-8");
    command
}

/// Sends a signal, named as in `kill -s`.
pub fn kill(pid: u32, signal: &str) {
    let output = finish(command("sh").args(["-c", "kill -s \"$1\" \"$2\"", "sh", signal, &pid.to_string()]), b"");
    assert_eq!(output, Output { status: 0, stdout: String::new(), stderr: String::new() });
}

/// The most memory that a running process has had so far, in KiB.
pub fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Makes a FIFO that only its owner can use.
pub fn make_fifo(path: &Path) {
    let output = finish(command("mkfifo").args(["-m", "600"]).arg(path), b"");
    assert_eq!(output, Output { status: 0, stdout: String::new(), stderr: String::new() });
}

/// Writes a script that can be run.
///
/// Another process writes it: were it this one, a program that another test starts at the same moment could still hold it
/// open for writing, and a file that is open for writing cannot be run (ETXTBSY).
pub fn write_program(path: &Path, text: &str) {
    let script = "cat >\"$1\" && chmod 755 \"$1\"";
    let output = finish(command("sh").args(["-c", script, "sh"]).arg(path), text.as_bytes());
    assert_eq!(output, Output { status: 0, stdout: String::new(), stderr: String::new() });
}

/// Whether this machine has a program.
pub fn has(program: &str) -> bool {
    command(program).arg("--version").stdin(Stdio::null()).output().is_ok()
}

/// Whether this machine lacks one of these programs; says so, since the test then leaves itself out.
pub fn lacks(programs: &[&str]) -> bool {
    let missing = programs.iter().find(|program| !has(program));
    if let Some(program) = missing {
        println!("left out, since {program} is not installed: {}", thread::current().name().unwrap_or_default());
    }
    missing.is_some()
}

/// Whether this user is not root, who alone can be another user, or give a file to one; says so, since the test then leaves
/// itself out.
pub fn lacks_root() -> bool {
    let lacking = !rustix::process::geteuid().is_root();
    if lacking {
        println!("left out, since only root can be another user: {}", thread::current().name().unwrap_or_default());
    }
    lacking
}

/// The directory of the built tools.
pub fn bin() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_pkce-gen")).parent().unwrap().to_owned()
}

/// The directory of the tools that are scripts.
pub fn scripts() -> PathBuf {
    root().join("src/sh")
}

/// The file of a tool.
pub fn tool(name: &str) -> PathBuf {
    let script = scripts().join(name);
    if script.is_file() { script } else { bin().join(name) }
}

/// The PATH of the tests: the tools, then what this process has.
pub fn path() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{}:{}:{path}", bin().display(), scripts().display())
}

/// The project's directory.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names of all tools, as the directories of their sources list them.
pub fn tools() -> Vec<String> {
    let mut names: Vec<String> =
        sources().iter().map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    assert!(!names.is_empty());
    names
}

/// The source files of all tools: programs and scripts.
pub fn sources() -> Vec<PathBuf> {
    let files = [root().join("src/bin"), scripts()].map(|directory| std::fs::read_dir(directory).unwrap());
    files.into_iter().flatten().map(|file| file.unwrap().path()).collect()
}

/// A file of tests/vectors.
pub fn vectors(name: &str) -> Value {
    let text = std::fs::read_to_string(root().join("tests/vectors").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The object with these members changed, and without those whose new value is null.
pub fn changed(mut object: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        match value.is_null() {
            true => drop(object.as_object_mut().unwrap().remove(name)),
            false => object[name] = value.clone(),
        }
    }
    object
}

/// A new directory, removed when this is dropped.
pub fn new_directory() -> TempDir {
    tempfile::Builder::new().prefix("pkce-tools-").tempdir().unwrap()
}

/// A listener on 127.0.0.1, and its port.
pub fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// A port of 127.0.0.1 on which nothing listens; no other test gets it, in this process or in another.
pub fn free_port() -> u16 {
    static RESERVED: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());
    loop {
        // Below the ports that the system gives to connections, which come and go all the time.
        let port = 10_000 + (RandomState::new().hash_one(0) % 20_000) as u16;
        // The UDP port of the same number, bound until this process ends, reserves it.
        match UdpSocket::bind(("127.0.0.1", port)) {
            Ok(reservation) if TcpListener::bind(("127.0.0.1", port)).is_ok() => {
                RESERVED.lock().unwrap().push(reservation);
                return port;
            }
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}"),
        }
    }
}

/// A request that a test server has received.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Request {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The parameters of a form in the body, decoded.
    pub fn form(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }
}

/// A server on 127.0.0.1 that responds as a test says, and records the requests.
pub struct Server {
    pub port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    /// Connections without their whole response yet.
    open: Arc<AtomicUsize>,
}

impl Server {
    /// Responds to each request with the octets that `response` returns for it, and closes.
    pub fn start(response: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static) -> Server {
        Server::speaking(move |request, stream| drop(stream.write_all(&response(request))))
    }

    /// Hands the connection to `speak` once the request is read.
    pub fn speaking(speak: impl Fn(&Request, &mut TcpStream) + Send + Sync + 'static) -> Server {
        let (listener, port) = listen();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let open = Arc::new(AtomicUsize::new(0));
        let (speak, all, count) = (Arc::new(speak), Arc::clone(&requests), Arc::clone(&open));
        thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                let (speak, all, count) = (Arc::clone(&speak), Arc::clone(&all), Arc::clone(&count));
                thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    if let Some(request) = read_request(&mut stream) {
                        all.lock().unwrap().push(request.clone());
                        speak(&request, &mut stream);
                    }
                    count.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Server { port, requests, open }
    }

    /// Waits until every connection that was made so far has had its response.
    pub fn settle(&self) {
        // Connections are accepted in their order, so those before this one are counted once it is closed.
        let mut probe = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        probe.shutdown(Shutdown::Write).unwrap();
        let _ = probe.read_to_end(&mut Vec::new());
        let end = Instant::now() + Duration::from_secs(20);
        while self.open.load(Ordering::SeqCst) > 0 {
            assert!(Instant::now() < end, "a connection is still open");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// `http://127.0.0.1:PORT` and a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// Reads one request with its body from anything that can be read.
pub fn read_request(stream: &mut impl Read) -> Option<Request> {
    let mut octets = Vec::new();
    let mut buffer = [0; 4096];
    let end = loop {
        if let Some(end) = octets.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => octets.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
    };
    let head = String::from_utf8_lossy(&octets[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let mut request = Request { method, target, headers, body: String::new() };
    let length: usize = request.header("Content-Length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while octets.len() < end + length {
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => octets.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
    }
    request.body = String::from_utf8_lossy(&octets[end..]).into_owned();
    Some(request)
}

/// An HTTP response.
pub fn response(status: u16, media_type: &str, body: &str) -> Vec<u8> {
    let media_type = if media_type.is_empty() { String::new() } else { format!("Content-Type: {media_type}\r\n") };
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\n{media_type}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
        .into_bytes()
}

/// An HTTP response with status 200 and a JSON object.
pub fn json_response(body: &Value) -> Vec<u8> {
    response(200, "application/json", &body.to_string())
}

/// The text with PORT in place of each port of this machine's servers.
pub fn without_ports(text: &str) -> String {
    let mut parts = text.split("127.0.0.1:");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| {
        let rest = part.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let port = if rest.len() < part.len() { "PORT" } else { "" };
        format!("{text}127.0.0.1:{port}{rest}")
    })
}

/// Sends octets to 127.0.0.1, and returns all that is received until the other side closes.
pub fn talk(port: u16, octets: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    let _ = stream.write_all(octets);
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response);
    String::from_utf8_lossy(&response).into_owned()
}
