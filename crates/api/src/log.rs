//! The log of past events, which the hub keeps on the disk.

use hiflying::Mac;
use jiff::Timestamp;
use plugs::RelayState;
use serde::{Deserialize, Serialize, Serializer};
use strum::VariantArray as _;
use utoipa::ToSchema;

use crate::Cause;
use crate::document::Collection;
use crate::moment::{Moment, to_millisecond};
use crate::status::{Halted, LastRun};
use crate::text::{Tone, Toned};

/// Maximum length of a text in the log, in characters.
const MAX_TEXT_CHARS: usize = 400;

/// Kind of an entry of the log. Those that are also events have the same names.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase", parse_err_ty = String, parse_err_fn = no_kind)]
pub enum LogKind {
    /// A relay moved, or did not obey.
    Switch,
    /// A plug became unavailable or available.
    Availability,
    /// A plug was adopted, changed, replaced or removed, or has another address.
    Plug,
    /// A group was created, changed or removed.
    Group,
    /// A schedule ran, failed, was stopped, created, changed or removed.
    Schedule,
    /// A rule acted, failed, was stopped, created, changed or removed.
    Rule,
    /// A tariff was created, changed or removed.
    Tariff,
    /// The takeover of a bulb ended.
    Takeover,
    /// A part of the hub failed, or works again.
    Problem,
    /// A login was refused; a password or token was changed.
    Access,
    /// The hub started or ended, or made a backup.
    Hub,
}

impl LogKind {
    /// Returns its name in JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl From<Collection> for LogKind {
    fn from(collection: Collection) -> Self {
        match collection {
            Collection::Groups => Self::Group,
            Collection::Schedules => Self::Schedule,
            Collection::Rules => Self::Rule,
            Collection::Tariffs => Self::Tariff,
        }
    }
}

fn no_kind(text: &str) -> String {
    let all: Vec<&str> = LogKind::VARIANTS.iter().map(|kind| kind.as_str()).collect();
    let (text, all) = (crate::excerpt(text), all.join(", "));
    format!("no kind \u{2018}{text}\u{2019} in the log; there are: {all}")
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogEntry {
    /// Its number, which increases with every entry.
    #[schema(minimum = 0)]
    pub id: u64,
    /// Time of the event.
    pub at: Timestamp,
    /// Its kind.
    pub kind: LogKind,
    /// The plug that it is about.
    #[schema(required)]
    pub plug: Option<Mac>,
    /// New position of the relay, if it moved.
    #[schema(required)]
    pub relay: Option<RelayState>,
    /// The cause in words, if there is one beside the event itself.
    #[schema(required)]
    pub cause: Option<String>,
    /// `true` for what may need attention.
    pub problem: bool,
    /// The event in one sentence, with the names as they were.
    pub text: String,
}

/// The requested part of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogRequest {
    /// Start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Moment>,
    /// Only entries before the one with this number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// Kinds; all if empty.
    #[serde(serialize_with = "joined", skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<LogKind>,
    /// Maximum number of entries.
    pub limit: usize,
}

fn joined<S: Serializer>(kinds: &[LogKind], serializer: S) -> Result<S::Ok, S::Error> {
    let names: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
    serializer.serialize_str(&names.join(","))
}

impl LogEntry {
    /// Creates an entry; its time is cut to milliseconds, and a long text to some hundred characters. Its number is given when it is published.
    pub fn new(at: Timestamp, kind: LogKind, text: impl AsRef<str>) -> Self {
        Self {
            id: 0,
            at: to_millisecond(at),
            kind,
            plug: None,
            relay: None,
            cause: None,
            problem: false,
            text: shortened(text.as_ref()),
        }
    }

    /// Sets the plug.
    #[must_use]
    pub fn about(self, plug: Mac) -> Self {
        let plug = Some(plug);
        Self { plug, ..self }
    }

    /// Sets the new position of the relay.
    #[must_use]
    pub fn moved_to(self, relay: RelayState) -> Self {
        let relay = Some(relay);
        Self { relay, ..self }
    }

    /// Sets the cause.
    #[must_use]
    pub fn caused_by(self, cause: Option<&Cause>) -> Self {
        let cause = cause.map(|cause| shortened(&cause.to_string()));
        Self { cause, ..self }
    }

    /// Marks it as what may need attention.
    #[must_use]
    pub fn as_problem(self, problem: bool) -> Self {
        Self { problem, ..self }
    }

    /// Returns the text with its cause and tone.
    pub fn toned(&self) -> Toned {
        let tone = match (self.problem, self.relay) {
            (true, _) => Tone::Bad,
            (false, Some(RelayState::On)) => Tone::On,
            (false, _) => Tone::Plain,
        };
        match &self.cause {
            Some(cause) => tone.of(format!("{}, by {cause}", self.text)),
            None => tone.of(self.text.as_str()),
        }
    }
}

impl LastRun {
    /// Returns the entry of the log about the run of a schedule or rule.
    pub fn log_entry(&self, kind: LogKind, name: &str) -> LogEntry {
        let (action, why) = (&*self.action, &self.why);
        let (turned, turn) = match action {
            "toggle" => ("toggled".to_owned(), action.to_owned()),
            _ => (format!("turned {action}"), format!("turn {action}")),
        };
        let text = match &self.error {
            None => format!("the {kind} \u{2018}{name}\u{2019} {turned}: {why}"),
            Some(error) => {
                format!("the {kind} \u{2018}{name}\u{2019} failed to {turn}: {error}")
            }
        };
        LogEntry::new(self.at, kind, text).as_problem(self.error.is_some())
    }
}

impl Halted {
    /// Returns the entry of the log about the stop of a schedule or rule.
    pub fn log_entry(&self, kind: LogKind, name: &str) -> LogEntry {
        let text = format!("the {kind} \u{2018}{name}\u{2019} is stopped: {}", self.why);
        LogEntry::new(self.at, kind, text).as_problem(true)
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT_CHARS) {
        Some((end, _)) => format!("{}\u{2026}", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_as_text() {
        for kind in LogKind::VARIANTS.iter().copied() {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        assert!(
            "reading"
                .parse::<LogKind>()
                .unwrap_err()
                .contains("switch, ")
        );
    }

    #[test]
    fn runs_as_text() {
        let text = |action: &str, error: Option<&str>| {
            let run = LastRun {
                at: Timestamp::UNIX_EPOCH,
                action: action.to_owned(),
                why: "it was due".to_owned(),
                confirmed: error.is_none(),
                error: error.map(str::to_owned),
            };
            run.log_entry(LogKind::Schedule, "x").text
        };
        for (action, error, expected) in [
            ("on", None, "turned on: it was due"),
            ("toggle", None, "toggled: it was due"),
            ("off", Some("no reply"), "failed to turn off: no reply"),
            ("toggle", Some("no reply"), "failed to toggle: no reply"),
        ] {
            let expected = format!("the schedule \u{2018}x\u{2019} {expected}");
            assert_eq!(text(action, error), expected);
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let entry = LogEntry::new(Timestamp::UNIX_EPOCH, LogKind::Hub, "\u{fc}".repeat(5000));
        assert_eq!(entry.text.chars().count(), MAX_TEXT_CHARS + 1);
        let cause = Cause::Token("x".repeat(MAX_TEXT_CHARS * 2));
        let cause = entry.caused_by(Some(&cause)).cause.unwrap();
        assert_eq!(cause.chars().count(), MAX_TEXT_CHARS + 1);
    }
}
