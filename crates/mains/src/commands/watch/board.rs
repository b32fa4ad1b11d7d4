//! The state of the watched plugs. Pure: now is a parameter.

use std::collections::HashMap;
use std::time::Duration;

use api::{EnergyRow, Event, History, Metering, PlugView};
use hiflying::Mac;
use jiff::{SignedDuration, Timestamp};
use plugs::{Capability, Reading, RelayCommand, RelayState, families};

use super::trend::{self, Trend, TrendSlots};

/// Age beyond two intervals of metering at which a reading no longer counts as present.
const STALE_DELAY: SignedDuration = SignedDuration::from_secs(15);
/// Shortest and longest slot of a trend, in seconds.
const MIN_SLOT_SECONDS: u64 = 5;
const MAX_SLOT_SECONDS: u64 = 60;

/// The state of one plug.
#[derive(Debug)]
pub(super) struct BoardPlug {
    /// The plug as it was reported last.
    pub(super) view: PlugView,
    /// Our time of the last reading: a hub's clock can differ.
    pub(super) metered: Option<Timestamp>,
    /// The command that is being carried out.
    pub(super) pending: Option<RelayCommand>,
    /// Energy of today in watt-hours, where a hub knows it.
    pub(super) today_wh: Option<f64>,
    trend: Trend,
}

/// The plugs that are watched.
#[derive(Debug, Default)]
pub(super) struct Board {
    plugs: HashMap<Mac, BoardPlug>,
    /// Energy and cost of today, as the hub reported it last.
    today: Vec<EnergyRow>,
    /// The time since when the hub cannot be reached.
    disconnected: Option<Timestamp>,
}

/// Sums of all plugs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BoardTotals {
    /// Number of plugs.
    pub(super) plugs: usize,
    /// Number of plugs that are on.
    pub(super) on: usize,
    /// Number of plugs that do not reply.
    pub(super) gone: usize,
    /// Power of all present readings in watts.
    pub(super) watts: f64,
    /// Energy of today in watt-hours, where a hub knows it.
    pub(super) today_wh: Option<f64>,
    /// Cost of that energy and its currency, where all of it has a price in one.
    pub(super) cost: Option<(f64, String)>,
}

impl Board {
    /// Takes note of an event.
    pub(super) fn take(&mut self, event: &Event, now: Timestamp) {
        self.disconnected = None;
        match event {
            Event::Plug(view) | Event::Availability(view) => self.update(view, now),
            Event::Reading(event) => {
                if let Some(plug) = self.plugs.get_mut(&event.reading.plug) {
                    plug.view.energy_total_wh = event.energy_total_wh.or(plug.view.energy_total_wh);
                    plug.view.reading = Some(Reading::clone(&event.reading));
                    plug.metered = Some(now);
                    plug.trend.add(now, event.reading.power_w);
                }
            }
            Event::PlugRemoved(mac) => drop(self.plugs.remove(mac)),
            _ => {}
        }
    }

    /// Takes note of a lost connection: nothing is known until the next event.
    pub(super) fn disconnect(&mut self, now: Timestamp) {
        self.disconnected = self.disconnected.or(Some(now));
        for plug in self.plugs.values_mut() {
            plug.trend.interrupt(now);
        }
    }

    /// Returns the time since when the hub cannot be reached.
    pub(super) fn disconnected(&self) -> Option<Timestamp> {
        self.disconnected
    }

    fn update(&mut self, view: &PlugView, now: Timestamp) {
        let mut view = view.clone();
        let mac = view.plug.mac;
        let Some(known) = self.plugs.get_mut(&mac) else {
            let metered = view.reading.as_ref().map(|reading| reading.at.min(now));
            let mut trend = Trend::default();
            if let (true, Some(at), Some(reading)) = (view.available, metered, &view.reading) {
                trend.add(at, reading.power_w);
            }
            let plug = BoardPlug {
                view,
                metered,
                pending: None,
                today_wh: self.today_of(mac),
                trend,
            };
            self.plugs.insert(mac, plug);
            return;
        };
        view.plug.relay = view.plug.relay.or(known.view.plug.relay);
        if known.view.reading != view.reading {
            known.metered = view.reading.as_ref().map(|reading| reading.at.min(now));
        }
        if !view.available {
            known.trend.interrupt(now);
        }
        known.view = view;
    }

    /// Takes note of the energy and cost of today.
    pub(super) fn set_today(&mut self, rows: Vec<EnergyRow>) {
        self.today = rows;
        let macs: Vec<Mac> = self.plugs.keys().copied().collect();
        for mac in macs {
            let today = self.today_of(mac);
            if let Some(plug) = self.plugs.get_mut(&mac) {
                plug.today_wh = today;
            }
        }
    }

    /// Takes note of what a plug used before it was watched.
    pub(super) fn set_past(&mut self, mac: Mac, past: &History) {
        let interval = self.slots(1, Timestamp::UNIX_EPOCH).seconds;
        let (half, per_step) = (interval / 2, (past.step_s / interval).max(1));
        if let Some(plug) = self.plugs.get_mut(&mac) {
            // A step of the past can be longer than the interval at which the trend needs samples.
            let samples = past.points.iter().flat_map(|point| {
                let at =
                    move |number| point.t + SignedDuration::from_secs(half + number * interval);
                (0..per_step).map(move |number| (at(number), point.power_w))
            });
            plug.trend.precede(samples);
        }
    }

    fn today_of(&self, mac: Mac) -> Option<f64> {
        let rows = self.today.iter().filter(|row| row.mac == mac);
        rows.map(|row| row.energy_wh)
            .reduce(|sum, energy| sum + energy)
    }

