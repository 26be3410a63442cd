//! A terminal: what is pasted there, and how it is left.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{free_port, kill, new_directory, talk};
use crate::terminal::Terminal;
use crate::{OTHER_LOGIN, TLS_HELLO, V4, document, launcher, may_be_unknown, may_be_unknown_at, request};

/// The port that pkce-callback listens on, from the URL that it printed at the terminal.
pub fn port_of(terminal: &mut Terminal) -> u16 {
    terminal.until("%2Fcallback");
    let seen = terminal.printed();
    let (_, after) = seen.split_once("127.0.0.1%3A").unwrap();
    after.split('%').next().unwrap().parse().unwrap()
}

/// A directory with the document in it.
pub fn at_terminal(redirect_uri: &str) -> TempDir {
    let directory = new_directory();
    std::fs::write(directory.path().join("doc"), document(redirect_uri).to_string()).unwrap();
    directory
}

/// Runs the command, and says its status, whether the terminal is as it was, and what it left to read.
fn watched(run: &str) -> String {
    format!(
        "trap : INT; before=$(stty -g); {run}; echo \"status=$?\"; [ \"$before\" = \"$(stty -g)\" ] && echo settings=same; \
         read -r -t 0.3 rest; echo \"rest=[$rest]\""
    )
}

#[test]
fn takes_a_long_paste_at_the_terminal_while_it_listens() {
    let directory = at_terminal(V4);
    let mut terminal = Terminal::bash(&watched("pkce-callback --no-browser <doc >out"), directory.path());
    let port = port_of(&mut terminal);
    terminal.until("paste the address");
    let code = "c".repeat(8000);
    terminal.write(&format!("http://127.0.0.1:{port}/callback?code={code}&state=st-123\r"));
    let (_, seen) = terminal.end();
    assert!(seen.contains("status=0") && seen.contains("settings=same") && seen.contains("rest=[]"), "{seen}");
    assert!(!seen.contains("ccccc"), "the code was echoed: {seen}");
    let out: Value = serde_json::from_str(&std::fs::read_to_string(directory.path().join("out")).unwrap()).unwrap();
    assert_eq!(out["code"], json!(code));
}

#[test]
fn takes_a_paste_for_https_on_this_machine() {
    let directory = at_terminal("https://127.0.0.1/cb");
    let mut terminal = Terminal::bash(&watched("pkce-callback --no-browser --paste <doc >out"), directory.path());
    terminal.until("paste the address");
    terminal.write("https://127.0.0.1/cb?code=abc&state=st-123\r");
    let (_, seen) = terminal.end();
    assert!(seen.contains("status=0") && seen.contains("settings=same"), "{seen}");
    let out: Value = serde_json::from_str(&std::fs::read_to_string(directory.path().join("out")).unwrap()).unwrap();
    assert_eq!(out["code"], "abc");
}

#[test]
fn joins_the_lines_of_an_address_that_a_terminal_has_broken() {
    let (start, end) = ("\x1b[200~", "\x1b[201~");
    let broken = "https://x-8080.forwarded.example/callback?st\nate=st-123&co\r\n  de=abc\n   def";
    for pasted in [
        format!("{broken}\r"),
        format!("{start}{broken}{end}"),
        format!("{start}{broken}\n{end}\r"),
        format!("\x1b[A\x1b{broken}\x1b[1;5C\r"),
        "\rls -l\rabcdef#st-123\r".to_owned(),
    ] {
        let directory = at_terminal(V4);
        let mut terminal = Terminal::bash(&watched("pkce-callback --no-browser <doc >out"), directory.path());
        terminal.until("paste the address");
        terminal.until_taken_over();
        terminal.write(&pasted);
        let (_, seen) = terminal.end();
        assert!(seen.contains("note: the pasted address was received\r\n"), "{pasted:?}: {seen}");
        assert!(seen.contains("status=0") && seen.contains("settings=same") && seen.contains("rest=[]"), "{seen}");
        let out: Value = serde_json::from_str(&std::fs::read_to_string(directory.path().join("out")).unwrap()).unwrap();
        assert_eq!(out["code"], "abcdef", "{pasted:?}");
    }
}

