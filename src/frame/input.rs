//! Standard input: one document, or a stream of them.

use std::cell::OnceCell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind};

use zeroize::Zeroizing;

use super::{failure, output};
use crate::document::{self, Document, WHITE_SPACE};
use crate::error::Error;
use crate::message;
use crate::process::input::stdin;
use crate::process::{poll, reader};

/// Standard input, not read yet, so that a step can do its checks before it reads the document.
pub struct Input<'a> {
    read: &'a OnceCell<Document>,
    output: Watch,
}

/// Whether standard output is watched while a tool waits for its input.
#[derive(Clone, Copy, PartialEq)]
pub enum Watch {
    /// A document is to be printed there: without a reader, the wait ends.
    Reader,
    /// Nothing is printed there.
    Nothing,
}

impl<'a> Input<'a> {
    /// The input of a step; `read` receives a copy of the document that it reads.
    pub(super) fn new(read: &'a OnceCell<Document>, output: Watch) -> Input<'a> {
        Input { read, output }
    }

    /// The one document; fails if there is a second one, or if nothing reads the output.
    pub fn document(self) -> Result<Document, Error> {
        let document = single_document(self.output)?;
        self.read.get_or_init(|| document.clone());
        if self.output == Watch::Reader {
            // Before a code or a token is spent in vain.
            reader::check()?;
        }
        Ok(document)
    }
}

/// The document in this file, or on standard input for `-`.
pub fn document(file: &str) -> Result<Document, Error> {
    if file == "-" { single_document(Watch::Reader) } else { Document::from_file(file, file) }
}

/// The one document on standard input; a second one is refused before anything is done.
fn single_document(output: Watch) -> Result<Document, Error> {
    let mut documents = Documents::from_stdin(output)?;
    let document = documents.next()?.ok_or_else(empty)?;
    match documents.next()? {
        None => Ok(document),
        Some(_) => Err(unreadable("more than one document")),
    }
}

/// Whether standard input is a pipe or a socket, so that no file keeps what came through it.
pub fn is_piped() -> bool {
    output::is_pipe(&io::stdin())
}

/// The documents on standard input, with optional white space between them.
pub struct Documents {
    stdin: BufReader<File>,
    output: Watch,
}

impl Documents {
    /// The documents on this process's standard input.
    pub fn from_stdin(output: Watch) -> Result<Documents, Error> {
        Ok(Documents { stdin: BufReader::new(stdin("a document")?), output })
    }

    /// The next document; `None` at the end of the input.
    pub fn next(&mut self) -> Result<Option<Document>, Error> {
        let octets = self.octets()?;
        match octets.first() {
            None => Ok(None),
            Some(b'{') => Document::parse(&octets).map(Some).map_err(|wrong| unreadable(&wrong)),
            Some(_) => {
                Err(failure::parse_line(&octets).unwrap_or_else(|| unreadable("not a JSON object").hint(NOT_RAW)))
            }
        }
    }

    /// Waits for input, and for the reader's end meanwhile.
    fn wait(&self) -> Result<(), Error> {
        match self.output {
            Watch::Reader => reader::wait_for(self.stdin.get_ref()),
            Watch::Nothing => {
                poll::is_readable(self.stdin.get_ref(), None);
                Ok(())
            }
        }
    }

    /// The octets of the next object, or of a line that is not an object; reading stops above the size limit.
    fn octets(&mut self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let mut octets = Zeroizing::new(Vec::new());
        let mut scan = Scan::default();
        loop {
            if self.stdin.buffer().is_empty() && poll::reads(self.stdin.get_ref()) {
                self.wait()?;
            }
            let chunk = match self.stdin.fill_buf() {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => continue,
                read => read.map_err(|error| unreadable(&message::reason(&error)))?,
            };
            let end = chunk.iter().position(|octet| scan.ends_at(*octet));
            let used = end.map_or(chunk.len(), |end| end + 1);
            octets.extend_from_slice(chunk.get(..used).unwrap_or_default());
            let done = end.is_some() || used == 0 || octets.len() > document::MAX_SIZE;
            self.stdin.consume(used);
            if octets.iter().all(|octet| WHITE_SPACE.contains(octet)) {
                octets.clear();
            }
            if done {
                let start = octets.iter().position(|octet| !WHITE_SPACE.contains(octet));
                octets.drain(..start.unwrap_or_default());
                return Ok(octets);
            }
        }
    }
}

/// Finds the last octet of a value: the closing brace of an object, or the end of the line for anything else.
#[derive(Default)]
struct Scan {
    depth: usize,
    started: bool,
    in_string: bool,
    escaped: bool,
}

impl Scan {
    fn ends_at(&mut self, octet: u8) -> bool {
        if self.depth == 0 {
            let object = octet == b'{' && !self.started;
            self.started |= !WHITE_SPACE.contains(&octet);
            self.depth = object.into();
            return self.started && !object && octet == b'\n';
        }
        match octet {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = self.in_string,
            b'"' => self.in_string = !self.in_string,
            b'{' if !self.in_string => self.depth += 1,
            b'}' if !self.in_string => self.depth -= 1,
            _ => {}
        }
        self.depth == 0
    }
}

/// The usage error for a required document that is missing.
pub fn empty() -> Error {
    unreadable(document::EMPTY)
}

/// What to do about a line that is no document.
const NOT_RAW: &str = "a document is a JSON object: leave out -r or --raw in the step before";

fn unreadable(wrong: &str) -> Error {
    Error::usage(format!("standard input: {wrong}"))
}
