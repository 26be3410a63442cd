//! Fetch an authorization server's metadata.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use pkce_tools::client::metadata::{self, Identifier};
use pkce_tools::process::{Deadline, arguments, environment};
use pkce_tools::wire::http::{self, Client};
use pkce_tools::{Document, Error, frame};

/// Fetch an authorization server's metadata.
#[derive(Parser)]
#[command(name = "pkce-discover", version)]
struct Args {
    /// The issuer's URL (default: $PKCE_ISSUER)
    #[arg(value_name = "ISSUER", conflicts_with = "resource")]
    issuer: Option<String>,
    /// Start from the URL of a protected resource, such as an API or an MCP server
    #[arg(long, value_name = "URL")]
    resource: Option<String>,
    /// Print the whole metadata, not only the members that the tools use
    #[arg(long)]
    all: bool,
    /// Give up after this time
    #[arg(long, value_name = "SECONDS", value_parser = arguments::seconds, default_value = "30")]
    timeout: Duration,
}

fn main() -> ExitCode {
    frame::source(step)
}

fn step(args: &Args) -> Result<Document, Error> {
    http::check_environment()?;
    let client = Client::new(Deadline::after(args.timeout));
    let identifier = |name: &str, text: &str| Identifier::parse(text).map_err(|wrong| wrong.for_argument(name));
    let metadata = match &args.resource {
        Some(resource) => metadata::for_resource(&client, &identifier("resource", resource)?)?,
        None => {
            let issuer = args.issuer.clone().or_else(|| environment::variable("PKCE_ISSUER"));
            let missing = || Error::usage("issuer: missing").hint("give it as an argument, or set PKCE_ISSUER");
            metadata::for_issuer(&client, &identifier("issuer", &issuer.ok_or_else(missing)?)?)?
        }
    };
    Ok(if args.all { metadata } else { metadata::known_members(metadata) })
}
