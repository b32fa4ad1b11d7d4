//! The hub as automation uses it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use api::{
    Cause, PlugView, RelayCommand, RequestError, Rule, RuleView, Schedule, ScheduleView, Stored,
    SwitchTarget, Switched,
};
use hiflying::Mac;
use tokio_util::sync::CancellationToken;

use super::clocks::ClockReading;
use crate::event::EventBus;
use crate::repository::Repository;
use crate::schedule::Clock;
use crate::store::{Claim, Claimed};

/// The hub as automation uses it; a trait, so that tests run in virtual time.
pub(super) trait AutomationContext: Clone + Send + Sync + 'static {
    /// Reads the clocks.
    fn time(&self) -> ClockReading;
    /// Returns time zone and place.
    fn clock(&self) -> &Clock;
    /// Returns the event bus.
    fn bus(&self) -> &EventBus;
    /// Returns the schedules.
    fn schedules(&self) -> &Repository<Schedule>;
    /// Returns the rules.
    fn rules(&self) -> &Repository<Rule>;
    /// Returns a schedule as events show it.
    fn schedule_view(&self, schedule: &Stored<Schedule>) -> ScheduleView;
    /// Returns a rule as events show it.
    fn rule_view(&self, rule: &Stored<Rule>) -> RuleView;
    /// Returns all plugs.
    fn views(&self) -> Vec<Arc<PlugView>>;
    /// Returns one plug.
    fn view(&self, plug: Mac) -> Option<Arc<PlugView>>;
    /// Meters plugs at least this often.
    fn require_metering(&self, needs: HashMap<Mac, Duration>);
    /// Returns the cause of a relay's last movement, if known.
    fn moved_by(&self, plug: Mac) -> Option<Cause>;
    /// Returns the plugs of a target.
    fn members(&self, target: &SwitchTarget) -> Result<Vec<Mac>, RequestError>;
    /// Claims an act, so that of several hubs only one does it, and that once.
    fn claim(&self, _claim: Claim) -> impl Future<Output = Result<Claimed, RequestError>> + Send {
        async { Ok(Claimed::New) }
    }
    /// Switches a plug.
    fn switch(
        &self,
        plug: Mac,
        wanted: RelayCommand,
        cause: Cause,
    ) -> impl Future<Output = Result<Switched, RequestError>> + Send;
    /// Returns the token that ends the hub.
    fn cancel(&self) -> &CancellationToken;
}
