//! Register a client with an authorization server.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use pkce_tools::client::secret_file::SecretFile;
use pkce_tools::client::{options, redirect_uri};
use pkce_tools::frame::{self, Input};
use pkce_tools::login::registration;
use pkce_tools::process::{Deadline, arguments};
use pkce_tools::wire::http;
use pkce_tools::{Document, Error};

/// Register a client with an authorization server.
#[derive(Parser)]
#[command(name = "pkce-register", version)]
struct Args {
    /// The client's name, as the server shows it to the user
    #[arg(long, value_name = "NAME", value_parser = arguments::line)]
    client_name: Option<String>,
    /// The redirect URI; port 0 is any free port
    #[arg(long, value_name = "URI")]
    redirect_uri: Option<String>,
    /// The scopes that the client may request, separated by spaces
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    /// Read the initial access token from this file
    #[arg(long, value_name = "FILE")]
    access_token_file: Option<PathBuf>,
    /// Give up after this time
    #[arg(long, value_name = "SECONDS", value_parser = arguments::seconds, default_value = "30")]
    timeout: Duration,
}

fn main() -> ExitCode {
    frame::filter(step)
}

fn step(args: &Args, input: Input) -> Result<Document, Error> {
    http::check_environment()?;
    let set = options::members(&[("redirect_uri", args.redirect_uri.as_deref()), ("scope", args.scope.as_deref())])?;
    let deadline = || Deadline::after(args.timeout);
    let open = |file| SecretFile::open("--access-token-file", file, &deadline());
    let access_token = args.access_token_file.as_deref().map(open).transpose()?;
    let mut document = input.document()?;
    document.merge(set);
    redirect_uri::set_default(&mut document);
    registration::register(document, args.client_name.as_deref(), access_token, &deadline())
}
