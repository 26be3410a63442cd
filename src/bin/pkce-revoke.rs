//! Takes the tokens back.

use std::process::ExitCode;

use clap::Parser;
use pkce_tools::client::authentication::Caller;
use pkce_tools::frame::{self, Input};
use pkce_tools::login::revocation;
use pkce_tools::{Document, Error};

/// Revoke the document's tokens, and take them out of it.
#[derive(Parser)]
#[command(name = "pkce-revoke", version)]
struct Args {
    #[command(flatten)]
    caller: Caller,
}

fn main() -> ExitCode {
    frame::filter(step)
}

fn step(args: &Args, input: Input) -> Result<Document, Error> {
    revocation::revoke(input.document()?, &args.caller)
}
