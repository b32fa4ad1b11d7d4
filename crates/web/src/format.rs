//! Numbers, amounts and times as the pages show them. Between a number and its unit stands a no-break space.

use api::PlugView;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// Mark of a value that is not there.
pub(crate) const DASH: &str = "\u{2013}";

/// Returns the name of a plug, else its MAC.
pub(crate) fn title(view: &PlugView) -> String {
    let name = view.plug.name.clone();
    name.unwrap_or_else(|| view.plug.mac.to_string())
}

/// Returns a number with this many decimals and commas between thousands: `2,013`.
pub(crate) fn number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    // Nothing is less than nothing.
    let text = match text.strip_prefix('-') {
        Some(rest) if rest.chars().all(|c| matches!(c, '0' | '.')) => rest.to_owned(),
        _ => text,
    };
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let (sign, digits) = match whole.strip_prefix('-') {
        Some(digits) => ("\u{2212}", digits),
        None => ("", whole),
    };
    let mut grouped = String::from(sign);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

/// Returns the number of a power in watts: `0`, `74.3`, `2,013`.
pub(crate) fn watts_number(watts: f64) -> String {
    let decimals = usize::from(watts != 0.0 && watts.abs() < 99.95);
    number(watts, decimals)
}

/// Returns a power: `74.3 W`.
pub(crate) fn watts(watts: f64) -> String {
    format!("{}\u{a0}W", watts_number(watts))
}

/// Returns the number of an energy in kilowatt-hours: `0.42`, `148.3`.
pub(crate) fn kwh_number(watt_hours: f64) -> String {
    let kwh = watt_hours / 1000.0;
    number(kwh, if kwh < 99.995 { 2 } else { 1 })
}

/// Returns an energy: `0.42 kWh`.
pub(crate) fn kwh(watt_hours: f64) -> String {
    format!("{}\u{a0}kWh", kwh_number(watt_hours))
}

/// Returns an amount of money: `€0.13`, `CHF 0.13`.
pub(crate) fn money(amount: f64, currency: &str) -> String {
    let sign = match currency {
        "EUR" => "€",
        "GBP" => "£",
        "USD" => "$",
        _ => "",
    };
    let value = number(amount.abs(), 2);
    let minus = if amount <= -0.005 { "\u{2212}" } else { "" };
    match sign {
        "" => format!("{minus}{currency}\u{a0}{value}"),
        sign => format!("{minus}{sign}{value}"),
    }
}

/// Returns amounts in several currencies: `€0.13 + CHF 0.20`; a dash for none.
pub(crate) fn amounts<'a>(amounts: impl IntoIterator<Item = (&'a str, f64)>) -> String {
    let texts: Vec<_> = amounts
        .into_iter()
        .map(|(currency, amount)| money(amount, currency))
        .collect();
    match texts.is_empty() {
        true => DASH.to_owned(),
        false => texts.join(" + "),
    }
}

/// Returns a moment in the past, in words that follow `since`: `19:41`, `yesterday, 19:41`, `3 March`, `3 March 2025`.
pub(crate) fn since(at: Timestamp, now: Timestamp, timezone: &TimeZone) -> String {
    let [at, now] = [at, now].map(|time| Zoned::new(time, timezone.clone()));
    let format = if at.date() == now.date() {
        "%H:%M"
    } else if now.date().yesterday().is_ok_and(|day| day == at.date()) {
        "yesterday, %H:%M"
    } else if at.year() == now.year() {
        "%-d %B"
    } else {
        "%-d %B %Y"
    };
    at.strftime(format).to_string()
}

/// Returns a moment to come: `today 18:00`, `tomorrow 18:00`, `Thu 3 Dec, 18:00`, `Thu 3 Dec 2027, 18:00`.
pub(crate) fn coming(at: Timestamp, now: Timestamp, timezone: &TimeZone) -> String {
    let [at, now] = [at, now].map(|time| Zoned::new(time, timezone.clone()));
    let format = if at.date() == now.date() {
        "today %H:%M"
    } else if now.date().tomorrow().is_ok_and(|day| day == at.date()) {
        "tomorrow %H:%M"
    } else if at.year() == now.year() || now.duration_until(&at).as_hours() < 24 * 60 {
        "%a %-d %b, %H:%M"
    } else {
        "%a %-d %b %Y, %H:%M"
    };
    at.strftime(format).to_string()
}

