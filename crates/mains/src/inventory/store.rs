//! File of the inventory: read, changed under a lock, replaced as a whole, set aside when it is broken.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use statefile::{FileLock, StateFile};

use super::{Inventory, InventoryEntry};
use crate::error::Failure;

const FILE_NAME: &str = "inventory.json";
/// The layout that this version writes.
const VERSION: u32 = 1;
/// Far more than [`super::MAX_UNNAMED`] plugs need.
const MAX_FILE_BYTES: u64 = 16 << 20;
/// Another command holds the lock for some milliseconds.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Serialize, Deserialize)]
struct InventoryDocument {
    version: u32,
    plugs: Vec<InventoryEntry>,
}

/// The inventory in a state directory.
#[derive(Debug, Clone)]
pub struct InventoryFile {
    file: StateFile,
}

/// Result of reading the file.
#[derive(Debug)]
enum FileContent {
    Good(Inventory),
    Absent,
    Broken(String),
}

/// An inventory, and a warning about how it was read.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The plugs; none when there was no file or it was broken.
    pub inventory: Inventory,
    /// Warning for the user.
    pub warning: Option<String>,
}

impl InventoryFile {
    /// The inventory in this directory; neither needs to exist.
    pub fn new(directory: PathBuf) -> Self {
        let file = StateFile::new(directory.join(FILE_NAME), MAX_FILE_BYTES);
        Self { file }
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Reads the inventory. A broken file is set aside.
    pub fn load(&self) -> Result<Loaded, Failure> {
        match self.read()? {
            FileContent::Good(inventory) => Ok(Loaded {
                inventory,
                warning: None,
            }),
            FileContent::Absent => Ok(Loaded::default()),
            FileContent::Broken(_) => {
                let _lock = self.lock()?;
                self.read_or_set_aside()
            }
        }
    }

    /// Changes the inventory under the lock. `change` says with its flag whether there is something to write.
    pub fn update<T>(
        &self,
        change: impl FnOnce(&mut Inventory) -> Result<(T, Save), Failure>,
    ) -> Result<(T, Option<String>), Failure> {
        let _lock = self.lock()?;
        let Loaded {
            mut inventory,
            warning,
        } = self.read_or_set_aside()?;
        let (result, write) = change(&mut inventory)?;
        if write != Save::No {
            self.write(&inventory, write == Save::Durably)?;
        }
        Ok((result, warning))
    }

    fn read(&self) -> Result<FileContent, Failure> {
        let text = match self.file.read() {
            Ok(Some(text)) => text,
            Ok(None) => return Ok(FileContent::Absent),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                return Ok(FileContent::Broken(error.to_string()));
            }
            Err(error) => return Err(self.failure("cannot be read", &error)),
        };
        match serde_json::from_slice::<InventoryDocument>(&text) {
            Ok(document) if document.version == VERSION => Ok(FileContent::Good(Inventory {
                plugs: document.plugs,
            })),
            Ok(document) => Err(self.newer(document.version)),
            Err(error) => match newer_version(&text) {
                Some(version) => Err(self.newer(version)),
                None => Ok(FileContent::Broken(error.to_string())),
            },
        }
    }

    fn newer(&self, version: u32) -> Failure {
        Failure::local(format!("the inventory {} has version {version}, which is not known here", self.path().display()))
            .hint("it was written by a newer Mains; update this one, or set MAINS_STATE to another directory")
    }

    fn read_or_set_aside(&self) -> Result<Loaded, Failure> {
        match self.read()? {
            FileContent::Good(inventory) => Ok(Loaded {
                inventory,
                warning: None,
            }),
            FileContent::Absent => Ok(Loaded::default()),
            FileContent::Broken(problem) => {
                let aside = self
                    .file
                    .set_aside()
                    .map_err(|error| self.failure("is broken and cannot be set aside", &error))?;
                let warning = format!(
                    "the inventory {} could not be understood ({problem}); it is kept as {}, and a new one is begun",
                    self.path().display(),
                    aside.display()
                );
                Ok(Loaded {
                    inventory: Inventory::default(),
                    warning: Some(warning),
                })
            }
        }
    }

    fn lock(&self) -> Result<FileLock, Failure> {
        self.file.lock(LOCK_TIMEOUT).map_err(|error| {
            let path = self.file.lock_path();
            if error.kind() == io::ErrorKind::WouldBlock {
                return Failure::local(format!("another mains holds {}", path.display()));
            }
            let directory = path.parent().unwrap_or(&path).display();
            Failure::local(format!("the state directory {directory} cannot be used"))
                .caused_by(&error)
                .hint("set MAINS_STATE to a directory that you may write to")
        })
    }

    fn write(&self, inventory: &Inventory, durably: bool) -> Result<(), Failure> {
        let document = InventoryDocument {
            version: VERSION,
            plugs: inventory.plugs.clone(),
        };
        let written = serde_json::to_string_pretty(&document)
            .map_err(io::Error::from)
            .and_then(|text| {
                let text = format!("{text}\n");
                match durably {
                    true => self.file.write(text.as_bytes()),
                    false => self.file.write_unsynced(text.as_bytes()),
                }
            });
        written.map_err(|error| self.failure("cannot be written", &error))
    }

