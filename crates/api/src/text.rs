//! Sentences and details of the documents, in plain English.
//!
//! The command prints them, pages and messages show them. They carry no markup: a [`Tone`] marks the attention that a text
//! deserves, and the caller chooses the colour.

use std::time::Duration;

use hiflying::Mac;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use plugs::{RelayCommand, RelayState};

use crate::error::{ErrorKind, RequestError};
use crate::id::{Id, SwitchTarget};

mod documents;
mod events;

pub use documents::{Details, PAST_COSTS};
pub use events::EventText;

/// The names of plugs and groups.
pub trait Names {
    /// Returns the name of a plug, if it has one.
    fn plug_name(&self, plug: Mac) -> Option<String>;

    /// Returns the name of a group, if there is such a group.
    fn group_name(&self, group: &Id) -> Option<String>;

    /// Returns the name of a plug, else its MAC.
    fn plug(&self, plug: Mac) -> String {
        self.plug_name(plug).unwrap_or_else(|| plug.to_string())
    }

    /// Returns the name of a plug or group, else its MAC or id.
    fn target(&self, target: &SwitchTarget) -> String {
        match target {
            SwitchTarget::Plug(plug) => self.plug(*plug),
            SwitchTarget::Group(group) => {
                self.group_name(group).unwrap_or_else(|| group.to_string())
            }
        }
    }

    /// Returns the names of plugs, separated by commas.
    fn plugs(&self, plugs: &[Mac]) -> String {
        joined(plugs.iter().map(|plug| self.plug(*plug)))
    }

    /// Returns the names of plugs and groups, separated by commas.
    fn targets(&self, targets: &[SwitchTarget]) -> String {
        joined(targets.iter().map(|target| self.target(target)))
    }
}

/// Returns the error of a plug that accepted a command and did not carry it out, or has not reported since.
pub fn not_switched(plug: &str, wanted: RelayCommand, relay: Option<RelayState>) -> RequestError {
    let wanted = wanted.as_str();
    match relay {
        Some(relay) => {
            let message = format!("{plug} accepted `{wanted}`, but its relay is still {relay}");
            RequestError::new(ErrorKind::Refused, message)
                .hint("try again; if it stays like that, the relay may be stuck")
        }
        None => {
            let message =
                format!("{plug} accepted `{wanted}`, but has not reported its relay since");
            RequestError::new(ErrorKind::NoAnswer, message).hint(
                "it has probably switched; a firewall may keep its replies out (UDP port 48899)",
            )
        }
    }
}

fn joined(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// The current time, in the time zone in which moments are told.
#[derive(Debug, Clone)]
pub struct LocalClock {
    now: Zoned,
    /// The name of the zone, where it is not the reader's.
    foreign_zone: Option<String>,
}

impl LocalClock {
    /// Returns the clock and zone of this computer.
    pub fn system() -> Self {
        Self::of(plugs::now().to_zoned(TimeZone::system()))
    }

    /// Returns the clock in the zone with this name: that of a hub. Moments name the zone where it is not this computer's. A zone
    /// that is not known here is replaced by this computer's.
    pub fn in_zone(name: Option<&str>) -> Self {
        let own = plugs::now().to_zoned(TimeZone::system());
        let zone = name.and_then(|name| TimeZone::get(name).ok());
        match zone.filter(|zone| zone != own.time_zone()) {
            Some(zone) => Self {
                foreign_zone: name.map(str::to_owned),
                now: own.with_time_zone(zone),
            },
            None => Self::of(own),
        }
    }

    fn of(now: Zoned) -> Self {
        Self {
            now,
            foreign_zone: None,
        }
    }

    /// Returns a stopped clock.
    pub fn at(now: Timestamp, timezone: TimeZone) -> Self {
        Self::of(Zoned::new(now, timezone))
    }

    /// Returns the current local time.
    pub fn now(&self) -> &Zoned {
        &self.now
    }

    /// Returns the name of the zone, where it is not the reader's.
    pub fn foreign_zone(&self) -> Option<&str> {
        self.foreign_zone.as_deref()
    }

    /// Returns a moment in local time: `today 18:00`, `tomorrow 07:00`, `Thu 2026-12-24 18:00`.
    pub fn moment(&self, at: Timestamp) -> String {
        let at = Zoned::new(at, self.now.time_zone().clone());
        let today = self.now.date();
        let is = |days: i64| {
            today
                .checked_add(days.days())
                .is_ok_and(|day| day == at.date())
        };
        let format = if is(0) {
            "today %H:%M"
        } else if is(1) {
            "tomorrow %H:%M"
        } else if is(-1) {
            "yesterday %H:%M"
        } else {
            "%a %Y-%m-%d %H:%M"
        };
        let moment = at.strftime(format);
        match &self.foreign_zone {
            Some(zone) => format!("{moment} ({zone})"),
            None => moment.to_string(),
        }
    }
}

/// The attention that a text deserves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Ordinary.
    Plain,
    /// Stands out.
    Strong,
    /// Good: in order.
    Good,
    /// Bad: needs attention.
    Bad,
    /// A relay is on.
    On,
    /// Of little interest.
    Dim,
}

