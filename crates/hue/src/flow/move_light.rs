//! Procedure B: a bulb moves from one bridge to another of the same owner.
//!
//! The order is fixed: the target searches for lights before the source deletes the light, because a bulb that is deleted while it is
//! reachable is reset and looks for an open network at once. The finished steps are kept in a journal; where an interrupted run
//! continues is decided by what both bridges list.

mod arrival;
mod fallback;
mod steps;
mod types;

use self::steps::{LightMove, find_moved};
pub use self::types::{MoveOptions, MoveResult, MoveSource};
use super::client::{BridgeClient, find_light, lights};
use crate::error::HueError;
use crate::journal::{Journal, MoveRecord};
use crate::lights::Light;
use crate::operator::{FlowProgress, MoveStep, Operator};
use crate::transport::HueTransport;

/// Moves a light: the target searches for lights, the source deletes the light and thereby resets it, the target finds it.
///
/// An interrupted run leaves a record in the journal; the same call continues it, and a call after success reports that the light
/// has been moved. `light` is its number, unique id or name on the source.
///
/// A bulb that does not join by itself is called by its serial number, or taken over by touchlink, or else returned, each after
/// confirmation. If all of that fails, the result is a [`MoveResult`] that is not `moved`.
///
/// # Errors
///
/// As [`lights()`] for each bridge; [`HueError::NotConfirmed`] with nothing changed; [`HueError::Unfinished`] once the source has,
/// or may have, deleted the light; [`HueError::Local`] for the journal, with nothing changed.
pub async fn move_light<S: HueTransport, T: HueTransport, J: Journal, O: Operator>(
    source: MoveSource<'_, '_, S>,
    target: &BridgeClient<'_, T>,
    light: &str,
    journal: &J,
    operator: &O,
    options: &MoveOptions,
) -> Result<MoveResult, HueError> {
    let from = match &source {
        MoveSource::Bridge(bridge) => &bridge.name,
        MoveSource::Gone { name, .. } => name,
    };
    if *from == target.name {
        return Err(HueError::Usage(format!(
            "source and target are the same bridge, {from}"
        )));
    }
    let records = find_records(journal, from, &target.name, light)?;
    let start = |source, record| LightMove {
        source,
        target,
        journal,
        operator,
        options,
        record,
        notes: Vec::new(),
    };
    if let Some(record) = records.iter().find(|record| !record.ended) {
        operator.report(FlowProgress::Note(format!(
            "continuing the interrupted move of \u{2018}{}\u{2019}",
            record.name
        )));
        return start(source, record.clone()).resume().await;
    }
    let source = match source {
        MoveSource::Bridge(source) => source,
        MoveSource::Gone { why, .. } => return Err(why),
    };
    match find_light(source, light).await {
        Ok(found) => {
            let is_same = |record: &&MoveRecord| {
                found.unique_id.is_some() && record.unique_id == found.unique_id
            };
            let ended = records.iter().find(is_same);
            if let Some(result) = moved_before(target, ended).await? {
                return Ok(result);
            }
            let record = new_record(&source.name, &target.name, &found, options.now);
            start(MoveSource::Bridge(source), record)
                .begin(source, &found)
                .await
        }
        Err(HueError::NoSuchLight { at, name }) => {
            let ended = records
                .iter()
                .find(|record| !record.has(MoveStep::TakenBack));
            let result = moved_before(target, ended).await?;
            result.ok_or(HueError::NoSuchLight { at, name })
        }
        Err(error) => Err(error),
    }
}

/// Returns the records of earlier moves of a light between two bridges.
fn find_records<J: Journal>(
    journal: &J,
    from: &str,
    to: &str,
    light: &str,
) -> Result<Vec<MoveRecord>, HueError> {
    let mut records = journal.records().map_err(|source| HueError::Local {
        what: "the journal of an earlier move cannot be read; repair it, or delete it if that move is over"
            .to_owned(),
        source,
    })?;
    records.retain(|record| record.from == from && record.to == to && record.has_light(light));
    Ok(records)
}

/// Returns the result of an earlier move if the target still has the light.
async fn moved_before<T: HueTransport>(
    target: &BridgeClient<'_, T>,
    ended: Option<&MoveRecord>,
) -> Result<Option<MoveResult>, HueError> {
    let Some(record) = ended else {
        return Ok(None);
    };
    let there = find_moved(record, &lights(target).await?);
    Ok(there.map(|there| MoveResult {
        notes: vec![format!(
            "\u{2018}{}\u{2019} was moved before: bridge {} has it as number {}",
            record.name, record.to, there.id
        )],
        ..MoveResult::new(record, true, Some(there))
    }))
}

fn new_record(from: &str, to: &str, light: &Light, began: u64) -> MoveRecord {
    MoveRecord {
        began,
        from: from.to_owned(),
        to: to.to_owned(),
        light: light.id.clone(),
        name: light.name.clone(),
        unique_id: light.unique_id.clone(),
        known_at_target: Vec::new(),
        steps: Vec::new(),
        ended: false,
    }
}