#[test]
fn acknowledges_a_paste_without_enter_once() {
    let directory = at_terminal(V4);
    let mut terminal = Terminal::bash(&watched("pkce-callback --no-browser <doc >out"), directory.path());
    terminal.until("paste the address");
    terminal.write("abc#st");
    terminal.until("note: text arrived, which is not shown: press Enter at its end\r\n");
    terminal.write("-1");
    thread::sleep(Duration::from_millis(500));
    terminal.write("23\r");
    let (_, seen) = terminal.end();
    assert_eq!(seen.matches("text arrived").count(), 1, "{seen}");
    assert!(seen.contains("the pasted address was received") && seen.contains("status=0"), "{seen}");
}

#[test]
fn ignores_a_pasted_address_of_the_way_to_the_redirect() {
    let directory = at_terminal(V4);
    let mut terminal = Terminal::bash(&watched("pkce-callback --no-browser <doc >out"), directory.path());
    terminal.until("paste the address");
    terminal.write("https://op.example.com/a?state=st-123&redirect_uri=x\r");
    terminal.until("the pasted text was ignored: it has no code");
    terminal.write("http://127.0.0.1:7/callback?error=access_denied\r");
    terminal.until("the pasted text was ignored: it has no state (error: access_denied)");
    terminal.write("?code=abc&state=st-123\r");
    let (_, seen) = terminal.end();
    assert!(seen.contains("status=0") && seen.contains("settings=same"), "{seen}");
}

#[test]
fn notes_at_a_terminal_that_a_browser_spoke_https() {
    let directory = at_terminal(V4);
    let mut terminal = Terminal::bash(&watched("pkce-callback --no-browser <doc >out"), directory.path());
    let port = port_of(&mut terminal);
    terminal.until("paste the address");
    talk(port, TLS_HELLO);
    terminal.until(
        "note: a browser spoke https to the http redirect URI: change https to http in the browser's address, or paste \
         the address\r\n",
    );
    talk(port, TLS_HELLO);
    terminal.write(&format!("https://127.0.0.1:{port}/callback?code=abc&state=st-123\r"));
    let (_, seen) = terminal.end();
    assert_eq!(seen.matches("spoke https").count(), 1, "{seen}");
    assert!(seen.contains("status=0") && seen.contains("settings=same"), "{seen}");
}

#[test]
fn says_over_ssh_to_paste_the_address_of_the_last_page() {
    let port = free_port();
    for (redirect_uri, unless) in [
        (V4, String::new()),
        (&format!("http://127.0.0.1:{port}/callback"), format!(", unless port {port} is forwarded (ssh -L)")),
    ] {
        let directory = at_terminal(redirect_uri);
        let script = watched("SSH_CONNECTION='192.0.2.1 50000 192.0.2.2 22' pkce-callback --no-browser <doc >out");
        let mut terminal = Terminal::bash(&script, directory.path());
        terminal.until(&format!(
            "note: over SSH, a browser on your own machine cannot load the last page: paste its address here{unless}\r\n"
        ));
        terminal.until("note: waiting for the browser; or paste the address that it was redirected to");
        terminal.write("abc#st-123\r");
        let (_, seen) = terminal.end();
        assert!(seen.contains("status=0"), "{seen}");
    }
}

#[test]
fn lets_a_person_correct_what_they_type() {
    let directory = at_terminal("https://127.0.0.1/cb");
    let mut terminal = Terminal::bash(&watched("pkce-callback --no-browser --paste <doc >out"), directory.path());
    terminal.until("paste the address");
    // Ctrl-U clears the line, Backspace and Delete the last character.
    terminal.write("https://127.0.0.1/cb?code=wrong&state=\x15https://127.0.0.1/cb?code=abcdx\x7fe\x08&state=st-123\r");
    let (_, seen) = terminal.end();
    assert!(seen.contains("status=0") && seen.contains("settings=same"), "{seen}");
    let out: Value = serde_json::from_str(&std::fs::read_to_string(directory.path().join("out")).unwrap()).unwrap();
    assert_eq!(out["code"], "abcd");
}

