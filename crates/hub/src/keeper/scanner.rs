//! The one task that listens to all plugs: it asks the whole network at once, hands every answer to the plug that it is of,
//! and asks those on their own that were not heard.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use hiflying::Mac;
use plugs::Plug;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

use super::Inner;
use super::now;

/// How often those are looked for that were not heard.
const ROUND: Duration = Duration::from_millis(250);
/// No more questions than this in one round: the answers to more would not fit into the socket.
const MOST_IN_A_ROUND: usize = 100;
/// Of plugs that are gone, no more than this are asked in a second, because each question may be a broadcast of ARP.
const GONE_A_SECOND: u32 = 100;
/// How often it is looked whether the networks are still the same, and whether a port that was taken is free.
const RENEW: Duration = Duration::from_secs(10);
/// No more addresses than this are remembered.
const MOST_HOMES: usize = 65_536;

pub(super) struct Scanner {
    inner: Arc<Inner>,
    /// Who was last heard from where.
    homes: HashMap<Ipv4Addr, Mac>,
    is_blind: bool,
    gone: u32,
}

impl Scanner {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        Self {
            inner,
            homes: HashMap::new(),
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
        let mut round = interval(ROUND);
        round.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut renew = interval_at(Instant::now() + RENEW, RENEW);
        renew.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                plug = reports.next() => self.sighted(plug),
                _ = scan.tick() => self.scan().await,
                _ = round.tick() => self.ask_the_missed().await,
                _ = renew.tick() => {
                    if self.renew().await {
                        reports = self.inner.lan.reports().await;
                        scan.reset_immediately();
                    }
                }
            }
        }
    }

    /// Looks at the networks; tells whether they are others now.
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
        super::tell_taken(lan);
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
        if self.homes.len() >= MOST_HOMES {
            self.homes.clear();
        }
        let before = self.homes.insert(plug.address, plug.mac);
        if let Some(other) = before.filter(|other| *other != plug.mac)
            && let Some(slot) = self.inner.slot(other)
        {
            slot.displaced(plug.address);
        }
        match self.inner.slot(plug.mac) {
            Some(slot) => {
                if slot.sighted(now(), &plug, self.inner.patience()) {
                    self.inner.unsaved.notify_one();
                }
            }
            None => self.inner.offer(plug),
        }
    }

    async fn ask_the_missed(&mut self) {
        let (now, patience) = (now(), self.inner.patience());
        let (mut missed, mut gone) = (Vec::new(), 0);
        for slot in self.inner.slots() {
            if let Some(address) = slot.pass(now, patience) {
                missed.push((slot.family, address));
            }
            gone += u32::from(slot.is_gone());
        }
        self.inner.set_load(gone / GONE_A_SECOND);
        if gone != self.gone {
            // When it was last heard is kept, too.
            self.inner.unsaved.notify_one();
            self.gone = gone;
        }
        // Where there are too many for one round, chance decides who waits for a later one.
        fastrand::shuffle(&mut missed);
        for (family, address) in missed.into_iter().take(MOST_IN_A_ROUND) {
            self.inner.probe(family, address).await;
        }
    }
}
