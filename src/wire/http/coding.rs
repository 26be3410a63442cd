//! Content codings (RFC 9110 section 8.4.1): some servers use one although none was requested.

use std::io::{self, Read};

use flate2::read::{DeflateDecoder, GzDecoder, MultiGzDecoder, ZlibDecoder};
use zeroize::Zeroizing;

use crate::document::{MAX_SIZE, too_large};
use crate::message::printable;

/// The body in these octets, or why it cannot be used. Text is not compressed, whatever the header says: some proxies
/// decode a body and leave the header. The size limit applies to the result too, so that a small body that expands without end does no harm.
pub fn decoded(coding: &str, octets: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, String> {
    let octets = limited(octets)?;
    let coding = coding.trim().to_ascii_lowercase();
    if str::from_utf8(&octets).is_ok() {
        return Ok(octets);
    }
    let Some(name) = coding.split(',').map(str::trim).find(|name| !["", "identity"].contains(name)) else {
        return Ok(octets);
    };
    let body = match name {
        "gzip" | "x-gzip" => gunzipped(&octets),
        "deflate" if is_zlib(&octets) => read(ZlibDecoder::new(octets.as_slice()), None),
        // Some servers leave out the zlib format around it.
        "deflate" => read(DeflateDecoder::new(octets.as_slice()), None),
        // A longer name is none, and might be anything.
        name if name.len() > LONGEST_NAME => return Err("has an unsupported content encoding".to_owned()),
        name => return Err(format!("has an unsupported content encoding: {}", printable(name))),
    };
    limited(body.map_err(|_| format!("is not valid {name}"))?)
}

/// The members of a gzip body; without what is no member after the first.
fn gunzipped(octets: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
    read(MultiGzDecoder::new(octets), None).or_else(|_| read(GzDecoder::new(octets), None))
}

/// All octets, up to one more than the limit; the size is known or not.
pub fn read(from: impl Read, size: Option<u64>) -> io::Result<Zeroizing<Vec<u8>>> {
    let limit = MAX_SIZE as u64 + 1;
    // Large enough from the start: a buffer that grows would leave copies of a token in memory.
    let capacity = size.map_or(INITIAL_CAPACITY, |size| size.min(limit) as usize);
    let mut octets = Zeroizing::new(Vec::with_capacity(capacity));
    from.take(limit).read_to_end(&mut octets)?;
    Ok(octets)
}

fn limited(octets: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, String> {
    if octets.len() > MAX_SIZE { Err(format!("is {}", too_large())) } else { Ok(octets) }
}

/// Whether the octets begin with a zlib header (RFC 1950 section 2.2).
fn is_zlib(octets: &[u8]) -> bool {
    matches!(octets, [first, second, ..] if first & 0x0f == 8 && u16::from_be_bytes([*first, *second]) % 31 == 0)
}

/// Length of the longest name in the IANA registry that servers use: compress.
const LONGEST_NAME: usize = 8;

/// Initial buffer size in octets for a body of unknown size: a large token response fits.
const INITIAL_CAPACITY: usize = 64 * 1024;
