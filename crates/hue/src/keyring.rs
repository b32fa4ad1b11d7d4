//! The application keys of the bridges that were paired with, in one file that only its owner can read.
//!
//! * `hue.json` in the state directory, 0600. It is replaced as a whole, so that nobody ever sees half of it.
//! * Changes are made under a lock on a file beside it: two programs at once lose nothing. Nothing is remembered between two
//!   calls, so a hub sees what a command has changed.
//! * A file that cannot be understood is an error that names it. It is never overwritten: it holds keys that nobody can ask for
//!   again without walking to the bridge.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::address::Address;
use crate::error::HueError;
use crate::fingerprint::Fingerprint;
use crate::identity::{ApiVersion, BridgeId, Identity, Model};
use crate::key::AppKey;

mod document;

const FILE: &str = "hue.json";
const LOCK: &str = "hue.lock";
/// No home has so many bridges; what is larger is not this file.
const MOST: usize = 500;
const LARGEST: u64 = 1 << 20;
/// A bridge more makes the file larger by less than this.
const ROOM: usize = 4096;
/// Others hold the lock for some milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// A bridge that was paired with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What identifies it.
    pub id: BridgeId,
    /// The key that it gave.
    pub key: AppKey,
    /// Where it was last seen.
    pub address: Address,
    /// The name that its owner gave.
    pub name: Option<String>,
    /// Which bridge it is.
    pub model: Model,
    /// The version of its firmware, as last seen.
    pub software: Option<String>,
    /// The version of its interface, as last seen.
    pub api: Option<ApiVersion>,
    /// Its own certificate, which a person accepted; `None` when the vendor signed it, and without HTTPS.
    pub pin: Option<Fingerprint>,
    /// Whether the vendor had signed its certificate. It is never taken back: no other is accepted from then on.
    pub root_signed: bool,
    /// When it was paired with.
    pub paired_at: Timestamp,
}

impl Entry {
    /// Takes over what the bridge says of itself now, and where. Returns whether that is news.
    pub fn update(&mut self, identity: &Identity, address: &Address) -> bool {
        let before = self.clone();
        self.address = address.clone();
        self.model = identity.model.clone();
        self.name.clone_from(&identity.name);
        self.software.clone_from(&identity.software);
        self.api = identity.api;
        *self != before
    }
}

/// Why the keys cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// The file cannot be read.
    #[error("the keys in {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file cannot be understood. It is left as it is.
    #[error("the keys in {} cannot be understood; mend the file, or move it away and pair again", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// Why; never an excerpt, which could be a key.
        #[source]
        source: io::Error,
    },
    /// The file cannot be written. What was in it is still there.
    #[error("the keys in {} cannot be kept", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl From<KeyRingError> for HueError {
    fn from(error: KeyRingError) -> Self {
        let what = error.to_string();
        let (KeyRingError::Read { source, .. }
        | KeyRingError::Broken { source, .. }
        | KeyRingError::Write { source, .. }) = error;
        Self::Local { what, source }
    }
}

/// The keys of a state directory. A clone is the same ring.
///
/// Every call reads the file, which takes some microseconds; a change waits two seconds at most for others.
#[derive(Debug, Clone)]
pub struct KeyRing {
    directory: PathBuf,
}

impl KeyRing {
    /// The ring of a state directory. Neither the directory nor the file has to exist; what is wrong with them is told by the
    /// calls that read and write.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    /// Returns the file.
    pub fn path(&self) -> PathBuf {
        self.directory.join(FILE)
    }

