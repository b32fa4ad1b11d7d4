//! The reply to `AT+YZOUT`.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::command::Measurement;

/// The fields `<I>,<U>,<F>,<P>,<PQ>,<E>,<EQ>` in the plug's own counts; a field that the plug left empty is `None`.
///
/// ```
/// use plugs::reco::MeterReply;
///
/// let meter = MeterReply::parse("3,22694,5007,0,0,3548,0")?;
/// assert_eq!(meter.voltage, Some(22694)); // 226.94 V
/// # Ok::<(), plugs::reco::MeterError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MeterReply {
    /// Current in 0.01 A.
    pub current: Option<u32>,
    /// Voltage in 0.01 V.
    pub voltage: Option<u32>,
    /// Frequency in 0.01 Hz.
    pub frequency: Option<u32>,
    /// Active power in 0.1 W. A small load can read 0 while its current does not.
    pub power: Option<u32>,
    /// Reactive power; 0 in all published captures.
    pub reactive_power: Option<u32>,
    /// Active energy in Wh since an unknown reset.
    pub energy: Option<u32>,
    /// Reactive energy; 0 in all published captures.
    pub reactive_energy: Option<u32>,
}

/// Upper bounds of the fields, beyond what a 16 A plug on any mains can measure; a higher value is an unknown one.
mod limit {
    /// Maximum current: 100 A.
    pub(super) const CURRENT: u32 = 10_000;
    /// Maximum voltage: 500 V.
    pub(super) const VOLTAGE: u32 = 50_000;
    /// Maximum frequency: 100 Hz.
    pub(super) const FREQUENCY: u32 = 10_000;
    /// Maximum power: 50 kW.
    pub(super) const POWER: u32 = 500_000;
}

impl MeterReply {
    /// Parses the text after `+ok=`: six or more fields, of which those after the seventh are ignored. A field that is no whole number,
    /// or one that no plug can measure, is unknown.
    ///
    /// # Errors
    ///
    /// [`MeterError`] for fewer fields, and if no field is left but unknown ones.
    pub fn parse(value: &str) -> Result<Self, MeterError> {
        let mut fields = value.split(',').map(str::trim);
        let mut odd = None;
        let mut next = |name: &'static str, limit: u32| {
            let field = fields.next().ok_or(MeterError::Fields)?;
            parse_field(name, field, limit).or_else(|error| {
                if is_first(name) {
                    tracing::warn!(%error, "ignored a field of a plug's meter");
                } else {
                    tracing::debug!(%error, "ignored a field of a plug's meter");
                }
                odd = Some(error);
                Ok(None)
            })
        };
        let meter = Self {
            current: next("current", limit::CURRENT)?,
            voltage: next("voltage", limit::VOLTAGE)?,
            frequency: next("frequency", limit::FREQUENCY)?,
            power: next("power", limit::POWER)?,
            reactive_power: next("reactive power", u32::MAX)?,
            energy: next("energy", u32::MAX)?,
            reactive_energy: fields
                .next()
                .and_then(|field| parse_field("reactive energy", field, u32::MAX).ok())
                .flatten(),
        };
        match odd {
            Some(error) if meter.measurement() == Measurement::default() => Err(error),
            _ => Ok(meter),
        }
    }

    /// Converts the counts to SI units.
    pub fn measurement(&self) -> Measurement {
        Measurement {
            voltage_v: self.voltage.map(hundredths),
            current_a: self.current.map(hundredths),
            frequency_hz: self.frequency.map(hundredths),
            power_w: self.power.map(|count| f64::from(count) / 10.0),
            energy_wh: self.energy.map(u64::from),
        }
    }
}

/// Converts hundredths to units. Dividing, unlike multiplying by 0.01, gives the float nearest to the decimal: 226.94, not
/// 226.94000000000003.
fn hundredths(count: u32) -> f64 {
    f64::from(count) / 100.0
}

/// Tells whether this field is odd for the first time: a hub reads the meter every few seconds.
fn is_first(name: &'static str) -> bool {
    static ODD: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut odd = ODD.lock().unwrap_or_else(PoisonError::into_inner);
    odd.insert(name)
}

fn parse_field(name: &'static str, field: &str, limit: u32) -> Result<Option<u32>, MeterError> {
    if field.is_empty() {
        return Ok(None);
    }
    // `u32::from_str` would also take a plus sign.
    let is_whole = field.bytes().all(|byte| byte.is_ascii_digit());
    match field.parse() {
        Ok(count) if is_whole && count <= limit => Ok(Some(count)),
        _ => Err(MeterError::Value {
            name,
            text: field.chars().take(32).collect(),
        }),
    }
}

