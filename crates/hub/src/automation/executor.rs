//! Where every automatic act goes through.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::{Cause, Id, PlugId, RelayCommand, RequestError};
use hiflying::Mac;
use plugs::RelayState;
use tokio::time::Instant;

use super::Switchboard;
use super::saver::Saver;
use crate::guard::{Guard, TooOften};

/// Switches for schedules and rules, within bounds. A clone is the same desk.
#[derive(Debug, Clone)]
pub(super) struct Desk<S> {
    pub(super) board: S,
    pub(super) saver: Saver,
    bounds: Arc<Mutex<Bounds>>,
}

#[derive(Debug, Default)]
struct Bounds {
    guard: Guard,
    /// Orders on their way.
    in_flight: HashMap<Mac, InFlight>,
    /// Where orders were to move relays that were not seen to do so. The same order again moves such a relay once at most.
    unsure: HashMap<Mac, RelayState>,
    /// Plugs that only a person may switch on, and the rules that say so.
    kept_off: HashMap<Mac, BTreeMap<Id, String>>,
}

/// The orders on their way to one plug, which does them one after the other.
#[derive(Debug)]
struct InFlight {
    count: usize,
    /// How the relay will stand after the last; not known when that toggles what is not known.
    to: Option<RelayState>,
}

/// Why an automatic act was not done, or not seen to be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ActError {
    /// One automatic change too many.
    #[error(transparent)]
    TooOften(#[from] TooOften),
    /// A rule has cut the plug off.
    #[error("the rule \u{2018}{0}\u{2019} cut it off, and only a person may switch it on again")]
    KeptOff(String),
    /// The plug did not do it.
    #[error("{}", .0.message())]
    Failed(RequestError),
    /// The plug accepted it and was not seen to do it.
    #[error("it accepted the order, but its relay was not seen to move")]
    Unconfirmed,
}

impl<S: Switchboard> Desk<S> {
    pub(super) fn new(board: S, saver: Saver) -> Self {
        Self {
            board,
            saver,
            bounds: Arc::default(),
        }
    }

    /// Switches a plug, if that is within the bounds. Also returns what it was told: toggle becomes on or off where that
    /// can be known, so that it can be said again.
    pub(super) async fn switch(
        &self,
        plug: Mac,
        wanted: RelayCommand,
        cause: Cause,
    ) -> (RelayCommand, Result<(), ActError>) {
        let flight = match self.pass(plug, wanted) {
            Ok(flight) => flight,
            Err(error) => return (wanted, Err(error)),
        };
        let to = flight.to;
        let wanted = to.map_or(wanted, RelayCommand::from);
        let result = match self.board.switch(plug, wanted, cause).await {
            Ok(switched) if switched.confirmed => Ok(()),
            Ok(_) => Err(ActError::Unconfirmed),
            Err(error) => Err(ActError::Failed(error)),
        };
        match to.filter(|_| result.is_err()) {
            Some(to) => self.bounds().unsure.insert(plug, to),
            None => self.bounds().unsure.remove(&plug),
        };
        (wanted, result)
    }

    fn pass(&self, plug: Mac, wanted: RelayCommand) -> Result<Flight, ActError> {
        let Some(view) = self.board.view(plug) else {
            let message = format!("no plug {} is adopted", PlugId(plug));
            return Err(ActError::Failed(RequestError::not_found(message)));
        };
        let mut bounds = self.bounds();
        // How it will stand when it is this order's turn.
        let stands = match bounds.in_flight.get(&plug) {
            Some(others) => others.to,
            None => view.plug.relay,
        };
        let to = match wanted {
            RelayCommand::On => Some(RelayState::On),
            RelayCommand::Off => Some(RelayState::Off),
            RelayCommand::Toggle => stands.map(RelayState::toggled),
        };
        if to != Some(RelayState::Off)
            && let Some(rules) = bounds.kept_off.get(&plug)
            && let Some(name) = rules.values().next()
        {
            return Err(ActError::KeptOff(name.clone()));
        }
        let is_repeated = to.is_some() && bounds.unsure.get(&plug).copied() == to;
        if stands.is_none() || to != stands {
            let now = Instant::now().into_std();
            if is_repeated {
                bounds.guard.repeat(plug, now);
            } else {
                bounds.guard.take(plug, now)?;
            }
        }
        let others = bounds
            .in_flight
            .entry(plug)
            .or_insert(InFlight { count: 0, to });
        others.count += 1;
        others.to = to;
        Ok(Flight {
            plug,
            to,
            bounds: Arc::clone(&self.bounds),
        })
    }

    /// Notes whether a rule keeps a plug off.
    pub(super) fn keep_off(&self, plug: Mac, rule: &Id, name: Option<&str>) {
        let mut bounds = self.bounds();
        match name {
            Some(name) => {
                let rules = bounds.kept_off.entry(plug).or_default();
                rules.insert(rule.clone(), name.to_owned());
            }
            None => {
                if let Some(rules) = bounds.kept_off.get_mut(&plug) {
                    rules.remove(rule);
                    if rules.is_empty() {
                        bounds.kept_off.remove(&plug);
                    }
                }
            }
        }
    }

    /// Forgets what no longer counts.
    pub(super) fn tidy(&self) {
        self.bounds().guard.tidy(Instant::now().into_std());
    }

    fn bounds(&self) -> MutexGuard<'_, Bounds> {
        locked(&self.bounds)
    }
}

/// An order on its way; it has landed when this is dropped.
#[derive(Debug)]
struct Flight {
    plug: Mac,
    to: Option<RelayState>,
    bounds: Arc<Mutex<Bounds>>,
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut bounds = locked(&self.bounds);
        if let Some(others) = bounds.in_flight.get_mut(&self.plug) {
            others.count -= 1;
            if others.count == 0 {
                bounds.in_flight.remove(&self.plug);
            }
        }
    }
}

fn locked(bounds: &Mutex<Bounds>) -> MutexGuard<'_, Bounds> {
    // Nothing panics under this lock, and even then it is whole.
    bounds.lock().unwrap_or_else(PoisonError::into_inner)
}
