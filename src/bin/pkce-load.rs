//! Prints a kept document, or the names of all.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use pkce_tools::Error;
use pkce_tools::store::{self, Name, Store};
use pkce_tools::tool::{self, Deadline, Output};

/// Print the document that is kept under a name; without one, the names.
#[derive(Parser)]
#[command(name = "pkce-load", version)]
struct Args {
    /// What the document is called
    #[arg(value_name = "NAME", value_parser = Name::parse)]
    name: Option<Name>,
    /// Give up on PKCE_OPEN after this time
    #[arg(long, value_name = "SECONDS", value_parser = tool::seconds, default_value = "30")]
    timeout: Duration,
}

fn main() -> ExitCode {
    tool::service(|args: &Args| args.name.is_none(), step)
}

fn step(args: &Args, output: Output) -> Result<ExitCode, Error> {
    let store = Store::open()?;
    match &args.name {
        Some(name) => {
            let kept = store.map_or(Ok(None), |store| store.read(name, &Deadline::after(args.timeout)))?;
            output.print(&kept.ok_or_else(|| store::nothing(name))?.document)?;
        }
        None => output.print_lines(&store.map_or(Ok(Vec::new()), |store| store.names())?)?,
    }
    Ok(ExitCode::SUCCESS)
}
