//! What is shown at a terminal, and where there is none.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, mpsc};

use qrcode::{Color, EcLevel, QrCode};
use serde_json::{Value, json};

use crate::common::{Output, json_response, kill, lacks, new_directory, response};
use crate::screen::Screen;
use crate::terminal::{Terminal, number};
use crate::{Fake, at_once, authorization, pending, shown, tokens};

/// The QR code of this text with a border of so many squares: two rows of them in a line, what is `dark` drawn or left out.
fn drawing(text: &str, border: usize, draws_dark: bool, before: &str, after: &str) -> String {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).unwrap();
    let width = code.width() + 2 * border;
    let is_drawn = |row: usize, column: usize| {
        let inside = |place: usize| (border..width - border).contains(&place);
        let is_dark = inside(row) && inside(column) && code[(column - border, row - border)] == Color::Dark;
        is_dark == draws_dark
    };
    let line = |row: usize| {
        let blocks = (0..width).map(|column| match (is_drawn(row, column), is_drawn(row + 1, column)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        });
        format!("{before}{}{after}\n", blocks.collect::<String>())
    };
    (0..width).step_by(2).map(line).collect()
}

/// What a login prints at a terminal of this size, in this environment, and with these arguments; the server may leave out
/// the link.
fn at_terminal(fake: &Fake, size: (u16, u16), environment: &str, args: &str) -> String {
    let directory = new_directory();
    fs::write(directory.path().join("document"), fake.document().to_string()).unwrap();
    let (columns, rows) = size;
    let script = format!("stty cols {columns} rows {rows}; {environment} pkce-device {args} <document >out");
    let (status, printed) = Terminal::bash(&script, directory.path()).end();
    assert_eq!(status, Some(0), "{printed}");
    printed.replace("\r\n", "\n")
}

/// The code in bold.
fn in_bold(shown: &str) -> String {
    shown.replace("    WDJB-MJHT\n", "\u{1b}[1m    WDJB-MJHT\u{1b}[0m\n")
}

const BLACK_ON_WHITE: &str = "\u{1b}[30;47m";

const PLAIN: &str = "\u{1b}[0m";

/// What a terminal of this width shows: the sentences are broken between words, addresses and codes never.
fn shown_in(columns: u16, fake: &Fake) -> String {
    let (by_code, by_link) = match columns {
        20 => (
            "pkce-device: to sign\nin, open this URL on\nany device and enter\nthe code:",
            "pkce-device: or open\nthis link, which has\nthe code in it:",
        ),
        32 => (
            "pkce-device: to sign in, open\nthis URL on any device and enter\nthe code:",
            "pkce-device: or open this link,\nwhich has the code in it:",
        ),
        36 => (
            "pkce-device: to sign in, open this\nURL on any device and enter the\ncode:",
            "pkce-device: or open this link,\nwhich has the code in it:",
        ),
        40 => (
            "pkce-device: to sign in, open this URL\non any device and enter the code:",
            "pkce-device: or open this link, which\nhas the code in it:",
        ),
        _ => return fake.shown(),
    };
    let address = fake.server.url("/device");
    format!("{by_code}\n    {address}\n    WDJB-MJHT\n{by_link}\n    {address}?user_code=WDJB-MJHT\n")
}

/// A terminal, an environment, arguments, and the border of the QR code that is shown there, if any.
type Case = ((u16, u16), &'static str, &'static str, Option<usize>);

#[test]
fn shows_the_code_the_address_and_where_there_is_room_for_it_a_qr_code() {
    let cases: Vec<Case> = vec![
        ((40, 50), "TERM=xterm", "", Some(4)),
        ((40, 24), "TERM=xterm", "", None),
        ((36, 50), "TERM=xterm", "", Some(2)),
        ((32, 50), "TERM=xterm", "", None),
        ((80, 24), "TERM=xterm", "", Some(2)),
        ((80, 22), "TERM=xterm", "", None),
        ((80, 22), "TERM=xterm", "--qr", Some(2)),
        ((20, 10), "TERM=xterm", "--qr", Some(2)),
        ((80, 50), "TERM=xterm", "", Some(4)),
        ((200, 50), "TERM=xterm", "", Some(4)),
        ((200, 50), "TERM=xterm", "--no-qr", None),
        ((0, 0), "TERM=xterm", "", None),
        ((80, 50), "TERM=dumb", "", Some(4)),
        ((80, 50), "TERM=", "--no-qr", None),
        ((80, 50), "TERM=xterm NO_COLOR=1", "", Some(4)),
    ];
    at_once(cases, |(size, environment, args, border)| {
        let fake = Fake::start(json!({}), vec![tokens()]);
        let printed = at_terminal(&fake, size, environment, args);
        let link = fake.server.url("/device?user_code=WDJB-MJHT");
        let case = format!("{size:?} {environment} {args}: {printed}");
        let shown = shown_in(size.0, &fake);
        if environment == "TERM=xterm" {
            let code = border.map(|border| drawing(&link, border, true, BLACK_ON_WHITE, PLAIN)).unwrap_or_default();
            let rest = printed.strip_prefix(&format!("{code}{}", in_bold(&shown)));
            assert!(rest.is_some_and(|rest| rest.contains(" left")), "{case}");
        } else {
            let code = border.map(|border| drawing(&link, border, false, "", "")).unwrap_or_default();
            assert_eq!(printed, format!("{code}{shown}"), "{case}");
        }
    });
}

