//! The topics that hold a message of this hub at the broker, on disk: so a plug that is deleted while the broker is away, or while
//! the hub does not run, leaves nothing behind.
//!
//! A topic is recorded before it is filled for the first time, and removed when the broker has received that it is empty.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use statefile::StateFile;

const FILE_NAME: &str = "mqtt.json";
/// Maximum length of the file in bytes: 10,000 plugs with two dozen topics each.
const MAX_LENGTH: u64 = 64 * 1024 * 1024;
/// Number of hex digits of an id.
const ID_LENGTH: usize = 12;

/// The topics that hold a message at the broker, and the id of the state directory.
#[derive(Debug)]
pub(crate) struct Ledger {
    file: StateFile,
    content: LedgerContent,
    /// True while the file is older than the content.
    is_unsaved: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct LedgerContent {
    /// The id of the state directory.
    id: String,
    /// The broker, e.g. `mqtt://127.0.0.1:1883`.
    broker: String,
    /// The topics.
    filled: BTreeSet<String>,
}

impl Ledger {
    /// Reads the file of a state directory. Topics at another broker are forgotten: they cannot be reached.
    ///
    /// # Errors
    ///
    /// The system's error if the file can be neither read nor written.
    pub(crate) fn load(directory: &Path, broker: &str) -> io::Result<Self> {
        let file = StateFile::new(directory.join(FILE_NAME), MAX_LENGTH);
        let mut content = LedgerContent::default();
        if let Some(text) = file.read()? {
            match serde_json::from_slice(&text) {
                Ok(read) => content = read,
                Err(error) => {
                    let path = file.path().display().to_string();
                    let kept = file.set_aside()?;
                    tracing::error!(%error, kept = %kept.display(), "{path} cannot be understood and is set aside; topics of deleted plugs may stay at the broker");
                }
            }
        }
        let is_id = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let has_id = content.id.len() == ID_LENGTH && content.id.bytes().all(is_id);
        let mut ledger = Self {
            file,
            content,
            is_unsaved: false,
        };
        if !has_id {
            ledger.content.id = format!("{:012x}", fastrand::u64(..1 << 48));
            ledger.is_unsaved = true;
        }
        if ledger.content.broker != broker {
            ledger.content.broker = broker.to_owned();
            ledger.content.filled.clear();
            ledger.is_unsaved = true;
        }
        if ledger.is_unsaved {
            ledger.file.create_directory()?;
            let content = ledger.take_unsaved();
            ledger.file.write(&content)?;
        }
        Ok(ledger)
    }

    /// Returns the id of the state directory: 12 hex digits.
    pub(crate) fn id(&self) -> &str {
        &self.content.id
    }

    /// Returns the topics.
    pub(crate) fn filled(&self) -> &BTreeSet<String> {
        &self.content.filled
    }

    /// Records topics that will be filled.
    pub(crate) fn add<'a>(&mut self, topics: impl Iterator<Item = &'a str>) {
        for topic in topics {
            if !self.content.filled.contains(topic) {
                self.content.filled.insert(topic.to_owned());
                self.is_unsaved = true;
            }
        }
    }

    /// Records that a topic is empty.
    pub(crate) fn remove(&mut self, topic: &str) {
        self.is_unsaved |= self.content.filled.remove(topic);
    }

    /// Returns true while the file is older than the content.
    pub(crate) fn is_unsaved(&self) -> bool {
        self.is_unsaved
    }

    /// Returns the work of saving the content, which blocks. It does not wait for the disk, which has to save each plug that is
    /// adopted meanwhile: after a power cut the hub fills the same topics again, and records them.
    pub(crate) fn save(&mut self) -> impl FnOnce() -> io::Result<()> + Send + 'static {
        let (file, content) = (self.file.clone(), self.take_unsaved());
        move || file.write_unsynced(&content)
    }

    fn take_unsaved(&mut self) -> Vec<u8> {
        self.is_unsaved = false;
        serde_json::to_vec(&self.content).expect("it is a tree with text keys")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(directory: &Path, broker: &str) -> Ledger {
        Ledger::load(directory, broker).unwrap()
    }

    #[test]
    fn topics_and_id_outlast_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = load(folder.path(), "mqtt://a:1883");
        let id = ledger.id().to_owned();
        assert_eq!(id.len(), ID_LENGTH);
        ledger.add(["x", "y"].into_iter());
        ledger.remove("y");
        assert!(ledger.is_unsaved());
        ledger.save()().unwrap();
        assert!(!ledger.is_unsaved());
        let again = load(folder.path(), "mqtt://a:1883");
        assert_eq!(again.id(), id);
        assert_eq!(again.filled(), ledger.filled());
        let elsewhere = load(folder.path(), "mqtt://b:1883");
        assert_eq!(elsewhere.id(), id);
        assert!(elsewhere.filled().is_empty());
    }

    #[test]
    fn a_file_that_cannot_be_understood_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE_NAME), "{\"id\":7").unwrap();
        let ledger = load(folder.path(), "mqtt://a:1883");
        assert_eq!(ledger.id().len(), ID_LENGTH);
        let files = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(files, 2);
    }
}
