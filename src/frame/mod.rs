//! The frame around a tool's one step: arguments, documents in and out, the failure line, messages, exit status.

mod command_line;
mod failure;
mod fault;
mod input;
mod output;

use std::cell::OnceCell;
use std::process::ExitCode;

use clap::Parser;

use crate::client::authentication;
use crate::document::Document;
use crate::error::Error;
use crate::message;
use crate::process::environment;
use input::{Documents, Watch};
use output::Buffer;

pub use failure::report;
pub use input::{Input, document};
pub use output::Output;

/// Runs a tool that creates a document: none is read from standard input.
pub fn source<A: Parser>(step: impl FnOnce(&A) -> Result<Document, Error>) -> ExitCode {
    run(Form::Document, never, |args: A, output| {
        output.print(&step(&args)?)?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Runs a tool that creates `count` documents. The step returns the function that makes the next one of the one before.
pub fn sources<A, F>(count: impl FnOnce(&A) -> u64, step: impl FnOnce(&A) -> Result<F, Error>) -> ExitCode
where
    A: Parser,
    F: FnMut(&mut Document) -> Result<(), Error>,
{
    run(Form::Document, never, |args: A, output| {
        let mut make = step(&args)?;
        let mut document = Document::default();
        let mut unwritten = Unwritten::of(output, false);
        let made = (0..count(&args)).try_for_each(|_| {
            make(&mut document)?;
            unwritten.add(&document, false)
        });
        unwritten.flush()?;
        made?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Runs a tool that reads one document and prints it changed. The step reads the document itself, after the checks that
/// need none.
pub fn filter<A: Parser>(step: impl FnOnce(&A, Input) -> Result<Document, Error>) -> ExitCode {
    filter_unless(never, |args: &A, input| step(args, input).map(Some))
}

/// Runs a tool that is a filter, unless its arguments are `bare`: then its step reads no document and returns none.
pub fn filter_unless<A: Parser>(
    bare: impl FnOnce(&A) -> bool,
    step: impl FnOnce(&A, Input) -> Result<Option<Document>, Error>,
) -> ExitCode {
    run(Form::Document, bare, |args: A, output| {
        let before = OnceCell::new();
        if let Some(after) = step(&args, Input::new(&before, Watch::Reader))? {
            output.print(&after).map_err(|error| with_loss(error, before.get(), &after))?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Runs a tool that reads any number of documents and prints each changed. The step does the checks that need no
/// document, and returns the function that changes each; `waits` returns whether that may wait for a server, so that
/// nothing that is done must be held back meanwhile.
pub fn stream<A, F>(waits: impl FnOnce(&A) -> bool, step: impl FnOnce(A) -> Result<F, Error>) -> ExitCode
where
    A: Parser,
    F: FnMut(Document) -> Result<Document, Error>,
{
    run(Form::Document, never, |args: A, output| {
        let waits = waits(&args);
        let mut change = step(args)?;
        let mut documents = Documents::from_stdin(Watch::Reader)?;
        let mut unwritten = Unwritten::of(output, waits);
        let changed = change_all(&mut documents, &mut change, &mut unwritten);
        // What was changed before a failure is printed, and a failure to write it comes first.
        unwritten.flush()?;
        changed?;
        Ok(ExitCode::SUCCESS)
    })
}

fn change_all(
    documents: &mut Documents,
    change: &mut impl FnMut(Document) -> Result<Document, Error>,
    unwritten: &mut Unwritten,
) -> Result<(), Error> {
    let mut next = Some(documents.next(Document::default(), || Ok(()))?.ok_or_else(input::empty)?);
    while let Some(document) = next {
        let has_tokens = has_tokens(&document);
        let changed = change(document).map_err(|error| with_loss_of_pipe(error, has_tokens))?;
        unwritten.add(&changed, has_tokens)?;
        // Nothing that is done is held back while more input is waited for.
        next = documents.next(changed, || unwritten.flush())?;
    }
    Ok(())
}

/// Documents of a stream that are not written yet.
struct Unwritten {
    buffer: Buffer,
    /// Whether each is written at once.
    is_prompt: bool,
    /// Whether tokens are lost if they cannot be written.
    has_tokens: bool,
}

impl Unwritten {
    fn of(output: Output, is_prompt: bool) -> Unwritten {
        Unwritten { buffer: Buffer::new(output), is_prompt, has_tokens: false }
    }

    fn add(&mut self, document: &Document, has_tokens: bool) -> Result<(), Error> {
        if !self.buffer.has_room(document) {
            self.flush()?;
        }
        let added = self.buffer.add(document);
        added.map_err(|error| with_loss_of_pipe(error.losing_input(), has_tokens))?;
        self.has_tokens |= has_tokens;
        if self.is_prompt { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Error> {
        let had_tokens = std::mem::take(&mut self.has_tokens);
        self.buffer.flush().map_err(|error| with_loss_of_pipe(error, had_tokens))
    }
}

/// Runs a tool that reads one document and prints it unchanged, unless its arguments are `bare`: then it prints something
/// else. The step does both itself, since it also shows something of the document.
pub fn viewer<A: Parser>(
    bare: impl FnOnce(&A) -> bool,
    step: impl FnOnce(&A, Input, Output) -> Result<(), Error>,
) -> ExitCode {
    run(Form::Document, bare, |args: A, output| {
        let read = OnceCell::new();
        let done = step(&args, Input::new(&read, Watch::Reader), output);
        done.map_err(|error| with_loss_of_pipe(error.losing_input(), read.get().is_some_and(has_tokens)))?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Runs a tool that prints no document; its step may read one.
pub fn sink<A: Parser>(step: impl FnOnce(&A, Input) -> Result<(), Error>) -> ExitCode {
    run(Form::Nothing, never, |args: A, _| {
        let read = OnceCell::new();
        let done = step(&args, Input::new(&read, Watch::Nothing));
        done.map_err(|error| with_loss_of_pipe(error.losing_input(), read.get().is_some_and(has_tokens)))?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Runs a tool that prints its own output and chooses its exit status; `bare` returns whether that output is not a
/// document, so that no failure line is expected.
pub fn service<A: Parser>(
    bare: impl FnOnce(&A) -> bool,
    step: impl FnOnce(&A, Output) -> Result<ExitCode, Error>,
) -> ExitCode {
    run(Form::Document, bare, |args: A, output| step(&args, output))
}

/// Like [`service`], for a tool whose command may be a pipeline of the tools: these inherit the descriptor of the client
/// secret.
pub fn host<A: Parser>(
    bare: impl FnOnce(&A) -> bool,
    step: impl FnOnce(&A, Output) -> Result<ExitCode, Error>,
) -> ExitCode {
    run_inheriting(Form::Document, bare, |args: A, output| step(&args, output))
}

/// What a tool prints on success.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Document,
    Nothing,
}

fn never<A>(_: &A) -> bool {
    false
}

fn run<A: Parser>(
    form: Form,
    bare: impl FnOnce(&A) -> bool,
    body: impl FnOnce(A, Output) -> Result<ExitCode, Error>,
) -> ExitCode {
    run_inheriting(form, bare, |args: A, output| {
        authentication::hide_secret();
        body(args, output)
    })
}

/// Runs a tool whose programs inherit every descriptor.
fn run_inheriting<A: Parser>(
    form: Form,
    bare: impl FnOnce(&A) -> bool,
    body: impl FnOnce(A, Output) -> Result<ExitCode, Error>,
) -> ExitCode {
    let tool = || {
        let tool = A::command();
        if form == Form::Document { tool.arg(command_line::raw_argument()) } else { tool }
    };
    let mut command = tool();
    message::set_name(command.get_name());
    let has_command = command_line::has_command(&command, std::env::args_os());
    fault::harden(has_command);
    let matches = match command.try_get_matches_from_mut(std::env::args_os()) {
        Ok(matches) => matches,
        Err(error) => {
            let is_bare = has_command || command_line::is_bare(std::env::args_os());
            return end(command_line::help_or_usage_error(&error, &tool()), form, is_bare, has_command);
        }
    };
    let raw = matches.try_get_one::<String>(command_line::RAW).ok().flatten().cloned();
    let mut is_bare = raw.is_some() || has_command;
    let done = Output::new(raw).and_then(|output| {
        let args = A::from_arg_matches(&matches).map_err(|error| command_line::usage_error(&error))?;
        is_bare |= bare(&args);
        environment::check()?;
        body(args, output)
    });
    end(done, form, is_bare, has_command)
}

/// Ends the run: reports a failure, writes the failure line, and returns the exit status.
fn end(done: Result<ExitCode, Error>, form: Form, is_bare: bool, has_command: bool) -> ExitCode {
    let error = match done {
        Ok(status) => return status,
        Err(error) => error,
    };
    failure::report(&error);
    if form == Form::Document && !is_bare {
        failure::write_line(&error);
    }
    ExitCode::from(failure::exit_status(&error, has_command))
}

/// Adds to a failure to print that new tokens or a new code are lost, since the server issues them only once.
fn with_loss(error: Error, before: Option<&Document>, after: &Document) -> Error {
    let old = |name: &str| before.and_then(|before| before.json(name));
    let is_new = |name: &str| after.has(name) && old(name) != after.json(name);
    match () {
        () if is_new("access_token") => error.with_loss("the tokens issued by the server are lost"),
        () if is_new("code") => error.with_loss("the code issued by the server is lost"),
        () => error,
    }
}

/// Adds to a failure that is not the document's fault that its tokens are lost, if they came through a pipe: to try again,
/// the document would have to be there.
fn with_loss_of_pipe(error: Error, has_tokens: bool) -> Error {
    if error.loses_input() && has_tokens && input::is_piped() {
        error.with_loss("the tokens are lost unless a file has them")
    } else {
        error
    }
}

fn has_tokens(document: &Document) -> bool {
    ["access_token", "refresh_token"].into_iter().any(|name| document.has(name))
}
