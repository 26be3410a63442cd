//! Exchanges the code for tokens.

use std::process::ExitCode;

use clap::Parser;
use pkce_tools::endpoint::{Caller, Format};
use pkce_tools::{Document, Error, token, tool};

/// Exchange the document's code for tokens.
#[derive(Parser)]
#[command(name = "pkce-exchange", version)]
struct Args {
    /// Where the server gives tokens
    #[arg(long, value_name = "URL")]
    token_endpoint: Option<String>,
    /// How to write the request: form or json
    #[arg(long, value_name = "FORMAT", default_value = "form", hide_possible_values = true)]
    format: Format,
    #[command(flatten)]
    caller: Caller,
}

fn main() -> ExitCode {
    tool::filter(step)
}

fn step(args: &Args, mut document: Document) -> Result<Document, Error> {
    document.set_given("token_endpoint", args.token_endpoint.as_deref());
    token::exchange(document, &args.caller, args.format)
}
