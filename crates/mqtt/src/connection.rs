//! One connection to the broker, from the login to its end: publishes what changes in the hub, and passes commands on.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use api::SwitchTarget;
use hub::Hub;
use plugs::steady_time;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::command::{self, MqttCommand};
use crate::config::MqttConfig;
use crate::discovery::{self, DiscoveryForm};
use crate::error::MqttError;
use crate::firmware::FirmwareReader;
use crate::home::HomeHub;
use crate::ledger::Ledger;
use crate::log_limit::LogLimit;
use crate::mirror::{Mirror, OFFLINE, ONLINE};
use crate::outbox::MqttOutbox;
use crate::protocol::ProtocolEvent;
use crate::protocol::packet::{Filter, Message};
use crate::session::{Session, SessionError};
use crate::status::{Counters, SharedStatus};

/// Interval at which this task checks that it runs.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Time without running after which commands that wait in the socket count as old.
const MAX_STALL: Duration = Duration::from_secs(10);
/// Interval at which prices and the times of the last reports are published.
const REFRESH_INTERVAL: Duration = Duration::from_secs(60);
/// Time in which changes of the home are collected before discovery is computed again.
const DISCOVERY_DELAY: Duration = Duration::from_millis(200);
/// Delay before discovery is computed again, as a multiple of the time that it takes.
const DISCOVERY_SHARE: u32 = 20;
/// Time for the broker to receive the last messages when the hub ends.
const END_TIMEOUT: Duration = Duration::from_millis(1_500);

/// The surroundings of a connection.
#[derive(Clone)]
pub(crate) struct BridgeContext<'a> {
    pub(crate) config: &'a MqttConfig,
    pub(crate) status: &'a SharedStatus,
    pub(crate) counters: &'a Counters,
    pub(crate) firmware: &'a FirmwareReader,
    pub(crate) hub: &'a Hub,
    pub(crate) home: HomeHub,
    pub(crate) client_id: &'a str,
    pub(crate) commands: &'a mpsc::Sender<MqttCommand>,
}

/// A connection.
pub(crate) struct Connection<'a> {
    context: BridgeContext<'a>,
    ledger: &'a mut Ledger,
    corrections: &'a mut mpsc::Receiver<SwitchTarget>,
    session: Session,
    outbox: MqttOutbox,
    mirror: Mirror,
    /// Topics of discovery that hold a message or will.
    announced: BTreeSet<String>,
    /// Topics of the other form of discovery, whose entities Home Assistant has to keep.
    migrated: Vec<String>,
    filters: Vec<Filter>,
    /// Time that discovery took when it was last computed.
    discovery_took: Duration,
    /// Time at which discovery is computed again.
    discovery_due: Option<Instant>,
    /// The ledger on its way to the disk, and true if messages wait for it.
    saving: Option<(JoinHandle<io::Result<()>>, bool)>,
    /// Time at which this task last ran, on a clock that goes on while the machine sleeps.
    ran: Duration,
    ignored: LogLimit,
}

impl<'a> Connection<'a> {
    pub(crate) fn new(
        context: BridgeContext<'a>,
        ledger: &'a mut Ledger,
        corrections: &'a mut mpsc::Receiver<SwitchTarget>,
        session: Session,
    ) -> Self {
        let config = context.config;
        let mut filters: Vec<Filter> = config
            .topics
            .command_filters()
            .map(|topics| Filter {
                topics,
                keeps_retain: true,
            })
            .into();
        // Without the flag: what an earlier run left is replaced in any case.
        filters.push(Filter {
            topics: config.topics.bridge_state(),
            keeps_retain: false,
        });
        if config.discovery.form != DiscoveryForm::Off {
            // Without the flag: a retained birth message is only old news.
            filters.push(Filter {
                topics: config.discovery.birth_topic(),
                keeps_retain: false,
            });
        }
        let mirror = Mirror::new(
            context.hub.clone(),
            config.topics.clone(),
            context.home.clone(),
        );
        Self {
            context,
            ledger,
            corrections,
            session,
            outbox: MqttOutbox::default(),
            mirror,
            announced: BTreeSet::new(),
            migrated: Vec::new(),
            filters,
            discovery_took: Duration::ZERO,
            discovery_due: None,
            saving: None,
            ran: steady_time(),
            ignored: LogLimit::default(),
        }
    }

