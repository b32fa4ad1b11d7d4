//! Procedure A: the bridge takes over a bulb that belongs to a dimmer or to another bridge, and then looks for it.

use serde::Serialize;

use super::Bridge;
use crate::error::HueError;
use crate::guide::{Guide, NewLight};
use crate::identity::Via;
use crate::serial::Serial;
use crate::transport::Transport;

/// How to take a bulb over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeoverOptions {
    /// The way; without one, what model and firmware can do, with the other as a fall-back.
    pub via: Option<Via>,
    /// The serial number of the bulb. With it there is no touchlink: the bridge calls this bulb, wherever it is.
    pub serial: Option<Serial>,
    /// Whether to look for lights first, for a bulb that is as it came from the factory.
    pub plain_first: bool,
    /// How many touchlinks there may be at most; before each further one the person is asked. One for whoever cannot be asked.
    pub rounds: u8,
}

impl Default for TakeoverOptions {
    fn default() -> Self {
        Self {
            via: None,
            serial: None,
            plain_first: false,
            rounds: 1,
        }
    }
}

/// How a bulb was taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// By touchlink, started by a call.
    Rest,
    /// By touchlink, started on port 30000.
    Tcp30000,
    /// By its serial number.
    Serial,
    /// By a search alone, for it was bound to nobody.
    Search,
}

impl From<Via> for Way {
    fn from(via: Via) -> Self {
        match via {
            Via::Rest => Self::Rest,
            Via::Tcp30000 => Self::Tcp30000,
        }
    }
}

/// What a takeover came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Takeover {
    /// The bridge.
    pub bridge: String,
    /// How.
    pub via: Way,
    /// Whether a bulb was captured: what the bridge says, true also when the light then appeared, and `None` where nobody can
    /// tell.
    pub captured: Option<bool>,
    /// The lights that are new.
    pub new_lights: Vec<NewLight>,
    /// What the person should know: why another way was taken, what to do next.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Takeover {
    /// Tells whether a bulb was taken over.
    pub fn is_success(&self) -> bool {
        self.captured == Some(true)
    }
}

/// Takes over the nearest bulb, or the one with a serial number, then looks for lights until one appears or the search ends.
///
/// A touchlink is never repeated without asking: after a capture the next nearest lamp could be taken.
///
/// # Errors
///
/// [`HueError::NotAgreed`] before anything was changed; as [`lights`](super::lights); what the bridge refuses; where something
/// fails after the touchlink, [`HueError::Unfinished`], which says so.
pub async fn takeover<T: Transport, G: Guide>(
    bridge: &Bridge<'_, T>,
    guide: &G,
    options: &TakeoverOptions,
) -> Result<Takeover, HueError> {
    let _ = (bridge, guide, options);
    Err(HueError::Usage(
        "taking a bulb over is still to come".to_owned(),
    ))
}
