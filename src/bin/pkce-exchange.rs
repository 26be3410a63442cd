//! Exchange the authorization code for tokens.

use std::process::ExitCode;

use clap::Parser;
use pkce_tools::client::authentication::Caller;
use pkce_tools::client::post::Format;
use pkce_tools::client::token_request::TokenRequest;
use pkce_tools::client::{options, parameter};
use pkce_tools::frame::{self, Input};
use pkce_tools::login::token;
use pkce_tools::{Document, Error};

/// Exchange the authorization code for tokens.
#[derive(Parser)]
#[command(name = "pkce-exchange", version)]
struct Args {
    /// The server's token endpoint
    #[arg(long, value_name = "URL")]
    token_endpoint: Option<String>,
    /// Format of the request body
    #[arg(long, value_name = "FORMAT", default_value = "form")]
    format: Format,
    /// Another parameter of the request; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parameter::parse)]
    param: Vec<(String, String)>,
    #[command(flatten)]
    caller: Caller,
}

fn main() -> ExitCode {
    frame::filter(step)
}

fn step(args: &Args, input: Input) -> Result<Document, Error> {
    let set = options::members(&[("token_endpoint", args.token_endpoint.as_deref())])?;
    let request = TokenRequest::from_options(Some(args.format), None, &args.param, &args.caller)?;
    let mut document = input.document()?;
    document.merge(&set);
    token::exchange(document, &request, &args.caller)
}
