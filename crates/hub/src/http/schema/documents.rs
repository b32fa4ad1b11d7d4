//! Groups, schedules, rules and tariffs as people write them, and what the hub adds.
//!
//! What all kinds of a collection have, and what each has, are put together in [`super::super::describe`].

use utoipa::ToSchema;

use super::plugs::{PowerOn, RelayCommand};
use super::texts::{
    Date, Duration, LocalTime, MacPath, Name, Offset, QuarterOfDay, Target, Time, TimeOfDay,
};

/// Plugs that are switched together.
#[derive(ToSchema)]
pub(crate) struct Group {
    name: Name,
    /// Each once.
    #[schema(max_items = 10_000)]
    plugs: Vec<MacPath>,
}

/// What switches by the clock and the sun.
#[derive(ToSchema)]
pub(crate) struct Schedule {
    name: Name,
    /// Whether it fires; true unless given.
    #[schema(nullable = false)]
    enabled: Option<bool>,
    /// The plugs and groups that it switches, each once.
    #[schema(min_items = 1, max_items = 1000)]
    targets: Vec<Target>,
    /// What it does with them.
    action: RelayCommand,
    when: When,
    /// It fires later by a random time below this, another one for each time; at most 12 hours.
    random: Option<Duration>,
    /// What was missed while the hub was down is made up for when it is not older than this.
    catch_up: Option<Duration>,
}

/// When a schedule fires, in local time.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum When {
    At(WhenAt),
    Sun(WhenSun),
    Once(WhenOnce),
    Cron(WhenCron),
}

/// At a time of day.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhenAt {
    at: TimeOfDay,
    /// On these days; every day unless given.
    #[schema(min_items = 1)]
    days: Option<Vec<Day>>,
}

/// At sunrise or sunset. Where the sun does not rise or set on a day, the schedule does not fire.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhenSun {
    sun: Sun,
    offset: Option<Offset>,
    /// On these days; every day unless given.
    #[schema(min_items = 1)]
    days: Option<Vec<Day>>,
}

/// Once.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhenOnce {
    once: LocalTime,
}

/// By a cron expression with five fields.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhenCron {
    #[schema(
        examples("0 7 * * 1-5"),
        pattern = r"^([0-9*][-0-9*,/]* ){4}[0-9*][-0-9*,/]*$"
    )]
    cron: String,
}

/// A day of the week.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// What the sun does.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sun {
    Sunrise,
    Sunset,
}

/// What every rule has.
#[derive(ToSchema)]
pub(crate) struct Rule {
    name: Name,
    /// Whether it acts; true unless given.
    #[schema(nullable = false)]
    enabled: Option<bool>,
    /// The plug that it switches.
    plug: MacPath,
}

/// What a rule does.
#[derive(ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum RuleKind {
    /// Off, when the load has drawn less than `below_w` for so long.
    StandbyKill {
        /// Less than this is standby, in watts.
        #[schema(exclusive_minimum = 0.0, maximum = 4000.0)]
        below_w: f64,
        /// For so long.
        #[serde(rename = "for")]
        period: Duration,
        /// On again at this local time, if the rule switched it off.
        restore_at: Option<TimeOfDay>,
        /// On again for a short while, to see whether it is wanted.
        test_pulse: Option<TestPulse>,
    },
    /// Off, when it has been on for so long.
    AutoOff {
        /// For so long.
        after: Duration,
    },
    /// Off, when the load has drawn more than `above_w` for so long; stays off until a person switches it on.
    OverPower {
        /// More than this, in watts.
        #[schema(exclusive_minimum = 0.0, maximum = 4000.0)]
        above_w: f64,
        /// For so long.
        #[serde(rename = "for")]
        period: Duration,
    },
    /// On when another plug's load draws more than `above_w`, off when it no longer does.
    Follow {
        /// The other plug.
        leader: MacPath,
        /// More than this, in watts.
        #[schema(exclusive_minimum = 0.0, maximum = 4000.0)]
        above_w: f64,
        /// How far the power must fall below it, in watts; none is 0.
        #[schema(minimum = 0.0)]
        hysteresis_w: Option<f64>,
        /// How long the leader must draw, or no longer draw; none is at once.
        delay: Option<Duration>,
    },
    /// On again, whoever switched it off.
    KeepOn {
        /// After so long; none is at once.
        after: Option<Duration>,
    },
    /// What the relay is to be when the plug is back after an outage.
    PowerOn {
        /// On, off, or what it was before.
        state: PowerOn,
    },
}

