//! What all tools share: the frame, met from outside, tool by tool as the directory of their sources lists them.
#![cfg(test)]

mod common;
#[path = "common/terminal.rs"]
mod terminal;

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use common::{Output, finish, kill, new_directory, root, run, tools};
use rustix::process::{Resource, getrlimit};
use serde_json::{Value, json};
use terminal::Terminal;

/// A program that the tests start, with a store: pkce-store reads no document where it could not store it.
fn command(program: &str) -> Command {
    let mut command = common::command(program);
    command.env("PKCE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/every_tool"));
    command
}

/// The arguments with which a tool reads a document, where it does at all.
fn reading(tool: &str) -> Option<&'static [&'static str]> {
    match tool {
        "pkce-discover" | "pkce-idp" | "pkce-load" | "pkce-login" | "pkce-logout" | "pkce-token" => None,
        "pkce-gen" => Some(&["-"]),
        "pkce-store" => Some(&["work"]),
        _ => Some(&[]),
    }
}

/// The tools that take one document after the other.
const STREAMS: [&str; 2] = ["pkce-url", "pkce-verify"];

/// The tools that print no document, so that they leave no line for a next tool either.
const SINKS: [&str; 3] = ["pkce-login", "pkce-logout", "pkce-store"];

fn is_sink(tool: &str) -> bool {
    SINKS.contains(&tool)
}

/// What a failure of this tool leaves where standard output is a pipe.
fn failure(tool: &str, status: i32, message: &str) -> Output {
    let mut output = common::failure(tool, status, message);
    if is_sink(tool) {
        output.stdout.clear();
    }
    output
}

fn readers() -> Vec<(String, &'static [&'static str])> {
    let readers: Vec<_> = tools().into_iter().filter_map(|tool| Some((tool.clone(), reading(&tool)?))).collect();
    assert!(readers.len() >= 4);
    readers
}

#[test]
fn tells_its_version_and_what_it_takes() {
    for tool in tools() {
        let version = run(&tool, &["-V"], "");
        assert_eq!((version.status, version.stdout), (0, format!("{tool} {}\n", env!("CARGO_PKG_VERSION"))));
        let help = run(&tool, &["--help"], "");
        assert_eq!((help.status, help.stderr.as_str()), (0, ""), "{tool}");
        assert!(help.stdout.contains(&format!("Usage: {tool}")), "{help:?}");
        assert!(help.stdout.contains(" Print help\n") && !help.stdout.contains("see more"), "{help:?}");
        assert_eq!(help.stdout.contains("--raw <MEMBER>"), !is_sink(&tool), "{help:?}");
    }
}

#[test]
fn wraps_its_help_at_the_width_of_the_terminal() {
    for tool in tools() {
        let script = format!("stty cols 60 rows 20; {tool} --help");
        let (status, help) = Terminal::bash(&script, root()).end();
        assert_eq!(status, Some(0), "{help}");
        assert!(help.lines().count() > 5 && help.lines().all(|line| line.trim_end().len() <= 60), "{tool}: {help}");
    }
}

#[test]
fn refuses_options_it_does_not_have_and_never_repeats_a_value() {
    for tool in tools() {
        let hint = format!("see '{tool} --help'");
        let output = run(&tool, &["--code=s3cr3t"], "");
        assert_eq!((output.status, &output.stdout), (2, &failure(&tool, 2, "").stdout));
        assert!(output.stderr.starts_with(&format!("{tool}: --code: no such option\nhint: ")), "{output:?}");
        assert!(!output.stderr.contains("s3cr3t"), "{output:?}");
        if is_sink(&tool) {
            assert_eq!(run(&tool, &["-r", "code"], "{}").status, 2);
            continue;
        }
        assert_eq!(run(&tool, &["-r"], ""), {
            let mut expected = failure(&tool, 2, &format!("--raw: requires a value\nhint: {hint}"));
            expected.stdout.clear();
            expected
        });
    }
}

