//! What is kept of a move of a light from one bridge to another, so that it can be gone on with after a stop at any step.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::guide::MoveStep;
use crate::lights;

/// A record has some hundred bytes for each light of a bridge.
const LONGEST: u64 = 1 << 20;
/// So many ended moves are remembered.
const ENDED_KEPT: usize = 20;
const PREFIX: &str = "hue-move-";
const SUFFIX: &str = ".json";

/// One move. No secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveRecord {
    /// When it began, in seconds since 1970.
    pub began: u64,
    /// The bridge that had the light: its id, and where it tells none, its address.
    pub from: String,
    /// The bridge that gets it.
    pub to: String,
    /// The light's number at the first bridge.
    pub light: String,
    /// The light's name, which it is to keep.
    pub name: String,
    /// Its unique id, when it is told.
    pub unique_id: Option<String>,
    /// The marks of the lights that the second bridge had before.
    pub known_at_target: Vec<String>,
    /// The steps that are done, in their order.
    pub steps: Vec<MoveStep>,
    /// Whether there is nothing left to do.
    pub ended: bool,
}

impl MoveRecord {
    /// Tells whether a step is done.
    pub fn has(&self, step: MoveStep) -> bool {
        self.steps.contains(&step)
    }

    /// Tells whether a person means this light: by the number that it had, its unique id, or its name.
    pub fn is_called(&self, text: &str) -> bool {
        let text = text.trim();
        let lower = text.to_lowercase();
        let is_unique_id = |unique_id: &String| {
            unique_id.eq_ignore_ascii_case(text) || lights::eui64(unique_id) == lower
        };
        self.light == text
            || self.unique_id.as_ref().is_some_and(is_unique_id)
            || self.name.to_lowercase() == lower
    }

    /// Returns the name of its file: a light has one, and its next move takes its place.
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

/// Where moves are kept. A directory implements it, and tests with a list.
pub trait Journal: Send + Sync {
    /// Returns all moves that are kept, ended ones too.
    fn records(&self) -> io::Result<Vec<MoveRecord>>;

    /// Keeps a move, so that it is still there after a loss of power.
    fn keep(&self, record: &MoveRecord) -> io::Result<()>;

    /// Forgets a move.
    fn forget(&self, record: &MoveRecord) -> io::Result<()>;
}

/// Moves in a directory: one file for each light, readable for its owner only.
#[derive(Debug, Clone)]
pub struct JournalDir(PathBuf);

impl JournalDir {
    /// Keeps them in this directory, which is made when the first is kept.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self(directory.into())
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

    /// Removes the oldest of the ended moves that are too many.
    fn tidy(&self) -> io::Result<()> {
        let mut ended = self.records()?;
        ended.retain(|record| record.ended);
        ended.sort_by_key(|record| record.began);
        let too_many = ended.len().saturating_sub(ENDED_KEPT);
        ended
            .iter()
            .take(too_many)
            .try_for_each(|record| self.forget(record))
    }
}

impl Journal for JournalDir {
    /// One that cannot be read is an error that names it: a light may be on its way.
    fn records(&self) -> io::Result<Vec<MoveRecord>> {
        self.files()?.iter().map(|path| read(path)).collect()
    }

    fn keep(&self, record: &MoveRecord) -> io::Result<()> {
        fs::create_dir_all(&self.0).map_err(|error| in_file(&self.0, error))?;
        let path = self.0.join(record.file_name());
        write(&self.0, &path, record).map_err(|error| in_file(&path, error))?;
        match record.ended {
            true => self.tidy(),
            false => Ok(()),
        }
    }

    fn forget(&self, record: &MoveRecord) -> io::Result<()> {
        let path = self.0.join(record.file_name());
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(in_file(&path, error)),
            _ => Ok(()),
        }
    }
}

fn read(path: &Path) -> io::Result<MoveRecord> {
    let mut text = String::new();
    let file = fs::File::open(path).map_err(|error| in_file(path, error))?;
    file.take(LONGEST)
        .read_to_string(&mut text)
        .map_err(|error| in_file(path, error))?;
    serde_json::from_str(&text).map_err(|error| in_file(path, io::Error::other(error)))
}

/// Writes a file beside it and puts that in its place, so that there is an old or a new one at any moment.
fn write(directory: &Path, path: &Path, record: &MoveRecord) -> io::Result<()> {
    let text = serde_json::to_vec_pretty(record)?;
    // A file of tempfile's is readable for its owner only.
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(&text)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    fs::File::open(directory)?.sync_all()
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
        journal.keep(&moved).unwrap();
        moved.steps.push(MoveStep::Deleted);
        journal.keep(&moved).unwrap();
        assert_eq!(journal.records().unwrap(), [moved.clone()]);
        let path = home
            .path()
            .join("state/hue-move-00-17-88-01-00-bd-c7-07-0b.json");
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        journal.forget(&moved).unwrap();
        journal.forget(&moved).unwrap();
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
        journal.keep(&record(7)).unwrap();
        for text in ["", "{", "{\"light\":1}", "\u{0}"] {
            fs::write(home.path().join("state/hue-move-broken.json"), text).unwrap();
            let error = journal.records().unwrap_err().to_string();
            assert!(error.contains("hue-move-broken.json"), "{error}");
        }
        fs::write(home.path().join("state/hue-move-broken.json"), [0xff]).unwrap();
        assert!(journal.records().is_err());
        // A directory that is none.
        let error = JournalDir::new("/dev/null/state")
            .keep(&record(7))
            .unwrap_err();
        assert!(error.to_string().contains("/dev/null"), "{error}");
    }

    #[test]
    fn ended_moves_are_forgotten_at_last_and_others_never() {
        let (_home, journal) = journal();
        for number in 0..60 {
            let ended = number % 2 == 0;
            journal
                .keep(&MoveRecord {
                    ended,
                    ..record(number)
                })
                .unwrap();
        }
        let kept = journal.records().unwrap();
        let (ended, begun): (Vec<_>, Vec<_>) = kept.iter().partition(|record| record.ended);
        assert_eq!((ended.len(), begun.len()), (ENDED_KEPT, 30));
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
            assert!(moved.is_called(text), "{text}");
        }
        for text in ["", "8", "Des", "00:17:88:01:00:bd:c7:08"] {
            assert!(!moved.is_called(text), "{text}");
        }
    }
}
