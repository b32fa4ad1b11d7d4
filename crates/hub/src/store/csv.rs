//! Export and import of a plug's history as CSV, for another store or a spreadsheet.
//!
//! Every row of every tier is written as it is stored, oldest first: quarters of an hour, minutes, readings. The rows whose `kind`
//! is `quarter` are the sums over the whole time.

use std::io::{Read, Write};
use std::path::PathBuf;

use api::SiteName;
use hiflying::Mac;
use jiff::{SignedDuration, Timestamp};
use plugs::Reading;
use serde::{Deserialize, Serialize};

use super::{HistoryRow, HistorySpan, HistoryStore, StoreError, Tier, Used};

/// Rows held in memory while exporting.
const ROWS_PER_QUERY: usize = 5_000;
/// About four years of one plug.
const MAX_IMPORTED_ROWS: usize = 1_000_000;
/// 1970, in seconds.
const MIN_TIME: i64 = 0;
/// Maximum time that a row may lie ahead: clocks differ, but none by a year.
const MAX_AHEAD: SignedDuration = SignedDuration::from_hours(366 * 24);
/// Maximum power of a plug: a quarter more than 16 A at 250 V.
const MAX_WATTS: f64 = 5_000.0;
/// Maximum energy of a row in watt-hours: of an hour at [`MAX_WATTS`], because the energy of a long gap is kept by the hour.
const MAX_WATT_HOURS: f64 = MAX_WATTS;
/// The smallest step of a plug's counter in watt-hours, by which a reading can exceed what was used.
const COUNTER_STEP: f64 = 1.0;

/// Result of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ImportCounts {
    /// Rows in the file.
    pub rows: u64,
    /// Rows that were not stored already.
    pub new: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RowKind {
    Quarter,
    Minute,
    Reading,
}

/// Names of the fields of [`CsvLine`].
const COLUMNS: [&str; 12] = [
    "kind",
    "time",
    "power_w",
    "power_min_w",
    "power_max_w",
    "energy_wh",
    "readings",
    "voltage_v",
    "current_a",
    "frequency_hz",
    "counter_wh",
    "since",
];

/// A line. The kind decides which fields are empty.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CsvLine {
    kind: RowKind,
    /// Time of the reading, or start of the span.
    time: String,
    power_w: Option<f64>,
    power_min_w: Option<f64>,
    power_max_w: Option<f64>,
    /// Energy used since `since`, or in the span.
    energy_wh: Option<f64>,
    /// Number of readings in the span.
    readings: Option<u32>,
    voltage_v: Option<f64>,
    current_a: Option<f64>,
    frequency_hz: Option<f64>,
    /// The plug's own counter.
    counter_wh: Option<u64>,
    since: Option<String>,
    /// The site of the hub that wrote the line; a hub without one writes no such column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    site: Option<SiteName>,
}

/// Name of the last column of a hub with a site.
pub(crate) const SITE_COLUMN: &str = "site";

/// Writes the rows of a plug from one moment to another, and returns their number. `site` is that of the store.
///
/// # Errors
///
/// Errors of the store; [`StoreError::File`] when the writer fails.
pub async fn export(
    store: &dyn HistoryStore,
    site: &SiteName,
    plug: Mac,
    (from, to): (Timestamp, Timestamp),
    writer: impl Write + Send,
) -> Result<u64, StoreError> {
    let site = Some(site).filter(|site| !site.is_empty());
    let mut writer = ::csv::WriterBuilder::new()
        .has_headers(false)
        .from_writer(writer);
    // Also where no row follows.
    let columns = COLUMNS.into_iter().chain(site.map(|_| SITE_COLUMN));
    writer.write_record(columns).map_err(unwritable)?;
    let mut count = 0;
    for tier in [Tier::Quarters, Tier::Minutes, Tier::Readings] {
        let mut from = from;
        loop {
            let rows = store.rows(plug, tier, from, to, ROWS_PER_QUERY).await?;
            let last = rows.last().map(time);
            for row in &rows {
                let line = CsvLine {
                    site: site.cloned(),
                    ..line(plug, row)
                };
                writer.serialize(line).map_err(unwritable)?;
            }
            count += rows.len() as u64;
            let next = last.and_then(|last| {
                let next = last.checked_add(SignedDuration::from_millis(1)).ok()?;
                (rows.len() == ROWS_PER_QUERY).then_some(next)
            });
            match next {
                Some(next) => from = next,
                None => break,
            }
        }
    }
    writer
        .flush()
        .map_err(|error| unwritable(::csv::Error::from(error)))?;
    Ok(count)
}