#[test]
fn draws_the_address_where_there_is_no_link_and_draws_without_a_terminal_on_request() {
    let cases: Vec<(Value, &[&str])> = vec![
        (json!({}), &["--qr"]),
        (json!({}), &["--no-qr"]),
        (json!({ "verification_uri_complete": null }), &["--qr"]),
    ];
    at_once(cases, |(changes, args)| {
        let fake = Fake::start(changes.clone(), vec![tokens()]);
        let Output { status, stderr, .. } = fake.log_in(args);
        let has_link = changes.get("verification_uri_complete").is_none();
        let target = fake.server.url(if has_link { "/device?user_code=WDJB-MJHT" } else { "/device" });
        let code = if args == ["--qr"] { drawing(&target, 4, false, "", "") } else { String::new() };
        let text = if has_link { fake.shown() } else { shown(&target) };
        assert_eq!((status, stderr), (0, format!("{code}{text}")));
    });
}

#[test]
fn puts_a_note_on_a_line_of_its_own_and_clears_the_countdown_at_the_end() {
    let failure = response(500, "", "");
    let fake = Fake::start(json!({}), vec![failure, tokens()]);
    let printed = at_terminal(&fake, (80, 24), "TERM=xterm", "--no-qr");
    let note = "pkce-device: note: token endpoint: the server responded with 500; polling goes on\n";
    // What ends with the cursor at the start of a cleared line.
    let clear = "\r \u{1b}[J\r";
    assert!(printed.contains(&format!("{clear}{note}")), "{printed:?}");
    assert!(printed.ends_with(clear), "{printed:?}");
}

#[test]
fn shows_the_time_left_in_any_width_and_leaves_nothing_of_it_after_control_c() {
    if lacks(&["tmux"]) {
        return;
    }
    for columns in [40, 80, 200] {
        let fake = Fake::start(json!({ "interval": 60 }), Vec::new());
        let script = "trap : INT; echo before; pkce-device --no-qr <document >out; echo \"ended: $?\"";
        let mut screen = Screen::start(columns, &[("document", &fake.document().to_string())], script);
        let shown = format!("before\n{}", shown_in(columns, &fake));
        let shows = |screen: &Screen, last: &str| {
            let expected = [shown.lines().collect(), vec![last]].concat();
            screen.shows(&expected, str::to_owned);
        };
        shows(&screen, "waiting for the approval (#:## left)");
        screen.resize(20);
        shows(&screen, "#:## left");
        screen.resize(columns);
        shows(&screen, "waiting for the approval (#:## left)");
        screen.press("C-c");
        // What is typed is echoed here.
        shows(&screen, "ended: ###");
    }
}

/// pkce-device on a terminal, in a shell that goes on after Control-C.
fn interruptible(fake: &Fake, directory: &Path) -> Terminal {
    fs::write(directory.join("document"), fake.document().to_string()).unwrap();
    let script = "trap : INT; stty cols 80 rows 24; TERM=xterm pkce-device --no-qr <document >out; echo \"status $?\"";
    Terminal::bash(script, directory)
}

const INTERRUPTED: &str = "\r \u{1b}[J\rstatus 130\r\n";

#[test]
fn clears_the_countdown_before_a_signal_ends_it() {
    let fake = Fake::start(json!({ "interval": 60 }), Vec::new());
    let directory = new_directory();
    let mut terminal = interruptible(&fake, directory.path());
    terminal.until("waiting for the approval");
    terminal.write("\u{3}");
    let (_, printed) = terminal.end();
    assert!(printed.ends_with(INTERRUPTED), "{printed:?}");
}

#[test]
fn ends_by_a_signal_while_a_poll_has_no_response() {
    let (polled, is_polled) = mpsc::channel();
    let (until_the_end, end) = mpsc::channel::<()>();
    let held = Mutex::new((polled, end));
    let fake = Fake::responding(move |count, base| {
        if count == 1 {
            return json_response(&authorization(base));
        }
        let (polled, end) = &*held.lock().unwrap();
        polled.send(()).unwrap();
        let _ = end.recv();
        Vec::new()
    });
    let directory = new_directory();
    let mut terminal = interruptible(&fake, directory.path());
    terminal.until("waiting for the approval");
    is_polled.recv().unwrap();
    terminal.write("\u{3}");
    let (_, printed) = terminal.end();
    drop(until_the_end);
    assert!(printed.ends_with(INTERRUPTED) && !printed.contains("no response"), "{printed:?}");
}

/// pkce-device at a terminal, with the countdown or without it, that is stopped while it waits; then its exit status.
fn status_at_a_stopped_terminal(fake: &Fake, run: &str, signal: Option<&str>) -> u32 {
    let directory = new_directory();
    fs::write(directory.path().join("doc"), fake.document().to_string()).unwrap();
    let mut terminal = Terminal::recorded(run, directory.path());
    terminal.until("?user_code=WDJB-MJHT");
    if run.contains("xterm") {
        terminal.until("waiting for the approval");
    }
    terminal.stop();
    if let Some(signal) = signal {
        kill(number(directory.path(), "pid"), signal);
    }
    let status = number(directory.path(), "status");
    terminal.resume();
    terminal.end();
    status
}

#[test]
fn polls_and_ends_at_a_stopped_terminal() {
    let forever = || vec![pending(); 100];
    let failure = || response(500, "", "");
    let cases = ["xterm", "dumb"].into_iter().flat_map(|term| {
        [
            (term, "", None, vec![pending(), pending(), failure(), tokens()], 0),
            (term, "--timeout 3", None, forever(), 3),
            (term, "", Some("TERM"), forever(), 143),
            (term, "", Some("HUP"), forever(), 129),
        ]
    });
    at_once(cases.collect(), |(term, args, signal, polls, expected)| {
        let run = format!("TERM={term} pkce-device --no-qr {args}");
        let status = status_at_a_stopped_terminal(&Fake::start(json!({}), polls), &run, signal);
        assert_eq!(status, expected, "{run} {signal:?}");
    });
}
