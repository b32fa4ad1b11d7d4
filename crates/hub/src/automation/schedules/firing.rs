//! One firing of one schedule: all its plugs at once, and again for a while where it failed.

use std::collections::BTreeSet;
use std::time::Duration;

use api::{Cause, Id, PlugId, RelayCommand, Schedule};
use futures_util::StreamExt;
use futures_util::stream;
use jiff::Timestamp;
use plugs::RelayState;
use tokio::time::{Instant, sleep, timeout};

use crate::automation::Switchboard;
use crate::automation::desk::{ActError, Desk};
use crate::automation::record::{Last, rounded};

/// So many plugs are switched at the same time; more would only wait for one another.
const AT_ONCE: usize = 256;
/// That it fires is written down first, but a disk that does not answer does not keep it from firing.
const FOR_THE_DISK: Duration = Duration::from_secs(1);
/// The pause before it is tried again; it doubles each time.
const FIRST_RETRY: Duration = Duration::from_secs(5);
/// A plug that has not done it by then has missed it: later, somebody may want something else.
const GIVE_UP: Duration = Duration::from_secs(60);
/// So many plugs are named in a sentence.
const NAMED: usize = 3;

/// What is to be done.
#[derive(Debug)]
pub(super) struct Firing {
    pub(super) id: Id,
    pub(super) schedule: Schedule,
    pub(super) due: Timestamp,
    /// It was missed, and is caught up with.
    pub(super) is_late: bool,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Fired {
    pub(super) id: Id,
    pub(super) last: Last,
    /// Why the schedule must not go on.
    pub(super) halt: Option<String>,
}

impl Firing {
    pub(super) async fn fire<S: Switchboard>(self, desk: Desk<S>) -> Fired {
        let at = rounded(desk.board.time().wall);
        let writing = desk.board.schedules().keep_state(&self.id);
        // The saver tries again if the disk is too slow.
        let _ = timeout(FOR_THE_DISK, writing).await;
        let (plugs, mut problems) = self.plugs(&desk.board);
        let switching = plugs.into_iter().map(|plug| {
            let (desk, firing) = (&desk, &self);
            async move { (plug, firing.switch(desk, plug).await) }
        });
        let switching = stream::iter(switching).buffer_unordered(AT_ONCE);
        let mut results: Vec<_> = switching.collect().await;
        results.sort_by_key(|(plug, _)| *plug);
        let count = results.len();
        let mut halt = None;
        for (plug, result) in results {
            let Err(error) = result else { continue };
            let who = name(&desk.board, plug);
            if matches!(error, ActError::TooOften(_)) {
                halt.get_or_insert_with(|| {
                    format!("{who}: {error}, and this would have been one more")
                });
            }
            problems.push(format!("{who}: {error}"));
        }
        let last = Last {
            at,
            action: self.schedule.action.as_str().to_owned(),
            why: self.why(&desk.board),
            confirmed: problems.is_empty() && count > 0,
            error: sentence(&problems),
        };
        self.log(&last);
        Fired {
            id: self.id,
            last,
            halt,
        }
    }

    /// Returns each plug once, and what is wrong with the targets.
    fn plugs<S: Switchboard>(&self, board: &S) -> (BTreeSet<PlugId>, Vec<String>) {
        let (mut plugs, mut problems) = (BTreeSet::new(), Vec::new());
        for target in &self.schedule.targets {
            match board.members(target) {
                Ok(members) => plugs.extend(members),
                Err(error) => problems.push(error.message().to_owned()),
            }
        }
        if plugs.is_empty() && problems.is_empty() {
            problems.push("there is no plug in its groups".to_owned());
        }
        (plugs, problems)
    }

    async fn switch<S: Switchboard>(&self, desk: &Desk<S>, plug: PlugId) -> Result<(), ActError> {
        let mut wanted = self.schedule.action;
        let end = Instant::now() + GIVE_UP;
        let mut pause = FIRST_RETRY;
        loop {
            let cause = Cause::Schedule(self.id.clone());
            let (told, result) = desk.switch(plug.0, wanted, cause).await;
            wanted = told;
            let is_over = match &result {
                Ok(()) | Err(ActError::TooOften(_) | ActError::KeptOff(_)) => true,
                Err(ActError::Failed(_) | ActError::Unconfirmed) => {
                    // Toggle must not be said twice.
                    wanted == RelayCommand::Toggle
                        || desk.board.view(plug.0).is_none()
                        || Instant::now() + pause > end
                }
            };
            if is_over {
                return result;
            }
            sleep(pause).await;
            pause *= 2;
            if Self::is_done(desk, plug, wanted) {
                return Ok(());
            }
        }
    }

    /// Tells whether the relay has moved after all.
    fn is_done<S: Switchboard>(desk: &Desk<S>, plug: PlugId, wanted: RelayCommand) -> bool {
        let view = desk.board.view(plug.0);
        let stands = view
            .filter(|view| view.available)
            .and_then(|view| view.plug.relay);
        match wanted {
            RelayCommand::On => stands == Some(RelayState::On),
            RelayCommand::Off => stands == Some(RelayState::Off),
            RelayCommand::Toggle => false,
        }
    }

    fn why<S: Switchboard>(&self, board: &S) -> String {
        let due = self.due.to_zoned(board.clock().timezone.clone());
        let due = due.strftime("%Y-%m-%d %H:%M");
        if self.is_late {
            format!("it was due on {due} and missed")
        } else {
            format!("it was due on {due}")
        }
    }

    fn log(&self, last: &Last) {
        let (id, name) = (&self.id, &self.schedule.name);
        let Last { action, why, .. } = last;
        match &last.error {
            None => tracing::info!(%id, action, "the schedule \u{2018}{name}\u{2019} fired: {why}"),
            Some(error) => {
                tracing::warn!(%id, action, "the schedule \u{2018}{name}\u{2019} failed: {error}");
            }
        }
    }
}

/// Returns what people call a plug.
fn name<S: Switchboard>(board: &S, plug: PlugId) -> String {
    let view = board.view(plug.0);
    view.and_then(|view| view.plug.name.clone())
        .unwrap_or_else(|| plug.to_string())
}

fn sentence(problems: &[String]) -> Option<String> {
    let named = problems
        .get(..NAMED.min(problems.len()))
        .unwrap_or_default()
        .join("; ");
    match problems.len().saturating_sub(NAMED) {
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
