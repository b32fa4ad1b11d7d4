//! Prices by the hour or quarter of an hour, as markets publish them, and the CSV files in which they come.

use std::collections::BTreeMap;
use std::io::Read;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::ToSchema;

use crate::error::RequestError;
use crate::local_date::LocalDate;
use crate::time_of_day::TimeOfDay;

/// Maximum price of a kilowatt-hour, higher than in any currency in use.
pub(super) const MAX_PRICE: f64 = 1e9;
/// Maximum number of prices: five years of quarter-hours, or twenty of hours.
const MAX_PRICES: usize = 200_000;
/// Maximum validity of a price, in seconds: a price without a successor is valid for an hour.
const MAX_DURATION_S: i64 = 3600;
const QUARTER_S: i64 = 900;
/// Maximum size of a file in bytes, more than [`MAX_PRICES`] need.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Prices, each from its time until the next, but no longer than an hour.
///
/// In JSON `[{"t":"2026-11-22T00:00:00Z","price":0.31}]`, ascending; any order is read. Negative prices exist on markets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HourPrices(BTreeMap<Timestamp, f64>);

/// A price of a kilowatt-hour, valid until the next, but no longer than an hour.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HourPrice {
    /// Time from which it is valid: the beginning of a quarter of an hour.
    #[schema(
        value_type = String,
        pattern = "^(19[7-9][0-9]|20[0-9]{2}|21[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):(00|15|30|45):00Z$",
        examples("2026-11-22T00:00:00Z")
    )]
    pub t: Timestamp,
    /// The price; negative prices exist on markets.
    #[schema(minimum = -1_000_000_000.0, maximum = 1_000_000_000.0)]
    pub price: f64,
}

impl HourPrices {
    /// Returns the number of prices.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns `true` if there are no prices.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the price that is valid at a time, if there is one.
    pub fn at(&self, time: Timestamp) -> Option<f64> {
        let (from, price) = self.0.range(..=time).next_back()?;
        let is_fresh = time.duration_since(*from) < SignedDuration::from_secs(MAX_DURATION_S);
        is_fresh.then_some(*price)
    }

    /// Adds prices, all or none. A new price replaces one for the same time.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `usage` at `prices` for a price that is not a number or out of range, a time that is not a
    /// quarter-hour or not between 1970 and 2200, and for too many prices.
    pub fn extend(
        &mut self,
        more: impl IntoIterator<Item = HourPrice>,
    ) -> Result<(), RequestError> {
        let mut all = self.0.clone();
        for price in more {
            price.check().map_err(usage)?;
            all.insert(price.t, price.price);
            if all.len() > MAX_PRICES {
                let message = format!("a tariff has at most {MAX_PRICES} prices");
                return Err(usage(message).hint("begin a new tariff with its own `valid_from`"));
            }
        }
        self.0 = all;
        Ok(())
    }

    /// Reads a CSV file with the columns `time` and `price`.
    ///
    /// A time is RFC 3339, or local without a zone; a local time that occurs twice is first the earlier and then the later.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `usage` that names the line.
    pub fn from_csv(file: impl Read, timezone: &TimeZone) -> Result<Self, RequestError> {
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(file.take(MAX_FILE_BYTES + 1));
        let header = reader
            .headers()
            .map_err(|error| usage(csv_problem(&error)))?;
        // Spreadsheets begin files with a mark of their own.
        let names: Vec<_> = header
            .iter()
            .map(|name| name.trim_start_matches('\u{feff}'))
            .collect();
        if names != ["time", "price"] {
            return Err(usage("the first line of a price file is `time,price`"));
        }
        let mut prices = Self::default();
        let mut last = None;
        for row in reader.records() {
            let row = row.map_err(|error| usage(csv_problem(&error)))?;
            let line = row.position().map_or(0, csv::Position::line);
            let price = read_row(&row, timezone, last)
                .map_err(|problem| usage(format!("line {line}: {problem}")))?;
            last = Some(price.t);
            if prices.0.insert(price.t, price.price).is_some() {
                return Err(usage(format!("line {line}: {} is there twice", price.t)));
            }
            if prices.len() > MAX_PRICES {
                return Err(usage(format!(
                    "a price file has at most {MAX_PRICES} lines"
                )));
            }
        }
        match reader.get_ref().limit() {
            0 => Err(usage("a price file has at most 16 MB")),
            _ => Ok(prices),
        }
    }

