//! Print a valid access token for a stored login, or pass it to a command.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use pkce_tools::client::authentication::Caller;
use pkce_tools::client::parameter;
use pkce_tools::client::token_request::TokenRequest;
use pkce_tools::frame::{self, Output};
use pkce_tools::process::arguments;
use pkce_tools::process::descriptor::MAX_CHOSEN;
use pkce_tools::stored::access_token::{self, Freshness};
use pkce_tools::stored::bearer;
use pkce_tools::stored::credential::{self, Action, Format, Helper, Host};
use pkce_tools::stored::name::Name;
use pkce_tools::stored::token::Token;
use pkce_tools::{Document, Error, message};
use zeroize::Zeroizing;

/// Print a valid access token for a stored login, or pass it to a command.
#[derive(Parser)]
#[command(name = "pkce-token", version, override_usage = USAGE)]
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
    /// Use the ID token instead of the access token
    #[arg(long)]
    id_token: bool,
    /// Print the Authorization header line instead of a document
    #[arg(long, conflicts_with_all = ["command", "raw"])]
    header: bool,
    /// Print what this program reads from a credential helper
    #[arg(long = "as", value_name = "FORMAT", value_parser = Format::parser())]
    #[arg(conflicts_with_all = ["command", "header", "raw"])]
    format: Option<&'static Format>,
    /// With --as: a host to which the token may be sent; may be repeated
    #[arg(long, value_name = "HOST[:PORT]", value_parser = Host::parse, requires = "format")]
    host: Vec<Host>,
    /// With --as git, docker or netrc: the user name beside the token [default: oauth2]
    #[arg(long, value_name = "USERNAME", value_parser = credential::username, requires = "format")]
    username: Option<String>,
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
    /// With --as: what the program adds, such as get
    #[arg(value_name = "OPERATION", requires = "format")]
    operation: Vec<String>,
    /// The command to run with the header on its standard input
    #[arg(value_name = "COMMAND", last = true, conflicts_with = "raw")]
    command: Vec<OsString>,
}

fn main() -> ExitCode {
    frame::service(|args: &Args| args.header || args.format.is_some(), step)
}

fn step(args: &Args, output: Output) -> Result<ExitCode, Error> {
    match args.format {
        // The program shows one line at most.
        Some(format) => respond(args, format, &output).map_err(Error::on_one_line),
        None => print_or_run(args, output),
    }
}

/// Responds to the program that runs this tool as its credential helper.
fn respond(args: &Args, format: &'static Format, output: &Output) -> Result<ExitCode, Error> {
    let token = args.token();
    let helper = Helper::new(format, &args.host, args.username.as_deref())?;
    let options = prepared(args)?;
    let action = helper.action(&args.operation);
    // A name may be missing where the program's operation stands alone.
    let is_operation = args.operation.is_empty() && OPERATIONS.contains(&args.name.as_str());
    let (text, status) = match action.map_err(|error| if is_operation { Error::usage(NO_NAME) } else { error })? {
        Action::Print(text, status) => (Zeroizing::new(text), ExitCode::from(status)),
        Action::Expire(refused) => {
            access_token::expire(&args.name, token, &refused, &args.caller)?;
            return Ok(ExitCode::SUCCESS);
        }
        Action::Respond(target) => {
            // A program may read both streams as one.
            message::suppress_notes();
            let credential = token.credential(&current(args, &options)?)?;
            (helper.response(&credential, &target)?, ExitCode::SUCCESS)
        }
    };
    if !text.is_empty() {
        output.print_lines(&[text])?;
    }
    Ok(status)
}

fn print_or_run(args: &Args, output: Output) -> Result<ExitCode, Error> {
    let token = args.token();
    let options = prepared(args)?;
    let mut document = current(args, &options)?;
    if let Some((program, arguments)) = args.command.split_first() {
        // Its copy of standard output would occupy a descriptor that --fd may name.
        drop(output);
        let header = bearer::header(&token.credential(&document)?);
        return Err(bearer::exec(&header, program, arguments, args.fd));
    }
    if args.header {
        output.print_lines(&[bearer::header(&token.credential(&document)?)])?;
        return Ok(ExitCode::SUCCESS);
    }
    if let (Token::Id, Some(seconds)) = (token, token.expires_at(&document)?) {
        document.set_number("expires_at", seconds);
    }
    document.retain(|name, _| token.shown().contains(&name));
    let other = if args.id_token { Token::Access } else { Token::Id };
    output
        .print(&document)
        .map_err(|error| if error.member() == Some(other.member()) { error.hint(ID_TOKEN) } else { error })?;
    Ok(ExitCode::SUCCESS)
}

/// Checks what needs neither a request nor the stored login.
fn prepared(args: &Args) -> Result<TokenRequest, Error> {
    let options = TokenRequest::from_options(None, args.scope.as_deref(), &args.param, &args.caller)?;
    args.caller.prepare()?;
    Ok(options)
}

/// The stored login with a valid token.
fn current(args: &Args, options: &TokenRequest) -> Result<Document, Error> {
    let freshness = Freshness { token: args.token(), min_ttl: args.min_ttl, refresh: args.refresh };
    access_token::current(&args.name, &freshness, options, &args.caller)
}

impl Args {
    fn token(&self) -> Token {
        if self.id_token { Token::Id } else { Token::Access }
    }
}

/// What to do where `--raw` names the other token.
const ID_TOKEN: &str = "--id-token is for the ID token, and without it the access token is used";

/// What programs add as their operation, and what then is wrong if it is read as the name.
const OPERATIONS: [&str; 5] = ["get", "store", "erase", "list", "forget"];

const NO_NAME: &str = "NAME: missing before the operation";

const USAGE: &str = "pkce-token [OPTIONS] <NAME>
       pkce-token [OPTIONS] <NAME> -- <COMMAND>...
       pkce-token <NAME> --as <FORMAT> [OPTIONS] [OPERATION]";