/// The reply is not a meter reading.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MeterError {
    /// It has fewer than six fields.
    #[error("a meter reading has at least six fields")]
    Fields,
    /// A field is not a number, or one that no plug can measure.
    #[error("'{text}' cannot be the {name} of a meter reading")]
    Value {
        /// The name of the field.
        name: &'static str,
        /// The text of the field.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use hiflying::Mac;
    use proptest::prelude::*;

    fn reading_json(value: &str) -> String {
        let meter = MeterReply::parse(value).unwrap();
        let at = "2026-11-22T12:00:00.123Z".parse().unwrap();
        let mac = Mac::new([0xAC, 0xCF, 0x23, 0x12, 0x34, 0x56]);
        serde_json::to_string(&meter.measurement().reading(mac, at)).unwrap()
    }

    #[test]
    fn r3_idle_plug() {
        assert_eq!(
            reading_json("3,22694,5007,0,0,3548,0"),
            r#"{"plug":"AC:CF:23:12:34:56","at":"2026-11-22T12:00:00.123Z","voltage_v":226.94,"current_a":0.03,"frequency_hz":50.07,"power_w":0.0,"energy_wh":3548}"#
        );
    }

    #[test]
    fn r16_small_load() {
        assert_eq!(
            reading_json("8,23678,4999,74,0,22015,0"),
            r#"{"plug":"AC:CF:23:12:34:56","at":"2026-11-22T12:00:00.123Z","voltage_v":236.78,"current_a":0.08,"frequency_hz":49.99,"power_w":7.4,"energy_wh":22015}"#
        );
    }

    #[test]
    fn empty_fields_are_unknown() {
        let meter = MeterReply::parse(" 3 ,22694,,,,3548").unwrap();
        assert_eq!(meter.current, Some(3));
        assert_eq!(meter.frequency, None);
        assert_eq!(meter.power, None);
        assert_eq!(meter.energy, Some(3548));
        assert_eq!(MeterReply::parse(",,,,,,"), Ok(MeterReply::default()));
    }

    #[test]
    fn more_fields_are_ignored() {
        assert_eq!(
            MeterReply::parse("3,22694,5007,0,0,3548,0,7,x"),
            MeterReply::parse("3,22694,5007,0,0,3548,0")
        );
        assert!(MeterReply::parse("3,22694,5007,0,0,3548,x").is_ok());
    }

    #[test]
    fn an_odd_field_is_unknown_and_the_rest_is_kept() {
        let fields = ["3", "22694", "5007", "74", "0", "3548", "0"];
        let whole = MeterReply::parse(&fields.join(",")).unwrap();
        for odd in [
            "-1",
            "+3",
            "0x3",
            "3.0",
            "NaN",
            "inf",
            "1e3",
            "99999999999",
            "x",
        ] {
            for at in 0..fields.len() {
                let mut odd_fields = fields;
                odd_fields[at] = odd;
                let meter = MeterReply::parse(&odd_fields.join(",")).unwrap();
                let unless = |number: usize, count| if number == at { None } else { count };
                let expected = MeterReply {
                    current: unless(0, whole.current),
                    voltage: unless(1, whole.voltage),
                    frequency: unless(2, whole.frequency),
                    power: unless(3, whole.power),
                    reactive_power: unless(4, whole.reactive_power),
                    energy: unless(5, whole.energy),
                    reactive_energy: unless(6, whole.reactive_energy),
                };
                assert_eq!(meter, expected, "{odd_fields:?}");
            }
        }
        // Numbers that no plug can measure.
        let meter = MeterReply::parse("10001,2269400,99999,4294967295,0,100,0").unwrap();
        let only = Measurement {
            energy_wh: Some(100),
            ..Measurement::default()
        };
        assert_eq!(meter.measurement(), only);
    }

    #[test]
    fn nonsense_is_no_reading() {
        assert_eq!(
            MeterReply::parse("3,22694,5007,0,0"),
            Err(MeterError::Fields)
        );
        for value in ["", "-1,-1,-1,-1,0,-1,0", ",,,x,,,", "NaN,x,y,z,0,,0"] {
            assert!(MeterReply::parse(value).is_err(), "{value}");
        }
    }

    proptest! {
        #[test]
        fn clean_decimals(count in 0..=limit::VOLTAGE) {
            let text = hundredths(count).to_string();
            let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            prop_assert!(decimals <= 2, "{}", text);
        }

        #[test]
        fn never_panics(value: String) {
            let _ = MeterReply::parse(&value);
        }

        #[test]
        fn never_panics_on_near_misses(value in "[-+0-9,. ]{0,60}") {
            let _ = MeterReply::parse(&value);
        }
    }
}
