//! One run of a schedule: switches all its plugs at once, and retries those that failed.

use std::collections::BTreeSet;
use std::time::Duration;

use api::{Cause, Id, LastRun, LogKind, RelayCommand, Schedule, to_millisecond};
use futures_util::StreamExt;
use futures_util::stream;
use hiflying::Mac;
use jiff::Timestamp;
use plugs::RelayState;
use tokio::time::{Instant, sleep, timeout};

use crate::automation::context::AutomationContext;
use crate::automation::executor::{ExecuteError, Executor};
use crate::event::EventBus;
use crate::store::{Claim, ClaimKind, Claimed};

/// Maximum number of plugs switched at once: more would only wait for one another.
const MAX_PLUGS_AT_ONCE: usize = 256;
/// Time for persisting the run first, best effort: a stalled disk must not delay it.
const STATE_WRITE_TIMEOUT: Duration = Duration::from_secs(1);
/// Delay before the first retry; doubled after each attempt.
const FIRST_RETRY_DELAY: Duration = Duration::from_secs(5);
/// Time after which a plug has missed the run: a later switch might no longer be intended.
const RETRY_TIMEOUT: Duration = Duration::from_secs(60);
/// Delay before a run is claimed again while the database cannot be reached.
const CLAIM_RETRY_DELAY: Duration = Duration::from_secs(1);
/// Time for a plug to be heard by a hub that has just taken over, and the interval of looking.
const HEARD_TIMEOUT: Duration = Duration::from_secs(10);
const HEARD_INTERVAL: Duration = Duration::from_millis(100);
/// Failed plugs named in a message.
const MAX_PROBLEMS_NAMED: usize = 3;

/// A run of a schedule.
#[derive(Debug)]
pub(super) struct ScheduleRun {
    pub(super) id: Id,
    pub(super) schedule: Schedule,
    pub(super) due: Timestamp,
    /// True if it was missed and is caught up with.
    pub(super) is_late: bool,
}

/// Result of a run.
#[derive(Debug)]
pub(super) struct ScheduleRunResult {
    pub(super) id: Id,
    /// `None` if another hub has done it.
    pub(super) last: Option<LastRun>,
    /// The reason to stop the schedule.
    pub(super) halt: Option<String>,
}

impl ScheduleRun {
    pub(super) async fn fire<S: AutomationContext>(
        self,
        executor: Executor<S>,
    ) -> ScheduleRunResult {
        let at = to_millisecond(executor.context.time().wall);
        let writing = executor.context.schedules().keep_state(&self.id);
        // The state writer tries again if the disk is too slow.
        let _ = timeout(STATE_WRITE_TIMEOUT, writing).await;
        let claimed = self.claim(&executor.context).await;
        if claimed == Claimed::Taken {
            tracing::info!(id = %self.id, due = %self.due, "it was done before, or by another hub");
            return ScheduleRunResult {
                id: self.id,
                last: None,
                halt: None,
            };
        }
        let (plugs, mut problems) = self.plugs(&executor.context);
        let switching = plugs.into_iter().map(|plug| {
            let (executor, firing) = (&executor, &self);
            async move {
                let is_done = claimed == Claimed::Resumed && firing.was_done(executor, plug).await;
                let switched = match is_done {
                    true => Ok(()),
                    false => firing.switch(executor, plug).await,
                };
                (plug, switched)
            }
        });
        let switching = stream::iter(switching).buffer_unordered(MAX_PLUGS_AT_ONCE);
        let mut results: Vec<_> = switching.collect().await;
        results.sort_by_key(|(plug, _)| *plug);
        let count = results.len();
        let mut halt = None;
        for (plug, result) in results {
            let Err(error) = result else { continue };
            let who = name(&executor.context, plug);
            if matches!(error, ExecuteError::TooOften(_)) {
                halt.get_or_insert_with(|| {
                    format!("{who}: {error}, and this would have been one more")
                });
            }
            problems.push(format!("{who}: {error}"));
        }
        let last = LastRun {
            at,
            action: self.schedule.action.as_str().to_owned(),
            why: self.why(&executor.context),
            confirmed: problems.is_empty() && count > 0,
            error: sentence(&problems),
        };
        self.log(&last, executor.context.bus());
        ScheduleRunResult {
            id: self.id,
            last: Some(last),
            halt,
        }
    }

    /// Claims the run. A hub with others waits for the database as long as it may act. An earlier hub that claimed it has not
    /// finished it, or the state of the schedule would say so; it may have been killed before it wrote that it begins. On and off can be
    /// repeated, toggle cannot.
    async fn claim<S: AutomationContext>(&self, context: &S) -> Claimed {
        loop {
            let claim = Claim {
                kind: ClaimKind::Schedule,
                id: self.id.clone(),
                due: self.due,
                resumes: self.schedule.action != RelayCommand::Toggle,
            };
            match context.claim(claim).await {
                Ok(claimed) => return claimed,
                Err(_) => sleep(CLAIM_RETRY_DELAY).await,
            }
        }
    }