/// Adds the rows that [`export`] wrote to a plug's history: all of them or, when a line is wrong, none. Existing rows stay, so a
/// file can be imported twice.
///
/// # Errors
///
/// [`StoreError::File`] that names the line; errors of the store.
pub async fn import(
    store: &dyn HistoryStore,
    plug: Mac,
    reader: impl Read + Send,
    now: Timestamp,
) -> Result<ImportCounts, StoreError> {
    let rows = read(plug, reader, now)?;
    let new = store.import(plug, &rows).await?;
    Ok(ImportCounts {
        rows: rows.len() as u64,
        new,
    })
}

fn time(row: &HistoryRow) -> Timestamp {
    match row {
        HistoryRow::Reading(reading, _) => reading.at,
        HistoryRow::Minute(span) | HistoryRow::Quarter(span) => span.t,
    }
}

fn line(plug: Mac, row: &HistoryRow) -> CsvLine {
    match row {
        HistoryRow::Reading(reading, used) => {
            debug_assert_eq!(reading.plug, plug);
            CsvLine {
                power_w: reading.power_w,
                energy_wh: used.map(|used| used.energy_wh),
                voltage_v: reading.voltage_v,
                current_a: reading.current_a,
                frequency_hz: reading.frequency_hz,
                counter_wh: reading.energy_wh,
                since: used.map(|used| used.since.to_string()),
                ..CsvLine::empty(RowKind::Reading, reading.at)
            }
        }
        HistoryRow::Minute(span) => line_of_span(RowKind::Minute, span),
        HistoryRow::Quarter(span) => line_of_span(RowKind::Quarter, span),
    }
}

fn line_of_span(kind: RowKind, span: &HistorySpan) -> CsvLine {
    CsvLine {
        power_w: span.power_w,
        power_min_w: span.power_min_w,
        power_max_w: span.power_max_w,
        energy_wh: Some(span.energy_wh),
        readings: Some(span.readings),
        ..CsvLine::empty(kind, span.t)
    }
}

/// Reads and checks the rows of a file for [`import`].
///
/// # Errors
///
/// [`StoreError::File`] that names the line.
pub fn read(plug: Mac, reader: impl Read, now: Timestamp) -> Result<Vec<HistoryRow>, StoreError> {
    let latest = now.saturating_add(MAX_AHEAD).unwrap_or(Timestamp::MAX);
    let mut reader = ::csv::Reader::from_reader(reader);
    let mut rows = Vec::new();
    let mut record = ::csv::StringRecord::new();
    let headers = reader.headers().map_err(|error| file(error.to_string()))?;
    let headers = headers.clone();
    if let Some(missing) = ["kind", "time"]
        .iter()
        .find(|name| !headers.iter().any(|header| header == **name))
    {
        return Err(file(format!("line 1: column `{missing}` is missing")));
    }
    let unreadable = |error| unreadable(&error, &headers);
    while reader.read_record(&mut record).map_err(unreadable)? {
        let number = record.position().map_or(0, ::csv::Position::line);
        let wrong = |what: &str| file(format!("line {number}: {what}"));
        if rows.len() == MAX_IMPORTED_ROWS {
            return Err(wrong(&format!("more than {MAX_IMPORTED_ROWS} rows")));
        }
        let line: CsvLine = record.deserialize(Some(&headers)).map_err(unreadable)?;
        rows.push(line.row(plug, latest).map_err(|what| wrong(&what))?);
    }
    Ok(rows)
}

impl CsvLine {
    fn empty(kind: RowKind, time: Timestamp) -> Self {
        Self {
            kind,
            time: time.to_string(),
            power_w: None,
            power_min_w: None,
            power_max_w: None,
            energy_wh: None,
            readings: None,
            voltage_v: None,
            current_a: None,
            frequency_hz: None,
            counter_wh: None,
            since: None,
            site: None,
        }
    }

