//! Measurements as the database stores them: scaled integers, which are small on disk and add up exactly in any order.
//!
//! Power in milliwatts, current in milliamperes, energy in milliwatt-hours, voltage and frequency in hundredths: one digit
//! more than any plug sends.

use jiff::Timestamp;

/// Beyond every plug, and far enough below the limit of 64 bits that no sum of a century reaches it.
const MAX_SCALED: f64 = 1e12;

/// Scales by a thousand. What is not a number becomes `None`.
pub(super) fn thousandths(value: Option<f64>) -> Option<i64> {
    scaled(value, 1e3)
}

/// Scales by a hundred.
pub(super) fn hundredths(value: Option<f64>) -> Option<i64> {
    scaled(value, 1e2)
}

/// Scales energy by a thousand. Energy used is never negative.
pub(super) fn energy(watt_hours: f64) -> i64 {
    scaled(Some(watt_hours), 1e3).unwrap_or(0).max(0)
}

/// Undoes [`thousandths`] and [`energy`].
pub(super) fn from_thousandths(value: i64) -> f64 {
    value as f64 / 1e3
}

/// Undoes [`hundredths`].
pub(super) fn from_hundredths(value: i64) -> f64 {
    value as f64 / 1e2
}

/// Returns a counter as the database stores it; its integers are signed.
pub(super) fn signed(counter: u64) -> i64 {
    i64::try_from(counter).unwrap_or(i64::MAX)
}

/// Undoes [`signed`].
pub(super) fn unsigned(counter: i64) -> u64 {
    u64::try_from(counter).unwrap_or(0)
}

/// Reads a time from the database; `None` outside the years that the calendar knows.
pub(super) fn moment(milliseconds: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(milliseconds).ok()
}

fn scaled(value: Option<f64>, by: f64) -> Option<i64> {
    let value = value.filter(|value| value.is_finite())?;
    Some((value * by).round().clamp(-MAX_SCALED, MAX_SCALED) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_plug_sends_comes_back_as_it_was() {
        for value in [0.0, 0.03, 0.1, 226.94, 3680.5, 50.07] {
            assert_eq!(
                thousandths(Some(value)).map(from_thousandths),
                Some(value),
                "{value}"
            );
            assert_eq!(
                hundredths(Some(value)).map(from_hundredths),
                Some(value),
                "{value}"
            );
        }
    }

    #[test]
    fn what_is_no_number_is_nothing() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(thousandths(Some(value)), None);
            assert_eq!(energy(value), 0);
        }
        assert_eq!(energy(-1.0), 0);
        assert_eq!(thousandths(Some(1e300)), Some(1_000_000_000_000));
        assert_eq!(unsigned(signed(u64::MAX)), i64::MAX as u64);
    }
}
