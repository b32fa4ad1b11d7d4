//! Small files of program state.
//!
//! A [`StateFile`] is read whole up to a limit and replaced whole: the new content is written beside the old one, synced and
//! renamed, so that a crash or a power cut leaves one of the two. Files and the directories made for them are accessible to their
//! owner only, from the first byte. Programs that change the same file exclude each other by a lock file beside it. In a directory
//! that others can write to, a file of another user is an error ([`ErrorKind::InvalidInput`]), as is what is no file: a FIFO would
//! block its reader for ever.
//!
//! Nothing here deletes a file that cannot be understood: [`StateFile::set_aside`] renames it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

#[cfg_attr(unix, path = "access/unix.rs")]
#[cfg_attr(windows, path = "access/windows.rs")]
mod access;

pub use access::{
    create_directory, is_open_to_all, open_at_once, owner_only, restrict_access, sync_directory,
};

/// Interval between two attempts to take a lock that another process holds.
const LOCK_RETRY_INTERVAL: Duration = Duration::from_millis(2);
/// Beginning of the names of files that are being written, with random characters behind.
const PREFIX: &str = ".statefile-";
/// The beginnings that earlier versions used.
const EARLIER_PREFIXES: [&str; 2] = [".tmp", ".inventory-"];
const RANDOM_LENGTH: usize = 6;
/// Age from which a file of an earlier version is one that was left.
const MIN_STALE_AGE: Duration = Duration::from_secs(60);
/// Number of broken files that are kept beside one state file.
const MAX_SET_ASIDE: u32 = 10_000;

/// A small file that is replaced as a whole.
///
/// ```
/// use std::time::Duration;
/// use statefile::StateFile;
///
/// let directory = tempfile::tempdir()?;
/// let file = StateFile::new(directory.path().join("state/names.json"), 1 << 20);
/// assert_eq!(file.read()?, None);
/// let lock = file.lock(Duration::from_secs(1))?;
/// file.write(b"{}")?;
/// drop(lock);
/// assert_eq!(file.read()?.unwrap().as_slice(), b"{}");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct StateFile {
    path: PathBuf,
    max_bytes: u64,
}