#[test]
fn refuses_a_variable_of_its_own_that_is_not_text() {
    for tool in tools() {
        for name in ["PKCE_SEAL", "PKCE_OPEN", "PKCE_CLIENT_SECRET_FILE", "PKCE_SCOPE", "PKCE_ERRORS"] {
            let mut command = command(&tool);
            command.args(reading(&tool).unwrap_or_default()).env(name, OsStr::from_bytes(b"age -e -r \xff"));
            if ["pkce-login", "pkce-logout", "pkce-token"].contains(&tool.as_str()) {
                command.arg("work");
            }
            let output = finish(&mut command, b"{}");
            // A script leaves that to the first tool that it runs.
            let says = match tool.as_str() {
                "pkce-login" => "pkce-token",
                "pkce-logout" => "pkce-revoke",
                tool => tool,
            };
            assert_eq!((output.status, output.stderr), (2, format!("{says}: {name}: not UTF-8\n")));
            // Without a name, pkce-load would print no document.
            let line = if tool == "pkce-load" { String::new() } else { failure(&tool, 2, "").stdout };
            assert_eq!(output.stdout, line, "{tool}");
        }
    }
}

/// What is wrong with input that does not begin as an object does, and the hint.
const NO_OBJECT: &str =
    "not a JSON object\nhint: a document is a JSON object: leave out -r or --raw in the step before";

#[test]
fn says_what_is_wrong_with_its_input() {
    let megabytes = "[".repeat(2 * 1024 * 1024);
    let deep = format!("{{\"a\":{}", "[".repeat(100_000));
    let large = format!("{{\"a\":\"{}\"}}", "a".repeat(1024 * 1024));
    let cases: [(&[u8], &str); 16] = [
        (b"", "empty (did the step before fail?)"),
        (b" \n\t\r\n", "empty (did the step before fail?)"),
        (b"null", NO_OBJECT),
        (b"\"x\"", NO_OBJECT),
        (b"[{}]", NO_OBJECT),
        (b"\xef\xbb\xbf{}", NO_OBJECT),
        (b"!9 odd pkce-url\n", NO_OBJECT),
        (b"{\"a\":1,\"a\":2}", "a: duplicate"),
        (b"{\"x\":{\"b\":1,\"\\u0062\":2}}", "x: b: duplicate"),
        (b"{\"a\":\"\xff\"}", "not UTF-8"),
        (b"{\"a\":\"\\ud800\"}", "a: invalid Unicode in a string"),
        (b"{\"a\":1,}", "not JSON at line 1, column 8"),
        (b"{\"a\":", "not a JSON object: unexpected end"),
        (megabytes.as_bytes(), NO_OBJECT),
        (deep.as_bytes(), "not a JSON object: unexpected end"),
        (large.as_bytes(), "larger than 1 MiB"),
    ];
    for (tool, args) in readers() {
        for (input, wrong) in cases {
            let output = finish(command(&tool).args(args), input);
            assert_eq!(output, failure(&tool, 2, &format!("standard input: {wrong}")));
        }
        let mut closed = command("sh");
        let output = finish(closed.args(["-c", &format!("exec {tool} {} <&-", args.join(" "))]), b"");
        assert_eq!(output, failure(&tool, 2, "standard input: empty (did the step before fail?)"));
    }
}

#[test]
fn takes_one_document_and_no_more() {
    for (tool, args) in readers() {
        if STREAMS.contains(&tool.as_str()) {
            continue;
        }
        let message = "standard input: more than one document";
        assert_eq!(finish(command(&tool).args(args), b"{}{}"), failure(&tool, 2, message));
        let output = finish(command(&tool).args(args), b"{} garbage");
        assert_eq!(output, failure(&tool, 2, &format!("standard input: {NO_OBJECT}")));
    }
}

#[test]
fn passes_on_the_failure_of_a_step_before_without_a_message_of_its_own() {
    for (tool, args) in readers() {
        for (status, line) in [(1, "!1 refused pkce-callback\n"), (5, "!5 login_required pkce-exchange\n")] {
            let output = finish(command(&tool).args(args), line.as_bytes());
            let handed_on = if is_sink(&tool) { "" } else { line };
            let left = (output.status, output.stdout.as_str(), output.stderr.as_str());
            assert_eq!(left, (status, handed_on, ""), "{tool}");
            let after_one = format!("{{\"state\":\"x\"}}\n{line}");
            if !STREAMS.contains(&tool.as_str()) {
                assert_eq!(finish(command(&tool).args(args), after_one.as_bytes()).status, status, "{tool}");
            }
            if is_sink(&tool) {
                continue;
            }
            let raw = finish(command(&tool).args(args).args(["-r", "state"]), line.as_bytes());
            assert_eq!((raw.status, raw.stdout.as_str(), raw.stderr.as_str()), (status, "", ""), "{tool}");
        }
    }
}

