//! Joining the plug's access point, and waiting until NetworkManager reports the connection.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};
use zbus::{Connection, ObjectPath, OwnedObjectPath, Variant};

use super::adapter::Adapter;
use super::bus::{
    self, ConnectionSettingsProxy, ManagerProxy, SavedProxy, StateChangedStream, number,
};
use super::error::{WifiError, is_gone};
use super::network::Seen;
use super::{profile, reason};

/// Interval at which the state is read, to catch a step whose signal was never sent.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Puts `network` on the adapter by a temporary profile with the given UUID; `seconds` bounds the wait.
pub(super) async fn join(
    connection: &Connection,
    adapter: &Adapter,
    network: &Seen,
    uuid: &str,
    key: Option<&str>,
    wait: Duration,
) -> Result<(), WifiError> {
    let deadline = Instant::now() + wait;
    let mut settings = profile::settings(network, uuid, &adapter.interface, key)?;
    remove_profile(connection, uuid).await?;
    let moves = adapter.device.receive_moved().await?;
    match activate(connection, adapter, network, &settings).await {
        // A user who may not add a connection for all users of this computer may still add an own one.
        Err(WifiError::Denied(why)) => {
            tracing::debug!(why, "trying again with a profile for this user alone");
            profile::keep_to_user(&mut settings);
            activate(connection, adapter, network, &settings).await?;
        }
        outcome => outcome?,
    }
    drop(settings);
    let ssid = network.name();
    match activated(connection, adapter, uuid, &ssid, moves, deadline).await {
        // It was given one, so it has none that is accepted.
        Some(Err(WifiError::NoSecrets { .. })) => Err(WifiError::WrongKey { ssid }),
        Some(outcome) => outcome,
        None => Err(WifiError::TooSlow {
            ssid,
            seconds: wait.as_secs(),
        }),
    }
}

