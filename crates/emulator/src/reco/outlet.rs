//! The outlet: relay, timers, and the meter that counts energy.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::config::PlugConfig;
use crate::load::{Load, MainsMoment};
use crate::reco::behaviour::RecoBehaviour;

#[derive(Debug)]
pub(super) struct Outlet {
    on: bool,
    /// Due time and new position of a relay that moves slowly.
    moving: Option<(Instant, bool)>,
    /// Due time and new position for each socket number.
    timers: BTreeMap<u32, (Instant, bool)>,
    load: Load,
    /// Time of the load at the start.
    load_time: Duration,
    /// The plug is in a socket.
    is_powered: bool,
    /// The current flows in either position of the relay.
    welded: bool,
    home_seed: u64,
    seed: u64,
    started: Instant,
    counted: Instant,
    energy_wh: f64,
    next_reset: Option<Instant>,
}

/// Power below which the meter reads 0: a published reading has 0.03 A and 0 W.
const MIN_METERED_WATTS: f64 = 1.0;
/// Step of the energy sum; longer when a twin was not called for long.
const STEP: Duration = Duration::from_secs(1);
const MAX_STEPS: u32 = 20_000;

impl Outlet {
    pub(super) fn new(
        config: &PlugConfig,
        behaviour: &RecoBehaviour,
        seed: u64,
        now: Instant,
    ) -> Self {
        Self {
            on: config.relay_on,
            moving: None,
            timers: BTreeMap::new(),
            load: config.load,
            load_time: config.load_time,
            is_powered: true,
            welded: behaviour.relay.welded,
            home_seed: config.seed,
            seed,
            started: now,
            counted: now,
            energy_wh: config.energy_wh as f64,
            next_reset: behaviour.meter.resets_every.map(|every| now + every),
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.on
    }

    /// Switches, as far as the faults of the relay permit, and cancels the timer of the socket.
    pub(super) fn switch(
        &mut self,
        now: Instant,
        socket: u32,
        on: bool,
        behaviour: &RecoBehaviour,
        random: &mut fastrand::Rng,
    ) {
        self.timers.remove(&socket);
        self.turn(now, on, behaviour, random.f64());
    }

    fn turn(&mut self, now: Instant, on: bool, behaviour: &RecoBehaviour, chance: f64) {
        let relay = &behaviour.relay;
        if relay.stuck || chance < relay.lying {
            return;
        }
        if relay.slow.is_zero() {
            self.count(now);
            self.on = on;
        } else {
            self.moving = Some((now + relay.slow, on));
        }
    }

    /// One pending timer for each socket; the next one replaces it.
    pub(super) fn delay(&mut self, due: Instant, socket: u32, on: bool) {
        self.timers.insert(socket, (due, on));
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        let timers = self.timers.values().map(|(due, _)| *due);
        let moving = self.moving.map(|(due, _)| due);
        timers.chain(moving).chain(self.next_reset).min()
    }

    /// Performs everything that is due, in the order in which it was due.
    pub(super) fn advance(&mut self, now: Instant, behaviour: &RecoBehaviour) {
        while let Some(due) = self.timeout().filter(|due| *due <= now) {
            self.count(due);
            if let Some((_, on)) = self.moving.take_if(|(at, _)| *at <= due) {
                self.on = on;
            }
            let fired = self.timers.iter().find(|(_, (at, _))| *at <= due);
            if let Some((&socket, &(_, on))) = fired {
                self.timers.remove(&socket);
                self.turn(due, on, behaviour, 1.0);
            }
            if self.next_reset.is_some_and(|at| at <= due) {
                self.energy_wh = 0.0;
                let every = behaviour
                    .meter
                    .resets_every
                    .filter(|every| !every.is_zero());
                self.next_reset = every.map(|every| due + every);
            }
        }
        self.count(now);
    }

    /// Drops the timers at a restart; relay and counter are kept unless a fault resets them.
    pub(super) fn restart(&mut self, behaviour: &RecoBehaviour) {
        self.timers.clear();
        self.moving = None;
        if behaviour.relay.falls_on_restart {
            self.on = false;
        }
        if behaviour.meter.resets_on_restart {
            self.energy_wh = 0.0;
        }
    }

    /// Pulls the plug out of its socket, or puts it back.
    pub(super) fn power(&mut self, now: Instant, is_powered: bool) {
        self.count(now);
        self.is_powered = is_powered;
    }

    fn is_closed(&self) -> bool {
        self.is_powered && (self.welded || self.on)
    }

    fn moment(&self, at: Instant) -> MainsMoment {
        let time = self.load_time + (at - self.started);
        self.load
            .moment(self.home_seed, self.seed, time, self.is_closed())
    }

    fn count(&mut self, now: Instant) {
        let gap = now.saturating_duration_since(self.counted);
        if !self.is_closed() {
            self.counted = self.counted.max(now);
            return;
        }
        let step = STEP.max(gap / MAX_STEPS);
        while self.counted < now {
            let width = step.min(now - self.counted);
            let time = self.load_time + (self.counted + width / 2 - self.started);
            let watts = metered(self.load.watts(self.seed, time));
            self.energy_wh += watts * width.as_secs_f64() / 3600.0;
            self.counted += width;
        }
    }

    /// Returns the values of `AT+YZOUT`, in its units.
    pub(super) fn reading(
        &self,
        now: Instant,
        behaviour: &RecoBehaviour,
        random: &mut fastrand::Rng,
    ) -> String {
        let meter = &behaviour.meter;
        let moment = self.moment(now);
        let spike = if random.f64() < meter.spike {
            1000.0
        } else {
            1.0
        };
        let current = count(moment.current * 100.0 * spike);
        let power = match meter {
            _ if meter.odd_field => "-1".to_owned(),
            _ if meter.empty_power => String::new(),
            _ if meter.zero_power => "0".to_owned(),
            _ => count(metered(moment.power) * 10.0 * spike),
        };
        let energy = count(self.energy_wh.floor() + if spike > 1.0 { 1e7 } else { 0.0 });
        let (voltage, frequency) = (
            count(moment.voltage * 100.0),
            count(moment.frequency * 100.0),
        );
        let mut fields = vec![
            current,
            voltage,
            frequency,
            power,
            "0".to_owned(),
            energy,
            "0".to_owned(),
        ];
        if meter.six_fields {
            fields.truncate(6);
        }
        if meter.nine_fields {
            fields.extend(["0".to_owned(), "0".to_owned()]);
        }
        if meter.empty {
            fields.iter_mut().for_each(String::clear);
        }
        fields.join(",")
    }
}

fn metered(watts: f64) -> f64 {
    if watts < MIN_METERED_WATTS {
        0.0
    } else {
        watts
    }
}

fn count(value: f64) -> String {
    format!("{:.0}", value.round())
}