/// A short test whether a load that was switched off is wanted again.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestPulse {
    /// So long after it was switched off, and again so long after each test; at least ten minutes.
    every: Duration,
    /// On for so long: at least ten seconds, and less than `every`.
    #[serde(rename = "for")]
    period: Duration,
}

/// What every tariff has.
#[derive(ToSchema)]
pub(crate) struct Tariff {
    name: Name,
    /// What its prices are in: a short word without spaces.
    #[schema(pattern = r"^[^\s\x00-\x1f\x7f-\x9f]{1,8}$", examples("EUR"))]
    currency: String,
    /// The first local day on which it holds; null is since ever. It holds until another for the same plugs takes over.
    valid_from: Option<Date>,
    /// Whose energy it prices, each once; empty is everybody's who is in no other tariff's list.
    #[schema(max_items = 10_000, nullable = false)]
    plugs: Option<Vec<MacPath>>,
}

/// The price of a kilowatt-hour.
#[derive(ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum TariffKind {
    /// Always the same.
    Flat {
        /// The price of a kilowatt-hour.
        #[schema(minimum = 0.0, maximum = 1_000_000_000.0)]
        price: f64,
    },
    /// One by day, another by night, in local time.
    DayNight {
        /// By day.
        #[schema(minimum = 0.0, maximum = 1_000_000_000.0)]
        day: f64,
        /// By night.
        #[schema(minimum = 0.0, maximum = 1_000_000_000.0)]
        night: f64,
        /// When the day begins.
        day_begins: QuarterOfDay,
        /// When the night begins; another time than the day.
        night_begins: QuarterOfDay,
        /// The days that have a day; on others it is always night. Every day unless given.
        #[schema(min_items = 1, nullable = false)]
        days: Option<Vec<Day>>,
    },
    /// Another one each hour or quarter of an hour.
    Hourly {
        /// The known prices.
        #[schema(max_items = 200_000, nullable = false)]
        prices: Option<Vec<HourPrice>>,
        /// The price where none of them holds; null is unknown.
        #[schema(minimum = 0.0, maximum = 1_000_000_000.0)]
        otherwise: Option<f64>,
    },
}

/// A price of a kilowatt-hour, which holds until the next, but no longer than an hour.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HourPrice {
    /// From when it holds: the beginning of a quarter-hour.
    #[schema(
        value_type = String,
        pattern = "^(19[7-9][0-9]|20[0-9]{2}|21[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):(00|15|30|45):00Z$",
        examples("2026-11-22T00:00:00Z")
    )]
    t: Time,
    /// Negative ones exist on markets.
    #[schema(minimum = -1_000_000_000.0, maximum = 1_000_000_000.0)]
    price: f64,
}

/// What a schedule or a rule did last.
#[derive(ToSchema)]
pub(crate) struct Last {
    /// When.
    at: Time,
    /// What it did.
    action: String,
    /// Why.
    why: String,
    /// Whether the relays were read back as wanted.
    confirmed: bool,
    /// What went wrong.
    #[schema(required)]
    error: Option<String>,
}

/// Why a schedule or a rule no longer acts.
#[derive(ToSchema)]
pub(crate) struct Halted {
    /// Since when.
    at: Time,
    /// Why.
    why: String,
}
