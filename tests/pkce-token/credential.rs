//! `--as`: what other programs read from a credential helper, and what none of them gets.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::{Output, done, finish, start};
use crate::rotating::{Session, now};
use crate::{access, bare};

/// A session whose login is valid until this time.
fn valid_until(expires_at: u64) -> Session {
    let session = Session::new(Duration::ZERO);
    session.store(&session.document(0, expires_at));
    session
}

/// Runs the helper as a program does, with this on its standard input.
fn helper(session: &Session, args: &[&str], input: &str) -> Output {
    let mut command = session.command("pkce-token");
    finish(command.arg("work").arg("--as").args(args), input.as_bytes())
}

fn prints(text: &str) -> Output {
    Output { status: 0, stdout: text.to_owned(), stderr: String::new() }
}

fn fails(status: i32, message: &str) -> Output {
    Output { status, stdout: String::new(), stderr: format!("pkce-token: {message}\n") }
}

const STORED: &str = "OPERATION: not supported: a login that ends in pkce-store stores the token";

const REMOVED: &str = "OPERATION: not supported: pkce-store --remove NAME removes the stored login";

const GIT: [&str; 4] = ["git", "--host", "git.example", "get"];

#[test]
fn answers_each_program_in_its_own_form() {
    // 2033-05-18T03:33:20Z, which is within a token's lifetime of it only for a clock that jumped: so no lifetime.
    let session = Session::new(Duration::ZERO);
    let mut document = session.document(0, 2_000_000_000);
    document.as_object_mut().unwrap().remove("expires_in");
    session.store(&document);
    let token = access(0);
    let kubernetes = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": { "token": token, "expirationTimestamp": "2033-05-18T03:33:20Z" },
    });
    let docker = json!({ "ServerURL": "https://hub.example/v1/", "Username": "oauth2", "Secret": token });
    let bearer = format!("Bearer {token}");
    let bazel = json!({ "headers": { "Authorization": [bearer] }, "expires": "2033-05-18T03:33:20Z" });
    for (args, input, expected) in [
        (&["kubernetes"][..], "", kubernetes),
        (&["docker", "--host", "hub.example", "get"], "https://hub.example/v1/\n", docker),
        (
            &["docker", "--host", "hub.example", "--host", "b.example:5000", "list"],
            "unused",
            json!({ "hub.example": "oauth2", "b.example:5000": "oauth2" }),
        ),
        (&["bazel", "--host", "cache.example", "get"], r#"{"uri":"grpcs://cache.example/a.B/C"}"#, bazel),
        (&["terraform", "--host", "app.example", "get", "app.example"], "", json!({ "token": token })),
        (&["headers"], "", json!({ "Authorization": bearer })),
    ] {
        let output = helper(&session, args, input);
        assert_eq!((output.status, output.stderr.as_str(), output.stdout.lines().count()), (0, "", 1), "{args:?}");
        assert_eq!(output.json(), expected, "{args:?}");
    }
    for (args, expected) in [
        (
            &["netrc", "--host", "a.example", "--host", "[::1]", "--username", "me"][..],
            format!("machine a.example login me password {token}\nmachine ::1 login me password {token}\n"),
        ),
        (&["curl"], format!("oauth2-bearer = \"{token}\"\n")),
        (&["bearer"], format!("{bearer}\n")),
    ] {
        assert_eq!(helper(&session, args, ""), prints(&expected), "{args:?}");
    }
    for index in ["sparse+https://crates.example/index/", "https://crates.example/git"] {
        let mut cargo = session.command("pkce-token");
        cargo.args(["work", "--as", "cargo", "--host", "crates.example"]).env("CARGO_REGISTRY_INDEX_URL", index);
        assert_eq!(finish(&mut cargo, b""), prints(&format!("{bearer}\n")));
    }
    assert_eq!(session.refreshes(), 0);
}

