//! The lock on a stored login, and all changes that require it.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::seal;
use super::store::{Name, OPEN_FLAGS, Store, io_error, open_error, printable_path, unsafe_file};
use crate::client::pkce;
use crate::document::Document;
use crate::error::Error;
use crate::process::{Deadline, environment};

/// The lock of one name, until this is dropped. Its file is never removed: waiting processes have it open.
pub struct Lock<'a> {
    store: &'a Store,
    name: &'a Name,
    _file: File,
}

/// A file for a new document, with its disk space allocated.
pub struct Reserved {
    file: NamedTempFile,
}

impl<'a> Lock<'a> {
    /// Waits for the lock of this name.
    pub fn acquire(store: &'a Store, name: &'a Name, deadline: &Deadline) -> Result<Lock<'a>, Error> {
        let path = store.path(name, "lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(OPEN_FLAGS);
        let file = options.open(&path).map_err(|error| open_error(&path, &error))?;
        let metadata = file.metadata().map_err(|error| io_error(&path, &error))?;
        if !metadata.is_file() || metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(unsafe_file(&path, "not a regular file of your own"));
        }
        // The umask may have removed permissions.
        file.set_permissions(Permissions::from_mode(0o600)).map_err(|error| io_error(&path, &error))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { store, name, _file: file }),
                Err(TryLockError::WouldBlock) if !deadline.has_passed() => thread::sleep(RETRY_INTERVAL),
                Err(TryLockError::WouldBlock) => {
                    let wrong =
                        format!("{}: locked by another process for {} s", printable_path(&path), deadline.seconds());
                    return Err(Error::unavailable(wrong));
                }
                Err(TryLockError::Error(error)) => return Err(io_error(&path, &error)),
            }
        }
    }

    /// Allocates disk space for the refreshed document, and tries `PKCE_SEAL` on this one: what can fail, fails now.
    pub fn prepare(&self, document: &Document, deadline: &Deadline) -> Result<Reserved, Error> {
        let sealed = self.sealed(document, deadline)?;
        self.reserve(sealed.len() * 2 + GROWTH)
    }

    /// Writes the document into the reserved file.
    pub fn fill(&self, reserved: Reserved, document: &Document, deadline: &Deadline) -> Result<(), Error> {
        let sealed = self.sealed(document, deadline)?;
        self.put(reserved, &sealed)
    }

    /// Writes the document atomically: at any moment the file is the whole old one or the whole new one.
    pub fn write(&self, document: &Document, deadline: &Deadline) -> Result<(), Error> {
        let sealed = self.sealed(document, deadline)?;
        let reserved = self.reserve(0)?;
        self.put(reserved, &sealed)
    }

    /// The document's octets, sealed if `PKCE_SEAL` is set.
    fn sealed(&self, document: &Document, deadline: &Deadline) -> Result<Zeroizing<Vec<u8>>, Error> {
        if environment::variable("PKCE_OPEN").is_some() && environment::variable("PKCE_SEAL").is_none() {
            return Err(Error::usage("PKCE_SEAL: not set, although PKCE_OPEN is; nothing is stored unsealed"));
        }
        let line = document.checked_line()?;
        let sealed = seal::filter("PKCE_SEAL", line.as_bytes(), deadline)?;
        Ok(sealed.unwrap_or_else(|| Zeroizing::new(line.as_bytes().to_vec())))
    }

    /// Whether a refresh of this token was started, and not finished.
    pub fn is_recorded(&self, token: &str) -> bool {
        let mut options = OpenOptions::new();
        let file = options.read(true).custom_flags(OPEN_FLAGS).open(self.store.path(self.name, "pending"));
        let mut digest = String::new();
        let read = file.and_then(|file| file.take(GROWTH as u64).read_to_string(&mut digest));
        read.is_ok() && digest.trim_end() == pkce::challenge(token)
    }

    /// Records the start of this token's refresh: its digest, on disk before the token is sent.
    pub fn record(&self, token: &str) -> Result<(), Error> {
        let path = self.store.path(self.name, "pending");
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600).custom_flags(OPEN_FLAGS);
        let mut file = options.open(&path).map_err(|error| open_error(&path, &error))?;
        let text = format!("{}\n", pkce::challenge(token));
        let own = file.set_permissions(Permissions::from_mode(0o600));
        let written = own
            .and_then(|()| file.write_all(text.as_bytes()))
            .and_then(|()| file.sync_all())
            .and_then(|()| self.store.sync());
        written.map_err(|error| io_error(&path, &error))
    }

    /// Removes the record.
    pub fn forget(&self) -> Result<(), Error> {
        self.unlink(&self.store.path(self.name, "pending")).map(drop)
    }

    /// Removes the stored login and its other files; returns whether there was one.
    pub fn remove(&self) -> Result<bool, Error> {
        let removed = self.unlink(&self.store.path(self.name, "json"))?;
        self.forget()?;
        self.remove_leftovers()?;
        Ok(removed)
    }

    fn unlink(&self, path: &Path) -> Result<bool, Error> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            removed => {
                removed.and_then(|()| self.store.sync()).map_err(|error| io_error(path, &error))?;
                Ok(true)
            }
        }
    }

    /// Recovers a new document that a killed process wrote completely but did not rename: it is newer than the stored
    /// one, since each writer first removes leftover files.
    pub fn recover(&self, deadline: &Deadline) -> Result<(), Error> {
        for left in self.leftover_files()? {
            if self.store.file(&left, deadline).is_ok_and(|stored| stored.is_some()) {
                let path = self.store.path(self.name, "json");
                let synced = File::open(&left).and_then(|file| file.sync_all());
                let moved = synced.and_then(|()| fs::rename(&left, &path)).and_then(|()| self.store.sync());
                moved.map_err(|error| io_error(&path, &error))?;
            }
        }
        Ok(())
    }

    /// Removes the new files left by killed processes.
    fn remove_leftovers(&self) -> Result<(), Error> {
        self.leftover_files()?.into_iter().for_each(|left| drop(fs::remove_file(left)));
        Ok(())
    }

    /// The new files left by killed processes.
    fn leftover_files(&self) -> Result<Vec<PathBuf>, Error> {
        let prefix = self.prefix();
        let is_left = |file: &str| {
            let end = file.strip_prefix(&prefix).unwrap_or_default();
            end.len() == RANDOM_CHARACTERS && end.bytes().all(|octet| octet.is_ascii_alphanumeric())
        };
        let entries =
            fs::read_dir(&self.store.directory).map_err(|error| io_error(&self.store.directory, &error))?.flatten();
        let left = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_left));
        Ok(left.map(|entry| entry.path()).collect())
    }

    /// A new file with so many octets allocated.
    fn reserve(&self, size: usize) -> Result<Reserved, Error> {
        self.remove_leftovers()?;
        let failed = |error: io::Error| io_error(&self.store.path(self.name, "json"), &error);
        let mut file = tempfile::Builder::new()
            .prefix(&self.prefix())
            .rand_bytes(RANDOM_CHARACTERS)
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(&self.store.directory)
            .map_err(failed)?;
        file.as_file().set_permissions(Permissions::from_mode(0o600)).map_err(failed)?;
        file.write_all(&vec![0; size]).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        Ok(Reserved { file })
    }

    /// The prefix of a new file's name.
    fn prefix(&self) -> String {
        format!(".{}.json.", self.name.0)
    }

    fn put(&self, reserved: Reserved, octets: &[u8]) -> Result<(), Error> {
        let path = self.store.path(self.name, "json");
        let failed = |error: io::Error| io_error(&path, &error);
        let mut file = reserved.file;
        io::Seek::rewind(&mut file).map_err(failed)?;
        // Truncated first: a process killed here leaves an invalid document, or the whole one.
        file.as_file().set_len(octets.len() as u64).and_then(|()| file.write_all(octets)).map_err(failed)?;
        // The system clock, since a file system's time may be some milliseconds behind.
        let modified = file.as_file().set_modified(SystemTime::now());
        modified.and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        file.persist(&path).map_err(|error| failed(error.error))?;
        self.store.sync().map_err(failed)
    }
}

/// Random characters in the name of a new file, before it is renamed.
const RANDOM_CHARACTERS: usize = 8;

/// Octets by which a refreshed document may grow.
const GROWTH: usize = 64 * 1024;

/// The pause between two attempts to lock.
const RETRY_INTERVAL: Duration = Duration::from_millis(10);
