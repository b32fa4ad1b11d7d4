//! Answers history queries by sums over steps: from the coarsest rows that are fine enough; where those are already removed,
//! the steps become as long as the rows that are left.

use async_trait::async_trait;
use hiflying::Mac;
use jiff::Timestamp;

use super::database::{SqliteDatabase, decoded, encoded, readable_rows};
use super::steps::{
    ConsumptionRow, SecondRange, StepBoundaries, StepSums, TierExtent, TierRanges, add_to,
    ceil_second,
};
use super::{Sqlite, append, rows};
use crate::store::scale::from_thousandths;
use crate::store::spread::{MINUTE, QUARTER, floor};
use crate::store::sum::SpanSum;
use crate::store::{
    HistoryPoint, HistoryQuery, HistoryRow, HistorySteps, HistoryStore, Quarter, Sample,
    StoreError, Tier,
};

/// Number of steps, readings or quarters of an hour that one query returns.
const ROWS_PER_QUERY: usize = 10_000;

/// Sums the rows of each pair of times. A query for each step by itself keeps SQLite from sorting a year of rows.
macro_rules! sum_of {
    ($table:literal) => {
        concat!(
            "SELECT json_group_array(json((SELECT json_array(coalesce(sum(readings), 0), sum(power), min(low), \
             max(high), coalesce(sum(energy), 0)) FROM ",
            $table,
            " WHERE plug = ?1 AND t >= step.value ->> 0 AND t < step.value ->> 1))) FROM json_each(?2) AS step"
        )
    };
}

const SUM_MINUTES: &str = sum_of!("minutes");
const SUM_QUARTERS: &str = sum_of!("quarters");

const READINGS: &str = "SELECT json_group_array(json_array(at_ms, power, energy, gap_ms)) FROM \
    (SELECT at_ms, power, energy, gap_ms FROM readings WHERE plug = ?1 AND at_ms >= ?2 AND at_ms < ?3 \
    ORDER BY at_ms LIMIT ?4)";

/// Readings from a time on whose energy was partly used before it. That need not be the next one alone: where a plug continues
/// another's history, the gaps of both lie side by side.
const ACROSS: &str = "SELECT json_group_array(json_array(at_ms, power, energy, gap_ms)) FROM readings \
    WHERE plug = ?1 AND at_ms >= ?2 AND energy IS NOT NULL AND at_ms - gap_ms < ?2";

/// First and last time of each tier: readings in milliseconds, the others in seconds.
const EXTENT: &str = "SELECT json_array( \
    (SELECT min(at_ms) FROM readings WHERE plug = ?1), \
    (SELECT min(t) FROM minutes WHERE plug = ?1), (SELECT max(t) FROM minutes WHERE plug = ?1), \
    (SELECT min(t) FROM quarters WHERE plug = ?1), (SELECT max(t) FROM quarters WHERE plug = ?1))";

/// Plugs with history: every reading belongs to a quarter of an hour.
const RECORDED: &str = "SELECT CAST(json_group_array(mac) AS BLOB) FROM \
    (SELECT mac FROM series WHERE EXISTS (SELECT 1 FROM quarters WHERE plug = id) ORDER BY mac)";

/// (readings, power, low, high, energy)
type SumRow = (i64, Option<i64>, Option<i64>, Option<i64>, i64);

#[async_trait]
impl HistoryStore for Sqlite {
    async fn append(&self, samples: &[Sample]) -> Result<(), StoreError> {
        self.write(|database| async move { append::append(&database, samples).await })
            .await
    }

    async fn history(&self, query: &HistoryQuery) -> Result<HistorySteps, StoreError> {
        self.read(|database| async move { Ok(history(&database, query).await?) })
            .await
    }

    async fn recorded(&self) -> Result<Vec<Mac>, StoreError> {
        self.read(|database| async move {
            let query = sqlx::query_scalar(RECORDED);
            let json: Vec<u8> = query.fetch_one(database.readers()).await?;
            Ok(readable_rows(&json)?)
        })
        .await
    }

