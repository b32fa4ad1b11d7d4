//! The events of the plugs themselves: a search that never stops shows which plugs are there and how the relays stand, and each plug
//! is metered over one connection that is kept.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::client::ReceivedEvent;
use api::{Event, MeterEvent, Metering, Period, PlugView};
use futures_util::stream::{self, BoxStream, SelectAll};
use futures_util::{Stream, StreamExt};
use hiflying::Mac;
use plugs::duplicates::{self, Duplicates};
use plugs::net::{DiscoverEvent, DiscoverOptions, Lan, PlugHandle};
use plugs::{Capability, Plug, Reading, RelayCommand, Switched};
use tokio::time::MissedTickBehavior;

use super::{FeedItem, FeedSource, FollowRequest, PlugFeed};
use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::inventory::Inventory;
use crate::resolve::interfaces::{for_search, for_targets, none_up, reachable};
use crate::resolve::{COMMAND_TIMEOUT, Target, ambiguous, unknown_name};

/// The interval at which each plug is metered.
const METER_INTERVAL: Period = Period::seconds(2);
/// Minimum interval between two writes of the inventory.
const SAVE_INTERVAL: Duration = Duration::from_secs(2);
/// Consequence of a taken port.
pub(crate) const UNHEARD: &str = "an SP-2 is not heard like this";
/// The time for one reading.
const METER_TIMEOUT: Duration = Duration::from_secs(4);

/// Follows plugs over the network from here.
pub(super) async fn of_plugs<'a>(
    context: &'a Context,
    request: FollowRequest<'a>,
) -> Result<PlugFeed<'a>, Failure> {
    let inventory = context.inventory()?;
    let wanted = WantedPlugs::of(request.targets, &inventory)?;
    let interfaces = match request.targets {
        [] => for_search(context, &request.search.to)?,
        targets => for_targets(context, targets, &inventory)?,
    };
    if interfaces.is_empty() {
        return Err(none_up());
    }
    let lan = context
        .bounded(async { Ok(Lan::open(&interfaces).await?) })
        .await?;
    lan.set_words(context.known_words());
    for error in lan.taken() {
        let failure = Failure::from(error.as_ref());
        if request.meters {
            return Err(failure);
        }
        context.ui.warn(format_args!("{failure}; {UNHEARD}"));
    }
    let given = request.targets.iter().filter_map(Target::address);
    let search = lan.discover(DiscoverOptions {
        to: request.search.to.iter().copied().chain(given).collect(),
        known: reachable(&interfaces, &inventory),
        watch: true,
        ..request.search
    });
    let plugs = FollowedPlugs::default();
    let feed = LocalFeed {
        context,
        inventory,
        wanted,
        meters: request.meters,
        lan,
        search: search.boxed(),
        plugs: plugs.clone(),
        duplicates: Duplicates::default(),
        unsaved: HashMap::new(),
        saved: None,
        readings: SelectAll::new(),
    };
    let events = stream::unfold(feed, |mut feed| async {
        let event = feed.next().await?;
        let received = ReceivedEvent {
            id: None,
            event: Some(event),
        };
        Some((Ok(FeedItem::Received(received)), feed))
    });
    Ok(PlugFeed {
        events: Box::pin(events),
        source: FeedSource::Plugs(plugs),
    })
}

struct LocalFeed<'a> {
    context: &'a Context,
    inventory: Inventory,
    wanted: WantedPlugs<'a>,
    meters: bool,
    lan: Lan,
    search: BoxStream<'static, DiscoverEvent>,
    plugs: FollowedPlugs,
    duplicates: Duplicates,
    /// Plugs that were heard and are not in the inventory yet.
    unsaved: HashMap<Mac, Plug>,
    /// Time at which the inventory was last written.
    saved: Option<Instant>,
    readings: SelectAll<BoxStream<'static, Reading>>,
}

#[derive(Debug)]
struct FollowedPlug {
    view: PlugView,
    /// `None` where plugs are only looked for.
    handle: Option<PlugHandle>,
}

/// The plugs that are followed, each with its one connection. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct FollowedPlugs(Rc<RefCell<HashMap<Mac, FollowedPlug>>>);

impl FollowedPlugs {
    /// Switches a plug, after what its connection carries already.
    pub(super) async fn switch(
        &self,
        plug: Mac,
        action: RelayCommand,
    ) -> Result<Switched, Failure> {
        let handle = self.handle(plug);
        let handle = handle.ok_or_else(|| {
            Failure::new(Kind::NotFound, format!("{plug} has not been heard yet"))
        })?;
        Ok(handle.switch(action, COMMAND_TIMEOUT).await?)
    }

    fn handle(&self, plug: Mac) -> Option<PlugHandle> {
        self.0.borrow().get(&plug)?.handle.clone()
    }
}

