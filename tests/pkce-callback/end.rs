//! The end of the wait: a signal, the time, or nobody who reads.

use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::common::{Output, command, failure, free_port, kill};
use crate::{Login, V4, document, nothing_came};

#[test]
fn frees_the_port_at_once_when_it_is_ended_or_the_time_is_over() {
    let port = free_port();
    let document = document(&format!("http://127.0.0.1:{port}/callback"));
    for (signal, status) in [("INT", 130), ("TERM", 143), ("HUP", 129), ("QUIT", 131)] {
        let login = Login::start(&document, &[]);
        kill(login.child.id(), signal);
        let said = login.said.clone();
        assert_eq!(login.end(), Output { status, stdout: String::new(), stderr: said });
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    }
    let login = Login::start(&document, &["--timeout", "1"]);
    let said = login.said.clone();
    let expected = failure("pkce-callback", 3, &nothing_came(1, port));
    assert_eq!(login.end(), Output { stderr: said + &expected.stderr, ..expected });
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
        ("code=abc&state=other", "its state does not match"),
        ("error=access_denied&state=other", "its state does not match"),
        ("code=abc&state=st-123&state=st-123", "its state does not match"),
        ("code=abc", "it has no state"),
    ];
    let logins = ignored.map(|(query, why)| {
        let login = Login::start(&document(V4), &["--timeout", "2"]);
        assert!(login.get(query).starts_with("HTTP/1.1 400 "), "{query}");
        (login, why)
    });
    for (login, why) in logins {
        let said = login.said.clone();
        let message = format!(
            "no redirect within 2 s; a redirect was received and ignored: {why}\nhint: wait longer with --timeout SECONDS"
        );
        let expected = failure("pkce-callback", 3, &message);
        assert_eq!(login.end(), Output { stderr: said + &expected.stderr, ..expected });
    }
}
