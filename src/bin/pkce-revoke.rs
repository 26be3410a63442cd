//! Takes the tokens back.

use std::process::ExitCode;

use clap::Parser;
use pkce_tools::endpoint::Caller;
use pkce_tools::{Document, Error, revocation, tool};

/// Revoke the document's tokens, and take them out of it.
#[derive(Parser)]
#[command(name = "pkce-revoke", version)]
struct Args {
    #[command(flatten)]
    caller: Caller,
}

fn main() -> ExitCode {
    tool::filter(step)
}

fn step(args: &Args, document: Document) -> Result<Document, Error> {
    revocation::revoke(document, &args.caller)
}
