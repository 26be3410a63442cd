//! The directory of the stored logins. Once checked, it is held by its descriptor, and each file is reached through that:
//! whoever renames or replaces the directory, or one above it, changes nothing.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rand::TryRng;
use rand::rngs::SysRng;
use rustix::fd::AsFd;
use rustix::fs::{
    Access, AtFlags, CWD, Dir, Mode, OFlags, Stat, accessat, chmodat, fstat, mkdirat, openat, renameat, statat,
    unlinkat,
};
#[cfg(target_os = "linux")]
use rustix::fs::{StatxAttributes, StatxFlags, statx};
use rustix::io::Errno;

use super::name::Name;
use crate::error::Error;
use crate::message;
use crate::process::{environment, user};

/// A directory that only the user can access, and that not all users can replace.
pub struct Directory {
    path: PathBuf,
    file: File,
}

/// A new file with a random name; deleted when dropped, unless it was given another name.
pub struct Temporary<'a> {
    directory: &'a Directory,
    name: String,
    /// The file, open for writing.
    pub file: File,
}

impl Directory {
    /// Opens the directory; `None` if it is missing. Fails if other users can access it, or all users can replace it:
    /// status 4.
    pub fn open(path: &Path) -> Result<Option<Directory>, Error> {
        let file = match openat(CWD, path, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            opened => File::from(opened.map_err(|error| not_opened(path, error))?),
        };
        check_itself(path, &file.metadata().map_err(|error| io_error(path, &error))?, Some(&file))?;
        check_levels(path, &levels(path, &file)?, 1)?;
        Ok(Some(Directory { path: path.to_owned(), file }))
    }

    /// Opens the directory, which is created if missing.
    pub fn create(path: &Path) -> Result<Directory, Error> {
        if let Some(directory) = Directory::open(path)? {
            return Ok(directory);
        }
        make(path)?;
        Directory::open(path)?
            .ok_or_else(|| Error::unavailable(format!("{}: removed by another process", printable_path(path))))
    }

    /// The nearest directory above that its group can write, and so replace this one.
    pub fn group_writable(&self) -> Result<Option<PathBuf>, Error> {
        let levels = levels(&self.path, &self.file)?;
        let is_writable = |level: &Stat| !is_sticky(level) && mode(level).contains(Mode::WGRP);
        Ok(levels.iter().skip(1).position(is_writable).map(|depth| above(&self.path, depth + 1)))
    }

    /// The path, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of this file, for messages.
    pub fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a file; one that is created is the user's alone. Never follows a link, and never waits for a FIFO.
    pub fn file(&self, name: &str, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(openat(&self.file, name, flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    /// The error for a file that cannot be opened; a symbolic link is named as the reason.
    pub fn open_error(&self, name: &str, error: &io::Error) -> Error {
        match statat(&self.file, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) if rustix::fs::FileType::from_raw_mode(status.st_mode).is_symlink() => {
                unsafe_file(&self.path_of(name), "a symbolic link")
            }
            _ => self.error(name, error),
        }
    }

    /// The error for another failed operation on this file: status 3.
    pub fn error(&self, name: &str, error: &io::Error) -> Error {
        io_error(&self.path_of(name), error)
    }

    /// The names of the files.
    pub fn names(&self) -> Result<Vec<String>, Error> {
        let failed = |error: Errno| io_error(&self.path, &error.into());
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.file).map_err(failed)? {
            names.extend(entry.map_err(failed)?.file_name().to_str().ok().map(str::to_owned));
        }
        Ok(names)
    }

    /// A new file, whose name is this prefix and [`RANDOM_CHARACTERS`] more.
    pub fn temporary(&self, prefix: &str) -> io::Result<Temporary<'_>> {
        let random = SysRng.try_next_u32().map_err(|_| io::Error::other("no random numbers"))?;
        let name = format!("{prefix}{random:0RANDOM_CHARACTERS$x}");
        let file = self.file(&name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)?;
        Ok(Temporary { directory: self, name, file })
    }

    /// A new file without a name, so that a killed process leaves nothing; `prefix` is for file systems that have no
    /// such files, where it is removed at once.
    pub fn unnamed(&self, prefix: &str) -> io::Result<File> {
        #[cfg(target_os = "linux")]
        if let Ok(file) = self.file(".", OFlags::RDWR | OFlags::TMPFILE) {
            return Ok(file);
        }
        self.temporary(prefix)?.file.try_clone()
    }

