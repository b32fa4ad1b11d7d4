//! The event bus: changes of plugs, documents and bridges.
//!
//! The bus keeps the latest events, so that a disconnected listener can resume where it stopped. A slow listener is notified of
//! lost events and never delays the others.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use api::{Cause, Event, HubProblem, LogEntry, LogKind};
use hiflying::Mac;
use parking_lot::Mutex;
use tokio::sync::broadcast;

use crate::log::EventLog;

/// Maximum number of past events kept for listeners that resume.
pub const MAX_RESUMABLE_EVENTS: usize = 4096;

tokio::task_local! {
    static CAUSE: Cause;
}

/// Runs a task on behalf of a caller: what it logs has this cause.
pub(crate) async fn on_behalf_of<F: Future>(cause: Cause, task: F) -> F::Output {
    CAUSE.scope(cause, task).await
}

/// Returns the caller of the request that the present task answers; `None` for what the hub does by itself.
fn present_cause() -> Option<Cause> {
    CAUSE.try_with(Cause::clone).ok()
}

/// Returns the caller of the request that the present task answers, else a person.
pub(crate) fn caller_cause() -> Cause {
    present_cause().unwrap_or(Cause::Person)
}

/// The position of an event in the stream of one run of the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventId {
    run: u32,
    number: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{}", self.run, self.number)
    }
}

/// The text is not an event id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of an event")]
pub struct EventIdError;

impl FromStr for EventId {
    type Err = EventIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (run, number) = text.split_once('-').ok_or(EventIdError)?;
        Ok(Self {
            run: u32::from_str_radix(run, 16).map_err(|_| EventIdError)?,
            number: number.parse().map_err(|_| EventIdError)?,
        })
    }
}

/// An event with its position in the stream.
#[derive(Debug)]
pub struct PublishedEvent {
    /// Its position in the stream.
    pub id: EventId,
    /// The event.
    pub event: Event,
    json: OnceLock<String>,
}

impl PublishedEvent {
    /// Returns the data as JSON text, which is created once for all listeners.
    pub fn json(&self) -> &str {
        self.json.get_or_init(|| {
            serde_json::to_string(&self.event).expect("every event is a tree with text keys")
        })
    }
}

/// Publishes events and keeps the latest. Clones share their state.
#[derive(Debug, Clone)]
pub struct EventBus(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    run: u32,
    log: Option<EventLog>,
    latest: Mutex<Latest>,
    live: broadcast::Sender<Arc<PublishedEvent>>,
}

#[derive(Debug, Default)]
struct Latest {
    /// The number of the latest event; 0 before the first.
    number: u64,
    /// The number of the latest entry of the log.
    logged: u64,
    events: VecDeque<Arc<PublishedEvent>>,
}

/// A listener's position in the stream, the events it missed and the live events.
#[derive(Debug)]
pub struct Subscription {
    /// Events published since the listener's last event.
    pub missed: Vec<Arc<PublishedEvent>>,
    /// True if that event is too old or unknown; the listener must then reload everything.
    pub is_reset: bool,
    /// Current position in the stream; live events follow it.
    pub at: EventId,
    /// Live events. A listener that falls behind by more than [`MAX_RESUMABLE_EVENTS`] events gets `Lagged`.
    pub live: broadcast::Receiver<Arc<PublishedEvent>>,
}

impl Default for EventBus {
    fn default() -> Self {
        Self::new()
    }
}

impl EventBus {
    /// Creates a bus. Ids of an earlier run are unknown to it.
    pub fn new() -> Self {
        Self::build(None)
    }

    /// Creates a bus that adds entries to a log.
    pub fn with_log(log: EventLog) -> Self {
        Self::build(Some(log))
    }

    fn build(log: Option<EventLog>) -> Self {
        let (live, _) = broadcast::channel(MAX_RESUMABLE_EVENTS);
        let latest = Latest {
            logged: log.as_ref().map_or(0, EventLog::last_id),
            ..Latest::default()
        };
        Self(Arc::new(Shared {
            run: fastrand::u32(..),
            log,
            latest: Mutex::new(latest),
            live,
        }))
    }

    /// Publishes an event to all listeners.
    pub fn publish(&self, event: Event) {
        self.send(&mut self.0.latest.lock(), event);
    }

    /// Publishes an entry of the log, which gives it its number. Without a cause of its own it has that of the present task.
    pub fn log(&self, entry: LogEntry) {
        let mut entry = match entry.cause {
            Some(_) => entry,
            None => entry.caused_by(present_cause().as_ref()),
        };
        let mut latest = self.0.latest.lock();
        latest.logged += 1;
        entry.id = latest.logged;
        let entry = Arc::new(entry);
        if let Some(log) = &self.0.log {
            log.add(Arc::clone(&entry));
        }
        self.send(&mut latest, Event::Log(entry));
    }

