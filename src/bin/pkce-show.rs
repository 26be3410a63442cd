//! Show what is in a document or a stored login, without secrets.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use pkce_tools::frame::{self, Input, Output};
use pkce_tools::login::summary::{self, Summary};
use pkce_tools::process::{Deadline, arguments};
use pkce_tools::stored::name::Name;
use pkce_tools::stored::store::{Store, not_stored};
use pkce_tools::{Error, message};

/// Show what is in a document or a stored login, without secrets.
#[derive(Parser)]
#[command(name = "pkce-show", version)]
struct Args {
    /// The name of the stored login; without one, a document is read and passed on, but not to a terminal
    #[arg(value_name = "NAME", value_parser = Name::parse, conflicts_with = "raw")]
    name: Option<Name>,
    /// Show all stored logins, one per line
    #[arg(long, conflicts_with_all = ["name", "raw"])]
    all: bool,
    /// Print JSON, one object per line
    #[arg(long)]
    json: bool,
    /// Give up on PKCE_OPEN after this time
    #[arg(long, value_name = "SECONDS", value_parser = arguments::seconds, default_value = "30")]
    timeout: Duration,
}

fn main() -> ExitCode {
    frame::viewer(|args: &Args| args.name.is_some() || args.all, step)
}

fn step(args: &Args, input: Input, output: Output) -> Result<(), Error> {
    match &args.name {
        Some(name) => {
            let stored = Store::open()?.map_or(Ok(None), |store| store.read(name, &Deadline::after(args.timeout)))?;
            let summary = Summary::new(&stored.ok_or_else(|| missing(name))?.document);
            output.print_lines(&lines(&summary, Some(name), args.json))
        }
        None if args.all => all(args, &output),
        None => {
            let document = input.document()?;
            // At a terminal nothing reads the document, and its tokens would only be seen.
            if !output.is_terminal() {
                output.print(&document)?;
            }
            message::say(&lines(&Summary::new(&document), None, args.json).join("\n"));
            Ok(())
        }
    }
}

/// The error for a name without a stored login; it may be meant as that of a file.
fn missing(name: &Name) -> Error {
    let error = not_stored(name);
    if Path::new(name.as_str()).is_file() { error.hint("to show a file: pkce-show < FILE > /dev/null") } else { error }
}

/// Prints all stored logins. One that cannot be read hides no other: it is reported, and the first one is the failure.
fn all(args: &Args, output: &Output) -> Result<(), Error> {
    let Some(store) = Store::open()? else { return Ok(()) };
    let (mut shown, mut rows, mut failure) = (Vec::new(), Vec::new(), None);
    for name in store.names()? {
        let stored =
            Name::parse(&name).map_err(Error::usage).and_then(|name| store.read(&name, &Deadline::after(args.timeout)));
        match stored {
            Ok(Some(stored)) => {
                let summary = Summary::new(&stored.document);
                shown.push(summary.json(Some(&name)));
                rows.push(summary.row(&name));
            }
            // Removed meanwhile.
            Ok(None) => {}
            Err(error) => {
                frame::report(&error);
                failure.get_or_insert(error.silent());
            }
        }
    }
    output.print_lines(&if args.json { shown } else { summary::table(&rows) })?;
    failure.map_or(Ok(()), Err)
}

fn lines(summary: &Summary, name: Option<&Name>, json: bool) -> Vec<String> {
    if json { vec![summary.json(name.map(Name::as_str))] } else { summary.lines() }
}