/// Returns a length of time in its largest whole unit: `a day`, `5 minutes`.
pub(crate) fn duration(seconds: i64) -> String {
    let units = [
        (86_400, "day", "a"),
        (3600, "hour", "an"),
        (60, "minute", "a"),
    ];
    let unit = units.into_iter().find(|(unit, ..)| seconds % unit == 0);
    let (unit, word, article) = unit.unwrap_or((1, "second", "a"));
    match seconds / unit {
        1 => format!("{article} {word}"),
        count => format!("{count} {word}s"),
    }
}

/// Returns the name of a time zone.
pub(crate) fn zone(timezone: &TimeZone) -> String {
    timezone.iana_name().unwrap_or("local time").to_owned()
}

/// Returns the start of a local day with its offset: `2026-11-29T00:00:00+01:00`.
pub(crate) fn day_start(day: Date, timezone: &TimeZone) -> String {
    match day.to_zoned(timezone.clone()) {
        Ok(start) => start.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        Err(_) => day.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_their_units() {
        for (value, expected) in [
            (0.0, "0\u{a0}W"),
            (-0.01, "0.0\u{a0}W"),
            (0.6, "0.6\u{a0}W"),
            (74.26, "74.3\u{a0}W"),
            (99.96, "100\u{a0}W"),
            (2013.4, "2,013\u{a0}W"),
            (1_234_567.0, "1,234,567\u{a0}W"),
            (-1234.0, "\u{2212}1,234\u{a0}W"),
        ] {
            assert_eq!(watts(value), expected);
        }
        assert_eq!(kwh(420.0), "0.42\u{a0}kWh");
        assert_eq!(kwh(148_300.0), "148.3\u{a0}kWh");
    }

    #[test]
    fn amounts_of_money() {
        assert_eq!(money(0.134, "EUR"), "€0.13");
        assert_eq!(money(-1234.5, "EUR"), "\u{2212}€1,234.50");
        assert_eq!(money(0.2, "CHF"), "CHF\u{a0}0.20");
        assert_eq!(
            amounts([("EUR", 1.0), ("CHF", 2.0)]),
            "€1.00 + CHF\u{a0}2.00"
        );
        assert_eq!(amounts([]), DASH);
    }

    #[test]
    fn lengths_of_time() {
        let words = [10, 60, 900, 3600, 7200, 86_400].map(duration);
        let expected = [
            "10 seconds",
            "a minute",
            "15 minutes",
            "an hour",
            "2 hours",
            "a day",
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn moments_of_the_past() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let now = "2026-11-29T18:45:00Z".parse().unwrap();
        for (at, expected) in [
            ("2026-11-29T18:41:00Z", "19:41"),
            ("2026-11-28T23:00:00Z", "00:00"),
            ("2026-11-28T22:59:00Z", "yesterday, 23:59"),
            ("2026-03-03T10:00:00Z", "3 March"),
            ("2025-03-03T10:00:00Z", "3 March 2025"),
        ] {
            assert_eq!(since(at.parse().unwrap(), now, &zone), expected);
        }
    }

    #[test]
    fn moments_to_come() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let now = "2026-11-29T18:45:00Z".parse().unwrap();
        for (at, expected) in [
            ("2026-11-29T22:59:00Z", "today 23:59"),
            ("2026-11-29T23:00:00Z", "tomorrow 00:00"),
            ("2026-12-03T17:00:00Z", "Thu 3 Dec, 18:00"),
            ("2027-01-03T17:00:00Z", "Sun 3 Jan, 18:00"),
            ("2027-07-03T16:00:00Z", "Sat 3 Jul 2027, 18:00"),
        ] {
            assert_eq!(coming(at.parse().unwrap(), now, &zone), expected);
        }
    }
}
