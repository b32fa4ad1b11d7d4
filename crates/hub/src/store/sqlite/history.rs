//! What history is asked: sums over steps, from the coarsest rows that are fine enough, and where those are already gone
//! from coarser ones.

use api::PlugId;
use hiflying::Mac;
use jiff::Timestamp;

use super::database::{Database, READ, encoded};
use super::steps::{Extent, Pieces, Range, ReadingRow, Steps, Sums, add_to, ceil_second};
use crate::store::scale::from_thousandths;
use crate::store::slots::{MINUTE, QUARTER, floor};
use crate::store::sum::Sum;
use crate::store::{HistoryPoint, HistoryQuery, Quarter, StoreError};

/// So many steps, readings or quarters of an hour are asked for at once.
const AT_ONCE: usize = 10_000;

/// One answer for each pair of times. Asking for each step by itself keeps SQLite from sorting a year of rows.
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

/// Readings from a time on that tell what was used since before it. That need not be the next one alone: where a plug
/// carries on another's history, the gaps of both lie side by side.
const ACROSS: &str = "SELECT json_group_array(json_array(at_ms, power, energy, gap_ms)) FROM readings \
    WHERE plug = ?1 AND at_ms >= ?2 AND energy IS NOT NULL AND at_ms - gap_ms < ?2";

/// Where each kind of rows begins and ends: readings in milliseconds, the others in seconds.
const EXTENT: &str = "SELECT json_array( \
    (SELECT min(at_ms) FROM readings WHERE plug = ?1), \
    (SELECT min(t) FROM minutes WHERE plug = ?1), (SELECT max(t) FROM minutes WHERE plug = ?1), \
    (SELECT min(t) FROM quarters WHERE plug = ?1), (SELECT max(t) FROM quarters WHERE plug = ?1))";

/// (readings, power, low, high, energy)
type SumRow = (i64, Option<i64>, Option<i64>, Option<i64>, i64);
impl Database {
    pub(super) async fn history(
        &self,
        query: &HistoryQuery,
    ) -> Result<Vec<HistoryPoint>, StoreError> {
        let steps = Steps::of(query);
        let range = steps.widened(query);
        let Some((plug, extent)) = self.extent(query.plug).await? else {
            return Ok(Vec::new());
        };
        let pieces = Pieces::of(steps.tier(), range, extent);
        let mut sums = Sums::new();
        for (sql, size, piece) in [
            (
                SUM_QUARTERS,
                QUARTER,
                pieces.quarters.within(extent.quarters),
            ),
            (SUM_MINUTES, MINUTE, pieces.minutes.within(extent.minutes)),
        ] {
            let pairs = steps.pairs(size, piece);
            self.add_sums(&mut sums, sql, plug, pairs, query.limit)
                .await?;
        }
        if sums.len() < query.limit {
            self.add_readings(&mut sums, plug, pieces.readings, &steps)
                .await?;
        }
        let points = sums.into_iter().filter_map(|(t, sum)| point(t, &sum));
        Ok(points.take(query.limit).collect())
    }

    async fn extent(&self, plug: Mac) -> Result<Option<(i64, Extent)>, StoreError> {
        let Some(plug) = self.series_of(plug).await? else {
            return Ok(None);
        };
        let json: String = sqlx::query_scalar(EXTENT)
            .bind(plug)
            .fetch_one(self.readers())
            .await
            .map_err(|error| self.fault(READ, error))?;
        let [
            readings,
            first_minute,
            last_minute,
            first_quarter,
            last_quarter,
        ]: [Option<i64>; 5] = self.decoded(&json)?;
        // What is dropped ends at a quarter of an hour, so that is where whole data begin.
        let begins = |t: Option<i64>| t.map_or(i64::MAX, |t| floor(t, QUARTER));
        let ends = |t: Option<i64>, size| t.map_or(i64::MIN, |t| t + size);
        let extent = Extent {
            readings_from: begins(readings.map(|at| at.div_euclid(1000))),
            minutes: Range {
                from: begins(first_minute),
                to: ends(last_minute, MINUTE),
            },
            quarters: Range {
                from: begins(first_quarter),
                to: ends(last_quarter, QUARTER),
            },
        };
        Ok(Some((plug, extent)))
    }

    pub(super) async fn series_of(&self, plug: Mac) -> Result<Option<i64>, StoreError> {
        sqlx::query_scalar("SELECT id FROM series WHERE mac = ?")
            .bind(PlugId(plug).to_string())
            .fetch_optional(self.readers())
            .await
            .map_err(|error| self.fault(READ, error))
    }

