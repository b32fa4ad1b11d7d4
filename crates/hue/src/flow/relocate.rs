//! Procedure B: a bulb moves from one bridge of its owner's to another.

use serde::Serialize;

use super::Bridge;
use crate::error::HueError;
use crate::guide::{Guide, MoveStep, NewLight};
use crate::identity::Via;
use crate::journal::Journal;
use crate::serial::Serial;
use crate::transport::Transport;

/// The bridge that has the light.
#[derive(Debug)]
pub enum Source<'s, 'b, T> {
    /// It answers.
    Bridge(&'s Bridge<'b, T>),
    /// It does not answer any more; its id, or its address where it told none. A move that has begun can be ended without it.
    Gone(String),
}

/// How to move a light.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveOptions {
    /// The serial number of the bulb, for the case that it does not come by itself.
    pub serial: Option<Serial>,
    /// The way of a touchlink, for the case that it does not come by itself.
    pub via: Option<Via>,
    /// How many touchlinks there may be at most, as [`TakeoverOptions::rounds`](super::TakeoverOptions::rounds).
    pub rounds: u8,
    /// The time of day in seconds since 1970, for the journal.
    pub now: u64,
}

/// What a move came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// The light: its unique id, and where none is told its name.
    pub light: String,
    /// The bridge that had it.
    pub from: String,
    /// The bridge that gets it.
    pub to: String,
    /// Whether it is there now.
    pub moved: bool,
    /// The steps that are done, those of an earlier run too.
    pub steps: Vec<MoveStep>,
    /// The light at its new bridge.
    #[serde(skip)]
    pub now: Option<NewLight>,
    /// What the person should know, above all where the bulb is when it was not moved.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Moves a light: the target looks for lights, the source deletes the light and thereby resets it, the target finds it.
///
/// A run that was cut short leaves a record in the journal; the same call again goes on from there, and one after success says
/// that it is done. `light` is its number, its unique id or its name at the source.
///
/// # Errors
///
/// As [`lights`](super::lights) for each bridge; [`HueError::NotAgreed`] with nothing changed; [`HueError::Unfinished`] once the
/// source has let the light go, which says how things stand; [`HueError::Local`] for the journal.
pub async fn relocate<S: Transport, T: Transport, J: Journal, G: Guide>(
    source: Source<'_, '_, S>,
    target: &Bridge<'_, T>,
    light: &str,
    journal: &J,
    guide: &G,
    options: &MoveOptions,
) -> Result<Moved, HueError> {
    let _ = (source, target, light, journal, guide, options);
    Err(HueError::Usage(
        "moving a light is still to come".to_owned(),
    ))
}