#[test]
fn answers_git_as_its_version_and_the_server_allow() {
    let until = now() + 600;
    let session = valid_until(until);
    let token = access(0);
    let password = |name: &str| prints(&format!("username={name}\npassword={token}\npassword_expiry_utc={until}\n"));
    let bearer = || {
        prints(&format!(
            "capability[]=authtype\nauthtype=Bearer\ncredential={token}\nephemeral=1\npassword_expiry_utc={until}\n"
        ))
    };
    let host = "protocol=https\nhost=git.example\n";
    for (attributes, expected) in [
        ("", password("oauth2")),
        ("username=\n", password("oauth2")),
        ("username=me\n", password("me")),
        ("capability[]=state\n", password("oauth2")),
        ("capability[]=authtype\ncapability[]=state\n", bearer()),
        ("capability[]=authtype\ncapability[]=\n", password("oauth2")),
        ("capability[]=authtype\nwwwauth[]=Bearer uri=https://a.example/b\nwwwauth[]=Basic\n", bearer()),
        ("capability[]=authtype\nwwwauth[]=Basic realm=a/b\n", password("oauth2")),
        ("capability[]=authtype\nwwwauth[]=Basic realm=\"a\"\nwwwauth[]=\n", bearer()),
        ("capability[]=authtype\nwwwauth[]=Basic realm=\"a, Bearer b\"\n", password("oauth2")),
        ("capability[]=authtype\nwwwauth[]=Basic realm=\"a\"\nwwwauth[]=bearer realm=\"b\"\npath=\u{e9}\n", bearer()),
        ("wwwauth[]=Bearer\n", password("oauth2")),
    ] {
        assert_eq!(helper(&session, &GIT, &format!("{attributes}{host}\n")), expected, "{attributes}");
        assert_eq!(helper(&session, &GIT, &format!("{host}{attributes}")), expected, "{attributes}");
    }
    let named = helper(&session, &[&GIT[..3], &["--username", "x-token", "get"]].concat(), host);
    assert_eq!(named, password("x-token"));
    // What git reports and asks beside, as it may: nothing.
    let stored = fs::read(session.path("work.json")).unwrap();
    for operation in ["store", "erase", "capability", "later"] {
        assert_eq!(helper(&session, &["git", "--host", "git.example", operation], host), prints(""), "{operation}");
    }
    assert_eq!(fs::read(session.path("work.json")).unwrap(), stored);
}

#[test]
fn gives_no_other_host_the_token_and_refreshes_none_for_it() {
    let session = valid_until(5);
    let git = |host: &str, attributes: &str| helper(&session, &["git", "--host", host, "get"], attributes);
    for (host, attributes) in [
        ("git.example", "protocol=https\nhost=other.example\n"),
        ("git.example", "protocol=https\nhost=git.example.other.example\n"),
        ("git.example", "protocol=https\nhost=xgit.example\n"),
        ("git.example", "protocol=https\nhost=b\u{fc}cher.example\n"),
        ("[fe80::1]", "protocol=https\nhost=[fe80::1%25eth0]\n"),
        ("127.0.0.1", "protocol=http\nhost=0x7f.0.0.1\n"),
        ("git.example", "protocol=ssh\nhost=git.example\n"),
        ("git.example", "protocol=smtp\nhost=git.example\n"),
        ("git.example", "protocol=https\nhost=git.example\nhost=other.example\n"),
        ("git.example", "protocol=cert\nhost=\npath=/c.pem\n"),
    ] {
        assert_eq!(git(host, attributes), prints(""), "{host} {attributes}");
    }
    let unknown =
        Output { status: 1, stdout: "credentials not found in native keychain\n".into(), stderr: String::new() };
    for server in ["other.example", "https://hub.example@other.example", "https://other.example/hub.example"] {
        assert_eq!(helper(&session, &["docker", "--host", "hub.example", "get"], server), unknown, "{server}");
    }
    assert_eq!(helper(&session, &["terraform", "--host", "a.example", "get", "b.example"], ""), prints("{}\n"));
    for uri in ["https://other.example/cache.example", "https://u:p@other.example/", "ftp://cache.example/"] {
        let request = json!({ "uri": uri }).to_string();
        let none = prints("{\"headers\":{}}\n");
        assert_eq!(helper(&session, &["bazel", "--host", "cache.example", "get"], &request), none, "{uri}");
    }
    assert_eq!(session.refreshes(), 0);
}

