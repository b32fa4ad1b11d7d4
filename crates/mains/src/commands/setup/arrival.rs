//! The proof of a setup: the plug is seen on the home network under its MAC.
//!
//! A reply alone is not enough. Before its restart the plug still replies where it replied before, on its own access
//! point or on the network that it is about to leave. So a reply counts
//!
//! * from any other address, which only the home network can have assigned;
//! * from the address where it was set up, only when the plug itself reports that it is a station now and linked to the
//!   home network. (The join has made sure that it restarted; `AT+WMODE` alone proves nothing, because it reports a mode
//!   before it takes effect.) That is the case of a network which leads from here to both, such as the emulator's.
//!
//! If a hub has the port to which plugs reply, it is asked for the plugs that it finds.

use std::net::Ipv4Addr;
use std::time::Duration;

use futures_util::StreamExt as _;
use hiflying::net::Interface;
use hiflying::{Mac, Ssid};
use plugs::Plug;
use plugs::net::{DiscoverEvent, DiscoverOptions, Lan};
use tokio::time::{Instant, sleep};

use super::module::{self, StationStatus};
use super::steps::StepLog;
use super::timing::{
    ARRIVAL_SCAN_TIMEOUT, FAMILY_TIMEOUT, HUB_SEARCH, HUB_SEARCH_TIMEOUT, MAX_ARRIVAL_DELAY,
    MIN_ARRIVAL_DELAY,
};
use crate::context::Context;
use crate::error::{Failure, Kind};

/// Search for one plug on the home network.
pub(super) struct ArrivalSearch<'a> {
    pub(super) context: &'a Context,
    pub(super) mac: Mac,
    pub(super) ssid: &'a Ssid,
    /// Address at which the plug was set up.
    pub(super) module: Ipv4Addr,
    /// Addresses to probe besides the local networks: its lease, and those of the user.
    pub(super) to: Vec<Ipv4Addr>,
}

impl ArrivalSearch<'_> {
    /// Waits for the plug, and notes as a step how that ended.
    pub(super) async fn find(
        self,
        wait: Duration,
        steps: &mut StepLog<'_>,
    ) -> Result<Plug, Failure> {
        let ui = &self.context.ui;
        let arrival = ui.waiting_at_most("waiting for the plug", wait, self.run(wait));
        let found = arrival.await;
        match &found {
            Ok(plug) => {
                steps.succeeded("seen", format!("{} replies at {}", plug.mac, plug.address));
            }
            Err(failure) => steps.failed("seen", failure.to_string()),
        }
        found
    }

    /// Scans for the plug until it has arrived or `timeout` is over.
    async fn run(&self, timeout: Duration) -> Result<Plug, Failure> {
        let mut networks = HomeNetworks::default();
        let found = repeat(timeout, async |left: Duration| {
            networks.refresh(self.context, self.module).await;
            let lan = networks.lan.as_ref()?;
            let scan = self.scan(lan, left.min(ARRIVAL_SCAN_TIMEOUT));
            if !networks.is_port_taken() {
                return scan.await;
            }
            // The hub receives the replies to what is sent here.
            let (scanned, found) = tokio::join!(scan, self.search_by_hub());
            scanned.or(found)
        });
        let found = found.await;
        found.ok_or_else(|| networks.failure().unwrap_or_else(|| self.not_seen(timeout)))
    }

    /// As [`ArrivalSearch::run`], over sockets that are open: several plugs can be looked for at the same time.
    pub(super) async fn run_on(&self, lan: &Lan, timeout: Duration) -> Result<Plug, Failure> {
        let scan = async |left: Duration| self.scan(lan, left.min(ARRIVAL_SCAN_TIMEOUT)).await;
        let found = repeat(timeout, scan).await;
        found.ok_or_else(|| self.not_seen(timeout))
    }

    async fn scan(&self, lan: &Lan, timeout: Duration) -> Option<Plug> {
        let mut events = lan.discover(DiscoverOptions {
            wait: Some(timeout),
            to: self.to.clone(),
            ..DiscoverOptions::default()
        });
        while let Some(event) = events.next().await {
            let (DiscoverEvent::Found(plug) | DiscoverEvent::Updated(plug)) = event else {
                continue;
            };
            if plug.mac == self.mac && self.has_arrived(lan, &plug).await {
                return Some(self.with_family(lan, plug).await);
            }
        }
        None
    }

    /// Has the hub search in our place, if there is one. The plug at its old address may be unchanged, so only a reply
    /// from another one counts.
    async fn search_by_hub(&self) -> Option<Plug> {
        let hub = self.context.hub().ok()??;
        let search = hub.discover(Some(HUB_SEARCH));
        let found = tokio::time::timeout(HUB_SEARCH_TIMEOUT, search)
            .await
            .ok()?
            .ok()?;
        found
            .into_iter()
            .map(|found| found.plug)
            .find(|plug| plug.mac == self.mac && plug.address != self.module)
    }

    async fn has_arrived(&self, lan: &Lan, plug: &Plug) -> bool {
        if plug.address != self.module {
            return true;
        }
        let status = module::station_status(lan, plug.address).await;
        tracing::debug!(address = %plug.address, ?status, "link of the plug");
        matches!(status, Some(StationStatus::On(ssid)) if ssid == *self.ssid)
    }

    /// Returns the plug as its family reports it, if it is still the same.
    async fn with_family(&self, lan: &Lan, plug: Plug) -> Plug {
        match lan.presence(plug.address, FAMILY_TIMEOUT).await {
            Ok(full) if full.mac == plug.mac => full,
            _ => plug,
        }
    }

    fn not_seen(&self, timeout: Duration) -> Failure {
        Failure::new(
            Kind::NoAnswer,
            format!(
                "the plug {} was not seen on '{}' within {}",
                self.mac,
                self.ssid,
                api::duration::show(timeout)
            ),
        )
    }
}

