//! The kept documents: one file a name, in a folder of the user's own.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::seal;
use crate::tool::Deadline;
use crate::{Document, Error, Kind, pkce, tool};

/// The folder of the kept documents, checked: nobody else can read it or put something into it.
pub struct Store {
    folder: PathBuf,
}

/// A document's name; it is part of a file's name, so it has no `/` and begins with no dot.
#[derive(Clone)]
pub struct Name(String);

impl Name {
    /// Reads an argument's name: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
    pub fn parse(text: &str) -> Result<Name, String> {
        let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"._-".contains(&octet);
        let whole =
            text.len() <= 64 && text.bytes().all(plain) && text.starts_with(|c: char| c.is_ascii_alphanumeric());
        match whole {
            true => Ok(Name(text.to_owned())),
            false => Err("must be a letter or digit, then up to 63 letters, digits, dots, hyphens, underscores".into()),
        }
    }
}

/// The right to change what is kept under a name, until this is dropped. The file stays: who waits for it has it open.
pub struct Lock {
    _file: File,
    name: Name,
}

/// A kept document.
pub struct Kept {
    /// The document.
    pub document: Document,
    /// When it was kept.
    pub written: SystemTime,
}

/// A file for a new document that has its room on the disk already.
pub struct Reserved {
    file: tempfile::NamedTempFile,
}