    /// Returns them in order.
    pub fn iter(&self) -> impl Iterator<Item = HourPrice> {
        self.0.iter().map(|(t, price)| HourPrice {
            t: *t,
            price: *price,
        })
    }
}

fn usage(message: impl Into<String>) -> RequestError {
    RequestError::usage(message).at("prices")
}

fn csv_problem(error: &csv::Error) -> String {
    let line = error.position().map_or(0, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::UnequalLengths { .. } => format!("line {line}: not a time and a price"),
        csv::ErrorKind::Utf8 { .. } => format!("line {line}: not UTF-8"),
        _ => "the price file cannot be read".to_owned(),
    }
}

fn read_row(
    row: &csv::StringRecord,
    timezone: &TimeZone,
    last: Option<Timestamp>,
) -> Result<HourPrice, String> {
    let (Some(time), Some(price)) = (row.get(0), row.get(1)) else {
        return Err("not a time and a price".to_owned());
    };
    let price = HourPrice {
        t: read_time(time, timezone, last)?,
        price: price
            .parse()
            .map_err(|_| format!("'{}' is not a price", shown(price)))?,
    };
    price.check().map(|()| price)
}

fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

fn read_time(
    text: &str,
    timezone: &TimeZone,
    last: Option<Timestamp>,
) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let local = read_local(text).ok_or_else(|| {
        format!(
            "'{}' is not a time; write it like `2026-11-22T00:00:00Z` or, in local time, `2026-11-22T00:00`",
            shown(text)
        )
    })?;
    let times = timezone.to_ambiguous_timestamp(local);
    let time = match times.offset() {
        AmbiguousOffset::Gap { .. } => {
            return Err(format!("the local time {local} does not exist"));
        }
        AmbiguousOffset::Fold { before, after } => {
            let earlier = before.to_timestamp(local);
            match earlier {
                Ok(earlier) if last.is_some_and(|last| last >= earlier) => {
                    after.to_timestamp(local)
                }
                earlier => earlier,
            }
        }
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local),
    };
    time.map_err(|_| format!("'{}' is too far away", shown(text)))
}

fn read_local(text: &str) -> Option<DateTime> {
    let (day, time) = text.split_once(['T', ' '])?;
    let day: LocalDate = day.parse().ok()?;
    let time: TimeOfDay = time.parse().ok()?;
    Some(day.get().to_datetime(time.get()))
}

impl HourPrice {
    fn check(&self) -> Result<(), String> {
        let Self { t, price } = self;
        let seconds = t.as_second();
        if seconds.rem_euclid(QUARTER_S) != 0 || t.subsec_nanosecond() != 0 {
            return Err(format!("price times must fall on a quarter hour; got {t}"));
        }
        // 1970 and 2200.
        if !(0..7_258_118_400).contains(&seconds) {
            return Err(format!("{t} is not between 1970 and 2200"));
        }
        if !price.is_finite() || price.abs() > MAX_PRICE {
            return Err(format!("{price} is not a price of a kilowatt-hour"));
        }
        Ok(())
    }
}

