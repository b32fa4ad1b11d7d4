//! The events of a hub, resumed after a lost connection.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use api::Event;
use api::client::{Client, EventStream, ReceivedEvent};
use futures_util::stream;
use hiflying::Mac;
use plugs::{RelayCommand, Switched};

use super::{Feed, FeedItem, FeedSource, PlugFeed};
use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::hub_names::HubNames;
use crate::resolve::{Target, not_kept};
use crate::ui::{DIM, clean, paint};

/// Delay before the first attempt to reconnect; it doubles with each attempt.
const MIN_RECONNECT_DELAY: Duration = Duration::from_millis(500);
/// Maximum delay before an attempt to reconnect.
const MAX_RECONNECT_DELAY: Duration = Duration::from_secs(15);

/// Listens to the events of a hub, all or those of some kinds: those after the event `after`, else from now on.
pub(crate) async fn of_hub<'a>(
    context: &'a Context,
    hub: &Client,
    after: Option<&str>,
    kinds: Option<&'static str>,
) -> Result<Feed<'a>, Failure> {
    let feed = HubFeed {
        stream: Some(hub.events(after, kinds).await?),
        last_id: after.map(str::to_owned),
        kinds,
        ..HubFeed::new(context)
    };
    Ok(feed.into_stream())
}

/// Follows the plugs of a hub. They are listed at first, and again when events were lost.
pub(super) async fn of_plugs<'a>(
    context: &'a Context,
    hub: &Client,
    targets: &[Target],
) -> Result<PlugFeed<'a>, Failure> {
    // First the events: what happens while the plugs are listed is not lost then.
    let stream = context
        .bounded(async { Ok(hub.events(None, None).await?) })
        .await?;
    let names = context.bounded(async { Ok(HubNames::load(hub).await?) });
    let names = names.await?;
    let inventory = context.inventory()?;
    let mut wanted = HashSet::new();
    for target in targets {
        match names.find_members(target.as_given()) {
            Ok(plugs) => wanted.extend(plugs),
            // It has its name on this computer alone.
            Err(_) if !target.remembered(&inventory).is_empty() => {
                return Err(not_kept(hub.url(), target.as_given()));
            }
            Err(failure) => return Err(failure),
        }
    }
    let mut feed = HubFeed {
        stream: Some(stream),
        listed: Some(ListedPlugs {
            wanted,
            known: HashSet::new(),
        }),
        ..HubFeed::new(context)
    };
    feed.list(hub).await?;
    Ok(PlugFeed {
        events: feed.into_stream(),
        source: FeedSource::Hub(context, hub.url().clone()),
    })
}

/// Switches a plug of the hub. A hub that was found on this computer is looked up again, as for a new connection.
pub(super) async fn switch(
    context: &Context,
    plug: Mac,
    action: RelayCommand,
) -> Result<Switched, Failure> {
    let begin = Instant::now();
    let reply = context.need_hub()?.switch(plug, action).await?;
    Ok(Switched {
        relay: reply.relay,
        confirmed: reply.confirmed,
        elapsed: begin.elapsed(),
    })
}

struct HubFeed<'a> {
    context: &'a Context,
    /// `None` while the hub cannot be reached.
    stream: Option<EventStream>,
    last_id: Option<String>,
    /// Names of the events, separated by commas; `None` for all.
    kinds: Option<&'static str>,
    delay: Duration,
    pending: VecDeque<ReceivedEvent>,
    /// `None` if all events are wanted, as they are.
    listed: Option<ListedPlugs>,
}

/// The plugs that are followed.
struct ListedPlugs {
    /// Empty for all.
    wanted: HashSet<Mac>,
    known: HashSet<Mac>,
}

impl<'a> HubFeed<'a> {
    fn new(context: &'a Context) -> Self {
        Self {
            context,
            stream: None,
            last_id: None,
            kinds: None,
            delay: MIN_RECONNECT_DELAY,
            pending: VecDeque::new(),
            listed: None,
        }
    }

    fn into_stream(self) -> Feed<'a> {
        Box::pin(stream::unfold(Some(self), |feed| async {
            let mut feed = feed?;
            match feed.next().await {
                Ok(item) => Some((Ok(item), Some(feed))),
                Err(failure) => Some((Err(failure), None)),
            }
        }))
    }

    async fn next(&mut self) -> Result<FeedItem, Failure> {
        loop {
            if let Some(received) = self.pending.pop_front() {
                return Ok(FeedItem::Received(received));
            }
            match self.advance().await {
                Ok(()) => {}
                // A new attempt may help.
                Err(failure) if failure.kind() == Kind::Unavailable => {
                    if self.stream.take().is_some() {
                        let lost = format!("{failure}; reconnecting");
                        self.context.ui.status(paint(DIM, clean(&lost)));
                        return Ok(FeedItem::Disconnected);
                    }
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    async fn advance(&mut self) -> Result<(), Failure> {
        let Some(stream) = &mut self.stream else {
            return self.reconnect().await;
        };
        let Some(received) = stream.next().await? else {
            let ended = "the hub ended the connection";
            return Err(Failure::new(Kind::Unavailable, ended));
        };
        self.delay = MIN_RECONNECT_DELAY;
        self.last_id = stream.last_id().map(str::to_owned);
        match (&received.event, &mut self.listed) {
            // The list has the outcome of the events that were lost.
            (None, Some(_)) => self.list(&self.context.need_hub()?).await?,
            (Some(event), Some(listed)) if !listed.has(event) => {}
            _ => self.pending.push_back(received),
        }
        Ok(())
    }

    /// Opens the stream after the last event. A hub that was found on this computer is looked up again: its address can differ
    /// after a restart.
    async fn reconnect(&mut self) -> Result<(), Failure> {
        tokio::time::sleep(self.delay).await;
        self.delay = (self.delay * 2).min(MAX_RECONNECT_DELAY);
        let hub = self.context.need_hub()?;
        let stream = hub.events(self.last_id.as_deref(), self.kinds).await?;
        self.list(&hub).await?;
        self.stream = Some(stream);
        self.context.ui.status(paint(DIM, "connected again"));
        Ok(())
    }

    /// Reports every plug that is followed as it is now, and those that the hub keeps no longer.
    async fn list(&mut self, hub: &Client) -> Result<(), Failure> {
        let Some(listed) = &mut self.listed else {
            return Ok(());
        };
        let views = hub.plugs().await?;
        let present = views.iter().map(|view| view.plug.mac).collect();
        let removed = std::mem::replace(&mut listed.known, present);
        let removed = removed.difference(&listed.known).copied();
        let views = views.into_iter().map(|view| Event::Plug(view.into()));
        let events = removed.map(Event::PlugRemoved).chain(views);
        self.pending.extend(
            events
                .filter(|event| listed.has(event))
                .map(|event| ReceivedEvent {
                    id: None,
                    event: Some(event),
                }),
        );
        Ok(())
    }
}

impl ListedPlugs {
    fn has(&self, event: &Event) -> bool {
        let plug = match event {
            Event::Plug(view) | Event::Availability(view) => view.plug.mac,
            Event::PlugRemoved(mac) => *mac,
            Event::Reading(metered) => metered.reading.plug,
            _ => return false,
        };
        self.wanted.is_empty() || self.wanted.contains(&plug)
    }
}