impl Store {
    /// The folder, as the environment names it; nothing where it is not there.
    pub fn open() -> Result<Option<Store>, Error> {
        let folder = folder()?;
        match fs::symlink_metadata(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::unavailable(format!("{}: {}", shown(&folder), tool::reason(&error)))),
            Ok(metadata) if !metadata.is_dir() => Err(loose(&folder, "not a folder of its own")),
            Ok(metadata) => {
                check(&folder, &metadata, "700")?;
                Ok(Some(Store { folder }))
            }
        }
    }

    /// The folder, made where it is not there.
    pub fn create() -> Result<Store, Error> {
        let folder = folder()?;
        let failed = |error: io::Error| Error::unavailable(format!("{}: {}", shown(&folder), tool::reason(&error)));
        if fs::symlink_metadata(&folder).is_err() {
            DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
            // Whatever the umask took away.
            fs::set_permissions(&folder, Permissions::from_mode(0o700)).map_err(failed)?;
        }
        Store::open()?.ok_or_else(|| Error::unavailable(format!("{}: gone again", shown(&folder))))
    }

    /// The names that are kept, sorted.
    pub fn names(&self) -> Result<Vec<String>, Error> {
        let failed = |error: io::Error| self.failed(&self.folder, &error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let file = entry.map_err(failed)?.file_name();
            let name = file.to_str().and_then(|file| file.strip_suffix(".json"));
            names.extend(name.filter(|name| Name::parse(name).is_ok()).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    /// Waits for the right to change what is kept under this name.
    pub fn lock(&self, name: &Name, deadline: &Deadline) -> Result<Lock, Error> {
        let path = self.path(name, "lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(NO_LINK);
        let file = options.open(&path).map_err(|error| self.refused(&path, &error))?;
        let owner = file.metadata().map_err(|error| self.failed(&path, &error))?;
        if !owner.is_file() || owner.uid() != rustix::process::geteuid().as_raw() {
            return Err(loose(&path, "not a file of its own"));
        }
        // Whatever the umask took away.
        file.set_permissions(Permissions::from_mode(0o600)).map_err(|error| self.failed(&path, &error))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file, name: name.clone() }),
                Err(TryLockError::WouldBlock) if !deadline.left().is_zero() => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    let wrong = format!("{}: held by another process for {} s", shown(&path), deadline.seconds());
                    return Err(Error::unavailable(wrong));
                }
                Err(TryLockError::Error(error)) => return Err(self.failed(&path, &error)),
            }
        }
    }

    /// The document that is kept under this name, if any.
    pub fn read(&self, name: &Name, deadline: &Deadline) -> Result<Option<Kept>, Error> {
        self.file(&self.path(name, "json"), deadline)
    }

    fn file(&self, path: &Path, deadline: &Deadline) -> Result<Option<Kept>, Error> {
        let mut options = OpenOptions::new();
        let file = match options.read(true).custom_flags(NO_LINK).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|error| self.refused(path, &error))?,
        };
        let metadata = file.metadata().map_err(|error| self.failed(path, &error))?;
        if !metadata.is_file() || metadata.nlink() > 1 {
            return Err(loose(path, "not a file of its own"));
        }
        check(path, &metadata, "600")?;
        let mut octets = Zeroizing::new(Vec::new());
        let read = file.take(SIZE).read_to_end(&mut octets);
        read.map_err(|error| self.failed(path, &error))?;
        let opened = seal::through("PKCE_OPEN", &octets, deadline).map_err(|error| {
            let error = Error::new(error.kind, format!("{}: {}", shown(path), error.report.message));
            error.hint("what is kept stays as it is; PKCE_OPEN must open what PKCE_SEAL has sealed")
        })?;
        let wrong = |wrong: &str| {
            let error = Error::untrusted(format!("{}: {wrong}", shown(path)));
            error.hint("PKCE_OPEN opens what PKCE_SEAL has sealed; pkce-store --remove clears it away")
        };
        let document = Document::parse(&opened.unwrap_or(octets)).map_err(|reason| wrong(&reason))?;
        let written = metadata.modified().map_err(|error| self.failed(path, &error))?;
        Ok(Some(Kept { document, written }))
    }

    /// Room for what this document will become, with the command of `PKCE_SEAL` tried out on it: what can fail, fails now.
    pub fn prepare(&self, lock: &Lock, document: &Document, deadline: &Deadline) -> Result<Reserved, Error> {
        let sealed = self.sealed(document, deadline)?;
        self.reserve(lock, sealed.len() * 2 + ROOM)
    }

    /// Keeps the document in the room that was prepared for it.
    pub fn fill(&self, lock: &Lock, reserved: Reserved, document: &Document, deadline: &Deadline) -> Result<(), Error> {
        let sealed = self.sealed(document, deadline)?;
        self.put(lock, reserved, &sealed)
    }

    /// Keeps the document under the lock's name: the file is the old one or the new one, whole, at any moment.
    pub fn write(&self, lock: &Lock, document: &Document, deadline: &Deadline) -> Result<(), Error> {
        let sealed = self.sealed(document, deadline)?;
        let reserved = self.reserve(lock, 0)?;
        self.put(lock, reserved, &sealed)
    }

    /// What is written of the document.
    fn sealed(&self, document: &Document, deadline: &Deadline) -> Result<Zeroizing<Vec<u8>>, Error> {
        if tool::environment("PKCE_OPEN").is_some() && tool::environment("PKCE_SEAL").is_none() {
            return Err(Error::usage("PKCE_SEAL: not set, though PKCE_OPEN is; nothing is kept unsealed"));
        }
        let line = document.line();
        let sealed = seal::through("PKCE_SEAL", line.as_bytes(), deadline)?;
        Ok(sealed.unwrap_or_else(|| Zeroizing::new(line.as_bytes().to_vec())))
    }

    /// Whether a refresh of this token was begun, and not ended.
    pub fn is_recorded(&self, lock: &Lock, token: &str) -> bool {
        let mut options = OpenOptions::new();
        let file = options.read(true).custom_flags(NO_LINK).open(self.path(&lock.name, "pending"));
        let mut digest = String::new();
        let read = file.and_then(|file| file.take(ROOM as u64).read_to_string(&mut digest));
        read.is_ok() && digest.trim_end() == pkce::challenge(token)
    }

    /// Records that the refresh of this token is begun: its digest, on the disk before it is sent.
    pub fn record(&self, lock: &Lock, token: &str) -> Result<(), Error> {
        let path = self.path(&lock.name, "pending");
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600).custom_flags(NO_LINK);
        let mut file = options.open(&path).map_err(|error| self.refused(&path, &error))?;
        let text = format!("{}\n", pkce::challenge(token));
        let own = file.set_permissions(Permissions::from_mode(0o600));
        let written = own
            .and_then(|()| file.write_all(text.as_bytes()))
            .and_then(|()| file.sync_all())
            .and_then(|()| self.sync());
        written.map_err(|error| self.failed(&path, &error))
    }

    /// Takes the record away.
    pub fn forget(&self, lock: &Lock) -> Result<(), Error> {
        self.unlink(&self.path(&lock.name, "pending")).map(drop)
    }

    /// Removes what is kept under the lock's name, and all that belongs to it; whether there was something.
    pub fn remove(&self, lock: &Lock) -> Result<bool, Error> {
        let removed = self.unlink(&self.path(&lock.name, "json"))?;
        self.forget(lock)?;
        self.clear(lock)?;
        Ok(removed)
    }

    fn unlink(&self, path: &Path) -> Result<bool, Error> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            removed => {
                removed.and_then(|()| self.sync()).map_err(|error| self.failed(path, &error))?;
                Ok(true)
            }
        }
    }

    /// Takes over a new document that a killed process has written whole, and not renamed: it is later than what is
    /// kept, since whoever writes clears away what was left before.
    pub fn recover(&self, lock: &Lock, deadline: &Deadline) -> Result<(), Error> {
        for left in self.left(lock)? {
            if self.file(&left, deadline).is_ok_and(|kept| kept.is_some()) {
                let path = self.path(&lock.name, "json");
                let synced = File::open(&left).and_then(|file| file.sync_all());
                let moved = synced.and_then(|()| fs::rename(&left, &path)).and_then(|()| self.sync());
                moved.map_err(|error| self.failed(&path, &error))?;
            }
        }
        Ok(())
    }

    /// Clears away the new files that killed processes have left under the lock's name.
    fn clear(&self, lock: &Lock) -> Result<(), Error> {
        self.left(lock)?.into_iter().for_each(|left| drop(fs::remove_file(left)));
        Ok(())
    }

    /// The new files that killed processes have left under the lock's name.
    fn left(&self, lock: &Lock) -> Result<Vec<PathBuf>, Error> {
        let prefix = self.prefix(lock);
        let is_left = |file: &str| {
            let end = file.strip_prefix(&prefix).unwrap_or_default();
            end.len() == RANDOM && end.bytes().all(|octet| octet.is_ascii_alphanumeric())
        };
        let entries = fs::read_dir(&self.folder).map_err(|error| self.failed(&self.folder, &error))?.flatten();
        let left = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_left));
        Ok(left.map(|entry| entry.path()).collect())
    }

    /// A new file with room for so many octets.
    fn reserve(&self, lock: &Lock, size: usize) -> Result<Reserved, Error> {
        self.clear(lock)?;
        let failed = |error: io::Error| self.failed(&self.path(&lock.name, "json"), &error);
        let mut file = tempfile::Builder::new()
            .prefix(&self.prefix(lock))
            .rand_bytes(RANDOM)
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(&self.folder)
            .map_err(failed)?;
        file.as_file().set_permissions(Permissions::from_mode(0o600)).map_err(failed)?;
        file.write_all(&vec![0; size]).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        Ok(Reserved { file })
    }

    /// How a new file's name begins.
    fn prefix(&self, lock: &Lock) -> String {
        format!(".{}.json.", lock.name.0)
    }

    fn put(&self, lock: &Lock, reserved: Reserved, octets: &[u8]) -> Result<(), Error> {
        let path = self.path(&lock.name, "json");
        let failed = |error: io::Error| self.failed(&path, &error);
        let mut file = reserved.file;
        io::Seek::rewind(&mut file).map_err(failed)?;
        // Shortened first: a process that is killed here leaves what is no document, or the whole of it.
        file.as_file().set_len(octets.len() as u64).and_then(|()| file.write_all(octets)).map_err(failed)?;
        // The clock's own time: a file system's may be some milliseconds behind.
        let modified = file.as_file().set_modified(SystemTime::now());
        modified.and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        file.persist(&path).map_err(|error| failed(error.error))?;
        self.sync().map_err(failed)
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    fn path(&self, name: &Name, end: &str) -> PathBuf {
        self.folder.join(format!("{}.{end}", name.0))
    }

    /// A file that cannot be opened: where it is a link, that is why.
    fn refused(&self, path: &Path, error: &io::Error) -> Error {
        match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_symlink() => loose(path, "a symbolic link"),
            _ => self.failed(path, error),
        }
    }

    fn failed(&self, path: &Path, error: &io::Error) -> Error {
        Error::unavailable(format!("{}: {}", shown(path), tool::reason(error)))
    }
}

