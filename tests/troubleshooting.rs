//! pkce-troubleshooting(7): each message that it explains is one that the tools print, with that exit status, but for a
//! few that no script here can cause.
#![cfg(test)]

mod common;
#[path = "common/tls.rs"]
mod tls;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use common::{Output, Server, command, finish, lacks, new_directory, response, root, without_ports};
use tls::HttpsProxy;

/// Scripts that each print a message of the page.
const SCRIPTS: [&str; 108] = [
    // Options, files and variables.
    "pkce-url --client-secret x",
    "pkce-url --scope a --scope b",
    "pkce-callback --timeout x",
    "pkce-token work --as gt",
    "pkce-token work curl https://api.example",
    "pkce-token /x",
    "pkce-exchange --param client_secret=x",
    "document | pkce-gen - | pkce-url --param state=x",
    "document | pkce-gen - | pkce-url --scope 'a  b'",
    "pkce-gen missing.json",
    "SSL_CERT_FILE=missing pkce-discover https://id.example",
    "login; pkce-token work -- no-such-program",
    ": >empty.json; pkce-gen empty.json",
    ": >empty; SSL_CERT_FILE=empty pkce-discover https://id.example",
    "HTTPS_PROXY=::: pkce-discover https://id.example",
    "code | pkce-exchange --client-secret-command false",
    "code | pkce-exchange --auth-method client_secret_basic",
    "code ',\"client_secret\":\"x\",\"token_endpoint_auth_methods_supported\":[\"private_key_jwt\"]' | pkce-exchange",
    "env -u HOME -u PKCE_HOME pkce-load work",
    // The document, and the pipeline.
    "pkce-url </dev/null",
    "echo '{}{}' | pkce-exchange",
    "echo token | pkce-url",
    "printf '{\"a\":1' | pkce-url",
    "echo '{\"a\":x}' | pkce-url",
    "printf '\\377' | pkce-url",
    "echo '{\"a\":1,\"a\":2}' | pkce-url",
    "printf '{\"a\":%070d}' 0 | tr 0 '[' | pkce-url",
    "echo '{}' | pkce-url",
    "echo '{\"authorization_endpoint\":\"https://id.example/a\"}' | pkce-gen - | pkce-url",
    "document | pkce-url",
    "document | pkce-callback",
    "document | pkce-exchange",
    "code | sed 's/\"token_endpoint\":[^,]*,//' | pkce-exchange",
    "echo '{\"token_endpoint\":\"https://id.example/t\",\"client_id\":\"a\"}' | pkce-refresh",
    "echo '{\"access_token\":\"a\"}' | pkce-revoke",
    "echo '{}' | pkce-register",
    "echo '{}' | pkce-device",
    "idp \"$url | pkce-callback | pkce-exchange -r id_token\"",
    "echo '{\"access_token\":\"a\"}' | pkce-store work",
    // The server's metadata.
    "pkce-discover",
    "pkce-discover id.example.com",
    "pkce-discover alice@example.com",
    "pkce-discover https://id.example/.well-known/openid-configuration",
    "pkce-discover http://id.example",
    "pkce-discover https://127.1",
    "pkce-discover https://:",
    "pkce-discover https://id.example/#a",
    "pkce-discover https://user@id.example",
    "idp 'pkce-discover $PKCE_ISSUER/x'",
    "idp 'pkce-discover http://localhost:${PKCE_ISSUER##*:}'",
    "document ',\"scope\":1' | pkce-gen - | pkce-url",
    "idp pkce-discover metadata-plain",
    "document ',\"code_challenge_methods_supported\":[\"plain\"]' | pkce-gen - | pkce-url",
    "echo '{\"issuer\":\"https://id.example\",\"token_endpoint\":\"http://[::1]:1/\",\"refresh_token\":\"a\"}' | pkce-refresh",
    "idp 'pkce-discover --resource $PKCE_ISSUER/mcp --issuer https://id.example'",
    "idp 'pkce-discover --resource $PKCE_ISSUER/none'",
    "echo \"{\\\"registration_endpoint\\\":\\\"$SERVER\\\"}\" | pkce-register",
    "echo \"{\\\"registration_endpoint\\\":\\\"$SERVER\\\"}\" | pkce-register --scope a",
    // The browser and the redirect.
    "idp 'pkce-discover | sed \"s/.issuer.:[^,]*,//\" | pkce-gen - | pkce-url | pkce-callback'",
    "idp \"$url --redirect-uri http://127.0.0.1:\\${PKCE_ISSUER##*:}/ | pkce-callback --no-browser\"",
    "document | pkce-gen - | pkce-url --redirect-uri https://app.example/ | pkce-callback",
    "document | pkce-gen - | pkce-url --redirect-uri https://127.0.0.1:1/ | pkce-callback",
    "document | pkce-gen - | pkce-url --redirect-uri http://127.0.0.1:1/ | pkce-callback --paste",
    "document ',\"require_pushed_authorization_requests\":true' | pkce-gen - | pkce-url | pkce-callback",
    "document | pkce-gen - | pkce-url >login; callback=$(command -v pkce-callback); PATH= \"$callback\" <login",
    "code >code; echo 'port=${1##*127.0.0.1%3A}; sed \"s|:1/|:${port%%%*}/callback|\" code | pkce-exchange' >post
     document | pkce-gen - | pkce-url | BROWSER='sh post %s' pkce-callback",
    "document | pkce-gen - | pkce-url | BROWSER=no-such-program pkce-callback",
    "document | pkce-gen - | pkce-url | BROWSER=false pkce-callback",
    "document | pkce-gen - | pkce-url | pkce-callback --no-browser --timeout 1",
    "response 'http://127.0.0.1:1/?code=a&state=b'",
    "response abc",
    "document | pkce-gen - | pkce-url --redirect-uri http://127.0.0.1:1/ >login
     pkce-url -r authorization_url <login >file; pkce-callback --response-file file <login",
    "idp \"$url --scope unknown | pkce-callback --no-browser --timeout 1\"",
    // The token endpoint.
    "idp \"$url | pkce-callback >code; pkce-exchange <code >tokens; pkce-exchange <code\"",
    "login ',\"token_type\":\"mac\"'; pkce-token work --header",
    "idp \"$full | pkce-store work; pkce-token work --refresh\" token-lost@2",
    // The ID token.
    "echo '{\"access_token\":\"a\"}' | pkce-verify",
    "echo '{\"id_token\":\"a.b\",\"issuer\":\"https://id.example\",\"client_id\":\"a\"}' | pkce-verify",
    // The stored login.
    "pkce-token work",
    "pkce-token work -- true",
    "login ',\"expires_at\":5'; pkce-token work",
    "login; pkce-token work --id-token",
    "login \",\\\"expires_in\\\":3600,\\\"expires_at\\\":$(($(date +%s) + 30))\"; pkce-token work",
    "idp \"$full | pkce-store work; pkce-token work --refresh --id-token\" refresh-no-id_token",
    "login; chmod 644 store/work.json; pkce-load work",
    "mkdir -m 755 loose; PKCE_HOME=loose pkce-load work",
    "mkdir a; chmod 777 a; mkdir -m 700 a/b; PKCE_HOME=a/b pkce-load work",
    "login; mv store/work.json a; ln -s ../a store/work.json; pkce-load work",
    "login; ln store/work.json store/other.json; pkce-load work",
    "mkdir -m 700 a; chown 1 a 2>own || set /; PKCE_HOME=${1-a} pkce-load work",
    "login; PKCE_SEAL=cat PKCE_OPEN=false pkce-load work",
    "echo '{\"token_endpoint\":\"https://id.example/t\"}' >file; PKCE_SEAL=false pkce-store work <file",
    "echo '{\"token_endpoint\":\"https://id.example/t\"}' | PKCE_SEAL=true pkce-store work",
    "echo '{\"token_endpoint\":\"https://id.example/t\"}' |
       PKCE_SEAL='pkce-store --remove work --timeout 1' pkce-store work",
    "PKCE_OPEN=cat pkce-store work",
    "login ',\"issuer\":\"https://a.example\"'; login ',\"issuer\":\"https://b.example\"'",
    "for user in a b; do login \",\\\"id_token_claims\\\":{\\\"sub\\\":\\\"$user\\\"}\"; done",
    "pkce-token work --as git get",
    "pkce-token work --as git --host a.example get </dev/null",
    "mkdir -m 700 store; echo x >store/work.login; chmod 600 store/work.login; pkce-login work",
    // Network, and CI jobs.
    "pkce-discover http://127.0.0.1:1",
    "code | pkce-exchange",
    "idp 'pkce-discover https://${PKCE_ISSUER#http://}'",
    "pkce-discover $SERVER",
    "HTTPS_PROXY=$SERVER pkce-discover https://id.example",
    "idp 'HTTPS_PROXY=$PKCE_ISSUER pkce-discover https://id.example'",
    "pkce-gen '##[error]'",
    "pkce-gen >/dev/full",
];

