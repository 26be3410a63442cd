//! Exchange the refresh token for new tokens.

use std::process::ExitCode;

use clap::Parser;
use pkce_tools::client::authentication::Caller;
use pkce_tools::client::token_request::TokenRequest;
use pkce_tools::client::{options, parameter};
use pkce_tools::frame::{self, Input};
use pkce_tools::login::token;
use pkce_tools::{Document, Error};

/// Exchange the refresh token for new tokens.
#[derive(Parser)]
#[command(name = "pkce-refresh", version)]
struct Args {
    /// Request this scope, as names separated by spaces
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    /// Request a token for this one of the document's resources
    #[arg(long, value_name = "URI")]
    resource: Option<String>,
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
    let (scope, resource) = (args.scope.as_deref(), args.resource.as_deref());
    options::members(&[("scope", scope), ("resource", resource)])?;
    let request = TokenRequest::from_options(None, scope, &args.param, &args.caller)?;
    token::refresh(input.document()?, &request, resource, &args.caller, &args.caller.deadline())
}
