//! The queries by which history is read.

use async_trait::async_trait;
use hiflying::Mac;
use jiff::Timestamp;
use sqlx::PgPool;

use super::Postgres;
use crate::store::history::{HistoryReader, SumRow, history, quarters};
use crate::store::records::SERIES_OF;
use crate::store::rows::{StoredReading, StoredSpan, ceil_millisecond, reading, spans};
use crate::store::steps::{ConsumptionRow, SecondRange, ceil_second};
use crate::store::{
    HistoryQuery, HistoryRow, HistorySteps, HistoryStore, Quarter, Sample, StoreError, Tier,
};

/// Sums the rows of each pair of times, in their order.
macro_rules! sum_of {
    ($table:literal) => {
        concat!(
            "SELECT coalesce(sums.readings, 0), sums.power, sums.low, sums.high, coalesce(sums.energy, 0) \
             FROM unnest($2::bigint[], $3::bigint[]) WITH ORDINALITY AS step (begin_t, end_t, number) \
             CROSS JOIN LATERAL (SELECT sum(readings)::bigint AS readings, sum(power)::bigint AS power, min(low) AS low, \
             max(high) AS high, sum(energy)::bigint AS energy FROM ",
            $table,
            " WHERE plug = $1 AND t >= begin_t AND t < end_t) AS sums ORDER BY number"
        )
    };
}

const SUM_MINUTES: &str = sum_of!("minutes");
const SUM_QUARTERS: &str = sum_of!("quarters");

const CONSUMPTION: &str = "SELECT at_ms, power, energy, gap_ms FROM readings \
    WHERE plug = $1 AND at_ms >= $2 AND at_ms < $3 ORDER BY at_ms LIMIT $4";

const ACROSS: &str = "SELECT at_ms, power, energy, gap_ms FROM readings \
    WHERE plug = $1 AND at_ms >= $2 AND energy IS NOT NULL AND at_ms - gap_ms < $2";

/// First and last time of each tier: readings in milliseconds, the others in seconds.
const EXTENT: &str = "SELECT (SELECT min(at_ms) FROM readings WHERE plug = $1), \
    (SELECT min(t) FROM minutes WHERE plug = $1), (SELECT max(t) FROM minutes WHERE plug = $1), \
    (SELECT min(t) FROM quarters WHERE plug = $1), (SELECT max(t) FROM quarters WHERE plug = $1)";

/// Plugs with history: every reading belongs to a quarter of an hour.
const RECORDED: &str = "SELECT mac FROM series \
    WHERE EXISTS (SELECT 1 FROM quarters WHERE plug = id) ORDER BY mac";

const ENERGIES: &str = "SELECT t, energy FROM quarters \
    WHERE plug = $1 AND t >= $2 AND t < $3 ORDER BY t LIMIT $4";

const SERIES: &str = "SELECT mac, id FROM series \
    WHERE $1::text IS NULL OR mac = $1 ORDER BY mac";

const READINGS: &str = "SELECT at_ms, voltage, current, frequency, power, counter_wh, energy, gap_ms \
    FROM readings WHERE plug = $1 AND at_ms >= $2 AND at_ms < $3 ORDER BY at_ms LIMIT $4";

macro_rules! select_spans {
    ($table:literal) => {
        concat!(
            "SELECT t, readings, power, low, high, energy FROM ",
            $table,
            " WHERE plug = $1 AND t >= $2 AND t < $3 ORDER BY t LIMIT $4"
        )
    };
}

#[async_trait]
impl HistoryStore for Postgres {
    async fn append(&self, samples: &[Sample]) -> Result<(), StoreError> {
        self.append_samples(samples).await
    }

    async fn history(&self, query: &HistoryQuery) -> Result<HistorySteps, StoreError> {
        self.read(|pool| async move { Ok(history(&pool, query).await?) })
            .await
    }

