//! Other users of the machine: whose redirect is ignored, and whose is not.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use rustix::process::Uid;
use rustix::thread::set_thread_res_uid;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{Output, command, failure, finish, free_port, kill, lacks, lacks_root, new_directory};
use crate::{Login, V4, document, launcher, request};

const RIGHT: &str = "code=abc&state=st-123";
const EVIL: &str = "code=evil&state=st-123";

/// Three users that are not root; the first one may be the overflow user.
const NOBODY: u32 = 65534;
const ATTACKER: u32 = 65533;
const OTHER: u32 = 65532;

const ANOTHER: &str = "it came from another user of this machine";
const CLOSED: &str = "its connection was closed before the response, so its user is not known";
const ANOTHER_NOTE: &str =
    "pkce-callback: note: ignored a connection of another user of this machine; --any-user accepts it\n";
const CLOSED_NOTE: &str = "pkce-callback: note: ignored a connection that was closed before the response, since its user \
                           is not known; --any-user accepts it\n";

const ANOTHER_HINT: &str = "hint: use a browser that runs as this user, or pkce-callback --any-user";
const CLOSED_HINT: &str = "hint: use a browser that waits for the response, or pkce-callback --any-user";

/// The hosts of a redirect URI, and the address to which a browser connects, the last one mapped to IPv4.
const STACKS: [(&str, &str); 3] = [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1"), ("127.0.0.1", "::ffff:127.0.0.1")];

/// What an attacker may do with a connection after the request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum After {
    Held,
    HalfClosed,
    Closed,
    Reset,
}

const ALL: [After; 4] = [After::Held, After::HalfClosed, After::Closed, After::Reset];

/// The stacks that this machine has.
fn stacks() -> impl Iterator<Item = (&'static str, &'static str)> {
    let v6 = TcpListener::bind("[::1]:0").is_ok();
    STACKS.into_iter().filter(move |(_, address)| v6 || !address.contains(':'))
}

/// Whether this machine makes no namespaces for us.
fn lacks_namespaces(args: &[&str]) -> bool {
    let lacking = !command("unshare").args(args).arg("true").output().is_ok_and(|output| output.status.success());
    if lacking {
        println!("left out, since this machine makes no namespace: {}", thread::current().name().unwrap_or_default());
    }
    lacking
}

/// A connection of this user.
fn connect(uid: u32, address: &str, port: u16) -> TcpStream {
    let address = address.to_owned();
    let connecting = thread::spawn(move || {
        let uid = Uid::from_raw(uid);
        // The user of this thread alone.
        set_thread_res_uid(uid, uid, uid).unwrap();
        TcpStream::connect((address.as_str(), port)).unwrap()
    });
    connecting.join().unwrap()
}

/// A request of this user, and what follows.
fn send(uid: u32, address: &str, request: &str, after: After) -> TcpStream {
    let port = request.split("\r\nHost: ").nth(1).unwrap().lines().next().unwrap().rsplit_once(':').unwrap().1;
    let mut stream = connect(uid, address, port.parse().unwrap());
    stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    match after {
        After::HalfClosed => stream.shutdown(Shutdown::Write).unwrap(),
        After::Reset => set_socket_linger(&stream, Some(Duration::ZERO)).unwrap(),
        After::Held | After::Closed => {}
    }
    stream
}

/// The response to this user on a connection that is bound to a device: it can be found in the table only.
fn page_of_bound(uid: u32, port: u16, query: &str) -> String {
    let mut browser = command("setpriv");
    browser.args(["--reuid", &uid.to_string(), "--clear-groups", "curl", "-si", "--interface", "if!lo"]);
    finish(browser.arg(format!("http://127.0.0.1:{port}/callback?{query}")), b"").stdout
}

/// The response on a connection that was held or half-closed.
fn page(mut stream: TcpStream) -> String {
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    page
}

/// Stops the tool, so that it meets all that is done meanwhile at once.
fn while_stopped<T>(login: &Login, act: impl FnOnce() -> T) -> T {
    let status = format!("/proc/{}/stat", login.child.id());
    kill(login.child.id(), "STOP");
    while !std::fs::read_to_string(&status).unwrap().rsplit_once(')').unwrap().1.starts_with(" T") {
        thread::yield_now();
    }
    let done = act();
    kill(login.child.id(), "CONT");
    done
}

