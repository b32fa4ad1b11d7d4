//! The socket in the wall: relay, timers, and the meter that counts energy.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use plugs::RelayState;

use crate::config::PlugConfig;
use crate::load::{Load, MainsMoment};
use crate::reco::behaviour::RecoBehaviour;

#[derive(Debug)]
pub(super) struct Outlet {
    relay: RelayState,
    /// A relay that is on its way.
    moving: Option<(Instant, RelayState)>,
    timers: BTreeMap<u32, (Instant, RelayState)>,
    load: Load,
    /// The current flows whatever the relay says.
    welded: bool,
    home_seed: u64,
    seed: u64,
    started: Instant,
    counted: Instant,
    energy_wh: f64,
    next_reset: Option<Instant>,
}

/// The meter reads no power below this: a published reading has 0.03 A and 0 W.
const LEAST_WATTS: f64 = 1.0;
/// Energy is summed in steps of this, longer ones when a twin was left alone for long.
const STEP: Duration = Duration::from_secs(1);
const MOST_STEPS: u32 = 20_000;

impl Outlet {
    pub(super) fn new(
        config: &PlugConfig,
        behaviour: &RecoBehaviour,
        seed: u64,
        now: Instant,
    ) -> Self {
        Self {
            relay: config.relay,
            moving: None,
            timers: BTreeMap::new(),
            load: config.load,
            welded: behaviour.relay.welded,
            home_seed: config.seed,
            seed,
            started: now,
            counted: now,
            energy_wh: config.energy_wh as f64,
            next_reset: behaviour.meter.resets_every.map(|every| now + every),
        }
    }

    /// The true position.
    pub(super) fn relay(&self) -> RelayState {
        self.relay
    }

    /// The position that the scan reply reports.
    pub(super) fn shown(&self) -> RelayState {
        self.relay
    }

    /// Takes a switch command over; tells whether anything will come of it is not its business.
    pub(super) fn switch(
        &mut self,
        now: Instant,
        socket: u32,
        state: RelayState,
        behaviour: &RecoBehaviour,
        random: &mut fastrand::Rng,
    ) {
        self.timers.remove(&socket);
        self.turn(now, state, behaviour, random.f64());
    }

    fn turn(&mut self, now: Instant, state: RelayState, behaviour: &RecoBehaviour, chance: f64) {
        let relay = &behaviour.relay;
        if relay.stuck || chance < relay.lying {
            return;
        }
        if relay.slow.is_zero() {
            self.count(now);
            self.relay = state;
        } else {
            self.moving = Some((now + relay.slow, state));
        }
    }

    /// One pending timer for each socket; the next one replaces it.
    pub(super) fn delay(&mut self, due: Instant, socket: u32, state: RelayState) {
        self.timers.insert(socket, (due, state));
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        let timers = self.timers.values().map(|(due, _)| *due);
        let moving = self.moving.map(|(due, _)| due);
        timers.chain(moving).chain(self.next_reset).min()
    }

    /// Does what is due, in the order in which it was due.
    pub(super) fn advance(&mut self, now: Instant, behaviour: &RecoBehaviour) {
        while let Some(due) = self.timeout().filter(|due| *due <= now) {
            self.count(due);
            if let Some((_, state)) = self.moving.take_if(|(at, _)| *at <= due) {
                self.relay = state;
            }
            let fired = self.timers.iter().find(|(_, (at, _))| *at <= due);
            if let Some((&socket, &(_, state))) = fired {
                self.timers.remove(&socket);
                self.turn(due, state, behaviour, 1.0);
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

    /// The plug restarts: its timers are gone; the relay and the counter are kept where nothing says otherwise.
    pub(super) fn restart(&mut self, behaviour: &RecoBehaviour) {
        self.timers.clear();
        self.moving = None;
        if behaviour.relay.falls_on_restart {
            self.relay = RelayState::Off;
        }
        if behaviour.meter.resets_on_restart {
            self.energy_wh = 0.0;
        }
    }

    fn moment(&self, at: Instant) -> MainsMoment {
        let closed = self.welded || self.relay == RelayState::On;
        self.load
            .moment(self.home_seed, self.seed, at - self.started, closed)
    }

    fn count(&mut self, now: Instant) {
        let gap = now.saturating_duration_since(self.counted);
        if !self.welded && self.relay == RelayState::Off {
            self.counted = self.counted.max(now);
            return;
        }
        let step = STEP.max(gap / MOST_STEPS);
        while self.counted < now {
            let width = step.min(now - self.counted);
            let watts = metered(self.moment(self.counted + width / 2).power);
            self.energy_wh += watts * width.as_secs_f64() / 3600.0;
            self.counted += width;
        }
    }

    /// The values of `AT+YZOUT`, in its units.
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
        let power = match (meter.zero_power, meter.empty_power) {
            (_, true) => String::new(),
            (true, false) => "0".to_owned(),
            (false, false) => count(metered(moment.power) * 10.0 * spike),
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
    if watts < LEAST_WATTS { 0.0 } else { watts }
}

fn count(value: f64) -> String {
    format!("{:.0}", value.round())
}
