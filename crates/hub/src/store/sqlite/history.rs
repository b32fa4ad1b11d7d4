//! The queries by which history is read.

use async_trait::async_trait;
use hiflying::Mac;
use jiff::Timestamp;

use super::database::{SqliteDatabase, decoded, encoded, readable_rows};
use super::{Sqlite, append, rows};
use crate::store::history::{HistoryReader, SumRow, history, quarters};
use crate::store::steps::{ConsumptionRow, SecondRange, ceil_second};
use crate::store::{
    HistoryQuery, HistoryRow, HistorySteps, HistoryStore, Quarter, Sample, StoreError, Tier,
};

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

const ENERGIES: &str = "SELECT json_group_array(json_array(t, energy)) FROM \
    (SELECT t, energy FROM quarters WHERE plug = ?1 AND t >= ?2 AND t < ?3 ORDER BY t LIMIT ?4)";

const SERIES: &str = "SELECT CAST(json_group_array(json_array(mac, id)) AS BLOB) FROM \
    (SELECT mac, id FROM series WHERE ?1 IS NULL OR mac = ?1 ORDER BY mac)";

#[async_trait]
impl HistoryStore for Sqlite {
    async fn append(&self, samples: &[Sample]) -> Result<(), StoreError> {
        self.write(|database| async move { append::append(&database, samples).await })
            .await
    }

    async fn history(&self, query: &HistoryQuery) -> Result<HistorySteps, StoreError> {
        self.read(|database| async move { Ok(history(&*database, query).await?) })
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
        self.read(|database| async move { Ok(quarters(&*database, plug, range).await?) })
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

#[async_trait]
impl HistoryReader for SqliteDatabase {
    async fn series_of(&self, plug: Mac) -> Result<Option<i64>, sqlx::Error> {
        self.series_of(plug).await
    }

    async fn series(&self, plug: Option<Mac>) -> Result<Vec<(Mac, i64)>, sqlx::Error> {
        let query = sqlx::query_scalar(SERIES).bind(plug.map(|plug| format!("{plug:x}")));
        let json: Vec<u8> = query.fetch_one(self.readers()).await?;
        readable_rows(&json)
    }

    async fn extent(&self, series: i64) -> Result<[Option<i64>; 5], sqlx::Error> {
        let query = sqlx::query_scalar(EXTENT).bind(series);
        let json: String = query.fetch_one(self.readers()).await?;
        decoded(&json)
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
        let query = sqlx::query_scalar(sql).bind(series).bind(encoded(ranges));
        let json: String = query.fetch_one(self.readers()).await?;
        decoded(&json)
    }

    async fn consumption(
        &self,
        series: i64,
        range: (i64, i64),
        limit: usize,
    ) -> Result<Vec<ConsumptionRow>, sqlx::Error> {
        self.slice(READINGS, series, range, limit).await
    }

    async fn across(&self, series: i64, at: i64) -> Result<Vec<ConsumptionRow>, sqlx::Error> {
        let query = sqlx::query_scalar(ACROSS).bind(series).bind(at);
        let json: String = query.fetch_one(self.readers()).await?;
        decoded(&json)
    }

    async fn energies(
        &self,
        series: i64,
        range: (i64, i64),
        limit: usize,
    ) -> Result<Vec<(i64, i64)>, sqlx::Error> {
        self.slice(ENERGIES, series, range, limit).await
    }
}
