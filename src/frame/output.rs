//! Standard output: each document is printed in one write, and several of a stream may share it.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;

use rustix::fs::FileType;
use zeroize::Zeroizing;

use crate::document::Document;
use crate::document::text::Text;
use crate::error::Error;
use crate::message;
use crate::process::{poll, reader};

/// Standard output, for documents.
pub struct Output {
    raw: Option<String>,
    stdout: File,
}

impl Output {
    /// Standard output, for documents or only for this member of each.
    pub(super) fn new(raw: Option<String>) -> Result<Output, Error> {
        Ok(Output { raw, stdout: stdout()? })
    }

    /// Prints the document, or only the member that `--raw` names.
    pub fn print(&self, document: &Document) -> Result<(), Error> {
        let mut text = Text::default();
        self.push(document, &mut text)?;
        self.write(&text)
    }

    /// The text that `print` writes.
    fn push(&self, document: &Document, text: &mut Text) -> Result<(), Error> {
        match &self.raw {
            Some(member) => text.push(&raw(document, member)?),
            None => {
                document.check_size()?;
                document.write_line(text);
            }
        }
        Ok(())
    }

    /// Whether whole documents would be printed on a terminal.
    pub fn is_terminal(&self) -> bool {
        self.raw.is_none() && self.stdout.is_terminal()
    }

    /// Prints lines of text.
    pub fn print_lines(&self, lines: &[impl AsRef<str>]) -> Result<(), Error> {
        if self.raw.is_some() {
            return Err(Error::usage("--raw: not available, since no document is printed"));
        }
        let text: Zeroizing<String> = Zeroizing::new(lines.iter().flat_map(|line| [line.as_ref(), "\n"]).collect());
        self.write(&text)
    }

    /// Closes standard output: the reader sees its end while the tool continues.
    pub fn close(self) -> Result<(), Error> {
        let nowhere = File::options().write(true).open("/dev/null");
        let closed = nowhere.and_then(|nowhere| Ok(rustix::stdio::dup2_stdout(nowhere)?));
        closed.map_err(|error| write_error(&error))
    }

    fn write(&self, text: &str) -> Result<(), Error> {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            match (&self.stdout).write(rest) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => poll::until_writable(&self.stdout),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(write_error(&error)),
            }
        }
        Ok(())
    }
}

/// Standard output for a stream of documents: those that are not written yet are kept together.
pub struct Buffer {
    output: Output,
    unwritten: Text,
}

impl Buffer {
    /// An empty buffer of this output.
    pub fn new(output: Output) -> Buffer {
        Buffer { output, unwritten: Text::default() }
    }

    /// Whether the document has room beside those that are not written yet.
    pub fn has_room(&self, document: &Document) -> bool {
        self.unwritten.is_empty() || self.unwritten.len() + document.size() <= MAX_UNWRITTEN
    }

    /// Adds the document, or only the member that `--raw` names.
    pub fn add(&mut self, document: &Document) -> Result<(), Error> {
        self.output.push(document, &mut self.unwritten)
    }

    /// Writes out what was added; after a failure, nothing of it is tried again.
    pub fn flush(&mut self) -> Result<(), Error> {
        let written = self.output.write(&self.unwritten);
        self.unwritten.clear();
        written
    }
}

/// Standard output without a buffer, so that each text is printed in one write.
pub fn stdout() -> Result<File, Error> {
    let stdout = io::stdout().as_fd().try_clone_to_owned();
    stdout.map(File::from).map_err(|error| write_error(&error))
}

/// The failure to write to standard output.
pub fn write_error(error: &io::Error) -> Error {
    match error.kind() {
        ErrorKind::BrokenPipe => reader::gone(),
        _ => Error::unavailable(format!("standard output: {}", message::reason(error))),
    }
}

/// The member alone, as text and a newline.
fn raw(document: &Document, member: &str) -> Result<Zeroizing<String>, Error> {
    let json = document.json(member).ok_or_else(|| wrong(member, "missing"))?;
    let is_string = json.starts_with('"');
    let mut text = Zeroizing::new(if is_string { document.need(member)? } else { json.to_owned() });
    if text.chars().any(char::is_control) {
        return Err(wrong(member, "contains a control character"));
    }
    text.push('\n');
    Ok(text)
}

/// The failure of `--raw`: it is the user who asks for the member, whatever document it is missing from.
fn wrong(member: &str, wrong: &str) -> Error {
    Error::usage(format!("{member}: {wrong}")).about(member)
}

/// Whether this is a pipe or a socket.
pub fn is_pipe(descriptor: &impl AsFd) -> bool {
    let kind = rustix::fs::fstat(descriptor).map(|status| FileType::from_raw_mode(status.st_mode));
    matches!(kind, Ok(FileType::Fifo | FileType::Socket))
}

/// Octets that are written together; one document may have more. Of so many, a pipe tears none apart for those of another
/// writer (PIPE_BUF of Linux, pipe(7)).
const MAX_UNWRITTEN: usize = 4096;