impl Serialize for HourPrices {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for HourPrices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut prices = Self::default();
        let list = Vec::<HourPrice>::deserialize(deserializer)?;
        prices.extend(list).map_err(de::Error::custom)?;
        Ok(prices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    fn read(csv: &str) -> Result<HourPrices, RequestError> {
        HourPrices::from_csv(csv.as_bytes(), &berlin())
    }

    fn price(t: &str, price: f64) -> HourPrice {
        let t = t.parse().unwrap();
        HourPrice { t, price }
    }

    #[test]
    fn holds_until_the_next_or_for_an_hour() {
        let prices = read("time,price\n2026-11-22T10:00Z,1\n2026-11-22T10:15Z,2\n").unwrap();
        let at = |time: &str| prices.at(time.parse().unwrap());
        assert_eq!(at("2026-11-22T09:59:59Z"), None);
        assert_eq!(at("2026-11-22T10:00Z"), Some(1.0));
        assert_eq!(at("2026-11-22T10:15Z"), Some(2.0));
        assert_eq!(at("2026-11-22T11:14:59Z"), Some(2.0));
        assert_eq!(at("2026-11-22T11:15Z"), None);
    }

    #[test]
    fn new_prices_hold_over_old_ones() {
        let mut prices = read("time,price\n2026-11-22T10:00Z,1\n2026-11-22T11:00Z,2\n").unwrap();
        prices
            .extend([
                price("2026-11-22T11:00Z", 5.0),
                price("2026-11-22T12:00Z", 3.0),
            ])
            .unwrap();
        let list: Vec<_> = prices.iter().map(|price| price.price).collect();
        assert_eq!(list, [1.0, 5.0, 3.0]);
        let before = prices.clone();
        let bad = [
            price("2026-11-22T13:00Z", 1.0),
            price("2026-11-22T14:00Z", f64::NAN),
        ];
        assert!(prices.extend(bad).is_err());
        assert_eq!(prices, before);
    }

    #[test]
    fn local_files_with_the_hour_that_comes_twice() {
        let csv = "\u{feff}time, price\n2026-10-25 01:00,1\n2026-10-25 02:00,2\n2026-10-25 02:00,3\n2026-10-25 03:00,4\n";
        let times: Vec<_> = read(csv)
            .unwrap()
            .iter()
            .map(|price| (price.t.to_string(), price.price))
            .collect();
        let expected = [
            ("2026-10-24T23:00:00Z", 1.0),
            ("2026-10-25T00:00:00Z", 2.0),
            ("2026-10-25T01:00:00Z", 3.0),
            ("2026-10-25T02:00:00Z", 4.0),
        ];
        assert_eq!(
            times,
            expected.map(|(time, price)| (time.to_owned(), price))
        );
        // The quarter-hours of it too.
        let quarters = "time,price\n2026-10-25T02:00,1\n2026-10-25T02:15,2\n2026-10-25T02:30,3\n2026-10-25T02:45,4\n2026-10-25T02:00,5\n2026-10-25T02:15,6\n2026-10-25T02:30,7\n2026-10-25T02:45,8\n";
        assert_eq!(read(quarters).unwrap().len(), 8);
    }

    #[test]
    fn bad_files_are_refused_with_the_line() {
        for (csv, problem) in [
            ("", "first line"),
            ("time;price\n", "first line"),
            ("price,time\n", "first line"),
            ("time,price\n2026-11-22T10:00Z\n", "line 2"),
            (
                "time,price\n2026-11-22T10:00Z,1\n2026-11-22T10:00Z,2\n",
                "line 3: 2026-11-22T10:00:00Z is there twice",
            ),
            ("time,price\n2026-11-22T10:01Z,1\n", "line 2: price times"),
            (
                "time,price\n2026-11-22T10:00:00.5Z,1\n",
                "line 2: price times",
            ),
            (
                "time,price\n2026-11-22T10:00Z,NaN\n",
                "line 2: NaN is not a price",
            ),
            (
                "time,price\n2026-11-22T10:00Z,inf\n",
                "line 2: inf is not a price",
            ),
            (
                "time,price\n2026-11-22T10:00Z,\n",
                "line 2: '' is not a price",
            ),
            (
                "time,price\n2026-11-22T10:00Z,\"0,31\"\n",
                "line 2: '0,31' is not a price",
            ),
            ("time,price\n1969-12-31T23:00Z,1\n", "between 1970 and 2200"),
            ("time,price\n2200-01-01T00:00Z,1\n", "between 1970 and 2200"),
            (
                "time,price\ntomorrow,1\n",
                "line 2: 'tomorrow' is not a time",
            ),
            ("time,price\n2026-03-29T02:00,1\n", "line 2: the local time"),
        ] {
            let error = read(csv).unwrap_err();
            assert!(error.message().contains(problem), "{csv}: {error}");
        }
        let latin = b"time,price\n2026-11-22T10:00Z,\xff\n";
        let error = HourPrices::from_csv(&latin[..], &berlin()).unwrap_err();
        assert_eq!(error.message(), "line 2: not UTF-8");
    }

    #[test]
    fn too_many_are_refused() {
        let rows = "2026-11-22T10:00:00+00:00, 1\n";
        let mut long = "time,price\n".to_owned() + rows;
        long.extend(std::iter::repeat_n('\n', MAX_FILE_BYTES as usize));
        assert!(read(&long).unwrap_err().message().contains("at most 16 MB"));
        let mut prices = HourPrices::default();
        let all = (0..MAX_PRICES as i64).map(|number| HourPrice {
            t: Timestamp::from_second(number * QUARTER_S).unwrap(),
            price: 1.0,
        });
        prices.extend(all).unwrap();
        let error = prices
            .extend([price("2100-01-01T00:00Z", 1.0)])
            .unwrap_err();
        assert!(error.message().contains("at most"), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn no_file_makes_it_panic(rows in "(time,price\n)?([-0-9T:Z., \"]{0,24},?[-0-9.e]{0,8}\n){0,4}") {
            let _ = read(&rows);
        }
    }
}
