//! Standard input, and what a program writes there to its credential helper.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;

use zeroize::Zeroizing;

use crate::error::Error;
use crate::message;
use crate::process::{poll, reader};

/// Octets that are wiped when dropped.
type Octets = Zeroizing<Vec<u8>>;

/// Standard input, without a buffer; at a terminal, a note says that this is expected there.
pub fn stdin(expected: &str) -> Result<File, Error> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        message::note(&format!("reading {expected} from the terminal; end it with Ctrl-D"));
    }
    let file = stdin.as_fd().try_clone_to_owned().map(File::from);
    file.map_err(|error| Error::unavailable(format!("standard input: {}", message::reason(&error))))
}

/// The lines of standard input, up to an empty one or the end.
pub fn lines() -> Result<Vec<Octets>, Error> {
    let is_complete = |octets: &[u8]| octets.starts_with(b"\n") || octets.windows(2).any(|pair| pair == b"\n\n");
    let octets = read(is_complete)?;
    let lines = octets.split(|octet| *octet == b'\n').take_while(|line| !line.is_empty());
    Ok(lines.map(|line| Zeroizing::new(line.to_vec())).collect())
}

/// The whole of standard input.
pub fn all() -> Result<Octets, Error> {
    read(|_| false)
}

/// Reads until this is complete, or to the end; fails as soon as nothing reads standard output any more.
fn read(is_complete: impl Fn(&[u8]) -> bool) -> Result<Octets, Error> {
    let mut stdin = stdin("a request")?;
    let mut octets = Zeroizing::new(Vec::with_capacity(CHUNK));
    let mut chunk = Zeroizing::new([0; CHUNK]);
    while !is_complete(&octets) {
        if poll::reads(&stdin) {
            reader::wait_for(&stdin)?;
        }
        let count = match stdin.read(chunk.as_mut()) {
            Ok(0) => break,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => continue,
            read => read.map_err(|error| Error::usage(format!("standard input: {}", message::reason(&error))))?,
        };
        if octets.len() + count > MAX_SIZE {
            return Err(Error::usage(format!("standard input: larger than {} KiB", MAX_SIZE / 1024)));
        }
        octets.extend_from_slice(chunk.get(..count).unwrap_or_default());
    }
    Ok(octets)
}

/// Octets read at once.
const CHUNK: usize = 16 * 1024;

/// More than any program writes to its credential helper, in octets.
const MAX_SIZE: usize = 1024 * 1024;
