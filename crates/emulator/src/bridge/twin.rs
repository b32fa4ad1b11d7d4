//! One bridge of a room: its applications, its lights, its search.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::behaviour::{BridgeBehaviour, Deviation, Mangle, Replacement};
use super::config::BridgeConfig;
use super::events::EventLog;

/// Validity of a press of the link button.
const PRESS_DURATION: Duration = Duration::from_secs(30);
/// Maximum number of applications; real bridges forget the oldest, too.
const MAX_APPS: usize = 64;
const KEY_LENGTH: usize = 40;

/// One bridge.
#[derive(Debug)]
pub(super) struct BridgeTwin {
    pub(super) config: BridgeConfig,
    pub(super) quirks: BridgeBehaviour,
    /// Number of times that each deviation has occurred.
    used: Vec<u32>,
    pub(super) name: String,
    pub(super) users: BTreeMap<String, RegisteredApp>,
    pressed: Option<Instant>,
    /// It is pressed by itself from then on, for a while or for ever.
    press_due: Option<(Instant, Duration)>,
    pub(super) lights: BTreeMap<u32, ListedLight>,
    next_light: u32,
    pub(super) search: Option<RunningSearch>,
    pub(super) search_ended: Option<Instant>,
    /// The lights that the last search has added.
    pub(super) new: Vec<u32>,
    pub(super) events: EventLog,
    random: fastrand::Rng,
}

/// An application that the bridge knows.
#[derive(Debug, Clone)]
pub(super) struct RegisteredApp {
    pub(super) devicetype: String,
    pub(super) client_key: Option<String>,
    pub(super) created: Instant,
    pub(super) used: Instant,
}

/// One entry in the list of lights.
#[derive(Debug, Clone)]
pub(super) struct ListedLight {
    pub(super) bulb: usize,
    pub(super) name: String,
}

/// A search that runs.
#[derive(Debug)]
pub(super) struct RunningSearch {
    pub(super) began: Instant,
    pub(super) ends: Instant,
    /// The serials that it searches for, and since when.
    pub(super) serials: BTreeMap<String, Instant>,
}

impl BridgeTwin {
    pub(super) fn new(config: BridgeConfig, now: Instant) -> Self {
        let quirks = config.quirks();
        let user = |key: &String| {
            let user = RegisteredApp {
                devicetype: "known from the start".to_owned(),
                client_key: None,
                created: now,
                used: now,
            };
            (key.clone(), user)
        };
        Self {
            used: vec![0; quirks.deviations.len()],
            name: config.name.clone(),
            users: config.keys.iter().map(user).collect(),
            pressed: None,
            press_due: config.press_after.map(|after| {
                let lasts = if after.is_zero() {
                    Duration::MAX
                } else {
                    PRESS_DURATION
                };
                (now + after, lasts)
            }),
            lights: BTreeMap::new(),
            next_light: 1,
            search: None,
            search_ended: None,
            new: Vec::new(),
            events: EventLog::default(),
            random: fastrand::Rng::with_seed(config.seed ^ mac_number(&config)),
            quirks,
            config,
        }
    }

    /// Takes other faults from now on; what was counted is forgotten.
    pub(super) fn replace_faults(&mut self, faults: Vec<super::BridgeFault>) {
        self.config.faults = faults;
        self.quirks = self.config.quirks();
        self.used = vec![0; self.quirks.deviations.len()];
    }

    pub(super) fn press(&mut self, now: Instant) {
        self.pressed = Some(now);
    }

    pub(super) fn is_pressed(&self, now: Instant) -> bool {
        let within = |since: Instant, lasts: Duration| {
            now.checked_duration_since(since)
                .is_some_and(|ago| ago < lasts)
        };
        self.pressed
            .is_some_and(|since| within(since, PRESS_DURATION))
            || self
                .press_due
                .is_some_and(|(since, lasts)| within(since, lasts))
    }

    /// Makes a key for an application.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        devicetype: &str,
        wants_client_key: bool,
    ) -> (String, Option<String>) {
        let key: String = (0..KEY_LENGTH)
            .map(|_| self.random.alphanumeric())
            .collect();
        let client_key = wants_client_key.then(|| format!("{:032X}", self.random.u128(..)));
        if self.users.len() >= MAX_APPS {
            let oldest = self.users.iter().min_by_key(|(_, user)| user.used);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.users.remove(&oldest);
            }
        }
        let user = RegisteredApp {
            devicetype: devicetype.to_owned(),
            client_key: client_key.clone(),
            created: now,
            used: now,
        };
        self.users.insert(key.clone(), user);
        (key, client_key)
    }

    /// Tells whether an application is known, and notes its use.
    pub(super) fn knows(&mut self, now: Instant, key: &str) -> bool {
        let user = self.users.get_mut(key);
        user.map(|user| user.used = now).is_some()
    }

    /// Returns the maximum number of lights.
    pub(super) fn capacity(&self) -> usize {
        self.quirks.capacity.unwrap_or(63)
    }

    pub(super) fn is_full(&self) -> bool {
        self.lights.len() >= self.capacity()
    }

    pub(super) fn lists(&self, bulb: usize) -> bool {
        self.lights.values().any(|light| light.bulb == bulb)
    }

    /// Puts a bulb into the list, under a number that was never used.
    pub(super) fn list(&mut self, bulb: usize) -> u32 {
        let id = self.next_light;
        self.next_light += 1;
        let name = format!("Hue color lamp {id}");
        self.lights.insert(id, ListedLight { bulb, name });
        id
    }

    /// Opens the network, or keeps it open for longer.
    pub(super) fn begin_search(&mut self, now: Instant, serials: Vec<String>) {
        let ends = now + self.quirks.search.time.0;
        if self.search.is_none() {
            self.new.clear();
        }
        let search = self.search.get_or_insert_with(|| RunningSearch {
            began: now,
            ends,
            serials: BTreeMap::new(),
        });
        search.ends = ends;
        search
            .serials
            .extend(serials.into_iter().map(|serial| (serial, now)));
    }

    /// Time from the call of a bulb to its entry in the list.
    pub(super) fn joining(&self) -> Duration {
        let search = &self.quirks.search;
        if search.late {
            search.time.0 * 7 / 8
        } else {
            search.time.0 / 8
        }
    }

    /// Returns and counts the faults of one call: a replacement of its reply, and the ways to spoil it.
    pub(super) fn deviations(
        &mut self,
        method: &str,
        resource: &str,
        is_open: bool,
    ) -> (Option<Replacement>, Vec<Mangle>) {
        let (mut instead, mut mangles) = (None, Vec::new());
        for (Deviation { scope, what }, used) in self.quirks.deviations.iter().zip(&mut self.used) {
            let is_spent = scope.times.is_some_and(|times| *used >= times);
            // What needs no key is not refused by the way.
            let is_exempt =
                is_open && scope.resource.is_none() && matches!(what, Replacement::Error(_));
            if is_spent || is_exempt || !scope.covers(method, resource) {
                continue;
            }
            match what {
                Replacement::Mangled(mangle) => mangles.push(*mangle),
                _ if instead.is_some() => continue,
                what => instead = Some(what.clone()),
            }
            *used += 1;
        }
        (instead, mangles)
    }
}

fn mac_number(config: &BridgeConfig) -> u64 {
    let [a, b, c, d, e, f] = config.mac.octets();
    u64::from_be_bytes([0, 0, a, b, c, d, e, f]).rotate_left(20)
}