    /// Runs until the hub ends.
    ///
    /// # Errors
    ///
    /// The reason why the connection ended.
    pub(crate) async fn run(mut self, cancel: &CancellationToken) -> Result<(), MqttError> {
        let mut events = self.context.hub.bus().subscribe();
        self.begin()?;
        let mut check = interval(CHECK_INTERVAL);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut refresh = interval(REFRESH_INTERVAL);
        refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let firmware = self.context.firmware;
        loop {
            self.send_due();
            tokio::select! {
                () = cancel.cancelled() => break,
                event = self.session.next() => {
                    let event = event.map_err(|error| self.lost(&error))?;
                    self.received(event)?;
                }
                event = events.recv() => match event {
                    Ok(event) => self.changed(&event.event),
                    Err(RecvError::Lagged(_)) => self.read_again(),
                    Err(RecvError::Closed) => break,
                },
                Some(target) = self.corrections.recv() => {
                    self.mirror.repeat(&target, &mut self.outbox);
                }
                () = firmware.changed.notified() => self.announce_soon(),
                () = sleep_until(self.discovery_due.unwrap_or_else(Instant::now)), if self.discovery_due.is_some() => {
                    self.discovery_due = None;
                    let begin = Instant::now();
                    if self.announce() {
                        self.empty_unwanted();
                    }
                    self.discovery_took = begin.elapsed();
                }
                saved = saved(&mut self.saving), if self.saving.is_some() => {
                    self.saving = None;
                    if let Err(error) = saved {
                        tracing::error!("the topics of MQTT cannot be kept on the disk: {error}; those of plugs that are deleted while the broker is away may stay there");
                    }
                }
                _ = check.tick() => self.check()?,
                _ = refresh.tick() => {
                    self.mirror.refresh(&firmware.known(), &mut self.outbox);
                    self.announce_soon();
                }
            }
        }
        self.end().await;
        Ok(())
    }

    /// Subscribes, and makes everything due.
    fn begin(&mut self) -> Result<(), MqttError> {
        let subscribed = self.session.subscribe(&self.filters);
        subscribed.map_err(|error| self.lost(&error))?;
        if self.session.limits().is_some_and(|limits| !limits.retains) {
            self.limited(&MqttError::NotRetained);
        }
        let firmware = self.context.firmware.known();
        self.mirror.write_all(&firmware, &mut self.outbox);
        self.announce();
        self.empty_unwanted();
        // Last, so that no client takes what an earlier run left for the present state.
        let topics = &self.context.config.topics;
        self.outbox.set(&topics.bridge_state(), ONLINE);
        Ok(())
    }

    /// Hands messages to the session as long as it takes some.
    fn send_due(&mut self) {
        while self.session.can_publish() {
            if let Some(topic) = self.outbox.next_to_fill()
                && !self.ledger.filled().contains(&**topic)
            {
                self.ledger.add(self.outbox.topics().map(|topic| &**topic));
                self.save(true);
            }
            if matches!(self.saving, Some((_, true))) {
                return;
            }
            let Some(message) = self.outbox.take() else {
                return;
            };
            let payload = message.payload.as_bytes();
            match self
                .session
                .publish(&message.topic, payload, message.retain)
            {
                Some(id) => self.outbox.sent(id, message.topic),
                None => {
                    let topic = message.topic;
                    tracing::warn!(%topic, "a message is larger than the MQTT broker accepts");
                }
            }
        }
    }

    /// Saves the ledger; with `is_awaited` nothing is sent until it is on the disk.
    fn save(&mut self, is_awaited: bool) {
        match &mut self.saving {
            // The content has changed since: saved again afterwards.
            Some((_, awaited)) => *awaited |= is_awaited,
            None => {
                let work = self.ledger.save();
                self.saving = Some((tokio::task::spawn_blocking(work), is_awaited));
            }
        }
    }

