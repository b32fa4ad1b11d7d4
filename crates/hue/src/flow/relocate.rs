//! Procedure B: a bulb moves from one bridge of its owner's to another.
//!
//! The order is fixed: the target looks for lights before the source deletes the light, for a bulb that is deleted while it can
//! be reached is reset and looks for an open network at once. What is done stands in a journal, and what both bridges list
//! decides where a run that was cut short goes on.

mod arrival;
mod rescue;
mod trip;

use std::io;

use serde::Serialize;

use self::trip::Trip;
use super::{Bridge, light_named, lights};
use crate::error::HueError;
use crate::guide::{Guide, MoveStep, NewLight, Progress};
use crate::identity::Via;
use crate::journal::{Journal, MoveRecord};
use crate::lights::{Light, eui64};
use crate::serial::Serial;
use crate::transport::Transport;

const NOT_KEPT: &str = "the journal of the move cannot be kept";

/// The bridge that has the light.
#[derive(Debug)]
pub enum Source<'s, 'b, T> {
    /// It answers.
    Bridge(&'s Bridge<'b, T>),
    /// It does not answer any more. A move that has let the light go can be ended without it.
    Gone {
        /// Its id, or its address where it told none.
        name: String,
        /// Why it cannot be asked.
        why: HueError,
    },
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
    /// The light where it is now, when one of the two bridges has it.
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
/// A bulb that does not come by itself is searched by its serial number, or taken over by touchlink, and else taken back, each
/// where the person agrees. What then comes to nothing is no error but a [`Moved`] that says so.
///
/// # Errors
///
/// As [`lights()`] for each bridge; [`HueError::NotAgreed`] with nothing changed; [`HueError::Unfinished`] once the source has, or
/// may have, let the light go, which says how things stand; [`HueError::Local`] for the journal, with nothing changed.
pub async fn relocate<S: Transport, T: Transport, J: Journal, G: Guide>(
    source: Source<'_, '_, S>,
    target: &Bridge<'_, T>,
    light: &str,
    journal: &J,
    guide: &G,
    options: &MoveOptions,
) -> Result<Moved, HueError> {
    let from = match &source {
        Source::Bridge(bridge) => &bridge.name,
        Source::Gone { name, .. } => name,
    };
    if *from == target.name {
        return Err(HueError::Usage(format!(
            "both are the same bridge, {from}: a light moves from one to another"
        )));
    }
    let mut records = journal.records().map_err(|source| HueError::Local {
        what: "the journal of an earlier move cannot be read; mend it, or delete it if that move is over"
            .to_owned(),
        source,
    })?;
    records.retain(|record| {
        record.from == *from && record.to == target.name && record.is_called(light)
    });
    let trip = |source, record| Trip {
        source,
        target,
        journal,
        guide,
        options,
        record,
        notes: Vec::new(),
    };
    if let Some(record) = records.iter().find(|record| !record.ended) {
        guide.tell(Progress::Note(format!(
            "going on with the move of \u{2018}{}\u{2019} that was cut short",
            record.name
        )));
        return trip(source, record.clone()).resume().await;
    }
    let source = match source {
        Source::Bridge(source) => source,
        Source::Gone { why, .. } => return Err(why),
    };
    match light_named(source, light).await {
        Ok(found) => {
            let ended = records.iter().find(|record| is_of(record, &found));
            if let Some(moved) = moved_before(target, ended).await? {
                return Ok(moved);
            }
            let record = first_record(source, target, &found, options);
            trip(Source::Bridge(source), record)
                .begin(source, &found)
                .await
        }
        Err(HueError::NoSuchLight { at, name }) => {
            let ended = records
                .iter()
                .find(|record| !record.has(MoveStep::TakenBack));
            let moved = moved_before(target, ended).await?;
            moved.ok_or(HueError::NoSuchLight { at, name })
        }
        Err(error) => Err(error),
    }
}

fn is_of(record: &MoveRecord, light: &Light) -> bool {
    record.unique_id.is_some() && record.unique_id == light.unique_id
}

fn first_record<S, T>(
    source: &Bridge<'_, S>,
    target: &Bridge<'_, T>,
    light: &Light,
    options: &MoveOptions,
) -> MoveRecord {
    MoveRecord {
        began: options.now,
        from: source.name.clone(),
        to: target.name.clone(),
        light: light.id.clone(),
        name: light.name.clone(),
        unique_id: light.unique_id.clone(),
        known_at_target: Vec::new(),
        steps: Vec::new(),
        ended: false,
    }
}

/// A move that has ended is not made again while the target has the light.
async fn moved_before<T: Transport>(
    target: &Bridge<'_, T>,
    ended: Option<&MoveRecord>,
) -> Result<Option<Moved>, HueError> {
    let Some(record) = ended else {
        return Ok(None);
    };
    let there = ours(record, lights(target).await?);
    Ok(there.map(|there| Moved {
        light: record.unique_id.clone().unwrap_or(record.name.clone()),
        from: record.from.clone(),
        to: record.to.clone(),
        moved: true,
        steps: record.steps.clone(),
        notes: vec![format!(
            "\u{2018}{}\u{2019} was moved before: bridge {} has it as number {}",
            record.name, record.to, there.id
        )],
        now: Some(there.into()),
    }))
}

/// Finds the light of a move among those of the target. Without a unique id it is the only one that was not there before.
fn ours(record: &MoveRecord, lights: Vec<Light>) -> Option<Light> {
    let Some(unique_id) = record.unique_id.as_deref() else {
        let is_new = |light: &Light| {
            !record
                .known_at_target
                .iter()
                .any(|mark| mark == light.mark())
        };
        let mut new = lights.into_iter().filter(is_new);
        return new.next().filter(|_| new.next().is_none());
    };
    let bulb = eui64(unique_id);
    lights
        .into_iter()
        .find(|light| light.eui64().as_ref() == Some(&bulb))
}

fn journal_error(source: io::Error) -> HueError {
    HueError::Local {
        what: NOT_KEPT.to_owned(),
        source,
    }
}
