//! Lets schedules and rules act.
//!
//! Two loops, one for each: when to act is decided by the pure functions of [`crate::schedule`] and [`crate::rule`], and whether it may
//! be done by the [`crate::guard`]. Every act goes through one desk, which switches like everybody else, and leaves behind
//! why it was done: in the document's `last`, in an event, in the log.
//!
//! Neither loop waits for a plug or for the disk. What is remembered is written behind their backs.

mod clocks;
mod desk;
mod hub;
mod record;
mod rules;
mod saver;
mod schedules;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;

use api::{
    Cause, PlugId, PlugView, RelayCommand, RequestError, Rule, Schedule, Stored, SwitchTarget,
    Switched,
};
use hiflying::Mac;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::event::EventBus;
use crate::hub::Hub;
use crate::repository::Repository;
use crate::schedule::Clock;

use clocks::Time;
use desk::Desk;

/// What automation needs of the hub. A trait, so that it can be tried in virtual time.
pub(crate) trait Switchboard: Clone + Send + Sync + 'static {
    /// Reads the clocks.
    fn time(&self) -> Time;
    /// Returns what local times and the sun depend on.
    fn clock(&self) -> &Clock;
    /// Returns where news is spread.
    fn bus(&self) -> &EventBus;
    /// Returns the schedules.
    fn schedules(&self) -> &Repository<Schedule>;
    /// Returns the rules.
    fn rules(&self) -> &Repository<Rule>;
    /// Returns a schedule as events show it.
    fn schedule_view(&self, schedule: &Stored<Schedule>) -> Value;
    /// Returns a rule as events show it.
    fn rule_view(&self, rule: &Stored<Rule>) -> Value;
    /// Returns the plugs as they stand.
    fn views(&self) -> Vec<Arc<PlugView>>;
    /// Returns one plug as it stands.
    fn view(&self, plug: Mac) -> Option<Arc<PlugView>>;
    /// Returns who moved a plug's relay last, as far as that is known.
    fn moved_by(&self, plug: Mac) -> Option<Cause>;
    /// Returns the plugs of a target.
    fn members(&self, target: &SwitchTarget) -> Result<Vec<PlugId>, RequestError>;
    /// Switches a plug.
    fn switch(
        &self,
        plug: Mac,
        wanted: RelayCommand,
        cause: Cause,
    ) -> impl Future<Output = Result<Switched, RequestError>> + Send;
    /// Returns what ends the hub.
    fn cancel(&self) -> &CancellationToken;
}

/// Lets the hub's schedules and rules act until it ends.
pub async fn run(hub: Hub) {
    run_on(hub).await;
}

async fn run_on<S: Switchboard>(board: S) {
    let saver = saver::Saver::default();
    let desk = Desk::new(board.clone(), saver.clone());
    let ended = CancellationToken::new();
    let loops = async {
        tokio::join!(schedules::run(desk.clone()), rules::run(desk.clone()));
        ended.cancel();
    };
    tokio::join!(loops, saver.run(&board, &ended));
}