/// The login's end when all it has received is this note: the code is the real one.
fn assert_logged_in(login: Login, note: &str, case: &str) {
    let url = login.said.lines().find(|line| line.starts_with("http")).unwrap();
    let stderr = format!("pkce-callback: to sign in, open this URL in a browser:\n{url}\n{note}");
    let output = login.end();
    assert_eq!((output.status, output.stderr.as_str()), (0, stderr.as_str()), "{case}");
    assert_eq!(output.json()["code"], "abc", "{case}");
}

/// A login of this user, who must not be root.
fn login_of(ruid: u32, euid: u32, sudo_uid: Option<u32>) -> Login {
    let mut command = command("setpriv");
    command.args(["--ruid", &ruid.to_string(), "--euid", &euid.to_string(), "--clear-groups"]);
    command.args(["pkce-callback", "--no-browser"]).envs(sudo_uid.map(|uid| ("SUDO_UID", uid.to_string())));
    Login::of(&mut command, &document(V4))
}

/// Who is accepted in this login, and who is not; each is another login.
fn assert_users(start: impl Fn() -> Login, accepted: &[u32], ignored: &[u32]) {
    for uid in accepted {
        let login = start();
        let text = request("127.0.0.1", login.port, RIGHT);
        assert!(page(send(*uid, "127.0.0.1", &text, After::Held)).starts_with("HTTP/1.1 200 "), "{uid}");
        assert_logged_in(login, "", &uid.to_string());
    }
    for uid in ignored {
        let login = start();
        let evil = request("127.0.0.1", login.port, EVIL);
        assert!(page(send(*uid, "127.0.0.1", &evil, After::Held)).contains(ANOTHER), "{uid}");
        let text = request("127.0.0.1", login.port, RIGHT);
        assert!(page(send(0, "127.0.0.1", &text, After::Held)).starts_with("HTTP/1.1 200 "), "{uid}");
        assert_logged_in(login, ANOTHER_NOTE, &uid.to_string());
    }
}

#[test]
fn ignores_the_redirect_of_another_user_and_goes_on() {
    if lacks_root() {
        return;
    }
    for (host, address) in stacks() {
        for after in [After::Held, After::HalfClosed] {
            let login = Login::start(&document(&format!("http://{host}:0/callback")), &[]);
            let page_of = |uid, query| page(send(uid, address, &request(host, login.port, query), after));
            let ignored = page_of(ATTACKER, EVIL);
            assert!(ignored.starts_with("HTTP/1.1 400 ") && ignored.contains(ANOTHER), "{ignored}");
            assert!(!ignored.contains("evil") && !ignored.contains("st-123"), "{ignored}");
            let denied = page_of(ATTACKER, "error=access_denied&state=st-123");
            assert!(denied.starts_with("HTTP/1.1 400 ") && denied.contains(ANOTHER), "{denied}");
            assert!(page_of(0, RIGHT).starts_with("HTTP/1.1 200 "));
            assert_logged_in(login, ANOTHER_NOTE, &format!("{address} {after:?}"));
        }
    }
}

#[test]
fn ignores_the_redirect_of_another_user_who_closes_at_once_or_resets_and_goes_on() {
    if lacks_root() {
        return;
    }
    for (host, address) in stacks() {
        for (after, note) in [(After::Closed, CLOSED_NOTE), (After::Reset, "")] {
            let login = Login::start(&document(&format!("http://{host}:0/callback")), &[]);
            let evil = request(host, login.port, EVIL);
            while_stopped(&login, || drop(send(ATTACKER, address, &evil, after)));
            let right = request(host, login.port, RIGHT);
            assert!(page(send(0, address, &right, After::Held)).starts_with("HTTP/1.1 200 "));
            assert_logged_in(login, note, &format!("{address} {after:?}"));
        }
    }
}

