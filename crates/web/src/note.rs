//! A note about the form that led to a page, e.g. a switch that failed. It travels in a cookie for one page.
//!
//! The cookie names a case, never words: these are written when the page is, from the state of the plug at that time.

use api::{ErrorKind, PlugView};
use axum::http::{HeaderMap, HeaderValue};
use hiflying::Mac;
use hub::auth::PathPrefix;
use jiff::Timestamp;
use plugs::RelayState;

use crate::cookie::{cookie, set_cookie};
use crate::format;

const NAME: &str = "mains_note";
/// Age in seconds at which a note that no page has shown is dropped.
const MAX_AGE: u32 = 60;

/// A note about the form that led to a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FormNote {
    /// The input of the form is saved.
    Saved,
    /// The relay of a plug has clicked.
    Clicked,
    /// The input is saved, and has changed costs of the past.
    Repriced {
        /// Time from which costs are different.
        since: Timestamp,
    },
    /// The timer of a plug was set.
    TimerSet {
        /// The position to which it leads.
        goal: RelayState,
        /// Time of the switch.
        due: Timestamp,
    },
    /// A plug was not switched.
    NotSwitched {
        /// The plug.
        plug: Mac,
        /// The position that it should have.
        goal: RelayState,
        /// The reason.
        kind: ErrorKind,
    },
}

impl FormNote {
    /// Reads the note of a request.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut parts = cookie(headers, NAME)?.split('.');
        match parts.next()? {
            "saved" => Some(Self::Saved),
            "clicked" => Some(Self::Clicked),
            "repriced" => Some(Self::Repriced {
                since: Timestamp::from_second(parts.next()?.parse().ok()?).ok()?,
            }),
            "timer" => Some(Self::TimerSet {
                goal: parts.next()?.parse().ok()?,
                due: Timestamp::from_second(parts.next()?.parse().ok()?).ok()?,
            }),
            "not-switched" => Some(Self::NotSwitched {
                plug: parts.next()?.parse().ok()?,
                goal: parts.next()?.parse().ok()?,
                kind: error_kind(parts.next()?)?,
            }),
            _ => None,
        }
    }

    /// Returns the cookie that leaves it for the next page.
    pub(crate) fn cookie(self, prefix: &PathPrefix) -> Option<HeaderValue> {
        let value = match self {
            Self::Saved => "saved".to_owned(),
            Self::Clicked => "clicked".to_owned(),
            Self::Repriced { since } => format!("repriced.{}", since.as_second()),
            Self::TimerSet { goal, due } => format!("timer.{goal}.{}", due.as_second()),
            Self::NotSwitched { plug, goal, kind } => {
                format!("not-switched.{plug:x}.{goal}.{}", kind.as_str())
            }
        };
        set_cookie(NAME, &value, prefix, MAX_AGE)
    }

    /// Returns the cookie that removes a shown note.
    pub(crate) fn shown(prefix: &PathPrefix) -> Option<HeaderValue> {
        set_cookie(NAME, "", prefix, 0)
    }
}

/// A switch that failed, in words; `None` if the relay is where it should be by now.
#[derive(Debug, Clone)]
pub(crate) struct FailedSwitch {
    /// MAC of the plug in paths.
    pub(crate) mac: String,
    /// Its title.
    pub(crate) title: String,
    /// The rest of the first sentence, e.g. `did not switch off.`
    pub(crate) what: String,
    /// Further sentences.
    pub(crate) more: String,
    /// The position to try again.
    pub(crate) goal: RelayState,
}

impl FailedSwitch {
    pub(crate) fn new(
        view: &PlugView,
        goal: RelayState,
        kind: ErrorKind,
        power: Option<f64>,
    ) -> Option<Self> {
        let relay = view.plug.relay;
        if relay == Some(goal) && view.available {
            return None;
        }
        let (what, more) = match kind {
            ErrorKind::NoAnswer => (
                "did not answer.".to_owned(),
                "Nothing was switched, as far as Mains knows.".to_owned(),
            ),
            ErrorKind::BadAnswer => (
                "answered something that Mains does not understand.".to_owned(),
                String::new(),
            ),
            _ => (format!("did not switch {goal}."), still(relay, power)),
        };
        Some(Self {
            mac: format!("{:x}", view.plug.mac),
            title: format::title(view),
            what,
            more,
            goal,
        })
    }
}

fn still(relay: Option<RelayState>, power: Option<f64>) -> String {
    match (relay, power) {
        (Some(relay), Some(power)) => format!("It is still {relay}, at {}.", format::watts(power)),
        (Some(relay), None) => format!("It is still {relay}."),
        (None, _) => String::new(),
    }
}

/// Returns the kind of error that a word of JSON stands for.
fn error_kind(word: &str) -> Option<ErrorKind> {
    serde_json::from_value(word.into()).ok()
}