    /// Returns all bridges, by id.
    ///
    /// # Errors
    ///
    /// [`KeyRingError`] when the file cannot be read or understood.
    pub fn entries(&self) -> Result<Vec<Entry>, KeyRingError> {
        let path = self.path();
        let text = match read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(KeyRingError::Read { path, source }),
        };
        document::parse(&text).map_err(|source| KeyRingError::Broken { path, source })
    }

    /// Returns one bridge.
    ///
    /// # Errors
    ///
    /// As [`KeyRing::entries`].
    pub fn entry(&self, id: &BridgeId) -> Result<Option<Entry>, KeyRingError> {
        let entries = self.entries()?;
        Ok(entries.into_iter().find(|entry| entry.id == *id))
    }

    /// Keeps a bridge, in place of what was known of it.
    ///
    /// # Errors
    ///
    /// [`KeyRingError`]; nothing is changed then.
    pub fn keep(&self, entry: Entry) -> Result<(), KeyRingError> {
        self.change(|entries| {
            entries.retain(|other| other.id != entry.id);
            entries.push(entry);
            true
        })
    }

    /// Changes what is known of a bridge, if it is still there; `change` returns whether it did. Returns whether anything was
    /// written.
    ///
    /// # Errors
    ///
    /// [`KeyRingError`]; nothing is changed then.
    pub fn update(
        &self,
        id: &BridgeId,
        change: impl FnOnce(&mut Entry) -> bool,
    ) -> Result<bool, KeyRingError> {
        let mut is_changed = false;
        self.change(|entries| {
            let entry = entries.iter_mut().find(|entry| entry.id == *id);
            is_changed = entry.is_some_and(change);
            is_changed
        })?;
        Ok(is_changed)
    }

    /// Forgets a bridge. Returns whether it was known.
    ///
    /// # Errors
    ///
    /// [`KeyRingError`]; nothing is changed then.
    pub fn forget(&self, id: &BridgeId) -> Result<bool, KeyRingError> {
        let mut was_known = false;
        self.change(|entries| {
            let before = entries.len();
            entries.retain(|entry| entry.id != *id);
            was_known = entries.len() < before;
            was_known
        })?;
        Ok(was_known)
    }

    /// Looks whether a bridge could be kept, before somebody walks to it for a key.
    ///
    /// # Errors
    ///
    /// As [`KeyRing::keep`].
    pub fn check(&self) -> Result<(), KeyRingError> {
        let path = self.path();
        let tried = || -> io::Result<()> {
            let _lock = self.lock()?;
            let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
            file.write_all(&[b' '; ROOM])?;
            file.as_file().sync_all()
        };
        tried().map_err(|source| KeyRingError::Write { path, source })
    }

    /// Reads, changes and writes under the lock; writes nothing when `change` returns that there is nothing to.
    fn change(&self, change: impl FnOnce(&mut Vec<Entry>) -> bool) -> Result<(), KeyRingError> {
        let failure = |source| KeyRingError::Write {
            path: self.path(),
            source,
        };
        let _lock = self.lock().map_err(failure)?;
        let mut entries = self.entries()?;
        if !change(&mut entries) {
            return Ok(());
        }
        if entries.len() > MOST {
            let message = format!("there are {MOST} bridges in it already");
            return Err(failure(io::Error::other(message)));
        }
        entries.sort_by(|a, b| a.id.cmp(&b.id));
        let text = document::emit(&entries).map_err(failure)?;
        self.replace(&text).map_err(failure)
    }

    fn lock(&self) -> io::Result<File> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(self.directory.join(LOCK))?;
        let until = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(TryLockError::WouldBlock) => {
                    let message = "another program holds its lock";
                    return Err(io::Error::new(io::ErrorKind::WouldBlock, message));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// The keys are on the disk when this returns: they were hard to come by.
    fn replace(&self, text: &[u8]) -> io::Result<()> {
        // Made 0600.
        let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
        file.write_all(text)?;
        file.as_file().sync_all()?;
        file.persist(self.path())?;
        File::open(&self.directory)?.sync_all()
    }
}

fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.permissions().mode() & 0o077 != 0 {
        // Copied from elsewhere, perhaps. Whoever has read it by now has the keys; nobody else shall.
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    if metadata.len() > LARGEST {
        return Err(io::Error::other("it is too large"));
    }
    // Of the right size at once, because a vector that grows leaves its old bytes behind.
    let capacity = usize::try_from(metadata.len()).unwrap_or_default() + 1;
    let mut text = Zeroizing::new(Vec::with_capacity(capacity));
    file.take(LARGEST).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests;
