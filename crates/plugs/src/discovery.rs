//! Search for all plugs, without sockets and without a clock.
//!
//! Datagrams get lost, in both directions, and broadcasts over Wi-Fi more than others. So probes go out in rounds, and the rounds
//! stop when, according to the replies so far, the expected number of unheard plugs is below one in a thousand: at once on a quiet
//! network, later on a lossy one (see `discovery/estimate.rs`). Rounds follow each other as fast as plugs reply (see
//! `discovery/pacing.rs`). Each family has rounds of its own, because a plug may reply only to its own probes.
//!
//! Addresses where a plug is known to have been are also probed directly, until they reply.
//!
//! Drive it like this: after [`Discovery::new`] and after each `handle_*` call take all of
//! [`Discovery::poll_transmit`] and [`Discovery::poll_event`]; then wait for a datagram or
//! [`Discovery::poll_timeout`]. After [`DiscoverEvent::Done`] nothing more comes.

mod census;
mod device;
mod estimate;
mod output;
mod pacing;
mod plan;

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use hiflying::Mac;
use jiff::Timestamp;

use crate::family::{Families, Family, Probe};
use crate::{Capability, Plug};
use device::HeardDevice;
use pacing::{RoundPacing, SearchPhase};

pub use output::{DiscoverEvent, DiscoverySummary, DiscoveryTransmit};
pub use plan::{SearchLink, SearchPlan};

/// Maximum duration of a search, unless configured otherwise.
pub const SEARCH_TIMEOUT: Duration = Duration::from_secs(6);
/// Maximum duration of a search without any reply: time for twenty rounds.
pub const SILENT_SEARCH_TIMEOUT: Duration = Duration::from_secs(4);

/// The expected number of unheard plugs below which the search stops.
const MAX_UNHEARD: f64 = 1e-3;
/// Delay between the probes of different families, so that they do not go out in one burst.
const FAMILY_DELAY: Duration = Duration::from_millis(20);
/// Delay before a device that replied only as a module is reported: a plug replies as a module too, and its reply as a plug may
/// have been lost several times. The delay ends at the latest when all plugs have been found.
const MODULE_DELAY: Duration = Duration::from_secs(1);
/// Interval of rounds when the search seems complete, but fewer plugs than expected were found.
const EXPECTING_INTERVAL: Duration = Duration::from_millis(250);
/// Interval of rounds of a continuous discovery.
const WATCHING_INTERVAL: Duration = Duration::from_secs(1);
/// Time without a reply after which a continuous discovery also probes a device at its address.
const DOUBT_DELAY: Duration = Duration::from_secs(4);
/// Time without a reply after which a continuous discovery reports that a device no longer replies: with four of ten datagrams lost
/// each way, fewer than one in a thousand present devices stays silent for so many rounds.
const LOST_TIMEOUT: Duration = Duration::from_secs(15);
/// Maximum number of devices, which bounds memory; more are not on one network, but forged.
const MAX_DEVICES: usize = 16_384;

/// A discovery in progress; see the module's page for how to drive it.
#[derive(Debug)]
pub struct Discovery {
    plan: SearchPlan,
    families: Families,
    rounds: Vec<FamilyRounds>,
    devices: HashMap<Mac, HeardDevice>,
    /// The direct addresses that have replied, with the index of the family whose probes they replied to.
    answered: HashSet<(Ipv4Addr, usize)>,
    direct: HashSet<Ipv4Addr>,
    /// Devices whose report is delayed.
    held: VecDeque<(Instant, Mac)>,
    told: usize,
    transmits: VecDeque<DiscoveryTransmit>,
    events: VecDeque<DiscoverEvent>,
    probes_sent: u32,
    start: Instant,
    wall: Timestamp,
    is_done: bool,
}

/// The rounds of one family's probes.
#[derive(Debug)]
struct FamilyRounds {
    family: &'static dyn Family,
    /// The probes of a round; none for plugs that connect to us.
    probes: Vec<Probe>,
    /// Number of rounds that were sent.
    sent: u32,
    /// Time of the latest round.
    latest: Instant,
    /// Time of the first round.
    first: Instant,
    /// Time of the next round; `None` once this family's plugs have all been heard, and for a family that is not probed.
    next: Option<Instant>,
    pace: RoundPacing,
    /// The expected number of plugs of this family that were not heard.
    unheard: f64,
}