/// Adds the profile and starts it. Where NetworkManager can (since 1.16), the profile dies with our D-Bus
/// connection: then even a `kill -9` leaves nothing behind. Elsewhere it is kept in memory only; either way the
/// key is never written to disk.
async fn activate(
    connection: &Connection,
    adapter: &Adapter,
    network: &Seen,
    settings: &bus::ProfileSettings<'_>,
) -> Result<(), WifiError> {
    let manager = ManagerProxy::new(connection).await?;
    let options = HashMap::from([
        ("persist", Variant::from("volatile")),
        ("bind-activation", Variant::from("dbus-client")),
    ]);
    let added = manager
        .add_and_activate_connection2(settings, &adapter.path, &network.path, &options)
        .await;
    match added {
        Ok(_) => Ok(()),
        Err(error) if is_unknown_method(&error) => {
            let profiles = ConnectionSettingsProxy::new(connection).await?;
            let added = profiles.add_connection_unsaved(settings).await?;
            manager
                .activate_connection(&added, &adapter.path, &network.path)
                .await?;
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Waits until the connection with this UUID is up on the adapter, or has failed; `None` at the deadline.
pub(super) async fn activated(
    connection: &Connection,
    adapter: &Adapter,
    uuid: &str,
    name: &str,
    mut moves: StateChangedStream,
    deadline: Instant,
) -> Option<Result<(), WifiError>> {
    let mut progress = JoinProgress::default();
    loop {
        let state = match adapter.device.state().await {
            Ok(state) => state,
            Err(error) => return Some(Err(error.into())),
        };
        if state == number::STATE_ACTIVATED {
            match adapter.current(connection).await {
                Ok(Some(current)) if current.previous.uuid == uuid => return Some(Ok(())),
                // What was there before is there until ours begins; afterwards another program came between.
                Ok(Some(other)) if progress.begun => {
                    return Some(Err(WifiError::NotJoined {
                        ssid: name.to_owned(),
                        reason: format!("'{}' took the adapter", other.previous.name),
                    }));
                }
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
        }
        let wake = deadline.min(Instant::now() + POLL_INTERVAL);
        let moved = match timeout_at(wake, moves.next()).await {
            Ok(Some(signal)) => match signal.args() {
                Ok(args) => Some((args.new_state, args.reason)),
                Err(_) => None,
            },
            Ok(None) => return Some(Err(WifiError::NotRunning)),
            Err(_) if Instant::now() >= deadline => return None,
            Err(_) => adapter.device.state_reason().await.ok(),
        };
        if let Some((state, reason)) = moved
            && let Some(error) = progress.step(name, state, reason)
        {
            return Some(Err(error));
        }
    }
}

/// Progress of the device in one attempt.
#[derive(Debug, Default)]
struct JoinProgress {
    begun: bool,
    authenticating: bool,
}

impl JoinProgress {
    /// Takes one move of the device; returns why the attempt has ended, if it has.
    fn step(&mut self, name: &str, state: u32, why: u32) -> Option<WifiError> {
        match state {
            number::STATE_NEED_AUTH if reason::is_refusal(why) => {
                Some(reason::join_error(name, why, true))
            }
            number::STATE_PREPARE..=number::STATE_SECONDARIES => {
                self.begun = true;
                // From the first question for secrets to the first address the key is being proven.
                self.authenticating = match state {
                    number::STATE_NEED_AUTH => true,
                    state if state < number::STATE_NEED_AUTH => self.authenticating,
                    _ => false,
                };
                None
            }
            // One activation gave way to the next: to ours, where NetworkManager was quicker to start one by itself,
            // or to another program's, whose name is that of the next activated connection.
            number::STATE_DISCONNECTED if reason::is_handover(why) => {
                self.authenticating = false;
                None
            }
            // What was on the device before passes through these as well, on its way out.
            number::STATE_UNMANAGED
            | number::STATE_UNAVAILABLE
            | number::STATE_DISCONNECTED
            | number::STATE_FAILED
                if self.begun =>
            {
                Some(reason::join_error(name, why, self.authenticating))
            }
            _ => None,
        }
    }
}

/// Deletes the profile with this UUID; returns whether there was one.
pub(super) async fn remove_profile(connection: &Connection, uuid: &str) -> Result<bool, WifiError> {
    let Some(path) = profile_path(connection, uuid).await? else {
        return Ok(false);
    };
    let saved: SavedProxy<'_> = bus::at(connection, &path).await?;
    match saved.delete().await {
        Ok(()) => Ok(true),
        // A profile that was bound to an ended activation is deleted by NetworkManager itself.
        Err(error) if is_gone(&error) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Looks a profile up by its UUID.
pub(super) async fn profile_path(
    connection: &Connection,
    uuid: &str,
) -> Result<Option<OwnedObjectPath>, WifiError> {
    let profiles = ConnectionSettingsProxy::new(connection).await?;
    match profiles.get_connection_by_uuid(uuid).await {
        Ok(path) => Ok(Some(path)),
        Err(error @ zbus::Error::MethodError(..)) => match WifiError::from(error) {
            WifiError::Bus(_) => Ok(None),
            denied => Err(denied),
        },
        Err(error) => Err(error.into()),
    }
}

/// Activates an existing profile.
pub(super) async fn activate_saved(
    connection: &Connection,
    adapter: &Adapter,
    profile: &ObjectPath<'_>,
) -> Result<(), WifiError> {
    let any = ObjectPath::from_static_str_unchecked("/");
    ManagerProxy::new(connection)
        .await?
        .activate_connection(profile, &adapter.path, &any)
        .await?;
    Ok(())
}

fn is_unknown_method(error: &zbus::Error) -> bool {
    matches!(error, zbus::Error::FDO(inner) if matches!(inner.as_ref(), zbus::fdo::Error::UnknownMethod(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(moves: &[(u32, u32)]) -> Option<WifiError> {
        let mut progress = JoinProgress::default();
        moves
            .iter()
            .find_map(|&(state, reason)| progress.step("Reco900000621", state, reason))
    }

    /// The states a device passes while the connection before gives way to ours.
    const HANDOVER: [(u32, u32); 5] = [(110, 60), (30, 60), (40, 0), (50, 0), (60, 0)];

    fn after_handover(end: &[(u32, u32)]) -> Option<WifiError> {
        let moves: Vec<_> = HANDOVER.iter().chain(end).copied().collect();
        run(&moves)
    }

    #[test]
    fn a_good_join_is_no_error() {
        assert!(after_handover(&[(40, 0), (50, 0), (70, 0), (80, 0), (90, 0), (100, 0)]).is_none());
    }

    #[test]
    fn a_wrong_key_is_told_from_a_vanished_network() {
        // NM asks again after the handshake failed; then gives up without an agent.
        assert!(matches!(
            after_handover(&[(50, 0), (60, 8)]),
            Some(WifiError::WrongKey { .. })
        ));
        assert!(matches!(
            after_handover(&[(120, 7)]),
            Some(WifiError::NoSecrets { .. })
        ));
        assert!(matches!(
            after_handover(&[(40, 0), (50, 0), (120, 8)]),
            Some(WifiError::WrongKey { .. })
        ));
        assert!(matches!(
            after_handover(&[(120, 53)]),
            Some(WifiError::Vanished { .. })
        ));
        assert!(matches!(
            after_handover(&[(70, 0), (120, 8)]),
            Some(WifiError::Vanished { .. })
        ));
    }

    #[test]
    fn the_end_of_what_was_there_before_is_not_ours() {
        assert!(run(&[(120, 8), (30, 0), (110, 60), (10, 1)]).is_none());
    }

    #[test]
    fn an_activation_that_gives_way_to_the_next_has_not_failed() {
        let autoconnect = [(40, 0), (50, 0), (60, 0)];
        let moves: Vec<_> = autoconnect.into_iter().chain(HANDOVER).collect();
        assert!(run(&moves).is_none());
        // What had been asked before it gave way says nothing of the key of the next.
        let moves: Vec<_> = moves.into_iter().take(6).chain([(120, 8)]).collect();
        assert!(matches!(run(&moves), Some(WifiError::Vanished { .. })));
    }

    #[test]
    fn other_ends_have_their_reason() {
        for reason in [5, 6, 15, 16, 17] {
            assert!(
                matches!(
                    after_handover(&[(70, 0), (120, reason)]),
                    Some(WifiError::NoLease { .. })
                ),
                "{reason}"
            );
        }
        let Some(WifiError::NotJoined { reason, .. }) = after_handover(&[(10, 36)]) else {
            panic!("an adapter that is pulled out ends the attempt");
        };
        assert_eq!(reason, "the adapter was taken away");
    }
}
