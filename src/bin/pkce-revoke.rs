//! Revoke the tokens of a document or of a stored login.

use std::process::ExitCode;

use clap::Parser;
use pkce_tools::client::authentication::{Authentication, Caller};
use pkce_tools::client::parameter;
use pkce_tools::error::Kind;
use pkce_tools::frame::{self, Input};
use pkce_tools::login::revocation;
use pkce_tools::process::signals;
use pkce_tools::stored::lock::Lock;
use pkce_tools::stored::name::Name;
use pkce_tools::stored::store::{Store, not_stored};
use pkce_tools::{Document, Error};

/// Revoke the tokens of a document or of a stored login.
#[derive(Parser)]
#[command(name = "pkce-revoke", version)]
struct Args {
    /// The name of a stored login to revoke and remove; read and print no document
    #[arg(value_name = "NAME", value_parser = Name::parse, conflicts_with = "raw")]
    name: Option<Name>,
    /// Another parameter of the requests; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parameter::parse)]
    param: Vec<(String, String)>,
    #[command(flatten)]
    caller: Caller,
}

fn main() -> ExitCode {
    frame::filter_unless(|args: &Args| args.name.is_some(), step)
}

fn step(args: &Args, input: Input) -> Result<Option<Document>, Error> {
    parameter::check_added(&args.param)?;
    args.caller.prepare()?;
    match &args.name {
        Some(name) => revoke_stored(name, &args.param, &args.caller).map(|()| None),
        None => {
            let document = input.document()?;
            revocation::revoke(document, &args.param, &args.caller, &args.caller.deadline()).map(Some)
        }
    }
}

/// Revokes the tokens of the stored login, and then removes it; without tokens it is only removed.
fn revoke_stored(name: &Name, parameters: &[(String, String)], caller: &Caller) -> Result<(), Error> {
    let deadline = caller.deadline();
    let store = Store::open()?.ok_or_else(|| not_stored(name))?;
    if let Some(stored) = store.read(name, &deadline)?
        && revocation::has_token(&stored.document)
    {
        revocation::check(&stored.document, parameters).map_err(|error| with_hint(error, name))?;
        // The command of a secret may prompt the user: no lock is held meanwhile.
        Authentication::for_client(&stored.document, caller, &deadline)?;
    }
    let lock = Lock::acquire(&store, name, &deadline)?;
    lock.recover(&deadline)?;
    let document = store.read(name, &deadline)?.ok_or_else(|| not_stored(name))?.document;
    store.replaceable(name)?;
    signals::uninterrupted(|| {
        let remove = || lock.remove().map(drop);
        if !revocation::has_token(&document) {
            return remove();
        }
        revocation::revoke(document, parameters, caller, &deadline).map_err(|error| with_hint(error, name))?;
        remove().map_err(|error| error.appending("the tokens are revoked"))
    })
}

/// The error, with what to do where the server cannot revoke the tokens.
fn with_hint(error: Error, name: &Name) -> Error {
    let has_no_endpoint = error.missing_member() == Some("revocation_endpoint");
    if has_no_endpoint || error.kind() == Kind::Unavailable && error.hint_text().is_none() {
        error.hint(format!("to remove the login without revoking it: pkce-store --remove {}", name.as_str()))
    } else {
        error
    }
}
