//! The end of the wait: a signal, the time, or nobody who reads.

use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::common::{Output, command, free_port, kill, talk};
use crate::paste::{at_terminal, port_of};
use crate::terminal::{Terminal, number};
use crate::{Login, OTHER_LOGIN, V4, document, may_be_unknown, may_be_unknown_at, request};

#[test]
fn frees_the_port_at_once_when_it_is_ended_or_the_time_is_over() {
    let port = free_port();
    let redirect_uri = format!("http://127.0.0.1:{port}/callback");
    let document = document(&redirect_uri);
    for (signal, status) in [("INT", 130), ("TERM", 143), ("HUP", 129), ("QUIT", 131)] {
        let login = Login::start(&document, &[]);
        kill(login.child.id(), signal);
        let said = login.said.clone();
        assert_eq!(login.end(), Output { status, stdout: String::new(), stderr: said });
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    }
    let login = Login::start(&document, &["--timeout", "1"]);
    login.fails(3, &format!("no redirect within 1 s\nhint: {}", may_be_unknown(&redirect_uri)));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn stays_deaf_to_a_signal_that_was_ignored_before() {
    let script = "trap '' HUP; exec pkce-callback --no-browser";
    let login = Login::of(command("bash").args(["-c", script]), &document(V4));
    kill(login.child.id(), "HUP");
    thread::sleep(Duration::from_millis(100));
    login.get("code=abc&state=st-123");
    assert_eq!(login.end().status, 0);
}

#[test]
fn does_not_wait_for_a_person_when_nobody_reads_the_code() {
    let mut login = Login::start(&document(V4), &[]);
    let said = login.said.clone();
    drop(login.child.stdout.take());
    // Whoever stopped reading has said why.
    assert_eq!(login.end(), Output { status: 3, stdout: String::new(), stderr: said });
}

#[test]
fn is_unavailable_when_the_time_is_over_whatever_it_has_ignored() {
    let ignored = [
        ("code=abc&state=other", "its state does not match", OTHER_LOGIN),
        ("error=access_denied&state=other", "its state does not match", OTHER_LOGIN),
        ("code=abc&state=st-123&state=st-123", "its state does not match", OTHER_LOGIN),
        ("code=abc", "it has no state", ""),
    ];
    let logins = ignored.map(|(query, why, hint)| {
        let login = Login::start(&document(V4), &["--timeout", "2"]);
        assert!(login.get(query).starts_with("HTTP/1.1 400 "), "{query}");
        (login, why, hint)
    });
    for (login, why, hint) in logins {
        let hint = if hint.is_empty() { may_be_unknown_at(login.port) } else { hint.to_owned() };
        let message = format!("no redirect within 2 s; a redirect was received and ignored: {why}\nhint: {hint}");
        login.fails(3, &message);
    }
}

/// What waits at a terminal, with the countdown and without it.
const WAITS_AT_A_TERMINAL: [&str; 2] =
    ["TERM=xterm pkce-callback --no-browser", "TERM=dumb pkce-callback --no-browser"];

#[test]
fn takes_the_redirect_at_a_stopped_terminal_and_keeps_a_note_for_later() {
    for wait in WAITS_AT_A_TERMINAL {
        let directory = at_terminal(V4);
        let mut terminal = Terminal::recorded(wait, directory.path());
        let port = port_of(&mut terminal);
        terminal.until_taken_over();
        terminal.write("\u{13}nothing\r");
        terminal.stop();
        let ignored = talk(port, request("127.0.0.1", port, "code=abc&state=other").as_bytes());
        assert!(ignored.starts_with("HTTP/1.1 400"), "{wait}: {ignored}");
        terminal.resume();
        terminal.until("pkce-callback: note: the pasted text was ignored: ");
        terminal.stop();
        let received = talk(port, request("127.0.0.1", port, "code=abc&state=st-123").as_bytes());
        assert!(received.starts_with("HTTP/1.1 200"), "{wait}: {received}");
        assert_eq!(number(directory.path(), "status"), 0, "{wait}");
        terminal.resume();
        terminal.end();
    }
}

#[test]
fn ends_at_the_deadline_and_by_a_signal_at_a_stopped_terminal() {
    for wait in WAITS_AT_A_TERMINAL {
        for (args, signal, status) in [("--timeout 3", None, 3), ("", Some("TERM"), 143), ("", Some("HUP"), 129)] {
            let directory = at_terminal(V4);
            let mut terminal = Terminal::recorded(&format!("{wait} {args}"), directory.path());
            port_of(&mut terminal);
            terminal.until_taken_over();
            terminal.stop();
            if let Some(signal) = signal {
                kill(number(directory.path(), "pid"), signal);
            }
            assert_eq!(number(directory.path(), "status"), status, "{wait} {args}");
            terminal.resume();
            terminal.end();
        }
    }
}