    fn failure(&self, what: &str, error: &io::Error) -> Failure {
        let path = self.path().display();
        Failure::local(format!("the inventory {path} {what}")).caused_by(error)
    }
}

/// Durability of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Save {
    /// Nothing has changed.
    No,
    /// Something that the next scan would find again.
    Lightly,
    /// Something that only the user knows: it must survive a power cut.
    Durably,
}

/// Finds the version in a file whose other fields are not known here.
fn newer_version(text: &[u8]) -> Option<u32> {
    #[derive(Deserialize)]
    struct InventoryVersion {
        version: u32,
    }
    let versioned: InventoryVersion = serde_json::from_slice(text).ok()?;
    (versioned.version > VERSION).then_some(versioned.version)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::tests::plug;
    use super::*;
    use crate::error::Kind;

    fn remember(store: &InventoryFile, last: u8) {
        let change = |inventory: &mut Inventory| {
            inventory.remember(&[plug(last, [127, 0, 0, last], 0)]);
            Ok(((), Save::Lightly))
        };
        store.update(change).unwrap();
    }

    #[test]
    fn what_is_written_is_read() {
        let home = tempfile::tempdir().unwrap();
        let store = InventoryFile::new(home.path().join("not/yet/there"));
        assert!(store.load().unwrap().inventory.entries().is_empty());
        remember(&store, 2);
        let loaded = store.load().unwrap();
        assert_eq!(
            loaded.inventory.entries()[0].as_plug().address,
            plug(2, [127, 0, 0, 2], 0).address
        );
        assert_eq!(loaded.warning, None);
    }

    #[test]
    fn changes_at_the_same_time_lose_nothing() {
        let home = tempfile::tempdir().unwrap();
        let store = InventoryFile::new(home.path().to_owned());
        std::thread::scope(|scope| {
            for worker in 0..8 {
                let store = &store;
                scope.spawn(move || (0..20).for_each(|step| remember(store, worker * 20 + step)));
            }
        });
        assert_eq!(store.load().unwrap().inventory.entries().len(), 160);
    }

    #[test]
    fn a_broken_file_is_set_aside_and_kept() {
        let home = tempfile::tempdir().unwrap();
        let store = InventoryFile::new(home.path().to_owned());
        for (round, text) in ["", "{", "[]", "{\"version\":1}", "\0\u{ff}"]
            .into_iter()
            .enumerate()
        {
            fs::write(store.path(), text).unwrap();
            let loaded = store.load().unwrap();
            let aside = home
                .path()
                .join(format!("inventory.json.broken-{}", round + 1));
            assert!(loaded.warning.unwrap().contains(aside.to_str().unwrap()));
            assert!(loaded.inventory.entries().is_empty());
            assert_eq!(fs::read_to_string(aside).unwrap(), text);
            assert!(!store.path().exists());
        }
        fs::write(store.path(), "{").unwrap();
        remember(&store, 1);
        assert_eq!(store.load().unwrap().inventory.entries().len(), 1);
    }

    #[test]
    fn a_file_of_a_newer_version_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let store = InventoryFile::new(home.path().to_owned());
        let text = r#"{"version":2,"plugs":{"new":"form"}}"#;
        fs::write(store.path(), text).unwrap();
        let failure = store.load().unwrap_err();
        assert_eq!(failure.kind(), Kind::Local);
        assert!(store.update(|_| Ok(((), Save::Lightly))).is_err());
        assert_eq!(fs::read_to_string(store.path()).unwrap(), text);
    }

    #[test]
    fn a_file_that_this_version_wrote_is_read_for_ever() {
        let text = r#"{"version":1,"plugs":[{"mac":"AC:CF:23:12:34:56","name":"kitchen","family":"reco",
            "serial":"900000621","model":null,"address":"192.168.1.107","seen":"2026-11-22T12:00:00Z"}]}"#;
        let home = tempfile::tempdir().unwrap();
        let store = InventoryFile::new(home.path().to_owned());
        fs::write(store.path(), text).unwrap();
        let inventory = store.load().unwrap().inventory;
        let kitchen = inventory.by_name("kitchen").unwrap();
        assert_eq!(kitchen.serial.as_deref(), Some("900000621"));
        assert_eq!(kitchen.mac.to_string(), "AC:CF:23:12:34:56");
    }

    #[test]
    fn a_state_directory_that_is_a_file_is_a_local_failure() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("state");
        fs::write(&file, "").unwrap();
        let store = InventoryFile::new(file);
        assert_eq!(
            store
                .update(|_| Ok(((), Save::Lightly)))
                .unwrap_err()
                .kind(),
            Kind::Local
        );
        assert_eq!(store.load().unwrap_err().kind(), Kind::Local);
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
        #[test]
        fn whatever_the_file_holds_is_kept_or_understood(text in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let home = tempfile::tempdir().unwrap();
            let store = InventoryFile::new(home.path().to_owned());
            fs::write(store.path(), &text).unwrap();
            let loaded = store.load().unwrap();
            let aside = home.path().join("inventory.json.broken-1");
            proptest::prop_assert_eq!(fs::read(aside).unwrap(), text);
            proptest::prop_assert!(loaded.warning.is_some());
        }
    }
}
