//! Findings and problems of an inspection, collected and made unique.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use serde::Serialize;

use crate::limits::{MAX_FINDINGS, MAX_PLACES, MAX_PROBLEMS, MAX_VALUE};

/// Kind of a finding, in the order in which they are telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// An AT command, or the beginning of one.
    AtCommand,
    /// A datagram that finds devices.
    DiscoveryWord,
    /// A TCP or UDP port.
    Port,
    /// A constant used as a cipher's key: its text, or its bytes in hexadecimal.
    Key,
    /// An IPv4 address, or the beginning of one.
    Address,
    /// A URL.
    Url,
    /// A host name.
    Host,
}

/// Something that the app knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppFinding {
    /// Its kind.
    pub kind: FindingKind,
    /// The value as it stands in the app.
    pub value: String,
    /// Places at which it was found: file within file, and class.
    #[serde(rename = "where")]
    pub places: Vec<String>,
}

/// A part that was skipped, or is damaged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppProblem {
    /// The part.
    #[serde(rename = "where")]
    pub place: String,
    /// One clause for people.
    pub text: String,
}

/// Collection of findings and problems.
#[derive(Debug, Default)]
pub(crate) struct FindingCollector {
    found: HashMap<(FindingKind, String), BTreeSet<Rc<str>>>,
    places: usize,
    is_full: bool,
    problems: Vec<AppProblem>,
    unlisted_problems: usize,
}

impl FindingCollector {
    pub(crate) fn add(&mut self, kind: FindingKind, value: &str, place: &Rc<str>) {
        let mut shown: String = value.chars().take(MAX_VALUE).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        let is_new = |found: &Self| !found.found.contains_key(&(kind, shown.clone()));
        if self.places >= MAX_PLACES || (self.found.len() >= MAX_FINDINGS && is_new(self)) {
            self.is_full = true;
            return;
        }
        if self
            .found
            .entry((kind, shown))
            .or_default()
            .insert(Rc::clone(place))
        {
            self.places += 1;
        }
    }

    /// Returns true if this value was found at any place.
    pub(crate) fn has(&self, kind: FindingKind, value: &str) -> bool {
        self.found.contains_key(&(kind, value.to_owned()))
    }

    pub(crate) fn problem(&mut self, place: &str, text: impl Into<String>) {
        if self.problems.len() >= MAX_PROBLEMS {
            self.unlisted_problems += 1;
            return;
        }
        self.problems.push(AppProblem {
            place: place.to_owned(),
            text: text.into(),
        });
    }

    pub(crate) fn first_problem(&self) -> String {
        let first = self.problems.first();
        first.map_or_else(
            || "it is empty".to_owned(),
            |problem| match problem.place.as_str() {
                "" => problem.text.clone(),
                place => format!("{place}: {}", problem.text),
            },
        )
    }

    /// Returns the findings in no order, and the problems.
    pub(crate) fn finish(mut self) -> (Vec<AppFinding>, Vec<AppProblem>) {
        if self.is_full {
            let text = format!(
                "more than {MAX_FINDINGS} findings or {MAX_PLACES} places; the rest is left out"
            );
            self.problem("", text);
        }
        if self.unlisted_problems > 0 {
            self.problems.push(AppProblem {
                place: String::new(),
                text: format!("{} more problems", self.unlisted_problems),
            });
        }
        let findings = self
            .found
            .into_iter()
            .map(|((kind, value), places)| AppFinding {
                kind,
                value,
                places: places.iter().map(ToString::to_string).collect(),
            });
        (findings.collect(), self.problems)
    }
}
