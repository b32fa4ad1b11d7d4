//! One problem of the configuration, and its place.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use crate::error::Failure;

/// Place where a setting was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigOrigin {
    /// In a file; the line counts from 1 and is unknown for what is wrong with the file as a whole.
    File(PathBuf, Option<usize>),
    /// In an environment variable.
    Variable(&'static str),
    /// On the command line, or nowhere.
    Elsewhere,
}

/// One problem of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// Its place.
    pub origin: ConfigOrigin,
    /// Key, e.g. `hub.listen`; empty for a problem of the file as a whole.
    pub key: String,
    /// Description of the problem.
    pub what: String,
}

impl ConfigProblem {
    pub(super) fn in_file(path: &Path, line: Option<usize>, key: &str, what: &str) -> Self {
        Self {
            origin: ConfigOrigin::File(path.to_owned(), line),
            key: key.to_owned(),
            what: what.trim_end().replace('\n', "; "),
        }
    }

    /// Returns the line in the file.
    pub fn line(&self) -> Option<usize> {
        match self.origin {
            ConfigOrigin::File(_, line) => line,
            _ => None,
        }
    }

    /// Returns the description, with the key in front unless it names the key itself.
    fn sentence(&self) -> String {
        let last = self
            .key
            .rsplit_once('.')
            .map_or(&*self.key, |(_, last)| last);
        if last.is_empty() || self.what.contains(&format!("`{last}`")) {
            self.what.clone()
        } else {
            format!("{}: {}", self.key, self.what)
        }
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            ConfigOrigin::File(path, Some(line)) => {
                write!(f, "{}:{line}: {}", path.display(), self.sentence())
            }
            ConfigOrigin::File(path, None) => write!(f, "{}: {}", path.display(), self.sentence()),
            ConfigOrigin::Variable(name) => {
                write!(f, "the environment variable {name}: {}", self.what)
            }
            ConfigOrigin::Elsewhere => f.write_str(&self.sentence()),
        }
    }
}

/// `{"file", "line", "variable", "key", "problem"}`, null where there is none.
impl Serialize for ConfigProblem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (file, variable) = match &self.origin {
            ConfigOrigin::File(path, _) => (Some(path.display().to_string()), None),
            ConfigOrigin::Variable(name) => (None, Some(*name)),
            ConfigOrigin::Elsewhere => (None, None),
        };
        serde_json::json!({
            "file": file,
            "line": self.line(),
            "variable": variable,
            "key": Some(&self.key).filter(|key| !key.is_empty()),
            "problem": self.what,
        })
        .serialize(serializer)
    }
}

impl From<ConfigProblem> for Failure {
    fn from(problem: ConfigProblem) -> Self {
        let failure = Self::usage(problem.to_string());
        match problem.origin {
            ConfigOrigin::File(..) => failure.hint(
                "`mains hub check` lists every problem of the configuration, `mains help` shows its keys",
            ),
            _ => failure,
        }
    }
}