    /// Renames a file, which replaces another one.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        renameat(&self.file, from, &self.file, to)?;
        self.sync()
    }

    /// Removes a file; returns whether there was one.
    pub fn remove(&self, name: &str) -> io::Result<bool> {
        match unlinkat(&self.file, name, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(false),
            removed => {
                removed?;
                self.sync().map(|()| true)
            }
        }
    }

    /// Syncs created, renamed and removed files to disk.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Whether something is mounted on this file; an older kernel shows no more than that its device is not the
    /// directory's.
    pub fn is_mount_point(&self, name: &str) -> bool {
        #[cfg(target_os = "linux")]
        if let Ok(facts) = statx(&self.file, name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty())
            && facts.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT)
        {
            return facts.stx_attributes.contains(StatxAttributes::MOUNT_ROOT);
        }
        self.is_on_another_device(name)
    }

    fn is_on_another_device(&self, name: &str) -> bool {
        let file = statat(&self.file, name, AtFlags::SYMLINK_NOFOLLOW);
        matches!((file, fstat(&self.file)), (Ok(file), Ok(directory)) if file.st_dev != directory.st_dev)
    }
}

impl Temporary<'_> {
    /// Renames the file, which replaces another one.
    pub fn rename(mut self, name: &str) -> io::Result<()> {
        renameat(&self.directory.file, &self.name, &self.directory.file, name)?;
        self.name.clear();
        self.directory.sync()
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.name.is_empty() {
            let _ = unlinkat(&self.directory.file, &self.name, AtFlags::empty());
        }
    }
}

/// Fails for a file that other users own or can access: its content may be disclosed or forged.
pub fn check(path: &Path, metadata: &Metadata, mode: &str) -> Result<(), Error> {
    if !is_own(metadata) {
        return Err(unsafe_file(path, "owned by another user"));
    }
    if metadata.mode() & 0o077 != 0 {
        let error = unsafe_file(path, "accessible to other users");
        return Err(error.hint(format!("check its content, then run: chmod {mode} {}", printable_path(path))));
    }
    Ok(())
}

/// The error for a failed operation on this file: status 3.
pub fn io_error(path: &Path, error: &io::Error) -> Error {
    Error::unavailable(format!("{}: {}", printable_path(path), message::reason(error)))
}

/// The error for a file that other users may have read or written: status 4.
pub fn unsafe_file(path: &Path, wrong: &str) -> Error {
    Error::untrusted(format!("{}: {wrong}", printable_path(path)))
}

/// A path, sanitized for a message.
pub fn printable_path(path: &Path) -> String {
    message::printable(&path.to_string_lossy())
}

/// Fails if other users own or can access the directory itself; `opened` is the directory, if it can be opened.
fn check_itself(path: &Path, metadata: &Metadata, opened: Option<&File>) -> Result<(), Error> {
    check(path, metadata, "700").map_err(|error| {
        if is_own(metadata) && is_for_logins(path, metadata) {
            return error;
        }
        let inside = opened.and_then(|directory| use_inside(path, directory));
        error.hint(inside.unwrap_or_else(use_own))
    })
}

