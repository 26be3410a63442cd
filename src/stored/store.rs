//! The stored documents: one file per name, in a directory that only the user can access, and that not all users can
//! replace.

use std::fs::{File, Metadata, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::directory::{Directory, check, is_own, printable_path, unsafe_file};
use super::name::Name;
use super::seal;
use crate::document::Document;
use crate::error::Error;
use crate::message;
use crate::process::shell::MAX_SIZE;
use crate::process::{Deadline, environment};

/// The stored documents, in a directory checked to be inaccessible to other users.
pub struct Store {
    pub(super) directory: Directory,
    last: Mutex<Option<(Octets, Document)>>,
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
        if let Some(path) = store.directory.group_writable()? {
            let path = printable_path(&path);
            message::note(&format!("{path}: its group can replace the stored logins; chmod g-w {path} prevents that"));
        }
        let file = name.file("json");
        let size = match store.octets(&file)? {
            None => 0,
            Some((octets, _)) => {
                store.replaceable(name)?;
                if !seal::is_used() {
                    store.parsed(&file, &octets)?;
                }
                octets.len()
            }
        };
        store.own_file(&name.file("lock"))?;
        let probe = store
            .directory
            .unnamed(&format!(".{file}."))
            .and_then(|mut file| file.write_all(&vec![0; size + GROWTH]).and_then(|()| file.sync_all()));
        probe.map_err(|error| store.directory.error(&file, &error))
    }

    /// The store that the environment names; `None` if its directory is missing.
    pub fn open() -> Result<Option<Store>, Error> {
        let directory = Directory::open(&path()?)?;
        Ok(directory.map(|directory| Store { directory, last: Mutex::default() }))
    }

    /// The store that the environment names; its directory is created if missing.
    pub fn create() -> Result<Store, Error> {
        Ok(Store { directory: Directory::create(&path()?)?, last: Mutex::default() })
    }

    /// The names of the stored logins, sorted.
    pub fn names(&self) -> Result<Vec<String>, Error> {
        let files = self.directory.names()?;
        let names = files.iter().filter_map(|file| file.strip_suffix(".json"));
        let mut names: Vec<String> = names.filter(|name| Name::parse(name).is_ok()).map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }

    /// The document stored under this name, if any.
    pub fn read(&self, name: &Name, deadline: &Deadline) -> Result<Option<Stored>, Error> {
        self.file(&name.file("json"), deadline)
    }

    /// Whether pkce-login remembers how to log in under this name.
    pub(super) fn has_settings(&self, name: &Name) -> bool {
        self.directory.path_of(&name.file("login")).is_file()
    }

    /// When the document under this name was stored; `None` if that is not known.
    pub(super) fn written(&self, name: &Name) -> Option<SystemTime> {
        let file = self.directory.file(&name.file("json"), OFlags::RDONLY);
        file.and_then(|file| file.metadata()?.modified()).ok()
    }

    /// The document in this file, if it exists.
    pub(super) fn file(&self, file: &str, deadline: &Deadline) -> Result<Option<Stored>, Error> {
        let Some((octets, written)) = self.octets(file)? else { return Ok(None) };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // What was read before is not opened again, since `PKCE_OPEN` may prompt the user.
        if let Some((_, document)) = last.as_ref().filter(|(before, _)| *before == octets) {
            return Ok(Some(Stored { document: document.clone(), written }));
        }
        let opened = seal::opened(&octets, deadline).map_err(|error| {
            let error = error.within(&printable_path(&self.directory.path_of(file)));
            let name = Path::new(file).file_stem().unwrap_or_default().to_string_lossy();
            error.hint(if seal::is_plain(&octets) {
                let load = format!("env -u PKCE_SEAL -u PKCE_OPEN pkce-load {name}");
                format!("not encrypted; run: {load} | env -u PKCE_OPEN pkce-store {name}")
            } else {
                NOT_OPENED.to_owned()
            })
        })?;
        let document = self.parsed(file, opened.as_ref().unwrap_or(&octets))?;
        *last = Some((octets, document.clone()));
        Ok(Some(Stored { document, written }))
    }

    /// Fails if the file of this name is a mount point (a file that a container mounts): it can be read, but neither
    /// replaced nor removed.
    pub fn replaceable(&self, name: &Name) -> Result<(), Error> {
        let file = name.file("json");
        if self.directory.is_mount_point(&file) {
            let path = printable_path(&self.directory.path_of(&file));
            let error = Error::unavailable(format!("{path}: a mount point, which cannot be replaced"));
            return Err(error.hint(format!("mount the directory {} instead", printable_path(self.directory.path()))));
        }
        Ok(())
    }

    /// This file, open for writing, for what is no document; it is created if missing.
    pub(super) fn own_file(&self, name: &str) -> Result<File, Error> {
        let opened = self.directory.file(name, OFlags::RDWR | OFlags::CREATE);
        let file = opened.map_err(|error| self.directory.open_error(name, &error))?;
        let metadata = file.metadata().map_err(|error| self.directory.error(name, &error))?;
        let path = self.directory.path_of(name);
        check_regular(&path, &metadata)?;
        if !is_own(&metadata) {
            return Err(unsafe_file(&path, "owned by another user"));
        }
        // The umask may have removed permissions.
        file.set_permissions(Permissions::from_mode(0o600)).map_err(|error| self.directory.error(name, &error))?;
        Ok(file)
    }

    /// The octets of this file and when they were written; `None` if it is missing.
    fn octets(&self, name: &str) -> Result<Option<(Octets, SystemTime)>, Error> {
        let failed = |error: io::Error| self.directory.error(name, &error);
        let file = match self.directory.file(name, OFlags::RDONLY) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|error| self.directory.open_error(name, &error))?,
        };
        let metadata = file.metadata().map_err(failed)?;
        let path = self.directory.path_of(name);
        check_regular(&path, &metadata)?;
        check(&path, &metadata, "600")?;
        // Large enough from the start: a buffer that grows would leave copies of a token in memory.
        let size = metadata.len().min(MAX_SIZE) as usize;
        let mut octets = Zeroizing::new(Vec::with_capacity(size + 1));
        file.take(MAX_SIZE).read_to_end(&mut octets).map_err(failed)?;
        Ok(Some((octets, metadata.modified().map_err(failed)?)))
    }

    /// The document in the opened octets of this file.
    fn parsed(&self, file: &str, octets: &[u8]) -> Result<Document, Error> {
        Document::parse(octets).map_err(|wrong| {
            let path = self.directory.path_of(file);
            let name = Path::new(file).file_stem().unwrap_or_default().to_string_lossy();
            let cause = if seal::is_used() {
                "PKCE_OPEN must decrypt what PKCE_SEAL encrypted"
            } else {
                "the file is damaged, or encrypted: then set PKCE_OPEN"
            };
            let error = Error::untrusted(format!("{}: {wrong}", printable_path(&path)));
            error.hint(format!("{cause}; pkce-store --remove {name} removes it"))
        })
    }
}