    fn row(self, plug: Mac, latest: Timestamp) -> Result<HistoryRow, String> {
        let time = moment("time", &self.time)?;
        if time.as_second() < MIN_TIME {
            return Err("`time` is before 1970".to_owned());
        }
        if time > latest {
            return Err("`time` is more than a year ahead".to_owned());
        }
        // A reading can have used energy over a long gap; that is checked with the gap.
        let max_energy = match self.kind {
            RowKind::Reading => f64::MAX,
            RowKind::Minute | RowKind::Quarter => MAX_WATT_HOURS,
        };
        for (name, value, max) in [
            ("power_w", self.power_w, MAX_WATTS),
            ("power_min_w", self.power_min_w, MAX_WATTS),
            ("power_max_w", self.power_max_w, MAX_WATTS),
            ("voltage_v", self.voltage_v, 500.0),
            ("current_a", self.current_a, 40.0),
            ("frequency_hz", self.frequency_hz, 100.0),
            ("energy_wh", self.energy_wh, max_energy),
        ] {
            if let Some(value) = value.filter(|value| !value.is_finite() || value.abs() > max) {
                let what = format!("`{name}` is {value}, which no plug can have");
                return Err(what);
            }
        }
        if self.energy_wh.is_some_and(|energy| energy < 0.0) {
            return Err("`energy_wh` cannot be negative".to_owned());
        }
        match self.kind {
            RowKind::Reading => self.reading(plug, time),
            RowKind::Minute => self.span(time, 60).map(HistoryRow::Minute),
            RowKind::Quarter => self.span(time, 900).map(HistoryRow::Quarter),
        }
    }

    fn reading(self, plug: Mac, time: Timestamp) -> Result<HistoryRow, String> {
        if self.power_min_w.is_some() || self.power_max_w.is_some() || self.readings.is_some() {
            return Err(
                "a reading cannot have `power_min_w`, `power_max_w` or `readings`".to_owned(),
            );
        }
        let since = self.since.as_deref().map(|text| moment("since", text));
        let used = match (since.transpose()?, self.energy_wh) {
            (Some(since), Some(energy_wh)) if since < time => {
                let hours = time.duration_since(since).as_secs_f64() / 3600.0;
                if energy_wh > MAX_WATTS * hours + COUNTER_STEP {
                    let what = format!(
                        "`energy_wh` is {energy_wh}, which no plug can have used since `since`"
                    );
                    return Err(what);
                }
                Some(Used { since, energy_wh })
            }
            (None, None) => None,
            (Some(_), Some(_)) => return Err("`since` is not before `time`".to_owned()),
            _ => return Err("`since` and `energy_wh` require each other".to_owned()),
        };
        let reading = Reading {
            plug,
            at: time,
            voltage_v: self.voltage_v,
            current_a: self.current_a,
            frequency_hz: self.frequency_hz,
            power_w: self.power_w,
            energy_wh: self.counter_wh,
        };
        Ok(HistoryRow::Reading(reading, used))
    }

    fn span(self, time: Timestamp, seconds: i64) -> Result<HistorySpan, String> {
        if time.as_millisecond() % (seconds * 1000) != 0 {
            return Err(format!("`time` is not a multiple of {seconds} seconds"));
        }
        let readings = self.readings.unwrap_or(0);
        if i64::from(readings) > seconds * 1000 {
            return Err("`readings` is larger than the number of milliseconds".to_owned());
        }
        match (self.power_min_w, self.power_w, self.power_max_w) {
            (None, None, None) if readings == 0 => {}
            (Some(low), Some(mean), Some(high)) if readings > 0 => {
                // The mean was rounded when it was written.
                if low > mean + 0.001 || mean > high + 0.001 {
                    return Err("`power_w` is not between its extremes".to_owned());
                }
            }
            _ => {
                let what = "`readings` and the three powers require each other";
                return Err(what.to_owned());
            }
        }
        Ok(HistorySpan {
            t: time,
            readings,
            power_w: self.power_w,
            power_min_w: self.power_min_w,
            power_max_w: self.power_max_w,
            energy_wh: self.energy_wh.ok_or("`energy_wh` is missing")?,
        })
    }
}

fn moment(field: &str, text: &str) -> Result<Timestamp, String> {
    let parsed = text.parse();
    parsed.map_err(|_| format!("`{field}` is not a time like 2026-11-22T12:00:00Z"))
}

fn unreadable(error: &::csv::Error, headers: &::csv::StringRecord) -> StoreError {
    let ::csv::ErrorKind::Deserialize { pos, err } = error.kind() else {
        return file(error.to_string());
    };
    let line = pos.as_ref().map_or(0, ::csv::Position::line);
    let field = err.field().and_then(|field| usize::try_from(field).ok());
    match field.and_then(|field| headers.get(field)) {
        Some(name) => file(format!("line {line}: `{name}`: {}", err.kind())),
        None => file(format!("line {line}: {}", err.kind())),
    }
}

fn unwritable(error: ::csv::Error) -> StoreError {
    file(format!("cannot be written: {error}"))
}

fn file(what: String) -> StoreError {
    StoreError::File {
        path: PathBuf::from("CSV"),
        what,
    }
}