    async fn recorded(&self) -> Result<Vec<Mac>, StoreError> {
        self.read(|pool| async move {
            let macs: Vec<String> = sqlx::query_scalar(RECORDED).fetch_all(&pool).await?;
            Ok(macs.iter().filter_map(|mac| mac.parse().ok()).collect())
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
        self.read(|pool| async move { Ok(quarters(&pool, plug, range).await?) })
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
        self.read(|pool| async move { Ok(rows(&pool, plug, tier, (from, to), limit).await?) })
            .await
    }

    async fn import(&self, plug: Mac, rows: &[HistoryRow]) -> Result<u64, StoreError> {
        self.import_rows(plug, rows).await
    }

    async fn tidy(&self, now: Timestamp) -> Result<(), StoreError> {
        self.remove_old(now).await
    }
}

#[async_trait]
impl HistoryReader for PgPool {
    async fn series_of(&self, plug: Mac) -> Result<Option<i64>, sqlx::Error> {
        let query = sqlx::query_scalar(SERIES_OF).bind(format!("{plug:x}"));
        query.fetch_optional(self).await
    }

    async fn series(&self, plug: Option<Mac>) -> Result<Vec<(Mac, i64)>, sqlx::Error> {
        let query = sqlx::query_as(SERIES).bind(plug.map(|plug| format!("{plug:x}")));
        let rows: Vec<(String, i64)> = query.fetch_all(self).await?;
        let known = |(mac, id): (String, i64)| Some((mac.parse().ok()?, id));
        Ok(rows.into_iter().filter_map(known).collect())
    }

    async fn extent(&self, series: i64) -> Result<[Option<i64>; 5], sqlx::Error> {
        let query = sqlx::query_as(EXTENT).bind(series);
        let extent: (
            Option<i64>,
            Option<i64>,
            Option<i64>,
            Option<i64>,
            Option<i64>,
        ) = query.fetch_one(self).await?;
        Ok(extent.into())
    }

    async fn sums(
        &self,
        tier: Tier,
        series: i64,
        ranges: &[(i64, i64)],
    ) -> Result<Vec<SumRow>, sqlx::Error> {
        let sql = match tier {
            Tier::Quarters => SUM_QUARTERS,
            _ => SUM_MINUTES,
        };
        let (from, to): (Vec<i64>, Vec<i64>) = ranges.iter().copied().unzip();
        let query = sqlx::query_as(sql).bind(series).bind(from).bind(to);
        query.fetch_all(self).await
    }

    async fn consumption(
        &self,
        series: i64,
        range: (i64, i64),
        limit: usize,
    ) -> Result<Vec<ConsumptionRow>, sqlx::Error> {
        slice(self, CONSUMPTION, series, range, limit).await
    }

    async fn across(&self, series: i64, at: i64) -> Result<Vec<ConsumptionRow>, sqlx::Error> {
        let query = sqlx::query_as(ACROSS).bind(series).bind(at);
        query.fetch_all(self).await
    }

    async fn energies(
        &self,
        series: i64,
        range: (i64, i64),
        limit: usize,
    ) -> Result<Vec<(i64, i64)>, sqlx::Error> {
        slice(self, ENERGIES, series, range, limit).await
    }
}

/// Returns stored rows of a tier, by time.
async fn rows(
    pool: &PgPool,
    plug: Mac,
    tier: Tier,
    (from, to): (Timestamp, Timestamp),
    limit: usize,
) -> Result<Vec<HistoryRow>, sqlx::Error> {
    let Some(series) = pool.series_of(plug).await? else {
        return Ok(Vec::new());
    };
    let sql = match tier {
        Tier::Readings => {
            let range = (ceil_millisecond(from), ceil_millisecond(to));
            let rows: Vec<StoredReading> = slice(pool, READINGS, series, range, limit).await?;
            let readings = rows.into_iter().filter_map(|row| reading(plug, row));
            return Ok(readings.collect());
        }
        Tier::Minutes => select_spans!("minutes"),
        Tier::Quarters => select_spans!("quarters"),
    };
    let range = (ceil_second(from), ceil_second(to));
    let rows: Vec<StoredSpan> = slice(pool, sql, series, range, limit).await?;
    Ok(spans(tier, rows))
}

/// Returns at most `limit` rows of one series in a range. The statement takes the series, the range and `limit`.
async fn slice<T>(
    pool: &PgPool,
    sql: &'static str,
    series: i64,
    (from, to): (i64, i64),
    limit: usize,
) -> Result<Vec<T>, sqlx::Error>
where
    T: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
{
    sqlx::query_as(sql)
        .bind(series)
        .bind(from)
        .bind(to)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(pool)
        .await
}
