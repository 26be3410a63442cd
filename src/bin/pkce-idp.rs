//! Runs an authorization server on this machine, to try the tools and to test scripts.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitCode};
use std::thread;
use std::time::Duration;

use clap::Parser;
use pkce_tools::idp::{self, Idp, Setup};
use pkce_tools::tool::{self, Output};
use pkce_tools::{Error, Kind};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Run an authorization server on this machine, for tests: it lets everybody in, and keeps nothing.
#[derive(Parser)]
#[command(name = "pkce-idp", version)]
struct Args {
    /// Listen on this port of 127.0.0.1; 0 is any free one
    #[arg(long, value_name = "N", default_value = "0")]
    port: u16,
    /// Ask nobody: everybody is logged in as alice, and agrees
    #[arg(long)]
    auto_approve: bool,
    /// Let the client be sent back here too; may repeat
    #[arg(long, value_name = "URI")]
    redirect_uri: Vec<String>,
    /// End the issuer's URL with this: / or a path
    #[arg(long, value_name = "PATH", default_value = "")]
    issuer_path: String,
    /// Run no server: open this URL as a browser would, and follow redirects on this machine
    #[arg(long, value_name = "URL", conflicts_with = "command")]
    visit: Option<String>,
    /// What to run while the server listens
    #[arg(value_name = "COMMAND", last = true)]
    command: Vec<OsString>,
}

fn main() -> ExitCode {
    tool::service(step)
}

fn step(args: &Args, output: Output) -> Result<ExitCode, Error> {
    if let Some(url) = &args.visit {
        return idp::visit(url, VISIT).map(|()| ExitCode::SUCCESS);
    }
    let idp = Idp::bind(Setup {
        port: args.port,
        auto_approve: args.auto_approve,
        issuer_path: args.issuer_path.clone(),
        redirect_uris: args.redirect_uri.clone(),
    })?;
    let Some((program, words)) = args.command.split_first() else {
        output.print(&idp.document()?)?;
        output.close()?;
        idp.serve();
    };
    let mut command = Command::new(program);
    command.args(words).env("PKCE_ISSUER", idp.issuer()).env("PKCE_CLIENT_ID", idp::CLIENT_ID);
    if args.auto_approve {
        command.env("BROWSER", format!("{} --visit %s", this_program()));
    }
    let failed = |error| Error::usage(format!("{}: {}", program.to_string_lossy(), tool::reason(&error)));
    let signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).map_err(failed)?;
    let mut child = command.spawn().map_err(failed)?;
    hand_on(signals, &child);
    thread::spawn(move || idp.serve());
    let status = child.wait().map_err(failed)?;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or_default();
    u8::try_from(code).map(ExitCode::from).map_err(|_| Error::new(Kind::Fault, "status: out of range"))
}

/// Hands SIGHUP and SIGTERM on to COMMAND; of SIGINT the terminal has told it already.
fn hand_on(mut signals: Signals, child: &Child) {
    let child = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    thread::spawn(move || {
        for signal in signals.forever() {
            let known = match signal {
                SIGHUP => Some(Signal::HUP),
                SIGTERM => Some(Signal::TERM),
                _ => None,
            };
            if let (Some(child), Some(signal)) = (child, known) {
                let _ = kill_process(child, signal);
            }
        }
    });
}

/// How `$BROWSER` can name this program: by its path, where that is one word of that list, else by its name.
fn this_program() -> String {
    let path = std::env::current_exe().ok().and_then(|path| path.into_os_string().into_string().ok());
    let plain = |path: &String| !path.contains([':', '%']) && !path.contains(char::is_whitespace);
    path.filter(plain).unwrap_or_else(|| "pkce-idp".to_owned())
}

/// A visit ends within this time.
const VISIT: Duration = Duration::from_secs(30);