#[test]
fn is_not_won_by_another_user_who_tries_everything_at_any_time() {
    if lacks_root() {
        return;
    }
    for (host, address) in stacks() {
        let login = Login::start(&document(&format!("http://{host}:0/callback")), &[]);
        let evil = request(host, login.port, EVIL);
        for after in ALL.into_iter().cycle().take(40) {
            let stream = send(ATTACKER, address, &evil, after);
            if matches!(after, After::Held | After::HalfClosed) {
                assert!(page(stream).contains(ANOTHER));
            }
        }
        let right = request(host, login.port, RIGHT);
        assert!(page(send(0, address, &right, After::Held)).starts_with("HTTP/1.1 200 "));
        // Those that were closed may have been met before.
        let output = login.end();
        assert_eq!((output.status, &output.json()["code"]), (0, &json!("abc")), "{output:?}");
        assert_eq!(output.stderr.matches("note:").count(), 1, "{output:?}");
    }
}

#[test]
fn ignores_another_user_whose_connection_is_bound_to_a_device() {
    if lacks_root() || lacks(&["curl", "setpriv"]) {
        return;
    }
    let login = Login::start(&document(V4), &[]);
    assert!(page_of_bound(ATTACKER, login.port, EVIL).contains(ANOTHER));
    assert!(page_of_bound(0, login.port, RIGHT).starts_with("HTTP/1.1 200 "));
    assert_logged_in(login, ANOTHER_NOTE, "bound");
}

#[test]
fn ignores_a_program_of_another_user() {
    if lacks_root() || lacks(&["setpriv", "bash"]) {
        return;
    }
    let login = Login::start(&document(V4), &[]);
    let script = "exec 3<>/dev/tcp/127.0.0.1/$0; printf %s \"$1\" >&3; cat <&3";
    let (port, evil) = (login.port.to_string(), request("127.0.0.1", login.port, EVIL));
    let mut program = command("setpriv");
    program.args(["--reuid", &ATTACKER.to_string(), "--clear-groups", "bash", "-c", script, &port, &evil]);
    let output = finish(&mut program, b"");
    assert!(output.stdout.contains(ANOTHER), "{output:?}");
    assert!(login.get(RIGHT).starts_with("HTTP/1.1 200 "));
    assert_logged_in(login, ANOTHER_NOTE, "a program");
}

#[test]
fn says_once_that_another_user_was_ignored_however_many_connections_come() {
    if lacks_root() {
        return;
    }
    let login = Login::start(&document(V4), &[]);
    let evil = request("127.0.0.1", login.port, EVIL);
    let held: Vec<TcpStream> =
        while_stopped(&login, || (0..100).map(|_| send(ATTACKER, "127.0.0.1", &evil, After::Held)).collect());
    assert!(login.get(RIGHT).starts_with("HTTP/1.1 200 "));
    assert_logged_in(login, ANOTHER_NOTE, "many");
    drop(held);
}

#[test]
fn says_at_the_end_of_the_wait_that_another_user_was_ignored() {
    if lacks_root() {
        return;
    }
    for (after, note, why, hint) in [
        (After::Held, ANOTHER_NOTE, ANOTHER, ANOTHER_HINT),
        (After::Closed, CLOSED_NOTE, CLOSED, CLOSED_HINT),
        (After::Reset, "", CLOSED, CLOSED_HINT),
    ] {
        let login = Login::start(&document(V4), &["--timeout", "2"]);
        let said = login.said.clone();
        let evil = request("127.0.0.1", login.port, EVIL);
        let stream = while_stopped(&login, || {
            let stream = send(ATTACKER, "127.0.0.1", &evil, after);
            (after == After::Held).then_some(stream)
        });
        let output = login.end();
        let message = format!("no redirect within 2 s; a redirect was received and ignored: {why}\n{hint}");
        let expected = failure("pkce-callback", 3, &message);
        assert_eq!(output, Output { stderr: said + note + &expected.stderr, ..expected }, "{after:?}");
        drop(stream);
    }
}

#[test]
fn tells_another_user_in_the_page_what_to_do() {
    if lacks_root() {
        return;
    }
    let login = Login::start(&document(V4), &[]);
    let ignored = page(send(ATTACKER, "127.0.0.1", &request("127.0.0.1", login.port, EVIL), After::Held));
    let text = format!(
        "<p>This response does not belong to the login that the terminal is waiting for: {ANOTHER}. Nothing was changed, \
         and the terminal is still waiting. Open the address in a browser of the user who runs pkce-callback, or start \
         pkce-callback with --any-user.</p>"
    );
    assert!(ignored.contains(&text), "{ignored}");
    let guessed = page(send(0, "127.0.0.1", &request("127.0.0.1", login.port, "state=guess"), After::Held));
    assert!(guessed.contains("Use the address that it printed last.</p>"), "{guessed}");
    assert!(login.get(RIGHT).starts_with("HTTP/1.1 200 "));
}