#[test]
fn says_where_only_the_port_differs() {
    let session = valid_until(5);
    let note = |named: &str, server: &str| {
        format!("pkce-token: note: --host names {named}, not {server}: no token is printed\n")
    };
    for (host, server) in
        [("git.example", "git.example:8443"), ("git.example:8443", "git.example"), ("GIT.example:80", "git.example")]
    {
        let output = helper(&session, &["git", "--host", host, "get"], &format!("protocol=https\nhost={server}\n"));
        assert_eq!(output, Output { stderr: note(host, server), ..prints("") });
    }
    let output = helper(&session, &["git", "--host", "127.0.0.1", "get"], "protocol=http\nhost=127.0.0.1:8080\n");
    assert_eq!(output, Output { stderr: note("127.0.0.1", "127.0.0.1:8080"), ..prints("") });
    let plain = "pkce-token: note: git.example:8080: plain http is allowed only to this machine: no token is printed\n";
    for host in ["git.example", "git.example:8080", "GIT.example:443"] {
        let input = "protocol=http\nhost=git.example:8080\n";
        let output = helper(&session, &["git", "--host", host, "get"], input);
        assert_eq!(output, Output { stderr: plain.to_owned(), ..prints("") });
    }
    let output = helper(&session, &["terraform", "--host", "a.example", "get", "a.example:8443"], "");
    assert_eq!(output, Output { stderr: note("a.example", "a.example:8443"), ..prints("{}\n") });
    assert_eq!(session.refreshes(), 0);
}

#[test]
fn tells_cargo_why_there_is_no_token() {
    let session = valid_until(5);
    for (index, status, message) in [
        ("sparse+https://b.example/", 1, "--host does not name b.example"),
        ("sparse+https://a.example:8443/", 1, "--host names a.example, not a.example:8443"),
        ("sparse+http://a.example/", 1, "a.example: plain http is allowed only to this machine"),
        ("ssh://a.example/index", 2, "CARGO_REGISTRY_INDEX_URL: not an http or https URL without a user name"),
        ("https://", 2, "CARGO_REGISTRY_INDEX_URL: not a URL with a host"),
    ] {
        let mut cargo = session.command("pkce-token");
        cargo.args(["work", "--as", "cargo", "--host", "a.example"]).env("CARGO_REGISTRY_INDEX_URL", index);
        assert_eq!(finish(&mut cargo, b""), fails(status, message), "{index}");
    }
    assert_eq!(session.refreshes(), 0);
}

#[test]
fn prints_no_note_with_a_token() {
    let session = valid_until(now() + 1000);
    session.grant.lock().unwrap().ended = true;
    let noted = session.token(&["--header", "--min-ttl", "2000"]);
    assert!(noted.stderr.starts_with("pkce-token: note: the token expires within --min-ttl"), "{noted:?}");
    // Some programs read both streams as one.
    assert_eq!(helper(&session, &["bearer", "--min-ttl", "2000"], ""), prints(&format!("Bearer {}\n", access(0))));
}

#[test]
fn ends_where_nothing_reads_its_output() {
    let session = valid_until(now() + 600);
    let mut command = session.command("bash");
    let script = "pkce-token work --as git --host git.example get | true; echo ${PIPESTATUS[0]}";
    let output = crate::common::unfed(command.args(["-c", script]));
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("3\n", ""));
}

#[test]
fn knows_its_hosts_in_any_letter_case_with_and_without_the_usual_port() {
    let session = valid_until(now() + 600);
    for (host, attributes) in [
        ("GIT.example", "protocol=https\nhost=git.EXAMPLE\n"),
        ("git.example:443", "protocol=https\nhost=git.example\n"),
        ("git.example", "protocol=https\nhost=git.example:443\n"),
        ("git.example", "protocol=https\nhost=git.example:\n"),
        ("127.0.0.1:8080", "protocol=http\nhost=127.0.0.1:8080\n"),
        ("localhost", "protocol=http\nhost=localhost:80\n"),
        ("[::1]:3000", "protocol=http\nhost=[::1]:3000\n"),
    ] {
        let args = ["git", "--host", "other.example", "--host", host, "get"];
        assert!(helper(&session, &args, attributes).stdout.contains(&access(0)), "{host} {attributes}");
    }
}

