//! Old values of the settings that were changed, and the discovery words that modules were given: one private file a plug.
//!
//! A file is written before the plug is changed. It is also what `--export` copies, so that it restores the plug on another
//! computer.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hiflying::{DiscoveryWord, Mac};
use serde::{Deserialize, Serialize};
use statefile::{FileLock, StateFile};
use zeroize::Zeroizing;

/// The layout that this version writes.
const VERSION: u32 = 1;
/// Maximum size of a file; a record has a few hundred bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024;
/// Maximum number of words of a record; each interrupted run can leave one.
const MAX_WORDS: usize = 64;
/// Maximum number of records whose words are used.
const MAX_RECORDS: usize = 4096;
/// Beginning and end of the names of these files.
const PREFIX: &str = "harden-";
const SUFFIX: &str = ".json";
/// Time to wait for another process that changes the same plug.
const LOCK_TIMEOUT: Duration = Duration::from_millis(200);

/// The old values of one plug.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HardenRecord {
    version: u32,
    /// The plug.
    pub plug: Mac,
    /// Discovery words that the module was given, or was about to be given.
    #[serde(default)]
    words: Vec<Zeroizing<String>>,
    /// Old value of each setting that was changed, by its AT verb.
    #[serde(default)]
    pub(crate) old: BTreeMap<String, Zeroizing<String>>,
    /// User and password that the web page was given.
    #[serde(default)]
    pub(crate) login: Option<Zeroizing<String>>,
}

/// Names only: the values are secrets.
impl fmt::Debug for HardenRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HardenRecord")
            .field("plug", &self.plug)
            .field("old", &self.old.keys())
            .finish_non_exhaustive()
    }
}

/// Failure to read or write a record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// The action.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Error of the system.
        #[source]
        source: io::Error,
    },
    /// Another process changes the plug.
    #[error("another mains is hardening the plug {0}")]
    Busy(Mac),
    /// The file is no record.
    #[error("{} is no record of a hardened plug: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// The file is that of another plug, or of something else, and is not overwritten.
    #[error("{} exists and is no record of the plug {plug}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The plug whose record was to be written.
        plug: Mac,
    },
    /// Nothing was changed on the plug from here.
    #[error("no old values of the plug {0} are stored on this computer")]
    Nothing(Mac),
}

impl HardenRecord {
    /// Makes a record without values.
    pub(crate) fn new(plug: Mac) -> Self {
        Self {
            version: VERSION,
            plug,
            words: Vec::new(),
            old: BTreeMap::new(),
            login: None,
        }
    }

    /// Reads a record that was exported.
    ///
    /// # Errors
    ///
    /// [`RecordError`] if the file cannot be read or is no record.
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        let file = StateFile::new(path, MAX_FILE_BYTES);
        let missing = || io::Error::new(io::ErrorKind::NotFound, "there is no such file");
        let text = file.read().and_then(|text| text.ok_or_else(missing));
        let text = text.map_err(|source| failure("read", path, source))?;
        Self::parse(&text).map_err(|problem| RecordError::Malformed {
            path: path.to_owned(),
            problem,
        })
    }

    /// Parses the content of a file. The problem never quotes it.
    ///
    /// # Errors
    ///
    /// The problem in words.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let record: Self = serde_json::from_slice(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            format!("not understood at line {line}, column {column}")
        })?;
        if record.version != VERSION {
            return Err(format!("its version is {}, not {VERSION}", record.version));
        }
        let is_line = |value: &Zeroizing<String>| !value.contains(['\r', '\n', '\0']);
        let texts = record.words.iter().chain(record.old.values());
        if !texts.chain(&record.login).all(is_line) || record.words.len() > MAX_WORDS {
            return Err("a value is more than one line, or there are too many".to_owned());
        }
        Ok(record)
    }

    /// Returns the content of a file.
    pub fn emit(&self) -> Zeroizing<Vec<u8>> {
        let mut text = serde_json::to_vec_pretty(self).expect("a record has text keys only");
        text.push(b'\n');
        Zeroizing::new(text)
    }

    /// Returns the words that the module may have, the latest first.
    pub(crate) fn words(&self) -> impl Iterator<Item = DiscoveryWord> {
        let words = self.words.iter().rev();
        words.filter_map(|word| DiscoveryWord::new(word.as_bytes()).ok())
    }

    pub(crate) fn add_word(&mut self, word: &str) {
        self.words.retain(|known| known.as_str() != word);
        let surplus = (self.words.len() + 1).saturating_sub(MAX_WORDS);
        self.words.drain(..surplus);
        self.words.push(Zeroizing::new(word.to_owned()));
    }

    /// Forgets all words, because the module has an old one again.
    pub(crate) fn forget_words(&mut self) {
        self.words.clear();
    }

    /// Returns true if there is nothing to restore and no word to remember.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty() && self.old.is_empty()
    }
}

