//! The entries of the log about one plug, and the state that they depend on.

use api::{Cause, LogEntry, LogKind, Metering, PowerOn};
use plugs::net::ContactError;
use plugs::{Reading, RelayState};

use super::super::relay_history::RelayMove;
use super::{EntryState, RegistryEntry};
use crate::store::PlugRecord;

/// Returns the difference between the settings of two records of a plug, in words; a new name is no setting.
fn changed_settings(before: &PlugRecord, after: &PlugRecord) -> Vec<String> {
    let mut words = Vec::new();
    if before.room != after.room {
        words.push(match &after.room {
            Some(room) => format!("is in the room {room} now"),
            None => "is in no room now".to_owned(),
        });
    }
    if before.metering != after.metering {
        words.push(match after.metering {
            Some(Metering::Every(period)) => format!("is metered every {period} now"),
            Some(Metering::Off) => "is not metered any more".to_owned(),
            None => "is metered at the hub's interval now".to_owned(),
        });
    }
    if before.power_on != after.power_on {
        words.push(match after.power_on {
            Some(PowerOn::On) => "is turned on after an outage now".to_owned(),
            Some(PowerOn::Off) => "is turned off after an outage now".to_owned(),
            Some(PowerOn::Last) => "is turned as before after an outage now".to_owned(),
            None => "is left as it is after an outage now".to_owned(),
        });
    }
    if before.often_unplugged != after.often_unplugged {
        words.push(match after.often_unplugged {
            true => "counts as often unplugged now".to_owned(),
            false => "does not count as often unplugged any more".to_owned(),
        });
    }
    words
}

impl RegistryEntry {
    /// Logs something about the plug.
    pub(super) fn log(&self, state: &EntryState, kind: LogKind, what: &str) {
        self.bus.log(self.log_entry(state, kind, what));
    }

    /// Returns an entry whose text begins with the plug's name.
    pub(super) fn log_entry(&self, state: &EntryState, kind: LogKind, what: &str) -> LogEntry {
        let text = format!("{} {what}", state.record.title());
        LogEntry::new(plugs::now(), kind, text).about(self.mac)
    }

    /// Logs the last move of the relay, when its cause is certain.
    pub(super) fn log_move(&self, state: &mut EntryState) {
        let Some(RelayMove {
            relay, cause, at, ..
        }) = state.relay.take_news()
        else {
            return;
        };
        let entry = match state.record.relay_since {
            Some(_) => self
                .log_entry(state, LogKind::Switch, &format!("turned {relay}"))
                .caused_by(Some(&cause)),
            None => {
                let what = format!("turned {relay} while no hub was running");
                self.log_entry(state, LogKind::Switch, &what)
            }
        };
        self.bus.log(LogEntry { at, ..entry }.moved_to(relay));
    }

    /// Logs a command that failed with an error, or without one was not carried out; the same failure only once in a row.
    pub(in crate::registry) fn log_failure(
        &self,
        wanted: Option<RelayState>,
        cause: &Cause,
        error: Option<&ContactError>,
    ) {
        let mut state = self.state.lock();
        let wanted = wanted.map_or_else(|| "switch".to_owned(), |relay| format!("turn {relay}"));
        let what = match error {
            Some(error) => format!("did not {wanted}: {error}"),
            None => format!("did not {wanted}, although it accepted the command"),
        };
        if state.failure.as_ref() != Some(&what) {
            let entry = self.log_entry(&state, LogKind::Switch, &what);
            self.bus.log(entry.caused_by(Some(cause)).as_problem(true));
            state.failure = Some(what);
        }
    }

    /// Records that a command was carried out.
    pub(in crate::registry) fn switched(&self) {
        self.state.lock().failure = None;
    }

    /// Logs the settings that people changed.
    pub(super) fn log_edit(&self, state: &EntryState, after: &PlugRecord) {
        let before = &state.record;
        if before.name != after.name {
            let what = match &after.name {
                Some(name) => format!("is called {name} now"),
                None => "has no name now".to_owned(),
            };
            self.log(state, LogKind::Plug, &what);
        }
        let changes = changed_settings(before, after);
        if !changes.is_empty() {
            self.log(state, LogKind::Plug, &changes.join(", "));
        }
    }

    /// Finds out whether the relay conducts although it is off. A change is published.
    pub(super) fn check_relay(&self, state: &mut EntryState, reading: &Reading) {
        if state.record.relay != Some(RelayState::Off) {
            state.welded.is_on();
            return;
        }
        let Some(watts) = reading.power_w else { return };
        let Some(is_welded) = state.welded.read_while_off(reading.at, watts) else {
            return;
        };
        let title = state.record.title();
        let message = match is_welded {
            true => {
                format!("{title} is off, but still draws {watts:.0} W; its relay may be welded")
            }
            false => format!("{title} is off, and draws nothing any more"),
        };
        tracing::warn!(plug = %self.mac, "{message}");
        self.bus
            .problem("relay", Some(self.mac), !is_welded, message);
        self.publish(state);
    }
}
