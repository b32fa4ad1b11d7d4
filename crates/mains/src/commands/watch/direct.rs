//! News from the plugs themselves: a scan that never stops shows which plugs are there and how the relays stand, and each plug is metered
//! over one connection that is kept.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hiflying::Mac;
use plugs::net::{DiscoverEvent, DiscoverOptions, Lan};
use plugs::{Capability, Plug};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::news::{News, nobody_looks};
use crate::context::Context;
use crate::error::Failure;
use crate::inventory::Inventory;
use crate::resolve::interfaces::{for_scan, for_targets, none_up, reachable};
use crate::resolve::{Target, ambiguous, unknown_name};

/// The interval at which each plug is metered.
const METER_INTERVAL: Duration = Duration::from_secs(2);
/// The time for one reading.
const METER_TIMEOUT: Duration = Duration::from_secs(4);

/// Tells what happens, until it fails or nobody looks any more.
pub(super) async fn listen(
    context: &Context,
    targets: &[Target],
    news: mpsc::Sender<News>,
) -> Result<(), Failure> {
    let inventory = context.inventory()?;
    let wanted = Wanted::of(targets, &inventory)?;
    let interfaces = match targets {
        [] => for_scan(context)?,
        targets => for_targets(context, targets, &inventory)?,
    };
    if interfaces.is_empty() {
        return Err(none_up());
    }
    let lan = context
        .bounded(async { Ok(Lan::open(&interfaces).await?) })
        .await?;
    if let Some(error) = lan.taken().first() {
        return Err(Failure::from(error.as_ref()));
    }
    let mut sightings = lan.discover(DiscoverOptions {
        to: targets.iter().filter_map(Target::address).collect(),
        known: reachable(&interfaces, &inventory),
        watch: true,
        ..DiscoverOptions::default()
    });
    let addresses = RefCell::new(HashMap::new());
    let mut meters = FuturesUnordered::new();
    loop {
        let event = tokio::select! {
            event = sightings.next() => event,
            Some(()) = meters.next() => continue,
        };
        let plug = match event {
            None => return Ok(()),
            Some(DiscoverEvent::Found(plug) | DiscoverEvent::Updated(plug)) => plug,
            Some(_) => continue,
        };
        if !wanted.has(&plug) {
            continue;
        }
        context.remember(&inventory, std::slice::from_ref(&plug));
        let is_new = addresses
            .borrow_mut()
            .insert(plug.mac, plug.address)
            .is_none();
        if is_new && lan.families().can(plug.family, Capability::Meter) {
            meters.push(meter(&lan, plug.clone(), &addresses, news.clone()));
        }
        let name = inventory.name_of(plug.mac).map(str::to_owned);
        let plug = Box::new(Plug { name, ..plug });
        let item = News::Plug {
            plug,
            available: true,
        };
        if let Err(closed) = news.send(item).await {
            return nobody_looks(closed);
        }
    }
}

/// Meters one plug for ever, wherever it moves.
async fn meter(
    lan: &Lan,
    plug: Plug,
    addresses: &RefCell<HashMap<Mac, Ipv4Addr>>,
    news: mpsc::Sender<News>,
) {
    let mac = plug.mac;
    let handle = lan.plug(plug);
    let mut ticks = tokio::time::interval(METER_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        handle.locate(addresses.borrow().get(&mac).copied());
        let item = match handle.meter(METER_TIMEOUT).await {
            Ok(reading) => {
                let json = serde_json::to_value(&reading).expect("a struct with text keys");
                News::Reading {
                    reading: Box::new(reading),
                    json,
                    fresh: true,
                }
            }
            Err(error) => {
                tracing::debug!(%mac, %error, "is not metered");
                News::Silent(mac)
            }
        };
        if news.send(item).await.is_err() {
            return;
        }
    }
}

/// Which plugs are watched.
struct Wanted<'a> {
    targets: &'a [Target],
    macs: HashSet<Mac>,
}

impl<'a> Wanted<'a> {
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
