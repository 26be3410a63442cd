//! `kill -9` at random moments: the stored login is whole, and no refresh token that the server still accepts is lost.
//! PKCE_KILLS is how many processes are killed in each test (50).
#![cfg(test)]

mod common;
#[path = "common/rotating.rs"]
mod rotating;

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use common::{done, start};
use rotating::{Session, now, number};
use serde_json::Value;

fn kills() -> u32 {
    std::env::var("PKCE_KILLS").map_or(50, |count| count.parse().unwrap())
}

/// A random part of this time.
fn part(whole: Duration) -> Duration {
    let random = RandomState::new().hash_one(0);
    whole.mul_f64(random as f64 / u64::MAX as f64)
}

/// How long such a process takes: the median of nine.
fn length(begin: impl Fn() -> Child) -> Duration {
    let mut times: Vec<Duration> = (0..9)
        .map(|_| {
            let started = Instant::now();
            assert_eq!(done(begin()).status, 0);
            started.elapsed()
        })
        .collect();
    times.sort();
    times[4]
}

/// Kills the process after this time; whether it was still there.
fn kill_after(mut child: Child, time: Duration) -> bool {
    thread::sleep(time);
    child.kill().unwrap();
    done(child).status == 137
}

/// The names in the directory that are not a document's own.
fn left(session: &Session) -> Vec<String> {
    let files = fs::read_dir(session.home()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    files.filter(|name| !["work.json", "work.lock", "work.pending"].contains(&name.as_str())).collect()
}

#[test]
fn keeps_the_old_document_or_the_new_one_whole() {
    let session = Session::new(Duration::ZERO);
    let documents: Vec<Value> = (0..2)
        .map(|number| {
            let mut document = session.document(number, now() + 600);
            document["large"] = Value::from(number.to_string().repeat(400_000));
            document
        })
        .collect();
    session.store(&documents[0]);
    let files: Vec<_> = (0..2).map(|number| session.directory.path().join(number.to_string())).collect();
    documents.iter().zip(&files).for_each(|(document, file)| fs::write(file, document.to_string()).unwrap());
    let store = |number: usize| {
        let line = format!("exec pkce-store work <'{}'", files[number].display());
        start(session.command("bash").args(["-c", &line]))
    };
    let whole = length(|| store(0));
    let (mut killed, mut new, mut seen_left) = (0, 0, 0);
    let mut stored = 0;
    while killed < kills() {
        let next = 1 - stored;
        killed += u32::from(kill_after(store(next), part(whole)));
        let after = session.stored();
        match documents.iter().position(|document| *document == after) {
            Some(number) if number == next => {
                new += 1;
                stored = next;
            }
            Some(_) => {}
            None => panic!("neither the old document nor the new one"),
        }
        seen_left += left(&session).len();
        assert!(left(&session).len() <= 1, "what a killed process left is cleared away by the next");
    }
    session.store(&documents[0]);
    assert_eq!(left(&session), Vec::<String>::new());
    println!("pkce-store: {killed} killed, {new} new documents, {seen_left} unfinished files");
}

/// Whether an unfinished file is whole, and holds the tokens of this number.
fn holds(session: &Session, file: &str, number: u32) -> bool {
    let text = fs::read_to_string(session.path(file)).unwrap_or_default();
    serde_json::from_str::<Value>(&text).is_ok_and(|document| rotating::number(&document["refresh_token"]) == number)
}

#[test]
fn loses_no_refresh_token_but_between_the_response_and_the_file() {
    let session = Session::new(Duration::ZERO);
    session.store_expired();
    let token = || start(session.command("pkce-token").args(["work", "--refresh", "-r", "access_token"]));
    let whole = length(token);
    let (mut killed, mut recovered, mut lost) = (0, 0, 0);
    while killed < kills() {
        killed += u32::from(kill_after(token(), part(whole)));
        session.server.settle();
        let latest = session.grant.lock().unwrap().latest;
        let stored = number(&session.stored()["refresh_token"]);
        assert!(left(&session).len() <= 1);
        if stored == latest {
            let next = session.token(&["--refresh"]);
            assert_eq!((next.status, number(&next.json()["access_token"])), (0, latest + 1), "{next:?}");
            continue;
        }
        assert_eq!(stored + 1, latest, "an older token than the last was kept");
        if left(&session).iter().any(|file| holds(&session, file, latest)) {
            // Written whole, and not renamed: the next one takes it over, and sends nothing.
            let before = session.refreshes();
            let next = session.token(&["--refresh"]);
            assert_eq!((next.status, number(&next.json()["access_token"])), (0, latest), "{next:?}");
            assert_eq!((session.refreshes(), number(&session.stored()["refresh_token"])), (before, latest));
            recovered += 1;
            continue;
        }
        // The one window: the server has rotated the token, and its response was not written yet.
        assert!(session.path("work.pending").is_file(), "the refresh was not on record");
        lost += 1;
        let next = session.token(&["--refresh"]);
        let hint = "an earlier refresh was interrupted after the server had replaced this refresh token\n";
        assert_eq!((next.status, next.stderr.ends_with(hint)), (5, true), "{next:?}");
        *session.grant.lock().unwrap() = rotating::Grant { latest, ended: false };
        session.store_expired();
    }
    assert_eq!(left(&session), Vec::<String>::new());
    println!(
        "pkce-token: {killed} killed, {recovered} taken over by the next, {lost} between the server's response and the file"
    );
}
