//! Keeps the document for later.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use pkce_tools::store::{Name, Store};
use pkce_tools::{Document, Error, metadata, tool};

/// Keep the document under a name.
#[derive(Parser)]
#[command(name = "pkce-store", version)]
struct Args {
    /// What the document is called
    #[arg(value_name = "NAME", value_parser = Name::parse)]
    name: Name,
    /// Keep nothing, read nothing: remove what is kept
    #[arg(long)]
    remove: bool,
    /// Give up after this time
    #[arg(long, value_name = "SECONDS", value_parser = tool::seconds, default_value = "30")]
    timeout: Duration,
}

fn main() -> ExitCode {
    tool::sink(|args: &Args| args.remove, step)
}

fn step(args: &Args, document: Option<Document>) -> Result<(), Error> {
    let Some(document) = document else { return remove(args) };
    metadata::endpoint(&document, "token_endpoint")?;
    let store = Store::create()?;
    let lock = store.lock(&args.name, args.timeout)?;
    if let Some(before) = store.read(&args.name, args.timeout)? {
        note_changes(&before, &document)?;
    }
    store.write(&lock, &document, args.timeout)
}

fn remove(args: &Args) -> Result<(), Error> {
    let removed = match Store::open()? {
        Some(store) => store.remove(&store.lock(&args.name, args.timeout)?)?,
        None => false,
    };
    match removed {
        true => Ok(()),
        false => Err(pkce_tools::store::nothing(&args.name)),
    }
}

/// One name is for one account of one client at one issuer.
fn note_changes(before: &Document, after: &Document) -> Result<(), Error> {
    let sub = |document: &Document| -> Result<Option<String>, Error> {
        let claims = document.object("id_token_claims")?;
        claims.map_or(Ok(None), |claims| claims.text("sub"))
    };
    if before.text("issuer")? != after.text("issuer")? {
        tool::note("another issuer than that of the document before");
    } else if sub(before)? != sub(after)? {
        tool::note("another person (sub) than that of the document before");
    }
    Ok(())
}