#[test]
fn refuses_what_no_program_says() {
    let session = valid_until(5);
    for (args, input, message) in [
        (&GIT[..], "", "standard input: protocol: missing"),
        (&GIT, "protocol=https\n\nhost=git.example\n", "standard input: host: missing"),
        (&GIT, "protocol=https\nhost\n", "standard input: not lines of KEY=VALUE"),
        (&GIT, "protocol=https\nhost=git.example\0other.example\n", "standard input: not lines of KEY=VALUE"),
        (&GIT, "protocol=https\nhost=git.example/path\n", "standard input: host: not a host"),
        (&GIT, "protocol=\nhost=git.example\n", "standard input: protocol: empty"),
        (&GIT, "protocol=https\r\nhost=git.example\r\n", "standard input: protocol: contains a control character"),
        (&GIT, "protocol=https\nhost=me@git.example\n", "standard input: host: not a host"),
        (&["git", "--host", "a.example"], "", "OPERATION: must be get, store or erase; git adds it"),
        (&["git", "--host", "a.example", "get", "get"], "", "OPERATION: must be get, store or erase; git adds it"),
        (&["docker", "--host", "a.example", "get"], "", "standard input: not a host"),
        (&["docker", "--host", "a.example", "store"], "{}", STORED),
        (&["docker", "--host", "a.example", "erase"], "a.example", REMOVED),
        (&["bazel", "--host", "a.example", "get"], "{}", "standard input: uri: missing"),
        (&["bazel", "--host", "a.example", "get"], "https://a.example", "standard input: not JSON at line 1, column 1"),
        (
            &["bazel", "--host", "a.example", "get"],
            r#"{"uri":"a.example"}"#,
            "standard input: uri: not an absolute URI",
        ),
        (&["bazel", "--host", "a.example"], "{}", "OPERATION: must be get; bazel adds it"),
        (&["terraform", "--host", "a.example", "get"], "", "OPERATION: must be get and a host; terraform adds them"),
        (&["terraform", "--host", "a.example", "get", "a b"], "", "OPERATION: not a host"),
        (&["terraform", "--host", "a.example", "forget", "a.example"], "", REMOVED),
        (
            &["cargo", "--host", "a.example"],
            "",
            "CARGO_REGISTRY_INDEX_URL: not set; to try it without cargo, set it to the URL of the index",
        ),
        (&["bearer", "get"], "", "OPERATION: not used with this format"),
        (&["git", "get"], "", "--host: required with --as git"),
        (&["netrc"], "", "--host: required with --as netrc"),
        (&["netrc", "--host", "a.example", "--host", "b.example:8443"], "", "--host: netrc cannot hold a port"),
        (&["headers", "--host", "a.example"], "", "--host: not used with --as headers"),
        (&["bearer", "--username", "me"], "", "--username: not used with --as bearer"),
    ] {
        assert_eq!(helper(&session, args, input), fails(2, message), "{args:?} {input:?}");
    }
    let mut nameless = session.command("pkce-token");
    nameless.args(["--as", "git", "--host", "git.example", "get"]);
    assert_eq!(finish(&mut nameless, b""), fails(2, "NAME: missing before the operation"));
    let large = format!("protocol=https\nhost=git.example\npath={}", "a".repeat(1024 * 1024));
    assert_eq!(helper(&session, &GIT, &large), fails(2, "standard input: larger than 1024 KiB"));
    let hint = "; see 'pkce-token --help'";
    let host =
        "--host: must be a host in ASCII without a scheme, such as git.example.com, git.example.com:8443 or [::1]:8080";
    for (args, message) in [
        (&["git", "--host", "https://a.example", "get"][..], host),
        (&["git", "--host", "a.example:99999", "get"], host),
        (
            &["netrc", "--host", "a.example", "--username", "a b"],
            "--username: must be one or more visible ASCII characters, without colon, quote, # and backslash",
        ),
    ] {
        assert_eq!(helper(&session, args, ""), fails(2, &format!("{message}{hint}")), "{args:?}");
    }
    assert_eq!(session.refreshes(), 0);
}

