//! The one task that listens to all plugs: it probes the whole network at once, passes every reply to its plug, and probes
//! individually those that were not heard.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hiflying::Mac;
use plugs::{Plug, duplicates};
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

use super::state::{RegistryState, now, tell_taken};

/// Interval of the rounds in which plugs that were not heard are probed.
const ROUND_INTERVAL: Duration = Duration::from_millis(250);
/// Maximum number of probes in one round: the replies to more would not fit into the socket.
const MAX_PROBES_PER_ROUND: usize = 100;
/// Maximum number of plugs that are gone and probed in a second, because each probe may be a broadcast of ARP.
const MAX_GONE_PER_SECOND: u32 = 100;
/// Interval of checks for changed networks and ports that have become free.
const RENEW_INTERVAL: Duration = Duration::from_secs(10);
/// Name of the addresses in problems.
const PART: &str = "address";
/// Maximum number of remembered addresses.
const MAX_ADDRESSES: usize = 65_536;

pub(super) struct PresenceScanner {
    inner: Arc<RegistryState>,
    /// The plug that was last heard from each address.
    last_heard: HashMap<Ipv4Addr, Mac>,
    is_blind: bool,
    gone: u32,
}

impl PresenceScanner {
    pub(super) fn new(inner: Arc<RegistryState>) -> Self {
        Self {
            inner,
            last_heard: HashMap::new(),
            is_blind: false,
            gone: 0,
        }
    }

    /// Watches the network until the hub ends.
    pub(super) async fn run(mut self) {
        let cancel = self.inner.cancel.clone();
        cancel.run_until_cancelled(self.watch()).await;
    }

    async fn watch(&mut self) {
        let mut reports = self.inner.lan.reports().await;
        let mut scan = interval(self.inner.scan);
        scan.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut round = interval(ROUND_INTERVAL);
        round.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut renew = interval_at(Instant::now() + RENEW_INTERVAL, RENEW_INTERVAL);
        renew.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                plug = reports.next() => self.sighted(plug),
                _ = scan.tick() => self.scan().await,
                _ = round.tick() => self.ask_the_missed().await,
                _ = renew.tick() => {
                    self.settle_duplicates();
                    if self.renew().await {
                        reports = self.inner.lan.reports().await;
                        scan.reset_immediately();
                    }
                }
            }
        }
    }

    /// Updates the networks; returns whether they have changed.
    async fn renew(&mut self) -> bool {
        let interfaces = match self.inner.interfaces.now() {
            Ok(interfaces) => interfaces,
            Err(error) => {
                tracing::debug!(%error, "the networks stay as they are");
                return false;
            }
        };
        let lan = &self.inner.lan;
        if !lan.renew(&interfaces).await {
            return false;
        }
        tracing::info!(networks = lan.network_count(), "the networks have changed");
        tell_taken(lan);
        true
    }

    async fn scan(&mut self) {
        self.inner.counts.scans.up();
        let reached = self.inner.lan.scan_once().await;
        let is_blind = reached == 0;
        if is_blind && !self.is_blind {
            tracing::warn!("no network can be scanned: no plug can be found until one can");
        }
        self.is_blind = is_blind;
    }

    fn sighted(&mut self, plug: Plug) {
        self.inner.counts.sightings.up();
        if self.last_heard.len() >= MAX_ADDRESSES {
            self.last_heard.clear();
        }
        let before = self.last_heard.insert(plug.address, plug.mac);
        if let Some(other) = before.filter(|other| *other != plug.mac)
            && let Some(entry) = self.inner.entry(other)
        {
            entry.displaced(plug.address);
        }
        match self.inner.entry(plug.mac) {
            Some(entry) => {
                self.inner.note_contact();
                self.watch_for_duplicates(&plug);
                if entry.sighted(now(), &plug, self.inner.timing()) {
                    self.inner.unsaved.notify_one();
                }
            }
            None => self.inner.offer(plug),
        }
    }

    fn watch_for_duplicates(&self, plug: &Plug) {
        let mut heard = self.inner.duplicates.lock();
        if !heard.heard(plug.mac, plug.address, Instant::now().into_std()) {
            return;
        }
        let all = heard.all();
        let addresses = all.into_iter().find(|(mac, _)| *mac == plug.mac);
        let addresses = addresses.map_or_else(Vec::new, |(_, addresses)| addresses);
        let message = duplicates::sentence(&addresses);
        tracing::warn!(plug = %plug.mac, "{message}");
        let bus = &self.inner.bus;
        bus.problem(PART, Some(plug.mac), false, message);
    }

    fn settle_duplicates(&self) {
        let settled = self
            .inner
            .duplicates
            .lock()
            .settle(Instant::now().into_std());
        for mac in settled {
            let message = "replies from one address again".to_owned();
            self.inner.bus.problem(PART, Some(mac), true, message);
        }
    }

    async fn ask_the_missed(&mut self) {
        let (now, timing) = (now(), self.inner.timing());
        let (mut missed, mut gone) = (Vec::new(), 0);
        for entry in self.inner.entries() {
            if let Some(address) = entry.pass(now, timing) {
                missed.push((entry.family, address));
            }
            gone += u32::from(entry.is_gone());
        }
        let load = gone / MAX_GONE_PER_SECOND;
        self.inner.load.store(load, Ordering::Relaxed);
        if gone != self.gone {
            // When it was last heard is kept, too.
            self.inner.unsaved.notify_one();
            self.gone = gone;
        }
        // Where there are too many for one round, chance decides who waits for a later one.
        fastrand::shuffle(&mut missed);
        for (family, address) in missed.into_iter().take(MAX_PROBES_PER_ROUND) {
            self.inner.probe(family, address).await;
        }
    }
}