#[test]
fn goes_on_after_a_paste_that_is_not_this_redirect() {
    let directory = at_terminal(V4);
    let mut terminal = Terminal::bash(&watched("pkce-callback --no-browser <doc >out"), directory.path());
    let port = port_of(&mut terminal);
    terminal.until("paste the address");
    terminal.write("ls -l\r");
    terminal.until("the pasted text was ignored: it has no code");
    terminal.write(&format!("http://127.0.0.1:{port}/callback?code=x&state=other\n"));
    terminal.until("the pasted text was ignored: its state does not match");
    talk(port, request("127.0.0.1", port, "code=abc&state=st-123").as_bytes());
    let (_, seen) = terminal.end();
    assert!(seen.contains("status=0") && seen.contains("settings=same"), "{seen}");
}

#[test]
fn leaves_nothing_of_a_paste_to_the_shell_when_the_listener_wins() {
    let directory = at_terminal(V4);
    let mut terminal = Terminal::bash(&watched("pkce-callback --no-browser <doc >out"), directory.path());
    let port = port_of(&mut terminal);
    terminal.until("paste the address");
    let long = "p".repeat(6000);
    terminal.write(&format!("http://127.0.0.1:{port}/callback?code={long}"));
    talk(port, request("127.0.0.1", port, "code=abc&state=st-123").as_bytes());
    let (_, seen) = terminal.end();
    assert!(seen.contains("status=0") && seen.contains("settings=same") && seen.contains("rest=[]"), "{seen}");
    assert!(!seen.contains("pppp"), "{seen}");
}

#[test]
fn is_not_stopped_by_the_terminal_as_a_background_job() {
    let directory = at_terminal(V4);
    let script = "set -m; pkce-callback --no-browser <doc >out & wait %1; echo \"status=$?\"; \
                  read -r line; echo \"line=[$line]\"";
    let mut terminal = Terminal::bash(script, directory.path());
    let port = port_of(&mut terminal);
    terminal.until("paste the address");
    terminal.write("typed for the shell\r");
    thread::sleep(Duration::from_millis(200));
    talk(port, request("127.0.0.1", port, "code=abc&state=st-123").as_bytes());
    let (_, seen) = terminal.end();
    assert!(seen.contains("status=0") && seen.contains("line=[typed for the shell]"), "{seen}");
}

#[test]
fn gives_the_terminal_back_when_it_is_ended() {
    for (signal, status) in [("INT", 130), ("TERM", 143)] {
        let directory = at_terminal(V4);
        let script = watched("sh -c 'echo $$ >pid; exec pkce-callback --no-browser <doc >out'");
        let mut terminal = Terminal::bash(&script, directory.path());
        port_of(&mut terminal);
        terminal.until("paste the address");
        terminal.write("half a paste");
        thread::sleep(Duration::from_millis(200));
        let pid = std::fs::read_to_string(directory.path().join("pid")).unwrap();
        kill(pid.trim().parse().unwrap(), signal);
        let (_, seen) = terminal.end();
        let expected = format!("status={status}");
        assert!(seen.contains(&expected) && seen.contains("settings=same") && seen.contains("rest=[]"), "{seen}");
        assert_eq!(std::fs::read_to_string(directory.path().join("out")).unwrap(), "");
    }
}

#[test]
fn gives_the_terminal_back_while_it_is_stopped_and_takes_it_again() {
    let directory = at_terminal(V4);
    let script = "set -m; before=$(stty -g); pkce-callback --no-browser <doc >out; echo \"status=$?\"; \
                  [ \"$before\" = \"$(stty -g)\" ] && echo settings=same; fg >/dev/null; echo \"then=$?\"; \
                  [ \"$before\" = \"$(stty -g)\" ] && echo settings=still";
    let mut terminal = Terminal::bash(script, directory.path());
    let port = port_of(&mut terminal);
    terminal.until("paste the address");
    terminal.write("\u{1a}");
    terminal.until("status=147");
    terminal.until("settings=same");
    terminal.until_taken_over();
    terminal.write(&format!("http://127.0.0.1:{port}/callback?code=abc&state=st-123\r"));
    let (_, seen) = terminal.end();
    assert!(seen.contains("then=0") && seen.contains("settings=still"), "{seen}");
}

