//! What a flow tells the person, and what it asks.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::identity::{BridgeId, Via};

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
    /// A flow waits for a search that somebody else began.
    WaitingForSearch(BridgeId),
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
    NearAndFresh,
    /// Before a light is deleted from the bridge that has it.
    Delete {
        /// The light's name.
        light: String,
        /// The bridge that loses it.
        from: BridgeId,
    },
    /// Did the light that blinks now is the one that is meant?
    Blinked {
        /// The light's name.
        light: String,
    },
    /// A move could not be ended: take the bulb back to the bridge that it came from?
    TakeBack {
        /// The light's name.
        light: String,
        /// The bridge that had it.
        to: BridgeId,
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
        })
    }
}

/// Who watches a flow and answers its questions: a person at a terminal, or a job of the hub.
pub trait Guide: Send + Sync {
    /// Hears how far it is.
    fn tell(&self, progress: Progress);

    /// Answers a question; `false` stops the flow before anything is changed.
    fn agree(&self, question: Question) -> impl Future<Output = bool> + Send;
}
