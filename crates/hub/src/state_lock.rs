//! Exclusive use of a state directory, and the publication of the address of the hub that has it.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use api::running::RunningHub;
use api::{ErrorKind, RequestError};
use statefile::{FileLock, StateFile};

/// [`RunningHub::find`] touches the lock for a moment; that is not another hub.
const LOCK_TIMEOUT: Duration = Duration::from_millis(100);

/// Exclusive use of a state directory until this is dropped or the process ends.
#[derive(Debug)]
pub struct StateLock {
    announcement: StateFile,
    _lock: FileLock,
}

impl StateLock {
    /// Creates the directory if it is missing, and locks it. A directory that is there and cannot be written is locked, too: plugs
    /// are switched without a disk.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `local` when another hub uses the directory, or when it cannot be created or opened.
    pub fn acquire(directory: &Path) -> Result<Self, RequestError> {
        let announcement = RunningHub::announcement(directory);
        let locked = match announcement.lock(LOCK_TIMEOUT) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => announcement
                .lock_without_writing(LOCK_TIMEOUT)
                .map_err(|second| match second.kind() {
                    io::ErrorKind::WouldBlock => second,
                    _ => error,
                }),
            locked => locked,
        };
        match locked {
            Ok(lock) => Ok(Self {
                announcement,
                _lock: lock,
            }),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(in_use(directory, RunningHub::read(&announcement)))
            }
            Err(error) => {
                let path = directory.display();
                let message = format!("the state directory {path} cannot be used: {error}");
                Err(RequestError::new(ErrorKind::Local, message)
                    .hint("set MAINS_STATE to a directory that this user may write"))
            }
        }
    }

    /// Publishes the hub's URL and the address that it listens on to other programs of this user, where the disk allows it.
    pub fn announce(&self, url: &str, address: SocketAddr) {
        let running = RunningHub {
            pid: std::process::id(),
            url: url.to_owned(),
            address: Some(address),
        };
        let written = serde_json::to_string(&running)
            .map_err(io::Error::from)
            .and_then(|text| {
                self.announcement
                    .write_unsynced(format!("{text}\n").as_bytes())
            });
        if let Err(error) = written {
            tracing::error!(
                path = %self.announcement.path().display(),
                %error,
                "the address of the hub cannot be written; `mains` on this computer finds it with --hub {url} only"
            );
        }
    }
}

impl Drop for StateLock {
    fn drop(&mut self) {
        // Before the lock is released, so that no program reads of a hub that has ended.
        if let Err(error) = self.announcement.remove() {
            tracing::debug!(%error, "the published address is left behind");
        }
    }
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
    use std::net::{IpAddr, Ipv4Addr};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

    #[test]
    fn one_hub_at_a_time_and_it_can_be_found() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("a/b");
        assert_eq!(RunningHub::find(&state).unwrap(), None);
        let lock = StateLock::acquire(&state).unwrap();
        assert_eq!(
            RunningHub::find(&state).unwrap(),
            None,
            "it has not said where yet"
        );
        lock.announce("http://127.0.0.1:1", ADDRESS);
        let found = RunningHub::find(&state).unwrap().unwrap();
        assert_eq!(found.url, "http://127.0.0.1:1");
        let second = StateLock::acquire(&state).unwrap_err();
        assert_eq!(second.kind(), ErrorKind::Local);
        assert!(second.message().contains("http://127.0.0.1:1"), "{second}");
        drop(lock);
        assert_eq!(RunningHub::find(&state).unwrap(), None);
        StateLock::acquire(&state).unwrap();
    }

    #[test]
    fn what_a_killed_hub_left_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let lock = StateLock::acquire(folder.path()).unwrap();
        lock.announce("http://127.0.0.1:1", ADDRESS);
        let left = fs::read(RunningHub::announcement(folder.path()).path()).unwrap();
        drop(lock);
        fs::write(RunningHub::announcement(folder.path()).path(), left).unwrap();
        assert_eq!(RunningHub::find(folder.path()).unwrap(), None);
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
        lock.announce("http://127.0.0.1:1", ADDRESS);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&state), 0o700);
        assert_eq!(mode(&state.join("hub.lock")), 0o600);
        assert_eq!(mode(RunningHub::announcement(&state).path()), 0o600);
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
