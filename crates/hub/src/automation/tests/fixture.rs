//! A hub in virtual time with emulated plugs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use api::{
    Cause, Collection, ErrorKind, Event, Id, MeterEvent, Metering, Period, PlugView, RelayCommand,
    RequestError, Rule, RuleStatus, RuleView, Schedule, ScheduleView, Stored, SwitchTarget,
    Switched,
};
use async_trait::async_trait;
use hiflying::Mac;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use plugs::{FamilyId, Plug, Reading, RelayState};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::automation::clocks::ClockReading;
use crate::automation::context::AutomationContext;
use crate::automation::run_on;
use crate::automation::run_state::{RunState, schedule_status};
use crate::event::EventBus;
use crate::repository::Repository;
use crate::schedule::Clock;
use crate::store::{Claim, Claimed, DocumentStore, StoreError, StoredDocument};

/// Delay of an emulated switch.
const TAKES: Duration = Duration::from_millis(120);

/// A hub that can be stopped and started.
#[derive(Debug, Clone)]
pub(super) struct TestContext(Arc<ContextInner>);

#[derive(Debug)]
struct ContextInner {
    home: TestHome,
    cancel: CancellationToken,
    bus: EventBus,
    schedules: Repository<Schedule>,
    rules: Repository<Rule>,
    clock: Clock,
}

/// State that outlives a stopped hub.
#[derive(Debug, Clone)]
pub(super) struct TestHome(Arc<TestHomeInner>);

#[derive(Debug)]
struct TestHomeInner {
    start: Instant,
    store: Arc<SlowStore>,
    world: Mutex<TestWorld>,
}

#[derive(Debug)]
struct TestWorld {
    /// The time of day at the start of the test, plus all later changes of the clock.
    wall: Timestamp,
    slept: Duration,
    plugs: BTreeMap<Mac, PlugView>,
    groups: HashMap<Id, Vec<Mac>>,
    /// Maximum intervals between readings that rules need.
    needs: HashMap<Mac, Duration>,
    /// Plugs that do not reply to commands.
    deaf: HashSet<Mac>,
    moved_by: HashMap<Mac, Cause>,
    switched: Vec<RecordedSwitch>,
    /// Due times that another hub has claimed before.
    claimed: HashSet<Timestamp>,
}

/// One switch that arrived at a plug.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RecordedSwitch {
    pub(super) at: Timestamp,
    pub(super) plug: Mac,
    pub(super) to: RelayCommand,
    pub(super) cause: Cause,
    /// True if the relay moved.
    pub(super) moved: bool,
}

/// A running hub.
#[derive(Debug)]
pub(super) struct AutomationRun {
    pub(super) context: TestContext,
    task: JoinHandle<()>,
}

pub(super) fn mac(last: u8) -> Mac {
    Mac::new([0xac, 0xcf, 0x23, 0, 0, last])
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) async fn pass(text: &str) {
    sleep(api::duration::parse(text).unwrap()).await;
}

impl TestHome {
    /// A home with three plugs that are off, at a moment in UTC.
    pub(super) fn new(wall: &str) -> Self {
        let wall = at(wall);
        let plugs = (1..=3)
            .map(|last| (mac(last), view(mac(last), wall)))
            .collect();
        Self(Arc::new(TestHomeInner {
            start: Instant::now(),
            store: Arc::default(),
            world: Mutex::new(TestWorld {
                wall,
                slept: Duration::ZERO,
                plugs,
                groups: HashMap::new(),
                needs: HashMap::new(),
                deaf: HashSet::new(),
                moved_by: HashMap::new(),
                switched: Vec::new(),
                claimed: HashSet::new(),
            }),
        }))
    }

