//! The partitions of history: one for each table and month, in UTC.

use std::collections::BTreeSet;

use crate::store::{HistoryRow, Sample};
use jiff::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

/// Energy over a longer gap counts for the last part of it, see [`crate::store::spread`].
const MAX_SPREAD_DAYS: i64 = 400;

/// A table with partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase", const_into_str)]
pub(super) enum MonthlyTable {
    Readings,
    Minutes,
}

impl MonthlyTable {
    /// Units of the table's time in a second.
    fn per_second(self) -> i64 {
        match self {
            Self::Readings => 1000,
            Self::Minutes => 1,
        }
    }
}

/// A month of a table, by its first day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HistoryMonth {
    table: MonthlyTable,
    first: Date,
}

/// Partitions that are known to exist.
pub(super) type KnownMonths = BTreeSet<HistoryMonth>;

impl HistoryMonth {
    fn at(table: MonthlyTable, t: Timestamp) -> Self {
        let day = t.to_zoned(TimeZone::UTC).date();
        Self {
            table,
            first: day.first_of_month(),
        }
    }

    /// Reads the name of a partition.
    pub(super) fn named(table: MonthlyTable, name: &str) -> Option<Self> {
        let (year, month) = name
            .strip_prefix(table.into_str())?
            .strip_prefix('_')?
            .rsplit_once('_')?;
        let first = Date::new(year.parse().ok()?, month.parse().ok()?, 1).ok()?;
        Some(Self { table, first })
    }

    fn name(&self) -> String {
        let (year, month) = (self.first.year(), self.first.month());
        format!("\"{}_{year:04}_{month:02}\"", self.table.into_str())
    }

    fn next(&self) -> Self {
        // The calendar ends with a whole month.
        let (year, month) = (self.first.year(), self.first.month());
        let first = match month {
            12 if year == Date::MAX.year() => Date::MAX,
            12 => date(year + 1, 1, 1),
            month => date(year, month + 1, 1),
        };
        Self { first, ..*self }
    }

    /// Returns the second at which it begins.
    fn second(&self) -> i64 {
        let begin = self.first.to_zoned(TimeZone::UTC);
        begin.map_or(i64::MAX, |begin| begin.timestamp().as_second())
    }

    /// Returns true if it ends before a second.
    pub(super) fn is_before(&self, second: i64) -> bool {
        self.next().second() <= second
    }

    /// Returns the statement that makes the partition.
    pub(super) fn create_table(&self) -> String {
        let bound = |month: &Self| month.second().saturating_mul(self.table.per_second());
        format!(
            "CREATE TABLE IF NOT EXISTS {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})",
            self.name(),
            self.table.into_str(),
            bound(self),
            bound(&self.next())
        )
    }

    /// Returns the statement that drops the partition.
    pub(super) fn drop_table(&self) -> String {
        format!("DROP TABLE IF EXISTS {}", self.name())
    }
}

/// Returns the months that samples are written to.
pub(super) fn sampled_months(samples: &[Sample]) -> KnownMonths {
    let mut months = KnownMonths::new();
    for Sample { reading, used, .. } in samples {
        let last = HistoryMonth::at(MonthlyTable::Minutes, reading.at);
        months.insert(HistoryMonth::at(MonthlyTable::Readings, reading.at));
        let earliest = reading.at.as_second() - MAX_SPREAD_DAYS * 24 * 3600;
        let since = used.map_or(reading.at, |used| used.since.min(reading.at));
        let since = since.max(Timestamp::from_second(earliest).unwrap_or(Timestamp::MIN));
        // A millisecond earlier, where the clock went back.
        let since = Timestamp::from_millisecond(since.as_millisecond() - 1).unwrap_or(since);
        let mut month = HistoryMonth::at(MonthlyTable::Minutes, since);
        months.insert(last);
        while month < last {
            months.insert(month);
            month = month.next();
        }
    }
    months
}

/// Returns the months that rows from elsewhere are written to.
pub(super) fn imported_months(rows: &[HistoryRow]) -> KnownMonths {
    let month = |row: &HistoryRow| match row {
        HistoryRow::Reading(reading, _) => {
            Some(HistoryMonth::at(MonthlyTable::Readings, reading.at))
        }
        HistoryRow::Minute(span) => Some(HistoryMonth::at(MonthlyTable::Minutes, span.t)),
        HistoryRow::Quarter(_) => None,
    };
    rows.iter().filter_map(month).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_knows_its_name_and_bounds() {
        let at =
            |text: &str| HistoryMonth::at(MonthlyTable::Readings, text.parse().expect("a moment"));
        let month = at("2026-12-31T23:59:59.999Z");
        assert_eq!(month.name(), "\"readings_2026_12\"");
        assert_eq!(
            HistoryMonth::named(MonthlyTable::Readings, "readings_2026_12"),
            Some(month)
        );
        assert_eq!(
            HistoryMonth::named(MonthlyTable::Minutes, "readings_2026_12"),
            None
        );
        assert_eq!(month.next(), at("2027-01-01T00:00:00Z"));
        assert!(
            month
                .create_table()
                .ends_with("FROM (1796083200000) TO (1798761600000)")
        );
        assert!(month.is_before(1_798_761_600) && !month.is_before(1_798_761_599));
        let mut month = at("-009998-01-01T00:00:00Z");
        let name = month.name();
        assert_eq!(
            HistoryMonth::named(MonthlyTable::Readings, name.trim_matches('"')),
            Some(month)
        );
        month = at("9999-12-01T00:00:00Z");
        assert!(month < month.next());
    }
}
