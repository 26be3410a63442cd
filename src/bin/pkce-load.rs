//! Print a stored login, or the names of all.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use pkce_tools::Error;
use pkce_tools::frame::{self, Output};
use pkce_tools::process::{Deadline, arguments};
use pkce_tools::stored::name::Name;
use pkce_tools::stored::store::{Store, not_stored};

/// Print a stored login, or the names of all.
#[derive(Parser)]
#[command(name = "pkce-load", version)]
struct Args {
    /// The name of the stored login
    #[arg(value_name = "NAME", value_parser = Name::parse)]
    name: Option<Name>,
    /// Give up on PKCE_OPEN after this time
    #[arg(long, value_name = "SECONDS", value_parser = arguments::seconds, default_value = "30")]
    timeout: Duration,
}

fn main() -> ExitCode {
    frame::service(|args: &Args| args.name.is_none(), step)
}

fn step(args: &Args, output: Output) -> Result<ExitCode, Error> {
    let store = Store::open()?;
    match &args.name {
        Some(name) => {
            let stored = store.map_or(Ok(None), |store| store.read(name, &Deadline::after(args.timeout)))?;
            output.print(&stored.ok_or_else(|| not_stored(name))?.document)?;
        }
        None => output.print_lines(&store.map_or(Ok(Vec::new()), |store| store.names())?)?,
    }
    Ok(ExitCode::SUCCESS)
}