/// A text and its tone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toned {
    /// The text; names from outside in it are not escaped.
    pub text: String,
    /// Its tone.
    pub tone: Tone,
}

impl Tone {
    /// Gives a text this tone.
    pub fn of(self, text: impl Into<String>) -> Toned {
        Toned {
            text: text.into(),
            tone: self,
        }
    }
}

impl Toned {
    /// Returns a plain text, or a dim dash if there is none.
    pub fn or_dash(text: Option<String>) -> Self {
        text.map_or_else(|| Tone::Dim.of("-"), |text| Tone::Plain.of(text))
    }
}

/// Returns an amount of energy: `0.9 Wh`, `1.203 kWh`.
pub fn energy(watt_hours: f64) -> String {
    if watt_hours.abs() < 1000.0 {
        format!("{watt_hours:.1} Wh")
    } else {
        format!("{:.3} kWh", watt_hours / 1000.0)
    }
}

/// Returns a length of time in whole units: `4 minutes`.
pub fn lasting(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [
        (86_400, "day"),
        (3_600, "hour"),
        (60, "minute"),
        (1, "second"),
    ];
    let unit = units.into_iter().find(|(length, _)| seconds >= 2 * length);
    let (length, word) = unit.unwrap_or((1, "second"));
    let count = seconds / length;
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {word}{plural}")
}

/// Returns an amount of money: `12.35 EUR`; amounts below ten cents have four decimals.
pub fn money(amount: f64, currency: Option<&str>) -> String {
    let decimals = if amount.abs() < 0.1 && amount != 0.0 {
        4
    } else {
        2
    };
    match currency {
        Some(currency) => format!("{amount:.decimals$} {currency}"),
        None => format!("{amount:.decimals$}"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The names of two plugs and a group.
    pub(crate) struct HomeNames;

    impl Names for HomeNames {
        fn plug_name(&self, plug: Mac) -> Option<String> {
            match format!("{plug:x}").as_str() {
                "accf23000001" => Some("lamp".to_owned()),
                "accf23000002" => Some("K\u{fc}che".to_owned()),
                _ => None,
            }
        }

        fn group_name(&self, group: &Id) -> Option<String> {
            (group.as_str() == "g-00000001").then(|| "Lights".to_owned())
        }
    }

    /// Sunday, 22 November 2026, noon in UTC.
    pub(crate) fn clock() -> LocalClock {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        LocalClock::at("2026-11-22T12:00:00Z".parse().unwrap(), zone)
    }

    #[test]
    fn moments_near_now_have_words() {
        for (at, expected) in [
            ("2026-11-22T17:00:00Z", "today 18:00"),
            ("2026-11-22T23:00:00Z", "tomorrow 00:00"),
            ("2026-11-21T22:59:59Z", "yesterday 23:59"),
            ("2026-11-24T00:00:00Z", "Tue 2026-11-24 01:00"),
            ("2027-06-01T00:00:00Z", "Tue 2027-06-01 02:00"),
        ] {
            assert_eq!(clock().moment(at.parse().unwrap()), expected);
        }
        let edge = LocalClock::at(Timestamp::MAX, TimeZone::UTC);
        assert!(edge.moment(Timestamp::MIN).contains("-9999"));
    }

    #[test]
    fn a_zone_that_is_not_the_readers_is_named() {
        let elsewhere = match TimeZone::system().iana_name() {
            Some("Asia/Tokyo") => "Europe/Berlin",
            _ => "Asia/Tokyo",
        };
        let clock = LocalClock::in_zone(Some(elsewhere));
        assert!(
            clock
                .moment(Timestamp::UNIX_EPOCH)
                .ends_with(&format!(" ({elsewhere})"))
        );
        assert_eq!(clock.now().time_zone().iana_name(), Some(elsewhere));
        for name in [None, Some("Nowhere/Nothing")] {
            assert_eq!(LocalClock::in_zone(name).foreign_zone(), None);
        }
    }

    #[test]
    fn names_else_ids() {
        let targets: Vec<SwitchTarget> =
            ["accf23000001", "accf23000003", "g-00000001", "g-00000002"]
                .map(|id| id.parse().unwrap())
                .into();
        assert_eq!(
            HomeNames.targets(&targets),
            "lamp, AC:CF:23:00:00:03, Lights, g-00000002"
        );
    }

    #[test]
    fn amounts_of_energy() {
        for (watt_hours, expected) in [
            (0.0, "0.0 Wh"),
            (999.94, "999.9 Wh"),
            (1000.0, "1.000 kWh"),
            (123_456.7, "123.457 kWh"),
        ] {
            assert_eq!(energy(watt_hours), expected);
        }
    }

    #[test]
    fn lengths_of_time() {
        for (seconds, expected) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (7_199, "119 minutes"),
            (7_200, "2 hours"),
            (200_000, "2 days"),
        ] {
            assert_eq!(lasting(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn amounts_of_money() {
        for (amount, expected) in [
            (0.0, "0.00 EUR"),
            (0.00128, "0.0013 EUR"),
            (-0.01, "-0.0100 EUR"),
            (12.345, "12.35 EUR"),
        ] {
            assert_eq!(money(amount, Some("EUR")), expected);
        }
        assert_eq!(money(1.0, None), "1.00");
    }
}