    fn world(&self) -> MutexGuard<'_, TestWorld> {
        self.0.world.lock().unwrap()
    }

    /// Starts a hub.
    pub(super) async fn start(&self) -> AutomationRun {
        let store: Arc<dyn DocumentStore> = Arc::clone(&self.0.store) as _;
        let context = TestContext(Arc::new(ContextInner {
            home: self.clone(),
            cancel: CancellationToken::new(),
            bus: EventBus::new(),
            schedules: Repository::load(Arc::clone(&store)).await.unwrap(),
            rules: Repository::load(store).await.unwrap(),
            clock: Clock {
                timezone: TimeZone::get("Europe/Berlin").unwrap(),
                place: None,
            },
        }));
        let task = tokio::spawn(run_on(context.clone()));
        pass("10ms").await;
        AutomationRun { context, task }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.time().wall
    }

    fn time(&self) -> ClockReading {
        let world = self.world();
        let steady = self.0.start.elapsed() + world.slept;
        ClockReading {
            wall: world.wall + SignedDuration::try_from(steady).unwrap(),
            steady,
        }
    }

    /// Sets the clock.
    pub(super) fn set_clock(&self, by: SignedDuration) {
        self.world().wall += by;
    }

    /// Lets another hub have claimed what is due at a time.
    pub(super) fn claim_elsewhere(&self, due: Timestamp) {
        self.world().claimed.insert(due);
    }

    /// Suspends the machine, and its timers with it.
    pub(super) fn sleep(&self, hours: u64) {
        self.world().slept += Duration::from_secs(hours * 3600);
    }

    pub(super) fn deafen(&self, plug: Mac, is_deaf: bool) {
        if is_deaf {
            self.world().deaf.insert(plug);
        } else {
            self.world().deaf.remove(&plug);
        }
    }

    pub(super) fn group(&self, plugs: &[Mac]) -> Id {
        let id = Id::random('g');
        let plugs = plugs.to_vec();
        self.world().groups.insert(id.clone(), plugs);
        id
    }

    /// Returns the switches since the last call.
    pub(super) fn switched(&self) -> Vec<RecordedSwitch> {
        std::mem::take(&mut self.world().switched)
    }

    pub(super) fn switched_count(&self) -> usize {
        self.world().switched.len()
    }

    /// Returns the switches since the last call as text: `07:00:00 1 on`, in local time.
    pub(super) fn told(&self) -> Vec<String> {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let short = |switch: &RecordedSwitch| {
            let at = switch.at.to_zoned(zone.clone());
            let plug = switch.plug.octets()[5];
            format!("{} {plug} {}", at.strftime("%H:%M:%S"), switch.to.as_str())
        };
        self.switched().iter().map(short).collect()
    }

    /// Returns the maximum interval between a plug's readings that rules need.
    pub(super) fn metering_need(&self, plug: Mac) -> Option<Duration> {
        self.world().needs.get(&plug).copied()
    }

    pub(super) fn relay(&self, plug: Mac) -> RelayState {
        self.world().plugs[&plug].plug.relay.unwrap()
    }

    /// Sets the delay of the disk.
    pub(super) fn slow_disk(&self, delay: Duration) {
        *self.0.store.delay.lock().unwrap() = delay;
    }

    /// Returns the state of a document as it is on disk.
    pub(super) fn on_disk(&self, collection: Collection, id: &Id) -> Value {
        self.0.store.documents.lock().unwrap()[&(collection, id.clone())]
            .state
            .clone()
    }

    /// Writes a state as a hub that was interrupted would have left it.
    pub(super) fn leave(&self, collection: Collection, id: &Id, change: impl FnOnce(&mut Value)) {
        let mut documents = self.0.store.documents.lock().unwrap();
        change(&mut documents.get_mut(&(collection, id.clone())).unwrap().state);
    }
}

fn view(mac: Mac, now: Timestamp) -> PlugView {
    PlugView {
        plug: Plug {
            relay: Some(RelayState::Off),
            ..Plug::new(
                mac,
                FamilyId::RECO,
                [127, 73, 0, mac.octets()[5]].into(),
                now,
            )
        },
        available: true,
        reading: None,
        energy_total_wh: None,
        room: None,
        metering: Metering::Every(Period::seconds(10)),
        power_on: None,
        relay_since: None,
        still_drawing_w: None,
        often_unplugged: false,
    }
}

impl AutomationRun {
    pub(super) async fn stop(self) {
        self.context.0.cancel.cancel();
        self.task.await.unwrap();
    }

    pub(super) async fn schedule(&self, fields: Value) -> Id {
        let stored = self
            .context
            .0
            .schedules
            .create(document(fields))
            .await
            .unwrap();
        pass("1ms").await;
        stored.id
    }

    pub(super) async fn rule(&self, fields: Value) -> Id {
        let stored = self.context.0.rules.create(document(fields)).await.unwrap();
        pass("1ms").await;
        stored.id
    }

    pub(super) async fn edit_schedule(&self, id: &Id, change: impl FnOnce(&mut Schedule)) {
        let mut body = self.context.0.schedules.one(id).unwrap().body;
        change(&mut body);
        self.context
            .0
            .schedules
            .replace(id, body, None)
            .await
            .unwrap();
        pass("1ms").await;
    }