impl LocalFeed<'_> {
    async fn next(&mut self) -> Option<Event> {
        loop {
            let event = tokio::select! {
                event = self.search.next() => event?,
                Some(reading) = self.readings.next() => return Some(self.metered(reading)),
            };
            let event = match event {
                DiscoverEvent::Found(plug) | DiscoverEvent::Updated(plug) => self.heard(plug),
                DiscoverEvent::Lost(plug) => self.lost(plug.mac),
                DiscoverEvent::Done(_) => return None,
            };
            if event.is_some() {
                return event;
            }
        }
    }

    fn heard(&mut self, plug: Plug) -> Option<Event> {
        if !self.wanted.has(&plug) {
            return None;
        }
        self.watch_for_duplicates(&plug);
        self.remember(&plug);
        let plug = self.inventory.named(plug);
        let known = self.plugs.0.borrow_mut().remove(&plug.mac);
        let was_lost = known.as_ref().is_some_and(|known| !known.view.available);
        let (reading, handle) =
            known.map_or((None, None), |known| (known.view.reading, known.handle));
        let handle = handle.or_else(|| self.contact(&plug));
        let can_meter = self.lan.families().can(plug.family, Capability::Meter);
        if let Some(handle) = &handle {
            handle.locate(Some(plug.address));
        }
        let mac = plug.mac;
        let view = PlugView {
            plug,
            available: true,
            reading,
            energy_total_wh: None,
            room: None,
            metering: match handle {
                Some(_) if can_meter => Metering::Every(METER_INTERVAL),
                _ => Metering::Off,
            },
            power_on: None,
            relay_since: None,
            still_drawing_w: None,
            often_unplugged: false,
        };
        let event = match was_lost {
            true => Event::Availability(Arc::new(view.clone())),
            false => Event::Plug(Arc::new(view.clone())),
        };
        let known = FollowedPlug { view, handle };
        self.plugs.0.borrow_mut().insert(mac, known);
        Some(event)
    }

    /// Writes into the inventory what was heard, now and then: each write waits for the disk.
    fn remember(&mut self, plug: &Plug) {
        self.unsaved.insert(plug.mac, plug.clone());
        let is_early = |saved: Instant| saved.elapsed() < SAVE_INTERVAL;
        if !self.saved.is_some_and(is_early) {
            self.save();
            self.saved = Some(Instant::now());
        }
    }

    fn save(&mut self) {
        let heard: Vec<Plug> = self.unsaved.drain().map(|(_, plug)| plug).collect();
        self.context.remember(&self.inventory, &heard);
    }

    fn watch_for_duplicates(&mut self, plug: &Plug) {
        let now = Instant::now();
        self.duplicates.settle(now);
        if self.duplicates.heard(plug.mac, plug.address, now) {
            let all = self.duplicates.all().into_iter();
            for (mac, addresses) in all.filter(|(mac, _)| *mac == plug.mac) {
                let sentence = duplicates::sentence(&addresses);
                self.context.ui.warn(format_args!("{mac} {sentence}"));
            }
        }
    }

    /// Gets ready to switch a plug, and begins to meter it, if that is wanted and it can be.
    fn contact(&mut self, plug: &Plug) -> Option<PlugHandle> {
        let can = |ability| self.lan.families().can(plug.family, ability);
        let can_meter = can(Capability::Meter);
        if !self.meters || !(can_meter || can(Capability::Switch)) {
            return None;
        }
        let handle = self.lan.plug(plug.clone());
        if can_meter {
            self.readings.push(readings(handle.clone()).boxed());
        }
        Some(handle)
    }

    fn lost(&mut self, mac: Mac) -> Option<Event> {
        let mut plugs = self.plugs.0.borrow_mut();
        let view = &mut plugs.get_mut(&mac)?.view;
        view.available = false;
        Some(Event::Availability(Arc::new(view.clone())))
    }

    fn metered(&mut self, reading: Reading) -> Event {
        if let Some(known) = self.plugs.0.borrow_mut().get_mut(&reading.plug) {
            known.view.reading = Some(reading.clone());
        }
        Event::Reading(MeterEvent {
            reading: reading.into(),
            energy_total_wh: None,
        })
    }
}

impl Drop for LocalFeed<'_> {
    fn drop(&mut self) {
        self.save();
    }
}

/// Meters one plug for ever, wherever it moves.
fn readings(handle: PlugHandle) -> impl Stream<Item = Reading> + Send {
    let mut ticks = tokio::time::interval(METER_INTERVAL.get());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    stream::unfold((handle, ticks), |(handle, mut ticks)| async move {
        ticks.tick().await;
        let metered = handle.meter_in_background(METER_TIMEOUT).await;
        let metered = metered.inspect_err(|error| tracing::debug!(%error, "is not metered"));
        Some((metered.ok(), (handle, ticks)))
    })
    .filter_map(std::future::ready)
}

/// The plugs that are followed.
struct WantedPlugs<'a> {
    targets: &'a [Target],
    macs: HashSet<Mac>,
}

impl<'a> WantedPlugs<'a> {
    fn of(targets: &'a [Target], inventory: &Inventory) -> Result<Self, Failure> {
        let mut macs = HashSet::new();
        for target in targets {
            match target.remembered(inventory).as_slice() {
                [mac] => drop(macs.insert(*mac)),
                [] if target.address().is_some() || target.can_be_scanned_for() => {}
                [] => return Err(unknown_name(target, inventory)),
                several => return Err(ambiguous(target, several)),
            }
        }
        Ok(Self { targets, macs })
    }

    fn has(&self, plug: &Plug) -> bool {
        self.targets.is_empty()
            || self.macs.contains(&plug.mac)
            || self.targets.iter().any(|target| target.is(plug))
    }
}