/// What the scripts share: a document for a login, one with a code, a stored login, a redirect in a file, and a server.
const SHARED: &str = r#"
document() { printf '{"authorization_endpoint":"https://id.example/a","client_id":"a"%s}\n' "${1-}"; }
code() { printf '{"token_endpoint":"http://127.0.0.1:1/","client_id":"a","code":"a","code_verifier":"%043d",
  "redirect_uri":"http://127.0.0.1/"%s}\n' 0 "${1-}"; }
login() { printf '{"token_endpoint":"https://id.example/t","access_token":"a"%s}\n' "${1-}" | pkce-store work; }
response() { echo "$1" >file
  document | pkce-gen - | pkce-url --redirect-uri http://127.0.0.1:1/ | pkce-callback --response-file file; }
idp() { pkce-idp --auto-approve ${2:+--fault "$2"} -- sh -c "$1"; }
url='pkce-discover | pkce-gen - | pkce-url'
full="$url --scope 'openid offline_access' --prompt consent | pkce-callback | pkce-exchange"
"#;

/// Messages of the page that no script prints, and why: of these, only the text is looked up, in the sources.
const WITHOUT_SCRIPT: [(&str, &str); 7] = [
    ("reading * from the terminal; end it with Ctrl-D", "needs a terminal"),
    ("internal error at", "needs a bug"),
    ("it came from another user of this machine", "needs a second user"),
    ("a mount point, which cannot be replaced", "needs a mount"),
    ("no address found", "needs a static GNU C Library"),
    ("the certificate is not valid yet", "needs a certificate of tomorrow"),
    ("no trusted certificates found", "needs a system without certificates"),
];

/// Messages of faults without an entry, and why.
const WITHOUT_ENTRY: [(&str, &str); 4] = [
    ("authorization endpoint: out_of_office", "a code of the server's own, which only its description can explain"),
    ("token endpoint: bad_verification_code", "a code of the server's own, which only its description can explain"),
    ("token endpoint: invalid_code", "a code of the server's own, which only its description can explain"),
    ("user_code: must be printable characters", "an attack on the terminal, which no server makes by mistake"),
];

/// An entry of the page: its messages, and the exit statuses that its first sentence names, if any.
#[derive(Debug)]
struct Entry {
    messages: Vec<String>,
    statuses: BTreeSet<i32>,
}

impl Entry {
    fn has_status(&self, status: i32) -> bool {
        let plain = if (111..=115).contains(&status) { status - 110 } else { status };
        self.statuses.is_empty() || self.statuses.contains(&plain)
    }

    /// Whether this message of the entry was printed, with one of its statuses.
    fn prints(&self, message: &str, printed: &Printed) -> bool {
        self.has_status(printed.status) && printed.lines.iter().any(|line| has_message(line, message))
    }
}

/// The message of another program, jq, when it reads a failure line.
const OF_JQ: &str = "parse error: Invalid numeric literal";

/// What stands for a text that differs.
const ANY: char = '*';

/// The message in a line `.It`: `Sy` begins what is constant, `Ar` what differs.
fn message(item: &str) -> String {
    let (mut words, mut differs): (Vec<String>, bool) = (Vec::new(), false);
    for word in item.split(' ') {
        match word {
            "Sy" => differs = false,
            "Ar" => {
                differs = true;
                words.push(ANY.to_string());
            }
            ":" | "," => words.last_mut().unwrap().push_str(word),
            _ if differs => {}
            _ => words.push(word.to_owned()),
        }
    }
    words.join(" ").replace("\\-", "-").replace("\\(aq", "'")
}

/// The numbers of the first line below an item, which names the exit statuses.
fn statuses(line: &str) -> BTreeSet<i32> {
    line.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

/// The entries of the section MESSAGES.
fn entries() -> Vec<Entry> {
    let page = fs::read_to_string(root().join("man/pkce-troubleshooting.7")).unwrap();
    let section = page.split(".Sh ").find(|section| section.starts_with("MESSAGES\n")).unwrap();
    let mut entries: Vec<Entry> = Vec::new();
    let mut messages = Vec::new();
    for line in section.lines() {
        match line.strip_prefix(".It ") {
            Some(item) => messages.push(message(item)),
            None if !messages.is_empty() => {
                entries.push(Entry { messages: std::mem::take(&mut messages), statuses: statuses(line) });
            }
            None => {}
        }
    }
    entries
}

/// Whether the text has the parts of the message in their order.
fn has_message(text: &str, message: &str) -> bool {
    let mut rest = Some(text);
    for part in message.split(ANY) {
        rest = rest.and_then(|rest| rest.split_once(part)).map(|(_, after)| after);
    }
    rest.is_some()
}

/// What was printed by a run that ended with this status.
#[derive(Debug)]
struct Printed {
    status: i32,
    lines: Vec<String>,
}

impl Printed {
    fn new(output: &Output) -> Printed {
        let lines = output.stderr.lines().chain(output.stdout.lines().filter(|line| line.starts_with('!')));
        Printed { status: output.status, lines: lines.map(str::to_owned).collect() }
    }
}

/// The table of faults: a name, and what the pipeline that meets it prints, which tests/faults.rs compares.
fn faults() -> Vec<(String, Printed)> {
    let table = fs::read_to_string(root().join("tests/vectors/faults.tsv")).unwrap();
    let faults = table.lines().map(|line| {
        let mut cells = line.split('\t').map(str::to_owned);
        let (name, status) = (cells.next().unwrap(), cells.next().unwrap().parse().unwrap());
        (name, Printed { status, lines: cells.filter(|cell| !cell.starts_with("hint: ")).collect() })
    });
    faults.collect()
}

/// A server that responds as pkce-idp never does: it registers no scope and another redirect URI, is a proxy that requires
/// a password, and compresses its metadata.
fn server() -> Server {
    Server::start(|request| match request.method.as_str() {
        "POST" if request.body.contains("\"scope\"") => {
            response(403, "application/json", r#"{"error":"insufficient_scope"}"#)
        }
        "POST" => response(201, "application/json", r#"{"client_id":"a","redirect_uris":["https://app.example/"]}"#),
        "CONNECT" => response(407, "", ""),
        _ => b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\n\xff".to_vec(),
    })
}

/// What the scripts print, and certificates that cannot be trusted.
fn provoked() -> BTreeMap<String, Printed> {
    let printed = Mutex::new(BTreeMap::new());
    let next = AtomicUsize::new(0);
    let server = format!("http://127.0.0.1:{}", server().port);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(script) = SCRIPTS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let directory = new_directory();
                    let mut shell = command("sh");
                    shell.args(["-c", &format!("{SHARED}{script}")]).current_dir(&directory);
                    shell.env("PKCE_HOME", directory.path().join("store")).env("SERVER", &server);
                    let output = finish(&mut shell, b"");
                    printed.lock().unwrap().insert((*script).to_owned(), Printed::new(&output));
                }
            });
        }
    });
    let mut printed = printed.into_inner().unwrap();
    let proxy = HttpsProxy::start(|_, _| Vec::new());
    for host in ["id.example", "expired.example", "wrong.example"] {
        let mut discover = command("pkce-discover");
        if host == "id.example" {
            proxy.untrusted_by(&mut discover)
        } else {
            proxy.trusted_by(&mut discover)
        }
        let url = format!("https://{host}");
        printed.insert(url.clone(), Printed::new(&finish(discover.arg(&url), b"")));
    }
    printed
}

