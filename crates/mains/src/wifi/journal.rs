//! The note of what to restore, written before anything is touched.
//!
//! It outlives a `kill -9` and a power cut: the file is complete or absent (written beside, synced, renamed), and
//! names only what survives a reboot (adapter name, profile UUIDs; D-Bus paths do not). It holds no secret. While
//! the process that wrote it lives it holds a lock on it, so that a second `mains` can tell work in progress from
//! what a dead one has left.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::WifiError;

/// Name of the note in the state directory.
pub(super) const FILE_NAME: &str = "wifi-restore.json";
/// Held while somebody reads or writes the note; the note itself is replaced by renaming and cannot carry a lock.
const LOCK_NAME: &str = "wifi-restore.lock";
/// A note is a few hundred bytes; what is far beyond is not ours.
const LIMIT: u64 = 64 * 1024;

/// What was there before, and what we put in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    /// Layout of this note.
    pub(super) version: u32,
    /// Name of the adapter, e.g. `wlan0`.
    pub(super) interface: String,
    /// Whether the adapter was free to connect by itself.
    pub(super) autoconnect: Option<bool>,
    /// The connection it had, if any.
    pub(super) previous: Option<Previous>,
    /// UUID of the temporary profile that we add.
    pub(super) profile: String,
    /// The network that it is for.
    pub(super) network: String,
}

/// The connection that was there before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Previous {
    /// UUID of its profile: the same after a reboot.
    pub(super) uuid: String,
    /// What its owner calls it.
    pub(super) name: String,
}

/// The one right to touch the Wi-Fi of this computer on behalf of one state directory; ends with the process.
#[derive(Debug)]
pub(super) struct Claim {
    path: PathBuf,
    _lock: File,
}

impl Claim {
    /// Takes the claim, or says that another process has it.
    pub(super) fn take(state_dir: &Path) -> Result<Self, WifiError> {
        let path = state_dir.join(FILE_NAME);
        let failed = |source| WifiError::Journal {
            path: path.clone(),
            source,
        };
        fs::create_dir_all(state_dir).map_err(failed)?;
        let lock = private(&state_dir.join(LOCK_NAME)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(WifiError::Busy),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// Reads the note, if there is one.
    pub(super) fn read(&self) -> Result<Option<Record>, WifiError> {
        let mut text = String::new();
        let read =
            File::open(&self.path).and_then(|file| file.take(LIMIT).read_to_string(&mut text));
        match read {
            Ok(_) => {
                serde_json::from_str(&text)
                    .map(Some)
                    .map_err(|source| WifiError::JournalUnclear {
                        path: self.path.clone(),
                        source,
                    })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(self.failed(source)),
        }
    }

    /// Writes the note so that it is on the disk, whole, when this returns.
    pub(super) fn write(&self, record: &Record) -> Result<(), WifiError> {
        self.try_write(record).map_err(|source| self.failed(source))
    }

    fn try_write(&self, record: &Record) -> io::Result<()> {
        let beside = self.path.with_extension("json.new");
        let mut file = private(&beside)?;
        file.set_len(0)?;
        file.write_all(&serde_json::to_vec(record)?)?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)?;
        self.sync_directory()
    }

    /// Removes the note: nothing is left to restore.
    pub(super) fn clear(&self) -> Result<(), WifiError> {
        match fs::remove_file(&self.path) {
            Ok(()) => self.sync_directory().map_err(|source| self.failed(source)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(self.failed(source)),
        }
    }

    /// A rename or removal is only as durable as the directory it happened in.
    fn sync_directory(&self) -> io::Result<()> {
        match self.path.parent() {
            Some(directory) => File::open(directory)?.sync_all(),
            None => Ok(()),
        }
    }

    fn failed(&self, source: io::Error) -> WifiError {
        WifiError::Journal {
            path: self.path.clone(),
            source,
        }
    }
}

/// Opens a file for writing that only its owner can read.
fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn record() -> Record {
        Record {
            version: 1,
            interface: "wlan0".into(),
            autoconnect: Some(true),
            previous: Some(Previous {
                uuid: "6e0b4b4e-8c36-4b2e-9c83-4bd4a1f6b0d1".into(),
                name: "Home, sweet \"home\"".into(),
            }),
            profile: "0f3c0b1a-6a55-4d68-8a2b-c1c5d7d5f2aa".into(),
            network: "Reco900000621".into(),
        }
    }

    #[test]
    fn note_is_private_and_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let claim = Claim::take(dir.path()).unwrap();
        assert_eq!(claim.read().unwrap(), None);
        claim.write(&record()).unwrap();
        assert_eq!(claim.read().unwrap(), Some(record()));
        let mode = fs::metadata(&claim.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        claim.clear().unwrap();
        claim.clear().unwrap();
        assert_eq!(claim.read().unwrap(), None);
    }

    #[test]
    fn one_claim_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = Claim::take(dir.path()).unwrap();
        assert!(matches!(Claim::take(dir.path()), Err(WifiError::Busy)));
        drop(first);
        Claim::take(dir.path()).unwrap();
    }

    #[test]
    fn garbage_is_told_apart_from_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let claim = Claim::take(dir.path()).unwrap();
        for text in ["", "{", "[]", "{\"version\":1}", "\0\0\0\0"] {
            fs::write(&claim.path, text).unwrap();
            assert!(
                matches!(claim.read(), Err(WifiError::JournalUnclear { .. })),
                "{text:?}"
            );
        }
    }
}
