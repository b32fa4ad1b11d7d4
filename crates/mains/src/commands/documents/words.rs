//! Words for the fields of documents: what people type becomes the JSON that the field takes, or a clear refusal.

use api::{LocalDateTime, Period, TimeOfDay};
use clap::ValueEnum;
use jiff::civil::Date;
use serde_json::{Value, json};

/// The days of the week as JSON names them, in its order.
const WEEK: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The word that takes a setting away.
const NONE: &str = "none";

/// More than any plug or house can carry, and a typing error.
const MOST_WATTS: f64 = 1_000_000.0;

/// Reads a word with `read`, or `none`, which becomes null.
pub(crate) fn or_none<R>(read: R) -> impl Fn(&str) -> Result<Value, String> + Clone
where
    R: Fn(&str) -> Result<Value, String> + Clone,
{
    move |text| match text {
        NONE => Ok(Value::Null),
        _ => read(text).map_err(|problem| format!("{problem}; or `none`")),
    }
}

/// The word that stands for a choice, on the command line and in JSON alike.
pub(crate) fn choice(choice: impl ValueEnum) -> Value {
    let word = choice.to_possible_value();
    word.map(|word| word.get_name().into()).unwrap_or_default()
}

/// A time of day: `07:00`, `7:30`.
pub(crate) fn time_of_day(text: &str) -> Result<Value, String> {
    text.parse::<TimeOfDay>().map(|time| json!(time))
}

/// Days of the week: `mon,wed`, `mon-fri`, `weekdays`, `weekend`, `daily`.
pub(crate) fn days(text: &str) -> Result<Value, String> {
    let mut chosen = [false; WEEK.len()];
    for word in text.split(',') {
        let (first, last) = days_of_word(&word.trim().to_ascii_lowercase())?;
        for (index, day) in chosen.iter_mut().enumerate() {
            // `sat-mon` goes over the end of the week.
            *day |= if first <= last {
                (first..=last).contains(&index)
            } else {
                index >= first || index <= last
            };
        }
    }
    let days = WEEK
        .iter()
        .zip(chosen)
        .filter_map(|(day, chosen)| chosen.then_some(*day));
    Ok(days.collect())
}

fn days_of_word(word: &str) -> Result<(usize, usize), String> {
    match word {
        "daily" | "all" => return Ok((0, 6)),
        "weekdays" => return Ok((0, 4)),
        "weekend" => return Ok((5, 6)),
        _ => {}
    }
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    day(first)
        .zip(day(last))
        .ok_or_else(|| "days are `mon` to `sun`, e.g. `mon,wed` or `mon-fri`, or `weekdays`, `weekend`, `daily`".to_owned())
}

/// `mon`, `monday`, and what lies between.
fn day(word: &str) -> Option<usize> {
    const FULL: [&str; 7] = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    FULL.iter()
        .position(|full| word.len() >= 3 && full.starts_with(word))
}

