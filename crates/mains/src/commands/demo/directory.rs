//! The demo's temporary directory, removed when the demo ends.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use emulator::HomeNetwork;
use tempfile::TempDir;

use crate::error::Failure;

#[cfg_attr(unix, path = "directory/unix.rs")]
#[cfg_attr(windows, path = "directory/windows.rs")]
mod owner;

/// Beginning of the directory's name.
const PREFIX: &str = "mains-demo-";
/// The home network.
pub(super) const SSID: &str = "Mains Demo";
const KEY: &str = "a key just for this demo";

/// State and key file of the demo.
pub(super) struct DemoDirectory {
    folder: TempDir,
    pub(super) network: HomeNetwork,
    /// Its lock tells other demos that this one is alive.
    _lock: File,
}

impl DemoDirectory {
    /// Makes the directory, and removes those of demos that were killed.
    pub(super) fn new() -> Result<Self, Failure> {
        let failure =
            |error: io::Error| Failure::local("cannot make the demo's directory").caused_by(&error);
        remove_abandoned(&std::env::temp_dir());
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir();
        let folder = folder.map_err(failure)?;
        let lock = owner::create_lock(folder.path()).map_err(failure)?;
        lock.try_lock().map_err(|error| failure(error.into()))?;
        let directory = Self {
            folder,
            network: format!("{SSID}:{KEY}").parse().map_err(|error| {
                Failure::failed("cannot make the demo's network").caused_by(&error)
            })?,
            _lock: lock,
        };
        Self::write(&directory.key_file(), KEY).map_err(failure)?;
        fs::create_dir(directory.state()).map_err(failure)?;
        Ok(directory)
    }

    /// Writes a new file of one line that is readable by its owner alone.
    fn write(path: &Path, text: &str) -> io::Result<()> {
        let mut file = statefile::owner_only()
            .write(true)
            .create_new(true)
            .open(path)?;
        writeln!(file, "{text}")
    }

    /// Writes a page that leads to a link. So the link is not in the arguments of a program, which every user can read.
    pub(super) fn write_page(&self, link: &str) -> io::Result<PathBuf> {
        let path = self.folder.path().join("open.html");
        Self::write(
            &path,
            &format!("<meta http-equiv=\"refresh\" content=\"0; url={link}\">"),
        )?;
        Ok(path)
    }

    /// Returns the path of the file with the key of the home network.
    pub(super) fn key_file(&self) -> PathBuf {
        self.folder.path().join("home.key")
    }

    /// Returns the path of the state directory.
    pub(super) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }
}

/// Removes directories whose demo has ended without removing them. What cannot be removed stays for the next demo.
fn remove_abandoned(parent: &Path) {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let names = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    for path in names.map(|entry| entry.path()) {
        if let Err(error) = remove_if_abandoned(&path) {
            tracing::debug!(path = %path.display(), %error, "stays");
        }
    }
}

fn remove_if_abandoned(path: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_dir() || !owner::is_own(&metadata) {
        return Ok(());
    }
    let lock = owner::open_lock(path)?;
    // One that is empty may be new and not locked yet.
    if lock.try_lock().is_err() || fs::read_dir(path)?.next().is_none() {
        return Ok(());
    }
    fs::remove_dir_all(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_demo_left_is_removed_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = parent.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::write(path.join("home.key"), "key").unwrap();
            path
        };
        let [dead, alive, other] = ["mains-demo-a", "mains-demo-b", "other"].map(make);
        let lock = File::open(&alive).unwrap();
        lock.try_lock().unwrap();
        let fresh = parent.path().join("mains-demo-c");
        fs::create_dir(&fresh).unwrap();
        let link = parent.path().join("mains-demo-d");
        std::os::unix::fs::symlink(&other, &link).unwrap();
        remove_abandoned(parent.path());
        assert!(!dead.exists());
        for path in [alive, other.join("home.key"), fresh, link] {
            assert!(path.exists(), "{}", path.display());
        }
    }
}
