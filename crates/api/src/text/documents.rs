//! Groups, schedules, rules and tariffs for people.

use std::time::Duration;

use jiff::Timestamp;

use super::{LocalClock, Names, Tone, Toned, money};
use crate::{
    Cost, Document, DocumentView, Group, GroupView, Halted, Id, LastRun, PowerOn, Repricing, Rule,
    RuleKind, RuleView, Schedule, ScheduleView, SunEvent, Tariff, TariffKind, TariffView, Weekdays,
    When, duration,
};

/// A document whose details can be listed.
pub trait Details: Document {
    /// Returns all properties of a document, each value with its label.
    fn details(
        view: &DocumentView<Self>,
        names: &dyn Names,
        clock: &LocalClock,
    ) -> Vec<(&'static str, Toned)>;
}

fn heading(name: &str, id: &Id) -> [(&'static str, Toned); 2] {
    [
        ("name", Tone::Strong.of(name)),
        ("id", Tone::Dim.of(id.as_str())),
    ]
}

impl Details for Group {
    fn details(view: &GroupView, names: &dyn Names, _: &LocalClock) -> Vec<(&'static str, Toned)> {
        let mut details = Vec::from(heading(&view.document.name, &view.id));
        details.push(("plugs", view.members(names)));
        details
    }
}

impl Details for Schedule {
    fn details(
        view: &ScheduleView,
        names: &dyn Names,
        clock: &LocalClock,
    ) -> Vec<(&'static str, Toned)> {
        let schedule = &view.document;
        let random = schedule
            .random
            .map(|random| format!("up to {random} later"));
        let catch_up = schedule.catch_up.map(|within| format!("within {within}"));
        let mut details = Vec::from(heading(&schedule.name, &view.id));
        details.extend([
            (
                "state",
                state(schedule.enabled, view.status.halted.as_ref(), clock),
            ),
            ("does", Tone::Plain.of(schedule.action.as_str())),
            ("targets", Tone::Plain.of(names.targets(&schedule.targets))),
            ("when", Tone::Plain.of(schedule.when.sentence())),
            ("random", Toned::or_dash(random)),
            ("catch up", Toned::or_dash(catch_up)),
            (
                "next",
                Toned::or_dash(view.status.next.map(|next| clock.moment(next))),
            ),
            ("last", last(view.status.last.as_ref(), clock)),
        ]);
        if !view.status.missing.is_empty() {
            let missing = names.targets(&view.status.missing);
            details.push(("removed", Tone::Bad.of(missing)));
        }
        details
    }
}

impl Details for Rule {
    fn details(
        view: &RuleView,
        names: &dyn Names,
        clock: &LocalClock,
    ) -> Vec<(&'static str, Toned)> {
        let rule = &view.document;
        let mut details = Vec::from(heading(&rule.name, &view.id));
        details.extend([
            (
                "state",
                state(rule.enabled, view.status.halted.as_ref(), clock),
            ),
            ("plug", Tone::Plain.of(names.plug(rule.plug))),
            ("kind", Tone::Plain.of(rule.kind.as_str())),
            ("does", Tone::Plain.of(rule.kind.sentence(names))),
            ("last", last(view.status.last.as_ref(), clock)),
        ]);
        if let Some(seconds) = view.status.reacts_within_s {
            let within = duration::show(Duration::from_secs(seconds));
            details.push(("reacts", Tone::Plain.of(format!("within {within}"))));
        }
        if !view.status.missing.is_empty() {
            let missing = names.plugs(&view.status.missing);
            details.push(("removed", Tone::Bad.of(missing)));
        }
        details
    }
}

/// Label of the effect of a change on costs of the past.
pub const PAST_COSTS: &str = "past costs";

impl Details for Tariff {
    fn details(
        view: &TariffView,
        names: &dyn Names,
        clock: &LocalClock,
    ) -> Vec<(&'static str, Toned)> {
        let tariff = &view.document;
        let mut details = Vec::from(heading(&tariff.name, &view.id));
        details.extend([
            ("kind", Tone::Plain.of(tariff.kind.as_str())),
            ("price", Tone::Plain.of(tariff.sentence())),
            ("plugs", Tone::Plain.of(tariff.members(names))),
            (
                "from",
                Toned::or_dash(tariff.valid_from.map(|day| day.to_string())),
            ),
        ]);
        if let TariffKind::Hourly { prices, .. } = &tariff.kind {
            let ends = prices.iter().next().zip(prices.iter().last());
            let known = ends.map(|(first, last)| {
                format!("{} to {}", clock.moment(first.t), clock.moment(last.t))
            });
            details.push(("known", Toned::or_dash(known)));
        }
        if let Some(charge) = &tariff.standing_charge {
            let price = money(charge.price, Some(&tariff.currency));
            let charge = format!("{price} per {}", charge.per.as_str());
            details.push(("standing charge", Tone::Plain.of(charge)));
        }
        if let Some(repriced) = &view.status.repriced {
            details.push((PAST_COSTS, Tone::Bad.of(repriced.sentence(clock))));
        }
        details
    }
}

impl Repricing {
    /// Returns the change of past costs.
    pub fn sentence(&self, clock: &LocalClock) -> String {
        let sum = |costs: &[Cost]| match costs {
            [] => "no price".to_owned(),
            costs => {
                let costs = costs
                    .iter()
                    .map(|cost| money(cost.cost, Some(&cost.currency)));
                costs.collect::<Vec<_>>().join(" and ")
            }
        };
        let since = match self.from == Timestamp::UNIX_EPOCH {
            true => "all".to_owned(),
            false => format!("since {}", clock.moment(self.from)),
        };
        format!(
            "{since}: {}, until now {}",
            sum(&self.after),
            sum(&self.before)
        )
    }
}

impl GroupView {
    /// Returns the names of its plugs.
    pub fn members(&self, names: &dyn Names) -> Toned {
        let plugs = &self.document.plugs;
        Toned::or_dash((!plugs.is_empty()).then(|| names.plugs(plugs)))
    }
}

impl RuleView {
    /// Returns whether the rule runs, in one word.
    pub fn state_word(&self) -> Toned {
        match (&self.status.halted, self.document.enabled) {
            (Some(_), _) => Tone::Bad.of("stopped"),
            (None, true) => Tone::Good.of("enabled"),
            (None, false) => Tone::Dim.of("disabled"),
        }
    }
}

impl ScheduleView {
    /// Returns its next run, or the reason why there is none.
    pub fn next_sentence(&self, clock: &LocalClock) -> Toned {
        match (&self.status.halted, self.document.enabled) {
            (Some(_), _) => Tone::Bad.of("stopped"),
            (None, true) => Toned::or_dash(self.status.next.map(|next| clock.moment(next))),
            (None, false) => Tone::Dim.of("disabled"),
        }
    }
}

/// Returns whether a schedule or a rule runs, and the reason for a stop.
fn state(enabled: bool, halted: Option<&Halted>, clock: &LocalClock) -> Toned {
    match (halted, enabled) {
        (Some(halted), _) => Tone::Bad.of(halted.sentence(clock)),
        (None, true) => Tone::Good.of("enabled"),
        (None, false) => Tone::Dim.of("disabled"),
    }
}

impl Halted {
    /// Returns the time of the stop and its reason.
    pub fn sentence(&self, clock: &LocalClock) -> String {
        format!("stopped {}: {}", clock.moment(self.at), self.why)
    }
}

impl LastRun {
    /// Returns the time of the action, the action and its reason.
    pub fn sentence(&self, clock: &LocalClock) -> String {
        let at = clock.moment(self.at);
        let unconfirmed = if self.confirmed {
            ""
        } else {
            " (not confirmed)"
        };
        format!("{at}: {}, {}{unconfirmed}", self.action, self.why)
    }
}

fn last(last: Option<&LastRun>, clock: &LocalClock) -> Toned {
    Toned::or_dash(last.map(|last| last.sentence(clock)))
}

impl Weekdays {
    /// Returns the days: `daily`, `weekdays`, `weekend`, `mon, wed`.
    pub fn sentence(self) -> String {
        match self {
            Self::ALL => "daily".to_owned(),
            Self::MONDAY_TO_FRIDAY => "weekdays".to_owned(),
            Self::WEEKEND => "weekend".to_owned(),
            days => days.names().collect::<Vec<_>>().join(", "),
        }
    }
}

impl When {
    /// Returns the time: `07:00 weekdays`, `15m before sunset daily`, `once 2026-12-24 18:00`, `cron 0 7 * * *`.
    pub fn sentence(&self) -> String {
        match self {
            Self::At { at, days } => format!("{at} {}", days.sentence()),
            Self::Sun { sun, offset, days } => {
                let sun = match sun {
                    SunEvent::Sunrise => "sunrise",
                    SunEvent::Sunset => "sunset",
                };
                let days = days.sentence();
                let offset = offset.to_string();
                match offset.strip_prefix('-') {
                    _ if offset == "0s" => format!("{sun} {days}"),
                    Some(before) => format!("{before} before {sun} {days}"),
                    None => format!("{offset} after {sun} {days}"),
                }
            }
            Self::Once { once } => format!("once {}", once.to_string().replace('T', " ")),
            Self::Cron { cron } => format!("cron {cron}"),
        }
    }
}

impl Schedule {
    /// Returns when it runs and its effect: `07:00 weekdays: lamp, heater on`.
    pub fn sentence(&self, names: &dyn Names) -> String {
        let targets = names.targets(&self.targets);
        format!(
            "{}: {targets} {}",
            self.when.sentence(),
            self.action.as_str()
        )
    }
}

impl Rule {
    /// Returns its plug and its effect: `television: off below 10 W for 5m`.
    pub fn sentence(&self, names: &dyn Names) -> String {
        format!("{}: {}", names.plug(self.plug), self.kind.sentence(names))
    }
}

impl RuleKind {
    /// Returns the effect of a rule.
    pub fn sentence(&self, names: &dyn Names) -> String {
        match self {
            Self::StandbyKill {
                below_w,
                period,
                restore_at,
                test_pulse,
            } => {
                let mut sentence = format!("off below {below_w} W for {period}");
                if let Some(at) = restore_at {
                    sentence += &format!(", on again at {at}");
                }
                if let Some(pulse) = test_pulse {
                    sentence += &format!(", tested for {} every {}", pulse.period, pulse.every);
                }
                sentence
            }
            Self::AutoOff { after } => format!("off after {after}"),
            Self::OverPower { above_w, period } => format!("off above {above_w} W for {period}"),
            Self::Follow {
                leader,
                above_w,
                hysteresis_w,
                delay,
            } => {
                let leader = names.plug(*leader);
                let mut sentence = format!("on while {leader} draws more than {above_w} W");
                if let Some(hysteresis) = hysteresis_w {
                    sentence += &format!(" (off {hysteresis} W below that)");
                }
                if let Some(delay) = delay {
                    sentence += &format!(", {delay} later");
                }
                sentence
            }
            Self::KeepOn { after: Some(after) } => format!("on again after {after}"),
            Self::KeepOn { after: None } => "on again at once".to_owned(),
            Self::PowerOn { state } => match state {
                PowerOn::On => "on after a power cut".to_owned(),
                PowerOn::Off => "off after a power cut".to_owned(),
                PowerOn::Last => "as before after a power cut".to_owned(),
            },
        }
    }
}

impl Tariff {
    /// Returns the price of a kilowatt-hour.
    pub fn sentence(&self) -> String {
        let currency = &self.currency;
        match &self.kind {
            TariffKind::Flat { price } => format!("{price} {currency}"),
            TariffKind::DayNight {
                day,
                night,
                day_begins,
                night_begins,
                days,
            } => {
                let days = match *days {
                    Weekdays::ALL => String::new(),
                    days => format!(" {}", days.sentence()),
                };
                format!("{day} {currency} {day_begins} to {night_begins}{days}, else {night}")
            }
            TariffKind::Hourly { prices, otherwise } => {
                let count = prices.len();
                let otherwise =
                    otherwise.map_or_else(String::new, |price| format!(", else {price}"));
                format!("{currency} by the hour, {count} known{otherwise}")
            }
        }
    }

    /// Returns the names of its plugs, or `all`.
    pub fn members(&self, names: &dyn Names) -> String {
        match self.plugs.as_slice() {
            [] => "all".to_owned(),
            plugs => names.plugs(plugs),
        }
    }
}

#[cfg(test)]
mod tests;
