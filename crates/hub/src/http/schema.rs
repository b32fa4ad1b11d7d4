//! The description's words for types that are made elsewhere.
//!
//! None of them is ever made: they say in OpenAPI what the real types are in JSON, and tests hold both side by side.
#![expect(dead_code, reason = "schemas are described, never made")]

use utoipa::ToSchema;

use crate::error::{Kind, Told};

/// A plug in a path or in what comes in: twelve hex digits in any case, with or without separators.
#[derive(ToSchema)]
#[schema(
    pattern = "^([0-9A-Fa-f]{12}|([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2})$",
    examples("accf23123456")
)]
pub(super) struct MacPath(String);

/// A plug as the hub names it.
#[derive(ToSchema)]
#[schema(pattern = "^[0-9a-f]{12}$", examples("accf23123456"))]
pub(super) struct MacId(String);

/// The hardware address of a plug.
#[derive(ToSchema)]
#[schema(
    pattern = "^([0-9A-F]{2}:){5}[0-9A-F]{2}$",
    examples("AC:CF:23:12:34:56")
)]
pub(super) struct Mac(String);

/// A Hue bridge in a path: 16 hex digits in any case.
#[derive(ToSchema)]
#[schema(pattern = "^[0-9A-Fa-f]{16}$", examples("001788fffe010203"))]
pub(super) struct BridgePath(String);

/// A Hue bridge.
#[derive(ToSchema)]
#[schema(pattern = "^[0-9a-f]{16}$", examples("001788fffe010203"))]
pub(super) struct BridgeId(String);

/// The name that the hub gave to a document.
#[derive(ToSchema)]
#[schema(pattern = "^[a-z]-[0-9a-f]{8}$", examples("g-3f9a02c1"))]
pub(super) struct Id(String);

/// Revisions as they stand in headers, or any.
#[derive(ToSchema)]
#[schema(
    pattern = r#"^(\*|(W/)?"[0-9]{1,9}"(, (W/)?"[0-9]{1,9}"){0,3})$"#,
    examples("\"3\"")
)]
pub(super) struct Tags(String);

/// A plug, or the id of a group.
#[derive(ToSchema)]
#[schema(
    pattern = "^([0-9A-Fa-f]{12}|([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}|g-[0-9a-f]{8})$",
    examples("accf23123456", "g-3f9a02c1")
)]
pub(super) struct Target(String);

/// An IPv4 address.
#[derive(ToSchema)]
#[schema(format = "ipv4", examples("192.168.1.107"))]
pub(super) struct Ipv4(String);

/// A time in UTC.
#[derive(ToSchema)]
#[schema(format = "date-time", examples("2026-11-22T12:00:00Z"))]
pub(super) struct Time(String);

/// A moment between 1970 and 2200: RFC 3339, or a local date with or without a time.
#[derive(ToSchema)]
#[schema(
    pattern = r"^(19[7-9][0-9]|20[0-9]{2}|21[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9])?)?)?$",
    // One that can stand at both ends.
    examples("2026-11-22")
)]
pub(super) struct Moment(String);

/// A local date.
#[derive(ToSchema)]
#[schema(
    pattern = "^(19[7-9][0-9]|20[0-9]{2}|21[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
    examples("2026-11-22")
)]
pub(super) struct Date(String);

/// A local time of day.
#[derive(ToSchema)]
#[schema(
    pattern = "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$",
    examples("07:00")
)]
pub(super) struct TimeOfDay(String);

/// A local date and time.
#[derive(ToSchema)]
#[schema(
    pattern = "^(19[7-9][0-9]|20[0-9]{2}|21[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]$",
    examples("2026-12-24T18:00")
)]
pub(super) struct LocalTime(String);

/// A length of time, longer than zero.
#[derive(ToSchema)]
#[schema(
    pattern = "^([1-9][0-9]{0,4}s|[1-9][0-9]{0,3}m|[1-9][0-9]?h|[1-9][0-9]?d)$",
    examples("10s", "15m", "1d")
)]
pub(super) struct Duration(String);

/// How long before or after sunrise or sunset.
#[derive(ToSchema)]
#[schema(
    pattern = "^[+-]?([1-9][0-9]{0,3}s|[1-9][0-9]{0,1}m|[1-9]h|0s)$",
    examples("-15m")
)]
pub(super) struct Offset(String);

/// How often a plug is metered, from once a second to once a day, or `off`.
#[derive(ToSchema)]
#[schema(
    pattern = "^(off|[1-9][0-9]{0,3}s|[1-9][0-9]{0,2}m|[1-9]h|1d)$",
    examples("5s", "off")
)]
pub(super) struct Metering(String);

/// A name in any script, without control characters or spaces at its ends.
#[derive(ToSchema)]
#[schema(
    min_length = 1,
    max_length = 64,
    pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$",
    examples("kitchen")
)]
pub(super) struct Name(String);