#[test]
fn writes_the_failure_line_to_a_pipe_or_a_socket_alone() {
    let directory = new_directory();
    for (tool, args) in readers() {
        let file = directory.path().join(&tool);
        let mut quiet = command(&tool);
        quiet.args(args).stdin(Stdio::null()).stderr(Stdio::null()).stdout(File::create(&file).unwrap());
        assert_eq!(quiet.status().unwrap().code(), Some(2));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "");
        let json = finish(command(&tool).args(args).env("PKCE_ERRORS", "json"), b"");
        let expected = json!({
            "tool": tool, "status": 2, "kind": "usage",
            "message": "standard input: empty (did the step before fail?)",
        });
        let (line, rest) = json.stderr.split_once('\n').unwrap();
        assert_eq!((serde_json::from_str::<Value>(line).unwrap(), rest), (expected, ""));
    }
}

#[test]
fn does_not_fail_over_a_closed_standard_error() {
    for (tool, args) in readers() {
        let script = format!("exec {tool} {} 2>&-", args.join(" "));
        let output = finish(command("sh").args(["-c", &script]), b"");
        assert_eq!((output.status, output.stdout), (2, failure(&tool, 2, "").stdout));
    }
}

/// The steps of the pipeline, each as it is typed.
const STEPS: [&str; 5] = ["pkce-discover", "pkce-gen -", "pkce-url --scope openid", "pkce-callback", "pkce-exchange"];

/// The pipeline up to this step, inside pkce-idp, with something after its last word.
fn up_to(step: usize, after: &str) -> Command {
    let pipeline = STEPS[..=step].join(" | ");
    let mut idp = command("pkce-idp");
    idp.args(["--auto-approve", "--", "bash", "-c", &format!("{pipeline} {after}")]);
    idp
}

#[test]
fn says_that_standard_output_is_full_closed_or_read_by_nobody() {
    for (at, step) in STEPS.iter().enumerate() {
        let tool = step.split(' ').next().unwrap();
        let lost = match tool {
            "pkce-callback" => "; the code issued by the server is lost",
            "pkce-exchange" => "; the tokens issued by the server are lost",
            _ => "",
        };
        let full = finish(&mut up_to(at, ">/dev/full"), b"");
        let status = if lost.is_empty() { 3 } else { 5 };
        let hint = if lost.is_empty() { "" } else { "hint: run the login again\n" };
        let message = format!("{tool}: standard output: no space left on device{lost}\n{hint}");
        assert_eq!((full.status, full.stderr.ends_with(&message)), (status, true), "{full:?}");
    }
}

#[test]
fn takes_dev_null_as_a_place_to_write_however_it_was_opened() {
    for (at, step) in STEPS.iter().enumerate() {
        // Python and Node open it for reading and writing; the language's runtime does so where it is closed.
        for to in [">/dev/null", "1<>/dev/null", ">&-"] {
            let output = finish(&mut up_to(at, to), b"");
            assert_eq!((output.status, output.stdout.as_str()), (0, ""), "{step} {to}: {}", output.stderr);
        }
    }
}

#[test]
fn says_that_the_stored_login_cannot_be_printed() {
    let directory = new_directory();
    let stored = "{\"token_endpoint\":\"https://id.example/token\",\"access_token\":\"a\",\"token_type\":\"Bearer\"}";
    let with_home = |script: &str| {
        finish(command("bash").args(["-c", script]).env("PKCE_HOME", directory.path().join("store")), stored.as_bytes())
    };
    assert_eq!(with_home("pkce-store work").status, 0);
    for tool in
        ["pkce-load", "pkce-load work", "pkce-load work -r access_token", "pkce-token work", "pkce-token work --header"]
    {
        let name = tool.split(' ').next().unwrap();
        let output = with_home(&format!("{tool} >/dev/full"));
        let said = format!("{name}: standard output: no space left on device\n");
        assert_eq!((output.status, output.stderr), (3, said), "{tool}");
    }
}

#[test]
fn reports_nothing_when_a_reader_closes_the_pipe() {
    let output =
        finish(command("bash").args(["-c", "pkce-gen --count 100000 | head -n 1; echo ${PIPESTATUS[0]}"]), b"");
    assert_eq!((output.status, output.stdout.lines().last(), output.stderr.as_str()), (0, Some("3"), ""));
}