#[test]
fn says_how_a_browser_of_another_user_that_fails_can_be_used() {
    if lacks_root() || lacks(&["setpriv"]) {
        return;
    }
    let directory = new_directory();
    let visit = "url=$(printf %s \"$1\" | sed 's/.*127.0.0.1%3A\\([0-9]*\\)%2F.*/\\1/')\n\
                 url=\"http://127.0.0.1:$url/callback?code=abc&state=st-123\"";
    let own = launcher(&directory, &format!("{visit}\nexec pkce-idp --visit \"$url\""));
    let other_directory = new_directory();
    let as_another = format!("exec setpriv --reuid {ATTACKER} --clear-groups");
    let other = launcher(&other_directory, &format!("{visit}\n{as_another} pkce-idp --visit \"$url\""));
    let run = |browser: &str, args: &[&str], errors: &str| {
        let mut callback = command("pkce-callback");
        callback.args(args).env("BROWSER", browser).env("PKCE_ERRORS", errors);
        finish(&mut callback, document(V4).to_string().as_bytes())
    };
    let wrong = format!(
        "BROWSER: browser ended with status 1, and there is no terminal; a redirect was received and ignored: {ANOTHER}"
    );
    let output = run(&other, &[], "");
    let expected = failure("pkce-callback", 3, &format!("{wrong}\n{ANOTHER_HINT}"));
    assert_eq!((output.status, &output.stdout), (3, &expected.stdout));
    assert!(output.stderr.ends_with(&(ANOTHER_NOTE.to_owned() + &expected.stderr)), "{output:?}");
    let output = run(&other, &[], "json");
    let error: Value = serde_json::from_str(output.stderr.lines().last().unwrap()).unwrap();
    assert_eq!((output.status, &error["message"]), (3, &json!(wrong)));
    // Both halves of the hint cure.
    for (browser, args) in [(&own, &[][..]), (&other, &["--any-user"])] {
        let output = run(browser, args, "");
        assert_eq!((output.status, &output.json()["code"]), (0, &json!("abc")), "{output:?}");
    }
}

#[test]
fn accepts_any_user_where_it_is_told_to() {
    if lacks_root() {
        return;
    }
    for (host, address) in stacks() {
        for after in ALL {
            let login = Login::start(&document(&format!("http://{host}:0/callback")), &["--any-user"]);
            let right = request(host, login.port, RIGHT);
            let stream = while_stopped(&login, || {
                let stream = send(ATTACKER, address, &right, after);
                matches!(after, After::Held | After::HalfClosed).then_some(stream)
            });
            if let Some(stream) = stream {
                assert!(page(stream).starts_with("HTTP/1.1 200 "));
            }
            assert_logged_in(login, "", &format!("{address} {after:?}"));
        }
    }
}

#[test]
fn accepts_its_own_user_who_half_closes_the_connection() {
    for (host, address) in stacks() {
        let login = Login::start(&document(&format!("http://{host}:0/callback")), &[]);
        let mut stream = TcpStream::connect((address, login.port)).unwrap();
        while_stopped(&login, || {
            stream.write_all(request(host, login.port, RIGHT).as_bytes()).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
        });
        assert!(page(stream).starts_with("HTTP/1.1 200 "));
        assert_logged_in(login, "", address);
    }
}

#[test]
fn ignores_a_connection_that_is_closed_before_the_response_since_it_may_be_anyone_s() {
    let login = Login::start(&document(V4), &[]);
    while_stopped(&login, || {
        let mut stream = TcpStream::connect(("127.0.0.1", login.port)).unwrap();
        stream.write_all(request("127.0.0.1", login.port, EVIL).as_bytes()).unwrap();
    });
    assert!(login.get(RIGHT).starts_with("HTTP/1.1 200 "));
    assert_logged_in(login, CLOSED_NOTE, "closed");
}

