//! Standard input: one document, or a stream of them.

use std::cell::OnceCell;
use std::fs::File;
use std::io::{self, ErrorKind, Read};

use memchr::{memchr, memchr2};
use zeroize::Zeroizing;

use super::{failure, output};
use crate::document::{self, Document, WHITE_SPACE};
use crate::error::Error;
use crate::message;
use crate::process::input::stdin;
use crate::process::{poll, reader};

/// Octets that are wiped when dropped.
type Octets = Zeroizing<Vec<u8>>;

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
    let mut next = || documents.next(Document::default(), || Ok(()));
    let document = next()?.ok_or_else(empty)?;
    match next()? {
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
    stdin: File,
    /// Whether it is open for reading, and so can be waited for.
    is_for_reading: bool,
    output: Watch,
    /// What was read; of it the octets from `start` to `end` belong to no document yet.
    read: Octets,
    start: usize,
    end: usize,
}

impl Documents {
    /// The documents on this process's standard input.
    pub fn from_stdin(output: Watch) -> Result<Documents, Error> {
        let stdin = stdin("a document")?;
        let is_for_reading = poll::reads(&stdin);
        Ok(Documents { stdin, is_for_reading, output, read: Octets::default(), start: 0, end: 0 })
    }

    /// The next document, in the buffers of one that is not needed any more; `None` at the end of the input. Before more
    /// input is read, which may take long, `before_read` is called.
    pub fn next(
        &mut self,
        used: Document,
        before_read: impl FnMut() -> Result<(), Error>,
    ) -> Result<Option<Document>, Error> {
        let octets = self.octets(before_read)?;
        match octets.first() {
            None => Ok(None),
            Some(b'{') => used.replaced_by(octets).map(Some).map_err(|wrong| unreadable(&wrong)),
            Some(_) => {
                Err(failure::parse_line(octets).unwrap_or_else(|| unreadable("not a JSON object").hint(NOT_RAW)))
            }
        }
    }

    /// The octets of the next object, or of a line that is not an object; reading stops above the size limit.
    fn octets(&mut self, mut before_read: impl FnMut() -> Result<(), Error>) -> Result<&[u8], Error> {
        let mut scan = Scan::default();
        loop {
            let unread = self.read.get(self.start..self.end).unwrap_or_default();
            let white = unread.iter().take_while(|octet| WHITE_SPACE.contains(octet)).count();
            self.start += white;
            let unread = unread.get(white..).unwrap_or_default();
            let end = scan.end(unread);
            let is_too_large = unread.len() > document::MAX_SIZE;
            let length = unread.len();
            if end.is_some() || is_too_large || !self.read_more(&mut before_read)? {
                let start = self.start;
                self.start += end.unwrap_or(length);
                return Ok(self.read.get(start..self.start).unwrap_or_default());
            }
        }
    }

    /// Reads what there is, or waits for it, and for the reader's end meanwhile; false at the end of the input.
    fn read_more(&mut self, before_read: &mut impl FnMut() -> Result<(), Error>) -> Result<bool, Error> {
        before_read()?;
        self.make_room();
        loop {
            if self.is_for_reading {
                self.wait()?;
            }
            match self.stdin.read(self.read.get_mut(self.end..).unwrap_or_default()) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                read => {
                    let count = read.map_err(|error| unreadable(&message::reason(&error)))?;
                    self.end += count;
                    return Ok(count > 0);
                }
            }
        }
    }

    /// Waits for input, and for the reader's end meanwhile.
    fn wait(&self) -> Result<(), Error> {
        match self.output {
            Watch::Reader => reader::wait_for(&self.stdin),
            Watch::Nothing => {
                poll::is_readable(&self.stdin, None);
                Ok(())
            }
        }
    }

    /// Makes room for the next octets: in a buffer twice as large where a stream or a document fills this one.
    fn make_room(&mut self) {
        let is_full = self.end == self.read.len();
        if is_full && (self.start == 0 || self.read.len() < CHUNK) {
            let mut larger = Octets::new(vec![0; FIRST_CHUNK.max(self.read.len() * 2)]);
            let unread = self.read.get(self.start..self.end).unwrap_or_default();
            larger.iter_mut().zip(unread).for_each(|(new, octet)| *new = *octet);
            self.read = larger;
        } else if is_full || self.start == self.end {
            self.read.copy_within(self.start..self.end, 0);
        } else {
            return;
        }
        self.end -= self.start;
        self.start = 0;
    }
}

/// Finds the end of a value: the closing brace of an object, or the end of the line for anything else.
#[derive(Default)]
struct Scan {
    /// Octets that need not be looked at again: after an escape, one that may not be there yet.
    done: usize,
    depth: usize,
    in_string: bool,
}

impl Scan {
    /// The length of the value at the start of these octets, if its end is among them; else they come again, and more.
    fn end(&mut self, octets: &[u8]) -> Option<usize> {
        let is_object = octets.first() == Some(&b'{');
        loop {
            let rest = octets.get(self.done..).unwrap_or_default();
            let found = match () {
                () if !is_object => memchr(b'\n', rest),
                () if self.in_string => memchr2(b'"', b'\\', rest),
                () => rest.iter().position(|octet| matches!(octet, b'"' | b'{' | b'}')),
            };
            let Some(found) = found else {
                self.done = self.done.max(octets.len());
                return None;
            };
            self.done += found + 1;
            match rest.get(found) {
                Some(b'"') => self.in_string = !self.in_string,
                Some(b'\\') => self.done += 1,
                Some(b'{') => self.depth += 1,
                Some(b'}') => self.depth -= 1,
                _ => {}
            }
            if self.depth == 0 {
                return Some(self.done);
            }
        }
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

/// The octets that are read at once: of a stream as many as a pipe holds on Linux, and at first those of one document.
const CHUNK: usize = 64 * 1024;
const FIRST_CHUNK: usize = 4 * 1024;