    pub(super) async fn edit_rule(&self, id: &Id, change: impl FnOnce(&mut Rule)) {
        let mut body = self.context.0.rules.one(id).unwrap().body;
        change(&mut body);
        self.context.0.rules.replace(id, body, None).await.unwrap();
        pass("1ms").await;
    }

    pub(super) async fn remove_schedule(&self, id: &Id) {
        self.context.0.schedules.remove(id, None).await.unwrap();
    }

    /// Returns the time at which a schedule fires next, as the API shows it.
    pub(super) fn next(&self, id: &Id) -> Option<Timestamp> {
        let stored = self.context.0.schedules.one(id).unwrap();
        self.context.schedule_view(&stored).status.next
    }

    pub(super) fn state(&self, id: &Id) -> Value {
        let schedule = self.context.0.schedules.state(id);
        if schedule.is_null() {
            self.context.0.rules.state(id)
        } else {
            schedule
        }
    }

    pub(super) fn listen(&self) -> tokio::sync::broadcast::Receiver<Arc<crate::PublishedEvent>> {
        self.context.0.bus.subscribe()
    }

    pub(super) fn publish(&self, event: Event) {
        self.context.0.bus.publish(event);
    }

    /// Presses the button of a plug as a person does.
    pub(super) async fn press(&self, plug: Mac, to: RelayState) {
        self.turn(plug, to, Cause::Person).await;
    }

    /// Turns a plug's relay.
    pub(super) async fn turn(&self, plug: Mac, to: RelayState, cause: Cause) {
        self.context.0.home.world().moved_by.insert(plug, cause);
        self.context
            .0
            .home
            .world()
            .plugs
            .get_mut(&plug)
            .unwrap()
            .plug
            .relay = Some(to);
        self.context.tell(plug);
        pass("1ms").await;
    }

    /// Makes a plug unavailable or available.
    pub(super) async fn answers(&self, plug: Mac, available: bool) {
        self.context
            .0
            .home
            .world()
            .plugs
            .get_mut(&plug)
            .unwrap()
            .available = available;
        let view = self.context.view(plug).unwrap();
        self.publish(Event::Availability(view));
        pass("1ms").await;
    }

    /// Removes a plug.
    pub(super) async fn remove(&self, plug: Mac) {
        self.context.0.home.world().plugs.remove(&plug);
        self.publish(Event::PlugRemoved(plug));
        pass("1ms").await;
    }

    /// Meters a plug every ten seconds for a duration.
    pub(super) async fn draws(&self, plug: Mac, watts: f64, text: &str) {
        self.draws_every("10s", plug, watts, text).await;
    }

    /// Meters a plug at an interval for a duration.
    pub(super) async fn draws_every(&self, interval: &str, plug: Mac, watts: f64, text: &str) {
        let end = Instant::now() + api::duration::parse(text).unwrap();
        while Instant::now() < end {
            let reading = Reading {
                plug,
                at: self.context.0.home.now(),
                voltage_v: None,
                current_a: None,
                frequency_hz: None,
                power_w: Some(watts),
                energy_wh: None,
            };
            self.publish(Event::Reading(MeterEvent {
                reading: reading.into(),
                energy_total_wh: None,
            }));
            pass(interval).await;
        }
    }
}

fn document<T: DeserializeOwned>(fields: Value) -> T {
    let mut document = json!({"name": format!("{:x}", fastrand::u64(..))});
    document
        .as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    serde_json::from_value(document).unwrap()
}

impl TestContext {
    fn tell(&self, plug: Mac) {
        if let Some(view) = self.view(plug) {
            self.0.bus.publish(Event::Plug(view));
        }
    }
}

impl AutomationContext for TestContext {
    async fn claim(&self, claim: Claim) -> Result<Claimed, RequestError> {
        let is_claimed = self.0.home.world().claimed.contains(&claim.due);
        Ok(match (is_claimed, claim.resumes) {
            (false, _) => Claimed::New,
            (true, true) => Claimed::Resumed,
            (true, false) => Claimed::Taken,
        })
    }

    fn time(&self) -> ClockReading {
        self.0.home.time()
    }

    fn clock(&self) -> &Clock {
        &self.0.clock
    }

    fn bus(&self) -> &EventBus {
        &self.0.bus
    }

    fn schedules(&self) -> &Repository<Schedule> {
        &self.0.schedules
    }

