//! The lock on a stored login, and all changes that require it.

use std::convert::Infallible;
use std::fs::{File, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::fs::OFlags;
use serde_json::Value;
use zeroize::Zeroizing;

use super::directory::{RANDOM_CHARACTERS, Temporary, printable_path};
use super::name::Name;
use super::seal;
use super::store::{GROWTH, Store};
use crate::client::pkce;
use crate::document::Document;
use crate::error::Error;
use crate::process::Deadline;

/// The lock of one name, until this is dropped. Its file is never removed: waiting processes have it open.
pub struct Lock<'a> {
    store: &'a Store,
    name: &'a Name,
    _file: File,
}

/// A file for a new document, with its disk space allocated.
pub struct Reserved<'a>(Temporary<'a>);

impl<'a> Lock<'a> {
    /// Waits for the lock of this name.
    pub fn acquire(store: &'a Store, name: &'a Name, deadline: &Deadline) -> Result<Lock<'a>, Error> {
        Lock::acquire_unless(store, name, deadline, || None::<Infallible>)?.map_err(|never| match never {})
    }

    /// Waits for the lock of this name, or for what `instead` returns, with `Err`.
    pub fn acquire_unless<T>(
        store: &'a Store,
        name: &'a Name,
        deadline: &Deadline,
        mut instead: impl FnMut() -> Option<T>,
    ) -> Result<Result<Lock<'a>, T>, Error> {
        let lock = name.file("lock");
        let file = store.own_file(&lock)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Ok(Lock { store, name, _file: file })),
                Err(TryLockError::WouldBlock) if !deadline.has_passed() => {
                    if let Some(instead) = instead() {
                        return Ok(Err(instead));
                    }
                    thread::sleep(RETRY_INTERVAL);
                }
                Err(TryLockError::WouldBlock) => {
                    let (path, seconds) = (printable_path(&store.directory.path_of(&lock)), deadline.seconds());
                    return Err(Error::unavailable(format!("{path}: locked by another process for {seconds} s")));
                }
                Err(TryLockError::Error(error)) => return Err(store.directory.error(&lock, &error)),
            }
        }
    }

    /// The name that is locked.
    pub fn name(&self) -> &Name {
        self.name
    }

    /// Allocates disk space for the refreshed document, and tries `PKCE_SEAL` and `PKCE_OPEN` on this one: what can fail,
    /// fails now.
    pub fn prepare(&self, document: &Document, deadline: &Deadline) -> Result<Reserved<'a>, Error> {
        self.store.replaceable(self.name)?;
        let sealed = self.sealed(document, deadline)?;
        check_opens(&sealed, document, deadline)?;
        self.reserve(sealed.len() * 2 + GROWTH)
    }

    /// Writes the document into the reserved file.
    pub fn fill(&self, reserved: Reserved<'_>, document: &Document, deadline: &Deadline) -> Result<(), Error> {
        // The new tokens are at stake: a command that failed is run once more.
        let sealed = self.sealed(document, deadline).or_else(|_| self.sealed(document, deadline))?;
        self.put(reserved, &sealed)
    }

    /// Writes the document atomically: at any moment the file is the whole old one or the whole new one. What `PKCE_OPEN`
    /// cannot open again replaces nothing.
    pub fn write(&self, document: &Document, deadline: &Deadline) -> Result<(), Error> {
        let sealed = self.sealed(document, deadline)?;
        check_opens(&sealed, document, deadline)?;
        let reserved = self.reserve(0)?;
        self.put(reserved, &sealed)
    }

    /// The document's octets, sealed if `PKCE_SEAL` is set.
    fn sealed(&self, document: &Document, deadline: &Deadline) -> Result<Zeroizing<Vec<u8>>, Error> {
        seal::check()?;
        let line = document.checked_line()?;
        // Until it works, the next login would be lost too.
        let sealed = seal::filter("PKCE_SEAL", line.as_bytes(), deadline)
            .map_err(|error| error.hint("correct the command in PKCE_SEAL first"))?;
        Ok(sealed.unwrap_or_else(|| Zeroizing::new(line.as_bytes().to_vec())))
    }

    /// Whether a refresh of this token was started, and not finished.
    pub fn is_recorded(&self, token: &str) -> bool {
        let file = self.store.directory.file(&self.name.file("pending"), OFlags::RDONLY);
        let mut digest = String::new();
        let read = file.and_then(|file| file.take(GROWTH as u64).read_to_string(&mut digest));
        read.is_ok() && digest.trim_end() == pkce::challenge(token)
    }

    /// Records the start of this token's refresh: its digest, on disk before the token is sent.
    pub fn record(&self, token: &str) -> Result<(), Error> {
        let (directory, pending) = (&self.store.directory, self.name.file("pending"));
        let mut file = self.store.own_file(&pending)?;
        let text = format!("{}\n", pkce::challenge(token));
        let written = file
            .set_len(0)
            .and_then(|()| file.write_all(text.as_bytes()))
            .and_then(|()| file.sync_all())
            .and_then(|()| directory.sync());
        written.map_err(|error| directory.error(&pending, &error))
    }

    /// Removes the record.
    pub fn forget(&self) -> Result<(), Error> {
        self.unlink(&self.name.file("pending")).map(drop)
    }

    /// Removes the stored login and its other files; returns whether there was one.
    pub fn remove(&self) -> Result<bool, Error> {
        self.store.replaceable(self.name)?;
        let removed = self.unlink(&self.name.file("json"))?;
        self.forget()?;
        self.remove_leftovers()?;
        Ok(removed)
    }

    fn unlink(&self, file: &str) -> Result<bool, Error> {
        self.store.directory.remove(file).map_err(|error| self.store.directory.error(file, &error))
    }

    /// Recovers a new document that a killed process wrote completely but did not rename: it is newer than the stored
    /// one, since each writer first removes leftover files.
    pub fn recover(&self, deadline: &Deadline) -> Result<(), Error> {
        for left in self.leftover_files()? {
            if self.store.file(&left, deadline).is_ok_and(|stored| stored.is_some()) {
                self.store.replaceable(self.name)?;
                let (directory, file) = (&self.store.directory, self.name.file("json"));
                let synced = directory.file(&left, OFlags::RDONLY).and_then(|left| left.sync_all());
                let moved = synced.and_then(|()| directory.rename(&left, &file));
                moved.map_err(|error| self.store.directory.error(&file, &error))?;
            }
        }
        Ok(())
    }

    /// Removes the new files left by killed processes.
    fn remove_leftovers(&self) -> Result<(), Error> {
        self.leftover_files()?.iter().for_each(|left| drop(self.store.directory.remove(left)));
        Ok(())
    }

    /// The new files left by killed processes.
    fn leftover_files(&self) -> Result<Vec<String>, Error> {
        let prefix = self.prefix();
        let is_left = |file: &String| {
            let end = file.strip_prefix(&prefix).unwrap_or_default();
            end.len() == RANDOM_CHARACTERS && end.bytes().all(|octet| octet.is_ascii_alphanumeric())
        };
        Ok(self.store.directory.names()?.into_iter().filter(is_left).collect())
    }

    /// A new file with so many octets allocated.
    fn reserve(&self, size: usize) -> Result<Reserved<'a>, Error> {
        self.remove_leftovers()?;
        let failed = |error: io::Error| self.store.directory.error(&self.name.file("json"), &error);
        let mut temporary = self.store.directory.temporary(&self.prefix()).map_err(failed)?;
        temporary.file.set_permissions(Permissions::from_mode(0o600)).map_err(failed)?;
        temporary.file.write_all(&vec![0; size]).and_then(|()| temporary.file.sync_all()).map_err(failed)?;
        Ok(Reserved(temporary))
    }

    /// The prefix of a new file's name.
    fn prefix(&self) -> String {
        format!(".{}.", self.name.file("json"))
    }

    fn put(&self, Reserved(mut temporary): Reserved<'_>, octets: &[u8]) -> Result<(), Error> {
        let json = self.name.file("json");
        let failed = |error: io::Error| self.store.directory.error(&json, &error);
        let file = &mut temporary.file;
        io::Seek::rewind(file).map_err(failed)?;
        // Truncated first: a process killed here leaves an invalid document, or the whole one.
        file.set_len(octets.len() as u64).and_then(|()| file.write_all(octets)).map_err(failed)?;
        // The system clock, since a file system's time may be some milliseconds behind.
        file.set_modified(SystemTime::now()).and_then(|()| file.sync_all()).map_err(failed)?;
        temporary.rename(&json).map_err(failed)
    }
}

/// Fails unless `PKCE_OPEN`, if set, opens what `PKCE_SEAL` wrote: a file sealed for another key would be lost.
fn check_opens(sealed: &[u8], document: &Document, deadline: &Deadline) -> Result<(), Error> {
    let wrong = |error: Error| {
        let hint = "nothing was changed; PKCE_SEAL must encrypt for the key with which PKCE_OPEN decrypts";
        error.within("PKCE_SEAL: its output cannot be opened").hint(hint)
    };
    let Some(opened) = seal::filter("PKCE_OPEN", sealed, deadline).map_err(wrong)? else { return Ok(()) };
    let line = document.line();
    let value = |octets: &[u8]| serde_json::from_slice::<Value>(octets).ok();
    // A command that knows JSON may write it in another form.
    let is_same = |other: Document| {
        other.line() == line || value(&opened).is_some_and(|opened| value(line.as_bytes()) == Some(opened))
    };
    if !Document::parse(&opened).is_ok_and(is_same) {
        return Err(wrong(Error::unavailable("PKCE_OPEN: the result is not the document")));
    }
    Ok(())
}

/// The pause between two attempts to lock.
const RETRY_INTERVAL: Duration = Duration::from_millis(10);