#[test]
fn says_on_one_line_what_failed_and_what_to_do() {
    let session = valid_until(5);
    session.grant.lock().unwrap().ended = true;
    let attributes = "protocol=https\nhost=git.example\n";
    let ended = fails(5, "token endpoint: invalid_grant; run the login again, and store it as work");
    assert_eq!(helper(&session, &GIT, attributes), ended);
    assert_eq!(helper(&session, &["kubernetes"], ""), ended);
    let mut missing = session.command("pkce-token");
    let message = "none: nothing is stored under this name; pkce-load lists the names; pkce-login NAME adds one";
    assert_eq!(finish(missing.args(["none", "--as", "bearer"]), b""), fails(5, message));
}

#[test]
fn writes_no_token_that_a_format_cannot_hold() {
    let session = valid_until(5);
    let store = |changes: Value| {
        session.store(&crate::common::changed(session.document(0, now() + 600), &changes));
    };
    store(json!({ "access_token": r#"a"b\c"# }));
    assert_eq!(helper(&session, &["curl"], ""), prints("oauth2-bearer = \"a\\\"b\\\\c\"\n"));
    let message = "access_token: contains a character that netrc cannot hold";
    assert_eq!(helper(&session, &["netrc", "--host", "a.example"], ""), fails(2, message));
    let message = "access_token: not a JSON Web Token, which --as gcp requires; add --id-token";
    assert_eq!(helper(&session, &["gcp"], ""), fails(2, message));
    store(json!({ "access_token": "e30.e30.c", "expires_at": 253_402_300_800_u64, "expires_in": 253_402_300_000_u64 }));
    let expected = json!({
        "version": 1, "success": true, "token_type": "urn:ietf:params:oauth:token-type:jwt", "id_token": "e30.e30.c",
        "expiration_time": 253_402_300_800_u64,
    });
    assert_eq!(helper(&session, &["gcp"], "").json(), expected);
    // The year 10000 is more than a timestamp can express.
    assert_eq!(helper(&session, &["kubernetes"], "").json()["status"], json!({ "token": "e30.e30.c" }));
    store(json!({ "token_type": "DPoP" }));
    let message = "token_type: not Bearer, so no header can be made for it";
    assert_eq!(helper(&session, &GIT, "protocol=https\nhost=git.example\n"), fails(4, message));
}

#[test]
fn expires_the_stored_token_where_git_says_that_a_server_refused_it() {
    let erase = ["git", "--host", "git.example", "erase"];
    let host = "protocol=https\nhost=git.example\n";
    for sent in ["username=oauth2\npassword=", "authtype=Bearer\ncredential="] {
        let session = valid_until(now() + 600);
        let before = session.stored();
        for refused in [
            format!("{host}{sent}other\n"),
            format!("{host}{sent}{}x\n", access(0)),
            format!("{host}{sent}{}\n", before["refresh_token"].as_str().unwrap()),
            format!("protocol=https\nhost=other.example\n{sent}{}\n", access(0)),
            format!("protocol=http\nhost=git.example\n{sent}{}\n", access(0)),
            host.to_owned(),
            format!("{host}{sent}\n"),
        ] {
            assert_eq!(helper(&session, &erase, &refused), prints(""), "{refused}");
            assert_eq!(session.stored(), before, "{refused}");
        }
        let mut command = session.command("pkce-token");
        command.args(["work", "--as"]).args(erase);
        let latin = [host.as_bytes(), b"password=\xe9\n"].concat();
        assert_eq!((finish(&mut command, &latin), session.stored()), (prints(""), before.clone()));
        assert_eq!(helper(&session, &erase, &format!("{host}{sent}{}\n", access(0))), prints(""));
        let mut expired = before;
        expired["expires_at"] = json!(0);
        assert_eq!((session.stored(), session.refreshes()), (expired, 0));
        // The next one gets a new token, and git's word about the old one no longer counts.
        assert!(helper(&session, &GIT, host).stdout.contains(&access(1)));
        assert_eq!(helper(&session, &erase, &format!("{host}{sent}{}\n", access(0))), prints(""));
        assert!(helper(&session, &GIT, host).stdout.contains(&access(1)));
        assert_eq!(session.refreshes(), 1);
    }
}

#[test]
fn expires_a_token_under_the_lock_and_where_none_is_stored_nothing() {
    let session = valid_until(now() + 600);
    let lock = fs::File::options().write(true).open(session.path("work.lock")).unwrap();
    lock.lock().unwrap();
    let erase = ["git", "--host", "git.example", "--timeout", "1", "erase"];
    let refused = format!("protocol=https\nhost=git.example\npassword={}\n", access(0));
    let path = session.path("work.lock");
    let locked = fails(3, &format!("{}: locked by another process for 1 s", path.display()));
    assert_eq!(helper(&session, &erase, &refused), locked);
    // For another token nothing is waited for.
    assert_eq!(helper(&session, &erase, &refused.replace("password=", "password=x")), prints(""));
    fs::remove_file(session.path("work.json")).unwrap();
    assert_eq!(helper(&session, &erase, &refused), prints(""));
    fs::remove_dir_all(session.home()).unwrap();
    assert_eq!(helper(&session, &erase, &refused), prints(""));
}

#[test]
fn takes_no_refused_token_for_new() {
    let session = valid_until(5);
    let held = fs::File::options().write(true).open(session.path("work.lock")).unwrap();
    held.lock().unwrap();
    // It has read the expired token, and waits for the lock, while another stores a token that a server then refuses.
    let mut command = session.command("pkce-token");
    let mut waiting = start(command.args(["work", "-r", "access_token"]));
    drop(waiting.stdin.take());
    wait_for_lock(waiting.id());
    let mut refused = session.document(7, 0);
    refused["refresh_token"] = session.document(0, 0)["refresh_token"].clone();
    fs::write(session.path("work.json"), refused.to_string()).unwrap();
    drop(held);
    assert_eq!(done(waiting), prints(&format!("{}\n", access(1))));
}

/// Waits until the process has opened the lock.
fn wait_for_lock(pid: u32) {
    let descriptors = format!("/proc/{pid}/fd");
    let is_open = || {
        let links = fs::read_dir(&descriptors).into_iter().flatten().flatten();
        links.filter_map(|link| fs::read_link(link.path()).ok()).any(|path| path.ends_with("work.lock"))
    };
    while !is_open() {
        std::thread::yield_now();
    }
}

#[test]
fn refreshes_once_for_a_hundred_of_git() {
    let session = Session::new(Duration::from_millis(300));
    session.store_expired();
    let children: Vec<_> = (0..100)
        .map(|_| {
            let mut command = session.command("pkce-token");
            let mut child = start(command.args(["work", "--as"]).args(GIT));
            let mut input = child.stdin.take().unwrap();
            std::io::Write::write_all(&mut input, b"protocol=https\nhost=git.example\n\n").unwrap();
            child
        })
        .collect();
    for child in children {
        let output = done(child);
        let lines: Vec<&str> = output.stdout.lines().collect();
        assert_eq!((output.status, output.stderr.as_str(), lines.len()), (0, "", 3));
        assert_eq!(lines[..2], ["username=oauth2", &format!("password={}", access(1))]);
    }
    let grant = *session.grant.lock().unwrap();
    assert_eq!((session.refreshes(), grant.latest, grant.ended), (1, 1, false));
}

#[test]
fn reads_no_input_where_the_call_is_wrong() {
    let session = valid_until(now() + 600);
    let mut command = session.command("pkce-token");
    let output = crate::common::unfed(command.args(["work", "--as", "git", "get"]));
    assert_eq!(bare(output), fails(2, "--host: required with --as git"));
}
