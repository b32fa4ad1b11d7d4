//! The note of a `mains setup` that was killed, and the offer to undo its changes.
//!
//! Every start of `mains` looks for the note, which costs one file system call when there is none. A note that no live
//! process holds is compared with the state of NetworkManager: often all is well again,
//! because NetworkManager itself ends our profile when we die and returns to the connection it knows. Otherwise it is
//! reported on stderr; in a terminal a question offers to undo it (`--yes` agrees in advance), elsewhere a hint names
//! `mains setup --undo`. "No" removes the note, so that the question is asked once.

use std::path::{Path, PathBuf};

use super::error::WifiError;
use super::journal::{FILE_NAME, RestoreJournal, RestoreRecord};
use super::restore::{Restored, is_done, restore};
use super::{bus, join};
use crate::error::Failure;
use crate::ui::{Ui, clean};

/// A note of something to restore, which may be restored already.
#[derive(Debug)]
pub struct Pending {
    state_dir: PathBuf,
}

/// Finds the note of an earlier run in this state directory. Costs one file system call.
pub fn pending(state_dir: &Path) -> Option<Pending> {
    state_dir
        .join(FILE_NAME)
        .try_exists()
        .unwrap_or(false)
        .then(|| Pending {
            state_dir: state_dir.to_owned(),
        })
}

/// Reports what is left, and undoes it where the user agrees. Never fails: the verb goes on.
pub async fn offer(ui: &Ui, pending: Pending) {
    let left = match UnrestoredWifi::look(&pending.state_dir).await {
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
        Ok(false) => match left.journal.clear() {
            Ok(()) => ui.status("left as it is"),
            Err(error) => complain(ui, &error),
        },
        Err(failure) => ui.warn(failure),
    }
}

/// Undoes the changes of an earlier run, without asking; `None` when there is nothing to undo.
pub async fn undo(state_dir: &Path) -> Result<Option<Restored>, WifiError> {
    if pending(state_dir).is_none() {
        return Ok(None);
    }
    match UnrestoredWifi::look(state_dir).await? {
        Some(left) => left.undo().await.map(Some),
        None => Ok(None),
    }
}

fn complain(ui: &Ui, error: &WifiError) {
    let failure = Failure::from(error);
    ui.warn(format_args!(
        "an earlier `mains setup` did not put the Wi-Fi back: {failure}"
    ));
    if let Some(hint) = failure.hint_text() {
        ui.hint(hint);
    }
}

/// Changes to undo, with exclusive access to the note.
struct UnrestoredWifi {
    journal: RestoreJournal,
    record: RestoreRecord,
    connection: zbus::Connection,
}

impl UnrestoredWifi {
    /// Reads the note and compares it with the present; a note of what is well again is removed.
    async fn look(state_dir: &Path) -> Result<Option<Self>, WifiError> {
        let journal = RestoreJournal::open(state_dir)?;
        let Some(record) = journal.read()? else {
            return Ok(None);
        };
        let connection = bus::system().await.map_err(WifiError::NoBus)?;
        if is_done(&connection, &record).await? {
            journal.clear()?;
            return Ok(None);
        }
        Ok(Some(Self {
            journal,
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
            "an earlier `mains setup` did not put the Wi-Fi back: {} {before}, then it was put on '{}'",
            clean(&self.record.interface),
            clean(&self.record.network),
        )
    }

    async fn undo(&self) -> Result<Restored, WifiError> {
        let restored = restore(&self.connection, &self.record).await;
        match restored {
            Ok(_) => self.journal.clear()?,
            // Nothing of ours is left, and the error names what could not be restored: report it once.
            Err(WifiError::NotRestored { .. } | WifiError::NoSecrets { .. })
                if join::profile_path(&self.connection, &self.record.profile)
                    .await?
                    .is_none() =>
            {
                self.journal.clear()?;
            }
            Err(_) => {}
        }
        restored
    }
}
