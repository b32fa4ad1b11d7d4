//! The bulbs of a room, and what the radio does to them.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::bulb::{BulbNetwork, BulbPlace, BulbSpec, BulbView};

/// Time after switching on in which newer bulbs accept touchlink.
const TOUCHLINK_WINDOW: Duration = Duration::from_secs(30 * 60);

/// One bulb.
#[derive(Debug)]
pub(super) struct EmulatedBulb {
    pub(super) eui64: [u8; 8],
    pub(super) serial: String,
    pub(super) place: BulbPlace,
    pub(super) network: BulbNetwork,
    /// The bridge that had it before it was free, which finds it first.
    pub(super) last: Option<usize>,
    /// Since when it has power.
    pub(super) powered: Option<Instant>,
    /// Since when it can be found as it is now.
    pub(super) since: Instant,
    pub(super) is_on: bool,
    /// Brightness and colour, as a bridge set them.
    pub(super) look: Map<String, Value>,
    pub(super) blinked: u32,
}

impl EmulatedBulb {
    /// The name of a bulb in a bridge's list.
    pub(super) fn unique_id(&self) -> String {
        let octets: Vec<String> = self
            .eui64
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect();
        format!("{}-0b", octets.join(":"))
    }

    /// Tells whether a bridge reaches it.
    pub(super) fn is_reachable(&self, bridge: usize) -> bool {
        self.powered.is_some() && self.network == BulbNetwork::Bridge(bridge)
    }

    /// Makes it a bulb as from the shop.
    fn reset(&mut self, now: Instant) {
        if let BulbNetwork::Bridge(bridge) = self.network {
            self.last = Some(bridge);
        }
        self.network = BulbNetwork::None;
        self.since = now;
    }

    fn takes_touchlink(&self, now: Instant) -> bool {
        let is_fresh = |since| now.saturating_duration_since(since) < TOUCHLINK_WINDOW;
        self.place == BulbPlace::Near && self.powered.is_some_and(is_fresh)
    }
}

/// A touchlink procedure that runs.
#[derive(Debug)]
pub(super) struct PendingCapture {
    pub(super) due: Instant,
    pub(super) bridge: usize,
    /// The bulb that answered first.
    pub(super) bulb: Option<usize>,
}

/// All bulbs, the nearest first.
#[derive(Debug)]
pub(super) struct Radio {
    pub(super) bulbs: Vec<EmulatedBulb>,
    pub(super) captures: Vec<PendingCapture>,
}

impl Radio {
    /// Places bulbs that have been powered since `powered`.
    pub(super) fn new(
        bulbs: Vec<(BulbSpec, BulbNetwork)>,
        seed: u64,
        powered: Option<Instant>,
        now: Instant,
    ) -> Self {
        // Another series than that of the unique ids, so that the serial cannot be worked out from one.
        let mut ids = fastrand::Rng::with_seed(seed ^ 0x6875_6501);
        let mut serials = fastrand::Rng::with_seed(seed ^ 0x6875_6502);
        let bulb = |(number, (spec, network)): (u8, (BulbSpec, BulbNetwork))| EmulatedBulb {
            eui64: [0x00, 0x17, 0x88, 0x01, 0x0c, ids.u8(..), ids.u8(..), number],
            serial: format!("{:06X}", serials.u32(0x10_0000..0x100_0000)),
            place: spec.place,
            network,
            last: None,
            powered,
            since: now,
            is_on: true,
            look: look(),
            blinked: 0,
        };
        Self {
            bulbs: (0..=u8::MAX).zip(bulbs).map(bulb).collect(),
            captures: Vec::new(),
        }
    }

    /// Begins touchlink, which captures the nearest bulb of another network.
    ///
    /// Returns that bulb. Nothing happens to it before the time is over.
    pub(super) fn begin_capture(
        &mut self,
        now: Instant,
        bridge: usize,
        takes: Duration,
        fails: bool,
    ) -> Option<usize> {
        // A bridge does one thing at a time.
        let is_busy = self.captures.iter().any(|capture| capture.bridge == bridge);
        let bulb = (!is_busy && !fails)
            .then(|| self.nearest(now, bridge))
            .flatten();
        self.captures.push(PendingCapture {
            due: now + takes,
            bridge,
            bulb,
        });
        bulb
    }

    fn nearest(&self, now: Instant, bridge: usize) -> Option<usize> {
        self.bulbs.iter().position(|bulb| {
            bulb.takes_touchlink(now) && bulb.network != BulbNetwork::Bridge(bridge)
        })
    }

    /// Ends touchlink: the bulb blinks, and belongs to the bridge.
    pub(super) fn end_capture(&mut self, now: Instant, position: usize) {
        let capture = self.captures.swap_remove(position);
        let bulb = capture.bulb.and_then(|index| self.bulbs.get_mut(index));
        // It can have been switched off in the meantime.
        if let Some(bulb) = bulb.filter(|bulb| bulb.powered.is_some()) {
            bulb.network = BulbNetwork::Bridge(capture.bridge);
            bulb.since = now;
            bulb.blinked += 1;
        }
    }

    /// Unbinds a bulb from its bridge. One that is out of reach stays bound to a bridge that has removed it.
    pub(super) fn forget(&mut self, now: Instant, bulb: usize, bridge: usize, is_reset: bool) {
        let Some(bulb) = self.bulbs.get_mut(bulb) else {
            return;
        };
        if bulb.network != BulbNetwork::Bridge(bridge) {
            return;
        }
        if bulb.powered.is_some() && is_reset {
            bulb.reset(now);
        } else {
            bulb.network = BulbNetwork::Lost;
        }
    }

    /// Switches a bulb's mains power. One that comes back is on, as bulbs are.
    pub(super) fn power(&mut self, now: Instant, bulb: usize, is_powered: bool) {
        if let Some(bulb) = self.bulbs.get_mut(bulb) {
            bulb.powered = is_powered.then_some(now);
            bulb.since = now;
            bulb.is_on |= is_powered;
        }
    }

    /// Lets a bulb blink, if its bridge reaches it.
    pub(super) fn blink(&mut self, bulb: usize, bridge: usize) {
        if let Some(bulb) = self.bulbs.get_mut(bulb)
            && bulb.is_reachable(bridge)
        {
            bulb.blinked += 1;
        }
    }

    pub(super) fn views(&self, ids: &[String]) -> Vec<BulbView> {
        let owner = |network: &BulbNetwork| match network {
            BulbNetwork::None => None,
            BulbNetwork::Bridge(index) => ids.get(*index).cloned(),
            BulbNetwork::Foreign(name) => Some(name.clone()),
            BulbNetwork::Lost => Some("lost".to_owned()),
        };
        let view = |bulb: &EmulatedBulb| BulbView {
            unique_id: bulb.unique_id(),
            serial: bulb.serial.clone(),
            model: MODEL,
            place: bulb.place,
            owner: owner(&bulb.network),
            powered: bulb.powered.is_some(),
            on: bulb.powered.is_some() && bulb.is_on,
            blinked: bulb.blinked,
        };
        self.bulbs.iter().map(view).collect()
    }
}

/// Product number of all bulbs: an E27 colour lamp.
pub(super) const MODEL: &str = "LCT007";

fn look() -> Map<String, Value> {
    let look = json!({"bri": 254, "hue": 8418, "sat": 140, "effect": "none", "xy": [0.4573, 0.41], "ct": 366,
        "alert": "none", "colormode": "ct"});
    match look {
        Value::Object(look) => look,
        _ => Map::new(),
    }
}
