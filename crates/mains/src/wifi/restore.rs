//! Restoring the computer's Wi-Fi as noted.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;
use zbus::Connection;

use super::adapter::Adapter;
use super::bus::number;
use super::error::{WifiError, is_gone};
use super::join::{activate_saved, activated, profile_path, remove_profile};
use super::journal::{Previous, RestoreRecord};
use crate::ui::clean;

/// Time for the previous connection to come up again.
pub const RESTORE_TIMEOUT: Duration = Duration::from_secs(40);

/// Connection of the computer's Wi-Fi after the restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restored {
    /// On the connection of this name, as before.
    Connected(String),
    /// On nothing, as before.
    Disconnected,
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected(name) => {
                write!(f, "this computer's Wi-Fi is back on '{}'", clean(name))
            }
            Self::Disconnected => f.write_str("this computer's Wi-Fi is disconnected, as before"),
        }
    }
}

/// Restores everything, the previous connection first, so that the adapter is disconnected for the shortest time.
/// Each part is tried even if another fails; the first error is returned.
pub(super) async fn restore(
    connection: &Connection,
    record: &RestoreRecord,
) -> Result<Restored, WifiError> {
    let adapter = match Adapter::find(connection, &record.interface).await {
        Ok(adapter) => adapter,
        // Pulled out, switched off, or the service is gone: at least nothing of ours may stay.
        Err(error) => {
            remove_profile(connection, &record.profile).await?;
            return match record.previous {
                Some(_) => Err(error),
                None => Ok(Restored::Disconnected),
            };
        }
    };
    let moves = adapter.device.receive_moved().await?;
    let started = match &record.previous {
        Some(previous) => start(connection, &adapter, previous).await,
        None => disconnect(connection, &adapter, &record.profile).await,
    };
    let removed = remove_profile(connection, &record.profile).await;
    let freed = match record.autoconnect {
        Some(allowed) => adapter.device.set_autoconnect(allowed).await,
        None => Ok(()),
    };
    started?;
    let Some(previous) = &record.previous else {
        removed?;
        freed?;
        return Ok(Restored::Disconnected);
    };
    let deadline = Instant::now() + RESTORE_TIMEOUT;
    let up = activated(
        connection,
        &adapter,
        &previous.uuid,
        &previous.name,
        moves,
        deadline,
    );
    match up.await {
        Some(Ok(())) => {}
        Some(Err(error @ WifiError::NoSecrets { .. })) => return Err(error),
        Some(Err(error)) => return Err(not_restored(record, previous, &error.to_string())),
        None => {
            let reason = format!(
                "it was not connected within {} s",
                RESTORE_TIMEOUT.as_secs()
            );
            return Err(not_restored(record, previous, &reason));
        }
    }
    removed?;
    freed?;
    Ok(Restored::Connected(previous.name.clone()))
}

/// Activates the previous connection, unless it is active already.
async fn start(
    connection: &Connection,
    adapter: &Adapter,
    previous: &Previous,
) -> Result<(), WifiError> {
    let current = adapter.current(connection).await?;
    if current.is_some_and(|current| current.previous == *previous) {
        return Ok(());
    }
    let Some(profile) = profile_path(connection, &previous.uuid).await? else {
        return Err(WifiError::NotRestored {
            interface: adapter.interface.clone(),
            name: previous.name.clone(),
            reason: "it has been deleted meanwhile".into(),
        });
    };
    activate_saved(connection, adapter, &profile).await
}

/// Takes our connection off the adapter; anything else that is on it meanwhile is not ours to end.
async fn disconnect(
    connection: &Connection,
    adapter: &Adapter,
    ours: &str,
) -> Result<(), WifiError> {
    let current = adapter.current(connection).await?;
    if current.is_none_or(|current| current.previous.uuid != ours) {
        return Ok(());
    }
    match adapter.device.disconnect().await {
        Ok(()) => Ok(()),
        Err(error) if is_gone(&error) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn not_restored(record: &RestoreRecord, previous: &Previous, reason: &str) -> WifiError {
    WifiError::NotRestored {
        interface: record.interface.clone(),
        name: previous.name.clone(),
        reason: reason.to_owned(),
    }
}

/// Tells whether everything is as noted already: our profile gone, the previous connection on the adapter.
pub(super) async fn is_done(
    connection: &Connection,
    record: &RestoreRecord,
) -> Result<bool, WifiError> {
    if profile_path(connection, &record.profile).await?.is_some() {
        return Ok(false);
    }
    let Some(previous) = &record.previous else {
        return Ok(true);
    };
    let adapter = Adapter::find(connection, &record.interface).await?;
    let is_up = adapter.device.state().await? == number::STATE_ACTIVATED;
    let current = adapter.current(connection).await?;
    Ok(is_up && current.is_some_and(|current| current.previous.uuid == previous.uuid))
}
