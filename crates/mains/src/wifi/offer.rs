//! What a `mains setup` that was killed has left behind, and the offer to undo it.
//!
//! Every start of `mains` looks for the note (one look at the file system, nothing more, when there is none). When a
//! note is found and nobody alive holds it, it is compared with what NetworkManager says: often all is well again,
//! because NetworkManager itself ends our profile when we die and returns to the connection it knows. Otherwise it is
//! told on stderr; in a terminal a question offers to undo it (`--yes` agrees in advance), elsewhere a hint names
//! `mains setup --undo`. "No" forgets the note, so that nobody is asked twice.

use std::path::{Path, PathBuf};

use super::error::WifiError;
use super::journal::{Claim, FILE_NAME, Record};
use super::restore::{Restored, is_done, restore};
use super::{bus, join};
use crate::error::Failure;
use crate::ui::{Ui, clean};

/// A note of something to restore is there; whether it still has to be is not known yet.
#[derive(Debug)]
pub struct Pending {
    state_dir: PathBuf,
}

/// Looks whether an earlier run has left a note in this state directory. Costs one file system call.
pub fn pending(state_dir: &Path) -> Option<Pending> {
    state_dir
        .join(FILE_NAME)
        .try_exists()
        .unwrap_or(false)
        .then(|| Pending {
            state_dir: state_dir.to_owned(),
        })
}

/// Says what is left, and undoes it where the user agrees. Never fails: the verb that was asked for goes on.
pub async fn offer(ui: &Ui, pending: Pending) {
    let left = match Left::look(&pending.state_dir).await {
        // A live `mains setup` is at work, or all is well again.
        Err(WifiError::Busy) | Ok(None) => return,
        Ok(Some(left)) => left,
        Err(error) => return complain(ui, &error),
    };
    ui.warn(left.tell());
    if !ui.can_ask() && !ui.agrees() {
        ui.hint("`mains setup --undo` puts it back");
        return;
    }
    match ui.confirm("put it back now").await {
        Ok(true) => match left.undo().await {
            Ok(restored) => ui.status(restored),
            Err(error) => complain(ui, &error),
        },
        Ok(false) => match left.claim.clear() {
            Ok(()) => ui.status("left as it is"),
            Err(error) => complain(ui, &error),
        },
        Err(failure) => ui.warn(failure),
    }
}

/// Undoes what an earlier run has left, without asking; `None` when there is nothing to undo.
pub async fn undo(state_dir: &Path) -> Result<Option<Restored>, WifiError> {
    if pending(state_dir).is_none() {
        return Ok(None);
    }
    match Left::look(state_dir).await? {
        Some(left) => left.undo().await.map(Some),
        None => Ok(None),
    }
}

fn complain(ui: &Ui, error: &WifiError) {
    let failure = Failure::from(error);
    ui.warn(format_args!(
        "an earlier `mains setup` was stopped before it had put the Wi-Fi back: {failure}"
    ));
    if let Some(hint) = failure.hint_text() {
        ui.hint(hint);
    }
}

/// Something that has to be undone, with the right to do it.
struct Left {
    claim: Claim,
    record: Record,
    connection: zbus::Connection,
}

impl Left {
    /// Reads the note and compares it with the present; a note of what is well again is removed.
    async fn look(state_dir: &Path) -> Result<Option<Self>, WifiError> {
        let claim = Claim::take(state_dir)?;
        let Some(record) = claim.read()? else {
            return Ok(None);
        };
        let connection = bus::system().await.map_err(WifiError::NoBus)?;
        if is_done(&connection, &record).await? {
            claim.clear()?;
            return Ok(None);
        }
        Ok(Some(Self {
            claim,
            record,
            connection,
        }))
    }

    fn tell(&self) -> String {
        let before = match &self.record.previous {
            Some(previous) => format!("was on '{}'", clean(&previous.name)),
            None => "was on nothing".to_owned(),
        };
        format!(
            "an earlier `mains setup` was stopped before it had put the Wi-Fi back: {} {before}, then it was put on '{}'",
            clean(&self.record.interface),
            clean(&self.record.network),
        )
    }

    async fn undo(&self) -> Result<Restored, WifiError> {
        let restored = restore(&self.connection, &self.record).await;
        match restored {
            Ok(_) => self.claim.clear()?,
            // Nothing of ours is left, and the owner is told what could not be brought back: do not tell him for ever.
            Err(WifiError::NotRestored { .. })
                if join::profile_path(&self.connection, &self.record.profile)
                    .await?
                    .is_none() =>
            {
                self.claim.clear()?;
            }
            Err(_) => {}
        }
        restored
    }
}