    /// Returns true if a plug is as the schedule wants it, so that the run before has switched it; waits until it is heard.
    async fn was_done<S: AutomationContext>(&self, executor: &Executor<S>, plug: Mac) -> bool {
        let end = Instant::now() + HEARD_TIMEOUT;
        while Instant::now() < end {
            let view = executor.context.view(plug);
            if view.is_some_and(|view| view.available) {
                break;
            }
            sleep(HEARD_INTERVAL).await;
        }
        Self::is_done(executor, plug, self.schedule.action)
    }

    /// Returns each plug once, and the problems of the targets.
    fn plugs<S: AutomationContext>(&self, context: &S) -> (BTreeSet<Mac>, Vec<String>) {
        let (mut plugs, mut problems) = (BTreeSet::new(), Vec::new());
        for target in &self.schedule.targets {
            match context.members(target) {
                Ok(members) => plugs.extend(members),
                Err(error) => problems.push(error.message().to_owned()),
            }
        }
        if plugs.is_empty() && problems.is_empty() {
            problems.push("its groups have no plugs".to_owned());
        }
        (plugs, problems)
    }

    async fn switch<S: AutomationContext>(
        &self,
        executor: &Executor<S>,
        plug: Mac,
    ) -> Result<(), ExecuteError> {
        let mut wanted = self.schedule.action;
        let end = Instant::now() + RETRY_TIMEOUT;
        let mut pause = FIRST_RETRY_DELAY;
        loop {
            let cause = Cause::Schedule {
                id: self.id.clone(),
                name: self.schedule.name.to_string(),
            };
            let (told, result) = executor.switch(plug, wanted, cause).await;
            wanted = told;
            let is_over = match &result {
                Ok(()) | Err(ExecuteError::TooOften(_) | ExecuteError::KeptOff(_)) => true,
                Err(ExecuteError::Failed(_) | ExecuteError::Unconfirmed) => {
                    // Toggle must not be repeated.
                    wanted == RelayCommand::Toggle
                        || executor.context.view(plug).is_none()
                        || Instant::now() + pause > end
                }
            };
            if is_over {
                return result;
            }
            sleep(pause).await;
            pause *= 2;
            if Self::is_done(executor, plug, wanted) {
                return Ok(());
            }
        }
    }

    /// Returns true if the relay has moved meanwhile.
    fn is_done<S: AutomationContext>(
        executor: &Executor<S>,
        plug: Mac,
        wanted: RelayCommand,
    ) -> bool {
        let view = executor.context.view(plug);
        let stands = view
            .filter(|view| view.available)
            .and_then(|view| view.plug.relay);
        match wanted {
            RelayCommand::On => stands == Some(RelayState::On),
            RelayCommand::Off => stands == Some(RelayState::Off),
            RelayCommand::Toggle => false,
        }
    }

    fn why<S: AutomationContext>(&self, context: &S) -> String {
        let due = self.due.to_zoned(context.clock().timezone.clone());
        let due = due.strftime("%Y-%m-%d %H:%M");
        if self.is_late {
            format!("it was due on {due} and missed")
        } else {
            format!("it was due on {due}")
        }
    }

    fn log(&self, last: &LastRun, bus: &EventBus) {
        let (id, name) = (&self.id, &self.schedule.name);
        let LastRun { action, why, .. } = last;
        bus.log(last.log_entry(LogKind::Schedule, name));
        match &last.error {
            None => tracing::info!(%id, action, "the schedule \u{2018}{name}\u{2019} fired: {why}"),
            Some(error) => {
                tracing::warn!(%id, action, "the schedule \u{2018}{name}\u{2019} failed: {error}");
            }
        }
    }
}

/// Returns the name of a plug, or its MAC.
fn name<S: AutomationContext>(context: &S, plug: Mac) -> String {
    let view = context.view(plug);
    view.and_then(|view| view.plug.name.clone())
        .unwrap_or_else(|| plug.to_string())
}

fn sentence(problems: &[String]) -> Option<String> {
    let named: Vec<&str> = problems
        .iter()
        .take(MAX_PROBLEMS_NAMED)
        .map(String::as_str)
        .collect();
    let named = named.join("; ");
    match problems.len().saturating_sub(MAX_PROBLEMS_NAMED) {
        _ if problems.is_empty() => None,
        0 => Some(named),
        more => Some(format!("{named}; and {more} more")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_problems_are_named_and_many_counted() {
        let problems: Vec<String> = ["a", "b", "c", "d", "e"].map(str::to_owned).into();
        assert_eq!(sentence(&problems[..0]), None);
        assert_eq!(sentence(&problems[..2]).unwrap(), "a; b");
        assert_eq!(sentence(&problems[..3]).unwrap(), "a; b; c");
        assert_eq!(sentence(&problems).unwrap(), "a; b; c; and 2 more");
    }
}
