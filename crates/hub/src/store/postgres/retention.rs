//! Removes old history, and measures how much there is.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use sqlx::{AssertSqlSafe, PgPool};

use super::Postgres;
use super::months::{HistoryMonth, MonthlyTable};
use crate::store::rows::{MAX_LOG_ENTRIES, oldest_entry, oldest_row};
use crate::store::scale::unsigned;
use crate::store::{StoreError, StoreInfo};

/// Rows of a table and its partitions, as the server estimates them.
const ESTIMATE: &str = "SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint FROM pg_class WHERE relkind = 'r' \
    AND (oid = to_regclass($1) OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass($1)))";

/// Size above which rows are estimated: counting reads every page.
const MAX_COUNTED_BYTES: u64 = 1 << 30;
const COUNT_INTERVAL: Duration = Duration::from_secs(600);

const PARTITIONS: &str = "SELECT relname::text FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid \
    WHERE inhparent = to_regclass($1)";

const REMOVE_READINGS: &str = "DELETE FROM readings WHERE plug = $1 AND at_ms < $2";
const REMOVE_MINUTES: &str = "DELETE FROM minutes WHERE plug = $1 AND t < $2";

/// Removes what is older than a time, and what is beyond the number of entries.
const REMOVE_LOG: &str = "DELETE FROM log WHERE id < greatest( \
    coalesce((SELECT id FROM log WHERE at_ms >= $1 ORDER BY id LIMIT 1), 0), \
    coalesce((SELECT max(id) FROM log), 0) - $2 + 1)";

impl Postgres {
    /// Removes what is older than the retention allows: whole months by dropping them, the rest of the month that is partly over
    /// row by row.
    pub(super) async fn remove_old(&self, now: Timestamp) -> Result<(), StoreError> {
        let readings = oldest_row(now, self.retention.readings);
        let minutes = oldest_row(now, self.retention.minutes);
        self.drop_months(MonthlyTable::Readings, readings).await?;
        self.drop_months(MonthlyTable::Minutes, minutes).await?;
        let series: Vec<i64> = self
            .read(|pool| async move {
                let query = sqlx::query_scalar("SELECT id FROM series");
                Ok(query.fetch_all(&pool).await?)
            })
            .await?;
        for plug in series {
            self.remove_before(REMOVE_READINGS, plug, readings.saturating_mul(1000))
                .await?;
            self.remove_before(REMOVE_MINUTES, plug, minutes).await?;
        }
        self.remove_before(REMOVE_LOG, oldest_entry(now), MAX_LOG_ENTRIES)
            .await?;
        self.tidy_shared().await
    }

    /// Executes a statement that removes rows, with two numbers.
    async fn remove_before(
        &self,
        sql: &'static str,
        first: i64,
        second: i64,
    ) -> Result<(), StoreError> {
        self.write(|pool| async move {
            let query = sqlx::query(sql).bind(first).bind(second);
            query.execute(&pool).await?;
            Ok(())
        })
        .await
    }

    async fn drop_months(&self, table: MonthlyTable, before: i64) -> Result<(), StoreError> {
        let names: Vec<String> = self
            .read(|pool| async move {
                let query = sqlx::query_scalar(PARTITIONS).bind(table.into_str());
                Ok(query.fetch_all(&pool).await?)
            })
            .await?;
        let months = names
            .iter()
            .filter_map(|name| HistoryMonth::named(table, name));
        for month in months.filter(|month| month.is_before(before)) {
            self.months.lock().remove(&month);
            self.write(|pool| async move {
                let sql = AssertSqlSafe(month.drop_table());
                sqlx::raw_sql(sql).execute(&pool).await?;
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    /// Returns the size of the database; the numbers of rows can be some minutes old.
    pub(super) async fn size(&self) -> Result<StoreInfo, StoreError> {
        let counted = *self.counted.lock();
        let fresh = counted.filter(|(when, _)| when.elapsed() < COUNT_INTERVAL);
        let info = self
            .read(|pool| async move {
                let sql = "SELECT pg_database_size(current_database())";
                let bytes = unsigned(sqlx::query_scalar(sql).fetch_one(&pool).await?);
                Ok(match fresh {
                    Some((_, info)) => StoreInfo { bytes, ..info },
                    None => count(&pool, bytes).await?,
                })
            })
            .await?;
        if fresh.is_none() {
            *self.counted.lock() = Some((Instant::now(), info));
        }
        Ok(info)
    }
}

async fn count(pool: &PgPool, bytes: u64) -> Result<StoreInfo, sqlx::Error> {
    let mut info = StoreInfo {
        bytes,
        ..StoreInfo::default()
    };
    for (table, sql, count) in [
        (
            "readings",
            "SELECT count(*) FROM readings",
            &mut info.readings,
        ),
        ("minutes", "SELECT count(*) FROM minutes", &mut info.minutes),
        (
            "quarters",
            "SELECT count(*) FROM quarters",
            &mut info.quarters,
        ),
    ] {
        let query = match bytes > MAX_COUNTED_BYTES {
            true => sqlx::query_scalar(ESTIMATE).bind(table),
            false => sqlx::query_scalar(sql),
        };
        *count = unsigned(query.fetch_one(pool).await?);
    }
    Ok(info)
}