    fn rules(&self) -> &Repository<Rule> {
        &self.0.rules
    }

    fn schedule_view(&self, schedule: &Stored<Schedule>) -> ScheduleView {
        let status = schedule_status(&self.0.schedules, &self.0.clock, schedule, self.time().wall);
        schedule.view(status)
    }

    fn rule_view(&self, rule: &Stored<Rule>) -> RuleView {
        let state = self.0.rules.state(&rule.id);
        let RunState { last, halted, .. } = RunState::<Value>::read(&state, rule.revision);
        rule.view(RuleStatus {
            last,
            halted,
            missing: Vec::new(),
            reacts_within_s: None,
        })
    }

    fn views(&self) -> Vec<Arc<PlugView>> {
        self.0
            .home
            .world()
            .plugs
            .values()
            .cloned()
            .map(Arc::new)
            .collect()
    }

    fn view(&self, plug: Mac) -> Option<Arc<PlugView>> {
        self.0.home.world().plugs.get(&plug).cloned().map(Arc::new)
    }

    fn require_metering(&self, needs: HashMap<Mac, Duration>) {
        self.0.home.world().needs = needs;
    }

    fn moved_by(&self, plug: Mac) -> Option<Cause> {
        self.0.home.world().moved_by.get(&plug).cloned()
    }

    fn members(&self, target: &SwitchTarget) -> Result<Vec<Mac>, RequestError> {
        match target {
            SwitchTarget::Plug(plug) => Ok(vec![*plug]),
            SwitchTarget::Group(id) => {
                let members = self.0.home.world().groups.get(id).cloned();
                members.ok_or_else(|| RequestError::not_found(format!("there is no group {id}")))
            }
        }
    }

    async fn switch(
        &self,
        plug: Mac,
        wanted: RelayCommand,
        cause: Cause,
    ) -> Result<Switched, RequestError> {
        sleep(TAKES).await;
        let at = self.0.home.now();
        let relay = {
            let mut world = self.0.home.world();
            let is_deaf = world.deaf.contains(&plug);
            let view = world.plugs.get_mut(&plug);
            let view = view.ok_or_else(|| RequestError::not_found("there is no such plug"))?;
            let before = view.plug.relay.unwrap_or(RelayState::Off);
            let after = if is_deaf {
                before
            } else {
                wanted.from_here(before)
            };
            view.plug.relay = Some(after);
            let moved = before != after;
            if moved {
                world.moved_by.insert(plug, cause.clone());
            }
            world.switched.push(RecordedSwitch {
                at,
                plug,
                to: wanted,
                cause,
                moved,
            });
            if is_deaf {
                return Err(RequestError::new(
                    ErrorKind::NoAnswer,
                    "it did not answer in time",
                ));
            }
            after
        };
        self.tell(plug);
        Ok(Switched {
            relay: Some(relay),
            confirmed: true,
            elapsed: TAKES,
        })
    }

    fn cancel(&self) -> &CancellationToken {
        &self.0.cancel
    }
}

/// A disk with documents.
#[derive(Debug, Default)]
struct SlowStore {
    documents: Mutex<BTreeMap<(Collection, Id), StoredDocument>>,
    delay: Mutex<Duration>,
}

#[async_trait]
impl DocumentStore for SlowStore {
    async fn documents(&self, collection: Collection) -> Result<Vec<StoredDocument>, StoreError> {
        let documents = self.documents.lock().unwrap();
        let of = documents.iter().filter(|((of, _), _)| *of == collection);
        Ok(of.map(|(_, document)| document.clone()).collect())
    }

    async fn save_document(
        &self,
        collection: Collection,
        document: &StoredDocument,
    ) -> Result<(), StoreError> {
        let key = (collection, document.id.clone());
        self.documents.lock().unwrap().insert(key, document.clone());
        Ok(())
    }

    async fn save_state(
        &self,
        collection: Collection,
        id: &Id,
        state: &Value,
    ) -> Result<(), StoreError> {
        let delay = *self.delay.lock().unwrap();
        sleep(delay).await;
        let mut documents = self.documents.lock().unwrap();
        if let Some(document) = documents.get_mut(&(collection, id.clone())) {
            document.state = state.clone();
        }
        Ok(())
    }

    async fn delete_document(&self, collection: Collection, id: &Id) -> Result<(), StoreError> {
        self.documents
            .lock()
            .unwrap()
            .remove(&(collection, id.clone()));
        Ok(())
    }
}
