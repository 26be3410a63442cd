//! Exchanges the code for tokens.

use std::process::ExitCode;

use clap::Parser;
use pkce_tools::client::authentication::Caller;
use pkce_tools::client::post::Format;
use pkce_tools::frame::{self, Input};
use pkce_tools::login::token;
use pkce_tools::{Document, Error};

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
    frame::filter(step)
}

fn step(args: &Args, input: Input) -> Result<Document, Error> {
    let mut document = input.document()?;
    document.set_given("token_endpoint", args.token_endpoint.as_deref());
    token::exchange(document, &args.caller, args.format)
}