/// The file with the record of one plug in a state directory.
#[derive(Debug, Clone)]
pub struct RecordFile {
    plug: Mac,
    file: StateFile,
}

impl RecordFile {
    /// Names the file; neither it nor its directory has to exist.
    pub fn new(directory: &Path, plug: Mac) -> Self {
        let name = format!("{PREFIX}{plug:x}{SUFFIX}");
        Self {
            plug,
            file: StateFile::new(directory.join(name), MAX_FILE_BYTES),
        }
    }

    /// Excludes other processes from this plug.
    pub(crate) fn lock(&self) -> Result<FileLock, RecordError> {
        self.file.lock(LOCK_TIMEOUT).map_err(|source| {
            if source.kind() == io::ErrorKind::WouldBlock {
                return RecordError::Busy(self.plug);
            }
            failure("lock", &self.file.lock_path(), source)
        })
    }

    /// Reads the record; an empty one if there is no file.
    pub(crate) fn load(&self) -> Result<HardenRecord, RecordError> {
        match self.file.read() {
            Ok(None) => Ok(HardenRecord::new(self.plug)),
            Ok(Some(_)) => HardenRecord::read(self.file.path()),
            Err(source) => Err(failure("read", self.file.path(), source)),
        }
    }

    /// Writes the record, on the disk on return; removes the file of an empty one.
    pub(crate) fn save(&self, record: &HardenRecord) -> Result<(), RecordError> {
        let written = match record.is_empty() {
            true => self.file.remove(),
            false => self.file.write(&record.emit()),
        };
        written.map_err(|source| failure("write", self.file.path(), source))
    }

    /// Copies the record into a private file. A file that is no record of the same plug is not overwritten.
    ///
    /// # Errors
    ///
    /// [`RecordError`], also if there is nothing to copy.
    pub fn export(&self, path: &Path) -> Result<(), RecordError> {
        let record = self.load()?;
        if record.is_empty() {
            return Err(RecordError::Nothing(self.plug));
        }
        self.check_target(path)?;
        let copy = StateFile::new(path, MAX_FILE_BYTES);
        copy.write(&record.emit())
            .map_err(|source| failure("write", path, source))
    }

    /// Checks that [`RecordFile::export`] can write there.
    pub fn check_target(&self, path: &Path) -> Result<(), RecordError> {
        let file = StateFile::new(path, MAX_FILE_BYTES);
        let is_ours = |text: &[u8]| {
            text.is_empty() || HardenRecord::parse(text).is_ok_and(|other| other.plug == self.plug)
        };
        match file.read() {
            Ok(Some(text)) if !is_ours(&text) => Err(RecordError::Foreign {
                path: path.to_owned(),
                plug: self.plug,
            }),
            Ok(_) => file
                .check_writable(1)
                .map_err(|source| failure("write", path, source)),
            Err(source) => Err(failure("write", path, source)),
        }
    }
}