    fn received(&mut self, event: ProtocolEvent) -> Result<(), MqttError> {
        match event {
            ProtocolEvent::Connected => {}
            ProtocolEvent::Published(id, code) => {
                let Some((topic, is_empty)) = self.outbox.received(id) else {
                    return Ok(());
                };
                if code >= 0x80 {
                    let topic = topic.to_string();
                    self.limited(&MqttError::NotPublished { topic, code });
                    return Ok(());
                }
                self.context.counters.published.up();
                if is_empty {
                    self.ledger.remove(&topic);
                }
            }
            ProtocolEvent::Subscribed(_, codes) => {
                let refused = self
                    .filters
                    .iter()
                    .zip(&codes)
                    .find(|(_, code)| **code >= 0x80);
                if let Some((filter, _)) = refused {
                    let filter = filter.topics.clone();
                    self.limited(&MqttError::NotSubscribed { filter });
                }
            }
            ProtocolEvent::TooLong(topic, length) => {
                self.ignore(
                    &topic,
                    &format!("a message of {length} bytes is too long for a command"),
                );
            }
            ProtocolEvent::Message(message) => self.message(&message)?,
        }
        Ok(())
    }

    fn message(&mut self, message: &Message) -> Result<(), MqttError> {
        // It may have waited in the socket.
        self.check()?;
        let config = self.context.config;
        if message.topic == config.discovery.birth_topic() {
            if !message.is_retained && message.payload.as_ref() == ONLINE.as_bytes() {
                self.introduce();
            }
            return Ok(());
        }
        if message.topic == config.topics.bridge_state() {
            // The will or the goodbye of a hub that was the active one before.
            if !message.is_retained && message.payload.as_ref() == OFFLINE.as_bytes() {
                self.outbox.repeat(&message.topic);
            }
            return Ok(());
        }
        match command::parse(&config.topics, message) {
            Ok(command) => {
                if self.context.commands.try_send(command).is_err() {
                    self.ignore(&message.topic, "too many commands are under way");
                }
            }
            // The owner clears a retained command with an empty one.
            Err(_) if message.payload.is_empty() => {}
            Err(reason) => self.ignore(&message.topic, &reason),
        }
        Ok(())
    }

    fn ignore(&mut self, topic: &str, reason: &str) {
        self.context.counters.ignored_messages.up();
        let topic = api::excerpt(topic);
        match self.ignored.next(Instant::now()) {
            Some(0) => tracing::warn!(topic, "a message over MQTT is ignored: {reason}"),
            Some(unlogged) => {
                tracing::warn!(topic, unlogged, "a message over MQTT is ignored: {reason}");
            }
            None => {}
        }
    }

    /// Shows and logs what the broker does not allow.
    fn limited(&self, error: &MqttError) {
        let hint = error.hint();
        let text = error.to_string();
        self.context.status.edit(|status| {
            if status.error.as_ref() != Some(&text) {
                tracing::warn!(hint, "MQTT is limited: {text}");
            }
            status.error = Some(text);
            status.hint = hint;
        });
    }

    fn changed(&mut self, event: &api::Event) {
        let firmware = self.context.firmware.known();
        if self.mirror.apply(event, &firmware, &mut self.outbox) {
            self.announce();
            self.empty_unwanted();
        } else if !matches!(event, api::Event::Reading(_)) {
            self.announce_soon();
        }
    }

    /// Reads the state of the hub after events were missed.
    fn read_again(&mut self) {
        let context = &self.context;
        let topics = context.config.topics.clone();
        self.mirror = Mirror::new(context.hub.clone(), topics, context.home.clone());
        let firmware = context.firmware.known();
        self.mirror.write_all(&firmware, &mut self.outbox);
        self.announce();
        self.empty_unwanted();
    }

    fn announce_soon(&mut self) {
        // While very many plugs are adopted, computing discovery for all of them must not take all the time.
        let delay = DISCOVERY_DELAY.max(self.discovery_took * DISCOVERY_SHARE);
        self.discovery_due
            .get_or_insert_with(|| Instant::now() + delay);
    }

