//! Run an authorization server on this machine for testing.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use pkce_tools::Error;
use pkce_tools::frame::{self, Output};
use pkce_tools::idp::{self, Alg, Fault, Idp, Setup};
use pkce_tools::process::arguments;

/// Run an authorization server on this machine for testing.
#[derive(Parser)]
#[command(name = "pkce-idp", version)]
struct Args {
    /// Listen on this port of 127.0.0.1; 0 is any free port
    #[arg(long, value_name = "N", value_parser = arguments::port, default_value = "0")]
    port: u16,
    /// Show no pages: sign every user in as alice, or as login_hint says, and grant every request
    #[arg(long)]
    auto_approve: bool,
    /// Register this redirect URI too; may be repeated
    #[arg(long, value_name = "URI")]
    redirect_uri: Vec<String>,
    /// End the issuer's URL with this path, such as /
    #[arg(long, value_name = "PATH", default_value = "")]
    issuer_path: String,
    /// Sign ID tokens with this algorithm
    #[arg(long, value_name = "ALG", default_value = "ES256")]
    alg: Alg,
    /// Replace the signing key at this interval
    #[arg(long, value_name = "SECONDS", value_parser = arguments::seconds)]
    rotate_keys: Option<Duration>,
    /// Misbehave on request: KIND always, KIND@N only the Nth time; may be repeated
    #[arg(long, value_name = "KIND", value_parser = Fault::parse)]
    fault: Vec<Fault>,
    /// Print all kinds of fault and what a correct client does, and run no server
    #[arg(long, conflicts_with_all = ["command", "visit", "fault"])]
    list_faults: bool,
    /// Open this URL as a browser would, following redirects on this machine, and run no server
    #[arg(long, value_name = "URL", conflicts_with = "command")]
    visit: Option<String>,
    /// The command to run while the server listens
    #[arg(value_name = "COMMAND", last = true)]
    command: Vec<OsString>,
}

fn main() -> ExitCode {
    frame::host(|args: &Args| args.list_faults, step)
}

fn step(args: &Args, output: Output) -> Result<ExitCode, Error> {
    if let Some(url) = &args.visit {
        return idp::visit(url, VISIT_TIMEOUT).map(|()| ExitCode::SUCCESS);
    }
    if args.list_faults {
        return output.print_lines(&idp::faults()).map(|()| ExitCode::SUCCESS);
    }
    let idp = Idp::bind(Setup {
        port: args.port,
        auto_approve: args.auto_approve,
        issuer_path: args.issuer_path.clone(),
        redirect_uris: args.redirect_uri.clone(),
        alg: args.alg,
        rotate_keys: args.rotate_keys,
        faults: args.fault.clone(),
    })?;
    let Some((program, arguments)) = args.command.split_first() else {
        output.print(&idp.document()?)?;
        output.close()?;
        idp.serve();
    };
    idp::run_inside(idp, program, arguments)
}

/// The timeout of a visit.
const VISIT_TIMEOUT: Duration = Duration::from_secs(30);
