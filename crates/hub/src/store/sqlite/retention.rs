//! Removes old history with the space that it took, and measures how much there is.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::database::{QueryError, SqliteDatabase};
use crate::store::rows::oldest_row;
use crate::store::scale::unsigned;
use crate::store::{Retention, StoreInfo};

/// Small enough that readings and edits come in between.
const ROWS_PER_TRANSACTION: i64 = 5_000;
/// Pages returned to the system in one transaction: a megabyte.
const PAGES_PER_TRANSACTION: i64 = 256;
/// Bounds one call to a gigabyte.
const MAX_SHRINK_TRANSACTIONS: usize = 1000;
/// Counting reads every page of the file.
const COUNT_INTERVAL: Duration = Duration::from_secs(600);

const REMOVE_READINGS: &str = "DELETE FROM readings WHERE plug = ?1 AND at_ms IN \
    (SELECT at_ms FROM readings WHERE plug = ?1 AND at_ms < ?2 ORDER BY at_ms LIMIT ?3)";
const REMOVE_MINUTES: &str = "DELETE FROM minutes WHERE plug = ?1 AND t IN \
    (SELECT t FROM minutes WHERE plug = ?1 AND t < ?2 ORDER BY t LIMIT ?3)";

impl SqliteDatabase {
    /// Removes what is older than the retention allows, and returns the space to the system.
    pub(super) async fn tidy(
        &self,
        retention: Retention,
        now: Timestamp,
    ) -> Result<(), QueryError> {
        let series: Vec<i64> = sqlx::query_scalar("SELECT id FROM series")
            .fetch_all(self.readers())
            .await?;
        let readings = oldest_row(now, retention.readings).saturating_mul(1000);
        let minutes = oldest_row(now, retention.minutes);
        for plug in series {
            self.remove_before(REMOVE_READINGS, plug, readings).await?;
            self.remove_before(REMOVE_MINUTES, plug, minutes).await?;
        }
        self.tidy_log(now).await?;
        self.shrink().await
    }

    async fn remove_before(
        &self,
        sql: &'static str,
        plug: i64,
        before: i64,
    ) -> Result<(), QueryError> {
        loop {
            let mut transaction = self.record().await?;
            let removed = sqlx::query(sql)
                .bind(plug)
                .bind(before)
                .bind(ROWS_PER_TRANSACTION)
                .execute(transaction.connection())
                .await?
                .rows_affected();
            transaction.commit().await?;
            if i64::try_from(removed).unwrap_or(i64::MAX) < ROWS_PER_TRANSACTION {
                return Ok(());
            }
        }
    }

    /// Makes the file smaller when more than a quarter of it is empty. Space that is empty now and then is soon used again, and
    /// moving it about would cost more than it brings.
    async fn shrink(&self) -> Result<(), QueryError> {
        for _ in 0..MAX_SHRINK_TRANSACTIONS {
            let free = self.number("PRAGMA freelist_count").await?;
            let pages = self.number("PRAGMA page_count").await?;
            if free < PAGES_PER_TRANSACTION || free < pages / 4 {
                break;
            }
            let mut transaction = self.record().await?;
            // The statement takes a step for each page.
            sqlx::query("PRAGMA incremental_vacuum(256)")
                .fetch_all(transaction.connection())
                .await?;
            transaction.commit().await?;
        }
        Ok(())
    }

    /// Returns the size of the database; the numbers of rows can be some minutes old.
    pub(super) async fn info(&self) -> Result<StoreInfo, sqlx::Error> {
        let counted = *self.counted.lock();
        let mut info = match counted {
            Some((when, info)) if when.elapsed() < COUNT_INTERVAL => info,
            _ => self.count().await?,
        };
        info.bytes = bytes(self.path());
        Ok(info)
    }

    async fn count(&self) -> Result<StoreInfo, sqlx::Error> {
        let mut info = StoreInfo::default();
        for (sql, count) in [
            ("SELECT count(*) FROM readings", &mut info.readings),
            ("SELECT count(*) FROM minutes", &mut info.minutes),
            ("SELECT count(*) FROM quarters", &mut info.quarters),
        ] {
            *count = unsigned(self.number(sql).await?);
        }
        *self.counted.lock() = Some((Instant::now(), info));
        Ok(info)
    }

    async fn number(&self, sql: &'static str) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar(sql).fetch_one(self.readers()).await
    }
}

/// Returns the size of the file and the log beside it.
fn bytes(path: &std::path::Path) -> u64 {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let size = |path: &std::path::Path| path.metadata().map_or(0, |metadata| metadata.len());
    size(path) + size(log.as_ref())
}
