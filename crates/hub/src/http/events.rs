//! Events as Server-Sent Events: interrupted streams resume, and slow clients delay no other.
//!
//! Each client uses its stream and one of the places for listeners. It has no queue of its own: a client that falls behind is
//! notified by the bus and continues from the kept events, or must reload everything. A client that does not read at all is
//! disconnected by the time limit on writes of its connection ([`stuck`](super::stuck)).

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use api::{Event, RequestError, excerpt};
use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use hiflying::Mac;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::query::Params;
use crate::event::{EventBus, EventId, PublishedEvent};

/// Maximum number of simultaneous listeners.
const MAX_LISTENERS: usize = 256;
/// Maximum interval between writes: all devices in between keep the connection open, and a client notices soon when the hub is gone.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Delay after which a disconnected client reconnects.
const RETRY: Duration = Duration::from_secs(2);
/// Maximum number of events in one write.
const BATCH: usize = 64;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The events that a client wants.
#[derive(Debug, Clone, Default)]
pub(crate) struct EventFilter {
    /// Names of events; if empty, all but entries of the log.
    kinds: Vec<String>,
    /// Plugs that they are about; all events if empty.
    plugs: Vec<Mac>,
}

impl EventFilter {
    /// Reads `kinds` and `plugs`, both separated by commas.
    pub(crate) fn read(params: &Params) -> Result<Self, RequestError> {
        let kinds = params.list::<String>("kinds")?;
        if let Some(unknown) = kinds
            .iter()
            .find(|kind| !Event::NAMES.contains(&kind.as_str()))
        {
            let shown = excerpt(unknown);
            let message = format!("kinds: there are no events \u{2018}{shown}\u{2019}");
            let hint = format!("there are: {}", Event::NAMES.join(", "));
            return Err(RequestError::usage(message).hint(hint).at("kinds"));
        }
        let plugs = params.list("plugs")?;
        Ok(Self { kinds, plugs })
    }

    /// Returns `true` if all events but entries of the log are wanted.
    fn is_open(&self) -> bool {
        self.kinds.is_empty() && self.plugs.is_empty()
    }

    fn admits(&self, event: &Event) -> bool {
        let is_kind = match self.kinds.as_slice() {
            [] => !matches!(event, Event::Log(_)),
            kinds => kinds.iter().any(|kind| kind == event.name()),
        };
        is_kind && (self.plugs.is_empty() || event.is_about(&self.plugs))
    }
}

/// The places for listeners.
#[derive(Debug, Clone)]
pub(crate) struct Listeners(Arc<Semaphore>);

impl Default for Listeners {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_LISTENERS)))
    }
}

impl Listeners {
    /// Returns the number of listeners.
    pub(crate) fn count(&self) -> u64 {
        MAX_LISTENERS.saturating_sub(self.0.available_permits()) as u64
    }

    /// Starts a stream of events for a client.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `unavailable` if all places are taken.
    pub(crate) fn listen(
        &self,
        bus: &EventBus,
        headers: &HeaderMap,
        filter: EventFilter,
        cancel: CancellationToken,
    ) -> Result<Response, RequestError> {
        let place = Arc::clone(&self.0).try_acquire_owned().map_err(|_| {
            RequestError::unavailable(format!("{MAX_LISTENERS} clients are listening already"))
        })?;
        let stream = Stream::new(bus, last_event(headers), filter, place, cancel);
        let body = futures_util::stream::unfold(stream, async |mut stream| {
            let text = stream.next().await?;
            Some((Ok::<_, Infallible>(Bytes::from(text)), stream))
        });
        let headers = [
            (CONTENT_TYPE, "text/event-stream"),
            (CACHE_CONTROL, "no-cache, no-store"),
        ];
        Ok((headers, Body::from_stream(body)).into_response())
    }
}

/// Returns the client's last event: `None` for a new client, an error for an unreadable id.
fn last_event(headers: &HeaderMap) -> Option<Result<EventId, ()>> {
    let text = headers.get(LAST_EVENT_ID)?.to_str().unwrap_or_default();
    // An empty one is what a new client has.
    (!text.is_empty()).then(|| text.parse().map_err(|_| ()))
}

