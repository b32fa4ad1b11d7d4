//! Texts with a form of their own: ids, times, lengths of time, names.

use utoipa::ToSchema;

/// A plug in a path or in what comes in: twelve hex digits in any case, with or without separators.
#[derive(ToSchema)]
#[schema(
    pattern = "^([0-9A-Fa-f]{12}|([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2})$",
    examples("accf23123456")
)]
pub(crate) struct MacPath(String);

/// The hardware address of a plug.
#[derive(ToSchema)]
#[schema(
    pattern = "^([0-9A-F]{2}:){5}[0-9A-F]{2}$",
    examples("AC:CF:23:12:34:56")
)]
pub(crate) struct Mac(String);

/// A Hue bridge in a path: 16 hex digits in any case.
#[derive(ToSchema)]
#[schema(pattern = "^[0-9A-Fa-f]{16}$", examples("001788fffe010203"))]
pub(crate) struct BridgePath(String);

/// A Hue bridge.
#[derive(ToSchema)]
#[schema(pattern = "^[0-9a-f]{16}$", examples("001788fffe010203"))]
pub(crate) struct BridgeId(String);

/// The name that the hub gave to a document.
#[derive(ToSchema)]
#[schema(pattern = "^[a-z]-[0-9a-f]{8}$", examples("g-3f9a02c1"))]
pub(crate) struct Id(String);

/// Revisions as they stand in headers, or any.
#[derive(ToSchema)]
#[schema(
    pattern = r#"^(\*|(W/)?"[0-9]{1,9}"(, (W/)?"[0-9]{1,9}"){0,3})$"#,
    examples("\"3\"")
)]
pub(crate) struct Tags(String);

/// A plug, or the id of a group.
#[derive(ToSchema)]
#[schema(
    pattern = "^([0-9A-Fa-f]{12}|([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}|g-[0-9a-f]{8})$",
    examples("AC:CF:23:12:34:56", "g-3f9a02c1")
)]
pub(crate) struct Target(String);

/// An IPv4 address.
#[derive(ToSchema)]
#[schema(format = "ipv4", examples("192.168.1.107"))]
pub(crate) struct Ipv4(String);

/// A time in UTC.
#[derive(ToSchema)]
#[schema(format = "date-time", examples("2026-11-22T12:00:00Z"))]
pub(crate) struct Time(String);

/// A moment between 1970 and 2200: RFC 3339, or a local date with or without a time.
#[derive(ToSchema)]
#[schema(
    pattern = r"^(19[7-9][0-9]|20[0-9]{2}|21[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9])?)?)?$",
    // One that can stand at both ends.
    examples("2026-11-22")
)]
pub(crate) struct Moment(String);

/// A local date.
#[derive(ToSchema)]
#[schema(
    pattern = "^(19[7-9][0-9]|20[0-9]{2}|21[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
    examples("2026-11-22")
)]
pub(crate) struct Date(String);

/// A local time of day.
#[derive(ToSchema)]
#[schema(
    pattern = "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$",
    examples("07:00")
)]
pub(crate) struct TimeOfDay(String);

/// A local time of day at which a quarter of an hour begins.
#[derive(ToSchema)]
#[schema(pattern = "^([01][0-9]|2[0-3]):(00|15|30|45)$", examples("06:00"))]
pub(crate) struct QuarterOfDay(String);

/// A local date and time.
#[derive(ToSchema)]
#[schema(
    pattern = "^(19[7-9][0-9]|20[0-9]{2}|21[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]$",
    examples("2026-12-24T18:00")
)]
pub(crate) struct LocalTime(String);

/// A length of time, longer than zero.
#[derive(ToSchema)]
#[schema(
    pattern = "^([1-9][0-9]{0,4}s|[1-9][0-9]{0,3}m|[1-9][0-9]?h|[1-9][0-9]?d)$",
    examples("10s", "15m", "1d")
)]
pub(crate) struct Duration(String);

/// How long before or after sunrise or sunset.
#[derive(ToSchema)]
#[schema(
    pattern = "^[+-]?([1-9][0-9]{0,3}s|[1-9][0-9]{0,1}m|[1-9]h|0s)$",
    examples("-15m")
)]
pub(crate) struct Offset(String);

/// How often a plug is metered, from once a second to once a day, or `off`.
#[derive(ToSchema)]
#[schema(
    pattern = "^(off|[1-9][0-9]{0,3}s|[1-9][0-9]{0,2}m|[1-9]h|1d)$",
    examples("5s", "off")
)]
pub(crate) struct Metering(String);

/// A name in any script, without control characters or spaces at its ends.
#[derive(ToSchema)]
#[schema(
    min_length = 1,
    max_length = 64,
    pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$",
    examples("kitchen")
)]
pub(crate) struct Name(String);
