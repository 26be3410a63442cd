//! Pushes the authorization request, and puts a short URL in its place.

use std::process::ExitCode;

use clap::Parser;
use pkce_tools::endpoint::Caller;
use pkce_tools::{Document, Error, push, tool};

/// Push the request of the document's authorization URL to the server, and keep a short URL in its place.
#[derive(Parser)]
#[command(name = "pkce-push", version)]
struct Args {
    #[command(flatten)]
    caller: Caller,
}

fn main() -> ExitCode {
    tool::filter(step)
}

fn step(args: &Args, document: Document) -> Result<Document, Error> {
    push::push(document, &args.caller)
}