/// The stream of one client.
struct Stream {
    bus: EventBus,
    waiting: VecDeque<Arc<PublishedEvent>>,
    live: broadcast::Receiver<Arc<PublishedEvent>>,
    last: EventId,
    /// True if live events were lost after the waiting ones.
    is_behind: bool,
    /// Sent first, or when the client must reload everything.
    preface: Option<String>,
    heartbeat: Interval,
    filter: EventFilter,
    cancel: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl Stream {
    fn new(
        bus: &EventBus,
        last: Option<Result<EventId, ()>>,
        filter: EventFilter,
        place: OwnedSemaphorePermit,
        cancel: CancellationToken,
    ) -> Self {
        let is_new = last.is_none();
        let subscription = bus.resume(last.and_then(Result::ok));
        let mut heartbeat = tokio::time::interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut preface = format!("retry: {}\n\n", RETRY.as_millis());
        if subscription.is_reset {
            // An id without data is not an event; it only tells a new client where it begins.
            preface += &match is_new {
                true => format!("id: {}\n\n", subscription.at),
                false => reset(subscription.at),
            };
        }
        Self {
            bus: bus.clone(),
            waiting: subscription.missed.into(),
            live: subscription.live,
            last: subscription.at,
            is_behind: false,
            preface: Some(preface),
            heartbeat,
            filter,
            cancel,
            _place: place,
        }
    }

    /// Returns the next chunk of text, or `None` at the end.
    async fn next(&mut self) -> Option<String> {
        loop {
            let text = self.chunk().await?;
            // Nothing is left of events that the client does not want.
            if !text.is_empty() {
                return Some(text);
            }
        }
    }

    async fn chunk(&mut self) -> Option<String> {
        if self.cancel.is_cancelled() {
            return None;
        }
        if let Some(preface) = self.preface.take() {
            return Some(preface);
        }
        if self.waiting.is_empty()
            && self.is_behind
            && let Some(reset) = self.catch_up()
        {
            return Some(reset);
        }
        if self.waiting.is_empty() {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return None,
                received = self.live.recv() => match received {
                    Ok(event) => self.waiting.push_back(event),
                    Err(RecvError::Lagged(_)) => {
                        if let Some(reset) = self.catch_up() {
                            return Some(reset);
                        }
                    }
                    Err(RecvError::Closed) => return None,
                },
                _ = self.heartbeat.tick() => return Some(self.sign_of_life()),
            }
        }
        self.fill();
        let text = self.text();
        if !text.is_empty() {
            self.heartbeat.reset();
        }
        Some(text)
    }

    /// Adds the events that are already available, so that a burst needs few writes.
    fn fill(&mut self) {
        while self.waiting.len() < BATCH && !self.is_behind {
            match self.live.try_recv() {
                Ok(event) => self.waiting.push_back(event),
                Err(TryRecvError::Lagged(_)) => self.is_behind = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    /// Returns a comment that keeps the connection open.
    fn sign_of_life(&self) -> String {
        if self.filter.is_open() {
            return ":\n\n".to_owned();
        }
        // An id without data is no event; with it the client resumes after the events that it does not want.
        format!(":\nid: {}\n\n", self.last)
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        let count = self.waiting.len().min(BATCH);
        for event in self.waiting.drain(..count) {
            self.last = event.id;
            if !self.filter.admits(&event.event) {
                continue;
            }
            let (id, name, json) = (event.id, event.event.name(), event.json());
            text += &format!("id: {id}\nevent: {name}\ndata: {json}\n\n");
        }
        text
    }

    /// Continues from the kept events after live events were lost. Returns a `reset` event if the kept events do not reach back far
    /// enough.
    fn catch_up(&mut self) -> Option<String> {
        let subscription = self.bus.resume(Some(self.last));
        self.is_behind = false;
        self.live = subscription.live;
        self.waiting = subscription.missed.into();
        if !subscription.is_reset {
            return None;
        }
        self.last = subscription.at;
        Some(reset(subscription.at))
    }
}

/// Returns the event after which a client must reload everything.
fn reset(at: EventId) -> String {
    format!("id: {at}\nevent: reset\ndata: {{}}\n\n")
}

#[cfg(test)]
mod tests;
