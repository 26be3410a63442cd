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
use pkce_tools::stored::bearer;
use pkce_tools::stored::credential;
use pkce_tools::stored::name::Name;
use pkce_tools::stored::refresh::{Freshness, Login};

/// Print a valid access token for a stored login, or pass it to a command.
#[derive(Parser)]
#[command(name = "pkce-token", version, override_usage = USAGE)]
struct Args {
    /// The name of the stored login
    #[arg(value_name = "NAME", value_parser = Name::parse)]
    name: Name,
    #[command(flatten)]
    freshness: Freshness,
    /// Print the Authorization header line instead of a document
    #[arg(long, conflicts_with_all = ["command", "raw"])]
    header: bool,
    #[command(flatten)]
    credential: credential::Options,
    /// Pass the header to COMMAND on this descriptor instead of its standard input
    #[arg(long, value_name = "N", value_parser = |text: &str| arguments::number(text, 3, MAX_CHOSEN.into()))]
    #[arg(requires = "command", conflicts_with_all = ["format", "header", "raw"])]
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
    frame::service(|args: &Args| args.header || args.credential.is_helper(), step)
}

fn step(args: &Args, output: Output) -> Result<ExitCode, Error> {
    let done = run(args, output);
    // The program that runs a helper shows one line at most.
    if args.credential.is_helper() { done.map_err(Error::on_one_line) } else { done }
}

fn run(args: &Args, output: Output) -> Result<ExitCode, Error> {
    let helper = args.credential.helper()?;
    let request = TokenRequest::from_options(None, args.scope.as_deref(), &args.param, &args.caller)?;
    let login = Login { name: &args.name, freshness: &args.freshness, request: &request, caller: &args.caller };
    if let Some(helper) = helper {
        let (text, status) = helper.respond(&login)?;
        if !text.is_empty() {
            output.print_lines(&[text])?;
        }
        return Ok(ExitCode::from(status));
    }
    let header = || login.credential().map(|token| bearer::header(&token));
    if let Some((program, arguments)) = args.command.split_first() {
        let header = header()?;
        // Its copy of standard output would occupy a descriptor that --fd may name.
        drop(output);
        return Err(bearer::exec(&header, program, arguments, args.fd));
    }
    if args.header {
        output.print_lines(&[header()?])?;
    } else {
        let token = args.freshness.token();
        output.print(&token.shown(login.current()?)?).map_err(|error| token.or_other(error))?;
    }
    Ok(ExitCode::SUCCESS)
}

const USAGE: &str = "pkce-token [OPTIONS] <NAME>
       pkce-token [OPTIONS] <NAME> -- <COMMAND>...
       pkce-token <NAME> --as <FORMAT> [OPTIONS] [OPERATION]";
