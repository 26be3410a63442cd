//! Open the browser and wait for the redirect with the authorization code.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use pkce_tools::frame::{self, Input};
use pkce_tools::login::callback::{Options, Receiver};
use pkce_tools::process::arguments;
use pkce_tools::{Document, Error};

/// Open the browser and wait for the redirect with the authorization code.
#[derive(Parser)]
#[command(name = "pkce-callback", version)]
struct Args {
    /// Do not open a browser: print the URL and wait
    #[arg(long)]
    no_browser: bool,
    /// Listen here instead, where the redirect URI is forwarded to
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = arguments::address, conflicts_with_all = ["paste", "response_file"])]
    listen: Option<SocketAddr>,
    /// Prompt for the address that the browser was redirected to, for a redirect URI that is https or not on this machine
    #[arg(long, conflicts_with = "response_file")]
    paste: bool,
    /// Accept a code without its state, if it is pasted or in the response file
    #[arg(long)]
    allow_bare_code: bool,
    /// Accept the redirect of any user of this machine
    #[arg(long)]
    any_user: bool,
    /// Read the redirect URL from this file, written by a script that drives the browser
    #[arg(long, value_name = "FILE")]
    response_file: Option<PathBuf>,
    /// Give up after this time
    #[arg(long, value_name = "SECONDS", value_parser = arguments::seconds, default_value = "300")]
    timeout: Duration,
}

fn main() -> ExitCode {
    frame::filter(step)
}

fn step(args: &Args, input: Input) -> Result<Document, Error> {
    let receiver = Receiver::new(Options {
        timeout: args.timeout,
        response_file: args.response_file.clone(),
        paste: args.paste,
        no_browser: args.no_browser,
        allow_bare_code: args.allow_bare_code,
        any_user: args.any_user,
        listen: args.listen,
    })?;
    receiver.receive(input.document()?)
}
