//! pkce-load: the stored login unchanged, and the names of all.
#![cfg(test)]

mod common;
#[path = "common/home.rs"]
mod home;

use std::fs;
use std::thread;

use common::{Output, done, failure, finish, start};
use home::{DOCUMENT, Home, success};

#[test]
fn lists_nothing_where_nothing_is_stored() {
    let home = Home::new();
    assert_eq!(finish(&mut home.command("pkce-load"), b""), success());
    assert_eq!(home.load(), failure("pkce-load", 5, "work: nothing is stored under this name"));
    assert!(!home.directory().exists());
    home.store(DOCUMENT);
    fs::write(home.path("no name.json"), "{}").unwrap();
    assert_eq!(finish(&mut home.command("pkce-load"), b"").stdout, "work\n");
    // There is no document to take a member from, and nobody waits for a failure line.
    let output = finish(home.command("pkce-load").args(["-r", "code"]), b"");
    let expected = failure("pkce-load", 2, "--raw: not available, since no document is printed");
    assert_eq!(output, Output { stdout: String::new(), ..expected });
}

#[test]
fn reads_one_document_or_the_other_while_they_are_replaced() {
    let home = Home::new();
    let documents =
        ["a", "b"].map(|name| DOCUMENT.replace("\"own\":1.10", &format!("\"own\":\"{}\"", name.repeat(200_000))));
    home.store(&documents[0]);
    thread::scope(|scope| {
        scope.spawn(|| (0..20).for_each(|turn| assert_eq!(home.store(&documents[turn % 2]), success())));
        for _ in 0..40 {
            let output = home.load();
            assert!(documents.contains(&output.stdout), "{} octets, {}", output.stdout.len(), output.stderr);
        }
    });
}

#[test]
fn needs_no_more_than_the_right_to_read() {
    let home = Home::new();
    home.store(DOCUMENT);
    fs::remove_file(home.path("work.lock")).unwrap();
    let loading = start(home.command("pkce-load").arg("work"));
    assert_eq!(done(loading), Output { stdout: DOCUMENT.to_owned(), ..success() });
    assert_eq!(home.files(), ["work.json"]);
    // One member as text, and what is not there.
    let raw = |member: &str| finish(home.command("pkce-load").args(["work", "-r", member]), b"");
    assert_eq!(raw("own"), Output { stdout: "1.10\n".to_owned(), ..success() });
    assert_eq!(raw("code"), Output { stdout: String::new(), ..failure("pkce-load", 2, "code: missing") });
}
