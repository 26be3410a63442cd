//! A descriptor that the user names as a file, such as `/dev/fd/5`. It may lead to a secret, so no program that this
//! process starts inherits it; all others are inherited.

use std::fs;
use std::io;
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

/// The number of the own descriptor that this path names, itself or by links to it such as `/dev/stdin`.
fn named(path: &Path) -> Option<i32> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
        let directory = fs::canonicalize(directory.unwrap_or(Path::new("."))).ok()?;
        let file = directory.join(path.file_name()?);
        if is_of_descriptors(&directory) {
            return file.file_name()?.to_str()?.parse().ok().filter(|number| *number >= 0);
        }
        path = directory.join(fs::read_link(file).ok()?);
    }
    None
}

/// Whether the files of this directory are the own descriptors; on Linux, `/dev/fd` is a link to it.
fn is_of_descriptors(directory: &Path) -> bool {
    let is_own = || fs::canonicalize("/proc/self").is_ok_and(|own| directory.starts_with(own));
    directory == Path::new("/dev/fd") || directory.file_name().is_some_and(|name| name == "fd") && is_own()
}

/// The highest descriptor that the user may choose for a program to read; the files of this process are above.
pub const MAX_CHOSEN: u8 = 255;

/// Links that lead to one another; Linux follows no more either.
const MAX_LINKS: usize = 40;
