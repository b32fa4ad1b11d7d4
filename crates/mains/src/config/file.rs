//! A configuration file: read key by key, so that every problem is found and each has its line.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IntoDeserializer;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::layer::Layer;
use super::problem::{ConfigOrigin, ConfigProblem};

/// The tables that hold keys of their own.
const SECTIONS: [&str; 4] = ["hub", "place", "web", "mqtt"];
/// Maximum length in bytes; a longer file is something else.
const MAX_LENGTH: u64 = 1024 * 1024;

/// Contents of a file.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// Values of all keys that could be read.
    pub(super) layer: Layer,
    /// Problems with the other keys.
    pub(super) problems: Vec<ConfigProblem>,
    /// The file and the lines of its keys.
    pub(super) lines: KeyLines,
}

/// The line of each key of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyLines {
    path: Option<PathBuf>,
    keys: Vec<(String, usize)>,
}

impl KeyLines {
    /// Returns the line of a key, if the file has it.
    pub(super) fn origin(&self, key: &str) -> Option<ConfigOrigin> {
        let (_, line) = self.keys.iter().find(|(known, _)| known == key)?;
        Some(ConfigOrigin::File(self.path.clone()?, Some(*line)))
    }
}

/// Reads a file; `None` when it is not there or, as the home may be, out of reach.
pub(super) fn read(path: &Path) -> Result<Option<Contents>, ConfigProblem> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    match read_text(path) {
        Ok(text) => Ok(Some(parse(&text, path))),
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => Ok(None),
        Err(error) => {
            let what = format!("the configuration file cannot be read: {error}");
            Err(ConfigProblem::in_file(path, None, "", &what))
        }
    }
}

fn read_text(path: &Path) -> std::io::Result<String> {
    use std::io::{Error, ErrorKind, Read};
    let mut text = String::new();
    let read = std::fs::File::open(path)?
        .take(MAX_LENGTH + 1)
        .read_to_string(&mut text)?;
    if u64::try_from(read).unwrap_or(u64::MAX) > MAX_LENGTH {
        return Err(Error::new(ErrorKind::FileTooLarge, "it is too long"));
    }
    Ok(text)
}

/// Reads a file's text; relative paths in it are relative to the directory of `path`.
pub(super) fn parse(text: &str, path: &Path) -> Contents {
    let mut contents = Contents::default();
    contents.lines.path = Some(path.to_owned());
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let line = error.span().map(|span| line(text, span.start));
        let key = line.and_then(|line| key_on(text, line)).unwrap_or("");
        contents
            .problems
            .push(ConfigProblem::in_file(path, line, key, error.message()));
    }
    for (key, value) in table.into_inner() {
        let name = key.get_ref().to_string();
        match value.get_ref() {
            DeValue::Table(_) if SECTIONS.contains(&name.as_str()) => {
                contents.section(text, path, key, value);
            }
            _ => contents.key(text, path, &name, key.clone(), one(key, value)),
        }
    }
    // In the order of the file, whatever the order in which they were found.
    contents.problems.sort_by_key(ConfigProblem::line);
    contents.layer.hub.beside(path);
    contents.layer.mqtt.beside(path);
    contents
}

type TomlKey<'i> = Spanned<toml::de::DeString<'i>>;

impl Contents {
    fn section<'i>(
        &mut self,
        text: &str,
        path: &Path,
        section: TomlKey<'i>,
        value: Spanned<DeValue<'i>>,
    ) {
        let span = value.span();
        let DeValue::Table(table) = value.into_inner() else {
            return;
        };
        for (key, value) in table {
            let name = format!("{}.{}", section.get_ref(), key.get_ref());
            let inner = Spanned::new(span.clone(), DeValue::Table(one(key.clone(), value)));
            self.key(text, path, &name, key, one(section.clone(), inner));
        }
    }

    /// Takes in one key, which is alone in its table.
    fn key(&mut self, text: &str, path: &Path, name: &str, key: TomlKey<'_>, table: DeTable<'_>) {
        let begin = key.span().start;
        self.lines.keys.push((name.to_owned(), line(text, begin)));
        let table = Spanned::new(0..text.len(), table);
        match Layer::deserialize(table.into_deserializer()) {
            Ok(layer) => self.layer = layer.over(std::mem::take(&mut self.layer)),
            Err(error) => {
                let at = error.span().map_or(begin, |span| span.start).max(begin);
                let problem =
                    ConfigProblem::in_file(path, Some(line(text, at)), name, error.message());
                self.problems.push(problem);
            }
        }
    }
}

