//! The running hub as the context of automation.

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
use super::context::AutomationContext;
use crate::event::EventBus;
use crate::hub::Hub;
use crate::repository::Repository;
use crate::schedule::Clock;
use crate::store::{Claim, Claimed};

impl AutomationContext for Hub {
    fn time(&self) -> ClockReading {
        ClockReading::now()
    }

    fn clock(&self) -> &Clock {
        self.clock()
    }

    fn bus(&self) -> &EventBus {
        self.bus()
    }

    fn schedules(&self) -> &Repository<Schedule> {
        self.schedules()
    }

    fn rules(&self) -> &Repository<Rule> {
        self.rules()
    }

    fn schedule_view(&self, schedule: &Stored<Schedule>) -> ScheduleView {
        self.view(schedule)
    }

    fn rule_view(&self, rule: &Stored<Rule>) -> RuleView {
        self.view(rule)
    }

    fn views(&self) -> Vec<Arc<PlugView>> {
        self.registry().views()
    }

    fn view(&self, plug: Mac) -> Option<Arc<PlugView>> {
        self.registry().view(plug)
    }

    fn require_metering(&self, needs: HashMap<Mac, Duration>) {
        self.registry().require_metering(needs);
    }

    fn moved_by(&self, plug: Mac) -> Option<Cause> {
        self.registry().moved(plug).map(|moved| moved.cause)
    }

    fn members(&self, target: &SwitchTarget) -> Result<Vec<Mac>, RequestError> {
        self.members(target)
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, RequestError> {
        self.lease().claim(&**self.store(), &claim).await
    }

    async fn switch(
        &self,
        plug: Mac,
        wanted: RelayCommand,
        cause: Cause,
    ) -> Result<Switched, RequestError> {
        self.registry().switch(plug, wanted, cause).await
    }

    fn cancel(&self) -> &CancellationToken {
        self.cancel()
    }
}
