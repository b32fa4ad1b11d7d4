//! Past events since the start of the hub, in words: relays, availability, runs of schedules and rules, changes of documents.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::Event;
use api::text::{LocalClock, Tone};
use hub::Hub;
use jiff::Timestamp;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::names::KnownNames;

/// Maximum number of events kept.
const MAX_EVENTS: usize = 500;

/// An event in words.
#[derive(Debug, Clone)]
pub(crate) struct LoggedEvent {
    /// Time at which it was heard.
    pub(crate) at: Timestamp,
    /// Kind of the event, as in the API.
    pub(crate) kind: &'static str,
    /// The plug, group, schedule or rule.
    pub(crate) subject: String,
    /// The event itself.
    pub(crate) what: String,
    /// Attention that it deserves.
    pub(crate) tone: Tone,
}

/// The latest events. Clones share their state.
#[derive(Debug, Clone, Default)]
pub(crate) struct EventLog(Arc<Mutex<Latest>>);

#[derive(Debug, Default)]
struct Latest {
    events: VecDeque<LoggedEvent>,
    /// The last words about each plug and document; an event that only repeats them tells of another change.
    said: HashMap<(&'static str, String), String>,
}

impl EventLog {
    /// Listens until cancelled.
    pub(crate) async fn run(&self, hub: &Hub, cancel: CancellationToken) {
        let mut events = hub.bus().subscribe();
        for view in hub.registry().views() {
            self.heard(hub, &Event::Plug(view), true);
        }
        let listening = async {
            loop {
                match events.recv().await {
                    Ok(published) => self.heard(hub, &published.event, false),
                    Err(RecvError::Lagged(count)) => tracing::debug!(count, "events were missed"),
                    Err(RecvError::Closed) => return,
                }
            }
        };
        cancel.run_until_cancelled(listening).await;
    }

    /// Returns the events, newest first.
    pub(crate) fn all(&self) -> Vec<LoggedEvent> {
        self.latest().events.iter().rev().cloned().collect()
    }

    fn heard(&self, hub: &Hub, event: &Event, is_known: bool) {
        let Some(of) = subject_id(event) else {
            return;
        };
        let clock = LocalClock::at(Timestamp::now(), hub.clock().timezone.clone());
        let text = event.text(&KnownNames(hub), &clock);
        let kind = event.name();
        let mut latest = self.latest();
        let key = (kind, of);
        let before = latest.said.insert(key, text.what.text.clone());
        if is_known || before.as_ref() == Some(&text.what.text) {
            return;
        }
        if latest.events.len() >= MAX_EVENTS {
            latest.events.pop_front();
        }
        latest.events.push_back(LoggedEvent {
            at: Timestamp::now(),
            kind,
            subject: text.subject,
            what: text.what.text,
            tone: text.what.tone,
        });
    }

    // Nothing panics under this lock, and even then the list is whole.
    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the plug or document that an event is about; `None` for one that is not kept: readings, and edits of what has not acted.
fn subject_id(event: &Event) -> Option<String> {
    match event {
        Event::Reading(_) => None,
        Event::Schedule(view) if view.status.last.is_none() && view.status.halted.is_none() => None,
        Event::Rule(view) if view.status.last.is_none() && view.status.halted.is_none() => None,
        Event::Plug(view) | Event::Availability(view) => Some(view.plug.mac.to_string()),
        Event::Schedule(view) => Some(view.id.to_string()),
        Event::Rule(view) => Some(view.id.to_string()),
        Event::Group(view) => Some(view.id.to_string()),
        Event::Tariff(view) => Some(view.id.to_string()),
        Event::DocumentRemoved(_, id) => Some(id.to_string()),
        Event::PlugRemoved(mac) => Some(mac.to_string()),
        _ => Some(String::new()),
    }
}
