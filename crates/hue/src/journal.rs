//! The journal of a move of a light from one bridge to another, by which it continues after an interruption at any step.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use statefile::StateFile;

use crate::lights;
use crate::operator::MoveStep;

/// Maximum size of a record, which has about a hundred bytes for each light of a bridge.
const MAX_RECORD: u64 = 1 << 20;
/// Maximum number of ended moves in the journal.
const MAX_ENDED: usize = 20;
const PREFIX: &str = "hue-move-";
const SUFFIX: &str = ".json";

/// One move. It contains no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveRecord {
    /// The time when it began, in seconds since 1970.
    pub began: u64,
    /// The bridge that had the light: its id, or its address where it reports no id.
    pub from: String,
    /// The bridge that gets the light.
    pub to: String,
    /// The light's number on the old bridge.
    pub light: String,
    /// The light's name, which it keeps.
    pub name: String,
    /// The light's unique id, if reported.
    pub unique_id: Option<String>,
    /// The keys of the lights that the new bridge had before.
    pub known_at_target: Vec<String>,
    /// The finished steps, in their order.
    pub steps: Vec<MoveStep>,
    /// True if nothing is left to do.
    pub ended: bool,
}

impl MoveRecord {
    /// Tells whether a step is finished.
    pub fn has(&self, step: MoveStep) -> bool {
        self.steps.contains(&step)
    }

    /// Tells whether a text names the light: by its former number, its unique id, or its name.
    pub fn has_light(&self, text: &str) -> bool {
        let text = text.trim();
        let unique_id = self.unique_id.as_deref();
        self.light == text
            || unique_id.is_some_and(|unique_id| lights::is_unique_id(unique_id, text))
            || self.name.to_lowercase() == text.to_lowercase()
    }

    /// Returns the name of the record's file. A light has one file; its next move replaces the record.
    fn file_name(&self) -> String {
        let light = match &self.unique_id {
            Some(unique_id) => unique_id.clone(),
            None => format!("{}-{}", self.from, self.light),
        };
        let plain = |c: char| match c.is_ascii_alphanumeric() {
            true => c.to_ascii_lowercase(),
            false => '-',
        };
        let light: String = light.chars().map(plain).take(80).collect();
        format!("{PREFIX}{light}{SUFFIX}")
    }
}

/// A persistent collection of moves. Implemented by [`JournalDir`], and in memory by tests.
pub trait Journal: Send + Sync {
    /// Returns all recorded moves, including ended ones.
    fn records(&self) -> io::Result<Vec<MoveRecord>>;

    /// Records a move durably: it survives a power cut.
    fn save(&self, record: &MoveRecord) -> io::Result<()>;

    /// Removes a move.
    fn remove(&self, record: &MoveRecord) -> io::Result<()>;
}

/// A journal in a directory, with one file for each light, readable by its owner only.
#[derive(Debug, Clone)]
pub struct JournalDir(PathBuf);

impl JournalDir {
    /// Uses this directory, which is created with the first record.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self(directory.into())
    }

    fn file(&self, record: &MoveRecord) -> StateFile {
        StateFile::new(self.0.join(record.file_name()), MAX_RECORD)
    }

    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(in_file(&self.0, error)),
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| in_file(&self.0, error))?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            if name.is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX)) {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }

    /// Removes the oldest ended moves beyond [`MAX_ENDED`].
    fn prune(&self) -> io::Result<()> {
        let mut ended = self.records()?;
        ended.retain(|record| record.ended);
        ended.sort_by_key(|record| record.began);
        let too_many = ended.len().saturating_sub(MAX_ENDED);
        ended
            .iter()
            .take(too_many)
            .try_for_each(|record| self.remove(record))
    }
}

impl Journal for JournalDir {
    /// Fails if one of the files cannot be read, because its light may be between two bridges.
    fn records(&self) -> io::Result<Vec<MoveRecord>> {
        self.files()?.into_iter().map(read).collect()
    }

    fn save(&self, record: &MoveRecord) -> io::Result<()> {
        let file = self.file(record);
        let text = serde_json::to_vec_pretty(record)?;
        file.create_directory()
            .and_then(|()| file.write(&text))
            .map_err(|error| in_file(file.path(), error))?;
        match record.ended {
            true => self.prune(),
            false => Ok(()),
        }
    }

    fn remove(&self, record: &MoveRecord) -> io::Result<()> {
        let file = self.file(record);
        file.remove().map_err(|error| in_file(file.path(), error))
    }
}