    /// Takes note that a command was sent.
    pub(super) fn begin_switch(&mut self, mac: Mac, action: RelayCommand) {
        if let Some(plug) = self.plugs.get_mut(&mac) {
            plug.pending = Some(action);
        }
    }

    /// Takes note of the outcome of a command; `confirmed` is the position that the plug has reported.
    pub(super) fn end_switch(&mut self, mac: Mac, confirmed: Option<RelayState>) {
        if let Some(plug) = self.plugs.get_mut(&mac) {
            plug.pending = None;
            plug.view.plug.relay = confirmed.or(plug.view.plug.relay);
        }
    }

    /// Returns a plug.
    pub(super) fn plug(&self, mac: Mac) -> Option<&BoardPlug> {
        self.plugs.get(&mac)
    }

    /// Returns all plugs, in no order.
    pub(super) fn plugs(&self) -> impl Iterator<Item = &BoardPlug> {
        self.plugs.values()
    }

    /// Returns the position of a plug's relay.
    pub(super) fn relay(&self, mac: Mac) -> Option<RelayState> {
        self.plug(mac)?.view.plug.relay
    }

    /// Returns the name of a plug, else its MAC.
    pub(super) fn name(&self, mac: Mac) -> String {
        self.plug(mac)
            .map_or_else(|| mac.to_string(), BoardPlug::name)
    }

    /// Returns the sums.
    pub(super) fn totals(&self, now: Timestamp) -> BoardTotals {
        let is_known = self.disconnected.is_none();
        let present: Vec<&BoardPlug> = self
            .plugs()
            .filter(|plug| is_known && plug.view.available)
            .collect();
        let is_on = |plug: &&&BoardPlug| plug.view.plug.relay == Some(RelayState::On);
        let readings = present.iter().filter_map(|plug| plug.present_reading(now));
        let rows = || {
            let rows = self.today.iter();
            rows.filter(|row| self.plugs.contains_key(&row.mac))
        };
        BoardTotals {
            plugs: self.plugs.len(),
            on: present.iter().filter(is_on).count(),
            gone: self.plugs().filter(|plug| !plug.view.available).count(),
            // The sum of none is -0.
            watts: readings.filter_map(|reading| reading.power_w).sum::<f64>() + 0.0,
            today_wh: rows()
                .map(|row| row.energy_wh)
                .reduce(|sum, more| sum + more),
            cost: cost(rows()),
        }
    }

    /// Returns the slots of the trends: as long as the shortest interval of metering, within bounds.
    pub(super) fn slots(&self, count: usize, now: Timestamp) -> TrendSlots {
        let intervals = self.plugs().filter_map(|plug| match plug.view.metering {
            Metering::Every(period) => Some(period.get().as_secs()),
            Metering::Off => None,
        });
        let seconds = intervals.min().unwrap_or(MIN_SLOT_SECONDS);
        let seconds = seconds.clamp(MIN_SLOT_SECONDS, MAX_SLOT_SECONDS);
        TrendSlots {
            count,
            seconds: i64::try_from(seconds).expect("at most a minute"),
            now,
        }
    }

    /// Returns the power of all plugs together over the last minutes.
    pub(super) fn total_trend(&self, slots: TrendSlots) -> Vec<Option<f64>> {
        let mut total = Vec::new();
        for plug in self.plugs() {
            trend::sum(&mut total, plug.trend(slots));
        }
        total
    }
}

/// Returns the cost of rows and its currency; `None` unless all energy has a price in one currency.
fn cost<'a>(rows: impl Iterator<Item = &'a EnergyRow>) -> Option<(f64, String)> {
    let mut total: Option<(f64, String)> = None;
    for row in rows.filter(|row| row.energy_wh > 0.0) {
        let (cost, currency) = (row.cost?, row.currency.clone()?);
        total = match total {
            None => Some((cost, currency)),
            Some((sum, known)) if known == currency => Some((sum + cost, known)),
            Some(_) => return None,
        };
    }
    total
}

impl BoardPlug {
    /// Returns its name, else its MAC.
    pub(super) fn name(&self) -> String {
        let plug = &self.view.plug;
        plug.name.clone().unwrap_or_else(|| plug.mac.to_string())
    }

    /// Returns true if it is a plug of a family with this ability.
    pub(super) fn can(&self, ability: Capability) -> bool {
        families::all().can(self.view.plug.family, ability)
    }

    /// Returns the reading, unless it is too old to be shown as present.
    pub(super) fn present_reading(&self, now: Timestamp) -> Option<&Reading> {
        let limit = self.stale_limit();
        let is_present =
            |metered: Timestamp| self.view.available && now.duration_since(metered) <= limit;
        self.view
            .reading
            .as_ref()
            .filter(|_| self.metered.is_some_and(is_present))
    }

    fn stale_limit(&self) -> SignedDuration {
        let interval = match self.view.metering {
            Metering::Every(period) => period.get(),
            Metering::Off => Duration::ZERO,
        };
        SignedDuration::try_from(interval * 2).map_or(SignedDuration::MAX, |interval| {
            interval.saturating_add(STALE_DELAY)
        })
    }

    /// Returns its lifetime energy in watt-hours, from a hub, else what its own counter shows.
    pub(super) fn energy_wh(&self) -> Option<u64> {
        let own = self.view.reading.as_ref();
        self.view
            .energy_total_wh
            .or(own.and_then(|reading| reading.energy_wh))
    }

    /// Returns its power over the last minutes.
    pub(super) fn trend(&self, slots: TrendSlots) -> Vec<Option<f64>> {
        self.trend.slots(slots, self.stale_limit())
    }
}

#[cfg(test)]
pub(super) mod tests;