/// Whether the directory has nothing but stored logins: another one, such as `/` or a home directory, may have to be
/// accessible to other users.
fn is_for_logins(path: &Path, metadata: &Metadata) -> bool {
    let home = environment::os_variable("HOME").and_then(|home| fs::metadata(home).ok());
    if home.is_some_and(|home| (home.dev(), home.ino()) == (metadata.dev(), metadata.ino())) {
        return false;
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let files: Option<Vec<String>> = entries.map(|entry| entry.file_name().into_string().ok()).collect();
    files.is_some_and(|files| files.iter().all(|file| is_tools_own(file, &files)))
}

/// Whether a file, beside these, is one that the tools make: other programs have locks and JSON, too.
fn is_tools_own(file: &str, beside: &[String]) -> bool {
    let is_name = |name: &&str| Name::parse(name).is_ok();
    if let Some(name) = [".json", ".login"].iter().find_map(|end| file.strip_suffix(end)).filter(is_name) {
        return beside.contains(&format!("{name}.lock"));
    }
    let new = file.strip_prefix('.').and_then(|file| file.rsplit_once('.'));
    let new = new.and_then(|(file, end)| match file.strip_suffix(".json") {
        Some(name) => Some(name).filter(|_| end.len() == RANDOM_CHARACTERS),
        // Of pkce-login, with its process ID.
        None => file.strip_suffix(".login").filter(|_| end.bytes().all(|octet| octet.is_ascii_digit())),
    });
    [file.strip_suffix(".lock"), file.strip_suffix(".pending"), new].into_iter().flatten().any(|name| is_name(&name))
}

/// The hint to use a directory in this one, if that can be safe.
fn use_inside(path: &Path, directory: &File) -> Option<String> {
    let levels = levels(path, directory).ok()?;
    let (this, above) = levels.split_first()?;
    if !is_trusted(this.st_uid) || !is_writable(path) || !above.iter().all(is_safe) {
        return None;
    }
    let inside = format!("set PKCE_HOME to a directory in it, such as {}", printable_path(&path.join("pkce")));
    Some(if !is_open_to_all(this) {
        format!("{inside}, which pkce-store creates")
    } else if is_this_user(this.st_uid) {
        format!("run: chmod +t {}; then {inside}", printable_path(path))
    } else {
        format!("its owner must run: chmod +t {}; then {inside} {EMPTY_DIR}", printable_path(path))
    })
}

/// The hint to use another directory, such as for a container whose `HOME` belongs to another user.
fn use_own() -> String {
    let home = environment::os_variable("HOME").map(PathBuf::from);
    let place = if home.is_some_and(|home| is_usable_home(&home)) {
        "one below your home directory"
    } else {
        "one that 'mktemp -d' makes"
    };
    format!("set PKCE_HOME to a directory of your own, such as {place}")
}

/// Whether the directory belongs to the user, who can make one in it that nobody can replace.
fn is_usable_home(home: &Path) -> bool {
    let opened = openat(CWD, home, DIRECTORY, Mode::empty()).ok();
    let levels = opened.and_then(|opened| levels(home, &opened).ok()).unwrap_or_default();
    levels.first().is_some_and(|home| is_this_user(home.st_uid)) && levels.iter().all(is_safe) && is_writable(home)
}

/// The error for a directory that cannot be opened.
fn not_opened(path: &Path, error: Errno) -> Error {
    let failed = unusable(path, error);
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => {
            let link = unsafe_file(path, "a symbolic link");
            let leads_to = fs::metadata(path);
            // One that is missing is created.
            let can_be_used =
                leads_to.map_or_else(|error| error.kind() == ErrorKind::NotFound, |target| target.is_dir());
            if can_be_used { link.hint("set PKCE_HOME to the directory that it leads to") } else { link }
        }
        Ok(metadata) if !metadata.is_dir() => unsafe_file(path, "not a directory"),
        Ok(metadata) => check_itself(path, &metadata, None).err().unwrap_or(failed),
        Err(_) => failed,
    }
}

/// The error for a directory that cannot be used or made: status 3.
fn unusable(path: &Path, error: Errno) -> Error {
    let failed = io_error(path, &error.into());
    if !matches!(error, Errno::ACCESS | Errno::PERM | Errno::ROFS) {
        return failed;
    }
    if fs::symlink_metadata(path).is_ok_and(|metadata| is_own(&metadata)) {
        return failed.hint(format!("run: chmod 700 {}", printable_path(path)));
    }
    let is_named = ["PKCE_HOME", "XDG_STATE_HOME"].into_iter().any(|name| environment::os_variable(name).is_some());
    failed.hint(if is_named { use_own() } else { "set HOME or PKCE_HOME to a directory of your own".to_owned() })
}

