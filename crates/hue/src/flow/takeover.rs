//! Procedure A: the bridge takes over a bulb that belongs to a dimmer or to another bridge, and then searches for it.

mod touchlink;

use serde::{Deserialize, Serialize};

use super::client::BridgeClient;
use super::identify::blink;
use super::search::LightSearch;
use crate::error::HueError;
use crate::identity::TouchlinkMethod;
use crate::lights::{Light, NewLight};
use crate::operator::{FlowProgress, FlowQuestion, Operator};
use crate::serial::BulbSerial;
use crate::transport::HueTransport;

pub(super) use touchlink::{TouchlinkCapture, TouchlinkTakeover};

/// Maximum number of new lights that are made to blink.
const MAX_BLINKS: usize = 5;
const MANUAL_HINT: &str = "no new light appeared. Hold the bulb closer, switch it off and on again, and try once more; or read the six \
    digits of its serial number and give them with `--serial`. By hand: hold a Hue dimmer to the bulb and press On and Off for ten \
    seconds to reset it, or reset a bulb with Bluetooth in the vendor's Bluetooth app; then run `mains hue search`";

/// Options of [`takeover`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeoverOptions {
    /// The touchlink method; without one, the method that suits model and firmware, with the other as a fall-back.
    pub via: Option<TouchlinkMethod>,
    /// The serial number of the bulb. With it there is no touchlink: the bridge calls this bulb at any distance.
    pub serial: Option<BulbSerial>,
    /// Searches first, for a bulb fresh from the factory.
    pub search_first: bool,
    /// Maximum number of touchlinks; each but the first needs confirmation. One where the operator cannot be asked.
    pub rounds: u8,
}

impl Default for TakeoverOptions {
    fn default() -> Self {
        Self {
            via: None,
            serial: None,
            search_first: false,
            rounds: 1,
        }
    }
}

/// The method by which a bulb was taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum TakeoverMethod {
    /// Touchlink, started by a request.
    Rest,
    /// Touchlink, started on port 30000.
    Tcp30000,
    /// The serial number.
    Serial,
    /// A search alone, because the bulb belonged to no bridge.
    Search,
}

impl From<TouchlinkMethod> for TakeoverMethod {
    fn from(via: TouchlinkMethod) -> Self {
        match via {
            TouchlinkMethod::Rest => Self::Rest,
            TouchlinkMethod::Tcp30000 => Self::Tcp30000,
        }
    }
}

/// Result of [`takeover`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TakeoverResult {
    /// The bridge.
    pub bridge: String,
    /// The method.
    pub via: TakeoverMethod,
    /// The capture as the bridge reports it; `true` also when the light then appeared, `None` if unknown.
    pub captured: Option<bool>,
    /// The new lights.
    pub new_lights: Vec<NewLight>,
    /// Notes for people: why another method was used, what to do next.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl TakeoverResult {
    /// Tells whether a bulb was taken over.
    pub fn is_success(&self) -> bool {
        self.captured == Some(true)
    }
}

/// Takes over the nearest bulb, or the one with a serial number, then searches until a light appears or the search ends.
///
/// A touchlink is never repeated without confirmation: after a capture the next nearest lamp could be taken.
///
/// # Errors
///
/// [`HueError::NotConfirmed`] before anything was changed; as [`lights`](super::lights()); the bridge's refusal;
/// [`HueError::Unfinished`] for a failure after the touchlink.
pub async fn takeover<T: HueTransport, O: Operator>(
    bridge: &BridgeClient<'_, T>,
    operator: &O,
    options: &TakeoverOptions,
) -> Result<TakeoverResult, HueError> {
    let search = LightSearch::begin(bridge, operator).await?;
    if options.search_first {
        let found = search.run(&[], is_any).await?;
        if !found.is_empty() {
            let capture = TouchlinkCapture::by_search(TakeoverMethod::Search, found);
            return Ok(finish(bridge, operator, capture, Vec::new()).await);
        }
    }
    if let Some(serial) = &options.serial {
        let serials = std::slice::from_ref(serial);
        let found = search.run_twice(serials, is_any).await?;
        let capture = TouchlinkCapture::by_search(TakeoverMethod::Serial, found);
        return Ok(finish(bridge, operator, capture, Vec::new()).await);
    }
    let question = FlowQuestion::NearAndFresh {
        bridge: bridge.name.clone(),
    };
    if !operator.confirm(question).await {
        return Err(HueError::NotConfirmed);
    }
    let mut touchlink = TouchlinkTakeover::new(bridge, operator, &search);
    let capture = touchlink.run(options.via, options.rounds, is_any).await?;
    Ok(finish(bridge, operator, capture, touchlink.notes).await)
}

fn is_any(found: &[Light]) -> bool {
    !found.is_empty()
}

/// Makes the new lights blink and describes the result. A failure here becomes a note, because the lights are there.
async fn finish<T: HueTransport, O: Operator>(
    bridge: &BridgeClient<'_, T>,
    operator: &O,
    capture: TouchlinkCapture,
    mut notes: Vec<String>,
) -> TakeoverResult {
    let mut note = |text: String| {
        operator.report(FlowProgress::Note(text.clone()));
        notes.push(text);
    };
    for light in capture.found.iter().take(MAX_BLINKS) {
        let new = NewLight::from(light.clone());
        if light.reachable == Some(false) {
            note(format!(
                "{new} is not reachable yet: switch it off and on again"
            ));
        } else if let Err(error) = blink(bridge, &light.id).await {
            note(format!("{new} could not be made to blink: {error}"));
        }
    }
    match capture.captured {
        Some(true) if capture.found.is_empty() && !capture.is_reachable_again => note(
            "a bulb was captured, but the list has no new light. If it was not listed before, wait a minute and run \
             `mains hue search`; restarting the bridge can help, too"
                .to_owned(),
        ),
        Some(true) => {}
        Some(false) | None => note(MANUAL_HINT.to_owned()),
    }
    TakeoverResult {
        bridge: bridge.name.clone(),
        via: capture.method,
        captured: capture.captured,
        new_lights: capture.found.into_iter().map(NewLight::from).collect(),
        notes,
    }
}