    /// Computes discovery if the home has changed; then topics may not be wanted any more.
    fn announce(&mut self) -> bool {
        if !self
            .mirror
            .update_home(&self.context.firmware.known(), &mut self.outbox)
        {
            return false;
        }
        let settings = &self.context.config.discovery;
        let messages = match settings.form {
            DiscoveryForm::Off => Default::default(),
            _ => discovery::messages(settings, self.mirror.home()),
        };
        let migrated = discovery::migrated(settings, self.ledger.filled(), &messages);
        for topic in &migrated {
            self.outbox.once(topic, discovery::MIGRATE);
        }
        for (topic, payload) in &messages {
            self.outbox.set(topic, payload);
        }
        self.migrated.extend(migrated);
        self.announced = messages.into_keys().collect();
        true
    }

    /// Empties the topics that this hub has filled, now or in an earlier run, and that are not wanted any more.
    fn empty_unwanted(&mut self) {
        let states = self.mirror.state_topics();
        let is_wanted = |topic: &str| states.contains(topic) || self.announced.contains(topic);
        let unwanted = self
            .ledger
            .filled()
            .iter()
            .filter(|topic| !is_wanted(topic));
        for topic in unwanted {
            self.outbox.empty(topic);
        }
        let filled = self.ledger.filled();
        self.outbox
            .forget(|topic| !is_wanted(topic) && !filled.contains(topic));
    }

    /// Announces everything again, to a Home Assistant that has just started.
    fn introduce(&mut self) {
        tracing::debug!("Home Assistant has started");
        // One that was away when the form changed still has the entities of the other form.
        let migrated = std::mem::take(&mut self.migrated);
        for topic in &migrated {
            self.outbox.once(topic, discovery::MIGRATE);
        }
        let announced = &self.announced;
        self.outbox.repeat_all(|topic| announced.contains(topic));
        for topic in &migrated {
            self.outbox.once(topic, "");
        }
        self.outbox.repeat_all(|topic| !announced.contains(topic));
    }

    /// Checks that this task has run without a pause.
    fn check(&mut self) -> Result<(), MqttError> {
        let now = steady_time();
        let stalled = now.saturating_sub(std::mem::replace(&mut self.ran, now));
        if stalled > MAX_STALL {
            let seconds = stalled.as_secs();
            return Err(MqttError::Stalled { seconds });
        }
        if self.ledger.is_unsaved() && self.saving.is_none() && !self.outbox.is_busy() {
            self.save(false);
        }
        Ok(())
    }

    fn lost(&self, error: &SessionError) -> MqttError {
        MqttError::of_session(error, self.context.client_id)
    }

    /// Says goodbye, and waits until the broker has received it.
    async fn end(mut self) {
        let due = Instant::now() + END_TIMEOUT;
        let config = self.context.config;
        if config.is_temporary {
            for topic in self.ledger.filled() {
                self.outbox.empty(topic);
            }
        } else {
            self.outbox = MqttOutbox::default();
            self.outbox.set(&config.topics.bridge_state(), OFFLINE);
        }
        let goodbye = async {
            self.send_due();
            while self.outbox.is_busy() {
                let event = self.session.next().await?;
                if let ProtocolEvent::Published(id, _) = event
                    && let Some((topic, true)) = self.outbox.received(id)
                {
                    self.ledger.remove(&topic);
                }
                self.send_due();
            }
            Ok(())
        };
        let ended: Result<Result<(), SessionError>, _> = timeout_at(due, goodbye).await;
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!("the MQTT broker is gone: {error}"),
            Err(_) => tracing::warn!("the MQTT broker did not receive the last messages in time"),
        }
        if let Ok(Err(error)) = timeout_at(due, self.session.end()).await {
            tracing::debug!(%error, "the MQTT broker is gone");
        }
        if self.ledger.is_unsaved()
            && let Err(error) = self.ledger.save()()
        {
            tracing::error!("the topics of MQTT cannot be kept on the disk: {error}");
        }
    }
}

/// Waits until the ledger is on the disk.
async fn saved(saving: &mut Option<(JoinHandle<io::Result<()>>, bool)>) -> io::Result<()> {
    match saving {
        Some((task, _)) => task.await.map_err(io::Error::other)?,
        None => std::future::pending().await,
    }
}