fn failure(action: &'static str, path: &Path, source: io::Error) -> RecordError {
    RecordError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

/// Returns the discovery words of all records in a state directory. A record that cannot be read is left out.
pub fn words(directory: &Path) -> Vec<DiscoveryWord> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let is_record = |name: &str| name.starts_with(PREFIX) && name.ends_with(SUFFIX);
    let records = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_record));
    let mut words = Vec::new();
    for entry in records.take(MAX_RECORDS) {
        match HardenRecord::read(&entry.path()) {
            Ok(record) => words.extend(record.words()),
            Err(error) => tracing::warn!(%error, "the discovery word of a plug is not known"),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use proptest::prelude::*;

    use super::*;

    const PLUG: Mac = Mac::new([0xac, 0xcf, 0x23, 0x12, 0x34, 0x56]);

    fn record() -> HardenRecord {
        let mut record = HardenRecord::new(PLUG);
        record.add_word("FIRSTWORD");
        record.add_word("SECONDWORD");
        let old = Zeroizing::new("ADMIN,ADMIN".to_owned());
        record.old.insert("WEBU".to_owned(), old);
        record
    }

    #[test]
    fn a_record_is_private_and_read_again() {
        let home = tempfile::tempdir().unwrap();
        let file = RecordFile::new(&home.path().join("state"), PLUG);
        assert_eq!(file.load().unwrap(), HardenRecord::new(PLUG));
        let lock = file.lock().unwrap();
        assert!(matches!(file.lock(), Err(RecordError::Busy(PLUG))));
        file.save(&record()).unwrap();
        drop(lock);
        assert_eq!(file.load().unwrap(), record());
        let path = home.path().join("state/harden-accf23123456.json");
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let known: Vec<_> = words(&home.path().join("state"));
        let known: Vec<_> = known.iter().map(DiscoveryWord::as_bytes).collect();
        assert_eq!(known, [&b"SECONDWORD"[..], b"FIRSTWORD"]);
        file.save(&HardenRecord::new(PLUG)).unwrap();
        assert!(!path.exists());
        assert!(words(home.path()).is_empty());
    }

    #[test]
    fn an_export_is_a_private_copy_and_overwrites_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let file = RecordFile::new(home.path(), PLUG);
        let copy = home.path().join("copy.json");
        assert!(matches!(file.export(&copy), Err(RecordError::Nothing(_))));
        let _lock = file.lock().unwrap();
        file.save(&record()).unwrap();
        file.export(&copy).unwrap();
        file.export(&copy).unwrap();
        assert_eq!(HardenRecord::read(&copy).unwrap(), record());
        assert_eq!(copy.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&copy, "diary").unwrap();
        let refused = file.export(&copy);
        assert!(matches!(refused, Err(RecordError::Foreign { .. })));
        assert_eq!(std::fs::read_to_string(&copy).unwrap(), "diary");
    }

    #[test]
    fn a_file_that_this_version_wrote_is_read_for_ever() {
        let text = br#"{"version":1,"plug":"AC:CF:23:12:34:56","words":["FIRSTWORD","SECONDWORD"],
            "old":{"WEBU":"ADMIN,ADMIN"},"login":null}"#;
        assert_eq!(HardenRecord::parse(text).unwrap(), record());
    }

    #[test]
    fn what_is_no_record_is_refused_without_quoting_it() {
        for text in [
            &b""[..],
            b"secret",
            br#"{"version":2,"plug":"AC:CF:23:12:34:56"}"#,
            br#"{"version":1,"plug":"AC:CF:23:12:34:56","words":["secret\nAT+RELD"]}"#,
            br#"{"version":1,"plug":"AC:CF:23:12:34:56","old":{"WEBU":"secret\r"}}"#,
            br#"{"version":1,"plug":"secret"}"#,
        ] {
            let problem = HardenRecord::parse(text).unwrap_err();
            assert!(!problem.contains("secret"), "{problem}");
        }
        assert!(!format!("{:?}", record()).contains("ADMIN"));
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = HardenRecord::parse(&bytes);
        }

        #[test]
        fn round_trip(words in proptest::collection::vec("[!-~]{1,20}", 0..5), old in "[ -~]{0,40}") {
            let mut record = HardenRecord::new(PLUG);
            words.iter().for_each(|word| record.add_word(word));
            record.old.insert("SOCKB".to_owned(), Zeroizing::new(old));
            prop_assert_eq!(HardenRecord::parse(&record.emit()).unwrap(), record);
        }
    }
}
