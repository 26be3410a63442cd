//! Print a valid access token for a stored login, or pass it to a command.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use pkce_tools::Error;
use pkce_tools::client::authentication::Caller;
use pkce_tools::client::parameter;
use pkce_tools::client::token_request::TokenRequest;
use pkce_tools::frame::{self, Output};
use pkce_tools::process::arguments;
use pkce_tools::process::descriptor::MAX_CHOSEN;
use pkce_tools::stored::access_token::{self, Freshness};
use pkce_tools::stored::bearer;
use pkce_tools::stored::name::Name;

/// Print a valid access token for a stored login, or pass it to a command.
#[derive(Parser)]
#[command(name = "pkce-token", version)]
struct Args {
    /// The name of the stored login
    #[arg(value_name = "NAME", value_parser = Name::parse)]
    name: Name,
    /// Refresh the token if it expires within this time [default: 60, or half of the token's lifetime if that is less]
    #[arg(long, value_name = "SECONDS", value_parser = |text: &str| arguments::number(text, 0, u32::MAX.into()))]
    min_ttl: Option<u64>,
    /// Refresh the token even if it has not expired
    #[arg(long)]
    refresh: bool,
    /// Print the Authorization header line instead of a document
    #[arg(long, conflicts_with_all = ["command", "raw"])]
    header: bool,
    /// Pass the header to COMMAND on this descriptor instead of its standard input
    #[arg(long, value_name = "N", requires = "command", value_parser = |text: &str| arguments::number(text, 3, MAX_CHOSEN.into()))]
    fd: Option<u64>,
    /// Request this scope if the token is refreshed, as names separated by spaces
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    /// Another parameter of the refresh request; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parameter::parse)]
    param: Vec<(String, String)>,
    #[command(flatten)]
    caller: Caller,
    /// The command to run with the header on its standard input
    #[arg(value_name = "COMMAND", last = true, conflicts_with = "raw")]
    command: Vec<OsString>,
}

fn main() -> ExitCode {
    frame::service(|args: &Args| args.header, step)
}

fn step(args: &Args, output: Output) -> Result<ExitCode, Error> {
    let request = TokenRequest::from_options(None, args.scope.as_deref(), &args.param, &args.caller)?;
    args.caller.prepare()?;
    let freshness = Freshness { min_ttl: args.min_ttl, refresh: args.refresh };
    let mut document = access_token::current(&args.name, &freshness, &request, &args.caller)?;
    if let Some((program, arguments)) = args.command.split_first() {
        // Its copy of standard output would occupy a descriptor that --fd may name.
        drop(output);
        return Err(bearer::exec(&bearer::header(&document)?, program, arguments, args.fd));
    }
    if args.header {
        output.print_lines(&[bearer::header(&document)?])?;
        return Ok(ExitCode::SUCCESS);
    }
    document.retain(|name, _| SHOWN.contains(&name));
    output.print(&document)?;
    Ok(ExitCode::SUCCESS)
}

/// The members that the caller of an API needs; the refresh token stays in the store.
const SHOWN: [&str; 6] = ["access_token", "token_type", "expires_at", "scope", "resource", "issuer"];