fn read(path: PathBuf) -> io::Result<MoveRecord> {
    let file = StateFile::new(path, MAX_RECORD);
    let record = file.read().and_then(|text| {
        let text = text.ok_or(io::ErrorKind::NotFound)?;
        serde_json::from_slice(&text).map_err(io::Error::other)
    });
    record.map_err(|error| in_file(file.path(), error))
}

fn in_file(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn record(number: u64) -> MoveRecord {
        MoveRecord {
            began: number,
            from: "001788fffe010203".to_owned(),
            to: "001788fffe0a0b0c".to_owned(),
            light: number.to_string(),
            name: "Desk".to_owned(),
            unique_id: Some(format!("00:17:88:01:00:BD:C7:{number:02X}-0b")),
            known_at_target: vec!["00:17:88:01:00:bd:c7:ff-0b".to_owned()],
            steps: vec![MoveStep::Checked, MoveStep::Opened],
            ended: false,
        }
    }

    fn journal() -> (tempfile::TempDir, JournalDir) {
        let home = tempfile::tempdir().unwrap();
        let journal = JournalDir::new(home.path().join("state"));
        (home, journal)
    }

    #[test]
    fn a_move_is_kept_for_its_owner_alone() {
        let (home, journal) = journal();
        assert_eq!(journal.records().unwrap(), []);
        let mut moved = record(7);
        journal.save(&moved).unwrap();
        moved.steps.push(MoveStep::Deleted);
        journal.save(&moved).unwrap();
        assert_eq!(journal.records().unwrap(), [moved.clone()]);
        let path = home
            .path()
            .join("state/hue-move-00-17-88-01-00-bd-c7-07-0b.json");
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        journal.remove(&moved).unwrap();
        journal.remove(&moved).unwrap();
        assert_eq!(journal.records().unwrap(), []);
        assert_eq!(fs::read_dir(home.path().join("state")).unwrap().count(), 0);
    }

    #[test]
    fn files_have_this_shape() {
        // One that an earlier version wrote must be read for ever: a light may be on its way.
        let text = r#"{"began":7,"from":"001788fffe010203","to":"001788fffe0a0b0c","light":"7","name":"Desk",
            "unique_id":"00:17:88:01:00:BD:C7:07-0b","known_at_target":["00:17:88:01:00:bd:c7:ff-0b"],
            "steps":["checked","opened"],"ended":false}"#;
        let (home, journal) = journal();
        fs::create_dir(home.path().join("state")).unwrap();
        fs::write(home.path().join("state/hue-move-x.json"), text).unwrap();
        fs::write(home.path().join("state/hue.json"), "another file").unwrap();
        assert_eq!(journal.records().unwrap(), [record(7)]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let (home, journal) = journal();
        journal.save(&record(7)).unwrap();
        for text in ["", "{", "{\"light\":1}", "\u{0}"] {
            fs::write(home.path().join("state/hue-move-broken.json"), text).unwrap();
            let error = journal.records().unwrap_err().to_string();
            assert!(error.contains("hue-move-broken.json"), "{error}");
        }
        fs::write(home.path().join("state/hue-move-broken.json"), [0xff]).unwrap();
        assert!(journal.records().is_err());
        // A directory that is none.
        let error = JournalDir::new("/dev/null/state")
            .save(&record(7))
            .unwrap_err();
        assert!(error.to_string().contains("/dev/null"), "{error}");
    }

    #[test]
    fn ended_moves_are_forgotten_at_last_and_others_never() {
        let (_home, journal) = journal();
        for number in 0..60 {
            let ended = number % 2 == 0;
            journal
                .save(&MoveRecord {
                    ended,
                    ..record(number)
                })
                .unwrap();
        }
        let kept = journal.records().unwrap();
        let (ended, begun): (Vec<_>, Vec<_>) = kept.iter().partition(|record| record.ended);
        assert_eq!((ended.len(), begun.len()), (MAX_ENDED, 30));
        assert!(ended.iter().all(|record| record.began >= 20));
    }

    #[test]
    fn the_light_of_a_move_by_each_of_its_names() {
        let moved = record(7);
        for text in [
            "7",
            "Desk",
            " desk",
            "00:17:88:01:00:bd:c7:07",
            "00:17:88:01:00:BD:C7:07-0B",
        ] {
            assert!(moved.has_light(text), "{text}");
        }
        for text in ["", "8", "Des", "00:17:88:01:00:bd:c7:08"] {
            assert!(!moved.has_light(text), "{text}");
        }
    }
}