/// The position of a relay.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Relay {
    On,
    Off,
}

/// What a relay is to do.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Wanted {
    On,
    Off,
    Toggle,
}

/// How a bridge is made to take over a bulb.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Via {
    /// What its model and firmware can do, with the other way as a fall-back.
    Auto,
    /// By a call; the bridge does not say what came of it.
    Rest,
    /// On port 30000, which only the round bridge with old firmware has.
    Tcp30000,
}

/// How a bulb was taken over.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Way {
    Rest,
    Tcp30000,
    Serial,
    Search,
}

/// How far a takeover is.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum TakeoverState {
    Running,
    Done,
    Failed,
}

/// A light that a bridge did not have before.
#[derive(ToSchema)]
pub(super) struct NewLight {
    /// Its number at the bridge.
    id: String,
    name: String,
    #[schema(required)]
    unique_id: Option<String>,
}

/// Something that happened on the way.
#[derive(ToSchema)]
pub(super) struct TakeoverStep {
    at: Time,
    /// In one sentence.
    text: String,
}

/// A takeover of a bulb by a bridge.
#[derive(ToSchema)]
pub(super) struct Takeover {
    id: Id,
    bridge: BridgeId,
    state: TakeoverState,
    started: Time,
    #[schema(required)]
    ended: Option<Time>,
    /// Once that is known.
    #[schema(required)]
    via: Option<Way>,
    /// Whether a bulb was captured; null where nobody can tell.
    #[schema(required)]
    captured: Option<bool>,
    new_lights: Vec<NewLight>,
    steps: Vec<TakeoverStep>,
    /// What the person should know in the end.
    notes: Vec<String>,
    /// Why no bulb was taken over.
    #[schema(required)]
    error: Option<Told>,
}

/// A light of a bridge.
#[derive(ToSchema)]
pub(super) struct Light {
    /// Its number at the bridge.
    id: String,
    name: String,
    #[schema(required)]
    unique_id: Option<String>,
    #[schema(required)]
    model: Option<String>,
    /// Whether the bridge can reach it.
    #[schema(required)]
    reachable: Option<bool>,
}

/// What a relay is to be when the plug comes back after an outage.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum PowerOn {
    On,
    Off,
    Last,
}

/// What a device is: Reco4life, Orvibo, or a module of unknown trade.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Family {
    Reco,
    Orvibo,
    Module,
}

/// A device that a search found.
#[derive(ToSchema)]
pub(super) struct Found {
    mac: Mac,
    family: Family,
    /// The maker's serial number.
    #[schema(required)]
    serial: Option<String>,
    address: Ipv4,
    /// The relay when it last told.
    #[schema(required)]
    relay: Option<Relay>,
    /// The module id or the maker's model.
    #[schema(required)]
    model: Option<String>,
    /// The name that its owner gave.
    #[schema(required)]
    name: Option<String>,
    /// The scan reply's fourth field as it came.
    #[schema(required)]
    res: Option<String>,
    /// What followed the scan reply's fifth field, as it came.
    #[schema(required)]
    extra: Option<String>,
    /// When it was last heard.
    seen: Time,
    /// Whether the hub keeps it.
    adopted: bool,
}

/// An adopted plug.
#[derive(ToSchema)]
pub(super) struct Plug {
    mac: Mac,
    family: Family,
    /// The maker's serial number.
    #[schema(required)]
    serial: Option<String>,
    address: Ipv4,
    /// The relay when it last told.
    #[schema(required)]
    relay: Option<Relay>,
    /// The module id or the maker's model.
    #[schema(required)]
    model: Option<String>,
    /// The name that its owner gave.
    #[schema(required)]
    name: Option<String>,
    /// The scan reply's fourth field as it came.
    #[schema(required)]
    res: Option<String>,
    /// What followed the scan reply's fifth field, as it came.
    #[schema(required)]
    extra: Option<String>,
    /// When it was last heard.
    seen: Time,
    /// Whether it answers.
    available: bool,
    /// The last reading.
    #[schema(required)]
    reading: Option<Reading>,
    /// All that it ever used, in watt-hours; never goes back.
    #[schema(required, minimum = 0)]
    energy_total_wh: Option<u64>,
    /// Where it is.
    #[schema(required)]
    room: Option<String>,
    metering: Metering,
    /// What its relay is to be after an outage; null leaves it to the plug.
    #[schema(required)]
    power_on: Option<PowerOn>,
}

/// One reading of a plug's meter.
#[derive(ToSchema)]
pub(super) struct Reading {
    plug: Mac,
    /// When the plug answered.
    at: Time,
    /// Voltage in volts.
    #[schema(required)]
    voltage_v: Option<f64>,
    /// Current in amperes.
    #[schema(required)]
    current_a: Option<f64>,
    /// Mains frequency in hertz.
    #[schema(required)]
    frequency_hz: Option<f64>,
    /// Active power in watts.
    #[schema(required)]
    power_w: Option<f64>,
    /// The plug's own counter in watt-hours; it can go back to 0.
    #[schema(required, minimum = 0)]
    energy_wh: Option<u64>,
}

