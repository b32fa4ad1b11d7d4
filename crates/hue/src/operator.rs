//! The operator of a flow: receives its progress and answers its questions.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::identity::TouchlinkMethod;
use crate::lights::NewLight;

/// Follows a flow and answers its questions: a terminal, or a takeover job of the hub.
pub trait Operator: Send + Sync {
    /// Receives a progress message.
    fn report(&self, progress: FlowProgress);

    /// Answers a question; `false` stops the flow before anything is changed.
    fn confirm(&self, question: FlowQuestion) -> impl Future<Output = bool> + Send;
}

/// A progress message of a flow. `Display` writes it as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlowProgress {
    /// The flow waits for the link button.
    PressTheButton {
        /// Time left before the flow gives up.
        left: Duration,
    },
    /// A touchlink begins.
    Touchlink {
        /// The method that starts it.
        via: TouchlinkMethod,
    },
    /// The preferred touchlink method is not available, the other one is tried.
    FallBack {
        /// The method that is tried now.
        to: TouchlinkMethod,
        /// The reason.
        why: String,
    },
    /// The result of the touchlink as the bridge reports it; `None` where it reports none.
    Captured(Option<bool>),
    /// A search is running.
    Searching {
        /// Maximum time left.
        left: Duration,
    },
    /// A light appeared.
    Found(NewLight),
    /// The flow waits for a search that another program started on the named bridge.
    WaitingForSearch(String),
    /// A step of a move is done.
    Moved(MoveStep),
    /// Something else worth knowing.
    Note(String),
}

/// A question that a flow asks before it continues. `Display` writes the question.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlowQuestion {
    /// Asked before a touchlink: the bulb must be near the bridge and freshly switched on, and no lamp of a neighbour near.
    NearAndFresh {
        /// The bridge that takes the bulb over.
        bridge: String,
    },
    /// Asked after a touchlink without a result, where several rounds are allowed.
    ///
    /// An unattended operator must decline: the bulb was not moved meanwhile, and the next nearest lamp could be taken.
    TryAgain {
        /// The bridge that takes the bulb over.
        bridge: String,
    },
    /// Asked before a light is deleted from its bridge.
    Delete {
        /// The light's name.
        light: String,
        /// The bridge that has the light.
        from: String,
        /// False if the bridge cannot reach it. An unreachable light is not reset, and has to be taken over by hand.
        reachable: bool,
    },
    /// Asked while a light blinks, to confirm that it is the right one.
    Blinked {
        /// The light's name.
        light: String,
    },
    /// Asked when a move failed: return the bulb to its former bridge by a touchlink there?
    ///
    /// An unattended operator must decline: the bulb is not near that bridge.
    TakeBack {
        /// The light's name.
        light: String,
        /// The former bridge.
        to: String,
    },
}

/// The steps of a move, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveStep {
    /// The old bridge has the light, and the new one has room for it.
    Checked,
    /// The new bridge searches for lights.
    Opened,
    /// The old bridge has deleted the light.
    Deleted,
    /// The light did not join by itself; it was taken over by touchlink or by its serial number.
    TakenOver,
    /// The new bridge lists the light.
    Appeared,
    /// The light has its old name again.
    Renamed,
    /// The move failed, and the old bridge has the light again.
    TakenBack,
}

impl fmt::Display for MoveStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Checked => "the light was found, and the new bridge has room for it",
            Self::Opened => "the new bridge is searching for lights",
            Self::Deleted => "the old bridge has deleted the light",
            Self::TakenOver => "the light was taken over by hand",
            Self::Appeared => "the new bridge has the light",
            Self::Renamed => "the light has its old name",
            Self::TakenBack => "the light is back on the old bridge",
        })
    }
}

impl fmt::Display for FlowProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PressTheButton { left } => {
                let seconds = left.as_secs();
                write!(f, "press the round button on the bridge ({seconds} s left)")
            }
            Self::Touchlink {
                via: TouchlinkMethod::Rest,
            } => f.write_str("taking over the nearest bulb, which takes ten seconds"),
            Self::Touchlink {
                via: TouchlinkMethod::Tcp30000,
            } => f.write_str("taking over the nearest bulb through port 30000"),
            Self::FallBack { to, why } => write!(f, "{why}; trying {to} instead"),
            Self::Captured(Some(true)) => f.write_str("the bridge has captured a bulb"),
            Self::Captured(Some(false)) => f.write_str("the bridge has captured no bulb"),
            Self::Captured(None) => f.write_str(
                "the bridge does not report whether it has captured a bulb; a captured bulb blinks",
            ),
            Self::Searching { left } => {
                let seconds = left.as_secs();
                write!(f, "searching for lights (at most {seconds} s left)")
            }
            Self::Found(light) => write!(f, "new light: {light}"),
            Self::WaitingForSearch(bridge) => write!(
                f,
                "bridge {bridge} is already searching for lights; waiting until it has finished"
            ),
            Self::Moved(step) => step.fmt(f),
            Self::Note(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for FlowQuestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NearAndFresh { bridge } => write!(
                f,
                "Hold the lamp with the bulb within 30 cm of bridge {bridge}, with every other lamp off or more than a metre away. \
                 Switch it off for five seconds and on again; that must not be more than a few minutes ago. The bridge takes the \
                 nearest lamp, even if it is a neighbour's. Is the bulb in place, and are all lamps nearby yours?"
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
                    "\u{2018}{light}\u{2019} will be deleted from bridge {from}: its rooms, scenes and rules lose the light, and the \
                     new bridge gives it a new number. "
                )?;
                if !reachable {
                    f.write_str(
                        "It is unreachable now, so it will not be reset and will have to be taken over by hand; better switch it on \
                         first. ",
                    )?;
                }
                f.write_str("Continue?")
            }
            Self::Blinked { light } => write!(
                f,
                "\u{2018}{light}\u{2019} is blinking now. Is it the right one?"
            ),
            Self::TakeBack { light, to } => write!(
                f,
                "\u{2018}{light}\u{2019} could not be moved to the new bridge. Hold it within 30 cm of bridge {to}, freshly switched \
                 on. Return it to that bridge?"
            ),
        }
    }
}
