//! Plugs: what they are, what they read, what they used, and what people change of them.

use api::ErrorKind;
use utoipa::ToSchema;

use super::texts::{Ipv4, Mac, Metering, Name, Time};

/// The position of a relay.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Relay {
    On,
    Off,
}

/// What a relay is to do.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RelayCommand {
    On,
    Off,
    Toggle,
}

/// What a relay is to be when the plug comes back after an outage.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PowerOn {
    On,
    Off,
    Last,
}

/// What a device is: Reco4life, Orvibo, or a module of unknown trade.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Family {
    Reco,
    Orvibo,
    Module,
}

/// A device that a search found.
#[derive(ToSchema)]
pub(crate) struct FoundPlug {
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
pub(crate) struct Plug {
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
pub(crate) struct Reading {
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

/// Settings of a plug. Omitted fields keep their value; null resets them.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlugChange {
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
pub(crate) struct RelayProblem {
    /// The status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// `refused` or `bad_answer`.
    kind: ErrorKind,
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

/// What a report is divided into.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum By {
    Day,
    Month,
}

/// What one plug used in a day or a month.
#[derive(ToSchema)]
pub(crate) struct EnergyRow {
    mac: Mac,
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
