//! A plug as its card, its switch and its page show it.

use std::sync::Arc;

use api::{Metering, PlugView};
use hiflying::Mac;
use hub::Hub;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use plugs::{Capability, RelayState};

use crate::format::{self, DASH};
use crate::recent::Recent;

/// Minimum age at which a reading is no longer the present one.
const MIN_READING_AGE: SignedDuration = SignedDuration::from_secs(60);

/// A plug in words.
#[derive(Debug, Clone)]
pub(crate) struct PlugCard {
    /// The plug.
    pub(crate) plug: Mac,
    /// Its MAC in paths.
    pub(crate) mac: String,
    /// Its name, else its MAC.
    pub(crate) title: String,
    /// Its room.
    pub(crate) room: Option<String>,
    /// True while it replies.
    pub(crate) is_available: bool,
    /// Position of its relay.
    pub(crate) relay: Option<RelayState>,
    /// State in words: `On`, `Off`, `No answer`.
    pub(crate) state: &'static str,
    /// Since when, if known.
    pub(crate) since: Option<String>,
    /// True if it has a meter.
    pub(crate) has_meter: bool,
    /// Present power in watts.
    pub(crate) power_w: Option<f64>,
    /// Number of the present power.
    pub(crate) power: Option<String>,
    /// Energy of today with its unit, else a dash.
    pub(crate) energy: String,
    /// Cost of today, else a dash.
    pub(crate) cost: String,
    /// Energy of today in watt-hours, and the lifetime total that belongs to it.
    pub(crate) count: Option<(f64, u64)>,
    /// The last 24 hours.
    pub(crate) spark: Option<Arc<str>>,
}

impl PlugCard {
    /// Describes a plug.
    pub(crate) fn new(hub: &Hub, view: &Arc<PlugView>, recent: &Recent, now: Timestamp) -> Self {
        let mac = view.plug.mac;
        let zone = &hub.clock().timezone;
        let power_w = present_power(view, now);
        let has_meter = hub.registry().can(mac, Capability::Meter);
        let today = recent
            .today_wh(mac, view.energy_total_wh)
            .filter(|_| has_meter);
        let cost = recent.plugs.get(&mac).map(|plug| &plug.cost);
        let (state, since) = state(view, now, zone);
        Self {
            plug: mac,
            mac: format!("{mac:x}"),
            title: format::title(view),
            room: view.room.clone(),
            is_available: view.available,
            relay: view.plug.relay,
            state,
            since,
            has_meter,
            power_w,
            power: power_w.map(format::watts_number),
            energy: today.map_or_else(|| DASH.to_owned(), format::kwh),
            cost: format::amounts(
                cost.into_iter()
                    .flatten()
                    .map(|(currency, amount)| (currency.as_str(), *amount)),
            ),
            count: today.map(f64::round).zip(view.energy_total_wh),
            spark: recent.plugs.get(&mac).and_then(|plug| plug.spark.clone()),
        }
    }

    /// Returns the number and the unit of the energy of today.
    pub(crate) fn energy_parts(&self) -> Option<(&str, &str)> {
        self.energy.split_once('\u{a0}')
    }

    /// Returns the classes of its state.
    pub(crate) fn class(&self) -> &'static str {
        match (self.is_available, self.relay) {
            (false, _) => "gone",
            (true, Some(RelayState::On)) => "on",
            (true, _) => "off",
        }
    }

    /// Returns true if it is on as far as is known.
    pub(crate) fn is_on(&self) -> bool {
        self.relay == Some(RelayState::On)
    }

    /// Returns true if it cannot be switched now.
    pub(crate) fn is_disabled(&self) -> bool {
        !self.is_available || self.relay.is_none()
    }

    /// Returns the position to which its switch leads. It is never `toggle`: the taps of two people must not cancel out.
    pub(crate) fn goal(&self) -> &'static str {
        if self.is_on() { "off" } else { "on" }
    }

    /// Returns the path of its page.
    pub(crate) fn path(&self) -> String {
        format!("/plugs/{}", self.mac)
    }

    /// Returns the id of the element that names it.
    pub(crate) fn label(&self) -> String {
        format!("n-{}", self.mac)
    }
}

/// Returns the power of the last reading, unless it is too old to be the present one.
pub(crate) fn present_power(view: &PlugView, now: Timestamp) -> Option<f64> {
    let reading = view.reading.as_ref().filter(|_| view.available)?;
    let interval = match view.metering {
        Metering::Every(period) => SignedDuration::try_from(period.get()).ok()?,
        Metering::Off => SignedDuration::ZERO,
    };
    let limit = interval.saturating_mul(3).max(MIN_READING_AGE);
    (reading.at.duration_until(now) < limit).then_some(reading.power_w)?
}

fn state(view: &PlugView, now: Timestamp, zone: &TimeZone) -> (&'static str, Option<String>) {
    if !view.available {
        return ("No answer", Some(format::since(view.plug.seen, now, zone)));
    }
    let since = view.relay_since.map(|at| format::since(at, now, zone));
    match view.plug.relay {
        Some(RelayState::On) => ("On", since),
        Some(RelayState::Off) => ("Off", since),
        None => ("Unknown", None),
    }
}