#[test]
fn prompts_at_the_terminal_where_the_redirect_leads_elsewhere() {
    let redirect_uri = "https://app.example/callback";
    for (args, paste, code) in [
        ("--paste", "https://app.example/callback?code=abc&state=st-123", "abc"),
        ("--paste", "abc#st-123", "abc"),
        ("--paste --allow-bare-code", "4/0AX-bare", "4/0AX-bare"),
    ] {
        let directory = at_terminal(redirect_uri);
        let browser = launcher(&directory, "echo \"$1\" >opened");
        let script = watched(&format!("BROWSER={browser} pkce-callback {args} <doc >out"));
        let mut terminal = Terminal::bash(&script, directory.path());
        terminal.until("paste the address that the browser was redirected to, and press Enter");
        terminal.write(&format!("  {paste}\r"));
        let (_, seen) = terminal.end();
        assert!(seen.contains("status=0") && seen.contains("settings=same") && !seen.contains("; or paste"), "{seen}");
        let out: Value = serde_json::from_str(&std::fs::read_to_string(directory.path().join("out")).unwrap()).unwrap();
        assert_eq!(out["code"], json!(code));
        let opened = std::fs::read_to_string(directory.path().join("opened")).unwrap();
        assert_eq!(json!(opened.trim()), out["authorization_url"]);
        assert_eq!(
            seen.contains("code accepted without its state: state and issuer were not checked"),
            args.contains("bare")
        );
    }
}

#[test]
fn notes_at_a_terminal_that_no_browser_could_be_opened_and_goes_on() {
    for (browser, failed) in
        [("no-such-program", "no-such-program: no such file or directory"), ("false", "false ended with status 1")]
    {
        let directory = at_terminal(V4);
        let mut terminal =
            Terminal::bash(&watched(&format!("BROWSER={browser} pkce-callback <doc >out")), directory.path());
        let port = port_of(&mut terminal);
        terminal.until(&format!("note: BROWSER: {failed}; open the URL above in any browser\r\n"));
        talk(port, request("127.0.0.1", port, "code=abc&state=st-123").as_bytes());
        let (_, seen) = terminal.end();
        assert!(seen.contains("status=0") && seen.contains("settings=same"), "{seen}");
    }
}

#[test]
fn counts_down_only_where_somebody_waits() {
    let directory = at_terminal(V4);
    let mut terminal =
        Terminal::bash("TERM=xterm pkce-callback --no-browser <doc >out; echo \"status=$?\"", directory.path());
    let port = port_of(&mut terminal);
    terminal.until("waiting for the browser");
    talk(port, request("127.0.0.1", port, "code=abc&state=st-123").as_bytes());
    let (_, seen) = terminal.end();
    assert!(seen.contains("status=0") && seen.contains("\u{1b}["), "{seen}");
    let mut terminal = Terminal::bash("TERM=xterm NO_COLOR=1 pkce-callback --no-browser <doc >out", directory.path());
    let port = port_of(&mut terminal);
    terminal.until("note: waiting for the browser");
    talk(port, request("127.0.0.1", port, "code=abc&state=st-123").as_bytes());
    let (_, seen) = terminal.end();
    assert!(!seen.contains('\u{1b}'), "{seen:?}");
    let run = "mkfifo fifo; TERM=xterm pkce-callback --response-file fifo <doc >out; echo \"status=$?\"";
    let directory = at_terminal("http://127.0.0.1:7/callback");
    let mut terminal = Terminal::bash(run, directory.path());
    terminal.until("waiting for the response file");
    std::fs::write(directory.path().join("fifo"), "http://127.0.0.1:7/callback?code=abc&state=st-123\n").unwrap();
    assert!(terminal.end().1.contains("status=0"));
}

