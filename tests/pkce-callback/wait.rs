//! What a person sees at a terminal before, during and after the wait.

use serde_json::json;

use crate::common::{changed, lacks, new_directory};
use crate::screen::Screen;
use crate::terminal::Terminal;
use crate::{V4, document};

/// A screen of this width in which pkce-callback waits.
fn waiting(columns: u16) -> Screen {
    let script = "trap : INT; echo before; pkce-callback --no-browser <document >out; echo \"ended: $?\"";
    Screen::start(columns, &[("document", &document(V4).to_string())], script)
}

/// What a screen shows of the wait, by its width: the sentence above the URL, and the line at the end.
const WAITS: [(u16, &[&str], &str); 3] = [
    (40, &["pkce-callback: to sign in, open this URL", "in a browser:"], "wait, or paste the address (#:## left)"),
    (
        80,
        &["pkce-callback: to sign in, open this URL in a browser:"],
        "waiting for the browser (#:## left); or paste the address of its last page",
    ),
    (
        200,
        &["pkce-callback: to sign in, open this URL in a browser:"],
        "waiting for the browser (#:## left); or paste the address that it was redirected to",
    ),
];

/// The whole screen: what was there before, the sentence, the URL, and more.
fn shows(screen: &Screen, sentence: &[&str], more: &[&str]) {
    let document = document(V4);
    let url = document["authorization_url"].as_str().unwrap();
    let with_port_0 = |line: &str| match line.split_once("127.0.0.1%3A") {
        Some((start, rest)) => format!("{start}127.0.0.1%3A0{}", rest.trim_start_matches(|c: char| c.is_ascii_digit())),
        None => line.to_owned(),
    };
    screen.shows(&[&["before"], sentence, &[url], more].concat(), with_port_0);
}

#[test]
fn shows_the_time_left_in_any_width_and_leaves_nothing_of_it_after_control_c() {
    if lacks(&["tmux"]) {
        return;
    }
    for (columns, sentence, wait) in WAITS {
        let screen = waiting(columns);
        shows(&screen, sentence, &[wait]);
        screen.press("C-c");
        shows(&screen, sentence, &["ended: ###"]);
    }
}

#[test]
fn acknowledges_a_paste_in_any_width_and_leaves_nothing_of_the_wait() {
    if lacks(&["tmux"]) {
        return;
    }
    let incomplete = "pkce-callback: note: text arrived, which is not shown: press Enter at its end";
    for (columns, sentence, wait) in WAITS {
        let screen = waiting(columns);
        shows(&screen, sentence, &[wait]);
        screen.write("http://127.0.0.1:1/callback?code=abc&state=st-123");
        shows(&screen, sentence, &[incomplete, wait]);
        screen.press("Enter");
        let received = "pkce-callback: note: the pasted address was received";
        shows(&screen, sentence, &[incomplete, received, "ended: #"]);
    }
}

#[test]
fn follows_the_width_of_the_terminal() {
    if lacks(&["tmux"]) {
        return;
    }
    let [(narrow, _, narrow_wait), _, (wide, sentence, wide_wait)] = WAITS;
    let mut screen = waiting(wide);
    shows(&screen, sentence, &[wide_wait]);
    for (columns, wait) in [(narrow, narrow_wait), (20, "#:## left"), (wide, wide_wait)] {
        screen.resize(columns);
        shows(&screen, sentence, &[wait]);
    }
    screen.press("C-c");
    shows(&screen, sentence, &["ended: ###"]);
}

/// What pkce-callback prints at a terminal in this environment, for this URL.
fn printed(environment: &str, url: &str) -> String {
    let redirect_uri = "http://127.0.0.1:7/callback";
    let directory = new_directory();
    let document = changed(document(redirect_uri), &json!({ "authorization_url": url }));
    std::fs::write(directory.path().join("document"), document.to_string()).unwrap();
    std::fs::write(directory.path().join("redirect"), format!("{redirect_uri}?code=a&state=st-123")).unwrap();
    let script = format!("{environment} pkce-callback --response-file redirect <document >out");
    let (status, printed) = Terminal::bash(&script, directory.path()).end();
    assert_eq!(status, Some(0), "{printed}");
    printed
}

#[test]
fn links_the_url_where_the_terminal_is_known_to_show_links() {
    let url = "https://id.example.com/authorize?a=1;b&c=%1b";
    for (environment, is_link) in [
        ("TERM=xterm-256color VTE_VERSION=7600", true),
        ("TERM=xterm-256color VTE_VERSION=4800", false),
        ("TERM=xterm-256color VTE_VERSION=new", false),
        ("TERM=xterm-256color KONSOLE_VERSION=220401", true),
        ("TERM=xterm-256color KONSOLE_VERSION=180401", false),
        ("TERM=xterm-256color WT_SESSION=1", true),
        ("TERM=xterm-256color TERM_PROGRAM=iTerm.app", true),
        ("TERM=xterm-256color TERM_PROGRAM=Apple_Terminal", false),
        ("TERM=xterm-256color", false),
        ("TERM=xterm-kitty", true),
        ("TERM=tmux-256color", true),
        ("TERM=linux", false),
        // What runs in another terminal inherits the variables of that one.
        ("TERM=screen-256color VTE_VERSION=7600", false),
        ("TERM=dumb VTE_VERSION=7600", false),
        ("TERM=xterm-256color VTE_VERSION=7600 NO_COLOR=1", false),
    ] {
        let link = format!("\u{1b}]8;;{url}\u{1b}\\{url}\u{1b}]8;;\u{1b}\\");
        let shown = if is_link { &link } else { url };
        let expected = format!("pkce-callback: to sign in, open this URL in a browser:\r\n{shown}\r\n");
        let printed = printed(environment, url);
        assert_eq!(printed.split_inclusive('\n').take(2).collect::<String>(), expected, "{environment}");
    }
}

#[test]
fn links_no_url_that_is_too_long_or_not_shown_as_it_is() {
    let start = "https://id.example.com/authorize?a=";
    for (rest, is_link) in [
        ("a".repeat(2083 - start.len()), true),
        ("a".repeat(2084 - start.len()), false),
        // A command of a CI runner, which is broken up.
        ("::warning::".to_owned(), false),
    ] {
        let url = format!("{start}{rest}");
        let printed = printed("TERM=xterm-kitty", &url);
        assert_eq!(printed.contains(&format!("\u{1b}]8;;{url}\u{1b}\\{url}\u{1b}")), is_link, "{printed:?}");
    }
}
