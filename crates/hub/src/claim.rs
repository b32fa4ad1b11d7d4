//! Which hub has a state directory: one at a time, and whoever looks can find it.
//!
//! A lock on `hub.lock`, which the system lets go when the process ends in whatever way, says that a hub runs;
//! `hub.json` says where it listens. Neither has anything secret in it; the directory is its owner's alone all the same.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::{HubError, Kind};
use serde::{Deserialize, Serialize};

const LOCK: &str = "hub.lock";
const ANNOUNCEMENT: &str = "hub.json";
const ADMIN_TOKEN: &str = "admin-token";
/// How often a lock that is held is tried for.
const TRIES: usize = 5;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// A hub that runs on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Its process.
    pub pid: u32,
    /// Where it listens, e.g. `http://127.0.0.1:8480`.
    pub url: String,
}

/// A state directory that is ours until this is dropped or the process ends.
#[derive(Debug)]
pub struct Claim {
    directory: PathBuf,
    _lock: File,
}

impl Claim {
    /// Makes the directory where it is missing, and takes it.
    ///
    /// # Errors
    ///
    /// [`HubError`] of kind `local` when another hub has it, or when it cannot be made or written.
    pub fn take(directory: &Path) -> Result<Self, HubError> {
        let failure = |error: io::Error| {
            let path = directory.display();
            HubError::new(
                Kind::Local,
                format!("the state directory {path} cannot be used: {error}"),
            )
            .hint("set MAINS_STATE to a directory that this user may write")
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(failure)?;
        let lock = open_lock(directory).map_err(failure)?;
        match lock_with_patience(&lock) {
            Ok(()) => Ok(Self {
                directory: directory.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(taken(directory)),
            Err(TryLockError::Error(error)) => Err(failure(error)),
        }
    }

    /// Tells other programs of this user where the hub listens.
    ///
    /// # Errors
    ///
    /// [`HubError`] of kind `local` when the file cannot be written.
    pub fn announce(&self, url: &str) -> Result<(), HubError> {
        let running = Running {
            pid: std::process::id(),
            url: url.to_owned(),
        };
        let path = self.directory.join(ANNOUNCEMENT);
        write_by_rename(&path, &running).map_err(|error| {
            let path = path.display();
            HubError::new(Kind::Local, format!("{path} cannot be written: {error}"))
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Before the lock goes, so that nobody reads of a hub that is no more.
        if let Err(error) = fs::remove_file(self.directory.join(ANNOUNCEMENT))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::debug!(%error, "{ANNOUNCEMENT} is left behind");
        }
    }
}

/// Returns the hub that has this state directory, if one runs and has said where.
pub fn running(directory: &Path) -> Option<Running> {
    let lock = File::open(directory.join(LOCK)).ok()?;
    match lock.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {}
        // Nobody has it: what may be written there is from a hub that was killed.
        Ok(()) | Err(TryLockError::Error(_)) => return None,
    }
    let text = fs::read(directory.join(ANNOUNCEMENT)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Returns where the hub with this state directory keeps its admin token.
pub fn admin_token(directory: &Path) -> PathBuf {
    directory.join(ADMIN_TOKEN)
}

fn open_lock(directory: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(directory.join(LOCK))
}

/// Who looks whether a hub runs touches the lock for a moment ([`running`]); that is not another hub.
fn lock_with_patience(lock: &File) -> Result<(), TryLockError> {
    for _ in 1..TRIES {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(BETWEEN_TRIES),
            other => return other,
        }
    }
    lock.try_lock()
}

fn write_by_rename(path: &Path, running: &Running) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&fresh)?;
    serde_json::to_writer(&mut file, running)?;
    file.write_all(b"\n")?;
    fs::rename(fresh, path)
}

fn taken(directory: &Path) -> HubError {
    let path = directory.display();
    let who = fs::read(directory.join(ANNOUNCEMENT))
        .ok()
        .and_then(|text| serde_json::from_slice::<Running>(&text).ok());
    let who = who.map_or_else(String::new, |running| {
        format!(" (process {}, {})", running.pid, running.url)
    });
    HubError::new(
        Kind::Local,
        format!("another hub runs with the state directory {path}{who}"),
    )
    .hint("end it first, or give this one a state directory of its own with MAINS_STATE")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn one_hub_at_a_time_and_it_can_be_found() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("a/b");
        assert_eq!(running(&state), None);
        let claim = Claim::take(&state).unwrap();
        assert_eq!(running(&state), None, "it has not said where yet");
        claim.announce("http://127.0.0.1:1").unwrap();
        let found = running(&state).unwrap();
        assert_eq!(found.url, "http://127.0.0.1:1");
        let second = Claim::take(&state).unwrap_err();
        assert_eq!(second.kind(), Kind::Local);
        assert!(second.message().contains("http://127.0.0.1:1"), "{second}");
        drop(claim);
        assert_eq!(running(&state), None);
        Claim::take(&state).unwrap();
    }

    #[test]
    fn what_a_killed_hub_left_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let claim = Claim::take(folder.path()).unwrap();
        claim.announce("http://127.0.0.1:1").unwrap();
        let left = fs::read(folder.path().join(ANNOUNCEMENT)).unwrap();
        drop(claim);
        fs::write(folder.path().join(ANNOUNCEMENT), left).unwrap();
        assert_eq!(running(folder.path()), None);
    }

    #[test]
    fn who_only_looks_keeps_no_hub_out() {
        let folder = tempfile::tempdir().unwrap();
        drop(Claim::take(folder.path()).unwrap());
        let looking = File::open(folder.path().join(LOCK)).unwrap();
        looking.try_lock_shared().unwrap();
        let looks = std::thread::spawn(move || {
            std::thread::sleep(BETWEEN_TRIES);
            drop(looking);
        });
        Claim::take(folder.path()).unwrap();
        looks.join().unwrap();
    }

    #[test]
    fn the_directory_and_the_files_are_their_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("mains");
        let claim = Claim::take(&state).unwrap();
        claim.announce("http://127.0.0.1:1").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&state), 0o700);
        assert_eq!(mode(&state.join(LOCK)), 0o600);
        assert_eq!(mode(&state.join(ANNOUNCEMENT)), 0o600);
    }

    #[test]
    fn a_directory_that_cannot_be_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Claim::take(&file.join("state")).unwrap_err();
        assert_eq!(error.kind(), Kind::Local);
        assert!(error.message().contains("file/state"), "{error}");
    }
}