#[test]
fn leaves_no_core_file_to_read_secrets_from() {
    let directory = new_directory();
    let dumps_core = |program: &str| {
        let script = format!("ulimit -c unlimited; exec {program}");
        let mut child = common::start(command("bash").args(["-c", &script]).current_dir(directory.path()));
        let reads = format!("/proc/{}/stat", child.id());
        let name = program.split(' ').next().unwrap();
        // It waits for its document, and is then ended as by a fault.
        loop {
            let state = std::fs::read_to_string(&reads).unwrap();
            assert!(!state.contains(") Z"), "{program} has ended");
            if state.contains(&format!("({name}) S")) {
                break;
            }
        }
        kill(child.id(), "ABRT");
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(6), "{program}");
        status.core_dumped()
    };
    // Where this machine makes no core files at all, there is nothing to tell apart.
    let possible = dumps_core("cat");
    for (tool, args) in readers() {
        assert!(!dumps_core(&format!("{tool} {}", args.join(" "))), "{tool}, where cat: {possible}");
    }
}

#[test]
fn keeps_its_memory_small_whatever_comes() {
    for (tool, args) in readers() {
        let script = format!("ulimit -v 262144; head -c 300000000 /dev/zero | tr '\\0' a | {tool} {}", args.join(" "));
        let output = finish(command("bash").args(["-c", &script]), b"");
        assert_eq!(output, failure(&tool, 2, &format!("standard input: {NO_OBJECT}")));
        let script = format!(
            "ulimit -v 262144; {{ printf '{{\"a\":\"'; head -c 300000000 /dev/zero | tr '\\0' a; }} | {tool} {}",
            args.join(" ")
        );
        let output = finish(command("bash").args(["-c", &script]), b"");
        assert_eq!(output, failure(&tool, 2, "standard input: larger than 1 MiB"));
    }
}

/// Prints what a program inherits: signals, umask, limit of descriptors, descriptors, environment.
const INHERITED: &str = "grep -E '^Sig(Blk|Ign)' /proc/self/status; umask; ulimit -n; ls -1 /proc/$$/fd; env | sort";

/// What is printed there, without the variables that the shell sets by itself.
fn inherited(printed: &str) -> Vec<String> {
    let own = ["PWD=", "OLDPWD=", "SHLVL=", "_="];
    let lines = printed.lines().map(str::trim_end).filter(|line| !own.iter().any(|own| line.starts_with(own)));
    lines
        .map(|line| match line.strip_prefix("SigIgn:\t") {
            // Signals 32 and 33 are the C library's own.
            Some(mask) => format!("ignored: {:x}", u64::from_str_radix(mask, 16).unwrap() & !(3 << 31)),
            None => line.to_owned(),
        })
        .collect()
}

#[test]
fn starts_tools_alike_whoever_started_the_tests() {
    let bash = common::command("bash");
    let variables = bash.get_envs().map(|(name, value)| format!("{}={}", name.display(), value.unwrap().display()));
    let variables: Vec<String> = variables.collect();
    let descriptors = getrlimit(Resource::Nofile).current.unwrap().to_string();
    let expected = |more: &[&str]| {
        let mut variables = [variables.clone(), more.iter().map(|&more| more.to_owned()).collect()].concat();
        variables.sort();
        let fixed = ["SigBlk:\t0000000000000000", "ignored: 0", "0022", &descriptors, "0", "1", "2"];
        [fixed.map(str::to_owned).to_vec(), variables].concat()
    };
    assert!(descriptors == "4096" || getrlimit(Resource::Nofile).maximum.is_some_and(|maximum| maximum < 4096));
    let output = finish(common::command("bash").args(["-c", INHERITED]), b"");
    assert_eq!(inherited(&output.stdout), expected(&[]));
    let (status, printed) = Terminal::bash(INHERITED, root()).end();
    assert_eq!((status, inherited(&printed)), (Some(0), expected(&["TERM=dumb"])));
}

#[test]
fn starts_tools_alike_where_the_tests_were_started_in_odd_surroundings() {
    let again = std::env::current_exe().unwrap();
    let odd =
        "trap '' HUP INT QUIT TERM CHLD TSTP USR1; umask 077; ulimit -S -n 256; export PKCE_ERRORS=json NO_COLOR=1
        exec 3</dev/null 7>/dev/null <&-; set -- \"$0\" --exact starts_tools_alike_whoever_started_the_tests
        env --block-signal true 2>/dev/null && exec env --block-signal \"$@\"; exec \"$@\"";
    let output = finish(command("bash").args(["-c", odd]).arg(again), b"");
    assert_eq!((output.status, output.stdout.contains("1 passed")), (0, true), "{output:?}");
}