/// What people change of a plug. What is left out stays; null takes back.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlugChange {
    /// No two plugs have the same.
    name: Option<Name>,
    /// Where it is.
    room: Option<Name>,
    /// Null is the hub's default.
    metering: Option<Metering>,
    /// Null leaves it to the plug.
    power_on: Option<PowerOn>,
}

/// The error of a relay that was not switched.
#[derive(ToSchema)]
pub(super) struct RelayProblem {
    /// The status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// `refused` or `bad_answer`.
    kind: Kind,
    /// One sentence that names the thing.
    detail: String,
    /// What can be done about it.
    #[schema(required)]
    hint: Option<String>,
    /// Which field of the input is meant.
    #[schema(required)]
    field: Option<String>,
    /// Whether the plug took the order, and did not carry it out.
    accepted: bool,
    /// False.
    confirmed: bool,
    /// The relay as it was last read.
    #[schema(required)]
    relay: Option<Relay>,
}

/// Plugs that are switched together.
#[derive(ToSchema)]
pub(super) struct Group {
    name: Name,
    /// Each once.
    #[schema(max_items = 10_000)]
    plugs: Vec<MacPath>,
}

/// What switches by the clock and the sun.
#[derive(ToSchema)]
pub(super) struct Schedule {
    name: Name,
    /// Whether it fires; true unless given.
    #[schema(nullable = false)]
    enabled: Option<bool>,
    /// The plugs and groups that it switches, each once.
    #[schema(min_items = 1, max_items = 1000)]
    targets: Vec<Target>,
    /// What it does with them.
    action: Wanted,
    when: When,
    /// It fires later by a random time below this, another one for each time; at most 12 hours.
    random: Option<Duration>,
    /// What was missed while the hub was down is made up for when it is not older than this.
    catch_up: Option<Duration>,
}

/// When a schedule fires, in local time.
#[derive(ToSchema)]
#[serde(untagged)]
pub(super) enum When {
    At(WhenAt),
    Sun(WhenSun),
    Once(WhenOnce),
    Cron(WhenCron),
}

/// At a time of day.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WhenAt {
    at: TimeOfDay,
    /// On these days; every day unless given.
    #[schema(min_items = 1)]
    days: Option<Vec<Day>>,
}

/// At sunrise or sunset. Where the sun does not rise or set on a day, the schedule does not fire.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WhenSun {
    sun: Sun,
    offset: Option<Offset>,
    /// On these days; every day unless given.
    #[schema(min_items = 1)]
    days: Option<Vec<Day>>,
}

/// Once.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WhenOnce {
    once: LocalTime,
}

/// By a cron expression with five fields.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WhenCron {
    #[schema(
        examples("0 7 * * 1-5"),
        pattern = r"^([0-9*][-0-9*,/]* ){4}[0-9*][-0-9*,/]*$"
    )]
    cron: String,
}

/// A day of the week.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Day {
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
pub(super) enum Sun {
    Sunrise,
    Sunset,
}

/// What every rule has.
#[derive(ToSchema)]
pub(super) struct Rule {
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
pub(super) enum RuleKind {
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
pub(super) struct TestPulse {
    /// So long after it was switched off, and again so long after each test; at least ten minutes.
    every: Duration,
    /// On for so long: at least ten seconds, and less than `every`.
    #[serde(rename = "for")]
    period: Duration,
}

/// What every tariff has.
#[derive(ToSchema)]
pub(super) struct Tariff {
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
pub(super) enum TariffKind {
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

/// A local time of day at which a quarter of an hour begins.
#[derive(ToSchema)]
#[schema(pattern = "^([01][0-9]|2[0-3]):(00|15|30|45)$", examples("06:00"))]
pub(super) struct QuarterOfDay(String);

/// A price of a kilowatt-hour, which holds until the next, but no longer than an hour.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HourPrice {
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

/// What a report is divided into.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum By {
    Day,
    Month,
}

/// What one plug used in a day or a month.
#[derive(ToSchema)]
pub(super) struct EnergyRow {
    mac: MacId,
    /// Which local day or month.
    #[schema(examples("2026-11-22", "2026-11"))]
    period: String,
    /// Watt-hours.
    #[schema(minimum = 0.0)]
    energy_wh: f64,
    /// What that cost; null where no tariff has a price.
    #[schema(required)]
    cost: Option<f64>,
    /// What it is paid in.
    #[schema(required)]
    currency: Option<String>,
}

/// What a schedule or a rule did last.
#[derive(ToSchema)]
pub(super) struct Last {
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
pub(super) struct Halted {
    /// Since when.
    at: Time,
    /// Why.
    why: String,
}
