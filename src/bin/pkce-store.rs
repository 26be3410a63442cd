//! Keeps the document for later.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use pkce_tools::store::{Name, Store, nothing};
use pkce_tools::tool::Deadline;
use pkce_tools::{Document, Error, metadata, signals, tool};

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
    let deadline = Deadline::after(args.timeout);
    let store = Store::create()?;
    let lock = store.lock(&args.name, &deadline)?;
    // A machine that can seal and not open keeps what it cannot compare.
    let opens = tool::environment("PKCE_SEAL").is_none() || tool::environment("PKCE_OPEN").is_some();
    let before = if opens { store.read(&args.name, &deadline)? } else { None };
    if let Some(before) = before {
        note_changes(&before.document, &document);
    }
    signals::after_this(|| store.write(&lock, &document, &deadline))
}

fn remove(args: &Args) -> Result<(), Error> {
    let deadline = Deadline::after(args.timeout);
    let removed = match Store::open()? {
        Some(store) => store.remove(&store.lock(&args.name, &deadline)?)?,
        None => false,
    };
    match removed {
        true => Ok(()),
        false => Err(nothing(&args.name)),
    }
}

/// One name is for one account of one client at one issuer. What cannot be read is another one, and no failure.
fn note_changes(before: &Document, after: &Document) {
    let issuer = |document: &Document| document.text("issuer").ok().flatten();
    let sub = |document: &Document| document.object("id_token_claims").ok().flatten()?.text("sub").ok().flatten();
    if issuer(before) != issuer(after) {
        tool::note("another issuer than that of the document before");
    } else if sub(before) != sub(after) {
        tool::note("another person (sub) than that of the document before");
    }
}
