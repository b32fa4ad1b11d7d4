//! Exclusive use of a state directory, and the address of the hub that has it.
//!
//! `hub.lock` is locked while a hub runs; the system releases the lock when the process ends in whatever way. `hub.json` holds
//! the address that the hub listens on. Neither holds a secret.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::{ErrorKind, RequestError};
use serde::{Deserialize, Serialize};
use statefile::{FileLock, StateFile};

const ANNOUNCEMENT_FILE: &str = "hub.json";
const MAX_ANNOUNCEMENT_BYTES: u64 = 4096;
const ADMIN_TOKEN_FILE: &str = "admin-token";
/// [`running`] touches the lock for a moment; that is not another hub.
const LOCK_TIMEOUT: Duration = Duration::from_millis(100);

/// A hub that runs on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningHub {
    /// Its process.
    pub pid: u32,
    /// Address that it listens on, e.g. `http://127.0.0.1:8480`.
    pub url: String,
}

/// Exclusive use of a state directory until this is dropped or the process ends.
#[derive(Debug)]
pub struct StateLock {
    announcement: StateFile,
    _lock: FileLock,
}

impl StateLock {
    /// Creates the directory if it is missing, and locks it.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `local` when another hub uses the directory, or when it cannot be created or written.
    pub fn acquire(directory: &Path) -> Result<Self, RequestError> {
        let announcement = announcement(directory);
        match announcement.lock(LOCK_TIMEOUT) {
            Ok(lock) => Ok(Self {
                announcement,
                _lock: lock,
            }),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(in_use(directory, read(&announcement)))
            }
            Err(error) => {
                let path = directory.display();
                let message = format!("the state directory {path} cannot be used: {error}");
                Err(RequestError::new(ErrorKind::Local, message)
                    .hint("set MAINS_STATE to a directory that this user may write"))
            }
        }
    }

    /// Publishes the hub's address to other programs of this user.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `local` when the file cannot be written.
    pub fn announce(&self, url: &str) -> Result<(), RequestError> {
        let running = RunningHub {
            pid: std::process::id(),
            url: url.to_owned(),
        };
        let written = serde_json::to_string(&running)
            .map_err(io::Error::from)
            .and_then(|text| {
                self.announcement
                    .write_unsynced(format!("{text}\n").as_bytes())
            });
        written.map_err(|error| {
            let path = self.announcement.path().display();
            RequestError::new(
                ErrorKind::Local,
                format!("{path} cannot be written: {error}"),
            )
        })
    }
}

impl Drop for StateLock {
    fn drop(&mut self) {
        // Before the lock is released, so that no program reads of a hub that has ended.
        if let Err(error) = self.announcement.remove() {
            tracing::debug!(%error, "{ANNOUNCEMENT_FILE} is left behind");
        }
    }
}

/// Returns the hub that uses this state directory, if one runs and has published its address.
pub fn running(directory: &Path) -> Option<RunningHub> {
    let announcement = announcement(directory);
    // Without the lock, the file was left by a hub that was killed.
    announcement.is_locked().then(|| read(&announcement))?
}

/// Returns the path of the admin token of the hub with this state directory.
pub fn admin_token(directory: &Path) -> PathBuf {
    directory.join(ADMIN_TOKEN_FILE)
}

fn announcement(directory: &Path) -> StateFile {
    StateFile::new(directory.join(ANNOUNCEMENT_FILE), MAX_ANNOUNCEMENT_BYTES)
}

fn read(announcement: &StateFile) -> Option<RunningHub> {
    let text = announcement.read().ok()??;
    serde_json::from_slice(&text).ok()
}

fn in_use(directory: &Path, holder: Option<RunningHub>) -> RequestError {
    let path = directory.display();
    let holder = holder.map_or_else(String::new, |running| {
        format!(" (process {}, {})", running.pid, running.url)
    });
    let message = format!("another hub runs with the state directory {path}{holder}");
    RequestError::new(ErrorKind::Local, message)
        .hint("end it first, or give this one a state directory of its own with MAINS_STATE")
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn one_hub_at_a_time_and_it_can_be_found() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("a/b");
        assert_eq!(running(&state), None);
        let lock = StateLock::acquire(&state).unwrap();
        assert_eq!(running(&state), None, "it has not said where yet");
        lock.announce("http://127.0.0.1:1").unwrap();
        let found = running(&state).unwrap();
        assert_eq!(found.url, "http://127.0.0.1:1");
        let second = StateLock::acquire(&state).unwrap_err();
        assert_eq!(second.kind(), ErrorKind::Local);
        assert!(second.message().contains("http://127.0.0.1:1"), "{second}");
        drop(lock);
        assert_eq!(running(&state), None);
        StateLock::acquire(&state).unwrap();
    }

    #[test]
    fn what_a_killed_hub_left_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let lock = StateLock::acquire(folder.path()).unwrap();
        lock.announce("http://127.0.0.1:1").unwrap();
        let left = fs::read(folder.path().join(ANNOUNCEMENT_FILE)).unwrap();
        drop(lock);
        fs::write(folder.path().join(ANNOUNCEMENT_FILE), left).unwrap();
        assert_eq!(running(folder.path()), None);
    }

    #[test]
    fn who_only_looks_keeps_no_hub_out() {
        let folder = tempfile::tempdir().unwrap();
        drop(StateLock::acquire(folder.path()).unwrap());
        let looking = File::open(folder.path().join("hub.lock")).unwrap();
        looking.try_lock_shared().unwrap();
        let looks = std::thread::spawn(move || {
            std::thread::sleep(LOCK_TIMEOUT / 5);
            drop(looking);
        });
        StateLock::acquire(folder.path()).unwrap();
        looks.join().unwrap();
    }

    #[test]
    fn the_directory_and_the_files_are_their_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("mains");
        let lock = StateLock::acquire(&state).unwrap();
        lock.announce("http://127.0.0.1:1").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&state), 0o700);
        assert_eq!(mode(&state.join("hub.lock")), 0o600);
        assert_eq!(mode(&state.join(ANNOUNCEMENT_FILE)), 0o600);
    }

    #[test]
    fn a_directory_that_cannot_be_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = StateLock::acquire(&file.join("state")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Local);
        assert!(error.message().contains("file/state"), "{error}");
    }
}
