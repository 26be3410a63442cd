//! Start a login: generate the code verifier, challenge, state and nonce.

use std::process::ExitCode;

use clap::Parser;
use pkce_tools::client::pkce::{self, Entropy};
use pkce_tools::process::arguments;
use pkce_tools::{Document, Error, frame};

/// Start a login: generate the code verifier, challenge, state and nonce.
#[derive(Parser)]
#[command(name = "pkce-gen", version)]
struct Args {
    /// Documents to merge; a later one overrides an earlier one, - is standard input
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// Random bytes in the code verifier: 32 to 96, for 43 to 128 characters
    #[arg(long, value_name = "N", default_value = "32", value_parser = |text: &str| arguments::number(text, 32, 96))]
    bytes: u64,
    /// Generate this many documents, one per line
    #[arg(long, value_name = "N", default_value = "1", value_parser = |text: &str| arguments::number(text, 1, 1_000_000_000))]
    count: u64,
    /// Keep the document's code_verifier and compute its challenge
    #[arg(long)]
    keep_verifier: bool,
}

fn main() -> ExitCode {
    frame::sources(|args: &Args| args.count, step)
}

fn step(args: &Args) -> Result<impl FnMut(&mut Document) -> Result<(), Error> + use<>, Error> {
    let mut base = Document::default();
    for file in &args.files {
        base.merge(&frame::document(file)?);
    }
    base.forget_login()?;
    let (bytes, keep) = (args.bytes as usize, args.keep_verifier);
    let mut entropy = Entropy::for_logins(args.count, if keep { 0 } else { bytes });
    Ok(move |document: &mut Document| {
        document.clone_from(&base);
        let verifier = if keep { pkce::verifier(document)? } else { entropy.text(bytes)? };
        pkce::begin(document, &verifier, &mut entropy)
    })
}
