//! The stored documents: one file per name, in a directory that only the user can access.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use rustix::fs::OFlags;
#[cfg(target_os = "linux")]
use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
use zeroize::Zeroizing;

use super::seal::{self, MAX_SIZE};
use crate::document::Document;
use crate::error::Error;
use crate::message;
use crate::process::Deadline;

/// The directory of the stored documents, checked to be inaccessible to other users.
pub struct Store {
    pub(super) directory: PathBuf,
    last: Mutex<Option<(Octets, Document)>>,
}

/// The name of a stored login; it is part of a file name, so it has no `/` and no leading dot.
#[derive(Clone)]
pub struct Name(pub(super) String);

impl Name {
    /// Parses a name: `[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}`.
    pub fn parse(text: &str) -> Result<Name, String> {
        let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"._@+-".contains(&octet);
        let is_name =
            text.len() <= 64 && text.bytes().all(plain) && text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !is_name {
            return Err(
                "must be a letter or digit, then up to 63 letters, digits, dots, hyphens, underscores, @ or +".into()
            );
        }
        Ok(Name(text.to_owned()))
    }
}

/// A stored document.
pub struct Stored {
    /// The document.
    pub document: Document,
    /// When it was stored.
    pub written: SystemTime,
}

impl Store {
    /// Fails if no login can be stored under this name, as far as that shows without its document: in the environment, in
    /// the directory, in the files of this name, and in the room on the disk.
    ///
    /// It takes no lock, and runs neither `PKCE_SEAL` nor `PKCE_OPEN`: two programs must not prompt on one terminal.
    pub fn ready(name: &Name) -> Result<(), Error> {
        seal::check()?;
        let store = Store::create()?;
        let path = store.path(name, "json");
        let size = match octets(&path)? {
            None => 0,
            Some((octets, _)) => {
                store.replaceable(name)?;
                if !seal::is_used() {
                    parsed(&path, &octets)?;
                }
                octets.len()
            }
        };
        store.lock_file(name)?;
        // Its file has no name, so that a killed process leaves none; nothing recovers it as a stored login.
        let probe = tempfile::tempfile_in(&store.directory)
            .and_then(|mut file| file.write_all(&vec![0; size + GROWTH]).and_then(|()| file.sync_all()));
        probe.map_err(|error| io_error(&path, &error))
    }

    /// The store that the environment names; `None` if its directory is missing.
    pub fn open() -> Result<Option<Store>, Error> {
        let directory = directory()?;
        match fs::symlink_metadata(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error(&directory, &error)),
            Ok(metadata) if !metadata.is_dir() => Err(unsafe_file(&directory, "not a directory")),
            Ok(metadata) => {
                check(&directory, &metadata, "700")?;
                Ok(Some(Store { directory, last: Mutex::default() }))
            }
        }
    }

    /// The store that the environment names; its directory is created if missing.
    pub fn create() -> Result<Store, Error> {
        let directory = directory()?;
        let failed = |error: io::Error| io_error(&directory, &error);
        if fs::symlink_metadata(&directory).is_err() {
            DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(failed)?;
            // The umask may have removed permissions.
            fs::set_permissions(&directory, Permissions::from_mode(0o700)).map_err(failed)?;
        }
        Store::open()?
            .ok_or_else(|| Error::unavailable(format!("{}: removed by another process", printable_path(&directory))))
    }

    /// The names of the stored logins, sorted.
    pub fn names(&self) -> Result<Vec<String>, Error> {
        let failed = |error: io::Error| io_error(&self.directory, &error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let file = entry.map_err(failed)?.file_name();
            let name = file.to_str().and_then(|file| file.strip_suffix(".json"));
            names.extend(name.filter(|name| Name::parse(name).is_ok()).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    /// The document stored under this name, if any.
    pub fn read(&self, name: &Name, deadline: &Deadline) -> Result<Option<Stored>, Error> {
        self.file(&self.path(name, "json"), deadline)
    }

    /// The document in this file, if it exists.
    pub(super) fn file(&self, path: &Path, deadline: &Deadline) -> Result<Option<Stored>, Error> {
        let Some((octets, written)) = octets(path)? else { return Ok(None) };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // What was read before is not opened again, since `PKCE_OPEN` may prompt the user.
        if let Some((_, document)) = last.as_ref().filter(|(before, _)| *before == octets) {
            return Ok(Some(Stored { document: document.clone(), written }));
        }
        let opened = seal::filter("PKCE_OPEN", &octets, deadline).map_err(|error| {
            error
                .within(&printable_path(path))
                .hint("the stored login is unchanged; PKCE_OPEN must open what PKCE_SEAL sealed")
        })?;
        let document = parsed(path, opened.as_ref().unwrap_or(&octets))?;
        *last = Some((octets, document.clone()));
        Ok(Some(Stored { document, written }))
    }

    /// Fails if the file of this name is a mount point (a file that a container mounts): it can be read, but neither
    /// replaced nor removed.
    pub fn replaceable(&self, name: &Name) -> Result<(), Error> {
        let path = self.path(name, "json");
        if is_mount_point(&path, &self.directory) {
            let error =
                Error::unavailable(format!("{}: a mount point, which cannot be replaced", printable_path(&path)));
            return Err(error.hint(format!("mount the directory {} instead", printable_path(&self.directory))));
        }
        Ok(())
    }

    /// The file to lock for this name; it is created if missing.
    pub(super) fn lock_file(&self, name: &Name) -> Result<File, Error> {
        let path = self.path(name, "lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(OPEN_FLAGS);
        let file = options.open(&path).map_err(|error| open_error(&path, &error))?;
        let metadata = file.metadata().map_err(|error| io_error(&path, &error))?;
        if !metadata.is_file() || metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(unsafe_file(&path, "not a regular file of your own"));
        }
        // The umask may have removed permissions.
        file.set_permissions(Permissions::from_mode(0o600)).map_err(|error| io_error(&path, &error))?;
        Ok(file)
    }

    /// Syncs created, renamed and removed files to disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }

    /// The path of the file of this name with this extension.
    pub(super) fn path(&self, name: &Name, end: &str) -> PathBuf {
        self.directory.join(format!("{}.{end}", name.0))
    }
}

/// The error for a name without a stored login: status 5.
pub fn not_stored(name: &Name) -> Error {
    Error::login_required(format!("{}: nothing is stored under this name", name.0))
}

/// The octets of this file and when they were written; `None` if it is missing.
fn octets(path: &Path) -> Result<Option<(Octets, SystemTime)>, Error> {
    let failed = |error: io::Error| io_error(path, &error);
    let mut options = OpenOptions::new();
    let file = match options.read(true).custom_flags(OPEN_FLAGS).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| open_error(path, &error))?,
    };
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() || metadata.nlink() > 1 {
        return Err(unsafe_file(path, "not a regular file of your own"));
    }
    check(path, &metadata, "600")?;
    let mut octets = Zeroizing::new(Vec::new());
    file.take(MAX_SIZE).read_to_end(&mut octets).map_err(failed)?;
    Ok(Some((octets, metadata.modified().map_err(failed)?)))
}

