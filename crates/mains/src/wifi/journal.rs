//! The note of what to restore, written before anything is touched.
//!
//! It survives a `kill -9` and a power cut, and names only what survives a reboot (adapter name, profile UUIDs; D-Bus paths do
//! not). It holds no secret. The process that works on it holds its lock, so that a second `mains` can distinguish work in
//! progress from the note of a dead process.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use statefile::{FileLock, StateFile};

use super::error::WifiError;

/// Name of the note in the state directory.
pub(super) const FILE_NAME: &str = "wifi-restore.json";
/// Largest note; one has a few hundred bytes.
const MAX_NOTE_BYTES: u64 = 64 * 1024;

/// The previous state of the Wi-Fi, and the profile that replaces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RestoreRecord {
    /// Layout of this note.
    pub(super) version: u32,
    /// Name of the adapter, e.g. `wlan0`.
    pub(super) interface: String,
    /// The adapter was allowed to connect by itself.
    pub(super) autoconnect: Option<bool>,
    /// The connection it had, if any.
    pub(super) previous: Option<Previous>,
    /// UUID of the temporary profile that is added.
    pub(super) profile: String,
    /// The network of this profile.
    pub(super) network: String,
}

/// The connection that was there before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Previous {
    /// UUID of its profile: the same after a reboot.
    pub(super) uuid: String,
    /// Its name.
    pub(super) name: String,
}

/// Exclusive access to the note of one state directory, and with it to the Wi-Fi; ends with the process.
#[derive(Debug)]
pub(super) struct RestoreJournal {
    file: StateFile,
    _lock: FileLock,
}

impl RestoreJournal {
    /// Locks the note; [`WifiError::Busy`] when another process has it.
    pub(super) fn open(state_dir: &Path) -> Result<Self, WifiError> {
        let file = StateFile::new(state_dir.join(FILE_NAME), MAX_NOTE_BYTES);
        match file.lock(Duration::ZERO) {
            Ok(lock) => Ok(Self { file, _lock: lock }),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(WifiError::Busy),
            Err(source) => Err(failed(&file, source)),
        }
    }

    /// Reads the note, if there is one.
    pub(super) fn read(&self) -> Result<Option<RestoreRecord>, WifiError> {
        let Some(text) = self.file.read().map_err(|it| failed(&self.file, it))? else {
            return Ok(None);
        };
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|source| WifiError::JournalUnclear {
                path: self.file.path().to_owned(),
                source,
            })
    }

    /// Writes the note, which is on the disk when this returns.
    pub(super) fn write(&self, record: &RestoreRecord) -> Result<(), WifiError> {
        let text = serde_json::to_vec(record).map_err(io::Error::from);
        text.and_then(|text| self.file.write(&text))
            .map_err(|source| failed(&self.file, source))
    }

    /// Removes the note: there is nothing left to restore.
    pub(super) fn clear(&self) -> Result<(), WifiError> {
        self.file
            .remove()
            .map_err(|source| failed(&self.file, source))
    }
}

fn failed(file: &StateFile, source: io::Error) -> WifiError {
    WifiError::Journal {
        path: file.path().to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    fn record() -> RestoreRecord {
        RestoreRecord {
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
        let journal = RestoreJournal::open(dir.path()).unwrap();
        assert_eq!(journal.read().unwrap(), None);
        journal.write(&record()).unwrap();
        assert_eq!(journal.read().unwrap(), Some(record()));
        let mode = fs::metadata(journal.file.path())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        journal.clear().unwrap();
        journal.clear().unwrap();
        assert_eq!(journal.read().unwrap(), None);
    }

    #[test]
    fn one_process_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = RestoreJournal::open(dir.path()).unwrap();
        assert!(matches!(
            RestoreJournal::open(dir.path()),
            Err(WifiError::Busy)
        ));
        drop(first);
        RestoreJournal::open(dir.path()).unwrap();
    }

    #[test]
    fn garbage_is_told_apart_from_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let journal = RestoreJournal::open(dir.path()).unwrap();
        for text in ["", "{", "[]", "{\"version\":1}", "\0\0\0\0"] {
            fs::write(journal.file.path(), text).unwrap();
            assert!(
                matches!(journal.read(), Err(WifiError::JournalUnclear { .. })),
                "{text:?}"
            );
        }
    }
}
