//! Procedure A: the bridge takes over a bulb that belongs to a dimmer or to another bridge, and then looks for it.

mod touchlink;

use serde::Serialize;

use super::Bridge;
use super::identify::blink;
use super::search::Hunt;
use crate::error::HueError;
use crate::guide::{Guide, NewLight, Progress, Question};
use crate::identity::Via;
use crate::lights::Light;
use crate::serial::Serial;
use crate::transport::Transport;

pub(super) use touchlink::{Catch, Caught};

/// So many new lights are made to blink at most.
const BLINKS: usize = 5;
/// What helps where touchlink does not.
const BY_HAND: &str = "no new light appeared. Hold the bulb closer, switch it off and on again, and try once more; or read the six \
    digits of its serial number and give them with `--serial`. By hand: a Hue dimmer resets a bulb that it is held to when On and \
    Off are pressed for ten seconds, and the vendor's Bluetooth app resets bulbs with Bluetooth; then `mains hue search` finds it";

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
/// [`HueError::NotAgreed`] before anything was changed; as [`lights`](super::lights()); what the bridge refuses; where something
/// fails after the touchlink, [`HueError::Unfinished`], which says so.
pub async fn takeover<T: Transport, G: Guide>(
    bridge: &Bridge<'_, T>,
    guide: &G,
    options: &TakeoverOptions,
) -> Result<Takeover, HueError> {
    let hunt = Hunt::begin(bridge, guide).await?;
    if options.plain_first {
        let found = hunt.run(&[], is_any).await?;
        if !found.is_empty() {
            return Ok(report(
                bridge,
                guide,
                Caught::listed(Way::Search, found),
                Vec::new(),
            )
            .await);
        }
    }
    if let Some(serial) = &options.serial {
        let found = hunt.twice(std::slice::from_ref(serial), is_any).await?;
        return Ok(report(
            bridge,
            guide,
            Caught::listed(Way::Serial, found),
            Vec::new(),
        )
        .await);
    }
    let question = Question::NearAndFresh {
        bridge: bridge.name.clone(),
    };
    if !guide.agree(question).await {
        return Err(HueError::NotAgreed);
    }
    let mut catch = Catch::new(bridge, guide, &hunt);
    let caught = catch.run(options.via, options.rounds, is_any).await?;
    let notes = catch.notes;
    Ok(report(bridge, guide, caught, notes).await)
}

fn is_any(found: &[Light]) -> bool {
    !found.is_empty()
}

/// Looks whether the new lights can be reached, and makes them blink. What fails here is said and no more: they are there.
async fn report<T: Transport, G: Guide>(
    bridge: &Bridge<'_, T>,
    guide: &G,
    caught: Caught,
    mut notes: Vec<String>,
) -> Takeover {
    let mut note = |text: String| {
        guide.tell(Progress::Note(text.clone()));
        notes.push(text);
    };
    for light in caught.found.iter().take(BLINKS) {
        let new = NewLight::from(light.clone());
        if light.reachable == Some(false) {
            note(format!(
                "{new} cannot be reached yet: switch it off and on again"
            ));
        } else if let Err(error) = blink(bridge, &light.id).await {
            note(format!("{new} could not be made to blink: {error}"));
        }
    }
    match caught.captured {
        Some(true) if caught.found.is_empty() && !caught.is_reachable_again => note(
            "a bulb was captured, but none is new in the list. If it is not one that was listed before, wait a minute and look \
             with `mains hue search`; to restart the bridge has helped, too"
                .to_owned(),
        ),
        Some(true) => {}
        Some(false) | None => note(BY_HAND.to_owned()),
    }
    Takeover {
        bridge: bridge.name.clone(),
        via: caught.way,
        captured: caught.captured,
        new_lights: caught.found.into_iter().map(NewLight::from).collect(),
        notes,
    }
}
