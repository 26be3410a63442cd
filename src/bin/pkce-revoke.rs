//! Revoke the tokens.

use std::process::ExitCode;

use clap::Parser;
use pkce_tools::client::authentication::Caller;
use pkce_tools::frame::{self, Input};
use pkce_tools::login::revocation;
use pkce_tools::{Document, Error};

/// Revoke the tokens.
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
    args.caller.prepare()?;
    revocation::revoke(input.document()?, &args.caller)
}
