//! Register a client with an authorization server.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use pkce_tools::client::authentication::AuthMethod;
use pkce_tools::client::object_file::ObjectFile;
use pkce_tools::client::options;
use pkce_tools::client::secret::Secret;
use pkce_tools::frame::{self, Input};
use pkce_tools::login::registration::{self, Registration};
use pkce_tools::process::{Deadline, arguments};
use pkce_tools::wire::http;
use pkce_tools::{Document, Error};

/// Register a client with an authorization server.
#[derive(Parser)]
#[command(name = "pkce-register", version)]
struct Args {
    /// The client's name, as the server shows it to the user
    #[arg(long, value_name = "NAME", value_parser = arguments::line)]
    client_name: Option<String>,
    /// The redirect URI; port 0 is any free port (default: two on this machine)
    #[arg(long, value_name = "URI")]
    redirect_uri: Option<String>,
    /// The scopes that the client may request, separated by spaces (default: the document's, else $PKCE_SCOPE)
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    /// Client authentication (default: as the server's metadata allows)
    #[arg(long, value_name = "METHOD")]
    auth_method: Option<AuthMethod>,
    /// Register it for pkce-device too
    #[arg(long)]
    device: bool,
    /// Add the members of this JSON object to the client's metadata
    #[arg(long, value_name = "FILE")]
    metadata: Option<PathBuf>,
    /// Read the initial access token from this file
    #[arg(long, value_name = "FILE")]
    access_token_file: Option<PathBuf>,
    /// Give up after this time
    #[arg(long, value_name = "SECONDS", value_parser = arguments::seconds, default_value = "30")]
    timeout: Duration,
}

fn main() -> ExitCode {
    frame::filter(step)
}

fn step(args: &Args, input: Input) -> Result<Document, Error> {
    http::check_environment()?;
    let set = options::members(&[("redirect_uri", args.redirect_uri.as_deref()), ("scope", args.scope.as_deref())])?;
    let deadline = Deadline::after(args.timeout);
    let open = |file| Secret::token_in_file("--access-token-file", file, &deadline);
    let access_token = args.access_token_file.as_deref().map(open).transpose()?;
    let open = |file| ObjectFile::open("--metadata", file, &deadline);
    let metadata = args.metadata.as_deref().map(open).transpose()?;
    let mut document = input.document()?;
    document.merge(&set);
    document.add_missing(&options::defaults(&[("scope", "PKCE_SCOPE")]));
    let deadline = Deadline::after(args.timeout);
    let metadata = metadata.map(|file| file.object(&deadline)).transpose()?.unwrap_or_default();
    let registration = Registration {
        client_name: args.client_name.clone(),
        auth_method: args.auth_method,
        device: args.device,
        metadata,
        access_token,
    };
    registration::register(document, registration, &deadline)
}
