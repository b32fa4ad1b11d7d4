//! The plugs' own timers that were set from this computer: a plug cannot be asked for them.

use std::path::Path;
use std::time::Duration;

use hiflying::Mac;
use jiff::Timestamp;
use plugs::{Minutes, RelayState};
use serde::{Deserialize, Serialize};
use statefile::StateFile;

use crate::error::Failure;

const FILE: &str = "timers.json";
const MAX_BYTES: u64 = 1024 * 1024;
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// A timer that is not due yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PendingTimer {
    /// The plug.
    pub(crate) plug: Mac,
    /// Position of the relay afterwards.
    pub(crate) relay: RelayState,
    /// Delay in minutes.
    pub(crate) minutes: u16,
    /// Approximate time of the switch.
    pub(crate) due: Timestamp,
}

impl PendingTimer {
    /// Makes a timer that was just set.
    pub(crate) fn new(plug: Mac, relay: RelayState, after: Minutes, due: Timestamp) -> Self {
        Self {
            plug,
            relay,
            minutes: after.count(),
            due,
        }
    }
}

/// Returns the timers that are not due yet, the next one first.
pub(crate) fn pending(directory: &Path) -> Result<Vec<PendingTimer>, Failure> {
    read(&file(directory))
}

/// Replaces the timer of a plug.
pub(crate) fn replace(
    directory: &Path,
    plug: Mac,
    timer: Option<PendingTimer>,
) -> Result<(), Failure> {
    let file = file(directory);
    let problem = |error: std::io::Error| {
        let path = file.path().display();
        Failure::local(format!("{path} cannot be written")).caused_by(&error)
    };
    let _lock = file.lock(LOCK_TIMEOUT).map_err(problem)?;
    let mut timers = read(&file)?;
    timers.retain(|known| known.plug != plug);
    timers.extend(timer);
    let text = serde_json::to_vec(&timers).expect("a list of plain structs");
    file.write(&text).map_err(problem)
}

fn file(directory: &Path) -> StateFile {
    StateFile::new(directory.join(FILE), MAX_BYTES)
}

fn read(file: &StateFile) -> Result<Vec<PendingTimer>, Failure> {
    let problem = |error: &(dyn std::error::Error + 'static)| {
        let path = file.path().display();
        Failure::local(format!("{path} cannot be read"))
            .caused_by(error)
            .hint("remove the file; it only lists timers")
    };
    let bytes = file.read().map_err(|error| problem(&error))?;
    let Some(bytes) = bytes else {
        return Ok(Vec::new());
    };
    let mut timers: Vec<PendingTimer> =
        serde_json::from_slice(&bytes).map_err(|error| problem(&error))?;
    let now = plugs::now();
    timers.retain(|timer| timer.due > now);
    timers.sort_by_key(|timer| timer.due);
    Ok(timers)
}