/// Nothing is kept under this name: only a login helps.
pub fn nothing(name: &Name) -> Error {
    Error::new(Kind::LoginRequired, format!("{}: nothing is kept under this name", name.0))
}

/// Where the documents are: `$PKCE_HOME`, else in the state folder of the XDG Base Directory Specification.
fn folder() -> Result<PathBuf, Error> {
    let named = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    if let Some(folder) = named("PKCE_HOME") {
        return Ok(folder);
    }
    // A relative one is to be ignored, says the specification.
    if let Some(state) = named("XDG_STATE_HOME").filter(|path| path.is_absolute()) {
        return Ok(state.join("pkce"));
    }
    match named("HOME") {
        Some(home) => Ok(home.join(".local/state/pkce")),
        None => Err(Error::usage("HOME: not set").hint("PKCE_HOME names the folder for the kept documents")),
    }
}

/// Somebody else's file, or one that somebody else may read: what is in it may be known, or forged.
fn check(path: &Path, metadata: &fs::Metadata, mode: &str) -> Result<(), Error> {
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(loose(path, "another user owns it"));
    }
    if metadata.mode() & 0o077 != 0 {
        let error = loose(path, "others may use it");
        return Err(error.hint(format!("look at what is in it, then: chmod {mode} {}", shown(path))));
    }
    Ok(())
}

fn loose(path: &Path, wrong: &str) -> Error {
    Error::new(Kind::Untrusted, format!("{}: {wrong}", shown(path)))
}

fn shown(path: &Path) -> String {
    tool::printable(&path.to_string_lossy())
}

/// Never through a link, and never stuck at a FIFO.
const NO_LINK: i32 = (OFlags::NOFOLLOW.bits() | OFlags::NONBLOCK.bits()) as i32;

/// Octets of a kept file: a document, and what sealing adds.
pub(super) const SIZE: u64 = 4 * 1024 * 1024;

/// Random characters in the name of a new file, before it is renamed.
const RANDOM: usize = 8;

/// Octets that a refreshed document may grow by.
const ROOM: usize = 64 * 1024;

/// How often a lock is tried.
const PAUSE: Duration = Duration::from_millis(10);