/// Scans, with delays that grow, until a plug is found or `timeout` is over.
async fn repeat(
    timeout: Duration,
    mut scan: impl AsyncFnMut(Duration) -> Option<Plug>,
) -> Option<Plug> {
    let deadline = Instant::now() + timeout;
    let left = || deadline.saturating_duration_since(Instant::now());
    let mut delay = MIN_ARRIVAL_DELAY;
    while !left().is_zero() {
        let found = scan(left()).await;
        if found.is_some() {
            return found;
        }
        sleep(delay.min(left())).await;
        delay = (delay * 2).min(MAX_ARRIVAL_DELAY);
    }
    None
}

/// The local networks. They change during a setup: the plug's own network goes away, and a user who has joined it by
/// hand returns by hand.
#[derive(Default)]
struct HomeNetworks {
    interfaces: Vec<Interface>,
    lan: Option<Lan>,
    failure: Option<Failure>,
}

impl HomeNetworks {
    /// Opens the sockets again where the interfaces have changed.
    async fn refresh(&mut self, context: &Context, module: Ipv4Addr) {
        match module::home_interfaces(context, module) {
            Ok(interfaces) if self.lan.is_some() && interfaces == self.interfaces => {}
            Ok(interfaces) => {
                // Closed before it is opened again: there can be only one socket on an address.
                self.lan = None;
                self.interfaces = interfaces;
                match Lan::open(&self.interfaces).await {
                    Ok(lan) => {
                        lan.set_words(context.known_words());
                        self.lan = Some(lan);
                        self.failure = None;
                    }
                    Err(error) => self.failure = Some(error.into()),
                }
            }
            Err(failure) => {
                self.lan = None;
                self.failure = Some(failure);
            }
        }
    }

    /// Tells whether another process, usually a hub, has the port to which plugs reply.
    fn is_port_taken(&self) -> bool {
        self.lan.as_ref().is_some_and(|lan| !lan.taken().is_empty())
    }

    /// Returns the failure that kept us from receiving any reply.
    fn failure(&self) -> Option<Failure> {
        let taken = self.lan.as_ref().map(Lan::taken).unwrap_or_default();
        self.failure
            .clone()
            .or_else(|| Some(Failure::from(taken.first()?.as_ref())))
    }
}
