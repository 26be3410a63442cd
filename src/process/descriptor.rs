//! A descriptor that the user names as a file, such as `/dev/fd/5`. It may lead to a secret, so no program that this
//! process starts inherits it; all others are inherited.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::io::FdFlags;

/// Closes the descriptor that this path names, if it names one, in the programs that this process starts.
pub fn close_on_exec(path: &Path) {
    match named(path) {
        // Without them, the first files that a program opens would take their place.
        None | Some(1 | 2) => {}
        Some(number) => {
            let others: Vec<i32> = close_fds::iter_open_fds_threadsafe(number.saturating_add(1)).collect();
            close_fds::set_fds_cloexec_threadsafe(number, &others);
        }
    }
}

/// Lets a program that replaces this process start with an empty standard input, if the user named this one as a file.
pub fn empty_named_stdin() -> io::Result<()> {
    if rustix::io::fcntl_getfd(io::stdin())?.contains(FdFlags::CLOEXEC) {
        rustix::stdio::dup2_stdin(fs::File::open("/dev/null")?)?;
    }
    Ok(())
}

/// The number of the own descriptor that this path names, itself or by links to it such as `/dev/stdin`; also as that of
/// the process from which it was inherited, such as `/proc/PID/fd/5`.
fn named(path: &Path) -> Option<i32> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
        let directory = fs::canonicalize(directory.unwrap_or(Path::new("."))).ok()?;
        let file = directory.join(path.file_name()?);
        let number = file.file_name()?.to_str().and_then(|name| name.parse().ok());
        if directory.ends_with("fd") && number.is_some_and(|number| is_own(number, &file)) {
            return number;
        }
        path = directory.join(fs::read_link(file).ok()?);
    }
    None
}

/// Whether the own descriptor of this number leads to this file.
fn is_own(number: i32, file: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino())).ok();
    let named = identity(file);
    let is_same = |directory| identity(&Path::new(directory).join(number.to_string())) == named;
    named.is_some() && OWN_DESCRIPTORS.into_iter().any(is_same)
}

/// Where the own descriptors are files.
const OWN_DESCRIPTORS: [&str; 2] = ["/dev/fd", "/proc/self/fd"];

/// The highest descriptor that the user may choose for a program to read; the files of this process are above.
pub const MAX_CHOSEN: u8 = 255;

/// Links that lead to one another; Linux follows no more either.
const MAX_LINKS: usize = 40;
