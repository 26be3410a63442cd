//! Fetch an authorization server's metadata.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use pkce_tools::client::challenge::Challenge;
use pkce_tools::client::metadata::{self, Issuer, Resource, Start};
use pkce_tools::client::scope::Scope;
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
    /// The URL of the issuer's metadata, if it is in none of the usual places
    #[arg(long, value_name = "URL", conflicts_with = "resource")]
    metadata_url: Option<String>,
    /// Start from the URL of a protected resource, such as an API or an MCP server
    #[arg(long, value_name = "URL")]
    resource: Option<String>,
    /// Read the resource's response from this file, as curl -D writes it, instead of requesting it
    #[arg(long, value_name = "FILE", requires = "resource", conflicts_with = "issuer")]
    challenge: Option<PathBuf>,
    /// Use this one of the resource's authorization servers
    #[arg(long = "issuer", value_name = "URL", requires = "resource", conflicts_with = "issuer")]
    server: Option<String>,
    /// The scope to request for the resource; what a challenge says is missing is added to it
    #[arg(long, value_name = "SCOPE", requires = "resource", conflicts_with = "issuer")]
    scope: Option<String>,
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
    let deadline = Deadline::after(args.timeout);
    let metadata = match &args.resource {
        Some(resource) => {
            let resource = Resource::parse(resource).map_err(|wrong| wrong.for_argument("resource"))?;
            let challenge = args.challenge.as_deref().map(|file| Challenge::from_file(file, &deadline)).transpose()?;
            let issuer = args.server.as_deref().map(|url| metadata::chosen_server(url, &resource)).transpose()?;
            // A stored login may have none.
            let scope = args.scope.as_deref().filter(|scope| !scope.is_empty()).map(Scope::parse).transpose()?;
            let start = Start { challenge, issuer, scope };
            metadata::for_resource(&Client::new(deadline), &resource, start)?
        }
        None => {
            let issuer = args.issuer.clone().or_else(|| environment::variable("PKCE_ISSUER"));
            let missing = || Error::usage("issuer: missing").hint("give it as an argument, or set PKCE_ISSUER");
            let issuer = Issuer::parse(&issuer.ok_or_else(missing)?).map_err(|wrong| wrong.for_argument("issuer"))?;
            let issuer = match &args.metadata_url {
                Some(url) => issuer.with_metadata_url(url)?,
                None => issuer,
            };
            metadata::for_issuer(&Client::new(deadline), &issuer)?
        }
    };
    Ok(if args.all { metadata } else { metadata::known_members(metadata) })
}
