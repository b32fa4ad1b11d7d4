//! What a flow tells the person, and what it asks.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::identity::Via;

/// A light that a bridge did not have before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewLight {
    /// Its number at the bridge.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its unique id; the oldest firmware does not tell it.
    pub unique_id: Option<String>,
}

/// A step of a flow. `Display` says it in one sentence for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// The link button is waited for; so much time is left.
    PressTheButton {
        /// Until the flow gives up.
        left: Duration,
    },
    /// A touchlink begins.
    Touchlink {
        /// On which way.
        via: Via,
    },
    /// The first way does not work here, the other is tried.
    FallBack {
        /// The way that is tried now.
        to: Via,
        /// Why.
        why: String,
    },
    /// What the bridge says of the touchlink; `None` where it cannot say.
    Captured(Option<bool>),
    /// A search runs; so much time is left at most.
    Searching {
        /// Until the flow stops waiting.
        left: Duration,
    },
    /// A light appeared.
    Found(NewLight),
    /// A flow waits for a search that somebody else began, on the bridge of this name.
    WaitingForSearch(String),
    /// A step of a move is done.
    Moved(MoveStep),
    /// Something the person should know.
    Note(String),
}

/// What a flow asks before it goes on. `Display` is the question.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Question {
    /// Before a touchlink: is the bulb near the bridge, freshly switched on, and every other lamp far away or one's own?
    NearAndFresh {
        /// The bridge that takes it over.
        bridge: String,
    },
    /// After a touchlink that brought nothing, and only where a flow was given several rounds: once more?
    ///
    /// A guide that agrees by itself says no here, for nobody has moved a bulb meanwhile, and the next nearest lamp could be
    /// taken.
    TryAgain {
        /// The bridge that takes it over.
        bridge: String,
    },
    /// Before a light is deleted from the bridge that has it.
    Delete {
        /// The light's name.
        light: String,
        /// The bridge that loses it.
        from: String,
        /// Whether the bridge can reach it. One that it cannot reach is not reset, and has to be taken over by hand.
        reachable: bool,
    },
    /// Is the light that blinks now the one that is meant?
    Blinked {
        /// The light's name.
        light: String,
    },
    /// A move could not be ended: take the bulb back to the bridge that it came from, by a touchlink there?
    ///
    /// A guide that agrees by itself says no here: the bulb is not where that bridge is.
    TakeBack {
        /// The light's name.
        light: String,
        /// The bridge that had it.
        to: String,
    },
}

/// The steps of a move, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveStep {
    /// The light was found on the bridge that has it, and the other has room.
    Checked,
    /// The bridge that gets it looks for lights.
    Opened,
    /// The bridge that had it has let it go.
    Deleted,
    /// It did not come by itself, and was taken over by touchlink or searched by its serial number.
    TakenOver,
    /// The bridge that gets it lists it.
    Appeared,
    /// It has its old name.
    Renamed,
    /// It could not be brought there, and the bridge that had it has it again.
    TakenBack,
}

impl fmt::Display for MoveStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Checked => "checked",
            Self::Opened => "opened",
            Self::Deleted => "deleted",
            Self::TakenOver => "taken_over",
            Self::Appeared => "appeared",
            Self::Renamed => "renamed",
            Self::TakenBack => "taken_back",
        })
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PressTheButton { left } => {
                write!(
                    f,
                    "press the round button on the bridge; {} s left",
                    left.as_secs()
                )
            }
            Self::Touchlink { via: Via::Rest } => {
                f.write_str("the bridge takes over the nearest bulb, which takes ten seconds")
            }
            Self::Touchlink { via: Via::Tcp30000 } => {
                f.write_str("the bridge takes over the nearest bulb, asked on port 30000")
            }
            Self::FallBack { to, why } => write!(f, "{why}; trying {to} instead"),
            Self::Captured(Some(true)) => f.write_str("the bridge has captured a bulb"),
            Self::Captured(Some(false)) => f.write_str("the bridge has captured no bulb"),
            Self::Captured(None) => f.write_str(
                "the bridge does not say whether it has captured a bulb; one that it has captured blinks",
            ),
            Self::Searching { left } => {
                write!(
                    f,
                    "the bridge looks for lights, {} s at most",
                    left.as_secs()
                )
            }
            Self::Found(light) => write!(f, "new light: {light}"),
            Self::WaitingForSearch(bridge) => {
                write!(
                    f,
                    "bridge {bridge} is looking for lights already; waiting until it has ended"
                )
            }
            Self::Moved(step) => f.write_str(step.words()),
            Self::Note(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for NewLight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\u{2018}{}\u{2019} (number {}", self.name, self.id)?;
        match &self.unique_id {
            Some(unique_id) => write!(f, ", {unique_id})"),
            None => f.write_str(")"),
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NearAndFresh { bridge } => write!(
                f,
                "Hold the bulb in its lamp within 30 cm of bridge {bridge}, every other lamp off or more than a metre away. \
                 Switch it off for five seconds and on again, not more than some minutes ago. The nearest lamp is taken, \
                 whoever it belongs to. Is that so, and are all lamps nearby yours?"
            ),
            Self::TryAgain { bridge } => write!(
                f,
                "No bulb was taken over. Hold it closer to bridge {bridge} and switch it off and on again. Try once more?"
            ),
            Self::Delete {
                light,
                from,
                reachable,
            } => {
                write!(
                    f,
                    "\u{2018}{light}\u{2019} will be deleted from bridge {from}: its rooms, scenes and rules lose it, and the \
                     other bridge gives it a new number. "
                )?;
                if !reachable {
                    f.write_str(
                        "It cannot be reached now, so it will not be reset and has to be taken over by hand; better switch it \
                         on first. ",
                    )?;
                }
                f.write_str("Go on?")
            }
            Self::Blinked { light } => write!(
                f,
                "\u{2018}{light}\u{2019} blinks now. Is it the one that is meant?"
            ),
            Self::TakeBack { light, to } => write!(
                f,
                "\u{2018}{light}\u{2019} could not be brought to the other bridge. Hold it within 30 cm of bridge {to}, freshly \
                 switched on. Take it back there?"
            ),
        }
    }
}

impl MoveStep {
    /// Says in a sentence what is done.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Checked => "the light is there, and the other bridge has room",
            Self::Opened => "the other bridge looks for lights",
            Self::Deleted => "the first bridge has let the light go",
            Self::TakenOver => "the light was taken over by hand",
            Self::Appeared => "the other bridge has the light",
            Self::Renamed => "the light has its old name",
            Self::TakenBack => "the light is back at the first bridge",
        }
    }
}

/// Who watches a flow and answers its questions: a person at a terminal, or a job of the hub.
pub trait Guide: Send + Sync {
    /// Hears how far it is.
    fn tell(&self, progress: Progress);

    /// Answers a question; `false` stops the flow before anything is changed.
    fn agree(&self, question: Question) -> impl Future<Output = bool> + Send;
}
