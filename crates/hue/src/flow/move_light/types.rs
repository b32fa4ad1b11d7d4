//! The options and the result of a move.

use serde::Serialize;

use crate::error::HueError;
use crate::flow::client::BridgeClient;
use crate::identity::TouchlinkMethod;
use crate::journal::MoveRecord;
use crate::lights::NewLight;
use crate::operator::MoveStep;
use crate::serial::BulbSerial;

/// The bridge that has the light.
#[derive(Debug)]
pub enum MoveSource<'s, 'b, T> {
    /// It replies.
    Bridge(&'s BridgeClient<'b, T>),
    /// It no longer replies. A move whose light was deleted already can be finished without it.
    Gone {
        /// Its id, or its address where it reports no id.
        name: String,
        /// The reason.
        why: HueError,
    },
}

/// Options of `move_light`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveOptions {
    /// The serial number of the bulb, used if it does not join by itself.
    pub serial: Option<BulbSerial>,
    /// The touchlink method, used if the bulb does not join by itself.
    pub via: Option<TouchlinkMethod>,
    /// Maximum number of touchlinks, as [`TakeoverOptions::rounds`](crate::TakeoverOptions::rounds).
    pub rounds: u8,
    /// The time of day in seconds since 1970, for the journal.
    pub now: u64,
}

/// Result of `move_light`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MoveResult {
    /// The light: its unique id, or its name where the bridge reports none.
    pub light: String,
    /// The bridge that had the light.
    pub from: String,
    /// The bridge that gets the light.
    pub to: String,
    /// True if the light has arrived.
    pub moved: bool,
    /// The finished steps, including those of an earlier run.
    pub steps: Vec<MoveStep>,
    /// The light as it is listed now, if one of the two bridges has it.
    #[serde(skip)]
    pub now: Option<NewLight>,
    /// Notes for people, above all where the bulb is if it has not arrived.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl MoveResult {
    /// Describes how far a move has come, without notes.
    pub(super) fn new(record: &MoveRecord, moved: bool, now: Option<impl Into<NewLight>>) -> Self {
        Self {
            light: record.unique_id.as_ref().unwrap_or(&record.name).clone(),
            from: record.from.clone(),
            to: record.to.clone(),
            moved,
            steps: record.steps.clone(),
            now: now.map(Into::into),
            notes: Vec::new(),
        }
    }
}
