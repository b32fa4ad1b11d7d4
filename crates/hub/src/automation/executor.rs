//! Executes automatic switches within limits.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use api::{Cause, Id, RelayCommand, RequestError};
use hiflying::Mac;
use parking_lot::Mutex;
use plugs::RelayState;
use tokio::time::Instant;

use super::context::AutomationContext;
use super::state_writer::StateWriter;
use super::switch_limiter::{SwitchLimiter, TooOften};

/// Executor of the switches of schedules and rules. Clones share their state.
#[derive(Debug, Clone)]
pub(super) struct Executor<S> {
    pub(super) context: S,
    pub(super) state_writer: StateWriter,
    state: Arc<Mutex<ExecutorState>>,
}

#[derive(Debug, Default)]
struct ExecutorState {
    limiter: SwitchLimiter,
    /// Commands in progress.
    pending: HashMap<Mac, PendingCommands>,
    /// Target states of commands that were not confirmed. Repeating such a command moves the relay at most once.
    unsure: HashMap<Mac, RelayState>,
    /// Plugs that only a person may switch on, with the rules that keep them off.
    kept_off: HashMap<Mac, BTreeMap<Id, String>>,
}

/// Commands in progress for one plug, which executes them one after the other.
#[derive(Debug)]
struct PendingCommands {
    count: usize,
    /// State of the relay after the last one; unknown when it toggles an unknown state.
    to: Option<RelayState>,
}

/// Error of an automatic switch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ExecuteError {
    /// The limit on automatic switches is reached.
    #[error(transparent)]
    TooOften(#[from] TooOften),
    /// A rule keeps the plug off.
    #[error("the rule \u{2018}{0}\u{2019} cut it off, and only a person may switch it on again")]
    KeptOff(String),
    /// The plug failed to switch.
    #[error("{}", .0.message())]
    Failed(RequestError),
    /// The plug accepted the command, but the switch was not confirmed.
    #[error("it accepted the command, but its relay did not move")]
    Unconfirmed,
}

impl<S: AutomationContext> Executor<S> {
    pub(super) fn new(context: S, state_writer: StateWriter) -> Self {
        Self {
            context,
            state_writer,
            state: Arc::default(),
        }
    }

    /// Switches a plug if the limits allow it. Also returns the command sent: toggle becomes on or off where the state is known,
    /// so that it can be repeated.
    pub(super) async fn switch(
        &self,
        plug: Mac,
        wanted: RelayCommand,
        cause: Cause,
    ) -> (RelayCommand, Result<(), ExecuteError>) {
        let pending = match self.admit(plug, wanted) {
            Ok(pending) => pending,
            Err(error) => return (wanted, Err(error)),
        };
        let to = pending.to;
        let wanted = to.map_or(wanted, RelayCommand::from);
        let result = match self.context.switch(plug, wanted, cause).await {
            Ok(switched) if switched.confirmed => Ok(()),
            Ok(_) => Err(ExecuteError::Unconfirmed),
            Err(error) => Err(ExecuteError::Failed(error)),
        };
        match to.filter(|_| result.is_err()) {
            Some(to) => self.state.lock().unsure.insert(plug, to),
            None => self.state.lock().unsure.remove(&plug),
        };
        (wanted, result)
    }

    fn admit(&self, plug: Mac, wanted: RelayCommand) -> Result<PendingCommand, ExecuteError> {
        let Some(view) = self.context.view(plug) else {
            let message = format!("no plug {plug} is adopted");
            return Err(ExecuteError::Failed(RequestError::not_found(message)));
        };
        let mut state = self.state.lock();
        // The state when the commands before this one are done.
        let stands = match state.pending.get(&plug) {
            Some(others) => others.to,
            None => view.plug.relay,
        };
        let to = match wanted {
            RelayCommand::On => Some(RelayState::On),
            RelayCommand::Off => Some(RelayState::Off),
            RelayCommand::Toggle => stands.map(RelayState::toggled),
        };
        if to != Some(RelayState::Off)
            && let Some(rules) = state.kept_off.get(&plug)
            && let Some(name) = rules.values().next()
        {
            return Err(ExecuteError::KeptOff(name.clone()));
        }
        let is_repeated = to.is_some() && state.unsure.get(&plug).copied() == to;
        if stands.is_none() || to != stands {
            let now = Instant::now().into_std();
            if is_repeated {
                state.limiter.repeat(plug, now);
            } else {
                state.limiter.take(plug, now)?;
            }
        }
        let others = state
            .pending
            .entry(plug)
            .or_insert(PendingCommands { count: 0, to });
        others.count += 1;
        others.to = to;
        Ok(PendingCommand {
            plug,
            to,
            state: Arc::clone(&self.state),
        })
    }

    /// Records whether a rule keeps a plug off.
    pub(super) fn keep_off(&self, plug: Mac, rule: &Id, name: Option<&str>) {
        let mut state = self.state.lock();
        match name {
            Some(name) => {
                let rules = state.kept_off.entry(plug).or_default();
                rules.insert(rule.clone(), name.to_owned());
            }
            None => {
                if let Some(rules) = state.kept_off.get_mut(&plug) {
                    rules.remove(rule);
                    if rules.is_empty() {
                        state.kept_off.remove(&plug);
                    }
                }
            }
        }
    }

    /// Removes expired entries.
    pub(super) fn tidy(&self) {
        self.state.lock().limiter.tidy(Instant::now().into_std());
    }
}

/// A command in progress until this is dropped.
#[derive(Debug)]
struct PendingCommand {
    plug: Mac,
    to: Option<RelayState>,
    state: Arc<Mutex<ExecutorState>>,
}

impl Drop for PendingCommand {
    fn drop(&mut self) {
        let mut state = self.state.lock();
        if let Some(others) = state.pending.get_mut(&self.plug) {
            others.count -= 1;
            if others.count == 0 {
                state.pending.remove(&self.plug);
            }
        }
    }
}