#[test]
fn responds_to_other_requests_of_other_users_without_a_note() {
    if lacks_root() {
        return;
    }
    let login = Login::start(&document(V4), &[]);
    let icon = request("127.0.0.1", login.port, "").replace("/callback?", "/favicon.ico");
    assert!(page(send(ATTACKER, "127.0.0.1", &icon, After::Held)).starts_with("HTTP/1.1 404 "));
    let guess = request("127.0.0.1", login.port, "code=evil&state=guess");
    assert!(page(send(ATTACKER, "127.0.0.1", &guess, After::Held)).contains("its state does not match"));
    assert!(login.get(RIGHT).starts_with("HTTP/1.1 200 "));
    assert_logged_in(login, "", "others");
}

#[test]
fn accepts_root_and_its_own_real_and_effective_user_and_no_other() {
    if lacks_root() || lacks(&["setpriv"]) {
        return;
    }
    assert_users(|| login_of(NOBODY, NOBODY, None), &[0, NOBODY], &[ATTACKER]);
    assert_users(|| login_of(NOBODY, OTHER, None), &[0, NOBODY, OTHER], &[ATTACKER]);
    assert_users(|| Login::start(&document(V4), &[]), &[0], &[NOBODY, ATTACKER]);
}

#[test]
fn accepts_the_user_of_sudo_where_it_is_root() {
    if lacks_root() || lacks(&["setpriv"]) {
        return;
    }
    let sudo = |uid: &str| Login::of(command("pkce-callback").arg("--no-browser").env("SUDO_UID", uid), &document(V4));
    assert_users(|| sudo("65534"), &[0, NOBODY], &[ATTACKER]);
    for uid in ["", "root", "-2", "4294967296", "65533 "] {
        assert_users(|| sudo(uid), &[], &[ATTACKER]);
    }
    // Who is not root was not started by sudo as root.
    assert_users(|| login_of(NOBODY, NOBODY, Some(ATTACKER)), &[NOBODY], &[ATTACKER]);
}

#[test]
fn accepts_whom_it_cannot_tell_apart_in_a_user_namespace() {
    if lacks_root() || lacks(&["unshare"]) {
        return;
    }
    for args in [&["-U"][..], &["-U", "--map-root-user"], &["-U", "--map-current-user"]] {
        if !lacks_namespaces(args) {
            let start = || {
                let mut unshare = command("unshare");
                Login::of(unshare.args(args).args(["pkce-callback", "--no-browser"]), &document(V4))
            };
            assert_users(start, &[0, ATTACKER], &[]);
        }
    }
}

#[test]
fn ignores_another_user_of_its_own_user_namespace() {
    if lacks_root() || lacks(&["timeout", "unshare"]) || lacks_namespaces(&["-U"]) {
        return;
    }
    // The map is written from outside, as soon as there is a namespace.
    let script = "exec 3<&0
        unshare -U sh -c 'until grep -q 65533 /proc/self/uid_map; do :; done; exec pkce-callback --no-browser' <&3 &
        until printf '0 0 1\\n65533 65533 1\\n' 2>&- >/proc/$!/uid_map; do :; done
        wait $!";
    let start = || Login::of(command("timeout").args(["20", "sh", "-c", script]), &document(V4));
    assert_users(start, &[0, OTHER], &[ATTACKER]);
}

#[test]
fn ignores_another_user_where_it_listens_at_every_address_and_accepts_it_where_it_is_told_to() {
    if lacks_root() {
        return;
    }
    for (at, host, address) in [
        ("0.0.0.0", "127.0.0.1", "127.0.0.1"),
        ("[::]", "127.0.0.1", "127.0.0.1"),
        ("[::]", "[::1]", "::1"),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
    ] {
        if at == "[::]" && TcpListener::bind("[::1]:0").is_err() {
            continue;
        }
        let port = free_port();
        let listen = format!("{at}:{port}");
        let uri = format!("http://{host}:{port}/callback");
        let login = Login::start(&document(&uri), &["--listen", &listen]);
        let evil = request(host, port, EVIL);
        assert!(page(send(ATTACKER, address, &evil, After::Held)).contains(ANOTHER), "{at} {address}");
        assert!(page(send(0, address, &request(host, port, RIGHT), After::Held)).starts_with("HTTP/1.1 200 "));
        assert_logged_in(login, ANOTHER_NOTE, &format!("{at} {address}"));
        let login = Login::start(&document(&uri), &["--listen", &listen, "--any-user"]);
        let right = request(host, port, RIGHT);
        assert!(page(send(ATTACKER, address, &right, After::Held)).starts_with("HTTP/1.1 200 "), "{at} {address}");
        assert_logged_in(login, "", &format!("{at} {address}"));
    }
}