impl Discovery {
    /// Begins at `now`, which is `wall` as the time of day.
    pub fn new(families: Families, plan: SearchPlan, now: Instant, wall: Timestamp) -> Self {
        let rounds = families
            .iter()
            .zip(0..)
            .map(|(family, index)| {
                let probes = family.probes(&plan.words);
                let is_probed = !probes.is_empty();
                FamilyRounds {
                    family,
                    probes,
                    sent: 0,
                    latest: now,
                    first: now,
                    next: is_probed.then(|| now + FAMILY_DELAY * index),
                    pace: RoundPacing::default(),
                    unheard: if is_probed { f64::INFINITY } else { 0.0 },
                }
            })
            .collect();
        let mut discovery = Self {
            direct: plan.direct.iter().map(|&(_, address)| address).collect(),
            plan,
            families,
            rounds,
            devices: HashMap::new(),
            answered: HashSet::new(),
            held: VecDeque::new(),
            told: 0,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            probes_sent: 0,
            start: now,
            wall,
            is_done: false,
        };
        discovery.handle_timeout(now);
        discovery
    }

    /// Processes a datagram that arrived at our `local_port` from `from`.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        local_port: u16,
        from: SocketAddrV4,
        bytes: &[u8],
    ) {
        let from = *from.ip();
        if self.is_done || self.plan.links.iter().any(|link| link.address == from) {
            return;
        }
        let seen = self.wall_time(now);
        let heard = self.rounds.iter().enumerate().find_map(|(index, rounds)| {
            let is_ours = rounds.family.local_port() == local_port;
            let plug = is_ours.then(|| rounds.family.parse_report(from, bytes, seen))??;
            Some((index, plug))
        });
        if let Some((index, plug)) = heard {
            self.hear(now, index, plug);
        }
    }

    /// Processes a report that came over a connection of the plug's own.
    pub fn handle_report(&mut self, now: Instant, plug: Plug) {
        let mut families = self.rounds.iter().map(|rounds| rounds.family.id());
        if let Some(index) = families
            .position(|id| id == plug.family)
            .filter(|_| !self.is_done)
        {
            self.hear(now, index, plug);
        }
    }

    fn hear(&mut self, now: Instant, index: usize, plug: Plug) {
        let (mac, address) = (plug.mac, plug.address);
        if self.direct.contains(&address) {
            self.answered.insert((address, index));
        }
        let is_new = !self.devices.contains_key(&mac);
        if is_new {
            if self.devices.len() >= MAX_DEVICES {
                return;
            }
            let device = HeardDevice::new(plug.clone(), self.rounds.len(), now);
            self.devices.insert(mac, device);
            self.resume(now);
        }
        self.count(now, index, mac);
        if let Some(device) = self.devices.get_mut(&mac) {
            device.merge(plug);
            device.heard = now;
        }
        self.tell(now, mac);
    }

    /// Reports the devices that have not replied for long.
    fn miss(&mut self, now: Instant) {
        for device in self.devices.values_mut() {
            let is_silent = device.heard + LOST_TIMEOUT <= now;
            if is_silent && device.told.is_some() && !device.is_lost {
                device.is_lost = true;
                self.events
                    .push_back(DiscoverEvent::Lost(device.plug.clone()));
            }
        }
    }

    /// Resumes families that had ended, because another plug changes the estimate.
    fn resume(&mut self, now: Instant) {
        let only = self.devices.len() == 1;
        for rounds in &mut self.rounds {
            if rounds.next.is_none() && !rounds.probes.is_empty() {
                rounds.next = Some(now + FAMILY_DELAY);
            }
            if only && rounds.sent > 1 {
                rounds.pace.note_slow_start(now - rounds.first);
            }
        }
    }

    fn count(&mut self, now: Instant, index: usize, mac: Mac) {
        let (Some(rounds), Some(device)) = (self.rounds.get_mut(index), self.devices.get_mut(&mac))
        else {
            return;
        };
        if device.count(index, rounds.sent) {
            rounds.pace.note_answer(now - rounds.latest);
        }
    }

    /// Reports new information about a device, unless it should be delayed.
    fn tell(&mut self, now: Instant, mac: Mac) {
        let Some(device) = self.devices.get_mut(&mac) else {
            return;
        };
        if !device.has_news() {
            return;
        }
        let plug = device.plug.clone();
        device.is_lost = false;
        if device.told.is_some() {
            device.told = Some(plug.clone());
            self.events.push_back(DiscoverEvent::Updated(plug));
            return;
        }
        let until = device.since + MODULE_DELAY;
        if now < until && !self.families.can(plug.family, Capability::Switch) {
            if device.since == now {
                self.held.push_back((until, mac));
            }
            return;
        }
        device.told = Some(plug.clone());
        self.told += 1;
        self.events.push_back(DiscoverEvent::Found(plug));
        if self
            .plan
            .expect
            .is_some_and(|expected| self.told >= expected)
            && !self.plan.watch
        {
            self.finish(now);
        }
    }

    /// Advances the time.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.is_done {
            return;
        }
        while let Some(&(until, mac)) = self.held.front().filter(|(until, _)| *until <= now) {
            self.held.pop_front();
            self.tell(now.max(until), mac);
        }
        for index in 0..self.rounds.len() {
            let is_due = self.rounds.get(index).and_then(|rounds| rounds.next);
            if is_due.is_some_and(|next| next <= now) {
                self.next_round(now, index);
            }
        }
        let is_over = self.end().is_some_and(|end| end <= now);
        let mut probed = self
            .rounds
            .iter()
            .filter(|rounds| !rounds.probes.is_empty());
        let is_complete = match probed.next() {
            Some(first) => first.next.is_none() && probed.all(|rounds| rounds.next.is_none()),
            None => false,
        };
        if is_over || is_complete {
            self.finish(now);
        }
    }

    /// Ends the round of one family, and begins another if it is worthwhile.
    fn next_round(&mut self, now: Instant, index: usize) {
        // A discovery that watches does not look for more with haste for ever: what leaves the network later is no loss.
        let settled = self
            .start
            .checked_add(self.plan.wait.unwrap_or(SEARCH_TIMEOUT));
        let is_settled = self.plan.watch && settled.is_some_and(|settled| settled <= now);
        let unheard = if is_settled { 0.0 } else { self.unheard(index) };
        let share = MAX_UNHEARD / self.rounds.len() as f64;
        let must_go_on = self.plan.watch || self.plan.expect.is_some();
        let is_enough = unheard < share;
        if let Some(rounds) = self.rounds.get_mut(index) {
            rounds.unheard = unheard;
            if is_enough && !must_go_on {
                rounds.next = None;
                return;
            }
        }
        if self.rounds.iter().all(|rounds| rounds.unheard < share) {
            self.release(now);
        }
        if self.plan.watch {
            self.miss(now);
        }
        self.send(now, index);
        let mood = if self.devices.is_empty() && !self.plan.watch {
            SearchPhase::Unheard
        } else if is_enough && self.plan.watch {
            SearchPhase::Resting(WATCHING_INTERVAL)
        } else if is_enough {
            SearchPhase::Resting(EXPECTING_INTERVAL)
        } else {
            SearchPhase::Curious
        };
        if let Some(rounds) = self.rounds.get_mut(index) {
            rounds.next = Some(now + rounds.pace.next_gap(rounds.sent, mood));
        }
    }

    /// Sends one round of one family's probes: broadcast on each link, and directly where a reply is missing.
    fn send(&mut self, now: Instant, index: usize) {
        let Some(rounds) = self.rounds.get_mut(index) else {
            return;
        };
        rounds.sent += 1;
        rounds.latest = now;
        if rounds.sent == 1 {
            rounds.first = now;
        }
        let (probes, local_port) = (rounds.probes.clone(), rounds.family.local_port());
        let targets = self.targets(now, index);
        for probe in probes {
            for &(link, address) in &targets {
                self.probes_sent = self.probes_sent.saturating_add(1);
                self.transmits.push_back(DiscoveryTransmit {
                    link,
                    local_port,
                    to: SocketAddrV4::new(address, probe.port),
                    bytes: probe.bytes.clone(),
                });
            }
        }
    }

    fn targets(&self, now: Instant, index: usize) -> Vec<(usize, Ipv4Addr)> {
        let links = self.plan.links.iter().enumerate();
        let mut targets: Vec<(usize, Ipv4Addr)> = links
            .filter_map(|(link, network)| Some((link, network.broadcast?)))
            .collect();
        let direct = self.plan.direct.iter().copied();
        let wanted = direct.filter(|&(_, address)| self.wants_direct(index, address));
        targets.extend(wanted);
        if self.plan.watch {
            targets.extend(self.doubtful(now, index));
        }
        let mut unique = HashSet::new();
        targets.retain(|target| unique.insert(*target));
        targets
    }

    /// Returns the addresses of devices that have replied to this family's probes, and not for a while: a network can lose
    /// broadcasts for longer than datagrams to one device.
    fn doubtful(&self, now: Instant, index: usize) -> impl Iterator<Item = (usize, Ipv4Addr)> {
        let devices = self.devices.values();
        let silent = devices.filter(move |device| {
            !device.is_lost
                && device.heard + DOUBT_DELAY <= now
                && device.first_round(index).is_some()
        });
        silent.filter_map(|device| {
            let address = device.plug.address;
            let link = self.plan.links.iter().position(|link| link.covers(address));
            Some((link?, address))
        })
    }

    /// Returns whether this round goes to `address` directly.
    ///
    /// It does not if a broadcast reaches the address and it has replied. A plug need not be probed as a module, so the discovery
    /// words wait for a round.
    fn wants_direct(&self, index: usize, address: Ipv4Addr) -> bool {
        let has_answered = |index: usize| self.answered.contains(&(address, index));
        let is_covered = self.plan.links.iter().any(|link| link.covers(address));
        let Some(rounds) = self.rounds.get(index) else {
            return false;
        };
        if !rounds.family.capabilities().contains(&Capability::Switch) {
            let is_plug = (0..self.rounds.len()).any(|other| other != index && has_answered(other));
            return rounds.sent > 1 && !is_plug && !(is_covered && has_answered(index));
        }
        !(is_covered && has_answered(index))
    }

    fn finish(&mut self, now: Instant) {
        if self.is_done {
            return;
        }
        self.is_done = true;
        self.release(now);
        self.transmits.clear();
        let unheard = self.rounds.iter().map(|rounds| rounds.unheard).sum();
        self.events.push_back(DiscoverEvent::Done(DiscoverySummary {
            probes_sent: self.probes_sent,
            unheard: Some(unheard).filter(|unheard: &f64| unheard.is_finite()),
        }));
    }

    /// Reports the delayed devices.
    fn release(&mut self, now: Instant) {
        for (until, mac) in std::mem::take(&mut self.held) {
            self.tell(now.max(until), mac);
        }
    }

    /// Returns the latest end of the discovery.
    fn end(&self) -> Option<Instant> {
        if self.plan.watch {
            return None;
        }
        let usual = if self.devices.is_empty() && self.plan.expect.is_none() {
            SILENT_SEARCH_TIMEOUT
        } else {
            SEARCH_TIMEOUT
        };
        self.start.checked_add(self.plan.wait.unwrap_or(usual))
    }

    fn wall_time(&self, now: Instant) -> Timestamp {
        self.wall.checked_add(now - self.start).unwrap_or(self.wall)
    }

    /// Returns the next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<DiscoveryTransmit> {
        self.transmits.pop_front()
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<DiscoverEvent> {
        self.events.pop_front()
    }

    /// Returns the time for [`Discovery::handle_timeout`]; `None` when the discovery is over.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.is_done {
            return None;
        }
        let rounds = self.rounds.iter().filter_map(|rounds| rounds.next);
        let held = self.held.front().map(|&(until, _)| until);
        rounds.chain(held).chain(self.end()).min()
    }
}