/// The sources without their tests and comments, cut at quotation marks: a string on several lines is one piece.
fn pieces() -> Vec<String> {
    let mut directories = vec![root().join("src")];
    let mut pieces = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            let code = code.replace("\\\"", "\u{201d}");
            let lines: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            let joined = lines.join("\n");
            pieces.extend(joined.split('"').map(|part| {
                let lines = part.split("\\\n").map(str::trim_start);
                lines.collect::<String>()
            }));
        }
    }
    pieces
}

#[test]
fn explains_only_messages_that_the_tools_print() {
    let (entries, pieces) = (entries(), pieces());
    let (provoked, faults) = (provoked(), faults());
    // The failure line is the same for all.
    let of_one = |message: &&String| !message.starts_with('!');
    let explains =
        |entry: &Entry, printed| entry.messages.iter().filter(of_one).any(|message| entry.prints(message, printed));
    let idle: Vec<_> =
        provoked.iter().filter(|(_, printed)| !entries.iter().any(|entry| explains(entry, printed))).collect();
    assert!(idle.is_empty(), "the page has no message of these: {idle:#?}");
    if !lacks(&["jq"]) {
        let output = finish(command("sh").args(["-c", "pkce-url </dev/null | jq ."]), b"");
        assert!(output.stderr.contains(OF_JQ), "{output:?}");
    }
    let mut unknown = Vec::new();
    for entry in &entries {
        for message in entry.messages.iter().filter(|message| *message != OF_JQ) {
            let mut all = provoked.values().chain(faults.iter().map(|(_, printed)| printed));
            if !all.any(|printed| entry.prints(message, printed)) {
                unknown.push((message.as_str(), &entry.statuses));
            }
        }
    }
    let (listed, unknown): (Vec<_>, Vec<_>) =
        unknown.into_iter().partition(|(message, _)| WITHOUT_SCRIPT.iter().any(|(listed, _)| listed == message));
    assert!(unknown.is_empty(), "no tool prints, with these exit statuses: {unknown:#?}");
    assert_eq!(listed.len(), WITHOUT_SCRIPT.len(), "only these are not printed: {listed:#?}");
    for (message, _) in listed {
        assert!(pieces.iter().any(|piece| has_message(piece, message)), "not in the sources: {message}");
    }
}