/// How long before (`-15m`) or after (`30m`, `+30m`) something.
pub(crate) fn offset(text: &str) -> Result<Value, String> {
    if matches!(text, "0" | "0m" | "0s") {
        return Ok(Value::Null);
    }
    let (sign, length) = match text.strip_prefix('-') {
        Some(length) => ("-", length),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let period: Period = length.parse()?;
    Ok(json!(format!("{sign}{period}")))
}

/// A duration.
pub(crate) fn period(text: &str) -> Result<Value, String> {
    text.parse::<Period>().map(|period| json!(period))
}

/// A short switching on again and again: `2h,1m` is a minute every two hours.
pub(crate) fn pulse(text: &str) -> Result<Value, String> {
    let (every, long) = text
        .split_once(',')
        .ok_or("how often and how long, e.g. `2h,1m`")?;
    Ok(json!({"every": period(every.trim())?, "for": period(long.trim())?}))
}

/// A date and time without zone: `2026-12-24T18:00`.
pub(crate) fn local_time(text: &str) -> Result<Value, String> {
    text.parse::<LocalDateTime>().map(|time| json!(time))
}

/// A date: `2026-12-24`.
pub(crate) fn date(text: &str) -> Result<Value, String> {
    Date::strptime("%Y-%m-%d", text)
        .map(|date| json!(date))
        .map_err(|_| "not a date; write it like `2026-12-24`".to_owned())
}

/// A power: `10`, `10W`, `1.5kW`.
pub(crate) fn watts(text: &str) -> Result<Value, String> {
    let lower = text.trim().to_ascii_lowercase();
    let (digits, factor) = match (lower.strip_suffix("kw"), lower.strip_suffix('w')) {
        (Some(digits), _) => (digits, 1000.0),
        (None, Some(digits)) => (digits, 1.0),
        (None, None) => (lower.as_str(), 1.0),
    };
    let watts =
        number(digits.trim()).ok_or("not a power; write it like `10`, `10W` or `1.5kW`")? * factor;
    if !(0.0..=MOST_WATTS).contains(&watts) {
        return Err("a power is from 0 W to 1000 kW".to_owned());
    }
    Ok(json!(watts))
}

/// What a kilowatt-hour costs: `0.32`. Some hours of the market have prices below zero; no contract has.
pub(crate) fn price(text: &str) -> Result<Value, String> {
    match market_price(text)? {
        price if price.as_f64().is_some_and(|price| price < 0.0) => {
            Err("a price cannot be negative".to_owned())
        }
        price => Ok(price),
    }
}

/// What a kilowatt-hour costs in one hour: `0.32`, `-0.01`.
pub(crate) fn market_price(text: &str) -> Result<Value, String> {
    number(text)
        .map(|price| json!(price))
        .ok_or_else(|| "not a price for a kilowatt-hour; write it like `0.32`".to_owned())
}

/// A number as people write it: no `inf`, no `nan`, no `1e300`.
fn number(text: &str) -> Option<f64> {
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+'));
    let number = text.parse::<f64>().ok().filter(|_| plain)?;
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(read: impl Fn(&str) -> Result<Value, String>, good: &[(&str, Value)], bad: &[&str]) {
        for (text, expected) in good {
            assert_eq!(read(text).as_ref(), Ok(expected), "{text}");
        }
        for text in bad {
            assert!(read(text).is_err(), "{text}: {:?}", read(text));
        }
    }

    #[test]
    fn times_of_day() {
        let good = [
            ("07:00", json!("07:00")),
            ("7:30", json!("07:30")),
            ("00:00", json!("00:00")),
            ("23:59", json!("23:59")),
        ];
        all(
            time_of_day,
            &good,
            &["", "7", "24:00", "12:60", "noon", "-1:00", "7pm"],
        );
        all(
            or_none(time_of_day),
            &[("none", Value::Null), ("7:00", json!("07:00"))],
            &["None", "x"],
        );
    }

    #[test]
    fn days_of_the_week() {
        let good = [
            ("mon,tue", json!(["mon", "tue"])),
            ("Sun, monday", json!(["mon", "sun"])),
            ("mon-wed,wed", json!(["mon", "tue", "wed"])),
            ("sat-mon", json!(["mon", "sat", "sun"])),
            ("weekdays", json!(["mon", "tue", "wed", "thu", "fri"])),
            ("weekend,thurs", json!(["thu", "sat", "sun"])),
            ("daily", json!(WEEK)),
        ];
        all(
            days,
            &good,
            &["", "mo", "mon;tue", "mon-", "-", "tues-x", "mon,,tue", "1"],
        );
    }

    #[test]
    fn offsets_and_periods() {
        let good = [
            ("-15m", json!("-15m")),
            ("+1h30m", json!("1h30m")),
            ("30m", json!("30m")),
            ("0m", Value::Null),
        ];
        all(offset, &good, &["", "15", "--15m", "-", "soon", "+-5m"]);
        all(
            period,
            &[("60s", json!("1m")), ("5m", json!("5m"))],
            &["5", "0s", "-5m"],
        );
        all(
            pulse,
            &[("2h, 1m", json!({"every": "2h", "for": "1m"}))],
            &["2h", "2h,", ",1m", "2h,1m,1m"],
        );
    }

    #[test]
    fn moments() {
        let good = [
            ("2026-12-24T18:00", json!("2026-12-24T18:00")),
            ("2026-12-24 18:00", json!("2026-12-24T18:00")),
        ];
        let bad = [
            "2026-12-24",
            "18:00",
            "2026-13-24T18:00",
            "2026-12-24T18:00Z",
            "2026-12-24T18:00[UTC]",
        ];
        all(local_time, &good, &bad);
        all(
            date,
            &[("2026-02-28", json!("2026-02-28"))],
            &["2026-02-30", "28.2.2026", ""],
        );
    }

    #[test]
    fn figures() {
        let good = [
            ("10", json!(10.0)),
            ("10W", json!(10.0)),
            ("1.5 kW", json!(1500.0)),
            ("0", json!(0.0)),
        ];
        all(
            watts,
            &good,
            &["", "W", "-5", "1,5", "nan", "inf", "1e3", "9999999", "10V"],
        );
        all(
            price,
            &[("0.32", json!(0.32))],
            &["-0.1", "0,32", "x", "infinity"],
        );
        all(market_price, &[("-0.01", json!(-0.01))], &["", "1e-3"]);
    }

    proptest::proptest! {
        #[test]
        fn never_panic(text in "\\PC*|[0-9:.,+-mondays ]{0,12}") {
            for read in [time_of_day, days, offset, period, pulse, local_time, date, watts, price] {
                let _ = read(&text);
            }
        }
    }
}