/// The document in the opened octets of this file.
fn parsed(path: &Path, octets: &[u8]) -> Result<Document, Error> {
    Document::parse(octets).map_err(|wrong| {
        let error = Error::untrusted(format!("{}: {wrong}", printable_path(path)));
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let cause = if seal::is_used() {
            "PKCE_OPEN must decrypt what PKCE_SEAL encrypted"
        } else {
            "the file is damaged, or encrypted: then set PKCE_OPEN"
        };
        error.hint(format!("{cause}; pkce-store --remove {name} removes it"))
    })
}

/// Whether something is mounted on this file; an older kernel shows no more than that its device is not the directory's.
fn is_mount_point(path: &Path, directory: &Path) -> bool {
    #[cfg(target_os = "linux")]
    if let Ok(facts) = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty())
        && facts.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT)
    {
        return facts.stx_attributes.contains(StatxAttributes::MOUNT_ROOT);
    }
    is_on_another_device(path, directory)
}

fn is_on_another_device(path: &Path, directory: &Path) -> bool {
    let device = |path: &Path| fs::symlink_metadata(path).map(|metadata| metadata.dev());
    matches!((device(path), device(directory)), (Ok(file), Ok(directory)) if file != directory)
}

/// The store's directory: `$PKCE_HOME`, else in the state directory of the XDG Base Directory Specification.
fn directory() -> Result<PathBuf, Error> {
    let named = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    if let Some(directory) = named("PKCE_HOME") {
        return Ok(directory);
    }
    // The specification requires a relative path to be ignored.
    if let Some(state) = named("XDG_STATE_HOME").filter(|path| path.is_absolute()) {
        return Ok(state.join("pkce"));
    }
    match named("HOME") {
        Some(home) => Ok(home.join(".local/state/pkce")),
        None => Err(Error::usage("HOME: not set").hint("set PKCE_HOME to the directory for stored logins")),
    }
}

/// Fails for a file that other users own or can access: its content may be disclosed or forged.
fn check(path: &Path, metadata: &fs::Metadata, mode: &str) -> Result<(), Error> {
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(unsafe_file(path, "owned by another user"));
    }
    if metadata.mode() & 0o077 != 0 {
        let error = unsafe_file(path, "accessible to other users");
        return Err(error.hint(format!("check its content, then run: chmod {mode} {}", printable_path(path))));
    }
    Ok(())
}

/// The error for a file that cannot be opened; a symbolic link is named as the reason.
pub(super) fn open_error(path: &Path, error: &io::Error) -> Error {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => unsafe_file(path, "a symbolic link"),
        _ => io_error(path, error),
    }
}

/// The error for a failed operation on this file: status 3.
pub(super) fn io_error(path: &Path, error: &io::Error) -> Error {
    Error::unavailable(format!("{}: {}", printable_path(path), message::reason(error)))
}

/// The error for a file that other users may have read or written: status 4.
pub(super) fn unsafe_file(path: &Path, wrong: &str) -> Error {
    Error::untrusted(format!("{}: {wrong}", printable_path(path)))
}

/// A path, sanitized for a message.
pub(super) fn printable_path(path: &Path) -> String {
    message::printable(&path.to_string_lossy())
}

/// Never follows a symbolic link, and never blocks on a FIFO.
pub(super) const OPEN_FLAGS: i32 = (OFlags::NOFOLLOW.bits() | OFlags::NONBLOCK.bits()) as i32;

/// Octets that are wiped when dropped.
type Octets = Zeroizing<Vec<u8>>;

/// Octets by which a stored document may grow, and those of a first one.
pub(super) const GROWTH: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_mount_point_by_the_kernel_or_by_its_device() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("work.json");
        fs::write(&file, "{}").unwrap();
        for known in [is_mount_point, is_on_another_device] {
            assert!(known(Path::new("/proc"), Path::new("/")));
            assert!(!known(&file, directory.path()));
            assert!(!known(&directory.path().join("missing"), directory.path()));
        }
    }
}
