//! Verify the ID token and add its claims.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use pkce_tools::id_token::claims::{Policy, Verifier};
use pkce_tools::id_token::jwks::Keys;
use pkce_tools::process::{Deadline, arguments};
use pkce_tools::wire::http;
use pkce_tools::{Document, Error, frame};

/// Verify the ID token and add its claims.
#[derive(Parser)]
#[command(name = "pkce-verify", version)]
struct Args {
    /// Read the server's keys from this file instead of fetching them
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// How far the clocks may differ
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = |text: &str| arguments::number(text, 0, MAX_LEEWAY))]
    leeway: u64,
    /// Accept this audience in addition to the client; may be repeated
    #[arg(long, value_name = "AUDIENCE")]
    trust_audience: Vec<String>,
    /// Check at this time in Unix seconds instead of now, for tests
    #[arg(long, value_name = "SECONDS", value_parser = |text: &str| arguments::number(text, 0, u64::MAX >> 1))]
    now: Option<u64>,
    /// Give up fetching the server's keys after this time
    #[arg(long, value_name = "SECONDS", value_parser = arguments::seconds, default_value = "30")]
    timeout: Duration,
}

fn main() -> ExitCode {
    frame::stream(|args: &Args| args.jwks.is_none(), step)
}

fn step(args: Args) -> Result<impl FnMut(Document) -> Result<Document, Error>, Error> {
    // The keys are fetched once for all documents.
    let keys = match &args.jwks {
        Some(file) => Keys::from_file(file, &Deadline::after(args.timeout))?,
        None => {
            http::check_environment()?;
            Keys::default()
        }
    };
    let policy =
        Policy { leeway: args.leeway, trusted_audiences: args.trust_audience, now: args.now, timeout: args.timeout };
    let mut verifier = Verifier::new(policy, keys);
    Ok(move |document| verifier.verify(document))
}

/// Maximum leeway in seconds: a clock that differs by more is wrong.
const MAX_LEEWAY: u64 = 86_400;