    async fn add_sums(
        &self,
        sums: &mut Sums,
        sql: &'static str,
        plug: i64,
        mut pairs: impl Iterator<Item = (i64, Range)> + Send,
        limit: usize,
    ) -> Result<(), StoreError> {
        while sums.len() < limit {
            let asked: Vec<_> = pairs.by_ref().take(AT_ONCE).collect();
            if asked.is_empty() {
                break;
            }
            let ranges: Vec<_> = asked
                .iter()
                .map(|(_, range)| (range.from, range.to))
                .collect();
            let json: String = sqlx::query_scalar(sql)
                .bind(plug)
                .bind(encoded(&ranges))
                .fetch_one(self.readers())
                .await
                .map_err(|error| self.fault(READ, error))?;
            let rows: Vec<SumRow> = self.decoded(&json)?;
            for ((t, _), row) in asked.iter().zip(rows) {
                add_to(sums, *t, sum(row));
            }
        }
        Ok(())
    }

    async fn add_readings(
        &self,
        sums: &mut Sums,
        plug: i64,
        range: Range,
        steps: &Steps,
    ) -> Result<(), StoreError> {
        if range.from >= range.to {
            return Ok(());
        }
        let end = range.to.saturating_mul(1000);
        let mut from = range.from.saturating_mul(1000);
        loop {
            let rows: Vec<ReadingRow> = self.slice(READINGS, plug, (from, end), AT_ONCE).await?;
            for row in &rows {
                steps.add_reading(sums, row, range);
            }
            match rows.last() {
                Some(last) if rows.len() == AT_ONCE => from = last.0 + 1,
                _ => break,
            }
        }
        let across: String = sqlx::query_scalar(ACROSS)
            .bind(plug)
            .bind(end)
            .fetch_one(self.readers())
            .await
            .map_err(|error| self.fault(READ, error))?;
        let rows: Vec<ReadingRow> = self.decoded(&across)?;
        for row in &rows {
            steps.add_reading(sums, row, range);
        }
        Ok(())
    }

    pub(super) async fn quarters(
        &self,
        plug: Option<Mac>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Quarter>, StoreError> {
        let sql = "SELECT json_group_array(json_array(mac, id)) FROM \
            (SELECT mac, id FROM series WHERE ?1 IS NULL OR mac = ?1 ORDER BY mac)";
        let json: String = sqlx::query_scalar(sql)
            .bind(plug.map(|plug| PlugId(plug).to_string()))
            .fetch_one(self.readers())
            .await
            .map_err(|error| self.fault(READ, error))?;
        let series: Vec<(PlugId, i64)> = self.decoded(&json)?;
        let range = Range {
            from: ceil_second(from),
            to: ceil_second(to),
        };
        let mut quarters = Vec::new();
        for (mac, id) in series {
            self.add_quarters(&mut quarters, mac.0, id, range).await?;
        }
        Ok(quarters)
    }

    async fn add_quarters(
        &self,
        quarters: &mut Vec<Quarter>,
        plug: Mac,
        id: i64,
        range: Range,
    ) -> Result<(), StoreError> {
        let sql = "SELECT json_group_array(json_array(t, energy)) FROM \
            (SELECT t, energy FROM quarters WHERE plug = ?1 AND t >= ?2 AND t < ?3 ORDER BY t LIMIT ?4)";
        let mut from = range.from;
        loop {
            let rows: Vec<(i64, i64)> = self.slice(sql, id, (from, range.to), AT_ONCE).await?;
            let whole = rows.iter().filter_map(|(t, energy)| {
                Some(Quarter {
                    plug,
                    t: Timestamp::from_second(*t).ok()?,
                    energy_wh: from_thousandths(*energy),
                })
            });
            quarters.extend(whole);
            match rows.last() {
                Some((last, _)) if rows.len() == AT_ONCE => from = last + 1,
                _ => return Ok(()),
            }
        }
    }
}

fn sum((readings, power, low, high, energy): SumRow) -> Sum {
    Sum {
        readings,
        power: power.unwrap_or_default(),
        low,
        high,
        energy,
    }
}

fn point(t: i64, sum: &Sum) -> Option<HistoryPoint> {
    Some(HistoryPoint {
        t: Timestamp::from_second(t).ok()?,
        power_w: sum.mean().map(|mean| mean / 1e3),
        power_min_w: sum.low.map(from_thousandths),
        power_max_w: sum.high.map(from_thousandths),
        energy_wh: from_thousandths(sum.energy),
    })
}
