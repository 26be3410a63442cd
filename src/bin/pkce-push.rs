//! Pushes the authorization request, and puts a short URL in its place.

use std::process::ExitCode;

use clap::Parser;
use pkce_tools::client::authentication::Caller;
use pkce_tools::frame::{self, Input};
use pkce_tools::login::push;
use pkce_tools::{Document, Error};

/// Push the request of the document's authorization URL to the server, and keep a short URL in its place.
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
    push::push(input.document()?, &args.caller)
}