    async fn quarters(
        &self,
        plug: Option<Mac>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Quarter>, StoreError> {
        let range = SecondRange {
            from: ceil_second(from),
            to: ceil_second(to),
        };
        self.read(|database| async move { Ok(quarters(&database, plug, range).await?) })
            .await
    }

    async fn rows(
        &self,
        plug: Mac,
        tier: Tier,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<HistoryRow>, StoreError> {
        self.read(|database| async move {
            Ok(rows::rows(&database, plug, tier, (from, to), limit).await?)
        })
        .await
    }

    async fn import(&self, plug: Mac, rows: &[HistoryRow]) -> Result<u64, StoreError> {
        self.write(|database| async move { rows::import(&database, plug, rows).await })
            .await
    }

    async fn tidy(&self, now: Timestamp) -> Result<(), StoreError> {
        let retention = self.retention;
        self.write(|database| async move { database.tidy(retention, now).await })
            .await
    }
}

async fn history(
    database: &SqliteDatabase,
    query: &HistoryQuery,
) -> Result<HistorySteps, sqlx::Error> {
    let Some(plug) = database.series_of(query.plug).await? else {
        return Ok(HistorySteps {
            step: query.step,
            points: Vec::new(),
        });
    };
    let extent = extent(database, plug).await?;
    let steps = StepBoundaries::of(query).coarsened(query, extent);
    let range = steps.widened(query);
    let parts = TierRanges::of(steps.tier(), range, extent);
    let mut sums = StepSums::new();
    for (sql, size, part) in [
        (
            SUM_QUARTERS,
            QUARTER,
            parts.quarters.within(extent.quarters),
        ),
        (SUM_MINUTES, MINUTE, parts.minutes.within(extent.minutes)),
    ] {
        let pairs = steps.pairs(size, part);
        add_sums(database, &mut sums, (sql, plug), pairs, query.limit).await?;
    }
    if sums.len() < query.limit {
        add_readings(database, &mut sums, plug, parts.readings, &steps).await?;
    }
    let points = sums.into_iter().filter_map(|(t, sum)| point(t, &sum));
    Ok(HistorySteps {
        step: steps.step(),
        points: points.take(query.limit).collect(),
    })
}

async fn extent(database: &SqliteDatabase, plug: i64) -> Result<TierExtent, sqlx::Error> {
    let query = sqlx::query_scalar(EXTENT).bind(plug);
    let json: String = query.fetch_one(database.readers()).await?;
    let [
        readings,
        first_minute,
        last_minute,
        first_quarter,
        last_quarter,
    ]: [Option<i64>; 5] = decoded(&json)?;
    // Rows are removed up to a quarter of an hour, so that is where whole data begin.
    let begins = |t: Option<i64>| t.map_or(i64::MAX, |t| floor(t, QUARTER));
    let ends = |t: Option<i64>, size| t.map_or(i64::MIN, |t| t + size);
    Ok(TierExtent {
        readings_from: begins(readings.map(|at| at.div_euclid(1000))),
        minutes: SecondRange {
            from: begins(first_minute),
            to: ends(last_minute, MINUTE),
        },
        quarters: SecondRange {
            from: begins(first_quarter),
            to: ends(last_quarter, QUARTER),
        },
    })
}

async fn add_sums(
    database: &SqliteDatabase,
    sums: &mut StepSums,
    (sql, plug): (&'static str, i64),
    mut pairs: impl Iterator<Item = (i64, SecondRange)> + Send,
    limit: usize,
) -> Result<(), sqlx::Error> {
    while sums.len() < limit {
        let steps: Vec<_> = pairs.by_ref().take(ROWS_PER_QUERY).collect();
        if steps.is_empty() {
            break;
        }
        let ranges: Vec<_> = steps
            .iter()
            .map(|(_, range)| (range.from, range.to))
            .collect();
        let query = sqlx::query_scalar(sql).bind(plug).bind(encoded(&ranges));
        let json: String = query.fetch_one(database.readers()).await?;
        let rows: Vec<SumRow> = decoded(&json)?;
        for ((t, _), row) in steps.iter().zip(rows) {
            add_to(sums, *t, sum(row));
        }
    }
    Ok(())
}

async fn add_readings(
    database: &SqliteDatabase,
    sums: &mut StepSums,
    plug: i64,
    range: SecondRange,
    steps: &StepBoundaries,
) -> Result<(), sqlx::Error> {
    if range.is_empty() {
        return Ok(());
    }
    let end = range.to.saturating_mul(1000);
    let mut from = range.from.saturating_mul(1000);
    loop {
        let span = (from, end);
        let rows: Vec<ConsumptionRow> =
            database.slice(READINGS, plug, span, ROWS_PER_QUERY).await?;
        for row in &rows {
            steps.add_reading(sums, row, range);
        }
        match rows.last() {
            Some(last) if rows.len() == ROWS_PER_QUERY => from = last.0 + 1,
            _ => break,
        }
    }
    let query = sqlx::query_scalar(ACROSS).bind(plug).bind(end);
    let json: String = query.fetch_one(database.readers()).await?;
    let rows: Vec<ConsumptionRow> = decoded(&json)?;
    for row in &rows {
        steps.add_reading(sums, row, range);
    }
    Ok(())
}

async fn quarters(
    database: &SqliteDatabase,
    plug: Option<Mac>,
    range: SecondRange,
) -> Result<Vec<Quarter>, sqlx::Error> {
    let sql = "SELECT CAST(json_group_array(json_array(mac, id)) AS BLOB) FROM \
        (SELECT mac, id FROM series WHERE ?1 IS NULL OR mac = ?1 ORDER BY mac)";
    let query = sqlx::query_scalar(sql).bind(plug.map(|plug| format!("{plug:x}")));
    let json: Vec<u8> = query.fetch_one(database.readers()).await?;
    let series: Vec<(Mac, i64)> = readable_rows(&json)?;
    let mut quarters = Vec::new();
    for (mac, id) in series {
        add_quarters(database, &mut quarters, (mac, id), range).await?;
    }
    Ok(quarters)
}

async fn add_quarters(
    database: &SqliteDatabase,
    quarters: &mut Vec<Quarter>,
    (plug, id): (Mac, i64),
    range: SecondRange,
) -> Result<(), sqlx::Error> {
    let sql = "SELECT json_group_array(json_array(t, energy)) FROM \
        (SELECT t, energy FROM quarters WHERE plug = ?1 AND t >= ?2 AND t < ?3 ORDER BY t LIMIT ?4)";
    let mut from = range.from;
    loop {
        let span = (from, range.to);
        let rows: Vec<(i64, i64)> = database.slice(sql, id, span, ROWS_PER_QUERY).await?;
        let whole = rows.iter().filter_map(|(t, energy)| {
            Some(Quarter {
                plug,
                t: Timestamp::from_second(*t).ok()?,
                energy_wh: from_thousandths(*energy),
            })
        });
        quarters.extend(whole);
        match rows.last() {
            Some((last, _)) if rows.len() == ROWS_PER_QUERY => from = last + 1,
            _ => return Ok(()),
        }
    }
}

fn sum((readings, power, low, high, energy): SumRow) -> SpanSum {
    SpanSum {
        readings,
        // SQL has no sum over no rows.
        power: power.unwrap_or(0),
        low,
        high,
        energy,
    }
}

fn point(t: i64, sum: &SpanSum) -> Option<HistoryPoint> {
    Some(HistoryPoint {
        t: Timestamp::from_second(t).ok()?,
        power_w: sum.mean().map(|mean| mean / 1e3),
        power_min_w: sum.low.map(from_thousandths),
        power_max_w: sum.high.map(from_thousandths),
        energy_wh: from_thousandths(sum.energy),
    })
}