/// What to do about a stored file that PKCE_OPEN does not open.
const NOT_OPENED: &str = "the stored login is unchanged; PKCE_OPEN must open what PKCE_SEAL sealed";

/// The error for a name without a stored login: status 5.
pub fn not_stored(name: &Name) -> Error {
    let error = Error::login_required(format!("{}: nothing is stored under this name", name.as_str()));
    error.hint("pkce-load lists the names; pkce-login NAME adds one")
}

/// Fails for a directory, a FIFO or the like, and for a file that has another name too, through which others may use it.
fn check_regular(path: &Path, metadata: &Metadata) -> Result<(), Error> {
    if !metadata.is_file() {
        return Err(unsafe_file(path, "not a regular file"));
    }
    if metadata.nlink() > 1 {
        return Err(unsafe_file(path, "has more than one hard link"));
    }
    Ok(())
}

/// The store's directory: `$PKCE_HOME`, else in the state directory of the XDG Base Directory Specification.
fn path() -> Result<PathBuf, Error> {
    let named = |name: &str| environment::os_variable(name).map(PathBuf::from);
    if let Some(directory) = named("PKCE_HOME") {
        // Without a final slash or dot, which would have a link followed.
        return Ok(directory.components().collect());
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

/// Octets that are wiped when dropped.
type Octets = Zeroizing<Vec<u8>>;

/// Octets by which a stored document may grow, and those of a first one.
pub(super) const GROWTH: usize = 64 * 1024;
