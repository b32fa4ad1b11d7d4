//! The topics that hold a message of this hub at the broker, on disk: so a plug that is deleted while the broker is away, or while
//! the hub does not run, leaves nothing behind.
//!
//! A topic is recorded before it is filled for the first time, and removed when the broker has received that it is empty.
//!
//! Hubs that share a database have one id and one set of topics: the active hub keeps a copy in a setting of the database, and a hub
//! that becomes the active one begins with it. The file is written first, so that MQTT does not wait for a database that is away.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hub::store::Store;
use serde::{Deserialize, Serialize};
use statefile::StateFile;
use tokio::sync::watch;

const FILE_NAME: &str = "mqtt.json";
/// Maximum length of the file in bytes: 10,000 plugs with two dozen topics each.
const MAX_LENGTH: u64 = 64 * 1024 * 1024;
/// Number of hex digits of an id.
const ID_LENGTH: usize = 12;
/// The setting of a shared database that holds the content.
const SETTING: &str = "mqtt.topics";
/// Delay before the setting is written again after the database failed.
const RETRY_DELAY: Duration = Duration::from_secs(2);

/// The topics that hold a message at the broker, and the id under which the hub is known there.
#[derive(Debug)]
pub(crate) struct Ledger {
    file: StateFile,
    content: LedgerContent,
    /// True while the file is older than the content.
    is_unsaved: bool,
    /// The content that was saved last, for the database that hubs share.
    shared: watch::Sender<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct LedgerContent {
    /// The id of the state directory, or of all hubs that share a database.
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
        let has_id = content.has_id();
        let mut ledger = Self {
            file,
            content,
            is_unsaved: false,
            shared: watch::Sender::default(),
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
            ledger.file.write(content.as_bytes())?;
        }
        Ok(ledger)
    }

    /// Takes over the id and the topics of the hubs that share a database. Returns the work of keeping them there.
    pub(crate) async fn share(
        &mut self,
        store: Arc<dyn Store>,
    ) -> impl Future<Output = ()> + use<> {
        let found = store.setting(SETTING).await;
        match &found {
            Ok(Some(shared)) => self.merge(shared),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, "the topics of MQTT cannot be read from the database");
            }
        }
        self.shared.send_replace(self.to_json());
        let contents = self.shared.subscribe();
        async move {
            // What could not be read is not overwritten.
            if found.is_ok() {
                keep(store, contents).await;
            }
        }
    }

    fn merge(&mut self, shared: &str) {
        let Ok(shared) = serde_json::from_str::<LedgerContent>(shared) else {
            return;
        };
        let before = self.content.clone();
        if shared.has_id() {
            self.content.id = shared.id;
        }
        if shared.broker == self.content.broker {
            self.content.filled.extend(shared.filled);
        }
        self.is_unsaved |= self.content != before;
    }

    /// Returns the id: 12 hex digits.
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
        self.shared.send_replace(content.clone());
        move || file.write_unsynced(content.as_bytes())
    }

    fn take_unsaved(&mut self) -> String {
        self.is_unsaved = false;
        self.to_json()
    }

    fn to_json(&self) -> String {
        serde_json::to_string(&self.content).expect("it is a tree with text keys")
    }
}

impl LedgerContent {
    fn has_id(&self) -> bool {
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        self.id.len() == ID_LENGTH && self.id.bytes().all(is_hex)
    }
}

/// Writes each content to the database, until the ledger is gone.
async fn keep(store: Arc<dyn Store>, mut contents: watch::Receiver<String>) {
    contents.mark_changed();
    while contents.changed().await.is_ok() {
        let content = contents.borrow_and_update().clone();
        while let Err(error) = store.save_setting(SETTING, Some(&content)).await {
            tracing::debug!(%error, "the topics of MQTT cannot be kept in the database");
            tokio::time::sleep(RETRY_DELAY).await;
        }
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
    fn hubs_that_share_a_database_have_one_id_and_all_topics() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [mut first, mut second] = folders
            .each_ref()
            .map(|folder| load(folder.path(), "mqtt://a:1883"));
        assert_ne!(first.id(), second.id());
        first.add(["x", "y"].into_iter());
        second.add(["z"].into_iter());
        second.merge(&first.to_json());
        assert_eq!(second.id(), first.id());
        let all = ["x", "y", "z"].map(str::to_owned);
        assert_eq!(second.filled(), &all.into());
        second.save()().unwrap();
        assert_eq!(load(folders[1].path(), "mqtt://a:1883").id(), first.id());
        // Topics at another broker cannot be reached, and what is no content changes nothing.
        let folder = tempfile::tempdir().unwrap();
        let mut third = load(folder.path(), "mqtt://b:1883");
        third.merge(&first.to_json());
        assert!(third.filled().is_empty());
        assert_eq!(third.id(), first.id());
        third.merge("{");
        third.merge("");
        assert_eq!(third.id(), first.id());
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