/// Makes the directory, and those above it that are missing, in directories that other users cannot replace.
fn make(path: &Path) -> Result<(), Error> {
    let failed = |error: Errno| unusable(path, error);
    let Some(parent) = path.parent() else { return Err(failed(Errno::NOENT)) };
    // Where it ends in `..`, there is no more to make than what is before that.
    let Some(name) = path.file_name() else { return make(parent) };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let open = || openat(CWD, parent, DIRECTORY, Mode::empty());
    let opened = match open() {
        Err(Errno::NOENT) => {
            make(parent)?;
            open()
        }
        opened => opened,
    };
    let above = opened.map_err(failed)?;
    check_levels(parent, &levels(parent, &above)?, 0)?;
    match mkdirat(&above, name, Mode::RWXU) {
        // The umask may have removed permissions.
        Ok(()) => chmodat(&above, name, Mode::RWXU, AtFlags::empty()).map_err(failed),
        Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// The directory, and all above it up to the root, with every link resolved; or up to one that this user may not search.
fn levels(path: &Path, directory: &impl AsFd) -> Result<Vec<Stat>, Error> {
    let mut levels: Vec<Stat> = Vec::new();
    let mut name = PathBuf::from(".");
    loop {
        let level = match statat(directory, &name, AtFlags::empty()) {
            // Only a path from a directory that is held, such as the working directory, leads past one that we may not
            // search: whoever renames what is above does not change where it leads.
            Err(Errno::ACCESS) if !levels.is_empty() => return Ok(levels),
            level => level.map_err(|error| unusable(&above(path, levels.len()), error))?,
        };
        // Above the root is the root.
        if levels.last().is_some_and(|below| (below.st_dev, below.st_ino) == (level.st_dev, level.st_ino)) {
            return Ok(levels);
        }
        levels.push(level);
        name.push("..");
    }
}

/// Fails if another user can rename one of the levels of the path from this one on, and so replace what is below.
fn check_levels(path: &Path, levels: &[Stat], first: usize) -> Result<(), Error> {
    for (depth, level) in levels.iter().enumerate().skip(first) {
        if !is_trusted(level.st_uid) {
            let error = unsafe_file(&above(path, depth), "owned by another user");
            return Err(error.hint(use_own()));
        }
        if is_open_to_all(level) {
            let directory = above(path, depth);
            let error = unsafe_file(&directory, "writable by all users, without the sticky bit");
            let run = format!("run: chmod +t {}", printable_path(&directory));
            return Err(error.hint(if is_this_user(level.st_uid) {
                format!("{run} {EMPTY_DIR}")
            } else {
                format!("its owner must {run}; or set PKCE_HOME to a directory of your own {EMPTY_DIR}")
            }));
        }
    }
    Ok(())
}

/// The directory so many levels above, for messages.
fn above(path: &Path, depth: usize) -> PathBuf {
    let resolved = fs::canonicalize(path).ok();
    let above = resolved.as_deref().and_then(|path| path.ancestors().nth(depth));
    above.map_or_else(|| (0..depth).fold(path.to_owned(), |path, _| path.join("..")), Path::to_owned)
}

/// Whether the file belongs to this user.
pub fn is_own(metadata: &Metadata) -> bool {
    is_this_user(metadata.uid())
}

fn is_this_user(owner: u32) -> bool {
    owner == rustix::process::geteuid().as_raw()
}

/// Whether this user can create files in the directory.
fn is_writable(path: &Path) -> bool {
    accessat(CWD, path, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

/// Whether this user could read the stored logins anyway. In a user namespace, root is among those without an ID.
fn is_trusted(owner: u32) -> bool {
    is_this_user(owner) || owner == 0 || user::overflow() == Some(owner)
}

fn mode(status: &Stat) -> Mode {
    Mode::from_raw_mode(status.st_mode)
}

/// Whether only the owner of a file in this directory can rename it.
fn is_sticky(status: &Stat) -> bool {
    mode(status).contains(Mode::SVTX)
}

/// Whether all users can rename what is in this directory.
fn is_open_to_all(status: &Stat) -> bool {
    mode(status).contains(Mode::WOTH) && !is_sticky(status)
}

/// Whether no other user can rename what is in this directory and belongs to this user.
fn is_safe(status: &Stat) -> bool {
    is_trusted(status.st_uid) && !is_open_to_all(status)
}

/// The number of random characters in the name of a new file, before it is renamed.
pub const RANDOM_CHARACTERS: usize = 8;

/// How Kubernetes sets the sticky bit.
const EMPTY_DIR: &str = "(a Kubernetes emptyDir: mount it with medium: Memory)";

/// How a directory is opened.
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_mount_point_by_the_kernel_or_by_its_device() {
        let root = Directory { path: "/".into(), file: File::open("/").unwrap() };
        let temporary = tempfile::tempdir().unwrap();
        fs::write(temporary.path().join("work.json"), "{}").unwrap();
        let directory = Directory { path: temporary.path().to_owned(), file: File::open(temporary.path()).unwrap() };
        for known in [Directory::is_mount_point, Directory::is_on_another_device] {
            assert!(known(&root, "proc"));
            assert!(!known(&directory, "work.json"));
            assert!(!known(&directory, "missing"));
        }
    }
}
