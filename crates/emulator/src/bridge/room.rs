//! Bridges and bulbs that share one radio, and the events of time.

mod request;

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::behaviour::BridgeBehaviour;
use super::bulb::{BulbNetwork, BulbSpec, BulbView};
use super::clock::RoomClock;
use super::config::{BridgeConfig, RoomError};
use super::fault::BridgeFault;
use super::radio::{EmulatedBulb, Radio};
use super::resources;
use super::touchlink::TouchlinkScript;
use super::twin::BridgeTwin;

/// Bridges and bulbs that share one radio. Every method takes the time, and first does what was due until then.
///
/// ```
/// use std::time::{Duration, Instant};
/// use emulator::bridge::{BridgeConfig, TwinModel, RoomRequest, Room};
///
/// let now = Instant::now();
/// let bridge = BridgeConfig::new(TwinModel::Square, [127, 0, 0, 30].into());
/// let mut room = Room::new(now, jiff::Timestamp::now(), vec![bridge], &["near".parse()?])?;
/// let ask = RoomRequest { method: "POST", path: "/api", key: None, body: br#"{"devicetype":"a#b"}"#, is_secure: false };
/// let answer = room.request(now, 0, &ask);
/// assert_eq!(answer.body, br#"[{"error":{"type":101,"address":"","description":"link button not pressed"}}]"#);
/// room.press(now, 0);
/// assert!(room.request(now, 0, &ask).body.starts_with(br#"[{"success":{"username":""#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Room {
    clock: RoomClock,
    bridges: Vec<BridgeTwin>,
    radio: Radio,
}

/// An event of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum RoomEvent {
    /// The touchlink procedure at this position ends.
    Capture(usize),
    /// A bulb joins a bridge; the bridge that had it before finds it first.
    Join {
        is_stranger: bool,
        bridge: usize,
        bulb: usize,
    },
    /// A bridge's search ends.
    SearchEnd(usize),
}

impl Room {
    /// Makes a room at a time, which is `wall` on the clock.
    ///
    /// # Errors
    ///
    /// [`RoomError`] when a bulb belongs to a bridge that there is not.
    pub fn new(
        now: Instant,
        wall: Timestamp,
        bridges: Vec<BridgeConfig>,
        bulbs: &[BulbSpec],
    ) -> Result<Self, RoomError> {
        let owned: Result<Vec<_>, _> = bulbs
            .iter()
            .map(|bulb| Ok((bulb.clone(), bulb.network(&bridges)?)))
            .collect();
        let seed = bridges.first().map_or(0, |bridge| bridge.seed);
        let mut bridges: Vec<BridgeTwin> = bridges
            .into_iter()
            .map(|config| BridgeTwin::new(config, now))
            .collect();
        let powered = powered_since(bridges.iter().map(|bridge| &bridge.quirks), now);
        let radio = Radio::new(owned?, seed, powered, now);
        for (index, bulb) in radio.bulbs.iter().enumerate() {
            if let BulbNetwork::Bridge(owner) = bulb.network
                && let Some(bridge) = bridges.get_mut(owner)
            {
                bridge.list(index);
            }
        }
        Ok(Self {
            clock: RoomClock::new(now, wall),
            bridges,
            radio,
        })
    }

    /// Returns the configuration of each bridge.
    pub fn bridges(&self) -> impl ExactSizeIterator<Item = &BridgeConfig> {
        self.bridges.iter().map(|bridge| &bridge.config)
    }

    /// Notes the ports that a bridge has got, where any free one would do.
    pub(super) fn set_ports(&mut self, bridge: usize, taken: [Option<SocketAddrV4>; 3]) {
        if let Some(bridge) = self.bridges.get_mut(bridge) {
            bridge.config.set_ports(taken);
        }
    }

    /// Returns every secret of a bridge, to be kept out of records.
    pub(crate) fn secrets(&self, bridge: usize) -> Vec<String> {
        let users = self.bridges.get(bridge).map(|bridge| &bridge.users);
        let pair = |(key, user): (&String, &super::twin::RegisteredApp)| {
            std::iter::once(key.clone())
                .chain(user.client_key.clone())
                .collect::<Vec<_>>()
        };
        users.into_iter().flatten().flat_map(pair).collect()
    }

    /// Returns the state of each bulb at a time.
    pub fn bulbs(&mut self, now: Instant) -> Vec<BulbView> {
        self.advance(now);
        let ids: Vec<String> = self.bridges().map(BridgeConfig::bridge_id).collect();
        self.radio.views(&ids)
    }

    /// Presses a bridge's link button, which counts for 30 s.
    pub fn press(&mut self, now: Instant, bridge: usize) {
        self.advance(now);
        if let Some(bridge) = self.bridges.get_mut(bridge) {
            bridge.press(now);
        }
    }

    /// Gives a bulb mains power, or takes it away.
    pub fn power(&mut self, now: Instant, bulb: usize, is_powered: bool) {
        self.advance(now);
        self.radio.power(now, bulb, is_powered);
    }

    /// Replaces the faults of a bridge. Those of its ports and certificate count from its start only.
    pub fn replace_faults(&mut self, now: Instant, bridge: usize, faults: Vec<BridgeFault>) {
        self.advance(now);
        if let Some(bridge) = self.bridges.get_mut(bridge) {
            bridge.replace_faults(faults);
        }
    }

