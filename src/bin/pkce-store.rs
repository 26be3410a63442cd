//! Store a login under a name.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use pkce_tools::client::endpoint::Endpoint;
use pkce_tools::frame::{self, Input};
use pkce_tools::process::{Deadline, arguments, signals};
use pkce_tools::stored::lock::Lock;
use pkce_tools::stored::name::Name;
use pkce_tools::stored::seal;
use pkce_tools::stored::store::{Store, not_stored};
use pkce_tools::{Document, Error, message};

/// Store a login under a name.
#[derive(Parser)]
#[command(name = "pkce-store", version)]
struct Args {
    /// The name of the stored login
    #[arg(value_name = "NAME", value_parser = Name::parse)]
    name: Name,
    /// Remove the stored login; read no document
    #[arg(long)]
    remove: bool,
    /// Give up after this time
    #[arg(long, value_name = "SECONDS", value_parser = arguments::seconds, default_value = "30")]
    timeout: Duration,
}

fn main() -> ExitCode {
    frame::sink(step)
}

fn step(args: &Args, input: Input) -> Result<(), Error> {
    if args.remove {
        return remove(args);
    }
    // Before standard input is read: what fails here fails before the user signs in.
    Store::ready(&args.name)?;
    let document = input.document()?;
    Endpoint::from_document(&document, "token_endpoint")?;
    // A login that is not finished must not replace one that is. One whose tokens were revoked has neither a code nor a
    // verifier, and passes.
    let has_any = |names: [&str; 2]| names.iter().any(|name| document.has(name));
    if has_any(["code", "code_verifier"]) && !has_any(["access_token", "refresh_token"]) {
        return Err(Error::missing("access_token"));
    }
    let deadline = Deadline::after(args.timeout);
    let store = Store::create()?;
    let lock = Lock::acquire(&store, &args.name, &deadline)?;
    // A machine that can seal but not open cannot compare with the stored login.
    let before = if seal::can_open() { store.read(&args.name, &deadline)? } else { None };
    if let Some(before) = before {
        note_changes(&before.document, &document);
    }
    signals::uninterrupted(|| lock.write(&document, &deadline))
}

fn remove(args: &Args) -> Result<(), Error> {
    let deadline = Deadline::after(args.timeout);
    let removed = match Store::open()? {
        Some(store) => Lock::acquire(&store, &args.name, &deadline)?.remove()?,
        None => false,
    };
    if removed { Ok(()) } else { Err(not_stored(&args.name)) }
}

/// One name is for one account of one client at one issuer. An unreadable issuer counts as different, not as a
/// failure; a login that was not verified has no known user.
fn note_changes(before: &Document, after: &Document) {
    let issuer = |document: &Document| document.text("issuer").ok().flatten();
    let sub = |document: &Document| document.object("id_token_claims").ok().flatten()?.text("sub").ok().flatten();
    if issuer(before) != issuer(after) {
        message::note("the issuer differs from the one stored before");
    } else if sub(before).zip(sub(after)).is_some_and(|(before, after)| before != after) {
        message::note("the user (sub) differs from the one stored before");
    }
}
