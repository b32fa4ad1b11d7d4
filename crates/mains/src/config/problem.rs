//! One thing that is wrong with the configuration, and where it stands.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use crate::error::Failure;

/// Where a setting was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In a file; the line counts from 1 and is unknown for what is wrong with the file as a whole.
    File(PathBuf, Option<usize>),
    /// In an environment variable.
    Variable(&'static str),
    /// On the command line, or nowhere.
    Elsewhere,
}

/// One thing that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub origin: Origin,
    /// Which key is meant, e.g. `hub.listen`; empty for what is no key.
    pub key: String,
    /// What is wrong.
    pub what: String,
}

impl Problem {
    pub(super) fn in_file(path: &Path, line: Option<usize>, key: &str, what: &str) -> Self {
        Self {
            origin: Origin::File(path.to_owned(), line),
            key: key.to_owned(),
            what: what.trim_end().replace('\n', "; "),
        }
    }

    /// Returns the line in the file.
    pub fn line(&self) -> Option<usize> {
        match self.origin {
            Origin::File(_, line) => line,
            _ => None,
        }
    }

    /// The key and what is wrong with it; the key only where the sentence does not name it.
    fn sentence(&self) -> String {
        let last = self.key.rsplit('.').next().unwrap_or_default();
        if last.is_empty() || self.what.contains(&format!("`{last}`")) {
            self.what.clone()
        } else {
            format!("{}: {}", self.key, self.what)
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::File(path, Some(line)) => {
                write!(f, "{}:{line}: {}", path.display(), self.sentence())
            }
            Origin::File(path, None) => write!(f, "{}: {}", path.display(), self.sentence()),
            Origin::Variable(name) => write!(f, "the environment variable {name}: {}", self.what),
            Origin::Elsewhere => f.write_str(&self.sentence()),
        }
    }
}

/// `{"file", "line", "variable", "key", "problem"}`, null where there is none.
impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (file, variable) = match &self.origin {
            Origin::File(path, _) => (Some(path.display().to_string()), None),
            Origin::Variable(name) => (None, Some(*name)),
            Origin::Elsewhere => (None, None),
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

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let failure = Self::usage(problem.to_string());
        match problem.origin {
            Origin::File(..) => failure.hint(
                "`mains hub check` names every problem of the configuration, `mains help` shows its keys",
            ),
            _ => failure,
        }
    }
}
