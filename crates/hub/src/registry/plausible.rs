//! Limits of the values that a plug for 16 A can measure. Pure.

use plugs::Reading;

/// Maximum voltage: twice that of any mains.
const MAX_VOLTS: f64 = 500.0;
/// Maximum current: more than the inrush current of a motor.
const MAX_AMPERES: f64 = 40.0;
const MAX_HERTZ: f64 = 100.0;
/// Maximum power: a quarter more than 16 A at 250 V.
const MAX_WATTS: f64 = 5000.0;

/// Leaves out impossible values. Energy is not checked: the lifetime total does that, with the previous values.
pub(super) fn plausible(reading: Reading) -> Reading {
    let within = |value: Option<f64>, most| value.filter(|value| (0.0..=most).contains(value));
    Reading {
        voltage_v: within(reading.voltage_v, MAX_VOLTS),
        current_a: within(reading.current_a, MAX_AMPERES),
        frequency_hz: within(reading.frequency_hz, MAX_HERTZ),
        power_w: within(reading.power_w, MAX_WATTS),
        ..reading
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hiflying::Mac;
    use jiff::Timestamp;

    fn reading(volts: f64, amperes: f64, hertz: f64, watts: f64) -> Reading {
        Reading {
            plug: Mac::new([1; 6]),
            at: Timestamp::UNIX_EPOCH,
            voltage_v: Some(volts),
            current_a: Some(amperes),
            frequency_hz: Some(hertz),
            power_w: Some(watts),
            energy_wh: Some(u64::MAX),
        }
    }

    #[test]
    fn what_can_be_stays_and_what_cannot_goes() {
        for good in [
            reading(0.0, 0.0, 0.0, 0.0),
            reading(253.0, 16.0, 50.2, 4000.0),
        ] {
            assert_eq!(plausible(good.clone()), good);
        }
        for bad in [1e9, -0.1, f64::NAN, f64::INFINITY] {
            let left = plausible(reading(bad, bad, bad, bad));
            let values = [
                left.voltage_v,
                left.current_a,
                left.frequency_hz,
                left.power_w,
            ];
            assert_eq!(values, [None; 4], "{bad}");
            assert_eq!(left.energy_wh, Some(u64::MAX));
        }
    }
}