#[test]
fn is_unavailable_when_the_time_is_over_whatever_was_pasted() {
    let here = "http://127.0.0.1:7/callback";
    let cases = [
        (V4, "--no-browser", "ls -l", "it has no code", ""),
        (V4, "--no-browser", "?error=access_denied", "it has no state (error: access_denied)", ""),
        (V4, "--no-browser", "abc#other", "its state does not match", OTHER_LOGIN),
        (here, "--paste --no-browser", "?error=access_denied", "it has no state (error: access_denied)", ""),
        (
            here,
            "--paste --no-browser",
            "http://127.0.0.1:7/callback?code=a&state=other",
            "its state does not match",
            OTHER_LOGIN,
        ),
        (
            here,
            "--paste --no-browser",
            "https://op.example.com/a?client_id=cli&state=st-123&redirect_uri=x",
            "it is the URL to open, not the address that the browser was redirected to",
            "",
        ),
        (
            here,
            "--paste --no-browser",
            "abc",
            "it is a code without its state; the whole address is needed (or --allow-bare-code)",
            "",
        ),
    ];
    // Each waits for its end.
    let ended = cases.map(|(redirect_uri, args, pasted, why, hint)| {
        thread::spawn(move || {
            let directory = at_terminal(redirect_uri);
            let script = watched(&format!("pkce-callback {args} --timeout 3 <doc | cat"));
            let mut terminal = Terminal::bash(&format!("set -o pipefail; {script}"), directory.path());
            let hint = match hint {
                "" if redirect_uri == V4 => may_be_unknown_at(port_of(&mut terminal)),
                "" => may_be_unknown(redirect_uri),
                hint => hint.to_owned(),
            };
            terminal.until("paste the address");
            terminal.write(&format!("{pasted}\r"));
            let (_, seen) = terminal.end();
            let message = format!(
                "pkce-callback: note: the pasted text was ignored: {why}\r\n\
                 pkce-callback: no redirect within 3 s; the pasted text was ignored: {why}\r\n\
                 hint: {hint}\r\n!3 unavailable pkce-callback\r\n"
            );
            assert!(seen.contains(&message) && seen.contains("status=3") && seen.contains("settings=same"), "{seen}");
        })
    });
    for ended in ended {
        ended.join().unwrap();
    }
}

/// What a paste at the terminal of a login leads to: all that was printed, and the code.
fn pasted(text: &str) -> (String, Value) {
    let directory = at_terminal(V4);
    let mut terminal = Terminal::bash(&watched("pkce-callback --no-browser <doc >out"), directory.path());
    terminal.until("paste the address");
    terminal.until_taken_over();
    terminal.write(text);
    let (_, seen) = terminal.end();
    assert!(
        seen.contains("status=0") && seen.contains("settings=same") && seen.contains("rest=[]"),
        "{text:?}: {seen}"
    );
    let out: Value = serde_json::from_str(&std::fs::read_to_string(directory.path().join("out")).unwrap()).unwrap();
    (seen, out["code"].clone())
}

#[test]
fn finds_the_address_in_what_was_pasted_with_it() {
    let address = "http://127.0.0.1:7/callback?state=st-123&code=abc";
    let other = "http://127.0.0.1:7/callback?code=other&state=other";
    for text in [
        format!("{address}\rls -l\r"),
        format!("{address}\r$ exit\r"),
        format!("{address}\r{address}\r"),
        format!("{other}\r{address}\r"),
        format!("{address}\r{other}\r"),
        format!("\u{200b}{address}\u{200b}\r"),
        format!("{}\r", address.replace('&', "&amp;")),
    ] {
        let (seen, code) = pasted(&text);
        assert_eq!(code, "abc", "{text:?}");
        assert!(seen.contains("note: the pasted address was received\r\n") && !seen.contains("ignored"), "{seen}");
    }
}

#[test]
fn ends_a_bracketed_paste_without_its_end_by_enter() {
    let directory = at_terminal(V4);
    let mut terminal = Terminal::bash(&watched("pkce-callback --no-browser <doc >out"), directory.path());
    terminal.until("paste the address");
    terminal.until_taken_over();
    terminal.write("\x1b[200~?code=abc&st\rate=st-123");
    terminal.until("note: text arrived, which is not shown: press Enter at its end\r\n");
    terminal.write("\r");
    let (_, seen) = terminal.end();
    assert!(seen.contains("the pasted address was received") && seen.contains("status=0"), "{seen}");
    let out: Value = serde_json::from_str(&std::fs::read_to_string(directory.path().join("out")).unwrap()).unwrap();
    assert_eq!(out["code"], "abc");
}

#[test]
fn notes_at_a_terminal_that_the_proxy_must_end_tls() {
    let directory = at_terminal("https://app.example/callback");
    let port = free_port();
    let script = watched(&format!("pkce-callback --no-browser --listen 127.0.0.1:{port} <doc >out"));
    let mut terminal = Terminal::bash(&script, directory.path());
    terminal.until("paste the address");
    talk(port, TLS_HELLO);
    terminal.until("note: https was received, but only http is understood: let the proxy end TLS\r\n");
    terminal.write("?code=abc&state=st-123\r");
    let (_, seen) = terminal.end();
    assert!(seen.contains("status=0") && seen.contains("settings=same"), "{seen}");
}