#[test]
fn accepts_every_user_where_the_table_cannot_be_read() {
    if lacks_root() || lacks_namespaces(&["-m"]) {
        return;
    }
    assert_users(|| mounting("mount -t tmpfs none /proc", V4), &[0, ATTACKER], &[]);
}

#[test]
fn does_not_let_another_user_take_the_descriptors_for_the_table() {
    if lacks_root() {
        return;
    }
    let script = "ulimit -n 20; exec pkce-callback --no-browser";
    let login = Login::of(command("bash").args(["-c", script]), &document(V4));
    let evil = request("127.0.0.1", login.port, EVIL);
    let all: Vec<TcpStream> = while_stopped(&login, || {
        let silent = (0..40).map(|_| connect(ATTACKER, "127.0.0.1", login.port));
        silent.chain((0..20).map(|_| send(ATTACKER, "127.0.0.1", &evil, After::Held))).collect()
    });
    assert!(login.get(RIGHT).starts_with("HTTP/1.1 200 "));
    assert_logged_in(login, ANOTHER_NOTE, "descriptors");
    drop(all);
}

/// A login in a namespace of its own, in which this mounts.
fn mounting(script: &str, redirect_uri: &str) -> Login {
    let script = format!("{script} && exec pkce-callback --no-browser");
    let mut unshare = command("unshare");
    Login::of(unshare.args(["-m", "sh", "-c", &script]), &document(redirect_uri))
}

/// A directory with tables of this text, and the login for which it is `/proc`.
fn with_table(text: &str, port: u16) -> (TempDir, Login) {
    let proc = new_directory();
    std::fs::create_dir(proc.path().join("net")).unwrap();
    std::fs::write(proc.path().join("net/tcp"), text).unwrap();
    let uri = format!("http://127.0.0.1:{port}/callback");
    let login = mounting(&format!("mount --bind {} /proc", proc.path().display()), &uri);
    (proc, login)
}

/// A line of the table: the port, that of the other end, and the state.
fn line(port: u16, other: u16, state: &str) -> String {
    let host = format!("{:08X}", u32::from_ne_bytes([127, 0, 0, 1]));
    let rest = "00000000:00000000 00:00000000 00000000     0        0 77 1";
    format!("   0: {host}:{port:04X} {host}:{other:04X} {state} {rest}\n")
}

#[test]
fn accepts_every_user_where_the_table_does_not_list_our_own_sockets() {
    if lacks_root() || lacks(&["curl", "setpriv"]) || lacks_namespaces(&["-m"]) {
        return;
    }
    for uid in [0, ATTACKER] {
        let (_proc, login) = with_table("", free_port());
        assert!(page_of_bound(uid, login.port, RIGHT).starts_with("HTTP/1.1 200 "), "{uid}");
        assert_logged_in(login, "", &uid.to_string());
    }
}

#[test]
fn accepts_a_connection_from_elsewhere_only_while_it_is_established() {
    if lacks_root() || lacks(&["curl", "setpriv"]) || lacks_namespaces(&["-m"]) {
        return;
    }
    // The tables of a machine to which a connection was forwarded list our end only.
    for (state, accepted) in [("01", true), ("08", false), ("", false)] {
        let port = free_port();
        let listening = line(port, 0, "0A");
        let (proc, login) = with_table(&listening, port);
        if !state.is_empty() {
            // The port of the other end is not known in advance.
            let ours: String = (1024..=u16::MAX).map(|from| line(port, from, state)).collect();
            std::fs::write(proc.path().join("net/tcp"), listening + &ours).unwrap();
        }
        let page = page_of_bound(ATTACKER, port, RIGHT);
        if accepted {
            assert!(page.starts_with("HTTP/1.1 200 "), "{state}: {page}");
            assert_logged_in(login, "", state);
        } else {
            assert!(page.starts_with("HTTP/1.1 400 ") && page.contains(CLOSED), "{state}: {page}");
            kill(login.child.id(), "TERM");
            let said = login.said.clone();
            assert_eq!(login.end(), Output { status: 143, stdout: String::new(), stderr: said }, "{state}");
        }
    }
}