    /// Publishes a failure of a part of the hub, or its end, and logs it.
    pub fn problem(&self, part: &str, plug: Option<Mac>, solved: bool, message: String) {
        let at = plugs::now();
        let mut entry = LogEntry::new(at, LogKind::Problem, &message).as_problem(!solved);
        entry.plug = plug;
        self.log(entry);
        self.publish(Event::Problem(HubProblem {
            at,
            part: part.to_owned(),
            plug,
            solved,
            message,
        }));
    }

    fn send(&self, latest: &mut Latest, event: Event) {
        latest.number += 1;
        let event = Arc::new(PublishedEvent {
            id: self.id(latest.number),
            event,
            json: OnceLock::new(),
        });
        if latest.events.len() >= MAX_RESUMABLE_EVENTS {
            latest.events.pop_front();
        }
        latest.events.push_back(Arc::clone(&event));
        // Under the lock, so that a new listener neither misses an event nor gets it twice. Nobody may be listening.
        let _ = self.0.live.send(event);
    }

    /// Subscribes to future events.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<PublishedEvent>> {
        self.0.live.subscribe()
    }

    /// Subscribes to the events after `last`. `None` stands for an unreadable id, which is treated as unknown.
    pub fn resume(&self, last: Option<EventId>) -> Subscription {
        let latest = self.0.latest.lock();
        let live = self.0.live.subscribe();
        let oldest = latest
            .events
            .front()
            .map_or(latest.number + 1, |event| event.id.number);
        let known = last.filter(|last| {
            last.run == self.0.run && last.number <= latest.number && last.number + 1 >= oldest
        });
        let missed = known.map_or_else(Vec::new, |last| {
            let later = latest
                .events
                .iter()
                .filter(|event| event.id.number > last.number);
            later.cloned().collect()
        });
        Subscription {
            missed,
            is_reset: known.is_none(),
            at: self.id(latest.number),
            live,
        }
    }

    fn id(&self, number: u64) -> EventId {
        let run = self.0.run;
        EventId { run, number }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event::PlugRemoved(Mac::new([1; 6]))
    }

    fn numbers(subscription: &Subscription) -> Vec<u64> {
        subscription
            .missed
            .iter()
            .map(|event| event.id.number)
            .collect()
    }

    #[test]
    fn goes_on_where_a_listener_was() {
        let bus = EventBus::new();
        for _ in 0..5 {
            bus.publish(event());
        }
        let id = |number| Some(bus.id(number));
        assert_eq!(numbers(&bus.resume(id(3))), [4, 5]);
        assert_eq!(numbers(&bus.resume(id(0))), [1, 2, 3, 4, 5]);
        let up_to_date = bus.resume(id(5));
        assert!(!up_to_date.is_reset && up_to_date.missed.is_empty());
        assert_eq!(Some(up_to_date.at), id(5));
        for unknown in [
            id(6),
            None,
            Some(EventId {
                run: bus.0.run ^ 1,
                number: 2,
            }),
        ] {
            let subscription = bus.resume(unknown);
            assert!(subscription.is_reset && subscription.missed.is_empty());
        }
    }

    #[test]
    fn forgets_what_is_too_old() {
        let bus = EventBus::new();
        for _ in 0..MAX_RESUMABLE_EVENTS + 10 {
            bus.publish(event());
        }
        let resume = |number| bus.resume(Some(bus.id(number)));
        assert!(resume(9).is_reset);
        let oldest = resume(10);
        assert!(!oldest.is_reset);
        assert_eq!(oldest.missed.len(), MAX_RESUMABLE_EVENTS);
    }

    #[test]
    fn nothing_is_missed_between_catching_up_and_live() {
        let bus = EventBus::new();
        bus.publish(event());
        let mut subscription = bus.resume(Some(bus.id(1)));
        bus.publish(event());
        assert!(subscription.missed.is_empty());
        assert_eq!(subscription.live.try_recv().unwrap().id.number, 2);
    }

    #[test]
    fn ids_as_text() {
        let id = EventId {
            run: 0xab,
            number: 7,
        };
        assert_eq!(id.to_string(), "000000ab-7");
        assert_eq!("000000ab-7".parse(), Ok(id));
        for bad in ["", "7", "x-7", "1-", "1-x", "-", "1--1"] {
            assert!(bad.parse::<EventId>().is_err(), "{bad}");
        }
    }
}
