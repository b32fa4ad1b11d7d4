//! Notation of values in JSON.

use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// Implements serde for a type that is read with `FromStr` and written with `Display`, and describes its text in OpenAPI.
macro_rules! json_is_text {
    ($kind:ident, $description:literal, $pattern:literal, [$($example:literal),+] $(, $min:literal..=$max:literal)?) => {
        impl serde::Serialize for $kind {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $kind {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl utoipa::PartialSchema for $kind {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::Type::String)
                    .description(Some($description))
                    .pattern(Some($pattern))
                    .examples([$($example),+])
                    $(.min_length(Some($min)).max_length(Some($max)))?
                    .into()
            }
        }

        impl utoipa::ToSchema for $kind {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($kind).into()
            }
        }
    };
}

pub(crate) use json_is_text;

/// Writes a time to the second: `2026-11-22T12:00:00Z`.
pub(crate) fn seconds<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_args!("{time:.0}"))
}

/// Writes a time to the second, or null.
pub(crate) fn optional_seconds<S: Serializer>(
    time: &Option<Timestamp>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => seconds(time, to),
        None => to.serialize_none(),
    }
}

/// Writes times to the second.
pub(crate) fn each_in_seconds<S: Serializer>(
    times: &[Timestamp],
    to: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct ToSecond<'a>(#[serde(serialize_with = "seconds")] &'a Timestamp);
    to.collect_seq(times.iter().map(ToSecond))
}

/// Writes a figure rounded to millionths; further digits are artefacts of summation.
pub(crate) fn millionths<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64((value * 1e6).round() / 1e6)
}

/// Writes a figure rounded to millionths, or null.
pub(crate) fn optional_millionths<S: Serializer>(
    value: &Option<f64>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => millionths(value, to),
        None => to.serialize_none(),
    }
}