/// A lock that other processes respect; released when dropped, and by the system when the process ends.
#[derive(Debug)]
#[must_use = "the lock is released when this is dropped"]
pub struct FileLock(#[expect(dead_code, reason = "holds the lock")] File);

impl StateFile {
    /// Names a state file. Neither the file nor its directory has to exist.
    pub fn new(path: impl Into<PathBuf>, max_bytes: u64) -> Self {
        Self {
            path: path.into(),
            max_bytes,
        }
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file; `None` when there is none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::FileTooLarge`] for a file above the limit, else the system's error.
    pub fn read(&self) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        let Some(file) = self.open()? else {
            return Ok(None);
        };
        let length = file.metadata()?.len().min(self.max_bytes);
        // A vector that grows would leave copies of its content behind.
        let capacity = usize::try_from(length).map_err(io::Error::other)? + 1;
        let mut content = Zeroizing::new(Vec::with_capacity(capacity));
        file.take(self.max_bytes + 1).read_to_end(&mut content)?;
        if content.len() as u64 > self.max_bytes {
            let message = format!("larger than {} bytes", self.max_bytes);
            return Err(io::Error::new(ErrorKind::FileTooLarge, message));
        }
        Ok(Some(content))
    }

    /// Takes access to the file from everyone but its owner. Returns true if others had access.
    ///
    /// Called before a secret is read from a file that may have been copied from elsewhere.
    ///
    /// # Errors
    ///
    /// The system's error, e.g. when others have access to a file of another user.
    pub fn restrict_access(&self) -> io::Result<bool> {
        let Some(file) = self.open()? else {
            return Ok(false);
        };
        restrict_access(&file)
    }

    /// Creates the directory of the file, if it is missing. Taking the lock does it, too.
    pub fn create_directory(&self) -> io::Result<()> {
        create_directory(self.directory())
    }

    /// Replaces the file. The new content survives a power cut once this returns.
    ///
    /// # Errors
    ///
    /// The system's error; the previous content is still there.
    pub fn write(&self, content: &[u8]) -> io::Result<()> {
        let file = self.write_beside(content)?;
        file.as_file().sync_all()?;
        access::replace(file, &self.path)?;
        sync_directory(self.directory())
    }

    /// Replaces the file without waiting for the disk, for content that is found again after a power cut.
    ///
    /// # Errors
    ///
    /// The system's error; the previous content is still there.
    pub fn write_unsynced(&self, content: &[u8]) -> io::Result<()> {
        access::replace(self.write_beside(content)?, &self.path)
    }

    /// Checks that this many bytes could be written, without touching the file.
    pub fn check_writable(&self, bytes: usize) -> io::Result<()> {
        self.write_beside(&vec![b' '; bytes])?.as_file().sync_all()
    }

    /// Removes the file, if it exists.
    pub fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Ok(()) => sync_directory(self.directory()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Renames a file that cannot be understood to `<name>.broken-<number>`. Returns the new path.
    pub fn set_aside(&self) -> io::Result<PathBuf> {
        let aside = (1..MAX_SET_ASIDE)
            .map(|number| {
                let mut name = self.path.clone().into_os_string();
                name.push(format!(".broken-{number}"));
                PathBuf::from(name)
            })
            .find(|path| path.symlink_metadata().is_err())
            .ok_or_else(|| io::Error::other("too many broken files beside it"))?;
        fs::rename(&self.path, &aside)?;
        Ok(aside)
    }

    /// Takes the lock, `<stem>.lock` in the same directory, which is created with its directory where they are missing. A directory
    /// of this user that others could write to is closed to them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WouldBlock`] when another process still holds it after `timeout`, else the system's error.
    pub fn lock(&self, timeout: Duration) -> io::Result<FileLock> {
        let lock = self.open_lock()?;
        access::restrict_directory(self.directory())?;
        take_lock(lock, timeout)
    }

    /// Takes the lock also where nothing can be written: a lock file that is there is opened for reading, and where none can be made,
    /// the directory is locked in its place.
    pub fn lock_without_writing(&self, timeout: Duration) -> io::Result<FileLock> {
        let file = match self.open_own(&self.lock_path(), File::options().read(true)) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                access::open_directory(self.directory())?
            }
            opened => opened?,
        };
        take_lock(file, timeout)
    }

    /// Returns the path of the lock file.
    pub fn lock_path(&self) -> PathBuf {
        self.path.with_extension("lock")
    }

    /// Returns true if another process, or another part of this one, holds the lock.
    pub fn is_locked(&self) -> bool {
        let lock = open_at_once(&self.lock_path(), File::options().read(true));
        let lock = lock.or_else(|_| access::open_directory(self.directory()));
        let shared = lock.map(|file| file.try_lock_shared());
        matches!(shared, Ok(Err(TryLockError::WouldBlock)))
    }

    fn open(&self) -> io::Result<Option<File>> {
        match self.open_own(&self.path, File::options().read(true)) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn open_lock(&self) -> io::Result<File> {
        let mut options = owner_only();
        options.write(true).create(true).truncate(false);
        let lock = match self.open_own(&self.lock_path(), &mut options) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.create_directory()?;
                self.open_own(&self.lock_path(), &mut options)
            }
            opened => opened,
        }?;
        // Whoever can open it can hold it.
        restrict_access(&lock)?;
        Ok(lock)
    }

    /// Opens a file of this user.
    fn open_own(&self, path: &Path, options: &mut OpenOptions) -> io::Result<File> {
        let file = open_at_once(path, options)?;
        if !file.metadata()?.is_file() {
            let message = format!("{} is not a regular file", path.display());
            return Err(io::Error::new(ErrorKind::InvalidInput, message));
        }
        access::check_owner(&file, path, self.directory())?;
        Ok(file)
    }

    fn write_beside(&self, content: &[u8]) -> io::Result<NamedTempFile> {
        self.remove_stale();
        loop {
            // Made by `tempfile` with mode 0600.
            let mut file = NamedTempFile::with_prefix_in(PREFIX, self.directory())?;
            // Another process may have found it before it was locked.
            if access::begin_writing(file.as_file())? {
                file.write_all(content)?;
                return Ok(file);
            }
        }
    }

    /// Removes what a process that was killed while it wrote has left in the directory; it may hold a secret.
    fn remove_stale(&self) {
        let Ok(entries) = fs::read_dir(self.directory()) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            // What cannot be removed now is left for the next time.
            if name
                .to_str()
                .is_some_and(|name| is_stale(name, &entry.path()))
            {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn directory(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }
}

/// Tells whether this is a file that was being written by a process that has ended.
fn is_stale(name: &str, path: &Path) -> bool {
    let is_ours = |prefix: &str| {
        name.strip_prefix(prefix).is_some_and(|end| {
            end.len() == RANDOM_LENGTH && end.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
    };
    let is_earlier = EARLIER_PREFIXES.iter().any(|prefix| is_ours(prefix));
    if !is_ours(PREFIX) && !is_earlier {
        return false;
    }
    let Ok(metadata) = path.symlink_metadata() else {
        return false;
    };
    if !metadata.is_file() {
        return false;
    }
    let Ok(mut file) = File::open(path) else {
        return false;
    };
    if !access::is_abandoned(&file) {
        return false;
    }
    // Earlier versions did not lock them, and other programs use such names as well.
    let mut first = [0];
    !is_earlier
        || (age(&file).is_some_and(|age| age >= MIN_STALE_AGE)
            && file.read(&mut first).is_ok()
            && matches!(first, [b'{' | 0]))
}

/// Returns the time since a file was last written.
fn age(file: &File) -> Option<Duration> {
    file.metadata().ok()?.modified().ok()?.elapsed().ok()
}

/// Takes a lock, within a time.
fn take_lock(file: File, timeout: Duration) -> io::Result<FileLock> {
    let deadline = Instant::now() + timeout;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(FileLock(file)),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(LOCK_RETRY_INTERVAL);
            }
            Err(TryLockError::WouldBlock) => {
                let message = "another process holds the lock";
                return Err(io::Error::new(ErrorKind::WouldBlock, message));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