fn one<'i>(key: TomlKey<'i>, value: Spanned<DeValue<'i>>) -> DeTable<'i> {
    DeTable::from_iter([(key, value)])
}

fn line(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or(text);
    1 + before.matches('\n').count()
}

/// Returns what seems to be the key on a line that cannot be read.
fn key_on(text: &str, line: usize) -> Option<&str> {
    let (key, _) = text.lines().nth(line.checked_sub(1)?)?.split_once('=')?;
    Some(key.trim()).filter(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    use super::*;
    use crate::config::DatabaseChoice;
    use crate::config::hub::SpoolSize;
    use crate::ui::Colour;

    fn read(text: &str) -> Contents {
        parse(text, Path::new("/etc/mains.toml"))
    }

    #[test]
    fn reads_every_key() {
        let contents = read(
            "json = true\ntimeout = \"800ms\"\ninterfaces = [\"eth0\"]\nyes = true\nquiet = true\ncolor = \"never\"\n\
             [hub]\nurl = \"nas\"\nca_file = \"ca.pem\"\ntoken_file = \"/run/token\"\nlisten = \"127.0.0.1:1\"\n\
             hosts = [\"nas.example\"]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\ninterfaces = [\"eth1\"]\nadopt = true\n\
             site = \"berlin\"\nmetering = \"5s\"\nscan = \"2s\"\ndatabase = \"d.sqlite\"\ndatabase_password_file = \"p\"\ndatabase_ca_file = \"db.pem\"\nspool = \"500MB\"\nkeep_readings = \"1d\"\nkeep_minutes = \"2d\"\n\
             backup = \"1d\"\nbackup_directory = \"b\"\nkeep_backups = 3\n\
             [place]\nlatitude = 52\nlongitude = 13.4\ntimezone = \"Europe/Berlin\"\n",
        );
        assert_eq!(contents.problems, []);
        let layer = contents.layer;
        assert_eq!(layer.timeout, Some(Duration::from_millis(800)));
        assert_eq!(layer.interfaces, Some(vec!["eth0".to_owned()]));
        assert_eq!(
            (layer.json, layer.yes, layer.quiet),
            (Some(true), Some(true), Some(true))
        );
        assert_eq!(layer.color, Some(Colour::Never));
        assert_eq!(layer.hub.ca_file, Some("/etc/ca.pem".into()));
        assert_eq!(layer.hub.token_file, Some("/run/token".into()));
        let database = DatabaseChoice::File("/etc/d.sqlite".into());
        assert_eq!(layer.hub.database, Some(database));
        assert_eq!(layer.hub.database_ca_file, Some("/etc/db.pem".into()));
        assert_eq!(layer.hub.spool, Some(SpoolSize(500_000_000)));
        assert_eq!(layer.hub.database_password_file, Some("/etc/p".into()));
        assert_eq!(layer.hub.site, Some("berlin".parse().unwrap()));
        assert_eq!(layer.hub.interfaces, Some(vec!["eth1".to_owned()]));
        assert_eq!(layer.hub.backup_directory, Some("/etc/b".into()));
        assert_eq!(layer.hub.keep_backups, std::num::NonZero::new(3));
        assert_eq!(layer.hub.adopt, Some(true));
        assert_eq!(layer.place.latitude.map(|degrees| degrees.0), Some(52.0));
        assert_eq!(read("").layer, Layer::default());
    }

    #[test]
    fn names_line_and_key_of_what_is_wrong() {
        for (text, line, word) in [
            ("json = true\ntimeot = \"5s\"\n", 2, "timeot"),
            ("\n\ntimeout = \"5\"\n", 3, "unit"),
            ("timeout = 5\n", 1, "string"),
            ("color = \"blue\"\n", 1, "blue"),
            ("json = true\njson = false\n", 2, "duplicate"),
            ("[hub\n", 1, ""),
            ("[hub]\nlistn = \"x\"\n", 2, "listn"),
            ("\n[hub]\nlisten = \"127.0.0.1\"\n", 3, "port"),
            ("[hub]\nadopt = \"yes\"\n", 2, "hub.adopt"),
            (
                "[hub]\ninterfaces = [\n\"eth0\",\n7,\n]\n",
                4,
                "hub.interfaces",
            ),
            ("hub = 7\n", 1, "hub"),
            (
                "[hub]\ndatabase = \"postgres://nas\"\n",
                2,
                "name of the database",
            ),
            (
                "[hub]\ndatabase = \"postgres://me:secret@nas/mains\"\n",
                2,
                "database_password_file",
            ),
            ("[hub]\nspool = \"1 GiB\"\n", 2, "not a size"),
            ("[hub]\nspool = \"1MB\"\n", 2, "16MB"),
            ("[hub]\nspool = \"99999999999GB\"\n", 2, "1000GB"),
            ("hub = \"ftp://x\"\n", 1, "http"),
            ("place = 1\n", 1, "place"),
            ("[place]\nlatitude = 90.1\n", 2, "90"),
            ("[place]\nlongitude = nan\n", 2, "180"),
            ("[place]\ntimezone = \"Europe/Berln\"\n", 2, "Berln"),
            ("[mqt]\nurl = \"mqtt://127.0.0.1\"\n", 1, "mqt"),
            ("[mqtt]\nurl = \"http://127.0.0.1\"\n", 2, "mqtt://"),
            ("[mqtt]\nbase = \"mains/#\"\n", 2, "mqtt.base"),
            ("[mqtt]\npassword = \"secret\"\n", 2, "password"),
        ] {
            let problems = read(text).problems;
            let [problem] = problems.as_slice() else {
                panic!("{text}: {problems:?}");
            };
            assert_eq!(problem.line(), Some(line), "{problem}");
            assert!(problem.to_string().contains(word), "{problem}");
            assert!(!problem.to_string().contains('\n'), "{problem}");
        }
    }

    #[test]
    fn finds_every_problem_and_keeps_the_rest() {
        let contents = read(
            "json = true\nnonsense = 1\n[hub]\nlisten = \"nowhere\"\nscan = \"1\"\nadopt = true\n[place]\nlatitude = 91\n",
        );
        let lines: Vec<_> = contents.problems.iter().map(ConfigProblem::line).collect();
        assert_eq!(lines, [Some(2), Some(4), Some(5), Some(8)]);
        assert_eq!(contents.layer.json, Some(true));
        assert_eq!(contents.layer.hub.adopt, Some(true));
    }

    #[test]
    fn a_hub_is_an_address_or_a_table() {
        let short = read("hub = \"http://nas:1\"\n").layer.hub;
        assert_eq!(short, read("[hub]\nurl = \"http://nas:1\"\n").layer.hub);
        assert!(short.url.is_some());
    }

    /// Returns the keys that the code knows, which are named when one is unknown.
    fn known_keys(section: &str) -> BTreeSet<String> {
        let head = if section.is_empty() {
            ""
        } else {
            &format!("[{section}]\n")
        };
        let problems = read(&format!("{head}unknown-key = 1\n")).problems;
        let message = problems.first().expect("there is no such key").to_string();
        let (_, keys) = message
            .split_once("expected")
            .expect("the known keys are named");
        let keys = keys.split('`').skip(1).step_by(2).map(str::to_owned);
        keys.filter(|key| !SECTIONS.contains(&key.as_str()))
            .collect()
    }

    #[test]
    fn the_sample_explains_every_key_and_no_other() {
        let sample = include_str!("../../../../packaging/mains.toml");
        assert_eq!(read(sample).problems, []);
        let (mut explained, mut section, mut has_words) = (BTreeMap::new(), "", false);
        let mut in_use = String::new();
        for line in sample.lines() {
            let key = line
                .strip_prefix('#')
                .filter(|rest| rest.starts_with(|letter: char| letter.is_ascii_lowercase()));
            match key {
                Some(key) => {
                    assert!(has_words, "{line} is not explained");
                    let (name, _) = key.split_once(" = ").expect("a key and its value");
                    let keys: &mut BTreeSet<String> = explained.entry(section).or_default();
                    assert!(keys.insert(name.to_owned()), "{line} stands there twice");
                    in_use += key;
                }
                None => {
                    has_words = line.starts_with("# ");
                    section = line
                        .strip_prefix('[')
                        .and_then(|name| name.strip_suffix(']'))
                        .unwrap_or(section);
                    in_use += line;
                }
            }
            in_use.push('\n');
        }
        for section in SECTIONS.into_iter().chain([""]) {
            assert_eq!(
                explained.remove(section),
                Some(known_keys(section)),
                "[{section}]"
            );
        }
        assert!(explained.is_empty(), "{explained:?}");
        assert_eq!(read(&in_use).problems, [], "without the # they are valid");
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(\\PC|\n|[\\[\\]={}\"., a-z0-9]){0,80}") {
            let _ = read(&text);
        }
    }
}