#[test]
fn quotes_titles_of_the_pages_that_the_browser_shows() {
    let page = fs::read_to_string(root().join("man/pkce-troubleshooting.7")).unwrap();
    let items = page.lines().filter_map(|line| line.strip_prefix(".It The browser shows \\(lq"));
    let titles: Vec<&str> = items.map(|item| item.strip_suffix("\\(rq").unwrap()).collect();
    assert!(!titles.is_empty());
    let pieces = pieces();
    for title in titles {
        assert!(pieces.iter().any(|piece| piece == title), "no page has the title {title}");
    }
}

#[test]
fn explains_each_failure_that_a_server_can_cause() {
    let entries = entries();
    let mut missing = BTreeSet::new();
    for (name, printed) in faults() {
        let Some(said) = printed.lines.last().filter(|_| [1, 3, 4, 5].contains(&printed.status)) else { continue };
        let is_explained = |entry: &Entry| {
            entry.has_status(printed.status) && entry.messages.iter().any(|message| has_message(said, message))
        };
        let has_reason = WITHOUT_ENTRY.iter().any(|(text, _)| said.contains(text));
        if !entries.iter().any(is_explained) && !has_reason {
            missing.insert(format!("{} {} ({name})", printed.status, without_ports(said)));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn has_each_message_once_and_on_one_line() {
    let mut seen = BTreeSet::new();
    for message in entries().into_iter().flat_map(|entry| entry.messages) {
        assert!(message.len() <= MAX_LENGTH, "a search does not find what is broken: {message}");
        assert!(seen.insert(message.clone()), "twice: {message}");
    }
    assert!(seen.len() > 100);
}

/// The width of the text at 80 columns, below an indented heading.
const MAX_LENGTH: usize = 70;
