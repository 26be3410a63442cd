//! Push the authorization request to the server and shorten the URL.

use std::process::ExitCode;

use clap::Parser;
use pkce_tools::client::authentication::Caller;
use pkce_tools::frame::{self, Input};
use pkce_tools::login::push;
use pkce_tools::{Document, Error};

/// Push the authorization request to the server and shorten the URL.
#[derive(Parser)]
#[command(name = "pkce-push", version)]
struct Args {
    #[command(flatten)]
    caller: Caller,
}

fn main() -> ExitCode {
    frame::filter(step)
}

fn step(args: &Args, input: Input) -> Result<Document, Error> {
    args.caller.prepare()?;
    push::push(input.document()?, &args.caller)
}