    /// Removes every application of a bridge.
    pub fn revoke_keys(&mut self, now: Instant, bridge: usize) {
        self.advance(now);
        if let Some(bridge) = self.bridges.get_mut(bridge) {
            bridge.users.clear();
        }
    }

    /// Begins touchlink by TCP port 30000; returns the reply with its delays.
    pub(super) fn touchlink(&mut self, now: Instant, bridge: usize) -> TouchlinkScript {
        self.advance(now);
        let Some(twin) = self.bridges.get(bridge) else {
            return TouchlinkScript::default();
        };
        let rules = &twin.quirks.touchlink;
        let fails = rules.fails || rules.word.is_some();
        let captured = self.radio.begin_capture(now, bridge, rules.time.0, fails);
        TouchlinkScript::new(rules, captured.is_some())
    }

    /// Does everything that was due until now, in its order.
    pub fn advance(&mut self, now: Instant) {
        while let Some((due, event)) = self.next_event()
            && due <= now
        {
            self.happen(due, event);
        }
    }

    /// When something happens by itself next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next_event().map(|(due, _)| due)
    }

    fn next_event(&self) -> Option<(Instant, RoomEvent)> {
        let captures = self.radio.captures.iter().enumerate();
        let captures =
            captures.map(|(position, capture)| (capture.due, RoomEvent::Capture(position)));
        let ends = self
            .bridges
            .iter()
            .enumerate()
            .filter_map(|(index, bridge)| {
                let search = bridge
                    .search
                    .as_ref()
                    .filter(|_| !bridge.quirks.search.endless)?;
                Some((search.ends, RoomEvent::SearchEnd(index)))
            });
        captures.chain(ends).chain(self.joins()).min()
    }

    /// Every bulb that would be found by a search that runs.
    fn joins(&self) -> impl Iterator<Item = (Instant, RoomEvent)> {
        self.bridges
            .iter()
            .enumerate()
            .flat_map(move |(bridge, twin)| {
                let bulbs = self.radio.bulbs.iter().enumerate();
                bulbs.filter_map(move |(index, bulb)| {
                    let due = join_due(twin, bridge, index, bulb)?;
                    let event = RoomEvent::Join {
                        is_stranger: bulb.last != Some(bridge),
                        bridge,
                        bulb: index,
                    };
                    Some((due, event))
                })
            })
    }

    fn happen(&mut self, due: Instant, event: RoomEvent) {
        match event {
            RoomEvent::Capture(position) => self.radio.end_capture(due, position),
            RoomEvent::SearchEnd(index) => {
                if let Some(bridge) = self.bridges.get_mut(index) {
                    bridge.search = None;
                    bridge.search_ended = Some(due);
                }
            }
            RoomEvent::Join { bridge, bulb, .. } => self.join(due, bridge, bulb),
        }
    }

    fn join(&mut self, due: Instant, bridge: usize, index: usize) {
        let (Some(twin), Some(bulb)) = (
            self.bridges.get_mut(bridge),
            self.radio.bulbs.get_mut(index),
        ) else {
            return;
        };
        bulb.network = BulbNetwork::Bridge(bridge);
        bulb.since = due;
        if twin.lists(index) {
            return;
        }
        let id = twin.list(index);
        if !twin.quirks.search.unlisted {
            twin.new.push(id);
        }
        let added = resources::of_light(twin, &self.radio, bridge, id);
        twin.events.push("add", &added, &self.clock.text(due));
    }

    /// Returns the number of a bridge's events so far, and those after the first `seen`.
    pub(super) fn events(
        &mut self,
        now: Instant,
        bridge: usize,
        seen: Option<u64>,
    ) -> (u64, String) {
        self.advance(now);
        match (self.bridges.get(bridge), seen) {
            (Some(twin), Some(seen)) => twin.events.after(seen),
            (Some(twin), None) => (twin.events.count(), String::new()),
            (None, _) => (0, String::new()),
        }
    }
}

/// The faults about bulbs are those of the room, whichever bridge they were given for.
fn powered_since<'a>(
    quirks: impl Iterator<Item = &'a BridgeBehaviour>,
    now: Instant,
) -> Option<Instant> {
    let (mut powered_for, mut is_powered) = (Duration::ZERO, true);
    for quirks in quirks {
        powered_for = powered_for.max(quirks.powered_for);
        is_powered &= !quirks.unpowered;
    }
    // A machine that started a moment ago has no earlier time.
    is_powered.then(|| now.checked_sub(powered_for).unwrap_or(now))
}

/// When a bridge that searches finds a bulb, if it does.
fn join_due(
    twin: &BridgeTwin,
    bridge: usize,
    index: usize,
    bulb: &EmulatedBulb,
) -> Option<Instant> {
    let search = twin.search.as_ref()?;
    let called = search.serials.get(&bulb.serial);
    let is_own = bulb.network == BulbNetwork::Bridge(bridge);
    let began = match bulb.network {
        _ if is_own && twin.lists(index) => return None,
        BulbNetwork::None => search.began,
        BulbNetwork::Bridge(owner) if owner == bridge => search.began,
        // Called by its serial, a bulb leaves whatever network it is in.
        _ => *called?,
    };
    if bulb.powered.is_none() || twin.quirks.search.finds_nothing || twin.is_full() {
        return None;
    }
    let due = began.max(bulb.since) + twin.joining();
    (due < search.ends || twin.quirks.search.endless).then_some(due)
}
