//! What is old goes, and the space with it; and how much there is.

use std::time::{Duration, Instant};

use api::Period;
use jiff::Timestamp;

use super::Retention;
use super::database::{Database, READ, WRITTEN};
use crate::store::slots::{QUARTER, floor};
use crate::store::{StoreError, StoreInfo};

/// Rows in one change: small enough that readings and edits come in between.
const AT_ONCE: i64 = 5_000;
/// Pages given back in one change, a megabyte, and the most in one call, a gigabyte.
const PAGES_AT_ONCE: i64 = 256;
const MOST_SLICES: i64 = 1000;
/// Counting reads every page of the file.
const COUNTED_FOR: Duration = Duration::from_secs(600);

const DROP_READINGS: &str = "DELETE FROM readings WHERE plug = ?1 AND at_ms IN \
    (SELECT at_ms FROM readings WHERE plug = ?1 AND at_ms < ?2 ORDER BY at_ms LIMIT ?3)";
const DROP_MINUTES: &str = "DELETE FROM minutes WHERE plug = ?1 AND t IN \
    (SELECT t FROM minutes WHERE plug = ?1 AND t < ?2 ORDER BY t LIMIT ?3)";

impl Database {
    pub(super) async fn tidy(
        &self,
        retention: Retention,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let series: Vec<i64> = sqlx::query_scalar("SELECT id FROM series")
            .fetch_all(self.readers())
            .await
            .map_err(|error| self.fault(READ, error))?;
        let readings = oldest(now, retention.readings).saturating_mul(1000);
        let minutes = oldest(now, retention.minutes);
        for plug in series {
            self.drop_before(DROP_READINGS, plug, readings).await?;
            self.drop_before(DROP_MINUTES, plug, minutes).await?;
        }
        self.give_back().await
    }

    async fn drop_before(
        &self,
        sql: &'static str,
        plug: i64,
        before: i64,
    ) -> Result<(), StoreError> {
        loop {
            let mut writing = self.record().await?;
            let dropped = sqlx::query(sql)
                .bind(plug)
                .bind(before)
                .bind(AT_ONCE)
                .execute(writing.connection())
                .await
                .map_err(|error| self.fault(WRITTEN, error))?
                .rows_affected();
            writing.commit().await?;
            if i64::try_from(dropped).unwrap_or(i64::MAX) < AT_ONCE {
                return Ok(());
            }
        }
    }

    /// Makes the file smaller, when more than a quarter of it is empty: what is only now and then empty is soon used
    /// again, and moving it about would cost more than it brings.
    async fn give_back(&self) -> Result<(), StoreError> {
        for _ in 0..MOST_SLICES {
            let free = self.number("PRAGMA freelist_count").await?;
            let pages = self.number("PRAGMA page_count").await?;
            if free < PAGES_AT_ONCE || free < pages / 4 {
                break;
            }
            let mut writing = self.record().await?;
            // The statement takes a step for each page.
            sqlx::query("PRAGMA incremental_vacuum(256)")
                .fetch_all(writing.connection())
                .await
                .map_err(|error| self.fault(WRITTEN, error))?;
            writing.commit().await?;
        }
        Ok(())
    }

    pub(super) async fn info(&self) -> Result<StoreInfo, StoreError> {
        let counted = *self
            .counted
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut info = match counted {
            Some((when, info)) if when.elapsed() < COUNTED_FOR => info,
            _ => self.count().await?,
        };
        info.bytes = bytes(self.path());
        Ok(info)
    }

    async fn count(&self) -> Result<StoreInfo, StoreError> {
        let mut info = StoreInfo::default();
        for (sql, count) in [
            ("SELECT count(*) FROM readings", &mut info.readings),
            ("SELECT count(*) FROM minutes", &mut info.minutes),
            ("SELECT count(*) FROM quarters", &mut info.quarters),
        ] {
            *count = u64::try_from(self.number(sql).await?).unwrap_or_default();
        }
        let now = Some((Instant::now(), info));
        *self
            .counted
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = now;
        Ok(info)
    }

    async fn number(&self, sql: &'static str) -> Result<i64, StoreError> {
        sqlx::query_scalar(sql)
            .fetch_one(self.readers())
            .await
            .map_err(|error| self.fault(READ, error))
    }
}

/// Returns the second before which things are too old: the beginning of a quarter of an hour, so that what stays is whole.
fn oldest(now: Timestamp, kept: Period) -> i64 {
    let kept = i64::try_from(kept.get().as_secs()).unwrap_or(i64::MAX);
    floor(now.as_second().saturating_sub(kept), QUARTER)
}

/// The file and the log beside it.
fn bytes(path: &std::path::Path) -> u64 {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let size = |path: &std::path::Path| path.metadata().map_or(0, |metadata| metadata.len());
    size(path) + size(log.as_ref())
}
